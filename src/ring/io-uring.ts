/// <reference lib="esnext.disposable" preserve="true" />
import { inspect, type InspectOptions } from 'node:util';
import { FEATURES, flagNames, IORING_SQ_CQ_OVERFLOW, IORING_SQ_TASKRUN, SETUP_FLAGS } from '../abi/flags.ts';
import { koffiNative } from '../native/koffi.ts';
import type { Native } from '../native/native.ts';
import { checkObject, wrongState } from './arguments/argument-errors.ts';
import { ownOptions, NONE } from './arguments/own-options.ts';
import type { Completion } from './completion.ts';
import { needs } from './kernel/proven-kernel.ts';
import { LentMemory } from './memory/lent-memory.ts';
import { commandOperations, type CommandOperations } from './prepare/commands.ts';
import { controlOperations, type ControlOperations } from './prepare/control.ts';
import { modifiers, type EntryModifiers } from './prepare/entry.ts';
import { fileOperations, type FileOperations } from './prepare/files.ts';
import { futexAndProcessOperations, type FutexAndProcessOperations } from './prepare/futex-and-process.ts';
import { networkOperations, type NetworkOperations } from './prepare/network.ts';
import { pathOperations, type PathOperations } from './prepare/paths.ts';
import { readWriteOperations, type ReadWriteOperations } from './prepare/read-write.ts';
import { ALL, Reaper } from './queues/reaper.ts';
import { Submitter, type WaitOptions } from './queues/submitter.ts';
import { bufferRegistrations, type BufferRegistrations } from './register/buffers.ts';
import { controlRegistrations, type ControlRegistrations } from './register/control.ts';
import { fileRegistrations, type FileRegistrations } from './register/files.ts';
import { ringRegistrations, type RingRegistrations } from './register/ring.ts';
import { zcrxRegistrations, type ZcrxRegistrations } from './register/zcrx.ts';
import { coreOf, handOver, Ring, RingCore } from './ring-core.ts';
import { RingResources } from './ring-resources.ts';
import { setUp, type IoUringOptions } from './setup.ts';
import { shown } from './shown.ts';

/** Gives back what a ring held that was collected without having been closed. */
const dropped = new FinalizationRegistry<RingResources>((resources) => resources.close());

/** The methods of a ring by theme; they become its own below. */
const THEMES = [
  readWriteOperations,
  fileOperations,
  pathOperations,
  networkOperations,
  futexAndProcessOperations,
  controlOperations,
  commandOperations,
  modifiers,
  bufferRegistrations,
  fileRegistrations,
  ringRegistrations,
  controlRegistrations,
  zcrxRegistrations,
];

// The same as types; each method stands with its documentation in the file of its theme.
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- `THEMES` have all that it promises
export interface IoUring extends
  // prepare/: each queues one entry, and returns false when the queue is full
  ReadWriteOperations,
  FileOperations,
  PathOperations,
  NetworkOperations,
  FutexAndProcessOperations,
  ControlOperations,
  CommandOperations,
  // changes of the entry just prepared
  EntryModifiers,
  // register/: each is one call of io_uring_register(2)
  BufferRegistrations,
  FileRegistrations,
  RingRegistrations,
  ControlRegistrations,
  ZcrxRegistrations
{}

/**
 * A Linux io_uring instance: one submission queue, one completion queue, for one thread.
 *
 * Queue operations with the `prep…` methods, hand them to the kernel with {@link submit} or
 * {@link submitAndWait}, and read the results with {@link forEachCompletion}. Buffers that are lent to an
 * operation are kept alive until its last completion is reaped.
 *
 * @example
 * import { IoUring } from 'iouring';
 *
 * using ring = new IoUring(8);
 * ring.prepRead(fd, buffer, buffer.byteLength, 1, 0);
 * ring.submitAndWait(1);
 * ring.forEachCompletion((c) => console.log(c.userData, c.res));
 */
