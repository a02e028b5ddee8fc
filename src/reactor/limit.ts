import { setTimeout } from '../native/timers.ts';

/** Lets in so many at a time; the others wait, and come in in the order in which they asked. */
export class Limit {
  readonly #most: number;
  readonly #stuckMs: number | undefined;
  #inside = 0;
  #done = 0;
  readonly #waiting: (() => void)[] = [];
  #stuck: NodeJS.Timeout | undefined;

  /**
   * @param stuckMs milliseconds in which none was over, after which one more is let in: some may wait for others (a
   *   pipe that nobody writes to), and must not keep those out for ever. Default: never
   */
  constructor(most: number, stuckMs?: number) {
    this.#most = most;
    this.#stuckMs = stuckMs;
  }

  /** Do `work` now or later. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (!this.enter()) await this.#turn();
    try {
      return await work();
    } finally {
      this.leave();
    }
  }

  /** Resolves when there is room, which is taken then: {@link leave} is to be called when what was let in is over. */
  async entered(): Promise<void> {
    if (!this.enter()) await this.#turn();
  }

  /** Is there room? Then it is taken. */
  enter(): boolean {
    if (this.#inside >= this.#most) return false;
    this.#inside++;
    return true;
  }

  leave(): void {
    this.#done++;
    const next = this.#inside <= this.#most ? this.#waiting.shift() : undefined;
    // The next one takes the place of this one.
    if (next === undefined) this.#inside--;
    else next();
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#stuckMs !== undefined) this.#watch(this.#stuckMs);
    });
  }

  #watch(stuckMs: number): void {
    if (this.#stuck !== undefined) return;
    const done = this.#done;
    this.#stuck = setTimeout(() => {
      this.#stuck = undefined;
      const next = this.#done === done ? this.#waiting.shift() : undefined;
      if (next !== undefined) {
        this.#inside++;
        next();
      }
      if (this.#waiting.length > 0) this.#watch(stuckMs);
    }, stuckMs);
  }
}
