import { AsyncResource } from 'node:async_hooks';
import { channel } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { closeNow, duplicate, listenOn } from '../reactor/socket-calls.ts';
import { Acceptor, type Accepting } from './acceptor.ts';
import { node, type NameOf, type NativeHandle, type ServerClass } from './node-net.ts';
import { accept } from './socket.ts';
import { nameOf } from './socket-handle.ts';
import type { Transport } from './transport.ts';

const accepted = channel('net.server.socket');

/** How many of a server's acceptors are about to end: it is not closed before. */
export const STOPPING = Symbol('stopping');

/** Is it a handle of Node's with a descriptor, and not one that only looks like it? */
export function isNative(handle: NativeHandle): boolean {
  const { name } = handle.constructor;
  return (name === 'TCP' || name === 'Pipe') && handle.fd !== undefined && handle.fd >= 0;
}

/** A server, as it is seen from here. */
export type Listener = ServerClass & { [STOPPING]?: number };

/** A server that listens: Node's handle, which is asked for addresses and closed, and what accepts on its descriptor. */
export class Listening implements Accepting {
  readonly #server: Listener;
  readonly #transport: Transport;
  readonly #handle: NativeHandle;
  /** Connections are told of in the context that asked to listen. */
  readonly #scope = new AsyncResource('TCPSERVERWRAP');
  #acceptor: Acceptor | undefined;

  constructor(server: Listener, transport: Transport, handle: NativeHandle) {
    this.#server = server;
    this.#transport = transport;
    this.#handle = handle;
  }

  /** Have Node's calls of the handle start and stop our acceptor. */
  takeOver(): void {
    const handle = this.#handle;
    const { listen, close, ref, unref } = handle;
    const fd = handle.fd!;
    handle.listen = (backlog: number): number => {
      // That the address is in use Node's handle keeps to itself until somebody asks.
      const wasBound = handle.getsockname?.({}) ?? 0;
      if (wasBound < 0) return wasBound;
      const result = listenOn(fd, backlog);
      if (result < 0) return result;
      this.#acceptor = new Acceptor(this.#transport.engine, this, fd);
      this.#acceptor.start();
      return 0;
    };
    handle.close = (done?: () => void): void => {
      const acceptor = this.#acceptor;
      this.#acceptor = undefined;
      if (acceptor !== undefined) this.#stop(acceptor);
      Reflect.apply(close, handle, [done]);
    };
    handle.ref = (): void => {
      Reflect.apply(ref!, handle, []);
      if (this.#acceptor !== undefined) this.#acceptor.isRef = true;
    };
    handle.unref = (): void => {
      Reflect.apply(unref!, handle, []);
      if (this.#acceptor !== undefined) this.#acceptor.isRef = false;
    };
    this.#goOnNatively = () => {
      Object.assign(handle, { listen, close, ref, unref });
      listen!.call(handle, 0);
    };
  }

  /** When the ring is closed. */
  #goOnNatively: (() => void) | undefined;

  /** Who has connected by now is accepted, as with Node. */
  #stop(acceptor: Acceptor): void {
    const server = this.#server;
    const remainder = {
      accepted: (fd: number): void => this.accepted(fd),
      over: (): void => {
        server[STOPPING]--;
        server._emitCloseIfDrained();
      },
    };
    if (acceptor.stop(remainder)) server[STOPPING] = (server[STOPPING] ?? 0) + 1;
  }

  /** Have the handle's connections be ours, wherever it gets them from. */
  takeOverConnections(): void {
    const handle = this.#handle;
    const { onconnection } = handle;
    handle.onconnection = (status, client) => {
      const fd = status === 0 && client !== undefined && isNative(client) ? duplicate(client.fd!) : -1;
      if (fd < 0) return onconnection!.call(handle, status, client);
      const isTcp = client!.getpeername !== undefined;
      client!.close();
      this.#connected(fd, isTcp);
    };
  }

  accepted(fd: number): void {
    try {
      this.#scope.runInAsyncScope(this.#connected, this, fd, this.#handle.getsockname !== undefined);
    } catch (error) {
      process.nextTick(rethrow, error);
    }
  }

  acceptFailed(error: Error): void {
    this.#acceptor = undefined;
    if (this.#transport.engine.closed) return this.#goOnNatively!();
    this.#scope.runInAsyncScope(() => process.nextTick(() => this.#server.emit('error', error)));
  }

  /** What Node does with a connection. */
  #connected(fd: number, isTcp: boolean): void {
    const server = this.#server;
    if (isFull(server)) return this.#drop(fd, isTcp);
    if (server.blockList !== undefined && isTcp && isBlocked(server.blockList, fd)) return void closeNow(fd);
    const { allowHalfOpen, pauseOnConnect, highWaterMark } = server;
    const options = {
      allowHalfOpen,
      pauseOnCreate: pauseOnConnect,
      readable: true,
      writable: true,
      readableHighWaterMark: highWaterMark,
      writableHighWaterMark: highWaterMark,
    };
    const socket: Socket = accept(this.#transport, fd, isTcp, options);
    if (server.noDelay) socket.setNoDelay(true);
    if (server.keepAlive) socket.setKeepAlive(true, server.keepAliveInitialDelay * 1000);
    server._connections++;
    Object.assign(socket, { server, _server: server });
    server.emit('connection', socket);
    if (accepted.hasSubscribers) accepted.publish({ socket });
  }

  #drop(fd: number, isTcp: boolean): void {
    const server = this.#server;
    if (!isTcp) {
      server.emit('drop');
    } else {
      const local: NameOf = {};
      const remote: NameOf = {};
      nameOf(fd, false, local);
      nameOf(fd, true, remote);
      const data: object = Object.assign(Object.create(null), {
        localAddress: local.address,
        localPort: local.port,
        localFamily: local.family,
        remoteAddress: remote.address,
        remotePort: remote.port,
        remoteFamily: remote.family,
      });
      server.emit('drop', data);
    }
    closeNow(fd);
  }
}

function isFull({ maxConnections, _connections }: ServerClass): boolean {
  if (maxConnections === undefined || maxConnections === null) return false;
  if (maxConnections === 0 && !isZeroNone()) return false;
  return _connections >= maxConnections;
}

let zeroIsNone: boolean | undefined;

/** Does a maximum of 0 mean none, or any number as it once did? Node is asked: with a server that has nothing under it. */
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

function isBlocked(blockList: NonNullable<ServerClass['blockList']>, fd: number): boolean {
  const remote: NameOf = {};
  nameOf(fd, true, remote);
  const { address = '' } = remote;
  const version = node.isIP(address);
  return version !== 0 && blockList.check(address, `ipv${version}`);
}

function rethrow(error: unknown): never {
  throw error;
}
