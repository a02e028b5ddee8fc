/** HTTPS servers under wrk: the server has one core, wrk another. */
import { CPU, P99, RATE } from './http-load.ts';
import { findInPath } from './launcher.ts';
import type { Server } from './launcher.ts';
import { ProcessCpu } from './process-cpu.ts';
import { type Case, type Competitor, type Context, type Sample, WARMUP_SECONDS } from './scenario.ts';

const NO_WRK = 'no wrk to make the load: apt-get install wrk';
const wrk = findInPath('wrk');

/** The competitors, which are missing where wrk is. */
export function loadedByWrk<C extends Case>(competitors: readonly Competitor<C>[]): readonly Competitor<C>[] {
  return wrk === undefined ? competitors.map((competitor) => ({ ...competitor, missing: NO_WRK })) : competitors;
}

/** Every metric of HTTP, and {@link WAITED}, for a server of HTTPS that listens. */
export async function measureWithWrk(
  { launcher, seconds }: Context,
  server: Server,
  connections: number,
): Promise<Sample> {
  if (wrk === undefined) {
    throw new Error(NO_WRK);
  }
  const load = (duration: number): Promise<string> => {
    const args = ['-t1', `-c${connections}`, `-d${duration}s`, '--latency', `https://127.0.0.1:${server.port}/`];
    return launcher.run({ file: wrk, args }, 'beside', 10_000 + 2000 * duration);
  };
  await load(WARMUP_SECONDS);
  const cpu = new ProcessCpu(server.pid);
  // wrk counts in whole seconds.
  const { requests, requestsPerSecond, p99Milliseconds } = parseWrk(await load(Math.max(1, Math.round(seconds))));
  return {
    [CPU.key]: (cpu.seconds() * 1e6) / requests,
    [RATE.key]: requestsPerSecond,
    [P99.key]: p99Milliseconds,
    waitedPercent: cpu.waitedPercent(),
  };
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
