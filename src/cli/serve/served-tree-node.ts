import { constants, existsSync, type BigIntStats } from 'node:fs';
import { open, readlink, realpath, stat, type FileHandle } from '../../fs/index.ts';
import { BIGINT } from '../call-options.ts';
import { O_PATH } from '../open-flags.ts';
import { isHidden, pathBytes } from './request-path.ts';
import { kindOf, notThere, type FileStatus, type ServedFile, type ServedTree } from './served-tree.ts';

const { O_RDONLY, O_DIRECTORY, O_NOCTTY, O_NONBLOCK } = constants;
const DESCRIPTORS = '/proc/self/fd';
const SLASH = Buffer.from('/');
const BYTES = { __proto__: null, encoding: 'buffer' } as unknown as { encoding: 'buffer' };

/**
 * Through Node, which has no openat2(2): a file is looked for, without being opened; where that has led is asked of the
 * kernel; and what was found, if it is below the folder, is opened by its descriptor. Nothing that changes in between
 * can lead elsewhere.
 */
export class NodeTree implements ServedTree {
  readonly #folder: FileHandle;
  readonly #withHidden: boolean;

  private constructor(folder: FileHandle, withHidden: boolean) {
    this.#folder = folder;
    this.#withHidden = withHidden;
  }

  /** @param withHidden may links lead to what has a name that begins with a dot? */
  static async of(folder: string, withHidden = false): Promise<ServedTree> {
    const handle = await open(folder, O_RDONLY | O_DIRECTORY);
    if (existsSync(`${DESCRIPTORS}/${handle.fd}`)) return new NodeTree(handle, withHidden);
    await handle.close();
    return new RealPathTree(await realpath(folder, BYTES), withHidden);
  }

  async open(path: string): Promise<ServedFile> {
    const folder = `${DESCRIPTORS}/${this.#folder.fd}`;
    const found = await open(Buffer.concat([Buffer.from(`${folder}/`), pathBytes(path)]), O_PATH | O_NOCTTY);
    try {
      const place = `${DESCRIPTORS}/${found.fd}`;
      const [root, real] = await Promise.all([folder, place].map((link) => readlink(link, BYTES)));
      if (!isBelow(root, real)) throw leavesTree(path);
      if (!this.#withHidden && leadsToHidden(path, root, real)) throw notThere(path);
      const status = statusOf(path, await found.stat(BIGINT));
      return new NodeFile(await open(place, O_RDONLY | O_NOCTTY | O_NONBLOCK), status);
    } finally {
      await found.close();
    }
  }

  close(): Promise<void> {
    return this.#folder.close();
  }
}

/** Where there is no /proc: what is renamed between two calls may lead out. */
export class RealPathTree implements ServedTree {
  readonly #folder: Uint8Array;
  readonly #withHidden: boolean;

  constructor(folder: Uint8Array, withHidden = false) {
    this.#folder = folder;
    this.#withHidden = withHidden;
  }

  async open(path: string): Promise<ServedFile> {
    const real = await realpath(Buffer.concat([this.#folder, SLASH, pathBytes(path)]), BYTES);
    if (!isBelow(this.#folder, real)) throw leavesTree(path);
    if (!this.#withHidden && leadsToHidden(path, this.#folder, real)) throw notThere(path);
    kindOf(path, await stat(real));
    const handle = await open(real, O_RDONLY | O_NOCTTY | O_NONBLOCK);
    try {
      return new NodeFile(handle, statusOf(path, await handle.stat(BIGINT)), Buffer.from(real));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async close(): Promise<void> {}
}

class NodeFile implements ServedFile {
  readonly status: FileStatus;
  readonly #handle: FileHandle;
  readonly #path: Buffer | undefined;

  constructor(handle: FileHandle, status: FileStatus, path?: Buffer) {
    this.#handle = handle;
    this.status = status;
    this.#path = path;
  }

  get path(): string | Buffer {
    return this.#path ?? `${DESCRIPTORS}/${this.#handle.fd}`;
  }

  async read(into: Uint8Array, offset: number, length: number): Promise<number> {
    return (await this.#handle.read(into, 0, length, offset)).bytesRead;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** Deno's paths are plain bytes. */
function isBelow(root: Uint8Array, path: Uint8Array): boolean {
  if (Buffer.compare(path, root) === 0) return true;
  const prefix = root.at(-1) === SLASH[0] ? root : Buffer.concat([root, SLASH]);
  return Buffer.compare(path.subarray(0, prefix.length), prefix) === 0;
}

/** Is it hidden, and did the request not say so? What it said was looked at already. */
function leadsToHidden(path: string, root: Uint8Array, real: Uint8Array): boolean {
  return !isHidden(path) && isHidden(Buffer.from(real.subarray(root.length)).toString('latin1'));
}

/** As the kernel says it. */
function leavesTree(path: string): Error {
  const error = new Error(`EXDEV: cross-device link not permitted, open '${path}'`);
  return Object.assign(error, { code: 'EXDEV', syscall: 'open', path });
}

function statusOf(path: string, stats: BigIntStats): FileStatus {
  const { mtimeNs, ctimeNs } = stats;
  return { kind: kindOf(path, stats), size: Number(stats.size), mtimeNs, ctimeNs, inode: `${stats.dev}:${stats.ino}` };
}
