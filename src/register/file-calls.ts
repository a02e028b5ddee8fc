import { isEager } from '../native/eager.ts';
import { monotonicNow } from '../native/timers.ts';

/** When the calls of node:fs/promises go through the ring. */
export const CHANGING = {
  /** Calls in a second from which on it pays. */
  pays: 1000,
  /** And from there on until there are fewer than these: one call now and then is cheaper by Node. */
  costs: 250,
  /**
   * Milliseconds in which there have to be so many before the ring is taken: to load it takes 30 to 100, in which Node
   * does some thousand calls.
   */
  milliseconds: 1000,
} as const;

/** Calls between two looks at the clock. */
const WINDOW = 64;

/**
 * Milliseconds over which calls are counted before they are found too few for the ring to pay: a thread that others
 * keep from running, or that is one of a container with a limit, stands still for some tens of them time and again.
 */
const PERIOD_MS = 250;

/** Counts the calls of a thread, and tells whether the ring pays for them. */
export class FileCalls {
  readonly #now: () => number;
  #pays = isEager;
  #calls = 0;
  #lookedAt = -Infinity;
  #busySince = 0;
  /** The calls since the period began. */
  #periodCalls = 0;
  #periodSince = 0;
  /** Calls that went through Node because the ring would not have paid. */
  byNode = 0;

  /** @param now milliseconds; of this thread, but in tests */
  constructor(now: () => number = monotonicNow) {
    this.#now = now;
  }

  /** One more is made: is it to go through the ring? */
  count(): boolean {
    if (!isEager && ++this.#calls === WINDOW) this.#look();
    if (!this.#pays) this.byNode++;
    return this.#pays;
  }

  #look(): void {
    const now = this.#now();
    const perSecond = (WINDOW * 1000) / (now - this.#lookedAt);
    this.#calls = 0;
    this.#lookedAt = now;
    if (perSecond < CHANGING.costs) return this.#areFew(now);
    this.#periodCalls += WINDOW;
    const ms = now - this.#periodSince;
    if (ms < PERIOD_MS) return;
    if (!this.#pays && this.#periodCalls * 1000 < CHANGING.pays * ms) return this.#areFew(now);
    this.#beginPeriod(now);
    if (now - this.#busySince >= CHANGING.milliseconds) this.#pays = true;
  }

  #areFew(now: number): void {
    this.#pays = false;
    this.#busySince = now;
    this.#beginPeriod(now);
  }

  #beginPeriod(now: number): void {
    this.#periodCalls = 0;
    this.#periodSince = now;
  }
}

/** The calls of this thread. */
export const fileCalls = new FileCalls();
