import { IORING_RW_ATTR_FLAG_PI, IOSQE_BUFFER_SELECT } from '../../abi/flags.ts';
import { IO_URING_ATTR_PI, IO_URING_ATTR_PI_SIZE } from '../../abi/layouts.ts';
import {
  IORING_OP_READ,
  IORING_OP_READV,
  IORING_OP_READV_FIXED,
  IORING_OP_READ_FIXED,
  IORING_OP_READ_MULTISHOT,
  IORING_OP_WRITE,
  IORING_OP_WRITEV,
  IORING_OP_WRITEV_FIXED,
  IORING_OP_WRITE_FIXED,
} from '../../abi/operations.ts';
import { checkInteger, checkUint32 } from '../arguments/argument-errors.ts';
import { checkFd, checkFlags, listOfBuffers } from '../arguments/entry-fields.ts';
import { checkOffset, checkPosition, filePosition, type FileOffset } from '../arguments/file-offset.ts';
import { highWord, lowWord, type UserData } from '../arguments/user-data.ts';
import type { Lendable } from '../memory/lent-memory.ts';
import { coreOf, type RingCore } from '../ring-core.ts';
import { YOUNG_FIELDS } from './young-fields.ts';

/** How a transfer to or from a file is done. */
export interface TransferOptions {
  /** RWF_* bits, as preadv2(2) and pwritev2(2) have them: RWF_DSYNC, RWF_APPEND, RWF_NOWAIT, … */
  rwFlags?: number;
  /** The memory lies in the registered buffer of this index: the kernel need not look its pages up. */
  fixed?: number;
  /** Protection information to go with the blocks, on devices that store it (IORING_RW_ATTR_FLAG_PI, 6.14). */
  pi?: ProtectionInformation;
}

/** The contents of a `struct io_uring_attr_pi`: the tags of the blocks transferred. */
export interface ProtectionInformation {
  /** The tags themselves, lent until the completion is reaped. */
  buffer: Lendable;
  /** The things to check: IO_INTEGRITY_CHK_* */
  flags?: number;
  appTag?: number;
  seed?: number | bigint;
}

/** Reads and writes of files, pipes, and whatever else read(2) and write(2) work on. */
export interface ReadWriteOperations {
  /**
   * Queue a read of up to `len` bytes from `fd` into the beginning of `buf`. Completes with the bytes read
   * (0 at the end of the file, possibly fewer than asked for) or `-errno`.
   *
   * `buf` is lent to the kernel until the completion is reaped: the ring refers to it that long, its contents
   * are undefined meanwhile, and its ArrayBuffer can not be transferred any more, then or later.
   *
   * Kernel 5.6; `fixed` 5.1. Counterpart of io_uring_prep_read(3) and io_uring_prep_read_fixed(3); like pread(2), or
   * read(2) without an `offset`.
   * @param buf null only where {@link sqeSetBufGroup} has the kernel pick one
   * @param len 0 … the buffer's byte length
   * @param offset see {@link FileOffset}; ignored for pipes and sockets. Of short transfers without one: {@link
   *   prepWrite}
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError} `fd` is no integer; `buf` is no buffer, or a resizable, growable or detached one
   * @throws {RangeError} `len`, `offset`, `userData` or an option is out of range
   * @example
   * ring.prepRead(fd, buffer, buffer.length, 1, 0);
   */
  prepRead(
    fd: number,
    buf: Lendable | null,
    len: number,
    userData: UserData,
    offset?: FileOffset,
    options?: TransferOptions,
  ): boolean;

  /**
   * Queue a write of `len` bytes from the beginning of `buf` to `fd`. Completes with the bytes written
   * (possibly fewer than asked for) or `-errno`.
   *
   * `buf` is lent to the kernel until the completion is reaped: the ring refers to it that long, and what is
   * changed in it meanwhile may or may not be written.
   *
   * Without an `offset`, a short write of a regular file or a block device (full disk, RLIMIT_FSIZE, a sector that
   * fails) leaves the file standing where it stood, on kernels 6.1 to 7.3 at least: the kernel tries the rest by
   * itself, and forgets to move the file when that fails. To go on, give the offset, or move the file first: a write
   * without one would overwrite what was written. The same befalls a short read that ends in front of an error, and the
   * vectored ones. Files that are opened with O_APPEND lose nothing. Unlike read(2) and write(2), the kernel takes no
   * lock for a file's own position: two transfers at once may begin at the same place.
   *
   * Kernel 5.6; `fixed` 5.1. Counterpart of io_uring_prep_write(3) and io_uring_prep_write_fixed(3); like pwrite(2), or
   * write(2) without an `offset`, but for that. Parameters, result and errors as of {@link prepRead}.
   * @example
   * const line = Buffer.from('a line\n');
   * ring.prepWrite(fd, line, line.length, 1, 0);
   */
  prepWrite(
    fd: number,
    buf: Lendable | null,
    len: number,
    userData: UserData,
    offset?: FileOffset,
    options?: TransferOptions,
  ): boolean;

