import type net from 'node:net';
import type { EventEmitter } from 'node:events';
import type { Server } from 'node:net';
import type { Duplex } from 'node:stream';
import { builtin } from '../../native/builtin.ts';
import { hasUvLoop } from '../../native/runtime.ts';

/** Called with an error or nothing when something is over. */
export type Done = (error?: Error | null) => void;

/** Members of Node's native handles; which of them are there depends on the kind and on the version. */
export interface NativeHandle {
  readonly fd?: number;
  reading?: boolean;
  readonly writeQueueSize?: number;
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
  /** Set by node:http: its parser reads from the handle itself. */
  _consumed?: boolean;
  onread?: ((this: NativeHandle, ...args: unknown[]) => unknown) | undefined;
  onconnection?: (this: NativeHandle, status: number, client: NativeHandle | undefined) => void;
  open?(fd: number): number;
  listen?(backlog: number): number;
  close(done?: () => void): void;
  ref?(): void;
  unref?(): void;
  hasRef?(): boolean;
  getAsyncId?(): number;
  readStart?(): number;
  readStop?(): number;
  getsockname?(out: object): number;
  getpeername?(out: object): number;
  setNoDelay?(on: boolean): number;
  setKeepAlive?(on: boolean, ...values: (number | undefined)[]): number;
}

/** An address as Node's handles write it to an object. */
export type NameOf = { address?: string; family?: string; port?: number };

/** A piece of what a stream has to write. */
export interface Piece {
  chunk: Uint8Array | string;
  encoding: BufferEncoding;
}

/** A socket as one sees it who extends it: with what Node's own modules call on it, the same from version 20 on. */
export declare class SocketClass extends Duplex {
  connecting: boolean;
  get _handle(): NativeHandle | null;
  set _handle(handle: NativeHandle | null);
  _server: Server | null;
  server: Server | null;
  /** Data that waits for the connection. */
  _pendingData: unknown;
  _pendingEncoding: string;
  /** node:http has its parser on it. */
  parser?: unknown;
  get pending(): boolean;
  get bufferSize(): number | undefined;
  get bytesRead(): number;
  get _bytesDispatched(): number;
  connect(...args: unknown[]): this;
  setNoDelay(on?: boolean): this;
  setKeepAlive(...args: unknown[]): this;
  setTimeout(milliseconds: number): this;
  ref(): this;
  unref(): this;
  resetAndDestroy(): this;
  _unrefTimer(): void;
  _writeGeneric(isMany: boolean, data: unknown, encoding: string, done: Done): void;
  _getsockname(): NameOf;
  _getpeername(): NameOf;
  _reset(): void;
}

/** A server likewise. */
export declare class ServerClass extends EventEmitter {
  _handle: NativeHandle | null;
  _connections: number;
  maxConnections?: number | null;
  allowHalfOpen: boolean;
  pauseOnConnect: boolean;
  noDelay: boolean;
  keepAlive: boolean;
  /** Seconds. */
  keepAliveInitialDelay: number;
  highWaterMark: number | undefined;
  blockList?: { check(address: string, family: string): boolean };
  _listen2(...place: ListenPlace): void;
  _emitCloseIfDrained(): void;
}

/** The place to listen at, as Node's `listen` has found it out. */
export type ListenPlace = [
  address: string | null,
  port: number | null,
  addressType: number | null,
  backlog: number,
  fd: number | undefined,
  flags: number | undefined,
];

interface ModuleInternals {
  _createServerHandle(
    address: string | null,
    port: number | null,
    addressType: number | null,
    fd?: number,
    flags?: number,
  ): NativeHandle | number;
  _normalizeArgs(args: readonly unknown[]): [options: Record<string, unknown>, listener: (() => void) | null];
}

/**
 * Node's own module as it is when this one is loaded: a program may put this one in its place afterwards, and would
 * then be called by it in a circle. Getters stay getters: some load what few programs need.
 */
export const node = Object.defineProperties(
  {},
  Object.getOwnPropertyDescriptors(builtin('node:net') as typeof net),
) as typeof net & ModuleInternals;

const OF_SOCKETS = ['_writeGeneric', '_getsockname', '_getpeername', '_reset', '_unrefTimer', '_final', '_destroy'];

/**
 * Is it built as Node builds it? Then its sockets and servers can be had to work on what is not a handle of its own.
 * Other runtimes have the same names, some even the same JavaScript, and no descriptors behind them.
 */
export function isBuiltAsNode(): boolean {
  const isFunction = (owner: object, name: string): boolean =>
    typeof (owner as Record<string, unknown>)[name] === 'function';
  return (
    hasUvLoop() &&
    isFunction(node, '_createServerHandle') &&
    isFunction(node, '_normalizeArgs') &&
    isFunction(node.Server.prototype, '_listen2') &&
    OF_SOCKETS.every((name) => isFunction(node.Socket.prototype, name)) &&
    Object.getOwnPropertyDescriptor(node.Socket.prototype, '_handle')?.get !== undefined
  );
}
