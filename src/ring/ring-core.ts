import { EBUSY, EINVAL } from '../abi/errno.ts';
import {
  IORING_CQE_F_32,
  IORING_CQE_F_MORE,
  IORING_ENTER_GETEVENTS,
  IORING_RECVSEND_BUNDLE,
  IORING_SETUP_SQE128,
  IORING_SETUP_SQE_MIXED,
  IORING_SQ_CQ_OVERFLOW,
  IOSQE_ASYNC,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_FIXED_FILE,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
  SPLICE_F_FD_IN_FIXED,
} from '../abi/flags.ts';
import { IOVEC_SIZE, KERNEL_TIMESPEC_SIZE } from '../abi/layouts.ts';
import {
  IORING_OP_FIXED_FD_INSTALL,
  IORING_OP_READ_FIXED,
  IORING_OP_READV_FIXED,
  IORING_OP_RECV,
  IORING_OP_RECVMSG,
  IORING_OP_SEND,
  IORING_OP_SEND_ZC,
  IORING_OP_SENDMSG_ZC,
  IORING_OP_SPLICE,
  IORING_OP_TEE,
  IORING_OP_URING_CMD,
  IORING_OP_WRITE_FIXED,
  IORING_OP_WRITEV_FIXED,
} from '../abi/operations.ts';
import { REGISTRATIONS } from '../abi/registrations.ts';
import { MSG_TRUNC, MSG_WAITALL } from '../abi/socket-flags.ts';
import { isBlockingDevice, isSocket, LEAVES_DEVICES, POSITIONS_SOCKETS } from './kernel/odd-file.ts';
import { checkUserData, highWord, lowWord, type UserData } from './arguments/user-data.ts';
import { aligned } from './memory/aligned-memory.ts';
import { BufferGroup, SpanLease, TruncatedLease } from './buffer-ring.ts';
import { ChainMember, type SilentChain } from './prepare/chains.ts';
import type { ClassicGroup } from './classic-buffers.ts';
import type { CompletionQueue } from './queues/completion-queue.ts';
import type { RingResources } from './ring-resources.ts';
import { kernelError } from './kernel/kernel-error.ts';
import type { LentMemory, Lendable } from './memory/lent-memory.ts';
import { checkInteger, isObject, wrongState, wrongValue } from './arguments/argument-errors.ts';
import { firstLengthOf, Msghdr, writeIovec } from './structs/msghdr.ts';
import { NOTHING, type BufferSource, type Lease, type Pins } from './pins.ts';
import { needs, version } from './kernel/proven-kernel.ts';
import { LENGTH_OFFSET, prepareSocketAddressBuffer, type SocketAddressBuffer } from './structs/socket-address.ts';
import type { SubmissionQueue } from './queues/submission-queue.ts';
import { writeTimespec, type Duration } from './structs/timespec.ts';
import type { YoungField } from './prepare/young-fields.ts';

/**
 * How often a registration waits for what the kernel would wait for, and for how long each time. A worker can be ended
 * in between.
 */
const AWAIT_ROUNDS = 20;
const AWAIT_MS = 50;

/** From here on tables of files and buffers can be given up while operations use them. */
const FREES_TABLES = version('6.13');

/** The operations that use registered buffers, or a slot that is none of their modifiers. */
const USE_TABLES: ReadonlySet<number> = new Set([
  IORING_OP_READ_FIXED,
  IORING_OP_WRITE_FIXED,
  IORING_OP_READV_FIXED,
  IORING_OP_WRITEV_FIXED,
  IORING_OP_SEND_ZC,
  IORING_OP_SENDMSG_ZC,
  IORING_OP_URING_CMD,
  IORING_OP_FIXED_FD_INSTALL,
]);

export const LINKS = IOSQE_IO_LINK | IOSQE_IO_HARDLINK;

/** The likely meanings of an error of io_uring_register(2), by errno. */
export type Hints = Readonly<Record<number, string>>;

/** Memory for the arguments of one call. */
export interface Argument {
  view: DataView;
  address: number;
}

/**
 * The core that the methods of a ring work with: its queues, its pins, and the steps that all of them share. Some of
 * these take addresses. So a ring keeps it where nobody outside of the package gets at it: see {@link coreOf}.
 */
