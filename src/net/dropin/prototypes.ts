/**
 * The prototypes of sockets, by the way that their data goes. One that is Node's has Node's methods, and nothing of
 * ours between them and its handle. When it goes through the ring it gets a prototype with ours, and when it is given
 * back one with Node's again. V8 has one hidden class for all sockets that change so, before version 13 as long as they
 * get no other property afterwards.
 */
import { connectAsNode } from './connecting.ts';
import { descriptorOf, methodsAsOf } from './constructor-function.ts';
import { node, type SocketClass } from './node-net.ts';
import { stateOf } from './socket-state.ts';

interface Prototypes {
  /** As it is made. */
  readonly early: object;
  /** While it goes through the ring. */
  readonly ring: object;
  /** When it was given back. */
  readonly back: object;
}

const known: Prototypes[] = [];

const Base = node.Socket as unknown as new () => SocketClass;

/** A socket that was given back has another handle than before: its bytes are those of both. */
class BackMethods extends Base {
  override connect(...args: unknown[]): this {
    return connectAsNode(this, () => super.connect(...args));
  }

  override get bytesRead(): number {
    return super.bytesRead + (stateOf(this)?.bytesBefore?.read ?? 0);
  }

  override get _bytesDispatched(): number {
    return super._bytesDispatched + (stateOf(this)?.bytesBefore?.dispatched ?? 0);
  }
}

/** Sockets with the prototype `early` are to have `ring` while they go through the ring. */
export function haveTwoWays(early: object, ring: object): void {
  const methods = methodsAsOf(node.Socket.prototype, BackMethods.prototype);
  known.push({ early, ring, back: Object.create(early, methods) as object });
}

const getHandle = Object.getOwnPropertyDescriptor(node.Socket.prototype, '_handle')?.get;

/** Would it have our methods on the ring? Not if a program has given it a prototype that inherits Node's. */
export function canChange(socket: object): boolean {
  const now = Object.getPrototypeOf(socket) as object;
  return known.some(({ early, back }) => now === early || now === back) ||
    descriptorOf(now, '_handle')?.get !== getHandle;
}

export function onRing(socket: object): void {
  const now = Object.getPrototypeOf(socket) as object;
  const prototypes = known.find(({ early, back }) => now === early || now === back);
  // One of a class that extends ours has our methods anyway.
  if (prototypes !== undefined) Object.setPrototypeOf(socket, prototypes.ring);
}

export function backAtNode(socket: object): void {
  const now = Object.getPrototypeOf(socket) as object;
  const prototypes = known.find(({ ring }) => now === ring);
  if (prototypes !== undefined) Object.setPrototypeOf(socket, prototypes.back);
}

/** Servers of Node's class, and sockets of it that connect, which `iouring/register` has made ours. */
const registered = new WeakSet<object>();

export function register(owner: object): void {
  registered.add(owner);
}

/** Is it a socket that goes through the ring when that pays? */
export function isOurs(socket: object): socket is SocketClass {
  const now = Object.getPrototypeOf(socket) as object;
  if (now === node.Socket.prototype) return registered.has((socket as SocketClass).server ?? socket);
  return stateOf(socket) !== undefined || known.some(({ early }) => now === early);
}
