import { clearTimeout, setTimeout } from '../../native/timers.ts';
import { coreOf } from '../../ring/ring-core.ts';
import type { IoUring } from '../../ring/io-uring.ts';
import type { Observer } from '../observer.ts';
import type { Submission } from '../submission.ts';
import { CANCEL, type Slots } from './slots.ts';
import { isPassing, type Counters, type Turns } from './turns.ts';

/** The longest time that a timer of the event loop takes. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** After so many milliseconds without a completion, what is queued does not wait for room any more. */
const STUCK_MS = 20;

/**
 * The way in: submissions get their places and their entries, or wait in front of the ring until their completions
 * would find room; cancellations go the same way. The entries are handed to the kernel in a turn, or before it to make
 * room for more.
 */
export class SubmitQueue {
  /** How many submissions are with the kernel. */
  inFlight = 0;
  /** How many wait in front of the ring. */
  queued = 0;
  /** How many are with the kernel that do not keep the process alive. */
  idlers = 0;
  readonly #ring: IoUring;
  readonly #slots: Slots;
  readonly #counters: Counters;
  readonly #observer: Observer;
  readonly #turns: Turns;
  /** So many are with the kernel at once, so that all their completions find room in the queue for them. */
  readonly #limit: number;
  /** How many are, of those that do not wait for ever. */
  #load = 0;
  /** How many of those are over. */
  #settled = 0;
  #first: Submission | undefined;
  #last: Submission | undefined;
  /** To be prepared when the tick, or the turn, is over. */
  #late: (Submission | undefined)[] = [];
  #lateCount = 0;
  /**
   * The other of two lists that take turns. To shorten a list costs more than to use it again: it stays as long as it
   * ever was.
   */
  #spare: (Submission | undefined)[] | undefined;
  /** Cancellations that found no room. */
  #uncancelled: Submission[] = [];
  #stuck: NodeJS.Timeout | undefined;

  constructor(ring: IoUring, slots: Slots, counters: Counters, observer: Observer, turns: Turns) {
    this.#ring = ring;
    this.#slots = slots;
    this.#counters = counters;
    this.#observer = observer;
    this.#turns = turns;
    // The rest is for cancellations, and for what waits.
    this.#limit = Math.max(1, ring.cqEntries >> 1);
  }

  /** Does anything wait in front of the ring? */
  get isWaiting(): boolean {
    return this.#first !== undefined;
  }

  /** Is anything there that a turn is to hand over? */
  get hasWork(): boolean {
    return this.#ring.sqReady > 0 || this.#uncancelled.length > 0 || this.#lateCount > 0;
  }

  /** Are there cancellations that found no room? */
  get hasCancellations(): boolean {
    return this.#uncancelled.length > 0;
  }

  /** The same of what need not wait for anything. */
  get hasEntries(): boolean {
    return this.#ring.sqReady > 0 || this.#lateCount > 0;
  }

  // ---------------------------------------------------------------- submissions

  /** Hand a submission to the kernel, or put it into the queue in front of the ring. */
  take(submission: Submission): void {
    // It was dropped, and is wanted again before its turn came: its place is still there.
    if (submission.queued) {
      submission.dropped = false;
      return;
    }
    if (this.#first === undefined && this.#isWelcome(submission) && this.#launch(submission)) return;
    const { timeLeft } = submission;
    // A timer of the loop counts to 2^31-1; nothing waits for room so long.
    if (timeLeft !== undefined && timeLeft <= TIMER_MAX_MS) {
      setTimeout(() => this.#expire(submission), timeLeft).unref();
    }
    if (this.#last === undefined) this.#first = submission;
    else this.#last.nextQueued = submission;
    this.#last = submission;
    submission.queued = true;
    this.queued++;
    this.#turns.schedule();
  }

  /** {@link take} it when the tick, or the turn, is over. */
  takeLater(submission: Submission): void {
    this.#late[this.#lateCount++] = submission;
    this.#turns.schedule();
  }

  /** Take those now. */
  launchLate(): void {
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
      else this.take(submission);
    }
    this.#spare = late;
  }

  /** The submissions that are to be made late; they are not any more. */
  removeLate(): Submission[] {
    const late = this.#late.slice(0, this.#lateCount) as Submission[];
    this.#late.fill(undefined, 0, this.#lateCount);
    this.#lateCount = 0;
    return late;
  }

  /** A submission that waits for room may wait too long for it. */
  #expire(submission: Submission): void {
    if (submission.dropped || submission.slot >= 0 || submission.owed > 0) return;
    for (const one of this.waiting()) {
      if (one !== submission) continue;
      submission.dropped = true;
      submission.late();
      return;
    }
  }

  /** Would its completions find room? */
  #isWelcome(submission: Submission): boolean {
    if (submission.isUnbounded) return true;
    const size = submission.members?.length ?? 1;
    return this.#load === 0 || this.#load + size <= this.#limit;
  }

  /** Write the entries. False if there is no room in the queue. */
  #launch(submission: Submission): boolean {
    const ring = this.#ring;
    let ready = 0;
    this.#occupy(submission);
    try {
      if (submission.entries > 1) {
        if (ring.sqSpaceLeft < submission.entries) this.#enterEarly();
        if (ring.sqSpaceLeft < submission.entries) {
          this.vacate(submission);
          return false;
        }
        ready = ring.sqReady;
      }
      if (!submission.prepare(ring) && !(this.#enterEarly() && submission.prepare(ring))) {
        this.vacate(submission);
        return false;
      }
    } catch (error) {
      // Of several entries, those before the wrong one.
      if (submission.entries > 1 && !ring.closed) coreOf(ring).unprepare(ready);
      this.vacate(submission);
      submission.refused(error as Error);
      return true;
    }
    this.#counters.submitted += submission.members?.length ?? 1;
    this.#turns.schedule();
    return true;
  }