export class RingCore {
  // Declared only, so that the constructor is the first to write them, and the last: an engine then takes them for
  // constants.
  declare readonly resources: RingResources;
  declare readonly sq: SubmissionQueue;
  declare readonly cq: CompletionQueue;
  declare readonly pins: Pins;
  declare readonly memory: LentMemory;
  /** The chain of linked entries that the next one belongs to, if operations in it keep silent. */
  silent: SilentChain | undefined;
  /** Such chains that the kernel has not taken yet. */
  chained: SilentChain[] | undefined;
  /** Functions to be called before the kernel is shown the entries that were written so far: see {@link announce}. */
  unannounced: (() => void)[] | undefined;
  /** The queue's tail when an operation was refused last: there is no entry "just prepared" then. */
  refusedAt: number | undefined;
  /** Is a callback of forEachCompletion running? */
  reaping = false;
  /** How often the kernel began to keep completions aside, as far as {@link noteOverflow} was told. */
  overflows = 0;
  /** It did when somebody looked last. */
  #isOverflown = false;
  /** It is known that the kernel does not block on devices. */
  #leavesDevices = false;
  /** It is known that it does not ask for the position of sockets. */
  #positionsSockets = false;
  /** Before 6.13: the operations on slots, by their pin; the high half of its key tells whether it is theirs still. */
  readonly #onSlots = new Map<number, number>();
  /** Such an operation keeps silent: nothing will tell when it is over. */
  #isSlotLost = false;
  /** The arrays of the registration that is being made: they must live as long. */
  #arrays: Uint8Array[] = [];

  constructor(resources: RingResources, memory: LentMemory) {
    this.resources = resources;
    this.sq = resources.sq;
    this.cq = resources.cq;
    this.pins = resources.pins;
    this.memory = memory;
  }

  /**
   * Count it if the kernel has begun to keep completions aside. The ring's flag tells, and the kernel clears it in the
   * call that hands over the last of them, so that one who looks after calls may miss it. But it keeps completions
   * aside only when no place is free, and hands them over only when places are: a look each time that places were
   * given back, before the next call, misses none.
   * @param flags the flag word of the submission queue
   */
  noteOverflow(flags: number): void {
    const isOverflown = (flags & IORING_SQ_CQ_OVERFLOW) !== 0;
    if (isOverflown && !this.#isOverflown) this.overflows++;
    this.#isOverflown = isOverflown;
  }

  /**
   * Queue one operation. All arguments but `userData` are the entry's own fields, as 32-bit numbers.
   * `lent` is what must stay alive until the last completion; undefined when nothing is.
   * @returns false when the submission queue is full; nothing was queued then.
   */
  queue(
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
    // The high half of a key is never 0, so a small value is never taken for one.
    if (held !== undefined || (!small && pins.slotOf(low, high) >= 0)) {
      const slot = pins.hold(low, high, held === undefined ? NOTHING : held);
      low = pins.keyLow(slot);
      high = pins.keyHigh(slot);
      pins.describe(slot, opcode, fd);
      if (this.silent !== undefined && held instanceof ChainMember) this.silent.add(held, slot);
    }
    sq.push(
      opcode,
      flags,
      ioprio,
      fd,
      offLow,
      offHigh,
      addrLow,
      addrHigh,
      len,
      opFlags,
      low,
      high,
      bufGroup,
    );
    return true;
  }

  /** The queue is full, or it is closed and has no entries any more. */
  #refuse(): boolean {
    this.checkOpen();
    this.refusedAt = this.sq.tail;
    return false;
  }

  /**
   * The flags of a transfer's entry. Where the kernel would block in io_uring_enter(2) until a terminal has input, a
   * worker of the kernel does that: IOSQE_ASYNC.
   */
  flagsOfTransfer(fd: number): number {
    this.#leavesDevices ||= this.resources.kernel.isFrom(LEAVES_DEVICES);
    return this.#leavesDevices || !isBlockingDevice(fd) ? 0 : IOSQE_ASYNC;
  }

  /** Is 0 to stand for the position of a file, which has none? */
  beginsAtZero(fd: number): boolean {
    this.#positionsSockets ||= this.resources.kernel.isFrom(POSITIONS_SOCKETS);
    return !this.#positionsSockets && isSocket(fd);
  }

