import type { Native } from '../../native/native.ts';
import type { IoUring } from '../../ring/io-uring.ts';

/** How an event loop learns that a ring has completions. */
export interface WakeUp {
  /** Something is in flight: the process is to be kept alive meanwhile, unless {@link unref} was called. */
  engage(): void;
  /** Nothing is: the process may end. */
  disengage(): void;
  /**
   * The loop is going to sleep: `onWake` is to be called by it soon after the kernel posts a completion. True if there
   * is one already, of which nobody will be told.
   */
  listen(): boolean;
  /** The ring is being looked at: nobody need be told of completions until {@link listen} is called again. */
  pause(): void;
  /** Keep the process alive as long as something is in flight: so it is in the beginning. */
  ref(): void;
  /** Do not, even then. Bun's loop cannot: there it has no effect. */
  unref(): void;
  /** For good. Leaves no thread, no descriptor and no call that would keep the process alive. */
  close(): void;
}

export type OpenWakeUp = (ring: IoUring, native: Native, onWake: () => void) => WakeUp;
