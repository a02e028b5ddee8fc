/** Scenario: how late timers of 1 to 20 ms are in a server that has something else to do. */
import { onBun, onNet, onNode } from './contenders.ts';
import { type Case, type Competitor, type Context, type Scenario, WAITED } from './scenario.ts';
import { loadedBy, loadInC, measureServed } from './served.ts';

interface TimerCase extends Case {
  /** Whose case it is: that of `listen`, or of `createServer`. */
  readonly ours: 'listen' | 'createServer';
  readonly connections: number;
  /** Messages a second in all; 0 for as many as are answered. */
  readonly rate: number;
}

interface Answered {
  readonly seconds: number;
  readonly roundTrips: number;
  /** The server's own: milliseconds by which its timers were late. */
  readonly report: Readonly<Record<'timers' | 'p50' | 'p99' | 'max', number>>;
}

const BYTES = 64;
const RATE = 4000;

export async function timers(context: Context): Promise<Scenario<TimerCase>> {
  const { launcher } = context;
  const client = await loadInC(launcher, 'pings');
  const none = (): string[] => [];
  const of = (module: string) => (): string[] => ['--module', module];
  const competitors: Competitor<TimerCase>[] = [
    only('listen', onNet('listen', 'timers-lean', none)),
    only('createServer', onNet('createServer', 'timers', of('iouring/net'))),
    onNode('node:net', 'timers', of('node:net')),
    only('listen', await onBun(launcher, 'Bun.listen', 'timers-lean', none)),
  ];
  const loads = [
    { name: '1 connection', connections: 1, rate: 0 },
    { name: `16 connections, ${RATE} messages/s`, connections: 16, rate: RATE },
    { name: '64 connections', connections: 64, rate: 0 },
  ];
  return {
    name: 'timers',
    title: `Timers of 1–20 ms in an echo server of messages of ${BYTES} bytes`,
    metrics: [
      { key: 'p99', title: 'p99 of the delay, ms', better: 'lower', digits: 2 },
      { key: 'p50', title: 'median delay, ms', better: 'lower', digits: 2 },
      { key: 'max', title: 'longest delay, ms', better: 'lower', digits: 1 },
      { key: 'roundTripsPerSecond', title: 'round trips/s meanwhile', better: 'higher', digits: 0 },
      WAITED,
    ],
    cases: (['createServer', 'listen'] as const).flatMap((ours) =>
      loads.map((load) => ({ ...load, group: `timers, ${ours}`, ours }))
    ),
    competitors: loadedBy(client, competitors),
    targets: [{ cases: /^/, against: 'node:net', metric: 'p99', least: 1 }],
    notes: [],
    async measure(competitor, test) {
      const args = `--bytes ${BYTES} --connections ${test.connections} --rate ${test.rate}`.split(' ');
      const load = { ...client, args };
      const { seconds, roundTrips, report, waitedPercent } = await measureServed<Answered>(
        context,
        competitor.command(test),
        load,
      );
      const { p50, p99, max } = report;
      return { p50, p99, max, roundTripsPerSecond: roundTrips / seconds, waitedPercent };
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** A competitor that takes part in the cases of `ours` only. */
function only(ours: TimerCase['ours'], competitor: Competitor<TimerCase>): Competitor<TimerCase> {
  return { ...competitor, takesPart: (test) => test.ours === ours };
}
