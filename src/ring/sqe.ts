import { types } from 'node:util';
import {
  IORING_FILE_INDEX_ALLOC,
  IOSQE_ASYNC,
  IOSQE_BUFFER_SELECT,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_FIXED_FILE,
  IOSQE_IO_DRAIN,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
  IORING_CQE_F_32,
  IORING_CQE_F_MORE,
} from '../abi/flags.ts';
import { IOVEC_SIZE, KERNEL_TIMESPEC_SIZE } from '../abi/layouts.ts';
import type { BufferGroup } from './buffer-ring.ts';
import { ChainMember, SilentChain } from './chains.ts';
import type { ClassicGroup } from './classic-buffers.ts';
import type { CompletionQueue } from './completion-queue.ts';
import type { Holdings } from './holdings.ts';
import type { LentMemory, Lendable } from './lent-memory.ts';
import { checkInteger, checkUint32, outOfRange, wrongState, wrongType, wrongValue } from './misuse.ts';
import { writeIovec } from './msghdr.ts';
import { DESCRIPTOR, KEY_MASK, Lease, NOTHING, type Pins } from './pins.ts';
import { copyOfAddress, copyOfBytes, SOCKADDR_MAX, writeSocketAddress, type SocketAddressLike } from './socket-address.ts';
import type { SubmissionQueue } from './submission-queue.ts';
import { writeTimespec, type Duration } from './timespec.ts';

/** A caller's mark on an operation, given back with its completions: a number 0 … 2^53-1 or a bigint 0 … 2^64-1. */
export type UserData = number | bigint;

/** A place in the table of registered files, or `'alloc'`: let the kernel pick a free one. */
export type Slot = number | 'alloc';

/** A path. Bytes are taken as they are; a URL must be one of a file. */
export type PathLike = string | Uint8Array | URL;

/** The modifiers that a caller may set on any entry. */
const MODIFIERS =
  IOSQE_FIXED_FILE |
  IOSQE_IO_DRAIN |
  IOSQE_IO_LINK |
  IOSQE_IO_HARDLINK |
  IOSQE_ASYNC |
  IOSQE_CQE_SKIP_SUCCESS;

const LINKS = IOSQE_IO_LINK | IOSQE_IO_HARDLINK;

/** The kernel's limit on the pieces of one scattered transfer (UIO_MAXIOV). */
const IOVECS_MAX = 1024;

/** How many file descriptors' worth of slots a table can have; more than any kernel allows. */
const SLOT_MAX = 0xffff_fffd;

const ENCODER = new TextEncoder();

/**
 * The base of every prep method: checks the arguments that all operations share and writes the entry.
 * The methods themselves stand in the `prepare-….ts` files; the ring is the last of that line.
 */
export abstract class SqePreparation {
  /** @internal */
  declare protected readonly sq: SubmissionQueue;
  /** @internal */
  declare protected readonly cq: CompletionQueue;
  /** @internal */
  declare protected readonly pins: Pins;
  /** @internal */
  declare protected readonly memory: LentMemory;
  /** @internal */
  declare protected readonly holdings: Holdings;
  /** The chain of linked entries that the next one belongs to, if operations in it keep silent. @internal */
  declare protected silent: SilentChain | undefined;
  /** Such chains that the kernel has not taken yet. @internal */
  declare protected chained: SilentChain[] | undefined;
  /** The queue's tail when an operation was refused last: there is no entry "just prepared" then. */
  #refusedAt: number | undefined;

  /** @internal */
  constructor(holdings: Holdings, memory: LentMemory) {
    const { sq, cq, pins } = holdings;
    // Not enumerable: nobody who prints or copies a ring walks into memory that is unmapped one day.
    for (const [name, value] of Object.entries({ sq, cq, pins, memory, holdings })) {
      Object.defineProperty(this, name, { value });
    }
    for (const name of ['silent', 'chained']) Object.defineProperty(this, name, { value: undefined, writable: true });
  }

