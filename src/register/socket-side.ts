/**
 * The side that stands behind node:net and node:http when the first server listens, or the first socket connects. What
 * it imports is little: the ring is behind another, which the first connection loads that goes through it.
 */
export { isBuiltAsNode } from '../net/dropin/node-net.ts';
export { haveOurSockets } from '../net/dropin/connected.ts';
export { loadRingBy, ringSideSoFar } from '../net/dropin/ring-when-needed.ts';
export { bytesByRing, connectAdopted, wasLookedAt, wayOf } from '../net/dropin/socket.ts';
export { showsTurns, worth } from '../net/dropin/worth.ts';
