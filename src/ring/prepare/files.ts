import { MADV_GUARD_INSTALL, MADV_HWPOISON } from '../../abi/file-flags.ts';
import {
  IORING_FSYNC_DATASYNC,
  IORING_RW_ATTR_FLAG_PI,
  IOSQE_BUFFER_SELECT,
  SPLICE_F_FD_IN_FIXED,
} from '../../abi/flags.ts';
import { IO_URING_ATTR_PI, IO_URING_ATTR_PI_SIZE } from '../../abi/layouts.ts';
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
  IORING_OP_READV_FIXED,
  IORING_OP_READ_FIXED,
  IORING_OP_READ_MULTISHOT,
  IORING_OP_SPLICE,
  IORING_OP_SYNC_FILE_RANGE,
  IORING_OP_TEE,
  IORING_OP_WRITE,
  IORING_OP_WRITEV,
  IORING_OP_WRITEV_FIXED,
  IORING_OP_WRITE_FIXED,
} from '../../abi/operations.ts';
import { viewOf, type Lendable } from '../memory/lent-memory.ts';
import { checkInteger, checkUint32, outOfRange, wrongType, wrongValue } from '../arguments/argument-errors.ts';
import { Lease } from '../pins.ts';
import { CommandPreparation } from './commands.ts';
import { coreOf } from '../ring-core.ts';
import {
  checkFd,
  checkFlags,
  fileIndex,
  highWord,
  listOfBuffers,
  lowWord,
  type Slot,
  type UserData,
} from './entry.ts';
import { YOUNG_FIELDS } from './young-fields.ts';

/** A position in a file in bytes: 0 … 2^53-1, or a bigint up to 2^63-1. -1, null or nothing: the file's own. */
export type FileOffset = number | bigint | null;

/** How a transfer to or from a file is done. */
export interface TransferOptions {
  /** RWF_* bits, as preadv2(2) and pwritev2(2) have them: RWF_DSYNC, RWF_APPEND, RWF_NOWAIT, … */
  rwFlags?: number;
  /** The memory lies in the registered buffer of this index: the kernel need not look its pages up. */
  fixed?: number;
  /** Protection information to go with the blocks, on devices that store it (IORING_RW_ATTR_FLAG_PI, 6.14). */
  pi?: ProtectionInformation;
}

/** What `struct io_uring_attr_pi` says: the tags of the blocks transferred. */
export interface ProtectionInformation {
  /** The tags themselves, lent until the completion is reaped. */
  buffer: Lendable;
  /** What to check: IO_INTEGRITY_CHK_* */
  flags?: number;
  appTag?: number;
  seed?: number | bigint;
}

/** The operations on open files. */
export abstract class FilePreparation extends CommandPreparation {
  /**
   * Queue a read of up to `len` bytes from `fd` into the beginning of `buf`. Completes with the bytes read
   * (0 at the end of the file, possibly fewer than asked for) or `-errno`.
   *
   * `buf` is lent to the kernel until the completion is reaped: the ring refers to it that long, its contents
   * are undefined meanwhile, and its ArrayBuffer can not be transferred any more, then or later.
   *
   * Kernel 5.6; `fixed` 5.1. Counterpart of io_uring_prep_read(3) and io_uring_prep_read_fixed(3); like pread(2), or read(2)
   * without an `offset`.
   * @param buf null only where {@link sqeSetBufGroup} has the kernel pick one
   * @param len 0 … the buffer's byte length
   * @param offset see {@link FileOffset}; ignored for pipes and sockets. Of short transfers without one: {@link prepWrite}
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError} `fd` is no integer; `buf` is no buffer, or a resizable, growable or detached one
   * @throws {RangeError} `len`, `offset`, `userData` or an option is out of range
   */
  prepRead(
    fd: number,
    buf: Lendable | null,
    len: number,
    userData: UserData,
    offset?: FileOffset,
    options?: TransferOptions,
  ): boolean {
    const opcode = options?.fixed === undefined ? IORING_OP_READ : IORING_OP_READ_FIXED;
    return this.#transfer(opcode, fd, buf, len, userData, offset, options);
  }

