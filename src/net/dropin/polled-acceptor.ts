import { EAGAIN, ECANCELED, ECONNABORTED } from '../../abi/errno.ts';
import { POLLIN } from '../../abi/event-flags.ts';
import type { Completion, IoUring } from '../../reactor/submission.ts';
import { nextTick, setImmediate } from '../../native/timers.ts';
import { AnyAcceptor } from '../transport/any-acceptor.ts';
import { acceptOn } from '../transport/socket-calls.ts';
import { socketError } from '../transport/socket-error.ts';

/** So many connections are accepted before others get their turn. */
const A_TURN = 16;

const SETTLED = Promise.resolve();

/**
 * Every connection that comes to a listening descriptor. Unlike {@link Acceptor} it accepts a connection when it hands
 * it over, and not before: what its owner does not want any more stays with the kernel, which resets it when the
 * descriptor is closed.
 */
export class PolledAcceptor extends AnyAcceptor {
  override get isEvent(): boolean {
    return true;
  }

  /**
   * Submitted in the call: a poll of a descriptor that is readable already takes longer than that of one who connects
   * in this tick, and would hear of its connection.
   */
  override start(): void {
    super.start();
    this.engine.flush();
  }

  override prepare(ring: IoUring): boolean {
    if (!ring.prepPollAdd(this.fd, POLLIN, this.slot, { multishot: true })) return false;
    this.owed = 1;
    return true;
  }

  protected override received({ res }: Completion): void {
    if (res >= 0) this.#accept(A_TURN);
    else if (res !== -ECANCELED) this.fail(socketError(-res, 'accept'));
  }

  /**
   * Accept the next one. Each is handed over in a tick of its own, as with Node: a tick that a microtask asks for comes
   * when what the one before has set off is done.
   */
  #accept(left: number): void {
    if (this.isStopped) return;
    if (left === 0) return this.waitFor(setImmediate(this.#goOn));
    const fd = acceptOn(this.fd);
    if (fd >= 0) {
      this.owner.accepted(fd);
      void SETTLED.then(() => nextTick(this.#next, left - 1));
    } else if (fd === -ECONNABORTED) {
      this.#accept(left - 1);
    } else if (this.isShortage(fd)) {
      this.pause(this.#goOn);
    } else if (fd !== -EAGAIN) {
      this.fail(socketError(-fd, 'accept'));
    }
  }

  readonly #next = (left: number): void => this.#accept(left);
  readonly #goOn = (): void => this.#accept(A_TURN);
}
