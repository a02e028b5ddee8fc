/** What a scenario is: who competes, in which cases, and how one measurement is made. */
import type { Command, Launcher, Place } from './launcher.ts';
import type { Better } from './statistics.ts';

export interface Metric {
  readonly key: string;
  readonly title: string;
  readonly better: Better;
  readonly digits: number;
  /** Has docs/performance.md show it too; the first one is shown anyway. */
  readonly inReadme?: boolean;
  /** A count that is shown as it is, and not compared; it may be 0. */
  readonly fact?: boolean;
}

/**
 * How much of the time the measured program could have run and did not, since its core had something else to do: threads of its own that
 * collect garbage, or other programs. No latency is better than that.
 */
export const WAITED: Metric = {
  key: 'waitedPercent',
  title: '% of the time it waited for its core',
  better: 'lower',
  digits: 1,
  fact: true,
};

/** A ratio that is aimed at. */
export interface Target {
  /** In which cases, as a table shows them: the group, a comma, the name. */
  readonly cases: RegExp;
  /** The beginning of the name of the competitor that is compared with. */
  readonly against: string;
  /** The key of the metric. */
  readonly metric: string;
  /** The smallest ratio that will do; above 1, the first competitor of the case is the better one. */
  readonly least: number;
}

/** One measurement: a number for each metric of the scenario. */
export type Sample = Readonly<Record<string, number>>;

export interface Case {
  /** Cases of one group stand together in a table; `name` tells them apart within it. */
  readonly group: string;
  readonly name: string;
}

export interface Competitor<C extends Case> {
  readonly name: string;
  /** Why it cannot take part. */
  readonly missing?: string | undefined;
  /** It stands on this package. */
  readonly isOurs?: boolean;
  /** The name of the one that is compared with it; the first one that takes part when left out. */
  readonly against?: string;
  /** Whether it takes part in this case; in every one when left out. */
  takesPart?(test: C): boolean;
  /** On which cores; on the measured one when left out. */
  readonly place?: Place;
  command(test: C): Command;
}

/** A competitor that has started, and works when it has its turn. */
export interface Contestant extends AsyncDisposable {
  /** For so many seconds all have turns that do not count. */
  readonly warmupSeconds: number;
  /** Works for so many seconds. */
  turn(seconds: number, counts: boolean): Promise<void>;
  /** Of all turns that count. */
  result(): Sample;
}

/**
 * One measurement: `measure` makes it from beginning to end. With `enter` all competitors of a case are there at the same time, and
 * take turns that are so short that a machine which changes its pace changes it for all of them.
 */
type Measuring<C extends Case> =
  | { measure(competitor: Competitor<C>, test: C): Promise<Sample> }
  | { enter(competitor: Competitor<C>, test: C): Promise<Contestant> };

export type Scenario<C extends Case> = ScenarioFacts<C> & Measuring<C>;

interface ScenarioFacts<C extends Case> extends AsyncDisposable {
  readonly name: string;
  readonly title: string;
  readonly metrics: readonly Metric[];
  readonly cases: readonly C[];
  /** The first that takes part in a case is the one whose ratio to each other one is shown. */
  readonly competitors: readonly Competitor<C>[];
  /** None when left out. */
  readonly targets?: readonly Target[];
  /** What a reader of the numbers has to know, such as cases that had to be left out. */
  readonly notes: readonly string[];
}

/** How another scenario is measured, for one that is made from it. */
export function measuredAs<C extends Case>(whole: Scenario<C>): Measuring<C> {
  return 'enter' in whole
    ? { enter: (competitor, test) => whole.enter(competitor, test) }
    : { measure: (competitor, test) => whole.measure(competitor, test) };
}

export interface Settings {
  readonly rounds: number;
  readonly seconds: number;
}

export interface Context extends Settings {
  readonly launcher: Launcher;
}

/** What every competitor that measures its own loop prints. */
export interface LoopResult {
  readonly ops: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** Long enough for JIT compilers to be done. */
export const WARMUP_SECONDS = 2;

/** For a server: drop-in sockets have found out whether the ring pays, which takes some seconds. */
export const SERVER_WARMUP_SECONDS = 5;

/** Those who take turns change after so long: where others use the cores as well, they change their pace within a second. */
export const TURN_SECONDS = 0.15;

/**
 * Their warm-up: JIT compilers are done, V8 has tidied up after the start and enlarged the space for new objects, and
 * drop-in sockets have found out whether the ring pays. The larger space makes pauses rarer and longer, after 6 to 9
 * seconds of an echo of ws: whoever has it already has another p99.
 */
export const TURNS_WARMUP_SECONDS = 10;

/** Runs one competitor that measures its own loop. */
export async function measureLoop<C extends Case>(
  { launcher, seconds }: Context,
  competitor: Competitor<C>,
  test: C,
): Promise<LoopResult> {
  const { file, args, env } = competitor.command(test);
  const timing = ['--warmup', String(WARMUP_SECONDS), '--seconds', String(seconds)];
  const command = { file, args: [...args, ...timing], ...(env === undefined ? {} : { env }) };
  const timeoutMs = 10_000 + 5000 * (WARMUP_SECONDS + seconds);
  return launcher.runForJson<LoopResult>(command, competitor.place ?? 'measured', timeoutMs);
}
