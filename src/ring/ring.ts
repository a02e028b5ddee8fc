/// <reference lib="esnext.disposable" preserve="true" />
import { EAGAIN, EBADR, EBUSY, EEXIST, EINTR, EINVAL, ETIME } from '../abi/errno.ts';
import {
  IORING_CQE_BUFFER_SHIFT,
  IORING_CQE_F_BUFFER,
  IORING_CQE_F_MORE,
  IORING_ENTER_GETEVENTS,
  IORING_ENTER_SQ_WAIT,
  IORING_ENTER_SQ_WAKEUP,
  IORING_FEAT_EXT_ARG,
  IORING_SETUP_SQPOLL,
  IORING_SQ_CQ_OVERFLOW,
  IORING_SQ_NEED_WAKEUP,
  IORING_SQ_TASKRUN,
} from '../abi/flags.ts';
import { IORING_REGISTER_PBUF_RING } from '../abi/registrations.ts';
import { koffiNative } from '../native/koffi.ts';
import type { Native } from '../native/native.ts';
import { BufferGroup, ProvidedBufRing } from './buffer-ring.ts';
import { Completion } from './completion.ts';
import { Holdings } from './holdings.ts';
import { kernelError } from './kernel-error.ts';
import { LentMemory } from './lent-memory.ts';
import { checkInteger, wrongState, wrongType } from './misuse.ts';
import { KEY_MASK } from './pins.ts';
import { NetPreparation } from './prepare-net.ts';
import { probe, type OperationSupport } from './probe.ts';
import { setUp, type IoUringOptions } from './setup.ts';
import { checkMilliseconds } from './timespec.ts';

/** Gives back what a ring held that was collected without having been closed. */
const dropped = new FinalizationRegistry<Holdings>((holdings) => holdings.close());

/**
 * How long a worker waits in the kernel at a stretch. Ending a worker stops its JavaScript, not its system calls: one
 * that waited without a limit could not be ended, and neither could the process.
 */
const SLICE_MS = 100;

/** How often a kernel that is short of memory is asked again, with nothing to reap in between. */
const STALLS_MAX = 64;

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
export class IoUring extends NetPreparation implements Disposable {
  /** IORING_SETUP_* bits that the kernel accepted. */
  readonly setupFlags: number;
  /** IORING_FEAT_* bits of the kernel. */
  readonly features: number;
  readonly #polled: boolean;
  /** Waits are cut into slices. */
  readonly #sliced: boolean;
  readonly #cursor = new Completion();
  #reaping = false;

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
  constructor(entries: number, asked: IoUringOptions = {}, native: Native = koffiNative()) {
    if (typeof asked !== 'object' || asked === null) throw wrongType('options', 'an object', asked);
    // Read once: a getter that answers differently the second time, or throws, must not catch a ring half made.
    const options = { ...asked };
    const setup = setUp(native, entries, options);
    const holdings = new Holdings(native, setup);
    super(holdings, new LentMemory(native));
    this.setupFlags = setup.setupFlags;
    this.features = setup.features;
    this.#polled = (setup.setupFlags & IORING_SETUP_SQPOLL) !== 0;
    this.#sliced = !native.endsWithProcess && (setup.features & IORING_FEAT_EXT_ARG) !== 0;
    // An index in the thread's table keeps the ring open past the close that ends it with its thread.
    const wanted = native.endsWithProcess && options.registerRingFd !== false;
    const registered = wanted && holdings.registerRingFd();
    if (options.registerRingFd && !registered) {
      holdings.close();
      const reason = wanted ? 'needs Linux 5.18, and one of the 16 places of this thread' : 'only on the main thread';
      throw wrongState('ERR_IOURING_UNSUPPORTED', `Cannot register the ring descriptor: ${reason}`);
    }
    dropped.register(this, holdings, holdings);
    forbidCloning(this);
  }

  /** The ring's own descriptor; readable in poll(2) when completions wait. -1 once closed. */
  get fd(): number {
    return this.holdings.closed ? -1 : this.holdings.fd;
  }

  /** The index under which this thread enters the ring, or undefined where it is entered by descriptor. */
  get registeredFd(): number | undefined {
    return this.holdings.registeredIndex;
  }

