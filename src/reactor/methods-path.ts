import { AT_EMPTY_PATH, AT_FDCWD, STATX_BASIC_STATS } from '../abi/file-flags.ts';
import type { Lendable } from '../ring/lent-memory.ts';
import type { OpenHow } from '../ring/prepare-path.ts';
import type { PathLike } from '../ring/sqe.ts';
import { Statx } from '../ring/statx.ts';
import { run, withCloexec, type DescriptorOptions } from './methods.ts';
import { FileMethods } from './methods-file.ts';
import { DESCRIPTOR, FilledIn, NOTHING, NUMBER, type OperationOptions } from './operation.ts';

/** For the layers on top, which do not look further down. */
export { Statx };

/** Operations on paths. A relative one begins at the descriptor of a directory, or with AT_FDCWD at the working directory. */
export abstract class PathMethods extends FileMethods {
  /**
   * Open a file. O_CLOEXEC is set unless `options.cloexec` is false: programs that are started do not inherit the descriptor.
   *
   * Kernel 5.6. See {@link IoUring.prepOpenat}; like openat(2).
   * @param flags O_* bits, such as `fs.constants.O_RDONLY`
   * @param options.mode of a file that is created; default 0o666, less the umask
   * @returns its descriptor
   */
  openat(
    dirfd: number,
    path: PathLike,
    flags: number,
    options?: DescriptorOptions & { mode?: number },
  ): Promise<number> {
    return this.#open('openat', dirfd, path, flags, options);
  }

  /** {@link openat} from the working directory; like open(2). */
  open(path: PathLike, flags: number, options?: DescriptorOptions & { mode?: number }): Promise<number> {
    return this.#open('open', AT_FDCWD, path, flags, options);
  }

