import { Reactor } from 'iouring';
import { open } from 'node:fs/promises';

await using io = new Reactor();
const file = await open('/etc/hostname');
const buffer = Buffer.alloc(256);

const bytes = await io.read(file.fd, buffer, { offset: 0 });
console.log(`read ${bytes} bytes: ${buffer.toString('utf8', 0, bytes).trim()}`);

// In one tick: one system call for all of them.
const sizes = await Promise.all(['/etc/passwd', '/etc/group'].map((path) => io.stat(path)));
console.log(sizes.map(({ size }) => size > 0));

// The kernel stops what takes too long, or is aborted, and only then does the promise reject.
await io.sleep(60_000, { timeoutMs: 10 }).catch((error: Error) => console.log(error.message));
await file.close();
