import { closeSync } from 'node:fs';
import type { Handle, Native } from './native.ts';
import { clearTimeout, setTimeout } from './timers.ts';

/** As much of Bun as is used here. */
declare const Bun: {
  file(fd: number): { stream(): ReadableStream<Uint8Array> };
};

interface ReadableStream<T> {
  getReader(): { read(): Promise<{ value?: T; done: boolean }>; cancel(): Promise<void> };
}

/** Making a stream costs more than keeping one for a while. */
const LINGER_MS = 10;

/**
 * {@link readPipe} in Bun, whose sockets take no pipes. A stream that is open keeps the process alive, and cannot be
 * told not to: so it is given up when nobody waits, and made anew. The end of a thread does not close what its streams
 * read.
 */
export function readPipeInBun(
  fd: number,
  onData: () => void,
  closeAtThreadExit: Native['closeAtThreadExit'],
): Handle {
  const forget = closeAtThreadExit(fd);
  let reader: ReturnType<ReadableStream<Uint8Array>['getReader']> | undefined;
  let lingering: NodeJS.Timeout | undefined;
  let isClosed = false;
  const open = async (): Promise<void> => {
    const opened = Bun.file(fd).stream().getReader();
    reader = opened;
    while (reader === opened) {
      const { done } = await opened.read();
      if (done || reader !== opened) return;
      onData();
    }
  };
  const giveUp = (): void => {
    clearTimeout(lingering);
    lingering = undefined;
    const given = reader;
    reader = undefined;
    void given?.cancel();
  };
  return {
    needsRef: true,
    ref() {
      clearTimeout(lingering);
      lingering = undefined;
      if (reader === undefined && !isClosed) void open();
    },
    unref() {
      if (reader !== undefined) lingering ??= setTimeout(giveUp, LINGER_MS);
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      giveUp();
      forget();
      closeSync(fd);
    },
  };
}
