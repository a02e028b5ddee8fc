/** Scenario: datagrams that come and go back. */
import { inC, onBun, onNet, onNode } from './contenders.ts';
import type { Case, Context, Scenario } from './scenario.ts';
import { loadedBy, loadInC, serveInTurns, sumOf } from './served.ts';

interface DatagramCase extends Case {
  readonly outstanding: number;
}

interface Answered {
  readonly seconds: number;
  readonly messages: number;
  readonly lost: number;
}

const BYTES = 64;

export async function udp(context: Context): Promise<Scenario<DatagramCase>> {
  const { launcher } = context;
  const client = await loadInC(launcher, 'udp-ping');
  const of = (module: string) => (): string[] => ['--module', module];
  const competitors = [
    onNet<DatagramCase>('createSocket', 'udp-echo', of('iouring/net')),
    onNode<DatagramCase>('node:dgram', 'udp-echo', of('node:dgram')),
    await onBun<DatagramCase>(launcher, 'node:dgram', 'udp-echo', of('node:dgram')),
    await inC<DatagramCase>(launcher, 'udp-echo', () => []),
  ];
  return {
    name: 'udp',
    title: `UDP datagrams of ${BYTES} bytes, sent back`,
    metrics: [
      { key: 'cpuMicroseconds', title: 'server CPU µs per message', better: 'lower', digits: 2 },
      { key: 'messagesPerSecond', title: 'messages/s', better: 'higher', digits: 0, inReadme: true },
      { key: 'lostPercent', title: '% lost', better: 'lower', digits: 2, fact: true },
      { key: 'sleeps', title: 'sleeps per message', better: 'lower', digits: 2, fact: true },
    ],
    cases: [1, 64].map((outstanding) => ({ group: 'udp', name: `${outstanding} at a time`, outstanding })),
    competitors: loadedBy(client, competitors),
    targets: ['messagesPerSecond', 'cpuMicroseconds'].map((metric) => ({
      cases: /, 1 at a time$/,
      against: 'node:dgram',
      metric,
      least: 1,
    })),
    notes: [],
    enter(competitor, test) {
      const load = { ...client, args: ['--bytes', `${BYTES}`, '--outstanding', `${test.outstanding}`] };
      return serveInTurns<Answered>(context, competitor.command(test), load, (turns, { cpuSeconds, sleeps }) => {
        const messages = sumOf(turns, (turn) => turn.messages);
        const lost = sumOf(turns, (turn) => turn.lost);
        return {
          cpuMicroseconds: (cpuSeconds * 1e6) / messages,
          messagesPerSecond: messages / sumOf(turns, ({ seconds }) => seconds),
          lostPercent: (100 * lost) / (messages + lost),
          sleeps: sleeps / messages,
        };
      });
    },
    async [Symbol.asyncDispose]() {},
  };
}
