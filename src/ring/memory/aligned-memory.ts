import type { Native } from '../../native/native.ts';
import { koffiNative } from '../../native/koffi.ts';
import { checkInteger, wrongValue } from '../arguments/argument-errors.ts';
import { fixedMemory, vouchFor } from './webassembly-memory.ts';

/** The largest page of any supported machine (arm64 may use 64 KiB): memory aligned to it suits them all. */
export const PAGE_SIZE_MAX = 65536;

/**
 * Zeroed memory that begins at a multiple of `alignment`, as O_DIRECT files demand. Nothing can detach or transfer it,
 * and it lies outside of the heap: the safest there is to lend, also in a worker, which may be terminated while a disk
 * fills it. It is given back when nothing refers to it any more. (Where WebAssembly is switched off, or address
 * space is short, it is ordinary memory.)
 *
 * Pieces below 16 KiB share their ArrayBuffer with others: `byteOffset` and `byteLength` tell which part of it is
 * theirs.
 * @param bytes 1 … 2^31
 * @param alignment a power of two up to 65536; default 4096, which suits every common disk
 * @throws {RangeError} `ERR_OUT_OF_RANGE`, or from the engine when there is no such memory
 * @example
 * import { allocateAligned } from 'iouring';
 *
 * const block = allocateAligned(4096, 4096); // fit for O_DIRECT
 * await io.read(fd, block, { offset: 0 });
 */
export function allocateAligned(bytes: number, alignment = 4096): Uint8Array<ArrayBuffer> {
  return alignedForLending(koffiNative(), bytes, alignment).bytes;
}

/** Where memory is. It stays there. */
export interface Aligned {
  bytes: Uint8Array<ArrayBuffer>;
  address: number;
}

/** Memory that the kernel uses beyond a call, or that callers get to see: see {@link allocateAligned}. */
export function alignedForLending(native: Native, bytes: number, alignment: number): Aligned {
  check(bytes, alignment);
  const needed = bytes + alignment - 1;
  if (needed < OWN_BYTES) return piece(native, bytes, alignment) ?? aligned(native, bytes, alignment);
  const memory = undetachable(needed);
  if (memory === undefined) return aligned(native, bytes, alignment);
  return cut(memory, native.addressOf(memory), bytes, alignment);
}

/** Memory for the ring's own use, during calls. */
export function aligned(native: Native, bytes: number, alignment: number): Aligned {
  check(bytes, alignment);
  const memory = new ArrayBuffer(bytes + alignment - 1);
  native.keepInPlace(memory);
  return cut(memory, native.addressOf(memory), bytes, alignment);
}

function check(bytes: number, alignment: number): void {
  checkInteger('bytes', bytes, 1, 2 ** 31);
  checkInteger('alignment', alignment, 1, PAGE_SIZE_MAX);
  if (alignment & (alignment - 1)) throw wrongValue('alignment', 'it must be a power of two');
}

function cut(memory: ArrayBuffer, base: number, bytes: number, alignment: number, from = 0): Aligned {
  const offset = from + ((alignment - ((base + from) % alignment)) % alignment);
  return { bytes: new Uint8Array(memory, offset, bytes), address: base + offset };
}

/** From so many bytes on, memory is worth an ArrayBuffer of its own: pages of 64 KiB, and address space. */
const OWN_BYTES = 16384;

/** Smaller pieces are cut from so many bytes, each from what none was cut from before: so it is zeroed. */
const SHARED_BYTES = 4 * 65536;

interface Shared {
  memory: ArrayBuffer;
  base: number;
  used: number;
}

/** The memory that is being cut from. */
const shared = new WeakMap<Native, Shared>();

function piece(native: Native, bytes: number, alignment: number): Aligned | undefined {
  let from = shared.get(native);
  if (from === undefined || from.used + bytes + alignment - 1 > SHARED_BYTES) {
    const memory = undetachable(SHARED_BYTES);
    if (memory === undefined) return undefined;
    from = { memory, base: native.addressOf(memory), used: 0 };
    shared.set(native, from);
  }
  const found = cut(from.memory, from.base, bytes, alignment, from.used);
  from.used = found.bytes.byteOffset + bytes;
  return found;
}

const WASM_PAGE = 65536;

/**
 * The one kind of ArrayBuffer that an engine never detaches on anybody's request: the memory of a WebAssembly
 * instance; here of none, of a fixed size, and out of everybody's reach, so that it cannot grow either. Undefined where
 * there is none to be had.
 */
function undetachable(bytes: number): ArrayBuffer | undefined {
  const memory = fixedMemory(Math.ceil(bytes / WASM_PAGE));
  if (memory !== undefined) vouchFor(memory);
  return memory;
}
