import { IORING_CQE_F_MORE } from '../abi/flags.ts';
import { IORING_OP_ASYNC_CANCEL, IORING_OP_NOP, IORING_OP_TIMEOUT } from '../abi/operations.ts';
import { KERNEL_TIMESPEC_SIZE } from '../abi/layouts.ts';
import { checkInteger } from './misuse.ts';
import { checkUserData, highWord, lowWord, SqePreparation, type UserData } from './sqe.ts';
import { checkMilliseconds, writeTimespec } from './timespec.ts';

/** The operations of the ring itself: nothing, time, cancel. */
export abstract class ControlPreparation extends SqePreparation {
  /**
   * Queue an operation that does nothing and completes with `res` 0: a round trip through the kernel.
   *
   * Kernel 5.1. Counterpart of io_uring_prep_nop(3).
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `userData` is no integer from 0 to 2^53-1 and no bigint from 0 to 2^64-1
   */
  prepNop(userData: UserData): boolean {
    return this.queue(IORING_OP_NOP, 0, 0, -1, 0, 0, 0, 0, 0, 0, 0, userData, undefined);
  }

  /**
   * Queue a timer: it completes with `-ETIME` after `timeoutMs` milliseconds (fractions count down to the
   * nanosecond), or with 0 as soon as `count` other completions were posted, if that is given and comes first.
   *
   * Kernel 5.4. Counterpart of io_uring_prep_timeout(3); the time is kept for you until the kernel has read it.
   * @param timeoutMs 0 … 2^53-1
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   */
  prepTimeout(timeoutMs: number, userData: UserData, options?: { count?: number }): boolean {
    checkMilliseconds('timeoutMs', timeoutMs);
    const count = options?.count ?? 0;
    checkInteger('options.count', count, 0, 2 ** 32 - 1);
    const { sq, holdings } = this;
    // The kernel reads the time when it consumes the entry, so the time belongs to the entry's position.
    const index = sq.nextIndex;
    const address = holdings.timespecs.address + index * KERNEL_TIMESPEC_SIZE;
    const low = address | 0;
    const high = (address / 2 ** 32) | 0;
    // A full queue's next position may still be read by a polling kernel thread: write only when it is free.
    if (!sq.isFull()) writeTimespec(holdings.timespecs.view, index * KERNEL_TIMESPEC_SIZE, timeoutMs);
    return this.queue(IORING_OP_TIMEOUT, 0, 0, -1, count, 0, low, high, 1, 0, 0, userData, undefined);
  }

  /**
   * Queue the cancellation of the operation in flight that was queued with userData `target` (one of them, if
   * there are several). It completes with 0, `-ENOENT` (none such, or done already) or `-EALREADY` (running,
   * and past stopping). The operation itself completes too, usually with `-ECANCELED`; the two come in any order.
   *
   * Kernel 5.5. Counterpart of io_uring_prep_cancel64(3).
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `target` or `userData` is no integer from 0 to 2^53-1 and no such bigint
   */
  prepCancel(target: UserData, userData: UserData): boolean {
    checkUserData('target', target);
    let low = lowWord(target);
    let high = highWord(target);
    // Operations that lend memory went to the kernel under a key of ours.
    const slot = this.pins.find(low, high, (candidate) => !this.#isDone(candidate));
    if (slot >= 0) {
      low = slot;
      high = this.pins.keyHigh(slot);
    }
    return this.queue(IORING_OP_ASYNC_CANCEL, 0, 0, -1, 0, 0, low, high, 0, 0, 0, userData, undefined);
  }

  /** Has the operation in `slot` posted its last completion, which is only not reaped yet? */
  #isDone(slot: number): boolean {
    const { cq, pins } = this;
    const { words, first, mask, tail } = cq;
    const keyHigh = pins.keyHigh(slot);
    for (let { head } = cq; head !== tail; head = (head + 1) | 0) {
      const word = first + (head & mask) * 4;
      const last = (words[word + 3] & IORING_CQE_F_MORE) === 0;
      if (last && words[word] === slot && words[word + 1] === keyHigh) return true;
    }
    return false;
  }
}
