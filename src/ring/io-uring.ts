/// <reference lib="esnext.disposable" preserve="true" />
import { uptime } from 'node:os';
import { EAGAIN, EBADR, EBUSY, EEXIST, EINTR, ETIME } from '../abi/errno.ts';
import { CLOCK_BOOTTIME } from '../abi/event-flags.ts';
import {
  IORING_CQE_BUFFER_SHIFT,
  IORING_CQE_F_32,
  IORING_CQE_F_BUFFER,
  IORING_CQE_F_MORE,
  IORING_CQE_F_SKIP,
  IORING_ENTER_ABS_TIMER,
  IORING_ENTER_GETEVENTS,
  IORING_ENTER_NO_IOWAIT,
  IORING_ENTER_SQ_WAIT,
  IORING_ENTER_SQ_WAKEUP,
  IORING_FEAT_MIN_TIMEOUT,
  IORING_FEAT_NO_IOWAIT,
  IORING_SETUP_CQE32,
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_IOPOLL,
  IORING_SETUP_SQPOLL,
  IORING_SQ_CQ_OVERFLOW,
  IORING_SQ_NEED_WAKEUP,
  IORING_SQ_TASKRUN,
} from '../abi/flags.ts';
import { IO_URING_REG_WAIT_SIZE } from '../abi/layouts.ts';
import { koffiNative } from '../native/koffi.ts';
import type { Native } from '../native/native.ts';
import { ownOptions, NONE } from './arguments/own-options.ts';
import { monotonicNow } from '../native/timers.ts';
import { Completion } from './completion.ts';
import { RingResources } from './ring-resources.ts';
import { kernelError } from './kernel/kernel-error.ts';
import { LentMemory } from './memory/lent-memory.ts';
import { checkInteger, checkUint32, wrongState, wrongType, wrongValue } from './arguments/argument-errors.ts';
import { Lease, type BufferSource, type Placement } from './pins.ts';
import { registeredWait, registeredWaits, RingRegistration } from './register/ring.ts';
import { coreOf, handOver, RingCore } from './ring-core.ts';
import { setUp, type IoUringOptions } from './setup.ts';
import { checkDuration, checkMilliseconds } from './structs/timespec.ts';

/** How long {@link IoUring.submitAndWait} waits. */
export interface WaitOptions {
  /** Wait no longer than so many milliseconds: 0 … 2^53-1, or Infinity. Before kernel 5.11 the ring looks every millisecond. */
  timeoutMs?: number;
  /**
   * Wait until this point of time at most: nanoseconds on the ring's clock (see registerClock), which is the one of
   * `process.hrtime.bigint()` unless another was chosen. Kernel 6.12.
   */
  deadline?: bigint;
  /** After so many milliseconds fewer completions will do, if there are any: a batch, but no long wait for it. Kernel 6.12. */
  minWaitMs?: number;
  /** IORING_ENTER_NO_IOWAIT (6.15): do not count the wait as waiting for I/O, which it seldom is on sockets. */
  noIowait?: boolean;
}

/** Gives back what a ring held that was collected without having been closed. */
const dropped = new FinalizationRegistry<RingResources>((resources) => resources.close());

/**
 * How long a worker waits in the kernel at a stretch. Ending a worker stops its JavaScript, not its system calls: one
 * that waited without a limit could not be ended, and neither could the process.
 */
const SLICE_MS = 100;

/** More completions than there can be. */
const ALL = 2 ** 30 - 1;

/** How often a kernel that is short of memory is asked again, with nothing to reap in between. */
const STALLS_MAX = 64;

/** A function that is told of a completion: its userData, its result, its flags. */
type See = (userData: number, res: number, flags: number) => void;

let seeWaiting: (ring: IoUring, see: See) => void;

/**
 * Call `see` with every completion that waits to be reaped, in the kernel's order, and reap none. Never enters the kernel. Also
 * from inside the callback of {@link IoUring.forEachCompletion}. For rings of completions of 16 bytes, without leases.
 */
export function forEachWaiting(ring: IoUring, see: See): void {
  seeWaiting(ring, see);
}

