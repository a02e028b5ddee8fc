// The operations on paths: what they do to the file system, looked at through node:fs.
import assert from 'node:assert/strict';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { it } from 'node:test';
import { pathToFileURL } from 'node:url';
import {
  EBADF,
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  ENAMETOOLONG,
  ENFILE,
  ENODATA,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  ERANGE,
  EXDEV,
} from '../../../src/abi/errno.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  STATX_BASIC_STATS,
  STATX_BTIME,
  XATTR_CREATE,
  XATTR_REPLACE,
} from '../../../src/abi/file-flags.ts';
import { IOSQE_FIXED_FILE } from '../../../src/abi/flags.ts';
import { Statx, type IoUring } from '../../../src/index.ts';
import { Descriptors } from '../libc.ts';
import { complete } from '../reap.ts';
import { Temporary } from '../temporary.ts';
import { openRing } from './recorder.ts';
import { any, refused } from './refused.ts';

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = constants;
const O_CLOEXEC = 0o2000000;
const run = (ring: IoUring): number => complete(ring).res;

it('IORING_OP_OPENAT: opens, creates with a mode under the umask, is exclusive, begins at a directory', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const path = folder.file('a', 'data');
  ring.prepOpen(path, O_RDONLY | O_CLOEXEC, 1);
  const fd = files.own(run(ring));
  const buffer = Buffer.alloc(8);
  assert.equal(buffer.toString('utf8', 0, readSync(fd, buffer)), 'data');
  const directory = files.own(openSync(folder.path, 'r'));
  const umask = process.umask(0o022);
  try {
    ring.prepOpenat(directory, 'made', O_RDWR | O_CREAT | O_EXCL, 1, { mode: 0o666 });
    files.own(run(ring));
    assert.equal(statSync(`${folder.path}/made`).mode & 0o7777, 0o644);
  } finally {
    process.umask(umask);
  }
  ring.prepOpenat(directory, 'made', O_RDWR | O_CREAT | O_EXCL, 1);
  assert.equal(run(ring), -EEXIST);
  for (const [where, name, flags, errno] of [
    [directory, 'none', O_RDONLY, ENOENT],
    [directory, 'a/b', O_RDONLY, ENOTDIR],
    [directory, '.', O_RDWR, EISDIR],
    [-1, 'a', O_RDONLY, EBADF],
    [fd, 'a', O_RDONLY, ENOTDIR],
    [AT_FDCWD, '', O_RDONLY, ENOENT],
    [AT_FDCWD, 'x'.repeat(256), O_RDONLY, ENAMETOOLONG],
    [AT_FDCWD, 'x/'.repeat(3000), O_RDONLY, ENAMETOOLONG],
  ] as const) {
    ring.prepOpenat(where, name, flags, 1);
    assert.equal(run(ring), -errno, `${name.slice(0, 8)} in ${where}`);
  }
});

it('IORING_OP_OPENAT: into slots, chosen or picked; a slot in use is replaced; O_CLOEXEC is EINVAL there', () => {
  using folder = new Temporary();
  using ring = openRing(8);
  const path = folder.file('a', 'data');
  const other = folder.file('b', 'other');
  const read = (slot: number): string => {
    const buffer = Buffer.alloc(8);
    ring.prepRead(slot, buffer, 8, 1, 0);
    ring.sqeSetFlags(IOSQE_FIXED_FILE);
    return buffer.toString('utf8', 0, run(ring));
  };
  const open = (which: string, direct: number | 'alloc', flags = O_RDONLY): number => {
    ring.prepOpen(which, flags, 1, { direct });
    return run(ring);
  };
  assert.notEqual(open(path, 0), 0, 'no files are registered');
  ring.registerFilesSparse(2);
  const before = readdirSync('/proc/self/fd').length;
  assert.equal(open(path, 1), 0);
  assert.equal(read(1), 'data');
  assert.equal(open(other, 1), 0);
  assert.equal(read(1), 'other');
  assert.equal(open(path, 'alloc'), 0);
  assert.equal(open(path, 'alloc'), -ENFILE);
  assert.equal(open(path, 2), -EINVAL);
  assert.equal(open(path, 0, O_CLOEXEC), -EINVAL);
  assert.equal(readdirSync('/proc/self/fd').length, before, 'no descriptor was made');
});

