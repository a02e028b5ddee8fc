import {
  IORING_ASYNC_CANCEL_ALL,
  IORING_ASYNC_CANCEL_ANY,
  IORING_ASYNC_CANCEL_FD,
  IORING_ASYNC_CANCEL_FD_FIXED,
  IORING_ASYNC_CANCEL_OP,
  IORING_ASYNC_CANCEL_USERDATA,
  IORING_FIXED_FD_NO_CLOEXEC,
  IORING_LINK_TIMEOUT_UPDATE,
  IORING_MSG_RING_CQE_SKIP,
  IORING_MSG_RING_FLAGS_PASS,
  IORING_NOP_CQE32,
  IORING_NOP_FILE,
  IORING_NOP_FIXED_BUFFER,
  IORING_NOP_FIXED_FILE,
  IORING_NOP_INJECT_RESULT,
  IORING_NOP_TW,
  IORING_POLL_ADD_LEVEL,
  IORING_POLL_ADD_MULTI,
  IORING_POLL_UPDATE_EVENTS,
  IORING_POLL_UPDATE_USER_DATA,
  IORING_TIMEOUT_ABS,
  IORING_TIMEOUT_BOOTTIME,
  IORING_TIMEOUT_ETIME_SUCCESS,
  IORING_TIMEOUT_MULTISHOT,
  IORING_TIMEOUT_REALTIME,
  IORING_TIMEOUT_UPDATE,
  IOSQE_FIXED_FILE,
} from '../../abi/flags.ts';
import { IORING_MSG_DATA, IORING_MSG_SEND_FD } from '../../abi/commands.ts';
import {
  IORING_OP_ASYNC_CANCEL,
  IORING_OP_FILES_UPDATE,
  IORING_OP_FIXED_FD_INSTALL,
  IORING_OP_LINK_TIMEOUT,
  IORING_OP_MSG_RING,
  IORING_OP_NOP,
  IORING_OP_NOP128,
  IORING_OP_POLL_ADD,
  IORING_OP_POLL_REMOVE,
  IORING_OP_PROVIDE_BUFFERS,
  IORING_OP_REMOVE_BUFFERS,
  IORING_OP_TIMEOUT,
  IORING_OP_TIMEOUT_REMOVE,
} from '../../abi/operations.ts';
import { checkFd, fileIndex, type Slot } from '../arguments/entry-fields.ts';
import { ownOptions, NONE } from '../arguments/own-options.ts';
import { checkUserData, highWord, lowWord, type UserData } from '../arguments/user-data.ts';
import type { Lendable } from '../memory/lent-memory.ts';
import {
  checkInteger,
  checkObject,
  checkUint32,
  isObject,
  wrongState,
  wrongType,
  wrongValue,
} from '../arguments/argument-errors.ts';
import { DESCRIPTOR, Lease } from '../pins.ts';
import { coreOf, type RingCore } from '../ring-core.ts';
import { checkDuration, type Duration } from '../structs/timespec.ts';
import { YOUNG_FIELDS } from './young-fields.ts';

/** The clock of a timer: as clock_gettime(2) names them. */
export type Clock = 'monotonic' | 'boottime' | 'realtime';

/** The parts of the kernel that a NOP exercises on its way. */
export interface NopOptions {
  /** IORING_NOP_INJECT_RESULT (6.10): complete with this, -2^31 … 2^31-1. */
  result?: number;
  /** IORING_NOP_FILE (6.13): look this descriptor up; `-EBADF` if there is none. */
  fd?: number;
  /** IORING_NOP_FIXED_FILE (6.13): `fd` is a slot of the registered files. */
  fixedFile?: boolean;
  /** IORING_NOP_FIXED_BUFFER (6.13): look this registered buffer up; `-EFAULT` if there is none. */
  fixedBuffer?: number;
  /** IORING_NOP_TW (6.13): complete in deferred work of this thread. */
  taskWork?: boolean;
  /** IORING_NOP_CQE32 (6.18): complete with 32 bytes, these among them; needs `cqe32` or `cqeMixed`. */
  cqe32?: [number | bigint, number | bigint];
}

/** When a timer is due. */
export interface TimerOptions {
  /** IORING_TIMEOUT_ABS: the time is a point on the clock, not a length. */
  absolute?: boolean;
  /** Default `'monotonic'`, which `process.hrtime()` shows; the others 5.15. */
  clock?: Clock;
}

