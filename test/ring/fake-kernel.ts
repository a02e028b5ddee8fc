import {
  IORING_ASYNC_CANCEL_ALL,
  IORING_CQE_F_32,
  IORING_CQE_F_SKIP,
  IORING_ENTER_ABS_TIMER,
  IORING_ENTER_EXT_ARG_REG,
  IORING_ENTER_GETEVENTS,
  IORING_FEAT_EXT_ARG,
  IORING_FEAT_MIN_TIMEOUT,
  IORING_FEAT_NODROP,
  IORING_FEAT_NO_IOWAIT,
  IORING_FEAT_RW_CUR_POS,
  IORING_FEAT_SINGLE_MMAP,
  IORING_FEAT_SUBMIT_STABLE,
  IORING_OFF_SQES,
  IORING_OFF_SQ_RING,
  IORING_OP_ASYNC_CANCEL,
  IORING_OP_NOP128,
  IORING_OP_URING_CMD128,
  IORING_SETUP_CQE32,
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_SQE128,
  IORING_SETUP_SQE_MIXED,
  IORING_SQ_CQ_OVERFLOW,
  IOSQE_CQE_SKIP_SUCCESS,
  IO_CQRING_OFFSETS,
  IO_SQRING_OFFSETS,
  IO_URING_GETEVENTS_ARG,
  IO_URING_PARAMS,
  KERNEL_TIMESPEC,
} from '../../src/abi/index.ts';
import type { Guarded, Native } from '../../src/native/native.ts';

/** One call of io_uring_enter(2) as the ring made it. */
export interface EnterCall {
  fd: number;
  toSubmit: number;
  minComplete: number;
  flags: number;
  timed: boolean;
  /** How long at most, or with IORING_ENTER_ABS_TIMER until when, in nanoseconds; undefined without a limit. */
  time: bigint | undefined;
  minWaitUs: number;
  /** The byte offset of a registered wait. */
  registeredWait: number | undefined;
}

/** A submission entry as the kernel would read it. */
export interface Entry {
  opcode: number;
  /** IOSQE_* */
  flags: number;
  fd: number;
  userData: bigint;
  /** Sixteen of them, or 32 of one with 128 bytes. */
  words: Int32Array;
}

/** The 64-bit number in two words of an entry. */
export function wordsAt({ words }: Entry, word: number): bigint {
  return (BigInt(words[word + 1] >>> 0) << 32n) | BigInt(words[word] >>> 0);
}

/** The userData that an IORING_OP_ASYNC_CANCEL is aimed at. */
export function targetOf(entry: Entry): bigint {
  return wordsAt(entry, 4);
}

/** The next answer of io_uring_enter(2): a number, or code that acts on the rings first. */
export type Answer = number | ((call: EnterCall) => number);

/** A completion that found no room. */
interface Late {
  userData: bigint;
  res: number;
  flags: number;
  extra: readonly [bigint, bigint] | undefined;
}

/** Memory that the ring asked the address of. It is not kept alive by that, as it is not by a kernel. */
export interface Place {
  readonly memory: WeakRef<ArrayBufferLike>;
  /** Where in it. */
  readonly offset: number;
}

const EINVAL = 22;
const ETIME = 62;
const EINTR = 4;
const ECANCELED = 125;
const ENOENT = 2;

/** Words of the ring's memory. */
const SQ_HEAD = 0;
const CQ_HEAD = 2;
const CQ_TAIL = 3;
const SQ_FLAGS = 9;
const CQES = 16;

/**
 * A kernel made of JavaScript memory: rings of the real layout, cursors that start where the test wants, and
 * answers by script. Without a script it consumes what it is given and completes each entry with `result`.
 *
 * It has rings of every shape, those of later kernels too. What is unmapped is gone: whoever touches it then gets an
 * exception where the real one would end the process.
 */
