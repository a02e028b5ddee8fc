/** 4 KiB reads at random places of `--file` as promises of a Reactor: `--depth` loops, each awaiting one read at a time. */
import { closeSync } from 'node:fs';
import { allocateAligned, Reactor } from 'iouring';
import { Measurement, option } from './measurement.ts';
import { BLOCK_BYTES, openFile, randomOffsets } from './random-blocks.ts';

const depth = Number(option('--depth'));
const fd = openFile();
const nextOffset = randomOffsets(fd);
const arena = allocateAligned(depth * BLOCK_BYTES);
const io = new Reactor();
const measurement = new Measurement();
let ops = 0;
let over = false;

async function readOn(slot: number): Promise<void> {
  const block = arena.subarray(slot * BLOCK_BYTES, (slot + 1) * BLOCK_BYTES);
  while (!over) {
    const bytesRead = await io.read(fd, block, { offset: nextOffset() });
    if (bytesRead !== BLOCK_BYTES) {
      throw new Error(`Cannot read: a read was short: ${bytesRead}`);
    }
    ops++;
    over = over || !measurement.proceeds(ops);
  }
}

await Promise.all(Array.from({ length: depth }, (_, slot) => readOn(slot)));
await io.close();
closeSync(fd);
