/**
 * The lean face of sockets: handlers that all connections share, views in place of copies, no streams. The types of it;
 * `listen` and `connect` make such sockets.
 */

/**
 * Data that can be written: text (as UTF-8), or bytes. They are copied, and are the caller's again when the call
 * returns.
 */
export type Writable = string | ArrayBufferView | ArrayBufferLike;

/**
 * Functions that are called when something happens on a connection. The same ones serve all connections; `T` is what
 * the user keeps in {@link LeanSocket.data}. A handler that throws ends its connection with that error, and the error
 * goes to {@link error} if there is one, and to `process.on('uncaughtException')` if not.
 */
export interface SocketHandlers<T = unknown> {
  /** It is connected: the first call of all. */
  open?(socket: LeanSocket<T>): void;
  /**
   * Bytes have arrived. `data` is a view of memory that the kernel has filled, valid during the call: copy what is to
   * be kept. Not called while the socket is paused.
   */
  data?(socket: LeanSocket<T>, data: Buffer): void;
  /** {@link LeanSocket.write} did not take everything: now there is room for more. */
  drain?(socket: LeanSocket<T>): void;
  /** The peer has ended its side. Unless `allowHalfOpen`, this side is ended too when all is sent. */
  end?(socket: LeanSocket<T>): void;
  /** Nothing was received or sent for as long as {@link LeanSocket.setTimeout} said. The connection stays open. */
  timeout?(socket: LeanSocket<T>): void;
  /** The connection broke, in Node's shape (`ECONNRESET`, `EPIPE`, …). {@link close} follows. */
  error?(socket: LeanSocket<T>, error: Error): void;
  /** It is closed, and its descriptor too: the last call of all, once. `error` says why if it broke. */
  close?(socket: LeanSocket<T>, error?: Error): void;
}

/** A connection. */
export interface LeanSocket<T = unknown> {
  /** The user's: as given to `listen` or `connect`, and free to be set. */
  data: T;
  /** The listener that accepted it. */
  readonly listener: Listener<T> | undefined;
  /** The descriptor; -1 when it is closed, or where there is none to show. */
  readonly fd: number;
  /** Undefined for unix sockets; all of them also once it is closed, unless they were looked at before. */
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly remoteFamily: 'IPv4' | 'IPv6' | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly localFamily: 'IPv4' | 'IPv6' | undefined;
  /** Bytes that were handed to {@link SocketHandlers.data}. */
  readonly bytesRead: number;
  /** Bytes that the kernel has taken. */
  readonly bytesWritten: number;
  /** Bytes that {@link write} took and the kernel has not. */
  readonly writableLength: number;
  readonly readyState: 'open' | 'readOnly' | 'writeOnly' | 'closed';

  /**
   * Send bytes. What is written in one tick goes out together.
   * @param data copied
   * @param byteOffset of bytes: where to begin; default 0
   * @param byteLength of bytes: how many; default the rest
   * @returns the bytes taken. Fewer than given when there is no room for more: `drain` follows. 0 when this side is
   *   ended.
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   */
  write(data: Writable, byteOffset?: number, byteLength?: number): number;
  /** {@link write}, and the end of this side when all is sent (FIN). What is not taken is lost: look at the result. */
  end(data?: Writable): number;
  /** The end of this side when all is sent, and of the connection then, whatever the peer may still send. */
  close(): void;
  /** End it at once (RST): what was not sent is lost. */
  terminate(): void;
  /** No `data` until {@link resume}: the peer will have to wait when the kernel's buffers are full. */
  pause(): void;
  resume(): void;
  /** Keep the process alive while it is open: so it is in the beginning. */
  ref(): void;
  unref(): void;
  /**
   * Have {@link SocketHandlers.timeout} called when nothing was received or sent for so long. Costs no system call a
   * message.
   * @param timeoutMs milliseconds, 0 … 2^31-1; 0 is never, and the default
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
   */
  setTimeout(timeoutMs: number): void;
  /** @deprecated {@link setTimeout} takes milliseconds; here they are seconds. */
  timeout(seconds: number): void;
  /** TCP_NODELAY; so it is in the beginning. Does the socket take it? */
  setNoDelay(on?: boolean): boolean;
  /** SO_KEEPALIVE, and the milliseconds of silence before the first probe. Does the socket take it? */
  setKeepAlive(on?: boolean, initialDelayMs?: number): boolean;
}

/** Makes and keeps accepted connections. */
export interface Listener<T = unknown> extends Disposable {
  readonly hostname: string | undefined;
  readonly port: number | undefined;
  readonly unix: string | undefined;
  /** The listening descriptor; -1 when it is closed, or where there is none to show. */
  readonly fd: number;
  /** How many of its connections are open. */
  readonly connections: number;
  /** Accept no more; with `closeConnections` those that are open are terminated. */
  stop(closeConnections?: boolean): void;
  /** Other handlers from now on, for open connections too. */
  reload(options: { socket: SocketHandlers<T> }): void;
  ref(): void;
  unref(): void;
}

interface Common<T> {
  /** The handlers. */
  socket: SocketHandlers<T>;
  /** {@link LeanSocket.data} in the beginning. */
  data?: T;
  /** Keep this side open when the peer has ended its own; default false. */
  allowHalfOpen?: boolean | undefined;
  /** Bytes that {@link LeanSocket.write} takes before the kernel has taken them; default 1 MiB. */
  writableHighWaterMark?: number | undefined;
}

/** The place to listen at: a port, a unix socket or an open descriptor. */
export interface ListenOptions<T = unknown> extends Common<T> {
  /** An IP address or `'localhost'`; default `'::'` with IPv4 as well, and `'0.0.0.0'` where there is no IPv6. */
  hostname?: string | undefined;
  /** 0 … 65535; 0, the default, has the kernel choose one. */
  port?: number | undefined;
  /** The path of a unix socket; of an abstract one it begins with `'\0'`. Removed when the listener stops. */
  unix?: string | undefined;
  /** A descriptor that is listened on already, which the listener owns then. */
  fd?: number | undefined;
  /** Connections that may wait to be accepted; default 511. The kernel cuts it to net.core.somaxconn. */
  backlog?: number | undefined;
  /**
   * SO_REUSEPORT: several listeners, of other threads or processes, share the port; the kernel spreads connections over
   * them.
   */
  reusePort?: boolean | undefined;
  /** IPV6_V6ONLY: no IPv4 on `'::'`. */
  ipv6Only?: boolean | undefined;
}

/** The place to connect to: an address or a unix socket. */
export interface ConnectOptions<T = unknown> extends Common<T> {
  /**
   * An IP address or a name, which is looked up as `dns.lookup` does; its addresses are tried in their order. Default
   * `'localhost'`.
   */
  hostname?: string | undefined;
  port?: number | undefined;
  unix?: string | undefined;
  /** The address to connect from. */
  localAddress?: string | undefined;
  /** Stops the attempt; of no effect on an open connection. */
  signal?: AbortSignal | undefined;
  /** Milliseconds that the attempt may take. */
  timeoutMs?: number | undefined;
}
