import { randomBytes } from 'node:crypto';
import { constants, fchmodSync, fchownSync, fstatSync, lchownSync, lstatSync, type BigIntStats, type Dirent } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { AT_FDCWD, RENAME_NOREPLACE } from '../abi/index.ts';
import type { CopyCalls } from './copy-calls.ts';
import { CopyContents, SMALL, STOPPED } from './copy-contents.ts';
import { Limit } from './limit.ts';

/** Names may be bytes that are no text: then they, and all paths through them, are bytes. */
export type Path = string | Buffer;

/** What went wrong with one path. */
export interface CopyFailure {
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = constants;
const O_CLOEXEC = 0o2000000;
const PERMISSIONS = 0o7777;
const SET_GROUP_ID = 0o2000;

/** So many directories are being worked on at the same time. */
const DIRECTORIES = 16;

interface Directory {
  readonly from: Path;
  readonly to: Path;
  readonly parent: Directory | undefined;
  /** It is made under a name that nobody looks for, by itself or within such a one: what is in it needs no other name. */
  isFresh: boolean;
  status: BigIntStats | undefined;
  /** What is not done yet: its own entries, and the directories in it. */
  pending: number;
}

/**
 * Copies trees with many operations in flight, as `cp -a` does: kinds, modes, owners where that is allowed, times to the
 * nanosecond, symbolic and hard links, holes, extended attributes. Nothing has its name before it is complete: a tree that is
 * new is made under another one, and so is each file of one that is there already. What cannot be copied is noted, and the rest
 * goes on.
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
  /** What has several names was copied under this one: by device and inode. */
  readonly #linked = new Map<string, Promise<Path | undefined>>();
  /** The name that a tree is made under, and the one that the user knows. */
  #shown: readonly [made: string, meant: string] = ['', ''];
  readonly #umask = process.umask();
  readonly #uid = process.geteuid!();
  readonly #gid = process.getegid!();

  /** @param filesAtOnce how many are open at the same time, each with its copy */
  constructor(io: CopyCalls, filesAtOnce: number) {
    this.#io = io;
    this.#contents = new CopyContents(io, this);
    this.#files = new Limit(filesAtOnce);
  }

  /** Nothing more is begun; what is half done is taken away. */
  stop(): void {
    this.isStopping = true;
  }

  /** Copy one file or tree to a path. */
  async copy(from: Path, to: Path): Promise<void> {
    const status = await this.#noting(from, () => lstatSync(from, { bigint: true }));
    if (status === undefined) return;
    if (status.isDirectory()) {
      const isFresh = !isThere(to);
      const root = isFresh ? temporaryName(to) : to;
      this.#shown = [root.toString(), to.toString()];
      await this.#tree({ from, to: root, parent: undefined, isFresh, status: undefined, pending: 1 });
      // As far as it came.
      if (isFresh) await this.#noting(from, () => this.#name(root, to));
    } else {
      this.found.files++;
      await this.#entry(kindOf(status), from, to, false);
    }
  }

