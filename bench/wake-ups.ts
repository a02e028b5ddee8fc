/** How often the threads of another process went on after they had slept, from the kernel's accounting. */
import { readdirSync, readFileSync } from 'node:fs';

export class WakeUps {
  readonly #pid: number;
  readonly #start: ReadonlyMap<string, number>;

  constructor(pid: number) {
    this.#pid = pid;
    this.#start = sleeps(pid);
  }

  /** Since the construction. A thread sleeps once more than it wakes up, at most. */
  count(): number {
    let count = 0;
    for (const [thread, total] of sleeps(this.#pid)) {
      count += total - (this.#start.get(thread) ?? 0);
    }
    return count;
  }
}

/** How often each thread has given up its core by itself. */
function sleeps(pid: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'latin1');
      counts.set(thread, Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1]));
    } catch {
      // The thread has ended.
    }
  }
  return counts;
}
