// Random calls, right and wrong, of node:fs/promises and of ours on twin folders: the same results, the same errors to
// the letter, open files that stand at the same places, and the same trees in the end. On disks with more room than is
// asked for, on disks that are full, and where files must not become large.
// slow: thousands of random operations, beside node:fs
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import * as promises from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { it } from 'node:test';
import { inspect } from 'node:util';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ours from '../../src/fs/index.ts';
import { Temporary } from '../kernel/temporary.ts';
import { randomOf, SEED } from '../reactor/random.ts';
import { descriptorOf } from './descriptor-of.ts';
import { outcomeOf } from './outcome.ts';
import { noSizeLimit, noSmallDisk, SizeLimit, SmallDisk, standingAt } from './scarce-disk.ts';
import { treeOf } from './tree.ts';

type Random = (n: number) => number;
type Module = Record<string, (...args: unknown[]) => unknown>;
type Handle = promises.FileHandle & Record<string, (...args: unknown[]) => unknown>;

const SEQUENCES = Number(process.env['IOURING_FUZZ_SEQUENCES'] ?? 40);
const STEPS = 500;
/** So many sequences on disks of each of the other kinds. */
const SCARCE_SEQUENCES = Math.ceil(SEQUENCES / 8);
const HANDLES_MAX = 6;
const TREES_EVERY = Number(process.env['IOURING_FUZZ_TREES'] ?? 50);

/** How much room there is. */
type Room = 'enough' | 'a full disk' | 'files that must not be large';
const DISK = 98_304;
const LARGEST = 50_001;

/** One of the twins: the module, its folder, its random numbers (the same as the other's), and what it has open. */
interface Twin {
  readonly room: Room;
  readonly fs: Module;
  readonly root: string;
  readonly random: Random;
  readonly handles: Handle[];
}

const NAMES = ['a', 'b', 'c', 'd/e', 'd/f', 'd', 'ü ß', '%41', '...', 'x'.repeat(255), 'x'.repeat(256), 'none/x', 'a/x',
  'link', 'loop'];
const ENDS = ['', '', '', '', '', '/', '/.', '//', '\0', '/../a'];
const TEXTS = ['', 'x', 'hello', 'ü ß €', '\ud800', 'a\nb\nc\n', 'x'.repeat(5000), 'y'.repeat(70_000)];
const ENCODINGS = ['utf8', 'utf-8', 'latin1', 'base64', 'base64url', 'hex', 'ascii', 'ucs2', 'utf16le', 'binary',
  'UTF8'];
const FLAGS = [
  'r',
  'rs',
  'sr',
  'r+',
  'rs+',
  'sr+',
  'w',
  'wx',
  'xw',
  'w+',
  'wx+',
  'xw+',
  'a',
  'ax',
  'xa',
  'a+',
  'ax+',
  'xa+',
  'as',
  'sa',
  'as+',
  'sa+',
  '+r',
  'rw',
  'R',
  'rx',
  ' r',
  0,
  1,
  2,
  0o102,
  0o2000000,
  2 ** 31,
  -1,
  1.5,
];
const MODES = [0o644, 0o600, 0o777, 0o400, '644', '0755', '888', '', -1, 1.5, 2 ** 32, 2 ** 33, 0o100644, 'rw', true,
  4n];
const WRONG = (): unknown[] => [
  null,
  undefined,
  1.5,
  -1,
  -2,
  2 ** 53,
  2 ** 31,
  NaN,
  Infinity,
  '',
  'x',
  '5',
  {},
  [],
  Symbol('s'),
  () => {},
  1n,
  -1n,
  true,
  false,
  new Date(0),
  Buffer.alloc(0),
  new Uint8Array(3),
  new AbortController().signal,
  { valueOf: () => 3 },
];

const one = <T>(random: Random, of: readonly T[]): T => of[random(of.length)];
const chance = (random: Random, percent: number): boolean => random(100) < percent;

