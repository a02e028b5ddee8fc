import { EAGAIN, EBUSY, EINTR, EINVAL, ENOENT, ETIME } from '../abi/errno.ts';
import { CLOCK_MONOTONIC } from '../abi/event-flags.ts';
import {
  IORING_CQE_F_MORE,
  IORING_ENTER_EXT_ARG,
  IORING_ENTER_EXT_ARG_REG,
  IORING_ENTER_GETEVENTS,
  IORING_ENTER_REGISTERED_RING,
  IORING_ENTER_SQ_WAKEUP,
  IORING_FEAT_EXT_ARG,
  IORING_ASYNC_CANCEL_ALL,
  IORING_ASYNC_CANCEL_ANY,
  IORING_CQE_BUFFER_SHIFT,
  IORING_CQE_F_32,
  IORING_CQE_F_BUFFER,
  IORING_SETUP_CQE32,
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_NO_SQARRAY,
  IORING_SETUP_SQE128,
  IORING_SETUP_SQPOLL,
} from '../abi/flags.ts';
import {
  IO_CQRING_OFFSETS,
  IO_URING_BUF_REG,
  IO_URING_BUF_REG_SIZE,
  IO_SQRING_OFFSETS,
  IO_URING_CQE_SIZE,
  IO_URING_GETEVENTS_ARG,
  IO_URING_GETEVENTS_ARG_SIZE,
  IO_URING_PARAMS,
  IO_URING_REG_WAIT_SIZE,
  IO_URING_RSRC_UPDATE,
  IO_URING_SYNC_CANCEL_REG,
  IO_URING_SYNC_CANCEL_REG_SIZE,
  IO_URING_SQE_SIZE,
  KERNEL_TIMESPEC_SIZE,
} from '../abi/layouts.ts';
import { IORING_OFF_SQES, IORING_OFF_SQ_RING } from '../abi/mmap.ts';
import { IORING_OP_ASYNC_CANCEL } from '../abi/operations.ts';
import {
  IORING_REGISTER_RING_FDS,
  IORING_REGISTER_ENABLE_RINGS,
  IORING_REGISTER_IOWQ_MAX_WORKERS,
  IORING_REGISTER_SYNC_CANCEL,
  IORING_REGISTER_USE_REGISTERED_RING,
  IORING_UNREGISTER_PBUF_RING,
  IORING_UNREGISTER_RING_FDS,
  REGISTRATIONS,
} from '../abi/registrations.ts';
import type { Native } from '../native/native.ts';
import { monotonicNow } from '../native/timers.ts';
import { aligned } from './memory/aligned-memory.ts';
import type { BufferGroup } from './buffer-ring.ts';
import { ChainMember } from './prepare/chains.ts';
import { ClassicGroup } from './classic-buffers.ts';
import { CompletionQueue } from './queues/completion-queue.ts';
import { kernelError } from './kernel/kernel-error.ts';
import type { Lendable } from './memory/lent-memory.ts';
import { DESCRIPTOR, Lease, Pins, type BufferSource } from './pins.ts';
import { lastOperation } from './probe.ts';
import { ProvenKernel, version } from './kernel/proven-kernel.ts';
import type { Mapping, Setup } from './setup.ts';
import { SubmissionQueue } from './queues/submission-queue.ts';
import { SubmitArena } from './memory/submit-arena.ts';
import { writeTimespec, type Duration } from './structs/timespec.ts';

/**
 * For so many operations that lend something there is room from the start, which costs time and memory; more room is
 * made when it is needed.
 */
const PINS_AT_FIRST = 1024;

/** How long a close waits for operations that the kernel does not give up at once. */
const CLOSE_WAIT_MS = 5000;

/** From here on the kernel answers EINVAL at once to a registration that it does not know. */
const ANSWERS_UNKNOWN = version('5.18');

/** With this came the last registration that kernels waited for, and slots for descriptors. */
const HAS_SLOTS = version('5.15');

/** Has the kernel IORING_REGISTER_IOWQ_MAX_WORKERS? By the way to it. */
const limitsWorkers = new WeakMap<Native, boolean>();

/** {@link RingResources.register} answers this to a registration that the kernel does not know. */
const UNKNOWN = -EINVAL;

