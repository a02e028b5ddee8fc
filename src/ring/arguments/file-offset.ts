import { outOfRange, wrongType } from './argument-errors.ts';

/** A position in a file in bytes: 0 … 2^53-1, or a bigint up to 2^63-1. -1, null or nothing: the file's own. */
export type FileOffset = number | bigint | null;

/** A checked position; -1 for the file's own. */
export function filePosition(offset: FileOffset | undefined): number | bigint {
  if (offset === undefined || offset === null) return -1;
  checkOffset(offset);
  return offset;
}

export function checkOffset(offset: number | bigint): void {
  if (typeof offset === 'number') {
    if (Number.isSafeInteger(offset) && offset >= -1) return;
    throw outOfRange('offset', 'an integer from 0 to 2^53-1, or -1', offset);
  }
  if (typeof offset !== 'bigint') throw wrongType('offset', 'of type number or bigint', offset);
  if (offset < -1n || offset > 0x7fff_ffff_ffff_ffffn) {
    throw outOfRange('offset', 'from -1n to 2n ** 63n - 1n', offset);
  }
}

/** A position or a length that is meant as such. */
export function checkPosition(name: string, value: number | bigint): number | bigint {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && value >= 0) return value;
    throw outOfRange(name, 'an integer from 0 to 2^53-1', value);
  }
  if (typeof value !== 'bigint') throw wrongType(name, 'of type number or bigint', value);
  if (value < 0n || value > 0x7fff_ffff_ffff_ffffn) throw outOfRange(name, 'from 0n to 2n ** 63n - 1n', value);
  return value;
}