  /**
   * Queue a write of `len` bytes from the beginning of `buf` to `fd`. Completes with the bytes written
   * (possibly fewer than asked for) or `-errno`.
   *
   * `buf` is lent to the kernel until the completion is reaped: the ring refers to it that long, and what is
   * changed in it meanwhile may or may not be written.
   *
   * Without an `offset`, a short write of a regular file or a block device (full disk, RLIMIT_FSIZE, a sector that fails) leaves the
   * file standing where it stood, on kernels 6.1 to 7.3 at least: the kernel tries the rest by itself, and forgets to move the file when
   * that fails. To go on, give the offset, or move the file first: a write without one would overwrite what was written. The same
   * befalls a short read that ends in front of an error, and the vectored ones. Files that are opened with O_APPEND lose nothing. Unlike
   * read(2) and write(2), the kernel takes no lock for a file's own position: two transfers at once may begin at the same place.
   *
   * Kernel 5.6; `fixed` 5.1. Counterpart of io_uring_prep_write(3) and io_uring_prep_write_fixed(3); like pwrite(2), or
   * write(2) without an `offset`, but for that. Parameters, result and errors as of {@link prepRead}.
   */
  prepWrite(
    fd: number,
    buf: Lendable | null,
    len: number,
    userData: UserData,
    offset?: FileOffset,
    options?: TransferOptions,
  ): boolean {
    const opcode = options?.fixed === undefined ? IORING_OP_WRITE : IORING_OP_WRITE_FIXED;
    return this.#transfer(opcode, fd, buf, len, userData, offset, options);
  }

  /**
   * Queue a read into several buffers, one after the other, each filled before the next. Completes with the bytes read.
   *
   * The buffers are lent to the kernel until the completion is reaped; the array itself is not.
   *
   * Kernel 5.1; `fixed` 6.15: all buffers must lie in that one registered buffer. Counterpart of io_uring_prep_readv(3),
   * io_uring_prep_readv2(3) and io_uring_prep_readv_fixed(3); like preadv2(2).
   * @param buffers up to 1024 of them
   * @param offset see {@link FileOffset}
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   */
  prepReadv(
    fd: number,
    buffers: readonly Lendable[],
    userData: UserData,
    offset?: FileOffset,
    options?: TransferOptions,
  ): boolean {
    const opcode = options?.fixed === undefined ? IORING_OP_READV : IORING_OP_READV_FIXED;
    return this.#vectored(opcode, fd, buffers, userData, offset, options);
  }

  /**
   * Queue a write from several buffers, one after the other. Completes with the bytes written.
   *
   * Kernel 5.1; `fixed` 6.15. Counterpart of io_uring_prep_writev(3), io_uring_prep_writev2(3) and
   * io_uring_prep_writev_fixed(3); like pwritev2(2). As {@link prepReadv} otherwise; of short ones without an `offset`: {@link prepWrite}.
   */
  prepWritev(
    fd: number,
    buffers: readonly Lendable[],
    userData: UserData,
    offset?: FileOffset,
    options?: TransferOptions,
  ): boolean {
    const opcode = options?.fixed === undefined ? IORING_OP_WRITEV : IORING_OP_WRITEV_FIXED;
    return this.#vectored(opcode, fd, buffers, userData, offset, options);
  }

  /**
   * Queue a read that completes whenever there is something to read, each time into a buffer of group `bgid` that the
   * kernel picks, until a completion without `hasMore()`. For pipes, sockets, terminals and the like: a regular file is
   * refused (`-EBADFD`).
   *
   * Kernel 6.7. Counterpart of io_uring_prep_read_multishot(3).
   * @param options.len at most so many bytes at once; 0 is a whole buffer, and all that kernels up to 6.18 at least take
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {Error} `ERR_INVALID_STATE` no such group; TypeError, RangeError
   */
  prepReadMultishot(
    fd: number,
    bgid: number,
    userData: UserData,
    options?: { len?: number; offset?: FileOffset },
  ): boolean {
    const file = checkFd('fd', fd);
    const group = coreOf(this).bufferGroup(bgid);
    const len = checkFlags('options.len', options?.len);
    const offset = filePosition(options?.offset);
    return coreOf(this).queue(
      IORING_OP_READ_MULTISHOT, IOSQE_BUFFER_SELECT, 0, file, lowWord(offset), highWord(offset), 0, 0, len, 0, bgid,
      userData, group,
    );
  }

