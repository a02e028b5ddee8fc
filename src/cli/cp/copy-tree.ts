import { randomBytes } from 'node:crypto';
import {
  chownSync,
  constants,
  fstatSync,
  lchownSync,
  lstatSync,
  type BigIntStats,
  type Dirent,
  type Stats,
} from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { AT_FDCWD, RENAME_NOREPLACE } from '../../abi/index.ts';
import { How, Mode, RenameFlags, type CopyCalls } from './copy-calls.ts';
import { CopyContents, SMALL, STOPPED } from './copy-contents.ts';
import { descriptorPath } from '../descriptor-path.ts';
import { join, nameOf, pathed, pathOf, told, type Path, type Place } from './copy-place.ts';
import { O_CLOEXEC, O_PATH, READ_DIRECTORY } from '../open-flags.ts';
import {
  allowed,
  attributesOf,
  DEFAULT_ACL,
  isAcl,
  isOwnedAs,
  PERMISSIONS,
  removeInherited,
  setStatus,
  type Made,
} from './copy-status.ts';
import { Limit } from '../../reactor/limit.ts';
import { BIGINT, IF_ANY } from '../call-options.ts';

/** A path that could not be copied, and why. */
export interface CopyFailure {
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = constants;
const DIRECTORY = READ_DIRECTORY | O_NOFOLLOW;
/** A directory whose names are used, and nothing else of it: it need not be readable. */
const NAMES_ONLY = O_PATH | O_DIRECTORY | O_CLOEXEC;
const SET_GROUP_ID = 0o2000;
const FOR_ALL = 0o777;
const FOR_OWNER = 0o700;
const READ_AND_WRITE = 0o600;
/** The tree itself, from its root on. */
const ROOT = '.';
const CLOSED = -1;
/** A mode that none is the same as. */
const UNKNOWN = -1;

/** So many directories are being worked on at the same time. */
export const DIRECTORIES = 16;

/**
 * A tree that is being copied, or the directory that a single file is copied to. Everything in it is found from its
 * root.
 */
interface Tree {
  /** The copy's path, as the user knows it. */
  readonly path: string;
  /** Descriptors of both roots; closed when the tree is done. */
  readonly source: number;
  copy: number;
  /** It is made under a name that nobody looks for, and nobody else may enter it: what is in it needs no other name. */
  readonly isFresh: boolean;
}

interface Directory {
  readonly tree: Tree;
  readonly from: Path;
  readonly to: Path;
  /** From the root of its tree. */
  readonly below: Path;
  readonly parent: Directory | undefined;
  /** Descriptors, while something is done in it. */
  source: number;
  copy: number;
  isForNamesOnly: boolean;
  /** The copy's status before its own is set; undefined in a fresh tree. */
  there: Stats | undefined;
  isNew: boolean;
  hasAcl: boolean;
  /** The group of what is made in it. */
  group: number;
  /** Files that are made in it inherit an ACL. */
  hasDefaultAcl: boolean;
  status: BigIntStats | undefined;
  /** How much is not done yet: its own entries count as one, and each directory in it. */
  pending: number;
}

/** A file that has several names was copied under this one. */
interface Linked {
  readonly directory: Directory;
  readonly name: Path;
}

/**
 * Copies trees with many operations in flight, as `cp -a` does: kinds, modes, owners where that is allowed, times to
 * the nanosecond, symbolic and hard links, holes, extended attributes. Nothing has its name before it is complete: a
 * tree that is new is made under another one, and so is each file of one that is there already. What cannot be copied
 * is noted, and the rest goes on.
 */
export class TreeCopy {
  readonly failures: CopyFailure[] = [];
  files = 0;
  directories = 0;
  symlinks = 0;
  bytes = 0;
  /** Found so far: what there is to do. */
  readonly found = { files: 0, bytes: 0 };
  isStopping = false;
  readonly #io: CopyCalls;
  readonly #files: Limit;
  readonly #contents: CopyContents;
  readonly #stack: Directory[] = [];
  #working = 0;
  #whenDone: (() => void) | undefined;
  /** By device and inode. */
  readonly #linked = new Map<string, Promise<Linked | undefined>>();
  readonly #directories: number;
  readonly #umask = process.umask();
  readonly #uid = process.geteuid!();
  readonly #gid = process.getegid!();

  /**
   * @param filesAtOnce how many are open at the same time, each with its copy
   * @param directoriesAtOnce and how many directories
   */
  constructor(io: CopyCalls, filesAtOnce: number, directoriesAtOnce = DIRECTORIES) {
    this.#io = io;
    this.#contents = new CopyContents(io, this);
    this.#files = new Limit(filesAtOnce);
    this.#directories = directoriesAtOnce;
  }

