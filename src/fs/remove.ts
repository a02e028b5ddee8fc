import type { PathLike } from 'node:fs';
import type { RmOptions } from 'node:fs';
import { ENOTEMPTY } from '../abi/errno.ts';
import { AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, STATX_TYPE } from '../abi/file-flags.ts';
import { IORING_OP_UNLINKAT } from '../abi/operations.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { Directories } from './directories.ts';
import { node } from './node-promises.ts';
import { plainPath } from './plain-arguments.ts';
import { ringForPaths } from './ring-or-node.ts';

/**
 * `rm`. Trees are removed with many operations in flight. Whatever is in the way is left to Node, which begins with
 * what is left: its retries, and its errors.
 */
export function rm(path: PathLike, options?: RmOptions): Promise<void> {
  const io = ringForPaths(IORING_OP_UNLINKAT);
  const name = io && plainPath(path);
  const byNode = (): Promise<void> => node.rm(path, options);
  if (io === undefined || typeof name !== 'string' || !isPlain(options)) return byNode();
  return remove(io, name, options?.recursive ?? false, byNode);
}

/** Without anything that Node would refuse. */
function isPlain(options: unknown): options is RmOptions | undefined {
  if (options === undefined) return true;
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return false;
  return Object.entries(options).every(([name, value]) => {
    if (name === 'force' || name === 'recursive') return typeof value === 'boolean';
    return Number.isInteger(value) && value >= 0 && value < 2 ** 31;
  });
}

async function remove(io: Reactor, path: string, recursive: boolean, byNode: () => Promise<void>): Promise<void> {
  try {
    const status = await io.statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE);
    if (!status.isDirectory()) return await io.unlink(path);
    if (recursive) {
      // Nothing is touched if it cannot be removed whatever it holds: the working directory by the name of `.`.
      const isFull = await io.unlinkat(AT_FDCWD, path, AT_REMOVEDIR).then(
        () => undefined,
        ({ errno }: NodeJS.ErrnoException) => errno === -ENOTEMPTY,
      );
      if (isFull === undefined) return;
      if (isFull) return await new Removal(io).tree(path);
    }
  } catch {
    // Node finds the same, and says so.
  }
  return byNode();
}

/** The removal of a tree: the contents of a directory at once, and then itself. */
class Removal {
  readonly #io: Reactor;
  readonly #directories = new Directories();

  constructor(io: Reactor) {
    this.#io = io;
  }

  async tree(path: string): Promise<void> {
    const prefix = path.endsWith('/') ? path : `${path}/`;
    await this.#directories.forEach(path, (entry) => {
      const name = prefix + entry.name;
      return entry.isDirectory() ? this.tree(name) : this.#io.unlink(name);
    });
    await this.#io.unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
  }
}
