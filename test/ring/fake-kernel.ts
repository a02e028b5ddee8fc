import {
  IORING_ENTER_GETEVENTS,
  IORING_FEAT_EXT_ARG,
  IORING_FEAT_NODROP,
  IORING_FEAT_RW_CUR_POS,
  IORING_FEAT_SINGLE_MMAP,
  IORING_FEAT_SUBMIT_STABLE,
  IORING_OP_ASYNC_CANCEL,
  IORING_SQ_CQ_OVERFLOW,
  IO_CQRING_OFFSETS,
  IO_SQRING_OFFSETS,
  IO_URING_PARAMS,
} from '../../src/abi/index.ts';
import type { Native } from '../../src/native/native.ts';

/** One call of io_uring_enter(2) as the ring made it. */
export interface EnterCall {
  fd: number;
  toSubmit: number;
  minComplete: number;
  flags: number;
  timed: boolean;
}

/** A submission entry as the kernel would read it. */
export interface Entry {
  opcode: number;
  fd: number;
  userData: bigint;
  words: Int32Array;
}

/** The userData that an IORING_OP_ASYNC_CANCEL is aimed at. */
export function targetOf({ words }: Entry): bigint {
  return (BigInt(words[5] >>> 0) << 32n) | BigInt(words[4] >>> 0);
}

/** What io_uring_enter(2) is to answer next: a number, or code that acts on the rings first. */
export type Answer = number | ((call: EnterCall) => number);

/**
 * A kernel made of JavaScript memory: rings of the real layout, cursors that start where the test wants, and
 * answers by script. Without a script it consumes what it is given and completes each entry with `result`.
 */
