// The reactor in every runtime that is to be had: this Node, the newest one, Bun and Deno.
// slow: starts other runtimes
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe } from 'node:test';
import { it } from '../asking.ts';
import { run } from '../run.ts';

const suite = new URL('./runtime-suite.js', import.meta.url).pathname;

const WORKS = [
  'files',
  'many at once',
  'memory that is registered',
  'time',
  'iouring/fs',
  'iouring/socket',
  'sockets',
  'timers go on beside it',
  'close',
];

const arm = process.arch === 'arm64';

/** A program: of a variable of the environment, of PATH, or as `npm run test:runtimes` fetches it. */
function find(variable: string, name: string, place: string, packaged: string): string | undefined {
  const inPath = (process.env['PATH'] ?? '').split(delimiter).map((path) => join(path, name));
  const places = [process.env[variable], ...(name === 'node' ? [] : inPath),
    join('build/runtimes', place, 'node_modules', packaged)];
  return places.find((path) => path !== undefined && path !== '' && existsSync(path));
}

const runtimes: { name: string; program: string | undefined; args?: string[] }[] = [
  { name: 'node', program: process.execPath },
  { name: 'node', program: find('NODE_NEWEST', 'node', 'node26', `node-linux-${process.arch}/bin/node`) },
  { name: 'bun', program: find('BUN', 'bun', 'bun', `@oven/bun-linux-${arm ? 'aarch64' : 'x64'}/bin/bun`) },
  {
    name: 'deno',
    program: find('DENO', 'deno', 'deno', `@deno/linux-${process.arch}-glibc/deno`),
    args: ['run', '-A'],
  },
];

describe('the reactor', () => {
  for (const [i, { name, program, args = [] }] of runtimes.entries()) {
    const title = `in ${i === 0 ? 'this' : i === 1 ? 'the newest' : 'a'} ${name}`;
    const skip = program === undefined && `no such program here: npm run test:runtimes`;
    it(title, { skip }, async () => {
      const { status, stdout, stderr } = await run(program!, [...args, suite]);
      assert.equal(status, 0, stderr);
      const [runtime, ...works] = stdout.trim().split('\n');
      assert.match(runtime, new RegExp(`^runtime: ${name} \\d+\\.`));
      assert.deepEqual(works, WORKS.map((what) => `works: ${what}`));
    });
  }
});
