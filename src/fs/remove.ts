import type { PathLike } from 'node:fs';
import type { RmOptions } from 'node:fs';
import { AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, STATX_TYPE } from '../abi/file-flags.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { Admission } from './admission.ts';
import { node } from './node-promises.ts';
import { plainPath } from './plain-arguments.ts';
import { ringForPaths } from './ring-or-node.ts';

/** So many directories are listed at the same time. */
const LISTED_MAX = 16;

/**
 * `rm`. Trees are removed with many operations in flight. Whatever is in the way is left to Node, which begins with what is left:
 * its retries, and its errors.
 */
export function rm(path: PathLike, options?: RmOptions): Promise<void> {
  const io = ringForPaths();
  const name = io && plainPath(path);
  const byNode = (): Promise<void> => node.rm(path, options);
  const { force = false, recursive = false } = options ?? {};
  const isPlain = typeof force === 'boolean' && typeof recursive === 'boolean' && typeof name === 'string';
  return io === undefined || !isPlain || options === null ? byNode() : remove(io, name, recursive, byNode);
}

async function remove(io: Reactor, path: string, recursive: boolean, byNode: () => Promise<void>): Promise<void> {
  try {
    const status = await io.statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE);
    if (!status.isDirectory()) return await io.unlink(path);
    if (recursive) return await new Removal(io).tree(path);
  } catch {
    // Node finds the same, and says so.
  }
  return byNode();
}

/** The removal of a tree: the contents of a directory at once, and then itself. */
class Removal {
  readonly #io: Reactor;
  readonly #lists = new Admission(LISTED_MAX);

  constructor(io: Reactor) {
    this.#io = io;
  }

  async tree(path: string): Promise<void> {
    const entries = await this.#lists.admit(() => node.readdir(path, { withFileTypes: true }));
    const prefix = path.endsWith('/') ? path : `${path}/`;
    const gone = entries.map((entry) => {
      const name = prefix + entry.name;
      return entry.isDirectory() ? this.tree(name) : this.#io.unlink(name);
    });
    const outcomes = await Promise.allSettled(gone);
    const failed = outcomes.find(({ status }) => status === 'rejected');
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
    await this.#io.unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
  }
}