/** Which operations to cancel. All that is given must fit. */
export interface CancelMatch {
  userData?: UserData;
  /** Operations on this descriptor. Kernel 5.19. */
  fd?: number;
  /** `fd` is a slot of the registered files. Kernel 6.0. */
  fixed?: boolean;
  /** Operations of this kind, IORING_OP_*. Kernel 6.6. */
  opcode?: number;
  /** Every operation of the ring, as with `all`. Kernel 5.19. */
  any?: boolean;
}

/** The operations of the ring itself: nothing, time, poll, cancel, messages, registered files, provided buffers. */
export interface ControlOperations {
  /**
   * Queue an operation that does nothing and completes with `res` 0: a round trip through the kernel. Options make it
   * touch parts of the kernel that other operations use.
   *
   * Kernel 5.1. Counterpart of io_uring_prep_nop(3).
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `userData` is no integer from 0 to 2^53-1 and no bigint from 0 to 2^64-1
   * @example
   * ring.prepNop(1);
   */
  prepNop(userData: UserData, options?: NopOptions): boolean;

  /**
   * Queue a NOP in an entry of 128 bytes, as a test of rings with such entries.
   *
   * Kernel 6.19. Counterpart of io_uring_prep_nop128(3). Needs `sqe128` or `sqeMixed`. As {@link prepNop} otherwise.
   * @throws {Error} `ERR_INVALID_STATE` the ring has no such entries
   * @example
   * ring.prepNop128(1);
   */
  prepNop128(userData: UserData): boolean;

  /**
   * Queue a timer: it completes with `-ETIME` when the time is up, or with 0 as soon as `count` other completions were
   * posted, if that is given and comes first.
   *
   * Kernel 5.4. Counterpart of io_uring_prep_timeout(3); the time is copied.
   * @param time milliseconds 0 … 2^53-1 (fractions count down to the nanosecond), or nanoseconds as a bigint
   * @param options.count 0 … 2^32-1. With `multishot`: how often it fires, 0 for ever
   * @param options.multishot IORING_TIMEOUT_MULTISHOT (6.4): fire again and again, each time a completion
   * @param options.etimeSuccess IORING_TIMEOUT_ETIME_SUCCESS (5.16): a chain that this is in does not break
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @example
   * ring.prepTimeout(100, 1);
   */
  prepTimeout(
    time: Duration,
    userData: UserData,
    options?: TimerOptions & { count?: number; multishot?: boolean; etimeSuccess?: boolean },
  ): boolean;

  /**
   * Queue the end of a timer that was queued with userData `target`. Completes with 0, `-ENOENT` (none such, or it
   * fired already) or `-EALREADY`; the timer itself with `-ECANCELED`.
   *
   * Kernel 5.5. Counterpart of io_uring_prep_timeout_remove(3).
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `target` or `userData` is no integer from 0 to 2^53-1 and no such bigint
   * @example
   * ring.prepTimeout(100, 1);
   * ring.prepTimeoutRemove(1, 2);
   */
  prepTimeoutRemove(target: UserData, userData: UserData): boolean;

  /**
   * Queue a new time for the timer with userData `target`. Completes with 0 or `-ENOENT`.
   *
   * Kernel 5.11. Counterpart of io_uring_prep_timeout_update(3); the time is copied.
   * @param time as of {@link prepTimeout}
   * @param options.clock to date `-EINVAL`: a timer keeps its clock
   * @param options.link the timer is one of {@link prepLinkTimeout} (5.15)
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @example
   * ring.prepTimeout(100, 1);
   * ring.prepTimeoutUpdate(1, 500, 2);
   */
  prepTimeoutUpdate(
    target: UserData,
    time: Duration,
    userData: UserData,
    options?: TimerOptions & { link?: boolean },
  ): boolean;

  /**
   * Queue a time limit for the entry prepared just before, which must have IOSQE_IO_LINK or IOSQE_IO_HARDLINK (see
   * {@link sqeSetFlags}). When the time is up first, that operation is cancelled (`-ECANCELED`, or `-EINTR`) and this
   * completes with `-ETIME`; when the operation is done first, this completes with `-ECANCELED`.
   *
   * Kernel 5.5. Counterpart of io_uring_prep_link_timeout(3); the time is copied.
   * @param time as of {@link prepTimeout}
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @example
   * import { IOSQE_IO_LINK } from 'iouring/abi';
   *
   * ring.prepRead(pipe, buffer, buffer.length, 1);
   * ring.sqeSetFlags(IOSQE_IO_LINK);
   * ring.prepLinkTimeout(100, 2);
   */
  prepLinkTimeout(time: Duration, userData: UserData, options?: TimerOptions & { etimeSuccess?: boolean }): boolean;