export class FakeKernel implements Native {
  readonly calls: EnterCall[] = [];
  readonly registered: { opcode: number; count: number }[] = [];
  readonly entriesSeen: Entry[] = [];
  readonly log: string[] = [];
  /** Descriptors that were closed. */
  readonly closed: number[] = [];
  /** Setup flags that this kernel answers EINVAL to. */
  unknownFlags = 0;
  setupAnswer = 0;
  features = IORING_FEAT_SINGLE_MMAP |
    IORING_FEAT_NODROP |
    IORING_FEAT_SUBMIT_STABLE |
    IORING_FEAT_RW_CUR_POS |
    IORING_FEAT_EXT_ARG |
    IORING_FEAT_MIN_TIMEOUT |
    IORING_FEAT_NO_IOWAIT;
  answers: Answer[] = [];
  /** The answer of register(2); default 0, and 1 for anything that counts. */
  registerAnswer: (opcode: number) => number = () => -22;
  /** The `res` that an entry completes with; undefined: it stays in flight. */
  result: (entry: Entry) => number | undefined = () => 0;
  /** Is shown every entry at the moment that it is taken. */
  sees: (entry: Entry) => void = () => {};
  readonly setupFlagsTried: number[] = [];
  /** Entries that were consumed and not completed. Those posted by the test stay in it. */
  readonly inFlight = new Set<bigint>();
  /** Does IORING_OP_ASYNC_CANCEL end an operation in flight? */
  cancels = true;
  /** Does IOSQE_CQE_SKIP_SUCCESS have it keep silent? */
  silent = false;
  /** Kept aside because the completion queue was full. */
  readonly overflow: Late[] = [];
  readonly #start: number;
  #setupFlags = 0;
  #ring = new Int32Array(0);
  #sqes = new Int32Array(0);
  #sqEntries = 0;
  #cqEntries = 0;
  readonly #addresses = new WeakMap<ArrayBufferLike, number>();
  readonly #places: { address: number; length: number; memory: WeakRef<ArrayBufferLike> }[] = [];
  readonly #mapped = new Map<number, ArrayBuffer>();
  #nextAddress = 0x7f00_0000_0000;

  /** @param start where all four cursors begin */
  constructor(start = 0) {
    this.#start = start | 0;
  }

