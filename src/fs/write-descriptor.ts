import { AbortError } from '../reactor/abort.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { STAGED_MAX } from './staging.ts';
import { writeFrom, type Position } from './transfer.ts';
import { bytesOf } from './view.ts';

/** Data that is written piece by piece. */
export type Pieces = AsyncIterable<unknown> | Iterable<unknown>;

/** Text or memory, as bytes; undefined: something else. */
export function plainData(data: unknown, encoding: BufferEncoding | null): Uint8Array | undefined {
  if (typeof data === 'string') return Buffer.from(data, encoding ?? 'utf8');
  return ArrayBuffer.isView(data) ? bytesOf(data) : undefined;
}

export function isIterable(data: unknown): data is Pieces {
  if (typeof data !== 'object' || data === null) return false;
  const { [Symbol.iterator]: iterator, [Symbol.asyncIterator]: asyncIterator } = data as Partial<
    AsyncIterable<unknown> & Iterable<unknown>
  >;
  return typeof iterator === 'function' || typeof asyncIterator === 'function';
}

/**
 * Write all of it, in as many transfers as that takes.
 * @param position in the file, of the first byte; undefined: where it stands, which moves on
 */
export async function writeAll(
  io: Reactor,
  fd: number,
  bytes: Uint8Array,
  signal: AbortSignal | null,
  position: Position,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    if (done > 0 || bytes.length > STAGED_MAX) refuseIfAborted(signal);
    const piece = bytes.subarray(done, done + STAGED_MAX);
    const at = position === undefined ? undefined : position + done;
    done += (await writeFrom(io, fd, undefined, undefined, piece, at, signal)).bytesWritten;
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
