/**
 * Writes the saved results into docs/performance.md, all of them, and into README.md, ten rows of them: between their two markers.
 * With --check it writes nothing and ends with 1 when one of them says something else.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { formatNumber, formatRatio, mebibytes } from './format.ts';
import { showMachine } from './machine.ts';
import { growth } from './memory.ts';
import { inProject } from './project.ts';
import { readmeTable } from './readme-rows.ts';
import type { CaseResult, ComparisonResult, MemoryResult, Results } from './results.ts';
import type { Metric } from './scenario.ts';

const START = '<!-- bench:start -->';
const END = '<!-- bench:end -->';

/** In bench/results: the basic scenarios, and those of one theme each, as their names say. */
const SAVED = ['latest.json', 'registered.json', 'reactor.json', 'fs.json', 'net.json', 'sockets.json', 'servers.json',
  'register.json', 'register-files.json', 'connections.json', 'received.json', 'sent.json', 'startup.json'];

/** A page's text with `tables` in place of what stood between the markers. */
function withTables(name: string, page: string, tables: string): string {
  const start = page.indexOf(START);
  const end = page.indexOf(END);
  if (start < 0 || end < start) {
    throw new Error(`Cannot write the tables: ${name} lacks ${START} or ${END} after it`);
  }
  const before = page.slice(0, start + START.length);
  return `${before}\n\n${tables}\n\n${page.slice(end)}`;
}

/** All tables of one file of results, with where they come from. */
function markdown({ scenarios, machine, command, date, settings }: Results): string {
  const tables = scenarios.flatMap((result) =>
    result.kind === 'comparison' ? comparisonTables(result) : memoryLine(result)
  );
  const reading = 'The first line of a table is the median. Every other line says how many times as good as ' +
    'that competitor the first one is, round by round: median (lowest–highest) of ' +
    `${settings.rounds} rounds of ${settings.seconds} s, taken in turns. ` +
    'Above 1, the first one is better.';
  const origin = `Measured on ${showMachine(machine)}, ${date.slice(0, 10)}, by \`${command}\`.`;
  return [...tables, reading, origin].join('\n\n');
}

/** For each group of cases and each metric a table: a line a competitor, a column a case. */
function comparisonTables({ title, metrics, cases, notes }: ComparisonResult): string[] {
  const groups = [...new Set(cases.map(({ group }) => group))];
  const shown = metrics.filter(({ inReadme }, index) => index === 0 || inReadme === true);
  const tables = groups.flatMap((group) => shown.map((metric) => comparisonTable(group, metric)));
  return [...tables, ...notes.map((note) => `${note}.`)];

  function comparisonTable(group: string, metric: Metric): string {
    const columns = cases.filter((test) => test.group === group);
    const names = new Set(columns.flatMap((test) => test.competitors.map(({ name }) => name)));
    const heading = groups.length === 1 ? title : `${title}, ${group}`;
    const rows = [
      ['', ...columns.map(({ name }) => name)],
      Array.from({ length: columns.length + 1 }, () => '---'),
      ...[...names].map((name) => [name, ...columns.map((test) => cell(test, name, metric))]),
    ];
    const lines = rows.map((row) => `| ${row.join(' | ')} |`);
    return `**${heading}: ${metric.title}**\n\n${lines.join('\n')}`;
  }
}

function cell({ competitors }: CaseResult, competitor: string, { key, digits }: Metric): string {
  const result = competitors.find(({ name }) => name === competitor)?.metrics[key];
  if (result === undefined) {
    return '';
  }
  const { summary, ratio } = result;
  return ratio === undefined ? formatNumber(summary.median, digits) : formatRatio(ratio);
}

function memoryLine(result: MemoryResult): string[] {
  const grown = growth(result);
  if (grown === undefined) {
    return [];
  }
  const { rss, heapUsed, external, arrayBuffers } = grown;
  return [
    `**${result.title}**: between the second and the tenth million the process grew by ` +
    `${mebibytes(rss)} (heap ${mebibytes(heapUsed)}, external ${mebibytes(external)}, ` +
    `array buffers ${mebibytes(arrayBuffers)}).`,
  ];
}

/** Those of them that have been saved. */
function saved(): string[] {
  return SAVED.map((name) => inProject('bench', 'results', name)).filter((path) => existsSync(path));
}

const { values } = parseArgs({
  options: {
    json: { type: 'string', multiple: true, default: saved() },
    check: { type: 'boolean', default: false },
  },
});
const results = values.json.map((name) => JSON.parse(readFileSync(name, 'utf8')) as Results);
const pages = {
  'README.md': readmeTable(results),
  'docs/performance.md': results.map(markdown).join('\n\n'),
};
for (const [name, tables] of Object.entries(pages)) {
  const file = inProject(...name.split('/'));
  const page = readFileSync(file, 'utf8');
  const updated = withTables(name, page, tables);
  if (!values.check) {
    writeFileSync(file, updated);
  } else if (updated !== page) {
    console.error(`${name} does not show the results in bench/results: npm run bench:readme`);
    process.exitCode = 1;
  }
}