function pathOf({ random, root }: Twin): unknown {
  if (chance(random, 4)) return one(random, WRONG());
  const path = one(random, NAMES) + one(random, ENDS);
  const form = random(10);
  if (form === 0) return Buffer.from(path);
  if (form === 4 && !path.includes('\0')) return join(root, path);
  if (form === 1) {
    try {
      return pathToFileURL(path);
    } catch {
      return path;
    }
  }
  if (form === 2 && chance(random, 30)) {
    return new URL(one(random, ['http://x/y', 'file:///a%2Fb', 'file:///a%00b', 'file://host/x']));
  }
  return form === 3 ? new Uint8Array(Buffer.from(path)) : path;
}

function bytesOf({ random }: Twin): ArrayBufferView {
  const length = one(random, [0, 1, 8, 24, 4096, 4104, 20_000, 65_536, 65_544, 600_000]);
  const memory = new ArrayBuffer(length + 16);
  new Uint8Array(memory).fill(97 + random(26));
  const form = random(6);
  if (form === 0) return new DataView(memory, 8, length);
  if (form === 1) return new Uint8Array(memory, 8, length);
  if (form === 2) return new Float64Array(memory, 8, Math.floor(length / 8));
  if (form === 3) return new Uint8Array(new SharedArrayBuffer(length + 8), 8, length);
  return Buffer.from(memory, 8, length);
}

function dataOf(twin: Twin): unknown {
  const { random } = twin;
  const form = random(12);
  if (form < 4) return one(random, TEXTS);
  if (form < 7) return bytesOf(twin);
  const pieces = Array.from({ length: random(4) }, () => (chance(random, 80) ? one(random, TEXTS) : bytesOf(twin)));
  if (form === 7) return pieces;
  if (form === 8) return Readable.from(pieces);
  if (form === 9) {
    return (async function* each() {
      for (const piece of pieces) yield piece;
    })();
  }
  if (form === 10) return new Set<unknown>([...pieces, chance(random, 30) ? 5 : 'z']);
  return one(random, WRONG());
}

function signalOf(random: Random): unknown {
  const form = random(6);
  if (form === 0) return AbortSignal.abort(new Error('enough'));
  if (form === 1) return AbortSignal.abort('enough');
  return form === 2 ? one(random, WRONG()) : new AbortController().signal;
}

function optionsOf(random: Random): unknown {
  const form = random(8);
  if (form < 2) return undefined;
  if (form === 2) return one(random, [...ENCODINGS, 'buffer', 'nonsense']);
  if (form === 3) return one(random, WRONG());
  const options: Record<string, unknown> = {};
  if (chance(random, 50)) options['encoding'] = chance(random, 85) ? one(random, ENCODINGS) : one(random, WRONG());
  if (chance(random, 30)) options['flag'] = chance(random, 85) ? one(random, FLAGS) : one(random, WRONG());
  if (chance(random, 30)) {
    options['mode'] = chance(random, 85) ? one(random, MODES) : one(random, WRONG().filter((mode) => mode !== 2 ** 31));
  }
  if (chance(random, 20)) options['flush'] = chance(random, 80) ? chance(random, 50) : one(random, WRONG());
  if (chance(random, 15)) options['signal'] = signalOf(random);
  return options;
}

const positionOf = (random: Random): unknown =>
  chance(random, 10) ? one(random, WRONG()) : one(random, [undefined, null, -1, 0, 1, 5, 4096, 70_000, 3n, 0n]);
const numberOf = (random: Random): unknown =>
  chance(random, 15) ? one(random, WRONG())
    : one(random, [undefined, 0, 1, 2, 8, 4096, 20_000, 65_536, 65_545, 600_000]);

function statOptionsOf(random: Random): unknown[] {
  const form = random(5);
  if (form < 2) return [];
  return [form === 2 ? one(random, WRONG()) : { bigint: chance(random, 90) ? form === 3 : one(random, WRONG()) }];
}

function rmOptionsOf(random: Random): unknown {
  if (chance(random, 30)) return undefined;
  if (chance(random, 5)) return one(random, WRONG());
  const options: Record<string, unknown> = {};
  for (const name of ['force', 'recursive']) {
    if (chance(random, 60)) options[name] = chance(random, 95) ? chance(random, 70) : one(random, WRONG());
  }
  if (chance(random, 10)) options['maxRetries'] = one(random, [0, 1, -1, 'x', 1.5]);
  return options;
}

