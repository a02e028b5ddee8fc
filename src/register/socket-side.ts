/**
 * The side that stands behind node:net and node:http when the first server listens, or the first socket connects. What
 * it imports is little: the ring is behind another, which the first connection loads that goes through it.
 */
import { ringSide } from '../net/dropin/ring-when-needed.ts';
import type { ring } from '../net/dropin/ring-side.ts';

export { isBuiltAsNode } from '../net/dropin/node-net.ts';
export { haveNodesSockets } from '../net/dropin/connected.ts';
export { unregisterAll } from '../net/dropin/prototypes.ts';
export { bytesByRing, wasLookedAt, wayOf } from '../net/dropin/changing-ways.ts';
export { connectAdopted } from '../net/dropin/socket.ts';
export { observe } from '../net/dropin/watch.ts';
export { load, worth } from '../net/dropin/worth.ts';
export { showsTurns } from '../net/transport/load.ts';

/** Say how the ring is loaded. Is it there already? The program may have imported `iouring/net` as well. */
export function loadRingBy(load: () => { readonly ofSockets: typeof ring } | undefined): boolean {
  ringSide.loadBy(() => load()?.ofSockets);
  return ringSide.soFar !== undefined;
}
