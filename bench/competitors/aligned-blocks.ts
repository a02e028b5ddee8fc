/** Blocks that O_DIRECT accepts, for the competitors that have no allocator for them. */
import koffi from 'koffi';
import { BLOCK_BYTES } from './random-blocks.ts';

/** `count` blocks at addresses that are multiples of their size, cut from one allocation. */
export function alignedBlocks(count: number): Buffer[] {
  const arena = Buffer.allocUnsafeSlow((count + 1) * BLOCK_BYTES);
  const address = koffi.address(arena);
  const skip = Number(-address & BigInt(BLOCK_BYTES - 1));
  return Array.from({ length: count }, (_, slot) => {
    const start = skip + slot * BLOCK_BYTES;
    return arena.subarray(start, start + BLOCK_BYTES);
  });
}
