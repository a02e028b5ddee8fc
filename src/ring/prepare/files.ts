import { MADV_GUARD_INSTALL, MADV_HWPOISON } from '../../abi/file-flags.ts';
import { IORING_FSYNC_DATASYNC, SPLICE_F_FD_IN_FIXED } from '../../abi/flags.ts';
import {
  IORING_OP_CLOSE,
  IORING_OP_FADVISE,
  IORING_OP_FALLOCATE,
  IORING_OP_FSYNC,
  IORING_OP_FTRUNCATE,
  IORING_OP_MADVISE,
  IORING_OP_PIPE,
  IORING_OP_SPLICE,
  IORING_OP_SYNC_FILE_RANGE,
  IORING_OP_TEE,
} from '../../abi/operations.ts';
import { checkFd, checkFlags, fileIndex, type Slot } from '../arguments/entry-fields.ts';
import { checkPosition, filePosition, type FileOffset } from '../arguments/file-offset.ts';
import { highWord, lowWord, type UserData } from '../arguments/user-data.ts';
import { viewOf, type Lendable } from '../memory/lent-memory.ts';
import { checkUint32, outOfRange, wrongType, wrongValue } from '../arguments/argument-errors.ts';
import { Lease } from '../pins.ts';
import { coreOf, type RingCore } from '../ring-core.ts';
import { YOUNG_FIELDS } from './young-fields.ts';

/** The operations on open files. */
export interface FileOperations {
  /**
   * Queue the flush of a file to its disk. Completes with 0 or `-errno`. Only writes whose completions were
   * reaped before are sure to be included: entries of one batch run in any order, unless they are linked.
   *
   * Kernel 5.1. Counterpart of io_uring_prep_fsync(3); like fsync(2).
   * @param options.datasync flush the data and what is needed to read it back, like fdatasync(2)
   * @param options.offset only a range, from here on, in bytes; with `length`, or neither
   * @param options.length of the range in bytes, 1 … 2^32-1
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepFsync(fd, 1, { datasync: true });
   */
  prepFsync(
    fd: number,
    userData: UserData,
    options?: { datasync?: boolean; offset?: number | bigint; length?: number },
  ): boolean;

  /**
   * Queue the write-back of a range of a file, or the wait for it. No metadata is flushed: it is no substitute for
   * {@link prepFsync}. Completes with 0 or `-errno`.
   *
   * Kernel 5.2. Counterpart of io_uring_prep_sync_file_range(3); like sync_file_range(2).
   * @param length bytes, 0 … 2^32-1; 0 is to the end of the file
   * @param flags SYNC_FILE_RANGE_*
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   * @example
   * import { SYNC_FILE_RANGE_WRITE } from 'iouring/abi';
   *
   * ring.prepSyncFileRange(fd, 0, 4096, SYNC_FILE_RANGE_WRITE, 1);
   */
  prepSyncFileRange(fd: number, offset: number | bigint, length: number, flags: number, userData: UserData): boolean;

  /**
   * Queue the allocation of a range of a file, or with `mode` its punching, zeroing, removal or insertion. Completes
   * with 0 or `-errno` (`-EOPNOTSUPP` where the file system cannot).
   *
   * Kernel 5.6. Counterpart of io_uring_prep_fallocate(3); like fallocate(2).
   * @param mode 0, or FALLOC_FL_*
   * @param offset where the range begins, in bytes, 0 … 2^53-1, or a bigint up to 2^63-1
   * @param length of the range, likewise
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepFallocate(fd, 0, 0, 1 << 20, 1);
   */
  prepFallocate(
    fd: number,
    mode: number,
    offset: number | bigint,
    length: number | bigint,
    userData: UserData,
  ): boolean;

