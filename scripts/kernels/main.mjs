import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { answerHelp } from '../usage.mjs';
import { boot } from './boot.mjs';
import { fetchKernels, KERNELS } from './packages.mjs';
import { pack } from './ram-disk.mjs';

answerHelp(`Boots Debian's kernels in an emulator, runs checks.mjs inside of each, and prints one table.
usage: npm run test:kernels [-- --kernel 6.1 --arch arm64 --only NAME,NAME --tests FILE,FILE --fast --seconds 600 --write]
  --kernel  ${[...new Set(KERNELS.map(({ name }) => name))].join(', ')}; may be given several times. Default: all
  --arch    amd64 or arm64. Default: both, where a kernel has both
  --only    these checks only
  --tests   these test files of the suite in place of the checks, such as test/kernel/close.test.js
  --fast    of the folders that --tests names, not the files that say that they are slow
  --seconds how long a boot may take, the checks included
  --write   put the table into docs/compatibility.md; what stands there of kernels that were not booted stays.
            Of folders of the suite it is a table of its own
It needs root on Debian 13, for apt; what it downloads stays in build/kernels (about 450 MB).`);

const { values } = parseArgs({
  options: {
    kernel: { type: 'string', multiple: true },
    arch: { type: 'string' },
    only: { type: 'string', default: '' },
    tests: { type: 'string', default: '' },
    fast: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '900' },
    write: { type: 'boolean', default: false },
  },
});

const chosen = KERNELS.filter(
  ({ name, arch }) => (values.kernel ?? [name]).includes(name) && (values.arch ?? arch) === arch,
);
if (chosen.length === 0) {
  const known = KERNELS.map(({ name, arch }) => `${name} (${arch})`).join(', ');
  console.error(`There is no such kernel. Known are: ${known}`);
  process.exit(2);
}

// What was booted ends with this.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

const machines = fetchKernels(chosen);
for (const arch of new Set(chosen.filter(({ isOwn }) => !isOwn).map((kernel) => kernel.arch))) {
  pack(arch, values.tests !== '');
}

const suiteTitles = ['Linux', 'processor', 'version', 'tests', 'pass', 'skipped', 'fail', 'files that fail', 'on'];
const titles = ['Linux', 'processor', 'version', 'pass', 'refused', 'fail',
  'what is refused, with the Linux that it needs', 'on'];
const today = new Date().toISOString().slice(0, 10);
const rows = [];
for (const machine of machines) {
  console.log(`== Linux ${machine.name}, ${machine.arch}`);
  const tests = values.tests === '' ? '' : `${values.fast ? 'fast' : 'tests'}:${values.tests}`;
  const { version, passed, refused, failed, tests: counts, seconds } = await boot(machine, {
    only: tests || values.only,
    seconds: Number(values.seconds),
  });
  const row = [title(machine), machine.arch, version, `${passed}`, `${refused.length}`, failed.join(', ') || '–',
    refused.join(', ') || '–', today];
  rows.push(row);
  console.log(`It took ${seconds} s`);
  // After each: what was seen is not lost if a later one is called off.
  // One that did not come up tells nothing of it: what stood there stays.
  const isWhole = values.only === '' && values.tests === '';
  if (values.write && isWhole && version !== '?') write('kernels', [titles, row], 2);
  if (values.write && tests !== '' && version !== '?') {
    const folders = values.tests.replaceAll('test/', '').replaceAll(',', ', ') + (values.fast ? ' (fast)' : '');
    const numbers = [counts.pass, counts.skipped, counts.fail].map(String);
    const all = [title(machine), machine.arch, version, folders, ...numbers, failed.join(', ') || '–', today];
    write('suites in kernels', [suiteTitles, all], 4);
  }
}

console.log(`\n${table([titles, ...rows])}`);
process.exit(rows.every(([, , , , , failed]) => failed === '–') ? 0 : 1);

/** Put a row into one of the tables, in place of the one whose first cells are the same, but for the version. */
function write(name, [head, row], keys) {
  const page = 'docs/compatibility.md';
  const [begin, end] = [`<!-- ${name}: written by npm run test:kernels -- --write -->\n`, `<!-- end of ${name} -->`];
  const [before, rest] = readFileSync(page, 'utf8').split(begin);
  const [old, after] = rest.split(end);
  const stood = old.split('\n').slice(2).filter(Boolean).map((line) =>
    line.split(' | ').map((cell) => cell.replaceAll(/^\| | \|$/g, ''))
  );
  const keyOf = (cells) => cells.slice(0, keys).filter((_, i) => i !== 2).join();
  const others = stood.filter((cells) => keyOf(cells) !== keyOf(row));
  const all = KERNELS.flatMap((kernel) =>
    [...others, row].filter((cells) => cells[0] === title(kernel) && cells[1] === kernel.arch)
  );
  writeFileSync(page, `${before}${begin}${table([head, ...all])}${end}${after}`);
}

function title({ name, note }) {
  return `${name} (${note})`;
}

function table([head, ...body]) {
  const line = (cells) => `| ${cells.join(' | ')} |\n`;
  return line(head) + line(head.map(() => '---')) + body.map(line).join('');
}
