import { setImmediate } from '../native/timers.ts';
import { allocateAligned } from '../ring/memory/aligned-memory.ts';
import type { IoUring } from '../ring/io-uring.ts';

/** How many pieces of memory can be registered at once. */
const PLACES = 1024;

/**
 * Memory that the kernel has pinned once, so that it need not look it up at every transfer. It stays registered as long
 * as the array that was given out is alive.
 */
export class RegisteredMemory {
  readonly #ring: IoUring;
  readonly #index = new WeakMap<ArrayBufferLike, number>();
  readonly #vacant: number[] = [];
  readonly #gone = new FinalizationRegistry<{ place: number; memory: WeakRef<ArrayBuffer> }>((held) =>
    this.#forget(held)
  );
  #isMade = false;
  /** No table, or no more memory may be pinned. */
  #isRefused = false;
  #size = 0;

  constructor(ring: IoUring) {
    this.#ring = ring;
  }

  allocate(bytes: number, alignment: number | undefined): Uint8Array<ArrayBuffer> {
    const memory = alignment === undefined ? allocateAligned(bytes) : allocateAligned(bytes, alignment);
    this.#register(memory);
    return memory;
  }

  /** The place of the memory that a buffer is part of; undefined if it is not registered. */
  placeOf(buffer: unknown): number | undefined {
    if (this.#size === 0 || !ArrayBuffer.isView(buffer)) return undefined;
    return this.#index.get(buffer.buffer);
  }

  #register(memory: Uint8Array<ArrayBuffer>): void {
    const { buffer } = memory;
    if (!this.#isMade) this.#makeTable();
    const place = this.#isRefused ? undefined : this.#vacant.pop();
    if (place === undefined) return;
    try {
      // All of it: a view of any part is served then.
      this.#ring.registerBuffersUpdate(place, [buffer]);
    } catch {
      // The limit on locked memory: it serves as any other.
      this.#vacant.push(place);
      return;
    }
    this.#size++;
    this.#index.set(buffer, place);
    this.#gone.register(memory, { place, memory: new WeakRef(buffer) });
  }

  #makeTable(): void {
    this.#isMade = true;
    try {
      this.#ring.registerBuffersSparse(PLACES);
      for (let place = PLACES - 1; place >= 0; place--) this.#vacant.push(place);
    } catch {
      this.#isRefused = true;
    }
  }

  #forget(held: { place: number; memory: WeakRef<ArrayBuffer> }): void {
    // What is prepared by this place, for a view that outlives the array, is handed over first.
    if (!this.#ring.closed && this.#ring.sqReady > 0) return void setImmediate(() => this.#forget(held));
    const { place, memory } = held;
    const buffer = memory.deref();
    if (buffer !== undefined) this.#index.delete(buffer);
    this.#size--;
    if (this.#ring.closed) return;
    try {
      this.#ring.registerBuffersUpdate(place, [null]);
      this.#vacant.push(place);
    } catch {
      // The place is not used again: nobody is there to be told.
    }
  }
}
