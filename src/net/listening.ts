import { AsyncResource } from 'node:async_hooks';
import { listenOn } from '../reactor/socket-calls.ts';
import { Acceptor, type Accepting } from './acceptor.ts';
import { ArrivedDescriptor, connected } from './connected.ts';
import type { NativeHandle, ServerClass } from './node-net.ts';
import type { Transport } from './transport.ts';

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

  accepted(fd: number): void {
    try {
      const arrival = new ArrivedDescriptor(this.#transport, fd, this.#handle.getsockname !== undefined);
      this.#scope.runInAsyncScope(connected, undefined, this.#server, arrival);
    } catch (error) {
      process.nextTick(rethrow, error);
    }
  }

  acceptFailed(error: Error): void {
    this.#acceptor = undefined;
    if (this.#transport.engine.closed) return this.#goOnNatively!();
    this.#scope.runInAsyncScope(() => process.nextTick(() => this.#server.emit('error', error)));
  }
}

function rethrow(error: unknown): never {
  throw error;
}
