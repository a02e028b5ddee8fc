import { constants } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { AT_EMPTY_PATH, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS } from '../../abi/index.ts';
import type { OpenHow, Reactor, Statx } from '../../index.ts';
import { Span } from '../call-options.ts';
import { descriptorPath, HAS_DESCRIPTOR_PATHS } from '../descriptor-path.ts';
import { O_CLOEXEC, O_PATH, READ_DIRECTORY } from '../open-flags.ts';
import { isHidden, pathBytes } from './request-path.ts';

/** The status of an open file. */
export interface FileStatus {
  readonly kind: 'file' | 'directory';
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** Which file of which disk it is. */
  readonly inode: string;
}

/** A file that is open for reading. */
export interface ServedFile {
  readonly status: FileStatus;
  /** A path to exactly this file, of a directory for what is in it; only as long as it is open. */
  readonly path: string | Buffer;
  /** Read `length` bytes at `offset` into the beginning of `into`. @returns the bytes read; 0 at the end */
  read(into: Uint8Array, offset: number, length: number): Promise<number>;
  close(): Promise<void>;
}

/** A folder, and no way out of it. */
export interface ServedTree {
  /**
   * Open what is at this path below the folder, by bytes as {@link pathBytes}; the empty path is the folder. Links are
   * followed as long as they stay below it, and do not lead to what is hidden.
   * @returns rejects with `EXDEV` where a link leads out of it, with `ENOENT` where it leads to what is hidden, with
   *   `ENXIO` where there is neither a file nor a folder
   */
  open(path: string): Promise<ServedFile>;
  close(): Promise<void>;
}

const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;
const READ = O_RDONLY | O_NOCTTY | O_CLOEXEC;
const FIND = O_PATH | O_CLOEXEC;

const BENEATH = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
/** The kernel gives up when something is renamed while it looks for a way out. */
const ATTEMPTS = 8;

/** Options of calls: nothing that somebody adds to `Object.prototype` is one of them. */
function how(flags: number, resolve: number): OpenHow {
  return { __proto__: null, flags, resolve } as OpenHow;
}

/**
 * Through the ring: openat2(2) with RESOLVE_BENEATH from the folder's descriptor. What is found is looked at before it
 * is opened, by its descriptor, for opening a device may do something, and a pipe has somebody at its other end.
 */
export class RingTree implements ServedTree {
  readonly #io: Reactor;
  readonly #folder: number;
  readonly #withHidden: boolean;

  private constructor(io: Reactor, folder: number, withHidden: boolean) {
    this.#io = io;
    this.#folder = folder;
    this.#withHidden = withHidden;
  }

  /** @param withHidden may links lead to what has a name that begins with a dot? */
  static async of(io: Reactor, folder: string, withHidden = false): Promise<RingTree> {
    return new RingTree(io, await io.open(folder, READ_DIRECTORY), withHidden);
  }

  async open(path: string): Promise<ServedFile> {
    const io = this.#io;
    const found = await this.#find(path, path === '' ? '.' : pathBytes(path));
    let isKept = false;
    try {
      const status = statusOf(path, await io.statx(found, '', AT_EMPTY_PATH));
      // The path of this descriptor is all that is needed of a directory.
      isKept = status.kind === 'directory';
      const fd = isKept ? found : await this.#read(found, path);
      return new RingFile(io, fd, status);
    } finally {
      if (!isKept) await io.closeFd(found);
    }
  }

  close(): Promise<void> {
    return this.#io.closeFd(this.#folder);
  }

  async #find(path: string, bytes: string | Buffer): Promise<number> {
    if (this.#withHidden) return this.#descriptor(bytes, BENEATH);
    try {
      // A file that is found without a link has the name that was asked for.
      return await this.#descriptor(bytes, BENEATH | RESOLVE_NO_SYMLINKS);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ELOOP' || !HAS_DESCRIPTOR_PATHS) throw error;
    }
    const found = await this.#descriptor(bytes, BENEATH);
    try {
      const [root, real] = await Promise.all(
        [this.#folder, found].map((fd) => readlink(descriptorPath(fd)!, 'latin1')),
      );
      if (isHidden(real.slice(root.length))) throw notThere(path);
      return found;
    } catch (error) {
      await this.#io.closeFd(found);
      throw error;
    }
  }

  async #descriptor(path: string | Buffer, resolve: number): Promise<number> {
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#io.openat2(this.#folder, path, how(FIND, resolve));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** Open the file that was found. */
  #read(found: number, path: string): Promise<number> {
    const place = descriptorPath(found);
    if (place !== undefined) return this.#io.open(place, READ);
    // Without /proc what has this name may be another file by now, but of no other folder.
    return this.#io.openat2(this.#folder, pathBytes(path), how(READ | O_NONBLOCK, BENEATH));
  }
}

class RingFile implements ServedFile {
  readonly status: FileStatus;
  readonly #io: Reactor;
  readonly #fd: number;

  constructor(io: Reactor, fd: number, status: FileStatus) {
    this.#io = io;
    this.#fd = fd;
    this.status = status;
  }

  get path(): string {
    return `/proc/self/fd/${this.#fd}`;
  }

  read(into: Uint8Array, offset: number, length: number): Promise<number> {
    return this.#io.read(this.#fd, into, new Span(offset, length));
  }

  close(): Promise<void> {
    return this.#io.closeFd(this.#fd);
  }
}

function statusOf(path: string, statx: Statx): FileStatus {
  const { size, mtimeNs, ctimeNs } = statx;
  const inode = `${statx.devMajor}:${statx.devMinor}:${statx.ino}`;
  return { kind: kindOf(path, statx), size, mtimeNs, ctimeNs, inode };
}

/** @throws {Error} `ENXIO`: it is a pipe, a device or a socket */
export function kindOf(path: string, stats: { isFile(): boolean; isDirectory(): boolean }): FileStatus['kind'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  throw Object.assign(new Error(`ENXIO: no such device or address, open '${path}'`), {
    code: 'ENXIO',
    syscall: 'open',
    path,
  });
}

/** A hidden file is as good as none. */
export function notThere(path: string): Error {
  const error = new Error(`ENOENT: no such file or directory, open '${path}'`);
  return Object.assign(error, { code: 'ENOENT', syscall: 'open', path });
}
