import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { answerHelp } from './usage.mjs';
import { watchPauses } from './kernels/pauses.mjs';

answerHelp(`Fetches Node, Bun and Deno from npm into build/runtimes, runs the suite with each, a file
at a time, and prints one table.
usage: npm run test:runtimes [-- --runtime bun --suite fs --write]
  --runtime  node20, node22, node24, node26, bun or deno; may be given several times. Default: all
  --suite    ring, reactor, fs, net or others; may be given several times. Default: all that the runtime has
  --write    put the numbers into docs/compatibility.md; what stands there of suites that were not run stays
What a file says is in build/runtimes/RUNTIME/FILE.log. A file that leaves something in the folder of
temporary files has failed.`);

const FOLDER = 'build/runtimes';
const LIMIT_MS = Number(process.env.LIMIT_MS ?? 600_000);
/** So often a file is run that fails while the machine stands still. */
const TRIES = 4;
const { arch } = process;

/** The columns: folders of the suite, `.` for what stands in none. */
const SUITES = {
  ring: ['ring', 'kernel', 'liburing', 'abi'],
  reactor: ['reactor'],
  fs: ['fs'],
  net: ['net'],
  others: ['register', 'cli', 'package', 'examples', '.'],
};
/** What is Node's alone has no place in other runtimes. */
const PORTABLE = ['ring', 'reactor', 'fs', 'net'];
/** The drop-ins of sockets are the runtime's own there, and the lean face stands on those. */
const PORTABLE_FILES = { net: ['net/lean/lean.test.js', 'net/lean/eager.test.js'] };

const node = (major) => ({
  name: `Node.js ${major}`,
  key: `node${major}`,
  wanted: `node-linux-${arch}@${major}`,
  program: `node-linux-${arch}/bin/node`,
  suites: Object.keys(SUITES),
  command: (file) => ['--test', '--test-reporter=tap', file],
  count: countTap,
});

const RUNTIMES = [
  ...[20, 22, 24, 26].map(node),
  {
    name: 'Bun',
    key: 'bun',
    wanted: `@oven/bun-linux-${arch === 'arm64' ? 'aarch64' : arch}`,
    program: `@oven/bun-linux-${arch === 'arm64' ? 'aarch64' : arch}/bin/bun`,
    suites: PORTABLE,
    files: PORTABLE_FILES,
    // The calls of files are Bun's own there, and the tests have to know.
    env: { IOURING_DISABLED: '1' },
    ofEnv: ['fs'],
    command: (file) => ['test', '--timeout', '120000', '--preload', './build/test/other-runtimes/bun.js', `./${file}`],
    count: countTap,
  },
  {
    name: 'Deno',
    key: 'deno',
    wanted: `@deno/linux-${arch}-glibc`,
    program: `@deno/linux-${arch}-glibc/deno`,
    suites: PORTABLE,
    files: PORTABLE_FILES,
    command: (file) => {
      writeConfiguration();
      return ['test', '-A', '--config=build/deno.json', '--no-check', '--v8-flags=--expose-gc', `./${file}`];
    },
    count: countTap,
  },
];

function countTap(said) {
  return ['pass', 'skipped', 'fail'].map((what) => numberIn(said, new RegExp(`^# ${what} (\\d+)$`, 'm')));
}

/**
 * What Deno finds above the files of the suite, and above the programs that they start: those of test/ have a `node:test` and a `node:fs` of
 * their own; those that make them have Deno's.
 */
function writeConfiguration() {
  const [tests, own] = ['./test/', './test/other-runtimes/'];
  const scopes = {
    [tests]: { 'node:test': `${own}deno.js`, 'node:fs': `${own}descriptors.js` },
    // The text of a program that a test starts.
    '../$deno$eval.mts': { 'node:fs': `${own}descriptors.js` },
    [own]: { 'node:test': 'node:test', 'node:fs': 'node:fs' },
  };
  writeFileSync('build/deno.json', JSON.stringify({ scopes, nodeModulesDir: 'manual' }));
}

