import { AsyncResource } from 'node:async_hooks';
import { ECANCELED, ENOENT } from '../abi/errno.ts';
import type { Native } from '../native/native.ts';
import { clearTimeout, monotonicNow, nextTick, setImmediate, setTimeout } from '../native/timers.ts';
import { Completion } from '../ring/completion.ts';
import { LentMemory } from '../ring/lent-memory.ts';
import { forEachWaiting, IoUring } from '../ring/ring.ts';
import type { IoUringOptions } from '../ring/setup.ts';
import { coreOf } from '../ring/ring-core.ts';
import { closedError } from './abort.ts';
import { Arrivals } from './engine/arrivals.ts';
import { LOOP_LEFT, LOOP_READY, RingSleep } from './engine/ring-sleep.ts';
import { CANCEL, partOf, Slots, TIMER } from './engine/slots.ts';
import type { Observer } from './observer.ts';
import { operationError } from './operation-error.ts';
import { ownOptions } from './own-options.ts';
import type { Submission } from './submission.ts';
import { keepTickObject } from './engine/tick-object.ts';
import { chooseWakeUp, type WakeUp } from './engine/wake-up.ts';

/** The userData of a message from another ring: so much, and 32 bits that are the message's own. */
export const MESSAGE = 2 ** 48;
const MESSAGE_END = MESSAGE + 2 ** 32;

/** How many completions are worked off before timers and others get their turn, how many submissions, and for how many milliseconds. */
const COMPLETIONS_A_TURN = 512;
const SUBMISSIONS_A_TURN = 128;
const TURN_MS = 2;

/** So many events are told before timers and others get their turn: each in an immediate, and in ticks behind another one. */
const EVENTS_A_PASS = 64;
const HOPS_A_PASS = 16;

/** The longest time that a timer of the event loop takes. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** After so many events of Node's kind, what they have to send is sent. */
const EVENTS_A_SUBMISSION = 16;

/** After so many milliseconds without a completion, what is queued does not wait for room any more. */
const STUCK_MS = 20;

/** How long an operation that was cancelled may take before the ring is closed on it. */
const CLOSE_WAIT_MS = 2000;

/** Whose context a turn runs in: not that of who happened to ask for it, nor of who made the ring. */
const SCOPE = new AsyncResource('IOURING');

/** To have something run as a microtask; queueMicrotask would make an AsyncResource each time. */
const SETTLED = Promise.resolve();

/** What happened, in numbers. */
export interface Counters {
  submitted: number;
  completed: number;
  enters: number;
  wakeUps: number;
  inlineCompletions: number;
  overflows: number;
  rearms: number;
  strangers: number;
}

/** How a thread sleeps that has nothing to do but to wait: in its ring where it can, or always in the event loop. */
export type Wait = 'ring' | 'loop';

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
 */
export class Engine {
  readonly ring: IoUring;
  readonly counters: Counters = {
    submitted: 0,
    completed: 0,
    enters: 0,
    wakeUps: 0,
    inlineCompletions: 0,
    overflows: 0,
    rearms: 0,
    strangers: 0,
  };
  /** Who is told of messages from other rings, if anybody is. */
  mailbox: Submission | undefined;
  readonly #observer: Observer;
  readonly #native: Native;
  readonly #memory: LentMemory;
  /** How many submissions are with the kernel. */
  inFlight = 0;
  queued = 0;
  readonly #wakeUp: WakeUp;
  /** So many are with the kernel at once, so that all their completions find room in the queue for them. */
  readonly #limit: number;
  /** How many are, of those that do not wait for ever. */
  #load = 0;
  /** How many of those are over. */
  #settled = 0;
  /** How many there are that do not keep the process alive. */
  #idlers = 0;
  /** The user wants the process kept alive. */
  #isWanted = true;
  /** The wake-up keeps it alive. */
  #isHeld = true;
  #stuck: NodeJS.Timeout | undefined;
  /**
   * Those that have begun and are not over, armed or not, by their descriptor. Weak: one that nobody iterates any more may
   * be collected.
   */
  readonly #iterations = new Map<number, readonly WeakRef<Submission>[] | WeakRef<Submission>>();
  readonly #slots = new Slots();
  /** Completions that were reaped, and their submissions are to be told of. */
  readonly #arrivals = new Arrivals();
  /** The same of those that are events, each of which gets an immediate. */
  readonly #events = new Arrivals();
  /** So many of them have an immediate or a tick that was asked for. */
  #eventsPlanned = 0;
  #toldEvents = 0;
  /** So many may be told in ticks behind one that was told in this pass of the loop. */
  #hops = 0;
  readonly #sleep: RingSleep | undefined;
  /** The loop has woken this thread for the turn that follows. */
  #isWoken = false;
  /** It has, and completions came with that. Where to sleep next was not chosen since: nothing was in flight, or events were to be told. */
  #wasWoken = false;
  /** The immediate that was asked for waits in the ring. */
  #isToWait = false;
  /** The loop is to wake this thread: its wake-up is armed. */
  #isListening = false;
  #first: Submission | undefined;
  #last: Submission | undefined;
  /** To be prepared when the tick, or the turn, is over: see {@link submitLate}. */
  #late: (Submission | undefined)[] = [];
  #lateCount = 0;
  /** Cancellations that found no room. */
  #uncancelled: Submission[] = [];
  /** How often the event loop has come round to it. */
  turns = 0;
  #scheduled = false;
  #immediate = false;
  #isBusy = false;
  #isTurning = false;
  #completions = 0;
  #submissions = 0;
  /** Why nothing is taken any more. */
  #ended: Error | undefined;
  /** It is going to be closed: what is under way ends, and nothing is taken any more. */
  #closing: Error | undefined;
  /** What is under way may come to its end by itself. */
  #isDraining = false;
  #whenIdle: (() => void)[] = [];

