/**
 * `iouring/fs`: `node:fs/promises` through the ring. Change one import; names, arguments, results and errors stay the
 * same. What io_uring has no operation for is Node's: see `passed-through.ts`. Where there is no io_uring, everything
 * is.
 * @example
 * import { readFile } from 'iouring/fs'; // was: 'node:fs/promises'
 *
 * console.log(await readFile('/etc/hostname', 'utf8'));
 */
import type { FileHandle } from 'node:fs/promises';
import { promises } from './promises.ts';

type Promises = typeof promises;
/** A name that not every version of Node has: undefined where it is missing, and in types that are older. */
type OfNode<K extends string> = K extends keyof Promises ? Promises[K] : undefined;
const ofNode = <K extends string>(name: K): OfNode<K> => (promises as Record<string, unknown>)[name] as OfNode<K>;

export default promises;
export const {
  access,
  appendFile,
  chmod,
  chown,
  constants,
  copyFile,
  cp,
  lchmod,
  lchown,
  link,
  lstat,
  lutimes,
  mkdir,
  mkdtemp,
  open,
  opendir,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  statfs,
  symlink,
  truncate,
  unlink,
  utimes,
  watch,
  writeFile,
} = promises;
export const glob: OfNode<'glob'> = ofNode('glob');
export const mkdtempDisposable: OfNode<'mkdtempDisposable'> = ofNode('mkdtempDisposable');
export type { FileHandle };

// Beyond Node.
export { readFiles, statMany } from './many.ts';
export type { HotFileHandle, OpenOptions } from './hot-file-handle.ts';
export type { ManyFilesOptions, PathResult } from './many.ts';
