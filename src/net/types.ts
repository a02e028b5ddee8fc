/**
 * The types of `iouring/net`: those of `node:net`, as the version of @types/node that is installed has them. The
 * default export is a namespace as well, so that a type can be named by it: `net.Socket`.
 */
export * from './node-types.ts';
export * as default from './node-types.ts';

// Beyond Node, for one version: see `iouring/socket` and `iouring/dgram`.
export { createSocket, listen } from './deprecated.ts';
export { UdpSocket, type UdpSocketOptions } from './udp/udp-socket.ts';
export type {
  ConnectOptions,
  LeanSocket,
  Listener,
  ListenOptions as LeanListenOptions,
  SocketHandlers,
  Writable,
} from './lean/types.ts';
