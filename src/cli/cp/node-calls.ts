import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { AT_FDCWD, ENOSYS, RENAME_NOREPLACE } from '../../abi/index.ts';
import { IF_ANY, type Span } from '../call-options.ts';
import { descriptorPath, HAS_DESCRIPTOR_PATHS } from '../descriptor-path.ts';
import { O_PATH } from '../open-flags.ts';
import type { CopyCalls, How, Mode, RenameFlags } from './copy-calls.ts';
import { join, type Path } from './copy-place.ts';

const { COPYFILE_FICLONE_FORCE, O_DIRECTORY, O_NOFOLLOW } = fs.constants;
const { futimesSync, lutimesSync, readSync } = fs;
const [open, close, ftruncate] = [promisify(fs.open), promisify(fs.close), promisify(fs.ftruncate)];
const [mkdir, link, symlink, unlink, rename] = [fs.mkdir, fs.link, fs.symlink, fs.unlink, fs.rename].map((call) =>
  promisify(call as (...args: never[]) => void)
) as unknown as ((...args: unknown[]) => Promise<void>)[];
const [read, write, copyFile] = [promisify(fs.read), promisify(fs.write), promisify(fs.copyFile)];

/** Bytes in which holes are looked for at once, and the least size of a hole. */
const WINDOW = 1 << 20;
const BLOCK = 4096;

/**
 * Copying through Node, where there is no io_uring. What Node has no call for is done as well as it can be: blocks of
 * zeros are taken for holes, times are kept to the microsecond, and extended attributes, ACLs among them, are not kept.
 */
export class NodeCalls implements CopyCalls {
  readonly #window = Buffer.alloc(WINDOW);
  /**
   * The path of what is open, where descriptors have no paths: then a directory that is replaced may lead elsewhere.
   */
  readonly #paths = new Map<number, Path>();

  open(path: Path, flags: number): Promise<number> {
    return this.openat(AT_FDCWD, path, flags);
  }

  async openat(directory: number, name: Path, flags: number, options?: Mode): Promise<number> {
    const path = this.#at(directory, name);
    const fd = await open(path, flags, options?.mode);
    if (!HAS_DESCRIPTOR_PATHS) this.#paths.set(fd, path);
    return fd;
  }

  /** Part by part, none of which may be a symbolic link. */
  async openat2(directory: number, path: Path, { flags }: How): Promise<number> {
    const parts = partsOf(path);
    let above = directory;
    for (const [i, part] of parts.entries()) {
      const isLast = i === parts.length - 1;
      const opening = this.openat(above, part, (isLast ? flags : O_PATH | O_DIRECTORY) | O_NOFOLLOW);
      const former = above;
      above = await opening.finally(() => (former === directory ? undefined : this.closeFd(former)));
    }
    return above;
  }

  async close(): Promise<void> {}

  async closeFd(fd: number): Promise<void> {
    this.#paths.delete(fd);
    await close(fd);
  }

  async read(fd: number, buffer: Uint8Array, { offset, length }: Span): Promise<number> {
    return (await read(fd, buffer, 0, length, offset)).bytesRead;
  }

  async write(fd: number, data: Uint8Array, { offset, length }: Span): Promise<number> {
    return (await write(fd, data, 0, length, offset)).bytesWritten;
  }

  ftruncate(fd: number, length: number): Promise<void> {
    return ftruncate(fd, length);
  }

  mkdirat(directory: number, name: Path, mode: number): Promise<void> {
    return mkdir(this.#at(directory, name), mode);
  }

  linkat(existingDirectory: number, existing: Path, directory: number, name: Path): Promise<void> {
    return link(this.#at(existingDirectory, existing), this.#at(directory, name));
  }

  symlinkat(target: Path, directory: number, name: Path): Promise<void> {
    return symlink(target, this.#at(directory, name));
  }

  unlinkat(directory: number, name: Path): Promise<void> {
    return unlink(this.#at(directory, name));
  }

  /** Not over what is there, if that is not wanted: a directory without anything in it would give way. */
  async renameat(
    fromDirectory: number,
    from: Path,
    toDirectory: number,
    to: Path,
    options?: RenameFlags,
  ): Promise<void> {
    const [former, latter] = [this.#at(fromDirectory, from), this.#at(toDirectory, to)];
    if (options?.flags === RENAME_NOREPLACE && fs.lstatSync(latter, IF_ANY) !== undefined) {
      throw Object.assign(
        new Error(`EEXIST: file already exists, rename '${former.toString()}' -> '${latter.toString()}'`),
        { code: 'EEXIST' },
      );
    }
    await rename(former, latter);
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
    for (let at = offset - (offset % BLOCK);;) {
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

  async clone(from: number, to: number): Promise<void> {
    const [source, copy] = [from, to].map(descriptorPath);
    if (source === undefined || copy === undefined) throw notThere('ioctl');
    await copyFile(source, copy, COPYFILE_FICLONE_FORCE);
  }

  allocate(bytes: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(bytes);
  }

  #at(directory: number, name: Path): Path {
    if (directory === AT_FDCWD) return name;
    return join(descriptorPath(directory) ?? this.#paths.get(directory)!, name);
  }
}

function partsOf(path: Path): Path[] {
  if (typeof path === 'string') return path.split('/');
  return path.toString('latin1').split('/').map((part) => Buffer.from(part, 'latin1'));
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
