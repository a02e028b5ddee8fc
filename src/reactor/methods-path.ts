import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, STATX_BTIME } from '../abi/file-flags.ts';
import {
  IORING_OP_FGETXATTR,
  IORING_OP_FSETXATTR,
  IORING_OP_GETXATTR,
  IORING_OP_LINKAT,
  IORING_OP_MKDIRAT,
  IORING_OP_OPENAT,
  IORING_OP_OPENAT2,
  IORING_OP_RENAMEAT,
  IORING_OP_SETXATTR,
  IORING_OP_STATX,
  IORING_OP_SYMLINKAT,
  IORING_OP_UNLINKAT,
} from '../abi/operations.ts';
import type { PathLike } from '../ring/arguments/path.ts';
import type { Lendable } from '../ring/memory/lent-memory.ts';
import type { OpenHow } from '../ring/prepare/paths.ts';
import { checkFd } from '../ring/arguments/entry-fields.ts';
import { Statx } from '../ring/structs/statx.ts';
import { run, withCloexec, type DescriptorOptions } from './methods.ts';
import { FileMethods } from './methods-file.ts';
import type { Subject } from './operation-error.ts';
import {
  DESCRIPTOR,
  FILLED,
  kind,
  NOTHING,
  NUMBER,
  type Asked,
  type Kind,
  type OperationOptions,
  type Outcome,
} from './operation.ts';

/** For the layers on top, which do not look further down. */
export { Statx };

const ofPath = ({ a: path }: Asked): Subject => ({ path: path as PathLike });
const ofSecond = ({ b: path }: Asked): Subject => ({ path: path as PathLike });
const ofTwo = ({ a: path, b: dest }: Asked): Subject => ({ path: path as PathLike, dest: dest as PathLike });

type Opened = [dirfd: number, path: PathLike, flags: number, mode: number, options: DescriptorOptions | undefined];
const open = (name: string): Kind<number, Opened> =>
  kind(
    name,
    IORING_OP_OPENAT,
    DESCRIPTOR,
    (ring, { slot, a: dirfd, b: path, c: flags, d: mode, e: options }) =>
      ring.prepOpenat(dirfd, path, withCloexec(flags, options), slot, { mode, direct: undefined } as { mode: number }),
    ofSecond,
  );
const OPENAT = open('openat');
const OPEN = open('open');
const OPENAT2 = kind(
  'openat2',
  IORING_OP_OPENAT2,
  DESCRIPTOR,
  (
    ring,
    { slot, a: dirfd, b: path, c: how, d: options }: Asked<[number, PathLike, OpenHow, DescriptorOptions | undefined]>,
  ) => ring.prepOpenat2(dirfd, path, closedOnExec(how, options), slot),
  ofSecond,
);
type Status = [statx: Statx, dirfd: number, path: PathLike, flags: number, mask: number];
const statOf = (name: string): Kind<Statx, Status> =>
  kind(
    name,
    IORING_OP_STATX,
    FILLED as Outcome<Statx>,
    (ring, { slot, a: statx, b: dirfd, c: path, d: flags, e: mask }) =>
      ring.prepStatx(dirfd, path, flags, mask, statx, slot),
    (
      { c: path, d: flags },
    ) => (((flags as number) & AT_EMPTY_PATH) !== 0 && path === '' ? undefined : { path: path as PathLike }),
  );
const STATX = statOf('statx');
const STAT = statOf('stat');
const LSTAT = statOf('lstat');
const FSTAT = kind(
  'fstat',
  IORING_OP_STATX,
  FILLED as Outcome<Statx>,
  (ring, { slot, a: statx, b: fd }: Asked<[Statx, number]>) =>
    // Not AT_FDCWD, which is a directory's descriptor and not a file's.
    ring.prepStatx(Math.max(-1, checkFd('fd', fd)), '', AT_EMPTY_PATH, STAT_MASK, statx, slot),
);
/** The fields that `fs.Stats` has. */
const STAT_MASK = STATX_BASIC_STATS | STATX_BTIME;