/** How long a thread sleeps at a stretch where the kernel cannot end its waits, in milliseconds. */
const NAP_MS = 1;
const napping = new Int32Array(new SharedArrayBuffer(4));

/** Refusals that another try may not meet. */
const PASSING = new Set([EAGAIN, EBUSY, EINTR, ETIME]);

/** The cancellations that a close has asked for. */
interface Recall {
  /** Operations whose cancellation is to be queued. */
  slots: number[];
  /** Cancellations that were not answered. */
  asked: number;
  /** How often in a row the kernel knew no such operation. */
  absent: Map<number, number>;
  /** Only such are left that will never tell: their memory is kept for ever. */
  isHopeless: boolean;
}

/**
 * The memory that operations which outlived that wait still use. Never let go: a leak is harmless, a stray write is
 * not.
 */
const abandoned = new Set<unknown>();

/** The open rings of a worker; undefined until it has one. */
let unclosed: Set<RingResources> | undefined;

/**
 * A worker that ends by itself, or by process.exit(), closes its rings first. One that is terminated runs no JavaScript
 * any more; closing the descriptor is all that can be done then.
 */
function closeAtExit(resources: RingResources): void {
  if (unclosed === undefined) {
    const rings = (unclosed = new Set());
    process.once('exit', () => rings.forEach((ring) => ring.close()));
  }
  unclosed.add(resources);
}

/**
 * Everything that must be given back when a ring ends: the descriptor, the mapped memory, the registered
 * index, and what the kernel was lent. It knows nothing of the `IoUring` that uses it, so that it is still
 * there to be given back when an `IoUring` is collected that nobody closed.
 */
export class RingResources {
  readonly native: Native;
  /** The descriptor; -1 when only the thread's index of it is left. */
  fd: number;
  readonly setupFlags: number;
  readonly features: number;
  /** How new the kernel's io_uring is, as far as it has proved that. */
  readonly kernel: ProvenKernel;
  readonly sq: SubmissionQueue;
  readonly cq: CompletionQueue;
  readonly pins: Pins;
  /** The buffer groups that serve, by id. */
  readonly groups = new Map<number, BufferGroup | ClassicGroup>();
  /** The ids of those that were disposed of. */
  readonly formerIds = new Set<number>();
  /** Those disposed of that receives are armed on yet. */
  readonly #former = new Set<BufferGroup>();
  /** Memory for what the kernel reads while it takes an entry. */
  readonly arena: SubmitArena;
  /** The argument that io_uring_enter(2) takes when it has a timeout; {@link enterFor} fills it. */
  readonly waitArgument: { view: DataView; address: number };
  /** Scratch for the arguments of io_uring_register(2). */
  readonly registerArgument: { view: DataView; address: number };
  /** The memory in the table of registered buffers: it stays alive as long as it is there. */
  registeredBuffers: (Lendable | undefined)[] = [];
  /** The arguments of registered waits, where there are any. */
  waits: { view: DataView; count: number } | undefined;
  /** The index of the descriptor in this thread's table, where it could be registered. */
  registeredIndex: number | undefined;
  /**
   * Completions that were reaped and are not the last of an entry, or are of none: before 5.18 those of polls that go
   * on, and of tags, which count when they are set. Else it is not kept.
   */
  unasked = 0;
  /** Was there a poll that goes on, before 5.18? Completions that are not the last are counted then. */
  countsMore = false;
  /** The clock of waits. */
  clock = CLOCK_MONOTONIC;
  closed = false;
  #enterFd: number;
  #enterFlags = 0;
  /** A kernel thread submits. */
  readonly #polled: boolean;
  readonly #canTimeOut: boolean;
  /** IORING_REGISTER_SYNC_CANCEL was not refused so far. */
  #hasSyncCancel = true;
  readonly #mappings: Mapping[] = [];
  readonly #kept: Uint8Array[] = [];
  readonly #classic = new Map<number, ClassicGroup>();
  readonly #forgetThreadExit: () => void;

