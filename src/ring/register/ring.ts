/// <reference lib="esnext.disposable" preserve="true" />
import { EEXIST, EINVAL, ENOMEM } from '../../abi/errno.ts';
import {
  IORING_FEAT_REG_REG_RING,
  IORING_MEM_REGION_REG_WAIT_ARG,
  IORING_MEM_REGION_TYPE_USER,
  IORING_REG_WAIT_TS,
  IORING_SETUP_CQSIZE,
  IORING_SETUP_DEFER_TASKRUN,
} from '../../abi/flags.ts';
import {
  IO_URING_BUF_STATUS,
  IO_URING_BUF_STATUS_SIZE,
  IO_URING_MEM_REGION_REG,
  IO_URING_MEM_REGION_REG_SIZE,
  IO_URING_PARAMS,
  IO_URING_PARAMS_SIZE,
  IO_URING_REGION_DESC,
  IO_URING_REGION_DESC_SIZE,
  IO_URING_REG_WAIT,
  IO_URING_REG_WAIT_SIZE,
} from '../../abi/layouts.ts';
import { IORING_OFF_PBUF_RING, IORING_OFF_PBUF_SHIFT } from '../../abi/mmap.ts';
import {
  IORING_REGISTER_MEM_REGION,
  IORING_REGISTER_PBUF_RING,
  IORING_REGISTER_PBUF_STATUS,
  IORING_REGISTER_RESIZE_RINGS,
} from '../../abi/registrations.ts';
import { ownOptions, NONE } from '../arguments/own-options.ts';
import { BufferGroup, ProvidedBufRing, type BufRingOptions } from '../buffer-ring.ts';
import { kernelError } from '../kernel/kernel-error.ts';
import { needs } from '../kernel/proven-kernel.ts';
import { checkInteger, checkObject, checkUint32, wrongState } from '../arguments/argument-errors.ts';
import { version } from '../kernel/proven-kernel.ts';
import type { YoungField } from '../prepare/young-fields.ts';
import { probe, type OperationSupport } from '../probe.ts';
import { coreOf, type RingCore } from '../ring-core.ts';
import { checkDuration, checkMilliseconds, writeTimespec, type Duration } from '../structs/timespec.ts';

/** The limits of one of the registered waits. */
export interface RegisteredWait {
  /** Milliseconds as a number, nanoseconds as a bigint; nothing: without a limit. */
  timeoutMs?: Duration;
  /** Milliseconds after which fewer completions will do. Kernel 6.12. */
  minWaitMs?: number;
}

/** Group ids below this have a place in older kernels that stays. */
const LASTING_IDS = 64;

/**
 * An older kernel goes on in the new buffers where it stopped in the former ones: it takes some that it was not given,
 * or none.
 */
const BUFFERS_AGAIN: YoungField = {
  what: `register a buffer ring for a group below ${LASTING_IDS} that had one`,
  since: '6.10',
  refusedSince: version('6.10'),
};

/** Registrations of the ring itself: provided-buffer rings, its descriptor, its size, its waits. */
export interface RingRegistrations {
  /**
   * Give the kernel a group of `entries` buffers of `bufSize` bytes each, for operations that pick their buffer
   * when data arrives. The memory is the ring's; {@link ProvidedBufRing.bytes} shows it.
   *
   * Kernel 5.19. Counterpart of io_uring_setup_buf_ring(3).
   * @param entries a power of two, 1 … 32768
   * @param bufSize bytes, 1 … 2^31-1
   * @param bgid the group's id, 0 … 65535, of your choice; below 64 it cannot be had again before Linux 6.10 once its
   *   buffer ring was disposed of
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} `EEXIST` the group exists, or the kernel's refusal; `ERR_IOURING_UNSUPPORTED`, `ERR_IOURING_CLOSED`
   * @example
   * const group = ring.registerBufRing(8, 4096, 7);
   * ring.prepRecvMultishot(socket, 7, 1);
   * ring.submitAndWait(1);
   * ring.forEachCompletion((c) => {
   *   const bid = c.bufferId();
   *   if (bid === undefined) return;
   *   console.log(group.bytes(bid, c.res));
   *   group.recycle(bid);
   * });
   */
  registerBufRing(entries: number, bufSize: number, bgid: number, asked?: BufRingOptions): ProvidedBufRing;

  /**
   * Which operations the kernel has, by opcode.
   *
   * Kernel 5.6. Counterpart of io_uring_get_probe_ring(3).
   * @throws {Error} `ERR_IOURING_CLOSED`, or the kernel's refusal
   * @example
   * for (const { name, supported } of ring.probe()) console.log(name, supported);
   */
  probe(): OperationSupport[];