  /**
   * Queue one operation. All arguments but `userData` are the entry's own fields, as 32-bit numbers.
   * `lent` is what must stay alive until the last completion; undefined when nothing is.
   * @returns false when the submission queue is full; nothing was queued then.
   * @internal
   */
  protected queue(
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
    bufGroup: number,
    userData: UserData,
    lent: unknown,
  ): boolean {
    // Nearly all values are small: one comparison tells, without floating-point arithmetic.
    const small = typeof userData === 'number' && userData >>> 0 === userData;
    let low = userData as number;
    let high = 0;
    if (!small) {
      checkUserData('userData', userData);
      low = lowWord(userData);
      high = highWord(userData);
    }
    const { sq, pins } = this;
    if (sq.isFull()) return this.#refuse();
    let held = lent;
    if (this.silent !== undefined) held = this.#continueChain(lent);
    // A tag is never 0, so a small value is never taken for a key.
    if (held !== undefined || (!small && (high & KEY_MASK) === pins.tag)) {
      low = pins.hold(low, high, held === undefined ? NOTHING : held);
      high = pins.keyHigh(low);
      pins.describe(low, opcode, fd);
      if (this.silent !== undefined && held instanceof ChainMember) this.silent.add(held, low);
    }
    sq.push(
      opcode, flags, ioprio, fd, offLow, offHigh, addrLow, addrHigh, len, opFlags, low, high, bufGroup,
    );
    return true;
  }

