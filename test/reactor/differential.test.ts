// The same random file operations by the reactor and by node:fs/promises, on twin folders: the same answers, the same
// errors, and the same two trees in the end. What node:fs refuses itself, the reactor refuses with the same code.
// slow: thousands of random operations, beside node:fs
import assert from 'node:assert/strict';
import { constants, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW } from '../../src/abi/index.ts';
import { Reactor, type Statx } from '../../src/index.ts';
import { it } from '../asking.ts';
import { Temporary } from '../kernel/temporary.ts';
import { randomOf, SEED } from './random.ts';

/** Sequences that run at the same time, each on twins of its own, and the steps of each. */
const SEQUENCES = 8;
const STEPS = 1200;
const OPEN_MAX = 12;
/** No file has this number. */
const NO_FD = 999_999;

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_SYNC } = constants;
const O_PATH = 0o10000000;
const O_TMPFILE = 0o20000000 | O_DIRECTORY;

/** More than the kernel takes, and how the log names it. */
const DEEP = `${'deep/'.repeat(1000)}er`;
const TOO_LONG = 'deep/deep/…';
const EMPTY = `''`;

const NAMES = ['a', 'b', 'c', 'ü ß', '%41', '...', 'ends ', '\u{1f5ce}', 'x'.repeat(255), 'x'.repeat(256)];
const ODD = ['', '.', '..', 'a/', 'a/.', './a', 'b/../a', 'nul\0byte', DEEP, '//a'];

/** A file that is open twice: in the one folder by node:fs, in the other by the reactor. */
interface Twin {
  handle: fs.FileHandle | undefined;
  fd: number;
  isClosed: boolean;
}

/** As both take it. */
type Path = string | Buffer | URL;

/** What an operation came to, in words that do not depend on which of the two folders it was about. */
type Answer = Record<string, unknown>;

class Sequence {
  readonly #random: (n: number) => number;
  readonly #io: Reactor;
  /** Of node:fs, and of the reactor. */
  readonly #roots: readonly [string, string];
  readonly #open: Twin[] = [];
  readonly log: string[] = [];
  readonly codes = new Map<string, number>();

  constructor(seed: number, io: Reactor, roots: readonly [string, string]) {
    this.#random = randomOf(seed);
    this.#io = io;
    this.#roots = roots;
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#random(list.length)];
  }

