import type { ProvidedBufRing } from '../ring/buffer-ring.ts';
import type { IoUring } from '../ring/ring.ts';

/** No class of buffers takes more memory than this. */
const BYTES_MAX = 64 * 2 ** 20;
/** The kernel's limit on the entries of one buffer ring. */
const ENTRIES_MAX = 32768;

/** So many shortages that were over in a moment are put up with. */
const SHORTAGES_MAX = 64;

/** What waits for buffers to come back. */
export interface Starved {
  /** There are some again. */
  fed(): void;
}

/** Buffers of one size for everything that receives: the kernel takes one when data is there, and not before. */
export class BufferPool {
  /** Bytes of each. */
  readonly bufSize: number;
  /** Buffers that are with consumers. */
  out = 0;
  readonly #ring: IoUring;
  readonly #nextGroup: () => number;
  readonly #groups: PooledGroup[] = [];
  readonly #starved = new Set<Starved>();
  #entries = 0;
  /** How often there was none although most were there a moment later. */
  #shortages = 0;

  constructor(ring: IoUring, bufSize: number, entries: number, nextGroup: () => number) {
    this.bufSize = bufSize;
    this.#ring = ring;
    this.#nextGroup = nextGroup;
    this.#firstEntries = entries;
  }

  readonly #firstEntries: number;

  /** The group to receive with: the one that has most left. */
  pick(): PooledGroup {
    let best: PooledGroup | undefined = this.#groups[0];
    for (const group of this.#groups) if (group.left > best.left) best = group;
    return best ?? this.#add(this.#firstEntries);
  }

  /** The group that `starved` received with has nothing left. True if there are buffers elsewhere, or now. */
  feed(starved: Starved): boolean {
    const scarce = this.#entries >> 3;
    // What is given back in the turn in which it was taken is short now and then. Not again and again.
    if (this.#entries - this.out > scarce && ++this.#shortages < SHORTAGES_MAX) return true;
    this.#shortages = 0;
    const bytes = this.#entries * this.bufSize;
    if (bytes * 2 <= BYTES_MAX && this.#entries <= ENTRIES_MAX) {
      try {
        this.#add(this.#entries);
        return true;
      } catch {
        // No memory for more: those that there are come back.
      }
    }
    if (this.out < this.#entries) return true;
    this.#starved.add(starved);
    return false;
  }

  /** It does not wait any more. */
  forget(starved: Starved): void {
    this.#starved.delete(starved);
  }

  /** A buffer came back. @internal */
  returned(): void {
    this.out--;
    if (this.#starved.size === 0) return;
    const [first] = this.#starved;
    this.#starved.delete(first);
    first.fed();
  }

  #add(entries: number): PooledGroup {
    const group = new PooledGroup(this, this.#ring.registerBufRing(entries, this.bufSize, this.#nextGroup()));
    this.#groups.push(group);
    this.#entries += entries;
    return group;
  }
}

/** A ring of provided buffers, and how many of them the kernel has. */
export class PooledGroup {
  left: number;
  readonly pool: BufferPool;
  readonly #buffers: ProvidedBufRing;
  /** The view of each buffer that was made last: mostly the next one is as long. */
  readonly #views: (Buffer | undefined)[] = [];

  constructor(pool: BufferPool, buffers: ProvidedBufRing) {
    this.pool = pool;
    this.left = buffers.entries;
    this.#buffers = buffers;
  }

  /** {@link take}, as a Buffer that is used again: for those who are done with it when they give the buffer back. */
  takeView(bid: number, length: number): Buffer {
    this.left--;
    this.pool.out++;
    const last = this.#views[bid];
    if (last !== undefined && last.length === length) return last;
    const { buffer, byteOffset } = this.#buffers.bytes(bid, length);
    return (this.#views[bid] = Buffer.from(buffer, byteOffset, length));
  }

  get id(): number {
    return this.#buffers.group;
  }

  /** The kernel filled a buffer: its first `length` bytes. */
  take(bid: number, length: number): Uint8Array {
    this.left--;
    this.pool.out++;
    return this.#buffers.bytes(bid, length);
  }

  /** The kernel may have it again. */
  give(bid: number): void {
    this.left++;
    try {
      this.#buffers.recycle(bid);
    } catch (error) {
      // The ring is closed: it does not want it back.
      if ((error as NodeJS.ErrnoException).code !== 'ERR_IOURING_CLOSED') throw error;
    }
    this.pool.returned();
  }
}

/** The pools of a reactor. */
export class BufferPools {
  /** For messages. */
  readonly small: BufferPool;
  /** For bulk, and for any datagram. */
  readonly large: BufferPool;

  /** For connections whose data is done with in the turn in which it comes: made when it is first asked for. */
  get turn(): BufferPool {
    return (this.#turn ??= this.#make(4096, 256));
  }

  /** For datagrams that are done with likewise: any of them fits. */
  get datagrams(): BufferPool {
    return (this.#datagrams ??= this.#make(65 * 1024, 64));
  }

  #turn: BufferPool | undefined;
  #datagrams: BufferPool | undefined;
  readonly #make: (bufSize: number, entries: number) => BufferPool;

  constructor(ring: IoUring) {
    let group = 0;
    const next = (): number => group++;
    this.#make = (bufSize, entries) => new BufferPool(ring, bufSize, entries, next);
    this.small = this.#make(4096, 64);
    this.large = this.#make(65 * 1024, 8);
  }

  get out(): number {
    return this.small.out + this.large.out;
  }
}