export class FakeKernel implements Native {
  readonly calls: EnterCall[] = [];
  readonly registered: { opcode: number; count: number }[] = [];
  readonly entriesSeen: Entry[] = [];
  readonly log: string[] = [];
  /** Setup flags that this kernel answers EINVAL to. */
  unknownFlags = 0;
  setupAnswer = 0;
  features =
    IORING_FEAT_SINGLE_MMAP |
    IORING_FEAT_NODROP |
    IORING_FEAT_SUBMIT_STABLE |
    IORING_FEAT_RW_CUR_POS |
    IORING_FEAT_EXT_ARG;
  answers: Answer[] = [];
  /** What register(2) answers; default 0, and 1 for anything that counts. */
  registerAnswer: (opcode: number) => number = () => -22;
  /** What an entry completes with; undefined: it stays in flight. */
  result: (entry: Entry) => number | undefined = () => 0;
  readonly setupFlagsTried: number[] = [];
  /** Entries that were consumed and not completed. Those posted by the test stay in it. */
  readonly inFlight = new Set<bigint>();
  /** Does IORING_OP_ASYNC_CANCEL end an operation in flight? */
  cancels = true;
  /** Kept aside because the completion queue was full. */
  readonly overflow: [bigint, number, number][] = [];
  readonly #start: number;
  #ring = new Int32Array(0);
  #sqes = new Int32Array(0);
  #sqEntries = 0;
  #cqEntries = 0;
  #addresses = new Map<ArrayBufferLike, number>();
  #mapped = new Map<number, ArrayBuffer>();
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
    if (flags & this.unknownFlags) return -22;
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
    const array = 64 + 16 * this.#cqEntries;
    view.setUint32(IO_URING_PARAMS.sq_off + IO_SQRING_OFFSETS.array, array, true);
    this.#ring = new Int32Array(array / 4 + this.#sqEntries);
    this.#sqes = new Int32Array(this.#sqEntries * 16);
    this.#ring[0] = this.#ring[1] = this.#ring[2] = this.#ring[3] = this.#start;
    return 1000;
  }

  map(_fd: number, offset: number): number {
    const memory = offset === 0 ? this.#ring.buffer : this.#sqes.buffer;
    const address = this.addressOf(memory);
    this.#mapped.set(address, memory);
    return address;
  }

  allocate(): number {
    return -12;
  }

  view(address: number): ArrayBuffer {
    return this.#mapped.get(address)!;
  }

  unmap(address: number): number {
    this.log.push('unmap');
    this.#mapped.delete(address);
    return 0;
  }

  close(): number {
    this.log.push('close');
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
      this.#nextAddress += Math.ceil((memory.byteLength + 1) / 4096) * 4096;
      this.#addresses.set(memory, address);
    }
    return address;
  }

  readonly endsWithProcess = true;
  readonly pageSize = 4096;

  keepInPlace(): void {}

  closeAtThreadExit(): () => void {
    return () => {};
  }

  enter(fd: number, toSubmit: number, minComplete: number, flags: number): number {
    return this.#enter({ fd, toSubmit, minComplete, flags, timed: false });
  }

  enterWith(fd: number, toSubmit: number, minComplete: number, flags: number): number {
    return this.#enter({ fd, toSubmit, minComplete, flags, timed: true });
  }

  #enter(call: EnterCall): number {
    this.calls.push(call);
    if (this.calls.length > 10_000) throw new Error('the ring enters the fake kernel without end');
    const answer = this.answers.shift();
    if (typeof answer === 'number') return answer;
    if (answer !== undefined) return answer(call);
    if (call.flags & IORING_ENTER_GETEVENTS) this.flushOverflow();
    const consumed = this.consume(call.toSubmit);
    if (consumed === 0 && this.ready < call.minComplete) return call.timed ? -62 : -4;
    return consumed;
  }

  /** Take `count` entries from the submission queue, and complete them. How many were taken. */
  consume(count: number): number {
    for (let i = 0; i < count; i++) {
      const word = (this.#ring[0] & (this.#sqEntries - 1)) * 16;
      const words = this.#sqes.slice(word, word + 16);
      const high = BigInt(words[9] >>> 0);
      const userData = (high << 32n) | BigInt(words[8] >>> 0);
      const entry = { opcode: words[0] & 0xff, fd: words[1], userData, words };
      this.entriesSeen.push(entry);
      this.#ring[0] = (this.#ring[0] + 1) | 0;
      const res = entry.opcode === IORING_OP_ASYNC_CANCEL ? this.#cancel(entry) : this.result(entry);
      if (res === undefined) this.inFlight.add(userData);
      else this.post(userData, res);
    }
    return count;
  }

  #cancel(entry: Entry): number {
    const target = targetOf(entry);
    if (!this.cancels || !this.inFlight.delete(target)) return -2;
    this.post(target, -125);
    return 0;
  }

  /** Post a completion, or keep it aside when the queue is full. */
  post(userData: bigint, res: number, flags = 0): void {
    if (this.ready === this.#cqEntries) {
      this.overflow.push([userData, res, flags]);
      this.#ring[9] |= IORING_SQ_CQ_OVERFLOW;
      return;
    }
    const word = 16 + (this.#ring[3] & (this.#cqEntries - 1)) * 4;
    this.#ring[word] = Number(BigInt.asIntN(32, userData));
    this.#ring[word + 1] = Number(BigInt.asIntN(32, userData >> 32n));
    this.#ring[word + 2] = res;
    this.#ring[word + 3] = flags;
    this.#ring[3] = (this.#ring[3] + 1) | 0;
  }

  /** What entering with GETEVENTS does to completions that were kept aside. */
  flushOverflow(): void {
    this.#ring[9] &= ~IORING_SQ_CQ_OVERFLOW;
    for (const [userData, res, flags] of this.overflow.splice(0)) this.post(userData, res, flags);
  }

  /** Completions that were not reaped. */
  get ready(): number {
    return (this.#ring[3] - this.#ring[2]) | 0;
  }

  /** The four cursors: SQ head and tail, CQ head and tail. */
  get cursors(): number[] {
    return [...this.#ring.subarray(0, 4)].map((cursor) => cursor >>> 0);
  }

  get sqFlags(): number {
    return this.#ring[9];
  }

  set sqFlags(flags: number) {
    this.#ring[9] = flags;
  }
}
