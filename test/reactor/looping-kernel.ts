import {
  IORING_REGISTER_EVENTFD,
  IORING_REGISTER_RING_FDS,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SQ_TASKRUN,
} from '../../src/abi/index.ts';
import type { Handle } from '../../src/native/native.ts';
import { FakeKernel } from '../ring/fake-kernel.ts';

const EVENTFD = 2000;

/**
 * The fake kernel with an event loop beside it: an eventfd that can be registered, and a loop that calls whoever polls it. As on
 * Linux 6.12.115 to 6.12.118, the eventfd is never signalled for work that a ring with DEFER_TASKRUN has put off: such completions
 * come when the ring is entered for them.
 */
export class LoopingKernel extends FakeKernel {
  readonly #deferred: { userData: bigint; res: number; flags: number }[] = [];
  #onReadable: (() => void) | undefined;
  #hasEventfd = false;

  constructor() {
    super();
    this.registerAnswer = (opcode) => {
      if (opcode === IORING_REGISTER_EVENTFD) this.#hasEventfd = true;
      return opcode === IORING_REGISTER_RING_FDS ? -22 : 0;
    };
  }

  /** An operation in flight completes while the thread is elsewhere. */
  complete(userData: bigint, res: number, flags = 0): void {
    this.inFlight.delete(userData);
    if (this.setupFlagsTried.at(-1)! & IORING_SETUP_DEFER_TASKRUN) {
      this.#deferred.push({ userData, res, flags });
      this.sqFlags |= IORING_SQ_TASKRUN;
      return;
    }
    this.post(userData, res, flags);
    if (this.#hasEventfd) setImmediate(() => this.#onReadable?.());
  }

  override flushOverflow(): void {
    super.flushOverflow();
    this.sqFlags &= ~IORING_SQ_TASKRUN;
    for (const { userData, res, flags } of this.#deferred.splice(0)) this.post(userData, res, flags);
  }

  override eventfd(): number {
    return EVENTFD;
  }

  override poll(): never;
  override poll(_fd?: number, onReadable?: () => void): Handle {
    this.#onReadable = onReadable;
    const nothing = (): void => {};
    return { ref: nothing, unref: nothing, close: () => (this.#onReadable = undefined) };
  }
}