  /**
   * Queue the setting of a file's length: what is beyond is gone, what is missing reads as zeroes. Completes with 0.
   *
   * Kernel 6.9. Counterpart of io_uring_prep_ftruncate(3); like ftruncate(2).
   * @param length bytes, 0 … 2^53-1, or a bigint up to 2^63-1
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepFtruncate(fd, 100, 1);
   */
  prepFtruncate(fd: number, length: number | bigint, userData: UserData): boolean;

  /**
   * Queue a hint how a range of a file will be used. Completes with 0 or `-errno`.
   *
   * Kernel 5.6; lengths from 2^32 on 6.11. Counterpart of io_uring_prep_fadvise(3) and io_uring_prep_fadvise64(3); like
   * posix_fadvise(2).
   * @param length bytes; 0 is to the end of the file
   * @param advice POSIX_FADV_*
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   * @example
   * import { POSIX_FADV_SEQUENTIAL } from 'iouring/abi';
   *
   * ring.prepFadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL, 1);
   */
  prepFadvise(
    fd: number,
    offset: number | bigint,
    length: number | bigint,
    advice: number,
    userData: UserData,
  ): boolean;

  /**
   * Queue a hint how memory will be used. `buf` must begin at a page and `length` must be whole pages, so that no
   * memory but its own is meant (see `allocateAligned`); some advice, such as MADV_DONTNEED, clears it. Completes with
   * 0.
   *
   * `buf` is lent to the kernel until the completion is reaped.
   *
   * Kernel 5.6. Counterpart of io_uring_prep_madvise(3) and io_uring_prep_madvise64(3); like madvise(2).
   * @param advice MADV_*; not MADV_HWPOISON or MADV_GUARD_INSTALL, after which touching the memory ends the process
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @example
   * import { allocateAligned } from 'iouring';
   * import { MADV_WILLNEED } from 'iouring/abi';
   *
   * ring.prepMadvise(allocateAligned(65_536, 4096), 65_536, MADV_WILLNEED, 1);
   */
  prepMadvise(buf: Lendable, length: number, advice: number, userData: UserData): boolean;

  /**
   * Queue the moving of up to `nbytes` bytes from one descriptor to another, one of which must be a pipe, without
   * copying. Completes with the bytes moved; 0 at the end.
   *
   * Kernel 5.7. Counterpart of io_uring_prep_splice(3); like splice(2).
   * @param offIn see {@link FileOffset}; null (the file's own position) for a pipe
   * @param offOut likewise
   * @param nbytes 0 … 2^32-1
   * @param options.flags SPLICE_F_*
   * @param options.fixedIn `fdIn` is a slot of the registered files; of `fdOut`, {@link sqeSetFlags} says so
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepSplice(fd, 0, pipe, -1, 65_536, 1);
   */
  prepSplice(
    fdIn: number,
    offIn: FileOffset,
    fdOut: number,
    offOut: FileOffset,
    nbytes: number,
    userData: UserData,
    options?: { flags?: number; fixedIn?: boolean },
  ): boolean;

  /**
   * Queue the copying of up to `nbytes` bytes from one pipe into another, without taking them out. Completes with the
   * bytes copied.
   *
   * Kernel 5.8. Counterpart of io_uring_prep_tee(3); like tee(2). Parameters and errors as of {@link prepSplice}.
   * @example
   * ring.prepTee(pipe, otherPipe, 65_536, 1);
   */
  prepTee(
    fdIn: number,
    fdOut: number,
    nbytes: number,
    userData: UserData,
    options?: { flags?: number; fixedIn?: boolean },
  ): boolean;

  /**
   * Queue the closing of a descriptor. Completes with 0 or `-errno`. Operations in flight on it go on.
   *
   * Kernel 5.6. Counterpart of io_uring_prep_close(3); like close(2).
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepClose(fd, 1);
   */
  prepClose(fd: number, userData: UserData): boolean;

