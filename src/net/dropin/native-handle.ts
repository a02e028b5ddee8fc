import { putUnder } from './node-internals.ts';
import { node, type NativeHandle, type SocketClass } from './node-net.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';

/** A handle of Node's own on a descriptor, which it owns. */
export function nativeHandle(fd: number): NativeHandle {
  const holder = new node.Socket(ownOptions({ fd, manualStart: true } as { fd: number })) as unknown as SocketClass;
  const handle = holder._handle!;
  holder._handle = null;
  return handle;
}

/** Such a handle under a socket that has none, as if the socket had been made with it. */
export function adoptHandle(socket: SocketClass, fd: number): NativeHandle {
  const handle = nativeHandle(fd);
  putUnder(socket, handle);
  return handle;
}