  /** Give a tree its name, if it was made at all. */
  async #name(made: Path, to: Path): Promise<void> {
    if (isThere(made)) await this.#io.renameat(AT_FDCWD, made, AT_FDCWD, to, { flags: RENAME_NOREPLACE });
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
    while (this.#working < DIRECTORIES && this.#stack.length > 0) {
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
    const { from, to } = directory;
    await this.#noting(from, async () => {
      this.#checkStop();
      const status = lstatSync(from, { bigint: true });
      const entries = await readdir(from, { withFileTypes: true, encoding: 'buffer' } as never) as unknown as Dirent<Buffer>[];
      await this.#makeDirectory(to);
      // Only now: of one that could not be made nothing is set.
      directory.status = status;
      const copies: Promise<void>[] = [];
      for (const entry of entries) {
        if (this.isStopping) break;
        const name = nameOf(entry.name);
        const [inner, copy] = [join(from, name), join(to, name)];
        if (entry.isDirectory()) {
          directory.pending++;
          const { isFresh } = directory;
          this.#stack.push({ from: inner, to: copy, parent: directory, isFresh, status: undefined, pending: 1 });
        } else {
          this.found.files++;
          // Waits for room: a directory of millions is not in memory as promises.
          await this.#files.room();
          copies.push(this.#files.run(() => this.#entry(kindOf(entry), inner, copy, directory.isFresh)));
        }
      }
      this.#pump();
      await Promise.all(copies);
    });
    await this.#finished(directory);
  }

  async #makeDirectory(path: Path): Promise<void> {
    try {
      // What comes in must be allowed to, and nobody else to look: its mode follows when it is complete.
      await this.#io.mkdir(path, 0o700);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const there = lstatSync(path);
      if (!there.isDirectory()) throw failure('ENOTDIR', 'a directory cannot replace what is no directory', path);
    }
  }

  /** One of the things that were to be done in it is. */
  async #finished(directory: Directory): Promise<void> {
    if (--directory.pending > 0) return;
    const { from, to, status, parent } = directory;
    if (status !== undefined && !this.isStopping) {
      await this.#noting(from, async () => {
        const io = this.#io;
        const [source, copy] = await Promise.all([from, to].map((path) => io.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
        try {
          await this.#setStatus(source, copy, status, PERMISSIONS);
          this.directories++;
        } finally {
          await Promise.all([io.close(source), io.close(copy)]);
        }
      });
    }
    if (parent !== undefined) await this.#finished(parent);
  }

  // ---------------------------------------------------------------- files and links

  async #entry(kind: Kind, from: Path, to: Path, isFresh: boolean): Promise<void> {
    await this.#noting(from, async () => {
      this.#checkStop();
      if (kind === 'file') await this.#file(from, to, isFresh);
      else if (kind === 'symlink') await this.#symlink(from, to);
      else throw failure('ENOTSUP', `a ${kind} cannot be copied: make it anew where it is needed`, from);
    });
  }

  async #file(from: Path, to: Path, isFresh: boolean): Promise<void> {
    const io = this.#io;
    // It may have become a pipe meanwhile, which nobody writes to.
    const source = await io.open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    try {
      const status = fstatSync(source, { bigint: true });
      if (!status.isFile()) throw failure('EINVAL', 'it is no regular file any more', from);
      this.found.bytes += Number(status.size);
      if (status.nlink === 1n) {
        await this.#copyFile(source, status, from, to, isFresh);
      } else {
        const first = await this.#linkTo(status, from, to, () => this.#copyFile(source, status, from, to, isFresh));
        if (!first) this.bytes += Number(status.size);
      }
      this.files++;
    } finally {
      await io.close(source);
    }
  }

  /** Of a file with several names the first is copied, and the others are linked to that. Was this the first? */
  async #linkTo({ dev, ino }: BigIntStats, from: Path, to: Path, copy: () => Promise<void>): Promise<boolean> {
    const key = `${dev}:${ino}`;
    const known = this.#linked.get(key);
    if (known === undefined) {
      const copied = copy();
      this.#linked.set(key, copied.then(() => to, () => undefined));
      await copied;
      return true;
    }
    const first = await known;
    if (first === undefined) throw failure('ENOENT', 'the first of its names could not be copied', from);
    await this.#named(to, (path) => this.#io.link(first, path));
    return false;
  }

  /** Make something under its name, or under another one that replaces it if there is something. */
  async #named(to: Path, make: (path: Path) => Promise<void>): Promise<void> {
    try {
      await make(to);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const temporary = temporaryName(to);
      await make(temporary);
      await this.#rename(temporary, to);
    }
  }

  async #rename(temporary: Path, to: Path): Promise<void> {
    try {
      await this.#io.rename(temporary, to);
    } catch (error) {
      await this.#io.unlink(temporary).catch(() => {});
      throw error;
    }
  }

  async #copyFile(source: number, status: BigIntStats, from: Path, to: Path, isFresh: boolean): Promise<void> {
    const [io, contents] = [this.#io, this.#contents];
    const temporary = isFresh ? to : temporaryName(to);
    const size = Number(status.size);
    const mode = Number(status.mode) & 0o777;
    const isLarge = size > SMALL;
    const isCloned = isLarge && (await contents.clone(from, temporary));
    const flags = O_WRONLY | O_CLOEXEC | (isCloned ? O_NOFOLLOW : O_CREAT | O_EXCL);
    const memory = isLarge ? undefined : contents.take();
    // Both are asked for at once. If one fails, the other is waited for.
    const [opened, read] = await Promise.allSettled([
      io.open(temporary, flags, { mode }),
      memory === undefined ? 0 : contents.read(source, memory),
    ]);
    try {
      if (opened.status === 'rejected') throw pathed(opened.reason, temporary, to);
      const copy = opened.value;
      try {
        if (read.status === 'rejected') throw read.reason;
        if (isCloned) this.bytes += size;
        else if (memory === undefined) await contents.copyLarge(source, copy, status);
        else await contents.writeSmall(source, copy, memory, read.value);
        await this.#setStatus(source, copy, status, mode & ~this.#umask);
        // At once with the closing: nothing more is written.
        const renamed = isFresh ? undefined : io.rename(temporary, to);
        const [outcome] = await Promise.allSettled([renamed, io.close(copy)]);
        if (outcome.status === 'rejected') throw outcome.reason;
      } catch (error) {
        await io.close(copy).catch(() => {});
        await io.unlink(temporary).catch(() => {});
        throw error;
      }
    } finally {
      if (memory !== undefined) contents.give(memory);
    }
  }

  async #symlink(from: Path, to: Path): Promise<void> {
    const io = this.#io;
    const target = await readlink(from, 'buffer');
    const { uid, gid, atimeNs, mtimeNs } = lstatSync(from, { bigint: true });
    await this.#named(to, (path) => io.symlink(target, path));
    if (Number(uid) !== this.#uid || Number(gid) !== this.#gid) allowed(() => lchownSync(to, Number(uid), Number(gid)));
    io.setTimes(to, atimeNs, mtimeNs);
    this.symlinks++;
  }

  /**
   * All but the contents. Owner before mode, which a change of owner takes bits from; times last.
   * @param made the permissions that the copy was made with
   */
  async #setStatus(source: number, copy: number, status: BigIntStats, made: number): Promise<void> {
    const [uid, gid, mode] = [Number(status.uid), Number(status.gid), Number(status.mode) & PERMISSIONS];
    const isOwned = uid === this.#uid && gid === this.#gid && (mode & SET_GROUP_ID) === 0;
    if (!isOwned) allowed(() => fchownSync(copy, uid, gid));
    if (mode !== made || !isOwned) fchmodSync(copy, mode);
    for (const name of attributesOf(this.#io, source)) await this.#copyAttribute(source, copy, name);
    this.#io.setTimes(copy, status.atimeNs, status.mtimeNs);
  }

  async #copyAttribute(source: number, copy: number, name: string): Promise<void> {
    const io = this.#io;
    const value = Buffer.allocUnsafeSlow(await io.fgetxattr(source, name, Buffer.alloc(0)));
    const length = value.length === 0 ? 0 : await io.fgetxattr(source, name, value);
    try {
      await io.fsetxattr(copy, name, value.subarray(0, length));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // As for cp -a: what may not be set, or has no place there, is left away.
      if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP') throw error;
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
    const [made, meant] = this.#shown;
    this.failures.push({ path: path.toString(), code, message: made === meant ? message : message.replaceAll(made, meant) });
  }
}