type Renamed = [oldpath: PathLike, newpath: PathLike, olddirfd: number, newdirfd: number, flags: number];
const RENAMEAT = kind(
  'renameat',
  IORING_OP_RENAMEAT,
  NOTHING,
  (ring, { slot, a: oldpath, b: newpath, c: olddirfd, d: newdirfd, e: flags }: Asked<Renamed>) =>
    ring.prepRenameat(olddirfd, oldpath, newdirfd, newpath, slot, { flags }),
  ofTwo,
);
const RENAME = kind(
  'rename',
  IORING_OP_RENAMEAT,
  NOTHING,
  (ring, { slot, a: oldpath, b: newpath }: Asked<[PathLike, PathLike]>) => ring.prepRename(oldpath, newpath, slot),
  ofTwo,
);
const UNLINKAT = kind(
  'unlinkat',
  IORING_OP_UNLINKAT,
  NOTHING,
  (ring, { slot, a: path, b: dirfd, c: flags }: Asked<[PathLike, number, number]>) =>
    ring.prepUnlinkat(dirfd, path, flags, slot),
  ofPath,
);
const UNLINK = kind(
  'unlink',
  IORING_OP_UNLINKAT,
  NOTHING,
  (ring, { slot, a: path }: Asked<[PathLike]>) => ring.prepUnlink(path, slot),
  ofPath,
);
const MKDIRAT = kind(
  'mkdirat',
  IORING_OP_MKDIRAT,
  NOTHING,
  (ring, { slot, a: path, b: dirfd, c: mode }: Asked<[PathLike, number, number]>) =>
    ring.prepMkdirat(dirfd, path, mode, slot),
  ofPath,
);
const MKDIR = kind(
  'mkdir',
  IORING_OP_MKDIRAT,
  NOTHING,
  (ring, { slot, a: path, b: mode }: Asked<[PathLike, number]>) => ring.prepMkdir(path, mode, slot),
  ofPath,
);
const SYMLINKAT = kind(
  'symlinkat',
  IORING_OP_SYMLINKAT,
  NOTHING,
  (ring, { slot, a: target, b: linkpath, c: newdirfd }: Asked<[PathLike, PathLike, number]>) =>
    ring.prepSymlinkat(target, newdirfd, linkpath, slot),
  ofTwo,
);
const SYMLINK = kind(
  'symlink',
  IORING_OP_SYMLINKAT,
  NOTHING,
  (ring, { slot, a: target, b: linkpath }: Asked<[PathLike, PathLike]>) => ring.prepSymlink(target, linkpath, slot),
  ofTwo,
);
const LINKAT = kind(
  'linkat',
  IORING_OP_LINKAT,
  NOTHING,
  (ring, { slot, a: oldpath, b: newpath, c: olddirfd, d: newdirfd, e: flags }: Asked<Renamed>) =>
    ring.prepLinkat(olddirfd, oldpath, newdirfd, newpath, flags, slot),
  ofTwo,
);
const LINK = kind(
  'link',
  IORING_OP_LINKAT,
  NOTHING,
  (ring, { slot, a: oldpath, b: newpath }: Asked<[PathLike, PathLike]>) => ring.prepLink(oldpath, newpath, slot),
  ofTwo,
);
const GETXATTR = kind(
  'getxattr',
  IORING_OP_GETXATTR,
  NUMBER,
  (ring, { slot, a: path, b: name, c: value }: Asked<[PathLike, string, Lendable]>) =>
    ring.prepGetxattr(path, name, value, slot),
  ofPath,
);
const SETXATTR = kind(
  'setxattr',
  IORING_OP_SETXATTR,
  NOTHING,
  (ring, { slot, a: path, b: name, c: value, d: flags }: Asked<[PathLike, string, Lendable, number]>) =>
    ring.prepSetxattr(path, name, value, slot, { flags }),
  ofPath,
);
const FGETXATTR = kind(
  'fgetxattr',
  IORING_OP_FGETXATTR,
  NUMBER,
  (ring, { fd, slot, a: name, b: value }: Asked<[string, Lendable]>) => ring.prepFgetxattr(fd, name, value, slot),
);
const FSETXATTR = kind(
  'fsetxattr',
  IORING_OP_FSETXATTR,
  NOTHING,
  (ring, { fd, slot, a: name, b: value, c: flags }: Asked<[string, Lendable, number]>) =>
    ring.prepFsetxattr(fd, name, value, slot, { flags }),
);

