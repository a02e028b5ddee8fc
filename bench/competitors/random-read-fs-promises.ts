/**
 * 4 KiB reads at random places of `--file` with node:fs/promises: `--depth` loops, each awaiting
 * one read at a time. Node and Bun run it.
 */
import { closeSync } from 'node:fs';
import { constants, open } from 'node:fs/promises';
import { alignedBlocks } from './aligned-blocks.ts';
import { Measurement, option } from './measurement.ts';
import { BLOCK_BYTES, openFile, randomOffsets } from './random-blocks.ts';

const sized = openFile();
const nextOffset = randomOffsets(sized);
closeSync(sized);
const direct = option('--mode') === 'direct' ? constants.O_DIRECT : 0;
const file = await open(option('--file'), constants.O_RDONLY | direct);
const blocks = alignedBlocks(Number(option('--depth')));
const measurement = new Measurement();
let ops = 0;
let over = false;

async function readOn(block: Buffer): Promise<void> {
  while (!over) {
    const { bytesRead } = await file.read(block, 0, BLOCK_BYTES, nextOffset());
    if (bytesRead !== BLOCK_BYTES) {
      throw new Error(`Cannot read: a read was short: ${bytesRead}`);
    }
    ops++;
    over = over || !measurement.proceeds(ops);
  }
}

await Promise.all(blocks.map(readOn));
await file.close();
