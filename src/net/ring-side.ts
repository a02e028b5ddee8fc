/**
 * The part of us that stands behind sockets from when the first goes through the ring. Entry points load this file when
 * it is needed: nothing that they import does.
 */
export { ring as ofSockets } from './dropin/ring-side.ts';
export { ring as ofDatagrams } from './udp/ring-side.ts';
export { connectLean } from './lean/connect.ts';
export { listen } from './lean/listen.ts';
