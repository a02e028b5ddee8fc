/** Scenario: streams in both directions, over TCP loopback or unix sockets, by size of a message. */
import { inC, onBun, onNet, onNode } from './contenders.ts';
import { receiving } from './messages.ts';
import type { Competitor, Context, Scenario, Target } from './scenario.ts';
import { type Load, loadInC, serveInTurns, sumOf } from './served.ts';
import { placeOf, SocketPaths, type Transport, type TransportCase } from './socket-paths.ts';

interface StreamCase extends TransportCase {
  readonly direction: 'receive' | 'send';
  readonly connections: number;
  readonly bytes: number;
}

interface Streamed {
  readonly seconds: number;
  /** Bytes that the load has sent, or received. */
  readonly bytes: number;
  /** The server's own count. */
  readonly report: {
    readonly bytes: number;
    /** Arrivals that were handed to the program, or writes. */
    readonly pieces?: number;
    /** The same of the receiver in C. */
    readonly completions?: number;
  };
}

const KIBIBYTE = 1024;
const MEBIBYTE = 2 ** 20;
const MANY = 16;
/** One multishot receive a connection, into 4 MiB of buffers. */
const IN_C = receiving('plain', { buffers: 64, bytes: 65_536 }, 0);

const RATE = 'mebibytesPerSecond';
const CPU = 'cpuMicroseconds';
/** No size and no direction is worse than with what is replaced. */
const TARGETS: readonly Target[] = ['node:net', 'Bun'].flatMap((against) =>
  [RATE, CPU].map((metric) => ({ cases: /^/, against, metric, least: 1 }))
);

export async function streams(context: Context): Promise<Scenario<StreamCase>> {
  return over('tcp', context);
}

export async function streamsUnix(context: Context): Promise<Scenario<StreamCase>> {
  return over('unix', context);
}

async function over(transport: Transport, context: Context): Promise<Scenario<StreamCase>> {
  const { launcher } = context;
  const sender = await loadInC(launcher, 'message-sender');
  const sink = await loadInC(launcher, 'zero-copy-sink');
  const args = (test: StreamCase): string[] => [
    ...placeOf(test),
    '--direction',
    test.direction,
    '--bytes',
    `${test.bytes}`,
  ];
  const of = (module: string) => (test: StreamCase): string[] => [...args(test), '--module', module];
  const lean = onNet('listen', 'stream-lean', args);
  const competitors: Competitor<StreamCase>[] = [
    onNet('createServer', 'stream', of('iouring/net')),
    onNode('node:net', 'stream', of('node:net')),
    lean,
    { ...(await onBun(launcher, 'Bun.listen', 'stream-lean', args)), against: lean.name },
    {
      ...(await inC(launcher, 'message-receiver', (test) => [...placeOf(test), ...IN_C])),
      takesPart: ({ direction }) => direction === 'receive',
      against: lean.name,
    },
  ];
  const missing = [sender, sink].map(({ built }) => ('missing' in built ? built.missing : undefined)).find(Boolean);
  const paths = new SocketPaths(transport);
  return {
    name: paths.named('streams'),
    title: `Streams over ${transport === 'unix' ? 'unix sockets' : 'TCP loopback'}, by size of a message`,
    metrics: [
      { key: RATE, title: 'MiB/s', better: 'higher', digits: 0 },
      { key: CPU, title: 'server CPU µs per MiB', better: 'lower', digits: 0, inReadme: true },
      { key: 'pieces', title: 'data events or writes per MiB', better: 'lower', digits: 1, fact: true },
    ],
    cases: [
      ...casesOf('received', 'receive', 1),
      ...casesOf(`received on ${MANY} connections`, 'receive', MANY),
      ...casesOf('sent', 'send', 1),
      ...casesOf(`sent on ${MANY} connections`, 'send', MANY),
    ],
    competitors: competitors.map((competitor) => (missing === undefined ? competitor : { ...competitor, missing })),
    targets: TARGETS,
    notes: [
      'Streams: Bun.listen and C are compared with `listen` of iouring/net, which is as lean; node:net with `createServer`',
    ],
    enter(competitor, test) {
      const { direction, connections, bytes: size } = test;
      const pace = `--connections ${connections} --batch 1 --every 0 --smallest ${size} --largest ${size}`;
      const load: Load = direction === 'send' ? { ...sink, args: ['--connections', `${connections}`] }
        : { ...sender, args: pace.split(' ') };
      const command = competitor.command(paths.placed(test));
      return serveInTurns<Streamed>(context, command, load, (turns, { cpuSeconds }) => {
        const wrong = turns.find(({ bytes, report }) => direction === 'receive' && report.bytes !== bytes);
        if (wrong !== undefined) {
          throw new Error(`Cannot trust the server: it counted ${wrong.report.bytes} of ${wrong.bytes} bytes`);
        }
        const mebibytes = sumOf(turns, ({ bytes }) => bytes) / MEBIBYTE;
        return {
          [RATE]: mebibytes / sumOf(turns, ({ seconds }) => seconds),
          [CPU]: (cpuSeconds * 1e6) / mebibytes,
          pieces: sumOf(turns, ({ report }) => report.pieces ?? report.completions ?? 0) / mebibytes,
        };
      });
    },
    async [Symbol.asyncDispose]() {
      paths[Symbol.dispose]();
    },
  };
}

function casesOf(group: string, direction: StreamCase['direction'], connections: number): StreamCase[] {
  return [1, 4, 16, 64, 256, 1024].map((kibibytes) => ({
    group,
    name: kibibytes < KIBIBYTE ? `${kibibytes} KiB` : `${kibibytes / KIBIBYTE} MiB`,
    direction,
    connections,
    bytes: kibibytes * KIBIBYTE,
  }));
}
