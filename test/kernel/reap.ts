import type { Completion, IoUring } from '../../src/index.ts';

/** Reap all that is available, as copies. */
export function reap(ring: IoUring): Completion[] {
  const completions: Completion[] = [];
  ring.forEachCompletion((c) => void completions.push(c.copy()));
  return completions;
}

/** Submit, wait for one completion, reap it: the whole round trip of a single operation. */
export function complete(ring: IoUring): Completion {
  ring.submitAndWait(1, { timeoutMs: 10_000 });
  const completions = reap(ring);
  if (completions.length !== 1) {
    const all = completions.map(({ userData, res, flags }) => `${userData}: ${res}, flags ${flags}`);
    throw new Error(`${completions.length} completions instead of one: ${all.join('; ')}`);
  }
  return completions[0];
}
