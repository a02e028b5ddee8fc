import type { Native } from '../native/native.ts';
import { koffiNative } from '../native/koffi.ts';
import { checkInteger, wrongValue } from './misuse.ts';

/** The largest page of any supported machine (arm64 may use 64 KiB): memory aligned to it suits them all. */
export const PAGE_SIZE_MAX = 65536;

/**
 * Zeroed memory that begins at a multiple of `alignment`, as O_DIRECT files demand: ordinary JavaScript
 * memory, collected when nothing refers to it any more.
 * @param bytes 1 … 2^32
 * @param alignment a power of two up to 2 MiB; default 4096, which suits every common disk
 * @throws {RangeError} `ERR_OUT_OF_RANGE`, or from the engine when there is no such memory
 */
export function allocateAligned(bytes: number, alignment = 4096): Uint8Array {
  return aligned(koffiNative(), bytes, alignment).bytes;
}

/** Memory that stays where it is, and its address. */
export function aligned(
  native: Native,
  bytes: number,
  alignment: number,
): { bytes: Uint8Array<ArrayBuffer>; address: number } {
  checkInteger('bytes', bytes, 1, 2 ** 32);
  checkInteger('alignment', alignment, 1, 2 ** 21);
  if (alignment & (alignment - 1)) throw wrongValue('alignment', 'it must be a power of two');
  const memory = new ArrayBuffer(bytes + alignment - 1);
  native.keepInPlace(memory);
  const base = native.addressOf(memory);
  const offset = (alignment - (base % alignment)) % alignment;
  return { bytes: new Uint8Array(memory, offset, bytes), address: base + offset };
}