type Kind = 'file' | 'symlink' | 'FIFO' | 'socket' | 'device';

function kindOf(one: Dirent<Buffer> | BigIntStats): Kind {
  if (one.isFile()) return 'file';
  if (one.isSymbolicLink()) return 'symlink';
  if (one.isFIFO()) return 'FIFO';
  return one.isSocket() ? 'socket' : 'device';
}

/** As text, if it is any. */
function nameOf(bytes: Buffer): Path {
  const text = bytes.toString();
  return text.includes('\ufffd') ? bytes : text;
}

export function join(directory: Path, name: Path): Path {
  if (typeof directory === 'string' && typeof name === 'string') {
    return directory.endsWith('/') ? directory + name : `${directory}/${name}`;
  }
  return Buffer.concat([Buffer.from(directory as string), Buffer.from('/'), Buffer.from(name as string)]);
}

const RUN = randomBytes(4).toString('hex');
let temporaries = 0;

/** A name in the same directory, which nobody else has. */
function temporaryName(path: Path): Path {
  const slash = path.lastIndexOf('/');
  const directory = path.slice(0, slash + 1);
  // Not with the name itself, which may be as long as a name can be.
  return join(directory.length === 0 ? '.' : directory, `.iouring-${RUN}-${(temporaries++).toString(36)}`);
}

/** Is there anything of that name, be it a link to nowhere? */
function isThere(path: Path): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** None where the file system has none. */
function attributesOf(io: CopyCalls, fd: number): string[] {
  try {
    return io.listxattr(fd);
  } catch {
    return [];
  }
}

/** What only root may do is left away by others. */
function allowed(change: () => void): void {
  try {
    change();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
}

function failure(code: string, reason: string, path: Path): Error {
  return Object.assign(new Error(`${code}: ${reason}, '${path.toString()}'`), { code });
}

/** The user knows nothing of temporary names. */
function pathed(error: unknown, temporary: Path, to: Path): Error {
  const { message } = error as Error;
  return Object.assign(error as Error, { message: message.replace(temporary.toString(), to.toString()) });
}
