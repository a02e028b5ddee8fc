/** Compares competitors with the one they name, where that is another one than the first. */
import type { CaseResult, ComparisonResult, CompetitorResult, MetricResult } from './results.ts';
import type { Case, Metric, Scenario } from './scenario.ts';
import { ratios } from './statistics.ts';

/** The result with each ratio to the competitor named by `against`, and none for plain facts. */
export function paired<C extends Case>(
  result: ComparisonResult,
  { competitors }: Scenario<C>,
): ComparisonResult {
  const against = new Map(competitors.map(({ name, against }) => [name, against]));
  return { ...result, cases: result.cases.map(pairedCase) };

  function pairedCase(test: CaseResult): CaseResult {
    const all = test.competitors;
    return { ...test, competitors: all.map((competitor) => pairedCompetitor(competitor, all)) };
  }

  function pairedCompetitor(
    competitor: CompetitorResult,
    all: readonly CompetitorResult[],
  ): CompetitorResult {
    const name = against.get(competitor.name);
    const other = all.find((candidate) => candidate.name === name);
    const metrics = result.metrics.map((metric): [string, MetricResult] => [
      metric.key,
      pairedMetric(metric, competitor, other),
    ]);
    return { ...competitor, metrics: Object.fromEntries(metrics) };
  }
}

function pairedMetric(
  { key, better, fact }: Metric,
  { samples, metrics }: CompetitorResult,
  other: CompetitorResult | undefined,
): MetricResult {
  const measured = metrics[key];
  if (fact) {
    return { summary: measured.summary };
  }
  if (other === undefined) {
    return measured;
  }
  const values = (of: CompetitorResult['samples']): number[] => of.map((sample) => sample[key]);
  const ratio = ratios(values(other.samples), values(samples), better);
  return { summary: measured.summary, ratio };
}
