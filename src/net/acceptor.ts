import { ECANCELED, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM } from '../abi/errno.ts';
import type { Engine } from '../reactor/engine.ts';
import { closeNow } from '../reactor/socket-calls.ts';
import { Submission, type Completion, type IoUring } from '../reactor/submission.ts';
import { socketError } from './socket-error.ts';

/** Milliseconds after which it is tried again when there were no descriptors, or no memory, for another connection. */
const PAUSE_MS = 50;

const SHORTAGES = new Set([-EMFILE, -ENFILE, -ENOMEM, -ENOBUFS]);

/** Who accepts. */
export interface Accepting {
  /** A connection. The descriptor is his. */
  accepted(fd: number): void;
  /** Nothing more will come. */
  acceptFailed(error: Error): void;
}

/** Who wants the connections that the kernel had accepted before it stopped. */
export interface Remainder {
  accepted(fd: number): void;
  /** There are no more. */
  over(): void;
}

/**
 * Every connection that comes to a listening descriptor, which stays its owner's. When descriptors run out it pauses: connections
 * wait in the kernel meanwhile, and nothing spins.
 */
export class Acceptor extends Submission {
  readonly #engine: Engine;
  readonly #owner: Accepting;
  readonly #fd: number;
  #isStopped = false;
  #isRef = true;
  #pause: NodeJS.Timeout | undefined;
  #remainder: Remainder | undefined;

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

  override get endless(): boolean {
    return true;
  }

  start(): void {
    this.#engine.submit(this);
  }

  /**
   * Accept no more. The kernel lets go of the descriptor before this returns: it may be closed, and its address used again.
   * Connections that it has accepted meanwhile are closed. A `remainder` gets them, and those who had connected already when this was
   * called, and is told when it has them all: true if it will be.
   */
  stop(remainder?: Remainder): boolean {
    if (this.#isStopped) return false;
    // Those whom the kernel has not looked at yet.
    if (remainder !== undefined) this.#engine.flush();
    this.#isStopped = true;
    clearTimeout(this.#pause);
    if (this.slot < 0 && !this.queued) return false;
    if (!this.#engine.cancel(this)) return false;
    this.#remainder = remainder;
    this.#engine.flush();
    return remainder !== undefined;
  }

  set isRef(is: boolean) {
    this.#isRef = is;
    this.#engine.keepAlive(this, is);
    if (is) this.#pause?.ref();
    else this.#pause?.unref();
  }

  override prepare(ring: IoUring): boolean {
    if (!ring.prepAcceptMultishot(this.#fd, this.slot)) return false;
    this.owed = 1;
    return true;
  }

  override arrived({ res }: Completion): void {
    if (res >= 0) {
      // It came while the kernel was being asked to stop.
      if (this.#isStopped) this.#late(res);
      else this.#owner.accepted(res);
    } else if (SHORTAGES.has(res)) {
      this.#wait();
    } else if (res !== -ECONNABORTED && !(res === -ECANCELED && this.#isStopped)) {
      this.#fail(socketError(-res, 'accept'));
    }
  }

  #late(fd: number): void {
    if (this.#remainder === undefined) closeNow(fd);
    else this.#remainder.accepted(fd);
  }

  #wait(): void {
    if (this.#isStopped) return;
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#engine.submit(this);
    }, PAUSE_MS);
    if (!this.#isRef) this.#pause.unref();
  }

  override over(): void {
    this.#remainder?.over();
    if (!this.#isStopped && this.#pause === undefined) this.#engine.submit(this);
  }

  /** Another one that waited on this descriptor was cancelled, and may have had the only wake-up. */
  override rouse(): void {
    if (!this.#isStopped && this.slot >= 0) this.#engine.cancel(this);
  }

  override cancelled(error: Error): void {
    this.#fail(error);
  }

  override refused(error: Error): void {
    this.#fail(error);
    this.#remainder?.over();
  }

  #fail(error: Error): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#owner.acceptFailed(error);
  }
}
