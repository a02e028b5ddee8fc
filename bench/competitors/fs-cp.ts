/** `node:fs/promises` copies a tree: SRC DST. */
import { cp } from 'node:fs/promises';

const [from, to] = process.argv.slice(2);
await cp(from, to, { recursive: true });
