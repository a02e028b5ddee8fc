/** What every writer of durable appends in TypeScript has: a file of its own, and a record. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Measurement, option } from './measurement.ts';

export const RECORD = Buffer.alloc(512, 'r');

/** `--writers` loops that each append one record after the other to a file of its own in `--folder`. */
export async function appendAll(name: string, open: (path: string) => Promise<() => Promise<void>>): Promise<void> {
  const folder = option('--folder');
  mkdirSync(folder, { recursive: true });
  const writers = Number(option('--writers'));
  const appends: (() => Promise<void>)[] = [];
  for (let i = 0; i < writers; i++) {
    appends.push(await open(join(folder, `${name}-${process.pid}-${i}`)));
  }
  const measurement = new Measurement();
  let ops = 0;
  let over = false;
  const writeOn = async (append: () => Promise<void>): Promise<void> => {
    while (!over) {
      await append();
      ops++;
      over = over || !measurement.proceeds(ops);
    }
  };
  await Promise.all(appends.map(writeOn));
}
