/**
 * The package as it was at another commit, side by side with what it is now: `npm run bench -- --against REF`. The commit is built in
 * a worktree of its own; the competitors' programs are those of now, so that nothing differs but the package. Each competitor on top
 * of the package gets a twin there, and the two take turns, round after round: what slowed the machine for a while slowed both.
 */
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { formatRatio } from './format.ts';
import type { Launcher } from './launcher.ts';
import { labelOf } from './part.ts';
import { inProject } from './project.ts';
import type { ComparisonResult } from './results.ts';
import { type Case, type Competitor, measuredAs, type Scenario } from './scenario.ts';

const BUILD_MS = 600_000;
/** A median that is nearer to 1 is no change that these machines could tell. */
const WORSE = 0.97;
/** Of fewer rounds it is no wonder that all are below 1. */
const ROUNDS_MIN = 3;

/** Another commit, built. */
export interface Against extends AsyncDisposable {
  /** As it was asked for, and its hash. */
  readonly label: string;
  readonly folder: string;
}

export async function buildAgainst(launcher: Launcher, ref: string): Promise<Against> {
  const run = (file: string, ...args: string[]): Promise<string> => launcher.run({ file, args }, 'anywhere', BUILD_MS);
  const git = (...args: string[]): Promise<string> => run('git', '-C', inProject(), ...args);
  const hash = (await git('rev-parse', '--short', '--verify', `${ref}^{commit}`)).trim();
  const folder = inProject('bench', 'out', `against-${hash}`);
  const remove = async (): Promise<void> => {
    rmSync(folder, { recursive: true, force: true });
    await git('worktree', 'prune');
  };
  await remove();
  mkdirSync(dirname(folder), { recursive: true });
  try {
    await git('worktree', 'add', '--detach', '--quiet', folder, hash);
    symlinkSync(inProject('node_modules'), join(folder, 'node_modules'));
    await run('npm', '--prefix', folder, 'run', '--silent', 'build');
    // Programs of now, which find the package of then: a name resolves to the package that a file stands in.
    for (const part of ['bench', 'examples', 'src']) {
      const built = inProject('build', part);
      if (existsSync(built)) cpSync(built, join(folder, 'build', part), { recursive: true });
    }
  } catch (error) {
    await remove();
    throw new Error(`Cannot build ${ref} (${hash}): ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  return { label: ref === hash ? ref : `${ref} (${hash})`, folder, [Symbol.asyncDispose]: remove };
}

/** The scenario with the competitors on top of this package alone, each with its twin behind it. */
export function withTwins<C extends Case>(
  whole: Scenario<C>,
  { label, folder }: Pick<Against, 'label' | 'folder'>,
): Scenario<C> {
  const competitors = whole.competitors.filter(({ isOurs }) => isOurs).flatMap((ours) => [ours, twinOf(ours)]);
  if (competitors.length === 0) throw new Error(`Cannot compare ${whole.name}: nothing in it stands on this package`);
  return {
    name: whole.name,
    title: `${whole.title}; now, against ${label}`,
    metrics: whole.metrics,
    cases: whole.cases,
    competitors,
    get notes() {
      return whole.notes;
    },
    ...measuredAs(whole),
    [Symbol.asyncDispose]: () => whole[Symbol.asyncDispose](),
  };

  function twinOf(ours: Competitor<C>): Competitor<C> {
    const there = (
      path: string,
    ): string => (path.startsWith(inProject('build')) ? join(folder, path.slice(inProject().length)) : path);
    return {
      ...ours,
      name: `${ours.name}, ${label}`,
      against: ours.name,
      command(test) {
        const { file, args, env } = ours.command(test);
        return { file, args: args.map(there), ...(env === undefined ? {} : { env }) };
      },
    };
  }
}

/** What became worse: the ratio was below 1 in each of the rounds, and its middle clearly so. */
export function changesForTheWorse({ metrics, cases }: ComparisonResult, rounds: number): string[] {
  if (rounds < ROUNDS_MIN) return [`Cannot tell: that takes ${ROUNDS_MIN} rounds or more`];
  return cases.flatMap((test) =>
    test.competitors.flatMap(({ name, metrics: measured }) =>
      metrics.flatMap(({ key, title }) => {
        const ratio = measured[key]?.ratio;
        if (ratio === undefined || ratio.highest >= 1 || ratio.median >= WORSE) return [];
        return [`WORSE: ${labelOf(test)}, against ${name}, ${title}: ${formatRatio(ratio)}`];
      })
    )
  );
}
