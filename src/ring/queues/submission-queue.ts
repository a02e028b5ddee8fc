import { IOSQE_CQE_SKIP_SUCCESS, IOSQE_IO_HARDLINK, IOSQE_IO_LINK } from '../../abi/flags.ts';
import { IO_SQRING_OFFSETS, IO_URING_PARAMS } from '../../abi/layouts.ts';
import { IORING_OP_NOP, IORING_OP_NOP128, IORING_OP_URING_CMD128 } from '../../abi/operations.ts';

/** How the entries lie in the ring: 64 bytes each (IORING_SETUP_SQE128: 128), with an index array or without. */
export interface SubmissionLayout {
  hasArray: boolean;
  big: boolean;
}

/** The first word of an entry that {@link SubmissionQueue.push} leaves as it is. */
const EXTENSION = 11;

/**
 * The submission queue: we write entries and move the tail, the kernel reads them and moves the head.
 *
 * Cursors run freely through all 32 bits and wrap; only their low bits select an entry and only their
 * difference has a meaning. They are kept as signed 32-bit numbers, which the engine holds unboxed, and
 * every sum of them is cut back by `| 0`.
 */
export class SubmissionQueue {
  entries = 0;
  /** One past the last entry written, published or not. */
  tail = 0;
  /** The kernel's head as last seen; entries before it are free again. */
  head = 0;
  /** Words of an entry as a power of two: 4, or 5 for entries of 128 bytes. */
  readonly #shift: number;
  readonly #hasArray: boolean;
  #mask = 0;
  #kernelHead = 0;
  #kernelTail = 0;
  #kernelFlags = 0;
  #kernelDropped = 0;
  #ring = new Int32Array(0);
  #sqes = new Int32Array(0);
  /** 1 for a place whose entry has something in the words that push() leaves alone. */
  #extended = new Uint8Array(0);
  #extensions = 0;

  constructor(ring: ArrayBuffer, sqes: ArrayBuffer, params: DataView, layout: SubmissionLayout) {
    this.#shift = layout.big ? 5 : 4;
    this.#hasArray = layout.hasArray;
    // push() relies on it. The kernel hands them out zeroed; memory from elsewhere might not be.
    new Int32Array(sqes).fill(0);
    this.attach(ring, sqes, params);
  }

