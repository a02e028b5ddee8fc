/** What stands behind node:dgram when the first UDP socket is made. */
export { createSocket } from '../dgram/index.ts';
export { isBuiltAsNode } from '../net/node-net.ts';
export { UdpSocket } from '../net/udp-socket.ts';
export { ringSoFar } from './ring-so-far.ts';
