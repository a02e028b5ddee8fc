/** The facts that sockets of ours have beside those of Node's class, and who is at work on one. */
import type { AsyncResource } from 'node:async_hooks';
import type { Listener } from './node-internals.ts';
import { node, type NativeHandle, type SocketClass } from './node-net.ts';
import type { SocketConnection } from './socket-connection.ts';
import type { UserBuffer } from './user-buffer.ts';
import { worth } from './worth.ts';

/**
 * The connection under it; null if it stays Node's; undefined as long as that is not decided: see {@link connectionOf}.
 */
export const CONNECTION: unique symbol = Symbol('connection');
/** One of Node's methods is at work on it, and is to find a handle. */
export const IS_LENT: unique symbol = Symbol('handle is lent');
/** Facts that are known of it before it has a connection. */
export const USER_BUFFER: unique symbol = Symbol('user buffer');
export const CONNECTS: unique symbol = Symbol('connects');
export const SCOPE: unique symbol = Symbol('scope');
export const KEEPS_DESCRIPTOR: unique symbol = Symbol('keeps descriptor');
export const IS_SHARED: unique symbol = Symbol('is shared');
/** Writes before the next look, at least 1: 0 of a socket that stays Node's, -1 of one that goes by no look. */
export const WRITES_LEFT: unique symbol = Symbol('writes left');
/** Writes between two looks while it is Node's. */
export const PERIOD: unique symbol = Symbol('period');
/** Bytes that had come and gone at the last look, and messages that were written since. */
export const READ_SEEN: unique symbol = Symbol('read seen');
export const WRITTEN_SEEN: unique symbol = Symbol('written seen');
export const MESSAGES: unique symbol = Symbol('messages');
/** The number of the stretch of writes that these are of, while it is Node's. */
export const STRETCH: unique symbol = Symbol('stretch');
/** Was it looked at whether the ring pays for it? */
export const WAS_LOOKED_AT: unique symbol = Symbol('was looked at');
/** Bytes that went by way of handles and connections that it has no more. */
export const BYTES_BEFORE: unique symbol = Symbol('bytes before');
/** Bytes that went through the ring, of one that ever did; as long as it does, less all that had gone before. */
export const BYTES_BY_RING: unique symbol = Symbol('bytes by ring');
/** The parser of node:http's server that has taken the socket over, and how often it still asks for the handle. */
export const PARSER: unique symbol = Symbol('parser');
export const ASKING: unique symbol = Symbol('asking');
/** How often the handle was asked for that Node is about to connect; undefined when it is not. */
export const ASKED: unique symbol = Symbol('asked');

/** Bytes that have gone both ways. */
export interface Bytes {
  readonly read: number;
  readonly dispatched: number;
}

export interface State {
  [CONNECTION]: SocketConnection | null | undefined;
  [IS_LENT]: boolean;
  [USER_BUFFER]: UserBuffer | undefined;
  /** Is it a socket that connects, and not one that was accepted? */
  [CONNECTS]: boolean;
  /** The context in which one that connects is told things on the ring: see {@link noteScope}. */
  [SCOPE]: AsyncResource | undefined;
  [KEEPS_DESCRIPTOR]: boolean;
  [IS_SHARED]: boolean;
  [WRITES_LEFT]: number;
  [PERIOD]: number;
  [READ_SEEN]: number;
  [WRITTEN_SEEN]: number;
  [MESSAGES]: number;
  [STRETCH]: number;
  [WAS_LOOKED_AT]: boolean;
  [BYTES_BEFORE]: Bytes | undefined;
  [BYTES_BY_RING]: Bytes | undefined;
  [PARSER]: unknown;
  [ASKING]: number;
  [ASKED]: number | undefined;
}

/** A socket of ours, as Node's class and its state have it. */
export type OurSocket = SocketClass & State;

export const prototypeOfNode: object = node.Socket.prototype;

/** Node's own, which gets to the handle by {@link inNode}. */
export const { _writeGeneric: writeAsNode } = prototypeOfNode as SocketClass;

const getHandle = Object.getOwnPropertyDescriptor(prototypeOfNode, '_handle')?.get;

/** The handle of Node's under a socket: it is asked for several times at each write. */
export function handleOf(socket: object): NativeHandle | null {
  return getHandle!.call(socket) as NativeHandle | null;
}

/** Writes before somebody looks at a socket. */
export function writesAtFirst(): number {
  return worth.writes || -1;
}

/** The state of a socket that has no connection yet. While it is being made nobody looks at it. */
export function begin(socket: OurSocket): void {
  socket[CONNECTION] = undefined;
  socket[IS_LENT] = false;
  socket[CONNECTS] = false;
  socket[SCOPE] = undefined;
  socket[USER_BUFFER] = undefined;
  socket[KEEPS_DESCRIPTOR] = false;
  socket[IS_SHARED] = false;
  socket[WRITES_LEFT] = Math.min(0, writesAtFirst());
  socket[PERIOD] = worth.writes;
  socket[READ_SEEN] =
    socket[WRITTEN_SEEN] =
    socket[MESSAGES] =
    socket[STRETCH] =
      0;
  socket[WAS_LOOKED_AT] = false;
  socket[BYTES_BEFORE] = undefined;
  socket[BYTES_BY_RING] = undefined;
  socket[PARSER] = undefined;
  socket[ASKING] = 0;
  socket[ASKED] = undefined;
}

/** The state of a socket that Node has connected, or accepted. */
export function beginConnected(socket: OurSocket): void {
  begin(socket);
  socket[CONNECTS] = (socket.server ?? null) === null;
  socket[WRITES_LEFT] = writesAtFirst();
}

/** Is it ours, and not closed? */
export function isOpen(connection: SocketConnection | null | undefined): connection is SocketConnection {
  return connection !== undefined && connection !== null && connection.isOpen;
}

/**
 * The socket that Node is at work on and nobody else: whoever asks for its handle is Node. To find that out otherwise
 * takes much longer.
 */
export let inNode: OurSocket | undefined;

export function withinNode<T>(socket: OurSocket, call: () => T): T {
  const before = inNode;
  inNode = socket;
  try {
    return call();
  } finally {
    inNode = before;
  }
}

/** Have Node's method find a handle if ours is open. */
export function lend<T>(socket: OurSocket, call: () => T): T {
  const before = socket[IS_LENT];
  if (before) return call();
  if (!isOpen(socket[CONNECTION])) return withinNode(socket, call);
  socket[IS_LENT] = true;
  try {
    return call();
  } finally {
    socket[IS_LENT] = before;
  }
}

/** A listener of Node's that finds the connection's handle. Node knows it again when it takes it off. */
export function lentTo(listener: Listener): Listener {
  const lent = function (this: OurSocket): void {
    lend(this, () => listener.call(this));
  };
  return Object.assign(lent, { listener });
}
