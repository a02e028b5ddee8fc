/**
 * The side that stands behind Node's modules when the first server listens, the first socket connects or the first file
 * is read: nothing of it is loaded before where this can be, for it takes longer than many programs run.
 */
import { IORING_OP_SEND_ZC } from '../abi/operations.ts';
import { reactorSoFar } from '../reactor/default-reactor.ts';

export { createSocket } from '../dgram/index.ts';
export { promises } from '../fs/promises.ts';
export { isBuiltAsNode } from '../net/dropin/node-net.ts';
export { listenThroughRing } from '../net/dropin/server.ts';
export { adopt, wayOf } from '../net/dropin/socket.ts';
export { UdpSocket } from '../net/udp/udp-socket.ts';

/** The numbers of the ring in this thread, and whether it serves sockets; undefined if there is none. */
export function ringSoFar(): { enters: number; submitted: number; hasSockets: boolean } | undefined {
  const io = reactorSoFar();
  if (io === undefined) return undefined;
  const { enters, submitted } = io.stats;
  return { enters, submitted, hasSockets: io.supports(IORING_OP_SEND_ZC) };
}

/** This module. */
export type RingSide = typeof import('./ring-side.ts');