  /**
   * Queue a wait until `fd` is ready for one of the events in `mask`. Completes with the events that are there.
   *
   * Kernel 5.1. Counterpart of io_uring_prep_poll_add(3) and io_uring_prep_poll_multishot(3); like poll(2).
   * @param mask POLLIN and so on; EPOLLEXCLUSIVE, EPOLLET too
   * @param options.multishot IORING_POLL_ADD_MULTI (5.13): a completion for every change, until one without `hasMore()`
   * @param options.level IORING_POLL_ADD_LEVEL (6.0): level-triggered rather than edge-triggered, with `multishot`;
   *   kernels up to 6.18 at least answer `-EINVAL`
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @example
   * import { POLLIN } from 'iouring/abi';
   *
   * ring.prepPollAdd(socket, POLLIN, 1);
   */
  prepPollAdd(
    fd: number,
    mask: number,
    userData: UserData,
    options?: { multishot?: boolean; level?: boolean },
  ): boolean;

  /**
   * Queue the end of the poll that was queued with userData `target`. Completes with 0, `-ENOENT` or `-EALREADY`; the
   * poll itself with `-ECANCELED`.
   *
   * Kernel 5.1. Counterpart of io_uring_prep_poll_remove(3).
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `target` or `userData` is no integer from 0 to 2^53-1 and no such bigint
   * @example
   * ring.prepPollRemove(1, 2);
   */
  prepPollRemove(target: UserData, userData: UserData): boolean;

  /**
   * Queue a change of the poll with userData `target`: other events, another userData, or both. Completes with 0,
   * `-ENOENT` or `-EALREADY`. If an event of the new mask is there already, the poll completes at once.
   *
   * Kernel 5.13. Counterpart of io_uring_prep_poll_update(3).
   * @param change.events the new mask
   * @param change.newUserData what the poll's completions carry from then on
   * @param change.level as of {@link prepPollAdd}
   * @param change.multishot likewise; on kernels up to 6.18 at least the poll stays what
   *   it was
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` nothing to
   *   change
   * @example
   * import { POLLOUT } from 'iouring/abi';
   *
   * ring.prepPollUpdate(1, 2, { events: POLLOUT });
   */
  prepPollUpdate(
    target: UserData,
    userData: UserData,
    change: { events?: number; newUserData?: UserData; multishot?: boolean; level?: boolean },
  ): boolean;

  /**
   * Queue the cancellation of operations in flight: of one with userData `target`, or of what fits a
   * {@link CancelMatch}. It completes with 0, `-ENOENT` (none such, or done already) or `-EALREADY` (running, and
   * past stopping). A cancelled operation completes too, usually with `-ECANCELED`; the two come in any order. Behind a
   * barrier (IOSQE_IO_DRAIN) it waits as everything does: {@link registerSyncCancel} does not. Of a futex or a child it
   * completes with 1.
   *
   * Kernel 5.5. Counterpart of io_uring_prep_cancel(3) and io_uring_prep_cancel64(3).
   * @param options.all IORING_ASYNC_CANCEL_ALL (5.19): not only the first that is found; completes with their number.
   *   By userData it takes as many entries of the queue as there are operations that lend memory under it, and one more
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`; `ERR_INVALID_ARG_VALUE` nothing to match
   * @example
   * ring.prepCancel(1, 2);
   */
  prepCancel(target: UserData | CancelMatch, userData: UserData, options?: { all?: boolean }): boolean;

  /**
   * Queue the cancellation of an operation on `fd`, or of all of them. As {@link prepCancel} otherwise.
   *
   * Kernel 5.19. Counterpart of io_uring_prep_cancel_fd(3).
   * @param options.fixed `fd` is a slot of the registered files (6.0)
   * @example
   * ring.prepCancelFd(socket, 2, { all: true });
   */
  prepCancelFd(fd: number, userData: UserData, options?: { all?: boolean; fixed?: boolean }): boolean;

