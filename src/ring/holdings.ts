import { EAGAIN, EBUSY, EINTR, ETIME } from '../abi/errno.ts';
import {
  IORING_CQE_F_MORE,
  IORING_ENTER_EXT_ARG,
  IORING_ENTER_GETEVENTS,
  IORING_ENTER_REGISTERED_RING,
  IORING_ENTER_SQ_WAKEUP,
  IORING_FEAT_EXT_ARG,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_NO_SQARRAY,
  IORING_SETUP_SQPOLL,
} from '../abi/flags.ts';
import {
  IO_CQRING_OFFSETS,
  IO_SQRING_OFFSETS,
  IO_URING_CQE_SIZE,
  IO_URING_GETEVENTS_ARG,
  IO_URING_GETEVENTS_ARG_SIZE,
  IO_URING_PARAMS,
  IO_URING_RSRC_UPDATE,
  IO_URING_SQE_SIZE,
  KERNEL_TIMESPEC_SIZE,
} from '../abi/layouts.ts';
import { IORING_OFF_SQES, IORING_OFF_SQ_RING } from '../abi/mmap.ts';
import { IORING_OP_ASYNC_CANCEL } from '../abi/operations.ts';
import {
  IORING_REGISTER_RING_FDS,
  IORING_UNREGISTER_PBUF_RING,
  IORING_UNREGISTER_RING_FDS,
} from '../abi/registrations.ts';
import type { Native } from '../native/native.ts';
import { aligned } from './aligned-memory.ts';
import type { BufferGroup } from './buffer-ring.ts';
import { CompletionQueue } from './completion-queue.ts';
import { kernelError } from './kernel-error.ts';
import { ACCEPTED, Pins } from './pins.ts';
import type { Mapping, Setup } from './setup.ts';
import { SubmissionQueue } from './submission-queue.ts';
import { writeTimespec } from './timespec.ts';

/** How long a close waits for operations that the kernel does not give up at once. */
const CLOSE_WAIT_MS = 5000;

/** Refusals that another try may not meet. */
const PASSING = new Set([EAGAIN, EBUSY, EINTR, ETIME]);

/** What operations that outlived that wait still use. Never let go: a leak is harmless, a stray write is not. */
const abandoned = new Set<unknown>();

/** The open rings of a worker; undefined until it has one. */
let unclosed: Set<Holdings> | undefined;

/**
 * A worker that ends by itself, or by process.exit(), closes its rings first. One that is terminated runs no JavaScript
 * any more; closing the descriptor is all that can be done then.
 */
function closeAtExit(holdings: Holdings): void {
  if (unclosed === undefined) {
    const rings = (unclosed = new Set());
    process.once('exit', () => rings.forEach((ring) => ring.close()));
  }
  unclosed.add(holdings);
}

/**
 * Everything that must be given back when a ring ends: the descriptor, the mapped memory, the registered
 * index, and what the kernel was lent. It knows nothing of the `IoUring` that uses it, so that it is still
 * there to be given back when an `IoUring` is collected that nobody closed.
 */
export class Holdings {
  readonly native: Native;
  readonly fd: number;
  readonly sq: SubmissionQueue;
  readonly cq: CompletionQueue;
  readonly pins: Pins;
  /** The buffer groups by id: those that are registered, and those disposed of that receives are armed on. */
  readonly groups = new Map<number, BufferGroup>();
  /** A timespec for every position of the submission queue. */
  readonly timespecs: { view: DataView; address: number };
  /** What io_uring_enter(2) takes when it has a timeout; {@link enterFor} fills it. */
  readonly waitArgument: { view: DataView; address: number };
  /** Scratch for the arguments of io_uring_register(2). */
  readonly registerArgument: { view: DataView; address: number };
  /** The index of the descriptor in this thread's table, where it could be registered. */
  registeredIndex: number | undefined;
  closed = false;
  /** A group that was disposed of is still in `groups`. */
  lingering = false;
  #enterFd: number;
  #enterFlags = 0;
  /** A kernel thread submits. */
  readonly #polled: boolean;
  readonly #canTimeOut: boolean;
  readonly #mappings: Mapping[];
  readonly #forgetThreadExit: () => void;