  /** Take these rings for one's own: those of a new ring, or those that a resized one got in place of the old. */
  attach(ring: ArrayBuffer, sqes: ArrayBuffer, params: DataView): void {
    const offset = (field: number): number => params.getUint32(IO_URING_PARAMS.sq_off + field, true) >>> 2;
    this.entries = params.getUint32(IO_URING_PARAMS.sq_entries, true);
    this.#mask = this.entries - 1;
    this.#kernelHead = offset(IO_SQRING_OFFSETS.head);
    this.#kernelTail = offset(IO_SQRING_OFFSETS.tail);
    this.#kernelFlags = offset(IO_SQRING_OFFSETS.flags);
    this.#kernelDropped = offset(IO_SQRING_OFFSETS.dropped);
    this.#ring = new Int32Array(ring);
    this.#sqes = new Int32Array(sqes);
    this.tail = Atomics.load(this.#ring, this.#kernelTail);
    this.head = Atomics.load(this.#ring, this.#kernelHead);
    // Entries that came along from a smaller ring may have extensions.
    const carried = this.tail !== this.head;
    this.#extended = new Uint8Array(this.entries).fill(carried ? 1 : 0);
    this.#extensions = carried ? this.entries : 0;
    if (this.#hasArray) {
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

  /** How many entries can be written before the queue is full. */
  get space(): number {
    this.refresh();
    return Math.max(0, this.entries - ((this.tail - this.head) | 0));
  }

  /**
   * Write the next entry, so that nothing of what it held before reaches the kernel: words 0 to 10 here. The others
   * (file_index, addr3 and so on; personality is half of word 10) are zero unless {@link extend} set them, and then
   * are made zero here. The caller has made sure that there is an entry. All numbers are taken as 32 bits.
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
    const word = (this.tail & this.#mask) << this.#shift;
    if (this.#extensions !== 0) this.#clearExtension(this.tail & this.#mask);
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

  /** Set words 11 to 15 of the entry just written: file_index and what shares its place, addr3, and the last one. */
  extend(fileIndex: number, addr3Low: number, addr3High: number, lastLow = 0, lastHigh = 0): void {
    const word = this.#last << this.#shift;
    this.#markExtended(this.#last);
    this.#sqes[word + EXTENSION] = fileIndex;
    this.#sqes[word + EXTENSION + 1] = addr3Low;
    this.#sqes[word + EXTENSION + 2] = addr3High;
    this.#sqes[word + EXTENSION + 3] = lastLow;
    this.#sqes[word + EXTENSION + 4] = lastHigh;
  }

  /** Copy a command of 16 bytes (80 in an entry of 128) to its place, from byte 48 on, in the entry just written. */
  extendByCommand(command: Uint8Array): void {
    this.#markExtended(this.#last);
    const { buffer, byteOffset } = this.#sqes;
    new Uint8Array(buffer).set(command, byteOffset + (this.#last << (this.#shift + 2)) + 48);
  }

  /** The places that an entry of 128 bytes takes in a ring of both sizes: with the one that fills up the ring's end. */
  get placesForTwo(): 2 | 3 {
    return (this.tail & this.#mask) === this.#mask ? 3 : 2;
  }

  /**
   * Make an entry of 128 bytes possible at the next place of a ring that has both sizes (IORING_SETUP_SQE_MIXED): it
   * takes two places in a row, so that the last place of the ring is filled with an operation that does nothing and
   * says nothing. The caller has made sure that there are {@link placesForTwo}.
   */
  alignForTwo(): void {
    if (this.placesForTwo === 2) return;
    // In a chain it is a link like the others.
    const links = this.isOpen ? (this.word(0) >> 8) & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK) : 0;
    this.push(IORING_OP_NOP, IOSQE_CQE_SKIP_SUCCESS | links, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  }

  /** Have the entry just written, which {@link alignForTwo} made room for, take two places. */
  takeTwo(): void {
    const second = this.tail & this.#mask;
    this.#sqes.fill(0, second << this.#shift, (second + 1) << this.#shift);
    this.#markExtended(second);
    this.#two = this.tail;
    this.tail = (this.tail + 1) | 0;
  }

  /** Where the second half of the last entry that took two places is. */
  #two: number | undefined;

  /** The place of the entry just written. */
  get #last(): number {
    const last = (this.tail - 1) | 0;
    return (last === this.#two ? last - 1 : last) & this.#mask;
  }

  #markExtended(index: number): void {
    if (this.#extended[index] === 1) return;
    this.#extended[index] = 1;
    this.#extensions++;
  }

  #clearExtension(index: number): void {
    if (this.#extended[index] === 0) return;
    this.#extended[index] = 0;
    this.#extensions--;
    this.#sqes.fill(0, (index << this.#shift) + EXTENSION, (index + 1) << this.#shift);
  }

  /** Is the entry just written linked to by the one before it, in the same submission? */
  get isBehindLink(): boolean {
    const fresh = (this.tail - this.#ring[this.#kernelTail]) | 0;
    if (this.#ring.length === 0 || fresh < 2) return false;
    const flags = this.#sqes[((this.#last - 1) & this.#mask) << this.#shift] >> 8;
    return (flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK)) !== 0;
  }

  /** Can the entry just written still be changed: was it not shown to the kernel? */
  get isOpen(): boolean {
    return this.#ring.length > 0 && this.tail !== this.#ring[this.#kernelTail];
  }

  /** A word of the entry just written. */
  word(index: number): number {
    return this.#sqes[(this.#last << this.#shift) + index];
  }

  /** Change a word of the entry just written. */
  setWord(index: number, value: number): void {
    this.#sqes[(this.#last << this.#shift) + index] = value;
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
    if (this.#ring.length === 0) return;
    this.#takeBack(Atomics.load(this.#ring, polled ? this.#kernelTail : this.#kernelHead), each);
    this.publish();
  }

  /** Take back the entries after the first `ready`, of which none was published. */
  rewind(ready: number, each: (userDataLow: number, userDataHigh: number) => void): void {
    this.refresh();
    this.#takeBack((this.head + ready) | 0, each);
  }

  /** Show the userData of the entries that the kernel has not taken: see {@link withdraw}. */
  eachQueued(polled: boolean, each: (userDataLow: number, userDataHigh: number) => void): void {
    if (this.#ring.length === 0) return;
    this.#walk(Atomics.load(this.#ring, polled ? this.#kernelTail : this.#kernelHead), each);
  }

  #takeBack(to: number, each: (userDataLow: number, userDataHigh: number) => void): void {
    this.#walk(to, each);
    this.tail = to;
  }

  #walk(from: number, each: (userDataLow: number, userDataHigh: number) => void): void {
    // There are no more than places, wherever the kernel says that it is.
    let left = Math.min((this.tail - from) >>> 0, this.entries);
    for (let cursor = from; left > 0; cursor = (cursor + 1) | 0, left--) {
      const word = (cursor & this.#mask) << this.#shift;
      each(this.#sqes[word + 8], this.#sqes[word + 9]);
      const opcode = this.#sqes[word] & 0xff;
      const two = this.#shift === 4 && (opcode === IORING_OP_NOP128 || opcode === IORING_OP_URING_CMD128);
      if (!two) continue;
      cursor = (cursor + 1) | 0;
      left--;
    }
  }

  /** How many entries the kernel would not look at because the index array was wrong. */
  get dropped(): number {
    return this.#ring.length === 0 ? 0 : this.#ring[this.#kernelDropped] >>> 0;
  }

  /** Let go of the shared memory, which is about to be unmapped. From now on the queue is full. */
  detach(): void {
    this.#ring = new Int32Array(0);
    this.#sqes = new Int32Array(0);
    this.head = (this.tail - this.entries) | 0;
  }
}