/**
 * Is a directory to be copied into itself by the name of a link to it? Node does not always see that, and then copies
 * until names are too long, so that nothing can remove the tree.
 */
function isMissedByNode(from: unknown, to: string): boolean {
  try {
    const source = realpathSync(from as string);
    const named = from instanceof URL ? fileURLToPath(from) : Buffer.from(from as string).toString();
    return resolve(named) !== source && `${realOf(resolve(to))}/`.startsWith(`${source}/`);
  } catch {
    return false;
  }
}

/** The real path, of as much of it as there is. */
function realOf(path: string): string {
  return existsSync(path) ? realpathSync(path) : join(realOf(dirname(path)), basename(path));
}

function cpOptionsOf(random: Random): unknown {
  if (chance(random, 20)) return undefined;
  if (chance(random, 5)) return one(random, WRONG());
  const options: Record<string, unknown> = { recursive: chance(random, 80) };
  for (const name of ['force', 'errorOnExist', 'dereference', 'preserveTimestamps', 'verbatimSymlinks']) {
    if (chance(random, 20)) options[name] = chance(random, 95) ? chance(random, 50) : one(random, WRONG());
  }
  if (chance(random, 10)) options['filter'] = (from: string) => !from.endsWith('b');
  if (chance(random, 5)) options['mode'] = one(random, [0, 1, 2, 5, -1, 'x']);
  return options;
}

/** Calls of the module: their arguments. Some have more weight than others, so that there is something to work on. */
const CALLS: Record<string, (twin: Twin) => unknown[]> = {
  access: (t) => [pathOf(t), one(t.random, [undefined, 0, 4, 7, 8, 'x'])],
  appendFile: (t) => [pathOf(t), dataOf(t), optionsOf(t.random)],
  chmod: (t) => [pathOf(t), one(t.random, MODES)],
  copyFile: (t) => [pathOf(t), pathOf(t), ...one(t.random, [[], [0], [1], [2], [3], [8], ['x'], [1.5], [null]])],
  cp: (t) => {
    const [from, to] = [pathOf(t), one(t.random, ['a', 'b', 'd', 'd/new', 'copy', 'copy/deep', 'd/deep/er'])];
    return [from, isMissedByNode(from, to) ? 'none/x' : to, cpOptionsOf(t.random)];
  },
  link: (t) => [pathOf(t), pathOf(t)],
  lstat: (t) => [pathOf(t), ...statOptionsOf(t.random)],
  mkdir: (
    t,
  ) => [pathOf(t),
    ...one(t.random, [[], [], [0o700], ['755'], [{ recursive: true }], [{ recursive: true, mode: 0o711 }], [{
      recursive: 'x',
    }], [{ mode: 'zz' }], [null], [{}], [5.5]])],
  open: (
    t,
  ) => [pathOf(t),
    ...(chance(t.random, 20) ? [] : [one(t.random, FLAGS), ...(chance(t.random, 40) ? [one(t.random, MODES)] : [])])],
  readdir: (t) => [pathOf(t), ...one(t.random, [[], [{ withFileTypes: true }], ['buffer'], [{ encoding: 'latin1' }]])],
  readFile: (t) => {
    const [path, options] = [pathOf(t), optionsOf(t.random)];
    // What cannot be read although it was made is told in words that differ from version to version.
    const { flag } = Object(options) as { flag?: unknown };
    return [path, typeof flag === 'string' && flag.includes('x') ? undefined : options];
  },
  readlink: (t) => [pathOf(t)],
  realpath: (t) => [pathOf(t)],
  rename: (t) => [pathOf(t), pathOf(t)],
  rm: (t) => [pathOf(t), rmOptionsOf(t.random)],
  rmdir: (t) => [pathOf(t), ...one(t.random, [[], [], [], [{}], [{ maxRetries: -1 }], [null]])],
  stat: (t) => [pathOf(t), ...statOptionsOf(t.random)],
  symlink: (
    t,
  ) => [chance(t.random, 50) ? one(t.random, ['a', 'd', '../x', 'nowhere', '']) : pathOf(t), pathOf(t),
    ...one(t.random, [[], ['file'], ['dir'], ['junction'], ['x'], [null], [5]])],
  truncate: (t) => [pathOf(t), ...one(t.random, [[], [0], [3], [5000], [-1], [1.5], ['x'], [2n], [null]])],
  unlink: (t) => [pathOf(t)],
  utimes: (t) => [pathOf(t), one(t.random, [0, 1.5, '3', new Date(5), 'x', -1]), one(t.random, [0, new Date(7), NaN])],
  writeFile: (t) => [pathOf(t), dataOf(t), optionsOf(t.random)],
};
const WEIGHTED = [
  ...Object.keys(CALLS),
  'open',
  'open',
  'open',
  'open',
  'writeFile',
  'writeFile',
  'writeFile',
  'readFile',
  'readFile',
  'mkdir',
  'appendFile',
  'symlink',
];