  constructor(entries: number, options: IoUringOptions, native: Native, observer: Observer, wait: Wait = 'loop') {
    this.#observer = observer;
    this.#native = native;
    this.#memory = new LentMemory(native);
    // The loop sleeps until the ring's eventfd is signalled. With DEFER_TASKRUN some kernels signal it once and never again
    // (Debian's 6.12.115 to 6.12.118), or late (7.1.13, 7.2.6, 7.3.4); with COOP_TASKRUN all do.
    this.ring = new IoUring(entries, ownOptions({ ...options, deferTaskrun: false }), native);
    // The rest is for cancellations, and for what waits.
    this.#limit = Math.max(1, this.ring.cqEntries >> 1);
    const self = new WeakRef(this);
    try {
      this.#wakeUp = chooseWakeUp(native)(this.ring, native, () => Engine.#wake(self.deref()));
    } catch (error) {
      this.ring.close();
      throw error;
    }
    const loop = wait === 'ring' ? native.eventLoop() : undefined;
    if (loop !== undefined) this.#sleep = new RingSleep(this.ring, loop);
    dropped.register(this, { ring: this.ring, wakeUp: this.#wakeUp }, this);
    keepTickObject();
  }

  /** Who wants to know of every operation, if anybody does. */
  get observer(): Observer | undefined {
    return this.#observer.isAttentive ? this.#observer : undefined;
  }

  get closed(): boolean {
    return this.#ended !== undefined;
  }

  /** Are there completions that were reaped, and of which nobody was told so far? */
  get hasArrivals(): boolean {
    return this.#arrivals.length > 0 || this.#events.length > 0;
  }

  /** Why it is, if it is. */
  get ended(): Error | undefined {
    return this.#ended;
  }

  // ---------------------------------------------------------------- what goes in

  /** Hand a submission to the kernel, or to the queue in front of it. */
  submit(submission: Submission): void {
    const reason = this.#ended ?? this.#closing;
    if (reason !== undefined) submission.refused(reason);
    else this.#take(submission);
  }

  /**
   * Submit when the tick, or the turn, is over, and not before: what is to be sent may grow until then. Its owner does not
   * submit it twice.
   */
  submitLate(submission: Submission): void {
    const reason = this.#ended ?? this.#closing;
    if (reason !== undefined) return submission.refused(reason);
    this.#late[this.#lateCount++] = submission;
    this.#schedule();
  }

  #launchLate(): void {
    const count = this.#lateCount;
    if (count === 0) return;
    const late = this.#late;
    // Whoever is refused may have all handed over at once, which comes here again: each has a list of its own then.
    this.#late = this.#spare ?? [];
    this.#spare = undefined;
    this.#lateCount = 0;
    for (let i = 0; i < count; i++) {
      const submission = late[i]!;
      late[i] = undefined;
      if (submission.dropped) submission.dropped = false;
      else this.#take(submission);
    }
    this.#spare = late;
  }

  /** Takes the submissions that are to be made late; the list is empty then. */
  #takeLate(): Submission[] {
    const late = this.#late.slice(0, this.#lateCount) as Submission[];
    this.#late.fill(undefined, 0, this.#lateCount);
    this.#lateCount = 0;
    return late;
  }

