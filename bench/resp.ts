/** Scenario: the example that speaks RESP, beside a real redis-server, under redis-benchmark. */
import { type Installed, findServer, noCommand, notBuilt } from './contenders.ts';
import { findInPath, freePort, type Server } from './launcher.ts';
import { ProcessCpu } from './process-cpu.ts';
import { inProject } from './project.ts';
import type { Case, Competitor, Context, Sample, Scenario } from './scenario.ts';
import { notesOnCores } from './http-load.ts';

interface RespCase extends Case {
  readonly command: 'set' | 'get';
  readonly pipeline: number;
  /** Where to listen; a measurement chooses it. */
  readonly port: number;
}

const CONNECTIONS = 50;
const KEYS = 100_000;
const WARMUP_REQUESTS = 100_000;
const LIMIT_MS = 60_000;
const benchmark = findInPath('redis-benchmark');

export async function resp(context: Context): Promise<Scenario<RespCase>> {
  const { launcher } = context;
  const redis = await findServer(launcher, 'redis-server', '--version', 'redis-server');
  const competitors = [example(), real(redis)];
  return {
    name: 'resp',
    title: `redis-benchmark, ${CONNECTIONS} connections, ${KEYS.toLocaleString('en-US')} keys`,
    metrics: [
      { key: 'requestsPerSecond', title: 'requests/s', better: 'higher', digits: 0 },
      { key: 'cpuMicroseconds', title: 'server CPU µs per request', better: 'lower', digits: 2, inReadme: true },
      { key: 'p99Milliseconds', title: 'p99 ms', better: 'lower', digits: 2, inReadme: true },
    ],
    cases: [1, 16].flatMap((pipeline) =>
      (['set', 'get'] as const).map((command) => ({
        group: 'resp',
        name: `${command.toUpperCase()}, pipeline ${pipeline}`,
        command,
        pipeline,
        port: 0,
      }))
    ),
    competitors: competitors.map((competitor) =>
      benchmark === undefined
        ? { ...competitor, missing: 'no redis-benchmark to make the load: apt-get install redis-tools' }
        : competitor
    ),
    notes: notesOnCores(context),
    async measure(competitor, test) {
      const port = await freePort();
      await using server = await launcher.serveOn(port, competitor.command({ ...test, port }));
      return await measure(context, server, test);
    },
    async [Symbol.asyncDispose]() {},
  };
}

function example(): Competitor<RespCase> {
  const program = inProject('build', 'examples', 'resp-server.js');
  return {
    name: 'examples/resp-server',
    missing: notBuilt('dist', 'net', 'index.js') ?? notBuilt('build', 'examples', 'resp-server.js'),
    command: ({ port }) => ({ file: process.execPath, args: [program, '--port', `${port}`] }),
  };
}

/** In memory only, as the example is. */
function real(server: Installed): Competitor<RespCase> {
  const { name } = server;
  if ('missing' in server) {
    return { ...server, command: noCommand };
  }
  const options = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  return { name, command: ({ port }) => ({ file: server.file, args: ['--port', `${port}`, ...options] }) };
}

async function measure({ launcher, seconds }: Context, { pid, port }: Server, test: RespCase): Promise<Sample> {
  const load = async (command: string, pipeline: number, requests: number): Promise<Report> => {
    const load = `-p ${port} -c ${CONNECTIONS} -r ${KEYS} -t ${command} -P ${pipeline} -n ${requests} --csv`;
    return parseReport(await launcher.run({ file: benchmark!, args: load.split(' ') }, 'beside', LIMIT_MS));
  };
  // There is something to get.
  await load('set', 16, WARMUP_REQUESTS);
  const { requestsPerSecond: expected } = await load(test.command, test.pipeline, WARMUP_REQUESTS);
  // redis-benchmark counts requests, not seconds.
  const requests = Math.ceil(expected * seconds);
  const cpu = new ProcessCpu(pid);
  const { requestsPerSecond, p99Milliseconds } = await load(test.command, test.pipeline, requests);
  return { requestsPerSecond, cpuMicroseconds: (cpu.seconds() * 1e6) / requests, p99Milliseconds };
}

interface Report {
  readonly requestsPerSecond: number;
  readonly p99Milliseconds: number;
}

/** Reads the report of `redis-benchmark --csv` on one command. */
export function parseReport(output: string): Report {
  const lines = output.trim().split('\n');
  const [titles, values] = lines.slice(-2).map((line) => line.split(',').map((cell) => cell.replaceAll('"', '')));
  const value = (title: string): number => Number(values?.[titles.indexOf(title)]);
  const report = { requestsPerSecond: value('rps'), p99Milliseconds: value('p99_latency_ms') };
  if (!(report.requestsPerSecond > 0 && report.p99Milliseconds >= 0)) {
    throw new Error(`Cannot use this report of redis-benchmark: ${output}`);
  }
  return report;
}
