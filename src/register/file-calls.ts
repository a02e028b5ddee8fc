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

/** Counts the calls of a thread, and tells whether the ring pays for them. */
export class FileCalls {
  readonly #now: () => number;
  #pays = isEager;
  #calls = 0;
  #lookedAt = -Infinity;
  #busySince = 0;
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
    if (perSecond < (this.#pays ? CHANGING.costs : CHANGING.pays)) {
      this.#pays = false;
      this.#busySince = now;
    } else if (now - this.#busySince >= CHANGING.milliseconds) {
      this.#pays = true;
    }
  }
}

/** The calls of this thread. */
export const fileCalls = new FileCalls();
