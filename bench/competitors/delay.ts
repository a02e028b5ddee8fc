/**
 * How late the event loop is while 4 KiB reads of `--file`, `--depth` at a time, keep it busy: with `--how` reactor,
 * promises or callbacks.
 */
import { closeSync, read } from 'node:fs';
import { open } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { allocateAligned, Reactor } from 'iouring';
import { option, printLine } from './measurement.ts';
import { BLOCK_BYTES, openFile, randomOffsets } from './random-blocks.ts';

const depth = Number(option('--depth'));
const seconds = Number(option('--seconds'));
const fd = openFile();
const nextOffset = randomOffsets(fd);
const file = await open(option('--file'));
const io = new Reactor();

const ways: Record<string, (block: Uint8Array) => Promise<unknown>> = {
  reactor: (block) => io.read(fd, block, { offset: nextOffset() }),
  promises: (block) => file.read(block, 0, BLOCK_BYTES, nextOffset()),
  callbacks: (block) =>
    new Promise((resolve, reject) => {
      read(fd, block, 0, BLOCK_BYTES, nextOffset(), (error, bytes) => (error ? reject(error) : resolve(bytes)));
    }),
};
const readOnce = ways[option('--how')];
const histogram = monitorEventLoopDelay({ resolution: 1 });
let ops = 0;
let over = false;
setTimeout(() => histogram.enable(), 1000 * Number(option('--warmup')));
setTimeout(() => (over = true), 1000 * (Number(option('--warmup')) + seconds));
await Promise.all(
  Array.from({ length: depth }, async () => {
    const block = allocateAligned(BLOCK_BYTES);
    while (!over) {
      await readOnce(block);
      ops++;
    }
  }),
);
histogram.disable();
const ms = (nanoseconds: number): number => nanoseconds / 1e6;
const delays = { p50: ms(histogram.percentile(50)), p99: ms(histogram.percentile(99)), max: ms(histogram.max) };
printLine({ ops, seconds, cpuSeconds: 0, ...delays });
await file.close();
await io.close();
closeSync(fd);
