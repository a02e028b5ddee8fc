import { channel } from 'node:diagnostics_channel';
import type { Socket as NodeSocket, SocketConstructorOpts } from 'node:net';
import { closeNow } from '../transport/socket-calls.ts';
import { node, type NameOf, type NativeHandle, type ServerClass } from './node-net.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';
import { ringForSockets } from '../transport/ring-or-node.ts';
import { nameOf } from './socket-handle.ts';
import { accept, acceptHandle, announced } from './socket.ts';
import type { Transport } from '../transport/transport.ts';

const accepted = channel('net.server.socket');

type Options = SocketConstructorOpts & { pauseOnCreate: boolean };

/** A connection that has come, before there is a socket on it. */
export interface Arrival {
  readonly isTcp: boolean;
  name(peer: boolean): NameOf;
  socket(options: Options, server: ServerClass): NodeSocket;
  close(): void;
}

/** By its descriptor. */
export class ArrivedDescriptor implements Arrival {
  readonly #transport: Transport;
  readonly #fd: number;
  readonly isTcp: boolean;

  constructor(transport: Transport, fd: number, isTcp: boolean) {
    this.#transport = transport;
    this.#fd = fd;
    this.isTcp = isTcp;
  }

  name(peer: boolean): NameOf {
    const out: NameOf = {};
    nameOf(this.#fd, peer, out);
    return out;
  }

  socket(options: Options): NodeSocket {
    return accept(this.#transport, this.#fd, this.isTcp, options);
  }

  close(): void {
    closeNow(this.#fd);
  }
}

/** By a handle of Node's, which the socket keeps if there is no ring. */
class ArrivedHandle implements Arrival {
  readonly #handle: NativeHandle;

  constructor(handle: NativeHandle) {
    this.#handle = handle;
  }

  get isTcp(): boolean {
    return this.#handle.getpeername !== undefined;
  }

  name(peer: boolean): NameOf {
    const out: NameOf = {};
    if (peer) this.#handle.getpeername?.(out);
    else this.#handle.getsockname?.(out);
    return out;
  }

  socket(options: Options, { noDelay, keepAlive, keepAliveInitialDelay }: ServerClass): NodeSocket {
    const handle = this.#handle;
    // A connection of ours takes the descriptor over as soon as the socket reads: before it does, the handle is asked,
    // as by Node.
    if (ringForSockets() !== undefined) {
      if (noDelay) handle.setNoDelay?.(true);
      if (keepAlive) handle.setKeepAlive?.(true, keepAliveInitialDelay);
    }
    return acceptHandle(handle, options);
  }

  close(): void {
    this.#handle.close();
  }
}

/**
 * Have the sockets of a server be ours, though it is Node that accepts: without a ring, or in the primary process of a
 * cluster.
 */
export function acceptThroughNode(server: ServerClass): void {
  const handle = server._handle;
  const onconnection = handle?.onconnection;
  if (handle === null || onconnection === undefined) return;
  handle.onconnection = (status, client) => {
    if (status !== 0 || client === undefined) onconnection.call(handle, status, client);
    else connected(server, new ArrivedHandle(client));
  };
}

/** Does with a connection as Node does. */
export function connected(server: ServerClass, arrival: Arrival): void {
  if (isFull(server)) return drop(server, arrival);
  if (server.blockList !== undefined && arrival.isTcp && isBlocked(server.blockList, arrival)) return arrival.close();
  const { allowHalfOpen, pauseOnConnect, highWaterMark } = server;
  const options = ownOptions({
    allowHalfOpen,
    pauseOnCreate: pauseOnConnect,
    readable: true,
    writable: true,
    readableHighWaterMark: highWaterMark,
    writableHighWaterMark: highWaterMark,
  } as Options);
  const socket = arrival.socket(options, server);
  if (server.noDelay) socket.setNoDelay(true);
  if (server.keepAlive) socket.setKeepAlive(true, server.keepAliveInitialDelay * 1000);
  server._connections++;
  Object.assign(socket, { server, _server: server });
  try {
    server.emit('connection', socket);
  } finally {
    announced(socket);
  }
  if (accepted.hasSubscribers) accepted.publish({ socket });
}

function drop(server: ServerClass, arrival: Arrival): void {
  if (arrival.isTcp) {
    const [local, remote] = [arrival.name(false), arrival.name(true)];
    const data = {
      localAddress: local.address,
      localPort: local.port,
      localFamily: local.family,
      remoteAddress: remote.address,
      remotePort: remote.port,
      remoteFamily: remote.family,
    };
    server.emit('drop', Object.assign(Object.create(null) as object, data));
  } else {
    server.emit('drop');
  }
  arrival.close();
}

function isFull({ maxConnections, _connections }: ServerClass): boolean {
  if (maxConnections === undefined || maxConnections === null) return false;
  if (maxConnections === 0 && !isZeroNone()) return false;
  return _connections >= maxConnections;
}

let zeroIsNone: boolean | undefined;

/**
 * Does a maximum of 0 mean none, or any number as it once did? Node is asked: with a server that has nothing under it.
 */
function isZeroNone(): boolean {
  if (zeroIsNone !== undefined) return zeroIsNone;
  const nothing = { reading: false, listen: () => 0, readStart: () => 0, close() {} };
  const handle: NativeHandle = { ...nothing };
  const server = new node.Server() as unknown as ServerClass;
  server.maxConnections = 0;
  server._handle = handle;
  server._listen2(null, null, null, 0, undefined, undefined);
  let dropped = false;
  server.on('drop', () => (dropped = true));
  handle.onconnection!(0, { ...nothing });
  return (zeroIsNone = dropped);
}

function isBlocked(blockList: NonNullable<ServerClass['blockList']>, arrival: Arrival): boolean {
  const { address = '' } = arrival.name(true);
  const version = node.isIP(address);
  return version !== 0 && blockList.check(address, `ipv${version}`);
}
