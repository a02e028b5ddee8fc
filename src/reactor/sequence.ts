import type { IoUring } from '../ring/io-uring.ts';
import type { Engine } from './engine.ts';
import { AGAIN, type Outcome } from './operation.ts';
import type { Subject } from './operation-error.ts';

/**
 * One operation, or several one after the other, behind one promise: each is prepared by {@link prepare}, and its
 * answer taken by {@link value}, which says {@link AGAIN} as long as there is another one. Cheaper than a promise for
 * each, and quicker: the next is with the kernel before any other JavaScript has run.
 */
export abstract class Sequence<T> implements Outcome<T> {
  /** The name of the present operation in errors. */
  abstract readonly name: string;
  /** Its subject, in errors. */
  abstract readonly subject: Subject | undefined;
  /** The descriptor that all of it works on; -1 if it opens its own. */
  abstract readonly fd: number;
  readonly isUnbounded = false;

  /** Write the present operation's entry. False when there is no room: it is asked again. */
  abstract prepare(ring: IoUring, userData: number): boolean;

  /** The present operation succeeded. */
  abstract value(res: number): T | Promise<T> | typeof AGAIN;

  /** It failed, or was aborted, and its memory is free: what else has to be undone is undone here. */
  abstract failed(engine: Engine, error: Error): void | Promise<T>;

  /** The present one succeeded though the sequence was aborted meanwhile. */
  discard(_engine: Engine, _res: number): void {}

  static {
    // The members that few outcomes have are not inherited from `Object.prototype`.
    Object.setPrototypeOf(this.prototype, null);
  }
}
