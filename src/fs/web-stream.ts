import type { FileHandle } from 'node:fs/promises';
import type { HandleBase } from './handle-base.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';

/** So much is read at once, as Node does. */
const CHUNK = 65_536;

/** As @types/node has it. */
export type WebStream = ReturnType<FileHandle['readableWebStream']>;

/**
 * Does this runtime read web streams in its native code, unless they are of type `'bytes'`? Node does before 22.15, and
 * nothing that is under way there keeps the handle: when JavaScript's memory is collected meanwhile, and nobody but who
 * waits for the stream refers to the handle, its memory is freed under the thread that reads, which ends the process,
 * or worse. To cancel such a stream, or to close its handle while it reads, ends the process, too.
 */
export function streamsNatively({ FileHandle: { prototype } }: HandleBase): boolean {
  try {
    // One without a native counterpart: a stream can be made of it only where none is needed.
    prototype.readableWebStream.call(Object.create(prototype) as FileHandle);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_INVALID_ARG_TYPE' &&
      (error as Error).message.includes('streamBase');
  }
}

/**
 * The chunks of such a stream, ArrayBuffers, by the handle's own `read`.
 * @param hold a stream of the handle that nobody reads: until it is cancelled the handle is not closed, and when the
 *   handle is going to be closed it ends
 */
export function arrayBuffers(handle: FileHandle, hold: WebStream): WebStream {
  const held = hold.getReader();
  let isOver = false;
  const letGo = (): Promise<void> => {
    isOver = true;
    return held.cancel();
  };
  const source = ownOptions({
    start(controller: { close(): void }): void {
      void held.closed.then(() => {
        if (!isOver) controller.close();
        isOver = true;
      });
    },
    async pull(controller: { close(): void; enqueue(chunk: ArrayBuffer): void }): Promise<void> {
      try {
        const { bytesRead, buffer } = await handle.read(new Uint8Array(CHUNK));
        if (isOver) return;
        if (bytesRead > 0) {
          return controller.enqueue(bytesRead === CHUNK ? buffer.buffer : buffer.buffer.slice(0, bytesRead));
        }
        controller.close();
        await letGo();
      } catch (error) {
        await letGo();
        throw error;
      }
    },
    cancel: letGo,
  });
  // Nothing is read before it is asked for: what is not there yet when the handle is closed is not given out.
  return new ReadableStream(source, ownOptions({ highWaterMark: 0 })) as WebStream;
}
