/**
 * How objects of this package look in console.log: their names, and what can be read of them without asking the
 * kernel.
 */
import { errnoName } from '../abi/errno.ts';
import type { InspectOptions, inspect } from 'node:util';

/** The fields of an object under its name, for a method `[inspect.custom]`, whose arguments are the last three. */
export function shown(
  name: string,
  fields: () => object,
  depth: number,
  options: InspectOptions,
  show: typeof inspect,
): string {
  if (depth < 0) return `[${name}]`;
  const left = options.depth === null || options.depth === undefined ? options.depth : options.depth - 1;
  return `${name} ${show(fields(), { ...options, depth: left as number })}`;
}

/** A result, and the name of the error if it is one. */
export function resultFields(res: number): { res: number; error?: string } {
  return res < 0 && res > -4096 ? { res, error: errnoName(-res) } : { res };
}
