import { lookup } from 'mrmime';
import type { FileStatus, ServedFile, ServedTree } from './served-tree.ts';

/** So long a file is taken to be what it was, without a system call. */
const VALID_MS = 100;
/** A file that was changed so lately may be changed again without its times telling. */
const SETTLED_NS = 1_000_000_000n;
const FILES_MAX = 256;
/** Bytes of files that are kept in memory. */
const CONTENTS_MAX = 256 << 10;
const CONTENTS_TOTAL_MAX = 64 << 20;

const UTF8 = /^(?:text\/|application\/(?:javascript|json|xml|manifest\+json)$|[^;]+\+(?:json|xml)$)/;

/** An open file, and what its answers have in common. Give it back by {@link HotFiles.release}. */
export class HotFile {
  readonly file: ServedFile;
  readonly status: FileStatus;
  /** Weak if the file may have been changed twice within the grain of its times. */
  readonly etag: string;
  readonly lastModified: string;
  /** Nothing that the times cannot tell has happened to it. */
  readonly isSettled: boolean;
  readonly contentType: string;
  /** The number of those that serve it at the moment. */
  users = 0;
  isKept = false;
  validUntil = 0;
  #contents: Promise<Buffer | undefined> | undefined;
  /** The contents, once they are there. */
  contentsNow: Buffer | undefined;

  constructor(path: string, file: ServedFile) {
    const { status } = file;
    this.file = file;
    this.status = status;
    const now = BigInt(Date.now()) * 1_000_000n;
    const changed = status.ctimeNs > status.mtimeNs ? status.ctimeNs : status.mtimeNs;
    this.isSettled = now - changed > SETTLED_NS;
    const tag = `"${status.size.toString(16)}-${status.mtimeNs.toString(16)}"`;
    this.etag = this.isSettled ? tag : `W/${tag}`;
    // One that is of the future would never be found unmodified.
    const modified = status.mtimeNs > now ? now : status.mtimeNs;
    this.lastModified = new Date(Number(modified / 1_000_000n)).toUTCString();
    const type = lookup(path) ?? 'application/octet-stream';
    this.contentType = UTF8.test(type) ? `${type}; charset=utf-8` : type;
  }

  get isSmall(): boolean {
    return this.status.size <= CONTENTS_MAX;
  }

  /** All of a small file; undefined if it has become shorter. */
  contents(): Promise<Buffer | undefined> {
    return (this.#contents ??= this.#read());
  }

  async #read(): Promise<Buffer | undefined> {
    const { size } = this.status;
    // Of its own: memory of a pool that was lent cannot be transferred any more.
    const bytes = Buffer.allocUnsafeSlow(size);
    for (let length = 0; length < size;) {
      const read = await this.file.read(bytes.subarray(length), length, size - length);
      if (read === 0) return undefined;
      length += read;
    }
    this.contentsNow = bytes;
    return bytes;
  }

  isSame({ kind, size, mtimeNs, ctimeNs, inode }: FileStatus): boolean {
    const { status } = this;
    return kind === status.kind && size === status.size && mtimeNs === status.mtimeNs && ctimeNs === status.ctimeNs &&
      inode === status.inode;
  }
}

/** Somebody is opening a file. */
interface Opening {
  /** So many want it. */
  waiters: number;
  file: Promise<HotFile> | undefined;
}

/**
 * Files that were asked for lately, open and, if they are small, in memory. Each is looked up anew after {@link
 * VALID_MS}, and kept only if it is the same file with the same size and times; one that has just been changed is not
 * kept at all. So what is sent is at most that old, and never put together from two states that the file's times can
 * tell apart.
 */
export class HotFiles {
  readonly #tree: ServedTree;
  readonly #kept = new Map<string, HotFile>();
  readonly #underWay = new Map<string, Opening>();
  #bytes = 0;

  constructor(tree: ServedTree) {
    this.#tree = tree;
  }

  /** The file at this path, if it is at hand. */
  peek(path: string): HotFile | undefined {
    const hot = this.#kept.get(path);
    if (hot === undefined || performance.now() >= hot.validUntil) return undefined;
    hot.users++;
    return hot;
  }

  /** The file at this path, or the directory. Those who want the same at the same time wait for it together. */
  async get(path: string): Promise<HotFile> {
    const hot = this.peek(path);
    if (hot !== undefined) return hot;
    let opening = this.#underWay.get(path);
    if (opening === undefined) {
      opening = { waiters: 0, file: undefined };
      this.#underWay.set(path, opening);
      opening.file = this.#open(path, opening);
    }
    opening.waiters++;
    return opening.file!;
  }

  /** It is not used any more by one of those who got it. */
  release(hot: HotFile): void {
    hot.users--;
    if (hot.users === 0 && !hot.isKept) close(hot.file);
  }

  /** It was not what it seemed to be. */
  forget(path: string, hot: HotFile): void {
    if (this.#kept.get(path) === hot) this.#drop(path, hot);
  }

  close(): void {
    for (const [path, hot] of this.#kept) this.#drop(path, hot);
  }

  async #open(path: string, opening: Opening): Promise<HotFile> {
    try {
      const hot = this.#found(path, await this.#opened(path));
      // All of them have it from this moment on: the first must not close it before the second knows of it.
      hot.users += opening.waiters;
      return hot;
    } finally {
      this.#underWay.delete(path);
    }
  }

  #found(path: string, file: ServedFile): HotFile {
    const former = this.#kept.get(path);
    if (former?.isSame(file.status)) {
      former.validUntil = performance.now() + VALID_MS;
      // To the end of the line: what is asked for least lately is dropped first.
      this.#kept.delete(path);
      this.#kept.set(path, former);
      close(file);
      return former;
    }
    if (former !== undefined) this.#drop(path, former);
    const hot = new HotFile(path, file);
    if (hot.status.kind === 'file' && hot.isSettled) this.#keep(path, hot);
    return hot;
  }

  /** With too many files open, some that are not needed at the moment are closed. */
  async #opened(path: string): Promise<ServedFile> {
    try {
      return await this.#tree.open(path);
    } catch (error) {
      if (!['EMFILE', 'ENFILE'].includes((error as NodeJS.ErrnoException).code ?? '') || this.#kept.size === 0) {
        throw error;
      }
      for (const [other, hot] of this.#kept) this.#drop(other, hot);
      return await this.#tree.open(path);
    }
  }

  #keep(path: string, hot: HotFile): void {
    hot.isKept = true;
    hot.validUntil = performance.now() + VALID_MS;
    this.#kept.set(path, hot);
    if (hot.isSmall) this.#bytes += hot.status.size;
    for (const [other, oldest] of this.#kept) {
      if (other === path || (this.#kept.size <= FILES_MAX && this.#bytes <= CONTENTS_TOTAL_MAX)) break;
      this.#drop(other, oldest);
    }
  }

  #drop(path: string, hot: HotFile): void {
    this.#kept.delete(path);
    hot.isKept = false;
    if (hot.isSmall) this.#bytes -= hot.status.size;
    if (hot.users === 0) close(hot.file);
  }
}

/** A file that cannot be closed counts as closed: nobody could do anything about it. */
function close(file: ServedFile): void {
  file.close().catch(() => {});
}
