import { cp } from './copy-tree.ts';
import type { Open } from './hot-file-handle.ts';
import { link, mkdir, rename, rmdir, symlink, unlink } from './path-operations.ts';
import { node } from './node-promises.ts';
import { open } from './open.ts';
import { readFile } from './read-file.ts';
import { rm } from './remove.ts';
import { lstat, stat } from './stat.ts';
import { truncate } from './truncate.ts';
import { appendFile, writeFile } from './write-file.ts';

const throughRing = {
  appendFile,
  cp,
  link,
  lstat,
  mkdir,
  open,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  truncate,
  unlink,
  writeFile,
};
// How many arguments a function says it takes differs from version to version.
for (const [name, call] of Object.entries(throughRing)) {
  const { length } = (node as unknown as Record<string, { length: number }>)[name];
  Object.defineProperty(call, 'length', { value: length });
}

/** Every name that `node:fs/promises` has in this version of Node; those that stand here go through the ring. */
export const promises: Omit<typeof node, 'open'> & { open: Open } = {
  ...node,
  ...throughRing,
};
