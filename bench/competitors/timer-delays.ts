/** Timers of 1 to 20 ms that are set again when they have fired, and how late they fire, as long as a server has connections. */

const LONGEST_MS = 20;

export class TimerDelays {
  #connections = 0;
  #delays: number[] = [];
  #timers: NodeJS.Timeout[] = [];

  connected(): void {
    this.#connections++;
    if (this.#connections === 1) {
      for (let ms = 1; ms <= LONGEST_MS; ms++) this.#set(ms);
    }
  }

  #set(ms: number): void {
    const due = performance.now() + ms;
    this.#timers[ms] = setTimeout(() => {
      this.#delays.push(performance.now() - due);
      this.#set(ms);
    }, ms);
  }

  /** What to say when a connection ends: the report with the last one, and nothing with those before it. */
  ended(): string {
    this.#connections--;
    if (this.#connections > 0) {
      return '';
    }
    this.#timers.forEach(clearTimeout);
    const delays = this.#delays.toSorted((a, b) => a - b);
    this.#delays = [];
    const share = (part: number): number => delays[Math.floor(part * (delays.length - 1))];
    return JSON.stringify({ timers: delays.length, p50: share(0.5), p99: share(0.99), max: share(1) });
  }
}
