/**
 * 4 KiB reads at random places of `--file`, `--depth` in flight, as random-read-iouring.ts does,
 * with what is `--registered`: nothing, buffers, or buffers and the file.
 */
import { allocateAligned, type Completion, IoUring } from 'iouring';
import { IOSQE_FIXED_FILE } from 'iouring/abi';
import { Measurement, option } from './measurement.ts';
import { BLOCK_BYTES, openFile, randomOffsets } from './random-blocks.ts';

const depth = Number(option('--depth'));
const registered = option('--registered');
const opened = openFile();
const nextOffset = randomOffsets(opened);
const arena = allocateAligned(depth * BLOCK_BYTES);
const blocks = Array.from({ length: depth }, (_, slot) => arena.subarray(slot * BLOCK_BYTES, (slot + 1) * BLOCK_BYTES));
const ring = new IoUring(depth, { cqEntries: 2 * depth });

// All blocks are one registered buffer, and the file is number 0 of the table.
const fixedFile = registered === 'buffers-and-file';
const fixedBuffers = fixedFile || registered === 'buffers';
if (fixedBuffers) {
  ring.registerBuffers([arena]);
}
if (fixedFile) {
  ring.registerFiles([opened]);
}
const fd = fixedFile ? 0 : opened;
const options = fixedBuffers ? { fixed: 0 } : undefined;

function issue(slot: number): void {
  if (!ring.prepRead(fd, blocks[slot], BLOCK_BYTES, slot, nextOffset(), options)) {
    throw new Error('Cannot queue: the submission queue is full');
  }
  if (fixedFile) {
    ring.sqeSetFlags(IOSQE_FIXED_FILE);
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
