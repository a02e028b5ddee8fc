/** 4 KiB reads at random places of `--file`, `--depth` in flight: each completion issues one. */
import { allocateAligned, type Completion, IoUring } from 'iouring';
import { Measurement, option } from './measurement.ts';
import { BLOCK_BYTES, openFile, randomOffsets } from './random-blocks.ts';

const depth = Number(option('--depth'));
const fd = openFile();
const nextOffset = randomOffsets(fd);
const arena = allocateAligned(depth * BLOCK_BYTES);
const blocks = Array.from({ length: depth }, (_, slot) => arena.subarray(slot * BLOCK_BYTES, (slot + 1) * BLOCK_BYTES));
const ring = new IoUring(depth, { cqEntries: 2 * depth });

function issue(slot: number): void {
  if (!ring.prepRead(fd, blocks[slot], BLOCK_BYTES, slot, nextOffset())) {
    throw new Error('Cannot queue: the submission queue is full');
  }
}

function onCompletion(completion: Completion): void {
  if (completion.res !== BLOCK_BYTES) {
    throw new Error(`Cannot read: a read failed or was short: ${completion.res}`);
  }
  issue(completion.userData);
}

/**
 * The loop stands in a function, as a program's would: V8 treats a module's top level as code that
 * runs once.
 */
function run(): void {
  const measurement = new Measurement();
  let ops = 0;
  for (let slot = 0; slot < depth; slot++) {
    issue(slot);
  }
  while (measurement.proceeds(ops)) {
    ring.submitAndWait(1);
    ops += ring.forEachCompletion(onCompletion);
  }
}

run();
ring.close();