/**
 * Operations on paths. A relative one begins at the descriptor of a directory, or with AT_FDCWD at the working
 * directory.
 */
export abstract class PathMethods extends FileMethods {
  /**
   * Open a file. O_CLOEXEC is set unless `options.cloexec` is false: programs that are started do not inherit the
   * descriptor.
   *
   * Kernel 5.6. See {@link IoUring.prepOpenat}; like openat(2).
   * @param flags O_* bits, such as `fs.constants.O_RDONLY`
   * @param options.mode of a file that is created; default 0o666, less the umask
   * @returns its descriptor
   * @example
   * import { constants } from 'node:fs';
   *
   * const folder = await io.open('/etc', constants.O_RDONLY | constants.O_DIRECTORY);
   * const file = await io.openat(folder, 'hostname', constants.O_RDONLY);
   */
  openat(
    dirfd: number,
    path: PathLike,
    flags: number,
    options?: DescriptorOptions & { mode?: number },
  ): Promise<number> {
    return this.#open(OPENAT, dirfd, path, flags, options);
  }

  /**
   * {@link openat} from the working directory; like open(2).
   * @example
   * import { constants } from 'node:fs';
   *
   * const file = await io.open('/tmp/new', constants.O_WRONLY | constants.O_CREAT, { mode: 0o644 });
   */
  open(path: PathLike, flags: number, options?: DescriptorOptions & { mode?: number }): Promise<number> {
    return this.#open(OPEN, AT_FDCWD, path, flags, options);
  }

