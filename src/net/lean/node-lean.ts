/** The lean face on top of node:net, for where there is no io_uring. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { connectInOrder, connectWithin } from './connect-attempts.ts';
import {
  checkConnect,
  checkHandlers,
  checkListen,
  type ConnectSettings,
  type ListenSettings,
} from './lean-arguments.ts';
import type { ConnectOptions, LeanSocket, Listener, ListenOptions, SocketHandlers } from './types.ts';
import { NodeLeanSocket, type SocketOwner } from './node-lean-socket.ts';
import { listenNow } from './node-listening.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';

/**
 * Listen; it is done when the call returns.
 * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
 * @throws {Error} as Node's: `EADDRINUSE`, `EACCES`, …; `ERR_FEATURE_UNAVAILABLE_ON_PLATFORM` where Node has no
 *   `reusePort`
 */
export function listenThroughNode<T = unknown>(options: ListenOptions<T>): Listener<T> {
  return new NodeListener(checkListen(options));
}

/**
 * Connect. Resolves when `open` has been called. Rejects as Node's sockets do (`ECONNREFUSED`, …), with an AbortError,
 * or a TimeoutError (`ETIMEDOUT`); no handler is called then.
 * @throws {TypeError|RangeError} as {@link listenThroughNode}; `ERR_MISSING_ARGS`, `ERR_INVALID_IP_ADDRESS`
 */
export function connectThroughNode<T = unknown>(options: ConnectOptions<T>): Promise<LeanSocket<T>> {
  const settings = checkConnect(options);
  const { place } = settings;
  return connectWithin(settings, (stop) => {
    if (place.kind === 'unix') {
      return opened(connect(ownOptions({ path: place.path, allowHalfOpen: true })), settings, stop);
    }
    const { port, localAddress } = place;
    return connectInOrder(place.hostname, stop, ({ address, family }) => {
      const from = localAddress === undefined ? undefined : { localAddress };
      return opened(
        connect(ownOptions({ host: address, port, family, noDelay: true, allowHalfOpen: true, ...from })),
        settings,
        stop,
      );
    });
  });
}

function opened<T>(
  socket: Socket,
  settings: ConnectSettings<T>,
  stop: AbortSignal | undefined,
): Promise<NodeLeanSocket<T>> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      // Its outcome is nobody's business any more.
      socket.on('error', ignore);
      socket.destroy();
      reject(stop!.reason as Error);
    };
    stop?.addEventListener('abort', onAbort, ownOptions({ once: true }));
    const settled = (): void => stop?.removeEventListener('abort', onAbort);
    const onError = (error: Error): void => {
      settled();
      reject(error);
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      settled();
      socket.off('error', onError);
      const lean = new NodeLeanSocket(socket, { ...settings, listener: undefined, closed: ignore });
      lean.start();
      resolve(lean);
    });
  });
}

function ignore(): void {}

class NodeListener<T> implements Listener<T>, SocketOwner<T> {
  handlers: SocketHandlers<T>;
  readonly listener: Listener<T> = this;
  readonly data: T;
  readonly allowHalfOpen: boolean;
  readonly writableHighWaterMark: number;
  readonly hostname: string | undefined;
  readonly port: number | undefined;
  readonly unix: string | undefined;
  /** As it was given; undefined where it is the server's. */
  readonly #fd: number | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<NodeLeanSocket<T>>();
  #isStopped = false;

  constructor(settings: ListenSettings<T>) {
    this.handlers = settings.handlers;
    this.data = settings.data;
    this.allowHalfOpen = settings.allowHalfOpen;
    this.writableHighWaterMark = settings.writableHighWaterMark;
    this.#server = createServer(ownOptions({ allowHalfOpen: true, noDelay: true }), (socket) => this.#accepted(socket));
    // Of an attempt to listen it is thrown as well; one that could not be accepted is gone, and the next one may come.
    this.#server.on('error', ignore);
    listenNow(this.#server, settings);
    const address = this.#server.address();
    if (typeof address === 'object' && address !== null) {
      this.hostname = address.address;
      this.port = address.port;
    }
    this.#fd = settings.place.kind === 'fd' ? settings.place.fd : undefined;
    this.unix = settings.place.kind === 'unix' ? settings.place.path : undefined;
  }

  get fd(): number {
    const { _handle: handle } = this.#server as { _handle?: { fd?: number } | null };
    // Deno's handles do not tell theirs.
    return handle?.fd ?? (this.#isStopped ? -1 : (this.#fd ?? -1));
  }

  get connections(): number {
    return this.#sockets.size;
  }

  stop(closeConnections = false): void {
    if (!this.#isStopped) {
      this.#isStopped = true;
      this.#server.close();
    }
    if (closeConnections) { for (const socket of this.#sockets) socket.terminate(); }
  }

  reload({ socket }: { socket: SocketHandlers<T> }): void {
    this.handlers = checkHandlers(socket);
  }

  ref(): void {
    this.#server.ref();
  }

  unref(): void {
    this.#server.unref();
  }

  [Symbol.dispose](): void {
    this.stop(true);
  }

  closed(socket: NodeLeanSocket<T>): void {
    this.#sockets.delete(socket);
  }

  #accepted(socket: Socket): void {
    const lean = new NodeLeanSocket(socket, this);
    this.#sockets.add(lean);
    lean.start();
  }
}
