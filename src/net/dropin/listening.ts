import { AsyncResource } from 'node:async_hooks';
import { listenOn } from '../transport/socket-calls.ts';
import { nextTick, throwUncaught } from '../../native/timers.ts';
import type { AcceptorOwner } from '../transport/any-acceptor.ts';
import { ArrivedDescriptor, connected } from './connected.ts';
import { nativeHandle } from './native-handle.ts';
import type { NativeHandle, ServerClass } from './node-net.ts';
import { PolledAcceptor } from './polled-acceptor.ts';
import type { Transport } from '../transport/transport.ts';

/**
 * A server that listens: Node's handle, which is asked for addresses and closed, and what accepts on its descriptor.
 */
export class Listening implements AcceptorOwner {
  readonly #server: ServerClass;
  readonly #transport: Transport;
  readonly #handle: NativeHandle;
  /** Connections are told of in the context that asked to listen. */
  readonly #scope = new AsyncResource('TCPSERVERWRAP');
  #acceptor: PolledAcceptor | undefined;

  constructor(server: ServerClass, transport: Transport, handle: NativeHandle) {
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
      this.#acceptor = new PolledAcceptor(this.#transport.engine, this, fd);
      this.#acceptor.start();
      return 0;
    };
    handle.close = (done?: () => void): void => {
      // A connection that was not handed out is the kernel's to reset.
      this.#acceptor?.stop();
      this.#acceptor = undefined;
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

  /** This is called for a connection, as long as nobody has put something else in its place. */
  expect(onconnection: NativeHandle['onconnection']): void {
    this.#onconnection = onconnection;
  }

  #onconnection: NativeHandle['onconnection'];

  accepted(fd: number): void {
    try {
      const { onconnection } = this.#handle;
      if (onconnection !== this.#onconnection && typeof onconnection === 'function') {
        this.#scope.runInAsyncScope(onconnection, this.#handle, 0, nativeHandle(fd));
        return;
      }
      const arrival = new ArrivedDescriptor(this.#transport, fd, this.#handle.getsockname !== undefined);
      this.#scope.runInAsyncScope(connected, undefined, this.#server, arrival);
    } catch (error) {
      throwUncaught(error);
    }
  }

  acceptFailed(error: Error): void {
    this.#acceptor = undefined;
    if (this.#transport.engine.closed) return this.#goOnNatively!();
    this.#scope.runInAsyncScope(() => nextTick(() => this.#server.emit('error', error)));
  }
}