  /**
   * Queue a message to another ring of this process, or one whose descriptor was received: there a completion appears
   * with `res` and userData `data`. This operation completes with 0, or `-EOVERFLOW` when the other queue is full.
   *
   * Kernel 5.18. Counterpart of io_uring_prep_msg_ring(3) and io_uring_prep_msg_ring_cqe_flags(3).
   * @param ringFd the other ring's descriptor
   * @param res 0 … 2^32-1; arrives as a signed number
   * @param options.cqeFlags IORING_CQE_F_* bits to arrive with it (6.3)
   * @param options.skipCqe IORING_MSG_RING_CQE_SKIP: to date `-EINVAL`; it is for {@link prepMsgRingFd}
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @example
   * ring.prepMsgRing(otherRing.fd, 42, 7, 1);
   */
  prepMsgRing(
    ringFd: number,
    res: number,
    data: UserData,
    userData: UserData,
    options?: { cqeFlags?: number; skipCqe?: boolean },
  ): boolean;

  /**
   * Queue the passing of a registered file to another ring's table. Completes with 0, or with the slot if the kernel
   * picked it; there a completion with userData `data` appears. The file stays in `sourceSlot` here too.
   *
   * Kernel 6.0. Counterpart of io_uring_prep_msg_ring_fd(3) and io_uring_prep_msg_ring_fd_alloc(3).
   * @param options.skipCqe IORING_MSG_RING_CQE_SKIP: no completion there
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @example
   * ring.prepMsgRingFd(otherRing.fd, 0, 'alloc', 7, 1);
   */
  prepMsgRingFd(
    ringFd: number,
    sourceSlot: number,
    targetSlot: Slot,
    data: UserData,
    userData: UserData,
    options?: { skipCqe?: boolean },
  ): boolean;

  /**
   * Queue a change of slots of the registered files: `fds[i]` goes to slot `offset + i`, -1 empties it,
   * IORING_REGISTER_FILES_SKIP (-2) leaves it. With `'alloc'` the kernel picks the slots and writes them over `fds`
   * (6.0). Completes with how many were changed.
   *
   * `fds` is lent to the kernel until the completion is reaped.
   *
   * Kernel 5.6. Counterpart of io_uring_prep_files_update(3).
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @example
   * ring.prepFilesUpdate(new Int32Array([fd]), 0, 1);
   */
  prepFilesUpdate(fds: Int32Array, offset: Slot, userData: UserData): boolean;

  /**
   * Queue the making of an ordinary descriptor for the file in a slot, which stays there. Completes with the
   * descriptor, which is the caller's to close.
   *
   * Kernel 6.8. Counterpart of io_uring_prep_fixed_fd_install(3).
   * @param options.noCloexec IORING_FIXED_FD_NO_CLOEXEC: programs that are started inherit it
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @example
   * ring.prepFixedFdInstall(0, 1);
   */
  prepFixedFdInstall(slot: number, userData: UserData, options?: { noCloexec?: boolean }): boolean;

  /**
   * Queue the giving of `nr` buffers of `bufSize` bytes each, one after the other in `buf`, to group `bgid`, with the
   * ids `bid`, `bid + 1`, …. Completes with 0. The kernel forgets a buffer when it hands it out: provide it again.
   * Buffer rings (`registerBufRing`) have taken the place of this, and are faster.
   *
   * `buf` is lent to the kernel until completions have named all of its buffers, or they were removed.
   *
   * Kernel 5.7. Counterpart of io_uring_prep_provide_buffers(3).
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @example
   * ring.prepProvideBuffers(Buffer.alloc(8 * 4096), 4096, 8, 7, 0, 1);
   */
  prepProvideBuffers(
    buf: Lendable,
    bufSize: number,
    nr: number,
    bgid: number,
    bid: number,
    userData: UserData,
  ): boolean;

  /**
   * Queue the taking of up to `nr` buffers out of a group that {@link prepProvideBuffers} filled. Completes with how
   * many there were, or `-ENOENT` where there is no such group.
   *
   * Kernel 5.7. Counterpart of io_uring_prep_remove_buffers(3).
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @example
   * ring.prepRemoveBuffers(8, 7, 1);
   */
  prepRemoveBuffers(nr: number, bgid: number, userData: UserData): boolean;
}

