/// <reference lib="esnext.disposable" preserve="true" />
import { inspect, type InspectOptions } from 'node:util';
import { IORING_CQE_F_BUF_MORE, IOU_PBUF_RING_INC, IOU_PBUF_RING_MMAP } from '../abi/flags.ts';
import {
  IO_URING_BUF,
  IO_URING_BUF_REG,
  IO_URING_BUF_REG_SIZE,
  IO_URING_BUF_RING,
  IO_URING_BUF_SIZE,
} from '../abi/layouts.ts';
import type { Native } from '../native/native.ts';
import { alignedForLending } from './memory/aligned-memory.ts';
import { Completion } from './completion.ts';
import { checkInteger, isObject, outOfRange, wrongState, wrongType } from './arguments/argument-errors.ts';
import { Lease, type BufferSource, type Placement } from './pins.ts';
import { shown } from './shown.ts';

/** The kernel's limit on the entries of one buffer ring. */
const ENTRIES_MAX = 32768;

/** The kernel finds no group above this when the memory of its ring is mapped. */
const MAPPED_BGID_MAX = 2047;

/** The ways in which a group of provided buffers can differ from the plain one. */
export interface BufRingOptions {
  /**
   * IOU_PBUF_RING_INC (6.12): the kernel fills a buffer bit by bit, completion by completion, and is done with it when
   * it is full: large buffers serve small messages without waste. Not for receives with MSG_WAITALL (while one waits
   * for the rest, the kernel gives the place behind what it has to others) or MSG_TRUNC (it counts what it cut off as
   * filled).
   */
  incremental?: boolean;
  /** IOU_PBUF_RING_MMAP (6.4): the ring of descriptions is the kernel's memory. Groups 0 … 2047. */
  kernelMemory?: boolean;
  /**
   * false: the group begins without buffers; all are the caller's, who fills and {@link ProvidedBufRing.add}s them, to
   * be sent.
   */
  filled?: boolean;
  /**
   * With `incremental`: a buffer with fewer bytes left than that is done with. Kernel 7.1, and where it was brought
   * back.
   */
  minLeft?: number;
}

/** The numbers that tell a group from others. */
interface Shape extends BufRingOptions {
  id: number;
  entries: number;
  bufSize: number;
}

/**
 * The memory of a group of provided buffers, and who has which of them. A receive in flight holds on to
 * this; it knows nothing of the ring, so that the ring is not held with it.
 */
export class BufferGroup implements BufferSource {
  readonly id: number;
  readonly entries: number;
  readonly bufSize: number;
  readonly kernelMemory: boolean;
  readonly incremental: boolean;
  /** All buffers, one after the other. Memory of the engine's: a view of it can never dangle. */
  readonly slab: Uint8Array<ArrayBuffer>;
  /** Where the ring of `struct io_uring_buf` begins: at the start of a page, as the kernel demands. */
  readonly ringAddress: number;
  /** Why the group serves no more, once it does not. */
  ended: string | undefined;
  readonly #native: Native;
  readonly #slabAddress: number;
  readonly #filled: boolean;
  readonly #minLeft: number;
  #words = new Int32Array(0);
  #halves = new Uint16Array(0);
  #mapping: { address: number; length: number } | undefined;
  /** 1 for a buffer that is not the kernel's: it has filled it, or never had it. */
  readonly #taken: Uint8Array;
  /**
   * The buffer that was given to the kernel after each, and the bytes of each. By buffer, not by place: a place is
   * used again while what was there before is still read.
   */
  readonly #next: Uint16Array;
  readonly #length: Int32Array;
  #last = 0;
  /** Completions that show a part of each and were not given back yet; only of incremental ones. */
  readonly #shown: Int32Array;
  /** How far the kernel has filled each buffer; only of incremental ones. */
  readonly #used: Int32Array;
  #tail = 0;