  /**
   * Write the entries of several operations, and take them back: their arguments are right. Where there is no room it
   * is left to each when its turn comes. @throws misuse
   */
  rehearse(submission: Submission): void {
    const ring = this.#ring;
    if (ring.sqSpaceLeft < submission.entries) this.#enterEarly();
    if (ring.sqSpaceLeft < submission.entries) return;
    const ready = ring.sqReady;
    this.#occupy(submission);
    try {
      submission.prepare(ring);
    } finally {
      coreOf(ring).unprepare(ready);
      this.vacate(submission);
    }
    for (const member of submission.members ?? []) member.owed = 0;
  }

  #occupy(submission: Submission): void {
    const { members } = submission;
    if (members !== undefined) {
      for (const member of members) this.#occupy(member);
      return;
    }
    submission.slot = this.#slots.occupy(submission);
    this.inFlight++;
    if (!submission.keepsAlive) this.idlers++;
    if (!submission.isUnbounded) this.#load++;
  }

  /** Nothing of it is with the kernel any more. */
  vacate(submission: Submission): void {
    const { members } = submission;
    if (members !== undefined) {
      for (const member of members) this.vacate(member);
      return;
    }
    if (!submission.isUnbounded) this.#settled++;
    this.#slots.vacate(submission.slot);
    submission.slot = -1;
    this.inFlight--;
    if (!submission.keepsAlive) this.idlers--;
    if (!submission.isUnbounded) this.#load--;
  }

  /** From the queue in front, as much as there is room for, or `surplus` in spite of all. Was there anything? */
  admit(surplus = 0): boolean {
    let admitted = false;
    for (let left = surplus; this.#first !== undefined; left--) {
      const submission = this.#first;
      if (!submission.dropped) {
        if (left <= 0 && !this.#isWelcome(submission)) break;
        if (!this.#launch(submission)) break;
        admitted = true;
      }
      this.#first = submission.nextQueued;
      submission.nextQueued = undefined;
      submission.queued = false;
      if (this.#first === undefined) this.#last = undefined;
      this.queued--;
    }
    return admitted;
  }

  /** The submissions that wait in front of the ring. */
  *waiting(): Generator<Submission> {
    for (let one = this.#first; one !== undefined; one = one.nextQueued) yield one;
  }

  /**
   * Operations that were not expected to may wait for ever too: reads of pipes. If nothing moves, what is behind them
   * is let through, though the kernel might have to keep completions aside then. It loses none.
   */
  watch(): void {
    if (this.#first === undefined || this.#stuck !== undefined) return;
    const settled = this.#settled;
    this.#stuck = setTimeout(() => {
      this.#stuck = undefined;
      if (this.#turns.closed) return;
      if (this.#settled === settled) this.admit(this.#ring.sqEntries);
      this.#turns.turn(false);
    }, STUCK_MS);
  }

  // ---------------------------------------------------------------- to the kernel

  /** Hand over all that is there. */
  submitAll(): void {
    this.retryCancellations();
    this.launchLate();
    this.#enter();
  }

  /**
   * Hand the entries over before the turn comes, to make room for more. Not if their completions might not find room in
   * their queue, which is worked off in a turn only.
   */
  #enterEarly(): boolean {
    if (!this.hasRoom()) return false;
    try {
      this.#enter();
    } catch (error) {
      if (!isPassing(error)) throw error;
      return false;
    }
    return true;
  }

  /** Is there room for the completions of all entries that can be handed over at once? */
  hasRoom(): boolean {
    const { cqReady, sqEntries, cqEntries } = this.#ring;
    return cqReady + 2 * sqEntries <= cqEntries;
  }

  /** Hand the entries that were written to the kernel. */
  #enter(): void {
    const ring = this.#ring;
    if (ring.sqReady === 0) return;
    // What the kernel has put off until we come costs as much again, and so is asked for only if there is any.
    this.countEnter(ring.hasDeferredWork ? ring.submitAndWait(0) : ring.submit());
  }

  countEnter(consumed: number): void {
    if (consumed === 0) return;
    this.#counters.enters++;
    this.#observer.submitted(consumed, this.inFlight);
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
    this.#turns.schedule();
    return true;
  }

  /** A cancellation has missed it: in the next turn another one is tried. */
  cancelLater(submission: Submission): void {
    this.#uncancelled.push(submission);
  }

  #prepareCancel(submission: Submission): boolean {
    const ring = this.#ring;
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

  retryCancellations(): void {
    if (this.#uncancelled.length === 0) return;
    const all = this.#uncancelled;
    this.#uncancelled = [];
    this.#uncancelled = all.filter((submission) => !this.#prepareCancel(submission));
  }

  // ---------------------------------------------------------------- the end

  /** Nothing goes in any more. What has not come out: in front of the ring, with the kernel, and late. */
  end(): Submission[] {
    const left = [...this.waiting(), ...this.#slots, ...this.removeLate()];
    this.#first = this.#last = undefined;
    clearTimeout(this.#stuck);
    this.queued =
      this.inFlight =
      this.idlers =
      this.#load =
        0;
    this.#slots.clear();
    return left;
  }
}
