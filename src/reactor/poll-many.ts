import { IORING_OP_POLL_ADD } from '../abi/operations.ts';
import { checkFd } from '../ring/arguments/entry-fields.ts';
import type { Completion } from '../ring/completion.ts';
import { checkUint32 } from '../ring/arguments/argument-errors.ts';
import type { IoUring } from '../ring/io-uring.ts';
import type { Engine } from './engine.ts';
import { Multishot, type ManyOptions } from './multishot.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';

const FORM = ownOptions({ opcode: IORING_OP_POLL_ADD, variant: 'multishot' });

/** pollMany: what happened on a descriptor. Events that nobody took yet come as one. */
export class PollEvents extends Multishot<number> {
  readonly #mask: number;

  constructor(engine: Engine, fd: number, mask: number, options: ManyOptions | undefined) {
    super(engine, 'poll', FORM, checkFd('fd', fd), options);
    this.#mask = checkUint32('mask', mask);
  }

  override prepare(ring: IoUring): boolean {
    if (!ring.prepPollAdd(this.fd, this.#mask, this.slot, { multishot: true, level: false })) return false;
    this.owed = 1;
    return true;
  }

  protected override take({ res }: Completion): void {
    if (res < 0) return this.fail(res);
    if (this.lastItem === undefined) this.push(res);
    else this.lastItem |= res;
  }

  protected override releaser(): () => void {
    return () => {};
  }
}
