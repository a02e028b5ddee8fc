/** Where things are, from wherever the compiled benchmark runs. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(createRequire(import.meta.url).resolve('iouring/package.json'));

/** A path inside the project. */
export function inProject(...parts: string[]): string {
  return join(root, ...parts);
}

/** The compiled program of a TypeScript competitor. */
export function competitorProgram(name: string): string {
  return fileURLToPath(new URL(`./competitors/${name}.js`, import.meta.url));
}
