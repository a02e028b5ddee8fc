import { read } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { promisify } from '../native/node-util.ts';
import { hasSystemDescriptors } from '../native/runtime.ts';
import { AbortError } from '../reactor/abort.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import { abortedBy, type FileOptions } from './plain-arguments.ts';
import { STAGED_MAX, stagingOf } from './staging.ts';
import { sizeOf } from './stat.ts';

/** Most files are read at once. */
export const FIRST_READ = 65_536;
/**
 * From so many bytes on the rest of a file is read by Node's threads, into the memory that the caller gets: to copy it
 * out of staged memory takes longer than a thread takes to be woken.
 */
const LARGE_MIN = 131_072;
const readByNode = promisify(read);

/** The most that Node reads into one buffer; a larger file it refuses. */
const SIZE_MAX = 2 ** 31 - 1;

export const READ = ownOptions({ syscall: 'read' });

export type Contents = Buffer | string;

/** Read an open file from where it stands to its end. */
export function readDescriptor(io: Reactor, fd: number, options: FileOptions): Promise<Contents> {
  return readRest(io, fd, options, Buffer.alloc(0), undefined);
}

/**
 * The contents that follow `head`, to the end: for a file that has a size, to the size that it has now, as Node reads
 * it.
 * @param position in the file; undefined: where it stands, which moves on
 */
export async function readRest(
  io: Reactor,
  fd: number,
  { encoding, signal }: FileOptions,
  head: Buffer,
  position: number | undefined,
): Promise<Contents> {
  const size = await sizeOf(io, fd);
  if (size > SIZE_MAX) throw tooLarge(size);
  const sink = encoding === null ? new BytesSink(head, size) : new TextSink(head, encoding);
  const options: { syscall: string; offset?: number; length?: number; signal?: AbortSignal } = ownOptions({
    ...READ,
    ...abortedBy(signal),
  });
  if (position !== undefined && size - head.length >= LARGE_MIN && hasSystemDescriptors()) {
    await readLarge(fd, sink, size, position, signal);
    return sink.end();
  }
  const staging = stagingOf(io);
  const memory = staging.take(STAGED_MAX);
  try {
    while (size === 0 || sink.length < size) {
      if (signal?.aborted) throw new AbortError(signal);
      const wanted = size === 0 ? FIRST_READ : Math.min(size - sink.length, STAGED_MAX);
      if (position !== undefined) options.offset = position + sink.length - head.length;
      options.length = wanted;
      const bytes = await io.read(fd, memory.bytes, options);
      if (bytes === 0) break;
      sink.add(memory.bytes.subarray(0, bytes));
    }
  } finally {
    staging.give(memory);
  }
  return sink.end();
}

/** Read on to the size that the file had, as Node does: as much at a time, and not beyond a signal. */
async function readLarge(
  fd: number,
  sink: BytesSink | TextSink,
  size: number,
  position: number,
  signal: AbortSignal | null,
): Promise<void> {
  const begin = position - sink.length;
  while (sink.length < size) {
    if (signal?.aborted) throw new AbortError(signal);
    const room = sink.room(Math.min(size - sink.length, STAGED_MAX));
    const { bytesRead } = await readByNode(fd, room, 0, room.length, begin + sink.length);
    if (bytesRead === 0) return;
    sink.filled(room.subarray(0, bytesRead));
  }
}

/** The words of the error are Node's. */
function tooLarge(size: number): Error {
  const error = new RangeError(`File size (${size}) is greater than 2 GiB`);
  return Object.assign(error, { code: 'ERR_FS_FILE_TOO_LARGE' });
}

/** Bytes that come one after the other, in memory of the size that is expected. */
class BytesSink {
  #bytes: Buffer;
  length: number;

  constructor(head: Buffer, size: number) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(size, head.length));
    this.#bytes.set(head);
    this.length = head.length;
  }

  add(bytes: Buffer): void {
    const length = this.length + bytes.length;
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.length);
    this.length = length;
  }

  /** Memory to read the next `length` bytes into, which is there up to the size that is expected. */
  room(length: number): Buffer {
    return this.#bytes.subarray(this.length, this.length + length);
  }

  /** Bytes are in it. */
  filled(bytes: Buffer): void {
    this.length += bytes.length;
  }

  end(): Buffer {
    return this.length === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.length);
  }
}

/** The same as text. */
class TextSink {
  readonly #decoder: StringDecoder;
  #room: Buffer | undefined;
  #text: string;
  length: number;

  constructor(head: Buffer, encoding: BufferEncoding) {
    this.#decoder = new StringDecoder(encoding);
    this.#text = this.#decoder.write(head);
    this.length = head.length;
  }

  add(bytes: Buffer): void {
    this.#text += this.#decoder.write(bytes);
    this.length += bytes.length;
  }

  room(length: number): Buffer {
    this.#room ??= Buffer.allocUnsafeSlow(length);
    return this.#room.subarray(0, length);
  }

  filled(bytes: Buffer): void {
    this.add(bytes);
  }

  end(): string {
    return this.#text + this.#decoder.end();
  }
}
