import { ECANCELED, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM } from '../abi/errno.ts';
import type { Engine } from '../reactor/engine.ts';
import { closeNow, resetOnClose } from '../reactor/socket-calls.ts';
import { Submission, type Completion, type IoUring } from '../reactor/submission.ts';
import { clearTimeout, setTimeout } from '../reactor/timers.ts';
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

/**
 * Every connection that comes to a listening descriptor, which stays its owner's. When descriptors run out it pauses: connections
 * wait in the kernel meanwhile, and nothing spins.
 */
export class Acceptor extends Submission {
  readonly #engine: Engine;
  readonly #owner: Accepting;
  #isStopped = false;
  #isRef = true;
  #pause: NodeJS.Timeout | undefined;

  constructor(engine: Engine, owner: Accepting, fd: number) {
    super(fd);
    this.#engine = engine;
    this.#owner = owner;
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
   * Connections that it has accepted meanwhile are reset.
   */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearTimeout(this.#pause);
    if (this.#engine.cancel(this)) this.#engine.flush();
  }

  set isRef(is: boolean) {
    this.#isRef = is;
    this.#engine.keepAlive(this, is);
    if (is) this.#pause?.ref();
    else this.#pause?.unref();
  }

  override prepare(ring: IoUring): boolean {
    if (!ring.prepAcceptMultishot(this.fd, this.slot)) return false;
    this.owed = 1;
    return true;
  }

  override arrived({ res }: Completion): void {
    if (res >= 0) {
      // It came while the kernel was being asked to stop.
      if (this.#isStopped) resetNow(res);
      else this.#owner.accepted(res);
    } else if (SHORTAGES.has(res)) {
      this.#wait();
    } else if (res !== -ECONNABORTED && !(res === -ECANCELED && this.#isStopped)) {
      this.#fail(socketError(-res, 'accept'));
    }
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
  }

  #fail(error: Error): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#owner.acceptFailed(error);
  }
}

/** As the kernel does with those that nobody has accepted. */
function resetNow(fd: number): void {
  resetOnClose(fd);
  closeNow(fd);
}
