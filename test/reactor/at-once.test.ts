// What io_uring has no operation for, and the reactor does at once; and files that are registered.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, lstatSync, openSync, readFileSync, statSync, symlinkSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe } from 'node:test';
import { Reactor } from '../../src/index.ts';
import { it, Missing, without } from '../asking.ts';
import { Temporary } from '../kernel/temporary.ts';

const io = new Reactor();
after(() => io.close());

describe('at once', () => {
  it('setTimes: to the nanosecond before 1970, too', (t) => {
    using folder = new Temporary();
    const path = folder.file('x', 'x');
    // Node's own numbers of times before 1970 are not exact.
    const modified = (): string => execFileSync('stat', ['-c', '%.9Y', path], { encoding: 'utf8', stdio: 'pipe' });
    try {
      modified();
    } catch (error) {
      return t.skip(`needs the stat of coreutils: ${(error as Error).message}`);
    }
    for (const [ns, seconds] of [[-1n, /^0\.000000004/], [-86_400_000_000_001n, /^-86399\.999999996/]] as const) {
      io.setTimes(path, ns, ns + 5n);
      assert.match(modified(), seconds);
    }
  });

  it('setTimes: to the nanosecond, of files and of links themselves', () => {
    using folder = new Temporary();
    const path = folder.file('x', 'x');
    const fd = openSync(path, 'r+');
    for (const ns of [0n, 1n, 1_700_000_000_123_456_789n]) {
      io.setTimes(fd, ns, ns + 5n);
      const { atimeNs, mtimeNs } = statSync(path, { bigint: true });
      assert.deepEqual([atimeNs, mtimeNs], [ns, ns + 5n]);
    }
    closeSync(fd);
    const link = join(folder.path, 'link');
    symlinkSync('nowhere', link);
    io.setTimes(link, 7n, 8n);
    assert.equal(lstatSync(link, { bigint: true }).mtimeNs, 8n);
    assert.throws(() => io.setTimes(join(folder.path, 'none'), 1n, 1n), {
      code: 'ENOENT',
      syscall: 'utimensat',
      path: join(folder.path, 'none'),
    });
    assert.throws(() => io.setTimes(fd, 1n, 1n), { code: 'EBADF', syscall: 'futimens' });
    assert.throws(() => io.setTimes('a\0b', 1n, 1n), { code: 'ERR_INVALID_ARG_VALUE' });
  });

  it('listxattr: the names of attributes, more than fit at first', async (t) => {
    using folder = new Temporary();
    const path = folder.file('x');
    const names = Array.from({ length: 8 }, (_, i) => `user.${'n'.repeat(200)}${i}`);
    try {
      for (const name of names) await io.setxattr(path, name, Buffer.from('v'));
    } catch (error) {
      return t.skip(`no user attributes in ${folder.path}: ${(error as Error).message}`);
    }
    const listed = (file: string | number): string[] =>
      io.listxattr(file).filter((name) => name.startsWith('user.')).sort();
    assert.deepEqual(listed(path), names);
    const fd = openSync(path, 'r');
    assert.deepEqual(listed(fd), names);
    closeSync(fd);
    assert.throws(() => io.listxattr(join(folder.path, 'none')), { code: 'ENOENT', syscall: 'llistxattr' });
    assert.throws(() => io.listxattr(fd), { code: 'EBADF' });
  });

  it('seek: where data is, and where holes are', () => {
    using folder = new Temporary();
    const path = folder.file('x');
    const fd = openSync(path, 'r+');
    writeSync(fd, 'data', 1 << 20);
    truncateSync(path, 4 << 20);
    const first = io.seek(fd, 0, 'data')!;
    assert.ok(first > 0 && first <= 1 << 20);
    const end = io.seek(fd, first, 'hole')!;
    assert.ok(end > 1 << 20 && end < 4 << 20);
    assert.equal(io.seek(fd, end, 'data'), undefined);
    assert.throws(() => io.seek(fd, -1, 'data'), { code: 'ERR_OUT_OF_RANGE' });
    closeSync(fd);
    assert.throws(() => io.seek(fd, 0, 'data'), { code: 'EBADF', syscall: 'lseek' });
  });

  it('copyFileRange: from any place to any place', () => {
    using folder = new Temporary();
    const from = openSync(folder.file('from', 'abcdefghij'), 'r');
    const to = openSync(folder.file('to', '0123456789'), 'r+');
    assert.equal(io.copyFileRange(from, 2, to, 5, 3), 3);
    assert.equal(io.copyFileRange(from, 8, to, 0, 100), 2);
    assert.equal(io.copyFileRange(from, 10, to, 0, 100), 0);
    assert.equal(readFileSync(join(folder.path, 'to'), 'utf8'), 'ij234cde89');
    assert.throws(() => io.copyFileRange(from, 0, from, 0, 5), { code: 'EBADF', syscall: 'copy_file_range' });
    assert.throws(() => io.copyFileRange(from, 0.5, to, 0, 5), { code: 'ERR_OUT_OF_RANGE' });
    for (const fd of [from, to]) closeSync(fd);
  });
});

describe('registered files', () => {
  it('are read and written by their place, whatever becomes of the descriptor, until it is given up', async () => {
    using folder = new Temporary();
    const fd = openSync(folder.file('x', 'hello'), 'r+');
    const place = io.registerFile(fd);
    if (place === undefined) throw new Missing(without('5.13', 'registerFile') || 'needs a table of files');
    closeSync(fd);
    const buffer = new Uint8Array(5);
    assert.equal(await io.read(-1, buffer, { offset: 0, registeredFile: place }), 5);
    assert.equal(Buffer.from(buffer).toString(), 'hello');
    assert.equal(await io.write(-1, 'J', { offset: 0, registeredFile: place }), 1);
    const last = io.read(-1, buffer, { offset: 0, registeredFile: place });
    io.unregisterFile(place);
    assert.equal(await last, 5);
    assert.equal(Buffer.from(buffer).toString(), 'Jello');
    await new Promise((resolve) => void setImmediate(resolve));
    await assert.rejects(io.read(-1, buffer, { registeredFile: place }), { code: 'EBADF' });
    assert.throws(() => io.registerFile(fd), { code: 'EBADF' });
    assert.throws(() => io.registerFile(-1), { code: 'ERR_OUT_OF_RANGE' });
  });
});

describe('Reactor.supports', () => {
  it('says what the kernel knows', () => {
    assert.equal(io.supports(0), true);
    assert.equal(io.supports(255), false);
  });
});
