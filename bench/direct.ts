/** Scenario: short connections, on ordinary descriptors or on those of the ring's own table. */
import { inBoth } from './contenders.ts';
import type { Case, Context, Scenario } from './scenario.ts';
import { loadedBy, loadInC, measureServed } from './served.ts';

interface DirectCase extends Case {
  readonly connections: number;
}

interface Connected {
  readonly seconds: number;
  readonly connections: number;
}

const OPEN = [1, 32];

export async function direct(context: Context): Promise<Scenario<DirectCase>> {
  const { launcher } = context;
  const client = await loadInC(launcher, 'direct-client');
  const args = (descriptors: string) => (): string[] => ['--descriptors', descriptors];
  const competitors = await inBoth<DirectCase>(launcher, 'direct', [
    { args: args('ordinary') },
    { name: 'direct descriptors', args: args('direct') },
  ]);
  return {
    name: 'direct',
    title: 'Short TCP connections: accept, receive, send, close',
    metrics: [
      {
        key: 'cpuMicroseconds',
        title: 'server CPU µs per connection',
        better: 'lower',
        digits: 2,
      },
      { key: 'connectionsPerSecond', title: 'connections/s', better: 'higher', digits: 0 },
    ],
    cases: OPEN.map((connections) => ({
      group: 'direct',
      name: `${connections} at a time`,
      connections,
    })),
    competitors: loadedBy(client, competitors),
    notes: ['Direct descriptors: C is compared with `iouring` doing the same'],
    async measure(competitor, test) {
      const load = { ...client, args: ['--connections', String(test.connections)] };
      const { seconds, connections, cpuSeconds } = await measureServed<Connected>(
        context,
        competitor.command(test),
        load,
      );
      return {
        cpuMicroseconds: (cpuSeconds * 1e6) / connections,
        connectionsPerSecond: connections / seconds,
      };
    },
    async [Symbol.asyncDispose]() {},
  };
}
