// The reactor's stat, lstat and fstat, beside those of node:fs.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Reactor, Statx } from '../../src/index.ts';
import { Temporary } from '../kernel/temporary.ts';

let io: Reactor;
let folder: Temporary;
before(() => {
  io = new Reactor();
  folder = new Temporary();
});
after(async () => {
  folder[Symbol.dispose]();
  await io.close();
});

/** Code, number, system call, path and message of the error that a call throws. */
function nodeErrorOf(call: () => unknown): object {
  try {
    call();
  } catch (error) {
    const { code, errno, syscall, path, message } = error as NodeJS.ErrnoException;
    return { name: 'Error', code, errno, syscall, message, ...(path === undefined ? {} : { path }) };
  }
  return assert.fail('it should have thrown');
}

const NUMBERS = [
  'dev',
  'mode',
  'nlink',
  'uid',
  'gid',
  'rdev',
  'blksize',
  'size',
  'blocks',
  'mtimeMs',
  'ctimeMs',
  'birthtimeMs',
  'atimeMs',
] as const;
const KINDS = ['isFile', 'isDirectory', 'isSymbolicLink', 'isFIFO', 'isSocket', 'isCharacterDevice',
  'isBlockDevice'] as const;

function alike(ours: Statx, theirs: fs.Stats): void {
  assert.ok(ours instanceof Statx);
  for (const name of NUMBERS) assert.equal(ours[name], theirs[name], name);
  assert.equal(Number(ours.ino), theirs.ino);
  for (const name of KINDS) assert.equal(ours[name](), theirs[name](), name);
  for (const name of ['mtime', 'ctime', 'birthtime', 'atime'] as const) {
    assert.equal(ours[name].getTime(), theirs[name].getTime(), name);
  }
}

describe('stat of the reactor', () => {
  it('given a file, a directory and a device, it answers as node:fs does', async () => {
    const file = folder.file('text', 'some text');
    for (const path of [file, folder.path, '/dev/null']) alike(await io.stat(path), fs.statSync(path));
  });

  it('given a symbolic link, stat follows it and lstat does not', async () => {
    const link = `${folder.path}/link`;
    fs.symlinkSync('text', link);
    alike(await io.stat(link), fs.statSync(link));
    alike(await io.lstat(link), fs.lstatSync(link));
    assert.equal((await io.lstat(link)).isSymbolicLink(), true);
  });

  it('given a descriptor, fstat answers as node:fs does', async () => {
    const fd = fs.openSync('/proc/self/exe', 'r');
    try {
      alike(await io.fstat(fd), fs.fstatSync(fd));
    } finally {
      fs.closeSync(fd);
    }
  });

  it('given a path that is not there, each rejects with the error of node:fs', async () => {
    const path = `${folder.path}/nowhere`;
    await assert.rejects(io.stat(path), nodeErrorOf(() => fs.statSync(path)));
    await assert.rejects(io.lstat(path), nodeErrorOf(() => fs.lstatSync(path)));
    await assert.rejects(io.fstat(1_000_000), nodeErrorOf(() => fs.fstatSync(1_000_000)));
  });

  it('given what is no path and no descriptor, each rejects with a TypeError or RangeError before anything is queued', async () => {
    const { submitted } = io.stats;
    await assert.rejects(io.stat(5 as never), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    await assert.rejects(io.lstat('a\0b'), { code: 'ERR_INVALID_ARG_VALUE' });
    await assert.rejects(io.fstat('1' as never), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    assert.equal(io.stats.submitted, submitted);
  });

  it('given a number that no descriptor has, AT_FDCWD among them, rejects with EBADF', async () => {
    for (const fd of [-1, -100, 2 ** 40]) await assert.rejects(io.fstat(fd), { code: 'EBADF', syscall: 'fstat' });
  });

  it('given an aborted signal, rejects with an AbortError', async () => {
    await assert.rejects(io.stat('/', { signal: AbortSignal.abort() }), { name: 'AbortError' });
  });
});
