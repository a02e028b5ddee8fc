/** The side that stands behind node:dgram when the first UDP socket is made. */
export { createSocket } from '../dgram/index.ts';
export { isBuiltAsNode } from '../net/dropin/node-net.ts';
export { UdpSocket } from '../net/udp/udp-socket.ts';
export { ringSoFar } from './ring-so-far.ts';
