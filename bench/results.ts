/** The results file: what `main.ts` writes and `performance-tables.ts` reads. */
import type { Machine } from './machine.ts';
import type { Metric, Sample, Settings } from './scenario.ts';
import type { Summary } from './statistics.ts';

export interface MetricResult {
  readonly summary: Summary;
  /** How many times as good the first competitor of the case is as this one; absent where it did not run. */
  readonly ratio?: Summary;
}

export interface CompetitorResult {
  readonly name: string;
  readonly samples: readonly Sample[];
  /** By the key of the metric. */
  readonly metrics: Readonly<Record<string, MetricResult>>;
}

export interface CaseResult {
  readonly group: string;
  readonly name: string;
  readonly competitors: readonly CompetitorResult[];
}

export interface Absence {
  readonly name: string;
  readonly reason: string;
}

/** A target, in one case. */
export interface TargetResult {
  /** The case, the competitor and the metric. */
  readonly what: string;
  readonly least: number;
  /** Absent where nobody measured it. */
  readonly ratio?: Summary;
}

export interface ComparisonResult {
  readonly kind: 'comparison';
  readonly name: string;
  readonly title: string;
  readonly metrics: readonly Metric[];
  readonly cases: readonly CaseResult[];
  /** Competitors that could not take part. */
  readonly skipped: readonly Absence[];
  /** Competitors that took part and failed. */
  readonly failed: readonly Absence[];
  readonly notes: readonly string[];
  /** Absent where nothing is aimed at. */
  readonly targets?: readonly TargetResult[];
}

export interface MemorySample {
  readonly operations: number;
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
}

export interface MemoryResult {
  readonly kind: 'memory';
  readonly name: string;
  readonly title: string;
  readonly samples: readonly MemorySample[];
  readonly skipped: readonly Absence[];
  readonly failed: readonly Absence[];
}

export type ScenarioResult = ComparisonResult | MemoryResult;

export interface Results {
  readonly date: string;
  readonly command: string;
  readonly machine: Machine;
  readonly settings: Settings;
  readonly scenarios: readonly ScenarioResult[];
}
