// The README's example of iouring/fs: change one import, and what you have goes through the ring; and what Node has not.
// #region shown
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mkdtemp, open, readdir, readFile, readFiles, rm, stat, writeFile } from 'iouring/fs'; // was: 'node:fs/promises'

const folder = await mkdtemp(join(tmpdir(), 'iouring-'));
await Promise.all(Array.from({ length: 1000 }, (_, i) => writeFile(join(folder, `${i}.txt`), `number ${i}\n`)));
console.log(await readFile(join(folder, '42.txt'), 'utf8'), (await stat(folder)).isDirectory());

await using handle = await open(join(folder, '7.txt'));
for await (const line of handle.readLines({ autoClose: false })) console.log(line);

// Beyond Node: so many files in flight at a time, in the order of their paths.
const paths = (await readdir(folder)).map((name) => join(folder, name));
let bytes = 0;
for await (const { data, error } of readFiles(paths, { concurrency: 64 })) bytes += error ? 0 : data.length;
console.log(`${bytes} bytes in ${paths.length} files`);
await rm(folder, { recursive: true });
// #endregion
