import { AT_FDCWD } from '../../abi/file-flags.ts';
import { OPEN_HOW, OPEN_HOW_SIZE } from '../../abi/layouts.ts';
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
} from '../../abi/operations.ts';
import { checkFd, checkFlags, fileIndex, type Slot } from '../arguments/entry-fields.ts';
import { pathBytes, type PathLike } from '../arguments/path.ts';
import { highWord, lowWord, type UserData } from '../arguments/user-data.ts';
import type { Lendable } from '../memory/lent-memory.ts';
import { checkInteger, checkObject, checkUint32, outOfRange, wrongType } from '../arguments/argument-errors.ts';
import { DESCRIPTOR } from '../pins.ts';
import { coreOf, type RingCore } from '../ring-core.ts';
import { memoryOfStatx, type Statx } from '../structs/statx.ts';
import { YOUNG_FIELDS } from './young-fields.ts';

/** How {@link IoUring.prepOpenat2} opens. */
export interface OpenHow {
  /** O_*; up to 2^53-1, before kernel 5.19 up to 2^32-1 */
  flags?: number;
  /** The mode of a file that is made: 0 … 0o7777 */
  mode?: number;
  /** RESOLVE_*: what the path may lead through */
  resolve?: number;
}

const MODE_MAX = 0o177_777;

/**
 * The operations on paths. A relative path begins at `dirfd`, a directory's descriptor, or at the working directory
 * with AT_FDCWD. Paths are copied; those of strings as UTF-8.
 */
export interface PathOperations {
  /**
   * Queue the opening of a file. Completes with the descriptor, which is the caller's to close; with `direct` it goes
   * to a slot of the registered files instead: 0, or the slot if the kernel picked it.
   *
   * Kernel 5.6; `direct` 5.15. Counterpart of io_uring_prep_openat(3) and io_uring_prep_openat_direct(3); like
   * openat(2).
   * @param flags O_RDONLY and so on, taken as they are. Programs that are started inherit the descriptor, unless
   *   O_CLOEXEC is among them; with `direct` it must not be
   * @param options.mode of a file that is made, 0 … 0o7777; default 0o666; the umask is taken off
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @throws {Error} `ERR_IOURING_UNSUPPORTED` `direct` on an older kernel, which would ignore it
   * @example
   * import { constants } from 'node:fs';
   *
   * ring.prepOpenat(folder, 'hostname', constants.O_RDONLY, 1);
   */
  prepOpenat(
    dirfd: number,
    path: PathLike,
    flags: number,
    userData: UserData,
    options?: { mode?: number; direct?: Slot },
  ): boolean;

  /**
   * {@link prepOpenat} at the working directory: the flags are taken as they are, without O_CLOEXEC unless it is among
   * them.
   *
   * Kernel 5.6. Counterpart of io_uring_prep_open(3) and io_uring_prep_open_direct(3); like open(2).
   * @example
   * import { constants } from 'node:fs';
   *
   * ring.prepOpen('/etc/hostname', constants.O_RDONLY, 1);
   */
  prepOpen(path: PathLike, flags: number, userData: UserData, options?: { mode?: number; direct?: Slot }): boolean;

  /**
   * Queue the opening of a file, with control over how its path is resolved. Completes as {@link prepOpenat} does, and
   * takes the flags as they are, as that does: programs that are started inherit the descriptor, unless O_CLOEXEC is
   * among them.
   *
   * Kernel 5.6; `direct` 5.15. Counterpart of io_uring_prep_openat2(3) and io_uring_prep_openat2_direct(3); like
   * openat2(2).
   * @param how copied. Programs that are started inherit the descriptor, unless O_CLOEXEC is among its flags; not with
   *   `direct`.
   * Unlike openat(2), the kernel refuses flags that it does not know, and a mode without O_CREAT
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @throws {Error} `ERR_IOURING_UNSUPPORTED` `direct`, or flags above the lower 32 bits, on an older kernel, which
   *   would ignore them
   * @example
   * import { RESOLVE_BENEATH } from 'iouring/abi';
   *
   * ring.prepOpenat2(folder, 'hostname', { resolve: RESOLVE_BENEATH }, 1);
   */
  prepOpenat2(dirfd: number, path: PathLike, how: OpenHow, userData: UserData, options?: { direct?: Slot }): boolean;

