/** What the random-read competitors read: `--file`, at the same places as random-read.c. */
import { constants, fstatSync, openSync } from 'node:fs';
import { option } from './measurement.ts';

export const BLOCK_BYTES = 4096;

/** Opens `--file`, past the page cache when `--mode` is `direct`. */
export function openFile(): number {
  const direct = option('--mode') === 'direct' ? constants.O_DIRECT : 0;
  return openSync(option('--file'), constants.O_RDONLY | direct);
}

/** A function that gives the offset of the next block to read (xorshift32). */
export function randomOffsets(fd: number): () => number {
  const blocks = fstatSync(fd).size / BLOCK_BYTES;
  if (blocks < 1 || !Number.isInteger(Math.log2(blocks))) {
    throw new Error(`Cannot read: the file's size is not a power of two: ${blocks} blocks`);
  }
  const mask = blocks - 1;
  let state = 0x9e3779b9 | 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state & mask) * BLOCK_BYTES;
  };
}
