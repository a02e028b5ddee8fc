import {
  IORING_OP_CLOSE,
  IORING_OP_FADVISE,
  IORING_OP_FALLOCATE,
  IORING_OP_FSYNC,
  IORING_OP_FTRUNCATE,
  IORING_OP_MADVISE,
  IORING_OP_PIPE,
  IORING_OP_READ,
  IORING_OP_READV,
  IORING_OP_SPLICE,
  IORING_OP_SYNC_FILE_RANGE,
  IORING_OP_TEE,
  IORING_OP_WRITE,
  IORING_OP_WRITEV,
} from '../abi/operations.ts';
import type { FileOffset } from '../ring/arguments/file-offset.ts';
import type { Lendable } from '../ring/memory/lent-memory.ts';
import type { IoUring } from '../ring/io-uring.ts';
import type { TransferOptions } from '../ring/prepare/read-write.ts';
import { moveBehindRead, moveBehindWrite, positionOf } from './file-position.ts';
import {
  bytesOf,
  linkedOf,
  lengthOf,
  memoryOf,
  OperationMethods,
  registeredOf,
  run,
  withCloexec,
  type Data,
  type DescriptorOptions,
} from './methods.ts';
import { kind, NOTHING, NUMBER, type Asked, type Operation, type OperationOptions, type Outcome } from './operation.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import { markRegisteredFile } from './registered-files.ts';
import type { RegisteredMemory } from './registered-memory.ts';

