/** The files that are read: one in the page cache, one on the disk and not in the cache. */
import { randomFillSync } from 'node:crypto';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { alignedBlocks } from './competitors/aligned-blocks.ts';
import { inProject } from './project.ts';

const CHUNK_BLOCKS = 256;
/** statfs(2) of a filesystem in memory, which may take O_DIRECT and has no disk to go to. */
const TMPFS_MAGIC = 0x01021994;
export const FILE_BYTES = 256 * 1024 * 1024;

export interface DataFile extends Disposable {
  readonly path: string;
}

/** A file of random bytes whose pages are all in the cache. */
export function cachedFile(): DataFile {
  const file = inNewFolder(tmpdir());
  try {
    write(file.path, 0);
    readThrough(file.path);
    return file;
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

/** The same past the page cache, on the first filesystem that can; why none, otherwise. */
export function directFile(): DataFile | { readonly missing: string } {
  const reasons: string[] = [];
  for (const folder of [inProject('build'), tmpdir()]) {
    const file = inNewFolder(folder);
    try {
      if (statfsSync(folder).type === TMPFS_MAGIC) {
        throw new Error('a folder is in memory');
      }
      write(file.path, constants.O_DIRECT);
      return file;
    } catch (error) {
      file[Symbol.dispose]();
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { missing: `no filesystem here takes O_DIRECT: ${reasons.join('; ')}` };
}

function inNewFolder(parent: string): DataFile {
  const folder = mkdtempSync(join(parent, 'iouring-bench-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  // Also when the process exits on its way.
  process.once('exit', remove);
  return {
    path: join(folder, 'data'),
    [Symbol.dispose]() {
      remove();
      process.removeListener('exit', remove);
    },
  };
}

/** A chunk that starts at a page, which is what O_DIRECT asks for. */
function chunkOfBlocks(): Uint8Array {
  const [first] = alignedBlocks(CHUNK_BLOCKS);
  return new Uint8Array(first.buffer, first.byteOffset, CHUNK_BLOCKS * first.length);
}

function write(path: string, flags: number): void {
  const { O_CREAT, O_EXCL, O_WRONLY, O_DSYNC } = constants;
  const fd = openSync(path, O_CREAT | O_EXCL | O_WRONLY | (flags === 0 ? 0 : O_DSYNC) | flags);
  try {
    const chunk = chunkOfBlocks();
    for (let at = 0; at < FILE_BYTES; at += chunk.length) {
      randomFillSync(chunk);
      if (writeSync(fd, chunk, 0, chunk.length, at) !== chunk.length) {
        throw new Error('a write was short');
      }
    }
  } finally {
    closeSync(fd);
  }
}

function readThrough(path: string): void {
  const fd = openSync(path, 'r');
  try {
    const chunk = chunkOfBlocks();
    for (let at = 0; at < FILE_BYTES; at += chunk.length) {
      readSync(fd, chunk, 0, chunk.length, at);
    }
  } finally {
    closeSync(fd);
  }
}