  /** The other of two lists that take turns. To shorten a list costs more than to use it again: it stays as long as it ever was. */
  #spare: (Submission | undefined)[] | undefined;

  /**
   * Hand over what is there at once, and have the kernel finish what it has put off: the process is about to end, or something must
   * have been cancelled when a call returns. What is completed is told in the next turn.
   */
  flush(): void {
    // A thread that ends closes its rings without asking.
    if (this.#ended !== undefined || this.ring.closed) return;
    this.#launchLate();
    try {
      this.#retryCancellations();
      this.ring.submitAndWait(0);
    } catch (error) {
      if (!isPassing(error)) throw error;
    }
    this.#schedule();
  }

  /** The next operation of what has begun already: it is taken as long as that is waited for. */
  proceed(submission: Submission): void {
    const reason = this.#ended ?? (this.#isDraining ? undefined : this.#closing);
    if (reason !== undefined) submission.refused(reason);
    else this.#take(submission);
  }

  #take(submission: Submission): void {
    // It was dropped, and is wanted again before its turn came: its place is still there.
    if (submission.queued) {
      submission.dropped = false;
      return;
    }
    if (this.#first === undefined && this.#isWelcome(submission) && this.#launch(submission)) return;
    const { timeLeft } = submission;
    // A timer of the loop counts to 2^31-1; nothing waits for room so long.
    if (timeLeft !== undefined && timeLeft <= TIMER_MAX_MS) setTimeout(() => this.#expire(submission), timeLeft).unref();
    if (this.#last === undefined) this.#first = submission;
    else this.#last.behind = submission;
    this.#last = submission;
    submission.queued = true;
    this.queued++;
    this.#schedule();
  }

  /** What waits for room may wait too long for it. */
  #expire(submission: Submission): void {
    if (submission.dropped || submission.slot >= 0 || submission.owed > 0) return;
    for (const one of this.#waiting()) {
      if (one !== submission) continue;
      submission.dropped = true;
      submission.late();
      return;
    }
  }

  /** Would its completions find room? */
  #isWelcome(submission: Submission): boolean {
    if (submission.waits) return true;
    const size = submission.members?.length ?? 1;
    return this.#load === 0 || this.#load + size <= this.#limit;
  }

  /** Write the entries. False if there is no room in the queue. */
  #launch(submission: Submission): boolean {
    const { ring } = this;
    let ready = 0;
    this.#occupy(submission);
    try {
      if (submission.entries > 1) {
        if (ring.sqSpaceLeft < submission.entries) this.#enterEarly();
        if (ring.sqSpaceLeft < submission.entries) {
          this.#vacate(submission);
          return false;
        }
        ready = ring.sqReady;
      }
      if (!submission.prepare(ring) && !(this.#enterEarly() && submission.prepare(ring))) {
        this.#vacate(submission);
        return false;
      }
    } catch (error) {
      // Of several entries, those before the wrong one.
      if (submission.entries > 1 && !ring.closed) coreOf(ring).unprepare(ready);
      this.#vacate(submission);
      submission.refused(error as Error);
      return true;
    }
    this.counters.submitted += submission.members?.length ?? 1;
    this.#schedule();
    return true;
  }

  #occupy(submission: Submission): void {
    const { members } = submission;
    if (members !== undefined) {
      for (const member of members) this.#occupy(member);
      return;
    }
    submission.slot = this.#slots.occupy(submission);
    this.inFlight++;
    if (!submission.keepsAlive) this.#idlers++;
    if (!submission.waits) this.#load++;
  }

