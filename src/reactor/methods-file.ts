import { IOSQE_FIXED_FILE } from '../abi/flags.ts';
import type { Lendable } from '../ring/lent-memory.ts';
import type { FileOffset, TransferOptions } from '../ring/prepare-file.ts';
import type { IoUring } from '../ring/ring.ts';
import { moveBehindRead, moveBehindWrite, positionOf } from './file-position.ts';
import type { Engine } from './engine.ts';
import {
  bytesOf,
  chainOf,
  lengthOf,
  memoryOf,
  OperationMethods,
  registeredOf,
  run,
  withCloexec,
  type Data,
  type DescriptorOptions,
} from './methods.ts';
import { NOTHING, NUMBER, type Operation, type OperationOptions, type Outcome } from './operation.ts';

/** How a file is read or written. */
export interface ReadWriteOptions extends OperationOptions {
  /**
   * Where in the FILE, in bytes; left out or null: where the file stands, which moves on by what was transferred. The kernel takes no
   * lock for that, as read(2) and write(2) do: of two transfers at the same time, of which the other may be another process's that
   * shares the descriptor, one may begin where the other does, and overwrite it. Several at a time are given offsets, or `O_APPEND`.
   */
  offset?: FileOffset;
  /** How many bytes of the buffer, from its beginning; default all of it. */
  length?: number | undefined;
  /** RWF_* bits. */
  rwFlags?: number | undefined;
  /**
   * Where {@link Reactor.registerFile} has put the file: it is used instead of `fd`. To be given with an `offset`: without one, a write
   * on a full disk may leave the file standing where it stood, see {@link IoUring.prepWrite}.
   */
  registeredFile?: number | undefined;
}

/** A range of a file. */
export interface FsyncOptions extends OperationOptions {
  /** Flush the data and what is needed to read it back, like fdatasync(2). */
  datasync?: boolean | undefined;
  offset?: number | bigint;
  length?: number;
}

