import type { BigIntStats } from 'node:fs';
import { Span } from '../call-options.ts';
import type { CopyCalls } from './copy-calls.ts';
import { Limit } from '../../reactor/limit.ts';

/** Up to this a file is read at once. */
export const SMALL = 65_536;
/** A larger one is moved in pieces of so many bytes, so many of them in flight. */
const PIECE = 1 << 20;
const PIECES = 4;
const LARGE_FILES = 2;
/** The kernel's own copying may take so long at a time, in milliseconds: others want to go on. */
const SLICE_MS = 10;
const SLICE_MIN = 1 << 20;
const SLICE_MAX = 256 << 20;

/** Copying was told to stop. */
export const STOPPED = Object.assign(new Error('interrupted'), { code: 'EINTR' });

/** The copy of a tree, which counts bytes, and says when to stop. */
export interface CopyTally {
  bytes: number;
  readonly isStopping: boolean;
}

/**
 * Copies contents from one open file to another: small ones at once, large ones by the kernel or in pieces; holes stay
 * holes.
 */
export class CopyContents {
  readonly #io: CopyCalls;
  readonly #tally: CopyTally;
  readonly #large = new Limit(LARGE_FILES);
  readonly #small: Buffer[] = [];
  readonly #pieces: Uint8Array[] = [];
  #canClone = true;
  #hasRangeCopy = true;
  #slice = SLICE_MIN;
  /** When the others had their turn. */
  #turned = performance.now();

  constructor(io: CopyCalls, tally: CopyTally) {
    this.#io = io;
    this.#tally = tally;
  }

  /** Memory for a small file, and a byte more to see that it is one; {@link give} it back. */
  take(): Buffer {
    return this.#small.pop() ?? smallMemory(this.#io);
  }

  give(memory: Buffer): void {
    this.#small.push(memory);
  }

