import { ENOENT } from '../../abi/errno.ts';
import { NOBODY } from '../../native/nobody.ts';
import { monotonicNow, nextTick, throwUncaught } from '../../native/timers.ts';
import type { Completion } from '../../ring/completion.ts';
import type { Submission } from '../submission.ts';
import type { Arrivals } from './arrivals.ts';
import type { Passes } from './passes.ts';
import type { Reaper } from './reap.ts';
import { CALL, TIMER } from './slots.ts';
import type { SubmitQueue } from './submit.ts';
import type { Counters, Turns } from './turns.ts';

/** For how many milliseconds completions are told before timers and others get their turn. */
export const TURN_MS = 2;

/** So many events are told before timers and others get their turn: each apart, and in ticks behind another one. */
const EVENTS_A_PASS = 64;
const HOPS_A_PASS = 16;

/** After so many events of Node's kind, or so many milliseconds of them, what they have to send is sent. */
const EVENTS_A_SUBMISSION = 16;
const SUBMISSION_MS = 1;

/** To have something run as a microtask; queueMicrotask would make an AsyncResource each time. */
const SETTLED = Promise.resolve();

/**
 * Tells submissions of what has completed. What goes wrong in one of them concerns nobody else. Completions are told
 * one after the other in a turn; but events, which a program would be told of by Node one by one, are told apart.
 */
export class Settler {
  readonly #queue: SubmitQueue;
  readonly #reaper: Reaper;
  readonly #counters: Counters;
  readonly #turns: Turns;
  readonly #passes: Passes;
  /** So many events have a call, or a tick, that was asked for. */
  planned = 0;
  /** Events told since what they asked for was submitted, and when that was. */
  #toldEvents = 0;
  #submittedAt = 0;
  /** So many may be told in ticks behind one that was told in this pass of the loop. */
  hops = 0;

  constructor(queue: SubmitQueue, reaper: Reaper, counters: Counters, turns: Turns, passes: Passes) {
    this.#queue = queue;
    this.#reaper = reaper;
    this.#counters = counters;
    this.#turns = turns;
    this.#passes = passes;
  }

  /**
   * Tell all but the events. False if the ring was closed meanwhile, or the time is up: the rest has to wait for its
   * turn.
   */
  settle(start: number): boolean {
    const { arrivals } = this.#reaper;
    for (let count = 1; arrivals.length > 0; count++) {
      this.#tell(arrivals);
      if (this.#turns.closed) return false;
      if (count % 16 === 0 && monotonicNow() - start > TURN_MS && arrivals.length > 0) {
        this.#turns.later();
        return false;
      }
    }
    return true;
  }

  /**
   * Tell everything that is there already, events as well: the ring is going to be closed, and a descriptor that came
   * needs an owner.
   */
  settleAll(): void {
    const { arrivals, events } = this.#reaper;
    for (const all of [arrivals, events]) while (all.length > 0) this.#tell(all);
  }

  /** Tell a submission of its first completion in the list. */
  #tell(arrivals: Arrivals): void {
    const submission = arrivals.shift();
    try {
      this.#told(submission, arrivals.part, arrivals.completion);
    } catch (error) {
      throwUncaught(error);
    }
  }

  /** A part of a submission has completed. */
  #told(submission: Submission, part: number, c: Completion): void {
    if (part === 0) {
      const isLast = !c.hasMore();
      if (isLast) this.#counters.completed++;
      try {
        submission.arrived(c);
      } finally {
        if (isLast) this.#partOver(submission);
      }
    } else if (part === CALL) {
      submission.arrived(c);
    } else if (part === TIMER) {
      submission.expired(c.res);
      this.#partOver(submission);
    } else if (c.res === -ENOENT && submission.owed > 1 && submission.startsLate()) {
      // The kernel does not find what is between the end of the one before it and its own beginning.
      this.#queue.cancelLater(submission);
    } else {
      this.#partOver(submission);
    }
  }

  #partOver(submission: Submission): void {
    if (--submission.owed > 0 || this.#turns.closed) return;
    this.#queue.vacate(submission);
    submission.over();
  }

  // ---------------------------------------------------------------- events

  /** Tell the first event at once, if there is one: nobody has been told of anything in this pass. */
  tellFirst(): void {
    const { length } = this.#reaper.events;
    if (length === 0 || (length > 1 && this.#passes.isFollowed)) return;
    // The others come before what this one asks for in immediates.
    this.plan(1);
    this.hops = HOPS_A_PASS;
    this.#tellEvent();
  }

  /**
   * Events that came are told one by one from now on: in the pass that has brought them, or in the next. Where that is
   * far, what comes behind an event of the same submission, which was told in this pass, is told in a tick that a
   * microtask asks for: it comes when the ticks and microtasks of the one before have run, and before the immediates
   * that they have asked for.
   */
  plan(told = 0): void {
    const { events } = this.#reaper;
    if (this.planned > 0 || events.length === told) return;
    if (this.#passes.areFar && this.hops > 0 && told === 0 && events.first!.toldIn === this.#turns.turns) {
      this.planned = 1;
      void SETTLED.then(this.#askForEvent);
      return;
    }
    const count = Math.min(events.length - told, EVENTS_A_PASS);
    this.planned = count;
    if (!this.#passes.isFollowed) this.#turns.turns++;
    this.#toldEvents = 0;
    this.#submittedAt = monotonicNow();
    for (let i = 0; i < count; i++) this.#passes.follow(this.#onEvent);
  }

  readonly #askForEvent = (): void => nextTick(this.#onNextEvent);

  readonly #onNextEvent = (): void => {
    if (this.#turns.closed) return;
    this.hops--;
    this.planned--;
    // A turn follows, and plans what comes with that.
    NOBODY.runInAsyncScope(this.#tellApart);
  };

  readonly #onEvent = (): (() => void) | undefined => {
    this.planned--;
    if (this.#turns.closed) return undefined;
    this.hops = HOPS_A_PASS;
    const { events } = this.#reaper;
    if (this.#passes.areFar || events.first?.isNatives(events.firstResult) !== true) return this.#tellApart;
    this.#turns.isTellingNatives = true;
    const isTurnDue = this.#turns.during(this.#tellPlanned);
    this.#turns.isTellingNatives = false;
    return isTurnDue ? this.#turn : undefined;
  };

  readonly #tellApart = (): void => {
    if (this.#turns.during(this.#tellPlanned)) this.#turn();
  };

  readonly #turn = (): void => {
    if (!this.#turns.closed) this.#turns.turn(true);
  };

  /** One event. A turn is due behind the last of them, and behind some: what they have to send is sent. */
  readonly #tellPlanned = (): boolean => {
    if (this.#reaper.events.length > 0) this.#tellEvent();
    return this.planned === 0 || this.#isSubmissionDue();
  };

  /**
   * Was enough told since what is asked for was submitted? If those who are told take long, one of them is enough. The
   * clock is looked at when there are twice as many as the last time: that alone would show in what an event costs.
   */
  #isSubmissionDue(): boolean {
    const told = ++this.#toldEvents;
    if ((told & (told - 1)) !== 0) return false;
    const now = monotonicNow();
    if (told < EVENTS_A_SUBMISSION && now - this.#submittedAt < SUBMISSION_MS) return false;
    this.#toldEvents = 0;
    this.#submittedAt = now;
    return true;
  }

  #tellEvent(): void {
    const { events } = this.#reaper;
    events.first!.toldIn = this.#turns.turns;
    this.#tell(events);
  }
}