  /** The queue is full, or it is closed and has no entries any more. */
  #refuse(): boolean {
    this.checkOpen();
    this.#refusedAt = this.sq.tail;
    return false;
  }

  /** Is there no room? To be asked first by operations that need memory of the arena, or more than one entry. @internal */
  protected isRefused(entries = 1): boolean {
    const { sq } = this;
    if (entries === 1 ? !sq.isFull() : sq.space >= entries) {
      this.holdings.arena.begin();
      return false;
    }
    return !this.#refuse();
  }

  /** Pass an operation's special holdings to {@link queue}. @internal */
  protected lease(lease: Lease): Lease {
    this.pins.leased = true;
    return lease;
  }

  /** @throws {Error} `ERR_IOURING_CLOSED` @internal */
  protected checkOpen(): void {
    if (this.holdings.closed) {
      throw wrongState('ERR_IOURING_CLOSED', 'Cannot use ring: it is closed');
    }
  }

  /**
   * Add modifiers to the entry just prepared: IOSQE_FIXED_FILE (its `fd` is a slot of the registered files),
   * IOSQE_IO_LINK and IOSQE_IO_HARDLINK (the next entry starts when this one is done; the first of them only if it
   * succeeded), IOSQE_IO_DRAIN (this one starts when all before it are done), IOSQE_ASYNC (do not try it inline first),
   * IOSQE_CQE_SKIP_SUCCESS (no completion if it succeeds; 5.17).
   *
   * An operation that lends memory and keeps silent is over when a later one of its chain completes: so it must be linked to
   * one that does not keep silent, and a `submit` that cuts the chain makes the last entry speak.
   *
   * Counterpart of io_uring_sqe_set_flags(3), which replaces the flags where this adds to them.
   * @throws {Error} `ERR_INVALID_STATE` there is no entry just prepared: it was submitted, or the last prep method
   *   returned false; or the entry would keep silent and its memory would never come back
   * @throws {RangeError|TypeError} unknown flags; IOSQE_BUFFER_SELECT is set by {@link sqeSetBufGroup}
   */
  sqeSetFlags(flags: number): void {
    checkInteger('flags', flags, 0, 0xff);
    if (flags & ~MODIFIERS) throw wrongValue('flags', 'only IOSQE_ modifiers; buffers are selected by sqeSetBufGroup');
    this.#checkPrepared();
    const { sq } = this;
    const word = sq.word(0) | (flags << 8);
    if ((word >> 8) & IOSQE_CQE_SKIP_SUCCESS) this.#silence((word >> 8) & 0xff);
    sq.setWord(0, word);
  }

  /**
   * Have the entry just prepared take its buffer from group `bgid` when data is there, whatever buffer it was given
   * (`null` will do): `bufferId()` of its completion names it.
   *
   * Kernel 5.7. Counterpart of IOSQE_BUFFER_SELECT with io_uring_sqe_set_buf_group(3).
   * @param bgid a group of {@link IoUring.registerBufRing} or prepProvideBuffers
   * @throws {Error} `ERR_INVALID_STATE` no such group, or no entry just prepared; RangeError, TypeError
   */
  sqeSetBufGroup(bgid: number): void {
    this.#checkPrepared();
    const group = this.bufferGroup(bgid);
    const { sq, pins } = this;
    if ((sq.word(0) >> 8) & IOSQE_CQE_SKIP_SUCCESS) throw namesNoBuffer();
    sq.setWord(0, sq.word(0) | (IOSQE_BUFFER_SELECT << 8));
    sq.setWord(10, (sq.word(10) & ~0xffff) | bgid);
    const low = sq.word(8);
    const high = sq.word(9);
    if (pins.has(low, high)) {
      const lent = pins.lent(low);
      // What was lent so far stays: a msghdr is used all the same.
      pins.replace(low, lent === NOTHING ? group : this.lease(new Lease(lent, group)));
      return;
    }
    const slot = pins.hold(low, high, group);
    pins.describe(slot, sq.word(0) & 0xff, sq.word(1));
    sq.setWord(8, slot);
    sq.setWord(9, pins.keyHigh(slot));
  }

  /**
   * Have the entry just prepared run with the credentials of a registered personality.
   *
   * Kernel 5.6. Counterpart of `sqe->personality`; see registerPersonality.
   * @throws {Error} `ERR_INVALID_STATE` no entry just prepared; RangeError, TypeError
   */
  sqeSetPersonality(id: number): void {
    checkInteger('id', id, 0, 0xffff);
    this.#checkPrepared();
    this.sq.setWord(10, (this.sq.word(10) & 0xffff) | (id << 16));
  }

  /**
   * Set the I/O priority of the entry just prepared, as ioprio_set(2) counts. Not for operations on sockets, which
   * have modifiers in its place.
   *
   * Kernel 5.1. Counterpart of `sqe->ioprio`.
   * @throws {Error} `ERR_INVALID_STATE` no entry just prepared; RangeError, TypeError
   */
  sqeSetIoprio(ioprio: number): void {
    checkInteger('ioprio', ioprio, 0, 0xffff);
    this.#checkPrepared();
    this.sq.setWord(0, (this.sq.word(0) & 0xffff) | (ioprio << 16));
  }

  /**
   * Take back the entries just prepared, all but the first `ready` of those that are queued: one of several that belong
   * together could not be prepared. Not between a prep method and its modifiers.
   * @internal
   */
  static unprepare(ring: SqePreparation, ready: number): void {
    const { sq, pins } = ring;
    sq.rewind(ready, (low, high) => {
      if (pins.has(low, high)) pins.release(low);
    });
    ring.silent = undefined;
    // There is no entry just prepared.
    ring.#refusedAt = sq.tail;
  }

  #checkPrepared(): void {
    const { sq } = this;
    this.checkOpen();
    if (sq.isOpen && this.#refusedAt !== sq.tail) return;
    const reason = sq.isOpen ? 'the last operation was not queued, for the queue was full' : 'it is submitted, or none was prepared';
    throw wrongState('ERR_INVALID_STATE', `Cannot modify the entry just prepared: ${reason}`);
  }

  /** The entry just prepared is going to complete without a word. */
  #silence(flags: number): void {
    const { sq, pins } = this;
    const slot = sq.word(8);
    const linked = (flags & LINKS) !== 0;
    const held = pins.has(slot, sq.word(9)) ? pins.lent(slot) : undefined;
    if (flags & IOSQE_BUFFER_SELECT) throw namesNoBuffer();
    // Nothing to come back: a descriptor is the caller's to know of.
    const lends = held !== undefined && held !== NOTHING && held !== DESCRIPTOR;
    if (!lends) {
      if (held === DESCRIPTOR) this.#unpin(slot);
      return;
    }
    if (!linked) {
      const message =
        'Cannot keep silent: nothing would tell when the memory is free again.' +
        ' Link it to an operation that completes (IOSQE_IO_LINK), or leave IOSQE_CQE_SKIP_SUCCESS away';
      throw wrongState('ERR_INVALID_STATE', message);
    }
    let member = held instanceof ChainMember ? held : undefined;
    if (member === undefined) {
      if (this.holdings.isPolled) {
        // The kernel's thread takes entries when it likes, and cuts chains by that.
        throw wrongState('ERR_INVALID_STATE', 'Cannot keep silent with sqPoll: leave IOSQE_CQE_SKIP_SUCCESS away');
      }
      this.silent = new SilentChain(pins, sq.isBehindLink);
      (this.chained ??= []).push(this.silent);
      member = new ChainMember(held, this.silent);
      pins.replace(slot, this.lease(member));
      this.silent.add(member, slot);
    }
    member.silent = true;
    member.hard = (flags & IOSQE_IO_HARDLINK) !== 0;
  }

  /** What the next entry holds, if it belongs to a chain with silent operations. */
  #continueChain(lent: unknown): unknown {
    const { sq } = this;
    const linked = sq.isOpen && ((sq.word(0) >> 8) & LINKS) !== 0;
    if (linked) return this.lease(new ChainMember(lent, this.silent!));
    this.silent = undefined;
    return lent;
  }

  /**
   * A submission ends a chain, wherever it is. If its last entry would keep silent, nobody would learn when the memory
   * of the chain is free again.
   * @internal
   */
  protected endChain(): void {
    const { sq } = this;
    this.silent = undefined;
    if (!sq.isOpen) return;
    const slot = sq.word(8);
    if (!this.pins.has(slot, sq.word(9)) || !(this.pins.lent(slot) instanceof ChainMember)) return;
    sq.setWord(0, sq.word(0) & ~(IOSQE_CQE_SKIP_SUCCESS << 8));
    (this.pins.lent(slot) as ChainMember).silent = false;
  }

  /** The kernel took only a part of what was submitted, or all of it. @internal */
  protected chainsTaken(all: boolean): void {
    if (!all) for (const chain of this.chained ?? []) chain.isBroken = true;
    this.chained = undefined;
  }

  /** Give the entry just prepared the caller's own userData. */
  #unpin(slot: number): void {
    const { sq, pins } = this;
    const low = pins.userLow(slot);
    const high = pins.userHigh(slot);
    if ((high & KEY_MASK) === pins.tag) return;
    sq.setWord(8, low);
    sq.setWord(9, high);
    pins.release(slot);
  }

  /**
   * The slot of the operation in flight with userData `target`, whose last completion is not waiting to be reaped; -1
   * if there is none that went to the kernel under a key of ours. It is known to the kernel as the slot (low 32 bits)
   * and `pins.keyHigh(slot)`.
   * @internal
   */
  protected findKey(target: UserData): number {
    checkUserData('target', target);
    return this.pins.find(lowWord(target), highWord(target), (slot) => !this.#isDone(slot));
  }

  /** All of them; if given, only those on `fd`, and of `opcode`. @internal */
  protected findKeys(target: UserData, fd?: number, opcode?: number): number[] {
    checkUserData('target', target);
    const { pins } = this;
    const fits = (slot: number): boolean =>
      (fd === undefined || pins.fd(slot) === fd) &&
      (opcode === undefined || pins.opcode(slot) === opcode) &&
      !this.#isDone(slot);
    return pins.findAll(lowWord(target), highWord(target), fits);
  }

  /** Has the operation in `slot` posted its last completion, which is only not reaped yet? */
  #isDone(slot: number): boolean {
    const { cq, pins } = this;
    const { words, first, mask, tail, shift } = cq;
    const keyHigh = pins.keyHigh(slot);
    for (let { head } = cq; head !== tail; head = (head + 1) | 0) {
      const word = first + ((head & mask) << shift);
      const last = (words[word + 3] & IORING_CQE_F_MORE) === 0;
      if (cq.mixed && words[word + 3] & IORING_CQE_F_32) head = (head + 1) | 0;
      if (last && words[word] === slot && words[word + 1] === keyHigh) return true;
    }
    return false;
  }

  /**
   * What the kernel is told when it shall post a completion with this userData that no entry of ours stands for: the
   * tag of a registered resource, or the new userData of a poll. The value itself, unless it looks like one of our keys.
   * @throws {RangeError|TypeError}
   * @internal
   */
  protected userDataForKernel(value: UserData, name = 'userData'): bigint {
    checkUserData(name, value);
    const low = lowWord(value);
    const high = highWord(value);
    if ((high & KEY_MASK) !== this.pins.tag) return BigInt(value);
    const slot = this.pins.hold(low, high, NOTHING);
    return (BigInt(this.pins.keyHigh(slot) >>> 0) << 32n) | BigInt(slot);
  }

  /** A group of provided buffers that can serve. @throws {Error} `ERR_INVALID_STATE`; RangeError @internal */
  protected bufferGroup(bgid: number): BufferGroup | ClassicGroup {
    const group = this.holdings.groups.get(bgid);
    if (group !== undefined && group.ended === undefined) return group;
    checkInteger('bgid', bgid, 0, 0xffff);
    this.checkOpen();
    throw wrongState('ERR_INVALID_STATE', `Cannot receive: no buffer ring is registered for group ${bgid}`);
  }

  /** Copy a path to the arena. Its address. Reading it may run a caller's code: that is done before. @internal */
  protected placePath(bytes: Uint8Array): number {
    const { arena } = this.holdings;
    arena.place(bytes, true);
    return arena.address;
  }

  /** Copy a time to the arena. Its address. @internal */
  protected timespec(time: Duration): number {
    const { arena } = this.holdings;
    arena.allocate(KERNEL_TIMESPEC_SIZE);
    writeTimespec(arena.view, arena.offset, time);
    return arena.address;
  }

  /** Copy a socket address to the arena. Its address there. @internal */
  protected placeAddress(bytes: Uint8Array): number {
    const { arena } = this.holdings;
    arena.place(bytes);
    return arena.address;
  }

  /** Write an array of iovecs for `buffers`, each as long as it is, to the arena. Its address. @internal */
  protected iovecs(buffers: readonly Lendable[]): number {
    const { arena } = this.holdings;
    const { memory } = this;
    arena.allocate(Math.max(1, buffers.length) * IOVEC_SIZE);
    const { view, offset } = arena;
    for (let i = 0; i < buffers.length; i++) {
      const length = memory.findWhole(buffers[i], `buffers[${i}]`);
      writeIovec(view, offset + i * IOVEC_SIZE, memory.addressLow, memory.addressHigh, length);
    }
    return arena.address;
  }
}

