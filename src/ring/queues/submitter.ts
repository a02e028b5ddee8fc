import { uptime } from 'node:os';
import { EAGAIN, EBUSY, EINTR, ETIME } from '../../abi/errno.ts';
import { CLOCK_BOOTTIME } from '../../abi/event-flags.ts';
import {
  IORING_ENTER_ABS_TIMER,
  IORING_ENTER_GETEVENTS,
  IORING_ENTER_NO_IOWAIT,
  IORING_ENTER_SQ_WAIT,
  IORING_ENTER_SQ_WAKEUP,
  IORING_FEAT_MIN_TIMEOUT,
  IORING_FEAT_NO_IOWAIT,
  IORING_SETUP_SQPOLL,
  IORING_SQ_CQ_OVERFLOW,
  IORING_SQ_NEED_WAKEUP,
} from '../../abi/flags.ts';
import { IO_URING_REG_WAIT_SIZE } from '../../abi/layouts.ts';
import { monotonicNow } from '../../native/timers.ts';
import { checkInteger, checkUint32, wrongState, wrongType, wrongValue } from '../arguments/argument-errors.ts';
import { needs } from '../kernel/proven-kernel.ts';
import { registeredWait, registeredWaits } from '../register/ring.ts';
import type { RingCore } from '../ring-core.ts';
import type { RingResources } from '../ring-resources.ts';
import { checkDuration, checkMilliseconds } from '../structs/timespec.ts';
import type { CompletionQueue } from './completion-queue.ts';
import { enterRefusal } from './overflow.ts';
import type { SubmissionQueue } from './submission-queue.ts';

/** How long {@link IoUring.submitAndWait} waits. */
export interface WaitOptions {
  /**
   * Wait no longer than so many milliseconds: 0 … 2^53-1, or Infinity. Before kernel 5.11 the ring looks every
   * millisecond.
   */
  timeoutMs?: number;
  /**
   * Wait until this point of time at most: nanoseconds on the ring's clock (see registerClock), which is the one of
   * `process.hrtime.bigint()` unless another was chosen. Kernel 6.12.
   */
  deadline?: bigint;
  /**
   * After so many milliseconds fewer completions will do, if there are any: a batch, but no long wait for it. Kernel
   * 6.12.
   */
  minWaitMs?: number;
  /** IORING_ENTER_NO_IOWAIT (6.15): do not count the wait as waiting for I/O, which it seldom is on sockets. */
  noIowait?: boolean;
}

/**
 * How long a worker waits in the kernel at a stretch. Ending a worker stops its JavaScript, not its system calls: one
 * that waited without a limit could not be ended, and neither could the process.
 */
const SLICE_MS = 100;

/** How often a kernel that is short of memory is asked again, with nothing to reap in between. */
const STALLS_MAX = 64;

/** Hands a ring's entries to the kernel, and waits for completions. */
export class Submitter {
  // Declared only, so that the constructor is the first to write them, and the last: see RingCore.
  declare readonly core: RingCore;
  declare readonly resources: RingResources;
  declare readonly sq: SubmissionQueue;
  declare readonly cq: CompletionQueue;
  readonly #polled: boolean;
  /** Waits are cut into slices. */
  readonly #sliced: boolean;
  /** Waits are not as simple as one call: they are sliced, or places of the ring are not completions. */
  readonly #indirect: boolean;
  /** How the wait that is under way is limited, beside a length of time. */
  #deadline: bigint | undefined;
  #minWaitUs = 0;
  #waitFlags = 0;

  constructor(core: RingCore) {
    const { resources } = core;
    this.core = core;
    this.resources = resources;
    this.sq = core.sq;
    this.cq = core.cq;
    this.#polled = (resources.setupFlags & IORING_SETUP_SQPOLL) !== 0;
    this.#sliced = !resources.native.isMainThread;
    this.#indirect = this.#sliced || core.cq.mixed;
  }

