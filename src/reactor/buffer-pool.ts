import { koffiNative } from '../native/koffi.ts';
import type { ProvidedBufRing } from '../ring/buffer-ring.ts';
import type { IoUring } from '../ring/io-uring.ts';

/** No class of buffers takes more memory than this. */
const BYTES_MAX = 64 * 2 ** 20;
/** The kernel's limit on the entries of one buffer ring. */
const ENTRIES_MAX = 32768;

/** So many shortages that were over in a moment are put up with. */
const SHORTAGES_MAX = 64;

/** An operation that waits for buffers to come back. */
export interface Starved {
  /** There are some again. */
  fed(): void;
}

/** Memory that was needed once is looked after every so many milliseconds. */
const LOOK_MS = 1000;
/** After so many looks in a row without a shortage, what was not used is given back. */
const CALM = 3;
/** A pool that gives back what is needed soon after waits twice as long the next time, up to so many looks. */
const CALM_MAX = 60;
/** How many looks are soon. */
const SOON = 10;
/**
 * A group that does not come back in so many looks is left to the collector of garbage: somebody has dropped its
 * buffers.
 */
const LOOKS_MAX = 60;
/** Before Linux 6.10 an id below this can be had once only. */
const FIRST_ID = 64;
/** As many ids there are from that on. */
const IDS = 2 ** 16 - FIRST_ID;

/**
 * Buffers of one size for everything that receives: the kernel takes one when data is there, and not before. There are
 * more when they were short, and fewer when they were not used for some seconds.
 */
export class BufferPool {
  /** Bytes of each. */
  readonly bufSize: number;
  /** Buffers that are with consumers. */
  out = 0;
  readonly #ring: IoUring;
  readonly #hasArrivals: () => boolean;
  readonly #nextGroup: () => number;
  readonly #firstEntries: number;
  /** Those to receive with. The first one stays, the last one is the largest. */
  readonly #groups: PooledGroup[] = [];
  /** Those that the kernel does not have any more, and whose memory is still to be given back. */
  #retired: PooledGroup[] = [];
  readonly #starved = new Set<Starved>();
  #entries = 0;
  /** How often there was none although most were there a moment later. */
  #shortages = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Most that were with consumers at a time since the last look. */
  #peak = 0;
  /** Buffers that were filled since the last look. */
  #filled = 0;
  /** Was there a shortage since the last look? */
  #wasShort = false;
  /** Looks since the last shortage, and since something was given back. */
  #calm = 0;
  #sinceRetired = Infinity;
  #calmWanted = CALM;

  /**
   * @param hasArrivals are there completions that were reaped, and of which nobody was told so far? They may have
   *   buffers.
   */
  constructor(
    ring: IoUring,
    bufSize: number,
    entries: number,
    nextGroup: () => number,
    hasArrivals = (): boolean => false,
  ) {
    this.bufSize = bufSize;
    this.#hasArrivals = hasArrivals;
    this.#ring = ring;
    this.#nextGroup = nextGroup;
    this.#firstEntries = entries;
  }

