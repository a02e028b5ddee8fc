import { ETIME } from '../abi/errno.ts';
import {
  IORING_OP_EPOLL_CTL,
  IORING_OP_EPOLL_WAIT,
  IORING_OP_FUTEX_WAIT,
  IORING_OP_FUTEX_WAITV,
  IORING_OP_FUTEX_WAKE,
  IORING_OP_NOP,
  IORING_OP_POLL_ADD,
  IORING_OP_TIMEOUT,
  IORING_OP_WAITID,
} from '../abi/operations.ts';
import type { Form } from '../ring/kernel/needed-linux.ts';
import type { EpollEvents } from '../ring/structs/epoll-events.ts';
import type { Lendable } from '../ring/memory/lent-memory.ts';
import type { RawSqe } from '../ring/prepare/commands.ts';
import type { NopOptions, TimerOptions } from '../ring/prepare/control.ts';
import type { Futex, FutexOptions, FutexWaiter } from '../ring/prepare/futex-and-process.ts';
import { Siginfo } from '../ring/structs/siginfo.ts';
import type { Duration } from '../ring/structs/timespec.ts';
import { linkedOf, run } from './methods.ts';
import { NetMethods } from './methods-net.ts';
import {
  AWAITED,
  AWAITED_FILLED,
  DONE,
  kind,
  NOTHING,
  NUMBER,
  type Asked,
  type OperationOptions,
  type Outcome,
} from './operation.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';

const NONE: TimerOptions = ownOptions({});
const UNTIL: Form = ownOptions({ opcode: IORING_OP_TIMEOUT });
const UNTIL_BY_CLOCK: Form = ownOptions({ ...UNTIL, variant: 'clock' });
const SLEPT: Outcome<void> = ownOptions({ ...DONE, success: -ETIME });

const NOP = kind(
  'nop',
  IORING_OP_NOP,
  NUMBER,
  (ring, { slot, a: nop }: Asked<[NopOptions | undefined]>) => ring.prepNop(slot, nop),
);
const SLEEP = kind(
  'sleep',
  ({ b: timer }: Asked): Form => {
    const { clock = 'monotonic' } = (timer ?? NONE) as TimerOptions;
    return clock === 'monotonic' ? UNTIL : UNTIL_BY_CLOCK;
  },
  SLEPT,
  (ring, { slot, a: time, b: timer }: Asked<[Duration, TimerOptions | undefined]>) =>
    ring.prepTimeout(time, slot, timer),
);
const POLL = kind(
  'poll',
  IORING_OP_POLL_ADD,
  AWAITED,
  (ring, { fd, slot, a: mask }: Asked<[number]>) => ring.prepPollAdd(fd, mask, slot),
);
type EpollEvent = { events: number; data?: number | bigint } | null;
const EPOLL_CTL = kind(
  'epoll_ctl',
  IORING_OP_EPOLL_CTL,
  NOTHING,
  (ring, { fd: epfd, slot, a: op, b: fd, c: event }: Asked<[number, number, EpollEvent]>) =>
    ring.prepEpollCtl(epfd, op, fd, event, slot),
);
const EPOLL_WAIT = kind(
  'epoll_wait',
  IORING_OP_EPOLL_WAIT,
  AWAITED,
  (ring, { fd, slot, a: events }: Asked<[EpollEvents]>) => ring.prepEpollWait(fd, events, slot),
);
const FUTEX_WAIT = kind(
  'futex_wait',
  IORING_OP_FUTEX_WAIT,
  DONE,
  (ring, { slot, a: futex, b: value, c: match }: Asked<[Futex, number, FutexOptions | undefined]>) =>
    ring.prepFutexWait(futex, value, slot, match),
);
const FUTEX_WAKE = kind(
  'futex_wake',
  IORING_OP_FUTEX_WAKE,
  NUMBER,
  (ring, { slot, a: futex, b: nr, c: match }: Asked<[Futex, number, FutexOptions | undefined]>) =>
    ring.prepFutexWake(futex, nr, slot, match),
);
const FUTEX_WAITV = kind(
  'futex_waitv',
  IORING_OP_FUTEX_WAITV,
  AWAITED,
  (ring, { slot, a: waiters }: Asked<[readonly FutexWaiter[]]>) => ring.prepFutexWaitv(waiters, slot),
);
const WAITID = kind(
  'waitid',
  IORING_OP_WAITID,
  AWAITED_FILLED as Outcome<Siginfo>,
  (ring, { slot, a: info, b: idtype, c: id, d: flags }: Asked<[Siginfo, number, number, number]>) =>
    ring.prepWaitid(idtype, id, flags, info, slot),
);
const SQE = kind(
  'sqe',
  undefined,
  AWAITED,
  (ring, { slot, a: sqe, b: more }: Asked<[RawSqe, { lend: readonly Lendable[] } | undefined]>) =>
    ring.prepSqe(sqe, slot, more),
);

/** The options that the ring's own method is given, if any: `options` without those that every operation has. */
function rest<T extends OperationOptions>(options: T | undefined): Omit<T, 'signal' | 'timeoutMs'> | undefined {
  if (options === undefined) return undefined;
  const { signal: _, timeoutMs: __, ...own } = options;
  return ownOptions(own);
}

