/** HTTP servers under wrk: the server has one core, wrk another. */
import { findInPath } from './launcher.ts';
import type { Server } from './launcher.ts';
import { ProcessCpu } from './process-cpu.ts';
import { inProject } from './project.ts';
import { type Case, type Competitor, type Context, type Metric, type Sample, WARMUP_SECONDS } from './scenario.ts';

const NO_WRK = 'no wrk to make the load: apt-get install wrk';
const wrk = findInPath('wrk');
const POST = inProject('bench', 'competitors', 'post.lua');

export const CPU: Metric = { key: 'cpuMicroseconds', title: 'server CPU µs per request', better: 'lower', digits: 2 };
export const RATE: Metric = { key: 'requestsPerSecond', title: 'requests/s', better: 'higher', digits: 0 };
export const P99: Metric = { key: 'p99Milliseconds', title: 'p99 ms', better: 'lower', digits: 2 };

export interface Request {
  readonly connections: number;
  /** Begins with a slash. */
  readonly path?: string;
  /** `http` when left out. */
  readonly protocol?: 'http' | 'https';
  /** What the body holds that a request brings: it is a POST then. */
  readonly postBytes?: number;
  /** What the body of a response holds at least; checked by the bytes that came in all. */
  readonly bodyBytes?: number;
  /** Processes that do the server's work: what they use counts as well. */
  readonly workers?: readonly number[];
}

/** The competitors, which are missing where wrk is. */
export function loadedByWrk<C extends Case>(competitors: readonly Competitor<C>[]): readonly Competitor<C>[] {
  return wrk === undefined ? competitors.map((competitor) => ({ ...competitor, missing: NO_WRK })) : competitors;
}

/** What to say of the numbers. */
export function notesOnCores({ launcher }: Context): string[] {
  return launcher.cores === undefined ? ['Server and load generator shared their cores'] : [];
}

/** Every metric above, and {@link WAITED}, for a server that listens. */
export async function measureWithWrk(
  { launcher, seconds }: Context,
  server: Server,
  { connections, path = '/', protocol = 'http', postBytes = 0, bodyBytes = 0, workers = [] }: Request,
): Promise<Sample> {
  if (wrk === undefined) {
    throw new Error(NO_WRK);
  }
  const load = (duration: number): Promise<string> => {
    const args = ['-t1', `-c${connections}`, `-d${duration}s`, '--latency'];
    if (postBytes > 0) {
      args.push('-s', POST);
    }
    args.push(`${protocol}://127.0.0.1:${server.port}${path}`);
    const timeoutMs = 10_000 + 2000 * duration;
    return launcher.run({ file: wrk, args, env: { BODY_BYTES: `${postBytes}` } }, 'beside', timeoutMs);
  };
  await load(WARMUP_SECONDS);
  const cpu = new ProcessCpu(server.pid);
  const others = workers.map((pid) => new ProcessCpu(pid));
  // wrk counts in whole seconds.
  const output = await load(Math.max(1, Math.round(seconds)));
  const cpuSeconds = [cpu, ...others].reduce((sum, process) => sum + process.seconds(), 0);
  const waitedPercent = cpu.waitedPercent();
  const { requests, bytes, requestsPerSecond, p99Milliseconds } = parseWrk(output);
  // wrk rounds what it says of bytes.
  if (bytes < 0.98 * requests * bodyBytes) {
    throw new Error(`Cannot use this report of wrk, the bodies were too short: ${output}`);
  }
  return { cpuMicroseconds: (cpuSeconds * 1e6) / requests, requestsPerSecond, p99Milliseconds, waitedPercent };
}

const MILLISECONDS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };
const BYTES: Readonly<Record<string, number>> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 };

interface WrkResult {
  readonly requests: number;
  readonly bytes: number;
  readonly requestsPerSecond: number;
  readonly p99Milliseconds: number;
}

/** Reads the report of `wrk --latency`; throws when a request failed. */
export function parseWrk(output: string): WrkResult {
  const requests = /^\s*(\d+) requests in [^,]+, ([\d.]+)(B|KB|MB|GB) read/m.exec(output);
  const rate = /^Requests\/sec:\s*([\d.]+)/m.exec(output);
  const p99 = /^\s*99%\s+([\d.]+)(us|ms|s|m)\s*$/m.exec(output);
  if (requests === null || rate === null || p99 === null || /^\s*(Socket|Non-2xx)/m.test(output)) {
    throw new Error(`Cannot use this report of wrk: ${output}`);
  }
  return {
    requests: Number(requests[1]),
    bytes: Number(requests[2]) * BYTES[requests[3]],
    requestsPerSecond: Number(rate[1]),
    p99Milliseconds: Number(p99[1]) * MILLISECONDS[p99[2]],
  };
}