  /**
   * Queue the question for a file's status. Completes with 0 and fills `statx`.
   *
   * `statx` is lent to the kernel until the completion is reaped.
   *
   * Kernel 5.6. Counterpart of io_uring_prep_statx(3); like statx(2).
   * @param path empty, with AT_EMPTY_PATH among the flags: `dirfd` itself
   * @param flags AT_*
   * @param mask STATX_*: what is asked for
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @example
   * import { Statx } from 'iouring';
   * import { AT_FDCWD, STATX_BASIC_STATS } from 'iouring/abi';
   *
   * const statx = new Statx();
   * ring.prepStatx(AT_FDCWD, '/etc/hostname', 0, STATX_BASIC_STATS, statx, 1);
   */
  prepStatx(dirfd: number, path: PathLike, flags: number, mask: number, statx: Statx, userData: UserData): boolean;

  /**
   * Queue the renaming of a file. What has the new name already is replaced. Completes with 0 or `-errno`.
   *
   * Kernel 5.11. Counterpart of io_uring_prep_renameat(3); like renameat2(2).
   * @param options.flags RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepRenameat(folder, 'old', folder, 'new', 1);
   */
  prepRenameat(
    olddirfd: number,
    oldpath: PathLike,
    newdirfd: number,
    newpath: PathLike,
    userData: UserData,
    options?: { flags?: number },
  ): boolean;

  /**
   * {@link prepRenameat} at the working directory. Kernel 5.11. Counterpart of io_uring_prep_rename(3); like rename(2).
   * @example
   * ring.prepRename('/tmp/old', '/tmp/new', 1);
   */
  prepRename(oldpath: PathLike, newpath: PathLike, userData: UserData): boolean;

  /**
   * Queue the removal of a file, or with AT_REMOVEDIR of an empty directory. Completes with 0 or `-errno`.
   *
   * Kernel 5.11. Counterpart of io_uring_prep_unlinkat(3); like unlinkat(2).
   * @param flags 0 or AT_REMOVEDIR
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepUnlinkat(folder, 'old', 0, 1);
   */
  prepUnlinkat(dirfd: number, path: PathLike, flags: number, userData: UserData): boolean;

  /**
   * {@link prepUnlinkat} at the working directory. Kernel 5.11. Counterpart of io_uring_prep_unlink(3); like unlink(2).
   * @example
   * ring.prepUnlink('/tmp/old', 1);
   */
  prepUnlink(path: PathLike, userData: UserData): boolean;

  /**
   * Queue the making of a directory. Completes with 0 or `-errno`.
   *
   * Kernel 5.15. Counterpart of io_uring_prep_mkdirat(3); like mkdirat(2).
   * @param mode 0 … 0o7777; the umask is taken off
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepMkdirat(folder, 'new-folder', 0o755, 1);
   */
  prepMkdirat(dirfd: number, path: PathLike, mode: number, userData: UserData): boolean;

  /**
   * {@link prepMkdirat} at the working directory. Kernel 5.15. Counterpart of io_uring_prep_mkdir(3); like mkdir(2).
   * @example
   * ring.prepMkdir('/tmp/new-folder', 0o755, 1);
   */
  prepMkdir(path: PathLike, mode: number, userData: UserData): boolean;

  /**
   * Queue the making of a symbolic link at `linkpath` that says `target`. Completes with 0 or `-errno`.
   *
   * Kernel 5.15. Counterpart of io_uring_prep_symlinkat(3); like symlinkat(2).
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepSymlinkat('target', folder, 'link', 1);
   */
  prepSymlinkat(target: PathLike, newdirfd: number, linkpath: PathLike, userData: UserData): boolean;

  /**
   * {@link prepSymlinkat} at the working directory. Kernel 5.15. Counterpart of io_uring_prep_symlink(3); like
   * symlink(2).
   * @example
   * ring.prepSymlink('target', '/tmp/link', 1);
   */
  prepSymlink(target: PathLike, linkpath: PathLike, userData: UserData): boolean;

