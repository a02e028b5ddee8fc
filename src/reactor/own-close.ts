import type { CallOff } from '../native/native.ts';
import { coreOf } from '../ring/ring-core.ts';
import type { Engine } from './engine.ts';
import { Sequence } from './sequence.ts';

type Ring = Parameters<Sequence<void>['prepare']>[0];

const CLOSED = Promise.resolve();

/**
 * Have `call` made just before the kernel is shown the entry that was written, which closes a guarded descriptor: the
 * guard is called off then.
 *
 * Not earlier: a worker that goes on working behind the close, and is terminated there, would leave the descriptor
 * open. And not when the kernel has closed it: a worker may be terminated wherever a function of JavaScript begins, so
 * in between, and the guard would close a number that may be another file's by then. What is left is a worker that is
 * terminated between this call and the system call that follows it: its descriptor stays open.
 */
export function beforeSubmission(ring: Ring, call: () => void): void {
  const core = coreOf(ring);
  if (core.unannounced === undefined) core.unannounced = [call];
  else core.unannounced.push(call);
}

/**
 * The close of a descriptor that nobody else would close. If the reactor is closed before the kernel is asked, close(2)
 * does it, and that is no error. Once the kernel is asked nothing else closes it: its number may be another file's.
 */
export class OwnClose extends Sequence<void> {
  readonly name = 'close';
  readonly subject = undefined;
  readonly fd: number;
  readonly #callOff: CallOff | undefined;
  #isAsked = false;

  /** @param callOff of {@link Engine.guard}, if it was called */
  constructor(fd: number, callOff: CallOff | undefined) {
    super();
    this.fd = fd;
    this.#callOff = callOff;
  }

  prepare(ring: Ring, slot: number): boolean {
    if (!ring.prepClose(this.fd, slot)) return false;
    const callOff = this.#callOff;
    if (callOff === undefined) {
      this.#isAsked = true;
    } else {
      beforeSubmission(ring, () => {
        this.#isAsked = true;
        callOff();
      });
    }
    return true;
  }

  value(): void {}

  failed(engine: Engine): void | Promise<void> {
    if (this.#isAsked) return undefined;
    engine.discard(this.fd, this.#callOff);
    return CLOSED;
  }
}