/**
 * A Linux io_uring instance: one submission queue, one completion queue, for one thread.
 *
 * Queue operations with the `prep…` methods, hand them to the kernel with {@link submit} or
 * {@link submitAndWait}, and read the results with {@link forEachCompletion}. Buffers that are lent to an
 * operation are kept alive until its last completion is reaped.
 *
 * @example
 * using ring = new IoUring(8);
 * ring.prepRead(fd, buffer, buffer.byteLength, 1, 0);
 * ring.submitAndWait(1);
 * ring.forEachCompletion((c) => console.log(c.userData, c.res));
 */
export class IoUring extends RingRegistration implements Disposable {
  /** IORING_SETUP_* bits that the kernel accepted. */
  readonly setupFlags: number;
  /** IORING_FEAT_* bits of the kernel. */
  readonly features: number;
  readonly #core = coreOf(this);
  /** The core's, for those who cannot spare the time to ask it. */
  readonly #resources = this.#core.resources;
  readonly #sq = this.#core.sq;
  readonly #cq = this.#core.cq;
  readonly #pins = this.#core.pins;
  readonly #polled: boolean;
  /** Waits are cut into slices. */
  readonly #sliced: boolean;
  /** Waits are not as simple as one call: they are sliced, or places of the ring are not completions. */
  readonly #indirect: boolean;
  /** Completions are looked for on the device, and only by a call that waits for them. */
  readonly #ioPolled: boolean;
  readonly #cursor = new Completion();
  readonly #placement: Placement = { offset: 0, length: 0 };
  /** The last 16 bytes of a completion that has 32; none is to be had in a ring without such. */
  readonly #extra: Int32Array | undefined;
  /** Completions of this ring may have 32 bytes, or begin in the middle of a buffer: each wants a closer look. */
  #unusual = false;
  /** How the wait that is under way is limited, beside a length of time. */
  #deadline: bigint | undefined;
  #minWaitUs = 0;
  #waitFlags = 0;

  /**
   * Set up a ring with at least `entries` submission entries (the kernel rounds up to a power of two), with the
   * strongest flags that the kernel has and `options` allow.
   *
   * Kernel 5.6. Counterpart of io_uring_queue_init_params(3).
   * @param entries 1 … 32768
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @throws {Error} the kernel's refusal (`EPERM`, `ENOSYS`, `ENOMEM`, `EMFILE`, …) with its likely cause and the
   *   remedy in the message; `ERR_IOURING_UNSUPPORTED` where there is no io_uring to ask
   */
  constructor(entries: number, options?: IoUringOptions);
  /** @internal `native` is the kernel; unit tests hand in another. */
  constructor(entries: number, options?: IoUringOptions, native?: Native);
  constructor(entries: number, asked: IoUringOptions = NONE, native: Native = koffiNative()) {
    if (typeof asked !== 'object' || asked === null) throw wrongType('options', 'an object', asked);
    // Read once: a getter that answers differently the second time, or throws, must not catch a ring half made.
    const options: IoUringOptions = ownOptions({ ...asked });
    const setup = setUp(native, entries, options);
    const resources = new RingResources(native, setup);
    handOver(new RingCore(resources, new LentMemory(native)));
    super();
    this.setupFlags = setup.setupFlags;
    this.features = setup.features;
    this.#polled = (setup.setupFlags & IORING_SETUP_SQPOLL) !== 0;
    this.#ioPolled = (setup.setupFlags & IORING_SETUP_IOPOLL) !== 0;
    const big = IORING_SETUP_CQE32 | IORING_SETUP_CQE_MIXED;
    this.#extra = setup.setupFlags & big ? new Int32Array(4) : undefined;
    this.#unusual = this.#extra !== undefined;
    this.#sliced = !native.isMainThread;
    this.#indirect = this.#sliced || resources.cq.mixed;
    // An index in the thread's table keeps the ring open past the close that ends it with its thread.
    const wanted = native.isMainThread && options.registerRingFd !== false;
    const registered = wanted && resources.registerRingFd();
    if (options.registerRingFd && !registered) {
      resources.close();
      const reason = wanted ? 'needs Linux 5.18, and one of the 16 places of this thread' : 'only on the main thread';
      throw wrongState('ERR_IOURING_UNSUPPORTED', `Cannot register the ring descriptor: ${reason}`);
    }
    dropped.register(this, resources, resources);
    forbidCloning(this);
  }

