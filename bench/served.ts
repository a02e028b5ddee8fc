/** Measures a competitor that serves: what it costs is its own, what it does is its load's. */
import { type Built, buildC } from './competitors/build.ts';
import type { Command, Launcher, Server } from './launcher.ts';
import { ProcessCpu } from './process-cpu.ts';
import { type Case, type Competitor, type Context, WARMUP_SECONDS } from './scenario.ts';
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
  { launcher, seconds }: Context,
  server: Command,
  load: Load,
): Promise<R & Cost> {
  await using serving = await launcher.serve(server);
  const run = (duration: number): Promise<R> =>
    launcher.runForJson<R>(loading(load, serving, '--seconds', `${duration}`), 'beside', 10_000 + 5000 * duration);
  await run(WARMUP_SECONDS);
  const wakeUps = new WakeUps(serving.pid);
  const cpu = new ProcessCpu(serving.pid);
  const result = await run(seconds);
  return { ...result, cpuSeconds: cpu.seconds(), waitedPercent: cpu.waitedPercent(), sleeps: wakeUps.count() };
}

/** The load of a server that listens. */
export function loading({ built, args }: Load, { address }: Server, ...more: readonly string[]): Command {
  if ('missing' in built) {
    throw new Error(built.missing);
  }
  return { file: built.program, args: [...args, ...address, ...more] };
}
