import { outOfRange, wrongType } from './misuse.ts';

/** @throws {TypeError|RangeError} unless `value` is a number of milliseconds from 0 to 2^53-1. */
export function checkMilliseconds(name: string, value: unknown): asserts value is number {
  if (typeof value !== 'number') throw wrongType(name, 'of type number', value);
  if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) {
    throw outOfRange(name, 'from 0 to 2^53-1 milliseconds', value);
  }
}

/** Write `milliseconds` as a `struct __kernel_timespec`. */
export function writeTimespec(view: DataView, offset: number, milliseconds: number): void {
  const seconds = Math.floor(milliseconds / 1000);
  // At least a nanosecond for anything above zero; rounding up must not reach a whole second.
  const nanoseconds = Math.min(999_999_999, Math.ceil((milliseconds - seconds * 1000) * 1e6));
  view.setUint32(offset, seconds >>> 0, true);
  view.setUint32(offset + 4, Math.floor(seconds / 2 ** 32), true);
  view.setUint32(offset + 8, nanoseconds, true);
  view.setUint32(offset + 12, 0, true);
}