export class IoUring extends Ring implements Disposable {
  /** IORING_SETUP_* bits that the kernel accepted. */
  readonly setupFlags: number;
  /** IORING_FEAT_* bits of the kernel. */
  readonly features: number;
  readonly #core = coreOf(this);
  readonly #resources = this.#core.resources;
  readonly #submitter = new Submitter(this.#core);
  readonly #reaper = new Reaper(this.#core);

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
    checkObject('options', asked);
    // Read once: a getter that answers differently the second time, or throws, must not catch a ring half made.
    const options: IoUringOptions = ownOptions({ ...asked });
    const setup = setUp(native, entries, options);
    handOver(new RingCore(new RingResources(native, setup), new LentMemory(native)));
    super();
    this.setupFlags = setup.setupFlags;
    this.features = setup.features;
    // An index in the thread's table keeps the ring open past the close that ends it with its thread.
    const wanted = native.isMainThread && options.registerRingFd !== false;
    const registered = wanted && this.#resources.registerRingFd();
    if (options.registerRingFd && !registered) {
      this.#resources.close();
      const reason = wanted ? `${needs('5.18')}, and one of the 16 places of this thread` : 'only on the main thread';
      throw wrongState('ERR_IOURING_UNSUPPORTED', `Cannot register the ring descriptor: ${reason}`);
    }
    dropped.register(this, this.#resources, this.#resources);
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
    return this.#core.sq.entries;
  }

  /** How many completions fit before the kernel has to keep them aside. */
  get cqEntries(): number {
    return this.#core.cq.entries;
  }

  /** How many entries are queued and not taken by the kernel. Counterpart of io_uring_sq_ready(3). */
  get sqReady(): number {
    return this.#resources.closed ? 0 : this.#core.sq.refresh();
  }

  /** How many more entries can be queued. Counterpart of io_uring_sq_space_left(3). */
  get sqSpaceLeft(): number {
    return this.#resources.closed ? 0 : this.#core.sq.space;
  }

  /**
   * How many completions wait to be reaped, without asking the kernel for more. Counterpart of io_uring_cq_ready(3).
   */
  get cqReady(): number {
    return this.#resources.closed ? 0 : this.#core.cq.ready;
  }

  /** Does the kernel keep completions aside because the queue is full? Counterpart of io_uring_cq_has_overflow(3). */
  get cqHasOverflow(): boolean {
    return !this.#resources.closed && (this.#core.sq.flags & IORING_SQ_CQ_OVERFLOW) !== 0;
  }

  /**
   * Has the kernel put work off until this thread enters it? With DEFER_TASKRUN or COOP_TASKRUN completions may come of
   * that, and of a call that waits for none. See IORING_SQ_TASKRUN. Kernel 5.19.
   */
  get hasDeferredWork(): boolean {
    return !this.#resources.closed && (this.#core.sq.flags & IORING_SQ_TASKRUN) !== 0;
  }