  /**
   * Queue the flush of a file to its disk. Completes with 0 or `-errno`. Only writes whose completions were
   * reaped before are sure to be included: entries of one batch run in any order, unless they are linked.
   *
   * Kernel 5.1. Counterpart of io_uring_prep_fsync(3); like fsync(2).
   * @param options.datasync flush the data and what is needed to read it back, like fdatasync(2)
   * @param options.offset,options.length only this range, in bytes; length 1 … 2^32-1, both or none
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   */
  prepFsync(
    fd: number,
    userData: UserData,
    options?: { datasync?: boolean; offset?: number | bigint; length?: number },
  ): boolean {
    const flags = options?.datasync ? IORING_FSYNC_DATASYNC : 0;
    const file = checkFd('fd', fd);
    const offset = checkPosition('options.offset', options?.offset ?? 0);
    const length = checkFlags('options.length', options?.length);
    // The kernel would flush next to nothing.
    if (length === 0 && offset !== 0 && offset !== 0n) {
      throw wrongValue('options.length', 'a range has an end: give offset and length, or neither for the whole file');
    }
    return coreOf(this).queue(
      IORING_OP_FSYNC, 0, 0, file, lowWord(offset), highWord(offset), 0, 0, length, flags, 0, userData, undefined,
    );
  }

  /**
   * Queue the write-back of a range of a file, or the wait for it. No metadata is flushed: it is no substitute for
   * {@link prepFsync}. Completes with 0 or `-errno`.
   *
   * Kernel 5.2. Counterpart of io_uring_prep_sync_file_range(3); like sync_file_range(2).
   * @param length bytes, 0 … 2^32-1; 0 is to the end of the file
   * @param flags SYNC_FILE_RANGE_*
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   */
  prepSyncFileRange(fd: number, offset: number | bigint, length: number, flags: number, userData: UserData): boolean {
    const file = checkFd('fd', fd);
    const from = checkPosition('offset', offset);
    checkUint32('length', length);
    checkUint32('flags', flags);
    return coreOf(this).queue(
      IORING_OP_SYNC_FILE_RANGE, 0, 0, file, lowWord(from), highWord(from), 0, 0, length, flags, 0, userData, undefined,
    );
  }

  /**
   * Queue the allocation of a range of a file, or with `mode` its punching, zeroing, removal or insertion. Completes
   * with 0 or `-errno` (`-EOPNOTSUPP` where the file system cannot).
   *
   * Kernel 5.6. Counterpart of io_uring_prep_fallocate(3); like fallocate(2).
   * @param mode 0, or FALLOC_FL_*
   * @param offset,length bytes, 0 … 2^53-1, or bigints up to 2^63-1
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   */
  prepFallocate(
    fd: number,
    mode: number,
    offset: number | bigint,
    length: number | bigint,
    userData: UserData,
  ): boolean {
    const file = checkFd('fd', fd);
    checkUint32('mode', mode);
    const from = checkPosition('offset', offset);
    const bytes = checkPosition('length', length);
    return coreOf(this).queue(
      IORING_OP_FALLOCATE, 0, 0, file, lowWord(from), highWord(from), lowWord(bytes), highWord(bytes), mode, 0, 0,
      userData, undefined,
    );
  }

  /**
   * Queue the setting of a file's length: what is beyond is gone, what is missing reads as zeroes. Completes with 0.
   *
   * Kernel 6.9. Counterpart of io_uring_prep_ftruncate(3); like ftruncate(2).
   * @param length bytes, 0 … 2^53-1, or a bigint up to 2^63-1
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   */
  prepFtruncate(fd: number, length: number | bigint, userData: UserData): boolean {
    const file = checkFd('fd', fd);
    const bytes = checkPosition('length', length);
    return coreOf(this).queue(
      IORING_OP_FTRUNCATE, 0, 0, file, lowWord(bytes), highWord(bytes), 0, 0, 0, 0, 0, userData, undefined,
    );
  }