  /** Nothing more is begun; what is half done is taken away. */
  stop(): void {
    this.isStopping = true;
  }

  /** Copy one file or tree to a path. */
  async copy(from: string, to: string): Promise<void> {
    await this.#noting(from, async () => {
      const status = lstatSync(from, BIGINT);
      const parent = await told(dirname(to), this.#io.open(dirname(to), NAMES_ONLY));
      try {
        if (status.isDirectory()) await this.#copyTree(from, to, parent);
        else await this.#copyOne(kindOf(status), from, to, parent);
      } finally {
        await this.#io.closeFd(parent);
      }
    });
  }

  async #copyOne(kind: Kind, from: string, to: string, parent: number): Promise<void> {
    this.found.files++;
    const tree: Tree = { path: dirname(to), source: CLOSED, copy: parent, isFresh: false };
    const directory = newDirectory(tree, dirname(from), dirname(to), ROOT, undefined);
    await this.#begin(directory, CLOSED, parent, false);
    try {
      await this.#entry(kind, { directory: AT_FDCWD, name: from, path: from }, {
        directory: parent,
        name: basename(to),
        path: to,
      }, directory);
    } finally {
      tree.copy = CLOSED;
    }
  }

  async #copyTree(from: string, to: string, parent: number): Promise<void> {
    const io = this.#io;
    const isFresh = !isThere(to);
    const name = isFresh ? temporaryName() : basename(to);
    if (isFresh) await told(to, io.mkdirat(parent, name, FOR_OWNER));
    // A path may end where no name is: in a dot, or in the root of all.
    const copy =
      await (isFresh ? told(to, io.openat(parent, name, DIRECTORY)) : this.#existing(to, io.open(to, DIRECTORY)));
    const source = await io.open(from, DIRECTORY).catch(async (error: unknown) => {
      await io.closeFd(copy);
      throw error;
    });
    const tree: Tree = { path: to, source, copy, isFresh };
    try {
      await this.#tree(newDirectory(tree, from, to, ROOT, undefined));
      // As far as it came.
      if (isFresh) await told(to, io.renameat(parent, name, parent, basename(to), new RenameFlags(RENAME_NOREPLACE)));
    } finally {
      tree.copy = CLOSED;
      await Promise.all([io.closeFd(source), io.closeFd(copy)]);
    }
  }

  // ---------------------------------------------------------------- directories

  async #tree(root: Directory): Promise<void> {
    this.#stack.push(root);
    await new Promise<void>((resolve) => {
      this.#whenDone = resolve;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#working < this.#directories && this.#stack.length > 0) {
      this.#working++;
      const directory = this.#stack.pop()!;
      void this.#directory(directory).finally(() => {
        this.#working--;
        this.#pump();
      });
    }
    if (this.#working === 0) this.#whenDone?.();
  }

  async #directory(directory: Directory): Promise<void> {
    const { tree, from, to, below } = directory;
    await this.#noting(from, async () => {
      this.#checkStop();
      await this.#open(directory);
      const { source, copy } = directory;
      const status = fstatSync(source, BIGINT);
      const options = { __proto__: null, withFileTypes: true, encoding: 'buffer' };
      const listing = readdir(descriptorPath(source) ?? from, options as never) as unknown as Promise<Dirent<Buffer>[]>;
      const entries = await told(from, listing);
      directory.status = status;
      const copies: Promise<void>[] = [];
      for (const entry of entries) {
        if (this.isStopping) break;
        const name = nameOf(entry.name);
        const [inner, outer] = [join(from, name), join(to, name)];
        if (entry.isDirectory()) {
          directory.pending++;
          this.#stack.push(newDirectory(tree, inner, outer, below === ROOT ? name : join(below, name), directory));
        } else {
          this.found.files++;
          // Waits for room: a directory of millions is not in memory as promises.
          await this.#files.entered();
          const [original, place] = [{ directory: source, name, path: inner }, { directory: copy, name, path: outer }];
          copies.push(this.#entry(kindOf(entry), original, place, directory).finally(() => this.#files.leave()));
        }
      }
      this.#pump();
      await Promise.all(copies);
    });
    // It is needed again when the directories in it are done, which may take long.
    if (directory.pending > 1) await this.#close(directory);
    await this.#finished(directory);
  }

  /** Open a directory, and its copy, which is made if it is not there. */
  async #open(directory: Directory): Promise<void> {
    const [io, { tree, to, below, parent }] = [this.#io, directory];
    if (parent === undefined) {
      await this.#begin(directory, tree.source, tree.copy, tree.isFresh);
      return;
    }
    directory.source = await this.#below(directory, tree.source, READ_DIRECTORY);
    const isNew = await this.#makeDirectory(directory);
    // Where nothing may be read, something may be written all the same.
    const opening = io.openat2(tree.copy, below, new How(READ_DIRECTORY)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EACCES') throw error;
      directory.isForNamesOnly = true;
      return this.#below(directory, tree.copy, NAMES_ONLY);
    });
    await this.#begin(directory, directory.source, await this.#existing(to, opening), isNew);
  }

  /** @returns was it made? */
  async #makeDirectory({ tree, to, below, parent }: Directory): Promise<boolean> {
    const io = this.#io;
    // Files must be allowed to come in, and nobody else to look: its mode follows when it is complete.
    const make = async (above: number, name: Path): Promise<boolean> => {
      try {
        await told(to, io.mkdirat(above, name, FOR_OWNER));
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        return false;
      }
    };
    if (tree.isFresh) return make(tree.copy, below);
    const above = await this.#below(parent!, tree.copy, NAMES_ONLY);
    try {
      return await make(above, below.slice(below.lastIndexOf('/') + 1));
    } finally {
      await io.closeFd(above);
    }
  }

  /** Open a directory from the root of its tree. No part of the way there may be a symbolic link. */
  #below({ from, to, below, tree }: Directory, root: number, flags: number): Promise<number> {
    return told(root === tree.source ? from : to, this.#io.openat2(root, below, new How(flags)));
  }

  async #existing(to: Path, opening: Promise<number>): Promise<number> {
    try {
      return await told(to, opening);
    } catch (error) {
      if (!['ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      throw failure('ENOTDIR', 'a directory cannot replace what is no directory', to);
    }
  }

  /** It is open: see what it is, and what is made in it. */
  async #begin(directory: Directory, source: number, copy: number, isNew: boolean): Promise<void> {
    directory.source = source;
    directory.copy = copy;
    directory.isNew = isNew;
    const { tree, parent } = directory;
    if (tree.isFresh && parent !== undefined) {
      // Nobody else can have been here.
      directory.group = parent.group;
      return;
    }
    const there = fstatSync(copy);
    directory.there = there;
    directory.group = (there.mode & SET_GROUP_ID) === 0 ? this.#gid : there.gid;
    // One that may not be read is looked at by its path.
    const path = source === CLOSED || directory.isForNamesOnly ? descriptorPath(copy) : undefined;
    const acls = attributesOf(this.#io, path === undefined ? copy : `${path}/.`).filter(isAcl);
    if (isNew && acls.length > 0) await removeInherited(this.#io, copy);
    directory.hasAcl = !isNew && acls.length > 0;
    directory.hasDefaultAcl = !isNew && acls.includes(DEFAULT_ACL);
  }

  async #close(directory: Directory): Promise<void> {
    const { source, copy, parent } = directory;
    directory.source = directory.copy = CLOSED;
    // Those of the root belong to its tree.
    if (parent === undefined) return;
    await Promise.all([source, copy].filter((fd) => fd !== CLOSED).map((fd) => this.#io.closeFd(fd)));
  }

  /** One of the things that were to be done in it is. */
  async #finished(directory: Directory): Promise<void> {
    if (--directory.pending > 0) return;
    const { tree, from, status, parent } = directory;
    if (status !== undefined && !this.isStopping) {
      await this.#noting(from, async () => {
        if (parent === undefined) [directory.source, directory.copy] = [tree.source, tree.copy];
        if (directory.isForNamesOnly) await this.#close(directory);
        if (directory.source === CLOSED) {
          directory.source = await this.#below(directory, tree.source, READ_DIRECTORY);
          directory.copy = await this.#below(directory, tree.copy, READ_DIRECTORY);
          this.#checkSame(directory);
        }
        const { source, copy, there, isNew, hasAcl, group } = directory;
        const isOwned = isOwnedAs(status, there?.uid ?? this.#uid, there?.gid ?? group);
        const made: Made = { isOwned, mode: there === undefined ? UNKNOWN : there.mode & PERMISSIONS, isNew, hasAcl };
        await told(directory.to, setStatus(this.#io, source, copy, status, made, attributesOf(this.#io, source)));
        this.directories++;
      });
    }
    await this.#close(directory);
    if (parent !== undefined) await this.#finished(parent);
  }

  /** Is what was opened again what it was? In a tree that nobody else can enter it is. */
  #checkSame({ copy, there, to }: Directory): void {
    if (there === undefined) return;
    const { dev, ino } = fstatSync(copy);
    if (dev !== there.dev || ino !== there.ino) {
      throw failure('ESTALE', 'somebody has put another directory in its place', to);
    }
  }

  // ---------------------------------------------------------------- files and links

  async #entry(kind: Kind, from: Place, to: Place, directory: Directory): Promise<void> {
    await this.#noting(from.path, async () => {
      this.#checkStop();
      if (kind === 'file') await this.#file(from, to, directory);
      else if (kind === 'symlink') await this.#symlink(from, to, directory);
      else throw failure('ENOTSUP', `a ${kind} cannot be copied: make it anew where it is needed`, from.path);
    });
  }

  async #file(from: Place, to: Place, directory: Directory): Promise<void> {
    const io = this.#io;
    // It may have become a pipe meanwhile, which nobody writes to.
    const source = await told(
      from.path,
      io.openat(from.directory, from.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC),
    );
    try {
      const status = fstatSync(source, BIGINT);
      if (!status.isFile()) throw failure('EINVAL', 'it is no regular file any more', from.path);
      this.found.bytes += Number(status.size);
      if (status.nlink === 1n) {
        await this.#copyFile(source, status, to, directory);
      } else {
        const first = await this.#linkTo(
          status,
          from,
          to,
          directory,
          () => this.#copyFile(source, status, to, directory),
        );
        if (!first) this.bytes += Number(status.size);
      }
      this.files++;
    } finally {
      await io.closeFd(source);
    }
  }

  /** A file with several names is copied under the first, and the others are linked to that. Was this the first? */
  async #linkTo(
    { dev, ino }: BigIntStats,
    from: Place,
    to: Place,
    directory: Directory,
    copy: () => Promise<void>,
  ): Promise<boolean> {
    const key = `${dev}:${ino}`;
    const known = this.#linked.get(key);
    if (known === undefined) {
      const copied = copy();
      this.#linked.set(key, copied.then(() => ({ directory, name: to.name }), () => undefined));
      await copied;
      return true;
    }
    const first = await known;
    if (first === undefined) throw failure('ENOENT', 'the first of its names could not be copied', from.path);
    await this.#named(to, directory, (name) => this.#link(first, directory, name));
    return false;
  }

  async #link(
    { directory: { tree, below, copy }, name: first }: Linked,
    directory: Directory,
    name: Path,
  ): Promise<void> {
    const io = this.#io;
    if (tree === directory.tree && below === directory.below) return io.linkat(copy, first, directory.copy, name);
    if (tree.isFresh && tree.copy !== CLOSED) {
      return io.linkat(tree.copy, below === ROOT ? first : join(below, first), directory.copy, name);
    }
    // The root of a tree that is done is looked for anew.
    const root = tree.copy === CLOSED ? await io.open(tree.path, NAMES_ONLY) : tree.copy;
    try {
      const above = await io.openat2(root, below, new How(NAMES_ONLY));
      try {
        await io.linkat(above, first, directory.copy, name);
      } finally {
        await io.closeFd(above);
      }
    } finally {
      if (root !== tree.copy) await io.closeFd(root);
    }
  }

  /** Make something under its name, or under another one that replaces it if there is something. */
  async #named(to: Place, { copy }: Directory, make: (name: Path) => Promise<void>): Promise<void> {
    const io = this.#io;
    try {
      await told(to.path, make(to.name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const temporary = temporaryName();
      await told(to.path, make(temporary));
      try {
        await told(to.path, io.renameat(copy, temporary, copy, to.name));
      } catch (failed) {
        await io.unlinkat(copy, temporary).catch(() => {});
        throw failed;
      }
    }
  }

  async #copyFile(source: number, status: BigIntStats, to: Place, directory: Directory): Promise<void> {
    const [io, contents] = [this.#io, this.#contents];
    const isFresh = directory.tree.isFresh;
    const name = isFresh ? to.name : temporaryName();
    const size = Number(status.size);
    const wanted = Number(status.mode) & PERMISSIONS;
    const isLarge = size > SMALL;
    const names = attributesOf(io, source);
    const { group, hasDefaultAcl: hasAcl } = directory;
    const isOwned = isOwnedAs(status, this.#uid, group);
    // If all the rest is right already, its mode can be so, too. Until then it is nobody else's, and takes attributes.
    const isPlain = isOwned && names.length === 0 && !hasAcl;
    const mode = isPlain ? wanted & FOR_ALL : READ_AND_WRITE;
    const made: Made = { isOwned, mode: mode & ~this.#umask, isNew: true, hasAcl };
    const memory = isLarge ? undefined : contents.take();
    // Both are asked for at once. If one fails, the other is waited for.
    const [opened, read] = await Promise.allSettled([
      io.openat(directory.copy, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, new Mode(mode)),
      memory === undefined ? 0 : contents.read(source, memory),
    ]);
    try {
      if (opened.status === 'rejected') throw pathed(opened.reason, to.path);
      const copy = opened.value;
      try {
        if (read.status === 'rejected') throw read.reason;
        // A clone has the mode of its source at once.
        if (isLarge && isPlain && wanted === mode && (await contents.clone(source, copy))) this.bytes += size;
        else if (memory === undefined) await contents.copyLarge(source, copy, status);
        else await contents.writeSmall(source, copy, memory, read.value);
        await setStatus(io, source, copy, status, made, names);
        // At once with the closing: nothing more is written.
        const renamed = isFresh ? undefined : told(to.path, io.renameat(directory.copy, name, directory.copy, to.name));
        const [outcome] = await Promise.allSettled([renamed, io.closeFd(copy)]);
        if (outcome.status === 'rejected') throw outcome.reason;
      } catch (error) {
        await io.closeFd(copy).catch(() => {});
        await io.unlinkat(directory.copy, name).catch(() => {});
        throw error;
      }
    } finally {
      if (memory !== undefined) contents.give(memory);
    }
  }

  async #symlink(from: Place, to: Place, directory: Directory): Promise<void> {
    const io = this.#io;
    const target = await told(from.path, readlink(pathOf(from), 'buffer'));
    const status = lstatSync(pathOf(from), BIGINT);
    await this.#named(to, directory, (name) => io.symlinkat(target, directory.copy, name));
    if (Number(status.uid) !== this.#uid || Number(status.gid) !== directory.group) {
      await this.#own(to, directory, status);
    }
    io.setTimes(pathOf(to), status.atimeNs, status.mtimeNs);
    this.symlinks++;
  }

  /** Only of a symbolic link: by now its name may be something else's. */
  async #own(to: Place, { tree }: Directory, { uid, gid }: BigIntStats): Promise<void> {
    if (tree.isFresh || descriptorPath(0) === undefined) {
      allowed(() => lchownSync(pathOf(to), Number(uid), Number(gid)));
      return;
    }
    const link = await told(to.path, this.#io.openat(to.directory, to.name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    try {
      if (fstatSync(link).isSymbolicLink()) allowed(() => chownSync(descriptorPath(link)!, Number(uid), Number(gid)));
    } finally {
      await this.#io.closeFd(link);
    }
  }

  // ---------------------------------------------------------------- errors

  #checkStop(): void {
    if (this.isStopping) throw STOPPED;
  }

  async #noting<T>(path: Path, work: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error !== STOPPED) this.#note(path, error as NodeJS.ErrnoException);
      return undefined;
    }
  }

  #note(path: Path, { code = 'ERR', message }: NodeJS.ErrnoException): void {
    this.failures.push({ path: path.toString(), code, message });
  }
}

