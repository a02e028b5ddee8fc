/** For the layers on top, which do not look further down. */
export { ownOptions } from '../ring/arguments/own-options.ts';