  submit(): number {
    this.core.checkOpen();
    if (this.core.chained !== undefined) this.core.endChain();
    if (this.core.unannounced !== undefined) this.core.announce();
    if (this.#polled) return this.#submitPolled(0, Infinity);
    const toSubmit = this.sq.publish();
    if (toSubmit === 0) return 0;
    const consumed = this.resources.enter(toSubmit, 0, 0);
    if (consumed === toSubmit) {
      this.sq.head = (this.sq.head + consumed) | 0;
      if (this.core.chained !== undefined) this.core.chainsTaken(true);
      return consumed;
    }
    return this.#goOn(consumed, 0, Infinity);
  }

  submitAndWait(waitNr: number, options?: WaitOptions): number {
    if (typeof waitNr !== 'number' || waitNr >>> 0 !== waitNr) this.#checkWaitNr(waitNr);
    // Read early: a getter could do anything, even close the ring.
    const timeoutMs = options ? this.#readWait(options) : undefined;
    const core = this.core;
    const sq = this.sq;
    const cq = this.cq;
    core.checkOpen();
    if (core.chained !== undefined) core.endChain();
    if (core.unannounced !== undefined) core.announce();
    const wanted = waitNr > cq.entries ? cq.entries : waitNr;
    if (timeoutMs !== undefined || this.#indirect) {
      return this.#submitFor(wanted, timeoutMs ?? Infinity);
    }
    // What was reaped inside a running forEachCompletion does not count any more.
    cq.publish();
    if (this.#polled) return this.#submitPolled(wanted, Infinity);
    const toSubmit = sq.publish();
    const consumed = this.resources.enter(toSubmit, wanted, IORING_ENTER_GETEVENTS);
    if (consumed === toSubmit && cq.places >= wanted) {
      sq.head = (sq.head + consumed) | 0;
      if (core.chained !== undefined) core.chainsTaken(true);
      return consumed;
    }
    return this.#goOn(consumed, wanted, Infinity);
  }

  submitAndWaitReg(waitNr: number, index: number): number {
    this.core.checkOpen();
    checkInteger('waitNr', waitNr, 0, 2 ** 32 - 1);
    const { count } = registeredWaits(this.core);
    checkInteger('index', index, 0, count - 1);
    if (this.#sliced || this.#polled) {
      throw wrongState('ERR_IOURING_UNSUPPORTED', 'Cannot use registered waits: not in a worker, and not with sqPoll');
    }
    if (this.core.chained !== undefined) this.core.endChain();
    if (this.core.unannounced !== undefined) this.core.announce();
    const { cq, sq, resources } = this.core;
    cq.publish();
    const wanted = Math.min(waitNr, cq.entries);
    const { timeoutMs, enough } = registeredWait(this.core, index, wanted);
    const start = monotonicNow();
    for (let consumed = 0;;) {
      const toSubmit = sq.publish();
      const offset = index * IO_URING_REG_WAIT_SIZE;
      const result = resources.enterRegistered(toSubmit, wanted, IORING_ENTER_GETEVENTS, offset);
      const left = sq.refresh();
      if (this.core.chained !== undefined) this.core.chainsTaken(left === 0);
      if (result > 0) consumed += result;
      else if (result === -ETIME || result === -EAGAIN || result === -EBUSY) return consumed;
      else if (result < 0 && result !== -EINTR) throw enterRefusal(-result);
      // A signal ends a wait too, and is not told of when something was submitted.
      if (cq.ready >= enough || monotonicNow() - start >= timeoutMs) return consumed;
    }
  }

  /** Read how to wait. The length of time it may take; undefined where no option is given. */
  #readWait(options: WaitOptions): number | undefined {
    const { timeoutMs, deadline, minWaitMs, noIowait } = options;
    if (timeoutMs !== undefined && timeoutMs !== Infinity) checkMilliseconds('options.timeoutMs', timeoutMs);
    if (deadline === undefined && minWaitMs === undefined && !noIowait) return timeoutMs;
    if (deadline !== undefined) {
      if (typeof deadline !== 'bigint') throw wrongType('options.deadline', 'of type bigint', deadline);
      checkDuration('options.deadline', deadline);
      if (timeoutMs !== undefined) {
        throw wrongValue('options.deadline', 'timeoutMs limits the wait already: choose one');
      }
      if ((this.resources.features & IORING_FEAT_MIN_TIMEOUT) === 0) throw tooOld('until a deadline', '6.12');
    }
    if (minWaitMs !== undefined) {
      checkMilliseconds('options.minWaitMs', minWaitMs);
      if ((this.resources.features & IORING_FEAT_MIN_TIMEOUT) === 0) throw tooOld('with minWaitMs', '6.12');
      checkUint32('options.minWaitMs in microseconds', Math.ceil(minWaitMs * 1000));
    }
    if (noIowait && (this.resources.features & IORING_FEAT_NO_IOWAIT) === 0) throw tooOld('with noIowait', '6.15');
    // All is well: only now, so that nothing of a wait that is not to be stays for the next.
    this.#minWaitUs = Math.ceil((minWaitMs ?? 0) * 1000);
    this.#waitFlags = noIowait ? IORING_ENTER_NO_IOWAIT : 0;
    this.#deadline = deadline;
    return timeoutMs ?? Infinity;
  }

  #checkWaitNr(waitNr: number): void {
    this.core.checkOpen();
    checkInteger('waitNr', waitNr, 0, 2 ** 32 - 1);
  }

