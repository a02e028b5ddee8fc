import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collect garbage, all of it, now. */
export const collect: () => void = find();

function find(): () => void {
  const { Bun, gc } = globalThis as { Bun?: { gc: (waits: boolean) => void }; gc?: () => void };
  if (Bun !== undefined) return () => Bun.gc(true);
  if (gc !== undefined) return gc;
  // Not every version of the test runner hands --expose-gc on to its files.
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

/** Collect, and let finalizers run: they come in a turn of their own. */
export async function finalized(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
