// `iouring cp` beside `cp -a`: the same trees, whatever is in them; and nothing half done, whatever happens.
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
  openSync,
  closeSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Reactor } from '../../../src/index.ts';
import { commandOn } from '../../kernel/aged-kernel.ts';
import { Temporary } from '../../kernel/temporary.ts';
import { run } from '../../run.ts';

const MAIN = 'dist/cli/main.js';
const cp = (...args: string[]): ReturnType<typeof run> => run(process.execPath, [MAIN, 'cp', ...args]);
const io = new Reactor();
after(() => io.close());

/** All that `find` can tell of a tree, but the blocks of directories. */
function listing(root: string, times = '%T@'): string {
  const format = `%P|%y|%m|%U|%G|${times}|%l|%n|%s|`;
  const all = execFileSync('find', ['.', '-printf', `${format}%b\\0`], { cwd: root }).toString('latin1').split('\0');
  return all.map((line) => (/\|d\|/.test(line) ? line.replace(/\d+\|\d+$/, '') : line)).sort().join('\n');
}

function sameTrees(one: string, other: string): void {
  assert.equal(listing(one), listing(other));
  execFileSync('diff', ['-r', '--no-dereference', one, other]);
}

/** One of everything. */
function fill(root: string): void {
  mkdirSync(join(root, 'd/deep/er'), { recursive: true });
  mkdirSync(join(root, 'empty'));
  for (const size of [0, 1, 4096, 65_535, 65_536, 65_537, 1 << 20, 3_500_000]) {
    writeFileSync(join(root, `size-${size}`), Buffer.alloc(size, size % 251));
  }
  writeFileSync(join(root, 'd/program'), 'run');
  chmodSync(join(root, 'd/program'), 0o4751);
  writeFileSync(join(root, 'd/secret'), 'no');
  chmodSync(join(root, 'd/secret'), 0o000);
  linkSync(join(root, 'd/program'), join(root, 'another name'));
  linkSync(join(root, 'd/program'), join(root, 'd/deep/third'));
  symlinkSync('d/program', join(root, 'link'));
  symlinkSync('/nowhere/at/all', join(root, 'dangling'));
  symlinkSync('loop', join(root, 'loop'));
  for (const name of ['new\nline', ' spaces ', 'ü €', '-rf', 'x'.repeat(255), '*']) {
    writeFileSync(join(root, name), name);
  }
  const bytes = (name: string): Buffer => Buffer.from(`${root}/${name}`, 'latin1');
  writeFileSync(bytes('no text \xff'), 'x');
  mkdirSync(bytes('d/no text \xfe'));
  writeFileSync(bytes('d/no text \xfe/in it'), 'y');
  const sparse = join(root, 'sparse');
  const fd = openSync(sparse, 'w');
  writeSync(fd, 'middle', 5_000_000);
  closeSync(fd);
  truncateSync(sparse, 9_000_000);
  writeFileSync(join(root, 'hole'), '');
  truncateSync(join(root, 'hole'), 2_000_000);
  execFileSync('touch', ['-d', '2001-02-03 04:05:06.123456789', join(root, 'd/program')]);
  execFileSync('touch', ['-h', '-d', '1969-12-31 23:59:58.5 UTC', join(root, 'link')]);
  utimesSync(join(root, 'd'), 1, 2);
  chmodSync(join(root, 'd/deep'), 0o1777);
  chmodSync(join(root, 'd/deep/er'), 0o2755);
}

describe('iouring cp on an older kernel', () => {
  for (const [linux, lost] of [['LINUX_5_10', true], ['LINUX_5_15', true], ['LINUX_6_1', false]] as const) {
    it(
      `${linux}: through the ring, and through Node what the kernel has no operation for`,
      { timeout: 60_000 },
      async () => {
        using folder = new Temporary();
        const [source, expected, actual] = ['source', 'expected', 'actual'].map((name) => join(folder.path, name));
        mkdirSync(source);
        fill(source);
        execFileSync('cp', ['-a', source, expected]);
        const { status, stdout, stderr } = await run(process.execPath, [...commandOn(linux), 'cp', '--json', source,
          actual]);
        assert.equal(status, 0, stdout + stderr);
        assert.equal(
          stderr,
          lost ? 'iouring cp: extended attributes and ACLs are not kept: that needs Linux 5.19\n' : '',
        );
        assert.equal((JSON.parse(stdout) as { ring: boolean }).ring, true);
        sameTrees(expected, actual);
      },
    );
  }
});