  constructor(native: Native, setup: Setup) {
    const { params } = setup;
    this.native = native;
    this.fd = setup.fd;
    this.setupFlags = setup.setupFlags;
    this.features = setup.features;
    this.#enterFd = setup.fd;
    this.#polled = (setup.setupFlags & IORING_SETUP_SQPOLL) !== 0;
    this.#canTimeOut = (setup.features & IORING_FEAT_EXT_ARG) !== 0;
    this.kernel = new ProvenKernel(setup.features, setup.setupFlags, () => lastOperation(this));
    const has = (flag: number): boolean => (setup.setupFlags & flag) !== 0;
    try {
      const { ring, sqes } = this.#mapRings(params, setup.memory);
      const big = has(IORING_SETUP_SQE128);
      this.sq = new SubmissionQueue(ring, sqes, params, { hasArray: !has(IORING_SETUP_NO_SQARRAY), big });
      const postedInCalls = has(IORING_SETUP_DEFER_TASKRUN);
      const sizes = { big: has(IORING_SETUP_CQE32), mixed: has(IORING_SETUP_CQE_MIXED) };
      this.cq = new CompletionQueue(ring, params, { postedInCalls, ...sizes });
      this.pins = new Pins(Math.min(PINS_AT_FIRST, this.cq.entries));
      this.arena = new SubmitArena(native, this.sq);
      this.waitArgument = this.#scratch(IO_URING_GETEVENTS_ARG_SIZE + KERNEL_TIMESPEC_SIZE);
      this.registerArgument = this.#scratch(256);
    } catch (error) {
      this.#unmap();
      native.close(this.fd);
      throw error;
    }
    this.#forgetThreadExit = native.closeAtThreadExit(this.fd);
    if (!this.kernel.isFrom(HAS_SLOTS)) this.#tryWorkers();
    if (!native.isMainThread) closeAtExit(this);
  }

  /**
   * The kernel made new queues of other sizes (IORING_REGISTER_RESIZE_RINGS) and moved all entries there: use those.
   * @throws {Error} they cannot be mapped; the ring is of no use any more then, and closed
   */
  replaceRings(params: DataView): void {
    // The queues come first, then whatever else is mapped.
    const old = this.#mappings.splice(0, 2);
    const rest = this.#mappings.splice(0);
    const unmap = (): void => old.splice(0).forEach(({ address, length }) => this.native.unmap(address, length));
    let rings: { ring: ArrayBuffer; sqes: ArrayBuffer };
    try {
      rings = this.#mapRings(params, undefined);
    } catch {
      // Address space is short: make room first.
      this.#unmap();
      unmap();
      try {
        rings = this.#mapRings(params, undefined);
      } catch (error) {
        this.sq.detach();
        this.cq.detach();
        this.#mappings.push(...rest);
        this.close();
        throw error;
      }
    }
    this.sq.attach(rings.ring, rings.sqes, params);
    this.cq.attach(rings.ring, params);
    this.#mappings.push(...rest);
    unmap();
  }

  /** Does a kernel thread submit? */
  get isPolled(): boolean {
    return this.#polled;
  }

  /** Register the descriptor with this thread, to be entered by index. False where that cannot be. */
  registerRingFd(): boolean {
    const { view, address } = this.registerArgument;
    view.setUint32(IO_URING_RSRC_UPDATE.offset, 0xffffffff, true);
    view.setUint32(IO_URING_RSRC_UPDATE.resv, 0, true);
    view.setBigUint64(IO_URING_RSRC_UPDATE.data, BigInt(this.fd), true);
    if (this.register(IORING_REGISTER_RING_FDS, address, 1) !== 1) return false;
    this.#enterFd = this.registeredIndex = view.getUint32(IO_URING_RSRC_UPDATE.offset, true);
    this.#enterFlags = IORING_ENTER_REGISTERED_RING;
    return true;
  }

  /** Take the descriptor from the thread's table, and enter by itself again. */
  unregisterRingFd(): void {
    if (this.registeredIndex === undefined) return;
    this.#unregisterRingFd(this.registeredIndex);
    this.registeredIndex = undefined;
    this.#enterFd = this.fd;
    this.#enterFlags = 0;
  }

  /** Close the descriptor and keep only the thread's index of it. Kernel 6.3. */
  closeRingFd(): void {
    this.native.close(this.fd);
    this.fd = -1;
  }

