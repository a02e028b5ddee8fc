/** The facts that sockets of ours have beside those of Node's class, and who is at work on one. */
import type { AsyncResource } from 'node:async_hooks';
import type { Listener } from './node-internals.ts';
import { node, type NativeHandle, type SocketClass } from './node-net.ts';
import type { SocketConnection } from './socket-connection.ts';
import type { UserBuffer } from './user-buffer.ts';
import { worth } from './worth.ts';

/** Bytes that have gone both ways. */
export interface Bytes {
  readonly read: number;
  readonly dispatched: number;
}

/**
 * The facts about one socket. They are not kept on the socket itself: V8 would have another hidden class for each stage
 * that sockets get them at, and Node's functions that work on sockets are slower from the fifth on that they see.
 */
export class State {
  /**
   * The connection under it; null if it stays Node's; undefined as long as that is not decided: see
   * {@link connectionOf}.
   */
  connection: SocketConnection | null | undefined = undefined;
  /** One of Node's methods is at work on it, and is to find a handle. */
  isLent = false;
  /** Is it a socket that connects, and not one that was accepted? */
  connects = false;
  /** The context in which one that connects is told things on the ring: see {@link noteScope}. */
  scope: AsyncResource | undefined = undefined;
  userBuffer: UserBuffer | undefined = undefined;
  /** Its descriptor was given to it by number. */
  keepsDescriptor = false;
  /** Another process may have the socket, too. */
  isShared = false;
  /**
   * Writes before the next look, at least 1: 0 of a socket that stays Node's, and of one that is being made, and -1 of
   * one that goes by no look.
   */
  writesLeft: number = Math.min(0, writesAtFirst());
  /** Writes between two looks while it is Node's. */
  period: number = worth.writes;
  /** Bytes that had come and gone at the last look, and messages that were written since. */
  readSeen = 0;
  writtenSeen = 0;
  messages = 0;
  /** The number of the stretch of writes that these are of, while it is Node's. */
  stretch = 0;
  /** Was it looked at whether the ring pays for it? */
  wasLookedAt = false;
  /** Bytes that went by way of handles and connections that it has no more. */
  bytesBefore: Bytes | undefined = undefined;
  /** Bytes that went through the ring, of one that ever did; as long as it does, less all that had gone before. */
  bytesByRing: Bytes | undefined = undefined;
  /** The parser of node:http's server that has taken the socket over, and how often it still asks for the handle. */
  parser: unknown = undefined;
  asking = 0;
  /** How often the handle was asked for that Node is about to connect; undefined when it is not. */
  asked: number | undefined = undefined;
}

/**
 * States, by the object in which Node keeps the state of the readable side: a Proxy in front of a socket has the same.
 * A socket that is being made has none so far, and its state stands under the socket itself.
 */
const states = new WeakMap<object, State>();

/** The object in which Node keeps the state of the readable side of a socket. */
function readableStateOf(socket: object): object | undefined {
  return (socket as { readonly _readableState?: object })._readableState;
}

/** The state of a socket; undefined of one that is Node's and has never been looked at. */
export function stateOf(socket: object): State | undefined {
  return states.get(readableStateOf(socket)!) ?? states.get(socket);
}

/** The connection of a socket, as its state has it. */
export function connectionUnder(socket: object): State['connection'] {
  return stateOf(socket)?.connection;
}

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

/** A new state for a socket, which has no connection yet. While it is being made nobody looks at it. */
export function begin(socket: object): State {
  const state = new State();
  states.set(readableStateOf(socket) ?? socket, state);
  return state;
}

/** The socket that a state was begun for is made: the state is found through a Proxy from now on. */
export function made(socket: object, state: State): void {
  states.set(readableStateOf(socket)!, state);
}

/** The same for a socket that Node has connected, or accepted. */
export function beginConnected(socket: SocketClass): State {
  const state = begin(socket);
  state.connects = (socket.server ?? null) === null;
  state.writesLeft = writesAtFirst();
  return state;
}

/** Is it ours, and not closed? */
export function isOpen(connection: SocketConnection | null | undefined): connection is SocketConnection {
  return connection !== undefined && connection !== null && connection.isOpen;
}

/**
 * The socket that Node is at work on and nobody else: whoever asks for its handle is Node. To find that out otherwise
 * takes much longer.
 */
export let inNode: SocketClass | undefined;

export function withinNode<T>(socket: SocketClass, call: () => T): T {
  const before = inNode;
  inNode = socket;
  try {
    return call();
  } finally {
    inNode = before;
  }
}

/** Have Node's method find a handle if ours is open. */
export function lend<T>(socket: SocketClass, call: () => T): T {
  const state = stateOf(socket);
  if (state?.isLent === true) return call();
  if (!isOpen(state?.connection)) return withinNode(socket, call);
  state.isLent = true;
  try {
    return call();
  } finally {
    state.isLent = false;
  }
}

/** A listener of Node's that finds the connection's handle. Node knows it again when it takes it off. */
export function lentTo(listener: Listener): Listener {
  const lent = function (this: SocketClass): void {
    lend(this, () => listener.call(this));
  };
  return Object.assign(lent, { listener });
}
