import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { answerHelp } from './usage.mjs';

answerHelp(`Runs the tests in build/, all of them where no file is named.
usage: node scripts/test.mjs [--fast] [--coverage] [FILE…]
  --fast      not the files that have a line "// slow: why", or stand in a folder of tests that start whole programs
  --coverage  in the end, the lines and functions of src/ that no test has run; Node 22 or later
In the end one list has all that was skipped, with the reasons; a test that was skipped without a reason is a
failure, and so is what stays in the folder of temporary files. Files that took long without saying so are listed, too.`);

/** A file that takes longer has to say that it is slow. */
const SLOW_MS = 4000;
const root = resolve(fileURLToPath(import.meta.url), '../..');
process.chdir(root);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { fast: { type: 'boolean', default: false }, coverage: { type: 'boolean', default: false } },
});
if (values.coverage && Number(process.versions.node.split('.')[0]) < 22) {
  throw new Error(`Coverage needs Node 22 or later: the test runner of ${process.version} cannot report it`);
}
const sourceOf = (file) => relative(root, file).replace(/^build\//, '').replace(/\.js$/, '.ts');
const SLOW_FOLDERS = ['cli', 'examples', 'net/clients', 'package', 'register'];
const reasonToBeSlow = (file) => {
  const isOfPrograms = SLOW_FOLDERS.some((folder) => sourceOf(file).startsWith(`test/${folder}/`));
  return isOfPrograms ? 'starts whole programs' : /^\/\/ slow: (.+)$/m.exec(readFileSync(sourceOf(file), 'utf8'))?.[1];
};

const files = (positionals.length > 0 ? positionals : readdirSync('build/test', { recursive: true }))
  .map((file) => (positionals.length > 0 ? file : join('build/test', file)))
  .filter((file) => file.endsWith('.test.js'))
  .sort();
const slow = files.filter((file) => reasonToBeSlow(file) !== undefined);
const wanted = values.fast ? files.filter((file) => !slow.includes(file)) : files;
if (wanted.length === 0) throw new Error('None of these files is to be run');

const folder = mkdtempSync(join('build', 'test-run-'));
/** Their folder of temporary files. Some tests become another user. */
const temporary = mkdtempSync(join(tmpdir(), 'iouring-run-'));
chmodSync(temporary, 0o1777);
const begin = performance.now();
let status = 0;
const records = [];
try {
  const path = join(folder, 'record.jsonl');
  const reporters = { spec: 'stdout', [resolve('scripts/test-record.mjs')]: path };
  const args = [
    '--test',
    '--test-concurrency=2',
    ...(values.coverage ? ['--experimental-test-coverage'] : []),
    ...Object.entries(reporters).flatMap((
      [name, to],
    ) => [`--test-reporter=${name}`, `--test-reporter-destination=${to}`]),
    ...wanted,
  ];
  const child = spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, TMPDIR: temporary } });
  const [code] = await once(child, 'exit');
  if (code !== 0) status = code ?? 1;
  records.push(...readFileSync(path, 'utf8').split('\n').filter(Boolean).map((text) => JSON.parse(text)));
} finally {
  rmSync(folder, { recursive: true, force: true });
  for (const left of readdirSync(temporary)) {
    console.log(`left in the folder of temporary files: ${left}`);
    status ||= 1;
  }
  rmSync(temporary, { recursive: true, force: true });
}

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const of = (kind) => records.filter((entry) => entry.kind === kind);

showTimes();
if (values.coverage) showCoverage();
showSkipped();
console.log(`${wanted.length} files in ${seconds(performance.now() - begin)}`);
process.exitCode = status;

function showTimes() {
  const times = new Map();
  for (const { file, ms } of of('time')) times.set(file, (times.get(file) ?? 0) + ms);
  const long = [...times].filter(([file, ms]) => ms > SLOW_MS && !slow.includes(relative(root, file)));
  if (long.length === 0) return;
  console.log(`\nslow, and without a line “// slow: why”:`);
  for (const [file, ms] of long.sort(([, a], [, b]) => b - a)) console.log(`  ${seconds(ms)} ${sourceOf(file)}`);
}

/** One list of all that was skipped, a reason a line, and under it the tests. */
function showSkipped() {
  const byReason = Map.groupBy?.(of('skip'), ({ reason }) => reason) ?? new Map();
  if (Map.groupBy === undefined) {
    for (const entry of of('skip')) byReason.set(entry.reason, [...(byReason.get(entry.reason) ?? []), entry]);
  }
  console.log(`\n${of('skip').length} skipped${values.fast ? `, and ${slow.length} files that are slow` : ''}:`);
  for (const [reason, tests] of byReason) {
    console.log(`  ${reason === true || reason === '' ? 'WITHOUT A REASON' : reason}:`);
    for (const { file, name } of tests) console.log(`    ${sourceOf(file)}: ${name}`);
    if (reason === true || reason === '') status = 1;
  }
  if (values.fast) { for (const file of slow) console.log(`  slow, ${reasonToBeSlow(file)}: ${sourceOf(file)}`); }
}

/** Lines of src/ that no test ran, and functions that none called. */
function showCoverage() {
  const files = of('coverage').flatMap(({ files }) => files);
  const all = files.filter(({ path }) => path.startsWith(join(root, 'build/src/')))
    .sort((a, b) => b.lines.length - a.lines.length);
  const total = all.reduce((sum, { total }) => sum + total, 0);
  const missed = all.reduce((sum, { lines }) => sum + lines.length, 0);
  console.log(`\ncovered: ${total - missed} of ${total} lines in ${all.length} files of build/src. Not covered:`);
  for (const { path, lines, functions } of all.filter((entry) => entry.lines.length > 0)) {
    const names = functions.map(({ name }) => name).filter((name) => !name.startsWith('<')).join(', ');
    console.log(`  ${relative(root, path)}: lines ${spans(lines)}${names === '' ? '' : `; functions ${names}`}`);
  }
}

/** 1, 2, 3, 7 is 1-3, 7. */
function spans(lines) {
  const found = [];
  for (const line of lines) {
    const last = found.at(-1);
    if (last?.[1] === line - 1) last[1] = line;
    else found.push([line, line]);
  }
  return found.map(([from, to]) => (from === to ? from : `${from}-${to}`)).join(', ');
}
