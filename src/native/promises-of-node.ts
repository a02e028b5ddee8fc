import type promises from 'node:fs/promises';
import { builtin } from './builtin.ts';

let asItWas: typeof promises | undefined;

/**
 * Node's own module as it is at the first call: a program may put this package's in its place afterwards, and would
 * then be called by it in a circle. `iouring/register` calls this before it replaces anything there, and the rest of
 * `fs/` when it is loaded.
 */
export function promisesOfNode(): typeof promises {
  return (asItWas ??= { ...(builtin('node:fs/promises') as typeof promises) });
}