  /**
   * Queue a hint how a range of a file will be used. Completes with 0 or `-errno`.
   *
   * Kernel 5.6; lengths from 2^32 on 6.11. Counterpart of io_uring_prep_fadvise(3) and io_uring_prep_fadvise64(3); like
   * posix_fadvise(2).
   * @param length bytes; 0 is to the end of the file
   * @param advice POSIX_FADV_*
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   */
  prepFadvise(
    fd: number,
    offset: number | bigint,
    length: number | bigint,
    advice: number,
    userData: UserData,
  ): boolean {
    const file = checkFd('fd', fd);
    const from = checkPosition('offset', offset);
    const bytes = checkPosition('length', length);
    checkUint32('advice', advice);
    const high = highWord(bytes);
    const long = high !== 0;
    return coreOf(this).queue(
      IORING_OP_FADVISE, 0, 0, file, lowWord(from), highWord(from), long ? lowWord(bytes) : 0, high,
      long ? 0 : lowWord(bytes), advice, 0, userData, undefined,
    );
  }

  /**
   * Queue a hint how memory will be used. `buf` must begin at a page and `length` must be whole pages, so that no
   * memory but its own is meant (see `allocateAligned`); some advice, such as MADV_DONTNEED, clears it. Completes with 0.
   *
   * `buf` is lent to the kernel until the completion is reaped.
   *
   * Kernel 5.6. Counterpart of io_uring_prep_madvise(3) and io_uring_prep_madvise64(3); like madvise(2).
   * @param advice MADV_*; not MADV_HWPOISON or MADV_GUARD_INSTALL, after which touching the memory ends the process
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   */
  prepMadvise(buf: Lendable, length: number, advice: number, userData: UserData): boolean {
    checkUint32('advice', advice);
    if (advice === MADV_HWPOISON || advice === MADV_GUARD_INSTALL) {
      throw wrongValue('advice', 'MADV_HWPOISON and MADV_GUARD_INSTALL would end the process');
    }
    const { memory } = coreOf(this);
    memory.find(buf, length);
    const { addressLow, addressHigh } = memory;
    const { pageSize } = coreOf(this).resources.native;
    if (addressLow & (pageSize - 1) || length % pageSize !== 0) {
      throw wrongValue('buf', `it must begin at a page, and length be whole pages of ${pageSize} bytes: see allocateAligned`);
    }
    return coreOf(this).queue(
      IORING_OP_MADVISE, 0, 0, -1, 0, 0, addressLow, addressHigh, length, advice, 0, userData, buf,
    );
  }

  /**
   * Queue the moving of up to `nbytes` bytes from one descriptor to another, one of which must be a pipe, without
   * copying. Completes with the bytes moved; 0 at the end.
   *
   * Kernel 5.7. Counterpart of io_uring_prep_splice(3); like splice(2).
   * @param offIn,offOut see {@link FileOffset}; null (the file's own position) for a pipe
   * @param nbytes 0 … 2^32-1
   * @param options.flags SPLICE_F_*
   * @param options.fixedIn `fdIn` is a slot of the registered files; of `fdOut`, {@link sqeSetFlags} says so
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   */
  prepSplice(
    fdIn: number,
    offIn: FileOffset,
    fdOut: number,
    offOut: FileOffset,
    nbytes: number,
    userData: UserData,
    options?: { flags?: number; fixedIn?: boolean },
  ): boolean {
    const from = filePosition(offIn);
    const to = filePosition(offOut);
    return this.#pipe(IORING_OP_SPLICE, fdIn, from, fdOut, to, nbytes, userData, options);
  }

  /**
   * Queue the copying of up to `nbytes` bytes from one pipe into another, without taking them out. Completes with the
   * bytes copied.
   *
   * Kernel 5.8. Counterpart of io_uring_prep_tee(3); like tee(2). Parameters and errors as of {@link prepSplice}.
   */
  prepTee(
    fdIn: number,
    fdOut: number,
    nbytes: number,
    userData: UserData,
    options?: { flags?: number; fixedIn?: boolean },
  ): boolean {
    return this.#pipe(IORING_OP_TEE, fdIn, 0, fdOut, 0, nbytes, userData, options);
  }

