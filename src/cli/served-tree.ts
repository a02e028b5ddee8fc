import { constants } from 'node:fs';
import { RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS } from '../abi/index.ts';
import type { Reactor, Statx } from '../index.ts';
import { pathBytes } from './request-path.ts';

/** What is known of an open file. */
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
   * Open what is at this path below the folder, by bytes as {@link pathBytes}; the empty path is the folder. Links are followed
   * as long as they stay below it.
   * @returns rejects with `EXDEV` where a link leads out of it, with `ENXIO` where there is neither a file nor a folder
   */
  open(path: string): Promise<ServedFile>;
  close(): Promise<void>;
}

const { O_RDONLY, O_NONBLOCK, O_NOCTTY, O_DIRECTORY } = constants;
/** Node has no name for it. */
const O_CLOEXEC = 0o2000000;
const AT_EMPTY_PATH = 0x1000;

/** A pipe that nobody writes to would keep its opener waiting. */
const BENEATH = { flags: O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, resolve: RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
/** The kernel gives up when something is renamed while it looks for a way out. */
const ATTEMPTS = 8;

/** Through the ring: openat2(2) with RESOLVE_BENEATH from the folder's descriptor. */
export class RingTree implements ServedTree {
  readonly #io: Reactor;
  readonly #folder: number;

  private constructor(io: Reactor, folder: number) {
    this.#io = io;
    this.#folder = folder;
  }

  static async of(io: Reactor, folder: string): Promise<RingTree> {
    return new RingTree(io, await io.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }

  async open(path: string): Promise<ServedFile> {
    const io = this.#io;
    const fd = await this.#descriptor(path === '' ? '.' : pathBytes(path));
    try {
      return new RingFile(io, fd, statusOf(path, await io.statx(fd, '', AT_EMPTY_PATH)));
    } catch (error) {
      await io.close(fd);
      throw error;
    }
  }

  async #descriptor(path: string | Buffer): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#io.openat2(this.#folder, path, BENEATH);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || attempt === ATTEMPTS) throw error;
      }
    }
  }

  close(): Promise<void> {
    return this.#io.close(this.#folder);
  }
}

class RingFile implements ServedFile {
  readonly status: FileStatus;
  readonly #io: Reactor;
  #fd: number;

  constructor(io: Reactor, fd: number, status: FileStatus) {
    this.#io = io;
    this.#fd = fd;
    this.status = status;
  }

  get path(): string {
    return `/proc/self/fd/${this.#fd}`;
  }

  async read(into: Uint8Array, offset: number, length: number): Promise<number> {
    try {
      return await this.#io.read(this.#fd, into, { offset, length });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      await this.#openToWait();
      return this.#io.read(this.#fd, into, { offset, length });
    }
  }

  close(): Promise<void> {
    return this.#io.close(this.#fd);
  }

  /** On some file systems O_NONBLOCK has the ring refuse to wait for the disk. It is known to be no pipe now. */
  async #openToWait(): Promise<void> {
    const fd = await this.#io.open(this.path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    const former = this.#fd;
    this.#fd = fd;
    await this.#io.close(former);
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
  throw Object.assign(new Error(`ENXIO: no such device or address, open '${path}'`), { code: 'ENXIO', syscall: 'open', path });
}
