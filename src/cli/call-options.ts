/**
 * Options of calls: they inherit from nothing, so that nothing that somebody adds to `Object.prototype` is one of them.
 * Objects of a class are faster for it than literals without a prototype.
 */
export class CallOptions {
  static {
    Object.setPrototypeOf(this.prototype, null);
  }
}

/** Where to read or write, and how much. */
export class Span extends CallOptions {
  readonly offset: number;
  readonly length: number;

  constructor(offset: number, length: number) {
    super();
    this.offset = offset;
    this.length = length;
  }
}

/**
 * Options of Node's stat calls, which inherit from nothing: nothing that somebody adds to `Object.prototype` is one of
 * them.
 */
export const BIGINT = { __proto__: null, bigint: true } as unknown as { bigint: true; throwIfNoEntry: true };
/** Undefined is told of what is not there. */
export const IF_ANY = { __proto__: null, throwIfNoEntry: false } as unknown as { throwIfNoEntry: false };
export const BIGINT_IF_ANY = { __proto__: null, bigint: true, throwIfNoEntry: false } as unknown as {
  bigint: true;
  throwIfNoEntry: false;
};