  /** A path inside, mostly a short one of few names, so that things meet. */
  #path(): string {
    if (this.#random(25) === 0) return this.#one(ODD);
    const name = (): string => (this.#random(8) === 0 ? this.#one(NAMES) : NAMES[this.#random(3)]);
    return Array.from({ length: 1 + (this.#random(3) >> this.#random(2)) }, name).join('/');
  }

  /** The same in both folders: as a string, as bytes, or as a URL. */
  #paths(path = this.#path()): [Path, Path, string] {
    const kind = this.#random(10);
    const both = this.#roots.map((root): Path => {
      const whole = path === '' ? '' : `${root}/${path}`;
      if (kind === 0) return Buffer.from(whole);
      // A URL leaves out what leads nowhere.
      return kind === 1 && !ODD.includes(path) ? pathToFileURL(whole) : whole;
    });
    return [both[0], both[1], path.length > 4096 ? TOO_LONG : path === '' ? EMPTY : path.replace(/x{9,}/g, 'x…')];
  }

  /** An error without the folder in it; a value as it is. */
  async #answer(which: 0 | 1, call: () => Promise<unknown>): Promise<Answer> {
    try {
      return { value: await call() };
    } catch (error) {
      const { code, errno, path, dest } = error as NodeJS.ErrnoException & { dest?: string };
      const inside = (text: unknown): unknown => (text === undefined ? undefined : this.#inside(which, text));
      return { code, errno, path: inside(path), dest: inside(dest) };
    }
  }

  #inside(which: 0 | 1, text: unknown): string {
    const path = Buffer.isBuffer(text) ? text.toString() : String(text);
    return path.replaceAll(this.#roots[which], '').replace(DEEP, TOO_LONG);
  }

  /** Do the same on both sides, and compare. */
  async #both(what: string, theirs: () => Promise<unknown>, ours: () => Promise<unknown>): Promise<void> {
    this.log.push(what);
    const [expected, actual] = await Promise.all([this.#answer(0, theirs), this.#answer(1, ours)]);
    const code = 'value' in expected ? 'done' : String(expected['code']);
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
    // Of some Node says no without having asked the kernel.
    if (code !== 'done' && expected['errno'] === undefined) return assert.equal(actual['code'], code, what);
    // The ring copies all paths before it looks at any: of several reasons to say no it finds this one first.
    for (const [name, first] of [[TOO_LONG, 'ENAMETOOLONG'], [EMPTY, 'ENOENT']] as const) {
      if (code !== 'done' && what.includes(name) && actual['code'] === first) return undefined;
    }
    return assert.deepEqual(actual, expected, what);
  }

  #flags(): number {
    let flags = this.#one([O_RDONLY, O_WRONLY, O_RDWR, O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT]);
    for (const more of [O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_SYNC, O_PATH, O_TMPFILE]) {
      if (this.#random(12) === 0) flags |= more;
    }
    return flags;
  }

  async #openOne(): Promise<void> {
    if (this.#open.filter(({ isClosed }) => !isClosed).length >= OPEN_MAX) return this.#closeOne();
    const [theirs, ours, path] = this.#paths();
    const flags = this.#flags();
    const mode = this.#one([0o666, 0o600, 0o777, 0o444, 0]);
    const twin: Twin = { handle: undefined, fd: NO_FD, isClosed: false };
    // openat2 is stricter about flags that contradict each other.
    const how = this.#random((flags & (O_PATH | O_TMPFILE)) === 0 ? 3 : 2);
    await this.#both(
      `open ${path} ${flags.toString(8)} ${mode.toString(8)} ${how}`,
      async () => {
        twin.handle = await fs.open(theirs, flags, mode);
        this.#open.push(twin);
      },
      async () => {
        if (how === 0) twin.fd = await this.#io.open(ours, flags, { mode });
        else if (how === 1) twin.fd = await this.#io.openat(AT_FDCWD, ours, flags, { mode });
        // This one refuses a mode where nothing is created.
        else twin.fd = await this.#io.openat2(AT_FDCWD, ours, flags & O_CREAT ? { flags, mode } : { flags });
      },
    );
  }

  async #closeOne(): Promise<void> {
    const twin = this.#twin();
    if (twin === undefined) return;
    const { handle, fd, isClosed } = twin;
    if (isClosed) return;
    twin.isClosed = true;
    twin.fd = NO_FD;
    await this.#both('close', () => handle!.close(), () => this.#io.closeFd(fd));
  }

  /** One that is open; or, sometimes, one that was. */
  #twin(): Twin | undefined {
    if (this.#open.length === 0) return undefined;
    const twin = this.#one(this.#open);
    if (twin.isClosed && this.#random(4) > 0) this.#open.splice(this.#open.indexOf(twin), 1);
    return twin;
  }

  #position(): number | null {
    const far = [2 ** 31, 2 ** 32 + 5, 2 ** 45, Number.MAX_SAFE_INTEGER];
    return this.#one([null, null, 0, this.#random(100), this.#random(10_000), this.#one(far)]);
  }