  setup(entries: number, params: Uint8Array): number {
    const view = new DataView(params.buffer, params.byteOffset);
    const flags = view.getUint32(IO_URING_PARAMS.flags, true);
    this.setupFlagsTried.push(flags);
    if (this.setupAnswer < 0) return this.setupAnswer;
    if (flags & this.unknownFlags) return -EINVAL;
    this.#setupFlags = flags;
    this.#sqEntries = 2 ** Math.ceil(Math.log2(entries));
    this.#cqEntries = 2 ** Math.ceil(Math.log2(view.getUint32(IO_URING_PARAMS.cq_entries, true)));
    view.setUint32(IO_URING_PARAMS.sq_entries, this.#sqEntries, true);
    view.setUint32(IO_URING_PARAMS.cq_entries, this.#cqEntries, true);
    view.setUint32(IO_URING_PARAMS.features, this.features, true);
    const sq = { head: 0, tail: 4, ring_mask: 16, ring_entries: 24, flags: 36, dropped: 32 };
    const cq = { head: 8, tail: 12, ring_mask: 20, ring_entries: 28, overflow: 44, flags: 40, cqes: 64 };
    for (const [name, value] of Object.entries(sq)) {
      view.setUint32(IO_URING_PARAMS.sq_off + IO_SQRING_OFFSETS[name as keyof typeof sq], value, true);
    }
    for (const [name, value] of Object.entries(cq)) {
      view.setUint32(IO_URING_PARAMS.cq_off + IO_CQRING_OFFSETS[name as keyof typeof cq], value, true);
    }
    const array = 4 * (CQES + (this.#cqEntries << this.#cqeShift));
    view.setUint32(IO_URING_PARAMS.sq_off + IO_SQRING_OFFSETS.array, array, true);
    this.#ring = new Int32Array(array / 4 + this.#sqEntries);
    this.#sqes = new Int32Array(this.#sqEntries << this.#sqeShift);
    this.#ring.fill(this.#start, SQ_HEAD, CQ_TAIL + 1);
    return 1000;
  }

  /** Words of an entry, as a power of two. */
  get #sqeShift(): number {
    return this.#setupFlags & IORING_SETUP_SQE128 ? 5 : 4;
  }

  get #cqeShift(): number {
    return this.#setupFlags & IORING_SETUP_CQE32 ? 3 : 2;
  }

  map(_fd: number, offset: number, length: number): number {
    if (offset === IORING_OFF_SQ_RING) return this.#map(this.#ring.buffer);
    return this.#map(offset === IORING_OFF_SQES ? this.#sqes.buffer : new ArrayBuffer(length));
  }

  allocate(length: number): number {
    return this.#map(new ArrayBuffer(length));
  }

  #map(memory: ArrayBuffer): number {
    const address = this.addressOf(memory);
    this.#mapped.set(address, memory);
    return address;
  }

  view(address: number): ArrayBuffer {
    return this.#mapped.get(address)!;
  }

  unmap(address: number): number {
    this.log.push('unmap');
    const memory = this.#mapped.get(address);
    if (memory) structuredClone(memory, { transfer: [memory] });
    this.#mapped.delete(address);
    return 0;
  }

  close(fd: number): number {
    this.log.push('close');
    this.closed.push(fd);
    return 0;
  }

  register(_fd: number, opcode: number, _argument: number, count: number): number {
    this.registered.push({ opcode, count });
    return this.registerAnswer(opcode);
  }

  addressOf(memory: ArrayBufferLike): number {
    let address = this.#addresses.get(memory);
    if (address === undefined) {
      address = this.#nextAddress;
      const length = memory.byteLength;
      this.#nextAddress += Math.ceil((length + 1) / 4096) * 4096;
      this.#addresses.set(memory, address);
      this.#places.push({ address, length, memory: new WeakRef(memory) });
    }
    return address;
  }

  /** The memory at an address: undefined if nothing ever was. */
  at(address: number | bigint): Place | undefined {
    const at = Number(address);
    const found = this.#places.findLast((place) => place.address <= at);
    if (found === undefined || at > found.address + found.length) return undefined;
    return { memory: found.memory, offset: at - found.address };
  }

  /** A copy of the bytes at an address, as the kernel reads them. */
  read(address: number | bigint, length: number): DataView {
    const place = this.at(address);
    const memory = place?.memory.deref();
    if (place === undefined || memory === undefined) throw new Error(`EFAULT: nothing is at ${address}`);
    return new DataView(new Uint8Array(memory, place.offset, length).slice().buffer);
  }

  readonly isMainThread = true;
  readonly pageSize: number = 4096;

  keepInPlace(): void {}

  poll(): never {
    throw new Error('no event loop');
  }

  socketName(): number {
    return -9;
  }

  socket(): number {
    return -24;
  }

  bind(): number {
    return -9;
  }

  listen(): number {
    return -9;
  }

  accept(): number {
    return -9;
  }

  connect(): number {
    return -9;
  }

  polled(): number {
    return -9;
  }

  recv(): number {
    throw new Error('not part of this fake');
  }

  send(): number {
    return -9;
  }

  shutdown(): number {
    return -9;
  }

  setSocketOption(): number {
    return -9;
  }

  getSocketOption(): number {
    return -9;
  }

  duplicate(): number {
    return -9;
  }

  setTimes(): number {
    return -9;
  }

  listAttributes(): number {
    return -9;
  }

  seek(): number {
    return -9;
  }

  copyRange(): number {
    return -9;
  }

  eventLoop(): undefined {}

  eventfd(): number {
    return -24;
  }

  resetEventfd(): void {}

  readPipe(): never {
    throw new Error('no event loop');
  }

  pipe(): number {
    return -24;
  }

  closeAtThreadExit(): () => void {
    return () => {};
  }

  duplicateGuarded(): Guarded {
    return { fd: -9, callOff() {} };
  }

  enter(fd: number, toSubmit: number, minComplete: number, flags: number): number {
    const plain = { timed: false, time: undefined, minWaitUs: 0, registeredWait: undefined };
    return this.#enter({ fd, toSubmit, minComplete, flags, ...plain });
  }

  enterWith(
    fd: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
    argument: number,
    size: number,
  ): number {
    const call = { fd, toSubmit, minComplete, flags, timed: true };
    if (flags & IORING_ENTER_EXT_ARG_REG) {
      return this.#enter({ ...call, time: undefined, minWaitUs: 0, registeredWait: argument });
    }
    const view = this.read(argument, size);
    const time = view.getBigUint64(IO_URING_GETEVENTS_ARG.ts, true);
    const minWaitUs = view.getUint32(IO_URING_GETEVENTS_ARG.min_wait_usec, true);
    const limit = time === 0n ? undefined : this.#time(time);
    return this.#enter({ ...call, time: limit, minWaitUs, registeredWait: undefined });
  }

  #time(address: bigint): bigint {
    const view = this.read(address, 16);
    const seconds = view.getBigInt64(KERNEL_TIMESPEC.tv_sec, true);
    return seconds * 1_000_000_000n + view.getBigInt64(KERNEL_TIMESPEC.tv_nsec, true);
  }