function namesNoBuffer(): Error {
  const message = 'Cannot keep silent and take a provided buffer: only the completion names it';
  return wrongState('ERR_INVALID_STATE', message);
}

/**
 * The bytes of a `struct sockaddr`. Not written into the arena at once: a getter of the caller's object could prepare other
 * entries meanwhile.
 */
export function addressBytes(name: string, address: SocketAddressLike): Uint8Array {
  // Who sends to the same address again and again gives it like this.
  if (types.isUint8Array(address)) return copyOfAddress(name, address);
  const bytes = new Uint8Array(SOCKADDR_MAX);
  return bytes.subarray(0, writeSocketAddress(bytes, 0, address, name));
}

/** The bytes of a path, without anything behind. @throws {TypeError} */
export function pathBytes(name: string, path: PathLike): Uint8Array {
  const kind = 'of type string or an instance of Uint8Array or URL';
  let bytes: Uint8Array;
  // From the pool: in a third of the time that an array of its own takes.
  if (typeof path === 'string') bytes = Buffer.from(path);
  // A copy: what a caller's object says of its length does not count.
  else if (path instanceof Uint8Array) bytes = copyOfBytes(name, path);
  else if (path instanceof URL) bytes = ENCODER.encode(filePath(name, path));
  else throw wrongType(name, kind, path);
  if (bytes.includes(0)) throw wrongValue(name, 'it must be a path without null bytes');
  return bytes;
}