  /**
   * Queue the making of a hard link: another name for a file. Completes with 0 or `-errno`.
   *
   * Kernel 5.15. Counterpart of io_uring_prep_linkat(3); like linkat(2).
   * @param flags 0, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepLinkat(folder, 'existing', folder, 'another-name', 0, 1);
   */
  prepLinkat(
    olddirfd: number,
    oldpath: PathLike,
    newdirfd: number,
    newpath: PathLike,
    flags: number,
    userData: UserData,
  ): boolean;

  /**
   * {@link prepLinkat} at the working directory. Kernel 5.15. Counterpart of io_uring_prep_link(3); like link(2).
   * @example
   * ring.prepLink('/tmp/existing', '/tmp/another-name', 1);
   */
  prepLink(oldpath: PathLike, newpath: PathLike, userData: UserData): boolean;

  /**
   * Queue the reading of an extended attribute of a path into `value`. Completes with the bytes of its value, `-ERANGE`
   * when `value` is too small, `-ENODATA` when there is none. An empty `value` only asks for the size.
   *
   * `value` is lent to the kernel until the completion is reaped.
   *
   * Kernel 5.19. Counterpart of io_uring_prep_getxattr(3); like getxattr(2).
   * @param name `'user.mime_type'` and so on; copied
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepGetxattr('/tmp/file', 'user.comment', buffer, 1);
   */
  prepGetxattr(path: PathLike, name: string, value: Lendable, userData: UserData): boolean;

  /**
   * Queue the setting of an extended attribute of a path to all of `value`. Completes with 0 or `-errno`.
   *
   * `value` is lent to the kernel until the completion is reaped.
   *
   * Kernel 5.19. Counterpart of io_uring_prep_setxattr(3); like setxattr(2).
   * @param options.flags XATTR_CREATE, XATTR_REPLACE
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
   * @example
   * ring.prepSetxattr('/tmp/file', 'user.comment', Buffer.from('mine'), 1);
   */
  prepSetxattr(
    path: PathLike,
    name: string,
    value: Lendable,
    userData: UserData,
    options?: { flags?: number },
  ): boolean;

  /**
   * {@link prepGetxattr} of an open file.
   *
   * Kernel 5.19. Counterpart of io_uring_prep_fgetxattr(3); like fgetxattr(2).
   * @example
   * ring.prepFgetxattr(fd, 'user.comment', buffer, 1);
   */
  prepFgetxattr(fd: number, name: string, value: Lendable, userData: UserData): boolean;

  /**
   * {@link prepSetxattr} of an open file.
   *
   * Kernel 5.19. Counterpart of io_uring_prep_fsetxattr(3); like fsetxattr(2).
   * @example
   * ring.prepFsetxattr(fd, 'user.comment', Buffer.from('mine'), 1);
   */
  prepFsetxattr(fd: number, name: string, value: Lendable, userData: UserData, options?: { flags?: number }): boolean;
}

