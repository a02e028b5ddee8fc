export { listen } from './listen.ts';
export { connectLean as connect } from './connect.ts';
export { createSocket, UdpSocket, type UdpSocketOptions } from './udp-socket.ts';
export type {
  ConnectOptions,
  LeanSocket,
  Listener,
  ListenOptions,
  SocketHandlers,
  Writable,
} from './lean.ts';