/** Operations on open files. */
export abstract class FileMethods extends OperationMethods {
  /**
   * Read from a file. Memory of {@link Reactor.allocate} is read into as a registered buffer.
   *
   * Kernel 5.6. See {@link IoUring.prepRead}; like pread(2).
   * @returns the bytes read: fewer than asked for at the end of the file, 0 there
   */
  read(fd: number, buf: Lendable, options?: ReadWriteOptions): Promise<number> {
    const { offset, length, rwFlags, registeredFile } = options ?? NONE;
    const memory = memoryOf(buf);
    const file = registeredFile ?? fd;
    const own = isOwn(offset, registeredFile) ? new AtPosition(fd, lengthOf(buf, length), false, chainOf(this)) : undefined;
    return run(
      this,
      'read',
      fd,
      options,
      (ring, slot) =>
        ring.prepRead(file, memory, lengthOf(buf, length), slot, offset, this.#transfer(buf, rwFlags)) &&
        byPlace(ring, registeredFile),
      own ?? NUMBER,
    );
  }

  /**
   * Write to a file.
   *
   * Kernel 5.6. See {@link IoUring.prepWrite}; like pwrite(2), or write(2) without an `offset`.
   * @returns the bytes written: on a full disk, or interrupted by a signal, fewer than asked for. The file stands behind them then.
   */
  write(fd: number, data: Data, options?: ReadWriteOptions): Promise<number> {
    const { offset, length, rwFlags, registeredFile } = options ?? NONE;
    const memory = bytesOf(data);
    const file = registeredFile ?? fd;
    const own = isOwn(offset, registeredFile) ? new AtPosition(fd, lengthOf(memory, length), true, chainOf(this)) : undefined;
    return run(
      this,
      'write',
      fd,
      options,
      (ring, slot) =>
        ring.prepWrite(file, memory, lengthOf(memory, length), slot, offset, this.#transfer(data, rwFlags)) &&
        byPlace(ring, registeredFile) &&
        (own === undefined || own.begin()),
      own ?? NUMBER,
    );
  }

  /** Read into several buffers, one after the other. Kernel 5.1. See {@link IoUring.prepReadv}; like preadv2(2). */
  readv(fd: number, buffers: readonly Lendable[], options?: Omit<ReadWriteOptions, 'length'>): Promise<number> {
    const { offset, rwFlags } = options ?? NONE;
    const transfer = transferOf(rwFlags);
    const own = isOwn(offset, undefined) ? new AtPosition(fd, lengthOfAll(buffers), false, chainOf(this)) : undefined;
    return run(
      this,
      'readv',
      fd,
      options,
      (ring, slot) => ring.prepReadv(fd, buffers, slot, offset, transfer),
      own ?? NUMBER,
    );
  }

  /** Write several buffers, one after the other. Kernel 5.1. See {@link IoUring.prepWritev}; like pwritev2(2). */
  writev(fd: number, buffers: readonly Lendable[], options?: Omit<ReadWriteOptions, 'length'>): Promise<number> {
    const { offset, rwFlags } = options ?? NONE;
    const transfer = transferOf(rwFlags);
    const own = isOwn(offset, undefined) ? new AtPosition(fd, lengthOfAll(buffers), true, chainOf(this)) : undefined;
    return run(
      this,
      'writev',
      fd,
      options,
      (ring, slot) => ring.prepWritev(fd, buffers, slot, offset, transfer) && (own === undefined || own.begin()),
      own ?? NUMBER,
    );
  }

  /** Flush a file to its disk. Kernel 5.1. See {@link IoUring.prepFsync}; like fsync(2). */
  fsync(fd: number, options?: FsyncOptions): Promise<void> {
    const { datasync = false, offset, length } = options ?? NONE;
    // All that it may have is there, so that it inherits none of it.
    const what = { datasync, offset: offset ?? 0, length: length ?? 0 };
    return run(this, 'fsync', fd, options, (ring, slot) => ring.prepFsync(fd, slot, what), NOTHING);
  }

  /** Write back a range of a file, or wait for it. Kernel 5.2. See {@link IoUring.prepSyncFileRange}. */
  syncFileRange(
    fd: number,
    offset: number | bigint,
    length: number,
    flags: number,
    options?: OperationOptions,
  ): Promise<void> {
    return run(
      this,
      'sync_file_range',
      fd,
      options,
      (ring, slot) => ring.prepSyncFileRange(fd, offset, length, flags, slot),
      NOTHING,
    );
  }

  /** Allocate, punch, zero, remove or insert a range of a file. Kernel 5.6. See {@link IoUring.prepFallocate}. */
  fallocate(
    fd: number,
    mode: number,
    offset: number | bigint,
    length: number | bigint,
    options?: OperationOptions,
  ): Promise<void> {
    return run(
      this,
      'fallocate',
      fd,
      options,
      (ring, slot) => ring.prepFallocate(fd, mode, offset, length, slot),
      NOTHING,
    );
  }

  /** Set the length of a file. Kernel 6.9. See {@link IoUring.prepFtruncate}; like ftruncate(2). */
  ftruncate(fd: number, length: number | bigint = 0, options?: OperationOptions): Promise<void> {
    return run(this, 'ftruncate', fd, options, (ring, slot) => ring.prepFtruncate(fd, length, slot), NOTHING);
  }

  /** Tell how a range of a file will be used. Kernel 5.6. See {@link IoUring.prepFadvise}; like posix_fadvise(2). */
  fadvise(
    fd: number,
    offset: number | bigint,
    length: number | bigint,
    advice: number,
    options?: OperationOptions,
  ): Promise<void> {
    return run(
      this,
      'fadvise',
      fd,
      options,
      (ring, slot) => ring.prepFadvise(fd, offset, length, advice, slot),
      NOTHING,
    );
  }

  /** Tell how memory will be used. Kernel 5.6. See {@link IoUring.prepMadvise}; like madvise(2). */
  madvise(buf: Lendable, length: number, advice: number, options?: OperationOptions): Promise<void> {
    return run(this, 'madvise', -1, options, (ring, slot) => ring.prepMadvise(buf, length, advice, slot), NOTHING);
  }

  /**
   * Move bytes between a pipe and a file or socket without copying them through this process. Offsets: null for pipes, and
   * for where the file stands. Kernel 5.7. See {@link IoUring.prepSplice}; like splice(2).
   * @returns the bytes moved; 0 at the end of the input
   */
  splice(
    fdIn: number,
    offIn: FileOffset,
    fdOut: number,
    offOut: FileOffset,
    nbytes: number,
    options?: OperationOptions & { flags?: number },
  ): Promise<number> {
    const more = { flags: options?.flags ?? 0, fixedIn: false };
    return run(
      this,
      'splice',
      fdIn,
      options,
      (ring, slot) => ring.prepSplice(fdIn, offIn, fdOut, offOut, nbytes, slot, more),
      NUMBER,
    );
  }

  /** Copy bytes from one pipe to another without taking them out. Kernel 5.8. See {@link IoUring.prepTee}; like tee(2). */
  tee(fdIn: number, fdOut: number, nbytes: number, options?: OperationOptions & { flags?: number }): Promise<number> {
    const more = { flags: options?.flags ?? 0, fixedIn: false };
    return run(this, 'tee', fdIn, options, (ring, slot) => ring.prepTee(fdIn, fdOut, nbytes, slot, more), NUMBER);
  }

  /** Close a descriptor. Kernel 5.6. See {@link IoUring.prepClose}; like close(2). */
  closeFd(fd: number, options?: OperationOptions): Promise<void> {
    return run(this, 'close', fd, options, (ring, slot) => ring.prepClose(fd, slot), NOTHING);
  }

  /** The older name of {@link closeFd}. */
  close(fd: number, options?: OperationOptions): Promise<void> {
    return FileMethods.prototype.closeFd.call(this, fd, options);
  }

  /**
   * Make a pipe. Kernel 6.16. See {@link IoUring.prepPipe}; like pipe2(2).
   * @param options.flags O_NONBLOCK, O_DIRECT; O_CLOEXEC is set unless `options.cloexec` is false
   * @returns the end to read from, and the end to write to
   */
  pipe(options?: DescriptorOptions & { flags?: number }): Promise<[reader: number, writer: number]> {
    const fds = new Int32Array(2);
    const flags = options?.flags ?? 0;
    const prepare = (ring: IoUring, slot: number): boolean => {
      const more = { flags: withCloexec(flags, options), direct: undefined } as { flags: number };
      return ring.prepPipe(fds, slot, more);
    };
    return run(this, 'pipe', -1, options, prepare, new PipeEnds(fds));
  }

  #transfer(data: Data, rwFlags: number | undefined): TransferOptions | undefined {
    const fixed = registeredOf(this).placeOf(data);
    return transferOf(rwFlags, fixed);
  }
}

/** All that it may have is there, so that it inherits none of it. */
function transferOf(rwFlags: number | undefined, fixed?: number): TransferOptions | undefined {
  if (rwFlags === undefined && fixed === undefined) return undefined;
  const transfer: Record<keyof TransferOptions, unknown> = { rwFlags, fixed, pi: undefined };
  return transfer as TransferOptions;
}

/** Of the entry that was just written: it names a registered file. */
function byPlace(ring: IoUring, registeredFile: number | undefined): true {
  if (registeredFile !== undefined) ring.sqeSetFlags(IOSQE_FIXED_FILE);
  return true;
}

/** Does a transfer begin where the file stands? */
function isOwn(offset: FileOffset | undefined, registeredFile: number | undefined): boolean {
  const isGiven = offset !== undefined && offset !== null && offset !== -1 && offset !== -1n;
  return !isGiven && registeredFile === undefined;
}

function lengthOfAll(buffers: readonly Lendable[]): number {
  return Array.isArray(buffers) ? buffers.reduce((sum, buffer) => sum + lengthOf(buffer as Lendable, undefined), 0) : 0;
}

/** Takes the answer of a transfer that begins where the file stands: it stands behind that then, however much it was. */
class AtPosition implements Outcome<number> {
  readonly waits = false;
  readonly #fd: number;
  readonly #wanted: number;
  readonly #isWrite: boolean;
  /** Those in front of it in a chain, which begin where the same file stands. */
  readonly #earlier: readonly AtPosition[] | undefined;
  #before = -1;
  #done = 0;