  async #transfer(): Promise<void> {
    const twin = this.#twin();
    if (twin === undefined) return;
    const { handle, fd } = twin;
    const position = this.#position();
    const sizes = Array.from({ length: 1 + this.#random(3) }, () => this.#one([1, 7, 100, 5000]));
    const isVector = sizes.length > 1;
    // A write far away makes a file that takes long to compare.
    const offset = position !== null && position > 1e5 && position < 2 ** 50 && this.#random(2) === 0 ? 5 : position;
    const where = `${fd === NO_FD ? 'closed' : 'open'} ${sizes.join()} at ${offset}`;
    if (this.#random(2) === 0) {
      const [theirs, ours] = [0, 1].map(() => sizes.map((size) => Buffer.alloc(size, 0xee)));
      await this.#both(
        `read ${where}`,
        async () => {
          const { bytesRead } = isVector
            ? await handle!.readv(theirs, offset as number)
            : await handle!.read(theirs[0], 0, sizes[0], offset);
          return bytesRead;
        },
        () => (isVector ? this.#io.readv(fd, ours, { offset }) : this.#io.read(fd, ours[0], { offset })),
      );
      assert.ok(Buffer.concat(theirs).equals(Buffer.concat(ours)), `contents of read ${where}`);
    } else {
      const near = offset !== null && offset > 1e5 && offset < 2 ** 50 ? 3 : offset;
      const data = sizes.map((size) => Buffer.alloc(size, String(this.log.length)));
      await this.#both(
        `write ${where}`,
        async () => {
          const { bytesWritten } = isVector
            ? await handle!.writev(data, near as number)
            : await handle!.write(data[0], 0, sizes[0], near);
          return bytesWritten;
        },
        () => {
          const options = { offset: near };
          return isVector ? this.#io.writev(fd, data, options) : this.#io.write(fd, data[0], options);
        },
      );
    }
  }

