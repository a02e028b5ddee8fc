/** Scenario: servers of node:http2 over TLS, on the sockets of `iouring/net` and on Node's own, under h2load. */
import { onBun, onNet, onNode } from './contenders.ts';
import { findInPath, type Server } from './launcher.ts';
import { ProcessCpu } from './process-cpu.ts';
import { type Case, type Competitor, type Context, type Sample, type Scenario, WARMUP_SECONDS } from './scenario.ts';
import { CPU, notesOnCores, RATE } from './http-load.ts';

const CONNECTIONS = 16;
const STREAMS = 10;
const h2load = findInPath('h2load');
const NO_H2LOAD = 'no h2load to make the load: apt-get install nghttp2-client';

export async function h2(context: Context): Promise<Scenario<Case>> {
  const { launcher } = context;
  const sockets = (module: string) => (): string[] => ['--protocol', 'h2', '--sockets', module];
  const competitors: Competitor<Case>[] = [
    onNet('node:http2 on createServer', 'http-server', sockets('iouring/net')),
    onNode('node:http2', 'http-server', sockets('its own')),
    await onBun(launcher, 'node:http2', 'http-server', sockets('its own')),
  ];
  return {
    name: 'h2',
    title: `HTTP/2 server of node:http2, ${CONNECTIONS} connections with ${STREAMS} requests each at a time`,
    metrics: [CPU, { ...RATE, inReadme: true }],
    cases: [{ group: 'h2', name: 'GET' }],
    competitors: competitors.map((competitor) =>
      h2load === undefined ? { ...competitor, missing: NO_H2LOAD } : competitor
    ),
    targets: [CPU, RATE].map(({ key }) => ({ cases: /GET/, against: 'node:http2', metric: key, least: 1 })),
    notes: notesOnCores(context),
    async measure(competitor, test) {
      await using server = await launcher.serve(competitor.command(test));
      return await measure(context, server);
    },
    async [Symbol.asyncDispose]() {},
  };
}

async function measure({ launcher, seconds }: Context, { pid, port }: Server): Promise<Sample> {
  const load = async (duration: number): Promise<Report> => {
    const args = `-t1 -c${CONNECTIONS} -m${STREAMS} -D${duration} https://127.0.0.1:${port}/`.split(' ');
    return parseH2load(await launcher.run({ file: h2load!, args }, 'beside', 10_000 + 2000 * duration));
  };
  await load(WARMUP_SECONDS);
  const cpu = new ProcessCpu(pid);
  // h2load counts in whole seconds.
  const { requests, requestsPerSecond } = await load(Math.max(1, Math.round(seconds)));
  return { [CPU.key]: (cpu.seconds() * 1e6) / requests, [RATE.key]: requestsPerSecond };
}

interface Report {
  readonly requests: number;
  readonly requestsPerSecond: number;
}

/** Reads the report of `h2load -D`; throws when a request failed. */
export function parseH2load(output: string): Report {
  const rate = /^finished in [^,]+, ([\d.]+) req\/s/m.exec(output);
  const counts = /^requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/m.exec(output);
  if (rate === null || counts === null || !(Number(counts[1]) > 0) || counts.slice(2).some((count) => count !== '0')) {
    throw new Error(`Cannot use this report of h2load: ${output}`);
  }
  return { requests: Number(counts[1]), requestsPerSecond: Number(rate[1]) };
}