/** What ends the process in Node is left out here: a length of a read that is no integer, and a mode of 2^31. */
const lengthOf = (random: Random): unknown =>
  one(random, [undefined, undefined, 0, 1, 2, 8, 4096, 20_000, 65_536, 65_545, 600_000, -1, null]);

/** Calls of a handle. */
const METHODS: Record<string, (twin: Twin) => unknown[]> = {
  /** A program that asks for the number may share the file. */
  fd: () => [],
  appendFile: (t) => [dataOf(t), optionsOf(t.random)],
  chmod: (t) => [one(t.random, MODES)],
  close: () => [],
  datasync: () => [],
  read: (t) => {
    const { random } = t;
    const form = random(6);
    if (form === 0) {
      return [{
        buffer: chance(random, 80) ? bytesOf(t) : one(random, WRONG()),
        offset: numberOf(random),
        length: lengthOf(random),
        position: positionOf(random),
      }];
    }
    if (form === 1) {
      return [bytesOf(t), { offset: numberOf(random), length: lengthOf(random), position: positionOf(random) }];
    }
    if (form === 2) return chance(random, 50) ? [] : [one(random, WRONG())];
    const args = [bytesOf(t), numberOf(random), lengthOf(random), positionOf(random)];
    return args.slice(0, 1 + random(4));
  },
  readFile: (t) => [optionsOf(t.random)],
  readv: (
    t,
  ) => [chance(t.random, 90) ? Array.from({ length: t.random(4) }, () => bytesOf(t)) : one(t.random, WRONG()),
    positionOf(t.random)],
  stat: (t) => statOptionsOf(t.random),
  sync: () => [],
  truncate: (t) => one(t.random, [[], [0], [3], [5000], [-1], [1.5], ['x'], [2n], [null]]),
  utimes: (t) => [one(t.random, [0, 1.5, 'x']), one(t.random, [0, new Date(7)])],
  write: (t) => {
    const { random } = t;
    const form = random(5);
    if (form === 0) {
      return [one(random, TEXTS), positionOf(random), one(random, [undefined, ...ENCODINGS, 'nonsense', null, 5])];
    }
    if (form === 1) {
      return [bytesOf(t), { offset: numberOf(random), length: numberOf(random), position: positionOf(random) }];
    }
    if (form === 2) return [one(random, WRONG()), ...(chance(random, 50) ? [3] : [])];
    const args = [bytesOf(t), numberOf(random), numberOf(random), positionOf(random)];
    return args.slice(0, 1 + random(4));
  },
  writeFile: (t) => [dataOf(t), optionsOf(t.random)],
  writev: (
    t,
  ) => [chance(t.random, 90) ? Array.from({ length: t.random(4) }, () => bytesOf(t)) : one(t.random, WRONG()),
    positionOf(t.random)],
};