  /**
   * Make the memory. The kernel does not know of it yet.
   * @throws {RangeError} `ERR_OUT_OF_RANGE`
   */
  constructor(native: Native, shape: Shape) {
    const { id, entries, bufSize, incremental = false, kernelMemory = false, filled = true, minLeft = 0 } = shape;
    checkInteger('entries', entries, 1, ENTRIES_MAX);
    if (entries & (entries - 1)) throw outOfRange('entries', 'a power of two', entries);
    checkInteger('bufSize', bufSize, 1, 2 ** 31 - 1);
    checkInteger('bgid', id, 0, kernelMemory ? MAPPED_BGID_MAX : 0xffff);
    checkInteger('options.minLeft', minLeft, 0, bufSize);
    this.#native = native;
    this.id = id;
    this.entries = entries;
    this.bufSize = bufSize;
    this.kernelMemory = kernelMemory;
    this.incremental = incremental;
    this.#filled = filled;
    this.#minLeft = minLeft;
    const slab = alignedForLending(native, entries * bufSize, 4096);
    this.slab = slab.bytes;
    this.#slabAddress = slab.address;
    this.#taken = new Uint8Array(entries).fill(1);
    this.#next = new Uint16Array(entries);
    this.#length = new Int32Array(entries);
    this.#used = new Int32Array(incremental ? entries : 0);
    this.#shown = new Int32Array(incremental ? entries : 0);
    this.ringAddress = 0;
    if (kernelMemory) return;
    const ring = alignedForLending(native, this.ringBytes, native.pageSize);
    this.ringAddress = ring.address;
    this.#use(ring.bytes.buffer, ring.bytes.byteOffset);
  }

