/** Calls that do something with the names of files in one operation. Those that the ring does not serve are Node's. */
import type { PathLike } from 'node:fs';
import { AT_FDCWD, AT_REMOVEDIR } from '../abi/file-flags.ts';
import {
  IORING_OP_LINKAT,
  IORING_OP_MKDIRAT,
  IORING_OP_RENAMEAT,
  IORING_OP_SYMLINKAT,
  IORING_OP_UNLINKAT,
} from '../abi/operations.ts';
import { node } from './node-promises.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import { isObject, modeMisuse, plainMode, plainPath, type PlainPath } from './plain-arguments.ts';
import { ringForPaths } from './ring-or-node.ts';
import { makeDirectories } from './make-directories.ts';

const RMDIR = ownOptions({ syscall: 'rmdir' });

export function rename(oldPath: PathLike, newPath: PathLike): Promise<void> {
  const io = ringForPaths(IORING_OP_RENAMEAT);
  const from = io && fullPath(oldPath);
  const to = io && fullPath(newPath);
  if (io === undefined || from === undefined || to === undefined) return node.rename(oldPath, newPath);
  return io.rename(from, to);
}

export function unlink(path: PathLike): Promise<void> {
  const io = ringForPaths(IORING_OP_UNLINKAT);
  const name = io && plainPath(path);
  return io === undefined || name === undefined ? node.unlink(path) : io.unlink(name);
}

export function rmdir(path: PathLike, options?: Parameters<typeof node.rmdir>[1]): Promise<void> {
  const io = ringForPaths(IORING_OP_UNLINKAT);
  const name = io && plainPath(path);
  // What the options once meant depends on the version.
  if (io === undefined || name === undefined || options !== undefined) return node.rmdir(path, options);
  return io.unlinkat(AT_FDCWD, name, AT_REMOVEDIR, RMDIR);
}

export function link(existingPath: PathLike, newPath: PathLike): Promise<void> {
  const io = ringForPaths(IORING_OP_LINKAT);
  const from = io && fullPath(existingPath);
  const to = io && fullPath(newPath);
  if (io === undefined || from === undefined || to === undefined) return node.link(existingPath, newPath);
  return io.link(from, to);
}

export function symlink(target: PathLike, path: PathLike, type?: string | null): Promise<void> {
  const io = ringForPaths(IORING_OP_SYMLINKAT);
  const to = io && fullPath(target);
  const name = io && fullPath(path);
  // Which kind of link it is means something on Windows only.
  const isKind = type === undefined || type === null || type === 'dir' || type === 'file' || type === 'junction';
  if (io === undefined || !isKind || to === undefined || name === undefined) {
    return node.symlink(target, path, type);
  }
  return io.symlink(to, name);
}

export const mkdir = function mkdir(path: PathLike, options?: unknown): Promise<string | undefined> {
  const io = ringForPaths(IORING_OP_MKDIRAT);
  const name = io && plainPath(path);
  const { mode, recursive = false } = (isObject(options) ? options : ownOptions({ mode: options })) as Record<
    string,
    unknown
  >;
  const permissions = plainMode(mode, 0o777);
  if (io === undefined || name === undefined || permissions === undefined) {
    const misuse = modeMisuse(mode);
    if (misuse !== undefined) return Promise.reject(misuse);
    return node.mkdir(path, options as { recursive: true });
  }
  if (recursive === true) {
    return makeDirectories(io, name, permissions, () => node.mkdir(path, options as { recursive: true }));
  }
  if (recursive !== false) return node.mkdir(path, options as { recursive: true });
  return io.mkdir(name, permissions) as Promise<undefined>;
} as typeof node.mkdir;

/** One that is not empty: io_uring refuses those before it has looked at the other path, which may be wrong as well. */
function fullPath(path: unknown): PlainPath | undefined {
  const name = plainPath(path);
  return name?.length === 0 ? undefined : name;
}
