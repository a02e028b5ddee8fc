// What really goes to the kernel and what comes back, seen from where the ring meets it.
import koffi from 'koffi';
import { ETIME } from '../../../src/abi/errno.ts';
import {
  IORING_CQE_F_32,
  IORING_CQE_F_MORE,
  IORING_CQE_F_NOTIF,
  IORING_CQE_F_SKIP,
  IORING_SETUP_CQE32,
  IORING_SETUP_NO_SQARRAY,
  IORING_SETUP_SQE128,
  IORING_SETUP_SQPOLL,
  IOSQE_CQE_SKIP_SUCCESS,
} from '../../../src/abi/flags.ts';
import {
  IO_CQRING_OFFSETS,
  IO_SQRING_OFFSETS,
  IO_URING_PARAMS,
  IO_URING_PARAMS_SIZE,
} from '../../../src/abi/layouts.ts';
import { IORING_OFF_SQES, IORING_OFF_SQ_RING } from '../../../src/abi/mmap.ts';
import {
  IORING_OP_LINK_TIMEOUT,
  IORING_OP_NOP128,
  IORING_OP_TIMEOUT,
  IORING_OP_URING_CMD128,
} from '../../../src/abi/operations.ts';
import { IORING_REGISTER_RESIZE_RINGS, IORING_REGISTER_USE_REGISTERED_RING } from '../../../src/abi/registrations.ts';
import { IoUring, type IoUringOptions } from '../../../src/index.ts';
import { koffiNative } from '../../../src/native/koffi.ts';
import type { Guarded, Handle, Native } from '../../../src/native/native.ts';

/** What is known of one operation, or of one registration. */
export interface Deeds {
  /** How often the kernel took it. */
  taken: number;
  /** How often it was answered, by answer; without those that may be another operation's. */
  answers: ReadonlyMap<number, number>;
  /** Was it answered with what counts as its success? */
  succeeded: boolean;
}

/** Errors that mean success, or the nearest thing to it that an operation has. */
const SUCCESSES = new Map([
  [IORING_OP_TIMEOUT, -ETIME],
  [IORING_OP_LINK_TIMEOUT, -ETIME],
]);

/** Operations of one userData that are in flight. */
interface InFlight {
  opcode: number;
  count: number;
  /** They are not all of one kind: nobody can tell whose completion it is. */
  mixed: boolean;
}

/** A ring that was set up, and how much of it was looked at. */
class Watched {
  params: DataView;
  words: Int32Array | undefined;
  sqes: Int32Array | undefined;
  /** Addresses of the memory that both were seen in. */
  readonly addresses = { words: 0, sqes: 0 };
  sqSeen = 0;
  cqSeen = 0;
  readonly inFlight = new Map<bigint, InFlight>();

  constructor(params: DataView) {
    this.params = params;
  }

  param(field: number): number {
    return this.params.getUint32(field, true);
  }

  has(flag: number): boolean {
    return (this.param(IO_URING_PARAMS.flags) & flag) !== 0;
  }

  /** The word of the shared memory that `params` says holds something. */
  at(field: number): number {
    return this.param(field) >>> 2;
  }
}

/**
 * The kernel, with a witness. It believes nobody's word: an operation counts when the kernel's own head has gone past
 * its entry, and as a success when a completion for it stands in the ring's memory.
 *
 * Rings whose entries a kernel thread takes (SQPOLL) are not watched: an entry could be overwritten before anybody
 * looks here. Where something cannot be told, nothing is recorded.
 */
export class Recorder implements Native {
  readonly #kernel: Native;
  readonly #byFd = new Map<number, Watched>();
  readonly #rings = new Set<Watched>();
  /** Mapped memory that nobody has asked a view of yet. */
  readonly #mapped = new Map<number, { ring: Watched; part: 'words' | 'sqes' }>();
  readonly #operations = new Map<number, { taken: number; answers: Map<number, number> }>();
  readonly #registrations = new Map<number, { taken: number; answers: Map<number, number> }>();