/** How a file is read or written. */
export interface ReadWriteOptions extends OperationOptions {
  /**
   * Where in the FILE, in bytes; left out or null: where the file stands, which moves on by what was transferred. The
   * kernel takes no lock for that, as read(2) and write(2) do: of two transfers at the same time, of which the other
   * may be another process's that shares the descriptor, one may begin where the other does, and overwrite it. Several
   * at a time are given offsets, or `O_APPEND`.
   */
  offset?: FileOffset;
  /** How many bytes of the buffer, from its beginning; default all of it. */
  length?: number | undefined;
  /** RWF_* bits. */
  rwFlags?: number | undefined;
  /**
   * Where {@link Reactor.registerFile} has put the file: it is used instead of `fd`. To be given with an `offset`:
   * without one, a write on a full disk may leave the file standing where it stood, see {@link IoUring.prepWrite}.
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

/** The two descriptors that the kernel has written. */
const PIPE_ENDS: Outcome<[reader: number, writer: number]> = ownOptions({
  value: (_res, asked) => endsOf(asked),
  isUnbounded: false,
  discard: (engine, _res, asked) => endsOf(asked).forEach((fd) => engine.discard(fd)),
});

function endsOf({ a: fds }: Asked): [reader: number, writer: number] {
  const [reader, writer] = fds as Int32Array;
  return [reader, writer];
}
type Transfer = [memory: Lendable, length: number | undefined, offset: FileOffset | undefined];
type Vectored = [buffers: readonly Lendable[], offset: FileOffset | undefined, transfer: TransferOptions | undefined];

const READ = kind(
  'read',
  IORING_OP_READ,
  NUMBER,
  (ring, { fd, slot, a: memory, b: length, c: offset }: Asked<Transfer>) =>
    ring.prepRead(fd, memory, lengthOf(memory, length), slot, offset),
  undefined,
  bytesWanted,
);
const SPECIAL_READ = kind(
  'read',
  IORING_OP_READ,
  NUMBER,
  (ring, { fd, slot, a: memory, b: length, c: offset, d: special }: Asked<[...Transfer, Special]>) =>
    ring.prepRead(
      special.registeredFile ?? fd,
      memory,
      lengthOf(memory, length),
      slot,
      offset,
      specialTransfer(memory, special),
    ) &&
    markIfRegistered(ring, special),
  undefined,
  bytesWanted,
);
const WRITE = kind(
  'write',
  IORING_OP_WRITE,
  NUMBER,
  (
    ring,
    { fd, slot, a: memory, b: length, c: offset, d: special, outcome }: Asked<[...Transfer, Special | undefined]>,
  ) => {
    const bytes = lengthOf(memory, length);
    const isPrepared = special === undefined
      ? ring.prepWrite(fd, memory, bytes, slot, offset)
      : ring.prepWrite(special.registeredFile ?? fd, memory, bytes, slot, offset, specialTransfer(memory, special)) &&
        markIfRegistered(ring, special);
    return isPrepared && begun(outcome);
  },
  undefined,
  bytesWanted,
);
const READV = kind(
  'readv',
  IORING_OP_READV,
  NUMBER,
  (ring, { fd, slot, a: buffers, b: offset, c: transfer }: Asked<Vectored>) =>
    ring.prepReadv(fd, buffers, slot, offset, transfer),
  undefined,
  ({ a: buffers }) => lengthOfAll(buffers as Lendable[]),
);
const WRITEV = kind(
  'writev',
  IORING_OP_WRITEV,
  NUMBER,
  (ring, { fd, slot, a: buffers, b: offset, c: transfer, outcome }: Asked<Vectored>) =>
    ring.prepWritev(fd, buffers, slot, offset, transfer) && begun(outcome),
  undefined,
  ({ a: buffers }) => lengthOfAll(buffers as Lendable[]),
);
type Flushed = { datasync: boolean; offset: number | bigint; length: number };
const FSYNC = kind(
  'fsync',
  IORING_OP_FSYNC,
  NOTHING,
  (ring, { fd, slot, a: what }: Asked<[Flushed]>) => ring.prepFsync(fd, slot, what),
);
const SYNC_FILE_RANGE = kind(
  'sync_file_range',
  IORING_OP_SYNC_FILE_RANGE,
  NOTHING,
  (ring, { fd, slot, a: offset, b: length, c: flags }: Asked<[number | bigint, number, number]>) =>
    ring.prepSyncFileRange(fd, offset, length, flags, slot),
);
const FALLOCATE = kind(
  'fallocate',
  IORING_OP_FALLOCATE,
  NOTHING,
  (ring, { fd, slot, a: mode, b: offset, c: length }: Asked<[number, number | bigint, number | bigint]>) =>
    ring.prepFallocate(fd, mode, offset, length, slot),
);
const FTRUNCATE = kind(
  'ftruncate',
  IORING_OP_FTRUNCATE,
  NOTHING,
  (ring, { fd, slot, a: length }: Asked<[number | bigint]>) => ring.prepFtruncate(fd, length, slot),
);
const FADVISE = kind(
  'fadvise',
  IORING_OP_FADVISE,
  NOTHING,
  (ring, { fd, slot, a: offset, b: length, c: advice }: Asked<[number | bigint, number | bigint, number]>) =>
    ring.prepFadvise(fd, offset, length, advice, slot),
);
const MADVISE = kind(
  'madvise',
  IORING_OP_MADVISE,
  NOTHING,
  (ring, { slot, a: buf, b: length, c: advice }: Asked<[Lendable, number, number]>) =>
    ring.prepMadvise(buf, length, advice, slot),
);
const SPLICE = kind(
  'splice',
  IORING_OP_SPLICE,
  NUMBER,
  (
    ring,
    { fd, slot, a: offIn, b: fdOut, c: offOut, d: nbytes, e: flags }: Asked<
      [FileOffset, number, FileOffset, number, number]
    >,
  ) => ring.prepSplice(fd, offIn, fdOut, offOut, nbytes, slot, { flags, fixedIn: false }),
  undefined,
  ({ d: nbytes }) => nbytes as number,
);
const TEE = kind(
  'tee',
  IORING_OP_TEE,
  NUMBER,
  (ring, { fd, slot, a: fdOut, b: nbytes, c: flags }: Asked<[number, number, number]>) =>
    ring.prepTee(fd, fdOut, nbytes, slot, { flags, fixedIn: false }),
  undefined,
  ({ b: nbytes }) => nbytes as number,
);
const CLOSE = kind('close', IORING_OP_CLOSE, NOTHING, (ring, { fd, slot }: Asked<[]>) => ring.prepClose(fd, slot));
const PIPE = kind(
  'pipe',
  IORING_OP_PIPE,
  PIPE_ENDS,
  (
    ring,
    { slot, a: fds, b: flags, c: options }: Asked<[Int32Array<ArrayBuffer>, number, DescriptorOptions | undefined]>,
  ) => ring.prepPipe(fds, slot, { flags: withCloexec(flags, options), direct: undefined } as { flags: number }),
);

/** Operations on open files. */
export abstract class FileMethods extends OperationMethods {
  /**
   * Read from a file. Memory of {@link Reactor.allocate} is read into as a registered buffer.
   *
   * Kernel 5.6. See {@link IoUring.prepRead}; like pread(2).
   * @returns the bytes read: fewer than asked for at the end of the file, 0 there
   * @example
   * const bytes = await io.read(fd, buffer, { offset: 0, timeoutMs: 1000 });
   */
  read(fd: number, buf: Lendable, options?: ReadWriteOptions): Promise<number> {
    const { offset, length, rwFlags, registeredFile } = options ?? NONE;
    const own = startsAtFilePosition(offset, registeredFile)
      ? new AtPosition(fd, lengthOf(buf, length), false, linkedOf(this)) : undefined;
    const special = specialOf(registeredOf(this), buf, rwFlags, registeredFile);
    if (special === undefined) return run(this, READ, fd, options, own, memoryOf(buf), length, offset);
    return run(this, SPECIAL_READ, fd, options, own, memoryOf(buf), length, offset, special);
  }

