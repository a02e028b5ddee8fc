// The same work three ways, in turns: a ring, node:fs with callbacks, fs/promises. A demonstration; the
// benchmark proper is `npm run bench`.
import { closeSync, fstat, mkdtempSync, openSync, read, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Presets, SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { IoUring, type Completion } from 'iouring';

const FILE_BYTES = 64 * 2 ** 20;
const BLOCK = 4096;
const IN_FLIGHT = 64;
const ROUNDS = 3;
const MS = 600;

type Work = () => Promise<number> | number;

/** Runs each way for a moment, several rounds in turns, and prints the medians. */
export async function sideBySide(): Promise<void> {
  console.log(`3. Side by side: ${IN_FLIGHT} in flight, median of ${ROUNDS} rounds of ${MS} ms each`);
  const folder = mkdtempSync(join(tmpdir(), 'iouring-tour-'));
  const path = join(folder, 'data');
  writeFileSync(path, Buffer.alloc(FILE_BYTES, 'iouring'));
  const fd = openSync(path, 'r');
  const handle = await open(path, 'r');
  try {
    const works: Record<string, Work[]> = {
      'random 4 KiB reads (page cache)': [
        () => ringReads(fd),
        () => callbacks((buffer, done) => read(fd, buffer, 0, BLOCK, place(), done)),
        () => promises((buffer) => handle.read(buffer, 0, BLOCK, place())),
      ],
      'the least there is (NOP; fstat)': [
        ringNops,
        () => callbacks((_, done) => fstat(fd, done)),
        () => promises(() => handle.stat()),
      ],
    };
    await measureAndPrint(works);
  } finally {
    closeSync(fd);
    await handle.close();
    rmSync(folder, { recursive: true });
  }
}

async function measureAndPrint(works: Record<string, Work[]>): Promise<void> {
  const all = Object.values(works).flat();
  const rates = new Map<Work, number[]>(all.map((work) => [work, []]));
  const format = '   {bar} {percentage} %';
  // Where there is no terminal: a line every two seconds.
  const bar = new SingleBar(
    { format, clearOnComplete: true, noTTYOutput: true, notTTYSchedule: 2000 },
    Presets.shades_grey,
  );
  bar.start(ROUNDS * all.length, 0);
  for (let round = 0; round < ROUNDS; round++) {
    for (const work of all) {
      const start = performance.now();
      const count = await work();
      rates.get(work)!.push((count / (performance.now() - start)) * 1000);
      bar.increment();
    }
  }
  bar.stop();
  const table = new Table({
    head: ['operations per second', 'iouring', 'node:fs callbacks', 'fs/promises'],
    colAligns: ['left', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const [name, ways] of Object.entries(works)) {
    const medians = ways.map((work) => rates.get(work)!.sort((x, y) => x - y)[ROUNDS >> 1]);
    const cells = medians.map((rate, i) => {
      const times = i === 0 ? '' : ` (${(medians[0] / rate).toFixed(1)} times slower)`;
      return `${Math.round(rate).toLocaleString('en')}${times}`;
    });
    table.push([name, ...cells]);
  }
  console.log(table.toString());
}

const place = (): number => Math.floor(Math.random() * (FILE_BYTES / BLOCK)) * BLOCK;

function ringReads(fd: number): number {
  using ring = new IoUring(IN_FLIGHT);
  const buffers = Array.from({ length: IN_FLIGHT }, () => Buffer.alloc(BLOCK));
  const issue = (slot: number): boolean => ring.prepRead(fd, buffers[slot], BLOCK, slot, place());
  return reissue(ring, issue);
}

function ringNops(): number {
  using ring = new IoUring(IN_FLIGHT);
  return reissue(ring, (slot) => ring.prepNop(slot));
}

function reissue(ring: IoUring, issue: (slot: number) => boolean): number {
  const end = performance.now() + MS;
  const next = (c: Completion): void => {
    if (c.res < 0) throw new Error(`errno ${-c.res}`);
    issue(c.userData);
  };
  let count = 0;
  for (let slot = 0; slot < IN_FLIGHT; slot++) issue(slot);
  while (performance.now() < end) {
    ring.submitAndWait(1);
    count += ring.forEachCompletion(next);
  }
  return count;
}

function callbacks(issue: (buffer: Buffer, done: (error: Error | null) => void) => void): Promise<number> {
  const end = performance.now() + MS;
  return new Promise((resolve, reject) => {
    let count = 0;
    let running = IN_FLIGHT;
    for (let slot = 0; slot < IN_FLIGHT; slot++) {
      const buffer = Buffer.alloc(BLOCK);
      const next = (error: Error | null): void => {
        if (error) return reject(error);
        count++;
        if (performance.now() < end) issue(buffer, next);
        else if (--running === 0) resolve(count);
      };
      issue(buffer, next);
    }
  });
}

async function promises(issue: (buffer: Buffer) => Promise<unknown>): Promise<number> {
  const end = performance.now() + MS;
  let count = 0;
  const lane = async (): Promise<void> => {
    const buffer = Buffer.alloc(BLOCK);
    for (; performance.now() < end; count++) await issue(buffer);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return count;
}
