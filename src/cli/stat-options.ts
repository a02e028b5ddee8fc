/** Options of Node's stat calls, which inherit from nothing: nothing that somebody adds to `Object.prototype` is one of them. */
export const BIGINT = { __proto__: null, bigint: true } as unknown as { bigint: true; throwIfNoEntry: true };
/** Undefined is told of what is not there. */
export const IF_ANY = { __proto__: null, throwIfNoEntry: false } as unknown as { throwIfNoEntry: false };
export const BIGINT_IF_ANY = { __proto__: null, bigint: true, throwIfNoEntry: false } as unknown as { bigint: true; throwIfNoEntry: false };
