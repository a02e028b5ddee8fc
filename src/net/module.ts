import type { Server as NodeServer, Socket as NodeSocket } from 'node:net';
import { connectLean } from './deprecated.ts';
import type { ConnectOptions, LeanSocket } from './lean/types.ts';
import { createConnectionOf } from './dropin/create-connection.ts';
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

export const createConnection = function connect(...args: unknown[]): NodeSocket {
  if (!isOurs) {
    ringSide.get()?.tellForeign();
    return (node.connect as (...args: unknown[]) => NodeSocket)(...args);
  }
  return createConnectionOf(Socket, args);
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

const throughRing = { Server, Socket, Stream: Socket, connect, createConnection, createServer };

/** Every name that `node:net` has in this version of Node; those that stand here go through the ring. */
export const net: Omit<typeof import('node:net'), 'connect'> & { connect: typeof connect } = {
  ...node,
  ...throughRing,
};
