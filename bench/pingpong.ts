/** Scenario: one connection on which one message at a time goes there and back. */
import { inC, onBun, onNet, onNode } from './contenders.ts';
import type { Case, Context, Scenario } from './scenario.ts';
import { loadedBy, loadInC, measureServed } from './served.ts';

interface MessageCase extends Case {
  readonly bytes: number;
}

interface Answered {
  readonly seconds: number;
  readonly roundTrips: number;
  readonly p99Microseconds: number;
}

export async function pingpong(context: Context): Promise<Scenario<MessageCase>> {
  const { launcher } = context;
  const client = await loadInC(launcher, 'ping');
  const none = (): string[] => [];
  const of = (module: string) => (): string[] => ['--module', module];
  const classes = onNet<MessageCase>('createServer', 'echo', of('iouring/net'));
  const competitors = [
    onNet<MessageCase>('listen', 'echo-lean', none),
    classes,
    { ...onNode<MessageCase>('node:net', 'echo', of('node:net')), against: classes.name },
    await inC<MessageCase>(launcher, 'echo', none),
    await onBun<MessageCase>(launcher, 'Bun.listen', 'echo-lean', none),
  ];
  return {
    name: 'pingpong',
    title: 'One connection, one message at a time',
    metrics: [
      { key: 'roundTripsPerSecond', title: 'round trips/s', better: 'higher', digits: 0 },
      { key: 'cpuMicroseconds', title: 'server CPU µs per round trip', better: 'lower', digits: 2, inReadme: true },
      { key: 'p99Microseconds', title: 'p99 µs', better: 'lower', digits: 0 },
    ],
    cases: [1, 64].map((bytes) => ({ group: 'pingpong', name: bytes === 1 ? '1 byte' : `${bytes} bytes`, bytes })),
    competitors: loadedBy(client, competitors),
    notes: ['One message at a time: node:net is compared with `createServer` of iouring/net, the others with `listen`'],
    async measure(competitor, { bytes, ...test }) {
      const load = { ...client, args: ['--bytes', `${bytes}`] };
      const command = competitor.command({ bytes, ...test });
      const { seconds, roundTrips, p99Microseconds, cpuSeconds } = await measureServed<Answered>(context, command, load);
      return {
        roundTripsPerSecond: roundTrips / seconds,
        cpuMicroseconds: (cpuSeconds * 1e6) / roundTrips,
        p99Microseconds,
      };
    },
    async [Symbol.asyncDispose]() {},
  };
}
