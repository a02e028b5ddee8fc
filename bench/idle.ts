/** Scenario: the memory of connections that say nothing. */
import { findInPath } from './launcher.ts';
import { onIoUring, onNode } from './contenders.ts';
import type { Case, Competitor, Context, Scenario } from './scenario.ts';

interface IdleCase extends Case {
  readonly connections: number;
}

const TIMEOUT_MS = 60_000;

export async function idle({ launcher }: Context): Promise<Scenario<IdleCase>> {
  const prlimit = findInPath('prlimit');
  const way = (how: string) => (test: IdleCase) => ['--how', how, '--connections', `${test.connections}`];
  const competitors: Competitor<IdleCase>[] = [
    onIoUring('Reactor', 'idle-connections', way('reactor')),
    onNode('node:net', 'idle-connections', way('net')),
  ];
  return {
    name: 'idle',
    title: 'Idle connections',
    metrics: [{ key: 'bytes', title: 'resident bytes each', better: 'lower', digits: 0 }],
    cases: [{ group: 'idle', name: '10,000 connections', connections: 10_000 }],
    competitors: competitors.map((competitor) =>
      prlimit === undefined ? { ...competitor, missing: 'no prlimit to raise the limit on descriptors' } : competitor,
    ),
    notes: [],
    async measure(competitor, test) {
      const { file, args } = competitor.command(test);
      const command = { file: prlimit!, args: ['--nofile=12000:', '--', file, '--expose-gc', ...args] };
      return launcher.runForJson<{ bytes: number }>(command, 'anywhere', TIMEOUT_MS);
    },
    async [Symbol.asyncDispose]() {},
  };
}
