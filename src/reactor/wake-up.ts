import { hasUvLoop } from '../native/runtime.ts';
import type { Native } from '../native/native.ts';
import type { IoUring } from '../ring/ring.ts';
import { openPipeWakeUp } from './wake-up-pipe.ts';
import { openPollWakeUp } from './wake-up-poll.ts';

/** How an event loop learns that a ring has completions. */
export interface WakeUp {
  /**
   * The loop is going to sleep with operations in flight: `onWake` is to be called on it soon after the kernel posts a
   * completion, and the process kept alive meanwhile, unless {@link unref} was called. Called again after each turn.
   */
  arm(): void;
  /** The ring is being looked at: nobody need be told of completions until it is armed again. */
  pause(): void;
  /** Nothing is in flight: the process may end. */
  disarm(): void;
  /** When armed, keep the process alive: so it is in the beginning. */
  ref(): void;
  /** Even when armed, do not. Bun's loop cannot: there it has no effect. */
  unref(): void;
  /** For good. Leaves no thread, no descriptor and no call that would keep the process alive. */
  close(): void;
}

export type OpenWakeUp = (ring: IoUring, native: Native, onWake: () => void) => WakeUp;

/**
 * The one place that chooses. The loop's own poll is the cheaper way, and Node's: in a worker it would call into JavaScript
 * once more when the thread ends, which is fatal; Deno does not go on after the call; Bun ends the process. See runtime.ts.
 */
export function chooseWakeUp({ endsWithProcess }: Native): OpenWakeUp {
  return hasUvLoop() && endsWithProcess ? openPollWakeUp : openPipeWakeUp;
}
