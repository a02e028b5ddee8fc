/** Scenario: a tiny TCP responder under wrk; the server has one core, wrk another. */
import { inC, onBun, onIoUring, onNode } from './contenders.ts';
import { findInPath } from './launcher.ts';
import { ProcessCpu } from './process-cpu.ts';
import type { Case, Competitor, Context, Sample, Scenario } from './scenario.ts';

interface ResponderCase extends Case {
  readonly connections: number;
}

const CONNECTIONS = [1, 16, 64, 256];
const NO_WRK = 'no wrk to make the load: apt-get install wrk';

/** With the ring. */
export async function responder(context: Context): Promise<Scenario<ResponderCase>> {
  return respondingWith(context, onIoUring('iouring', 'responder-iouring', none), 'responder', CONNECTIONS);
}

/** With the reactor's async iterators. */
export async function sockets(context: Context): Promise<Scenario<ResponderCase>> {
  return respondingWith(context, onIoUring('Reactor', 'responder-reactor', none), 'sockets', [1, 64, 256]);
}

const none = (): string[] => [];

async function respondingWith(
  context: Context,
  first: Competitor<ResponderCase>,
  name: string,
  connectionCounts: readonly number[],
): Promise<Scenario<ResponderCase>> {
  const { launcher } = context;
  const wrk = findInPath('wrk');
  const competitors: Competitor<ResponderCase>[] = [
    first,
    await inC(launcher, 'responder', none),
    onNode('node:net', 'responder-net', none),
    await onBun(launcher, 'Bun.listen', 'responder-bun', none),
  ];
  return {
    name,
    title: name === 'sockets' ? 'Small messages over TCP, with acceptMany, recvMany and send' : 'Tiny HTTP responder over TCP',
    metrics: [
      { key: 'cpuMicroseconds', title: 'server CPU µs per request', better: 'lower', digits: 2 },
      { key: 'requestsPerSecond', title: 'requests/s', better: 'higher', digits: 0 },
      { key: 'p99Milliseconds', title: 'p99 ms', better: 'lower', digits: 2 },
    ],
    cases: connectionCounts.map((connections) => ({
      group: name,
      name: connections === 1 ? '1 connection' : `${connections} connections`,
      connections,
    })),
    competitors: competitors.map((competitor) =>
      wrk === undefined ? { ...competitor, missing: NO_WRK } : competitor,
    ),
    notes: launcher.cores === undefined ? ['Server and load generator shared their cores'] : [],
    measure: (competitor, test) => measure(context, wrk!, competitor, test),
    async [Symbol.asyncDispose]() {},
  };
}

async function measure(
  { launcher, seconds }: Context,
  wrk: string,
  competitor: Competitor<ResponderCase>,
  test: ResponderCase,
): Promise<Sample> {
  await using server = await launcher.serve(competitor.command(test));
  const load = (duration: number): Promise<string> => {
    const args = ['-t1', `-c${test.connections}`, `-d${duration}s`, '--latency'];
    const url = `http://127.0.0.1:${server.port}/`;
    const timeoutMs = 10_000 + 2000 * duration;
    return launcher.run({ file: wrk, args: [...args, url] }, 'beside', timeoutMs);
  };
  // Long enough for JIT compilers to be done.
  await load(2);
  const cpu = new ProcessCpu(server.pid);
  // wrk counts in whole seconds.
  const output = await load(Math.max(1, Math.round(seconds)));
  const cpuSeconds = cpu.seconds();
  const { requests, requestsPerSecond, p99Milliseconds } = parseWrk(output);
  return { cpuMicroseconds: (cpuSeconds * 1e6) / requests, requestsPerSecond, p99Milliseconds };
}

const MILLISECONDS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

interface WrkResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p99Milliseconds: number;
}

/** Reads the report of `wrk --latency`; throws when a request failed. */
export function parseWrk(output: string): WrkResult {
  const requests = /^\s*(\d+) requests in /m.exec(output);
  const rate = /^Requests\/sec:\s*([\d.]+)/m.exec(output);
  const p99 = /^\s*99%\s+([\d.]+)(us|ms|s|m)\s*$/m.exec(output);
  if (requests === null || rate === null || p99 === null || /^\s*(Socket|Non-2xx)/m.test(output)) {
    throw new Error(`Cannot use this report of wrk: ${output}`);
  }
  return {
    requests: Number(requests[1]),
    requestsPerSecond: Number(rate[1]),
    p99Milliseconds: Number(p99[1]) * MILLISECONDS[p99[2]],
  };
}
