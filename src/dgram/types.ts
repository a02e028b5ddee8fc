/**
 * The types of `iouring/dgram`: those of `node:dgram`, as the version of @types/node that is installed has them. The
 * default export is a namespace as well, so that a type can be named by it: `dgram.Socket`.
 */
export * from './node-types.ts';
export * as default from './node-types.ts';
export type { UdpSocketOptions } from '../net/udp/udp-socket.ts';