export const pathOperations: PathOperations = {
  prepOpenat(dirfd, path, flags, userData, options) {
    const core = coreOf(this);
    const directory = checkFd('dirfd', dirfd);
    checkUint32('flags', flags);
    const mode = checkInteger('options.mode', options?.mode ?? 0o666, 0, MODE_MAX);
    const index = fileIndex('options.direct', options?.direct);
    if (index !== 0) core.demand(YOUNG_FIELDS.direct);
    const bytes = pathBytes('path', path);
    if (core.isRefused()) return false;
    const address = core.placePath(bytes);
    const queued = core.queue(
      IORING_OP_OPENAT,
      0,
      0,
      directory,
      0,
      0,
      lowWord(address),
      highWord(address),
      mode,
      flags,
      0,
      userData,
      index === 0 ? DESCRIPTOR : undefined,
    );
    if (queued && index !== 0) core.sq.extend(index, 0, 0);
    return queued;
  },

  prepOpen(path, flags, userData, options) {
    return this.prepOpenat(AT_FDCWD, path, flags, userData, options);
  },

  prepOpenat2(dirfd, path, how, userData, options) {
    const core = coreOf(this);
    const directory = checkFd('dirfd', dirfd);
    checkObject('how', how);
    const { flags = 0, mode = 0, resolve = 0 } = how;
    checkInteger('how.flags', flags, 0, Number.MAX_SAFE_INTEGER);
    checkInteger('how.mode', mode, 0, MODE_MAX);
    checkInteger('how.resolve', resolve, 0, Number.MAX_SAFE_INTEGER);
    const index = fileIndex('options.direct', options?.direct);
    if (index !== 0) core.demand(YOUNG_FIELDS.direct);
    if (flags >= 2 ** 32) core.demand(YOUNG_FIELDS.flags64);
    const bytes = pathBytes('path', path);
    if (core.isRefused()) return false;
    const address = core.placePath(bytes);
    const { arena } = core.resources;
    arena.allocate(OPEN_HOW_SIZE);
    const { view, offset } = arena;
    view.setBigUint64(offset + OPEN_HOW.flags, BigInt(flags), true);
    view.setBigUint64(offset + OPEN_HOW.mode, BigInt(mode), true);
    view.setBigUint64(offset + OPEN_HOW.resolve, BigInt(resolve), true);
    const queued = core.queue(
      IORING_OP_OPENAT2,
      0,
      0,
      directory,
      lowWord(arena.address),
      highWord(arena.address),
      lowWord(address),
      highWord(address),
      OPEN_HOW_SIZE,
      0,
      0,
      userData,
      index === 0 ? DESCRIPTOR : undefined,
    );
    if (queued && index !== 0) core.sq.extend(index, 0, 0);
    return queued;
  },

  prepStatx(dirfd, path, flags, mask, statx, userData) {
    const core = coreOf(this);
    const directory = checkFd('dirfd', dirfd);
    checkUint32('flags', flags);
    checkUint32('mask', mask);
    const { memory } = core;
    memory.findWhole(memoryOfStatx(statx));
    const { addressLow, addressHigh } = memory;
    const bytes = pathBytes('path', path);
    if (core.isRefused()) return false;
    const address = core.placePath(bytes);
    return core.queue(
      IORING_OP_STATX,
      0,
      0,
      directory,
      addressLow,
      addressHigh,
      lowWord(address),
      highWord(address),
      mask,
      flags,
      0,
      userData,
      statx,
    );
  },

  prepRenameat(olddirfd, oldpath, newdirfd, newpath, userData, options) {
    const flags = checkFlags('options.flags', options?.flags);
    return twoPaths(coreOf(this), IORING_OP_RENAMEAT, olddirfd, oldpath, newdirfd, newpath, flags, userData);
  },

  prepRename(oldpath, newpath, userData) {
    return this.prepRenameat(AT_FDCWD, oldpath, AT_FDCWD, newpath, userData);
  },

  prepUnlinkat(dirfd, path, flags, userData) {
    const directory = checkFd('dirfd', dirfd);
    checkUint32('flags', flags);
    return onePath(coreOf(this), IORING_OP_UNLINKAT, directory, path, 0, flags, userData);
  },

  prepUnlink(path, userData) {
    return this.prepUnlinkat(AT_FDCWD, path, 0, userData);
  },

  prepMkdirat(dirfd, path, mode, userData) {
    const directory = checkFd('dirfd', dirfd);
    checkInteger('mode', mode, 0, MODE_MAX);
    return onePath(coreOf(this), IORING_OP_MKDIRAT, directory, path, mode, 0, userData);
  },

  prepMkdir(path, mode, userData) {
    return this.prepMkdirat(AT_FDCWD, path, mode, userData);
  },

  prepSymlinkat(target, newdirfd, linkpath, userData) {
    const core = coreOf(this);
    const directory = checkFd('newdirfd', newdirfd);
    const paths = [pathBytes('target', target), pathBytes('linkpath', linkpath)];
    if (core.isRefused()) return false;
    const [first, second] = paths.map((bytes) => core.placePath(bytes));
    return core.queue(
      IORING_OP_SYMLINKAT,
      0,
      0,
      directory,
      lowWord(second),
      highWord(second),
      lowWord(first),
      highWord(first),
      0,
      0,
      0,
      userData,
      undefined,
    );
  },

  prepSymlink(target, linkpath, userData) {
    return this.prepSymlinkat(target, AT_FDCWD, linkpath, userData);
  },

  prepLinkat(olddirfd, oldpath, newdirfd, newpath, flags, userData) {
    checkUint32('flags', flags);
    return twoPaths(coreOf(this), IORING_OP_LINKAT, olddirfd, oldpath, newdirfd, newpath, flags, userData);
  },

  prepLink(oldpath, newpath, userData) {
    return this.prepLinkat(AT_FDCWD, oldpath, AT_FDCWD, newpath, 0, userData);
  },

  prepGetxattr(path, name, value, userData) {
    return attribute(coreOf(this), IORING_OP_GETXATTR, 0, path, name, value, 0, userData);
  },

  prepSetxattr(path, name, value, userData, options) {
    const flags = checkFlags('options.flags', options?.flags);
    return attribute(coreOf(this), IORING_OP_SETXATTR, 0, path, name, value, flags, userData);
  },

  prepFgetxattr(fd, name, value, userData) {
    return attribute(coreOf(this), IORING_OP_FGETXATTR, checkFd('fd', fd), undefined, name, value, 0, userData);
  },

  prepFsetxattr(fd, name, value, userData, options) {
    const flags = checkFlags('options.flags', options?.flags);
    return attribute(coreOf(this), IORING_OP_FSETXATTR, checkFd('fd', fd), undefined, name, value, flags, userData);
  },
};

