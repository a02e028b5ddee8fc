import { ECANCELED } from '../abi/errno.ts';
import type { CallOff, Native } from '../native/native.ts';
import { NOBODY } from '../native/nobody.ts';
import { monotonicNow, nextTick, setTimeout } from '../native/timers.ts';
import { LentMemory } from '../ring/memory/lent-memory.ts';
import { IoUring } from '../ring/io-uring.ts';
import { coreOf } from '../ring/ring-core.ts';
import type { IoUringOptions } from '../ring/setup.ts';
import { closedError } from './abort.ts';
import { Iterations } from './engine/iterations.ts';
import { OrderedCall } from './engine/ordered-call.ts';
import { type Passes, passesOf } from './engine/passes.ts';
import { Reaper } from './engine/reap.ts';
import { RingSleep } from './engine/ring-sleep.ts';
import { Settler, TURN_MS } from './engine/settle.ts';
import { Sleeper, type Wait } from './engine/sleep.ts';
import { CALL, Slots } from './engine/slots.ts';
import { SubmitQueue } from './engine/submit.ts';
import { keepTickObject } from './engine/tick-object.ts';
import { isPassing, type Counters, type Turns } from './engine/turns.ts';
import { chooseWakeUp } from './engine/choose-wake-up.ts';
import type { WakeUp } from './engine/wake-up.ts';
import type { Observer } from './observer.ts';
import { operationError } from './operation-error.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import type { Submission } from './submission.ts';

export { MESSAGE } from './engine/reap.ts';
export type { Wait };

/** How many completions are worked off before timers and others get their turn, and how many submissions. */
const COMPLETIONS_A_TURN = 512;
const SUBMISSIONS_A_TURN = 128;

/** How long an operation that was cancelled may take before the ring is closed on it. */
const CLOSE_WAIT_MS = 2000;

/** To have something run as a microtask; queueMicrotask would make an AsyncResource each time. */
const SETTLED = Promise.resolve();

/** Engines with something under way: what is in flight keeps its engine. */
const busy = new Set<Engine>();

/** Ends what an engine had that was collected without having been closed. The descriptor is watched until it is. */
const dropped = new FinalizationRegistry<{ ring: IoUring; wakeUp: WakeUp }>(({ ring, wakeUp }) => {
  wakeUp.close();
  ring.close();
});

/**
 * The ring on the event loop: what is asked for in one tick goes to the kernel with one system call when the microtasks
 * have run, what completes inline is settled at once, and for the rest the loop is woken.
 *
 * In a turn it submits, reaps, and settles what was reaped, until nothing is left or enough was done; then it sleeps.
 * Each of these has its room in engine/: {@link SubmitQueue}, {@link Reaper}, {@link Settler} and {@link Sleeper}. Here
 * is when they have their turn, and how all of it ends.
 */
export class Engine implements Turns {
  readonly ring: IoUring;
  readonly counters: Counters = {
    submitted: 0,
    completed: 0,
    enters: 0,
    wakeUps: 0,
    inlineCompletions: 0,
    rearms: 0,
    strangers: 0,
  };
  /** How often the event loop has come round to it. */
  turns = 0;
  isTellingNatives = false;
  readonly #observer: Observer;
  readonly #native: Native;
  readonly #memory: LentMemory;
  readonly #slots = new Slots();
  readonly #queue: SubmitQueue;
  readonly #reaper: Reaper;
  readonly #settler: Settler;
  readonly #sleeper: Sleeper;
  readonly #iterations = new Iterations();
  readonly #passes: Passes;
  /** The user wants the process kept alive. */
  #isWanted = true;
  #scheduled = false;
  #isAsked = false;
  #isTurning = false;
  /** How many ticks of this pass of the loop had a turn. */
  #submissions = 0;
  /** Why nothing is taken any more. */
  #ended: Error | undefined;
  /** It is going to be closed: what is under way ends, and nothing is taken any more. */
  #closing: Error | undefined;
  /** Operations that are under way may come to their end by themselves. */
  #isDraining = false;
  readonly #whenIdle: (() => void)[] = [];
  readonly #atEnd: (() => void)[] = [];

