import { AbortError } from '../reactor/abort.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { STAGED_MAX } from './staging.ts';
import { bytesOf, writeFrom } from './transfer.ts';

/** What is written piece by piece. */
export type Pieces = AsyncIterable<unknown> | Iterable<unknown>;

/** Text or memory, as bytes; undefined: something else. */
export function plainData(data: unknown, encoding: BufferEncoding | null): Uint8Array | undefined {
  if (typeof data === 'string') return Buffer.from(data, encoding ?? 'utf8');
  return ArrayBuffer.isView(data) ? bytesOf(data) : undefined;
}

export function isIterable(data: unknown): data is Pieces {
  if (typeof data !== 'object' || data === null) return false;
  const { [Symbol.iterator]: iterator, [Symbol.asyncIterator]: asyncIterator } = data as Partial<AsyncIterable<unknown> & Iterable<unknown>>;
  return typeof iterator === 'function' || typeof asyncIterator === 'function';
}

/** Write all of it where the file stands, in as many transfers as that takes. */
export async function writeAll(io: Reactor, fd: number, bytes: Uint8Array, signal: AbortSignal | null): Promise<void> {
  const { length } = bytes;
  if (length <= STAGED_MAX && length > 0) {
    const { bytesWritten } = await writeFrom(io, fd, undefined, undefined, bytes, undefined, signal);
    if (bytesWritten === length) return;
    bytes = bytes.subarray(bytesWritten);
  }
  while (bytes.length > 0) {
    refuseIfAborted(signal);
    const piece = bytes.subarray(0, STAGED_MAX);
    const { bytesWritten } = await writeFrom(io, fd, undefined, undefined, piece, undefined, signal);
    bytes = bytes.subarray(bytesWritten);
  }
}

/** Write each piece as it comes. */
export async function writeEach(
  pieces: Pieces,
  encoding: BufferEncoding | null,
  signal: AbortSignal | null,
  write: (piece: Uint8Array) => Promise<void>,
): Promise<void> {
  for await (const piece of pieces) {
    refuseIfAborted(signal);
    const bytes = ArrayBuffer.isView(piece) ? bytesOf(piece) : Buffer.from(piece as string, encoding ?? 'utf8');
    if (bytes.length > 0) await write(bytes);
    refuseIfAborted(signal);
  }
}

export function refuseIfAborted(signal: AbortSignal | null): void {
  if (signal?.aborted) throw new AbortError(signal);
}