function filePath(name: string, url: URL): string {
  const { protocol, hostname, pathname } = url;
  if (protocol !== 'file:') throw wrongValue(name, 'a URL must be of scheme file');
  if (hostname !== '') throw wrongValue(name, 'the URL of a file must have no host');
  if (/%2f/i.test(pathname)) throw wrongValue(name, 'the URL of a file must not include encoded / characters');
  try {
    return decodeURIComponent(pathname);
  } catch {
    throw wrongValue(name, 'the URL of a file must be UTF-8 where it is encoded; give the path as bytes');
  }
}

/**
 * A descriptor as the entry's `fd` field. The kernel answers EBADF for one that is not open; an integer that
 * no descriptor can be becomes -1, so that it gets the same answer and never names another file by wrapping.
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE` not an integer
 */
export function checkFd(name: string, fd: number): number {
  if (typeof fd === 'number' && (fd | 0) === fd) return fd;
  if (!Number.isInteger(fd)) throw wrongType(name, 'an integer', fd);
  return -1;
}

/** What `file_index` says for a slot: one more, or the mark for "pick one"; 0 is an ordinary descriptor. */
export function fileIndex(name: string, slot: Slot | undefined): number {
  if (slot === undefined) return 0;
  if (slot === 'alloc') return IORING_FILE_INDEX_ALLOC;
  if (typeof slot !== 'number') throw wrongType(name, "of type number, or 'alloc'", slot);
  return checkInteger(name, slot, 0, SLOT_MAX) + 1;
}

