/** The side that stands behind node:fs/promises when the first file is touched. */
export { promises } from '../fs/promises.ts';
export { ringSoFar } from './ring-so-far.ts';
