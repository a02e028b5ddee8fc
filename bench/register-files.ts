/** Scenario: calls of node:fs/promises, with `iouring/register` on the command line and without. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { notBuilt } from './contenders.ts';
import type { Command } from './launcher.ts';
import { competitorProgram } from './project.ts';
import { environmentOf } from './register.ts';
import { type Case, type Competitor, type Context, measureLoop, type Scenario } from './scenario.ts';

interface CallCase extends Case {
  readonly call: string;
  readonly depth: number;
}

const CALLS = ['stat', 'lstat', 'readFile', 'writeFile', 'appendFile', 'truncate', 'open', 'rename', 'link', 'symlink',
  'mkdir'];
const DEPTHS = [1, 16];

const CASES: readonly CallCase[] = DEPTHS.flatMap((depth) =>
  CALLS.map((call) => ({ group: `${depth} at a time`, name: call, call, depth }))
);

const RATE = 'opsPerSecond';

export function registerFiles(context: Context): Promise<Scenario<CallCase>> {
  // In memory, if there is such a place: on a disk it is the file system's search for room that is measured.
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'iouring-bench-'));
  const commandOf = ({ call, depth }: CallCase, isRegistered: boolean): Command => ({
    file: process.execPath,
    args: [competitorProgram('file-calls'), '--call', call, '--depth', `${depth}`, '--folder', folder],
    env: environmentOf(isRegistered ? 'fs' : undefined),
  });
  const competitors: Competitor<CallCase>[] = [
    {
      name: 'iouring/register',
      place: 'anywhere',
      missing: notBuilt('dist', 'register', 'index.js'),
      command: (test) => commandOf(test, true),
    },
    { name: 'Node alone', place: 'anywhere', command: (test) => commandOf(test, false) },
  ];
  return Promise.resolve({
    name: 'register-files',
    title: 'Calls of node:fs/promises, with iouring/register and without, on all cores',
    metrics: [
      { key: RATE, title: 'calls/s', better: 'higher', digits: 0 },
      { key: 'cpuMicroseconds', title: 'CPU µs per call', better: 'lower', digits: 2, inReadme: true },
    ],
    cases: CASES,
    competitors,
    targets: [{ cases: /^/, against: 'Node alone', metric: RATE, least: 1 }],
    notes: [
      'In memory (tmpfs). open is with close, rename there and back, link and symlink are with unlink, mkdir is with rmdir',
    ],
    async measure(competitor, test) {
      const { ops, seconds, cpuSeconds } = await measureLoop(context, competitor, test);
      return { [RATE]: ops / seconds, cpuMicroseconds: (cpuSeconds * 1e6) / ops };
    },
    async [Symbol.asyncDispose]() {
      rmSync(folder, { recursive: true, force: true });
    },
  });
}