  /** How many operations can be queued between two submits. */
  get sqEntries(): number {
    return this.sq.entries;
  }

  /** How many completions fit before the kernel has to keep them aside. */
  get cqEntries(): number {
    return this.cq.entries;
  }

  /** Is the ring closed? */
  get closed(): boolean {
    return this.holdings.closed;
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
    this.checkOpen();
    if (this.#polled) return this.#submitPolled(0, Infinity);
    const toSubmit = this.sq.publish();
    if (toSubmit === 0) return 0;
    const consumed = this.holdings.enter(toSubmit, 0, 0);
    if (consumed === toSubmit) {
      this.sq.head = (this.sq.head + consumed) | 0;
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
   * @param options.timeoutMs wait no longer than that; 0 … 2^53-1, or Infinity. Kernel 5.11
   * @returns the entries consumed by the kernel, also when the time is up: how many completions there are shows
   *   when they are reaped
   * @throws {Error} `ERR_IOURING_CLOSED`, or the kernel's refusal; RangeError or TypeError
   */
  submitAndWait(waitNr: number, options?: { timeoutMs?: number }): number {
    // Read first: a getter could do anything, even close the ring.
    const timeoutMs = options?.timeoutMs;
    this.checkOpen();
    if (typeof waitNr !== 'number' || waitNr >>> 0 !== waitNr) checkInteger('waitNr', waitNr, 0, 2 ** 32 - 1);
    const wanted = waitNr > this.cq.entries ? this.cq.entries : waitNr;
    if (timeoutMs !== undefined || this.#sliced) return this.#submitFor(wanted, timeoutMs ?? Infinity);
    // What was reaped inside a running forEachCompletion does not count any more.
    this.cq.publish();
    if (this.#polled) return this.#submitPolled(wanted, Infinity);
    const toSubmit = this.sq.publish();
    const consumed = this.holdings.enter(toSubmit, wanted, IORING_ENTER_GETEVENTS);
    if (consumed === toSubmit && this.cq.ready >= wanted) {
      this.sq.head = (this.sq.head + consumed) | 0;
      return consumed;
    }
    return this.#goOn(consumed, wanted, Infinity);
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
   * @returns how many were reaped
   * @throws {Error} `ERR_IOURING_CLOSED`; `ERR_IOURING_REENTRANT` when called from inside its own callback;
   *   what `callback` throws
   */
  forEachCompletion(callback: (c: Completion) => void): number {
    this.checkOpen();
    if (typeof callback !== 'function') throw wrongType('callback', 'of type function', callback);
    if (this.#reaping) {
      const message = 'Cannot reap inside the callback of forEachCompletion: return from it first';
      throw wrongState('ERR_IOURING_REENTRANT', message);
    }
    this.#reaping = true;
    let reaped = 0;
    try {
      reaped = this.#reap(callback);
      while (!this.holdings.closed && this.#flush(reaped)) {
        const found = this.#reap(callback);
        if (found === 0) break;
        reaped += found;
      }
    } finally {
      this.#reaping = false;
      this.cq.publish();
      if (this.holdings.lingering) this.holdings.forgetGroups();
    }
    return reaped;
  }

  #reap(callback: (c: Completion) => void): number {
    const { cq, pins, holdings } = this;
    const { words, first, mask, tail } = cq;
    const { tag } = pins;
    const cursor = this.#cursor;
    const start = cq.head;
    let head = start;
    while (head !== tail) {
      const word = first + (head & mask) * 4;
      let low = words[word];
      let high = words[word + 1];
      const res = words[word + 2];
      const flags = words[word + 3];
      head = (head + 1) | 0;
      // Reaped from here on, whatever the callback does.
      cq.head = head;
      if ((high & KEY_MASK) === tag && pins.has(low, high)) {
        const slot = low;
        low = pins.userLow(slot);
        high = pins.userHigh(slot);
        if (flags & IORING_CQE_F_BUFFER) {
          (pins.lent(slot) as BufferGroup).take(flags >>> IORING_CQE_BUFFER_SHIFT);
        }
        if ((flags & IORING_CQE_F_MORE) === 0) pins.release(slot);
      }
      Completion.set(cursor, low, high, res, flags);
      callback(cursor);
      // `words` are unmapped then.
      if (holdings.closed) break;
    }
    return (head - start) | 0;
  }

  /** Does the kernel keep completions back, and did it hand some over now? */
  #flush(reaped: number): boolean {
    const { sq } = this;
    const held =
      reaped === 0
        ? sq.flags & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)
        : sq.recentFlags & IORING_SQ_CQ_OVERFLOW;
    if (held === 0) return false;
    this.cq.publish();
    const result = this.holdings.enter(0, 0, IORING_ENTER_GETEVENTS);
    if (result < 0 && result !== -EINTR && result !== -EBUSY && result !== -EAGAIN) {
      throw this.#refusal(-result);
    }
    return this.cq.ready > 0;
  }

  /**
   * Give the kernel a group of `entries` buffers of `bufSize` bytes each, for operations that pick their buffer
   * when data arrives. The memory is the ring's; {@link ProvidedBufRing.bytes} shows it.
   *
   * Kernel 5.19. Counterpart of io_uring_setup_buf_ring(3).
   * @param entries a power of two, 1 … 32768
   * @param bufSize bytes, 1 … 2^31-1
   * @param bgid the group's id, 0 … 65535, of your choice
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} `EEXIST` the group exists, or the kernel's refusal; `ERR_IOURING_CLOSED`
   */
  registerBufRing(entries: number, bufSize: number, bgid: number): ProvidedBufRing {
    this.checkOpen();
    const { holdings } = this;
    const { native, groups, registerArgument } = holdings;
    const inUse = (hint: string): Error =>
      kernelError(EEXIST, 'io_uring_register', `group ${bgid} ${hint}, or choose another bgid`);
    const former = groups.get(bgid);
    if (former && former.ended === undefined) throw inUse('has a buffer ring: dispose of it');
    // The kernel would hand the new buffers to a receive that is armed on the group since then.
    if (former && this.pins.holdsFor(former)) {
      throw inUse('still has receives in flight from the buffer ring before: cancel them and reap');
    }
    const group = new BufferGroup(native, bgid, entries, bufSize);
    group.describe(registerArgument.view);
    const result = native.register(
      holdings.fd,
      IORING_REGISTER_PBUF_RING,
      registerArgument.address,
      1,
    );
    if (result === -EEXIST) throw inUse('is taken');
    if (result < 0) {
      const hint = result === -EINVAL ? 'provided buffer rings need Linux 5.19' : undefined;
      throw kernelError(-result, 'io_uring_register', hint);
    }
    groups.set(bgid, group);
    // The closure holds the ring: a ProvidedBufRing in use keeps its ring from being collected.
    return new ProvidedBufRing(group, () => void (this.closed || holdings.unregisterGroup(group)));
  }

  /**
   * Which operations the kernel has, by opcode.
   *
   * Kernel 5.6. Counterpart of io_uring_get_probe_ring(3).
   * @throws {Error} `ERR_IOURING_CLOSED`, or the kernel's refusal
   */
  probe(): OperationSupport[] {
    this.checkOpen();
    return probe(this.holdings.native, this.holdings.fd);
  }

  /**
   * Close the ring. Operations that were queued and not submitted are dropped. Operations in flight are cancelled;
   * the call returns when the kernel has let go of all lent memory. Completions not reaped are lost: reap first what
   * you care about. Harmless when repeated.
   *
   * Counterpart of io_uring_queue_exit(3).
   */
  close(): void {
    if (this.holdings.closed) return;
    dropped.unregister(this.holdings);
    this.holdings.close();
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

  #submitFor(waitNr: number, timeoutMs: number): number {
    if (timeoutMs !== Infinity) checkMilliseconds('options.timeoutMs', timeoutMs);
    if (timeoutMs !== Infinity && (this.features & IORING_FEAT_EXT_ARG) === 0) {
      throw wrongState('ERR_IOURING_UNSUPPORTED', 'Cannot wait with a timeout: needs Linux 5.11');
    }
    this.cq.publish();
    const deadline = performance.now() + timeoutMs;
    if (this.#polled) return this.#submitPolled(waitNr, deadline);
    const toSubmit = this.sq.publish();
    return this.#goOn(this.#enterUntil(toSubmit, waitNr, deadline), waitNr, deadline);
  }

  /** io_uring_enter(2) that waits until `deadline` at most; in a worker, a slice of that at most. */
  #enterUntil(toSubmit: number, waitNr: number, deadline: number): number {
    let left = deadline === Infinity ? Infinity : Math.max(0, deadline - performance.now());
    if (this.#sliced && left > SLICE_MS) left = SLICE_MS;
    return left === Infinity
      ? this.holdings.enter(toSubmit, waitNr, IORING_ENTER_GETEVENTS)
      : this.holdings.enterFor(toSubmit, waitNr, IORING_ENTER_GETEVENTS, left);
  }

  /**
   * A call that came back early: with fewer entries consumed than queued, before enough completions were there, or
   * with an error. Take stock and go on until all is done or cannot be.
   */
  #goOn(result: number, waitNr: number, deadline: number): number {
    const { sq, cq, holdings } = this;
    let consumed = 0;
    for (let stalls = 0; ; ) {
      if (result > 0) consumed += result;
      const toSubmit = sq.refresh();
      if (result < 0) {
        const errno = -result;
        if (errno === ETIME) {
          // The end of a slice is not the end of the time.
          if (!this.#sliced || performance.now() >= deadline) return consumed;
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
      if (toSubmit === 0 && performance.now() >= deadline) return consumed;
      // Without anything to wait for, or to be let through, the kernel need not look for completions.
      result =
        waitNr === 0 && stalls === 0 && deadline === Infinity
          ? holdings.enter(toSubmit, 0, 0)
          : this.#enterUntil(toSubmit, waitNr, deadline);
    }
  }

  /** Where a kernel thread submits: wake it if it sleeps, and wait for completions if asked to. */
  #submitPolled(waitNr: number, deadline: number): number {
    const { sq, cq, holdings } = this;
    const shown = sq.show();
    for (let stalls = 0; ; ) {
      let flags = waitNr > 0 ? IORING_ENTER_GETEVENTS : 0;
      if (sq.flags & IORING_SQ_NEED_WAKEUP) flags |= IORING_ENTER_SQ_WAKEUP;
      // No room: wait until the thread has consumed something, or the next entry would find the queue full.
      if (sq.refresh() >= sq.entries) flags |= IORING_ENTER_SQ_WAIT;
      if (flags === 0) return shown;
      const left = deadline === Infinity ? Infinity : Math.max(0, deadline - performance.now());
      const result =
        left === Infinity ? holdings.enter(shown, waitNr, flags) : holdings.enterFor(shown, waitNr, flags, left);
      const errno = result < 0 ? -result : 0;
      if (errno === ETIME) return shown;
      if (errno !== 0 && errno !== EINTR && errno !== EAGAIN && errno !== EBUSY) throw this.#refusal(errno);
      if (cq.ready >= waitNr || left === 0) return shown;
      if ((errno === EAGAIN || errno === EBUSY) && ++stalls > STALLS_MAX) throw this.#refusal(errno);
    }
  }

  /** What io_uring_enter(2) would not do, in words. */
  #refusal(errno: number): Error {
    return kernelError(errno, 'io_uring_enter', ENTER_HINTS[errno]);
  }
}

const ENTER_HINTS: Record<number, string> = {
  [EEXIST]: 'the ring belongs to another thread: give each thread a ring of its own',
  [EBADR]: 'the kernel had no memory left to keep completions aside and lost some: close the ring',
  [EAGAIN]: 'the kernel is short of memory; the entries stay queued: try again later',
  [EBUSY]: 'the kernel keeps completions aside: reap them, then submit again',
};

/** A ring sent to another thread would arrive as an empty object: say so where it is sent. */
function forbidCloning(ring: IoUring): void {
  Object.defineProperty(ring, 'thread', {
    enumerable: true,
    get() {
      const message = 'Cannot send a ring to another thread: give each thread a ring of its own';
      throw Object.assign(new TypeError(message), { code: 'ERR_IOURING_THREAD' });
    },
  });
}