  /** Completions that were lost, for want of memory to keep them aside. 0 on a healthy machine. */
  get cqOverflow(): number {
    return this.#resources.closed ? 0 : this.#core.cq.overflow;
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
   * @example
   * ring.prepNop(1);
   * const consumed = ring.submit();
   */
  submit(): number {
    return this.#submitter.submit();
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
   * @example
   * ring.prepNop(1);
   * ring.submitAndWait(1, { timeoutMs: 1000 });
   */
  submitAndWait(waitNr: number, options?: WaitOptions): number {
    return this.#submitter.submitAndWait(waitNr, options);
  }

  /**
   * {@link submitAndWait} that waits as registered wait `index` says: the kernel need not check its arguments anew.
   *
   * Kernel 6.13. Counterpart of io_uring_submit_and_wait_reg(3); see {@link registerWaitRegion} and {@link setWait}.
   * Main thread only: a wait in the kernel cannot be cut short when a worker is to end.
   * @throws {Error} `ERR_INVALID_STATE` no waits are registered; else as submitAndWait
   * @example
   * ring.registerWaitRegion(1);
   * ring.setWait(0, { timeoutMs: 10 });
   * ring.submitAndWaitReg(1, 0);
   */
  submitAndWaitReg(waitNr: number, index: number): number {
    return this.#submitter.submitAndWaitReg(waitNr, index);
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
   * @example
   * const count = ring.forEachCompletion((c) => console.log(c.userData, c.res));
   */
  forEachCompletion(callback: (c: Completion) => void, max = ALL): number {
    return this.#reaper.forEach(callback, max);
  }

  /**
   * The completion that a call of {@link forEachCompletion} would be given first, without reaping it; undefined if
   * nothing is there. Never enters the kernel. Where the data begins in an incremental buffer is known only when it is
   * reaped.
   *
   * Counterpart of io_uring_peek_cqe(3).
   * @throws {Error} `ERR_IOURING_CLOSED`
   * @example
   * const next = ring.peek();
   * if (next !== undefined) console.log(next.res);
   */
  peek(): Completion | undefined {
    return this.#reaper.peek();
  }

  /**
   * The available completions one by one, each reaped when it is its turn: `for (const c of ring.completions())`. `c`
   * is the same object every time. A loop that is left early leaves the rest available.
   *
   * Counterpart of io_uring_for_each_cqe(3) with io_uring_cqe_seen(3).
   * @throws {Error} `ERR_IOURING_CLOSED`
   * @example
   * for (const c of ring.completions()) console.log(c.userData, c.res);
   */
  *completions(): Generator<Completion, void, undefined> {
    // A generator of the ring's own: it keeps the ring from being collected while it is used.
    yield* this.#reaper.completions();
  }

  /**
   * Reap up to `max` completions, as copies to keep. Enters the kernel as {@link forEachCompletion} does.
   *
   * Counterpart of io_uring_peek_batch_cqe(3) with io_uring_cq_advance(3).
   * @param max 1 … 2^30-1; default: all that are available
   * @throws {Error} `ERR_IOURING_CLOSED`, `ERR_IOURING_REENTRANT`; RangeError, TypeError
   * @example
   * const kept = ring.copyCompletions();
   */
  copyCompletions(max = ALL): Completion[] {
    return this.#reaper.copy(max);
  }

  /**
   * Close the ring. Operations that were queued and not submitted are dropped. Operations in flight are cancelled;
   * the call returns when the kernel has let go of all lent memory. Completions not reaped are lost: reap first what
   * you care about. Harmless when repeated.
   *
   * Counterpart of io_uring_queue_exit(3).
   * @example
   * ring.close();
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

  /**
   * The numbers that JSON.stringify and loggers show.
   * @example
   * console.log(JSON.stringify(ring));
   */
  toJSON(): { fd: number; sqEntries: number; cqEntries: number; setupFlags: number; features: number } {
    const { fd, sqEntries, cqEntries, setupFlags, features } = this;
    return { fd, sqEntries, cqEntries, setupFlags, features };
  }

  /** For console.log. */
  [inspect.custom](depth: number, options: InspectOptions, show: typeof inspect): string {
    return shown(
      'IoUring',
      () => ({
        fd: this.fd,
        closed: this.closed,
        sqEntries: this.sqEntries,
        cqEntries: this.cqEntries,
        sqReady: this.sqReady,
        cqReady: this.cqReady,
        setupFlags: flagNames(SETUP_FLAGS, this.setupFlags),
        features: flagNames(FEATURES, this.features),
      }),
      depth,
      options,
      show,
    );
  }

  static {
    // As the methods of a class are: not enumerable.
    for (const theme of THEMES) {
      for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(theme))) {
        Object.defineProperty(IoUring.prototype, name, ownOptions({ ...descriptor, enumerable: false }));
      }
    }
  }
}

/** A ring sent to another thread would arrive as an empty object: say so where it is sent. */
function forbidCloning(ring: IoUring): void {
  const get = (): never => {
    const message = 'Cannot send a ring to another thread: give each thread a ring of its own';
    throw Object.assign(new TypeError(message), { code: 'ERR_IOURING_THREAD' });
  };
  Object.defineProperty(ring, 'thread', ownOptions({ enumerable: true, get }));
}
