import { IO_SQRING_OFFSETS, IO_URING_PARAMS } from '../abi/layouts.ts';

/** 32-bit words of a 64-byte `struct io_uring_sqe`. */
const SQE_WORDS = 16;

/**
 * The submission queue: we write entries and move the tail, the kernel reads them and moves the head.
 *
 * Cursors run freely through all 32 bits and wrap; only their low bits select an entry and only their
 * difference has a meaning. They are kept as signed 32-bit numbers, which the engine holds unboxed, and
 * every sum of them is cut back by `| 0`.
 */
export class SubmissionQueue {
  readonly entries: number;
  /** One past the last entry written, published or not. */
  tail: number;
  /** The kernel's head as last seen; entries before it are free again. */
  head: number;
  readonly #mask: number;
  readonly #kernelHead: number;
  readonly #kernelTail: number;
  readonly #kernelFlags: number;
  #ring: Int32Array;
  #sqes: Int32Array;

  constructor(ring: ArrayBuffer, sqes: ArrayBuffer, params: DataView, hasArray: boolean) {
    const offset = (field: number): number =>
      params.getUint32(IO_URING_PARAMS.sq_off + field, true) >>> 2;
    this.entries = params.getUint32(IO_URING_PARAMS.sq_entries, true);
    this.#mask = this.entries - 1;
    this.#kernelHead = offset(IO_SQRING_OFFSETS.head);
    this.#kernelTail = offset(IO_SQRING_OFFSETS.tail);
    this.#kernelFlags = offset(IO_SQRING_OFFSETS.flags);
    this.#ring = new Int32Array(ring);
    this.#sqes = new Int32Array(sqes);
    // push() relies on it. The kernel hands them out zeroed; memory from elsewhere might not be.
    this.#sqes.fill(0);
    this.tail = Atomics.load(this.#ring, this.#kernelTail);
    this.head = Atomics.load(this.#ring, this.#kernelHead);
    if (hasArray) {
      // The entries are used in order, so the array between ring and entries is the identity for ever.
      const array = offset(IO_SQRING_OFFSETS.array);
      for (let i = 0; i < this.entries; i++) this.#ring[array + i] = i;
    }
  }

  /** Is there no entry left? Looks at the kernel's head only when the one last seen says so. */
  isFull(): boolean {
    if (((this.tail - this.head) | 0) < this.entries) return false;
    if (this.#ring.length === 0) return true;
    this.head = Atomics.load(this.#ring, this.#kernelHead);
    return ((this.tail - this.head) | 0) >= this.entries;
  }

  /** The position of the next entry to be written, for memory that belongs to an entry. */
  get nextIndex(): number {
    return this.tail & this.#mask;
  }

  /**
   * Write the next entry, so that nothing of what it held before reaches the kernel: words 0 to 10 here. The others
   * (personality is half of word 10; file_index, addr3, padding) are zero because no operation sets them.
   * The caller has made sure that there is an entry. All numbers are taken as 32 bits.
   */
  push(
    opcode: number,
    flags: number,
    ioprio: number,
    fd: number,
    offLow: number,
    offHigh: number,
    addrLow: number,
    addrHigh: number,
    len: number,
    opFlags: number,
    userDataLow: number,
    userDataHigh: number,
    bufGroup: number,
  ): void {
    const sqes = this.#sqes;
    const word = (this.tail & this.#mask) * SQE_WORDS;
    sqes[word] = opcode | (flags << 8) | (ioprio << 16);
    sqes[word + 1] = fd;
    sqes[word + 2] = offLow;
    sqes[word + 3] = offHigh;
    sqes[word + 4] = addrLow;
    sqes[word + 5] = addrHigh;
    sqes[word + 6] = len;
    sqes[word + 7] = opFlags;
    sqes[word + 8] = userDataLow;
    sqes[word + 9] = userDataHigh;
    sqes[word + 10] = bufGroup;
    this.tail = (this.tail + 1) | 0;
  }

  /**
   * Show the kernel all entries written so far. How many of them it has not consumed.
   *
   * A plain store: the kernel reads the tail inside the io_uring_enter(2) that this thread makes next, and so
   * after it. (An atomic one costs 8 ns, a fiftieth of a whole round trip.) Not for {@link show}'s reader.
   */
  publish(): number {
    this.#ring[this.#kernelTail] = this.tail;
    return (this.tail - this.head) | 0;
  }

  /**
   * Show all entries written so far to a kernel thread that polls for them. How many of them are new to it.
   *
   * The thread may look at any time: the entries must be written before the tail is, and the tail before this
   * side asks whether the thread sleeps. A sequentially consistent store is both.
   */
  show(): number {
    const shown = (this.tail - this.#ring[this.#kernelTail]) | 0;
    Atomics.store(this.#ring, this.#kernelTail, this.tail);
    return shown;
  }

  /** See how far the kernel has come. How many published entries it has not consumed. */
  refresh(): number {
    this.head = Atomics.load(this.#ring, this.#kernelHead);
    return (this.tail - this.head) | 0;
  }

  /** The ring's flag word: IORING_SQ_NEED_WAKEUP, IORING_SQ_CQ_OVERFLOW, IORING_SQ_TASKRUN. */
  get flags(): number {
    return Atomics.load(this.#ring, this.#kernelFlags);
  }

  /** The same, possibly a moment old: for one who looks again anyway. */
  get recentFlags(): number {
    return this.#ring[this.#kernelFlags];
  }

  /**
   * Take back the entries that the kernel will not have consumed: all that are left in the queue, or, where a
   * kernel thread polls it, those not shown to it yet. `each` is called with the userData of every one of them.
   */
  withdraw(polled: boolean, each: (userDataLow: number, userDataHigh: number) => void): void {
    const end = this.tail;
    this.tail = Atomics.load(this.#ring, polled ? this.#kernelTail : this.#kernelHead);
    for (let cursor = this.tail; cursor !== end; cursor = (cursor + 1) | 0) {
      const word = (cursor & this.#mask) * SQE_WORDS;
      each(this.#sqes[word + 8], this.#sqes[word + 9]);
    }
    this.publish();
  }

  /** Let go of the shared memory, which is about to be unmapped. From now on the queue is full. */
  detach(): void {
    this.#ring = new Int32Array(0);
    this.#sqes = new Int32Array(0);
    this.head = (this.tail - this.entries) | 0;
  }
}
