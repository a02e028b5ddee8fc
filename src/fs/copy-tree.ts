import type { CopyOptions, Dirent, PathLike, Stats } from 'node:fs';
import { dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { copiesTreesAtOnce } from '../native/runtime.ts';
import { Directories } from './directories.ts';
import { mkdir, symlink } from './path-operations.ts';
import { node } from './node-promises.ts';
import { plainPath } from './plain-arguments.ts';
import { ringForPaths } from './ring-or-node.ts';
import { lstat } from './stat.ts';

/** With other options the order in which things are done can be seen, or what is done depends on the version. */
const PLAIN_OPTIONS = new Set(['recursive', 'force', 'errorOnExist', 'verbatimSymlinks']);

/**
 * `cp`. A directory that is copied to where nothing is goes through the ring, with many operations in flight, unless
 * Node has a way of its own that is the faster one. The rest is Node's.
 */
export const cp = async function cp(src: PathLike, dest: PathLike, options?: CopyOptions): Promise<void> {
  const isServed = !copiesTreesAtOnce() && ringForPaths() !== undefined && arePlain(options);
  const from = isServed ? plainPath(src) : undefined;
  const to = isServed ? plainPath(dest) : undefined;
  if (typeof from === 'string' && typeof to === 'string' && !hasDots(from) && !hasDots(to)) {
    const tree = await treeOf(from, to);
    if (tree !== undefined) return new TreeCopy(options!).directory(from, to, tree.mode);
  }
  return node.cp(src as string, dest as string, options);
} as typeof node.cp;

function arePlain(options: unknown): boolean {
  if (typeof options !== 'object' || options === null) return false;
  if (!(options as CopyOptions).recursive) return false;
  return Object.entries(options).every(
    ([name, value]) => PLAIN_OPTIONS.has(name) && typeof value === 'boolean',
  );
}

/**
 * Has it a `.` or `..` that is not at its beginning? What a `..` behind a link is depends on who reads it, the kernel
 * or `node:path`; Node asks now one, now the other.
 */
function hasDots(path: string): boolean {
  return /(^|\/)\.\.?(\/|$)/.test(path.replace(/^(\.\.?\/+)+/, ''));
}

/** A directory, if that is what is copied, to a new name that is not within itself. */
async function treeOf(from: string, to: string): Promise<Stats | undefined> {
  try {
    const status = await lstat(from);
    if (!status.isDirectory()) return undefined;
    // By what they are, not by what they are called: links may lead anywhere.
    const [source, above] = await Promise.all([node.realpath(from), node.realpath(dirname(resolve(to)))]);
    if (`${above}${sep}`.startsWith(source === sep ? sep : `${source}${sep}`)) return undefined;
    const there = await lstat(to).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
    );
    return there ? undefined : status;
  } catch {
    return undefined;
  }
}

class TreeCopy {
  readonly #options: CopyOptions;
  readonly #directories = new Directories();
  /** Something has gone wrong: nothing more is begun. */
  #isOver = false;

  constructor(options: CopyOptions) {
    this.#options = options;
  }

  async directory(from: string, to: string, mode: number): Promise<void> {
    await mkdir(to);
    await this.#directories.forEach(from, async (entry) => {
      if (this.#isOver) return;
      try {
        await this.#entry(entry, join(from, entry.name), join(to, entry.name));
      } catch (error) {
        this.#isOver = true;
        throw error;
      }
    });
    await node.chmod(to, mode);
  }

  async #entry(entry: Dirent, from: string, to: string): Promise<void> {
    if (entry.isDirectory()) return this.directory(from, to, (await lstat(from)).mode);
    if (entry.isFile()) return node.copyFile(from, to);
    // Node knows what to say of sockets and the like.
    if (!entry.isSymbolicLink()) return node.cp(from, to, this.#options);
    const target = await node.readlink(from);
    const isKept = this.#options.verbatimSymlinks || isAbsolute(target);
    return symlink(isKept ? target : resolve(dirname(from), target), to);
  }
}
