import { EAGAIN, EBADR, EBUSY, EEXIST, EINTR } from '../../abi/errno.ts';
import { IORING_ENTER_GETEVENTS, IORING_SQ_CQ_OVERFLOW, IORING_SQ_TASKRUN } from '../../abi/flags.ts';
import { ownOptions } from '../arguments/own-options.ts';
import { kernelError } from '../kernel/kernel-error.ts';
import type { RingCore } from '../ring-core.ts';

/**
 * Have the kernel hand over completions that it keeps back: those that did not fit into the queue, and, when nothing
 * was reaped, those of work that it has put off.
 * @param ioPolled completions are looked for on the device, and only by a call that waits for them
 * @returns are there completions now?
 */
export function flushOverflow(core: RingCore, reaped: number, ioPolled: boolean): boolean {
  const { sq, cq, resources } = core;
  cq.publish();
  const flags = reaped === 0 ? sq.flags : sq.recentFlags;
  core.noteOverflow(flags);
  const held = flags & (reaped === 0 ? IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN : IORING_SQ_CQ_OVERFLOW);
  if (held === 0 && (reaped > 0 || !ioPolled)) return false;
  const result = resources.enter(0, 0, IORING_ENTER_GETEVENTS);
  if (result < 0 && result !== -EINTR && result !== -EBUSY && result !== -EAGAIN) throw enterRefusal(-result);
  return cq.places > 0;
}

/** The error for a refusal of io_uring_enter(2), with its likely cause. */
export function enterRefusal(errno: number): Error {
  return kernelError(errno, 'io_uring_enter', ENTER_HINTS[errno]);
}

const ENTER_HINTS: Record<number, string> = ownOptions({
  [EEXIST]: 'the ring belongs to another thread: give each thread a ring of its own',
  [EBADR]: 'the kernel had no memory left to keep completions aside and lost some: close the ring',
  [EAGAIN]: 'the kernel is short of memory; the entries stay queued: try again later',
  [EBUSY]: 'the kernel keeps completions aside: reap them, then submit again',
});