export const controlOperations: ControlOperations = {
  prepNop(userData, options) {
    const core = coreOf(this);
    if (options) return nop(core, IORING_OP_NOP, userData, options);
    return core.queue(IORING_OP_NOP, 0, 0, -1, 0, 0, 0, 0, 0, 0, 0, userData, undefined);
  },

  prepNop128(userData) {
    const core = coreOf(this);
    if (core.isRefusedBig()) return false;
    checkUserData('userData', userData);
    core.alignBig();
    return nop(core, IORING_OP_NOP128, userData, NONE) && core.grown();
  },

  prepTimeout(time, userData, options) {
    const core = coreOf(this);
    checkDuration('timeoutMs', time);
    const count = options?.count ?? 0;
    checkUint32('options.count', count);
    let flags = timerFlags(options);
    if (options?.multishot) flags |= IORING_TIMEOUT_MULTISHOT;
    if (options?.etimeSuccess) flags |= IORING_TIMEOUT_ETIME_SUCCESS;
    if (core.isRefused()) return false;
    const address = core.timespec(time);
    return core.queue(
      IORING_OP_TIMEOUT,
      0,
      0,
      -1,
      count,
      0,
      lowWord(address),
      highWord(address),
      1,
      flags,
      0,
      userData,
      undefined,
    );
  },

  prepTimeoutRemove(target, userData) {
    const core = coreOf(this);
    const [low, high] = key(core, target);
    return core.queue(
      IORING_OP_TIMEOUT_REMOVE,
      0,
      0,
      -1,
      0,
      0,
      low,
      high,
      0,
      0,
      0,
      userData,
      undefined,
    );
  },

  prepTimeoutUpdate(target, time, userData, options) {
    const core = coreOf(this);
    checkDuration('timeoutMs', time);
    const flags = timerFlags(options) | IORING_TIMEOUT_UPDATE | (options?.link ? IORING_LINK_TIMEOUT_UPDATE : 0);
    const [low, high] = key(core, target);
    if (core.isRefused()) return false;
    const address = core.timespec(time);
    return core.queue(
      IORING_OP_TIMEOUT_REMOVE,
      0,
      0,
      -1,
      lowWord(address),
      highWord(address),
      low,
      high,
      0,
      flags,
      0,
      userData,
      undefined,
    );
  },

  prepLinkTimeout(time, userData, options) {
    const core = coreOf(this);
    checkDuration('timeoutMs', time);
    const flags = timerFlags(options) | (options?.etimeSuccess ? IORING_TIMEOUT_ETIME_SUCCESS : 0);
    if (core.isRefused()) return false;
    const address = core.timespec(time);
    return core.queue(
      IORING_OP_LINK_TIMEOUT,
      0,
      0,
      -1,
      0,
      0,
      lowWord(address),
      highWord(address),
      1,
      flags,
      0,
      userData,
      undefined,
    );
  },

  prepPollAdd(fd, mask, userData, options) {
    const core = coreOf(this);
    const file = checkFd('fd', fd);
    checkUint32('mask', mask);
    if (mask > 0xffff) core.demand(YOUNG_FIELDS.poll32);
    const how = pollFlags(options);
    if (how & IORING_POLL_ADD_MULTI) core.resources.notePoll();
    return core.queue(IORING_OP_POLL_ADD, 0, 0, file, 0, 0, 0, 0, how, mask, 0, userData, undefined);
  },

  prepPollRemove(target, userData) {
    const core = coreOf(this);
    const [low, high] = key(core, target);
    return core.queue(IORING_OP_POLL_REMOVE, 0, 0, -1, 0, 0, low, high, 0, 0, 0, userData, undefined);
  },

  prepPollUpdate(target, userData, change) {
    const core = coreOf(this);
    checkObject('change', change);
    const { events, newUserData } = change;
    if (events === undefined && newUserData === undefined) {
      throw wrongValue('change', 'it must have events, newUserData, or both');
    }
    const mask = events === undefined ? 0 : checkUint32('change.events', events);
    let how = pollFlags(change);
    if (events !== undefined) how |= IORING_POLL_UPDATE_EVENTS;
    if (newUserData !== undefined) {
      how |= IORING_POLL_UPDATE_USER_DATA;
      checkUserData('change.newUserData', newUserData);
    }
    checkUserData('userData', userData);
    const [low, high] = key(core, target);
    if (core.isRefused()) return false;
    const next = newUserData === undefined ? 0 : core.userDataForKernel(newUserData);
    return core.queue(
      IORING_OP_POLL_REMOVE,
      0,
      0,
      -1,
      lowWord(next),
      highWord(next),
      low,
      high,
      how,
      mask,
      0,
      userData,
      undefined,
    );
  },

  prepCancel(target, userData, options) {
    const core = coreOf(this);
    const isMatch = isObject(target);
    if (!isMatch) checkUserData('target', target);
    const match: CancelMatch = ownOptions(isMatch ? { ...target } : { userData: target });
    const { fd, fixed, opcode, any } = match;
    const { flags: how, file } = cancelFlags(core, match);
    const flags = options?.all ? how | IORING_ASYNC_CANCEL_ALL : how;
    if (opcode !== undefined) checkInteger('target.opcode', opcode, 0, 0xff);
    const len = opcode ?? 0;
    if (match.userData === undefined) {
      if (fd === undefined && opcode === undefined && !any) {
        throw wrongValue('target', `it must match by userData, fd, opcode or any${fixed ? '; fixed needs fd' : ''}`);
      }
      return core.queue(IORING_OP_ASYNC_CANCEL, 0, 0, file, 0, 0, 0, 0, len, flags, 0, userData, undefined);
    }
    checkUserData('target', match.userData);
    const low = lowWord(match.userData);
    const high = highWord(match.userData);
    // Operations that lend memory went to the kernel under keys of ours.
    const slots = core.findKeys(match.userData, fd === undefined ? undefined : file, opcode);
    if (slots.length === 0 || !options?.all) {
      const { pins } = core;
      const keyLow = slots.length === 0 ? low : pins.keyLow(slots[0]);
      const keyHigh = slots.length === 0 ? high : pins.keyHigh(slots[0]);
      return core.queue(
        IORING_OP_ASYNC_CANCEL,
        0,
        0,
        file,
        0,
        0,
        keyLow,
        keyHigh,
        len,
        flags,
        0,
        userData,
        undefined,
      );
    }
    return cancelEach(core, slots, file, low, high, len, flags, userData);
  },

  prepCancelFd(fd, userData, options) {
    const file = checkFd('fd', fd);
    return this.prepCancel(options?.fixed ? { fd: file, fixed: true } : { fd: file }, userData, options);
  },

  prepMsgRing(ringFd, res, data, userData, options) {
    const core = coreOf(this);
    const file = checkFd('ringFd', ringFd);
    checkInteger('res', res, -(2 ** 31), 2 ** 32 - 1);
    checkUserData('data', data);
    const passed = options?.cqeFlags === undefined ? 0 : checkUint32('options.cqeFlags', options.cqeFlags);
    let flags = options?.cqeFlags === undefined ? 0 : IORING_MSG_RING_FLAGS_PASS;
    if (options?.skipCqe) flags |= IORING_MSG_RING_CQE_SKIP;
    const queued = core.queue(
      IORING_OP_MSG_RING,
      0,
      0,
      file,
      lowWord(data),
      highWord(data),
      IORING_MSG_DATA,
      0,
      res,
      flags,
      0,
      userData,
      undefined,
    );
    if (queued && passed !== 0) core.sq.extend(passed, 0, 0);
    return queued;
  },

  prepMsgRingFd(ringFd, sourceSlot, targetSlot, data, userData, options) {
    const core = coreOf(this);
    const file = checkFd('ringFd', ringFd);
    checkUint32('sourceSlot', sourceSlot);
    if (targetSlot === undefined) throw wrongType('targetSlot', "of type number, or 'alloc'", targetSlot);
    const index = fileIndex('targetSlot', targetSlot);
    checkUserData('data', data);
    const flags = options?.skipCqe ? IORING_MSG_RING_CQE_SKIP : 0;
    const queued = core.queue(
      IORING_OP_MSG_RING,
      0,
      0,
      file,
      lowWord(data),
      highWord(data),
      IORING_MSG_SEND_FD,
      0,
      0,
      flags,
      0,
      userData,
      undefined,
    );
    if (queued) core.sq.extend(index, sourceSlot, 0);
    return queued;
  },

  prepFilesUpdate(fds, offset, userData) {
    const core = coreOf(this);
    if (!(fds instanceof Int32Array)) throw wrongType('fds', 'an Int32Array', fds);
    const { memory } = core;
    const count = memory.findWhole(fds, 'fds') / 4;
    const { addressLow, addressHigh } = memory;
    const first = offset === 'alloc' ? -1 : checkInteger('offset', offset, 0, 2 ** 31 - 1);
    return core.queue(
      IORING_OP_FILES_UPDATE,
      0,
      0,
      -1,
      first,
      first >> 31,
      addressLow,
      addressHigh,
      count,
      0,
      0,
      userData,
      fds,
    );
  },

  prepFixedFdInstall(slot, userData, options) {
    const file = checkInteger('slot', slot, 0, 2 ** 31 - 1);
    const flags = options?.noCloexec ? IORING_FIXED_FD_NO_CLOEXEC : 0;
    return coreOf(this).queue(
      IORING_OP_FIXED_FD_INSTALL,
      IOSQE_FIXED_FILE,
      0,
      file,
      0,
      0,
      0,
      0,
      0,
      flags,
      0,
      userData,
      DESCRIPTOR,
    );
  },

  prepProvideBuffers(buf, bufSize, nr, bgid, bid, userData) {
    const core = coreOf(this);
    checkInteger('bufSize', bufSize, 1, 2 ** 31 - 1);
    checkInteger('nr', nr, 1, 65536);
    checkInteger('bgid', bgid, 0, 0xffff);
    checkInteger('bid', bid, 0, 65536 - nr);
    checkUserData('userData', userData);
    const { memory } = core;
    memory.find(buf, bufSize * nr);
    const { addressLow, addressHigh } = memory;
    if (core.isRefused()) return false;
    // Also where there is a buffer ring now: the kernel may take the entry when that is gone.
    const lent = core.lease(core.resources.classicGroup(bgid).provide(buf, nr));
    return core.queue(
      IORING_OP_PROVIDE_BUFFERS,
      0,
      0,
      nr,
      bid,
      0,
      addressLow,
      addressHigh,
      bufSize,
      0,
      bgid,
      userData,
      lent,
    );
  },

  prepRemoveBuffers(nr, bgid, userData) {
    const core = coreOf(this);
    checkInteger('nr', nr, 1, 65536);
    checkInteger('bgid', bgid, 0, 0xffff);
    if (core.isRefused()) return false;
    const { resources } = core;
    const lent = resources.hasClassicGroup(bgid) ? core.lease(resources.classicGroup(bgid).removal()) : undefined;
    return core.queue(IORING_OP_REMOVE_BUFFERS, 0, 0, nr, 0, 0, 0, 0, 0, 0, bgid, userData, lent);
  },
};

