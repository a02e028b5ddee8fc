import type { Native } from '../../native/native.ts';
import { aligned, type Aligned } from './aligned-memory.ts';
import type { SubmissionQueue } from '../queues/submission-queue.ts';

const FIRST_CHUNK = 4096;

interface Chunk extends Aligned {
  view: DataView;
}

/**
 * Memory for what the kernel reads while it takes an entry, and not after: paths, addresses, times, arrays of iovecs.
 * It is handed out from one end to the other; when the kernel has taken every entry that used it, all of it is free
 * again. Memory that runs out is replaced by more, and kept until then.
 */
export class SubmitArena {
  readonly #native: Native;
  readonly #sq: SubmissionQueue;
  #chunk: Chunk | undefined;
  readonly #full: Chunk[] = [];
  #used = 0;
  /** The queue's position of the last entry that used the arena. */
  #position = 0;
  /** The memory handed out last: where it is, and how to write it. */
  address = 0;
  offset = 0;
  length = 0;
  view: DataView = new DataView(new ArrayBuffer(0));
  bytes: Uint8Array = new Uint8Array(0);

  constructor(native: Native, sq: SubmissionQueue) {
    this.#native = native;
    this.#sq = sq;
  }

  /** The next allocations are for the entry that is going to be written next. */
  begin(): void {
    const { tail } = this.#sq;
    const waiting = this.#sq.refresh();
    // How far that entry is behind the tail; 0 when it was never written.
    const age = (tail - this.#position) | 0;
    if (waiting === 0 || age > waiting) {
      this.#used = 0;
      this.#full.length = 0;
    }
    this.#position = tail;
  }

  /** `length` bytes at a multiple of 8, with anything in them. */
  allocate(length: number): void {
    let chunk = this.#chunk;
    if (chunk === undefined || this.#used + length > chunk.bytes.length) {
      if (chunk !== undefined && this.#used > 0) this.#full.push(chunk);
      const size = Math.max(FIRST_CHUNK, 2 * (chunk?.bytes.length ?? 0), length);
      const memory = aligned(this.#native, size, 8);
      const { buffer, byteOffset, byteLength } = memory.bytes;
      this.#chunk = chunk = { ...memory, view: new DataView(buffer, byteOffset, byteLength) };
      this.#used = 0;
    }
    this.length = length;
    this.offset = this.#used;
    this.address = chunk.address + this.#used;
    this.view = chunk.view;
    this.bytes = chunk.bytes;
    this.#used = Math.ceil((this.#used + length) / 8) * 8;
  }

  /** Copy `bytes` there, with a NUL behind them if asked to. */
  place(bytes: Uint8Array, terminated = false): void {
    this.allocate(bytes.length + (terminated ? 1 : 0));
    this.bytes.set(bytes, this.offset);
    if (terminated) this.bytes[this.offset + bytes.length] = 0;
  }
}
