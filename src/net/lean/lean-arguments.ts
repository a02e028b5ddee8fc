/**
 * The arguments of `listen` and `connect` of the lean face: checked in one place, whatever sockets they make of them.
 */
import { isIP } from 'node:net';
import { deprecate, types } from '../../native/node-util.ts';
import { checkSignal, checkTimeout } from '../../reactor/abort.ts';
import { checkInteger, outOfRange, wrongType, wrongValue } from '../../ring/arguments/argument-errors.ts';
import { bytesIn, bytesInView, lengthOf } from '../transport/intrinsic.ts';
import type { ConnectOptions, ListenOptions, SocketHandlers, Writable } from './types.ts';

const HANDLERS = ['open', 'data', 'drain', 'end', 'timeout', 'error', 'close'] as const;

const PORT_MAX = 65_535;
const INT_MAX = 2 ** 31 - 1;
const BACKLOG = 511;
const HIGH_WATER_MARK = 1 << 20;
/** `sun_path` has 108 bytes, one of them for the end of the text. */
const UNIX_PATH_MAX = 107;
/** The longest time that a timer can wait, in seconds. */
const SECONDS_MAX = Math.floor(INT_MAX / 1000);

/** Settings that both kinds of sockets have. */
export interface SocketSettings<T> {
  readonly handlers: SocketHandlers<T>;
  readonly data: T;
  readonly allowHalfOpen: boolean;
  /** Bytes. */
  readonly writableHighWaterMark: number;
}

/** Where to listen: one of the three. */
export type ListenPlace =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'fd'; readonly fd: number }
  /** No address: `::` with IPv4 as well, or `0.0.0.0` where there is no IPv6. */
  | { readonly kind: 'tcp'; readonly address: string | undefined; readonly port: number };

/** Where and how to listen. */
export interface ListenTarget {
  readonly place: ListenPlace;
  readonly backlog: number;
  readonly reusePort: boolean;
  readonly ipv6Only: boolean;
}

export interface ListenSettings<T> extends SocketSettings<T>, ListenTarget {}

/** Where to connect to: one of the two. */
export type ConnectPlace =
  | { readonly kind: 'unix'; readonly path: string }
  | {
    readonly kind: 'tcp';
    readonly hostname: string;
    readonly port: number;
    readonly localAddress: string | undefined;
  };

export interface ConnectSettings<T> extends SocketSettings<T> {
  readonly place: ConnectPlace;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
}

/** @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE` */
export function checkListen<T>(options: ListenOptions<T>): ListenSettings<T> {
  const settings = checkSocket(options);
  const { backlog, reusePort, ipv6Only } = options;
  return {
    ...settings,
    place: listenPlace(options),
    backlog: backlog === undefined ? BACKLOG : checkInteger('options.backlog', backlog, 1, INT_MAX),
    reusePort: checkBoolean('options.reusePort', reusePort),
    ipv6Only: checkBoolean('options.ipv6Only', ipv6Only),
  };
}

/**
 * @throws {TypeError|RangeError} as {@link checkListen}; `ERR_MISSING_ARGS` without a port or a path,
 *   `ERR_INVALID_IP_ADDRESS`
 */
export function checkConnect<T>(options: ConnectOptions<T>): ConnectSettings<T> {
  const settings = checkSocket(options);
  const { signal, timeoutMs } = options;
  checkSignal(signal);
  checkTimeout(timeoutMs);
  return { ...settings, place: connectPlace(options), signal, timeoutMs };
}

/** @throws {TypeError} `ERR_INVALID_ARG_TYPE` */
export function checkHandlers<T>(handlers: SocketHandlers<T>): SocketHandlers<T> {
  if (typeof handlers !== 'object' || handlers === null) throw wrongType('options.socket', 'an object', handlers);
  for (const name of HANDLERS) {
    const handler: unknown = handlers[name];
    if (handler !== undefined && typeof handler !== 'function') {
      throw wrongType(`options.socket.${name}`, 'of type function', handler);
    }
  }
  return handlers;
}

/** Milliseconds without anything happening, rounded up to whole ones. @throws {TypeError|RangeError} */
export function checkTimeoutMs(timeoutMs: unknown): number {
  if (typeof timeoutMs !== 'number') throw wrongType('timeoutMs', 'of type number', timeoutMs);
  if (!(timeoutMs >= 0 && timeoutMs <= INT_MAX)) throw outOfRange('timeoutMs', `>= 0 and <= ${INT_MAX}`, timeoutMs);
  return Math.ceil(timeoutMs);
}

/** Says, once, that a time limit in seconds is deprecated. */
export const warnOfSeconds: () => void = deprecate(
  () => {},
  'timeout(seconds) of a lean socket is deprecated: call setTimeout, which takes milliseconds',
  'IOURING_DEP0006',
);

/** Seconds without anything happening. @returns milliseconds. @throws {TypeError|RangeError} */
export function checkSeconds(seconds: unknown): number {
  if (typeof seconds !== 'number') throw wrongType('seconds', 'of type number', seconds);
  if (!(seconds >= 0 && seconds <= SECONDS_MAX)) throw outOfRange('seconds', `>= 0 and <= ${SECONDS_MAX}`, seconds);
  return Math.ceil(seconds * 1000);
}

/** Milliseconds of silence before a connection is probed. @throws {TypeError|RangeError} */
export function checkDelay(initialDelayMs: unknown): number {
  return initialDelayMs === undefined ? 0 : checkInteger('initialDelayMs', initialDelayMs, 0, INT_MAX);
}