  /**
   * Enter the ring by an index in this thread's table, which saves a look-up at every call. Main thread only; the ring
   * does so by itself unless `registerRingFd: false` was asked for. Harmless when it does already.
   *
   * Kernel 5.18. Counterpart of io_uring_register_ring_fd(3).
   * @returns the index, 0 … 15
   * @throws {Error} `ERR_IOURING_UNSUPPORTED` in a worker, or when the 16 places are taken; `ERR_IOURING_CLOSED`
   * @example
   * ring.registerRingFd();
   */
  registerRingFd(): number;

  /**
   * Enter the ring by its descriptor again, and free the place in the thread's table.
   *
   * Kernel 5.18. Counterpart of io_uring_unregister_ring_fd(3).
   * @throws {Error} `ERR_INVALID_STATE` the descriptor is closed, nothing but the index is left; `ERR_IOURING_CLOSED`
   * @example
   * ring.registerRingFd();
   * ring.unregisterRingFd();
   */
  unregisterRingFd(): void;

  /**
   * Close the ring's descriptor and keep only its index in this thread's table: no descriptor is used up, and `fd` is
   * -1 from then on: nothing can poll it.
   *
   * Kernel 6.3. Counterpart of io_uring_close_ring_fd(3).
   * @throws {Error} `ERR_IOURING_UNSUPPORTED` the kernel is older, or the ring is not registered; `ERR_IOURING_CLOSED`
   * @example
   * ring.registerRingFd();
   * ring.closeRingFd();
   */
  closeRingFd(): void;

  /**
   * Make the queues larger or smaller. What is queued and what waits to be reaped comes along; if it would not fit
   * (`EOVERFLOW`), nothing changes. Needs `deferTaskrun`, and is for rings of the main thread.
   *
   * Kernel 6.13. Counterpart of io_uring_resize_rings(3).
   * @param entries submission entries, 1 … 32768
   * @param options.cqEntries default: four times as many, at least 256
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} `EOVERFLOW`, `EINVAL` and others of the kernel; `ERR_IOURING_UNSUPPORTED`, `ERR_IOURING_CLOSED`;
   *   `ERR_IOURING_REENTRANT` inside a callback of forEachCompletion
   * @example
   * ring.resizeRings(64, { cqEntries: 256 });
   */
  resizeRings(entries: number, options?: { cqEntries?: number }): void;

  /**
   * Register the arguments of `count` waits once and for all, in memory that the kernel reads without checking it
   * anew: {@link setWait} fills them, {@link IoUring.submitAndWaitReg} uses them. The ring must be `disabled` still,
   * and it can be done once.
   *
   * Kernel 6.13. Counterpart of io_uring_register_region(3) with IORING_MEM_REGION_REG_WAIT_ARG.
   * @param count 1 … 4096
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} the kernel's refusal, `ERR_IOURING_CLOSED`
   * @example
   * ring.registerWaitRegion(1);
   */
  registerWaitRegion(count: number): void;

  /**
   * Fill one of the registered waits.
   * @param index 0 … count-1
   * @throws {Error} `ERR_INVALID_STATE` none are registered; RangeError, TypeError; `ERR_IOURING_CLOSED`
   * @example
   * ring.registerWaitRegion(1);
   * ring.setWait(0, { timeoutMs: 10 });
   */
  setWait(index: number, wait: RegisteredWait): void;
}

