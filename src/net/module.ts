import { channel, type ChannelListener } from 'node:diagnostics_channel';
import type { NetConnectOpts, Server as NodeServer, Socket as NodeSocket } from 'node:net';
import { connectLean } from './deprecated.ts';
import type { ConnectOptions, LeanSocket } from './lean/types.ts';
import { isBuiltAsNode, node } from './dropin/node-net.ts';
import { ringSide } from './dropin/ring-when-needed.ts';
import { Server as RingServer } from './dropin/server.ts';
import { Socket as RingSocket } from './dropin/socket.ts';

/** Bun and Deno have these names, and something else behind them. */
const isOurs = isBuiltAsNode();

export const Socket: typeof node.Socket = isOurs ? RingSocket : node.Socket;
export const Server: typeof node.Server = isOurs ? RingServer : node.Server;

export const createServer = function createServer(options?: object, listener?: () => void): NodeServer {
  if (isOurs) return new Server(options, listener);
  ringSide.get()?.tellForeign();
  return node.createServer(options as object, listener);
} as typeof node.createServer;

const clients = channel('net.client.socket');

export const createConnection = function connect(...args: unknown[]): NodeSocket {
  if (!isOurs) {
    ringSide.get()?.tellForeign();
    return (node.connect as (...args: unknown[]) => NodeSocket)(...args);
  }
  const normalized = node._normalizeArgs(args);
  const [options] = normalized;
  const socket = new Socket(options);
  if (options.timeout) socket.setTimeout(options.timeout as number);
  return clients.hasSubscribers ? announced(socket, normalized) : connectTo(socket, normalized);
} as typeof node.connect;

/**
 * As `node:net`'s. Options that it refuses, for there is neither `port` nor `path` in them, and that have handlers in
 * `socket`, are the lean face's, for one version.
 */
export const connect = function connect(...args: unknown[]): unknown {
  const [options] = args;
  return isLean(options) ? connectLean(options) : Reflect.apply(createConnection, undefined, args);
} as LeanConnect & typeof node.connect;

/** @deprecated import it from `iouring/socket` */
type LeanConnect = <T = unknown>(
  options: ConnectOptions<T> & { unix: string; port?: undefined },
) => Promise<LeanSocket<T>>;

function isLean(options: unknown): options is ConnectOptions & { unix: string; port?: undefined } {
  if (typeof options !== 'object' || options === null) return false;
  const { port, path, socket } = options as {
    port?: unknown;
    path?: unknown;
    socket?: { open?: unknown; data?: unknown } | null;
  };
  if (port !== undefined || (path !== undefined && path !== null) || typeof socket !== 'object' || socket === null) {
    return false;
  }
  return typeof socket.open === 'function' || typeof socket.data === 'function';
}

function connectTo(socket: NodeSocket, normalized: unknown): NodeSocket {
  return socket.connect(normalized as NetConnectOpts);
}

/** Subscribers are told of the socket: by its `connect` in newer versions, by this function before. */
function announced(socket: NodeSocket, normalized: unknown): NodeSocket {
  let isTold = false;
  const notice: ChannelListener = (message) => {
    if ((message as { socket: unknown }).socket === socket) isTold = true;
  };
  clients.subscribe(notice);
  try {
    connectTo(socket, normalized);
  } finally {
    clients.unsubscribe(notice);
  }
  if (!isTold) clients.publish({ socket });
  return socket;
}

const throughRing = { Server, Socket, Stream: Socket, connect, createConnection, createServer };

/** Every name that `node:net` has in this version of Node; those that stand here go through the ring. */
export const net: Omit<typeof import('node:net'), 'connect'> & { connect: typeof connect } = {
  ...node,
  ...throughRing,
};
