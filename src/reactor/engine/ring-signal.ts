import type { Native } from '../../native/native.ts';
import { kernelError } from '../../ring/kernel/kernel-error.ts';
import type { IoUring } from '../../ring/io-uring.ts';

/**
 * An eventfd that the kernel writes to when the ring has something to reap. Not for a ring with DEFER_TASKRUN: some
 * kernels do not signal the eventfd of such a ring for work that was put off (6.12.115 to 6.12.118), or do so late
 * (7.1.13 and later).
 */
export class RingSignal {
  readonly fd: number;
  readonly #ring: IoUring;
  readonly #native: Native;
  readonly #forget: () => void;

  constructor(ring: IoUring, native: Native) {
    this.#ring = ring;
    this.#native = native;
    this.fd = native.eventfd();
    if (this.fd < 0) throw kernelError(-this.fd, 'eventfd', 'no descriptor left to wake the event loop with');
    this.#forget = native.closeAtThreadExit(this.fd);
    ring.cqEventfdToggle(false);
    ring.registerEventfd(this.fd);
  }

  /** The loop is going to sleep: give a signal from now on. True if there is something already, and none will come. */
  listen(): boolean {
    const ring = this.#ring;
    ring.cqEventfdToggle(true);
    return ring.cqReady > 0 || ring.hasDeferredWork;
  }

  /** The ring is looked at: no signal is needed. */
  pause(): void {
    this.#ring.cqEventfdToggle(false);
  }

  /** There was a signal. */
  reset(): void {
    this.#native.resetEventfd(this.fd);
  }

  close(): void {
    this.#forget();
    this.#native.close(this.fd);
  }
}