  /**
   * Write to a file.
   *
   * Kernel 5.6. See {@link IoUring.prepWrite}; like pwrite(2), or write(2) without an `offset`.
   * @returns the bytes written: on a full disk, or interrupted by a signal, fewer than asked for. The file stands
   *   behind them then.
   * @example
   * const bytes = await io.write(fd, 'a line\n', { offset: 0 });
   */
  write(fd: number, data: Data, options?: ReadWriteOptions): Promise<number> {
    const { offset, length, rwFlags, registeredFile } = options ?? NONE;
    const memory = bytesOf(data);
    const own = startsAtFilePosition(offset, registeredFile)
      ? new AtPosition(fd, lengthOf(memory, length), true, linkedOf(this)) : undefined;
    const special = specialOf(registeredOf(this), data, rwFlags, registeredFile);
    return run(this, WRITE, fd, options, own, memory, length, offset, special);
  }

  /**
   * Read into several buffers, one after the other. Kernel 5.1. See {@link IoUring.prepReadv}; like preadv2(2).
   * @example
   * const [head, body] = [Buffer.alloc(16), Buffer.alloc(4096)];
   * const bytes = await io.readv(fd, [head, body], { offset: 0 });
   */
  readv(fd: number, buffers: readonly Lendable[], options?: Omit<ReadWriteOptions, 'length'>): Promise<number> {
    const { offset, rwFlags } = options ?? NONE;
    const transfer = transferOf(rwFlags);
    const own = startsAtFilePosition(offset, undefined)
      ? new AtPosition(fd, lengthOfAll(buffers), false, linkedOf(this))
      : undefined;
    return run(this, READV, fd, options, own, buffers, offset, transfer);
  }

  /**
   * Write several buffers, one after the other. Kernel 5.1. See {@link IoUring.prepWritev}; like pwritev2(2).
   * @example
   * await io.writev(fd, [Buffer.from('head'), Buffer.from('body')], { offset: 0 });
   */
  writev(fd: number, buffers: readonly Lendable[], options?: Omit<ReadWriteOptions, 'length'>): Promise<number> {
    const { offset, rwFlags } = options ?? NONE;
    const transfer = transferOf(rwFlags);
    const own = startsAtFilePosition(offset, undefined) ? new AtPosition(fd, lengthOfAll(buffers), true, linkedOf(this))
      : undefined;
    return run(this, WRITEV, fd, options, own, buffers, offset, transfer);
  }

