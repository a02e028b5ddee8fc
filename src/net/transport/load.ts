import type * as hooks from 'node:perf_hooks';
import { builtin } from '../../native/builtin.ts';
import { monotonicNow } from '../../native/timers.ts';

/** How sockets of all kinds change between Node and the ring. */
export const CHANGING = {
  /** A socket that was given back is not looked at for so many times as many messages as before. */
  patience: 4,
  /** So many it is left alone at most. */
  longest: 65_536,
  /**
   * A measurement takes so long: to change ways costs as much as some hundred messages save, and a burst is over before
   * that.
   */
  milliseconds: 100,
  /** Milliseconds between two sockets that are taken: many at once would keep the others waiting. */
  pause: 1,
};

/** When the ring pays for sockets of one kind; may change. */
export interface Limits extends Readonly<typeof CHANGING> {
  /** Messages in a turn of the event loop, of all sockets of the kind, from which on it pays. */
  readonly pays: number;
  /**
   * From there on it does until there are fewer than these. A program whose sockets are part Node's and part the ring's
   * pays for both, so it is one verdict for all of them.
   */
  readonly costs: number;
}

/** The gauges that a load is measured by. */
export interface Gauges {
  /** Milliseconds. */
  now(): number;
  /** Turns that the event loop of this thread has made. */
  turns(): number;
}

/** Counts between two looks at the clock. */
const WINDOW = 256;
/** So many sockets that are looked at, and for which the ring does not pay, speak for the others. */
const DECLINED = 16;
/** After so many milliseconds without another one a measurement says nothing any more. */
const HOLDS_MS = 2000;
/** Two measurements that are so far from each other do not say what was in between. */
const APART_MS = 5000;

/**
 * The messages of a kind of socket, and whether the ring pays for them. It saves system calls, by one that serves many,
 * and wakes peers in batches; where there are few messages in a turn of the event loop, what it does beside them costs
 * more than that.
 */
export class Load {
  readonly #limits: Limits;
  readonly #gauges: Gauges;
  #counts = 0;
  #messages = 0;
  #turns = 0;
  #began = 0;
  #perTurn = 0;
  /** The verdict before the last measurement. */
  #paid = false;
  #measuredAt = 0;
  /** Each measurement since then said that it pays; infinite if the last one did not. */
  #paysSince = Number.POSITIVE_INFINITY;
  #triedAt = 0;
  #tookAt = 0;
  /** Sockets that were looked at since the last was taken. */
  #declined = 0;

  /** @param gauges are those of this thread, but in tests */
  constructor(limits: Limits, gauges: Gauges = GAUGES) {
    this.#limits = limits;
    this.#gauges = gauges;
  }

  /** Something came, or went: a message, or more of the one before. */
  count(isMessage: boolean): void {
    if (isMessage) this.#messages++;
    if (++this.#counts === WINDOW) this.#measure();
  }

  #measure(): void {
    const now = this.#gauges.now();
    this.#counts = 0;
    if (now - this.#began < this.#limits.milliseconds) return;
    const turns = this.#gauges.turns();
    // The first one only begins; so does one that comes after a time in which little was counted.
    this.#paid = this.pays;
    if (now - this.#began < HOLDS_MS) {
      const isNew = now - this.#measuredAt >= APART_MS;
      this.#perTurn = this.#messages / Math.max(1, turns - this.#turns);
      this.#measuredAt = now;
      if (!this.pays) this.#paysSince = Number.POSITIVE_INFINITY;
      else if (isNew || this.#paysSince > now) this.#paysSince = now;
    }
    this.#beginAt(now, turns);
  }

  #beginAt(now: number, turns: number): void {
    this.#turns = turns;
    this.#began = now;
    this.#messages = 0;
  }

  /** Messages are counted from now on: before, not all were. */
  beginAnew(): void {
    this.#counts = this.#declined = 0;
    this.#beginAt(this.#gauges.now(), this.#gauges.turns());
  }

  /** Has there been less than half of what pays, since {@link beginAnew} or the last measurement? */
  get isFarFromPaying(): boolean {
    return this.#messages / Math.max(1, this.turn - this.#turns) < this.#limits.pays / 2;
  }

  /** The turn that the event loop is in. */
  get turn(): number {
    return this.#gauges.turns();
  }

  /** Was it measured since a moment, in milliseconds of the clock of the gauges? */
  wasMeasuredSince(moment: number): boolean {
    return this.#measuredAt > moment;
  }

  /** Does the ring pay, and has it for so many milliseconds? */
  paysFor(milliseconds: number): boolean {
    return this.pays && (milliseconds === 0 || this.#gauges.now() - this.#paysSince >= milliseconds);
  }

  /** Does the ring pay, as measured last? */
  get pays(): boolean {
    const perTurn = this.#gauges.now() - this.#measuredAt < HOLDS_MS ? this.#perTurn : 0;
    return perTurn >= (this.#paid ? this.#limits.costs : this.#limits.pays);
  }

  /** May one be taken now? Then it is to be. */
  takesTurn(): boolean {
    const now = this.#gauges.now();
    if (now - this.#triedAt < this.#limits.pause) return false;
    this.#triedAt = now;
    return true;
  }

  /** One was taken. */
  took(): void {
    this.#tookAt = this.#gauges.now();
    this.#declined = 0;
  }

  /** One was looked at, and is not to be taken: its messages are large, or others have its handle. */
  decline(): void {
    this.#declined++;
  }

  /** Is there none to be taken, as far as they were looked at since one was, and since {@link beginAnew}? */
  get isDeclined(): boolean {
    return this.#declined >= DECLINED;
  }

  /** When the last one was taken, in milliseconds of the clock of the gauges. */
  get tookAt(): number {
    return this.#tookAt;
  }

  /** Messages until the next look at a socket that is given back, after so many until this one. */
  nextPeriod(period: number): number {
    return Math.min(period * this.#limits.patience, this.#limits.longest);
  }
}

interface LoopTiming {
  /** From version 20.18 on. */
  readonly uvMetricsInfo?: { readonly loopCount: number };
}

let nodeTiming: LoopTiming | undefined;

/** The turns of the loop; its module is loaded by the first who asks, and few programs have anybody who does. */
function turnsOfLoop(): number | undefined {
  nodeTiming ??= (builtin('node:perf_hooks') as typeof hooks).performance.nodeTiming as LoopTiming;
  return nodeTiming.uvMetricsInfo?.loopCount;
}

/** Does this version of Node count the turns of its loop? Where it does not, nothing shows that the ring pays. */
export function showsTurns(): boolean {
  return turnsOfLoop() !== undefined;
}

const GAUGES: Gauges = {
  now: monotonicNow,
  turns: () => turnsOfLoop() ?? Number.POSITIVE_INFINITY,
};
