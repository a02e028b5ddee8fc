import { outOfRange, wrongType } from './argument-errors.ts';

/** A caller's mark on an operation, given back with its completions: a number 0 … 2^53-1 or a bigint 0 … 2^64-1. */
export type UserData = number | bigint;

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