/**
 * The bytes that `write` was asked to send: those of the caller, or of its text as UTF-8, which offsets count in as
 * well. So the rest of a text that was not taken as a whole can be sent by `write(text, taken)`. A caller's view may
 * lie about its length.
 * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`
 */
export function bytesOf(data: Writable, byteOffset?: number, byteLength?: number): Uint8Array {
  const bytes = typeof data === 'string' ? Buffer.from(data) : viewOf(data);
  if (byteOffset === undefined && byteLength === undefined) return bytes;
  const offset = byteOffset === undefined ? 0 : checkInteger('byteOffset', byteOffset, 0, lengthOf(bytes));
  const rest = lengthOf(bytes) - offset;
  return bytesIn(
    bytes,
    offset,
    offset + (byteLength === undefined ? rest : checkInteger('byteLength', byteLength, 0, rest)),
  );
}

function viewOf(data: unknown): Uint8Array {
  if (types.isUint8Array(data)) return data;
  if (ArrayBuffer.isView(data)) return bytesInView(data);
  if (types.isAnyArrayBuffer(data)) return new Uint8Array(data);
  throw wrongType(
    'data',
    'of type string or an instance of ArrayBuffer, SharedArrayBuffer, Buffer, TypedArray, or DataView',
    data,
  );
}

function checkSocket<T>(options: ListenOptions<T> | ConnectOptions<T>): SocketSettings<T> {
  if (typeof options !== 'object' || options === null) throw wrongType('options', 'an object', options);
  const { socket, data, allowHalfOpen, writableHighWaterMark } = options;
  return {
    handlers: checkHandlers(socket),
    data: data as T,
    allowHalfOpen: checkBoolean('options.allowHalfOpen', allowHalfOpen),
    writableHighWaterMark: writableHighWaterMark === undefined
      ? HIGH_WATER_MARK
      : checkInteger('options.writableHighWaterMark', writableHighWaterMark, 1, INT_MAX),
  };
}

function listenPlace(
  { hostname, port, unix, fd }: Pick<ListenOptions, 'hostname' | 'port' | 'unix' | 'fd'>,
): ListenPlace {
  if (unix !== undefined) {
    refuseBeside('unix', { hostname, port, fd });
    return { kind: 'unix', path: checkUnixPath(unix) };
  }
  if (fd !== undefined) {
    refuseBeside('fd', { hostname, port });
    return { kind: 'fd', fd: checkInteger('options.fd', fd, 0, INT_MAX) };
  }
  const number = port === undefined ? 0 : checkInteger('options.port', port, 0, PORT_MAX);
  if (hostname === undefined) return { kind: 'tcp', address: undefined, port: number };
  // A name may have several addresses, and looking it up takes time: listening is done when the call returns.
  const address = hostname === 'localhost' ? '127.0.0.1' : hostname;
  if (typeof address !== 'string') throw wrongType('options.hostname', 'of type string', hostname);
  if (isIP(address) === 0) {
    throw wrongValue('options.hostname', `it must be an IP address or 'localhost'. Received '${address}'`);
  }
  return { kind: 'tcp', address, port: number };
}

type Destination = Pick<ConnectOptions, 'hostname' | 'port' | 'unix' | 'localAddress'>;

function connectPlace({ hostname, port, unix, localAddress }: Destination): ConnectPlace {
  if (unix !== undefined) {
    refuseBeside('unix', { hostname, port, localAddress });
    return { kind: 'unix', path: checkUnixPath(unix) };
  }
  if (port === undefined) {
    throw Object.assign(new TypeError('The "options.port" or "options.unix" argument must be specified'), {
      code: 'ERR_MISSING_ARGS',
    });
  }
  const number = checkInteger('options.port', port, 0, PORT_MAX);
  if (hostname !== undefined && typeof hostname !== 'string') {
    throw wrongType('options.hostname', 'of type string', hostname);
  }
  if (localAddress !== undefined && typeof localAddress !== 'string') {
    throw wrongType('options.localAddress', 'of type string', localAddress);
  }
  if (localAddress !== undefined && isIP(localAddress) === 0) {
    throw Object.assign(new TypeError(`Invalid IP address: ${localAddress}`), { code: 'ERR_INVALID_IP_ADDRESS' });
  }
  return { kind: 'tcp', hostname: hostname || 'localhost', port: number, localAddress };
}

function refuseBeside(name: string, others: Record<string, unknown>): void {
  for (const [other, value] of Object.entries(others)) {
    if (value !== undefined) throw wrongValue(`options.${other}`, `it has no meaning beside options.${name}`);
  }
}

/** A path, or an abstract name after a first NUL. */
function checkUnixPath(path: unknown): string {
  if (typeof path !== 'string') throw wrongType('options.unix', 'of type string', path);
  if (path === '' || path === '\0') throw wrongValue('options.unix', 'it is empty');
  if (path.includes('\0', 1)) {
    throw wrongValue('options.unix', 'it must be without null bytes but for the first of an abstract name');
  }
  // The kernel would cut it, or libuv would.
  if (Buffer.byteLength(path) > UNIX_PATH_MAX) {
    throw wrongValue('options.unix', `it must have at most ${UNIX_PATH_MAX} bytes`);
  }
  return path;
}

function checkBoolean(name: string, value: unknown): boolean {
  if (value === undefined) return false;
  if (typeof value !== 'boolean') throw wrongType(name, 'of type boolean', value);
  return value;
}
