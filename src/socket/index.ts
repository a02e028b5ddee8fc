/**
 * `iouring/socket`: `listen` and `connect` with handlers that all connections share, views in place of copies and no
 * streams: the least that a socket can cost. Where there is no io_uring they stand on node:net.
 * @example
 * import { connect, listen } from 'iouring/socket';
 *
 * const listener = listen({ port: 0, socket: { data: (socket, data) => void socket.write(data) } });
 * const client = await connect({ port: listener.port!, socket: { data: (_, data) => console.log(`${data}`) } });
 * client.write('hello');
 */
export { connectLean as connect } from '../net/lean/connect.ts';
export { listen } from '../net/lean/listen.ts';
export type {
  ConnectOptions,
  LeanSocket,
  Listener,
  ListenOptions,
  SocketHandlers,
  Writable,
} from '../net/lean/types.ts';