  /** @param wanted bytes; a transfer of as many has moved the file itself */
  constructor(fd: number, wanted: number, isWrite: boolean, chain: readonly Operation[] | undefined) {
    this.#fd = fd;
    this.#wanted = wanted;
    this.#isWrite = isWrite;
    if (chain === undefined) return;
    const outcomes = chain.map(({ outcome }): unknown => outcome).filter((outcome) => outcome instanceof AtPosition);
    this.#earlier = outcomes.filter((earlier) => earlier.#fd === fd);
  }

  /** The entry of a write was made, and nothing is handed over yet. */
  begin(): true {
    this.#before = positionOf(this.#fd);
    return true;
  }

  value(res: number): number {
    this.#done = res;
    if (res >= this.#wanted) return res;
    if (!this.#isWrite) {
      moveBehindRead(this.#fd, res);
      return res;
    }
    let before = this.#before;
    // All of a chain are handed over at once, before the first begins.
    if (this.#earlier !== undefined && before >= 0) for (const earlier of this.#earlier) before += earlier.#done;
    moveBehindWrite(this.#fd, before, res);
    return res;
  }

  discard(_engine: unknown, res: number): void {
    this.value(res);
  }

  static {
    Object.setPrototypeOf(this.prototype, null);
  }
}

/** The two descriptors that the kernel has written. */
class PipeEnds implements Outcome<[reader: number, writer: number]> {
  readonly waits = false;
  readonly #fds: Int32Array;

  constructor(fds: Int32Array) {
    this.#fds = fds;
  }

  value(): [reader: number, writer: number] {
    return [this.#fds[0], this.#fds[1]];
  }

  discard(engine: Engine): void {
    for (const fd of this.#fds) engine.discard(fd);
  }

  static {
    Object.setPrototypeOf(this.prototype, null);
  }
}

const NONE = { __proto__: null } as ReadWriteOptions & FsyncOptions;
