/** The rows of the README's one table: gains and losses, each a number of the saved results. */
import { formatNumber, formatRatio } from './format.ts';
import { showMachine } from './machine.ts';
import type { CaseResult, CompetitorResult, Results } from './results.ts';
import type { Metric } from './scenario.ts';

/** Where a row has its numbers from, and in which words it is told. */
interface Row {
  readonly work: string;
  readonly scenario: string;
  /** Empty where the scenario has one group. */
  readonly group?: string;
  readonly case: string;
  /** The key of the metric. */
  readonly metric: string;
  /** The competitor whose median is shown. */
  readonly ours: string;
  /** The competitor whose ratio is shown: how many times as good as it `ours` is. */
  readonly against: string;
}

const PAGE_CACHE = { scenario: 'read', group: 'page cache', case: 'QD 64', metric: 'readsPerSecond', ours: 'iouring' };

const ROWS: readonly Row[] = [
  { work: '4 KiB random reads, 64 in flight, the ring', ...PAGE_CACHE, against: 'C, liburing 2.3' },
  { work: 'the same', ...PAGE_CACHE, against: 'node:fs/promises' },
  {
    work: 'the same as promises, the reactor',
    scenario: 'promises',
    case: 'QD 64',
    metric: 'readsPerSecond',
    ours: 'Reactor',
    against: 'node:fs/promises',
  },
  {
    work: '`readFile` of 1–16 KiB, 64 in flight',
    scenario: 'files',
    case: 'readFile, 1–16 KiB, 64 at a time',
    metric: 'opsPerSecond',
    ours: 'iouring/fs',
    against: 'node:fs/promises',
  },
  {
    work: 'tiny responder, 64 connections',
    scenario: 'lean',
    case: '64 connections',
    metric: 'cpuMicroseconds',
    ours: 'iouring/net, listen',
    against: 'node:net',
  },
  {
    work: '`node:http` on the drop-in, GET',
    scenario: 'http',
    case: 'GET',
    metric: 'cpuMicroseconds',
    ours: 'iouring/net, node:http on createServer',
    against: 'node:http',
  },
  {
    work: '`node:http` on the drop-in, POST of 4 KiB',
    scenario: 'http',
    case: 'POST of 4 KiB',
    metric: 'cpuMicroseconds',
    ours: 'iouring/net, node:http on createServer',
    against: 'node:http',
  },
  {
    work: 'one connection, one message at a time',
    scenario: 'pingpong',
    case: 'createServer',
    metric: 'roundTripsPerSecond',
    ours: 'iouring/net, createServer',
    against: 'node:net',
  },
  {
    work: 'one stream received in pieces of 1 MiB',
    scenario: 'streams',
    group: 'received',
    case: '1 MiB',
    metric: 'mebibytesPerSecond',
    ours: 'iouring/net, createServer',
    against: 'node:net',
  },
  {
    work: 'UDP, one datagram at a time',
    scenario: 'udp',
    case: '1 at a time',
    metric: 'cpuMicroseconds',
    ours: 'iouring/net, createSocket',
    against: 'node:dgram',
  },
];

/** The table, and below it which machine and which command the letters in its last column stand for. */
export function readmeTable(all: readonly Results[]): string {
  const origins: Results[] = [];
  const lines = ROWS.map((row) => {
    const { results, metric, ours, against } = find(all, row);
    if (!origins.includes(results)) origins.push(results);
    const median = formatNumber(ours.metrics[row.metric].summary.median, metric.digits);
    const { ratio } = against.metrics[row.metric];
    if (ratio === undefined) {
      throw new Error(`Cannot write the table: '${row.against}' was not compared in ${row.scenario}`);
    }
    const letter = letterOf(origins.indexOf(results));
    return `| ${row.work} | ${median} ${metric.title} | ${row.against} | ${formatRatio(ratio)} | ${letter} |`;
  });
  const head = ['| work | iouring | against | times as good as that | |', '| --- | --- | --- | --- | --- |'];
  const reading =
    'Median (lowest–highest) of all rounds; below 1 iouring is the worse one. Drop-ins are compared with what they stand in for.';
  const from = origins.map(
    ({ machine, date, command }, index) =>
      `- ${letterOf(index)}: ${showMachine(machine)}, ${date.slice(0, 10)}, \`${command}\``,
  );
  return [[...head, ...lines].join('\n'), reading, from.join('\n')].join('\n\n');
}

const letterOf = (index: number): string => String.fromCharCode('a'.charCodeAt(0) + index);

interface Found {
  readonly results: Results;
  readonly metric: Metric;
  readonly ours: CompetitorResult;
  readonly against: CompetitorResult;
}

/** @throws {Error} the results have no such numbers */
function find(all: readonly Results[], row: Row): Found {
  for (const results of all) {
    for (const scenario of results.scenarios) {
      if (scenario.kind !== 'comparison' || scenario.name !== row.scenario) continue;
      const metric = scenario.metrics.find(({ key }) => key === row.metric);
      const test = scenario.cases.find(({ group, name }) => name === row.case && (row.group ?? group) === group);
      const [ours, against] = [row.ours, row.against].map((name) => competitor(test, name));
      if (metric !== undefined && ours !== undefined && against !== undefined) {
        return { results, metric, ours, against };
      }
    }
  }
  throw new Error(`Cannot write the table: no results of '${row.work}' against '${row.against}' in bench/results`);
}

function competitor(test: CaseResult | undefined, name: string): CompetitorResult | undefined {
  return test?.competitors.find((one) => one.name === name);
}