  #open(
    name: string,
    dirfd: number,
    path: PathLike,
    flags: number,
    options: (DescriptorOptions & { mode?: number }) | undefined,
  ): Promise<number> {
    const more = { mode: options?.mode ?? 0o666, direct: undefined } as { mode: number };
    return run(
      this,
      name,
      -1,
      options,
      (ring, slot) => ring.prepOpenat(dirfd, path, withCloexec(flags, options), slot, more),
      DESCRIPTOR,
      { path },
    );
  }

  /**
   * Open a file under conditions: {@link OpenHow}. O_CLOEXEC is set unless `options.cloexec` is false. Kernel 5.6. See
   * {@link IoUring.prepOpenat2}; like openat2(2).
   */
  openat2(dirfd: number, path: PathLike, how: OpenHow, options?: DescriptorOptions): Promise<number> {
    return run(
      this,
      'openat2',
      -1,
      options,
      (ring, slot) => ring.prepOpenat2(dirfd, path, closedOnExec(how, options), slot),
      DESCRIPTOR,
      { path },
    );
  }

  /**
   * The status of a file; with AT_EMPTY_PATH and an empty path that of `dirfd` itself.
   *
   * Kernel 5.6. See {@link IoUring.prepStatx}; like statx(2).
   * @param flags AT_* bits: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, …
   * @param mask STATX_* bits: what is wanted; default all that stat(2) tells
   * @param options.into an object to fill in and return instead of a new one: not to be looked at meanwhile
   */
  statx(
    dirfd: number,
    path: PathLike,
    flags = 0,
    mask: number = STATX_BASIC_STATS,
    options?: OperationOptions & { into?: Statx | undefined },
  ): Promise<Statx> {
    const statx = options?.into ?? new Statx();
    return run(
      this,
      'statx',
      -1,
      options,
      (ring, slot) => ring.prepStatx(dirfd, path, flags, mask, statx, slot),
      new FilledIn(statx, false),
      (flags & AT_EMPTY_PATH) !== 0 && path === '' ? undefined : { path },
    );
  }

  /** Kernel 5.11. See {@link IoUring.prepRenameat}; like renameat2(2). */
  renameat(
    olddirfd: number,
    oldpath: PathLike,
    newdirfd: number,
    newpath: PathLike,
    options?: OperationOptions & { flags?: number },
  ): Promise<void> {
    const more = { flags: options?.flags ?? 0 };
    return run(
      this,
      'renameat',
      -1,
      options,
      (ring, slot) => ring.prepRenameat(olddirfd, oldpath, newdirfd, newpath, slot, more),
      NOTHING,
      { path: oldpath, dest: newpath },
    );
  }

  /** {@link renameat} from the working directory; like rename(2). */
  rename(oldpath: PathLike, newpath: PathLike, options?: OperationOptions): Promise<void> {
    return run(this, 'rename', -1, options, (ring, slot) => ring.prepRename(oldpath, newpath, slot), NOTHING, {
      path: oldpath,
      dest: newpath,
    });
  }

  /** Kernel 5.11. With AT_REMOVEDIR it removes an empty directory. See {@link IoUring.prepUnlinkat}. */
  unlinkat(dirfd: number, path: PathLike, flags = 0, options?: OperationOptions): Promise<void> {
    return run(this, 'unlinkat', -1, options, (ring, slot) => ring.prepUnlinkat(dirfd, path, flags, slot), NOTHING, {
      path,
    });
  }

  /** {@link unlinkat} of a file from the working directory; like unlink(2). */
  unlink(path: PathLike, options?: OperationOptions): Promise<void> {
    return run(this, 'unlink', -1, options, (ring, slot) => ring.prepUnlink(path, slot), NOTHING, { path });
  }

  /** Kernel 5.15. See {@link IoUring.prepMkdirat}. */
  mkdirat(dirfd: number, path: PathLike, mode = 0o777, options?: OperationOptions): Promise<void> {
    return run(this, 'mkdirat', -1, options, (ring, slot) => ring.prepMkdirat(dirfd, path, mode, slot), NOTHING, {
      path,
    });
  }

  /** {@link mkdirat} from the working directory; like mkdir(2). */
  mkdir(path: PathLike, mode = 0o777, options?: OperationOptions): Promise<void> {
    return run(this, 'mkdir', -1, options, (ring, slot) => ring.prepMkdir(path, mode, slot), NOTHING, { path });
  }

  /** Kernel 5.15. See {@link IoUring.prepSymlinkat}. */
  symlinkat(target: PathLike, newdirfd: number, linkpath: PathLike, options?: OperationOptions): Promise<void> {
    return run(
      this,
      'symlinkat',
      -1,
      options,
      (ring, slot) => ring.prepSymlinkat(target, newdirfd, linkpath, slot),
      NOTHING,
      { path: target, dest: linkpath },
    );
  }

  /** {@link symlinkat} from the working directory; like symlink(2). */
  symlink(target: PathLike, linkpath: PathLike, options?: OperationOptions): Promise<void> {
    return run(this, 'symlink', -1, options, (ring, slot) => ring.prepSymlink(target, linkpath, slot), NOTHING, {
      path: target,
      dest: linkpath,
    });
  }

  /** Kernel 5.15. See {@link IoUring.prepLinkat}. */
  linkat(
    olddirfd: number,
    oldpath: PathLike,
    newdirfd: number,
    newpath: PathLike,
    flags = 0,
    options?: OperationOptions,
  ): Promise<void> {
    return run(
      this,
      'linkat',
      -1,
      options,
      (ring, slot) => ring.prepLinkat(olddirfd, oldpath, newdirfd, newpath, flags, slot),
      NOTHING,
      { path: oldpath, dest: newpath },
    );
  }

  /** Give a file another name; like link(2). Kernel 5.15. */
  link(oldpath: PathLike, newpath: PathLike, options?: OperationOptions): Promise<void> {
    return run(this, 'link', -1, options, (ring, slot) => ring.prepLink(oldpath, newpath, slot), NOTHING, {
      path: oldpath,
      dest: newpath,
    });
  }

  /**
   * Read an extended attribute into `value`. Kernel 5.19. See {@link IoUring.prepGetxattr}; like getxattr(2).
   * @returns the bytes of the attribute; of an empty `value` those it would have
   */
  getxattr(path: PathLike, name: string, value: Lendable, options?: OperationOptions): Promise<number> {
    return run(this, 'getxattr', -1, options, (ring, slot) => ring.prepGetxattr(path, name, value, slot), NUMBER, {
      path,
    });
  }

  /** Set an extended attribute. Kernel 5.19. See {@link IoUring.prepSetxattr}; like setxattr(2). */
  setxattr(
    path: PathLike,
    name: string,
    value: Lendable,
    options?: OperationOptions & { flags?: number },
  ): Promise<void> {
    const more = { flags: options?.flags ?? 0 };
    return run(
      this,
      'setxattr',
      -1,
      options,
      (ring, slot) => ring.prepSetxattr(path, name, value, slot, more),
      NOTHING,
      { path },
    );
  }

  /** {@link getxattr} of an open file. */
  fgetxattr(fd: number, name: string, value: Lendable, options?: OperationOptions): Promise<number> {
    return run(this, 'fgetxattr', fd, options, (ring, slot) => ring.prepFgetxattr(fd, name, value, slot), NUMBER);
  }

  /** {@link setxattr} of an open file. */
  fsetxattr(
    fd: number,
    name: string,
    value: Lendable,
    options?: OperationOptions & { flags?: number },
  ): Promise<void> {
    const more = { flags: options?.flags ?? 0 };
    return run(
      this,
      'fsetxattr',
      fd,
      options,
      (ring, slot) => ring.prepFsetxattr(fd, name, value, slot, more),
      NOTHING,
    );
  }
}

/** A value that is no object is left to the ring to refuse. */
function closedOnExec(how: OpenHow, options: DescriptorOptions | undefined): OpenHow {
  if (typeof how !== 'object' || how === null) return how;
  const { flags = 0, mode, resolve } = how;
  return { flags: withCloexec(flags, options), mode, resolve } as OpenHow;
}
