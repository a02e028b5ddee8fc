/** The side that stands behind a connection from when it first goes through the ring. */
export { ring as ofSockets } from '../net/dropin/ring-side.ts';
export { ring as ofDatagrams } from '../net/udp/ring-side.ts';
export { nameNodesClass } from '../net/transport/active-resources.ts';
export { ringSoFar } from './ring-so-far.ts';