/** One random call: what it was, and what came of it. */
async function step(twin: Twin): Promise<{ call: string; outcome: string }> {
  const { fs, root, random, handles } = twin;
  process.chdir(root);
  const isOnHandle = handles.length > 0 && chance(random, 55);
  const i = isOnHandle ? random(handles.length) : -1;
  // Which part of a tree is copied that there is no room for differs each time.
  const isTree = (of: string): boolean => of === 'cp' && twin.room !== 'enough';
  const name = isOnHandle ? one(random, Object.keys(METHODS)) : one(random, WEIGHTED.filter((of) => !isTree(of)));
  const args = isOnHandle ? METHODS[name](twin) : CALLS[name](twin);
  const call = inspect({ i, name, args }, { depth: 4, breakLength: Infinity, maxArrayLength: 10, maxStringLength: 300 })
    .replaceAll(root, 'ROOT');
  const called =
    (): unknown => (!isOnHandle ? fs[name](...args) : name === 'fd' ? handles[i].fd >= 0 : handles[i][name](...args));
  const { text: told, value } = await outcomeOf(root, called);
  // Each of the twins has a disk of its own then.
  const text = twin.room === 'a full disk' ? told.replace(/\bdev: \d+/, 'dev: its own') : told;
  const standing = isOnHandle && descriptorOf(handles[i]) !== -1
    ? `, it stands at ${standingAt(descriptorOf(handles[i]))}` : '';
  if (name === 'open' && text === 'FileHandle') {
    handles.push(value as Handle);
    if (handles.length > HANDLES_MAX) await handles.shift()!.close();
  }
  // A closed one stays for some calls.
  if (name === 'close' && chance(random, 50)) handles.splice(i, 1);
  // Of two paths that are wrong Node tells of the one that it comes to first, which is no rule.
  const isEither = name === 'cp' && /syscall: 'l?stat'/.test(text);
  return { call, outcome: isEither ? 'one of the two cannot be looked up' : `${text}${standing}` };
}

async function sequence(seed: number, room: Room): Promise<void> {
  const folder = (): Temporary | SmallDisk => (room === 'a full disk' ? new SmallDisk(DISK) : new Temporary());
  using left = folder();
  using right = folder();
  using _limit = room === 'files that must not be large' ? new SizeLimit(LARGEST) : undefined;
  const home = process.cwd();
  const twins = [left, right].map(({ path }, i): Twin => {
    // One further down: `../x` is in the twin's own folder too.
    const root = join(path, 'root');
    mkdirSync(join(root, 'd/deep'), { recursive: true });
    const fs = (i === 0 ? { ...promises } : ours) as unknown as Module;
    return { room, fs, root, random: randomOf(seed), handles: [] };
  });
  const log: string[] = [];
  try {
    for (let i = 0; i < STEPS; i++) {
      const [expected, actual] = [await step(twins[0]), await step(twins[1])];
      log.push(`${expected.call} => ${expected.outcome}`);
      const where = `IOURING_SEED=${SEED}, ${room}, sequence of seed ${seed}, step ${i}:\n${log.slice(-3).join('\n')}`;
      assert.equal(actual.call, expected.call, where);
      assert.equal(actual.outcome, expected.outcome, where);
      // Now and then: to find where they began to differ, let it be at every step.
      if (i % TREES_EVERY === 0) assert.deepEqual(treeOf(twins[1].root), treeOf(twins[0].root), where);
    }
    assert.deepEqual(
      treeOf(twins[1].root),
      treeOf(twins[0].root),
      `IOURING_SEED=${SEED}, ${room}, the trees of seed ${seed}\n${log.slice(-100).join('\n')}`,
    );
  } finally {
    process.chdir(home);
    for (const { handles } of twins) for (const handle of handles) await handle.close().catch(() => {});
  }
}

it(`random calls come to the same as Node's, seed ${SEED}`, async () => {
  for (let i = 0; i < SEQUENCES; i++) await sequence(SEED + i, 'enough');
});

it(`the same on a full disk, seed ${SEED}`, { skip: noSmallDisk }, async () => {
  for (let i = 0; i < SCARCE_SEQUENCES; i++) await sequence(SEED + i, 'a full disk');
});

it(`the same where files must not be large, seed ${SEED}`, { skip: noSizeLimit }, async () => {
  for (let i = 0; i < SCARCE_SEQUENCES; i++) await sequence(SEED + i, 'files that must not be large');
});
