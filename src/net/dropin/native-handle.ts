import type { SocketConstructorOpts } from 'node:net';
import { emptyHandle, type HandleClass } from './node-internals.ts';
import { node, type NativeHandle, type SocketClass } from './node-net.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';

/** A handle of Node's own on a descriptor, which it owns. */
export function nativeHandle(fd: number): NativeHandle {
  const holder = new node.Socket(ownOptions({ fd, manualStart: true } as { fd: number })) as unknown as SocketClass;
  const handle = holder._handle!;
  holder._handle = null;
  return handle;
}

/** The class that {@link emptyHandle} makes one like `handle` of. */
export function classOf(handle: NativeHandle): HandleClass {
  return handle.constructor as HandleClass;
}

/** One of that class with nothing under it so far, that tells of what it reads as a socket's does. */
export function socketHandle(handleClass: HandleClass): NativeHandle {
  const handle = emptyHandle(handleClass);
  const holder = new node.Socket(
    ownOptions({ handle, manualStart: true } as SocketConstructorOpts),
  ) as unknown as SocketClass;
  holder._handle = null;
  return handle;
}

/**
 * Have a handle that is used no more do what the one does that the socket has now: somebody may have kept it, whether
 * it was asked for on the socket, by a listener of an agent's, or given to a hook of async_hooks.
 * @param current the handle that the socket has; null if it has none: then it is a handle that is closed
 */
export function forward(handle: object, current: () => object | null): void {
  const before = Object.getPrototypeOf(handle) as object;
  // Node sets it beside the methods that the prototype has.
  Reflect.deleteProperty(handle, 'reading');
  const get = (_: object, key: string | symbol, receiver: unknown): unknown => {
    const now = current();
    if (now === null) return Reflect.get(before, key, receiver) as unknown;
    const value: unknown = Reflect.get(now, key);
    return typeof value === 'function' && key !== 'constructor' ? (value.bind(now) as unknown) : value;
  };
  const set = (_: object, key: string | symbol, value: unknown): boolean => Reflect.set(current() ?? {}, key, value);
  const has = (_: object, key: string | symbol): boolean => key in (current() ?? before);
  Object.setPrototypeOf(handle, new Proxy({}, { get, set, has }));
}
