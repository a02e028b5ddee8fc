import { EAGAIN, ECANCELED, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM } from '../abi/errno.ts';
import { POLLIN } from '../abi/event-flags.ts';
import type { Engine } from '../reactor/engine.ts';
import { acceptOn } from './socket-calls.ts';
import { ArmedMultishot } from '../reactor/engine/armed-multishot.ts';
import type { Completion, IoUring } from '../reactor/submission.ts';
import { nextTick, setImmediate, setTimeout } from '../reactor/timers.ts';
import type { Accepting } from './acceptor.ts';
import { socketError } from './socket-error.ts';

/** Milliseconds after which it is tried again when there were no descriptors, or no memory, for another connection. */
const PAUSE_MS = 50;
/** So many connections are accepted before others get their turn. */
const A_TURN = 16;

const SETTLED = Promise.resolve();

const SHORTAGES = new Set([-EMFILE, -ENFILE, -ENOMEM, -ENOBUFS]);

/**
 * Every connection that comes to a listening descriptor, which stays its owner's. Unlike {@link Acceptor} it accepts a connection when it
 * hands it over, and not before: what its owner does not want any more stays with the kernel, which resets it when the descriptor is closed.
 */
export class PolledAcceptor extends ArmedMultishot {
  readonly #owner: Accepting;
  #isStopped = false;
  #isRef = true;
  /** Tries again. */
  #pause: NodeJS.Timeout | NodeJS.Immediate | undefined;

  constructor(engine: Engine, owner: Accepting, fd: number) {
    super(engine, fd);
    this.#owner = owner;
  }

  override get isEvent(): boolean {
    return true;
  }

  start(): void {
    this.arm();
  }

  /** Accept no more. The kernel lets go of the descriptor before this returns: it may be closed, and its address used again. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.halt();
    if (this.isUnderWay) this.engine.flush();
  }

  set isRef(is: boolean) {
    this.#isRef = is;
    this.engine.keepAlive(this, is);
    if (is) this.#pause?.ref();
    else this.#pause?.unref();
  }

  override prepare(ring: IoUring): boolean {
    if (!ring.prepPollAdd(this.fd, POLLIN, this.slot, { multishot: true })) return false;
    this.owed = 1;
    return true;
  }

  protected override received({ res }: Completion): void {
    if (res >= 0) this.#accept(A_TURN);
    else if (res !== -ECANCELED) this.#fail(socketError(-res, 'accept'));
  }

  /**
   * Accept the next one. Each is handed over in a tick of its own, as with Node: a tick that a microtask asks for comes when what
   * the one before has set off is done.
   */
  #accept(left: number): void {
    if (this.#isStopped) return;
    if (left === 0) return this.#again(setImmediate(this.#goOn));
    const fd = acceptOn(this.fd);
    if (fd >= 0) {
      this.#owner.accepted(fd);
      void SETTLED.then(() => nextTick(this.#next, left - 1));
    } else if (fd === -ECONNABORTED) {
      this.#accept(left - 1);
    } else if (SHORTAGES.has(fd)) {
      this.#again(setTimeout(this.#goOn, PAUSE_MS));
    } else if (fd !== -EAGAIN) {
      this.#fail(socketError(-fd, 'accept'));
    }
  }

  readonly #next = (left: number): void => this.#accept(left);
  readonly #goOn = (): void => this.#accept(A_TURN);

  #again(pause: NodeJS.Timeout | NodeJS.Immediate): void {
    this.#pause = pause;
    if (!this.#isRef) pause.unref();
  }

  protected override left(): void {
    if (!this.#isStopped) this.arm();
  }

  override cancelled(error: Error): void {
    this.#fail(error);
  }

  protected override lost(error: Error): void {
    this.#fail(error);
  }

  #fail(error: Error): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#owner.acceptFailed(error);
  }
}