function attribute(
  core: RingCore,
  opcode: number,
  fd: number,
  path: PathLike | undefined,
  name: string,
  value: Lendable,
  flags: number,
  userData: UserData,
): boolean {
  const { memory } = core;
  const length = memory.findWhole(value, 'value');
  if (length > XATTR_SIZE_MAX) throw outOfRange('value.byteLength', `<= ${XATTR_SIZE_MAX}`, length);
  const low = memory.addressLow;
  const high = memory.addressHigh;
  if (typeof name !== 'string') throw wrongType('name', 'of type string', name);
  const names = [pathBytes('name', name)];
  if (opcode === IORING_OP_GETXATTR || opcode === IORING_OP_SETXATTR) names.push(pathBytes('path', path as PathLike));
  if (core.isRefused()) return false;
  const [nameAddress, pathAddress = 0] = names.map((bytes) => core.placePath(bytes));
  const queued = core.queue(
    opcode,
    0,
    0,
    fd,
    low,
    high,
    lowWord(nameAddress),
    highWord(nameAddress),
    length,
    flags,
    0,
    userData,
    value,
  );
  if (queued && pathAddress !== 0) core.sq.extend(0, lowWord(pathAddress), highWord(pathAddress));
  return queued;
}

function onePath(
  core: RingCore,
  opcode: number,
  dirfd: number,
  path: PathLike,
  len: number,
  flags: number,
  userData: UserData,
): boolean {
  const bytes = pathBytes('path', path);
  if (core.isRefused()) return false;
  const address = core.placePath(bytes);
  return core.queue(
    opcode,
    0,
    0,
    dirfd,
    0,
    0,
    lowWord(address),
    highWord(address),
    len,
    flags,
    0,
    userData,
    undefined,
  );
}

function twoPaths(
  core: RingCore,
  opcode: number,
  olddirfd: number,
  oldpath: PathLike,
  newdirfd: number,
  newpath: PathLike,
  flags: number,
  userData: UserData,
): boolean {
  const from = checkFd('olddirfd', olddirfd);
  const to = checkFd('newdirfd', newdirfd);
  const paths = [pathBytes('oldpath', oldpath), pathBytes('newpath', newpath)];
  if (core.isRefused()) return false;
  const [first, second] = paths.map((bytes) => core.placePath(bytes));
  return core.queue(
    opcode,
    0,
    0,
    from,
    lowWord(second),
    highWord(second),
    lowWord(first),
    highWord(first),
    to,
    flags,
    0,
    userData,
    undefined,
  );
}

/** The kernel's limit on an attribute's value. */
const XATTR_SIZE_MAX = 65536;
