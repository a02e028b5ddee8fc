/** Measures a competitor that serves: what it costs is its own, what it does is its load's. */
import { type Built, buildC } from './competitors/build.ts';
import type { Command, Launcher, Server } from './launcher.ts';
import { ProcessCpu } from './process-cpu.ts';
import {
  type Case,
  type Competitor,
  type Contestant,
  type Context,
  type Sample,
  SERVER_WARMUP_SECONDS,
  TURNS_WARMUP_SECONDS,
} from './scenario.ts';
import { WakeUps } from './wake-ups.ts';

/** What every load prints; the rest depends on it. */
interface LoadResult {
  /** How long the load went on. */
  readonly seconds: number;
}

/** A load in C; it takes the server's `--port` or `--unix`, and its own `--seconds`. */
export interface Load {
  readonly built: Built;
  readonly args: readonly string[];
}

export async function loadInC(
  launcher: Launcher,
  program: string,
  args: readonly string[] = [],
): Promise<Load> {
  return { built: await buildC(launcher, program), args };
}

/** The competitors, which are missing where their load is. */
export function loadedBy<C extends Case>(
  { built }: Load,
  competitors: readonly Competitor<C>[],
): readonly Competitor<C>[] {
  return 'missing' in built
    ? competitors.map((competitor) => ({ ...competitor, missing: built.missing }))
    : competitors;
}

/** What a server has cost, and what disturbed it. */
interface Cost {
  readonly cpuSeconds: number;
  readonly waitedPercent: number;
  /** How often its threads slept. */
  readonly sleeps: number;
}

/** Serves a warm-up, and then the load that counts: what that printed, with what the server has cost. */
export async function measureServed<R extends LoadResult>(
  context: Context,
  server: Command,
  load: Load,
): Promise<R & Cost> {
  await using serving = await context.launcher.serve(server);
  const run = (seconds: number): Promise<R> => runLoad(context, serving, load, seconds);
  await run(SERVER_WARMUP_SECONDS);
  const wakeUps = new WakeUps(serving.pid);
  const cpu = new ProcessCpu(serving.pid);
  const result = await run(context.seconds);
  return { ...result, cpuSeconds: cpu.seconds(), waitedPercent: cpu.waitedPercent(), sleeps: wakeUps.count() };
}

/** The same of a server that takes turns with others. In each turn the load is started anew. */
export async function serveInTurns<R extends LoadResult>(
  context: Context,
  command: Command,
  load: Load,
  sampleOf: (turns: readonly R[], cost: Cost) => Sample,
): Promise<Contestant> {
  const server = await context.launcher.serve(command);
  const turns: R[] = [];
  /** From the first turn on that counts: between its turns a server does nothing. */
  let cpu: ProcessCpu;
  let wakeUps: WakeUps;
  return {
    warmupSeconds: TURNS_WARMUP_SECONDS,
    async turn(seconds, counts) {
      if (counts && turns.length === 0) {
        cpu = new ProcessCpu(server.pid);
        wakeUps = new WakeUps(server.pid);
      }
      const result = await runLoad<R>(context, server, load, seconds);
      if (counts) turns.push(result);
    },
    result() {
      const waitedPercent = (100 * cpu.waitedSeconds()) / sumOf(turns, ({ seconds }) => seconds);
      return sampleOf(turns, { cpuSeconds: cpu.seconds(), waitedPercent, sleeps: wakeUps.count() });
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

export function sumOf<R>(turns: readonly R[], value: (turn: R) => number): number {
  return turns.reduce((sum, turn) => sum + value(turn), 0);
}

function runLoad<R>({ launcher }: Context, server: Server, load: Load, seconds: number): Promise<R> {
  return launcher.runForJson(loading(load, server, '--seconds', `${seconds}`), 'beside', 10_000 + 5000 * seconds);
}

/** The load of a server that listens. */
export function loading({ built, args }: Load, { address }: Server, ...more: readonly string[]): Command {
  if ('missing' in built) {
    throw new Error(built.missing);
  }
  return { file: built.program, args: [...args, ...address, ...more] };
}