  /**
   * io_uring_register(2) on this ring. The kernel's answer, or `-errno`. Kernels before 5.18 wait until nothing is in
   * flight before they look at what they are asked for: what they do not know is not asked of them, and is EINVAL.
   */
  register(opcode: number, argument: number, count: number): number {
    if (!this.knows(opcode)) return UNKNOWN;
    if (this.fd >= 0 || this.registeredIndex === undefined) {
      return this.native.register(this.fd, opcode, argument, count);
    }
    const viaIndex = (opcode | IORING_REGISTER_USE_REGISTERED_RING) >>> 0;
    return this.native.register(this.registeredIndex, viaIndex, argument, count);
  }

  /** May the kernel be asked for this registration: does it have it, or say at once that it does not? */
  knows(opcode: number): boolean {
    // The last of these is not made while anything is in flight.
    if (opcode <= IORING_REGISTER_ENABLE_RINGS) return true;
    const { kernel } = this;
    if (kernel.isFrom(ANSWERS_UNKNOWN)) return true;
    return opcode < REGISTRATIONS.length && kernel.isFrom(version(REGISTRATIONS[opcode].since));
  }

  /**
   * How many operations are in flight, for kernels before 5.18: each entry that such a one took has one last
   * completion. More where that is not sure.
   */
  get unfinished(): number {
    const { cq, sq } = this;
    const { end, first, mask, shift, tail, words } = cq;
    let { unasked } = this;
    for (let { head } = cq; head !== end; head = (head + 1) | 0) {
      if (words[first + ((head & mask) << shift) + 3] & IORING_CQE_F_MORE) unasked++;
    }
    sq.refresh();
    return (sq.head - tail + unasked) | 0;
  }

  /** A poll that goes on is being prepared. */
  notePoll(): void {
    if (!this.kernel.isFrom(ANSWERS_UNKNOWN)) this.countsMore = true;
  }

