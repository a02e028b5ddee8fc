/** The side that stands behind a connection from when it first goes through the ring. */
export { ring } from '../net/dropin/ring-side.ts';
export { ringSoFar } from './ring-so-far.ts';