  constructor(entries: number, options: IoUringOptions, native: Native, observer: Observer, wait: Wait = 'loop') {
    this.#observer = observer;
    this.#native = native;
    this.#memory = new LentMemory(native);
    // The loop sleeps until the ring's eventfd is signalled. With DEFER_TASKRUN some kernels signal it once and never
    // again (Debian's 6.12.115 to 6.12.118), or late (7.1.13, 7.2.6, 7.3.4); with COOP_TASKRUN all do.
    const ring = new IoUring(entries, ownOptions({ ...options, deferTaskrun: false }), native);
    this.ring = ring;
    const self = new WeakRef(this);
    let wakeUp: WakeUp;
    try {
      wakeUp = chooseWakeUp(native)(ring, native, () => Engine.#wake(self.deref()));
    } catch (error) {
      ring.close();
      throw error;
    }
    const loop = wait === 'ring' ? native.eventLoop() : undefined;
    const ringSleep = loop === undefined ? undefined : new RingSleep(ring, loop);
    this.#queue = new SubmitQueue(ring, this.#slots, this.counters, observer, this);
    this.#reaper = new Reaper(ring, this.#slots, this.counters, ringSleep);
    this.#passes = passesOf(native);
    this.#settler = new Settler(this.#queue, this.#reaper, this.counters, this, this.#passes);
    this.#sleeper = new Sleeper(wakeUp, ringSleep);
    dropped.register(this, { ring, wakeUp }, this);
    keepTickObject();
  }

  /** The observer of every operation, if there is one. */
  get observer(): Observer | undefined {
    return this.#observer.isAttentive ? this.#observer : undefined;
  }

  get closed(): boolean {
    return this.#ended !== undefined;
  }

  /** Why it is, if it is. */
  get ended(): Error | undefined {
    return this.#ended;
  }

  /** How often the kernel began to keep completions aside: see {@link RingCore.noteOverflow}. */
  get overflows(): number {
    const core = coreOf(this.ring);
    if (!this.ring.closed) core.noteOverflow(core.sq.flags);
    return core.overflows;
  }

  /** How many submissions are with the kernel. */
  get inFlight(): number {
    return this.#queue.inFlight;
  }

  /** How many wait for room. */
  get queued(): number {
    return this.#queue.queued;
  }

  /** Are there completions that were reaped, and of which nobody was told so far? */
  get hasArrivals(): boolean {
    return this.#reaper.hasArrivals;
  }

  /** The submission that is told of messages from other rings, if there is one. */
  get mailbox(): Submission | undefined {
    return this.#reaper.mailbox;
  }

  set mailbox(submission: Submission | undefined) {
    this.#reaper.mailbox = submission;
  }

  // ---------------------------------------------------------------- what goes in

  /** Hand a submission to the kernel, or to the queue in front of it. */
  submit(submission: Submission): void {
    const reason = this.#ended ?? this.#closing;
    if (reason !== undefined) submission.refused(reason);
    else this.#queue.take(submission);
  }

  /**
   * Submit when the tick, or the turn, is over, and not before: what is to be sent may grow until then. Its owner does
   * not submit it twice.
   */
  submitLate(submission: Submission): void {
    const reason = this.#ended ?? this.#closing;
    if (reason !== undefined) submission.refused(reason);
    else this.#queue.takeLater(submission);
  }

  /** The next operation of what has begun already: it is taken as long as that is waited for. */
  proceed(submission: Submission): void {
    const reason = this.#ended ?? (this.#isDraining ? undefined : this.#closing);
    if (reason !== undefined) submission.refused(reason);
    else this.#queue.take(submission);
  }

  /**
   * Hand over what is there at once, and have the kernel finish what it has put off: the process is about to end, or
   * something must have been cancelled when a call returns. What is completed is told in the next turn. False if the
   * kernel did not take all of it.
   */
  flush(): boolean {
    // A thread that ends closes its rings without asking.
    if (this.closed || this.ring.closed) return true;
    const queue = this.#queue;
    queue.launchLate();
    try {
      queue.retryCancellations();
      this.ring.submitAndWait(0);
      // Cancellations that found no room behind what was there.
      while (queue.hasCancellations && this.ring.sqReady === 0) {
        queue.retryCancellations();
        this.ring.submitAndWait(0);
      }
    } catch (error) {
      if (!isPassing(error)) throw error;
    }
    this.schedule();
    return this.ring.closed || (this.ring.sqReady === 0 && !queue.hasCancellations);
  }

  /**
   * Shows the completions of `submission` that it was not told of yet: results and flags, the oldest first. How many
   * completions it has looked at for that.
   */
  peek(submission: Submission, see: (res: number, flags: number, number: number) => void): number {
    if (this.closed || this.ring.closed) return 0;
    let looked = 0;
    try {
      looked = this.#reaper.peek(submission, see);
    } catch {
      // The next turn meets the same error, and is the place for it.
    }
    if (this.#reaper.hasArrivals) this.schedule();
    return looked;
  }

  /** How many events were taken out of the ring so far: the number of the next one. */
  get events(): number {
    return this.#reaper.events.count;
  }

  /**
   * Have `call` made behind the events that have come before it and were not told of so far, as if it were one of them.
   * False if there are none: the caller makes it.
   */
  behindEvents(call: () => void): boolean {
    if (this.closed || this.ring.closed || (this.inFlight === 0 && !this.#reaper.hasArrivals)) return false;
    try {
      // Some are put off until somebody comes for them.
      if (this.ring.hasDeferredWork) this.ring.submitAndWait(0);
    } catch {
      // The next turn meets the same error, and is the place for it.
      this.later();
      return false;
    }
    this.#reaper.reap();
    if (this.#reaper.hasArrivals) this.later();
    const { events } = this.#reaper;
    if (events.length === 0) return false;
    events.push(new OrderedCall(call), CALL, 0, 0);
    return true;
  }

  /** {@link SubmitQueue.rehearse} */
  rehearse(submission: Submission): void {
    if (!this.closed) this.#queue.rehearse(submission);
  }

  // ---------------------------------------------------------------- cancellation

  /** Cancel what was submitted. False if it was never with the kernel, and will not be. */
  cancel(submission: Submission): boolean {
    return this.#queue.cancel(submission);
  }

  /** Everything on a descriptor that is not with the kernel yet, or is: each fails with `error`. How many were not. */
  cancelOn(fd: number, error: Error): number {
    let count = 0;
    for (const submission of this.#slots) if (submission.fd === fd) submission.cancelled(error);
    for (const submission of this.#queue.waiting()) {
      if (submission.dropped || submission.fd !== fd) continue;
      submission.dropped = true;
      submission.refused(error);
      count++;
    }
    return count;
  }

  /**
   * One that waited on a descriptor was cancelled. If the kernel had woken it, and only it, the others would sleep on
   * with what they wait for before them.
   */
  rearmExclusiveWaiters(fd: number): void {
    if (this.#closing !== undefined) return;
    for (const submission of this.#slots) if (submission.fd === fd) submission.rearm();
  }

  // ---------------------------------------------------------------- when a turn comes

  schedule(): void {
    // A turn takes along what begins in it. Another tick, asked for now, would come before those that are asked for by
    // who is told of a completion, and would hand over what they then begin: an abort in the next tick came too late.
    // Events that are to be told take it along as well: a tick for each would submit one entry with each system call.
    if (this.#scheduled || this.#isPutOff() || this.#isTurning || this.#settler.planned > 0) return;
    this.#scheduled = true;
    void SETTLED.then(this.#afterMicrotask);
  }

  /** Is there nothing to do before the pass that was asked for? */
  #isPutOff(): boolean {
    return this.#isAsked && !this.#sleeper.isToWait;
  }

  /** From a microtask on, the next tick comes when all microtasks have run. */
  readonly #afterMicrotask = (): void => nextTick(this.#flush);

  readonly #flush = (): void => {
    this.#scheduled = false;
    if (this.#isPutOff() || this.closed) return;
    this.#submissions++;
    const isMuch = this.#reaper.completions >= COMPLETIONS_A_TURN || this.#submissions >= SUBMISSIONS_A_TURN;
    // Where the loop does not tell when it was there last, the numbers decide alone.
    if (isMuch || this.#sleeper.hasWorkedFor(TURN_MS)) {
      // Operations that are asked for are submitted all the same; telling of them waits.
      if (this.#queue.hasRoom()) this.#submitEarly();
      if (!this.closed) this.later();
      return;
    }
    // Not in the context in which it happened to be asked for, nor in that in which the ring was made.
    NOBODY.runInAsyncScope(this.turn, this, true);
  };

  later(): void {
    this.#sleeper.isToWait = false;
    this.#askForPass();
  }

  #askForPass(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#passes.ask(this.#onPass);
  }

  readonly #onPass = (): (() => void) | undefined => {
    this.#isAsked = false;
    this.turns++;
    this.#settler.hops = 0;
    this.#reaper.completions = 0;
    this.#submissions = 0;
    return this.closed ? undefined : this.#turnInPass;
  };

  readonly #turnInPass = (): void => this.turn(false);

  static #wake(engine: Engine | undefined): void {
    if (engine !== undefined) engine.#woken();
  }

  /** The loop found completions. */
  #woken(): void {
    if (this.closed) return;
    this.#sleeper.woken();
    this.counters.wakeUps++;
    this.#sleeper.isToWait = false;
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#passes.enter(this.#onPass);
  }

  during(call: () => boolean): boolean {
    this.#isTurning = true;
    try {
      return call();
    } finally {
      this.#isTurning = false;
    }
  }

  /** Have `call` called in the next pass of the loop, before it polls, in the context of nobody. */
  inNextPass(call: () => void): void {
    this.#passes.ask(() => call);
  }

  /** The same where the loop tells of what was closed. */
  whenClosed(call: () => void): void {
    this.#passes.close(call);
  }

  // ---------------------------------------------------------------- a turn

  turn(isInline: boolean): void {
    const isWait = this.#sleeper.isToWait && !isInline;
    if (isWait) this.#sleeper.isToWait = false;
    this.#sleeper.pauseListening();
    this.#isTurning = true;
    const before = this.#reaper.completions;
    try {
      if (isWait && this.#isHolding()) this.#waitInRing();
      this.#work(isInline);
      if (this.closed) return;
      // The loop hears nothing more of completions that the kernel keeps aside.
      if (this.ring.cqReady > 0 || this.ring.cqHasOverflow || this.#queue.hasWork) this.later();
    } catch (error) {
      if (!isPassing(error)) return this.#end(error as Error);
      this.later();
    } finally {
      this.#isTurning = false;
    }
    const hasCompleted = this.#reaper.completions > before;
    if (isWait && hasCompleted) this.counters.wakeUps++;
    if (!isInline) this.#sleeper.turned(hasCompleted);
    this.#settleDown(isWait, hasCompleted);
  }

  #waitInRing(): void {
    this.#queue.retryCancellations();
    this.#queue.launchLate();
    this.#queue.countEnter(this.#sleeper.wait());
  }

  /** Hand over, reap, and tell whom it concerns, until nothing is left or enough was done. */
  #work(isInline: boolean): void {
    const reaper = this.#reaper;
    const start = monotonicNow();
    let before = 0;
    // An event is told at once, and what it leads to goes along, if nobody has been told of anything. Others are told
    // apart.
    let isFirst = !isInline && this.#settler.planned === 0;
    do {
      before = reaper.completions;
      if (!isInline || !this.#queue.hasRoom()) reaper.reap();
      if (reaper.arrivals.length > 0) isFirst = false;
      if (!this.#settler.settle(start)) return this.#submitRest();
      if (isFirst) this.#settler.tellFirst();
      if (this.closed) return;
      isFirst = false;
      this.#queue.submitAll();
      const reaped = reaper.completions;
      reaper.reap();
      if (isInline) this.counters.inlineCompletions += reaper.completions - reaped;
      if (!this.#settler.settle(start)) return this.#submitRest();
    } while (this.#hasMore(before) && reaper.completions < COMPLETIONS_A_TURN);
  }

  /** The time is up: what is asked for so far need not wait for the next turn. */
  #submitRest(): void {
    if (!this.closed) this.#queue.submitAll();
  }

  #submitEarly(): void {
    try {
      this.#queue.submitAll();
    } catch (error) {
      if (!isPassing(error)) this.#end(error as Error);
    }
  }

  /**
   * From the queue in front, or the next operation of what consists of several. The latter only as long as something is
   * completed: a kernel that takes nothing is not asked again in the same turn.
   */
  #hasMore(before: number): boolean {
    if (this.#queue.isWaiting && this.#queue.admit()) return true;
    return this.#queue.hasEntries && this.#reaper.completions > before;
  }

  // ---------------------------------------------------------------- sleep

  /** Be woken if something is under way; let the process end if not. */
  #settleDown(isWait: boolean, hasCompleted: boolean): void {
    this.#queue.watch();
    this.#settler.plan();
    const isBusy = this.inFlight > 0 || this.#queue.isWaiting;
    this.#hold();
    if (isBusy !== this.#sleeper.isBusy) {
      if (isBusy) {
        busy.add(this);
        this.#sleeper.engage();
      } else {
        busy.delete(this);
        this.#sleeper.disengage(isWait, hasCompleted);
      }
    }
    if (isBusy) this.#sleep(isWait, hasCompleted);
    else for (const idle of this.#whenIdle.splice(0)) idle();
  }

  /** Choose where this thread waits for what is under way. */
  #sleep(isWait: boolean, hasCompleted: boolean): void {
    // The pass that comes anyway decides.
    if (this.#isAsked || this.#settler.planned > 0) return;
    if (this.#sleeper.waitsInRing(isWait, hasCompleted, this.#isHolding())) this.#askForPass();
    else if (!this.#sleeper.leaveRing() || this.#leaveLoop()) this.#listen();
  }

  #listen(): void {
    if (!this.#sleeper.listen()) return;
    this.#sleeper.woken();
    this.counters.wakeUps++;
    this.later();
  }

  /** Submit that the loop is not polled any more. False if something else has completed with that: a turn follows. */
  #leaveLoop(): boolean {
    this.#submitEarly();
    if (this.closed) return false;
    this.#reaper.reap();
    if (!this.#reaper.hasArrivals) return true;
    this.later();
    return false;
  }

  ref(): void {
    this.#isWanted = true;
    this.#hold();
  }

  unref(): void {
    this.#isWanted = false;
    this.#hold();
  }

  /** Is the process to be kept alive as long as `submission` is with the kernel? */
  keepAlive(submission: Submission, keeps: boolean): void {
    if (submission.keepsAlive === keeps) return;
    submission.keepsAlive = keeps;
    if (submission.slot < 0 || this.closed) return;
    this.#queue.idlers += keeps ? -1 : 1;
    this.#hold();
  }

  /** Is something under way that keeps the process alive? */
  #isHolding(): boolean {
    return this.#isWanted && (this.inFlight > this.#queue.idlers || this.#queue.isWaiting);
  }

  #hold(): void {
    this.#sleeper.hold(this.#isWanted && (this.inFlight === 0 || this.#isHolding()));
  }

  // ---------------------------------------------------------------- memory and descriptors

  /**
   * Can this memory be lent, now or later in this tick? Then it is kept in place from now on. If not (it can be
   * resized, or was transferred), it has to be copied.
   */
  canLend(memory: Uint8Array): boolean {
    try {
      this.#memory.findWhole(memory);
      return true;
    } catch {
      return false;
    }
  }

  /** Does this thread end with the process, which closes all descriptors? */
  get isMainThread(): boolean {
    return this.#native.isMainThread;
  }

  /** Have `fd` closed if this thread ends without closing it. The function returned calls that off. */
  guard(fd: number): CallOff {
    return this.#native.closeAtThreadExit(fd);
  }

  /**
   * Close a descriptor that nobody will get.
   * @param callOff of {@link guard}, if it was called
   */
  discard(fd: number, callOff?: CallOff): void {
    if (callOff === undefined) this.#native.close(fd);
    else callOff(true);
  }

  /** An iteration begins: it is to be told when its reactor or its descriptor is closed. */
  begun(iteration: Submission): WeakRef<Submission> {
    return this.#iterations.begun(iteration);
  }

  /** It is over. */
  finished(fd: number, reference: WeakRef<Submission>): void {
    this.#iterations.finished(fd, reference);
  }

  /** A descriptor is going to be closed: iterations that went on would take what is the next owner's. */
  closing(fd: number): void {
    const iterations = this.#iterations.on(fd);
    if (iterations.length === 0) return;
    const error = operationError(ECANCELED, 'close');
    for (const iteration of iterations) {
      iteration.cancelled(error);
      if (iteration.slot < 0) iteration.refused(error);
      else this.cancel(iteration);
    }
  }

  // ---------------------------------------------------------------- the end

  /** Have `end` called when the ring is closed, when all that was in flight has been told. */
  atEnd(end: () => void): void {
    this.#atEnd.push(end);
  }

  /** Resolves when nothing is under way. */
  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenIdle.push(resolve);
      this.later();
    });
  }

  /** Take nothing more; wait for what is under way, or cancel it; then close the ring. */
  async close(drain: boolean): Promise<void> {
    if (this.closed) return;
    this.#closing ??= closedError('begin');
    this.#isDraining = drain;
    this.#cancelAll(this.#closing, (submission) => !drain || submission.endless);
    const idle = this.#idle();
    if (drain) await idle;
    else await Promise.race([idle, expire(CLOSE_WAIT_MS)]);
    this.#end(closedError('go on'));
  }

  #cancelAll(reason: Error, isMeant: (submission: Submission) => boolean): void {
    for (const submission of this.#queue.waiting()) {
      if (submission.dropped || !isMeant(submission)) continue;
      submission.dropped = true;
      submission.refused(reason);
    }
    for (const submission of this.#queue.removeLate()) {
      if (isMeant(submission)) submission.refused(reason);
      else this.#queue.takeLater(submission);
    }
    const inFlight = [...this.#slots].filter(isMeant);
    for (const submission of inFlight) submission.cancelled(closedError('go on'));
    for (const submission of inFlight) this.cancel(submission);
    // Those that are not armed: they wait for their consumer, or for buffers.
    for (const iteration of this.#iterations.all()) if (iteration.slot < 0) iteration.refused(reason);
  }

  /** It was closed, or the ring does not work any more. */
  #end(reason: Error): void {
    if (this.closed) return;
    this.#ended = reason;
    dropped.unregister(this);
    busy.delete(this);
    this.#sleeper.end();
    this.#settler.settleAll();
    const left = this.#queue.end();
    // Cancels, and waits for the kernel to let go of all memory.
    this.ring.close();
    for (const submission of left) if (!submission.dropped) submission.refused(reason);
    for (const iteration of this.#iterations.all()) iteration.refused(reason);
    for (const end of this.#atEnd.splice(0)) end();
    for (const idle of this.#whenIdle.splice(0)) idle();
  }
}

function expire(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref());
}
