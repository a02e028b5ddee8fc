/** For the layers on top, which do not look further down. */
export { ownOptions } from '../ring/own-options.ts';