type Kind = 'file' | 'symlink' | 'FIFO' | 'socket' | 'device';

function kindOf(one: Dirent<Buffer> | BigIntStats): Kind {
  if (one.isFile()) return 'file';
  if (one.isSymbolicLink()) return 'symlink';
  if (one.isFIFO()) return 'FIFO';
  return one.isSocket() ? 'socket' : 'device';
}

const RUN = randomBytes(4).toString('hex');
let temporaries = 0;

/** A name which nobody else has. Not with the name itself in it, which may be as long as a name can be. */
function temporaryName(): string {
  return `.iouring-${RUN}-${(temporaries++).toString(36)}`;
}

function newDirectory(tree: Tree, from: Path, to: Path, below: Path, parent: Directory | undefined): Directory {
  const open = {
    source: CLOSED,
    copy: CLOSED,
    isForNamesOnly: false,
    there: undefined,
    isNew: false,
    hasAcl: false,
    group: 0,
    hasDefaultAcl: false,
  };
  return { tree, from, to, below, parent, ...open, status: undefined, pending: 1 };
}

/** Is there anything of that name, be it a link to nowhere? */
function isThere(path: Path): boolean {
  return lstatSync(path, IF_ANY) !== undefined;
}

function failure(code: string, reason: string, path: Path): Error {
  return Object.assign(new Error(`${code}: ${reason}, '${path.toString()}'`), { code });
}
