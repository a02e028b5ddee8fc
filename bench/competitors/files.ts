/**
 * What programs do with files, over and over: `--work`, with `--module` iouring, promises, callbacks or sync. 64 at a time where
 * it is not said otherwise. Node and Bun run it.
 */
import * as callbacks from 'node:fs';
import * as promises from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Measurement, option } from './measurement.ts';

const DEPTH = 64;
const BLOCK = 4096;
const CHUNK = 65_536;

const [way, work, folder] = [option('--module'), option('--work'), option('--folder')];
const count = Number(option('--files'));
const paths = Array.from({ length: count }, (_, i) => join(folder, `${i % 100}`, `${i}`));
const big = join(folder, 'big');
const bigBlocks = callbacks.existsSync(big) ? callbacks.statSync(big).size / BLOCK : 0;
const data = Buffer.alloc(BLOCK, 1);
const fs = way === 'iouring' ? await import('iouring/fs') : promises;
const measurement = new Measurement();
let ops = 0;
let over = false;

/** One more is done. */
function done(): void {
  ops++;
  over ||= !measurement.proceeds(ops);
}

async function loops(depth: number, one: (i: number) => unknown): Promise<void> {
  let next = 0;
  const loop = async (): Promise<void> => {
    while (!over) {
      await one(next++);
      done();
    }
  };
  await Promise.all(Array.from({ length: depth }, loop));
}

async function reads(): Promise<void> {
  const file = await fs.open(big);
  const buffers = Array.from({ length: DEPTH }, () => Buffer.alloc(BLOCK));
  let seed = 1;
  const read = async (buffer: Buffer): Promise<void> => {
    while (!over) {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      await file.read(buffer, 0, BLOCK, (seed % bigBlocks) * BLOCK);
      done();
    }
  };
  await Promise.all(buffers.map(read));
  await file.close();
}

async function streamRead(): Promise<void> {
  while (!over) {
    const file = await fs.open(big);
    for await (const chunk of file.createReadStream({ highWaterMark: CHUNK })) {
      void chunk;
      done();
      if (over) break;
    }
  }
}

async function streamWrite(): Promise<void> {
  const chunk = Buffer.alloc(CHUNK, 1);
  while (!over) {
    const stream = (await fs.open(join(folder, 'written'), 'w')).createWriteStream({ highWaterMark: 4 * CHUNK });
    for (let i = 0; i < 16_384 && !over; i++) {
      if (!stream.write(chunk)) await new Promise<void>((resolve) => void stream.once('drain', resolve));
      done();
    }
    await new Promise<void>((resolve) => void stream.end(resolve));
  }
}

const path = (i: number): string => paths[i % count];
const [readFile, writeFile, stat] = [callbacks.readFile, callbacks.writeFile, callbacks.stat].map((call) =>
  promisify(call as never)
) as [
  (path: string) => Promise<unknown>,
  (path: string, data: Buffer) => Promise<unknown>,
  (path: string) => Promise<unknown>,
];
const scrap = option('--scrap');
const written = (i: number): string => join(scrap, `${i % 100}`, `new ${i % count}`);
const isModule = way === 'iouring' || way === 'promises';

const works: Record<string, () => Promise<void>> = {
  read: reads,
  readFile: () => loops(DEPTH, isModule ? (i) => fs.readFile(path(i)) : (i) => readFile(path(i))),
  stat: () => loops(DEPTH, isModule ? (i) => fs.stat(path(i)) : (i) => stat(path(i))),
  writeFile: () => loops(DEPTH, isModule ? (i) => fs.writeFile(written(i), data) : (i) => writeFile(written(i), data)),
  single: () => loops(1, isModule ? (i) => fs.readFile(path(i)) : (i) => readFile(path(i))),
  streamRead,
  streamWrite,
};
if (way === 'sync') {
  const calls: Record<string, (path: string) => unknown> = {
    readFile: (name) => callbacks.readFileSync(name),
    stat: (name) => callbacks.statSync(name),
    single: (name) => callbacks.readFileSync(name),
    writeFile: (name) => callbacks.writeFileSync(name, data),
  };
  for (let i = 0; !over; i++) {
    calls[work](work === 'writeFile' ? written(i) : path(i));
    done();
  }
} else {
  await works[work]();
}