  /** The kernel is going to be shown the entries: tell those who have asked for that. */
  announce(): void {
    const calls = this.unannounced!;
    this.unannounced = undefined;
    for (const call of calls) call();
  }

  /** Is there no room? To be asked first by operations that need memory of the arena, or more than one entry. */
  isRefused(entries = 1): boolean {
    const { sq } = this;
    if (entries === 1 ? !sq.isFull() : sq.space >= entries) {
      this.resources.arena.begin();
      return false;
    }
    return !this.#refuse();
  }

  /** As isRefused(), for an entry of 128 bytes. @throws {Error} `ERR_INVALID_STATE` */
  isRefusedBig(): boolean {
    this.checkOpen();
    const { setupFlags } = this.resources;
    if (setupFlags & IORING_SETUP_SQE128) return this.isRefused();
    if ((setupFlags & IORING_SETUP_SQE_MIXED) === 0) {
      const message = 'Cannot prepare an entry of 128 bytes: set the ring up with sqe128 or sqeMixed';
      throw wrongState('ERR_INVALID_STATE', message);
    }
    return this.isRefused(this.sq.placesForTwo);
  }

  /** Nothing can go wrong any more: make the next entry begin where two places follow each other. */
  alignBig(): void {
    if (this.resources.setupFlags & IORING_SETUP_SQE_MIXED) this.sq.alignForTwo();
  }

  /** Have the entry just written take two places, where the ring has entries of both sizes. */
  grown(): boolean {
    if (this.resources.setupFlags & IORING_SETUP_SQE_MIXED) this.sq.takeTwo();
    return true;
  }

  /** Pass an operation's special resources to {@link queue}. */
  lease(lease: Lease): Lease {
    this.pins.leased = true;
    return lease;
  }

  /** @throws {Error} `ERR_IOURING_CLOSED` */
  checkOpen(): void {
    if (this.resources.closed) {
      throw wrongState('ERR_IOURING_CLOSED', 'Cannot use ring: it is closed');
    }
  }

  /**
   * Take back the entries just prepared, all but the first `ready` of those that are queued: one of several that belong
   * together could not be prepared. Not between a prep method and its modifiers.
   */
  unprepare(ready: number): void {
    const { sq, pins } = this;
    sq.rewind(ready, (low, high) => {
      const slot = pins.slotOf(low, high);
      if (slot >= 0) pins.release(slot);
    });
    this.silent = undefined;
    // There is no entry just prepared.
    this.refusedAt = sq.tail;
  }

  /** The chain member that the next entry holds, if it belongs to a chain with silent operations. */
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
   */
  endChain(): void {
    const { sq } = this;
    this.silent = undefined;
    if (!sq.isOpen) return;
    const slot = this.pins.slotOf(sq.word(8), sq.word(9));
    const held = slot < 0 ? undefined : this.pins.lent(slot);
    if (!(held instanceof ChainMember)) return;
    sq.setWord(0, sq.word(0) & ~(IOSQE_CQE_SKIP_SUCCESS << 8));
    held.silent = false;
  }

  /** The kernel took only a part of what was submitted, or all of it. */
  chainsTaken(all: boolean): void {
    if (!all) { for (const chain of this.chained ?? []) chain.isBroken = true; }
    this.chained = undefined;
  }

