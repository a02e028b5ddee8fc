import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// Not every version of the test runner hands --expose-gc on to its files.
setFlagsFromString('--expose-gc');

/** Collect garbage, all of it, now. */
export const collect = runInNewContext('gc') as () => void;

/** Collect, and let finalizers run: they come in a turn of their own. */
export async function finalized(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
