import { outOfRange, wrongType } from '../arguments/argument-errors.ts';

/** A length or a point of time: milliseconds as a number, fractions included; or nanoseconds as a bigint. */
export type Duration = number | bigint;

const NS_PER_S = 1_000_000_000n;

/** @throws {TypeError|RangeError} unless `value` is a number of milliseconds from 0 to 2^53-1. */
export function checkMilliseconds(name: string, value: unknown): asserts value is number {
  if (typeof value !== 'number') throw wrongType(name, 'of type number', value);
  if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) {
    throw outOfRange(name, 'from 0 to 2^53-1 milliseconds', value);
  }
}

/** @throws {TypeError|RangeError} unless `value` is from 0 to 2^53-1 milliseconds, or to 2^63-1 nanoseconds. */
export function checkDuration(name: string, value: unknown): asserts value is Duration {
  if (typeof value !== 'bigint') {
    if (typeof value !== 'number') {
      throw wrongType(name, 'of type number (milliseconds) or bigint (nanoseconds)', value);
    }
    return checkMilliseconds(name, value);
  }
  if (value < 0n || value > 0x7fff_ffff_ffff_ffffn) {
    throw outOfRange(name, 'from 0n to 2n ** 63n - 1n nanoseconds', value);
  }
}

/** Write a checked time as a `struct __kernel_timespec`. */
export function writeTimespec(view: DataView, offset: number, time: Duration): void {
  if (typeof time === 'bigint') {
    view.setBigInt64(offset, time / NS_PER_S, true);
    view.setBigInt64(offset + 8, time % NS_PER_S, true);
    return;
  }
  const seconds = Math.floor(time / 1000);
  // At least a nanosecond for anything above zero; rounding up must not reach a whole second.
  const nanoseconds = Math.min(999_999_999, Math.ceil((time - seconds * 1000) * 1e6));
  view.setUint32(offset, seconds >>> 0, true);
  view.setUint32(offset + 4, Math.floor(seconds / 2 ** 32), true);
  view.setUint32(offset + 8, nanoseconds, true);
  view.setUint32(offset + 12, 0, true);
}
