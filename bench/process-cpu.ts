/** How much CPU another process has used, and how long it waited for some, from the kernel's accounting. */
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ, the unit of /proc/PID/stat, is 100 on every architecture Node supports. */
const TICKS_PER_SECOND = 100;

interface Reading {
  /** Nanoseconds by thread. */
  readonly threads: ReadonlyMap<string, number>;
  /** User and system time of the process, ended threads included. */
  readonly ticks: number;
}

function readThreads(pid: number): Map<string, number> {
  const threads = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const schedstat = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1');
      threads.set(thread, Number(schedstat.split(' ', 1)[0]));
    } catch {
      // The thread has ended, or the kernel keeps no such statistics: the ticks tell.
    }
  }
  return threads;
}

function readTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name in parentheses may hold anything; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** Nanoseconds for which the main thread could have run and another one had its core. */
function readWait(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ', 2)[1]);
  } catch {
    // The kernel keeps no such statistics.
    return 0;
  }
}

export class ProcessCpu {
  readonly #pid: number;
  readonly #start: Reading;
  readonly #startWait: number;
  readonly #startWall = performance.now();

  constructor(pid: number) {
    this.#pid = pid;
    this.#start = { threads: readThreads(pid), ticks: readTicks(pid) };
    this.#startWait = readWait(pid);
  }

  /** For how long the main thread had to wait for its core since the construction. */
  waitedSeconds(): number {
    return (readWait(this.#pid) - this.#startWait) / 1e9;
  }

  /** The same as a share of the time, in percent. */
  waitedPercent(): number {
    return (100 * 1000 * this.waitedSeconds()) / (performance.now() - this.#startWall);
  }

  /**
   * CPU seconds used since the construction. By the scheduler's nanoseconds; by ticks of 10 ms when
   * a thread has ended meanwhile, since its nanoseconds are gone.
   */
  seconds(): number {
    const now = readThreads(this.#pid);
    const before = this.#start.threads;
    if (before.size === 0 || [...before.keys()].some((thread) => !now.has(thread))) {
      return (readTicks(this.#pid) - this.#start.ticks) / TICKS_PER_SECOND;
    }
    let nanoseconds = 0;
    for (const [thread, used] of now) {
      nanoseconds += used - (before.get(thread) ?? 0);
    }
    return nanoseconds / 1e9;
  }
}
