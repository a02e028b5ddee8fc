/**
 * An object that inherits nothing: what somebody put into Object.prototype is not in it. Options that are made inside of
 * the package are like that, and descriptors.
 */
export function bare<T extends object>(object: T): T {
  return Object.setPrototypeOf(object, null) as T;
}

/** No options. */
export const NONE: object = Object.freeze(bare({}));
