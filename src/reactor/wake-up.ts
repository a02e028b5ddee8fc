import { hasUvLoop, isBun } from '../native/runtime.ts';
import type { Native } from '../native/native.ts';
import type { IoUring } from '../ring/ring.ts';
import type { IoUringOptions } from '../ring/setup.ts';
import { openBunWakeUp } from './wake-up-bun.ts';
import { openPipeWakeUp } from './wake-up-pipe.ts';
import { openPollWakeUp } from './wake-up-poll.ts';

/** How an event loop learns that a ring has completions. */
export interface WakeUp {
  /**
   * Operations are in flight: `onWake` is to be called on the event loop soon after the kernel posts a completion, and the
   * process kept alive meanwhile, unless {@link unref} was called. Called again after each wake-up; cheap when armed.
   */
  arm(): void;
  /** Nothing is in flight: the process may end. */
  disarm(): void;
  /** When armed, keep the process alive: so it is in the beginning. */
  ref(): void;
  /** Even when armed, do not. */
  unref(): void;
  /** For good. Leaves no thread, no descriptor and no call that would keep the process alive. */
  close(): void;
}

export type OpenWakeUp = (ring: IoUring, native: Native, onWake: () => void) => WakeUp;

/** A way of being woken, and what it asks of the ring. */
export interface WakeUpWay {
  readonly setup: IoUringOptions;
  readonly open: OpenWakeUp;
}

/**
 * With COOP_TASKRUN: a ring with deferred work (DEFER_TASKRUN) becomes readable only when that is done, which nobody would
 * do while the loop sleeps.
 */
const setup: IoUringOptions = { deferTaskrun: false };

/** Node: the ring's descriptor is in the event loop's own poll. */
const POLL: WakeUpWay = { setup, open: openPollWakeUp };

/** Deno; and workers of Node: when one ends, its loop would have the poll call into JavaScript once more, which is fatal. */
const PIPE: WakeUpWay = { setup, open: openPipeWakeUp };

const BUN: WakeUpWay = { setup, open: openBunWakeUp };

/** The one place that chooses. */
export function chooseWakeUp({ endsWithProcess }: Native): WakeUpWay {
  if (isBun()) return BUN;
  return hasUvLoop() && endsWithProcess ? POLL : PIPE;
}
