import { node, type NativeHandle, type SocketClass } from './node-net.ts';
import { ownOptions } from '../reactor/own-options.ts';

/** Frames above this one in which to look for who asks. */
const FRAMES = 4;

/**
 * Is it node:child_process that asks for a socket's handle, to hand it to another process? It gives it to native code that takes any
 * object for a handle of libuv's, so it must get one. Nothing but the stack tells; it is looked at only where node:http is not in
 * charge and nobody has the stream yet.
 */
export function isAskedByChildProcess(): boolean {
  const limit = Error.stackTraceLimit;
  const trace: { stack?: string } = {};
  Reflect.set(Error, 'stackTraceLimit', FRAMES);
  Error.captureStackTrace(trace, isAskedByChildProcess);
  Reflect.set(Error, 'stackTraceLimit', limit);
  return /\bnode:internal\/child_process\b/.test(String(trace.stack));
}

/** A handle of Node's own on a descriptor, which it owns. */
export function nativeHandle(fd: number): NativeHandle {
  const holder = new node.Socket(ownOptions({ fd, manualStart: true } as { fd: number })) as unknown as SocketClass;
  const handle = holder._handle!;
  holder._handle = null;
  return handle;
}
