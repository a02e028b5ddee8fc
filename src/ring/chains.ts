import { IORING_CQE_F_MORE } from '../abi/flags.ts';
import { Lease, type Pins } from './pins.ts';

/**
 * Linked operations some of which lend memory and complete without a word (IOSQE_CQE_SKIP_SUCCESS). Nothing says when
 * such a one is done, except the ones behind it: they start when it is. So every member holds a slot, and a completion
 * of one lets go of all before it.
 *
 * One that was to be silent and completes has failed. The kernel then cancels the ones behind it, without a word too,
 * unless the links are hard.
 */
export class SilentChain {
  readonly #pins: Pins;
  readonly #slots: number[] = [];
  readonly #keys: number[] = [];
  readonly #silent = new Set<number>();

  constructor(pins: Pins) {
    this.#pins = pins;
  }

  add(slot: number): void {
    this.#slots.push(slot);
    this.#keys.push(this.#pins.keyHigh(slot));
  }

  silence(slot: number): void {
    this.#silent.add(slot);
  }

  /** A member posted its last completion. It is let go of by the reaper itself. */
  completed(member: ChainMember, failed: boolean): void {
    const pins = this.#pins;
    const own = this.#slots.findIndex((slot, i) => pins.has(slot, this.#keys[i]) && pins.lent(slot) === member);
    if (own < 0) return;
    for (let i = 0; i < own; i++) this.#release(i);
    const cancelled = failed && this.#silent.has(this.#slots[own]) && !member.hard;
    if (cancelled) for (let i = own + 1; i < this.#slots.length; i++) this.#release(i);
  }

  #release(i: number): void {
    if (this.#pins.has(this.#slots[i], this.#keys[i])) this.#pins.release(this.#slots[i]);
  }
}

/** What a member of such a chain holds. */
export class ChainMember extends Lease {
  readonly #chain: SilentChain;
  /** Do those behind it run even if it fails? */
  hard = false;

  constructor(lent: unknown, chain: SilentChain) {
    super(lent);
    this.#chain = chain;
  }

  override complete(res: number, flags: number): number | undefined {
    const seen = super.complete(res, flags);
    if (seen !== undefined && (flags & IORING_CQE_F_MORE) === 0) this.#chain.completed(this, res < 0);
    return seen;
  }
}
