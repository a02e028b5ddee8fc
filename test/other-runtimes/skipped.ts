// Tests that Bun or Deno skip, and why. They ask for something that is Node's own, or that the runtime does not have: it
// is not the project that differs there. With `IOURING_TEST_SKIPPED=only` in the environment,
// `npm run test:runtimes -- --runtime bun` runs these alone, to see whether they are still to be skipped.

interface Row {
  readonly why: Reason;
  readonly in: readonly ('bun' | 'deno')[];
  /** Under build/test, without the ending. */
  readonly file: string;
  /** Titles, the suites' before them; `*` at the end stands for anything. Without: all tests of the file. */
  readonly tests?: readonly string[];
}

const REASONS = {
  unref: 'an operation in flight keeps the process alive there, in spite of unref(): docs/compatibility.md',
  uvLoop: 'a reactor sleeps in the ring, or counts idle time, where the event loop is libuv: not there',
  addresses: 'compares with net.SocketAddress, which has texts of its own there',
  dates: 'compares with the stat of the runtime, which cuts off the part of a millisecond that Node rounds',
  arch: 'process.arch cannot be set there',
  clock: 'process.hrtime is not CLOCK_MONOTONIC there',
  mappings: 'the engine has memory of its own beside it, and the kernel tells both as one mapping',
  guards: 'the engine reserves no 10 GiB of address space for each memory of WebAssembly there',
  ownCalls: 'the drop-ins are the calls of the runtime there',
  names: 'fs/promises has names there that Node does not have',
  permissions: 'the permission model is of Node',
  files: 'handles of files are the runtime’s there, and not as those of Node: they close, warn and travel otherwise',
  node: 'starts Node by its own path, which is that of another runtime there',
  errors: 'errors of the runtime have codes that are not as in Node',
  threadEnd: 'the end of a worker leaves descriptors of the runtime open there',
  commandLine: 'starts the runtime with words of Node’s command line, such as --test and --import',
  ownFs: 'compares with node:fs of the runtime, whose arguments and errors are not those of Node',
  version: 'the version of Node that the runtime says it is tells nothing of how it copies a tree',
  setgroups: 'process.setgroups is not there',
  uncaught: 'an error that nobody catches fails the test there, whoever listens for it',
  mocks: 'setTimeout of the global object cannot be put in place of there',
  milliseconds: 'compares with the stat of the runtime, which knows milliseconds only',
  bytes: 'node:fs of the runtime has no names of files that are not UTF-8',
  ownDescriptors: 'the runtime has descriptors of its own, which come and go meanwhile',
} as const;

type Reason = keyof typeof REASONS;