  #submitFor(waitNr: number, timeoutMs: number): number {
    this.cq.publish();
    const deadline = monotonicNow() + (this.#deadline === undefined ? timeoutMs : this.#until(this.#deadline));
    try {
      if (this.#polled) return this.#submitPolled(waitNr, deadline);
      const toSubmit = this.sq.publish();
      return this.#goOn(this.#enterUntil(toSubmit, waitNr, deadline), waitNr, deadline);
    } finally {
      this.#deadline = undefined;
      this.#minWaitUs = 0;
      this.#waitFlags = 0;
    }
  }

  /** Milliseconds from now to a point of time on the ring's clock. */
  #until(deadline: bigint): number {
    const boot = this.resources.clock === CLOCK_BOOTTIME;
    const now = boot ? BigInt(Math.round(uptime() * 1e9)) : process.hrtime.bigint();
    return deadline > now ? Number(deadline - now) / 1e6 : 0;
  }

  /** io_uring_enter(2) that waits until `deadline` at most; in a worker, a slice of that at most. */
  #enterUntil(toSubmit: number, waitNr: number, deadline: number): number {
    const { resources } = this.core;
    const flags = IORING_ENTER_GETEVENTS | this.#waitFlags;
    const slots = this.cq.slotsFor(waitNr);
    if (this.#deadline !== undefined && !this.#sliced) {
      return resources.enterFor(toSubmit, slots, flags | IORING_ENTER_ABS_TIMER, this.#deadline, this.#minWaitUs);
    }
    let left = deadline === Infinity ? Infinity : Math.max(0, deadline - monotonicNow());
    if (this.#sliced && left > SLICE_MS) left = SLICE_MS;
    return left === Infinity && this.#minWaitUs === 0
      ? resources.enter(toSubmit, slots, flags)
      : resources.enterFor(toSubmit, slots, flags, left, this.#minWaitUs);
  }

  /**
   * A call that came back early: with fewer entries consumed than queued, before enough completions were there, or
   * with an error. Take stock and go on until all is done or cannot be.
   */
  #goOn(result: number, waitNr: number, deadline: number): number {
    const { sq, cq, resources } = this.core;
    let consumed = 0;
    let before = -1;
    for (let stalls = 0;;) {
      if (result > 0) consumed += result;
      const toSubmit = sq.refresh();
      // Consumed, it says, and nothing went.
      if (result > 0 && toSubmit > 0 && toSubmit === before && ++stalls > STALLS_MAX) return consumed;
      before = toSubmit;
      if (this.core.chained !== undefined) this.core.chainsTaken(toSubmit === 0);
      if (result < 0) {
        const errno = -result;
        if (errno === ETIME) {
          // The end of a slice is not the end of the time.
          if (!this.#sliced || monotonicNow() >= deadline) return consumed;
          if (this.#minWaitUs !== 0 && cq.ready > 0) return consumed;
        } else if (errno === EAGAIN || errno === EBUSY) {
          // Reap first. What was not consumed is still queued.
          if (cq.ready > 0) return consumed;
          if (++stalls > STALLS_MAX) throw enterRefusal(errno);
        } else if (errno !== EINTR) {
          throw enterRefusal(errno);
        }
      } else if (result === 0 && toSubmit > 0 && ++stalls > STALLS_MAX) {
        return consumed;
      }
      if (toSubmit === 0 && cq.ready >= waitNr) return consumed;
      // No more fits in, though fewer completions are there: some take two places.
      if (toSubmit === 0 && cq.mixed && this.#isCrammed()) return consumed;
      // After the shortest wait, fewer will do.
      if (toSubmit === 0 && this.#minWaitUs !== 0 && cq.ready > 0) return consumed;
      if (toSubmit === 0 && monotonicNow() >= deadline) return consumed;
      // Without anything to wait for, or to be let through, the kernel need not look for completions.
      result = waitNr === 0 && stalls === 0 && deadline === Infinity
        ? resources.enter(toSubmit, 0, 0)
        : this.#enterUntil(toSubmit, waitNr, deadline);
    }
  }

  /** Does the kernel have no place for another completion? */
  #isCrammed(): boolean {
    const { sq, cq } = this.core;
    return cq.places >= cq.entries || (cq.places > 0 && (sq.flags & IORING_SQ_CQ_OVERFLOW) !== 0);
  }

  /** Where a kernel thread submits: wake it if it sleeps, and wait for completions if asked to. */
  #submitPolled(waitNr: number, deadline: number): number {
    const { sq, cq, resources } = this.core;
    const shown = sq.show();
    for (let stalls = 0;;) {
      let flags = waitNr > 0 ? IORING_ENTER_GETEVENTS | this.#waitFlags : 0;
      if (sq.flags & IORING_SQ_NEED_WAKEUP) flags |= IORING_ENTER_SQ_WAKEUP;
      // No room: wait until the thread has consumed something, or the next entry would find the queue full.
      if (sq.refresh() >= sq.entries) flags |= IORING_ENTER_SQ_WAIT;
      if (flags === 0) return shown;
      const left = deadline === Infinity ? Infinity : Math.max(0, deadline - monotonicNow());
      const result = left === Infinity && this.#minWaitUs === 0
        ? resources.enter(shown, cq.slotsFor(waitNr), flags)
        : resources.enterFor(shown, cq.slotsFor(waitNr), flags, left, this.#minWaitUs);
      const errno = result < 0 ? -result : 0;
      if (errno === ETIME) return shown;
      if (errno !== 0 && errno !== EINTR && errno !== EAGAIN && errno !== EBUSY) throw enterRefusal(errno);
      // Interrupted before there was room: look again.
      if (left > 0 && sq.refresh() >= sq.entries && ++stalls <= STALLS_MAX) continue;
      if (cq.mixed && this.#isCrammed()) return shown;
      if (cq.ready >= waitNr || left === 0 || (this.#minWaitUs !== 0 && cq.ready > 0)) return shown;
      if ((errno === EAGAIN || errno === EBUSY) && ++stalls > STALLS_MAX) throw enterRefusal(errno);
    }
  }
}

const tooOld = (what: string, since: string): Error =>
  wrongState('ERR_IOURING_UNSUPPORTED', `Cannot wait ${what}: ${needs(since)}`);
