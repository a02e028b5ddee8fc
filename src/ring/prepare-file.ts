import { IORING_FSYNC_DATASYNC } from '../abi/flags.ts';
import { IORING_OP_CLOSE, IORING_OP_FSYNC, IORING_OP_READ, IORING_OP_WRITE } from '../abi/operations.ts';
import type { Lendable } from './lent-memory.ts';
import { outOfRange, wrongType } from './misuse.ts';
import { ControlPreparation } from './prepare-control.ts';
import { checkFd, highWord, lowWord, type UserData } from './sqe.ts';

/** A position in a file in bytes: 0 … 2^53-1, or a bigint up to 2^63-1. -1, null or nothing: the file's own. */
export type FileOffset = number | bigint | null;

/** The operations on open files. */
export abstract class FilePreparation extends ControlPreparation {
  /**
   * Queue a read of up to `len` bytes from `fd` into the beginning of `buf`. Completes with the bytes read
   * (0 at the end of the file, possibly fewer than asked for) or `-errno`.
   *
   * `buf` is lent to the kernel until the completion is reaped: the ring refers to it that long, its contents
   * are undefined meanwhile, and its ArrayBuffer can not be transferred any more, then or later.
   *
   * Kernel 5.6. Counterpart of io_uring_prep_read(3); like pread(2), or read(2) without an `offset`.
   * @param len 0 … the buffer's byte length
   * @param offset see {@link FileOffset}; ignored for pipes and sockets
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError} `fd` is no integer; `buf` is no buffer, or a resizable, growable or detached one
   * @throws {RangeError} `len`, `offset` or `userData` is out of range
   */
  prepRead(fd: number, buf: Lendable, len: number, userData: UserData, offset?: FileOffset): boolean {
    return this.#transfer(IORING_OP_READ, fd, buf, len, userData, offset);
  }

  /**
   * Queue a write of `len` bytes from the beginning of `buf` to `fd`. Completes with the bytes written
   * (possibly fewer than asked for) or `-errno`.
   *
   * `buf` is lent to the kernel until the completion is reaped: the ring refers to it that long, and what is
   * changed in it meanwhile may or may not be written.
   *
   * Kernel 5.6. Counterpart of io_uring_prep_write(3); like pwrite(2), or write(2) without an `offset`.
   * Parameters, result and errors as of {@link prepRead}.
   */
  prepWrite(fd: number, buf: Lendable, len: number, userData: UserData, offset?: FileOffset): boolean {
    return this.#transfer(IORING_OP_WRITE, fd, buf, len, userData, offset);
  }

  /**
   * Queue the flush of a file to its disk. Completes with 0 or `-errno`. Only writes whose completions were
   * reaped before are sure to be included: entries of one batch run in any order.
   *
   * Kernel 5.1. Counterpart of io_uring_prep_fsync(3); like fsync(2).
   * @param options.datasync flush the data and what is needed to read it back, like fdatasync(2)
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   */
  prepFsync(fd: number, userData: UserData, options?: { datasync?: boolean }): boolean {
    const flags = options?.datasync ? IORING_FSYNC_DATASYNC : 0;
    const file = checkFd('fd', fd);
    return this.queue(IORING_OP_FSYNC, 0, 0, file, 0, 0, 0, 0, 0, flags, 0, userData, undefined);
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
    return this.queue(IORING_OP_CLOSE, 0, 0, file, 0, 0, 0, 0, 0, 0, 0, userData, undefined);
  }

  #transfer(
    opcode: number,
    fd: number,
    buf: Lendable,
    len: number,
    userData: UserData,
    offset: FileOffset | undefined,
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
    const { memory } = this;
    memory.find(buf, len);
    const { addressLow, addressHigh } = memory;
    return this.queue(
      opcode, 0, 0, file, low, high, addressLow, addressHigh, len, 0, 0, userData, buf,
    );
  }
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