  /**
   * Queue the emptying of a slot of the registered files. Completes with 0, `-EBADF` (it is empty), `-EINVAL` (there is
   * no such slot) or `-ENXIO` (no files are registered).
   *
   * Kernel 5.15. Counterpart of io_uring_prep_close_direct(3).
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   * @throws {Error} `ERR_IOURING_UNSUPPORTED` on an older kernel, which would close descriptor 0 instead
   * @example
   * ring.registerFilesSparse(4);
   * ring.prepCloseDirect(0, 1);
   */
  prepCloseDirect(slot: number, userData: UserData): boolean;

  /**
   * Queue the making of a pipe. Completes with 0; `fds` then has the end to read from and the end to write to, which
   * are the caller's to close; with `direct` their slots.
   *
   * `fds` is lent to the kernel until the completion is reaped.
   *
   * Kernel 6.16. Counterpart of io_uring_prep_pipe(3) and io_uring_prep_pipe_direct(3); like pipe2(2).
   * @param fds an Int32Array of at least 2
   * @param options.flags O_CLOEXEC, O_NONBLOCK, O_DIRECT, taken as they are; default none, and then programs that are
   *   started inherit the ends
   * @param options.direct a slot, which with the one after it takes the two ends; or `'alloc'`
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   * @example
   * const ends = new Int32Array(2);
   * ring.prepPipe(ends, 1);
   */
  prepPipe(fds: Int32Array, userData: UserData, options?: { flags?: number; direct?: Slot }): boolean;
}

