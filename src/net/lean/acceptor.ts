import { ECANCELED, ECONNABORTED } from '../../abi/errno.ts';
import type { Completion, IoUring } from '../../reactor/submission.ts';
import { AnyAcceptor } from './any-acceptor.ts';
import { closeNow, resetOnClose } from '../transport/socket-calls.ts';
import { socketError } from '../transport/socket-error.ts';

/**
 * Every connection that comes to a listening descriptor: the kernel accepts each, and goes on. Those that it has
 * accepted while it is being stopped are reset.
 */
export class Acceptor extends AnyAcceptor {
  override prepare(ring: IoUring): boolean {
    if (!ring.prepAcceptMultishot(this.fd, this.slot)) return false;
    this.owed = 1;
    return true;
  }

  protected override received({ res }: Completion): void {
    if (res >= 0) {
      // It came while the kernel was being asked to stop.
      if (this.isStopped) resetNow(res);
      else this.owner.accepted(res);
    } else if (this.isShortage(res)) {
      this.#starveForAWhile();
    } else if (res !== -ECONNABORTED && !(res === -ECANCELED && this.state === 'stopping')) {
      this.fail(socketError(-res, 'accept'));
    }
  }

  #starveForAWhile(): void {
    if (this.isStopped) return;
    this.starve();
    this.pause(() => this.fed());
  }

  /** Another one that waited on this descriptor was cancelled, and may have had the only wake-up. */
  override rearm(): void {
    if (!this.isStopped) this.halt();
  }
}

/** As the kernel does with those that nobody has accepted. */
function resetNow(fd: number): void {
  resetOnClose(fd);
  closeNow(fd);
}