function nop(core: RingCore, opcode: number, userData: UserData, options: NopOptions): boolean {
  const { result, fd, fixedFile, fixedBuffer, taskWork, cqe32 } = options;
  let flags = 0;
  if (result !== undefined) {
    checkInteger('options.result', result, -(2 ** 31), 2 ** 31 - 1);
    flags |= IORING_NOP_INJECT_RESULT;
  }
  if (fd !== undefined) flags |= IORING_NOP_FILE;
  if (fixedFile) flags |= IORING_NOP_FIXED_FILE;
  if (fixedBuffer !== undefined) {
    checkInteger('options.fixedBuffer', fixedBuffer, 0, 0xffff);
    flags |= IORING_NOP_FIXED_BUFFER;
  }
  if (taskWork) flags |= IORING_NOP_TW;
  const file = fd === undefined ? -1 : checkFd('options.fd', fd);
  const [first, second] = cqe32 ?? [0, 0];
  if (cqe32) {
    checkUserData('options.cqe32[0]', first);
    checkUserData('options.cqe32[1]', second);
    flags |= IORING_NOP_CQE32;
  }
  if (flags !== 0) core.demand(YOUNG_FIELDS.nop);
  return core.queue(
    opcode,
    0,
    0,
    file,
    lowWord(first),
    highWord(first),
    lowWord(second),
    highWord(second),
    result ?? 0,
    flags,
    fixedBuffer ?? 0,
    userData,
    undefined,
  );
}

