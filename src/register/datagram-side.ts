/**
 * The side that stands behind node:dgram when the first UDP socket is made. The ring is behind another, as with
 * `socket-side.ts`.
 */
import { ringSide } from '../net/udp/ring-when-needed.ts';
import type { ring } from '../net/udp/ring-side.ts';

export { isBuiltAsNode } from '../net/dropin/node-net.ts';
export { showsTurns } from '../net/transport/load.ts';
export { createNodesSocket, lifeOf, UdpSocket } from '../net/udp/udp-socket.ts';
export { load, worth } from '../net/udp/worth.ts';

/** Say how the ring is loaded. Is it there already? The program may have imported `iouring/dgram` as well. */
export function loadRingBy(load: () => { readonly ofDatagrams: typeof ring } | undefined): boolean {
  ringSide.loadBy(() => load()?.ofDatagrams);
  return ringSide.soFar !== undefined;
}