  /** The ring's own descriptor; readable in poll(2) when completions wait. -1 once closed. */
  get fd(): number {
    return this.#resources.closed ? -1 : this.#resources.fd;
  }

  /** The index under which this thread enters the ring, or undefined where it is entered by descriptor. */
  get registeredFd(): number | undefined {
    return this.#resources.registeredIndex;
  }

  /** How many operations can be queued between two submits. */
  get sqEntries(): number {
    return this.#sq.entries;
  }

  /** How many completions fit before the kernel has to keep them aside. */
  get cqEntries(): number {
    return this.#cq.entries;
  }

  /** How many entries are queued and not taken by the kernel. Counterpart of io_uring_sq_ready(3). */
  get sqReady(): number {
    return this.#resources.closed ? 0 : this.#sq.refresh();
  }

  /** How many more entries can be queued. Counterpart of io_uring_sq_space_left(3). */
  get sqSpaceLeft(): number {
    return this.#resources.closed ? 0 : this.#sq.space;
  }

  /** How many completions wait to be reaped, without asking the kernel for more. Counterpart of io_uring_cq_ready(3). */
  get cqReady(): number {
    return this.#resources.closed ? 0 : this.#cq.ready;
  }

  /** Does the kernel keep completions aside because the queue is full? Counterpart of io_uring_cq_has_overflow(3). */
  get cqHasOverflow(): boolean {
    return !this.#resources.closed && (this.#sq.flags & IORING_SQ_CQ_OVERFLOW) !== 0;
  }

  /**
   * Has the kernel put work off until this thread enters it? With DEFER_TASKRUN or COOP_TASKRUN completions may come of
   * that, and of a call that waits for none. See IORING_SQ_TASKRUN. Kernel 5.19.
   */
  get hasDeferredWork(): boolean {
    return !this.#resources.closed && (this.#sq.flags & IORING_SQ_TASKRUN) !== 0;
  }

  /** Completions that were lost, for want of memory to keep them aside. 0 on a healthy machine. */
  get cqOverflow(): number {
    return this.#resources.closed ? 0 : this.#cq.overflow;
  }

  /** Is the ring closed? */
  get closed(): boolean {
    return this.#resources.closed;
  }

