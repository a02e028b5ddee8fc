import type { CallOff } from '../native/native.ts';
import type { Engine } from './engine.ts';
import { Sequence } from './sequence.ts';

type Ring = Parameters<Sequence<void>['prepare']>[0];

const CLOSED = Promise.resolve();

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
    this.#isAsked = true;
    this.#callOff?.();
    return true;
  }

  value(): void {}

  failed(engine: Engine): void | Promise<void> {
    if (this.#isAsked) return undefined;
    engine.discard(this.fd, this.#callOff);
    return CLOSED;
  }
}
