/**
 * `iouring/socket`: `listen` and `connect` with handlers that all connections share, views in place of copies and no
 * streams: the least that a socket can cost. Where there is no io_uring they stand on node:net.
 */
export { connectLean as connect } from '../net/lean/connect.ts';
export { listen } from '../net/lean/listen.ts';
export type { ConnectOptions, LeanSocket, Listener, ListenOptions, SocketHandlers, Writable } from '../net/lean/types.ts';
