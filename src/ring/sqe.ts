import type { CompletionQueue } from './completion-queue.ts';
import type { Holdings } from './holdings.ts';
import type { LentMemory } from './lent-memory.ts';
import { wrongState, outOfRange, wrongType } from './misuse.ts';
import { KEY_MASK, type Pins } from './pins.ts';
import type { SubmissionQueue } from './submission-queue.ts';

/** A caller's mark on an operation, given back with its completions: a number 0 … 2^53-1 or a bigint 0 … 2^64-1. */
export type UserData = number | bigint;

/** Holds the slot of an operation that lends nothing but whose userData looks like one of our keys. */
const NOTHING = null;

/**
 * The base of every prep method: checks the arguments that all operations share and writes the entry.
 * The methods themselves stand in `prepare-control.ts`, `prepare-file.ts` and `prepare-net.ts`; the ring
 * is the last of that line.
 */
export abstract class SqePreparation {
  /** @internal */
  declare protected readonly sq: SubmissionQueue;
  /** @internal */
  declare protected readonly cq: CompletionQueue;
  /** @internal */
  declare protected readonly pins: Pins;
  /** @internal */
  declare protected readonly memory: LentMemory;
  /** @internal */
  declare protected readonly holdings: Holdings;

  /** @internal */
  constructor(holdings: Holdings, memory: LentMemory) {
    const { sq, cq, pins } = holdings;
    // Not enumerable: nobody who prints or copies a ring walks into memory that is unmapped one day.
    for (const [name, value] of Object.entries({ sq, cq, pins, memory, holdings })) {
      Object.defineProperty(this, name, { value });
    }
  }

  /**
   * Queue one operation. All arguments but `userData` are the entry's own fields, as 32-bit numbers.
   * `lent` is what must stay alive until the last completion; undefined when nothing is.
   * @returns false when the submission queue is full; nothing was queued then.
   * @internal
   */
  protected queue(
    opcode: number,
    flags: number,
    ioprio: number,
    fd: number,
    offLow: number,
    offHigh: number,
    addrLow: number,
    addrHigh: number,
    len: number,
    opFlags: number,
    bufGroup: number,
    userData: UserData,
    lent: unknown,
  ): boolean {
    // Nearly all values are small: one comparison tells, without floating-point arithmetic.
    const small = typeof userData === 'number' && userData >>> 0 === userData;
    let low = userData as number;
    let high = 0;
    if (!small) {
      checkUserData('userData', userData);
      low = lowWord(userData);
      high = highWord(userData);
    }
    const { sq, pins } = this;
    if (sq.isFull()) return this.#refuse();
    // A tag is never 0, so a small value is never taken for a key.
    if (lent !== undefined || (!small && (high & KEY_MASK) === pins.tag)) {
      low = pins.hold(low, high, lent === undefined ? NOTHING : lent);
      high = pins.keyHigh(low);
    }
    sq.push(
      opcode, flags, ioprio, fd, offLow, offHigh, addrLow, addrHigh, len, opFlags, low, high, bufGroup,
    );
    return true;
  }

  /** The queue is full, or it is closed and has no entries any more. */
  #refuse(): boolean {
    this.checkOpen();
    return false;
  }

  /** @throws {Error} `ERR_IOURING_CLOSED` @internal */
  protected checkOpen(): void {
    if (this.holdings.closed) {
      throw wrongState('ERR_IOURING_CLOSED', 'Cannot use ring: it is closed');
    }
  }
}

/**
 * A descriptor as the entry's `fd` field. The kernel answers EBADF for one that is not open; an integer that
 * no descriptor can be becomes -1, so that it gets the same answer and never names another file by wrapping.
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE` not an integer
 */
export function checkFd(name: string, fd: number): number {
  if (typeof fd === 'number' && (fd | 0) === fd) return fd;
  if (!Number.isInteger(fd)) throw wrongType(name, 'an integer', fd);
  return -1;
}

/** @throws {RangeError|TypeError} unless `value` is an integer from 0 to 2^53-1 or a bigint from 0 to 2^64-1. */
export function checkUserData(name: string, value: UserData): void {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && value >= 0) return;
    throw outOfRange(name, 'an integer from 0 to 2^53-1, or a bigint', value);
  }
  if (typeof value !== 'bigint') throw wrongType(name, 'of type number or bigint', value);
  if (value < 0n || value > 0xffff_ffff_ffff_ffffn) {
    throw outOfRange(name, 'from 0n to 2n ** 64n - 1n', value);
  }
}

/** The low 32 bits of a checked 64-bit value, signed. */
export function lowWord(value: number | bigint): number {
  return typeof value === 'number' ? value | 0 : Number(BigInt.asIntN(32, value));
}

/** The high 32 bits of a checked 64-bit value, signed. */
export function highWord(value: number | bigint): number {
  return typeof value === 'number'
    ? Math.floor(value / 0x1_0000_0000) | 0
    : Number(BigInt.asIntN(32, value >> 32n));
}
