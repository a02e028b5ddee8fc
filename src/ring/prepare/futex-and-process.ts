import { EPOLL_CTL_DEL, FUTEX2_PRIVATE, FUTEX2_SIZE_U32, FUTEX_BITSET_MATCH_ANY } from '../../abi/event-flags.ts';
import { FUTEX_WAITV, FUTEX_WAITV_SIZE } from '../../abi/layouts.ts';
import {
  IORING_OP_EPOLL_CTL,
  IORING_OP_EPOLL_WAIT,
  IORING_OP_FUTEX_WAIT,
  IORING_OP_FUTEX_WAITV,
  IORING_OP_FUTEX_WAKE,
  IORING_OP_WAITID,
} from '../../abi/operations.ts';
import { checkFd } from '../arguments/entry-fields.ts';
import { NONE } from '../arguments/own-options.ts';
import { checkUserData, highWord, lowWord, type UserData } from '../arguments/user-data.ts';
import { EPOLL_EVENT_SIZE, memoryOfEpollEvents, writeEpollEvent, type EpollEvents } from '../structs/epoll-events.ts';
import { checkInteger, checkObject, checkUint32, outOfRange, wrongType } from '../arguments/argument-errors.ts';
import { coreOf, type RingCore } from '../ring-core.ts';
import { memoryOfSiginfo, type Siginfo } from '../structs/siginfo.ts';

/** A futex: the first 32 bits of such an array. Between threads: over a SharedArrayBuffer. */
export type Futex = Int32Array | Uint32Array;

/** How a futex is matched. */
export interface FutexOptions {
  /** Only wake-ups that share a bit with this count; default all. 0 is `-EINVAL`. */
  mask?: number;
  /** FUTEX2_* bits; default FUTEX2_SIZE_U32 | FUTEX2_PRIVATE. */
  flags?: number;
}

/** One of several futexes to wait for. */
export interface FutexWaiter {
  futex: Futex;
  value: number;
  flags?: number;
}

/** The kernel's limit (FUTEX_WAITV_MAX). */
const WAITERS_MAX = 128;

const FUTEX_FLAGS = FUTEX2_SIZE_U32 | FUTEX2_PRIVATE;

/** Waiting for what other interfaces of the kernel tell: epoll sets, futexes, child processes. */
export interface FutexAndProcessOperations {
  /**
   * Queue a change of an epoll set. Completes with 0 or `-errno`.
   *
   * Kernel 5.6. Counterpart of io_uring_prep_epoll_ctl(3); like epoll_ctl(2).
   * @param op EPOLL_CTL_ADD, EPOLL_CTL_MOD or EPOLL_CTL_DEL
   * @param event what to watch `fd` for (EPOLLIN and so on), and the 64 bits to be told then (default: `fd`); copied.
   *   null for EPOLL_CTL_DEL
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @example
   * import { EPOLL_CTL_ADD, POLLIN } from 'iouring/abi';
   *
   * ring.prepEpollCtl(epoll, EPOLL_CTL_ADD, socket, { events: POLLIN, data: 1n }, 1);
   */
  prepEpollCtl(
    epfd: number,
    op: number,
    fd: number,
    event: { events: number; data?: number | bigint } | null,
    userData: UserData,
  ): boolean;

  /**
   * Queue a wait for events of an epoll set. Completes with how many were stored in `events`, at least one.
   *
   * `events` is lent to the kernel until the completion is reaped.
   *
   * Kernel 6.15. Counterpart of io_uring_prep_epoll_wait(3); like epoll_wait(2).
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @example
   * import { EpollEvents } from 'iouring';
   *
   * ring.prepEpollWait(epoll, new EpollEvents(16), 1);
   */
  prepEpollWait(epfd: number, events: EpollEvents, userData: UserData): boolean;

  /**
   * Queue a wait until `futex` is woken, if it holds `value`; else it completes with `-EAGAIN` at once. Completes with
   * 0.
   *
   * `futex` is lent to the kernel until the completion is reaped.
   *
   * Kernel 6.7. Counterpart of io_uring_prep_futex_wait(3); like futex(2). V8's own `Atomics.wait` and `Atomics.notify`
   * do not use the kernel's futexes: wake with {@link prepFutexWake}, or from C.
   * @param value 0 … 2^32-1, or the same as a signed number
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @example
   * ring.prepFutexWait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
   */
  prepFutexWait(futex: Futex, value: number, userData: UserData, options?: FutexOptions): boolean;