const ROWS: readonly Row[] = [
  {
    why: 'addresses',
    in: ['bun'],
    file: 'ring/structures',
    tests: [
      'IPv6 addresses > 0:0:0:0:0:0:0:0 is *',
      'IPv6 addresses > 2001:DB8::A is *',
      'IPv6 addresses > 2001:0db8:0000:0000:0001:0000:0000:0001 is *',
      'IPv6 addresses > 1:0:0:2:0:0:0:3 is *',
      'IPv6 addresses > 1:2:3:4:5:6:7:: is *',
      'IPv6 addresses > 0:0:1:0:0:1:0:0 is *',
      'IPv6 addresses > ::FFFF:102:304 is *',
      'IPv6 addresses > ::1:0 is *',
      'IPv6 addresses > ::fffe:1.2.3.4 is *',
      'IPv6 addresses > 64:ff9b::192.0.2.33 is *',
      'IPv6 addresses > 1:2:3:4:5:6:255.254.253.252 is *',
      'IPv6 addresses > given 5000 at random in any spelling, are the text that Node has',
    ],
  },
  {
    why: 'addresses',
    in: ['deno'],
    file: 'ring/structures',
    tests: [
      'IPv6 addresses > ::1.2.3.4 is *',
      'IPv6 addresses > ::1:0 is *',
      'IPv6 addresses > given 5000 at random in any spelling, are the text that Node has',
    ],
  },
  { why: 'dates', in: ['bun'], file: 'ring/structures', tests: ['Statx > says of *'] },
  {
    why: 'dates',
    in: ['bun'],
    file: 'reactor/stat',
    tests: [
      'stat of the reactor > given a file, a directory and a device, it answers as node:fs does',
      'stat of the reactor > given a descriptor, fstat answers as node:fs does',
      'stat of the reactor > given a symbolic link, stat follows it and lstat does not',
    ],
  },
  { why: 'dates', in: ['bun'], file: 'reactor/differential' },
  {
    why: 'arch',
    in: ['bun', 'deno'],
    file: 'ring/structures',
    tests: [
      'EpollEvents > given x86-64 an event is packed, given arm64 it is not',
    ],
  },
  {
    why: 'clock',
    in: ['bun', 'deno'],
    file: 'kernel/operations.every',
    tests: [
      'IORING_OP_TIMEOUT: absolute, on each clock, fires when the clock shows that time',
    ],
  },
  { why: 'clock', in: ['bun', 'deno'], file: 'kernel/semantics/waiting', tests: ['case 26: *'] },
  {
    why: 'milliseconds',
    in: ['deno'],
    file: 'kernel/operations.every',
    tests: [
      'IORING_OP_STATX: tells what node:fs tells, field by field',
      'IORING_OP_STATX: sparse files beyond 4 GiB, times before 1970, pipes, what stat(2) does not tell',
    ],
  },
  {
    why: 'bytes',
    in: ['deno'],
    file: 'kernel/operations.every',
    tests: [
      'IORING_OP_OPENAT: paths as strings, bytes that are no UTF-8, and URLs',
      'IORING_OP_CONNECT, IORING_OP_BIND: addresses are copied; unix names of any bytes; raw ones; misfits',
    ],
  },
  {
    why: 'ownFs',
    in: ['deno'],
    file: 'kernel/operations.every',
    tests: ['IORING_OP_OPENAT: flags that node:fs has too, and a file without a name that gets one'],
  },
  {
    why: 'mappings',
    in: ['bun', 'deno'],
    file: 'kernel/webassembly',
    tests: [
      'allocateAligned > takes nothing from the heap, however small: what a disk yet writes cannot hit what is allocated next',
    ],
  },
  { why: 'guards', in: ['bun', 'deno'], file: 'kernel/webassembly', tests: ['where address space is short > *'] },
  {
    why: 'errors',
    in: ['deno'],
    file: 'kernel/threads',
    tests: [
      'a ring and threads > cannot be sent to another thread: the message that tries says so',
    ],
  },
  {
    why: 'ownDescriptors',
    in: ['deno'],
    file: 'kernel/threads',
    tests: [
      'a ring and threads > descriptors that somebody else closed: a ring of the same number is no second close',
    ],
  },
  {
    why: 'milliseconds',
    in: ['deno'],
    file: 'reactor/stat',
    tests: [
      'stat of the reactor > given a file, a directory and a device, it answers as node:fs does',
      'stat of the reactor > given a descriptor, fstat answers as node:fs does',
      'stat of the reactor > given a symbolic link, stat follows it and lstat does not',
    ],
  },
  {
    why: 'ownFs',
    in: ['deno'],
    file: 'reactor/stat',
    tests: [
      'stat of the reactor > given a path that is not there, each rejects with the error of node:fs',
    ],
  },
  {
    why: 'milliseconds',
    in: ['deno'],
    file: 'reactor/at-once',
    tests: [
      'at once > setTimes: to the nanosecond, of files and of links themselves',
    ],
  },
  {
    why: 'mocks',
    in: ['deno'],
    file: 'reactor/buffer-pool',
    tests: [
      'the buffers of a reactor > given many slow consumers that are gone, go back*',
      'the buffers of a reactor > given no shortage, are looked after by no timer',
    ],
  },
  {
    why: 'unref',
    in: ['bun'],
    file: 'reactor/turns',
    tests: [
      'the process > ends all the same after unref(), and lives again after ref()',
    ],
  },
  {
    why: 'unref',
    in: ['bun'],
    file: 'reactor/messages',
    tests: [
      'given an iteration, the process stays alive, unless that is unreferenced',
    ],
  },
  { why: 'threadEnd', in: ['deno'], file: 'reactor/messages', tests: ['between threads: *'] },
  { why: 'threadEnd', in: ['deno'], file: 'reactor/workers' },
  { why: 'setgroups', in: ['deno'], file: 'reactor/refused', tests: ['a limit on locked memory > *'] },
  {
    why: 'ownCalls',
    in: ['bun'],
    file: 'reactor/refused',
    tests: [
      'a limit on locked memory > that is too low for the usual ring: the drop-ins*',
      'a limit on locked memory > that leaves no room for any ring: the drop-ins*',
    ],
  },
  { why: 'ownDescriptors', in: ['bun'], file: 'reactor/close', tests: ['close > leaves no descriptor behind'] },
  {
    why: 'ownDescriptors',
    in: ['bun'],
    file: 'reactor/faults',
    tests: [
      'close with everything in flight > every promise settles, and nothing is written later: *',
    ],
  },
  {
    why: 'ownDescriptors',
    in: ['bun'],
    file: 'reactor/many',
    tests: [
      'acceptMany > brings every connection; break stops it, and closes what nobody took',
    ],
  },
  { why: 'node', in: ['bun', 'deno'], file: 'reactor/runtimes', tests: ['the reactor > in this node'] },
  {
    why: 'ownCalls',
    in: ['bun', 'deno'],
    file: 'reactor/refused',
    tests: [
      'a filter that forbids > io_uring_setup alone*',
      'a filter that forbids > io_uring_enter alone*',
      'a filter that forbids > io_uring_register alone*',
    ],
  },
  {
    why: 'names',
    in: ['bun'],
    file: 'fs/exported-names',
    tests: [
      'names > each can be imported by its name',
      'names > each goes through the ring, or is Node’s and in the list',
    ],
  },
  { why: 'permissions', in: ['bun', 'deno'], file: 'fs/fallback', tests: ['the permission model > *'] },
  {
    why: 'ownCalls',
    in: ['bun'],
    file: 'fs/fallback',
    tests: [
      'without io_uring > one event says so, and all works',
      'without io_uring > the tests of this folder pass',
    ],
  },
  { why: 'version', in: ['bun', 'deno'], file: 'fs/fallback', tests: ['a tree > *'] },
  { why: 'files', in: ['deno'], file: 'fs/abort', tests: ['given any number of operations that wait*'] },
  {
    why: 'files',
    in: ['deno'],
    file: 'fs/exported-names',
    tests: [
      'names > functions have Node’s names and take as many arguments',
      'names > the same of the methods of handles',
    ],
  },
  {
    why: 'commandLine',
    in: ['deno'],
    file: 'fs/fallback',
    tests: ['without io_uring > the tests of this folder pass'],
  },
  { why: 'ownFs', in: ['deno'], file: 'fs/fuzz' },
  { why: 'files', in: ['deno'], file: 'fs/inherited-options' },
  { why: 'commandLine', in: ['deno'], file: 'fs/packages' },
  {
    why: 'files',
    in: ['deno'],
    file: 'fs/beyond',
    tests: [
      'files that are opened to be fast > direct: everything that a handle can do otherwise',
      'files that are opened to be fast > fixed: everything that a handle can do otherwise',
      'files that are opened to be fast > memory that is given up while a transfer*',
      'files that are opened to be fast > a handle that is collected leaves its file open nowhere',
      'files that are opened to be fast > errors are Node’s',
    ],
  },
  {
    why: 'files',
    in: ['deno'],
    file: 'fs/special',
    tests: [
      'special files > devices, directories, files that nobody can read or write',
      'special files > terminals: *',
      'special files > an open or a read that waits is aborted in the kernel',
      'special files > given memory that goes away during a read*',
      'handles > streams, lines and web streams',
      'handles > what is written one after the other*',
      'handles > go to another thread',
      'handles > are warned about when they are collected without having been closed',
    ],
  },
  {
    why: 'ownFs',
    in: ['deno'],
    file: 'fs/special',
    tests: ['trees > mkdir, cp and rm of a tree, as Node does it', 'trees > cp of *'],
  },
  {
    why: 'files',
    in: ['deno'],
    file: 'fs/views',
    tests: ['views that lie > given a file*', 'views that lie > memory of a fast file*'],
  },
  { why: 'ownFs', in: ['deno'], file: 'fs/scarce-disk', tests: ['room for 16 KiB*'] },
  { why: 'ownCalls', in: ['bun'], file: 'fs/packages' },
  {
    why: 'files',
    in: ['bun'],
    file: 'fs/special',
    tests: [
      'handles > are closed when the last of what is under way is done, and leave nothing open',
      'handles > are warned about when they are collected without having been closed',
      'handles > go to another thread',
    ],
  },
  {
    why: 'uncaught',
    in: ['bun'],
    file: 'net/lean/lean',
    tests: ['the lean face on node:net', 'the lean face on the ring'].flatMap((face) => [
      `${face}: handlers that throw > open: without an error handler it is an uncaught exception`,
      `${face}: handlers that throw > data: without an error handler it is an uncaught exception`,
      `${face}: handlers that throw > end: without an error handler it is an uncaught exception`,
      `${face}: handlers that throw > error and close themselves: uncaught, and close is still called, once`,
    ]),
  },
  { why: 'uvLoop', in: ['deno'], file: 'reactor/idle-time' },
  {
    why: 'uvLoop',
    in: ['bun'],
    file: 'reactor/idle-time',
    tests: [
      'performance.eventLoopUtilization() > *',
      'the event loop > *',
    ],
  },
  { why: 'uvLoop', in: ['bun', 'deno'], file: 'reactor/ring-sleep' },
  { why: 'uvLoop', in: ['bun', 'deno'], file: 'reactor/fake-timers', tests: ['IOURING_WAIT > *'] },
  { why: 'files', in: ['deno'], file: 'reactor/differential' },
  { why: 'uvLoop', in: ['bun', 'deno'], file: 'reactor/armed-multishot' },
  {
    why: 'uvLoop',
    in: ['bun', 'deno'],
    file: 'reactor/settling',
    tests: ['a wait in the ring > *', 'completions > *'],
  },
  { why: 'uvLoop', in: ['bun', 'deno'], file: 'reactor/signal', tests: ['an eventfd that is never signalled*'] },
];

