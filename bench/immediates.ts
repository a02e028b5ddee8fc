/** Scenario: a program that lives on setImmediate, with an accept in flight that nothing comes to, and without one. */
import { notBuilt, onNode } from './contenders.ts';
import { type Case, type Competitor, type Context, measureLoop, type Scenario } from './scenario.ts';

interface TurnCase extends Case {
  readonly how: string;
}

export async function immediates(context: Context): Promise<Scenario<TurnCase>> {
  const args = (accept: string) => ({ how }: TurnCase): string[] => ['--how', how, '--accept', accept];
  const missing = notBuilt('dist', 'net', 'index.js');
  const competitors: Competitor<TurnCase>[] = ['idle', 'none'].map((accept) => ({
    ...onNode(accept === 'idle' ? 'an accept in flight' : 'nothing in flight', 'immediates', args(accept)),
    missing,
  }));
  return {
    name: 'immediates',
    title: 'setImmediate over and over, beside an accept that nothing comes to',
    metrics: [
      { key: 'turnsPerSecond', title: 'turns/s', better: 'higher', digits: 0 },
      { key: 'cpuMicroseconds', title: 'CPU µs per turn', better: 'lower', digits: 3 },
    ],
    cases: [
      { group: 'immediates', name: 'Reactor', how: 'reactor' },
      { group: 'immediates', name: 'listen', how: 'listen' },
      { group: 'immediates', name: 'createServer', how: 'iouring/net' },
      { group: 'immediates', name: 'node:net', how: 'node:net' },
    ],
    competitors,
    targets: [{ cases: /Reactor|listen|createServer/, against: 'nothing', metric: 'turnsPerSecond', least: 0.95 }],
    notes: ['Immediates: each is compared with itself when nothing is in flight'],
    async measure(competitor, test) {
      const { ops, seconds, cpuSeconds } = await measureLoop(context, competitor, test);
      return { turnsPerSecond: ops / seconds, cpuMicroseconds: (cpuSeconds * 1e6) / ops };
    },
    async [Symbol.asyncDispose]() {},
  };
}
