/// <reference lib="esnext.disposable" preserve="true" />
import {
  IO_URING_BUF,
  IO_URING_BUF_REG,
  IO_URING_BUF_REG_SIZE,
  IO_URING_BUF_RING,
  IO_URING_BUF_SIZE,
} from '../abi/layouts.ts';
import type { Native } from '../native/native.ts';
import { aligned, alignedForLending, PAGE_SIZE_MAX } from './aligned-memory.ts';
import { checkInteger, outOfRange, wrongState } from './misuse.ts';

/** The kernel's limit on the entries of one buffer ring. */
const ENTRIES_MAX = 32768;

/**
 * The memory of a group of provided buffers, and who has which of them. A receive in flight holds on to
 * this; it knows nothing of the ring, so that the ring is not held with it.
 */
export class BufferGroup {
  readonly id: number;
  readonly entries: number;
  readonly bufSize: number;
  /** All buffers, one after the other. JavaScript memory: a view of it can never dangle. */
  readonly slab: Uint8Array<ArrayBuffer>;
  /** Where the ring of `struct io_uring_buf` begins: at the start of a page, as the kernel demands. */
  readonly ringAddress: number;
  /** Why the group serves no more, once it does not. */
  ended: string | undefined;
  readonly #slabAddress: number;
  readonly #words: Int32Array;
  readonly #halves: Uint16Array;
  /** 1 for a buffer that the kernel has filled and the caller has not given back. */
  readonly #taken: Uint8Array;
  #tail = 0;

  /**
   * Make the memory and fill the ring with all buffers. The kernel does not know of it yet.
   * @throws {RangeError} `ERR_OUT_OF_RANGE`
   */
  constructor(native: Native, id: number, entries: number, bufSize: number) {
    checkInteger('entries', entries, 1, ENTRIES_MAX);
    if (entries & (entries - 1)) throw outOfRange('entries', 'a power of two', entries);
    checkInteger('bufSize', bufSize, 1, 2 ** 31 - 1);
    checkInteger('bgid', id, 0, 0xffff);
    this.id = id;
    this.entries = entries;
    this.bufSize = bufSize;
    const slab = alignedForLending(native, entries * bufSize, 4096);
    const ring = aligned(native, entries * IO_URING_BUF_SIZE, PAGE_SIZE_MAX);
    this.slab = slab.bytes;
    this.#slabAddress = slab.address;
    this.ringAddress = ring.address;
    const { buffer, byteOffset, byteLength } = ring.bytes;
    this.#words = new Int32Array(buffer, byteOffset, byteLength / 4);
    this.#halves = new Uint16Array(buffer, byteOffset, byteLength / 2);
    this.#taken = new Uint8Array(entries);
    for (let bid = 0; bid < entries; bid++) this.#stage(bid);
    this.#publish();
  }

  /** The argument of IORING_REGISTER_PBUF_RING and IORING_UNREGISTER_PBUF_RING, written to `target`. */
  describe(target: DataView): void {
    new Uint8Array(target.buffer, target.byteOffset, IO_URING_BUF_REG_SIZE).fill(0);
    target.setBigUint64(IO_URING_BUF_REG.ring_addr, BigInt(this.ringAddress), true);
    target.setUint32(IO_URING_BUF_REG.ring_entries, this.entries, true);
    target.setUint16(IO_URING_BUF_REG.bgid, this.id, true);
  }

  /** A completion named `bid`: the buffer is the caller's now. */
  take(bid: number): void {
    this.#taken[bid] = 1;
  }

  /** @throws {Error} `ERR_IOURING_CLOSED` once the group is disposed of or its ring closed. */
  checkOpen(): void {
    if (this.ended === undefined) return;
    throw wrongState('ERR_IOURING_CLOSED', `Cannot use buffer group ${this.id}: ${this.ended}`);
  }

  /** The caller gives `bid` back to the kernel. */
  giveBack(bid: number): void {
    this.checkOpen();
    checkInteger('bid', bid, 0, this.entries - 1);
    if (this.#taken[bid] === 0) {
      const message = `Cannot recycle buffer ${bid} of group ${this.id}: it is not handed out`;
      throw wrongState('ERR_INVALID_STATE', message);
    }
    this.#taken[bid] = 0;
    this.#stage(bid);
    this.#publish();
  }

  #stage(bid: number): void {
    const index = this.#tail & (this.entries - 1);
    const word = (index * IO_URING_BUF_SIZE) >>> 2;
    const address = this.#slabAddress + bid * this.bufSize;
    this.#words[word + IO_URING_BUF.addr / 4] = address | 0;
    this.#words[word + IO_URING_BUF.addr / 4 + 1] = (address / 2 ** 32) | 0;
    this.#words[word + IO_URING_BUF.len / 4] = this.bufSize;
    // Never the two bytes after the id: those of entry 0 are the ring's tail.
    this.#halves[(index * IO_URING_BUF_SIZE + IO_URING_BUF.bid) / 2] = bid;
    this.#tail = (this.#tail + 1) & 0xffff;
  }

  #publish(): void {
    Atomics.store(this.#halves, IO_URING_BUF_RING.tail / 2, this.#tail);
  }
}

/**
 * A registered ring of provided buffers: the kernel takes one for each arrival of a multishot receive and
 * names it in the completion; the caller reads it and gives it back.
 *
 * Counterpart of io_uring_setup_buf_ring(3), io_uring_buf_ring_add(3) and io_uring_free_buf_ring(3).
 */
export class ProvidedBufRing implements Disposable {
  readonly #group: BufferGroup;
  readonly #unregister: () => void;

  /** Made by `IoUring.registerBufRing`. @internal */
  constructor(group: BufferGroup, unregister: () => void) {
    this.#group = group;
    this.#unregister = unregister;
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
   */
  bytes(bid: number, n: number): Uint8Array {
    const group = this.#group;
    group.checkOpen();
    checkInteger('bid', bid, 0, group.entries - 1);
    checkInteger('n', n, 0, group.bufSize);
    return new Uint8Array(group.slab.buffer, group.slab.byteOffset + bid * group.bufSize, n);
  }

  /**
   * Give buffer `bid` back to the kernel.
   * @throws {RangeError} `ERR_OUT_OF_RANGE` no such buffer; Error `ERR_INVALID_STATE` it is not handed out,
   *   or was given back already; `ERR_IOURING_CLOSED`
   */
  recycle(bid: number): void {
    this.#group.giveBack(bid);
  }

  /** Take the group from the kernel. Receives that are armed on it end with ENOBUFS. Harmless when repeated. */
  [Symbol.dispose](): void {
    this.#unregister();
  }
}