  /**
   * Flush a file to its disk. Kernel 5.1. See {@link IoUring.prepFsync}; like fsync(2).
   * @example
   * await io.fsync(fd, { datasync: true });
   */
  fsync(fd: number, options?: FsyncOptions): Promise<void> {
    const { datasync = false, offset, length } = options ?? NONE;
    // All that it may have is there, so that it inherits none of it.
    const what = { datasync, offset: offset ?? 0, length: length ?? 0 };
    return run(this, FSYNC, fd, options, undefined, what);
  }

  /**
   * Write back a range of a file, or wait for it. Kernel 5.2. See {@link IoUring.prepSyncFileRange}.
   * @example
   * import { SYNC_FILE_RANGE_WRITE } from 'iouring/abi';
   *
   * await io.syncFileRange(fd, 0, 4096, SYNC_FILE_RANGE_WRITE);
   */
  syncFileRange(
    fd: number,
    offset: number | bigint,
    length: number,
    flags: number,
    options?: OperationOptions,
  ): Promise<void> {
    return run(this, SYNC_FILE_RANGE, fd, options, undefined, offset, length, flags);
  }

  /**
   * Allocate, punch, zero, remove or insert a range of a file. Kernel 5.6. See {@link IoUring.prepFallocate}.
   * @example
   * await io.fallocate(fd, 0, 0, 1 << 20);
   */
  fallocate(
    fd: number,
    mode: number,
    offset: number | bigint,
    length: number | bigint,
    options?: OperationOptions,
  ): Promise<void> {
    return run(this, FALLOCATE, fd, options, undefined, mode, offset, length);
  }

  /**
   * Set the length of a file. Kernel 6.9. See {@link IoUring.prepFtruncate}; like ftruncate(2).
   * @example
   * await io.ftruncate(fd, 100);
   */
  ftruncate(fd: number, length: number | bigint = 0, options?: OperationOptions): Promise<void> {
    return run(this, FTRUNCATE, fd, options, undefined, length);
  }

  /**
   * Tell how a range of a file will be used. Kernel 5.6. See {@link IoUring.prepFadvise}; like posix_fadvise(2).
   * @example
   * import { POSIX_FADV_SEQUENTIAL } from 'iouring/abi';
   *
   * await io.fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
   */
  fadvise(
    fd: number,
    offset: number | bigint,
    length: number | bigint,
    advice: number,
    options?: OperationOptions,
  ): Promise<void> {
    return run(this, FADVISE, fd, options, undefined, offset, length, advice);
  }

  /**
   * Tell how memory will be used. Kernel 5.6. See {@link IoUring.prepMadvise}; like madvise(2).
   * @example
   * import { allocateAligned } from 'iouring';
   * import { MADV_WILLNEED } from 'iouring/abi';
   *
   * const memory = allocateAligned(65_536, 4096);
   * await io.madvise(memory, memory.byteLength, MADV_WILLNEED);
   */
  madvise(buf: Lendable, length: number, advice: number, options?: OperationOptions): Promise<void> {
    return run(this, MADVISE, -1, options, undefined, buf, length, advice);
  }

  /**
   * Move bytes between a pipe and a file or socket without copying them through this process. Offsets: null for pipes,
   * and for where the file stands. Kernel 5.7. See {@link IoUring.prepSplice}; like splice(2).
   * @returns the bytes moved; 0 at the end of the input
   * @example
   * const bytes = await io.splice(fd, 0, pipe, -1, 65_536);
   */
  splice(
    fdIn: number,
    offIn: FileOffset,
    fdOut: number,
    offOut: FileOffset,
    nbytes: number,
    options?: OperationOptions & { flags?: number },
  ): Promise<number> {
    return run(this, SPLICE, fdIn, options, undefined, offIn, fdOut, offOut, nbytes, options?.flags ?? 0);
  }

  /**
   * Copy bytes from one pipe to another without taking them out. Kernel 5.8. See {@link IoUring.prepTee}; like tee(2).
   * @example
   * const bytes = await io.tee(pipe, otherPipe, 65_536);
   */
  tee(fdIn: number, fdOut: number, nbytes: number, options?: OperationOptions & { flags?: number }): Promise<number> {
    return run(this, TEE, fdIn, options, undefined, fdOut, nbytes, options?.flags ?? 0);
  }