  constructor(kernel: Native) {
    this.#kernel = kernel;
  }

  /** What became of an operation, by opcode. */
  operation(opcode: number): Deeds {
    for (const ring of this.#rings) this.#look(ring);
    return deeds(this.#operations.get(opcode), SUCCESSES.get(opcode));
  }

  /** What became of an operation of io_uring_register(2). */
  registration(opcode: number): Deeds {
    return deeds(this.#registrations.get(opcode));
  }

  setup(entries: number, params: Uint8Array): number {
    const fd = this.#kernel.setup(entries, params);
    if (fd < 0) return fd;
    const ring = new Watched(new DataView(params.slice(0, IO_URING_PARAMS_SIZE).buffer));
    if (!ring.has(IORING_SETUP_SQPOLL)) this.#byFd.set(fd, ring);
    else this.#byFd.delete(fd);
    return fd;
  }

  map(fd: number, offset: number, length: number): number {
    const address = this.#kernel.map(fd, offset, length);
    const ring = this.#byFd.get(fd);
    const part = offset === IORING_OFF_SQ_RING ? 'words' : offset === IORING_OFF_SQES ? 'sqes' : undefined;
    if (address >= 0 && ring && part) this.#mapped.set(address, { ring, part });
    return address;
  }

  view(address: number, length: number): ArrayBuffer {
    const memory = this.#kernel.view(address, length);
    const found = this.#mapped.get(address);
    if (found) {
      const { ring, part } = found;
      ring[part] = new Int32Array(memory);
      ring.addresses[part] = address;
      this.#rings.add(ring);
      this.#mapped.delete(address);
    }
    return memory;
  }

  unmap(address: number, length: number): number {
    for (const ring of this.#rings) {
      if (ring.addresses.words !== address && ring.addresses.sqes !== address) continue;
      this.#look(ring);
      // Its memory is gone in a moment.
      ring.words = ring.sqes = undefined;
      this.#rings.delete(ring);
    }
    return this.#kernel.unmap(address, length);
  }

  enter(fd: number, toSubmit: number, minComplete: number, flags: number): number {
    return this.#afterwards(this.#kernel.enter(fd, toSubmit, minComplete, flags));
  }

  enterWith(
    fd: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
    argument: number,
    size: number,
  ): number {
    return this.#afterwards(this.#kernel.enterWith(fd, toSubmit, minComplete, flags, argument, size));
  }

  register(fd: number, opcode: number, argument: number, count: number): number {
    for (const ring of this.#rings) this.#look(ring);
    const result = this.#kernel.register(fd, opcode, argument, count);
    const plain = opcode & ~IORING_REGISTER_USE_REGISTERED_RING;
    const record = recordOf(this.#registrations, plain);
    record.taken++;
    add(record.answers, result);
    if (plain === IORING_REGISTER_RESIZE_RINGS && result >= 0) {
      const bytes = koffi.decode(argument, koffi.array('uint8', IO_URING_PARAMS_SIZE)) as Uint8Array;
      const ring = this.#byFd.get(fd);
      // What was asked for at set-up is not told again.
      const flags = ring?.param(IO_URING_PARAMS.flags) ?? 0;
      if (ring) ring.params = new DataView(new Uint8Array(bytes).buffer);
      ring?.params.setUint32(IO_URING_PARAMS.flags, flags, true);
    }
    return result;
  }

  allocate(length: number): number {
    return this.#kernel.allocate(length);
  }

  close(fd: number): number {
    this.#byFd.delete(fd);
    return this.#kernel.close(fd);
  }

  addressOf(memory: ArrayBufferLike): number {
    return this.#kernel.addressOf(memory);
  }

  keepInPlace(memory: ArrayBuffer): void {
    this.#kernel.keepInPlace(memory);
  }

  socketName(fd: number, peer: boolean, address: Uint8Array): number {
    return this.#kernel.socketName(fd, peer, address);
  }

  socket(domain: number, type: number, protocol: number): number {
    return this.#kernel.socket(domain, type, protocol);
  }

  bind(fd: number, address: Uint8Array): number {
    return this.#kernel.bind(fd, address);
  }

  listen(fd: number, backlog: number): number {
    return this.#kernel.listen(fd, backlog);
  }

  accept(fd: number): number {
    return this.#kernel.accept(fd);
  }

  connect(fd: number, address: Uint8Array): number {
    return this.#kernel.connect(fd, address);
  }

  polled(fd: number, events: number): number {
    return this.#kernel.polled(fd, events);
  }

  recv(fd: number, memory: Uint8Array, length: number, flags: number): number {
    return this.#kernel.recv(fd, memory, length, flags);
  }

  send(fd: number, memory: Uint8Array, length: number, flags: number): number {
    return this.#kernel.send(fd, memory, length, flags);
  }

  shutdown(fd: number, how: number): number {
    return this.#kernel.shutdown(fd, how);
  }

  setSocketOption(fd: number, level: number, name: number, value: Uint8Array): number {
    return this.#kernel.setSocketOption(fd, level, name, value);
  }

  getSocketOption(fd: number, level: number, name: number, value: Uint8Array): number {
    return this.#kernel.getSocketOption(fd, level, name, value);
  }

  duplicate(fd: number): number {
    return this.#kernel.duplicate(fd);
  }

  setTimes(fd: number, path: Uint8Array | null, times: BigInt64Array, flags: number): number {
    return this.#kernel.setTimes(fd, path, times, flags);
  }

  listAttributes(file: number | Uint8Array, names: Uint8Array): number {
    return this.#kernel.listAttributes(file, names);
  }

  seek(fd: number, offset: number, whence: number): number {
    return this.#kernel.seek(fd, offset, whence);
  }

  copyRange(fdIn: number, offsetIn: number, fdOut: number, offsetOut: number, length: number): number {
    return this.#kernel.copyRange(fdIn, offsetIn, fdOut, offsetOut, length);
  }

  eventLoop(): ReturnType<Native['eventLoop']> {
    return this.#kernel.eventLoop();
  }

  eventfd(): number {
    return this.#kernel.eventfd();
  }

  resetEventfd(fd: number): void {
    this.#kernel.resetEventfd(fd);
  }

  readPipe(fd: number, onData: () => void): Handle {
    return this.#kernel.readPipe(fd, onData);
  }

  pipe(fds: Int32Array): number {
    return this.#kernel.pipe(fds);
  }

  poll(fd: number, onReadable: () => void): Handle {
    return this.#kernel.poll(fd, onReadable);
  }

  duplicateGuarded(fd: number): Guarded {
    return this.#kernel.duplicateGuarded(fd);
  }

  closeAtThreadExit(fd: number): () => void {
    return this.#kernel.closeAtThreadExit(fd);
  }

  get pageSize(): number {
    return this.#kernel.pageSize;
  }

  get isMainThread(): boolean {
    return this.#kernel.isMainThread;
  }

  #afterwards(result: number): number {
    for (const ring of this.#rings) this.#look(ring);
    return result;
  }

  /** The entries that the kernel took since the last look, then the completions that came: in that order. */
  #look(ring: Watched): void {
    if (ring.words === undefined || ring.sqes === undefined) return;
    this.#lookAtEntries(ring, ring.words, ring.sqes);
    this.#lookAtCompletions(ring, ring.words);
  }

  /** No JavaScript has run since the kernel took them: they are as it saw them. */
  #lookAtEntries(ring: Watched, words: Int32Array, sqes: Int32Array): void {
    const sq = IO_URING_PARAMS.sq_off;
    const mask = ring.param(IO_URING_PARAMS.sq_entries) - 1;
    const array = ring.has(IORING_SETUP_NO_SQARRAY) ? undefined : ring.at(sq + IO_SQRING_OFFSETS.array);
    const big = ring.has(IORING_SETUP_SQE128);
    const head = Atomics.load(words, ring.at(sq + IO_SQRING_OFFSETS.head));
    for (; ring.sqSeen !== head; ring.sqSeen = (ring.sqSeen + 1) | 0) {
      const place = ring.sqSeen & mask;
      const word = (array === undefined ? place : words[array + place]) << (big ? 5 : 4);
      const opcode = sqes[word] & 0xff;
      recordOf(this.#operations, opcode).taken++;
      const silent = ((sqes[word] >> 8) & IOSQE_CQE_SKIP_SUCCESS) !== 0;
      if (!silent) ring.inFlight.set(...joined(ring.inFlight, userData(sqes, word + 8), opcode));
      // In a ring of both sizes, the next place is its second half.
      const two = !big && (opcode === IORING_OP_NOP128 || opcode === IORING_OP_URING_CMD128);
      if (two && ((ring.sqSeen + 1) | 0) !== head) ring.sqSeen = (ring.sqSeen + 1) | 0;
    }
  }

  #lookAtCompletions(ring: Watched, words: Int32Array): void {
    const cq = IO_URING_PARAMS.cq_off;
    const entries = ring.param(IO_URING_PARAMS.cq_entries);
    const first = ring.at(cq + IO_CQRING_OFFSETS.cqes);
    const big = ring.has(IORING_SETUP_CQE32);
    const tail = Atomics.load(words, ring.at(cq + IO_CQRING_OFFSETS.tail));
    // So many came and were reaped in the meantime that the oldest are overwritten.
    if (((tail - ring.cqSeen) | 0) > entries) ring.cqSeen = tail;
    for (; ring.cqSeen !== tail; ring.cqSeen = (ring.cqSeen + 1) | 0) {
      const word = first + ((ring.cqSeen & (entries - 1)) << (big ? 3 : 2));
      const flags = words[word + 3];
      if (!big && flags & IORING_CQE_F_32) ring.cqSeen = (ring.cqSeen + 1) | 0;
      if ((flags & IORING_CQE_F_SKIP) === 0) this.#completed(ring, userData(words, word), words[word + 2], flags);
    }
  }

  #completed(ring: Watched, key: bigint, res: number, flags: number): void {
    const found = ring.inFlight.get(key);
    if (found === undefined) return;
    const isAnswer = (flags & IORING_CQE_F_NOTIF) === 0 && !found.mixed;
    if (isAnswer) add(recordOf(this.#operations, found.opcode).answers, res);
    if ((flags & IORING_CQE_F_MORE) === 0 && --found.count === 0) ring.inFlight.delete(key);
  }
}

function joined(inFlight: Map<bigint, InFlight>, key: bigint, opcode: number): [bigint, InFlight] {
  const { opcode: former, count, mixed } = inFlight.get(key) ?? { opcode, count: 0, mixed: false };
  return [key, { opcode, count: count + 1, mixed: mixed || former !== opcode }];
}

function userData(words: Int32Array, at: number): bigint {
  return (BigInt(words[at + 1] >>> 0) << 32n) | BigInt(words[at] >>> 0);
}

function add(answers: Map<number, number>, answer: number): void {
  answers.set(answer, (answers.get(answer) ?? 0) + 1);
}

function recordOf<T>(
  records: Map<number, { taken: number; answers: Map<T, number> }>,
  opcode: number,
): { taken: number; answers: Map<T, number> } {
  let record = records.get(opcode);
  if (record === undefined) records.set(opcode, record = { taken: 0, answers: new Map() });
  return record;
}

function deeds(record: { taken: number; answers: Map<number, number> } | undefined, success?: number): Deeds {
  const { taken, answers } = record ?? { taken: 0, answers: new Map<number, number>() };
  return { taken, answers, succeeded: [...answers.keys()].some((answer) => answer >= 0 || answer === success) };
}

/** The witness of all tests in this process. */
export const recorder = new Recorder(koffiNative());

/** A ring of which the {@link recorder} sees everything. */
export function openRing(entries: number, options: IoUringOptions = {}): IoUring {
  return new IoUring(entries, options, recorder);
}