it('IORING_OP_OPENAT: paths as strings, bytes that are no UTF-8, and URLs', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const name = Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.from([0xff, 0xfe, 0x41])]);
  ring.prepOpen(name, O_RDWR | O_CREAT, 1);
  files.own(run(ring));
  assert.ok(existsSync(name));
  const url = pathToFileURL(folder.file('with space ü %', 'data'));
  ring.prepOpen(url, O_RDONLY, 1);
  files.own(run(ring));
  refused(ring, 'ERR_INVALID_ARG_VALUE', [
    () => ring.prepOpen('a\0b', O_RDONLY, 1),
    () => ring.prepOpen(Buffer.from('a\0'), O_RDONLY, 1),
    () => ring.prepOpen(new URL('http://host/a'), O_RDONLY, 1),
    () => ring.prepOpen(new URL('file://host/a'), O_RDONLY, 1),
    () => ring.prepOpen(new URL('file:///a%2fb'), O_RDONLY, 1),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepOpen(any(undefined), O_RDONLY, 1),
    () => ring.prepOpen(any({}), O_RDONLY, 1),
    () => ring.prepOpen('a', any('r'), 1),
    () => ring.prepOpenat(any('.'), 'a', O_RDONLY, 1),
    () => ring.prepOpen('a', O_RDONLY, 1, { direct: any('0') }),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepOpen('a', -1, 1),
    () => ring.prepOpen('a', O_RDONLY, 1, { mode: 2 ** 16 }),
    () => ring.prepOpen('a', O_RDONLY, 1, { direct: -1 }),
  ]);
});

it('IORING_OP_OPENAT2: rules how the path is resolved; unknown bits and a mode for nothing are EINVAL', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  folder.file('a', 'data');
  symlinkSync('a', `${folder.path}/link`);
  const directory = files.own(openSync(folder.path, 'r'));
  const open = (path: string, how: Parameters<IoUring['prepOpenat2']>[2]): number => {
    ring.prepOpenat2(directory, path, how, 1);
    const res = run(ring);
    if (res >= 0) closeSync(res);
    return Math.min(res, 0);
  };
  assert.equal(open('a', {}), 0);
  assert.equal(open('link', { resolve: RESOLVE_NO_SYMLINKS }), -ELOOP);
  assert.equal(open('../a', { resolve: RESOLVE_BENEATH }), -EXDEV);
  assert.equal(open('a', { resolve: RESOLVE_BENEATH }), 0);
  assert.equal(open('a', { mode: 0o600 }), -EINVAL);
  assert.equal(open('a', { flags: 2 ** 40 }), -EINVAL);
  assert.equal(open('a', { resolve: 2 ** 40 }), -EINVAL);
  assert.equal(open('new', { flags: O_RDWR | O_CREAT, mode: 0o640 }), 0);
  assert.equal(statSync(`${folder.path}/new`).mode & 0o777, 0o640 & ~process.umask());
  ring.registerFilesSparse(1);
  ring.prepOpenat2(directory, 'a', { flags: O_RDONLY }, 1, { direct: 'alloc' });
  assert.equal(run(ring), 0);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepOpenat2(directory, 'a', any(null), 1),
    () => ring.prepOpenat2(directory, 'a', { flags: any('r') }, 1),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.prepOpenat2(directory, 'a', { resolve: -1 }, 1)]);
});

it('IORING_OP_STATX: tells what node:fs tells, field by field', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const path = folder.file('a', 'x'.repeat(5000));
  chmodSync(path, 0o4755);
  linkSync(path, `${folder.path}/second`);
  symlinkSync('a', `${folder.path}/link`);
  const statx = new Statx();
  const compare = (where: number, name: string, flags: number, stats: import('node:fs').BigIntStats): void => {
    ring.prepStatx(where, name, flags, STATX_BASIC_STATS | STATX_BTIME, statx, 1);
    assert.equal(run(ring), 0);
    assert.equal(statx.mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
    assert.deepEqual(
      [statx.mode, statx.nlink, statx.uid, statx.gid, statx.ino, statx.size, statx.blocks, statx.dev, statx.rdev].map(BigInt),
      [stats.mode, stats.nlink, stats.uid, stats.gid, stats.ino, stats.size, stats.blocks, stats.dev, stats.rdev],
    );
    assert.deepEqual(
      [statx.atimeNs, statx.mtimeNs, statx.ctimeNs, statx.btimeNs, BigInt(statx.blksize)],
      [stats.atimeNs, stats.mtimeNs, stats.ctimeNs, stats.birthtimeNs, stats.blksize],
    );
    assert.equal(statx.isFile(), stats.isFile());
    assert.equal(statx.isDirectory(), stats.isDirectory());
    assert.equal(statx.isSymbolicLink(), stats.isSymbolicLink());
    assert.equal(statx.isCharacterDevice(), stats.isCharacterDevice());
  };
  compare(AT_FDCWD, path, 0, statSync(path, { bigint: true }));
  compare(AT_FDCWD, folder.path, 0, statSync(folder.path, { bigint: true }));
  compare(AT_FDCWD, `${folder.path}/link`, 0, statSync(path, { bigint: true }));
  compare(AT_FDCWD, `${folder.path}/link`, AT_SYMLINK_NOFOLLOW, lstatSync(`${folder.path}/link`, { bigint: true }));
  compare(AT_FDCWD, '/dev/zero', 0, statSync('/dev/zero', { bigint: true }));
  const fd = files.own(openSync(path, 'r'));
  compare(fd, '', AT_EMPTY_PATH, fstatSync(fd, { bigint: true }));
  ring.prepStatx(AT_FDCWD, `${folder.path}/none`, 0, STATX_BASIC_STATS, statx, 1);
  assert.equal(run(ring), -ENOENT);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepStatx(AT_FDCWD, path, 0, 0, any({}), 1),
    () => ring.prepStatx(AT_FDCWD, path, 0, 0, any(Object.create(Statx.prototype)), 1),
    () => ring.prepStatx(AT_FDCWD, any(1), 0, 0, statx, 1),
  ]);
});

