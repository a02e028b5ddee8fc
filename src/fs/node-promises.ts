import promises from 'node:fs/promises';

/**
 * Node's own module as it is when this one is loaded: a program may put this one in its place afterwards, and would
 * then be called by it in a circle. `iouring/register` loads this before it replaces anything, and the rest of `fs/`
 * when the first file is touched.
 */
export const node: typeof promises = { ...promises };