/** One entry for every key, and one for those without; one completion for all of them. */
function cancelEach(
  core: RingCore,
  slots: number[],
  file: number,
  low: number,
  high: number,
  len: number,
  flags: number,
  userData: UserData,
): boolean {
  const entries = slots.length + 1;
  if (entries > core.sq.entries) {
    const message =
      `Cannot cancel ${slots.length} operations of one userData at once in a queue of ${core.sq.entries} entries:` +
      ' cancel by fd or any, or give them different userData';
    throw wrongState('ERR_INVALID_STATE', message);
  }
  checkUserData('userData', userData);
  if (core.isRefused(entries)) return false;
  if (core.chained !== undefined) core.endChain();
  const { pins, sq } = core;
  const common = pins.hold(lowWord(userData), highWord(userData), core.lease(new Fold(entries)));
  const commonLow = pins.keyLow(common);
  const commonHigh = pins.keyHigh(common);
  for (const slot of slots) {
    const keyLow = pins.keyLow(slot);
    sq.push(
      IORING_OP_ASYNC_CANCEL,
      0,
      0,
      file,
      0,
      0,
      keyLow,
      pins.keyHigh(slot),
      len,
      flags,
      commonLow,
      commonHigh,
      0,
    );
  }
  sq.push(IORING_OP_ASYNC_CANCEL, 0, 0, file, 0, 0, low, high, len, flags, commonLow, commonHigh, 0);
  return true;
}

