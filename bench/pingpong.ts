/** Scenario: one connection on which one message at a time goes there and back. */
import { inC, onBun, onNet, onNode } from './contenders.ts';
import { type Competitor, type Context, type Scenario, type Target, WAITED } from './scenario.ts';
import { loadedBy, loadInC, serveInTurns, sumOf } from './served.ts';
import { summarize } from './statistics.ts';
import { placeOf, SocketPaths, type Transport, type TransportCase } from './socket-paths.ts';

interface MessageCase extends TransportCase {
  /** Whose case it is: that of `listen`, or of `createServer`. */
  readonly ours: 'listen' | 'createServer';
}

interface Answered {
  readonly seconds: number;
  readonly roundTrips: number;
  readonly p99Microseconds: number;
}

const BYTES = 64;
const RATE = 'roundTripsPerSecond';
const CPU = 'cpuMicroseconds';

export async function pingpong(context: Context): Promise<Scenario<MessageCase>> {
  return over('tcp', context, [
    { cases: /, listen$/, against: 'node:net', metric: RATE, least: 1.2 },
    { cases: /, listen$/, against: 'node:net', metric: CPU, least: 1 },
    { cases: /, listen$/, against: 'Bun', metric: RATE, least: 1 },
    { cases: /, listen$/, against: 'Bun', metric: CPU, least: 0.75 },
    ...asGoodAsNode,
  ]);
}

export async function pingpongUnix(context: Context): Promise<Scenario<MessageCase>> {
  return over('unix', context, [
    { cases: /, listen$/, against: 'Bun', metric: RATE, least: 1 },
    { cases: /, listen$/, against: 'Bun', metric: CPU, least: 1 },
    ...asGoodAsNode,
  ]);
}

const asGoodAsNode: readonly Target[] = [RATE, CPU].map((metric) => ({
  cases: /, createServer$/,
  against: 'node:net',
  metric,
  least: 1,
}));

async function over(
  transport: Transport,
  context: Context,
  targets: readonly Target[],
): Promise<Scenario<MessageCase>> {
  const { launcher } = context;
  const client = await loadInC(launcher, 'ping', ['--bytes', `${BYTES}`]);
  const of = (module: string) => (test: MessageCase): string[] => [...placeOf(test), '--module', module];
  const competitors: Competitor<MessageCase>[] = [
    only('listen', onNet('listen', 'echo-lean', placeOf)),
    only('createServer', onNet('createServer', 'echo', of('iouring/net'))),
    onNode('node:net', 'echo', of('node:net')),
    only('listen', await inC(launcher, 'echo', placeOf)),
    only('listen', await onBun(launcher, 'Bun.listen', 'echo-lean', placeOf)),
  ];
  const paths = new SocketPaths(transport);
  const name = paths.named('pingpong');
  return {
    name,
    title: `One connection, one message of ${BYTES} bytes at a time${paths.title}`,
    metrics: [
      { key: RATE, title: 'round trips/s', better: 'higher', digits: 0 },
      { key: CPU, title: 'server CPU µs per round trip', better: 'lower', digits: 2, inReadme: true },
      { key: 'p99Microseconds', title: 'p99 µs', better: 'lower', digits: 0 },
      { key: 'sleeps', title: 'sleeps per round trip', better: 'lower', digits: 2, fact: true },
      WAITED,
    ],
    cases: (['listen', 'createServer'] as const).map((ours) => ({ group: name, name: ours, ours })),
    competitors: loadedBy(client, competitors),
    targets,
    notes: ['One message at a time: p99 is the median of those of the turns'],
    enter(competitor, test) {
      const command = competitor.command(paths.placed(test));
      return serveInTurns<Answered>(context, command, client, (turns, { cpuSeconds, sleeps, waitedPercent }) => {
        const roundTrips = sumOf(turns, (turn) => turn.roundTrips);
        return {
          [RATE]: roundTrips / sumOf(turns, ({ seconds }) => seconds),
          [CPU]: (cpuSeconds * 1e6) / roundTrips,
          p99Microseconds: summarize(turns.map((turn) => turn.p99Microseconds)).median,
          sleeps: sleeps / roundTrips,
          waitedPercent,
        };
      });
    },
    async [Symbol.asyncDispose]() {
      paths[Symbol.dispose]();
    },
  };
}

/** A competitor that takes part in the case of `ours` only. */
function only(ours: MessageCase['ours'], competitor: Competitor<MessageCase>): Competitor<MessageCase> {
  return { ...competitor, takesPart: (test) => test.ours === ours };
}
