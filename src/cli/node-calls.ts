import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { ENOSYS } from '../abi/index.ts';
import type { CopyCalls } from './copy-calls.ts';
import type { Path } from './copy-tree.ts';

const { futimesSync, lutimesSync, readSync } = fs;
const [open, close, ftruncate] = [promisify(fs.open), promisify(fs.close), promisify(fs.ftruncate)];
const [mkdir, link, symlink, unlink, rename] = [fs.mkdir, fs.link, fs.symlink, fs.unlink, fs.rename].map((call) =>
  promisify(call as (...args: never[]) => void),
) as unknown as ((...args: unknown[]) => Promise<void>)[];
const [read, write] = [promisify(fs.read), promisify(fs.write)];

/** What is looked for holes in at once, and what a hole is at least. */
const WINDOW = 1 << 20;
const BLOCK = 4096;

/**
 * Copying through Node, where there is no io_uring. What Node has no call for is done as well as it can be: blocks of zeros are
 * taken for holes, times are kept to the microsecond, and extended attributes are not kept.
 */
export class NodeCalls implements CopyCalls {
  readonly #window = Buffer.alloc(WINDOW);

  open(path: Path, flags: number, options?: { mode: number }): Promise<number> {
    return open(path, flags, options?.mode);
  }

  async close(fd?: number): Promise<void> {
    if (fd !== undefined) await close(fd);
  }

  async read(fd: number, buffer: Uint8Array, { offset, length = buffer.length }: { offset: number; length?: number }): Promise<number> {
    return (await read(fd, buffer, 0, length, offset)).bytesRead;
  }

  async write(fd: number, data: Uint8Array, { offset, length = data.length }: { offset: number; length?: number }): Promise<number> {
    return (await write(fd, data, 0, length, offset)).bytesWritten;
  }

  ftruncate(fd: number, length: number): Promise<void> {
    return ftruncate(fd, length);
  }

  mkdir(path: Path, mode: number): Promise<void> {
    return mkdir(path, mode);
  }

  link(existing: Path, path: Path): Promise<void> {
    return link(existing, path);
  }

  symlink(target: Path, path: Path): Promise<void> {
    return symlink(target, path);
  }

  unlink(path: Path): Promise<void> {
    return unlink(path);
  }

  rename(from: Path, to: Path): Promise<void> {
    return rename(from, to);
  }

  /** Never over what is there: a directory without anything in it would give way. */
  async renameat(_fromFd: number, from: Path, _toFd: number, to: Path): Promise<void> {
    if (fs.lstatSync(to, { throwIfNoEntry: false }) !== undefined) {
      throw Object.assign(new Error(`EEXIST: file already exists, rename '${from.toString()}' -> '${to.toString()}'`), { code: 'EEXIST' });
    }
    await rename(from, to);
  }

  setTimes(file: number | Path, atimeNs: bigint, mtimeNs: bigint): void {
    const [atime, mtime] = [atimeNs, mtimeNs].map(timeOf);
    if (typeof file === 'number') futimesSync(file, atime, mtime);
    else lutimesSync(file, atime, mtime);
  }

  listxattr(): string[] {
    return [];
  }

  fgetxattr(): Promise<number> {
    return Promise.reject(notThere('fgetxattr'));
  }

  fsetxattr(): Promise<void> {
    return Promise.reject(notThere('fsetxattr'));
  }

  seek(fd: number, offset: number, what: 'data' | 'hole'): number | undefined {
    const window = this.#window;
    for (let at = offset - (offset % BLOCK); ; ) {
      const length = readSync(fd, window, 0, WINDOW, at);
      for (let block = 0; block < length; block += BLOCK) {
        const isHole = isZero(window, block, Math.min(length, block + BLOCK));
        if (isHole === (what === 'hole')) return Math.max(offset, at + block);
      }
      if (length === 0) return undefined;
      at += length;
    }
  }

  copyFileRange(): number {
    throw notThere('copy_file_range');
  }

  allocate(bytes: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(bytes);
  }
}

/** Negative numbers mean the present to Node; dates do not, and have milliseconds. */
function timeOf(ns: bigint): number | Date {
  return ns < 0n ? new Date(Number(ns / 1_000_000n)) : Number(ns) / 1e9;
}

const ZEROS = Buffer.alloc(BLOCK);

function isZero(bytes: Buffer, from: number, to: number): boolean {
  return bytes.compare(ZEROS, 0, to - from, from, to) === 0;
}

function notThere(syscall: string): Error {
  const message = `ENOSYS: function not implemented, ${syscall}`;
  return Object.assign(new Error(message), { code: 'ENOSYS', errno: -ENOSYS, syscall });
}