  /**
   * Hand all queued operations to the kernel; wait for nothing.
   *
   * When the kernel is short of memory, or has completions to deliver first, it may take fewer: what it did not
   * take stays queued and goes with the next submit. Reap before that.
   *
   * Counterpart of io_uring_submit(3).
   * @returns the entries consumed by the kernel (with SQPOLL: shown to it)
   * @throws {Error} `ERR_IOURING_CLOSED`, or the kernel's refusal
   */
  submit(): number {
    this.#core.checkOpen();
    if (this.#core.chained !== undefined) this.#core.endChain();
    if (this.#polled) return this.#submitPolled(0, Infinity);
    const toSubmit = this.#sq.publish();
    if (toSubmit === 0) return 0;
    const consumed = this.#resources.enter(toSubmit, 0, 0);
    if (consumed === toSubmit) {
      this.#sq.head = (this.#sq.head + consumed) | 0;
      if (this.#core.chained !== undefined) this.#core.chainsTaken(true);
      return consumed;
    }
    return this.#goOn(consumed, 0, Infinity);
  }

  /**
   * Hand all queued operations to the kernel and wait until `waitNr` completions are there to be reaped, those
   * that were there before included. 0 waits for nothing, but lets the kernel finish what it had deferred.
   * Interruptions by signals are waited through.
   *
   * Counterpart of io_uring_submit_and_wait(3) and io_uring_submit_and_wait_timeout(3).
   * @param waitNr 0 … 2^32-1; more than the completion queue holds counts as all of it
   * @returns the entries consumed by the kernel, also when the time is up: how many completions there are shows
   *   when they are reaped
   * @throws {Error} `ERR_IOURING_CLOSED`, `ERR_IOURING_UNSUPPORTED`, or the kernel's refusal; RangeError or TypeError
   */
  submitAndWait(waitNr: number, options?: WaitOptions): number {
    if (typeof waitNr !== 'number' || waitNr >>> 0 !== waitNr) this.#checkWaitNr(waitNr);
    // Read early: a getter could do anything, even close the ring.
    const timeoutMs = options ? this.#readWait(options) : undefined;
    const core = this.#core;
    const sq = this.#sq;
    const cq = this.#cq;
    core.checkOpen();
    if (core.chained !== undefined) core.endChain();
    const wanted = waitNr > cq.entries ? cq.entries : waitNr;
    if (timeoutMs !== undefined || this.#indirect) {
      return this.#submitFor(wanted, timeoutMs ?? Infinity);
    }
    // What was reaped inside a running forEachCompletion does not count any more.
    cq.publish();
    if (this.#polled) return this.#submitPolled(wanted, Infinity);
    const toSubmit = sq.publish();
    const consumed = this.#resources.enter(toSubmit, wanted, IORING_ENTER_GETEVENTS);
    if (consumed === toSubmit && cq.places >= wanted) {
      sq.head = (sq.head + consumed) | 0;
      if (core.chained !== undefined) core.chainsTaken(true);
      return consumed;
    }
    return this.#goOn(consumed, wanted, Infinity);
  }

  /**
   * {@link submitAndWait} that waits as registered wait `index` says: the kernel need not check its arguments anew.
   *
   * Kernel 6.13. Counterpart of io_uring_submit_and_wait_reg(3); see {@link registerWaitRegion} and {@link setWait}.
   * Main thread only: a wait in the kernel cannot be cut short when a worker is to end.
   * @throws {Error} `ERR_INVALID_STATE` no waits are registered; else as submitAndWait
   */
  submitAndWaitReg(waitNr: number, index: number): number {
    this.#core.checkOpen();
    checkInteger('waitNr', waitNr, 0, 2 ** 32 - 1);
    const { count } = registeredWaits(this.#core);
    checkInteger('index', index, 0, count - 1);
    if (this.#sliced || this.#polled) {
      throw wrongState('ERR_IOURING_UNSUPPORTED', 'Cannot use registered waits: not in a worker, and not with sqPoll');
    }
    if (this.#core.chained !== undefined) this.#core.endChain();
    const { cq, sq, resources } = this.#core;
    cq.publish();
    const wanted = Math.min(waitNr, cq.entries);
    const { timeoutMs, enough } = registeredWait(this.#core, index, wanted);
    const start = monotonicNow();
    for (let consumed = 0; ; ) {
      const toSubmit = sq.publish();
      const offset = index * IO_URING_REG_WAIT_SIZE;
      const result = resources.enterRegistered(toSubmit, wanted, IORING_ENTER_GETEVENTS, offset);
      const left = sq.refresh();
      if (this.#core.chained !== undefined) this.#core.chainsTaken(left === 0);
      if (result > 0) consumed += result;
      else if (result === -ETIME || result === -EAGAIN || result === -EBUSY) return consumed;
      else if (result < 0 && result !== -EINTR) throw this.#refusal(-result);
      // A signal ends a wait too, and is not told of when something was submitted.
      if (cq.ready >= enough || monotonicNow() - start >= timeoutMs) return consumed;
    }
  }

  /**
   * Reap every completion that is available, in the kernel's order, and call `callback` for each. Enters the
   * kernel only when it keeps completions back: on overflow, and for deferred work when nothing else is there.
   *
   * The object handed to `callback` is the same every time: copy what you keep. The callback may queue and submit
   * operations, recycle buffers, and close the ring. If it throws, the completions seen so far, that one included,
   * stay reaped, and the rest stays available.
   *
   * Counterpart of io_uring_for_each_cqe(3) with io_uring_cq_advance(3).
   * @param max reap so many at most: 1 … 2^30-1; default all that are available
   * @returns how many were reaped
   * @throws {Error} `ERR_IOURING_CLOSED`; `ERR_IOURING_REENTRANT` when called from inside its own callback;
   *   what `callback` throws; TypeError, RangeError
   */
  forEachCompletion(callback: (c: Completion) => void, max = ALL): number {
    this.#core.checkOpen();
    if (typeof callback !== 'function') throw wrongType('callback', 'of type function', callback);
    if (max !== ALL) checkInteger('max', max, 1, ALL);
    return this.#reapAll(callback, max);
  }

  /**
   * What a call of {@link forEachCompletion} would be given first, without reaping it; undefined if nothing is there.
   * Never enters the kernel. Where the data begins in an incremental buffer is known only when it is reaped.
   *
   * Counterpart of io_uring_peek_cqe(3).
   * @throws {Error} `ERR_IOURING_CLOSED`
   */
  peek(): Completion | undefined {
    this.#core.checkOpen();
    const cq = this.#cq;
    const pins = this.#pins;
    const { words, first, mask, shift, end } = cq;
    const seen = new Map<Lease, number[]>();
    for (let { head } = cq; head !== end; head = (head + 1) | 0) {
      const word = first + ((head & mask) << shift);
      const flags = words[word + 3];
      if (this.#extra !== undefined && flags & IORING_CQE_F_SKIP) continue;
      const [low, high] = [words[word], words[word + 1]];
      const slot = high === 0 ? -1 : pins.slotOf(low, high);
      const lease = slot < 0 ? undefined : pins.lent(slot);
      let res = words[word + 2];
      if (lease instanceof Lease) {
        const results = [...(seen.get(lease) ?? []), res];
        seen.set(lease, results);
        const shown = lease.shows(results);
        if (shown === undefined) continue;
        res = shown;
      }
      const found = new Completion();
      Completion.set(found, slot < 0 ? low : pins.userLow(slot), slot < 0 ? high : pins.userHigh(slot), res, flags);
      const big = shift === 3 || (cq.mixed && (flags & IORING_CQE_F_32) !== 0);
      if (big) Completion.setExtra(found, words.slice(word + 4, word + 8));
      return found;
    }
    return undefined;
  }

  /**
   * The available completions one by one, each reaped when it is its turn: `for (const c of ring.completions())`. `c`
   * is the same object every time. A loop that is left early leaves the rest available.
   *
   * Counterpart of io_uring_for_each_cqe(3) with io_uring_cqe_seen(3).
   * @throws {Error} `ERR_IOURING_CLOSED`
   */
  *completions(): Generator<Completion, void, undefined> {
    this.#core.checkOpen();
    const cursor = this.#cursor;
    while (!this.#resources.closed && this.#reapAll(NOTHING_MORE, 1) > 0) yield cursor;
  }

  /**
   * Reap up to `max` completions, as copies to keep. Enters the kernel as {@link forEachCompletion} does.
   *
   * Counterpart of io_uring_peek_batch_cqe(3) with io_uring_cq_advance(3).
   * @param max 1 … 2^30-1; default: all that are available
   * @throws {Error} `ERR_IOURING_CLOSED`, `ERR_IOURING_REENTRANT`; RangeError, TypeError
   */
  copyCompletions(max = ALL): Completion[] {
    checkInteger('max', max, 1, ALL);
    this.#core.checkOpen();
    const copies: Completion[] = [];
    this.#reapAll((c) => void copies.push(c.copy()), max);
    return copies;
  }

  #reapAll(callback: (c: Completion) => void, max: number): number {
    if (this.#core.reaping) {
      const message = 'Cannot reap inside the callback of forEachCompletion: return from it first';
      throw wrongState('ERR_IOURING_REENTRANT', message);
    }
    this.#core.reaping = true;
    let reaped = 0;
    try {
      reaped = this.#reap(callback, max);
      while (reaped < max && !this.#resources.closed && this.#isMore(reaped, max)) {
        const { head } = this.#cq;
        reaped += this.#reap(callback, max - reaped);
        // Not even places that the caller gets nothing of.
        if (this.#cq.head === head) break;
      }
    } finally {
      this.#core.reaping = false;
      this.#cq.publish();
      if (this.#resources.lingering) this.#resources.forgetGroups();
    }
    return reaped;
  }

  /** Is there more to reap: left because of what was hidden, or kept back by the kernel so far? */
  #isMore(reaped: number, max: number): boolean {
    return (max !== ALL && this.#cq.places > 0) || this.#flush(reaped);
  }

  /** Up to `max` of the completions in the queue. How many the callback was given. */
  #reap(callback: (c: Completion) => void, max: number): number {
    const cq = this.#cq;
    const pins = this.#pins;
    const resources = this.#resources;
    const { words, first, mask, shift } = cq;
    const cursor = this.#cursor;
    const start = cq.head;
    let head = start;
    let { end } = cq;
    if (((end - start) | 0) > max) end = (start + max) | 0;
    // Places that the callback is given nothing for.
    let hidden = 0;
    while (head !== end) {
      const word = first + ((head & mask) << shift);
      let low = words[word];
      let high = words[word + 1];
      let res = words[word + 2];
      const flags = words[word + 3];
      head = (head + 1) | 0;
      // Reaped from here on, whatever the callback does.
      cq.head = head;
      if (this.#unusual) {
        const places = this.#inspect(word, flags);
        if (places !== 1) hidden++;
        if (places === 0) continue;
        if (places === 2) cq.head = head = (head + 1) | 0;
        if (((end - head) | 0) < 0) end = head;
      }
      const slot = high === 0 ? -1 : pins.slotOf(low, high);
      if (slot >= 0) {
        low = pins.userLow(slot);
        high = pins.userHigh(slot);
        if (flags & IORING_CQE_F_BUFFER) this.#take(slot, res, flags);
        if (pins.leased) {
          const lent = pins.lent(slot);
          const shown = lent instanceof Lease ? lent.complete(res, flags) : res;
          if (shown === undefined) {
            hidden++;
            continue;
          }
          res = shown;
        }
        if ((flags & IORING_CQE_F_MORE) === 0) pins.release(slot);
      }
      Completion.set(cursor, low, high, res, flags);
      callback(cursor);
      // `words` are unmapped then.
      if (resources.closed) break;
    }
    return ((head - start) | 0) - hidden;
  }

  /** A provided buffer, or several, are the caller's now. */
  #take(slot: number, res: number, flags: number): void {
    const data = this.#placement;
    data.offset = 0;
    data.length = res;
    (this.#pins.lent(slot) as BufferSource).take(flags >>> IORING_CQE_BUFFER_SHIFT, res, flags, data);
    if (data.offset === 0 && data.length === res) return;
    Completion.setPlacement(this.#cursor, data.offset, data.length);
    this.#unusual = true;
  }

  /**
   * Have the cursor show of the completion at `word` what not every one has. How many places it takes: 0 is a filler, and
   * no completion.
   */
  #inspect(word: number, flags: number): number {
    const extra = this.#extra;
    Completion.setPlacement(this.#cursor, 0, -1);
    if (extra === undefined) return 1;
    if (flags & IORING_CQE_F_SKIP) return 0;
    const { shift, words } = this.#cq;
    const big = shift === 3 || (this.#cq.mixed && (flags & IORING_CQE_F_32) !== 0);
    if (big) for (let i = 0; i < 4; i++) extra[i] = words[word + 4 + i];
    Completion.setExtra(this.#cursor, big ? extra : undefined);
    return big && shift === 2 ? 2 : 1;
  }

  /** Does the kernel keep completions back, and did it hand some over now? */
  #flush(reaped: number): boolean {
    const { sq } = this.#core;
    const held =
      reaped === 0
        ? sq.flags & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)
        : sq.recentFlags & IORING_SQ_CQ_OVERFLOW;
    if (held === 0 && (reaped > 0 || !this.#ioPolled)) return false;
    this.#cq.publish();
    const result = this.#resources.enter(0, 0, IORING_ENTER_GETEVENTS);
    if (result < 0 && result !== -EINTR && result !== -EBUSY && result !== -EAGAIN) {
      throw this.#refusal(-result);
    }
    return this.#cq.places > 0;
  }

  /**
   * Close the ring. Operations that were queued and not submitted are dropped. Operations in flight are cancelled;
   * the call returns when the kernel has let go of all lent memory. Completions not reaped are lost: reap first what
   * you care about. Harmless when repeated.
   *
   * Counterpart of io_uring_queue_exit(3).
   */
  close(): void {
    if (this.#resources.closed) return;
    dropped.unregister(this.#resources);
    this.#resources.close();
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** What JSON.stringify and loggers see. */
  toJSON(): { fd: number; sqEntries: number; cqEntries: number; setupFlags: number; features: number } {
    const { fd, sqEntries, cqEntries, setupFlags, features } = this;
    return { fd, sqEntries, cqEntries, setupFlags, features };
  }

  /** What a wait is asked to do. The length of time it may take; undefined where that is all, and none is given. */
  #readWait(options: WaitOptions): number | undefined {
    const { timeoutMs, deadline, minWaitMs, noIowait } = options;
    if (timeoutMs !== undefined && timeoutMs !== Infinity) checkMilliseconds('options.timeoutMs', timeoutMs);
    if (deadline === undefined && minWaitMs === undefined && !noIowait) return timeoutMs;
    if (deadline !== undefined) {
      if (typeof deadline !== 'bigint') throw wrongType('options.deadline', 'of type bigint', deadline);
      checkDuration('options.deadline', deadline);
      if (timeoutMs !== undefined) throw wrongValue('options.deadline', 'timeoutMs limits the wait already: choose one');
      if ((this.features & IORING_FEAT_MIN_TIMEOUT) === 0) throw tooOld('until a deadline', '6.12');
    }
    if (minWaitMs !== undefined) {
      checkMilliseconds('options.minWaitMs', minWaitMs);
      if ((this.features & IORING_FEAT_MIN_TIMEOUT) === 0) throw tooOld('with minWaitMs', '6.12');
      checkUint32('options.minWaitMs in microseconds', Math.ceil(minWaitMs * 1000));
    }
    if (noIowait && (this.features & IORING_FEAT_NO_IOWAIT) === 0) throw tooOld('with noIowait', '6.15');
    // All is well: only now, so that nothing of a wait that is not to be stays for the next.
    this.#minWaitUs = Math.ceil((minWaitMs ?? 0) * 1000);
    this.#waitFlags = noIowait ? IORING_ENTER_NO_IOWAIT : 0;
    this.#deadline = deadline;
    return timeoutMs ?? Infinity;
  }

  #checkWaitNr(waitNr: number): void {
    this.#core.checkOpen();
    checkInteger('waitNr', waitNr, 0, 2 ** 32 - 1);
  }

  #submitFor(waitNr: number, timeoutMs: number): number {
    this.#cq.publish();
    const deadline = monotonicNow() + (this.#deadline === undefined ? timeoutMs : this.#until(this.#deadline));
    try {
      if (this.#polled) return this.#submitPolled(waitNr, deadline);
      const toSubmit = this.#sq.publish();
      return this.#goOn(this.#enterUntil(toSubmit, waitNr, deadline), waitNr, deadline);
    } finally {
      this.#deadline = undefined;
      this.#minWaitUs = 0;
      this.#waitFlags = 0;
    }
  }

  /** Milliseconds from now to a point of time on the ring's clock. */
  #until(deadline: bigint): number {
    const boot = this.#resources.clock === CLOCK_BOOTTIME;
    const now = boot ? BigInt(Math.round(uptime() * 1e9)) : process.hrtime.bigint();
    return deadline > now ? Number(deadline - now) / 1e6 : 0;
  }

  /** io_uring_enter(2) that waits until `deadline` at most; in a worker, a slice of that at most. */
  #enterUntil(toSubmit: number, waitNr: number, deadline: number): number {
    const { resources } = this.#core;
    const flags = IORING_ENTER_GETEVENTS | this.#waitFlags;
    const slots = this.#cq.slotsFor(waitNr);
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
    const { sq, cq, resources } = this.#core;
    let consumed = 0;
    let before = -1;
    for (let stalls = 0; ; ) {
      if (result > 0) consumed += result;
      const toSubmit = sq.refresh();
      // Consumed, it says, and nothing went.
      if (result > 0 && toSubmit > 0 && toSubmit === before && ++stalls > STALLS_MAX) return consumed;
      before = toSubmit;
      if (this.#core.chained !== undefined) this.#core.chainsTaken(toSubmit === 0);
      if (result < 0) {
        const errno = -result;
        if (errno === ETIME) {
          // The end of a slice is not the end of the time.
          if (!this.#sliced || monotonicNow() >= deadline) return consumed;
          if (this.#minWaitUs !== 0 && cq.ready > 0) return consumed;
        } else if (errno === EAGAIN || errno === EBUSY) {
          // Reap first. What was not consumed is still queued.
          if (cq.ready > 0) return consumed;
          if (++stalls > STALLS_MAX) throw this.#refusal(errno);
        } else if (errno !== EINTR) {
          throw this.#refusal(errno);
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
      result =
        waitNr === 0 && stalls === 0 && deadline === Infinity
          ? resources.enter(toSubmit, 0, 0)
          : this.#enterUntil(toSubmit, waitNr, deadline);
    }
  }

  /** Does the kernel have no place for another completion? */
  #isCrammed(): boolean {
    const { sq, cq } = this.#core;
    return cq.places >= cq.entries || (cq.places > 0 && (sq.flags & IORING_SQ_CQ_OVERFLOW) !== 0);
  }

  /** Where a kernel thread submits: wake it if it sleeps, and wait for completions if asked to. */
  #submitPolled(waitNr: number, deadline: number): number {
    const { sq, cq, resources } = this.#core;
    const shown = sq.show();
    for (let stalls = 0; ; ) {
      let flags = waitNr > 0 ? IORING_ENTER_GETEVENTS | this.#waitFlags : 0;
      if (sq.flags & IORING_SQ_NEED_WAKEUP) flags |= IORING_ENTER_SQ_WAKEUP;
      // No room: wait until the thread has consumed something, or the next entry would find the queue full.
      if (sq.refresh() >= sq.entries) flags |= IORING_ENTER_SQ_WAIT;
      if (flags === 0) return shown;
      const left = deadline === Infinity ? Infinity : Math.max(0, deadline - monotonicNow());
      const result =
        left === Infinity && this.#minWaitUs === 0
          ? resources.enter(shown, cq.slotsFor(waitNr), flags)
          : resources.enterFor(shown, cq.slotsFor(waitNr), flags, left, this.#minWaitUs);
      const errno = result < 0 ? -result : 0;
      if (errno === ETIME) return shown;
      if (errno !== 0 && errno !== EINTR && errno !== EAGAIN && errno !== EBUSY) throw this.#refusal(errno);
      // Interrupted before there was room: look again.
      if (left > 0 && sq.refresh() >= sq.entries && ++stalls <= STALLS_MAX) continue;
      if (cq.mixed && this.#isCrammed()) return shown;
      if (cq.ready >= waitNr || left === 0 || (this.#minWaitUs !== 0 && cq.ready > 0)) return shown;
      if ((errno === EAGAIN || errno === EBUSY) && ++stalls > STALLS_MAX) throw this.#refusal(errno);
    }
  }

  /** What io_uring_enter(2) would not do, in words. */
  #refusal(errno: number): Error {
    return kernelError(errno, 'io_uring_enter', ENTER_HINTS[errno]);
  }

  static {
    seeWaiting = (ring, see) => {
      const cq = ring.#cq;
      const pins = ring.#pins;
      const { words, first, mask, shift, end } = cq;
      for (let { head } = cq; head !== end; head = (head + 1) | 0) {
        const word = first + ((head & mask) << shift);
        const [low, high] = [words[word], words[word + 1]];
        const slot = high === 0 ? -1 : pins.slotOf(low, high);
        const [userLow, userHigh] = slot < 0 ? [low, high] : [pins.userLow(slot), pins.userHigh(slot)];
        see((userHigh >>> 0) * 2 ** 32 + (userLow >>> 0), words[word + 2], words[word + 3]);
      }
    };
  }
}

const tooOld = (what: string, since: string): Error =>
  wrongState('ERR_IOURING_UNSUPPORTED', `Cannot wait ${what}: needs Linux ${since}`);

const NOTHING_MORE = (): void => {};

const ENTER_HINTS: Record<number, string> = ownOptions({
  [EEXIST]: 'the ring belongs to another thread: give each thread a ring of its own',
  [EBADR]: 'the kernel had no memory left to keep completions aside and lost some: close the ring',
  [EAGAIN]: 'the kernel is short of memory; the entries stay queued: try again later',
  [EBUSY]: 'the kernel keeps completions aside: reap them, then submit again',
});

/** A ring sent to another thread would arrive as an empty object: say so where it is sent. */
function forbidCloning(ring: IoUring): void {
  const get = (): never => {
    const message = 'Cannot send a ring to another thread: give each thread a ring of its own';
    throw Object.assign(new TypeError(message), { code: 'ERR_IOURING_THREAD' });
  };
  Object.defineProperty(ring, 'thread', ownOptions({ enumerable: true, get }));
}
