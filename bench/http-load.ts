/** HTTP servers under load: each has one core, its clients another. Competitors take turns. */
import type { Attendant, Server } from './launcher.ts';
import { ProcessCpu } from './process-cpu.ts';
import {
  type Case,
  type Competitor,
  type Contestant,
  type Context,
  type Metric,
  TURNS_WARMUP_SECONDS,
} from './scenario.ts';
import { loadedBy, loadInC, loading } from './served.ts';

export const CPU: Metric = { key: 'cpuMicroseconds', title: 'server CPU µs per request', better: 'lower', digits: 2 };
export const RATE: Metric = { key: 'requestsPerSecond', title: 'requests/s', better: 'higher', digits: 0 };
export const P99: Metric = { key: 'p99Milliseconds', title: 'p99 ms', better: 'lower', digits: 2 };

export interface Request {
  readonly connections: number;
  /** Begins with a slash. */
  readonly path?: string;
  /** What the body holds that a request brings: it is a POST then. */
  readonly postBytes?: number;
  /** What the body of an answer holds. */
  readonly bodyBytes?: number;
  /** Connections are made anew for each turn. */
  readonly isFresh?: boolean;
  /** The clients never sleep: the server need not wake them. */
  readonly isAwake?: boolean;
  /** Processes that do the server's work: what they use counts as well. */
  readonly workers?: readonly number[];
}

/** Of one turn, but for the p99, which is that of all so far. */
interface Turn {
  readonly seconds: number;
  readonly requests: number;
  readonly bytes: number;
  readonly p99Milliseconds: number;
}

/** Clients in C, in the place of a load generator that goes on for whole seconds. */
export interface HttpLoad {
  /** The competitors, which are missing where the load is. */
  loaded<C extends Case>(competitors: readonly Competitor<C>[]): readonly Competitor<C>[];
  /** The competitor that serves. It ends with its server. */
  enter(server: Server, request: Request): Promise<Contestant>;
}

/** What to say of the numbers. */
export function notesOnCores({ launcher }: Context): string[] {
  return launcher.cores === undefined ? ['Server and load generator shared their cores'] : [];
}

export async function httpLoad({ launcher }: Context): Promise<HttpLoad> {
  const load = await loadInC(launcher, 'http-load');
  return {
    loaded: (competitors) => loadedBy(load, competitors),
    async enter(
      server,
      { connections, path = '/', postBytes = 0, bodyBytes = 0, isFresh = false, isAwake = false, workers = [] },
    ) {
      const words = ['--connections', `${connections}`, '--path', path];
      if (postBytes > 0) words.push('--post', `${postBytes}`);
      if (isFresh) words.push('--fresh');
      if (isAwake) words.push('--awake');
      return turnsOf(server, launcher.attend(loading(load, server, ...words), 'beside'), bodyBytes, workers);
    },
  };
}

/** A server whose clients take turns. It ends with it, or at once if there are no clients. */
export async function turnsOf(
  server: Server,
  starting: Promise<Attendant>,
  bodyBytes = 0,
  workers: readonly number[] = [],
): Promise<Contestant> {
  try {
    return contestant(server, await starting, bodyBytes, workers);
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

function contestant(server: Server, clients: Attendant, bodyBytes: number, workers: readonly number[]): Contestant {
  /** From the first turn on that counts. */
  let processes: readonly ProcessCpu[] | undefined;
  const sum = { seconds: 0, requests: 0, p99Milliseconds: 0 };
  return {
    warmupSeconds: TURNS_WARMUP_SECONDS,
    async turn(seconds, counts) {
      if (counts) processes ??= [server.pid, ...workers].map((pid) => new ProcessCpu(pid));
      const turn = await clients.ask<Turn>(`${counts ? '' : 'w'}${seconds}`, 10_000 + 5000 * seconds);
      if (!counts) return;
      if (turn.bytes < turn.requests * bodyBytes) {
        throw new Error(`Cannot use these answers, their bodies were too short: ${JSON.stringify(turn)}`);
      }
      sum.seconds += turn.seconds;
      sum.requests += turn.requests;
      sum.p99Milliseconds = turn.p99Milliseconds;
    },
    result() {
      const { seconds, requests, p99Milliseconds } = sum;
      const cpuSeconds = processes!.reduce((all, process) => all + process.seconds(), 0);
      return {
        [CPU.key]: (cpuSeconds * 1e6) / requests,
        [RATE.key]: requests / seconds,
        [P99.key]: p99Milliseconds,
        waitedPercent: (100 * processes![0].waitedSeconds()) / seconds,
      };
    },
    async [Symbol.asyncDispose]() {
      await clients[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
