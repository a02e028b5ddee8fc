import { EAGAIN, ECANCELED, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM } from '../abi/errno.ts';
import { POLLIN } from '../abi/event-flags.ts';
import type { Engine } from '../reactor/engine.ts';
import { acceptOn } from '../reactor/socket-calls.ts';
import { Submission, type Completion, type IoUring } from '../reactor/submission.ts';
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
export class PolledAcceptor extends Submission {
  readonly #engine: Engine;
  readonly #owner: Accepting;
  readonly #fd: number;
  #isStopped = false;
  #isRef = true;
  /** Tries again. */
  #pause: NodeJS.Timeout | NodeJS.Immediate | undefined;

  constructor(engine: Engine, owner: Accepting, fd: number) {
    super();
    this.#engine = engine;
    this.#owner = owner;
    this.#fd = fd;
  }

  override get fd(): number {
    return this.#fd;
  }

  override get waits(): boolean {
    return true;
  }

  override get isEvent(): boolean {
    return true;
  }

  override get endless(): boolean {
    return true;
  }

  /**
   * Submitted in the call: a poll of a descriptor that is readable already takes longer than that of one who connects in this tick, and
   * would hear of his connection.
   */
  start(): void {
    this.#engine.submit(this);
    this.#engine.flush();
  }

  /** Accept no more. The kernel lets go of the descriptor before this returns: it may be closed, and its address used again. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    if (this.#engine.cancel(this)) this.#engine.flush();
  }

  set isRef(is: boolean) {
    this.#isRef = is;
    this.#engine.keepAlive(this, is);
    if (is) this.#pause?.ref();
    else this.#pause?.unref();
  }

  override prepare(ring: IoUring): boolean {
    if (!ring.prepPollAdd(this.#fd, POLLIN, this.slot, { multishot: true })) return false;
    this.owed = 1;
    return true;
  }

  override arrived({ res }: Completion): void {
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
    const fd = acceptOn(this.#fd);
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

  override over(): void {
    if (!this.#isStopped) this.#engine.submit(this);
  }

  override cancelled(error: Error): void {
    this.#fail(error);
  }

  override refused(error: Error): void {
    this.#fail(error);
  }

  #fail(error: Error): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#owner.acceptFailed(error);
  }
}
