import { inspect, type InspectOptions } from 'node:util';
import {
  CQE_FLAGS,
  IORING_CQE_BUFFER_SHIFT,
  IORING_CQE_F_BUFFER,
  IORING_CQE_F_BUF_MORE,
  IORING_CQE_F_MORE,
  IORING_CQE_F_NOTIF,
  IORING_CQE_F_SOCK_NONEMPTY,
  flagNames,
} from '../abi/flags.ts';
import { resultFields, shown } from './shown.ts';

/**
 * A reaped completion (`struct io_uring_cqe`).
 *
 * The one that `forEachCompletion` hands out is a cursor: the same object for every completion, valid only
 * until the callback returns. {@link Completion.copy} makes one to keep.
 * @example
 * ring.forEachCompletion((c) => {
 *   if (c.res < 0) console.log(`operation ${c.userData} failed: ${c.res}`);
 * });
 */
export class Completion {
  /** The result: what the operation's page says (bytes, a descriptor, 0), or `-errno`. */
  res = 0;
  #userLow = 0;
  #userHigh = 0;
  #flags = 0;
  #bufferOffset = 0;
  /** Bytes in its provided buffers; -1: as many as `res` says. */
  #bufferLength = -1;
  /** The last 16 bytes of one that has 32. */
  #extra: Int32Array | undefined;

  /** Point this cursor at a completion. For the ring; a caller has no reason to. @internal */
  static set(c: Completion, userLow: number, userHigh: number, res: number, flags: number): void {
    c.#userLow = userLow;
    c.#userHigh = userHigh;
    c.res = res;
    c.#flags = flags;
  }

  /** The `userData` of the submission, or -1 if it is above 2^53-1. @internal */
  static userDataOf(c: Completion): number {
    const high = c.#userHigh;
    return high >= 0 && high < 0x20_0000 ? c.userData : -1;
  }

  /** Where in its buffers the data is. @internal */
  static setPlacement(c: Completion, offset: number, length: number): void {
    c.#bufferOffset = offset;
    c.#bufferLength = length;
  }

  /** How many bytes are in its buffers; undefined of what is no completion. @internal */
  static bufferLength(c: Completion): number | undefined {
    if (!(#bufferLength in c)) return undefined;
    return c.#bufferLength < 0 ? c.res : c.#bufferLength;
  }

  /** The last 16 bytes of one that has 32, undefined for others. @internal */
  static setExtra(c: Completion, extra: Int32Array | undefined): void {
    c.#extra = extra;
  }

  /**
   * The `userData` of the submission, exact.
   * @throws {RangeError} `ERR_OUT_OF_RANGE` above 2^53-1: read {@link Completion.userData64} then.
   */
  get userData(): number {
    const low = this.#userLow;
    if (this.#userHigh === 0) return low >= 0 ? low : low + 0x1_0000_0000;
    return wide(low, this.#userHigh);
  }

  /** The `userData` of the submission, always exact; 0 … 2^64-1. */
  get userData64(): bigint {
    return (BigInt(this.#userHigh >>> 0) << 32n) | BigInt(this.#userLow >>> 0);
  }

  /** IORING_CQE_F_* bits; the buffer id, if there is one, in the upper 16. */
  get flags(): number {
    return this.#flags >>> 0;
  }

  /** The id of the provided buffer that the kernel filled, or undefined if it used none. */
  bufferId(): number | undefined {
    return this.#flags & IORING_CQE_F_BUFFER ? this.#flags >>> IORING_CQE_BUFFER_SHIFT : undefined;
  }

  /** Will the same submission post again? If not, a multishot operation has ended and must be queued anew. */
  hasMore(): boolean {
    return (this.#flags & IORING_CQE_F_MORE) !== 0;
  }

  /**
   * May the socket hold more (or, from kernel 6.10 on, the listener more connections)? A multishot receive that ends
   * with `res` 0 and this false is the end of the stream. With this true it can be that the receive was cut short with
   * data left, and it can be the end all the same, for TCP sets it there too: queue the receive once more, and take a
   * second 0 with nothing in between for the end.
   */
  sockNonempty(): boolean {
    return (this.#flags & IORING_CQE_F_SOCK_NONEMPTY) !== 0;
  }

  /**
   * Is this the notification of a zero-copy send, that its buffer is the program's again? Then `res` tells how it went
   * if the operation asked for it: 0, or IORING_NOTIF_USAGE_ZC_COPIED (as a signed number: -2147483648), copied after
   * all.
   */
  isNotification(): boolean {
    return (this.#flags & IORING_CQE_F_NOTIF) !== 0;
  }

  /** Is the provided buffer still the kernel's, which goes on filling it? Only of incremental groups. */
  bufferMore(): boolean {
    return (this.#flags & IORING_CQE_F_BUF_MORE) !== 0;
  }

  /** The byte of the provided buffer at which this completion's data begins: 0, except in incremental groups. */
  bufferOffset(): number {
    return this.#bufferOffset;
  }

  /** The two 64-bit values that a 32-byte completion has beyond the others, or undefined if this is none. */
  bigCqe(): [bigint, bigint] | undefined {
    if (this.#extra === undefined) return undefined;
    const [a, b, c, d] = this.#extra;
    const wide = (low: number, high: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    return [wide(a, b), wide(c, d)];
  }

  /** A completion of its own, to keep after the callback. */
  copy(): Completion {
    const copy = new Completion();
    Completion.set(copy, this.#userLow, this.#userHigh, this.res, this.#flags);
    copy.#bufferOffset = this.#bufferOffset;
    copy.#bufferLength = this.#bufferLength;
    copy.#extra = this.#extra?.slice();
    return copy;
  }

  toJSON(): { userData: number | string; res: number; flags: number } {
    const exact = this.userData64;
    const userData = exact <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(exact) : `${exact}`;
    return { userData, res: this.res, flags: this.flags };
  }

  /** For console.log. */
  [inspect.custom](depth: number, options: InspectOptions, show: typeof inspect): string {
    return shown(
      'Completion',
      () => ({
        userData: this.userData64 <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(this.userData64) : this.userData64,
        ...resultFields(this.res),
        flags: flagNames(CQE_FLAGS, this.flags & 0xffff),
        ...(this.bufferId() === undefined ? {} : { bufferId: this.bufferId() }),
      }),
      depth,
      options,
      show,
    );
  }
}

function wide(low: number, high: number): number {
  const value = (high >>> 0) * 0x1_0000_0000 + (low >>> 0);
  if (value > Number.MAX_SAFE_INTEGER) {
    const exact = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    const message = `The userData ${exact} is above 2^53-1 and not exact as a number: read userData64`;
    throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
  }
  return value;
}
