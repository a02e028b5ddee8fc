/** Runs a scenario: every competitor in turn, round after round, case after case. */
import type { Progress } from './progress.ts';
import type { Absence, CaseResult, ComparisonResult, CompetitorResult } from './results.ts';
import {
  type Case,
  type Competitor,
  type Contestant,
  type Context,
  type Metric,
  type Sample,
  type Scenario,
  TURN_SECONDS,
} from './scenario.ts';
import { ratios, summarize } from './statistics.ts';

type Series<C extends Case> = Map<Competitor<C>, Sample[]>;

export async function compare<C extends Case>(
  scenario: Scenario<C>,
  { rounds, seconds }: Context,
  signal: AbortSignal,
  progress: Progress,
): Promise<ComparisonResult> {
  const skipped: Absence[] = [];
  const failed: Absence[] = [];
  for (const { name, missing } of scenario.competitors) {
    if (missing !== undefined) {
      skipped.push({ name, reason: missing });
    }
  }
  const turns = scenario.cases.map((test) => ({ test, series: seriesOf(scenario, test) }));
  progress.begin(scenario.name, rounds * turns.reduce((sum, { series }) => sum + series.size, 0));
  try {
    for (const { test, series } of turns) {
      const fail = (competitor: Competitor<C>, error: unknown): void => {
        signal.throwIfAborted();
        series.delete(competitor);
        failed.push({ name: `${competitor.name}, ${test.group}, ${test.name}`, reason: reasonOf(error) });
      };
      for (let round = 0; round < rounds; round++) {
        const step = ({ name }: Competitor<C>): void => progress.step(`${test.group}, ${test.name}: ${name}`);
        if ('enter' in scenario) {
          const enter = (competitor: Competitor<C>): Promise<Contestant> => {
            step(competitor);
            return scenario.enter(competitor, test);
          };
          await takeTurns(series, enter, seconds, fail);
        } else {
          for (const [competitor, samples] of toAndFro(series, round)) {
            step(competitor);
            try {
              samples.push(await scenario.measure(competitor, test));
            } catch (error) {
              fail(competitor, error);
            }
          }
        }
      }
    }
  } finally {
    progress.end();
  }
  const cases = turns.map(({ test, series }) => caseResult(scenario, test, series));
  const { name, title, metrics, notes } = scenario;
  return { kind: 'comparison', name, title, metrics, cases, skipped, failed, notes };
}

/** Nobody always has the place behind the same one. */
function toAndFro<T>(all: Iterable<T>, round: number): T[] {
  return round % 2 === 0 ? [...all] : [...all].toReversed();
}

/** One round in which all take part at the same time, one after the other for {@link TURN_SECONDS}. */
async function takeTurns<C extends Case>(
  series: Series<C>,
  enter: (competitor: Competitor<C>) => Promise<Contestant>,
  seconds: number,
  fail: (competitor: Competitor<C>, error: unknown) => void,
): Promise<void> {
  const contestants = new Map<Competitor<C>, Contestant>();
  /** Who fails is out of the series. */
  const each = async (all: Iterable<Competitor<C>>, work: (of: Competitor<C>) => Promise<void>): Promise<void> => {
    for (const competitor of all) {
      try {
        if (series.has(competitor)) await work(competitor);
      } catch (error) {
        fail(competitor, error);
      }
    }
  };
  try {
    await each([...series.keys()], async (of) => void contestants.set(of, await enter(of)));
    const warmupSeconds = Math.max(...[...contestants.values()].map((contestant) => contestant.warmupSeconds), 0);
    for (const [all, counts] of [[warmupSeconds, false], [seconds, true]] as const) {
      const turns = Math.max(1, Math.round(all / TURN_SECONDS));
      for (let turn = 0; turn < turns; turn++) {
        await each(toAndFro(contestants.keys(), turn), (of) => contestants.get(of)!.turn(all / turns, counts));
      }
    }
    await each(contestants.keys(), async (of) => void series.get(of)!.push(contestants.get(of)!.result()));
  } finally {
    await each(contestants.keys(), async (of) => contestants.get(of)![Symbol.asyncDispose]());
    for (const [competitor, contestant] of contestants) {
      // Of one that has failed it is known.
      if (!series.has(competitor)) await Promise.resolve(contestant[Symbol.asyncDispose]()).catch(() => {});
    }
  }
}

/** Of a server that ended early: why, and not what its load then found. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  return 'suppressed' in error && 'error' in error ? reasonOf(error.error) : error.message;
}

function seriesOf<C extends Case>(scenario: Scenario<C>, test: C): Series<C> {
  const series: Series<C> = new Map();
  for (const competitor of scenario.competitors) {
    if (competitor.missing === undefined && (competitor.takesPart?.(test) ?? true)) {
      series.set(competitor, []);
    }
  }
  return series;
}

function caseResult<C extends Case>(
  { competitors, metrics }: Scenario<C>,
  test: C,
  series: Series<C>,
): CaseResult {
  const { group, name } = test;
  const first = competitors.find((competitor) => competitor.takesPart?.(test) ?? true);
  const ours = first === undefined ? undefined : series.get(first);
  const results = [...series].map(([competitor, samples]): CompetitorResult => {
    const compared = competitor === first ? undefined : ours;
    const byMetric = metrics.map((metric) => [metric.key, metricResult(metric, samples, compared)]);
    return { name: competitor.name, samples, metrics: Object.fromEntries(byMetric) };
  });
  return { group, name, competitors: results };
}

function metricResult(
  { key, better }: Metric,
  samples: readonly Sample[],
  ours: readonly Sample[] | undefined,
): CompetitorResult['metrics'][string] {
  const values = samples.map((sample) => sample[key]);
  const summary = summarize(values);
  if (ours === undefined) {
    return { summary };
  }
  return { summary, ratio: ratios(ours.map((sample) => sample[key]), values, better) };
}