  /** Reads the first bytes of a file, as many as `memory` has room for. */
  read(fd: number, memory: Buffer): Promise<number> {
    return readFully(this.#io, fd, memory);
  }

  /** Write what was read of a small file; and the rest, of one that has grown or did not say how large it is. */
  async writeSmall(source: number, copy: number, memory: Buffer, length: number): Promise<void> {
    const isAll = length <= SMALL;
    for (let at = 0; length > 0;) {
      this.#checkStop();
      await writeFully(this.#io, copy, memory, length, at);
      this.#tally.bytes += length;
      at += length;
      if (isAll) return;
      length = await this.#io.read(source, memory, new Span(at, memory.length));
    }
  }

  /**
   * Have the file system share the contents of two open files, where it can. Through the ring nothing is to be done for
   * it: there the kernel does so when it copies a range.
   */
  async clone(source: number, copy: number): Promise<boolean> {
    if (this.#io.clone === undefined || !this.#canClone) return false;
    try {
      await this.#io.clone(source, copy);
      return true;
    } catch {
      this.#canClone = false;
      return false;
    }
  }

  copyLarge(source: number, copy: number, status: BigIntStats): Promise<void> {
    return this.#large.run(() => this.#copyLarge(source, copy, status));
  }

  async #copyLarge(source: number, copy: number, status: BigIntStats): Promise<void> {
    const io = this.#io;
    const size = Number(status.size);
    const isSparse = status.blocks * 512n < status.size;
    let end = size;
    let data = 0;
    for (const [first, last] of isSparse ? dataOf(io, source, size) : [[0, size]]) {
      data += last - first;
      end = Math.min(end, await this.#copyRange(source, copy, first, last));
    }
    // A hole at its end, or it has shrunk meanwhile.
    if (isSparse || end < size) await io.ftruncate(copy, end);
    // Holes are done with, too.
    if (isSparse) this.#tally.bytes += size - data;
  }

  /**
   * Where the source ended, if that was before `last`; else infinity. The kernel does it where it can: it need not copy
   * twice.
   */
  async #copyRange(source: number, copy: number, first: number, last: number): Promise<number> {
    for (let at = first; at < last && this.#hasRangeCopy;) {
      this.#checkStop();
      const start = performance.now();
      let copied = 0;
      try {
        copied = this.#io.copyFileRange(source, at, copy, at, Math.min(this.#slice, last - at));
      } catch (error) {
        if (!NO_RANGE_COPY.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
        this.#hasRangeCopy = false;
      }
      // Some file systems say so of what they cannot copy: reading tells.
      if (copied === 0) return this.#copyPieces(source, copy, at, last);
      at += copied;
      this.#tally.bytes += copied;
      const now = performance.now();
      if (now - start > SLICE_MS) this.#slice = Math.max(SLICE_MIN, this.#slice / 2);
      else if (now - start < SLICE_MS / 2 && at < last) this.#slice = Math.min(SLICE_MAX, 2 * this.#slice);
      // Of many files that are not so large each takes less, and all of them too long.
      if (now - this.#turned > SLICE_MS) {
        await turn();
        this.#turned = performance.now();
      }
      if (at >= last) return Infinity;
    }
    return first < last && !this.#hasRangeCopy ? this.#copyPieces(source, copy, first, last) : Infinity;
  }

  /** The same through memory, several pieces in flight. */
  async #copyPieces(source: number, copy: number, first: number, last: number): Promise<number> {
    const io = this.#io;
    let next = first;
    let end = Infinity;
    const worker = async (): Promise<void> => {
      const memory = this.#pieces.pop() ?? io.allocate(PIECE);
      try {
        while (next < last && next < end) {
          this.#checkStop();
          const at = next;
          const length = Math.min(PIECE, last - at);
          next += length;
          const bytes = await io.read(source, memory, new Span(at, length));
          // Short in the middle of a file: what is missing is read again, unless it is the end.
          let total = bytes;
          while (total > 0 && total < length) {
            const more = await io.read(source, memory.subarray(total, length), new Span(at + total, length - total));
            if (more === 0) break;
            total += more;
          }
          if (total < length) end = Math.min(end, at + total);
          if (total > 0) await writeFully(io, copy, memory, total, at);
          this.#tally.bytes += total;
        }
      } finally {
        this.#pieces.push(memory);
      }
    };
    const workers = await Promise.allSettled(Array.from({ length: PIECES }, worker));
    const failed = workers.find(({ status }) => status === 'rejected');
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
    return end;
  }

  #checkStop(): void {
    if (this.#tally.isStopping) throw STOPPED;
  }
}

const NO_RANGE_COPY = new Set(['EXDEV', 'EINVAL', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EBADF', 'EPERM']);

/** Whatever else there is to do. */
function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

function smallMemory(io: CopyCalls): Buffer {
  const { buffer, byteOffset } = io.allocate(SMALL + 1);
  return Buffer.from(buffer, byteOffset, SMALL + 1);
}

/** Read from the beginning until the end, or until `memory` is full. */
async function readFully(io: CopyCalls, fd: number, memory: Buffer): Promise<number> {
  let length = await io.read(fd, memory, new Span(0, memory.length));
  for (;;) {
    if (length === 0 || length === memory.length) return length;
    const more = await io.read(fd, memory.subarray(length), new Span(length, memory.length - length));
    if (more === 0) return length;
    length += more;
  }
}

/** The kernel may write less than it was asked to, on a full disk or at a limit: the rest of it tells why. */
async function writeFully(
  io: CopyCalls,
  fd: number,
  memory: Uint8Array,
  length: number,
  offset: number,
): Promise<void> {
  for (let written = 0; written < length;) {
    const more = await io.write(
      fd,
      written === 0 ? memory : memory.subarray(written, length),
      new Span(offset + written, length - written),
    );
    if (more === 0) throw Object.assign(new Error('EIO: nothing was written, write'), { code: 'EIO' });
    written += more;
  }
}

/** Where there is data: from, and to. */
function* dataOf(io: CopyCalls, fd: number, size: number): Generator<[number, number]> {
  let at = 0;
  while (at < size) {
    const first = io.seek(fd, at, 'data');
    if (first === undefined) return;
    at = io.seek(fd, first, 'hole') ?? size;
    yield [first, Math.min(at, size)];
  }
}