  #enter(call: EnterCall): number {
    this.calls.push(call);
    if (this.calls.length > 10_000) throw new Error('the ring enters the fake kernel without end');
    const answer = this.answers.shift();
    if (typeof answer === 'number') return answer;
    if (answer !== undefined) return answer(call);
    if (call.flags & IORING_ENTER_GETEVENTS) this.flushOverflow();
    const consumed = this.consume(call.toSubmit);
    const limited = call.timed && (call.time !== undefined || (call.flags & IORING_ENTER_ABS_TIMER) !== 0);
    if (consumed === 0 && this.ready < call.minComplete) return limited ? -ETIME : -EINTR;
    return consumed;
  }

  /** Take `count` places from the submission queue, and complete what is in them. How many were taken. */
  consume(count: number): number {
    for (let i = 0; i < count;) i += this.#consumeOne();
    return count;
  }

  #consumeOne(): number {
    const place = this.#ring[SQ_HEAD] & (this.#sqEntries - 1);
    const word = place << this.#sqeShift;
    const opcode = this.#sqes[word] & 0xff;
    const takesTwo = opcode === IORING_OP_NOP128 || opcode === IORING_OP_URING_CMD128;
    const places = takesTwo && this.#setupFlags & IORING_SETUP_SQE_MIXED ? 2 : 1;
    const words = this.#sqes.slice(word, word + (places << this.#sqeShift));
    const userData = (BigInt(words[9] >>> 0) << 32n) | BigInt(words[8] >>> 0);
    const entry = { opcode, flags: (words[0] >> 8) & 0xff, fd: words[1], userData, words };
    this.entriesSeen.push(entry);
    this.sees(entry);
    // The two halves must lie side by side.
    const cut = places === 2 && place === this.#sqEntries - 1;
    this.#ring[SQ_HEAD] = (this.#ring[SQ_HEAD] + (cut ? 1 : places)) | 0;
    const res = cut ? -EINVAL : opcode === IORING_OP_ASYNC_CANCEL ? this.#cancel(entry) : this.result(entry);
    const skipped = this.silent && (entry.flags & IOSQE_CQE_SKIP_SUCCESS) !== 0;
    if (res === undefined) this.inFlight.add(userData);
    else if (res < 0 || !skipped) this.post(userData, res);
    return cut ? 1 : places;
  }

  #cancel(entry: Entry): number {
    const target = targetOf(entry);
    const all = (entry.words[7] & IORING_ASYNC_CANCEL_ALL) !== 0;
    if (!this.cancels || !this.inFlight.delete(target)) return all ? 0 : -ENOENT;
    this.post(target, -ECANCELED);
    return all ? 1 : 0;
  }

  /** Post a completion, of 32 bytes if it has `extra`, or keep it aside when the queue is full. */
  post(userData: bigint, res: number, flags = 0, extra?: readonly [bigint, bigint]): void {
    const big = extra !== undefined && (this.#setupFlags & IORING_SETUP_CQE_MIXED) !== 0;
    const last = this.#cqEntries - 1;
    const filler = big && (this.#ring[CQ_TAIL] & last) === last;
    // What is kept aside comes first.
    if (this.overflow.length > 0 || this.ready + (big ? 2 : 1) + (filler ? 1 : 0) > this.#cqEntries) {
      this.overflow.push({ userData, res, flags, extra });
      this.#ring[SQ_FLAGS] |= IORING_SQ_CQ_OVERFLOW;
      return;
    }
    if (filler) this.#write(0n, 0, IORING_CQE_F_SKIP);
    const word = this.#write(userData, res, big ? flags | IORING_CQE_F_32 : flags);
    if (extra === undefined) return;
    new BigUint64Array(this.#ring.buffer, 4 * (word + 4), 2).set(extra);
    if (big) this.#ring[CQ_TAIL] = (this.#ring[CQ_TAIL] + 1) | 0;
  }

  /** Where it was written to. */
  #write(userData: bigint, res: number, flags: number): number {
    const word = CQES + ((this.#ring[CQ_TAIL] & (this.#cqEntries - 1)) << this.#cqeShift);
    this.#ring[word] = Number(BigInt.asIntN(32, userData));
    this.#ring[word + 1] = Number(BigInt.asIntN(32, userData >> 32n));
    this.#ring[word + 2] = res;
    this.#ring[word + 3] = flags;
    this.#ring[CQ_TAIL] = (this.#ring[CQ_TAIL] + 1) | 0;
    return word;
  }

  /** The effect of entering with GETEVENTS on completions that were kept aside. */
  flushOverflow(): void {
    this.#ring[SQ_FLAGS] &= ~IORING_SQ_CQ_OVERFLOW;
    const late = this.overflow.splice(0);
    for (const { userData, res, flags, extra } of late) this.post(userData, res, flags, extra);
  }

  /** Places of the completion queue that were not reaped. */
  get ready(): number {
    return (this.#ring[CQ_TAIL] - this.#ring[CQ_HEAD]) | 0;
  }

  /** The four cursors: SQ head and tail, CQ head and tail. */
  get cursors(): number[] {
    return [...this.#ring.subarray(SQ_HEAD, CQ_TAIL + 1)].map((cursor) => cursor >>> 0);
  }

  /** The memory that the submission entries lie in. */
  get sqes(): Int32Array {
    return this.#sqes;
  }

  /** Where the kernel says that its completions end. */
  set tail(cursor: number) {
    this.#ring[CQ_TAIL] = cursor;
  }

  /** Where the kernel says that it takes the next entry. */
  set head(cursor: number) {
    this.#ring[SQ_HEAD] = cursor;
  }

  get sqFlags(): number {
    return this.#ring[SQ_FLAGS];
  }

  set sqFlags(flags: number) {
    this.#ring[SQ_FLAGS] = flags;
  }
}
