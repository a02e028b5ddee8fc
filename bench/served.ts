/** Measures a competitor that serves: what it costs is its own, what it does is its load's. */
import { type Built, buildC } from './competitors/build.ts';
import type { Command, Launcher } from './launcher.ts';
import { ProcessCpu } from './process-cpu.ts';
import { type Case, type Competitor, type Context, WARMUP_SECONDS } from './scenario.ts';

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

/** Serves a warm-up, and then the load that counts: what that printed, with the server's CPU. */
export async function measureServed<R extends LoadResult>(
  { launcher, seconds }: Context,
  server: Command,
  { built, args }: Load,
): Promise<R & { readonly cpuSeconds: number }> {
  if ('missing' in built) {
    throw new Error(built.missing);
  }
  await using serving = await launcher.serve(server);
  const load = (duration: number): Promise<R> => {
    const timing = ['--seconds', String(duration)];
    const command = { file: built.program, args: [...args, ...serving.address, ...timing] };
    return launcher.runForJson<R>(command, 'beside', 10_000 + 5000 * duration);
  };
  await load(WARMUP_SECONDS);
  const cpu = new ProcessCpu(serving.pid);
  const result = await load(seconds);
  return { ...result, cpuSeconds: cpu.seconds() };
}
