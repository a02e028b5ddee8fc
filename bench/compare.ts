/** Runs a scenario: every competitor in turn, round after round, case after case. */
import type { Progress } from './progress.ts';
import type { Absence, CaseResult, ComparisonResult, CompetitorResult } from './results.ts';
import type { Case, Competitor, Context, Metric, Sample, Scenario } from './scenario.ts';
import { ratios, summarize } from './statistics.ts';

type Series<C extends Case> = Map<Competitor<C>, Sample[]>;

export async function compare<C extends Case>(
  scenario: Scenario<C>,
  { rounds }: Context,
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
      for (let round = 0; round < rounds; round++) {
        // To and fro: nobody always has the place behind the same one.
        const turn = round % 2 === 0 ? [...series] : [...series].toReversed();
        for (const [competitor, samples] of turn) {
          progress.step(`${test.group}, ${test.name}: ${competitor.name}`);
          try {
            samples.push(await scenario.measure(competitor, test));
          } catch (error) {
            signal.throwIfAborted();
            series.delete(competitor);
            failed.push({ name: `${competitor.name}, ${test.group}, ${test.name}`, reason: reasonOf(error) });
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
