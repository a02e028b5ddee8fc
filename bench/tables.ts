/** The tables a terminal shows. */
import Table from 'cli-table3';
import { formatNumber, formatRatio, formatSummary, mebibytes } from './format.ts';
import { growth } from './memory.ts';
import { labelOf } from './part.ts';
import type { ComparisonResult, MemoryResult, MetricResult, ScenarioResult } from './results.ts';
import type { Metric } from './scenario.ts';
import { showTarget } from './targets.ts';

const PLAIN = { style: { head: [], border: [] } };

export function showScenario(result: ScenarioResult): string {
  const parts = [
    `\n${result.title}`,
    result.kind === 'comparison' ? comparisonTable(result) : memoryTable(result),
    ...result.skipped.map(({ name, reason }) => `Skipped: ${name}: ${reason}`),
    ...result.failed.map(({ name, reason }) => `FAILED: ${name}: ${reason}`),
    ...(result.kind === 'comparison' ? result.notes.map((note) => `Note: ${note}`) : []),
    ...(result.kind === 'comparison' ? (result.targets ?? []).map(showTarget) : []),
  ];
  return parts.join('\n');
}

function comparisonTable({ metrics, cases }: ComparisonResult): string {
  const head = ['', 'competitor', ...metrics.flatMap(({ title }) => [title, 'iouring against it'])];
  const table = new Table({ ...PLAIN, head });
  for (const test of cases) {
    const { competitors } = test;
    competitors.forEach((competitor, row) => {
      const { metrics: measured } = competitor;
      const cells = metrics.flatMap((metric) => metricCells(metric, measured[metric.key]));
      table.push([row === 0 ? labelOf(test) : '', competitor.name, ...cells]);
    });
  }
  return table.toString();
}

function metricCells({ digits }: Metric, { summary, ratio }: MetricResult): string[] {
  return [formatSummary(summary, digits), ratio === undefined ? '' : formatRatio(ratio)];
}

function memoryTable(result: MemoryResult): string {
  const head = ['operations', 'rss', 'heapUsed', 'external', 'arrayBuffers'];
  const table = new Table({ ...PLAIN, head });
  const grown = growth(result);
  const rows: [string, NonNullable<typeof grown>][] = result.samples.map((sample) => [
    formatNumber(sample.operations, 0),
    sample,
  ]);
  if (grown !== undefined) {
    rows.push(['growth from 2 million on', grown]);
  }
  for (const [label, { rss, heapUsed, external, arrayBuffers }] of rows) {
    table.push([label, ...[rss, heapUsed, external, arrayBuffers].map(mebibytes)]);
  }
  return table.toString();
}
