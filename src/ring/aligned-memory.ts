import type { Native } from '../native/native.ts';
import { koffiNative } from '../native/koffi.ts';
import { checkInteger, wrongValue } from './misuse.ts';

/** The largest page of any supported machine (arm64 may use 64 KiB): memory aligned to it suits them all. */
export const PAGE_SIZE_MAX = 65536;

/**
 * Zeroed memory that begins at a multiple of `alignment`, as O_DIRECT files demand. It is ordinary JavaScript memory,
 * collected when nothing refers to it any more. From 16 KiB on nothing can detach or transfer it: the safest there is
 * to lend.
 * @param bytes 1 … 2^31
 * @param alignment a power of two up to 65536; default 4096, which suits every common disk
 * @throws {RangeError} `ERR_OUT_OF_RANGE`, or from the engine when there is no such memory
 */
export function allocateAligned(bytes: number, alignment = 4096): Uint8Array<ArrayBuffer> {
  return alignedForLending(koffiNative(), bytes, alignment).bytes;
}

/** Where memory is. It stays there. */
export interface Aligned {
  bytes: Uint8Array<ArrayBuffer>;
  address: number;
}

/** Memory that callers get to see: see {@link allocateAligned}. */
export function alignedForLending(native: Native, bytes: number, alignment: number): Aligned {
  check(bytes, alignment);
  const memory = undetachable(bytes + alignment - 1) ?? new ArrayBuffer(bytes + alignment - 1);
  return cut(native, memory, bytes, alignment);
}

/** Memory for the ring's own use. */
export function aligned(native: Native, bytes: number, alignment: number): Aligned {
  check(bytes, alignment);
  return cut(native, new ArrayBuffer(bytes + alignment - 1), bytes, alignment);
}

function check(bytes: number, alignment: number): void {
  checkInteger('bytes', bytes, 1, 2 ** 31);
  checkInteger('alignment', alignment, 1, PAGE_SIZE_MAX);
  if (alignment & (alignment - 1)) throw wrongValue('alignment', 'it must be a power of two');
}

function cut(native: Native, memory: ArrayBuffer, bytes: number, alignment: number): Aligned {
  native.keepInPlace(memory);
  const base = native.addressOf(memory);
  const offset = (alignment - (base % alignment)) % alignment;
  return { bytes: new Uint8Array(memory, offset, bytes), address: base + offset };
}

const WASM_PAGE = 65536;

/** Its types come with the browser's, which this project has not. */
declare const WebAssembly: {
  Memory: new (descriptor: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
};

/**
 * The one kind of ArrayBuffer that an engine never detaches on anybody's request: the memory of a WebAssembly
 * instance; here of none, and of a fixed size, so that it cannot grow either. Small pieces are not worth a page of
 * 64 KiB and its address space. Undefined where WebAssembly is switched off or address space is short.
 */
function undetachable(bytes: number): ArrayBuffer | undefined {
  if (bytes < 16384) return undefined;
  const pages = Math.ceil(bytes / WASM_PAGE);
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer;
  } catch {
    return undefined;
  }
}
