/**
 * The measured stretch of a competitor's loop, and the one line of JSON it prints.
 * The C counterpart is bench.h; both look at the clock equally often.
 */
import { writeSync } from 'node:fs';

const OPERATIONS_BETWEEN_LOOKS = 256;

/** The word after `name` on the command line, if it is there. */
export function find(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

/** The word after `name`, which has to be there. */
export function option(name: string): string {
  const value = find(name);
  if (value === undefined) {
    throw new Error(`Cannot start: ${name} is missing`);
  }
  return value;
}

/** Prints one line of JSON at once, even when the event loop never gets its turn. */
export function printLine(value: unknown): void {
  writeSync(1, `${JSON.stringify(value)}\n`);
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** A warm-up of `--warmup` seconds, then `--seconds` that count, then the line of JSON. */
export class Measurement {
  readonly #warmup = Number(option('--warmup'));
  readonly #seconds = Number(option('--seconds'));
  #startWall = performance.now();
  #startCpu = 0;
  #startOps = 0;
  #nextLook = OPERATIONS_BETWEEN_LOOKS;
  #warm = false;

  /** Whether to go on, `ops` operations being done since the program began. */
  proceeds(ops: number): boolean {
    return ops < this.#nextLook || this.#look(ops);
  }

  #look(ops: number): boolean {
    this.#nextLook = ops + OPERATIONS_BETWEEN_LOOKS;
    const seconds = (performance.now() - this.#startWall) / 1000;
    if (!this.#warm) {
      if (seconds >= this.#warmup) {
        this.#warm = true;
        this.#startOps = ops;
        this.#startCpu = cpuSeconds();
        this.#startWall = performance.now();
      }
      return true;
    }
    if (seconds < this.#seconds) {
      return true;
    }
    printLine({ ops: ops - this.#startOps, seconds, cpuSeconds: cpuSeconds() - this.#startCpu });
    return false;
  }
}
