import type { CallOff } from '../native/native.ts';
import type { Engine } from '../reactor/engine.ts';
import { beforeSubmission } from '../reactor/own-close.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { Sequence } from '../reactor/sequence.ts';

type Ring = Parameters<Sequence<unknown>['prepare']>[0];

/**
 * Opens a file, works on all of it, and closes it. Whatever ends first, the work, the reactor or the thread, the
 * descriptor is closed, and once.
 */
export abstract class WholeFile<T> extends Sequence<T> {
  readonly fd = -1;
  /** The descriptor of the file, as long as it is to be closed here; else -1. */
  protected opened = -1;
  #callOff: CallOff | undefined;

  /** The file is open. */
  protected own(io: Reactor, fd: number): void {
    this.opened = fd;
    this.#callOff = io.guard(fd);
  }

  /** Somebody else closes it from now on. What is returned calls off that the end of the thread does. */
  protected disown(): CallOff | undefined {
    this.opened = -1;
    return this.#callOff;
  }

  /**
   * Write the entry of the close. When it is submitted the kernel closes it, and its number may soon be another file's.
   */
  protected prepareClose(ring: Ring, slot: number): boolean {
    if (!ring.prepClose(this.opened, slot)) return false;
    const callOff = this.disown();
    if (callOff !== undefined) beforeSubmission(ring, callOff);
    return true;
  }

  failed(engine: Engine, _error: Error): void | Promise<T> {
    if (this.opened >= 0) engine.discard(this.opened, this.disown());
  }
}
