/**
 * Options, or another record with parts that may be left out, made inside this package: they inherit from nothing,
 * whatever a program puts into `Object.prototype`. Where they are made at every operation, it is cheaper to name every
 * part.
 * @param own is changed, and returned
 */
export function ownOptions<T extends object>(own: T): T {
  return Object.setPrototypeOf(own, null) as T;
}

/** No options. */
export const NONE: object = Object.freeze(ownOptions({}));
