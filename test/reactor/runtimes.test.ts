// One small suite in every runtime that is found here: this Node, the newest (NODE_NEWEST), Bun (BUN, or in the PATH) and
// Deno (DENO, or in the PATH).
import assert from 'node:assert/strict';
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../run.ts';

const SUITE = fileURLToPath(new URL('./runtime-suite.js', import.meta.url));

interface Runtime {
  name: 'node' | 'bun' | 'deno';
  title: string;
  /** undefined: it is not here. */
  command: string | undefined;
  /** What stands in front of the program. */
  flags: string[];
  /** How to have it found. */
  missing: string;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What the environment names; or else a program in the PATH. */
function find(variable: string, program?: string): string | undefined {
  const named = process.env[variable];
  if (named !== undefined && named !== '') return named;
  if (program === undefined) return undefined;
  const path = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, program));
  return path.find(isExecutable);
}

const runtimes: Runtime[] = [
  { name: 'node', title: 'this Node', command: process.execPath, flags: [], missing: '' },
  {
    name: 'node',
    title: 'the newest Node',
    command: find('NODE_NEWEST'),
    flags: [],
    missing: 'NODE_NEWEST names no newer Node',
  },
  { name: 'bun', title: 'Bun', command: find('BUN', 'bun'), flags: [], missing: 'no BUN is named, none in the PATH' },
  {
    name: 'deno',
    title: 'Deno',
    command: find('DENO', 'deno'),
    flags: ['run', '--allow-all', '--quiet'],
    missing: 'no DENO is named, none in the PATH',
  },
];

describe('the reactor', () => {
  for (const { name, title, command, flags, missing } of runtimes) {
    it(`in ${title}`, { skip: command === undefined && missing, timeout: 60_000 }, async () => {
      const { status, stdout, stderr } = await run(command!, [...flags, realpathSync(SUITE), name]);
      assert.equal(status, 0, `${stdout}${stderr}`);
      assert.match(stdout, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+: \\d+ steps$`, 'm'), stderr);
    });
  }
});
