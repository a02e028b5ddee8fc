/** What the ratios of a scenario are to be, and which of them are. */
import { formatNumber, formatRatio } from './format.ts';
import { labelOf } from './part.ts';
import type { ComparisonResult, TargetResult } from './results.ts';
import type { Case, Scenario, Target } from './scenario.ts';

const DIGITS = 2;

/** The result with what became of each target, in each case that it is meant for. */
export function withTargets<C extends Case>(result: ComparisonResult, { targets = [] }: Scenario<C>): ComparisonResult {
  return targets.length === 0 ? result : { ...result, targets: targets.flatMap((target) => outcomes(target, result)) };
}

function outcomes({ cases, against, metric, least }: Target, result: ComparisonResult): TargetResult[] {
  const title = result.metrics.find(({ key }) => key === metric)!.title;
  return result.cases
    .filter((test) => cases.test(labelOf(test)))
    .map((test) => {
      const competitor = test.competitors.find(({ name }) => name.startsWith(against));
      const ratio = competitor?.metrics[metric]?.ratio;
      const what = `${labelOf(test)}, against ${competitor?.name ?? against}, ${title}`;
      return ratio === undefined ? { what, least } : { what, least, ratio };
    });
}

export function showTarget({ what, least, ratio }: TargetResult): string {
  const wanted = `${what}: at least ${formatNumber(least, DIGITS)}×`;
  if (ratio === undefined) {
    return `Target not measured: ${wanted}`;
  }
  return `Target ${ratio.median >= least ? 'met' : 'MISSED'}: ${wanted}, is ${formatRatio(ratio)}`;
}
