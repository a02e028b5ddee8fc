// What the programs have in common: each works in the folder it is given, and prints what came of that.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { randomOf } from '../../reactor/random.ts';
import { outcomeOf } from '../outcome.ts';
import { treeOf } from '../tree.ts';

const root = process.argv[2];
const lines: string[] = [];

/** The name of something in this program's folder. */
export const at = (...names: string[]): string => join(root, ...names);

/** Do this, and print what it was called and what came of it: a result, or an error with all that it says. */
export async function tell(what: string, call: () => unknown): Promise<void> {
  const { text } = await outcomeOf(root, call);
  lines.push(`${what.replaceAll(root, 'ROOT')}: ${text}`);
}

/** Print what a folder holds. */
export function tellTree(...names: string[]): void {
  lines.push(...treeOf(at(...names)).map((line) => `  ${line.replaceAll(root, 'ROOT')}`));
}

/** The same bytes for the same seed. */
export function bytes(length: number, seed = length): Buffer {
  const random = randomOf(seed);
  return Buffer.alloc(length, Buffer.from(Array.from({ length: 4093 }, () => random(256))));
}

/** A file that is there before the program begins; by Node, whichever module it runs on. */
export function given(name: string, contents: string | Uint8Array = name): void {
  mkdirSync(dirname(at(name)), { recursive: true });
  writeFileSync(at(name), contents);
}

/** Everything is done. */
export function end(): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}
