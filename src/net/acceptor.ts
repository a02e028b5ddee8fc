import { ECANCELED, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM } from '../abi/errno.ts';
import type { Engine } from '../reactor/engine.ts';
import { closeNow, resetOnClose } from './socket-calls.ts';
import { ArmedMultishot } from '../reactor/engine/armed-multishot.ts';
import type { Completion, IoUring } from '../reactor/submission.ts';
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
export class Acceptor extends ArmedMultishot {
  readonly #owner: Accepting;
  #isStopped = false;
  #isRef = true;
  #pause: NodeJS.Timeout | undefined;

  constructor(engine: Engine, owner: Accepting, fd: number) {
    super(engine, fd);
    this.#owner = owner;
  }

  start(): void {
    this.arm();
  }

  /**
   * Accept no more. The kernel lets go of the descriptor before this returns: it may be closed, and its address used again.
   * Connections that it has accepted meanwhile are reset.
   */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearTimeout(this.#pause);
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
    if (!ring.prepAcceptMultishot(this.fd, this.slot)) return false;
    this.owed = 1;
    return true;
  }

  protected override received({ res }: Completion): void {
    if (res >= 0) {
      // It came while the kernel was being asked to stop.
      if (this.#isStopped) resetNow(res);
      else this.#owner.accepted(res);
    } else if (SHORTAGES.has(res)) {
      this.#wait();
    } else if (res !== -ECONNABORTED && !(res === -ECANCELED && this.state === 'stopping')) {
      this.#fail(socketError(-res, 'accept'));
    }
  }

  #wait(): void {
    if (this.#isStopped) return;
    this.starve();
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.fed();
    }, PAUSE_MS);
    if (!this.#isRef) this.#pause.unref();
  }

  protected override left(): void {
    if (!this.#isStopped) this.arm();
  }

  protected override resumed(): void {
    if (!this.#isStopped) this.arm();
  }

  /** Another one that waited on this descriptor was cancelled, and may have had the only wake-up. */
  override rouse(): void {
    if (!this.#isStopped) this.halt();
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

/** As the kernel does with those that nobody has accepted. */
function resetNow(fd: number): void {
  resetOnClose(fd);
  closeNow(fd);
}