  /**
   * Debian's 5.10 has the io_uring of 5.15 without its operations. Now, while nothing is in flight, a registration can
   * be tried: two limits of 0 change nothing.
   */
  #tryWorkers(): void {
    const { native, kernel, registerArgument } = this;
    let hasIt = limitsWorkers.get(native);
    if (hasIt === undefined) {
      hasIt = native.register(this.fd, IORING_REGISTER_IOWQ_MAX_WORKERS, registerArgument.address, 2) >= 0;
      new Uint8Array(registerArgument.view.buffer, registerArgument.view.byteOffset, 8).fill(0);
      limitsWorkers.set(native, hasIt);
    }
    if (hasIt) kernel.prove(HAS_SLOTS);
  }

  /** Memory that the kernel uses as long as the ring is open. */
  keep(...memory: Uint8Array[]): void {
    this.#kept.push(...memory);
  }

  /** The kernel reads the arguments of waits in this memory from now on. It goes with the rings. */
  keepWaits(address: number, length: number, count: number): void {
    this.#mappings.push({ address, length });
    this.waits = { view: new DataView(this.native.view(address, length)), count };
  }

  /**
   * io_uring_enter(2) that waits as the registered wait at byte `offset` says. SQEs consumed, or `-errno`. Kernel 6.13.
   */
  enterRegistered(toSubmit: number, minComplete: number, flags: number, offset: number): number {
    const all = flags | this.#enterFlags | IORING_ENTER_EXT_ARG | IORING_ENTER_EXT_ARG_REG;
    return this.native.enterWith(this.#enterFd, toSubmit, minComplete, all, offset, IO_URING_REG_WAIT_SIZE);
  }

  /** io_uring_enter(2). SQEs consumed, or `-errno`. */
  enter(toSubmit: number, minComplete: number, flags: number): number {
    return this.native.enter(this.#enterFd, toSubmit, minComplete, flags | this.#enterFlags);
  }

  /**
   * io_uring_enter(2) that waits no longer than `time`; with IORING_ENTER_ABS_TIMER until then. After `minWaitUs`
   * (6.12) fewer completions than `minComplete` will do. SQEs consumed, or `-errno`: ETIME. Before kernel 5.11 it looks
   * every millisecond.
   */
  enterFor(toSubmit: number, minComplete: number, flags: number, time: Duration, minWaitUs = 0): number {
    if (!this.#canTimeOut && typeof time === 'number') return this.#enterNapping(toSubmit, minComplete, flags, time);
    const { view, address } = this.waitArgument;
    const limited = time !== Infinity;
    if (limited) writeTimespec(view, IO_URING_GETEVENTS_ARG_SIZE, time);
    const place = limited ? address + IO_URING_GETEVENTS_ARG_SIZE : 0;
    view.setUint32(IO_URING_GETEVENTS_ARG.ts, place >>> 0, true);
    view.setUint32(IO_URING_GETEVENTS_ARG.ts + 4, Math.floor(place / 2 ** 32), true);
    view.setUint32(IO_URING_GETEVENTS_ARG.min_wait_usec, minWaitUs, true);
    const all = flags | this.#enterFlags | IORING_ENTER_EXT_ARG;
    const size = IO_URING_GETEVENTS_ARG_SIZE;
    return this.native.enterWith(this.#enterFd, toSubmit, minComplete, all, address, size);
  }

  /** A wait under a kernel that does not limit waits: look, sleep a little, look again. */
  #enterNapping(toSubmit: number, minComplete: number, flags: number, timeoutMs: number): number {
    const deadline = monotonicNow() + timeoutMs;
    const consumed = this.enter(toSubmit, 0, flags);
    if (consumed < 0) return consumed;
    while (this.cq.places < minComplete) {
      const left = deadline - monotonicNow();
      if (left <= 0) return consumed > 0 ? consumed : -ETIME;
      Atomics.wait(napping, 0, 0, Math.min(left, NAP_MS));
      const result = this.enter(0, 0, IORING_ENTER_GETEVENTS);
      if (result < 0 && result !== -EINTR) return consumed > 0 ? consumed : result;
    }
    return consumed;
  }

  /** Is there such a group? */
  hasClassicGroup(id: number): boolean {
    return this.#classic.has(id);
  }

  /** The group of buffers that PROVIDE_BUFFERS gave under this id. */
  classicGroup(id: number): ClassicGroup {
    let group = this.#classic.get(id);
    if (group === undefined) this.#classic.set(id, group = new ClassicGroup(id));
    if (!this.groups.has(id)) this.groups.set(id, group);
    return group;
  }

  /** Take a buffer group from the kernel. */
  unregisterGroup(group: BufferGroup): void {
    if (group.ended !== undefined) return;
    const { view, address } = this.registerArgument;
    // The kernel wants to hear of nothing but the id.
    new Uint8Array(view.buffer, view.byteOffset, IO_URING_BUF_REG_SIZE).fill(0);
    view.setUint16(IO_URING_BUF_REG.bgid, group.id, true);
    this.register(IORING_UNREGISTER_PBUF_RING, address, 1);
    group.end('it was disposed of');
    this.formerIds.add(group.id);
    this.#former.add(group);
    const classic = this.#classic.get(group.id);
    if (classic === undefined) this.groups.delete(group.id);
    else this.groups.set(group.id, classic);
    this.forgetGroups();
  }

  /** Is a group that was disposed of still held for receives that are armed on it? */
  get lingering(): boolean {
    return this.#former.size > 0;
  }

  /** Let go of the groups that were disposed of, once no receive is armed on them any more. */
  forgetGroups(): void {
    for (const group of this.#former) if (!this.pins.holdsFor(group)) this.#former.delete(group);
  }

  /**
   * Is a receive in flight that was armed on this group id, whatever has that id now? The kernel looks the id up when
   * data comes, and takes a buffer of what it finds.
   */
  isAwaited(id: number): boolean {
    const armedOn = (group: BufferGroup | ClassicGroup | undefined): boolean =>
      group !== undefined && this.pins.holdsFor(group);
    for (const group of this.#former) if (group.id === id && armedOn(group)) return true;
    return armedOn(this.#classic.get(id)) || armedOn(this.groups.get(id));
  }

  /**
   * End the ring. Entries that were never submitted are dropped; operations that use lent memory are cancelled
   * and waited for; only then is anything let go.
   */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    const { native, sq, cq, pins } = this;
    sq.withdraw(this.#polled, (low, high) => {
      const slot = pins.slotOf(low, high);
      if (slot >= 0) pins.release(slot);
    });
    if (pins.held().length > 0) this.#recall();
    // In spite of all the kernel may be writing there yet: that memory is kept for ever.
    if (pins.held().length > 0) abandoned.add(pins);
    for (const group of this.groups.values()) group.end('its ring is closed');
    this.groups.clear();
    this.#former.clear();
    sq.detach();
    cq.detach();
    this.waits = undefined;
    if (this.registeredIndex !== undefined) this.#unregisterRingFd(this.registeredIndex);
    this.#unmap();
    this.#forgetThreadExit();
    unclosed?.delete(this);
    if (this.fd >= 0) native.close(this.fd);
  }

  /** Cancel what is in flight, and reap until each operation that lends something has posted its last completion. */
  #recall(): void {
    const { sq, pins } = this;
    const deadline = monotonicNow() + CLOSE_WAIT_MS;
    const wake = this.#polled ? IORING_ENTER_SQ_WAKEUP : 0;
    // Everything at once; kernels before 5.19 do not know that. The completion's userData is never a key.
    const all = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
    if (!sq.isFull()) sq.push(IORING_OP_ASYNC_CANCEL, 0, 0, -1, 0, 0, 0, 0, 0, all, 0, 0, 0);
    const recall: Recall = { slots: pins.held(), asked: 0, absent: new Map(), isHopeless: false };
    let owed = recall.slots.length;
    for (; owed > 0 && !recall.isHopeless && monotonicNow() < deadline; owed = pins.held().length) {
      while (recall.slots.length > 0 && !sq.isFull()) {
        const slot = recall.slots.pop()!;
        if (pins.lent(slot) === undefined) continue;
        const low = pins.keyLow(slot);
        const high = pins.keyHigh(slot);
        sq.push(IORING_OP_ASYNC_CANCEL, 0, 0, -1, 0, 0, low, high, 0, 0, low, pins.answerHigh(slot), 0);
        recall.asked++;
      }
      this.#cancelAll();
      const how = IORING_ENTER_GETEVENTS | wake;
      // Short waits: what was interrupted, or could not be submitted yet, is simply tried again.
      const toSubmit = this.#polled ? sq.show() : sq.publish();
      const result = this.enterFor(toSubmit, 1, how, 50);
      if (result < 0 && !PASSING.has(-result)) return;
      sq.refresh();
      this.#reapRecalled(recall);
      if (recall.slots.length === 0 && recall.asked === 0) this.#askAgain(recall);
    }
  }

  /**
   * Cancel what is in flight by a call: entries would wait behind a barrier (IOSQE_IO_DRAIN) as everything does. What
   * starts when that is over is cancelled in the next round. Kernel 6.0.
   */
  #cancelAll(): void {
    if (!this.#hasSyncCancel) return;
    const { view, address } = this.registerArgument;
    new Uint8Array(view.buffer, view.byteOffset, IO_URING_SYNC_CANCEL_REG_SIZE).fill(0);
    view.setInt32(IO_URING_SYNC_CANCEL_REG.fd, -1, true);
    const all = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
    view.setUint32(IO_URING_SYNC_CANCEL_REG.flags, all, true);
    if (this.register(IORING_REGISTER_SYNC_CANCEL, address, 1) === -EINVAL) this.#hasSyncCancel = false;
  }

  #reapRecalled(recall: Recall): void {
    const { cq, pins } = this;
    for (const { end } = cq; ((end - cq.head) | 0) > 0; cq.head = (cq.head + 1) | 0) {
      const word = cq.first + ((cq.head & cq.mask) << cq.shift);
      const [low, high, res, flags] = cq.words.subarray(word, word + 4);
      const slot = pins.slotOf(low, high);
      const answered = pins.answered(low, high);
      if (slot >= 0) {
        this.#settle(slot, res, flags);
        recall.absent.clear();
      } else if (answered >= 0) {
        recall.asked--;
        if (res === -ENOENT) recall.absent.set(answered, (recall.absent.get(answered) ?? 0) + 1);
        else recall.absent.delete(answered);
      }
      if (cq.mixed && flags & IORING_CQE_F_32) cq.head = (cq.head + 1) | 0;
    }
    cq.publish();
  }

  /**
   * Operations in chains that keep silent may be over without a word, or under way on a disk, where nothing finds them:
   * when the kernel twice in a row knows none of those that are left, waiting would tell no more. And where there is no
   * IORING_REGISTER_SYNC_CANCEL, what has begun since the last round is cancelled in this one.
   */
  #askAgain(recall: Recall): void {
    const { pins } = this;
    const left = pins.held();
    const isMute = (slot: number): boolean =>
      pins.lent(slot) instanceof ChainMember && (recall.absent.get(slot) ?? 0) > 1;
    if (left.every(isMute)) recall.isHopeless = true;
    else if (!this.#hasSyncCancel || left.some((slot) => pins.lent(slot) instanceof ChainMember)) recall.slots = left;
  }

  /** A completion that nobody will see any more. */
  #settle(slot: number, res: number, flags: number): void {
    const { pins } = this;
    const lent = pins.lent(slot);
    if (flags & IORING_CQE_F_BUFFER) {
      (lent as BufferSource).take(flags >>> IORING_CQE_BUFFER_SHIFT, res, flags, { offset: 0, length: res });
    }
    const seen = lent instanceof Lease ? lent.complete(res, flags) : res;
    const close = (fd: number): void => void this.native.close(fd);
    if (lent instanceof Lease) lent.abandon(res, close);
    else if (lent === DESCRIPTOR && res >= 0) close(res);
    if (seen !== undefined && (flags & IORING_CQE_F_MORE) === 0 && pins.lent(slot) !== undefined) {
      pins.release(slot);
    }
  }

  #unregisterRingFd(index: number): void {
    const { view, address } = this.registerArgument;
    view.setUint32(IO_URING_RSRC_UPDATE.offset, index, true);
    view.setUint32(IO_URING_RSRC_UPDATE.resv, 0, true);
    view.setBigUint64(IO_URING_RSRC_UPDATE.data, 0n, true);
    this.register(IORING_UNREGISTER_RING_FDS, address, 1);
  }

  /** Both queues, as `params` describe them. */
  #mapRings(params: DataView, memory: Setup['memory']): { ring: ArrayBuffer; sqes: ArrayBuffer } {
    const at = (field: number): number => params.getUint32(field, true);
    const times = (flag: number): number => (this.setupFlags & flag ? 2 : 1);
    const sqEntries = at(IO_URING_PARAMS.sq_entries);
    const cqEntries = at(IO_URING_PARAMS.cq_entries);
    const sqArrayEnd = at(IO_URING_PARAMS.sq_off + IO_SQRING_OFFSETS.array) + 4 * sqEntries;
    const cqeBytes = cqEntries * IO_URING_CQE_SIZE * times(IORING_SETUP_CQE32);
    const cqesEnd = at(IO_URING_PARAMS.cq_off + IO_CQRING_OFFSETS.cqes) + cqeBytes;
    const sqeBytes = sqEntries * IO_URING_SQE_SIZE * times(IORING_SETUP_SQE128);
    const ring = this.#map(IORING_OFF_SQ_RING, Math.max(sqArrayEnd, cqesEnd), memory?.rings);
    return { ring, sqes: this.#map(IORING_OFF_SQES, sqeBytes, memory?.sqes) };
  }

  /** A view of a part of the ring: mapped from its file, or `placed` by us. */
  #map(offset: number, length: number, placed: Mapping | undefined): ArrayBuffer {
    if (placed) {
      this.#mappings.push(placed);
      return this.native.view(placed.address, length);
    }
    const address = this.native.map(this.fd, offset, length);
    if (address < 0) throw kernelError(-address, 'mmap', 'no address space for the rings: ask for fewer entries');
    this.#mappings.push({ address, length });
    return this.native.view(address, length);
  }

  #unmap(): void {
    for (const { address, length } of this.#mappings.splice(0)) this.native.unmap(address, length);
  }

  #scratch(bytes: number): { view: DataView; address: number } {
    const memory = aligned(this.native, bytes, 8);
    const { buffer, byteOffset, byteLength } = memory.bytes;
    return { view: new DataView(buffer, byteOffset, byteLength), address: memory.address };
  }
}