export const ringRegistrations: RingRegistrations = {
  registerBufRing(entries, bufSize, bgid, asked = NONE) {
    const core = coreOf(this);
    const options = ownOptions({ ...asked });
    core.checkOpen();
    const { resources } = core;
    const { native, groups, registerArgument } = resources;
    const inUse = (hint: string): Error =>
      kernelError(EEXIST, 'io_uring_register', `group ${bgid} ${hint}, or choose another bgid`);
    if (groups.get(bgid) instanceof BufferGroup) {
      throw inUse('has a buffer ring: dispose of it');
    }
    // The kernel would hand the new buffers to a receive that is armed on the group since then.
    if (resources.isAwaited(bgid)) {
      throw inUse('still has receives in flight from the buffers before: cancel them and reap');
    }
    if (resources.formerIds.has(bgid) && bgid < LASTING_IDS) core.demand(BUFFERS_AGAIN);
    if (options.kernelMemory && !native.isMainThread) {
      // The mapping would keep the ring alive when the worker is terminated, with everything its operations hold.
      const message = "Cannot map the kernel's buffer ring in a worker: leave kernelMemory away";
      throw wrongState('ERR_IOURING_UNSUPPORTED', message);
    }
    const group = new BufferGroup(native, ownOptions({ ...options, id: bgid, entries, bufSize }));
    group.describe(registerArgument.view);
    const result = resources.register(IORING_REGISTER_PBUF_RING, registerArgument.address, 1);
    if (result === -EEXIST) throw inUse('is taken');
    const form = options.incremental ? 'incremental' : options.kernelMemory ? 'mmap' : undefined;
    if (result < 0) throw core.registerError(IORING_REGISTER_PBUF_RING, -result, bufRingHint(-result, options), form);
    if (group.kernelMemory) mapBufRing(core, group);
    groups.set(bgid, group);
    // The closures hold the ring, and not only its core: a ProvidedBufRing in use keeps its ring from being collected.
    return new ProvidedBufRing(group, {
      unregister: () => void (resources.closed || coreOf(this).resources.unregisterGroup(group)),
      askHead: () => bufRingHead(coreOf(this), bgid),
    });
  },

  probe() {
    const core = coreOf(this);
    core.checkOpen();
    return probe(core.resources);
  },

  registerRingFd() {
    const core = coreOf(this);
    core.checkOpen();
    const { resources } = core;
    const possible = resources.native.isMainThread;
    if (possible && (resources.registeredIndex !== undefined || resources.registerRingFd())) {
      return resources.registeredIndex as number;
    }
    const reason = possible ? `${needs('5.18')}, and one of the 16 places of this thread` : 'only on the main thread';
    throw wrongState('ERR_IOURING_UNSUPPORTED', `Cannot register the ring descriptor: ${reason}`);
  },

  unregisterRingFd() {
    const core = coreOf(this);
    core.checkOpen();
    if (core.resources.fd < 0) {
      const message = 'Cannot unregister the ring descriptor: it is closed, and the index all there is';
      throw wrongState('ERR_INVALID_STATE', message);
    }
    core.resources.unregisterRingFd();
  },

  closeRingFd() {
    const core = coreOf(this);
    core.checkOpen();
    const { resources } = core;
    if (resources.fd < 0) return;
    const known = (resources.features & IORING_FEAT_REG_REG_RING) !== 0;
    if (!known || resources.registeredIndex === undefined) {
      const reason = known ? 'it is not registered: registerRingFd() first' : needs('6.3');
      throw wrongState('ERR_IOURING_UNSUPPORTED', `Cannot close the ring descriptor alone: ${reason}`);
    }
    resources.closeRingFd();
  },

  resizeRings(entries, options) {
    const core = coreOf(this);
    checkInteger('entries', entries, 1, 32768);
    const cqEntries = options?.cqEntries ?? Math.min(65536, Math.max(256, 4 * entries));
    checkInteger('options.cqEntries', cqEntries, 1, 65536);
    core.checkOpen();
    const { resources, sq, cq } = core;
    const deferred = (resources.setupFlags & IORING_SETUP_DEFER_TASKRUN) !== 0;
    if (!resources.native.isMainThread || !deferred || resources.fd < 0) {
      const message =
        'Cannot resize ring: only with deferTaskrun (Linux 6.1), on the main thread, and while it has its descriptor';
      throw wrongState('ERR_IOURING_UNSUPPORTED', message);
    }
    if (core.reaping) {
      const message = 'Cannot resize inside the callback of forEachCompletion: return from it first';
      throw wrongState('ERR_IOURING_REENTRANT', message);
    }
    // The kernel moves what it knows of.
    sq.publish();
    cq.publish();
    const { view, address } = resources.registerArgument;
    clear(view, IO_URING_PARAMS_SIZE);
    view.setUint32(IO_URING_PARAMS.sq_entries, entries, true);
    view.setUint32(IO_URING_PARAMS.cq_entries, cqEntries, true);
    view.setUint32(IO_URING_PARAMS.flags, IORING_SETUP_CQSIZE, true);
    core.register(IORING_REGISTER_RESIZE_RINGS, address, 1, {
      75: 'what is queued or waits to be reaped does not fit: reap and submit first, or ask for more entries',
    });
    resources.replaceRings(view);
  },

  registerWaitRegion(count) {
    const core = coreOf(this);
    checkInteger('count', count, 1, 4096);
    core.checkOpen();
    const { resources } = core;
    const { native, registerArgument } = resources;
    const length = Math.ceil((count * IO_URING_REG_WAIT_SIZE) / native.pageSize) * native.pageSize;
    const memory = native.allocate(length);
    if (memory < 0) throw kernelError(-memory, 'mmap');
    const { view, address } = registerArgument;
    clear(view, IO_URING_MEM_REGION_REG_SIZE + IO_URING_REGION_DESC_SIZE);
    const desc = IO_URING_MEM_REGION_REG_SIZE;
    view.setBigUint64(IO_URING_MEM_REGION_REG.region_uptr, BigInt(address + desc), true);
    view.setBigUint64(IO_URING_MEM_REGION_REG.flags, BigInt(IORING_MEM_REGION_REG_WAIT_ARG), true);
    view.setBigUint64(desc + IO_URING_REGION_DESC.user_addr, BigInt(memory), true);
    view.setBigUint64(desc + IO_URING_REGION_DESC.size, BigInt(length), true);
    view.setUint32(desc + IO_URING_REGION_DESC.flags, IORING_MEM_REGION_TYPE_USER, true);
    try {
      core.register(IORING_REGISTER_MEM_REGION, address, 1, {
        [EINVAL]: 'the ring must be set up with disabled: true and not be enabled yet',
        16: 'the ring has a region already',
      });
    } catch (error) {
      native.unmap(memory, length);
      throw error;
    }
    resources.keepWaits(memory, length, count);
  },

  setWait(index, wait) {
    const core = coreOf(this);
    checkObject('wait', wait);
    // Read first: a getter could close the ring, and the memory would be gone.
    const { timeoutMs, minWaitMs = 0 } = wait;
    core.checkOpen();
    const { view, count } = registeredWaits(core);
    checkInteger('index', index, 0, count - 1);
    checkMilliseconds('wait.minWaitMs', minWaitMs);
    if (timeoutMs !== undefined && timeoutMs !== Infinity) checkDuration('wait.timeoutMs', timeoutMs);
    checkUint32('wait.minWaitMs', Math.ceil(minWaitMs * 1000));
    const at = index * IO_URING_REG_WAIT_SIZE;
    const limited = timeoutMs !== undefined && timeoutMs !== Infinity;
    writeTimespec(view, at + IO_URING_REG_WAIT.ts, limited ? timeoutMs : 0);
    view.setUint32(at + IO_URING_REG_WAIT.min_wait_usec, Math.ceil(minWaitMs * 1000), true);
    view.setUint32(at + IO_URING_REG_WAIT.flags, limited ? IORING_REG_WAIT_TS : 0, true);
  },
};

