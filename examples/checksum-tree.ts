/** `node checksum-tree.js FOLDER` prints the SHA-256 of every file in a tree, as sha256sum does, many files at a time. */
import { createHash } from 'node:crypto';
import { constants, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Reactor } from 'iouring';

const FILES_AT_A_TIME = 64;
const BYTES = 1 << 17;

const folder = process.argv[2] ?? '.';
const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
paths.sort((a, b) => (a < b ? -1 : 1));

const io = new Reactor();
const digests = new Map<string, string>();
const failures: string[] = [];
let next = 0;

/** One of those who take a file each. Each has its own registered memory, which is used again for every file. */
async function work(): Promise<void> {
  const buffer = io.allocate(BYTES);
  while (next < paths.length) {
    const path = paths[next++];
    try {
      const fd = await io.open(path, constants.O_RDONLY | 0x80000);
      const hash = createHash('sha256');
      for (let offset = 0, bytes = -1; bytes !== 0; offset += bytes) {
        bytes = await io.read(fd, buffer, { offset });
        hash.update(buffer.subarray(0, bytes));
      }
      await io.closeFd(fd);
      digests.set(path, hash.digest('hex'));
    } catch (error) {
      failures.push((error as Error).message);
    }
  }
}

await Promise.all(Array.from({ length: Math.min(FILES_AT_A_TIME, paths.length) }, work));
for (const path of paths) if (digests.has(path)) console.log(`${digests.get(path)}  ${path}`);
for (const failure of failures) console.error(failure);
process.exitCode = failures.length === 0 ? 0 : 1;
const { submitted, enters } = io.stats;
console.error(`${paths.length} files, ${submitted} operations, ${enters} system calls to submit them`);
await io.close();