  #open(
    kind: typeof OPENAT,
    dirfd: number,
    path: PathLike,
    flags: number,
    options: (DescriptorOptions & { mode?: number }) | undefined,
  ): Promise<number> {
    return run(this, kind, -1, options, undefined, dirfd, path, flags, options?.mode ?? 0o666, options);
  }

  /**
   * Open a file under conditions: {@link OpenHow}. O_CLOEXEC is set unless `options.cloexec` is false. Kernel 5.6. See
   * {@link IoUring.prepOpenat2}; like openat2(2).
   * @example
   * import { AT_FDCWD, RESOLVE_NO_SYMLINKS } from 'iouring/abi';
   *
   * const file = await io.openat2(AT_FDCWD, 'etc/hostname', { resolve: RESOLVE_NO_SYMLINKS });
   */
  openat2(dirfd: number, path: PathLike, how: OpenHow, options?: DescriptorOptions): Promise<number> {
    return run(this, OPENAT2, -1, options, undefined, dirfd, path, how, options);
  }

  /**
   * The status of a file; with AT_EMPTY_PATH and an empty path that of `dirfd` itself.
   *
   * Kernel 5.6. See {@link IoUring.prepStatx}; like statx(2).
   * @param flags AT_* bits: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, …
   * @param mask STATX_* bits: what is wanted; default all that stat(2) tells
   * @param options.into an object to fill in and return instead of a new one: not to be looked at meanwhile
   * @example
   * import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, STATX_BTIME } from 'iouring/abi';
   *
   * const { btime } = await io.statx(AT_FDCWD, '/etc/hostname', AT_SYMLINK_NOFOLLOW, STATX_BTIME);
   */
  statx(
    dirfd: number,
    path: PathLike,
    flags = 0,
    mask: number = STATX_BASIC_STATS,
    options?: OperationOptions & { into?: Statx | undefined },
  ): Promise<Statx> {
    const statx = options?.into ?? new Statx();
    return run(this, STATX, -1, options, undefined, statx, dirfd, path, flags, mask);
  }

  /**
   * The status of a file, with the names of Node's `fs.Stats`: `size`, `mtime`, `isFile()`, …; links are followed. For
   * many files at once; the whole of `node:fs/promises`, `readFile` and `writeFile` too, is in `iouring/fs`.
   *
   * Kernel 5.6. See {@link IoUring.prepStatx}; like stat(2).
   * @throws {Error} the kernel's refusal: `ENOENT`, `EACCES`, …; TypeError, RangeError
   * @example
   * const { size, mtime } = await io.stat('/etc/hostname');
   */
  stat(path: PathLike, options?: OperationOptions): Promise<Statx> {
    return run(this, STAT, -1, options, undefined, new Statx(), AT_FDCWD, path, 0, STAT_MASK);
  }

  /**
   * {@link stat} of a symbolic link itself; like lstat(2). Kernel 5.6.
   * @example
   * const isLink = (await io.lstat('/etc/localtime')).isSymbolicLink();
   */
  lstat(path: PathLike, options?: OperationOptions): Promise<Statx> {
    return run(this, LSTAT, -1, options, undefined, new Statx(), AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STAT_MASK);
  }

  /**
   * {@link stat} of an open file; like fstat(2). Kernel 5.6.
   * @example
   * const { size } = await io.fstat(fd);
   */
  fstat(fd: number, options?: OperationOptions): Promise<Statx> {
    return run(this, FSTAT, -1, options, undefined, new Statx(), fd);
  }

  /**
   * Kernel 5.11. See {@link IoUring.prepRenameat}; like renameat2(2).
   * @example
   * import { RENAME_NOREPLACE } from 'iouring/abi';
   *
   * await io.renameat(folder, 'old', folder, 'new', { flags: RENAME_NOREPLACE });
   */
  renameat(
    olddirfd: number,
    oldpath: PathLike,
    newdirfd: number,
    newpath: PathLike,
    options?: OperationOptions & { flags?: number },
  ): Promise<void> {
    return run(this, RENAMEAT, -1, options, undefined, oldpath, newpath, olddirfd, newdirfd, options?.flags ?? 0);
  }

  /**
   * {@link renameat} from the working directory; like rename(2).
   * @example
   * await io.rename('/tmp/old', '/tmp/new');
   */
  rename(oldpath: PathLike, newpath: PathLike, options?: OperationOptions): Promise<void> {
    return run(this, RENAME, -1, options, undefined, oldpath, newpath);
  }

  /**
   * Kernel 5.11. With AT_REMOVEDIR it removes an empty directory. See {@link IoUring.prepUnlinkat}.
   * @example
   * import { AT_REMOVEDIR } from 'iouring/abi';
   *
   * await io.unlinkat(folder, 'empty-folder', AT_REMOVEDIR);
   */
  unlinkat(dirfd: number, path: PathLike, flags = 0, options?: OperationOptions): Promise<void> {
    return run(this, UNLINKAT, -1, options, undefined, path, dirfd, flags);
  }

  /**
   * {@link unlinkat} of a file from the working directory; like unlink(2).
   * @example
   * await io.unlink('/tmp/old');
   */
  unlink(path: PathLike, options?: OperationOptions): Promise<void> {
    return run(this, UNLINK, -1, options, undefined, path);
  }

  /**
   * Kernel 5.15. See {@link IoUring.prepMkdirat}.
   * @example
   * await io.mkdirat(folder, 'new-folder', 0o755);
   */
  mkdirat(dirfd: number, path: PathLike, mode = 0o777, options?: OperationOptions): Promise<void> {
    return run(this, MKDIRAT, -1, options, undefined, path, dirfd, mode);
  }

  /**
   * {@link mkdirat} from the working directory; like mkdir(2).
   * @example
   * await io.mkdir('/tmp/new-folder');
   */
  mkdir(path: PathLike, mode = 0o777, options?: OperationOptions): Promise<void> {
    return run(this, MKDIR, -1, options, undefined, path, mode);
  }

  /**
   * Kernel 5.15. See {@link IoUring.prepSymlinkat}.
   * @example
   * await io.symlinkat('target', folder, 'link');
   */
  symlinkat(target: PathLike, newdirfd: number, linkpath: PathLike, options?: OperationOptions): Promise<void> {
    return run(this, SYMLINKAT, -1, options, undefined, target, linkpath, newdirfd);
  }

  /**
   * {@link symlinkat} from the working directory; like symlink(2).
   * @example
   * await io.symlink('target', '/tmp/link');
   */
  symlink(target: PathLike, linkpath: PathLike, options?: OperationOptions): Promise<void> {
    return run(this, SYMLINK, -1, options, undefined, target, linkpath);
  }

  /**
   * Kernel 5.15. See {@link IoUring.prepLinkat}.
   * @example
   * await io.linkat(folder, 'existing', folder, 'another-name');
   */
  linkat(
    olddirfd: number,
    oldpath: PathLike,
    newdirfd: number,
    newpath: PathLike,
    flags = 0,
    options?: OperationOptions,
  ): Promise<void> {
    return run(this, LINKAT, -1, options, undefined, oldpath, newpath, olddirfd, newdirfd, flags);
  }

  /**
   * Give a file another name; like link(2). Kernel 5.15.
   * @example
   * await io.link('/tmp/existing', '/tmp/another-name');
   */
  link(existing: PathLike, path: PathLike, options?: OperationOptions): Promise<void> {
    return run(this, LINK, -1, options, undefined, existing, path);
  }

  /**
   * Read an extended attribute into `value`. Kernel 5.19. See {@link IoUring.prepGetxattr}; like getxattr(2).
   * @returns the bytes of the attribute; of an empty `value` those it would have
   * @example
   * const value = Buffer.alloc(256);
   * const bytes = await io.getxattr('/tmp/file', 'user.comment', value);
   */
  getxattr(path: PathLike, name: string, value: Lendable, options?: OperationOptions): Promise<number> {
    return run(this, GETXATTR, -1, options, undefined, path, name, value);
  }

  /**
   * Set an extended attribute. Kernel 5.19. See {@link IoUring.prepSetxattr}; like setxattr(2).
   * @example
   * await io.setxattr('/tmp/file', 'user.comment', Buffer.from('mine'));
   */
  setxattr(
    path: PathLike,
    name: string,
    value: Lendable,
    options?: OperationOptions & { flags?: number },
  ): Promise<void> {
    return run(this, SETXATTR, -1, options, undefined, path, name, value, options?.flags ?? 0);
  }

  /**
   * {@link getxattr} of an open file.
   * @example
   * const value = Buffer.alloc(256);
   * const bytes = await io.fgetxattr(fd, 'user.comment', value);
   */
  fgetxattr(fd: number, name: string, value: Lendable, options?: OperationOptions): Promise<number> {
    return run(this, FGETXATTR, fd, options, undefined, name, value);
  }

  /**
   * {@link setxattr} of an open file.
   * @example
   * await io.fsetxattr(fd, 'user.comment', Buffer.from('mine'));
   */
  fsetxattr(
    fd: number,
    name: string,
    value: Lendable,
    options?: OperationOptions & { flags?: number },
  ): Promise<void> {
    return run(this, FSETXATTR, fd, options, undefined, name, value, options?.flags ?? 0);
  }
}

/** A value that is no object is left to the ring to refuse. */
function closedOnExec(how: OpenHow, options: DescriptorOptions | undefined): OpenHow {
  if (typeof how !== 'object' || how === null) return how;
  const { flags = 0, mode, resolve } = how;
  return { flags: withCloexec(flags, options), mode, resolve } as OpenHow;
}