  /**
   * The slot of the operation in flight with userData `target`, whose last completion is not waiting to be reaped; -1
   * if there is none that went to the kernel under a key of ours: `pins.keyLow(slot)` and `pins.keyHigh(slot)`.
   */
  findKey(target: UserData): number {
    checkUserData('target', target);
    return this.pins.find(lowWord(target), highWord(target), (slot) => !this.#isDone(slot));
  }

  /** All of them; if given, only those on `fd`, and of `opcode`. */
  findKeys(target: UserData, fd?: number, opcode?: number): number[] {
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
    const { words, first, mask, end, shift } = cq;
    const keyLow = pins.keyLow(slot);
    const keyHigh = pins.keyHigh(slot);
    for (let { head } = cq; ((end - head) | 0) > 0; head = (head + 1) | 0) {
      const word = first + ((head & mask) << shift);
      const last = (words[word + 3] & IORING_CQE_F_MORE) === 0;
      if (cq.mixed && words[word + 3] & IORING_CQE_F_32) head = (head + 1) | 0;
      if (last && words[word] === keyLow && words[word + 1] === keyHigh) return true;
    }
    return false;
  }

  /**
   * The entry just prepared works on a slot of the registered files, or may use registered buffers. Before 6.13 it gets
   * a key of ours, so that it is known when it is over.
   */
  noteSlot(): void {
    const { pins, resources, sq } = this;
    if (resources.kernel.isFrom(FREES_TABLES)) return;
    const low = sq.word(8);
    const high = sq.word(9);
    let slot = pins.slotOf(low, high);
    if (slot < 0) {
      slot = pins.hold(low, high, NOTHING);
      pins.describe(slot, sq.word(0) & 0xff, sq.word(1));
      sq.setWord(8, pins.keyLow(slot));
      sq.setWord(9, pins.keyHigh(slot));
    }
    this.#onSlots.set(slot, pins.keyHigh(slot));
  }

  /** Is the operation with this pin one that {@link noteSlot} was told of? */
  isOnSlot(pin: number): boolean {
    return this.#onSlots.get(pin) === this.pins.keyHigh(pin);
  }

  /** An operation on a slot keeps silent, and nothing else tells when it is over. */
  loseSlot(): void {
    this.#isSlotLost = true;
  }

  /**
   * Older kernels wait in some registrations for what is in flight, and that may be for ever: a thread that sits there
   * cannot bring about that anything ends, and before 6.4 the kernel does not even look at what has ended in a ring
   * with DEFER_TASKRUN. Wait in its place, for a second at most. Nothing is submitted, and nothing is reaped.
   * @throws {Error} `EBUSY` the kernel would wait on
   */
  #awaitFor(opcode: number): void {
    const { everything, tables } = REGISTRATIONS[opcode]?.waitsFor ?? {};
    const { kernel } = this.resources;
    if (everything !== undefined && !kernel.isFrom(version(everything))) {
      if (this.#waits(() => this.resources.unfinished <= 0)) return;
      throw stillUsed('operations are in flight', everything);
    }
    if (tables === undefined || kernel.isFrom(version(tables))) return;
    if (this.#isSlotLost) throw stillUsed('an operation on a slot that keeps silent may be in flight', tables);
    const users = this.#tableUsers();
    if (this.#waits(() => users.every((pin) => this.#isDone(pin)))) return;
    throw stillUsed('operations in flight use registered files or buffers', tables);
  }

  /** The pins of the operations that use registered files or buffers, and that the kernel has taken. */
  #tableUsers(): number[] {
    const { pins, resources, sq } = this;
    const queued = new Set<number>();
    sq.eachQueued(resources.isPolled, (low, high) => queued.add(pins.slotOf(low, high)));
    return pins.all().filter((pin) => (USE_TABLES.has(pins.opcode(pin)) || this.isOnSlot(pin)) && !queued.has(pin));
  }

  /** Look for completions until it is so, for a second at most. Is it? */
  #waits(isSo: () => boolean): boolean {
    const { cq, resources } = this;
    for (let i = 0; i < AWAIT_ROUNDS; i++) {
      if (isSo()) return true;
      resources.enterFor(0, Math.min(cq.places + 1, cq.entries), IORING_ENTER_GETEVENTS, AWAIT_MS);
    }
    return isSo();
  }

  /**
   * The number that the kernel is told when it shall post a completion with this userData that no entry of ours stands
   * for: the tag of a registered resource, or the new userData of a poll. The value itself, unless it is one of our
   * keys.
   * @throws {RangeError|TypeError}
   */
  userDataForKernel(value: UserData, name = 'userData'): bigint {
    checkUserData(name, value);
    const low = lowWord(value);
    const high = highWord(value);
    const { pins } = this;
    if (high === 0 || pins.slotOf(low, high) < 0) return BigInt(value);
    const slot = pins.hold(low, high, NOTHING);
    return (BigInt(pins.keyHigh(slot) >>> 0) << 32n) | BigInt(pins.keyLow(slot) >>> 0);
  }

  /** A group of provided buffers that can serve. @throws {Error} `ERR_INVALID_STATE`; RangeError */
  bufferGroup(bgid: number): BufferGroup | ClassicGroup {
    const group = this.resources.groups.get(bgid);
    if (group !== undefined && group.ended === undefined) return group;
    checkInteger('bgid', bgid, 0, 0xffff);
    this.checkOpen();
    throw wrongState('ERR_INVALID_STATE', `Cannot receive: no buffer ring is registered for group ${bgid}`);
  }

  /**
   * The source that an entry holds to have its buffers from `group`, by its words 0 (opcode, modifiers), 6 (len) and 7
   * (flags): may it fill several at once, or be told of more bytes than it got? `lent`: what it holds besides.
   * @throws {TypeError} `ERR_INVALID_ARG_VALUE` both; or one of the two in an incremental group
   */
  sourceOf(group: BufferGroup | ClassicGroup, how: number, len: number, flags: number, lent?: unknown): BufferSource {
    const opcode = how & 0xff;
    const receives = opcode === IORING_OP_RECV || opcode === IORING_OP_RECVMSG;
    const canBundle = opcode === IORING_OP_RECV || opcode === IORING_OP_SEND;
    const bundles = canBundle && ((how >>> 16) & IORING_RECVSEND_BUNDLE) !== 0;
    if (bundles && receives && flags & MSG_TRUNC) {
      const reason = 'with MSG_TRUNC nobody could tell which buffers a bundle has filled: leave one of the two away';
      throw wrongValue('flags', reason);
    }
    // In an incremental group the kernel hands the rest of the buffer to others while one waits for all of its data,
    // and goes on writing where they do; and what it cuts off a datagram it counts as filled, beyond the last buffer
    // that it has.
    if (receives && flags & (MSG_WAITALL | MSG_TRUNC) && group instanceof BufferGroup && group.incremental) {
      const reason =
        'MSG_WAITALL and MSG_TRUNC do not go with an incremental group: nobody could tell where the data is';
      throw wrongValue('flags', reason);
    }
    if (bundles && group instanceof BufferGroup) return this.lease(new SpanLease(group));
    if (!receives || (flags & MSG_TRUNC) === 0) return group;
    const isMessage = lent instanceof Msghdr;
    const room = isMessage ? firstLengthOf(lent) : opcode === IORING_OP_RECV ? len >>> 0 : 0;
    return this.lease(new TruncatedLease(group, room === 0 ? Infinity : room));
  }

  /** Copy a path to the arena. Its address. Reading it may run a caller's code: that is done before. */
  placePath(bytes: Uint8Array): number {
    const { arena } = this.resources;
    arena.place(bytes, true);
    return arena.address;
  }

  /** Copy a time to the arena. Its address. */
  timespec(time: Duration): number {
    const { arena } = this.resources;
    arena.allocate(KERNEL_TIMESPEC_SIZE);
    writeTimespec(arena.view, arena.offset, time);
    return arena.address;
  }

  /** Copy a socket address to the arena. Its address there. */
  placeAddress(bytes: Uint8Array): number {
    const { arena } = this.resources;
    arena.place(bytes);
    return arena.address;
  }

  /** Write an array of iovecs for `buffers`, each as long as it is, to the arena. Its address. */
  iovecs(buffers: readonly Lendable[]): number {
    const { arena } = this.resources;
    const { memory } = this;
    arena.allocate(Math.max(1, buffers.length) * IOVEC_SIZE);
    const { view, offset } = arena;
    for (let i = 0; i < buffers.length; i++) {
      const length = memory.findWhole(buffers[i], `buffers[${i}]`);
      writeIovec(view, offset + i * IOVEC_SIZE, memory.addressLow, memory.addressHigh, length);
    }
    return arena.address;
  }

  /**
   * io_uring_register(2) on this ring. `form`: see {@link registerError}.
   * @returns what the kernel answers
   * @throws {Error} the kernel's refusal; `EBUSY` it would wait for what is in flight
   */
  register(opcode: number, address: number, count: number, hints?: Hints, form?: string): number {
    this.#awaitFor(opcode);
    const result = this.resources.register(opcode, address, count);
    this.#arrays = [];
    const hint = hints !== undefined && Object.hasOwn(hints, -result) ? hints[-result] : undefined;
    if (result < 0) throw this.registerError(opcode, -result, hint, form);
    return result;
  }

  /**
   * A refusal of io_uring_register(2), in words: a bare EINVAL may mean that the kernel is too old for it, or for the
   * `form` of it that was asked for, a key of its row's `variants`. What came with that Linux may be there without a
   * proof, so that the hint is told, too.
   */
  registerError(opcode: number, errno: number, hint?: string, form?: string): Error {
    const { name, since, variants } = REGISTRATIONS[opcode] ?? {};
    const { kernel } = this.resources;
    const lacks = (linux: string | undefined): linux is string =>
      errno === EINVAL && linux !== undefined && !kernel.isFrom(version(linux));
    const variant = form === undefined ? undefined : variants?.[form];
    if (lacks(since)) return kernelError(errno, 'io_uring_register', `${name} ${needs(since)}`);
    if (!lacks(variant)) return kernelError(errno, 'io_uring_register', hint);
    const tooOld = `this form of ${name} (${form}) ${needs(variant)}`;
    return kernelError(errno, 'io_uring_register', hint === undefined ? tooOld : `${tooOld}; or ${hint}`);
  }

  /**
   * An older kernel would ignore the field, and do something else. To be asked before anything is queued.
   * @throws {Error} `ERR_IOURING_UNSUPPORTED`, `ERR_IOURING_CLOSED`
   */
  demand(field: YoungField): void {
    if (this.resources.kernel.isFrom(field.refusedSince)) return;
    this.checkOpen();
    const message = `Cannot ${field.what}: ${needs(field.since)}`;
    throw wrongState('ERR_IOURING_UNSUPPORTED', message);
  }

  /** A struct of up to 256 bytes, all zero. */
  scratch(length: number): Argument {
    const { view, address } = this.resources.registerArgument;
    new Uint8Array(view.buffer, view.byteOffset, length).fill(0);
    return { view, address };
  }

  /** An array of `length` bytes, all zero, until the next call is made. */
  array(length: number): Argument {
    const { bytes, address } = aligned(this.resources.native, Math.max(8, length), 8);
    this.#arrays.push(bytes);
    return { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), address };
  }
}

