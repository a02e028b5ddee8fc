import { ETIME } from '../abi/errno.ts';
import type { EpollEvents } from '../ring/epoll-events.ts';
import type { Lendable } from '../ring/lent-memory.ts';
import type { RawSqe } from '../ring/prepare-command.ts';
import type { NopOptions, TimerOptions } from '../ring/prepare-control.ts';
import type { Futex, FutexOptions, FutexWaiter } from '../ring/prepare-wait.ts';
import { Siginfo } from '../ring/siginfo.ts';
import type { Duration } from '../ring/timespec.ts';
import { chainOf, run } from './methods.ts';
import { NetMethods } from './methods-net.ts';
import { AWAITED, DONE, FilledIn, NOTHING, NUMBER, type OperationOptions, type Outcome } from './operation.ts';
import { ownOptions } from './own-options.ts';

const SLEPT: Outcome<void> = ownOptions({ ...DONE, success: -ETIME });

/** The options that the ring's own method is given, if any: `options` without those that every operation has. */
function rest<T extends OperationOptions>(options: T | undefined): Omit<T, 'signal' | 'timeoutMs'> | undefined {
  if (options === undefined) return undefined;
  const { signal: _, timeoutMs: __, ...own } = options;
  return ownOptions(own);
}

/** Operations that wait for something: time, events, processes, other threads. */
export abstract class WaitMethods extends NetMethods {
  /** Nothing: there and back. Kernel 5.1. See {@link IoUring.prepNop}. */
  nop(options?: OperationOptions & NopOptions): Promise<number> {
    const nop = rest(options);
    return run(this, 'nop', -1, options, (ring, slot) => ring.prepNop(slot, nop), NUMBER);
  }

  /**
   * Wait. To the microsecond, unlike timers of the event loop, which count milliseconds.
   *
   * Kernel 5.4. See {@link IoUring.prepTimeout}.
   * @param time milliseconds, or nanoseconds as a bigint
   */
  sleep(time: Duration, options?: OperationOptions & TimerOptions): Promise<void> {
    const clock = rest(options);
    // That the time is over is what it was for: a chain goes on.
    const timer = chainOf(this) === undefined ? clock : ownOptions({ ...clock, etimeSuccess: true });
    return run(this, 'sleep', -1, options, (ring, slot) => ring.prepTimeout(time, slot, timer), SLEPT);
  }

  /** Wait until something of `mask` (POLLIN, …) is the case. Kernel 5.1. See {@link IoUring.prepPollAdd}; like poll(2). */
  poll(fd: number, mask: number, options?: OperationOptions): Promise<number> {
    return run(this, 'poll', fd, options, (ring, slot) => ring.prepPollAdd(fd, mask, slot), AWAITED);
  }

  /** Change an epoll set. Kernel 5.6. See {@link IoUring.prepEpollCtl}; like epoll_ctl(2). */
  epollCtl(
    epfd: number,
    op: number,
    fd: number,
    event: { events: number; data?: number | bigint } | null,
    options?: OperationOptions,
  ): Promise<void> {
    return run(this, 'epoll_ctl', epfd, options, (ring, slot) => ring.prepEpollCtl(epfd, op, fd, event, slot), NOTHING);
  }

  /** Wait for events of an epoll set. Kernel 6.15. See {@link IoUring.prepEpollWait}. How many there are. */
  epollWait(epfd: number, events: EpollEvents, options?: OperationOptions): Promise<number> {
    return run(this, 'epoll_wait', epfd, options, (ring, slot) => ring.prepEpollWait(epfd, events, slot), AWAITED);
  }

  /** Wait until a futex is woken. Kernel 6.7. See {@link IoUring.prepFutexWait}. EAGAIN if it does not hold `value`. */
  futexWait(futex: Futex, value: number, options?: OperationOptions & FutexOptions): Promise<void> {
    const match = rest(options);
    return run(
      this,
      'futex_wait',
      -1,
      options,
      (ring, slot) => ring.prepFutexWait(futex, value, slot, match),
      DONE,
    );
  }

  /** Wake up to `nr` waiters of a futex. Kernel 6.7. See {@link IoUring.prepFutexWake}. How many were woken. */
  futexWake(futex: Futex, nr: number, options?: OperationOptions & FutexOptions): Promise<number> {
    const match = rest(options);
    return run(this, 'futex_wake', -1, options, (ring, slot) => ring.prepFutexWake(futex, nr, slot, match), NUMBER);
  }

  /** Wait until one of several futexes is woken. Kernel 6.7. See {@link IoUring.prepFutexWaitv}. Which one. */
  futexWaitv(waiters: readonly FutexWaiter[], options?: OperationOptions): Promise<number> {
    return run(this, 'futex_waitv', -1, options, (ring, slot) => ring.prepFutexWaitv(waiters, slot), AWAITED);
  }

  /** Wait for a child process to change. Kernel 6.7. See {@link IoUring.prepWaitid}; like waitid(2). What became of it. */
  waitid(idtype: number, id: number, flags: number, options?: OperationOptions): Promise<Siginfo> {
    const info = new Siginfo();
    return run(
      this,
      'waitid',
      -1,
      options,
      (ring, slot) => ring.prepWaitid(idtype, id, flags, info, slot),
      new FilledIn(info, true),
    );
  }

  /**
   * Any operation, as the kernel spells it. What it lends is what you say it lends: see {@link IoUring.prepSqe}, which
   * trusts you.
   * @returns what the kernel answered
   */
  sqe(sqe: RawSqe, options?: OperationOptions & { lend?: readonly Lendable[] }): Promise<number> {
    const more = options?.lend === undefined ? undefined : { lend: options.lend };
    return run(this, 'sqe', sqe?.fd ?? -1, options, (ring, slot) => ring.prepSqe(sqe, slot, more), AWAITED);
  }
}
