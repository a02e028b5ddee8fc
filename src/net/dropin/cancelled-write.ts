import { ECANCELED } from '../../abi/errno.ts';
import { node, type NativeHandle, type SocketClass } from './node-net.ts';

/** A request of Node's to write. */
interface WriteRequest {
  oncomplete?(status: number, handle: NativeHandle, error: unknown): void;
  writeStatus: null;
}

let isTold: boolean | undefined;

/**
 * Are those who wait for a write told of an error when the socket is destroyed? Node 20 says nothing, 22 and later do.
 * Node is asked: with a socket that has nothing under it.
 */
export function isCancelledWriteTold(): boolean {
  return (isTold ??= ask());
}

function ask(): boolean {
  let request: WriteRequest | undefined;
  let told: unknown;
  // The request is given, or made by the handle in later versions.
  const write = (given: WriteRequest | null): number | WriteRequest => {
    request = given ?? { writeStatus: null };
    return given === null ? request : 0;
  };
  const handle: NativeHandle & Record<'writeUtf8String' | 'writeBuffer', typeof write> = {
    reading: false,
    writeUtf8String: write,
    writeBuffer: write,
    close() {},
  };
  const socket = new node.Socket({ handle, manualStart: true } as object) as unknown as SocketClass;
  socket._writeGeneric(false, Buffer.of(0), 'buffer', (error) => (told = error));
  socket.destroy();
  request?.oncomplete?.(-ECANCELED, handle, undefined);
  return told instanceof Error;
}