  #vacate(submission: Submission): void {
    const { members } = submission;
    if (members !== undefined) {
      for (const member of members) this.#vacate(member);
      return;
    }
    if (!submission.waits) this.#settled++;
    this.#slots.vacate(submission.slot);
    submission.slot = -1;
    this.inFlight--;
    if (!submission.keepsAlive) this.#idlers--;
    if (!submission.waits) this.#load--;
  }

  /** Shows the completions of `submission` that it was not told of yet: results and flags, the oldest first. */
  peek(submission: Submission, see: (res: number, flags: number) => void): void {
    const { slot } = submission;
    if (slot < 0 || this.#ended !== undefined) return;
    for (const arrivals of [this.#events, this.#arrivals]) arrivals.show(submission, see);
    forEachWaiting(this.ring, (userData, res, flags) => {
      if (userData === slot) see(res, flags);
    });
  }

  /** From the queue in front, as much as there is room for, or `surplus` in spite of all. Was there anything? */
  #admit(surplus = 0): boolean {
    let admitted = false;
    for (let left = surplus; this.#first !== undefined; left--) {
      const submission = this.#first;
      if (!submission.dropped) {
        if (left <= 0 && !this.#isWelcome(submission)) break;
        if (!this.#launch(submission)) break;
        admitted = true;
      }
      this.#first = submission.behind;
      submission.behind = undefined;
      submission.queued = false;
      if (this.#first === undefined) this.#last = undefined;
      this.queued--;
    }
    return admitted;
  }

  // ---------------------------------------------------------------- turns

  #schedule(): void {
    // A turn takes along what begins in it. Another tick, asked for now, would come before those that are asked for by
    // who is told of a completion, and would hand over what they then begin: an abort in the next tick came too late.
    if (this.#scheduled || this.#isPutOff() || this.#isTurning) return;
    this.#scheduled = true;
    void SETTLED.then(this.#afterMicrotask);
  }

  /** Is there nothing to do before the immediate that was asked for? */
  #isPutOff(): boolean {
    return this.#immediate && !this.#isToWait;
  }

  /** From a microtask on, the next tick comes when all microtasks have run. */
  readonly #afterMicrotask = (): void => nextTick(this.#flush);

  readonly #flush = (): void => {
    this.#scheduled = false;
    if (this.#isPutOff() || this.#ended !== undefined) return;
    this.#submissions++;
    if (this.#completions >= COMPLETIONS_A_TURN || this.#submissions >= SUBMISSIONS_A_TURN || this.#isLate()) {
      // Operations that are asked for are submitted all the same; telling of them waits.
      if (this.#hasRoom()) this.#submitEarly();
      if (this.#ended === undefined) this.#later();
      return;
    }
    SCOPE.runInAsyncScope(this.#turn, this, true);
  };

  /** Is it time that timers and others had their turn? Where the loop does not tell when it was there last, the numbers decide alone. */
  #isLate(): boolean {
    return this.#sleep !== undefined && this.#sleep.hasWorkedFor(TURN_MS);
  }

  /** After timers and others had their turn. */
  #later(): void {
    this.#isToWait = false;
    if (this.#immediate) return;
    this.#immediate = true;
    setImmediate(this.#onImmediate);
  }

  readonly #onImmediate = (): void => {
    this.#immediate = false;
    this.turns++;
    this.#hops = 0;
    this.#completions = 0;
    this.#submissions = 0;
    if (this.#ended === undefined) SCOPE.runInAsyncScope(this.#turn, this, false);
  };

  static #wake(engine: Engine | undefined): void {
    if (engine !== undefined) engine.#woken();
  }

  /** The loop found completions. Promises that are resolved here would not continue: not every way of waking is a turn. */
  #woken(): void {
    if (this.#ended !== undefined) return;
    this.#isWoken = true;
    if (this.#isPutOff()) return;
    this.counters.wakeUps++;
    this.#later();
  }

  #turn(isInline: boolean): void {
    const isWait = this.#isToWait && !isInline;
    if (isWait) this.#isToWait = false;
    this.#pauseListening();
    this.#isTurning = true;
    const before = this.#completions;
    try {
      if (isWait && this.#isHolding()) this.#waitInRing();
      this.#work(isInline);
      if (this.closed) return;
      if (this.ring.cqReady > 0 || this.ring.sqReady > 0 || this.#uncancelled.length > 0 || this.#lateCount > 0) this.#later();
    } catch (error) {
      if (!isPassing(error)) return this.#break(error as Error);
      this.#later();
    } finally {
      this.#isTurning = false;
    }
    const hasCompleted = this.#completions > before;
    if (isWait && hasCompleted) this.counters.wakeUps++;
    if (this.#isWoken && !isInline) {
      this.#isWoken = false;
      this.#wasWoken ||= hasCompleted;
    }
    this.#settleDown(isWait, hasCompleted);
  }

  #waitInRing(): void {
    this.#retryCancellations();
    this.#launchLate();
    this.#countEnter(this.#sleep!.wait());
  }

  /** Hand over, reap, and tell whom it concerns, until nothing is left or enough was done. */
  #work(isInline: boolean): void {
    const start = monotonicNow();
    let before = 0;
    // An event is told at once, and what it leads to goes along, if nobody has been told of anything. Others have their own immediates.
    let isFirst = !isInline && this.#eventsPlanned === 0;
    do {
      before = this.#completions;
      if (!isInline || !this.#hasRoom()) this.#reap();
      if (this.#arrivals.length > 0) isFirst = false;
      if (!this.#settle(start)) return this.#submitRest();
      if (isFirst && this.#events.length > 0) {
        // The others come before the immediates that this one asks for.
        this.#planEvents(1);
        this.#hops = HOPS_A_PASS;
        this.#tellEvent();
      }
      if (this.closed) return;
      isFirst = false;
      this.#submitAll();
      const reaped = this.#completions;
      this.#reap();
      if (isInline) this.counters.inlineCompletions += this.#completions - reaped;
      if (!this.#settle(start)) return this.#submitRest();
    } while (this.#hasMore(before) && this.#completions < COMPLETIONS_A_TURN);
  }

  /** The time is up: what is asked for so far need not wait for the next turn. */
  #submitRest(): void {
    if (!this.closed) this.#submitAll();
  }

  #submitEarly(): void {
    try {
      this.#submitAll();
    } catch (error) {
      if (!isPassing(error)) this.#break(error as Error);
    }
  }

  #submitAll(): void {
    this.#retryCancellations();
    this.#launchLate();
    this.#enter();
  }

  /** Take out what has completed: whom it concerns is told afterwards. */
  #reap(): void {
    this.ring.forEachCompletion(this.#reaped, COMPLETIONS_A_TURN);
  }

  /** Tell them. False if the ring was closed meanwhile, or the time is up: the rest has to wait for its turn. */
  #settle(start: number): boolean {
    const arrivals = this.#arrivals;
    for (let count = 1; arrivals.length > 0; count++) {
      this.#tell(arrivals);
      if (this.closed) return false;
      if (count % 16 === 0 && monotonicNow() - start > TURN_MS && arrivals.length > 0) {
        this.#later();
        return false;
      }
    }
    return true;
  }

  /**
   * Events that came are told one by one from now on: in the next pass of the loop, each in an immediate. Only what comes behind an event
   * of the same submission, which was told in this pass, is told in a tick that a microtask asks for: it comes when the ticks and
   * microtasks of the one before have run, and before the immediates that they have asked for.
   */
  #planEvents(told = 0): void {
    if (this.#eventsPlanned > 0 || this.#events.length === told) return;
    if (this.#hops > 0 && told === 0 && this.#events.first!.toldIn === this.turns) {
      this.#eventsPlanned = 1;
      void SETTLED.then(this.#askForEvent);
      return;
    }
    const count = Math.min(this.#events.length - told, EVENTS_A_PASS);
    this.#eventsPlanned = count;
    this.turns++;
    for (let i = 0; i < count; i++) setImmediate(this.#onEvent);
  }

  readonly #askForEvent = (): void => nextTick(this.#onNextEvent);

  readonly #onNextEvent = (): void => {
    if (this.#ended !== undefined) return;
    this.#hops--;
    this.#eventsPlanned--;
    // A turn follows, and plans what comes with that.
    if (this.#events.length > 0) SCOPE.runInAsyncScope(this.#eventTurn, this);
  };

  readonly #onEvent = (): void => {
    this.#eventsPlanned--;
    if (this.#ended !== undefined || this.#events.length === 0) return;
    this.#hops = HOPS_A_PASS;
    SCOPE.runInAsyncScope(this.#eventTurn, this);
  };

  #eventTurn(): void {
    this.#isTurning = true;
    try {
      this.#tellEvent();
    } finally {
      this.#isTurning = false;
    }
    if (this.closed) return;
    if (this.#eventsPlanned === 0 || ++this.#toldEvents % EVENTS_A_SUBMISSION === 0) this.#turn(true);
  }

  #tellEvent(): void {
    this.#events.first!.toldIn = this.turns;
    this.#tell(this.#events);
  }

  /** Tell a submission of its first completion in the list. What goes wrong there concerns nobody else. */
  #tell(arrivals: Arrivals): void {
    const submission = arrivals.shift();
    try {
      this.#told(submission, arrivals.part, arrivals.completion);
    } catch (error) {
      nextTick(rethrow, error);
    }
  }

  /**
   * From the queue in front, or the next operation of what consists of several. The latter only as long as something is
   * completed: a kernel that takes nothing is not asked again in the same turn.
   */
  #hasMore(before: number): boolean {
    if (this.#first !== undefined && this.#admit()) return true;
    return (this.ring.sqReady > 0 || this.#lateCount > 0) && this.#completions > before;
  }

  /**
   * Hand the entries over before the turn comes, to make room for more. Not if their completions might not find room in
   * their queue, which is worked off in a turn only.
   */
  #enterEarly(): boolean {
    if (!this.#hasRoom()) return false;
    try {
      this.#enter();
    } catch (error) {
      if (!isPassing(error)) throw error;
      return false;
    }
    return true;
  }

  /** Is there room for the completions of all entries that can be handed over at once? */
  #hasRoom(): boolean {
    const { cqReady, sqEntries, cqEntries } = this.ring;
    return cqReady + 2 * sqEntries <= cqEntries;
  }

  /** Hand the entries that were written to the kernel. */
  #enter(): void {
    const { ring } = this;
    if (ring.sqReady === 0) return;
    // What the kernel has put off until we come costs as much again, and so is asked for only if there is any.
    this.#countEnter(ring.hasDeferredWork ? ring.submitAndWait(0) : ring.submit());
  }

  #countEnter(consumed: number): void {
    if (consumed === 0) return;
    const { ring } = this;
    this.counters.enters++;
    if (ring.cqHasOverflow) this.counters.overflows++;
    this.#observer.submitted(consumed, this.inFlight);
  }

  readonly #reaped = (c: Completion): void => {
    const userData = Completion.userDataOf(c);
    const submission = this.#slots.find(userData);
    if (submission === undefined) return this.#posted(c, userData);
    this.#completions++;
    const part = partOf(userData);
    const arrivals = part === 0 && submission.isEvent ? this.#events : this.#arrivals;
    arrivals.push(submission, part, c.res, c.flags);
  };

  /** A part of a submission has completed. */
  #told(submission: Submission, part: number, c: Completion): void {
    if (part === 0) {
      const isLast = !c.hasMore();
      if (isLast) this.counters.completed++;
      try {
        submission.arrived(c);
      } finally {
        if (isLast) this.#partOver(submission);
      }
    } else if (part === TIMER) {
      submission.expired(c.res);
      this.#partOver(submission);
    } else if (c.res === -ENOENT && submission.owed > 1 && submission.startsLate()) {
      // The kernel does not find what is between the end of the one before it and its own beginning.
      this.#uncancelled.push(submission);
    } else {
      this.#partOver(submission);
    }
  }

  #partOver(submission: Submission): void {
    if (--submission.owed > 0 || this.closed) return;
    this.#vacate(submission);
    submission.over();
  }

  /** By another ring: a message, or what was meant for another reader. */
  #posted(c: Completion, userData: number): void {
    if (userData === LOOP_READY) this.#sleep?.loopReady();
    else if (userData === LOOP_LEFT) return;
    else if (userData >= MESSAGE && userData < MESSAGE_END && this.mailbox !== undefined) {
      this.#completions++;
      this.mailbox.arrived(c);
    } else this.counters.strangers++;
  }

  /**
   * Operations that were not expected to may wait for ever too: reads of pipes. If nothing moves, what is behind them
   * is let through, though the kernel might have to keep completions aside then. It loses none.
   */
  #watchQueue(): void {
    if (this.#first === undefined || this.#stuck !== undefined) return;
    const settled = this.#settled;
    this.#stuck = setTimeout(() => {
      this.#stuck = undefined;
      if (this.#ended !== undefined) return;
      if (this.#settled === settled) this.#admit(this.ring.sqEntries);
      this.#turn(false);
    }, STUCK_MS);
  }

  /** Be woken if something is under way; let the process end if not. */
  #settleDown(isWait: boolean, hasCompleted: boolean): void {
    this.#watchQueue();
    this.#planEvents();
    const isBusy = this.inFlight > 0 || this.#first !== undefined;
    this.#hold();
    if (isBusy !== this.#isBusy) {
      this.#isBusy = isBusy;
      if (isBusy) {
        busy.add(this);
        this.#wakeUp.engage();
      } else {
        busy.delete(this);
        this.#wakeUp.disengage();
        if (isWait) this.#sleep!.goesOn(hasCompleted);
        this.#sleep?.rest();
      }
    }
    if (isBusy) this.#sleepOn(isWait, hasCompleted);
    if (!isBusy) for (const idle of this.#whenIdle.splice(0)) idle();
  }

  /** Choose where this thread waits for what is under way. */
  #sleepOn(isWait: boolean, hasCompleted: boolean): void {
    const sleep = this.#sleep;
    // The immediate that comes anyway decides.
    if (this.#immediate || this.#eventsPlanned > 0) return;
    const wasWoken = this.#wasWoken;
    this.#wasWoken = false;
    if (sleep !== undefined) {
      const isWaiting = isWait ? sleep.goesOn(hasCompleted) : sleep.isWorthIt(wasWoken);
      if (isWaiting && this.#isHolding()) {
        sleep.prepare();
        this.#isToWait = true;
        this.#immediate = true;
        setImmediate(this.#onImmediate);
        return;
      }
      sleep.rest();
      if (sleep.leave() && !this.#leaveLoop()) return;
    }
    this.#listen();
  }

  /** Submit that the loop is not polled any more. False if something else has completed with that: a turn follows. */
  #leaveLoop(): boolean {
    this.#submitEarly();
    if (this.closed) return false;
    this.#reap();
    if (this.#arrivals.length === 0 && this.#events.length === 0) return true;
    this.#later();
    return false;
  }

  /** Have the loop wake this thread. */
  #listen(): void {
    this.#isListening = true;
    this.#wakeUp.listen();
  }

  /** This thread looks by itself. */
  #pauseListening(): void {
    if (!this.#isListening) return;
    this.#isListening = false;
    this.#wakeUp.pause();
  }

  // ---------------------------------------------------------------- cancellation

  /** Cancel what was submitted. False if it was never with the kernel, and will not be. */
  cancel(submission: Submission): boolean {
    if (submission.slot < 0) {
      submission.dropped = true;
      return false;
    }
    submission.owed++;
    if (!this.#prepareCancel(submission)) this.#uncancelled.push(submission);
    this.#schedule();
    return true;
  }

  #prepareCancel(submission: Submission): boolean {
    const { ring } = this;
    const { slot } = submission;
    const prepare = (): boolean => ring.prepCancel(slot, CANCEL + slot);
    if (prepare()) return true;
    try {
      return this.#enterEarly() && prepare();
    } catch {
      // The next turn meets the same error, and is the place for it.
      return false;
    }
  }

  #retryCancellations(): void {
    if (this.#uncancelled.length === 0) return;
    const all = this.#uncancelled;
    this.#uncancelled = [];
    this.#uncancelled = all.filter((submission) => !this.#prepareCancel(submission));
  }

  /** Everything on a descriptor that is not with the kernel yet, or is: each fails with `error`. How many were not. */
  cancelOn(fd: number, error: Error): number {
    let count = 0;
    for (const submission of this.#slots) if (submission.fd === fd) submission.cancelled(error);
    for (const submission of this.#waiting()) {
      if (submission.dropped || submission.fd !== fd) continue;
      submission.dropped = true;
      submission.refused(error);
      count++;
    }
    return count;
  }

  /**
   * One that waited on a descriptor was cancelled. If the kernel had woken it, and only it, the others would sleep on with
   * what they wait for before them.
   */
  rouse(fd: number): void {
    if (this.#closing !== undefined) return;
    for (const submission of this.#slots) if (submission.fd === fd) submission.rouse();
  }

  *#waiting(): Generator<Submission> {
    for (let one = this.#first; one !== undefined; one = one.behind) yield one;
  }

  /** Close a descriptor that nobody will get. */
  discard(fd: number): void {
    this.#native.close(fd);
  }

  // ---------------------------------------------------------------- life and death

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
    if (submission.slot < 0 || this.#ended !== undefined) return;
    this.#idlers += keeps ? -1 : 1;
    this.#hold();
  }

  /** Is something under way that keeps the process alive? */
  #isHolding(): boolean {
    return this.#isWanted && (this.inFlight > this.#idlers || this.#first !== undefined);
  }

  /** Have the wake-up keep the process alive, or not. */
  #hold(): void {
    const isHeld = this.#isWanted && (this.inFlight === 0 || this.#isHolding());
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    if (isHeld) this.#wakeUp.ref();
    else this.#wakeUp.unref();
  }

  /**
   * Can this memory be lent, now or later in this tick? Then it is kept in place from now on. If not (it can be resized, or was
   * transferred), it has to be copied.
   */
  canLend(memory: Uint8Array): boolean {
    try {
      this.#memory.findWhole(memory);
      return true;
    } catch {
      return false;
    }
  }

  /** Have `fd` closed if this thread ends without closing it. The function returned calls that off. */
  guard(fd: number): () => void {
    return this.#native.closeAtThreadExit(fd);
  }

  /** Have `end` called when the ring is closed, when all that was in flight has been told. */
  atEnd(end: () => void): void {
    this.#atEnd.push(end);
  }

  readonly #atEnd: (() => void)[] = [];

  /** Resolves when nothing is under way. */
  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenIdle.push(resolve);
      this.#later();
    });
  }

  /** Take nothing more; wait for what is under way, or cancel it; then close the ring. */
  async close(drain: boolean): Promise<void> {
    if (this.#ended !== undefined) return;
    this.#closing ??= closedError('begin');
    this.#isDraining = drain;
    this.#cancelAll((submission) => !drain || submission.endless);
    const idle = this.#idle();
    if (drain) await idle;
    else await Promise.race([idle, expire(CLOSE_WAIT_MS)]);
    this.#end(closedError('go on'));
  }

  #cancelAll(isMeant: (submission: Submission) => boolean): void {
    for (const submission of this.#waiting()) {
      if (submission.dropped || !isMeant(submission)) continue;
      submission.dropped = true;
      submission.refused(this.#closing!);
    }
    for (const submission of this.#takeLate()) {
      if (isMeant(submission)) submission.refused(this.#closing!);
      else this.#late[this.#lateCount++] = submission;
    }
    const inFlight = [...this.#slots].filter(isMeant);
    for (const submission of inFlight) submission.cancelled(closedError('go on'));
    for (const submission of inFlight) this.cancel(submission);
    // Those that are not armed: they wait for their consumer, or for buffers.
    for (const iteration of this.#living()) if (iteration.slot < 0) iteration.refused(this.#closing!);
  }

  /** An iteration begins: it is to be told when its reactor or its descriptor is closed. */
  begun(iteration: Submission): WeakRef<Submission> {
    const reference = new WeakRef(iteration);
    const others = this.#on(iteration.fd);
    // Mostly there is one, and many descriptors.
    this.#iterations.set(iteration.fd, others.length === 0 ? reference : [...others, reference]);
    return reference;
  }

  /** It is over. */
  finished(fd: number, reference: WeakRef<Submission>): void {
    const others = this.#on(fd).filter((other) => other !== reference);
    if (others.length === 0) this.#iterations.delete(fd);
    else this.#iterations.set(fd, others);
  }

  #on(fd: number): readonly WeakRef<Submission>[] {
    const found = this.#iterations.get(fd) ?? [];
    return found instanceof WeakRef ? [found] : found;
  }

  /** On one descriptor, or on all. */
  #living(fd?: number): Submission[] {
    const references = fd === undefined ? [...this.#iterations.keys()].flatMap((one) => this.#on(one)) : this.#on(fd);
    return references.map((reference) => reference.deref()).filter((one) => one !== undefined);
  }

  /** A descriptor is going to be closed: iterations that went on would take what is the next owner's. */
  closing(fd: number): void {
    if (!this.#iterations.has(fd)) return;
    const error = operationError(ECANCELED, 'close');
    for (const iteration of this.#living(fd)) {
      iteration.cancelled(error);
      if (iteration.slot < 0) iteration.refused(error);
      else this.cancel(iteration);
    }
  }

  /** The ring does not work any more. */
  #break(error: Error): void {
    this.#end(error);
  }

  #end(reason: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    dropped.unregister(this);
    busy.delete(this);
    this.#wakeUp.close();
    this.#sleep?.rest();
    // Completions that are there already are told as they are: a descriptor that came needs an owner.
    for (const arrivals of [this.#arrivals, this.#events]) while (arrivals.length > 0) this.#tell(arrivals);
    const left = [...this.#waiting(), ...this.#slots, ...this.#takeLate()];
    this.#first = this.#last = undefined;
    clearTimeout(this.#stuck);
    this.queued = 0;
    this.inFlight = 0;
    this.#idlers = 0;
    this.#load = 0;
    this.#slots.clear();
    // Cancels, and waits for the kernel to let go of all memory.
    this.ring.close();
    for (const submission of left) if (!submission.dropped) submission.refused(reason);
    for (const iteration of this.#living()) iteration.refused(reason);
    for (const end of this.#atEnd.splice(0)) end();
    for (const idle of this.#whenIdle.splice(0)) idle();
  }
}

function expire(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref());
}

function rethrow(error: unknown): never {
  throw error;
}

/** Is the kernel short of memory for the moment, so that it would not take what is there? That stays in the queue. */
function isPassing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EAGAIN' || code === 'EBUSY' || code === 'ENOMEM';
}