/**
 * The caller's list of buffers as it is now: an object that answers differently the second time must not have the kernel
 * write to one buffer while another is kept alive.
 */
export function listOfBuffers(name: string, buffers: readonly Lendable[]): Lendable[] {
  if (!Array.isArray(buffers)) throw wrongType(name, 'an Array of ArrayBufferViews or ArrayBuffers', buffers);
  const list = [...(buffers as readonly Lendable[])];
  checkInteger(`${name}.length`, list.length, 0, IOVECS_MAX);
  return list;
}

/** Flags of an operation, as the kernel spells them. */
export function checkFlags(name: string, flags: number | undefined): number {
  return flags === undefined || flags === 0 ? 0 : checkUint32(name, flags);
}

/** @throws {RangeError|TypeError} unless `value` is an integer from 0 to 2^53-1 or a bigint from 0 to 2^64-1. */
export function checkUserData(name: string, value: UserData): void {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && value >= 0) return;
    throw outOfRange(name, 'an integer from 0 to 2^53-1, or a bigint', value);
  }
  if (typeof value !== 'bigint') throw wrongType(name, 'of type number or bigint', value);
  if (value < 0n || value > 0xffff_ffff_ffff_ffffn) {
    throw outOfRange(name, 'from 0n to 2n ** 64n - 1n', value);
  }
}

/** The low 32 bits of a checked 64-bit value, signed. */
export function lowWord(value: number | bigint): number {
  return typeof value === 'number' ? value | 0 : Number(BigInt.asIntN(32, value));
}

/** The high 32 bits of a checked 64-bit value, signed. */
export function highWord(value: number | bigint): number {
  return typeof value === 'number'
    ? Math.floor(value / 0x1_0000_0000) | 0
    : Number(BigInt.asIntN(32, value >> 32n));
}
