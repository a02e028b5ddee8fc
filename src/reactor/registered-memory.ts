import { allocateAligned } from '../ring/aligned-memory.ts';
import type { IoUring } from '../ring/ring.ts';

/** How many pieces of memory can be registered at once. */
const PLACES = 1024;

/**
 * Memory that the kernel has pinned once, so that it need not look it up at every transfer. It stays registered as long as
 * it, or any view of it, is alive.
 */
export class RegisteredMemory {
  readonly #ring: IoUring;
  readonly #index = new WeakMap<ArrayBufferLike, number>();
  readonly #vacant: number[] = [];
  readonly #gone = new FinalizationRegistry<number>((place) => this.#forget(place));
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
    // As long as any view of it is alive: what is given out may be used by a part of it only.
    this.#gone.register(buffer, place);
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

  #forget(place: number): void {
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
