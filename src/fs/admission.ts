import { setTimeout } from '../native/timers.ts';

/** So many files are open at once for what is done with whole files. */
const FILES_MAX = 256;

/** After so many milliseconds in which none was done, one more is let in. */
const STUCK_MS = 20;

/**
 * Lets in so many at a time: whoever reads ten thousand files at once would open them all before the first is read, and run
 * out of descriptors. Those that wait for somebody else (a pipe that nobody writes to) do not keep the others out for ever.
 */
export class Admission {
  readonly #limit: number;
  #inside = 0;
  #done = 0;
  readonly #waiting: (() => void)[] = [];
  #stuck: NodeJS.Timeout | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Do `work` now or later, in the order that was asked. */
  async admit<T>(work: () => Promise<T>): Promise<T> {
    if (!this.enter()) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        this.#watch();
      });
    }
    try {
      return await work();
    } finally {
      this.leave();
    }
  }

  /** Is there room? Then {@link leave} is to be called when what was let in is over. */
  enter(): boolean {
    if (this.#inside >= this.#limit) return false;
    this.#inside++;
    return true;
  }

  leave(): void {
    this.#done++;
    const next = this.#inside <= this.#limit ? this.#waiting.shift() : undefined;
    // The next one takes the place of this one.
    if (next === undefined) this.#inside--;
    else next();
  }

  #watch(): void {
    if (this.#stuck !== undefined) return;
    const done = this.#done;
    this.#stuck = setTimeout(() => {
      this.#stuck = undefined;
      const next = this.#done === done ? this.#waiting.shift() : undefined;
      if (next !== undefined) {
        this.#inside++;
        next();
      }
      if (this.#waiting.length > 0) this.#watch();
    }, STUCK_MS);
  }
}

/** For what opens a file, does something with all of it, and closes it. */
export const admission = new Admission(FILES_MAX);