  #pipe(
    opcode: number,
    fdIn: number,
    offIn: number | bigint,
    fdOut: number,
    offOut: number | bigint,
    nbytes: number,
    userData: UserData,
    options: { flags?: number; fixedIn?: boolean } | undefined,
  ): boolean {
    const source = checkFd('fdIn', fdIn);
    const target = checkFd('fdOut', fdOut);
    checkUint32('nbytes', nbytes);
    const flags = checkFlags('options.flags', options?.flags) | (options?.fixedIn ? SPLICE_F_FD_IN_FIXED : 0);
    const queued = coreOf(this).queue(
      opcode, 0, 0, target, lowWord(offOut), highWord(offOut), lowWord(offIn), highWord(offIn), nbytes, flags, 0,
      userData, undefined,
    );
    if (queued) coreOf(this).sq.extend(source, 0, 0);
    return queued;
  }

  /**
   * Queue the closing of a descriptor. Completes with 0 or `-errno`. Operations in flight on it go on.
   *
   * Kernel 5.6. Counterpart of io_uring_prep_close(3); like close(2).
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   */
  prepClose(fd: number, userData: UserData): boolean {
    const file = checkFd('fd', fd);
    return coreOf(this).queue(IORING_OP_CLOSE, 0, 0, file, 0, 0, 0, 0, 0, 0, 0, userData, undefined);
  }

  /**
   * Queue the emptying of a slot of the registered files. Completes with 0, `-EBADF` (it is empty), `-EINVAL` (there is
   * no such slot) or `-ENXIO` (no files are registered).
   *
   * Kernel 5.15. Counterpart of io_uring_prep_close_direct(3).
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   * @throws {Error} `ERR_IOURING_UNSUPPORTED` on an older kernel, which would close descriptor 0 instead
   */
  prepCloseDirect(slot: number, userData: UserData): boolean {
    checkUint32('slot', slot);
    const index = fileIndex('slot', slot);
    coreOf(this).demand(YOUNG_FIELDS.closeDirect);
    const queued = coreOf(this).queue(IORING_OP_CLOSE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, userData, undefined);
    if (queued) coreOf(this).sq.extend(index, 0, 0);
    return queued;
  }

  /**
   * Queue the making of a pipe. Completes with 0; `fds` then has the end to read from and the end to write to, which
   * are the caller's to close; with `direct` their slots.
   *
   * `fds` is lent to the kernel until the completion is reaped.
   *
   * Kernel 6.16. Counterpart of io_uring_prep_pipe(3) and io_uring_prep_pipe_direct(3); like pipe2(2).
   * @param fds an Int32Array of at least 2
   * @param options.flags O_CLOEXEC, O_NONBLOCK, O_DIRECT, taken as they are; default none, and then programs that are started
   *   inherit the ends
   * @param options.direct a slot, which with the one after it takes the two ends; or `'alloc'`
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   */
  prepPipe(fds: Int32Array, userData: UserData, options?: { flags?: number; direct?: Slot }): boolean {
    if (!(fds instanceof Int32Array)) throw wrongType('fds', 'an Int32Array', fds);
    const flags = checkFlags('options.flags', options?.flags);
    const index = fileIndex('options.direct', options?.direct);
    const { memory } = coreOf(this);
    if (memory.findWhole(fds, 'fds') < 8) throw outOfRange('fds.length', 'at least 2', fds.length);
    const { addressLow, addressHigh } = memory;
    const lent = index === 0 ? coreOf(this).lease(new PipeEnds(fds)) : fds;
    const queued = coreOf(this).queue(
      IORING_OP_PIPE, 0, 0, 0, 0, 0, addressLow, addressHigh, 0, flags, 0, userData, lent,
    );
    if (queued && index !== 0) coreOf(this).sq.extend(index, 0, 0);
    return queued;
  }

  #vectored(
    opcode: number,
    fd: number,
    buffers: readonly Lendable[],
    userData: UserData,
    offset: FileOffset | undefined,
    options: TransferOptions | undefined,
  ): boolean {
    const file = checkFd('fd', fd);
    const position = filePosition(offset);
    const flags = checkFlags('options.rwFlags', options?.rwFlags);
    const fixed = options?.fixed ?? 0;
    checkInteger('options.fixed', fixed, 0, 0xffff);
    const list = listOfBuffers('buffers', buffers);
    const attributes = options?.pi === undefined ? undefined : this.#attributes(options.pi);
    if (coreOf(this).isRefused()) return false;
    const address = coreOf(this).iovecs(list);
    const queued = coreOf(this).queue(
      opcode, 0, 0, file, lowWord(position), highWord(position), lowWord(address), highWord(address), list.length,
      flags, fixed, userData, attributes === undefined ? list : [list, attributes],
    );
    if (queued && attributes !== undefined) {
      const { memory } = coreOf(this);
      memory.findWhole(attributes[0]);
      coreOf(this).sq.extend(0, memory.addressLow, memory.addressHigh, IORING_RW_ATTR_FLAG_PI, 0);
    }
    return queued;
  }

  /** A `struct io_uring_attr_pi`, and what it refers to. */
  #attributes({ buffer, flags = 0, appTag = 0, seed = 0 }: ProtectionInformation): [Uint8Array, Lendable] {
    coreOf(this).demand(YOUNG_FIELDS.attributes);
    checkInteger('options.pi.flags', flags, 0, 0xffff);
    checkInteger('options.pi.appTag', appTag, 0, 0xffff);
    checkPosition('options.pi.seed', seed);
    const { memory } = coreOf(this);
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

  #transfer(
    opcode: number,
    fd: number,
    buf: Lendable | null,
    len: number,
    userData: UserData,
    offset: FileOffset | undefined,
    options: TransferOptions | undefined,
  ): boolean {
    const file = checkFd('fd', fd);
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
    let flags = 0;
    let fixed = 0;
    const { memory } = coreOf(this);
    if (options) {
      flags = checkFlags('options.rwFlags', options.rwFlags);
      if (options.fixed !== undefined) fixed = checkInteger('options.fixed', options.fixed, 0, 0xffff);
      if (options.pi !== undefined) {
        const attributes = this.#attributes(options.pi);
        memory.findWhole(attributes[0], 'options.pi');
        const attributesLow = memory.addressLow;
        const attributesHigh = memory.addressHigh;
        memory.find(buf as Lendable, len);
        const { addressLow, addressHigh } = memory;
        const lent = [buf, attributes];
        if (!coreOf(this).queue(opcode, 0, 0, file, low, high, addressLow, addressHigh, len, flags, fixed, userData, lent)) {
          return false;
        }
        coreOf(this).sq.extend(0, attributesLow, attributesHigh, IORING_RW_ATTR_FLAG_PI, 0);
        return true;
      }
    }
    if (buf === null) {
      checkUint32('len', len);
      return coreOf(this).queue(opcode, 0, 0, file, low, high, 0, 0, len, flags, fixed, userData, undefined);
    }
    memory.find(buf, len);
    const { addressLow, addressHigh } = memory;
    return coreOf(this).queue(
      opcode, 0, 0, file, low, high, addressLow, addressHigh, len, flags, fixed, userData, buf,
    );
  }
}