  /** The group to receive with: the one that has most left. */
  pick(): PooledGroup {
    let best: PooledGroup | undefined = this.#groups[0];
    for (const group of this.#groups) if (group.left > best.left) best = group;
    return best ?? this.#add(this.#firstEntries);
  }

  /** `group`, which `starved` received with, has nothing left. True if there are buffers elsewhere, or now. */
  feed(starved: Starved, group: PooledGroup | undefined): boolean {
    if (this.relieve(group)) return true;
    this.#starved.add(starved);
    return false;
  }

  /** The same for whoever gives each buffer back in the call that it gets it in, so that it need not wait for any. */
  relieve(group: PooledGroup | undefined): boolean {
    // It was taken from the kernel: no shortage.
    if (group?.isRetired) return true;
    this.#wasShort = true;
    const scarce = this.#entries >> 3;
    // What is given back in the turn in which it was taken is short now and then. Not again and again.
    if (this.#entries - this.out > scarce && ++this.#shortages < SHORTAGES_MAX) return true;
    this.#shortages = 0;
    const bytes = this.#entries * this.bufSize;
    if (bytes * 2 <= BYTES_MAX && this.#entries <= ENTRIES_MAX) {
      try {
        this.#add(this.#entries);
        if (this.#sinceRetired < SOON) this.#calmWanted = Math.min(CALM_MAX, this.#calmWanted * 2);
        this.#look();
        return true;
      } catch {
        // No memory for more: those that there are come back.
      }
    }
    return this.out < this.#entries;
  }

  /** It does not wait any more. */
  forget(starved: Starved): void {
    this.#starved.delete(starved);
  }

  /** A buffer goes to a consumer. @internal */
  taken(): void {
    this.#filled++;
    if (++this.out > this.#peak) this.#peak = this.out;
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
    const group = new PooledGroup(this, this.#register(entries));
    this.#groups.push(group);
    this.#entries += entries;
    return group;
  }

  /** Under an id that is free: that of a group that was given back may still be the one of a receive in flight. */
  #register(entries: number): ProvidedBufRing {
    for (let tries = 0;; tries++) {
      try {
        return this.#ring.registerBufRing(entries, this.bufSize, this.#nextGroup());
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || tries === IDS) throw error;
      }
    }
  }

  // ---------------------------------------------------------------- giving back

  /** Look again later, as long as there is something that could be given back. */
  #look(): void {
    if (this.#timer !== undefined || (this.#groups.length < 2 && this.#retired.length === 0)) return;
    // A pool that nobody has any more is not kept for it.
    const self = new WeakRef(this);
    this.#timer = setTimeout(() => BufferPool.#looked(self.deref()), LOOK_MS);
    this.#timer.unref();
  }

  static #looked(pool: BufferPool | undefined): void {
    if (pool !== undefined) pool.#reckon();
  }

  #reckon(): void {
    this.#timer = undefined;
    if (this.#ring.closed) return;
    this.#sinceRetired++;
    this.#calm = this.#wasShort ? 0 : this.#calm + 1;
    if (this.#calm >= this.#calmWanted) this.#retire();
    this.#wasShort = false;
    this.#peak = this.out;
    this.#filled = 0;
    const isEmpty = this.#ring.cqReady === 0 && !this.#ring.cqHasOverflow && !this.#hasArrivals();
    this.#retired = this.#retired.filter((group) => !(isEmpty && group.discard()) && ++group.looks < LOOKS_MAX);
    this.#look();
  }

  /**
   * Take from the kernel what is more than twice what was used. How many it fills at the same time cannot be seen from
   * here: as long as it fills any, half of them go at a time.
   */
  #retire(): void {
    const needed = this.#peak * 2;
    while (this.#groups.length > 1) {
      const largest = this.#groups.at(-1)!;
      if (this.#entries - largest.entries < needed) return;
      this.#groups.pop();
      this.#entries -= largest.entries;
      largest.retire();
      this.#retired.push(largest);
      this.#sinceRetired = 0;
      if (this.#filled > 0) break;
    }
    this.#calm = 0;
  }
}

/** A ring of provided buffers, and how many of them the kernel has. */
export class PooledGroup {
  left: number;
  /** The kernel does not have it any more. What it filled before is still the consumers'. */
  isRetired = false;
  /** How often it was looked whether its memory can be given back. */
  looks = 0;
  /** Reads in flight that may have chosen their buffer long before they fill it. */
  reads = 0;
  readonly pool: BufferPool;
  readonly #buffers: ProvidedBufRing;
  /** All buffers, one after the other: ordinary memory, which is there as long as a view of it is. */
  readonly #memory: Uint8Array;
  /** The view of each buffer that was made last: mostly the next one is as long. */
  readonly #views: (Buffer | undefined)[] = [];

  constructor(pool: BufferPool, buffers: ProvidedBufRing) {
    this.pool = pool;
    this.left = buffers.entries;
    this.#buffers = buffers;
    const { buffer, byteOffset } = buffers.bytes(0, 1);
    this.#memory = new Uint8Array(buffer, byteOffset, buffers.entries * pool.bufSize);
  }

  get id(): number {
    return this.#buffers.group;
  }

  get entries(): number {
    return this.#buffers.entries;
  }

  /** The kernel filled a buffer: its first `length` bytes. */
  take(bid: number, length: number): Uint8Array {
    this.left--;
    this.pool.taken();
    const { buffer, byteOffset } = this.#memory;
    return new Uint8Array(buffer, byteOffset + bid * this.pool.bufSize, length);
  }

  /** {@link take}, as a Buffer that is used again: for those who are done with it when they give the buffer back. */
  takeView(bid: number, length: number): Buffer {
    this.left--;
    this.pool.taken();
    const last = this.#views[bid];
    if (last !== undefined && last.length === length) return last;
    const { buffer, byteOffset } = this.#memory;
    return (this.#views[bid] = Buffer.from(buffer, byteOffset + bid * this.pool.bufSize, length));
  }

  /** The kernel may have it again. */
  give(bid: number): void {
    this.left++;
    try {
      if (!this.isRetired) this.#buffers.recycle(bid);
    } catch (error) {
      // The ring is closed: it does not want it back.
      if ((error as NodeJS.ErrnoException).code !== 'ERR_IOURING_CLOSED') throw error;
    }
    this.pool.returned();
  }

  /** Take it from the kernel. A receive that is armed on it goes on with another group when something arrives. */
  retire(): void {
    this.isRetired = true;
    this.#views.length = 0;
    this.#buffers[Symbol.dispose]();
  }

  /**
   * Give the memory of a retired group back to the system, if nothing is in it. The caller has seen all completions:
   * the kernel has filled no buffer that is not known of. The addresses stay valid: whoever has kept a view of it sees
   * zeros.
   */
  discard(): boolean {
    if (this.left < this.entries || this.reads > 0) return false;
    koffiNative().discard?.(this.#memory);
    return true;
  }
}

/** The pools of a reactor. */
export class BufferPools {
  /** For messages. */
  readonly small: BufferPool;
  /** For bulk, and for any datagram. */
  readonly large: BufferPool;

  /** For connections whose data is done with in the turn in which it comes: made when it is first asked for. */
  get transient(): BufferPool {
    return (this.#transient ??= this.#make(16 * 1024, 256));
  }

  /** For datagrams that are done with likewise: any of them fits. */
  get datagrams(): BufferPool {
    return (this.#datagrams ??= this.#make(65 * 1024, 64));
  }

  #transient: BufferPool | undefined;
  #datagrams: BufferPool | undefined;
  readonly #make: (bufSize: number, entries: number) => BufferPool;

  constructor(ring: IoUring, hasArrivals: () => boolean) {
    let group = 0;
    const next = (): number => FIRST_ID + (group++ % IDS);
    this.#make = (bufSize, entries) => new BufferPool(ring, bufSize, entries, next, hasArrivals);
    this.small = this.#make(4096, 64);
    this.large = this.#make(65 * 1024, 8);
  }

  get out(): number {
    return this.small.out + this.large.out;
  }
}