  /**
   * Queue the waking of up to `nr` waiters of `futex`. Completes with how many were woken.
   *
   * Kernel 6.7. Counterpart of io_uring_prep_futex_wake(3); like futex(2).
   * @param nr 0 … 2^31-1
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @example
   * ring.prepFutexWake(new Int32Array(new SharedArrayBuffer(4)), 1, 1);
   */
  prepFutexWake(futex: Futex, nr: number, userData: UserData, options?: FutexOptions): boolean;

  /**
   * Queue a wait for one of several futexes. Completes with the index of one that was woken; with `-EAGAIN` if one of
   * them does not hold its value.
   *
   * The futexes are lent to the kernel until the completion is reaped; the array is copied.
   *
   * Kernel 6.7. Counterpart of io_uring_prep_futex_waitv(3); like futex_waitv(2).
   * @param waiters 1 … 128
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @example
   * ring.prepFutexWaitv([{ futex: new Int32Array(new SharedArrayBuffer(4)), value: 0 }], 1);
   */
  prepFutexWaitv(waiters: readonly FutexWaiter[], userData: UserData): boolean;

  /**
   * Queue a wait for a child process to change its state. Completes with 0 when one did, and fills `info`; with
   * `-ECHILD` if there is none to wait for.
   *
   * `info` is lent to the kernel until the completion is reaped. Node waits for the children it started itself: what it
   * collects is gone for this, and the other way round.
   *
   * Kernel 6.7. Counterpart of io_uring_prep_waitid(3); like waitid(2).
   * @param idtype P_ALL, P_PID, P_PGID or P_PIDFD
   * @param options WEXITED, WSTOPPED, WCONTINUED, WNOHANG, WNOWAIT
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @example
   * import { Siginfo } from 'iouring';
   * import { P_PID, WEXITED } from 'iouring/abi';
   *
   * ring.prepWaitid(P_PID, 4711, WEXITED, new Siginfo(), 1);
   */
  prepWaitid(idtype: number, id: number, options: number, info: Siginfo | null, userData: UserData): boolean;
}

