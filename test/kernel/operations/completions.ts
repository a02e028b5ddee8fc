import type { Completion, IoUring } from '../../../src/index.ts';
import { reap } from '../reap.ts';

/** Long enough for anything that is going to happen at all. */
const LIMIT_MS = 10_000;

/** Submit, and reap until there are `count` completions. */
export function completions(ring: IoUring, count: number): Completion[] {
  const found: Completion[] = [];
  const deadline = performance.now() + LIMIT_MS;
  while (found.length < count) {
    ring.submitAndWait(count - found.length, { timeoutMs: Math.max(1, deadline - performance.now()) });
    found.push(...reap(ring));
    if (performance.now() > deadline) throw new Error(`${found.length} completions instead of ${count}`);
  }
  if (found.length > count) throw new Error(`${found.length} completions instead of ${count}`);
  return found;
}

/** Submit, and reap the results of `count` operations that all have userData of their own. */
export function results(ring: IoUring, count: number): Map<number, number> {
  const byUserData = new Map<number, number>();
  for (const c of completions(ring, count)) {
    if (byUserData.has(c.userData)) throw new Error(`two completions of ${c.userData}`);
    byUserData.set(c.userData, c.res);
  }
  return byUserData;
}

/** Nothing is there, and nothing comes of its own: what was submitted stays in flight. */
export function isQuiet(ring: IoUring): boolean {
  ring.submitAndWait(0);
  return reap(ring).length === 0;
}