  async #file(): Promise<void> {
    const twin = this.#twin();
    if (twin === undefined) return;
    const { handle, fd } = twin;
    const length = this.#one([0, 1, 50, 5000, 20_000, Number.MAX_SAFE_INTEGER]);
    switch (this.#random(4)) {
      case 0:
        await this.#both(`ftruncate ${length}`, () => handle!.truncate(length), () => this.#io.ftruncate(fd, length));
        break;
      case 1:
        await this.#both('fsync', () => handle!.sync(), () => this.#io.fsync(fd));
        break;
      case 2:
        await this.#both('fdatasync', () => handle!.datasync(), () => this.#io.fsync(fd, { datasync: true }));
        break;
      default:
        await this.#both(
          'fstat',
          async () => statusOf(await handle!.stat()),
          // The path of an error is the empty one that was given; Node has none there.
          async () => statusOf(await this.#io.statx(fd, '', AT_EMPTY_PATH).catch(withoutPath)),
        );
    }
  }

  async #name(): Promise<void> {
    const [theirs, ours, path] = this.#paths();
    const [theirs2, ours2, path2] = this.#paths();
    const io = this.#io;
    const mode = this.#one([0o777, 0o700, 0o755, 0o1777]);
    switch (this.#random(9)) {
      case 0:
        await this.#both(`rename ${path} ${path2}`, () => fs.rename(theirs, theirs2), () => io.rename(ours, ours2));
        break;
      case 1:
        await this.#both(`link ${path} ${path2}`, () => fs.link(theirs, theirs2), () => io.link(ours, ours2));
        break;
      case 2:
        await this.#both(`unlink ${path}`, () => fs.unlink(theirs), () => io.unlink(ours));
        break;
      case 3:
        await this.#both(`rmdir ${path}`, () => fs.rmdir(theirs), () => io.unlinkat(AT_FDCWD, ours, AT_REMOVEDIR));
        break;
      case 4:
      case 5:
        await this.#both(`mkdir ${path} ${mode}`, () => fs.mkdir(theirs, mode), () => io.mkdir(ours, mode));
        break;
      case 6: {
        // The same text in both: relative to where the link stands.
        const target = this.#one(['a', 'b', '../a', 'c/a', '.', 'nowhere', path.split('/').at(-1)!]);
        await this.#both(
          `symlink ${target} ${path}`,
          () => fs.symlink(target, theirs),
          () => (this.#random(2) === 0 ? io.symlink(target, ours) : io.symlinkat(target, AT_FDCWD, ours)),
        );
        break;
      }
      case 7:
        await this.#both(
          `stat ${path}`,
          async () => statusOf(await fs.stat(theirs)),
          async () => statusOf(await io.statx(AT_FDCWD, ours)),
        );
        break;
      default:
        await this.#both(
          `lstat ${path}`,
          async () => statusOf(await fs.lstat(theirs)),
          async () => statusOf(await io.statx(AT_FDCWD, ours, AT_SYMLINK_NOFOLLOW)),
        );
    }
  }

  async run(steps: number): Promise<void> {
    try {
      for (let step = 0; step < steps; step++) {
        const kind = this.#random(20);
        if (kind < 3) await this.#openOne();
        else if (kind < 4) await this.#closeOne();
        else if (kind < 10) await this.#transfer();
        else if (kind < 12) await this.#file();
        else await this.#name();
      }
      assert.deepEqual(treeOf(this.#roots[1]), treeOf(this.#roots[0]), 'the trees');
    } finally {
      for (const { handle, fd } of this.#open.filter(({ isClosed }) => !isClosed)) {
        await handle!.close();
        await this.#io.closeFd(fd).catch(() => {});
      }
    }
  }
}

function withoutPath(error: NodeJS.ErrnoException): never {
  delete error.path;
  throw error;
}

/** What does not depend on when and where. The size of a folder depends on what was in it before. */
function statusOf({ mode, nlink, size, uid, gid }: Statx | Awaited<ReturnType<typeof fs.stat>>): Answer {
  const isFolder = (Number(mode) & constants.S_IFMT) === constants.S_IFDIR;
  return { mode, nlink, uid, gid, size: isFolder ? undefined : size };
}

/** All names below, and what they are. */
function treeOf(root: string): Record<string, Answer> {
  const tree: Record<string, Answer> = {};
  const walk = (folder: string): void => {
    for (const name of readdirSync(join(root, folder)).sort()) {
      const path = join(folder, name);
      const whole = join(root, path);
      const status = lstatSync(whole);
      const answer = { ...statusOf(status) };
      if (status.isSymbolicLink()) answer['target'] = readlinkSync(whole);
      else if (status.isFile()) answer['contents'] = readFileSync(whole, 'latin1');
      tree[path] = answer;
      if (status.isDirectory()) walk(path);
    }
  };
  walk('');
  return tree;
}

it(`${SEQUENCES} times ${STEPS} random file operations beside node:fs/promises, IOURING_SEED=${SEED}`, async () => {
  using folder = new Temporary();
  await using io = new Reactor();
  const sequences = Array.from({ length: SEQUENCES }, (_, i) => {
    // Some way down: links may lead out of a folder, and must not lead from one twin into the other.
    const down = (name: string): string => join(folder.path, `${i}-${name}`, 'some/way/down');
    const roots = [down('node'), down('ring')] as const;
    for (const root of roots) mkdirSync(root, { recursive: true });
    return new Sequence(SEED + i, io, roots);
  });
  const results = await Promise.allSettled(sequences.map((sequence) => sequence.run(STEPS)));
  for (const [i, result] of results.entries()) {
    if (result.status === 'fulfilled') continue;
    const last = sequences[i].log.slice(-15).join('\n  ');
    const cause = result.reason as Error;
    throw new Error(`IOURING_SEED=${SEED}, sequence ${i}: ${cause.message}\nafter\n  ${last}`, { cause });
  }
  const codes = new Set(sequences.flatMap((sequence) => [...sequence.codes.keys()]));
  const usual = ['done', 'EBADF', 'EEXIST', 'EINVAL', 'EISDIR', 'ELOOP'];
  usual.push('ENAMETOOLONG', 'ENOENT', 'ENOTDIR', 'ENOTEMPTY', 'ERR_INVALID_ARG_VALUE');
  assert.deepEqual(usual.filter((code) => !codes.has(code)), [], `these did not come up; ${[...codes].join()} did`);
});