/** The userData that the kernel knows an operation in flight by: a key of ours, or the caller's userData. */
function key(core: RingCore, target: UserData): [low: number, high: number] {
  const slot = core.findKey(target);
  const { pins } = core;
  return slot < 0 ? [lowWord(target), highWord(target)] : [pins.keyLow(slot), pins.keyHigh(slot)];
}

/** Cancellations of all operations of one userData, which stand for one: each tells how many it found. */
class Fold extends Lease {
  #pending: number;
  #sum = 0;
  #worst = 0;

  constructor(pending: number) {
    super(undefined);
    this.#pending = pending;
  }

  override shows(results: readonly number[]): number | undefined {
    if (results.length < this.#pending) return undefined;
    const sum = this.#sum + results.reduce((total, res) => total + Math.max(0, res), 0);
    // Nothing found, and a reason other than that there was nothing.
    return sum === 0 ? Math.min(this.#worst, ...results) : sum;
  }

  override complete(res: number): number | undefined {
    const shown = this.shows([res]);
    this.#pending--;
    if (res > 0) this.#sum += res;
    else this.#worst = Math.min(this.#worst, res);
    return shown;
  }
}

function pollFlags(options: { multishot?: boolean; level?: boolean } | undefined): number {
  return (options?.multishot ? IORING_POLL_ADD_MULTI : 0) | (options?.level ? IORING_POLL_ADD_LEVEL : 0);
}

const CLOCKS: Record<Clock, number> = {
  monotonic: 0,
  boottime: IORING_TIMEOUT_BOOTTIME,
  realtime: IORING_TIMEOUT_REALTIME,
};

function timerFlags(options: TimerOptions | undefined): number {
  const clock = options?.clock ?? 'monotonic';
  if (!Object.hasOwn(CLOCKS, clock)) {
    throw wrongValue('options.clock', "it must be 'monotonic', 'boottime' or 'realtime'");
  }
  return CLOCKS[clock] | (options?.absolute ? IORING_TIMEOUT_ABS : 0);
}

/**
 * The flags of a match, and its descriptor.
 * @throws {Error} `ERR_IOURING_UNSUPPORTED` an older kernel would ignore one of them
 */
export function cancelFlags(core: RingCore, match: CancelMatch): { flags: number; file: number } {
  const { userData, fd, fixed, opcode, any } = match;
  let flags = any ? IORING_ASYNC_CANCEL_ANY : 0;
  if (fd !== undefined) flags |= IORING_ASYNC_CANCEL_FD;
  if (fd !== undefined && fixed) flags |= IORING_ASYNC_CANCEL_FD_FIXED;
  if (opcode !== undefined) flags |= IORING_ASYNC_CANCEL_OP;
  // Alone it is what is meant without any flag, as kernels before 5.19 knew it.
  if (userData !== undefined && flags !== 0) flags |= IORING_ASYNC_CANCEL_USERDATA;
  if (flags & (IORING_ASYNC_CANCEL_OP | IORING_ASYNC_CANCEL_USERDATA)) core.demand(YOUNG_FIELDS.cancelBy);
  if (flags & IORING_ASYNC_CANCEL_FD_FIXED) core.demand(YOUNG_FIELDS.cancelSlot);
  return { flags, file: fd === undefined ? -1 : checkFd('target.fd', fd) };
}
