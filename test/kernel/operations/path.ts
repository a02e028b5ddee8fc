// The operations on paths: what they do to the file system, looked at through node:fs.
import koffi from 'koffi';
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
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { pathToFileURL } from 'node:url';
import {
  EAGAIN,
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
  EOPNOTSUPP,
  EPERM,
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
  RENAME_WHITEOUT,
  RESOLVE_BENEATH,
  RESOLVE_CACHED,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  STATX_BASIC_STATS,
  STATX_BTIME,
  STATX_DIOALIGN,
  STATX_MNT_ID,
  STATX_SIZE,
  XATTR_CREATE,
  XATTR_REPLACE,
} from '../../../src/abi/file-flags.ts';
import { IOSQE_FIXED_FILE, IOSQE_IO_LINK } from '../../../src/abi/flags.ts';
import { Statx, type IoUring, type PathLike } from '../../../src/index.ts';
import { it, Missing, without } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { complete } from '../reap.ts';
import { Temporary } from '../temporary.ts';
import { openRing } from './recorder.ts';
import { any, refused } from './refused.ts';

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = constants;
const O_CLOEXEC = 0o2000000;
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

const getxattr = koffi.load(null).func('long getxattr(str path, str name, void *value, size_t size)') as (
  path: string,
  name: string,
  value: Uint8Array,
  size: number,
) => number;

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
  for (
    const [where, name, flags, errno] of [
      [directory, 'none', O_RDONLY, ENOENT],
      [directory, 'a/b', O_RDONLY, ENOTDIR],
      [directory, '.', O_RDWR, EISDIR],
      [-1, 'a', O_RDONLY, EBADF],
      [fd, 'a', O_RDONLY, ENOTDIR],
      [AT_FDCWD, '', O_RDONLY, ENOENT],
      [AT_FDCWD, 'x'.repeat(256), O_RDONLY, ENAMETOOLONG],
      [AT_FDCWD, 'x/'.repeat(3000), O_RDONLY, ENAMETOOLONG],
    ] as const
  ) {
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
  if (!without('5.14', 'a look at the upper half of the flags')) assert.equal(open('a', { flags: 2 ** 40 }), -EINVAL);
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
      [statx.mode, statx.nlink, statx.uid, statx.gid, statx.ino, statx.size, statx.blocks, statx.dev, statx.rdev].map(
        BigInt,
      ),
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
  const res = run(ring);
  if (res === -EOPNOTSUPP) throw new Missing('needs a folder for temporary files that keeps user attributes');
  assert.equal(res, 0);
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

/** Every operation on a path, with `path` in each of its places. */
function uses(ring: IoUring, path: PathLike): [name: string, prepare: () => boolean][] {
  const value = new Uint8Array(8);
  return [
    ['openat', () => ring.prepOpen(path, O_RDONLY, 1)],
    ['openat2', () => ring.prepOpenat2(AT_FDCWD, path, {}, 1)],
    ['statx', () => ring.prepStatx(AT_FDCWD, path, 0, STATX_BASIC_STATS, new Statx(), 1)],
    ['renameat from', () => ring.prepRename(path, 'none', 1)],
    ['renameat to', () => ring.prepRename('/', path, 1)],
    ['unlinkat', () => ring.prepUnlink(path, 1)],
    ['mkdirat', () => ring.prepMkdir(path, 0o700, 1)],
    ['symlinkat target', () => ring.prepSymlink(path, '/', 1)],
    ['symlinkat', () => ring.prepSymlink('none', path, 1)],
    ['linkat from', () => ring.prepLink(path, 'none', 1)],
    ['linkat to', () => ring.prepLink('/', path, 1)],
    ['getxattr', () => ring.prepGetxattr(path, 'user.x', value, 1)],
    ['setxattr', () => ring.prepSetxattr(path, 'user.x', value, 1)],
  ];
}

it('IORING_OP_OPENAT and all others on paths: PATH_MAX bytes are too many, in each place of each', () => {
  using ring = openRing(8);
  const [longest, tooLong] = [`/${'./'.repeat(2047)}`, `/${'./'.repeat(2047)}.`];
  assert.deepEqual([longest.length, tooLong.length], [4095, 4096]);
  for (const [name, prepare] of uses(ring, tooLong)) {
    prepare();
    assert.equal(run(ring), -ENAMETOOLONG, name);
  }
  for (const [name, prepare] of uses(ring, longest)) {
    prepare();
    const res = run(ring);
    assert.notEqual(res, -ENAMETOOLONG, name);
    if (name.startsWith('open')) closeSync(res);
  }
  for (const [, prepare] of uses(ring, 'x/'.repeat(10_000_000))) prepare();
  assert.equal(ring.sqReady, 8, 'however long: the kernel decides');
  ring.submitAndWait(8);
  assert.equal(ring.forEachCompletion((c) => assert.equal(c.res, -ENAMETOOLONG)), 8);
});

it('IORING_OP_OPENAT and all others on paths: what is no path is refused, in each place of each', () => {
  using ring = openRing(8);
  const bytes = new Uint8Array(8).fill(97);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  for (const path of ['a\0', '\0', Buffer.from([97, 0, 98]), new URL('file:///a%00'), new URL('data:a'), bytes]) {
    refused(ring, 'ERR_INVALID_ARG_VALUE', uses(ring, path).map(([, prepare]) => prepare));
  }
  for (const path of [null, 1, {}, ['a'], new Uint16Array(4), new ArrayBuffer(4)]) {
    refused(ring, 'ERR_INVALID_ARG_TYPE', uses(ring, any(path)).map(([, prepare]) => prepare));
  }
});

it('IORING_OP_MKDIRAT, IORING_OP_RENAMEAT: paths are copied: their bytes may be changed before submit', () => {
  using folder = new Temporary();
  using ring = openRing(8);
  const [from, to] = ['from', 'to'].map((name) => Buffer.from(`${folder.path}/${name}`));
  ring.prepMkdir(from, 0o700, 1);
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepRename(from, to, 2);
  from.fill(120);
  to.fill(120);
  ring.submitAndWait(2);
  assert.equal(ring.forEachCompletion((c) => assert.equal(c.res, 0)), 2);
  assert.deepEqual(readdirSync(folder.path), ['to']);
});

it('IORING_OP_OPENAT: flags that node:fs has too, and a file without a name that gets one', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const path = folder.file('a', 'data');
  symlinkSync('a', `${folder.path}/link`);
  const open = (name: string, flags: number): number => {
    ring.prepOpen(`${folder.path}/${name}`, flags, 1);
    const res = run(ring);
    return res >= 0 ? files.own(res) : res;
  };
  assert.equal(open('link', constants.O_NOFOLLOW), -ELOOP);
  assert.equal(open('a', constants.O_DIRECTORY), -ENOTDIR);
  const appending = open('a', constants.O_WRONLY | constants.O_APPEND | constants.O_TRUNC | O_CLOEXEC);
  const flags = Number.parseInt(/flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${appending}`, 'utf8'))![1], 8);
  assert.equal(flags & (constants.O_APPEND | O_CLOEXEC), constants.O_APPEND | O_CLOEXEC);
  assert.equal(statSync(path).size, 0);
  const nameless = open('', O_RDWR | O_TMPFILE);
  assert.ok(nameless >= 0, `the file system has O_TMPFILE: ${nameless}`);
  writeFileSync(nameless, 'late');
  assert.deepEqual(readdirSync(folder.path).sort(), ['a', 'link']);
  ring.prepLinkat(AT_FDCWD, `/proc/self/fd/${nameless}`, AT_FDCWD, `${folder.path}/named`, AT_SYMLINK_FOLLOW, 1);
  assert.equal(run(ring), 0);
  assert.equal(readFileSync(`${folder.path}/named`, 'utf8'), 'late');
});

it('IORING_OP_OPENAT: a directory is no slot: IOSQE_FIXED_FILE is EBADF', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  folder.file('a');
  ring.registerFiles([files.own(openSync(folder.path, 'r'))]);
  for (
    const prepare of [
      () => ring.prepOpenat(0, 'a', O_RDONLY, 1),
      () => ring.prepOpenat2(0, 'a', {}, 1),
      () => ring.prepUnlinkat(0, 'a', 0, 1),
      () => ring.prepMkdirat(0, 'b', 0o700, 1),
      () => ring.prepRenameat(0, 'a', 0, 'b', 1),
      () => ring.prepSymlinkat('a', 0, 'b', 1),
      () => ring.prepLinkat(0, 'a', 0, 'b', 0, 1),
      () => ring.prepStatx(0, 'a', 0, STATX_SIZE, new Statx(), 1),
    ]
  ) {
    prepare();
    ring.sqeSetFlags(IOSQE_FIXED_FILE);
    assert.equal(run(ring), -EBADF, String(prepare));
  }
  assert.deepEqual(readdirSync(folder.path), ['a']);
});

it('IORING_OP_OPENAT2: every rule of resolution; into slots, until they are full', {
  skip: without('5.12', 'RESOLVE_CACHED'),
}, () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const path = folder.file('a', 'data');
  mkdirSync(`${folder.path}/sub`);
  symlinkSync('/a', `${folder.path}/sub/absolute`);
  const directory = files.own(openSync(folder.path, 'r'));
  const file = files.own(openSync(path, 'r'));
  const open = (where: number, name: string, resolve: number, flags = O_RDONLY): number => {
    ring.prepOpenat2(where, name, { resolve, flags }, 1);
    return run(ring);
  };
  const found = files.own(open(directory, 'sub/absolute', RESOLVE_IN_ROOT));
  assert.equal(fstatSync(found).ino, statSync(path).ino, 'the directory is the root');
  assert.equal(open(directory, 'sub/absolute', RESOLVE_BENEATH), -EXDEV);
  assert.equal(open(AT_FDCWD, '/proc', RESOLVE_NO_XDEV), -EXDEV);
  assert.equal(open(AT_FDCWD, `/proc/self/fd/${file}`, RESOLVE_NO_MAGICLINKS), -ELOOP);
  const cached = open(directory, 'a', RESOLVE_CACHED);
  assert.ok(cached >= 0 || cached === -EAGAIN, 'known by now, but nobody promises it');
  if (cached >= 0) files.own(cached);
  assert.equal(open(directory, 'new', RESOLVE_CACHED, O_RDWR | O_CREAT), -EAGAIN, 'nothing is made that way');
  ring.registerFilesSparse(1);
  const into = (direct: number | 'alloc', flags = O_RDONLY): number => {
    ring.prepOpenat2(directory, 'a', { flags }, 1, { direct });
    return run(ring);
  };
  assert.equal(into(0, O_CLOEXEC), -EINVAL);
  assert.equal(into(1), -EINVAL);
  assert.equal(into(0), 0);
  assert.equal(into(0), 0, 'a slot in use is replaced');
  assert.equal(into('alloc'), -ENFILE);
});

it('IORING_OP_STATX: sparse files beyond 4 GiB, times before 1970, pipes, what stat(2) does not tell', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const path = folder.file('a');
  truncateSync(path, 5 * 2 ** 32 + 1);
  utimesSync(path, new Date(-1500), new Date(-86_400_000));
  const statx = new Statx();
  const ask = (where: number, name: string, mask: number): void => {
    ring.prepStatx(where, name, name === '' ? AT_EMPTY_PATH : 0, mask, statx, 1);
    assert.equal(run(ring), 0);
  };
  ask(AT_FDCWD, path, STATX_BASIC_STATS | STATX_MNT_ID | STATX_DIOALIGN);
  const { atimeNs, mtimeNs } = statSync(path, { bigint: true });
  const { mtime, atime } = statSync(path);
  assert.deepEqual([statx.size, statx.sizeBigint], [5 * 2 ** 32 + 1, 5n * 2n ** 32n + 1n]);
  assert.deepEqual([statx.atimeNs, statx.mtimeNs, statx.mtime, statx.atime], [atimeNs, mtimeNs, mtime, atime]);
  assert.equal(statx.mtimeNs, -86_400_000_000_000n);
  const fd = files.own(openSync(path, 'r'));
  const mount = /mnt_id:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1];
  assert.equal(statx.mntId, BigInt(mount));
  const { dioMemAlign } = statx;
  if (statx.mask & STATX_DIOALIGN) assert.equal(dioMemAlign & (dioMemAlign - 1), 0, 'a power of two, or 0');
  const plain = JSON.parse(JSON.stringify(statx)) as Record<string, unknown>;
  assert.deepEqual([plain.size, plain.mtime, plain.nlink], [statx.size, statx.mtime.toISOString(), 1]);
  const [reader] = files.pipe();
  ask(reader, '', STATX_BASIC_STATS);
  assert.deepEqual([statx.isFIFO(), statx.isFile(), statx.isSocket()], [true, false, false]);
  assert.equal(statx.ino, fstatSync(reader, { bigint: true }).ino);
  ask(files.socketPair()[0], '', STATX_BASIC_STATS);
  assert.deepEqual([statx.isSocket(), statx.isFIFO(), statx.isBlockDevice()], [true, false, false]);
});

it('IORING_OP_STATX: flags and masks that nobody knows are EINVAL; one place for several at once', () => {
  using folder = new Temporary();
  using ring = openRing(8);
  const path = folder.file('a', 'data');
  const statx = new Statx();
  ring.prepStatx(AT_FDCWD, path, 0x8000_0000, STATX_BASIC_STATS, statx, 1);
  assert.equal(run(ring), -EINVAL);
  ring.prepStatx(AT_FDCWD, path, 0, 0x8000_0000, statx, 1);
  assert.equal(run(ring), -EINVAL);
  for (let i = 0; i < 8; i++) ring.prepStatx(AT_FDCWD, path, 0, STATX_SIZE, statx, i);
  ring.submitAndWait(8);
  assert.equal(ring.forEachCompletion((c) => assert.equal(c.res, 0)), 8);
  assert.equal(statx.size, 4);
});

it('IORING_OP_RENAMEAT: directories, other file systems, flags that exclude each other', () => {
  using folder = new Temporary();
  using ring = openRing(8);
  const at = (name: string): string => `${folder.path}/${name}`;
  folder.file('a', 'A');
  folder.file('b', 'B');
  mkdirSync(at('d/e'), { recursive: true });
  const rename = (from: string, to: string, flags = 0): number => {
    ring.prepRenameat(AT_FDCWD, from, AT_FDCWD, to, 1, { flags });
    return run(ring);
  };
  assert.equal(rename(at('a'), at('b'), RENAME_NOREPLACE | RENAME_EXCHANGE), -EINVAL);
  assert.equal(rename(at('a'), at('b'), RENAME_WHITEOUT | RENAME_EXCHANGE), -EINVAL);
  assert.equal(rename(at('a'), at('b'), 0x80), -EINVAL);
  assert.equal(rename(at('a'), at('d')), -EISDIR);
  assert.equal(rename(at('d'), at('a')), -ENOTDIR);
  assert.equal(rename(at('d'), at('d/e/f')), -EINVAL, 'into itself');
  assert.equal(rename(at('a'), '/proc/a'), -EXDEV);
  mkdirSync(at('f'));
  assert.equal(rename(at('f'), at('d')), -ENOTEMPTY);
  assert.equal(rename(at('d'), at('f')), 0);
  assert.deepEqual(readdirSync(at('f')), ['e']);
  assert.equal(rename(at('b'), at('a')), 0, 'what was there is replaced');
  assert.equal(readFileSync(at('a'), 'utf8'), 'B');
});

it('IORING_OP_LINKAT: an open file by its descriptor alone; no directories', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const path = folder.file('a', 'data');
  const fd = files.own(openSync(path, 'r'));
  const link = (where: number, from: string, to: string, flags: number): number => {
    ring.prepLinkat(where, from, AT_FDCWD, to, flags, 1);
    return run(ring);
  };
  const linked = link(fd, '', `${folder.path}/b`, AT_EMPTY_PATH);
  assert.ok(linked === 0 || linked === -ENOENT, 'needs CAP_DAC_READ_SEARCH, or a file opened by oneself');
  if (linked === 0) assert.equal(statSync(`${folder.path}/b`).ino, statSync(path).ino);
  assert.equal(link(AT_FDCWD, folder.path, `${folder.path}/c`, 0), -EPERM);
  assert.equal(link(AT_FDCWD, path, `${folder.path}/c`, 0x10), -EINVAL);
});

it('IORING_OP_MKDIRAT: special bits of the mode; below what is no directory', () => {
  using folder = new Temporary();
  using ring = openRing(8);
  folder.file('a');
  const make = (name: string, mode: number): number => {
    ring.prepMkdir(`${folder.path}/${name}`, mode, 1);
    return run(ring);
  };
  assert.equal(make('d', 0o1777), 0);
  assert.equal(statSync(`${folder.path}/d`).mode & 0o7777, 0o1777 & ~process.umask());
  assert.equal(make('a/b', 0o700), -ENOTDIR);
  assert.equal(make('none/b', 0o700), -ENOENT);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepMkdir('x', any('755'), 1),
    () => ring.prepMkdirat(any('.'), 'x', 0o755, 1),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.prepMkdir('x', 2 ** 16, 1)]);
});

it('IORING_OP_SETXATTR, IORING_OP_GETXATTR: paths, names and values of every kind, seen by getxattr(2)', () => {
  using ring = openRing(8);
  using folder = attributesAt(ring);
  const path = folder.file('a b');
  symlinkSync('a b', `${folder.path}/link`);
  const plain = new ArrayBuffer(4);
  new Uint8Array(plain).set([1, 0, 255, 4]);
  const paths: PathLike[] = [path, Buffer.from(path), pathToFileURL(path), `${folder.path}/link`];
  for (const [i, each] of paths.entries()) {
    const value = [plain, new DataView(plain, 1, 2), new Uint16Array(plain, 2, 1), Buffer.from('text')][i];
    const part = ArrayBuffer.isView(value) ? value : new Uint8Array(value);
    const bytes = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    ring.prepSetxattr(each, `user.${i}.é`, value, 1);
    assert.equal(run(ring), 0);
    const seen = Buffer.alloc(64);
    assert.ok(seen.subarray(0, getxattr(path, `user.${i}.é`, seen, seen.length)).equals(bytes));
    const back = new Uint8Array(64);
    ring.prepGetxattr(each, `user.${i}.é`, back, 1);
    assert.ok(Buffer.from(back.subarray(0, run(ring))).equals(bytes));
  }
  const value = new Uint8Array(1);
  const set = (name: string, flags = 0): number => {
    ring.prepSetxattr(path, name, value, 1, { flags });
    return run(ring);
  };
  assert.equal(set(`user.${'x'.repeat(251)}`), -ERANGE);
  assert.equal(set(''), -ERANGE);
  assert.equal(set('nobody.x'), -EOPNOTSUPP);
  assert.equal(set('user.x', 0x80), -EINVAL);
  assert.equal(set('user.x', XATTR_CREATE | XATTR_REPLACE), -ENODATA, 'there is none to replace');
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepSetxattr(path, any(Buffer.from('user.x')), value, 1),
    () => ring.prepSetxattr(path, 'user.x', any(null), 1),
    () => ring.prepFsetxattr(any('1'), 'user.x', value, 1),
    () => ring.prepFgetxattr(1, any(undefined), value, 1),
  ]);
});
