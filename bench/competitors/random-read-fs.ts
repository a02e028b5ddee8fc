/**
 * 4 KiB reads at random places of `--file` with node:fs callbacks, `--depth` of them in flight:
 * each completion issues one. Node and Bun run it, Node also with UV_USE_IO_URING or a larger
 * thread pool.
 */
import { closeSync, read } from 'node:fs';
import { alignedBlocks } from './aligned-blocks.ts';
import { Measurement, option } from './measurement.ts';
import { BLOCK_BYTES, openFile, randomOffsets } from './random-blocks.ts';

const fd = openFile();
const nextOffset = randomOffsets(fd);
const blocks = alignedBlocks(Number(option('--depth')));
const measurement = new Measurement();
let ops = 0;
let inFlight = 0;
let over = false;

function start(block: Buffer): void {
  function issue(): void {
    inFlight++;
    read(fd, block, 0, BLOCK_BYTES, nextOffset(), onRead);
  }
  function onRead(error: Error | null, bytes: number): void {
    inFlight--;
    if (error !== null || bytes !== BLOCK_BYTES) {
      throw error ?? new Error(`Cannot read: a read was short: ${bytes}`);
    }
    ops++;
    over = over || !measurement.proceeds(ops);
    if (!over) {
      issue();
    } else if (inFlight === 0) {
      closeSync(fd);
    }
  }
  issue();
}

for (const block of blocks) {
  start(block);
}
