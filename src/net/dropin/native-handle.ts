import { node, type NativeHandle, type SocketClass } from './node-net.ts';
import { ownOptions } from '../../reactor/own-options.ts';

/** Frames above this one in which to look for who asks. */
const FRAMES = 4;

/** Modules of Node's that ask for a socket's handle to keep it. Versions from 26 on have node:tls elsewhere. */
const KEEPERS = [
  [/\bnode:internal\/child_process\b/, 'child process'],
  [/\bnode:(?:_tls_wrap|internal\/tls\/wrap|internal\/http2\/core)\b/, 'protocol'],
] as const;

/**
 * Who asks for a socket's handle? node:child_process hands it to another process: it gives it to native code that takes any object for a
 * handle of libuv's, so it must get one. A protocol, node:tls or node:http2, has native code work on it. Nothing but the stack tells;
 * it is looked at only where node:http is not in charge.
 */
export function whoAsks(): (typeof KEEPERS)[number][1] | undefined {
  const stack = stackAbove(whoAsks, FRAMES);
  return KEEPERS.find(([place]) => place.test(stack))?.[1];
}

/** Is it a module of Node's that has called the caller, a getter? */
export function isAskedByNode(): boolean {
  return /[ (]node:[^\n]*$/.test(stackAbove(isAskedByNode, 2));
}

/** So many lines of the stack, without `callee` and what it has called. */
function stackAbove(callee: () => unknown, frames: number): string {
  const limit = Error.stackTraceLimit;
  const trace: { stack?: string } = {};
  Reflect.set(Error, 'stackTraceLimit', frames);
  Error.captureStackTrace(trace, callee);
  Reflect.set(Error, 'stackTraceLimit', limit);
  return String(trace.stack);
}

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
  // Names of Node's that no module exports: whom the handle tells of what it reads, and the context of the socket.
  Reflect.set(handle, symbolOf(handle, 'owner_symbol'), socket);
  Reflect.set(socket, symbolOf(socket, 'async_id_symbol'), handle.getAsyncId!());
  return handle;
}

function symbolOf(object: object, name: string): symbol {
  return Object.getOwnPropertySymbols(object).find(({ description }) => description === name)!;
}