function numberIn(text, pattern) {
  return Number(pattern.exec(text)?.[1] ?? 0);
}

const { values } = parseArgs({
  options: {
    runtime: { type: 'string', multiple: true },
    suite: { type: 'string', multiple: true },
    write: { type: 'boolean', default: false },
  },
});
const chosen = RUNTIMES.filter(({ key }) => (values.runtime ?? [key]).includes(key));
if (chosen.length === 0) {
  console.error(`There is no such runtime. Known are: ${RUNTIMES.map(({ key }) => key).join(', ')}`);
  process.exit(2);
}

/** Folders of temporary files. They go with this, however it ends. */
const places = new Set();
process.on('exit', () => {
  for (const place of places) rmSync(place, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

function makePlace(mode) {
  const place = mkdtempSync(join(tmpdir(), 'iouring-run-'));
  places.add(place);
  chmodSync(place, mode);
  return place;
}

let hasFailed = false;
for (const runtime of chosen) {
  const program = elsewhere(fetch(runtime));
  const version = /\d+\.\d+\.\d+/.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))[0];
  const cells = {};
  for (const suite of runtime.suites.filter((name) => (values.suite ?? [name]).includes(name))) {
    const { counts, reasons } = await runSuite(runtime, program, suite);
    if (counts[2] > 0) hasFailed = true;
    cells[suite] = inWords(counts);
    console.log(`${runtime.name} ${version}, ${suite}: ${cells[suite]}`);
    for (const [reason, count] of reasons) console.log(`  skipped there ${count}: ${reason}`);
    if (values.write) {
      write({ name: runtime.name, version, cells });
      if (!runtime.key.startsWith('node')) writeReasons(runtime.name, suite, reasons);
    }
  }
}
process.exit(hasFailed ? 1 : 0);

/** Have the runtime here, once. To have a newer one, remove its folder. @returns the program */
function fetch({ key, wanted, program }) {
  const place = join(FOLDER, key);
  const path = resolve(place, 'node_modules', program);
  if (!existsSync(path)) {
    mkdirSync(place, { recursive: true });
    const args = ['install', '--prefix', place, '--no-audit', '--no-fund', '--loglevel=error', wanted];
    execFileSync('npm', args, { stdio: 'inherit' });
  }
  return path;
}

/** The program in a folder of its own: koffi is looked for beside it, too, and what stands in the project would find the project's. */
function elsewhere(program) {
  const folder = makePlace(0o755);
  const path = join(folder, basename(program));
  try {
    linkSync(program, path);
  } catch {
    copyFileSync(program, path);
  }
  return path;
}

function filesOf({ files }, suite) {
  if (files?.[suite] !== undefined) return files[suite].map((file) => join('build/test', file));
  return SUITES[suite].flatMap((folder) => {
    const all = readdirSync(join('build/test', folder), { recursive: folder !== '.' }).sort();
    return all.filter((name) => name.endsWith('.test.js')).map((name) => join('build/test', folder, name));
  });
}

/** How many tests pass, are skipped, and fail; and how many of them are skipped in this runtime alone, by the reason. */
async function runSuite(runtime, program, suite) {
  const sum = [0, 0, 0];
  const reasons = new Map();
  for (const file of filesOf(runtime, suite)) {
    const own = runtime.ofEnv?.includes(suite) ? runtime.env : {};
    let counts, said, hasStoodStill;
    for (let i = 0; i < TRIES && (i === 0 || (counts[2] > 0 && hasStoodStill)); i++) {
      const watch = watchPauses();
      [counts, said] = await runFile(runtime, program, file, own);
      hasStoodStill = watch();
    }
    const log = join(FOLDER, runtime.key, `${file.replaceAll('/', '-')}.log`);
    writeFileSync(log, said);
    for (const [i, count] of counts.entries()) sum[i] += count;
    for (const [, count, reason] of said.matchAll(/^# here (\d+): (.*)$/gm)) {
      reasons.set(reason, (reasons.get(reason) ?? 0) + Number(count));
    }
    if (counts[2] > 0) console.log(`  ${file}: ${inWords(counts)}, see ${log}`);
  }
  return { counts: sum, reasons };
}

async function runFile(runtime, program, file, own) {
  // As that of the system: some tests become another user.
  const place = makePlace(0o1777);
  const name = file.slice('build/test/'.length, -'.test.js'.length);
  const env = { ...process.env, ...own, NO_COLOR: '1', TMPDIR: place, IOURING_TEST_FILE: name };
  const child = spawn(program, runtime.command(file), { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
  // With what it has started, which would hold the pipes.
  const timer = setTimeout(() => process.kill(-Number(child.pid), 'SIGKILL'), LIMIT_MS);
  const [status] = await once(child, 'close');
  clearTimeout(timer);
  const counts = runtime.count(said);
  // A file that ends before it has told its tests has failed, whatever it has told.
  if (status !== 0 && counts[2] === 0) counts[2] = 1;
  const left = readdirSync(place, { recursive: true });
  if (left.length > 0) counts[2]++;
  rmSync(place, { recursive: true });
  return [counts, left.length > 0 ? `${said}\nIt left behind: ${left.slice(0, 10).join(', ')}\n` : said];
}

function inWords([passed, skipped, failed]) {
  return [`${passed} pass`, skipped > 0 && `${skipped} skipped`, failed > 0 && `${failed} fail`].filter(Boolean).join(
    ', ',
  );
}

function write({ name, version, cells }) {
  const page = 'docs/compatibility.md';
  const [begin, end] = ['<!-- runtimes: written by npm run test:runtimes -- --write -->\n', '<!-- end of runtimes -->'];
  const [before, rest] = readFileSync(page, 'utf8').split(begin);
  const [old, after] = rest.split(end);
  const head = ['', ...Object.keys(SUITES)];
  const stood = old.split('\n').slice(2).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));
  const rows = RUNTIMES.flatMap((runtime) => {
    const row = stood.find(([title]) => title?.startsWith(`${runtime.name} (`));
    if (runtime.name !== name) return row === undefined ? [] : [row];
    const columns = Object.keys(SUITES).map((suite, i) =>
      cells[suite] ?? (runtime.suites.includes(suite) ? (row?.[i + 1] ?? '') : '–')
    );
    return [[`${name} (${version})`, ...columns]];
  });
  const line = (row) => `| ${row.join(' | ')} |\n`;
  const table = line(head) + line(head.map(() => '---')) + rows.map(line).join('');
  writeFileSync(page, `${before}${begin}${table}${end}${after}`);
}

/** What a suite skips in Bun and Deno alone. */
function writeReasons(name, suite, reasons) {
  const page = 'docs/compatibility.md';
  const [begin, end] = ['<!-- reasons: written by npm run test:runtimes -- --write -->\n', '<!-- end of reasons -->'];
  const [before, rest] = readFileSync(page, 'utf8').split(begin);
  const [old, after] = rest.split(end);
  const stood = old.split('\n').slice(2).filter(Boolean).map((line) =>
    line.split('|').slice(1, -1).map((cell) => cell.trim())
  );
  const rows = stood.filter((row) => row[0] !== name || row[1] !== suite);
  for (const [reason, count] of [...reasons].sort(([, a], [, b]) => b - a)) {
    rows.push([name, suite, `${count}`, reason]);
  }
  const order = PORTABLE;
  rows.sort((a, b) => a[0].localeCompare(b[0]) || order.indexOf(a[1]) - order.indexOf(b[1]));
  const line = (row) => `| ${row.join(' | ')} |\n`;
  const head = ['', 'suite', 'tests', 'why'];
  const table = line(head) + line(head.map(() => '---')) + rows.map(line).join('');
  writeFileSync(page, `${before}${begin}${table}${end}${after}`);
}
