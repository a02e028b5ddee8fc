/**
 * The prototypes of sockets, by the way that their data goes. One that is Node's has Node's methods, and nothing of
 * ours between them and its handle. When it goes through the ring for the first time it gets a prototype with our
 * methods, and keeps it: where it is Node's again they do as Node's do. V8 has one hidden class for all sockets that
 * change so, before version 13 as long as they get no other property afterwards. Each further change of the prototype
 * would make one more, and Node's functions are slower from the fifth on that they see.
 */
import { descriptorOf } from './constructor-function.ts';
import { node, type SocketClass } from './node-net.ts';
import { stateOf } from './socket-state.ts';

/** The prototype of sockets as they are made, and the one that they have from the ring on. */
const ringFor = new Map<object, object>();

/** Sockets with the prototype `early` are to have `ring` when they go through the ring. */
export function haveTwoWays(early: object, ring: object): void {
  ringFor.set(early, ring);
}

const getHandle = Object.getOwnPropertyDescriptor(node.Socket.prototype, '_handle')?.get;

/** Would it have our methods on the ring? Not if a program has given it a prototype that inherits Node's. */
export function canChange(socket: object): boolean {
  const now = Object.getPrototypeOf(socket) as object;
  return ringFor.has(now) || descriptorOf(now, '_handle')?.get !== getHandle;
}

export function onRing(socket: object): void {
  const ring = ringFor.get(Object.getPrototypeOf(socket) as object);
  // One that has been there before, or is of a class that extends ours, has our methods.
  if (ring !== undefined) Object.setPrototypeOf(socket, ring);
}

/** Servers of Node's class, and sockets of it that connect, which `iouring/register` has made ours. */
let registered = new WeakSet<object>();

export function register(owner: object): void {
  registered.add(owner);
}

export function isRegistered(owner: object): boolean {
  return registered.has(owner);
}

/** Those of Node's class that are not on the ring stay Node's from now on. */
export function unregisterAll(): void {
  registered = new WeakSet();
}

/** Is it a socket that goes through the ring when that pays? */
export function isOurs(socket: object): socket is SocketClass {
  const now = Object.getPrototypeOf(socket) as object;
  if (now === node.Socket.prototype) return registered.has((socket as SocketClass).server ?? socket);
  return stateOf(socket) !== undefined || ringFor.has(now);
}

/** Is it of Node's own class, be it on the ring, as `iouring/register` leaves it? */
export function isOfNodesClass(socket: object): boolean {
  const now = Object.getPrototypeOf(socket) as object;
  return now === node.Socket.prototype || now === ringFor.get(node.Socket.prototype);
}
