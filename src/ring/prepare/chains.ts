import { ECANCELED } from '../../abi/errno.ts';
import { IORING_CQE_F_MORE } from '../../abi/flags.ts';
import { IORING_OP_LINK_TIMEOUT } from '../../abi/operations.ts';
import { Lease, type Pins } from '../pins.ts';

/**
 * Linked operations some of which lend memory and complete without a word (IOSQE_CQE_SKIP_SUCCESS). Nothing says when
 * such a one is done, except the ones behind it: they start when it is. So every member holds a slot, and a completion
 * of one lets go of all before it.
 *
 * One that was to be silent and completes has failed. The kernel then cancels the ones behind it, without a word too,
 * unless the links are hard: those run. What cannot be told apart keeps its memory until the ring is closed: a hard
 * chain that the kernel refuses as a whole, one that is cancelled behind an operation that speaks, one that the kernel
 * took in portions.
 */
export class SilentChain {
  readonly #pins: Pins;
  readonly #members: ChainMember[] = [];
  /** Does the chain begin with operations that speak, before the first of the members? */
  readonly #spokenFor: boolean;
  /** The kernel took it in portions: the members of one do not wait for those of the other any more. */
  isBroken = false;

  constructor(pins: Pins, spokenFor: boolean) {
    this.#pins = pins;
    this.#spokenFor = spokenFor;
  }

  /** The next member went to `slot`. */
  add(member: ChainMember, slot: number): void {
    member.slot = slot;
    member.keyLow = this.#pins.keyLow(slot);
    member.keyHigh = this.#pins.keyHigh(slot);
    this.#members.push(member);
  }

  /** A member posted its last completion. It is let go of by the reaper itself. */
  completed(member: ChainMember, res: number): void {
    if (this.isBroken) return;
    const own = this.#members.indexOf(member);
    const { silent, hard } = member;
    if (this.#isTimeout(member)) {
      // When the time is up first, the operation before it completes after it, and has failed: it says so itself.
      if (res === -ECANCELED) this.#releaseSilent(own);
      return;
    }
    this.#releaseSilent(own);
    // That it says something says that it failed; a transfer that came out short counts as that. Unless one before it
    // failed that speaks: then all behind that one say that they were cancelled.
    const speaksBefore = this.#spokenFor || this.#members.slice(0, own).some((before) => !before.silent);
    if (!silent || hard || (res === -ECANCELED && speaksBefore)) return;
    this.#members.slice(own + 1).forEach((cancelled) => this.#release(cancelled));
  }

  /** Those before `own` are done. The others among them say so themselves, a zero-copy send long after it was done. */
  #releaseSilent(own: number): void {
    for (const member of this.#members.slice(0, own)) if (member.silent) this.#release(member);
  }

  #release(member: ChainMember): void {
    // A time limit always completes by itself.
    const isOurs = this.#pins.slotOf(member.keyLow, member.keyHigh) === member.slot;
    const held = isOurs && !this.#isTimeout(member);
    if (held) this.#pins.release(member.slot);
  }

  #isTimeout({ slot }: ChainMember): boolean {
    return this.#pins.opcode(slot) === IORING_OP_LINK_TIMEOUT;
  }
}

/** The thing that a member of such a chain holds. */
export class ChainMember extends Lease {
  readonly #chain: SilentChain;
  slot = -1;
  keyLow = 0;
  keyHigh = 0;
  /** Will it complete without a word? */
  silent = false;
  /** Do those behind it run even if it fails? */
  hard = false;

  constructor(lent: unknown, chain: SilentChain) {
    super(lent);
    this.#chain = chain;
  }

  override complete(res: number, flags: number): number | undefined {
    const seen = super.complete(res, flags);
    if (seen !== undefined && (flags & IORING_CQE_F_MORE) === 0) this.#chain.completed(this, res);
    return seen;
  }
}