it('IORING_OP_RENAMEAT: renames, replaces, does not, exchanges; from one directory to another', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const at = (name: string): string => `${folder.path}/${name}`;
  folder.file('a', 'A');
  folder.file('b', 'B');
  ring.prepRename(at('a'), at('c'), 1);
  assert.equal(run(ring), 0);
  assert.deepEqual(readdirSync(folder.path).sort(), ['b', 'c']);
  mkdirSync(at('d'));
  const from = files.own(openSync(folder.path, 'r'));
  const to = files.own(openSync(at('d'), 'r'));
  ring.prepRenameat(from, 'c', from, 'b', 1, { flags: RENAME_NOREPLACE });
  assert.equal(run(ring), -EEXIST);
  ring.prepRenameat(from, 'c', from, 'b', 1, { flags: RENAME_EXCHANGE });
  assert.equal(run(ring), 0);
  assert.deepEqual([readFileSync(at('b'), 'utf8'), readFileSync(at('c'), 'utf8')], ['A', 'B']);
  ring.prepRenameat(from, 'b', to, 'moved', 1);
  assert.equal(run(ring), 0);
  assert.equal(readFileSync(at('d/moved'), 'utf8'), 'A');
  ring.prepRename(at('none'), at('x'), 1);
  assert.equal(run(ring), -ENOENT);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [() => ring.prepRename(any(1), 'b', 1), () => ring.prepRename('a', any(1), 1)]);
});

it('IORING_OP_UNLINKAT: files, and with AT_REMOVEDIR empty directories', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  folder.file('a');
  folder.file('b');
  mkdirSync(`${folder.path}/d/e`, { recursive: true });
  const directory = files.own(openSync(folder.path, 'r'));
  ring.prepUnlink(`${folder.path}/a`, 1);
  assert.equal(run(ring), 0);
  const unlink = (name: string, flags: number): number => {
    ring.prepUnlinkat(directory, name, flags, 1);
    return run(ring);
  };
  assert.equal(unlink('b', 0), 0);
  assert.equal(unlink('b', 0), -ENOENT);
  assert.equal(unlink('d', 0), -EISDIR);
  assert.equal(unlink('d', AT_REMOVEDIR), -ENOTEMPTY);
  assert.equal(unlink('d/e', AT_REMOVEDIR), 0);
  assert.equal(unlink('d', AT_REMOVEDIR), 0);
  assert.equal(unlink('d', 0x10), -EINVAL);
  assert.deepEqual(readdirSync(folder.path), []);
});

it('IORING_OP_MKDIRAT: makes a directory under the umask; a second time EEXIST', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const directory = files.own(openSync(folder.path, 'r'));
  ring.prepMkdirat(directory, 'a', 0o750, 1);
  assert.equal(run(ring), 0);
  assert.equal(statSync(`${folder.path}/a`).mode & 0o777, 0o750 & ~process.umask());
  ring.prepMkdir(`${folder.path}/a/b`, 0o700, 1);
  assert.equal(run(ring), 0);
  ring.prepMkdir(`${folder.path}/a/b`, 0o700, 1);
  assert.equal(run(ring), -EEXIST);
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.prepMkdir('x', -1, 1)]);
});

it('IORING_OP_SYMLINKAT: says what it was told, there or not', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const directory = files.own(openSync(folder.path, 'r'));
  ring.prepSymlinkat('no/such/place', directory, 'a', 1);
  assert.equal(run(ring), 0);
  assert.equal(readlinkSync(`${folder.path}/a`), 'no/such/place');
  ring.prepSymlink('b', `${folder.path}/c`, 1);
  assert.equal(run(ring), 0);
  assert.equal(readlinkSync(`${folder.path}/c`), 'b');
  ring.prepSymlink('b', `${folder.path}/c`, 1);
  assert.equal(run(ring), -EEXIST);
});