export const fileOperations: FileOperations = {
  prepFsync(fd, userData, options) {
    const flags = options?.datasync ? IORING_FSYNC_DATASYNC : 0;
    const file = checkFd('fd', fd);
    const offset = checkPosition('options.offset', options?.offset ?? 0);
    const length = checkFlags('options.length', options?.length);
    // The kernel would flush next to nothing.
    if (length === 0 && offset !== 0 && offset !== 0n) {
      throw wrongValue('options.length', 'a range has an end: give offset and length, or neither for the whole file');
    }
    return coreOf(this).queue(
      IORING_OP_FSYNC,
      0,
      0,
      file,
      lowWord(offset),
      highWord(offset),
      0,
      0,
      length,
      flags,
      0,
      userData,
      undefined,
    );
  },

  prepSyncFileRange(fd, offset, length, flags, userData) {
    const file = checkFd('fd', fd);
    const from = checkPosition('offset', offset);
    checkUint32('length', length);
    checkUint32('flags', flags);
    return coreOf(this).queue(
      IORING_OP_SYNC_FILE_RANGE,
      0,
      0,
      file,
      lowWord(from),
      highWord(from),
      0,
      0,
      length,
      flags,
      0,
      userData,
      undefined,
    );
  },

  prepFallocate(fd, mode, offset, length, userData) {
    const file = checkFd('fd', fd);
    checkUint32('mode', mode);
    const from = checkPosition('offset', offset);
    const bytes = checkPosition('length', length);
    return coreOf(this).queue(
      IORING_OP_FALLOCATE,
      0,
      0,
      file,
      lowWord(from),
      highWord(from),
      lowWord(bytes),
      highWord(bytes),
      mode,
      0,
      0,
      userData,
      undefined,
    );
  },

  prepFtruncate(fd, length, userData) {
    const file = checkFd('fd', fd);
    const bytes = checkPosition('length', length);
    return coreOf(this).queue(
      IORING_OP_FTRUNCATE,
      0,
      0,
      file,
      lowWord(bytes),
      highWord(bytes),
      0,
      0,
      0,
      0,
      0,
      userData,
      undefined,
    );
  },

  prepFadvise(fd, offset, length, advice, userData) {
    const file = checkFd('fd', fd);
    const from = checkPosition('offset', offset);
    const bytes = checkPosition('length', length);
    checkUint32('advice', advice);
    const high = highWord(bytes);
    const long = high !== 0;
    return coreOf(this).queue(
      IORING_OP_FADVISE,
      0,
      0,
      file,
      lowWord(from),
      highWord(from),
      long ? lowWord(bytes) : 0,
      high,
      long ? 0 : lowWord(bytes),
      advice,
      0,
      userData,
      undefined,
    );
  },

  prepMadvise(buf, length, advice, userData) {
    const core = coreOf(this);
    checkUint32('advice', advice);
    if (advice === MADV_HWPOISON || advice === MADV_GUARD_INSTALL) {
      throw wrongValue('advice', 'MADV_HWPOISON and MADV_GUARD_INSTALL would end the process');
    }
    const { memory } = core;
    memory.find(buf, length);
    const { addressLow, addressHigh } = memory;
    const { pageSize } = core.resources.native;
    if (addressLow & (pageSize - 1) || length % pageSize !== 0) {
      const reason =
        `it must begin at a page, and length be whole pages of ${pageSize} bytes: allocateAligned(bytes, ${pageSize})`;
      throw wrongValue('buf', reason);
    }
    return core.queue(
      IORING_OP_MADVISE,
      0,
      0,
      -1,
      0,
      0,
      addressLow,
      addressHigh,
      length,
      advice,
      0,
      userData,
      buf,
    );
  },

  prepSplice(fdIn, offIn, fdOut, offOut, nbytes, userData, options) {
    const from = filePosition(offIn);
    const to = filePosition(offOut);
    return pipe(coreOf(this), IORING_OP_SPLICE, fdIn, from, fdOut, to, nbytes, userData, options);
  },

  prepTee(fdIn, fdOut, nbytes, userData, options) {
    return pipe(coreOf(this), IORING_OP_TEE, fdIn, 0, fdOut, 0, nbytes, userData, options);
  },

  prepClose(fd, userData) {
    const file = checkFd('fd', fd);
    return coreOf(this).queue(IORING_OP_CLOSE, 0, 0, file, 0, 0, 0, 0, 0, 0, 0, userData, undefined);
  },

  prepCloseDirect(slot, userData) {
    const core = coreOf(this);
    checkUint32('slot', slot);
    const index = fileIndex('slot', slot);
    core.demand(YOUNG_FIELDS.closeDirect);
    const queued = core.queue(IORING_OP_CLOSE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, userData, undefined);
    if (queued) core.sq.extend(index, 0, 0);
    return queued;
  },

  prepPipe(fds, userData, options) {
    const core = coreOf(this);
    if (!(fds instanceof Int32Array)) throw wrongType('fds', 'an Int32Array', fds);
    const flags = checkFlags('options.flags', options?.flags);
    const index = fileIndex('options.direct', options?.direct);
    const { memory } = core;
    if (memory.findWhole(fds, 'fds') < 8) throw outOfRange('fds.length', 'at least 2', fds.length);
    const { addressLow, addressHigh } = memory;
    const lent = index === 0 ? core.lease(new PipeEnds(fds)) : fds;
    const queued = core.queue(
      IORING_OP_PIPE,
      0,
      0,
      0,
      0,
      0,
      addressLow,
      addressHigh,
      0,
      flags,
      0,
      userData,
      lent,
    );
    if (queued && index !== 0) core.sq.extend(index, 0, 0);
    return queued;
  },
};

function pipe(
  core: RingCore,
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
  const queued = core.queue(
    opcode,
    0,
    0,
    target,
    lowWord(offOut),
    highWord(offOut),
    lowWord(offIn),
    highWord(offIn),
    nbytes,
    flags,
    0,
    userData,
    undefined,
  );
  if (!queued) return false;
  core.sq.extend(source, 0, 0);
  if (flags & SPLICE_F_FD_IN_FIXED) core.noteSlot();
  return true;
}

/** The array that a pipe's ends are put into: they must be closed when nobody learns of them. */
class PipeEnds extends Lease {
  override abandon(res: number, close: (fd: number) => void): void {
    if (res !== 0) return;
    const fds = viewOf(this.lent as Int32Array);
    for (const at of [0, 4]) close(fds.getInt32(at, true));
  }
}