  constructor(native: Native, setup: Setup) {
    const { params } = setup;
    this.native = native;
    this.fd = setup.fd;
    this.#enterFd = setup.fd;
    this.#polled = (setup.setupFlags & IORING_SETUP_SQPOLL) !== 0;
    this.#canTimeOut = (setup.features & IORING_FEAT_EXT_ARG) !== 0;
    const at = (field: number): number => params.getUint32(field, true);
    const sqEntries = at(IO_URING_PARAMS.sq_entries);
    const cqEntries = at(IO_URING_PARAMS.cq_entries);
    const sqArrayEnd = at(IO_URING_PARAMS.sq_off + IO_SQRING_OFFSETS.array) + 4 * sqEntries;
    const cqesEnd = at(IO_URING_PARAMS.cq_off + IO_CQRING_OFFSETS.cqes) + IO_URING_CQE_SIZE * cqEntries;
    this.#mappings = [];
    try {
      const { memory } = setup;
      const ring = this.#map(IORING_OFF_SQ_RING, Math.max(sqArrayEnd, cqesEnd), memory?.rings);
      const sqes = this.#map(IORING_OFF_SQES, sqEntries * IO_URING_SQE_SIZE, memory?.sqes);
      this.sq = new SubmissionQueue(ring, sqes, params, !(setup.setupFlags & IORING_SETUP_NO_SQARRAY));
      const deferred = (setup.setupFlags & IORING_SETUP_DEFER_TASKRUN) !== 0;
      this.cq = new CompletionQueue(ring, params, deferred);
      this.pins = new Pins(Math.max(64, cqEntries));
      this.timespecs = this.#scratch(sqEntries * KERNEL_TIMESPEC_SIZE);
      this.waitArgument = this.#scratch(IO_URING_GETEVENTS_ARG_SIZE + KERNEL_TIMESPEC_SIZE);
      this.registerArgument = this.#scratch(256);
    } catch (error) {
      this.#unmap();
      native.close(this.fd);
      throw error;
    }
    this.waitArgument.view.setBigUint64(
      IO_URING_GETEVENTS_ARG.ts,
      BigInt(this.waitArgument.address + IO_URING_GETEVENTS_ARG_SIZE),
      true,
    );
    this.#forgetThreadExit = native.closeAtThreadExit(this.fd);
    if (!native.endsWithProcess) closeAtExit(this);
  }

  /** Register the descriptor with this thread, to be entered by index. False where that cannot be. */
  registerRingFd(): boolean {
    const { view, address } = this.registerArgument;
    view.setUint32(IO_URING_RSRC_UPDATE.offset, 0xffffffff, true);
    view.setUint32(IO_URING_RSRC_UPDATE.resv, 0, true);
    view.setBigUint64(IO_URING_RSRC_UPDATE.data, BigInt(this.fd), true);
    if (this.native.register(this.fd, IORING_REGISTER_RING_FDS, address, 1) !== 1) return false;
    this.#enterFd = this.registeredIndex = view.getUint32(IO_URING_RSRC_UPDATE.offset, true);
    this.#enterFlags = IORING_ENTER_REGISTERED_RING;
    return true;
  }

