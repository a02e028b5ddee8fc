/** The side that stands behind node:net and node:http when the first server listens, or the first socket connects. */
export { isBuiltAsNode } from '../net/dropin/node-net.ts';
export { haveOurSockets } from '../net/dropin/connected.ts';
export { connectAdopted, wayOf } from '../net/dropin/socket.ts';
export { ringSoFar } from './ring-so-far.ts';