/** Operations that wait for something: time, events, processes, other threads. */
export abstract class WaitMethods extends NetMethods {
  /**
   * Nothing: there and back. Kernel 5.1. See {@link IoUring.prepNop}.
   * @example
   * await io.nop();
   */
  nop(options?: OperationOptions & NopOptions): Promise<number> {
    return run(this, NOP, -1, options, undefined, rest(options));
  }

  /**
   * Wait. To the microsecond, unlike timers of the event loop, which count milliseconds.
   *
   * Kernel 5.4. See {@link IoUring.prepTimeout}.
   * @param time milliseconds, or nanoseconds as a bigint
   * @example
   * await io.sleep(100);
   */
  sleep(time: Duration, options?: OperationOptions & TimerOptions): Promise<void> {
    const clock = rest(options);
    // That the time is over is what it was for: a chain goes on.
    const timer = linkedOf(this) === undefined ? clock : ownOptions({ ...clock, etimeSuccess: true });
    return run(this, SLEEP, -1, options, undefined, time, timer);
  }

  /**
   * Wait until something of `mask` (POLLIN, …) is the case. Kernel 5.1. See {@link IoUring.prepPollAdd}; like poll(2).
   * @example
   * import { POLLIN } from 'iouring/abi';
   *
   * const events = await io.poll(socket, POLLIN, { timeoutMs: 1000 });
   */
  poll(fd: number, mask: number, options?: OperationOptions): Promise<number> {
    return run(this, POLL, fd, options, undefined, mask);
  }

  /**
   * Change an epoll set. Kernel 5.6. See {@link IoUring.prepEpollCtl}; like epoll_ctl(2).
   * @example
   * import { EPOLL_CTL_ADD, POLLIN } from 'iouring/abi';
   *
   * await io.epollCtl(epoll, EPOLL_CTL_ADD, socket, { events: POLLIN, data: 1n });
   */
  epollCtl(
    epfd: number,
    op: number,
    fd: number,
    event: { events: number; data?: number | bigint } | null,
    options?: OperationOptions,
  ): Promise<void> {
    return run(this, EPOLL_CTL, epfd, options, undefined, op, fd, event);
  }

  /**
   * Wait for events of an epoll set. Kernel 6.15. See {@link IoUring.prepEpollWait}. How many there are.
   * @example
   * import { EpollEvents } from 'iouring';
   *
   * const events = new EpollEvents(16);
   * const count = await io.epollWait(epoll, events);
   * for (const { data } of events.entries(count)) console.log(data);
   */
  epollWait(epfd: number, events: EpollEvents, options?: OperationOptions): Promise<number> {
    return run(this, EPOLL_WAIT, epfd, options, undefined, events);
  }

  /**
   * Wait until a futex is woken. Kernel 6.7. See {@link IoUring.prepFutexWait}. EAGAIN if it does not hold `value`.
   * @example
   * const word = new Int32Array(new SharedArrayBuffer(4));
   * await io.futexWait(word, 0, { timeoutMs: 1000 });
   */
  futexWait(futex: Futex, value: number, options?: OperationOptions & FutexOptions): Promise<void> {
    return run(this, FUTEX_WAIT, -1, options, undefined, futex, value, rest(options));
  }

  /**
   * Wake up to `nr` waiters of a futex. Kernel 6.7. See {@link IoUring.prepFutexWake}. How many were woken.
   * @example
   * const word = new Int32Array(new SharedArrayBuffer(4));
   * const woken = await io.futexWake(word, 1);
   */
  futexWake(futex: Futex, nr: number, options?: OperationOptions & FutexOptions): Promise<number> {
    return run(this, FUTEX_WAKE, -1, options, undefined, futex, nr, rest(options));
  }

  /**
   * Wait until one of several futexes is woken. Kernel 6.7. See {@link IoUring.prepFutexWaitv}. Which one.
   * @example
   * const words = [new Int32Array(new SharedArrayBuffer(4)), new Int32Array(new SharedArrayBuffer(4))];
   * const index = await io.futexWaitv(words.map((futex) => ({ futex, value: 0 })));
   */
  futexWaitv(waiters: readonly FutexWaiter[], options?: OperationOptions): Promise<number> {
    return run(this, FUTEX_WAITV, -1, options, undefined, waiters);
  }

  /**
   * Wait for a child process to change. Kernel 6.7. See {@link IoUring.prepWaitid}; like waitid(2). What became of it.
   * @example
   * import { P_PID, WEXITED } from 'iouring/abi';
   *
   * const { status } = await io.waitid(P_PID, 4711, WEXITED);
   */
  waitid(idtype: number, id: number, flags: number, options?: OperationOptions): Promise<Siginfo> {
    return run(this, WAITID, -1, options, undefined, new Siginfo(), idtype, id, flags);
  }

  /**
   * Any operation, as the kernel spells it. What it lends is what you say it lends: see {@link IoUring.prepSqe}, which
   * trusts you.
   * @returns what the kernel answered
   * @example
   * import { IORING_OP_NOP } from 'iouring/abi';
   *
   * await io.sqe({ opcode: IORING_OP_NOP });
   */
  sqe(sqe: RawSqe, options?: OperationOptions & { lend?: readonly Lendable[] }): Promise<number> {
    const more = options?.lend === undefined ? undefined : { lend: options.lend };
    return run(this, SQE, sqe?.fd ?? -1, options, undefined, sqe, more);
  }
}
