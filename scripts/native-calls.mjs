import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import koffi from 'koffi';
import { answerHelp } from './usage.mjs';

answerHelp(`Measures what a call into libc costs by koffi and by node:ffi, for every shape of call that
src/native makes, and prints a table.
usage: node scripts/native-calls.mjs [--write]      with Node 26, and nothing else running
  --write  put the table into docs/compatibility.md
Each call is one that the kernel, or libc before it, refuses at once: what is measured is the way there and back.`);

const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } });
const ffi = await import('node:ffi').catch(() => {
  console.error('This Node has no node:ffi: it needs 26');
  process.exit(2);
});

const CALLS = 300_000;
const ROUNDS = 9;
const [ENTER, REGISTER] = [426, 427];
const memory = new Uint8Array(new ArrayBuffer(4096));

/** node:ffi's name of a type of koffi's. */
const TYPES = {
  int: 'i32',
  uint: 'u32',
  'void *': 'buffer',
  size_t: 'u64',
  uintptr_t: 'u64',
  ulong: 'u64',
  uint64: 'u64',
  int64: 'i64',
  intptr_t: 'i64',
};

/** What the call is for, the function, its result, and its arguments: types and values. */
const SHAPES = [
  ['enter', 'syscall', 'int', [['int', ENTER], ['int', -1], ['uint', 0], ['uint', 0], ['uint', 0], ['int', 0]]],
  ['enter with an argument', 'syscall', 'int', [['int', ENTER], ['int', -1], ['uint', 0], ['uint', 0], ['uint', 0], [
    'uintptr_t',
    0,
  ], ['uint64', 0]]],
  ['register', 'syscall', 'int', [['int', REGISTER], ['int', -1], ['uint', 0], ['uintptr_t', 0], ['uint', 0]]],
  ['setup', 'syscall', 'int', [['int', -1], ['uint', 0], ['void *', memory]]],
  ['send, recv', 'send', 'intptr_t', [['int', -1], ['void *', memory], ['size_t', 8], ['int', 0]]],
  ['getsockopt', 'getsockopt', 'int', [['int', -1], ['int', 0], ['int', 0], ['void *', memory], ['void *', memory]]],
  ['setsockopt', 'setsockopt', 'int', [['int', -1], ['int', 0], ['int', 0], ['void *', memory], ['uint', 4]]],
  ['getsockname', 'getsockname', 'int', [['int', -1], ['void *', memory], ['void *', memory]]],
  ['bind, connect', 'connect', 'int', [['int', -1], ['void *', memory], ['uint', 16]]],
  ['poll', 'poll', 'int', [['uintptr_t', 0], ['ulong', 0], ['int', 0]]],
  ['socket, fcntl', 'fcntl', 'int', [['int', -1], ['int', 1], ['int', 0]]],
  ['accept4', 'accept4', 'int', [['int', -1], ['uintptr_t', 0], ['uintptr_t', 0], ['int', 0]]],
  ['listen, shutdown', 'listen', 'int', [['int', -1], ['int', 1]]],
  ['eventfd_read', 'eventfd_read', 'int', [['int', -1], ['uintptr_t', 0]]],
  ['close', 'close', 'int', [['int', -1]]],
  ['lseek', 'lseek', 'int64', [['int', -1], ['int64', 0], ['int', 0]]],
  ['mmap', 'mmap', 'intptr_t', [['uintptr_t', 0], ['size_t', 0], ['int', 0], ['int', 0], ['int', -1], ['int64', 0]]],
  ['munmap', 'munmap', 'int', [['uintptr_t', 1], ['size_t', 1]]],
  ['madvise', 'madvise', 'int', [['uintptr_t', 1], ['size_t', 1], ['int', 4]]],
  ['copy_file_range', 'copy_file_range', 'intptr_t', [['int', -1], ['void *', memory], ['int', -1], ['void *', memory],
    ['size_t', 8], ['uint', 0]]],
  ['utimensat', 'utimensat', 'int', [['int', -1], ['void *', memory], ['void *', memory], ['int', -1]]],
  ['flistxattr', 'flistxattr', 'intptr_t', [['int', -1], ['void *', memory], ['size_t', 8]]],
  ['pipe2', 'pipe2', 'int', [['void *', memory], ['int', -1]]],
];

/** Nanoseconds a call, the best of all rounds: what else runs only makes it slower. */
function cost(call, args) {
  const names = args.map((_, i) => `a${i}`).join(', ');
  // Made for this number of arguments: spreading them would cost as much as the call.
  // oxlint-disable-next-line typescript/no-implied-eval
  const loop = new Function(
    'call',
    'args',
    'count',
    `const [${names}] = args; for (let i = 0; i < count; i++) call(${names});`,
  );
  loop(call, args, CALLS / 10);
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    loop(call, args, CALLS);
    best = Math.min(best, ((performance.now() - start) * 1e6) / CALLS);
  }
  return Math.round(best);
}

const rows = SHAPES.map(([name, symbol, result, args]) => {
  const types = args.map(([type]) => type);
  const byKoffi = koffi.load(null).func(symbol, result, types);
  const library = new ffi.DynamicLibrary(null);
  const byNode = library.getFunction(symbol, { return: TYPES[result], arguments: types.map((type) => TYPES[type]) });
  // What has 64 bits is a bigint there.
  const wide = args.map(([type, value]) => (TYPES[type].endsWith('64') ? BigInt(value) : value));
  const [ours, theirs] = [cost(byKoffi, args.map(([, value]) => value)), cost(byNode, wide)];
  return [name, `${args.length}`, `${ours} ns`, `${theirs} ns`, (theirs / ours).toFixed(1)];
});
const line = (cells) => `| ${cells.join(' | ')} |\n`;
const head = ['call', 'arguments', `koffi ${koffi.version}`, `node:ffi of ${process.version}`, 'ratio'];
const table = `${line(head)}${line(head.map(() => '---'))}${rows.map(line).join('')}`;
console.log(table);
if (values.write) {
  const [begin, end] = ['<!-- native calls: written by scripts/native-calls.mjs --write -->\n',
    '<!-- end of native calls -->'];
  const page = 'docs/compatibility.md';
  const [before, rest] = readFileSync(page, 'utf8').split(begin);
  const where = `${cpus()[0].model.trim()}, ${new Date().toISOString().slice(0, 10)}:\n\n`;
  writeFileSync(page, `${before}${begin}${where}${table}${end}${rest.split(end)[1]}`);
}
