/** Scenario: the memory of connections that say nothing. */
import { findInPath } from './launcher.ts';
import { onIoUring, onNet, onNode } from './contenders.ts';
import type { Case, Competitor, Context, Scenario } from './scenario.ts';

interface IdleCase extends Case {
  readonly connections: number;
}

const TIMEOUT_MS = 60_000;

export async function idle({ launcher }: Context): Promise<Scenario<IdleCase>> {
  const prlimit = findInPath('prlimit');
  const way = (how: string) => (test: IdleCase) => ['--how', how, '--connections', `${test.connections}`];
  const classes = onNet('createServer', 'idle-connections', way('iouring/net'));
  const competitors: Competitor<IdleCase>[] = [
    onNet('listen', 'idle-connections', way('listen')),
    classes,
    onIoUring('Reactor', 'idle-connections', way('reactor')),
    { ...onNode('node:net', 'idle-connections', way('node:net')), against: classes.name },
  ];
  return {
    name: 'idle',
    title: 'Idle connections',
    metrics: [{ key: 'bytes', title: 'resident bytes each', better: 'lower', digits: 0 }],
    cases: [{ group: 'idle', name: '10,000 connections', connections: 10_000 }],
    competitors: competitors.map((competitor) =>
      prlimit === undefined ? { ...competitor, missing: 'no prlimit to raise the limit on descriptors' } : competitor
    ),
    notes: ['Idle connections: node:net is compared with `createServer` of iouring/net'],
    async measure(competitor, test) {
      const { file, args } = competitor.command(test);
      const command = { file: prlimit!, args: ['--nofile=12000:', '--', file, '--expose-gc', ...args] };
      return launcher.runForJson<{ bytes: number }>(command, 'anywhere', TIMEOUT_MS);
    },
    async [Symbol.asyncDispose]() {},
  };
}