  /**
   * Close a descriptor. Kernel 5.6. See {@link IoUring.prepClose}; like close(2).
   * @example
   * const file = await io.open('/etc/hostname', 0);
   * await io.closeFd(file);
   */
  closeFd(fd: number, options?: OperationOptions): Promise<void> {
    return run(this, CLOSE, fd, options, undefined);
  }

  /** @deprecated {@link closeFd} closes a descriptor. */
  close(fd: number, options?: OperationOptions): Promise<void> {
    return FileMethods.prototype.closeFd.call(this, fd, options);
  }

  /**
   * Make a pipe. Kernel 6.16. See {@link IoUring.prepPipe}; like pipe2(2).
   * @param options.flags O_NONBLOCK, O_DIRECT; O_CLOEXEC is set unless `options.cloexec` is false
   * @returns the end to read from, and the end to write to
   * @example
   * const [reader, writer] = await io.pipe();
   */
  pipe(options?: DescriptorOptions & { flags?: number }): Promise<[reader: number, writer: number]> {
    const fds = new Int32Array(2);
    return run(this, PIPE, -1, options, undefined, fds, options?.flags ?? 0, options);
  }
}

/** Options that few transfers have. */
interface Special {
  readonly rwFlags: number | undefined;
  readonly registeredFile: number | undefined;
  /** Where the memory is registered, if it was when it was asked for; it may not be any more when the entry is made. */
  readonly registered: RegisteredMemory | undefined;
}

function specialOf(
  registered: RegisteredMemory,
  data: Data,
  rwFlags: number | undefined,
  registeredFile: number | undefined,
): Special | undefined {
  const isRegistered = registered.placeOf(data) !== undefined;
  if (!isRegistered && rwFlags === undefined && registeredFile === undefined) return undefined;
  return { rwFlags, registeredFile, registered: isRegistered ? registered : undefined };
}

/** All that it may have is there, so that it inherits none of it. */
function transferOf(rwFlags: number | undefined, fixed?: number): TransferOptions | undefined {
  if (rwFlags === undefined && fixed === undefined) return undefined;
  const transfer: Record<keyof TransferOptions, unknown> = { rwFlags, fixed, pi: undefined };
  return transfer as TransferOptions;
}

function specialTransfer(memory: Lendable, { rwFlags, registered }: Special): TransferOptions | undefined {
  return transferOf(rwFlags, registered?.placeOf(memory));
}

function markIfRegistered(ring: IoUring, { registeredFile }: Special): true {
  return registeredFile === undefined || markRegisteredFile(ring);
}

/** Does a transfer begin where the file stands? */
function startsAtFilePosition(offset: FileOffset | undefined, registeredFile: number | undefined): boolean {
  const isGiven = offset !== undefined && offset !== null && offset !== -1 && offset !== -1n;
  return !isGiven && registeredFile === undefined;
}

function bytesWanted({ a: memory, b: length }: Asked): number {
  return lengthOf(memory as Lendable, length as number | undefined);
}

function lengthOfAll(buffers: readonly Lendable[]): number {
  return Array.isArray(buffers) ? buffers.reduce((sum, buffer) => sum + lengthOf(buffer as Lendable, undefined), 0) : 0;
}

/**
 * Takes the answer of a transfer that begins where the file stands: it stands behind that then, however much it was.
 */
class AtPosition implements Outcome<number> {
  readonly isUnbounded = false;
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
  begin(): void {
    this.#before = positionOf(this.#fd);
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
    if (this.#earlier !== undefined && before >= 0) { for (const earlier of this.#earlier) before += earlier.#done; }
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

/** The entry of a write was made. */
function begun(outcome: Outcome<unknown>): true {
  if (outcome instanceof AtPosition) outcome.begin();
  return true;
}

const NONE = { __proto__: null } as ReadWriteOptions & FsyncOptions;
