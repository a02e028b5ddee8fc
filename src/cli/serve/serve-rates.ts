import { sized } from '../byte-size.ts';

const REDRAW_MS = 500;
/** Times are counted in steps of a tenth of their magnitude, from a microsecond on. */
const STEPS_PER_DECADE = 24;
const STEPS = STEPS_PER_DECADE * 8;

/** Shows what is being served, and how fast: on a terminal, a line on stderr that is drawn anew twice a second. */
export class ServeRates {
  readonly #connections: () => number;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #histogram = new Uint32Array(STEPS);
  #requests = 0;
  #bytes = 0;
  #since = performance.now();
  #line = '';

  /** @param connections how many are open */
  constructor(connections: () => number) {
    this.#connections = connections;
    if (!process.stderr.isTTY) return;
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
    this.#timer.unref();
  }

  add(bytes: number, milliseconds: number): void {
    if (this.#timer === undefined) return;
    this.#requests++;
    this.#bytes += bytes;
    const step = Math.floor(Math.log10(Math.max(1, milliseconds * 1000)) * STEPS_PER_DECADE);
    this.#histogram[Math.min(STEPS - 1, step)]++;
  }

  /** Let `write` write to the terminal. */
  around(write: () => void): void {
    if (this.#line !== '') process.stderr.write('\r\x1b[2K');
    write();
    if (this.#line !== '') process.stderr.write(this.#line);
  }

  end(): void {
    clearInterval(this.#timer);
    if (this.#line !== '') process.stderr.write('\r\x1b[2K');
    this.#line = '';
  }

  #draw(): void {
    const now = performance.now();
    const seconds = (now - this.#since) / 1000;
    const rate = Math.round(this.#requests / seconds);
    const p99 = this.#requests === 0 ? '' : `  p99 ${this.#percentile(0.99)} ms`;
    const text = `${rate} requests/s  ${sized(this.#bytes / seconds)}/s  ${this.#connections()} connections${p99}`;
    // Of some terminals the width is not known: it is 0 then.
    this.#line = text.slice(0, (process.stderr.columns || 80) - 1);
    process.stderr.write(`\r\x1b[2K${this.#line}`);
    this.#since = now;
    this.#requests = 0;
    this.#bytes = 0;
    this.#histogram.fill(0);
  }

  /** Milliseconds that so many of the requests did not exceed. */
  #percentile(part: number): string {
    let left = Math.ceil(this.#requests * part);
    let step = 0;
    while (step < STEPS - 1 && (left -= this.#histogram[step]) > 0) step++;
    return (10 ** ((step + 1) / STEPS_PER_DECADE) / 1000).toPrecision(2);
  }
}