const runtime = 'Bun' in globalThis ? 'bun' : 'deno';
/** scripts/runtimes.mjs says which file runs. */
const file = process.env['IOURING_TEST_FILE'];
const isOnlySkipped = process.env['IOURING_TEST_SKIPPED'] === 'only';
const patterns = ROWS.filter((row) => row.in.includes(runtime) && row.file === file)
  .flatMap(({ why, tests = ['*'] }) => tests.map((title) => ({ why, title, isUsed: false })));

/** Is nothing of this file to run? Then what prepares its tests is left out, too. */
export const isFileSkipped = patterns.some(({ title }) => title === '*') && !isOnlySkipped;

/** Why a test is skipped; undefined if it is to run. */
export function reasonToSkip(title: string): string | undefined {
  const row = patterns.find((pattern) =>
    pattern.title.endsWith('*') ? title.startsWith(pattern.title.slice(0, -1)) : pattern.title === title
  );
  if (row === undefined) return isOnlySkipped ? 'only what is skipped otherwise' : undefined;
  row.isUsed = true;
  return isOnlySkipped ? undefined : REASONS[row.why];
}

/** Rows that no test answers to. */
export function unusedReasons(): string[] {
  return patterns.filter(({ isUsed }) => !isUsed).map(({ title }) => title);
}