describe('iouring cp', () => {
  it('copies as cp -a does: kinds, modes, owners, times to the nanosecond, links, holes, names that are no text', async () => {
    using folder = new Temporary();
    const [source, expected, actual] = ['source', 'expected', 'actual'].map((name) => join(folder.path, name));
    mkdirSync(source);
    fill(source);
    execFileSync('cp', ['-a', source, expected]);
    const { status, stderr } = await cp(source, actual);
    assert.equal(status, 0, stderr);
    sameTrees(actual, expected);
  });

  it('copies the same through Node where there is no io_uring, times to the microsecond, and says so', async () => {
    using folder = new Temporary();
    const [source, expected, actual] = ['source', 'expected', 'actual'].map((name) => join(folder.path, name));
    mkdirSync(source);
    fill(source);
    const much = Buffer.alloc(3_000_000, 'x');
    // Neither of these begins or ends where a page does.
    writeFileSync(join(source, 'holes'), Buffer.concat([much, Buffer.alloc(2_000_001), Buffer.from('end')]));
    execFileSync('fallocate', ['--dig-holes', join(source, 'holes')]);
    execFileSync('cp', ['-a', source, expected]);
    const env = { ...process.env, IOURING_DISABLED: '1' };
    const byNode = (...args: string[]): ReturnType<typeof run> =>
      run(process.execPath, [MAIN, 'cp', '--no-progress', ...args], { env });
    const { status, stderr } = await byNode(source, actual);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^iouring cp: there is no io_uring .* through Node; .*\n$/);
    assert.equal(listing(actual, ''), listing(expected, ''));
    execFileSync('diff', ['-r', '--no-dereference', expected, actual]);
    const times = (root: string): number[] =>
      execFileSync('find', ['.', '-printf', '%T@ %P\\0'], { cwd: root }).toString('latin1').split('\0').sort((
        a,
        b,
      ) => (a.replace(/^\S+/, '') < b.replace(/^\S+/, '') ? -1 : 1)).map(parseFloat);
    const [right, ours] = [times(expected), times(actual)];
    for (const [i, time] of right.entries()) assert.ok(!(Math.abs(time - ours[i]) > 2e-6), `${time} ${ours[i]}`);
    // What is there already is not replaced by a directory, nor by half a file.
    const json = await byNode('--json', source, join(source, 'd/program'));
    assert.equal(json.status, 1);
    const { ring, errors } = JSON.parse(json.stdout) as { ring: boolean; errors: { code: string }[] };
    assert.deepEqual([ring, errors.map(({ code }) => code)], [false, ['EINVAL']]);
    assert.equal((await byNode(join(source, 'holes'), join(folder.path, 'none/x'))).status, 1);
  });

  it('copies into a directory that is there, over what is there, and several things at once', async () => {
    using folder = new Temporary();
    const [source, expected, actual] = ['source', 'expected', 'actual'].map((name) => join(folder.path, name));
    mkdirSync(source);
    fill(source);
    writeFileSync(join(folder.path, 'file'), 'new');
    for (const there of [expected, actual]) {
      mkdirSync(join(there, 'source/d'), { recursive: true });
      writeFileSync(join(there, 'file'), 'something older and longer');
      writeFileSync(join(there, 'source/kept'), 'kept');
      writeFileSync(join(there, 'source/size-4096'), 'older');
      utimesSync(join(there, 'source/kept'), 5, 5);
    }
    execFileSync('cp', ['-a', source, join(folder.path, 'file'), expected]);
    const { status, stderr } = await cp(source, join(folder.path, 'file'), actual);
    assert.equal(status, 0, stderr);
    sameTrees(join(actual, 'source'), join(expected, 'source'));
    assert.equal(readFileSync(join(actual, 'file'), 'utf8'), 'new');
  });

  it('copies all of a file that does not say how large it is', async () => {
    using folder = new Temporary();
    for (const file of ['/proc/kallsyms', '/proc/filesystems', '/sys/kernel/mm/transparent_hugepage/enabled']) {
      const copy = join(folder.path, 'copy');
      let before: Buffer;
      // Whoever loads a module or a program of eBPF meanwhile changes what the kernel tells.
      do {
        before = readFileSync(file);
        const { status, stderr } = await cp(file, copy, '--no-progress');
        assert.equal(status, 0, stderr);
      } while (!readFileSync(file).equals(before));
      assert.ok(before.length > 0);
      assert.ok(readFileSync(copy).equals(before), file);
    }
  });

  it('keeps extended attributes', async (t) => {
    using folder = new Temporary();
    const file = folder.file('source', 'x');
    try {
      await io.setxattr(file, 'user.kind', Buffer.from('important'));
      await io.setxattr(file, 'user.empty', Buffer.alloc(0));
    } catch (error) {
      return t.skip(`no user attributes in ${folder.path}: ${(error as Error).message}`);
    }
    const copy = join(folder.path, 'copy');
    assert.equal((await cp(file, copy)).status, 0);
    const value = Buffer.alloc(20);
    assert.equal(value.toString('utf8', 0, await io.getxattr(copy, 'user.kind', value)), 'important');
    assert.deepEqual(io.listxattr(copy).sort(), ['user.empty', 'user.kind']);
  });

  it('says what it did to programs with --json, and to people line by line', async () => {
    using folder = new Temporary();
    mkdirSync(join(folder.path, 'source/d'), { recursive: true });
    folder.file('source/a', 'x'.repeat(5));
    folder.file('source/d/b', 'y'.repeat(70_000));
    symlinkSync('a', join(folder.path, 'source/link'));
    const { status, stdout, stderr } = await cp(join(folder.path, 'source'), join(folder.path, 'copy'), '--json');
    const { seconds, ...summary } = JSON.parse(stdout) as { seconds: number };
    assert.deepEqual([status, stderr], [0, '']);
    assert.ok(seconds > 0);
    assert.deepEqual(summary, {
      files: 2,
      directories: 2,
      symlinks: 1,
      bytes: 70_005,
      ring: true,
      interrupted: false,
      errors: [],
    });
    const again = await cp(join(folder.path, 'source'), join(folder.path, 'second'));
    assert.match(again.stderr, /2 files, 2 directories, 1 links, 68\.4 KiB in \d+\.\d s\n$/);
    const quiet = await cp(join(folder.path, 'source'), join(folder.path, 'third'), '--no-progress');
    assert.deepEqual([quiet.stdout, quiet.stderr], ['', '']);
  });

  it('draws a bar on a terminal', async (t) => {
    using folder = new Temporary();
    const file = folder.file('source', Buffer.alloc(5_000_000));
    const command = `${process.execPath} ${MAIN} cp ${file} ${join(folder.path, 'copy')}`;
    let seen: Awaited<ReturnType<typeof run>>;
    try {
      seen = await run('script', ['-qec', command, '/dev/null']);
    } catch (error) {
      return t.skip(`no script(1) to make a terminal: ${(error as Error).message}`);
    }
    assert.equal(seen.status, 0);
    assert.match(seen.stdout, /█.*100%.*4\.8 MiB of 4\.8 MiB.*1\/1 files/s);
  });

  it('notes what cannot be copied, copies the rest, and fails in the end', async () => {
    using folder = new Temporary();
    const [source, copy] = [join(folder.path, 'source'), join(folder.path, 'copy')];
    mkdirSync(join(source, 'sub'), { recursive: true });
    mkdirSync(join(copy, 'is a directory'), { recursive: true });
    writeFileSync(join(copy, 'sub'), 'in the way');
    folder.file('source/fine', 'fine');
    folder.file('source/is a directory', 'but not here');
    folder.file('source/sub/never', 'x');
    execFileSync('mkfifo', [join(source, 'pipe')]);
    const { status, stderr } = await cp(`${source}/.`, copy, '--no-progress');
    const lines = stderr.trim().split('\n').sort();
    assert.equal(status, 1, stderr);
    assert.equal(lines.length, 3, stderr);
    assert.match(stderr, /^iouring cp: .*\/is a directory: EISDIR: /m);
    assert.match(stderr, /^iouring cp: .*\/pipe: ENOTSUP: a FIFO cannot be copied: make it anew where it is needed/m);
    assert.match(stderr, /^iouring cp: .*\/sub: ENOTDIR: a directory cannot replace what is no directory/m);
    assert.equal(readFileSync(join(copy, 'fine'), 'utf8'), 'fine');
    assert.deepEqual(readdirSync(copy).sort(), ['fine', 'is a directory', 'sub']);
  });

  it('leaves nothing behind on a full disk', async (t) => {
    using folder = new Temporary();
    const small = join(folder.path, 'small');
    mkdirSync(small);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small], { stdio: 'ignore' });
    } catch {
      return t.skip('a small file system cannot be mounted here');
    }
    try {
      const file = folder.file('large', Buffer.alloc(4_000_000, 1));
      const { status, stderr } = await cp(file, join(small, 'copy'), '--no-progress');
      assert.equal(status, 1);
      assert.match(stderr, /ENOSPC: no space left on device, write/);
      assert.deepEqual(readdirSync(small), []);
    } finally {
      execFileSync('umount', [small]);
    }
  });

  it('refuses to copy a thing over itself or into itself, and wrong usage', async () => {
    using folder = new Temporary();
    mkdirSync(join(folder.path, 'd/inner'), { recursive: true });
    const file = folder.file('file', 'x');
    symlinkSync('d', join(folder.path, 'link'));
    const d = join(folder.path, 'd');
    for (
      const [from, to, message] of [
        [file, file, /are the same/],
        [d, join(d, 'inner'), /cannot be copied into itself/],
        [d, join(d, 'new'), /cannot be copied into itself/],
        [d, join(folder.path, 'link/inner'), /cannot be copied into itself/],
      ] as const
    ) {
      const { status, stderr } = await cp(from, to, '--no-progress');
      assert.equal(status, 1);
      assert.match(stderr, message);
    }
    assert.deepEqual(readdirSync(join(d, 'inner')), []);
    assert.equal(readFileSync(file, 'utf8'), 'x');
    assert.equal((await cp(join(folder.path, 'none'), join(folder.path, 'x'), '--no-progress')).status, 1);
    for (const args of [[], [file], [file, d, file], [file, d, '--nonsense']]) {
      assert.equal((await cp(...args)).status, 2, args.join());
    }
  });

  it('given few descriptors, copies all the same', async () => {
    using folder = new Temporary();
    const source = join(folder.path, 'source');
    mkdirSync(source);
    for (let i = 0; i < 2000; i++) folder.file(`source/${i}`, `${i}`);
    const command = `ulimit -n 64; exec ${process.execPath} ${MAIN} cp ${source} ${
      join(folder.path, 'copy')
    } --no-progress`;
    const { status, stderr } = await run('bash', ['-c', command]);
    assert.equal(status, 0, stderr);
    execFileSync('diff', ['-r', source, join(folder.path, 'copy')]);
  });

  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    it(`given ${signal} in the middle of a new tree, no half file has its name`, async () => {
      using folder = new Temporary();
      const [source, copy] = [join(folder.path, 'source'), join(folder.path, 'copy')];
      mkdirSync(source);
      for (let i = 0; i < FILES; i++) folder.file(`source/${i}`, Buffer.alloc(4_000_000, i));
      await interrupted(signal, [source, copy], copy, () => {
        const made = readdirSync(folder.path).find((name) => name.startsWith('.iouring'));
        return made === undefined ? 0 : entriesOf(join(folder.path, made));
      });
      assert.equal(existsSync(copy), signal === 'SIGINT');
      if (signal === 'SIGKILL') return;
      assert.deepEqual(readdirSync(folder.path).sort(), ['copy', 'source']);
      for (const name of readdirSync(copy)) {
        assert.ok(readFileSync(join(copy, name)).equals(readFileSync(join(source, name))), name);
      }
    });
  }

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
    it(`given ${signal} in the middle, each file that has its name is complete`, async () => {
      using folder = new Temporary();
      const [source, copy] = [join(folder.path, 'source'), join(folder.path, 'copy')];
      mkdirSync(source);
      for (let i = 0; i < FILES; i++) folder.file(`source/${i}`, Buffer.alloc(4_000_000, i));
      const named = (): string[] => readdirSync(copy).filter((name) => !name.startsWith('.'));
      // The directory is there already: each file gets its name by itself. When the first has one there are others half
      // done.
      const status = await interrupted(
        signal,
        [`${source}/.`, copy],
        copy,
        () => named().length,
        () => mkdirSync(copy),
      );
      assert.equal(status, { SIGINT: 130, SIGTERM: 143, SIGKILL: 'SIGKILL' }[signal]);
      assert.ok(named().length > 0 && named().length < FILES, `${named().length} of ${FILES}`);
      for (const name of named()) {
        assert.ok(readFileSync(join(copy, name)).equals(readFileSync(join(source, name))), name);
      }
      if (signal !== 'SIGKILL') assert.deepEqual(readdirSync(copy), named());
    });
  }
});