  /**
   * Queue a read into several buffers, one after the other, each filled before the next. Completes with the bytes read.
   *
   * The buffers are lent to the kernel until the completion is reaped; the array itself is not.
   *
   * Kernel 5.1; `fixed` 6.15: all buffers must lie in that one registered buffer. Counterpart of
   * io_uring_prep_readv(3), io_uring_prep_readv2(3) and io_uring_prep_readv_fixed(3); like preadv2(2).
   * @param buffers up to 1024 of them
   * @param offset see {@link FileOffset}
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepReadv(fd, [Buffer.alloc(16), buffer], 1, 0);
   */
  prepReadv(
    fd: number,
    buffers: readonly Lendable[],
    userData: UserData,
    offset?: FileOffset,
    options?: TransferOptions,
  ): boolean;

  /**
   * Queue a write from several buffers, one after the other. Completes with the bytes written.
   *
   * Kernel 5.1; `fixed` 6.15. Counterpart of io_uring_prep_writev(3), io_uring_prep_writev2(3) and
   * io_uring_prep_writev_fixed(3); like pwritev2(2). As {@link prepReadv} otherwise; of short ones without an `offset`:
   * {@link prepWrite}.
   * @example
   * ring.prepWritev(fd, [Buffer.from('head'), Buffer.from('body')], 1, 0);
   */
  prepWritev(
    fd: number,
    buffers: readonly Lendable[],
    userData: UserData,
    offset?: FileOffset,
    options?: TransferOptions,
  ): boolean;

  /**
   * Queue a read that completes with the bytes read whenever there are some, each time into a buffer of group `bgid`
   * that the kernel picks, until a completion without `hasMore()`. For pipes, sockets, terminals and the like: a
   * regular file is refused (`-EBADFD`).
   *
   * Kernel 6.7. Counterpart of io_uring_prep_read_multishot(3).
   * @param options.len at most so many bytes at once; 0 is a whole buffer, and all that kernels up to 6.18 at least
   *   take
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {Error} `ERR_INVALID_STATE` no such group; TypeError, RangeError
   * @example
   * ring.registerBufRing(8, 4096, 7);
   * ring.prepReadMultishot(pipe, 7, 1);
   */
  prepReadMultishot(
    fd: number,
    bgid: number,
    userData: UserData,
    options?: { len?: number; offset?: FileOffset },
  ): boolean;
}

export const readWriteOperations: ReadWriteOperations = {
  prepRead(fd, buf, len, userData, offset, options) {
    const opcode = options?.fixed === undefined ? IORING_OP_READ : IORING_OP_READ_FIXED;
    return transfer(coreOf(this), opcode, fd, buf, len, userData, offset, options);
  },

  prepWrite(fd, buf, len, userData, offset, options) {
    const opcode = options?.fixed === undefined ? IORING_OP_WRITE : IORING_OP_WRITE_FIXED;
    return transfer(coreOf(this), opcode, fd, buf, len, userData, offset, options);
  },

  prepReadv(fd, buffers, userData, offset, options) {
    const opcode = options?.fixed === undefined ? IORING_OP_READV : IORING_OP_READV_FIXED;
    return vectored(coreOf(this), opcode, fd, buffers, userData, offset, options);
  },

  prepWritev(fd, buffers, userData, offset, options) {
    const opcode = options?.fixed === undefined ? IORING_OP_WRITEV : IORING_OP_WRITEV_FIXED;
    return vectored(coreOf(this), opcode, fd, buffers, userData, offset, options);
  },

  prepReadMultishot(fd, bgid, userData, options) {
    const core = coreOf(this);
    const file = checkFd('fd', fd);
    const group = core.bufferGroup(bgid);
    const len = checkFlags('options.len', options?.len);
    const offset = filePosition(options?.offset);
    return core.queue(
      IORING_OP_READ_MULTISHOT,
      IOSQE_BUFFER_SELECT,
      0,
      file,
      lowWord(offset),
      highWord(offset),
      0,
      0,
      len,
      0,
      bgid,
      userData,
      group,
    );
  },
};