it('IORING_OP_LINKAT: another name for the same file; of a symbolic link, of its target if told so', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const at = (name: string): string => `${folder.path}/${name}`;
  const path = folder.file('a', 'data');
  symlinkSync('a', at('s'));
  const directory = files.own(openSync(folder.path, 'r'));
  ring.prepLink(path, at('b'), 1);
  assert.equal(run(ring), 0);
  assert.equal(statSync(at('b')).ino, statSync(path).ino);
  ring.prepLinkat(directory, 's', directory, 'c', 0, 1);
  assert.equal(run(ring), 0);
  assert.ok(lstatSync(at('c')).isSymbolicLink());
  ring.prepLinkat(directory, 's', directory, 'd', AT_SYMLINK_FOLLOW, 1);
  assert.equal(run(ring), 0);
  assert.equal(lstatSync(at('d')).ino, statSync(path).ino);
  ring.prepLinkat(directory, 'a', directory, 'b', 0, 1);
  assert.equal(run(ring), -EEXIST);
});

/** A folder on a file system that keeps extended attributes of users. */
function attributesAt(ring: IoUring): Temporary {
  const folder = new Temporary();
  ring.prepSetxattr(folder.path, 'user.probe', Buffer.from('x'), 1);
  assert.equal(run(ring), 0, 'the folder for temporary files keeps user attributes');
  return folder;
}

it('IORING_OP_SETXATTR, IORING_OP_GETXATTR: a value there and back; size alone; too small; none; only new, only old', () => {
  using ring = openRing(8);
  using folder = attributesAt(ring);
  const path = folder.file('a');
  const set = (value: string, flags?: number): number => {
    ring.prepSetxattr(path, 'user.test', Buffer.from(value), 1, flags === undefined ? {} : { flags });
    return run(ring);
  };
  const value = Buffer.alloc(16);
  assert.equal(set('one', XATTR_REPLACE), -ENODATA);
  assert.equal(set('one', XATTR_CREATE), 0);
  assert.equal(set('two', XATTR_CREATE), -EEXIST);
  ring.prepGetxattr(path, 'user.test', value, 1);
  assert.equal(value.toString('utf8', 0, run(ring)), 'one');
  assert.equal(set('three', XATTR_REPLACE), 0);
  ring.prepGetxattr(path, 'user.test', new Uint8Array(0), 1);
  assert.equal(run(ring), 5, 'how large it is');
  ring.prepGetxattr(path, 'user.test', new Uint8Array(4), 1);
  assert.equal(run(ring), -ERANGE);
  ring.prepGetxattr(path, 'user.none', value, 1);
  assert.equal(run(ring), -ENODATA);
  ring.prepGetxattr(`${path}x`, 'user.test', value, 1);
  assert.equal(run(ring), -ENOENT);
  assert.equal(set('', XATTR_REPLACE), 0);
  ring.prepGetxattr(path, 'user.test', value, 1);
  assert.equal(run(ring), 0, 'an empty value');
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepGetxattr(path, any(1), value, 1),
    () => ring.prepGetxattr(path, 'user.test', any('x'), 1),
  ]);
  refused(ring, 'ERR_INVALID_ARG_VALUE', [() => ring.prepSetxattr(path, 'user.\0', value, 1)]);
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.prepSetxattr(path, 'user.test', new Uint8Array(65537), 1)]);
});

it('IORING_OP_FSETXATTR, IORING_OP_FGETXATTR: the same of an open file', () => {
  using ring = openRing(8);
  using files = new Descriptors();
  using folder = attributesAt(ring);
  const fd = files.own(openSync(folder.file('a'), 'r+'));
  ring.prepFsetxattr(fd, 'user.test', Buffer.from('value'), 1, { flags: XATTR_CREATE });
  assert.equal(run(ring), 0);
  const value = Buffer.alloc(16);
  ring.prepFgetxattr(fd, 'user.test', value, 1);
  assert.equal(value.toString('utf8', 0, run(ring)), 'value');
  ring.prepFgetxattr(-1, 'user.test', value, 1);
  assert.equal(run(ring), -EBADF);
});

it('IORING_OP_OPENAT: many paths in one submission do not get into each other’s way', () => {
  using folder = new Temporary();
  using ring = openRing(256);
  const names = Array.from({ length: 200 }, (_, i) => `${folder.path}/${'n'.repeat(1 + (i % 100))}-${i}`);
  for (const [i, name] of names.entries()) {
    writeFileSync(name, `${i}`);
    ring.prepRename(name, `${name}.moved`, i);
  }
  ring.submitAndWait(200);
  assert.equal(ring.forEachCompletion((c) => assert.equal(c.res, 0)), 200);
  for (const [i, name] of names.entries()) assert.equal(readFileSync(`${name}.moved`, 'utf8'), `${i}`);
});