export const futexAndProcessOperations: FutexAndProcessOperations = {
  prepEpollCtl(epfd, op, fd, event, userData) {
    const core = coreOf(this);
    const file = checkFd('epfd', epfd);
    checkUint32('op', op);
    const target = checkFd('fd', fd);
    if (typeof event !== 'object' || (event === null && op !== EPOLL_CTL_DEL)) {
      throw wrongType('event', 'an object', event);
    }
    const { events = 0, data = Math.max(0, target) } = event ?? (NONE as { events?: number; data?: number });
    checkUint32('event.events', events);
    checkUserData('event.data', data);
    if (core.isRefused()) return false;
    const { arena } = core.resources;
    arena.allocate(EPOLL_EVENT_SIZE);
    writeEpollEvent(arena.view, arena.offset, events, data);
    const { address } = arena;
    return core.queue(
      IORING_OP_EPOLL_CTL,
      0,
      0,
      file,
      target,
      0,
      lowWord(address),
      highWord(address),
      op,
      0,
      0,
      userData,
      undefined,
    );
  },

  prepEpollWait(epfd, events, userData) {
    const core = coreOf(this);
    const file = checkFd('epfd', epfd);
    const { memory } = core;
    const max = memory.findWhole(memoryOfEpollEvents(events)) / EPOLL_EVENT_SIZE;
    const { addressLow, addressHigh } = memory;
    return core.queue(
      IORING_OP_EPOLL_WAIT,
      0,
      0,
      file,
      0,
      0,
      addressLow,
      addressHigh,
      max,
      0,
      0,
      userData,
      events,
    );
  },

  prepFutexWait(futex, value, userData, options) {
    checkInteger('value', value, -(2 ** 31), 2 ** 32 - 1);
    return queueFutex(coreOf(this), IORING_OP_FUTEX_WAIT, futex, value, userData, options);
  },

  prepFutexWake(futex, nr, userData, options) {
    checkInteger('nr', nr, 0, 2 ** 31 - 1);
    return queueFutex(coreOf(this), IORING_OP_FUTEX_WAKE, futex, nr, userData, options);
  },

  prepFutexWaitv(waiters, userData) {
    const core = coreOf(this);
    if (!Array.isArray(waiters)) throw wrongType('waiters', 'an Array', waiters);
    // Read once, before anything is written.
    const list = [...(waiters as readonly FutexWaiter[])].map((waiter, i) => {
      checkObject(`waiters[${i}]`, waiter);
      const { futex, value, flags = FUTEX_FLAGS } = waiter;
      checkInteger(`waiters[${i}].value`, value, -(2 ** 31), 2 ** 32 - 1);
      checkUint32(`waiters[${i}].flags`, flags);
      return { futex, value, flags };
    });
    checkInteger('waiters.length', list.length, 1, WAITERS_MAX);
    if (core.isRefused()) return false;
    const { memory } = core;
    const { arena } = core.resources;
    arena.allocate(list.length * FUTEX_WAITV_SIZE);
    const { view, offset, address } = arena;
    const lent = list.map(({ futex, value, flags }, i) => {
      locate(core, `waiters[${i}].futex`, futex);
      const at = offset + i * FUTEX_WAITV_SIZE;
      view.setBigUint64(at + FUTEX_WAITV.val, BigInt(value >>> 0), true);
      view.setInt32(at + FUTEX_WAITV.uaddr, memory.addressLow, true);
      view.setInt32(at + FUTEX_WAITV.uaddr + 4, memory.addressHigh, true);
      view.setUint32(at + FUTEX_WAITV.flags, flags, true);
      view.setUint32(at + FUTEX_WAITV.__reserved, 0, true);
      return futex;
    });
    return core.queue(
      IORING_OP_FUTEX_WAITV,
      0,
      0,
      0,
      0,
      0,
      lowWord(address),
      highWord(address),
      list.length,
      0,
      0,
      userData,
      lent,
    );
  },

  prepWaitid(idtype, id, options, info, userData) {
    const core = coreOf(this);
    checkUint32('idtype', idtype);
    checkInteger('id', id, 0, 2 ** 31 - 1);
    const how = checkUint32('options', options);
    let low = 0;
    let high = 0;
    if (info !== null) {
      const { memory } = core;
      memory.findWhole(memoryOfSiginfo(info));
      low = memory.addressLow;
      high = memory.addressHigh;
    }
    const queued = core.queue(
      IORING_OP_WAITID,
      0,
      0,
      id,
      low,
      high,
      0,
      0,
      idtype,
      0,
      0,
      userData,
      info ?? undefined,
    );
    if (queued) core.sq.extend(how, 0, 0);
    return queued;
  },
};

function queueFutex(
  core: RingCore,
  opcode: number,
  futex: Futex,
  value: number,
  userData: UserData,
  options: FutexOptions | undefined,
): boolean {
  const mask = options?.mask ?? FUTEX_BITSET_MATCH_ANY;
  checkUint32('options.mask', mask);
  const flags = options?.flags ?? FUTEX_FLAGS;
  checkUint32('options.flags', flags);
  const { memory } = core;
  locate(core, 'futex', futex);
  const { addressLow, addressHigh } = memory;
  const queued = core.queue(
    opcode,
    0,
    0,
    flags,
    value,
    0,
    addressLow,
    addressHigh,
    0,
    0,
    0,
    userData,
    futex,
  );
  if (queued) core.sq.extend(0, mask, 0);
  return queued;
}

/** Where a futex is: the ring's memory remembers. */
function locate(core: RingCore, name: string, futex: Futex): void {
  if (!(futex instanceof Int32Array) && !(futex instanceof Uint32Array)) {
    throw wrongType(name, 'an Int32Array or a Uint32Array', futex);
  }
  if (core.memory.findWhole(futex, name) < 4) throw outOfRange(`${name}.length`, 'at least 1', 0);
}