function transfer(
  core: RingCore,
  opcode: number,
  fd: number,
  buf: Lendable | null,
  len: number,
  userData: UserData,
  offset: FileOffset | undefined,
  options: TransferOptions | undefined,
): boolean {
  const file = checkFd('fd', fd);
  const entryFlags = core.flagsOfTransfer(file);
  let low = -1;
  let high = -1;
  if (typeof offset === 'number' && offset >>> 0 === offset) {
    low = offset;
    high = 0;
  } else if (offset !== undefined && offset !== null) {
    checkOffset(offset);
    low = lowWord(offset);
    high = highWord(offset);
  }
  if (high === -1 && core.beginsAtZero(file)) low = high = 0;
  let flags = 0;
  let fixed = 0;
  const { memory } = core;
  if (options) {
    flags = checkFlags('options.rwFlags', options.rwFlags);
    if (options.fixed !== undefined) fixed = checkInteger('options.fixed', options.fixed, 0, 0xffff);
    if (options.pi !== undefined) {
      const attributes = writeAttributes(core, options.pi);
      memory.findWhole(attributes[0], 'options.pi');
      const attributesLow = memory.addressLow;
      const attributesHigh = memory.addressHigh;
      memory.find(buf as Lendable, len);
      const { addressLow, addressHigh } = memory;
      const lent = [buf, attributes];
      if (
        !core.queue(opcode, entryFlags, 0, file, low, high, addressLow, addressHigh, len, flags, fixed, userData, lent)
      ) {
        return false;
      }
      core.sq.extend(0, attributesLow, attributesHigh, IORING_RW_ATTR_FLAG_PI, 0);
      return true;
    }
  }
  if (buf === null) {
    checkUint32('len', len);
    return core.queue(opcode, entryFlags, 0, file, low, high, 0, 0, len, flags, fixed, userData, undefined);
  }
  memory.find(buf, len);
  const { addressLow, addressHigh } = memory;
  return core.queue(
    opcode,
    entryFlags,
    0,
    file,
    low,
    high,
    addressLow,
    addressHigh,
    len,
    flags,
    fixed,
    userData,
    buf,
  );
}

function vectored(
  core: RingCore,
  opcode: number,
  fd: number,
  buffers: readonly Lendable[],
  userData: UserData,
  offset: FileOffset | undefined,
  options: TransferOptions | undefined,
): boolean {
  const file = checkFd('fd', fd);
  const asked = filePosition(offset);
  const position = asked < 0 && core.beginsAtZero(file) ? 0 : asked;
  const flags = checkFlags('options.rwFlags', options?.rwFlags);
  const fixed = options?.fixed ?? 0;
  checkInteger('options.fixed', fixed, 0, 0xffff);
  const list = listOfBuffers('buffers', buffers);
  const attributes = options?.pi === undefined ? undefined : writeAttributes(core, options.pi);
  if (core.isRefused()) return false;
  const address = core.iovecs(list);
  const queued = core.queue(
    opcode,
    core.flagsOfTransfer(file),
    0,
    file,
    lowWord(position),
    highWord(position),
    lowWord(address),
    highWord(address),
    list.length,
    flags,
    fixed,
    userData,
    attributes === undefined ? list : [list, attributes],
  );
  if (queued && attributes !== undefined) {
    const { memory } = core;
    memory.findWhole(attributes[0]);
    core.sq.extend(0, memory.addressLow, memory.addressHigh, IORING_RW_ATTR_FLAG_PI, 0);
  }
  return queued;
}

/** A `struct io_uring_attr_pi`, and what it refers to. */
function writeAttributes(
  core: RingCore,
  { buffer, flags = 0, appTag = 0, seed = 0 }: ProtectionInformation,
): [Uint8Array, Lendable] {
  core.demand(YOUNG_FIELDS.attributes);
  checkInteger('options.pi.flags', flags, 0, 0xffff);
  checkInteger('options.pi.appTag', appTag, 0, 0xffff);
  checkPosition('options.pi.seed', seed);
  const { memory } = core;
  const length = memory.findWhole(buffer, 'options.pi.buffer');
  const view = new DataView(new ArrayBuffer(IO_URING_ATTR_PI_SIZE));
  view.setUint16(IO_URING_ATTR_PI.flags, flags, true);
  view.setUint16(IO_URING_ATTR_PI.app_tag, appTag, true);
  view.setUint32(IO_URING_ATTR_PI.len, length, true);
  view.setInt32(IO_URING_ATTR_PI.addr, memory.addressLow, true);
  view.setInt32(IO_URING_ATTR_PI.addr + 4, memory.addressHigh, true);
  view.setBigUint64(IO_URING_ATTR_PI.seed, BigInt(seed), true);
  return [new Uint8Array(view.buffer), buffer];
}