  /** io_uring_enter(2). SQEs consumed, or `-errno`. */
  enter(toSubmit: number, minComplete: number, flags: number): number {
    return this.native.enter(this.#enterFd, toSubmit, minComplete, flags | this.#enterFlags);
  }

  /** io_uring_enter(2) that waits no longer than `timeoutMs`. SQEs consumed, or `-errno`: ETIME. Kernel 5.11. */
  enterFor(toSubmit: number, minComplete: number, flags: number, timeoutMs: number): number {
    const { view, address } = this.waitArgument;
    writeTimespec(view, IO_URING_GETEVENTS_ARG_SIZE, timeoutMs);
    const all = flags | this.#enterFlags | IORING_ENTER_EXT_ARG;
    const size = IO_URING_GETEVENTS_ARG_SIZE;
    return this.native.enterWith(this.#enterFd, toSubmit, minComplete, all, address, size);
  }

  /** Take a buffer group from the kernel. */
  unregisterGroup(group: BufferGroup): void {
    if (group.ended !== undefined) return;
    const { view, address } = this.registerArgument;
    group.describe(view);
    this.native.register(this.fd, IORING_UNREGISTER_PBUF_RING, address, 1);
    group.ended = 'it was disposed of';
    this.lingering = true;
    this.forgetGroups();
  }

  /** Let go of the groups that were disposed of, once no receive is armed on them any more. */
  forgetGroups(): void {
    this.lingering = false;
    for (const group of this.groups.values()) {
      if (group.ended === undefined) continue;
      if (this.pins.holdsFor(group)) this.lingering = true;
      else this.groups.delete(group.id);
    }
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
      if (pins.has(low, high)) pins.release(low);
    });
    if (pins.size > 0) this.#recall();
    // In spite of all the kernel may be writing there yet: that memory is kept for ever.
    if (pins.size > 0) abandoned.add(pins);
    for (const group of this.groups.values()) group.ended ??= 'its ring is closed';
    this.groups.clear();
    sq.detach();
    cq.detach();
    if (this.registeredIndex !== undefined) this.#unregisterRingFd(this.registeredIndex);
    this.#unmap();
    this.#forgetThreadExit();
    unclosed?.delete(this);
    native.close(this.fd);
  }

  /** Cancel the operations with a pin, and reap until each has posted its last completion. */
  #recall(): void {
    const { sq, cq, pins } = this;
    const slots = pins.held();
    const deadline = performance.now() + CLOSE_WAIT_MS;
    const wake = this.#polled ? IORING_ENTER_SQ_WAKEUP : 0;
    while (pins.size > 0 && performance.now() < deadline) {
      while (slots.length > 0 && !sq.isFull()) {
        const slot = slots.pop()!;
        const high = pins.keyHigh(slot);
        // The cancellation's own completion is of no interest; its userData is never a key.
        sq.push(IORING_OP_ASYNC_CANCEL, 0, 0, -1, 0, 0, slot, high, 0, 0, 0, 0, 0);
      }
      const flags = IORING_ENTER_GETEVENTS | wake;
      // Short waits: what was interrupted, or could not be submitted yet, is simply tried again.
      const toSubmit = this.#polled ? sq.show() : sq.publish();
      const result = this.#canTimeOut
        ? this.enterFor(toSubmit, 1, flags, 50)
        : this.enter(toSubmit, 0, flags);
      if (result < 0 && !PASSING.has(-result)) return;
      sq.refresh();
      for (const tail = cq.tail; cq.head !== tail; cq.head = (cq.head + 1) | 0) {
        const word = cq.first + (cq.head & cq.mask) * 4;
        const slot = cq.words[word];
        if (!pins.has(slot, cq.words[word + 1])) continue;
        if (pins.lent(slot) === ACCEPTED && cq.words[word + 2] >= 0) this.native.close(cq.words[word + 2]);
        if ((cq.words[word + 3] & IORING_CQE_F_MORE) === 0) pins.release(slot);
      }
      cq.publish();
    }
  }

  #unregisterRingFd(index: number): void {
    const { view, address } = this.registerArgument;
    view.setUint32(IO_URING_RSRC_UPDATE.offset, index, true);
    view.setUint32(IO_URING_RSRC_UPDATE.resv, 0, true);
    view.setBigUint64(IO_URING_RSRC_UPDATE.data, 0n, true);
    this.native.register(this.fd, IORING_UNREGISTER_RING_FDS, address, 1);
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