/** The array that a pipe's ends are put into: they must be closed when nobody learns of them. */
class PipeEnds extends Lease {
  override abandon(res: number, close: (fd: number) => void): void {
    if (res !== 0) return;
    const fds = viewOf(this.lent as Int32Array);
    for (const at of [0, 4]) close(fds.getInt32(at, true));
  }
}

/** A checked position; -1 for the file's own. */
function filePosition(offset: FileOffset | undefined): number | bigint {
  if (offset === undefined || offset === null) return -1;
  checkOffset(offset);
  return offset;
}

function checkOffset(offset: number | bigint): void {
  if (typeof offset === 'number') {
    if (Number.isSafeInteger(offset) && offset >= -1) return;
    throw outOfRange('offset', 'an integer from 0 to 2^53-1, or -1', offset);
  }
  if (typeof offset !== 'bigint') throw wrongType('offset', 'of type number or bigint', offset);
  if (offset < -1n || offset > 0x7fff_ffff_ffff_ffffn) {
    throw outOfRange('offset', 'from -1n to 2n ** 63n - 1n', offset);
  }
}

/** A position or a length that is meant as such. */
function checkPosition(name: string, value: number | bigint): number | bigint {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && value >= 0) return value;
    throw outOfRange(name, 'an integer from 0 to 2^53-1', value);
  }
  if (typeof value !== 'bigint') throw wrongType(name, 'of type number or bigint', value);
  if (value < 0n || value > 0x7fff_ffff_ffff_ffffn) throw outOfRange(name, 'from 0n to 2n ** 63n - 1n', value);
  return value;
}