function mapBufRing(core: RingCore, group: BufferGroup): void {
  const { resources } = core;
  const offset = IORING_OFF_PBUF_RING + group.id * 2 ** IORING_OFF_PBUF_SHIFT;
  const address = resources.fd < 0 ? -EINVAL : resources.native.map(resources.fd, offset, group.ringBytes);
  if (address >= 0) return group.map(address);
  resources.unregisterGroup(group);
  throw kernelError(-address, 'mmap', "the kernel's buffer ring cannot be mapped: leave kernelMemory away");
}

function bufRingHead(core: RingCore, bgid: number): number {
  const { view, address } = core.resources.registerArgument;
  clear(view, IO_URING_BUF_STATUS_SIZE);
  view.setUint32(IO_URING_BUF_STATUS.buf_group, bgid, true);
  core.register(IORING_REGISTER_PBUF_STATUS, address, 1, { [EINVAL]: 'no ring of buffers has that group' });
  return view.getUint32(IO_URING_BUF_STATUS.head, true) & 0xffff;
}

/**
 * How long one of the registered waits lasts at most, and how many completions end it; after the shortest wait one will
 * do.
 */
export function registeredWait(core: RingCore, index: number, wanted: number): { timeoutMs: number; enough: number } {
  const { view } = registeredWaits(core);
  const at = index * IO_URING_REG_WAIT_SIZE;
  const limited = (view.getUint32(at + IO_URING_REG_WAIT.flags, true) & IORING_REG_WAIT_TS) !== 0;
  const seconds = Number(view.getBigInt64(at + IO_URING_REG_WAIT.ts, true));
  const nanoseconds = Number(view.getBigInt64(at + IO_URING_REG_WAIT.ts + 8, true));
  const short = view.getUint32(at + IO_URING_REG_WAIT.min_wait_usec, true) > 0;
  const timeoutMs = limited ? seconds * 1000 + nanoseconds / 1e6 : Infinity;
  return { timeoutMs, enough: short ? Math.min(1, wanted) : wanted };
}

/** @throws {Error} `ERR_INVALID_STATE` */
export function registeredWaits({ resources }: RingCore): { view: DataView; count: number } {
  const { waits } = resources;
  if (waits) return waits;
  throw wrongState('ERR_INVALID_STATE', 'Cannot use registered waits: registerWaitRegion() was not called');
}

function bufRingHint(errno: number, { minLeft }: BufRingOptions): string | undefined {
  if (errno === ENOMEM) return 'the limit on locked memory is reached: raise it (ulimit -l), or take fewer entries';
  return errno === EINVAL && minLeft ? 'minLeft needs a kernel that has it (7.1, or a later 6.18)' : undefined;
}

/** Scratch holds what the call before left in it. */
function clear(view: DataView, length: number): void {
  new Uint8Array(view.buffer, view.byteOffset, length).fill(0);
}