  /** The argument of IORING_REGISTER_PBUF_RING, written to `target`. */
  describe(target: DataView): void {
    new Uint8Array(target.buffer, target.byteOffset, IO_URING_BUF_REG_SIZE).fill(0);
    const flags = (this.kernelMemory ? IOU_PBUF_RING_MMAP : 0) | (this.incremental ? IOU_PBUF_RING_INC : 0);
    target.setBigUint64(IO_URING_BUF_REG.ring_addr, BigInt(this.ringAddress), true);
    target.setUint32(IO_URING_BUF_REG.ring_entries, this.entries, true);
    target.setUint16(IO_URING_BUF_REG.bgid, this.id, true);
    target.setUint16(IO_URING_BUF_REG.flags, flags, true);
    target.setUint32(IO_URING_BUF_REG.min_left, this.#minLeft, true);
  }

  get ringBytes(): number {
    return this.entries * IO_URING_BUF_SIZE;
  }

  /** The kernel made the ring's memory, and this is where it is mapped. */
  map(address: number): void {
    const length = this.ringBytes;
    this.#mapping = { address, length };
    this.#use(this.#native.view(address, length), 0);
  }

  #use(memory: ArrayBuffer, offset: number): void {
    const bytes = this.ringBytes;
    this.#words = new Int32Array(memory, offset, bytes / 4);
    this.#halves = new Uint16Array(memory, offset, bytes / 2);
    if (!this.#filled) return;
    for (let bid = 0; bid < this.entries; bid++) this.#stage(bid, this.bufSize);
    this.#publish();
  }

  /** A completion named `bid`, which alone it has filled. */
  take(bid: number, res: number, flags: number, data: Placement): void {
    if (!this.#knows(bid)) return;
    const room = this.#length[bid] - (this.incremental ? this.#used[bid] : 0);
    if (this.incremental) this.#takePart(bid, res, flags, data);
    else this.#taken[bid] = 1;
    // With MSG_TRUNC `res` is more than came.
    if (data.length > room) data.length = room;
  }

  /** A completion named `bid`, the first of those that it has filled: what `res` bytes cover is the caller's now. */
  takeSpan(bid: number, res: number, flags: number, data: Placement): void {
    if (!this.#knows(bid)) return;
    if (this.incremental) return this.#takePart(bid, res, flags, data);
    let buffer = bid;
    let left = res;
    for (let i = 0; i < this.entries; i++) {
      this.#taken[buffer] = 1;
      left -= this.#length[buffer];
      if (left <= 0) return;
      buffer = this.#next[buffer];
    }
  }

  /**
   * Is it one of ours? When the group was disposed of, a receive that was armed on it may have taken a buffer of a
   * classic group that has the id since; nobody can use the buffers of this one any more.
   */
  #knows(bid: number): boolean {
    return this.ended === undefined && bid < this.entries;
  }

  #takePart(bid: number, res: number, flags: number, data: Placement): void {
    data.offset = this.#used[bid];
    let buffer = bid;
    let left = Math.max(0, res);
    for (let i = 0; i < this.entries; i++) {
      const part = Math.min(left, this.#length[buffer] - this.#used[buffer]);
      this.#used[buffer] += part;
      this.#shown[buffer]++;
      left -= part;
      const last = left === 0;
      // All but the last are full. That one is kept by the kernel if it says so.
      if (!last || (flags & IORING_CQE_F_BUF_MORE) === 0) this.#taken[buffer] = 1;
      if (last) return;
      buffer = this.#next[buffer];
    }
  }

  /** The views that `res` bytes from byte `start` of `bid` on lie in. Buffers that adjoin make one view together. */
  views(bid: number, start: number, res: number): Uint8Array[] {
    const found: Uint8Array[] = [];
    const { bufSize } = this;
    let buffer = bid;
    // Where the view that is being put together begins and ends, in the slab.
    let begin = bid * bufSize + start;
    let end = begin;
    let from = start;
    let left = res;
    for (let i = 0; i < this.entries && left > 0; i++) {
      const at = buffer * bufSize + from;
      const length = Math.min(left, this.#length[buffer] - from);
      // Recycled meanwhile, and filled anew.
      if (length <= 0) break;
      if (at !== end) {
        found.push(this.#view(begin, end));
        begin = at;
      }
      end = at + length;
      left -= length;
      buffer = this.#next[buffer];
      from = 0;
    }
    if (end > begin) found.push(this.#view(begin, end));
    return found;
  }

  #view(begin: number, end: number): Uint8Array {
    return new Uint8Array(this.slab.buffer, this.slab.byteOffset + begin, end - begin);
  }

  /** The first `length` bytes of a buffer. */
  view(bid: number, length: number): Uint8Array {
    return this.#view(bid * this.bufSize, bid * this.bufSize + length);
  }

  /** @throws {Error} `ERR_IOURING_CLOSED` once the group is disposed of or its ring closed. */
  checkOpen(): void {
    if (this.ended === undefined) return;
    throw wrongState('ERR_IOURING_CLOSED', `Cannot use buffer group ${this.id}: ${this.ended}`);
  }

  /** The caller gives `length` bytes of `bid` to the kernel. */
  give(bid: number, length: number): void {
    this.checkOpen();
    checkInteger('bid', bid, 0, this.entries - 1);
    this.#checkTaken(bid);
    this.#stage(bid, length);
    this.#publish();
  }

  #checkTaken(bid: number): void {
    if (this.#taken[bid] === 1) return;
    const message = `Cannot recycle buffer ${bid} of group ${this.id}: it is not handed out`;
    throw wrongState('ERR_INVALID_STATE', message);
  }

  /**
   * The caller gives back the buffers that `length` bytes from byte `start` of `bid` on lie in, as far as they are the
   * caller's.
   */
  giveAll(bid: number, start: number, length: number): void {
    this.checkOpen();
    const { incremental } = this;
    if (!incremental) this.#checkTaken(bid);
    else if (this.#shown[bid] === 0) {
      const message = `Cannot recycle a completion of buffer ${bid} of group ${this.id}: it was given back already`;
      throw wrongState('ERR_INVALID_STATE', message);
    }
    let buffer = bid;
    // One that was used up and has nothing in it (a read at the end of a file) counts too.
    let left = Math.max(1, length) + start;
    for (let i = 0; i < this.entries && left > 0; i++) {
      // Read before the buffer is staged: that changes both.
      const next = this.#next[buffer];
      left -= this.#length[buffer];
      // While the kernel fills it, or others show a part of it, it stays.
      const done = !incremental || --this.#shown[buffer] === 0;
      if (done && this.#taken[buffer] === 1) this.#stage(buffer, this.bufSize);
      buffer = next;
    }
    this.#publish();
  }

  /** The tail as the kernel counts it, 0 … 65535. */
  get tail(): number {
    return this.#tail;
  }

  /** The group serves no more. */
  end(reason: string): void {
    this.ended ??= reason;
    if (this.#mapping === undefined) return;
    // Nobody may touch what is unmapped.
    this.#words = new Int32Array(0);
    this.#halves = new Uint16Array(0);
    this.#native.unmap(this.#mapping.address, this.#mapping.length);
    this.#mapping = undefined;
  }

  #stage(bid: number, length: number): void {
    const place = this.#tail & (this.entries - 1);
    const word = (place * IO_URING_BUF_SIZE) >>> 2;
    const address = this.#slabAddress + bid * this.bufSize;
    this.#words[word + IO_URING_BUF.addr / 4] = address | 0;
    this.#words[word + IO_URING_BUF.addr / 4 + 1] = (address / 2 ** 32) | 0;
    this.#words[word + IO_URING_BUF.len / 4] = length;
    // Never the two bytes after the id: those of entry 0 are the ring's tail.
    this.#halves[(place * IO_URING_BUF_SIZE + IO_URING_BUF.bid) / 2] = bid;
    this.#next[this.#last] = bid;
    this.#last = bid;
    this.#length[bid] = length;
    this.#taken[bid] = 0;
    if (this.incremental) this.#used[bid] = this.#shown[bid] = 0;
    this.#tail = (this.#tail + 1) & 0xffff;
  }

  #publish(): void {
    Atomics.store(this.#halves, IO_URING_BUF_RING.tail / 2, this.#tail);
  }
}

/** The lease of an operation that may fill several buffers of a group at once: a bundle. */
export class SpanLease extends Lease {
  override take(bid: number, res: number, flags: number, data: Placement): void {
    (this.lent as BufferGroup).takeSpan(bid, res, flags, data);
  }
}

/**
 * The lease of an operation that may be told of more bytes than it got, because of MSG_TRUNC. It got `room` at most.
 */
export class TruncatedLease extends Lease {
  readonly #room: number;

  constructor(group: BufferSource, room: number) {
    super(group);
    this.#room = room;
  }

  override take(bid: number, res: number, flags: number, data: Placement): void {
    super.take(bid, res, flags, data);
    if (data.length > this.#room) data.length = this.#room;
  }
}

/**
 * A registered ring of provided buffers: the kernel takes one for each arrival of a multishot receive and
 * names it in the completion; the caller reads it and gives it back. For sends it is the other way round: the caller
 * fills a buffer and adds it, the kernel sends it and hands it back with the completion.
 *
 * Counterpart of io_uring_setup_buf_ring(3), io_uring_buf_ring_add(3) and io_uring_free_buf_ring(3).
 * @example
 * using group = ring.registerBufRing(8, 4096, 7);
 * ring.prepRecvMultishot(socket, group.group, 1);
 * ring.submitAndWait(1);
 * ring.forEachCompletion((c) => {
 *   for (const bytes of group.bytes(c)) console.log(bytes.length);
 *   group.recycle(c);
 * });
 */
export class ProvidedBufRing implements Disposable {
  readonly #group: BufferGroup;
  readonly #unregister: () => void;
  readonly #askHead: () => number;

  /** Made by `IoUring.registerBufRing`. @internal */
  constructor(group: BufferGroup, calls: { unregister: () => void; askHead: () => number }) {
    this.#group = group;
    this.#unregister = calls.unregister;
    this.#askHead = calls.askHead;
  }

  /** The group id to receive with, 0 … 65535. */
  get group(): number {
    return this.#group.id;
  }

  /** How many buffers there are. */
  get entries(): number {
    return this.#group.entries;
  }

  /** The size of each, in bytes. */
  get bufSize(): number {
    return this.#group.bufSize;
  }

  /**
   * The first `n` bytes of buffer `bid`, a view: no copy is made. They are the caller's until `recycle(bid)`;
   * afterwards the view shows what the kernel writes there next. The memory behind it stays valid for as long
   * as the view exists, whatever is closed or disposed of meanwhile.
   * @throws {RangeError} `ERR_OUT_OF_RANGE`; Error `ERR_IOURING_CLOSED`
   * @example
   * const group = ring.registerBufRing(8, 4096, 7);
   * ring.forEachCompletion((c) => {
   *   for (const part of group.bytes(c)) console.log(part.length);
   * });
   */
  bytes(bid: number, n: number): Uint8Array;
  /**
   * The bytes that a completion with a buffer of this group covers, in order: one view, or several when a bundle filled
   * several buffers; those that adjoin make one view together. Of an incremental buffer it is the part that this
   * completion filled. None when `res` is 0 or an error. No more than was received: with MSG_TRUNC `res` may be the
   * length of a datagram of which only the beginning came.
   * @throws {TypeError} `ERR_INVALID_ARG_VALUE` the completion has no buffer; Error `ERR_IOURING_CLOSED`
   */
  bytes(c: Completion): Uint8Array[];
  bytes(from: number | Completion, n?: number): Uint8Array | Uint8Array[] {
    const group = this.#group;
    group.checkOpen();
    if (isObject(from)) {
      const { bid, offset, length } = this.#dataOf(from);
      return group.views(bid, offset, length);
    }
    checkInteger('bid', from, 0, group.entries - 1);
    checkInteger('n', n, 0, group.bufSize);
    return group.view(from, n as number);
  }

  /**
   * Give buffer `bid`, or all the buffers that this completion has finished with, back to the kernel. Of an incremental
   * group, give back every completion, those with `c.bufferMore()` too: a buffer goes back when the kernel has filled
   * it and nobody reads a part of it any more.
   * @throws {RangeError} `ERR_OUT_OF_RANGE` no such buffer; Error `ERR_INVALID_STATE` it is not handed out,
   *   or was given back already; `ERR_IOURING_CLOSED`
   * @example
   * const group = ring.registerBufRing(8, 4096, 7);
   * ring.forEachCompletion((c) => group.recycle(c));
   */
  recycle(which: number | Completion): void {
    if (!isObject(which)) {
      this.#group.give(which, this.#group.bufSize);
      return;
    }
    const { bid, offset, length } = this.#dataOf(which);
    this.#group.giveAll(bid, offset, length);
  }

  /**
   * Give the kernel the first `length` bytes of buffer `bid`, filled by the caller through {@link bytes}, to be sent.
   * Until a completion has named the buffer it must not be changed.
   *
   * Counterpart of io_uring_buf_ring_add(3) with io_uring_buf_ring_advance(3).
   * @param length 1 … bufSize
   * @throws {RangeError} `ERR_OUT_OF_RANGE`; Error `ERR_INVALID_STATE` the kernel has it; `ERR_IOURING_CLOSED`
   * @example
   * const group = ring.registerBufRing(8, 4096, 7, { filled: false });
   * group.bytes(0, 5).set(Buffer.from('hello'));
   * group.add(0, 5);
   */
  add(bid: number, length: number): void {
    checkInteger('length', length, 1, this.#group.bufSize);
    this.#group.give(bid, length);
  }

  /**
   * Where in the ring the kernel takes its next buffer, 0 … 65535: it counts on without end and wraps.
   *
   * Kernel 6.8. Counterpart of io_uring_buf_ring_head(3).
   * @throws {Error} `ERR_IOURING_CLOSED`, or the kernel's refusal
   * @example
   * const group = ring.registerBufRing(8, 4096, 7);
   * console.log(group.head());
   */
  head(): number {
    this.#group.checkOpen();
    return this.#askHead();
  }

  /**
   * How many buffers the kernel has left. Kernel 6.8. Counterpart of io_uring_buf_ring_available(3).
   * @example
   * const group = ring.registerBufRing(8, 4096, 7);
   * console.log(group.available());
   */
  available(): number {
    return (this.#group.tail - this.head()) & 0xffff;
  }

  /** Take the group from the kernel. Receives that are armed on it end with ENOBUFS. Harmless when repeated. */
  [Symbol.dispose](): void {
    this.#unregister();
  }

  /** The first buffer of a completion, and where in it and those behind it the data is. */
  #dataOf(c: Completion): { bid: number; offset: number; length: number } {
    const length = Completion.bufferLength(c);
    const bid = length === undefined ? undefined : Completion.prototype.bufferId.call(c);
    if (length === undefined || bid === undefined) throw wrongType('c', 'a Completion with a buffer', c);
    checkInteger('bid', bid, 0, this.#group.entries - 1);
    return { bid, offset: Completion.prototype.bufferOffset.call(c), length };
  }

  /** For console.log. */
  [inspect.custom](depth: number, options: InspectOptions, show: typeof inspect): string {
    return shown(
      'ProvidedBufRing',
      () => ({
        group: this.group,
        entries: this.entries,
        bufSize: this.bufSize,
        incremental: this.#group.incremental,
        closed: this.#group.ended !== undefined,
      }),
      depth,
      options,
      show,
    );
  }
}
