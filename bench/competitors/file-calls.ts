/**
 * One call of node:fs/promises, `--call`, over and over, so many at a time: `--depth`. Its files are in `--folder`. What undoes a
 * call is part of it.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { Measurement, option } from './measurement.ts';

const FILES = 64;
const folder = mkdtempSync(join(option('--folder'), 'calls-'));
const depth = Number(option('--depth'));
const files = Array.from({ length: FILES }, (_, i) => join(folder, `file ${i}`));
for (const path of files) writeFileSync(path, Buffer.alloc(4096, 1));
const data = Buffer.alloc(4096, 2);
let made = 0;
const fresh = (): string => join(folder, `made ${made++}`);

/** The calls, of loop `i` of those that run at a time. */
const CALLS: Record<string, (path: string, i: number) => Promise<unknown>> = {
  stat: (path) => fs.stat(path),
  lstat: (path) => fs.lstat(path),
  readFile: (path) => fs.readFile(path),
  writeFile: (_, i) => fs.writeFile(files[i], data),
  appendFile: (_, i) => fs.appendFile(files[i], 'line\n'),
  truncate: (_, i) => fs.truncate(files[i], 4096),
  open: async (path) => (await fs.open(path)).close(),
  rename: async (_, i) => {
    await fs.rename(files[i], `${files[i]}.new`);
    await fs.rename(`${files[i]}.new`, files[i]);
  },
  link: async (path) => {
    const name = fresh();
    await fs.link(path, name);
    await fs.unlink(name);
  },
  symlink: async (path) => {
    const name = fresh();
    await fs.symlink(path, name);
    await fs.unlink(name);
  },
  mkdir: async () => {
    const name = fresh();
    await fs.mkdir(name);
    await fs.rmdir(name);
  },
};

const call = CALLS[option('--call')];
const measurement = new Measurement();
let ops = 0;
let isOver = false;
const loops = Array.from({ length: depth }, async (_, i) => {
  for (let next = i; !isOver; next += depth) {
    await call(files[next % FILES], i);
    ops++;
    isOver ||= !measurement.proceeds(ops);
  }
});
await Promise.all(loops);
await fs.rm(folder, { recursive: true });
