/**
 * Ten million operations through one ring, half NOPs and half 4 KiB reads, and the process's memory
 * after a forced collection at every millionth. One read of each batch goes to a fresh buffer, so a
 * ring that kept buffers after their completion would be seen to grow.
 */
import { allocateAligned, type Completion, IoUring } from 'iouring';
import { option, printLine } from './measurement.ts';
import { BLOCK_BYTES, openFile, randomOffsets } from './random-blocks.ts';

const PAIRS = 32;

const operations = Number(option('--operations'));
const step = Number(option('--step'));
const fd = openFile();
const nextOffset = randomOffsets(fd);
const arena = allocateAligned(PAIRS * BLOCK_BYTES);
const blocks = Array.from({ length: PAIRS }, (_, slot) => arena.subarray(slot * BLOCK_BYTES, (slot + 1) * BLOCK_BYTES));
const ring = new IoUring(2 * PAIRS, { cqEntries: 4 * PAIRS });
const collect = globalThis.gc;
if (collect === undefined) {
  throw new Error('Cannot measure memory: start Node with --expose-gc');
}

/** What the completion of each user data has to say: even ones are NOPs, odd ones reads. */
const expected = (userData: number): number => (userData % 2 === 0 ? 0 : BLOCK_BYTES);

function onCompletion(completion: Completion): void {
  if (completion.res !== expected(completion.userData)) {
    throw new Error(`Cannot go on: operation ${completion.userData} ended in ${completion.res}`);
  }
}

function batch(): number {
  for (let pair = 0; pair < PAIRS; pair++) {
    const block = pair === 0 ? Buffer.allocUnsafeSlow(BLOCK_BYTES) : blocks[pair];
    const nop = ring.prepNop(2 * pair);
    const read = ring.prepRead(fd, block, BLOCK_BYTES, 2 * pair + 1, nextOffset());
    if (!nop || !read) {
      throw new Error('Cannot queue: the submission queue is full');
    }
  }
  ring.submitAndWait(2 * PAIRS);
  return ring.forEachCompletion(onCompletion);
}

let done = 0;
for (let target = step; target <= operations; target += step) {
  while (done < target) {
    done += batch();
  }
  collect();
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  printLine({ operations: done, rss, heapUsed, external, arrayBuffers });
}
ring.close();