/** Does an entry use registered files or buffers? */
export function usesTables(opcode: number, flags: number, opFlags: number): boolean {
  const splices = opcode === IORING_OP_SPLICE || opcode === IORING_OP_TEE;
  const isFromSlot = splices && (opFlags & SPLICE_F_FD_IN_FIXED) !== 0;
  return (flags & IOSQE_FIXED_FILE) !== 0 || USE_TABLES.has(opcode) || isFromSlot;
}

function stillUsed(what: string, since: string): Error {
  const hint = `${what}: cancel or reap them first; going on without needs Linux ${since}`;
  return kernelError(EBUSY, 'io_uring_register', hint);
}

/** Where the kernel is to write a socket's address, and its length. */
export function addressBuffer(
  { memory }: RingCore,
  address: SocketAddressBuffer,
): [low: number, high: number, lengthLow: number, lengthHigh: number] {
  memory.findWhole(prepareSocketAddressBuffer(address));
  const { addressLow, addressHigh } = memory;
  const length = addressHigh * 2 ** 32 + (addressLow >>> 0) + LENGTH_OFFSET;
  return [addressLow, addressHigh, lowWord(length), highWord(length)];
}

let openCore: (ring: Ring) => RingCore;
let isRingOf: (value: object) => boolean;
let handedOver: RingCore | undefined;

function takeOver(): RingCore {
  const core = handedOver;
  handedOver = undefined;
  return core!;
}

/**
 * The place where a ring keeps its core, and nothing else. A class of its own, for a field that is written once, before
 * the constructor of a ring begins, is what an engine takes for a constant of a ring that it knows: 2 to 3 % of a
 * NOP in
 * Node 22 (AMD EPYC, virtual). The core is not handed up to this constructor, but laid down where it finds it: what is
 * above a class can be changed, and would be given it.
 */
export abstract class Ring {
  readonly #core = takeOver();

  /** Not a method: whoever has a ring could call it. */
  static {
    openCore = (ring) => ring.#core;
    isRingOf = (value) => #core in value;
  }
}

/** The core of a ring. @throws {TypeError} it is no ring */
export const coreOf = openCore! as (ring: object) => RingCore;

/** Is this a ring? */
export const isRing = (value: unknown): boolean => isObject(value) && isRingOf(value);

/** The next ring that is constructed has this core. */
export function handOver(core: RingCore): void {
  handedOver = core;
}
