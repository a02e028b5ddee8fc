/** Every name of `iouring/net`. */
import { net } from './module.ts';

type Net = typeof net;
/** A name that not every version of Node has: undefined where it is missing, and in types that are older. */
type OfNode<K extends string> = K extends keyof Net ? Net[K] : undefined;
const ofNode = <K extends string>(name: K): OfNode<K> => (net as unknown as Record<string, unknown>)[name] as OfNode<K>;

export default net;
export const {
  BlockList,
  Server,
  Socket,
  SocketAddress,
  connect,
  createConnection,
  createServer,
  getDefaultAutoSelectFamily,
  getDefaultAutoSelectFamilyAttemptTimeout,
  isIP,
  isIPv4,
  isIPv6,
  setDefaultAutoSelectFamily,
  setDefaultAutoSelectFamilyAttemptTimeout,
} = net;
export type BlockList = import('node:net').BlockList;
export type Server = import('node:net').Server;
export type Socket = import('node:net').Socket;
export type SocketAddress = import('node:net').SocketAddress;
export const BoundSocket: OfNode<'BoundSocket'> = ofNode('BoundSocket');
export const Stream: OfNode<'Stream'> = ofNode('Stream');
/** Node's own, as far as it has them. */
export const _TransferredBoundSocket: OfNode<'_TransferredBoundSocket'> = ofNode('_TransferredBoundSocket');
export const _createServerHandle: OfNode<'_createServerHandle'> = ofNode('_createServerHandle');
export const _normalizeArgs: OfNode<'_normalizeArgs'> = ofNode('_normalizeArgs');
export const _setSimultaneousAccepts: OfNode<'_setSimultaneousAccepts'> = ofNode('_setSimultaneousAccepts');
export type {
  AddressInfo,
  DropArgument,
  IpcNetConnectOpts,
  IpcSocketConnectOpts,
  IPVersion,
  ListenOptions,
  LookupFunction,
  NetConnectOpts,
  OnReadOpts,
  ServerOpts,
  SocketAddressInitOptions,
  SocketConnectOpts,
  SocketConstructorOpts,
  SocketReadyState,
  TcpNetConnectOpts,
  TcpSocketConnectOpts,
} from 'node:net';

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