/** None of what is gone, for it has its own name by now. */
function entriesOf(directory: string): number {
  try {
    return readdirSync(directory).length;
  } catch {
    return 0;
  }
}

const FILES = 40;
/**
 * So many of them may be begun when a copy is interrupted: it may go on with some more before it hears of the signal.
 */
const BEGUN_MAX = 25;

/**
 * Copy, and end it by a signal after something was begun, and before much was: it is stopped to see how far it is, and
 * where it was too quick for that it is done again.
 */
async function interrupted(
  signal: NodeJS.Signals,
  paths: string[],
  copy: string,
  begun: () => number,
  prepare: () => void = () => {},
): Promise<number | string | null> {
  for (;;) {
    prepare();
    const child = spawn(process.execPath, [MAIN, 'cp', ...paths, '--no-progress'], { stdio: 'inherit' });
    const status = ended(child);
    while (begun() === 0 && child.exitCode === null) await turn();
    child.kill('SIGSTOP');
    if (begun() > 0 && begun() <= BEGUN_MAX) {
      child.kill(signal);
      child.kill('SIGCONT');
      return status;
    }
    child.kill('SIGCONT');
    assert.equal(await status, 0);
    rmSync(copy, { recursive: true });
  }
}

function ended(child: ChildProcess): Promise<number | string | null> {
  return new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal)));
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
