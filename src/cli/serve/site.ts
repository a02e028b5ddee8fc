import type { Access } from './access-log.ts';
import { listingAnswer } from './directory-listing.ts';
import { ALLOWED, fileAnswer, plainAnswer, redirectAnswer, type Answer } from './http-answer.ts';
import type { Limits } from './limits.ts';
import { HotFiles, type HotFile } from './hot-files.ts';
import type { HttpRequest } from './http-request.ts';
import { ReadBuffers } from './read-buffers.ts';
import { escapePath, isHidden, requestPath, type RequestPath } from './request-path.ts';
import type { ServedTree } from './served-tree.ts';

/** How a folder is served. */
export interface SiteOptions {
  /** Show what is in a directory without an index. */
  readonly list: boolean;
  /** Serve what has a name that begins with a dot. */
  readonly dotfiles: boolean;
  readonly limits: Limits;
  /** Is told of each answer. */
  answered(access: Access): void;
  /** Is told what went wrong, and is not the client's fault. */
  report(error: Error): void;
}

/** An answer, and the file that it is made of, to be released when it was sent. */
export interface Found {
  readonly answer: Answer;
  readonly file: HotFile | undefined;
}

const INDEX = 'index.html';
/** A file that is being written is read anew so many times. */
const ATTEMPTS = 3;

/** Statuses of HTTP for the kernel's answers about a file. A link that leads out is as good as none. */
const STATUS_OF_CODE = {
  __proto__: null,
  ENOENT: 404,
  ENOTDIR: 404,
  ELOOP: 404,
  ENAMETOOLONG: 404,
  EXDEV: 404,
  EINVAL: 404,
  EACCES: 403,
  EPERM: 403,
  ENXIO: 403,
  EMFILE: 503,
  ENFILE: 503,
  ENOMEM: 503,
  EAGAIN: 503,
} as unknown as Readonly<Record<string, number | undefined>>;

/** A folder, as what requests ask for. */
export class Site {
  readonly limits: Limits;
  readonly buffers = new ReadBuffers();
  /** The connections are to end when what was asked for is answered. */
  isStopping = false;
  readonly #tree: ServedTree;
  readonly #files: HotFiles;
  readonly #options: SiteOptions;
  #second = 0;
  #date = '';

  constructor(tree: ServedTree, options: SiteOptions) {
    this.#tree = tree;
    this.#files = new HotFiles(tree);
    this.#options = options;
    this.limits = options.limits;
  }

  /** The answer; at once if the file is at hand. */
  find(request: HttpRequest): Found | Promise<Found> {
    const { method, target } = request;
    if (method === 'OPTIONS') return bare(plainAnswer(204, `Allow: ${ALLOWED}\r\n`));
    if (method !== 'GET' && method !== 'HEAD') return bare(plainAnswer(405, `Allow: ${ALLOWED}\r\n`));
    const wanted = requestPath(target);
    if (wanted === undefined) return bare(plainAnswer(400));
    if (!this.#options.dotfiles && isHidden(wanted.path)) return bare(plainAnswer(404));
    const path = wanted.isDirectory ? indexOf(wanted.path) : wanted.path;
    const file = this.#files.peek(path);
    if (file === undefined || (file.isSmall && file.contentsNow === undefined)) {
      if (file !== undefined) this.release(file);
      return this.#look(request, wanted, path);
    }
    return { answer: fileAnswer(request, file), file };
  }

  release(file: HotFile): void {
    this.#files.release(file);
  }

  answered(access: Access): void {
    this.#options.answered(access);
  }

  report(error: Error): void {
    this.#options.report(error);
  }

  /** The time, for the field of that name: it changes once a second. */
  date(): string {
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#date = new Date(second * 1000).toUTCString();
    }
    return this.#date;
  }

  async close(): Promise<void> {
    this.#files.close();
    await this.#tree.close();
  }

  async #look(request: HttpRequest, wanted: RequestPath, path: string): Promise<Found> {
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const found = await this.#fileAt(request, wanted, path);
        if (found !== undefined) return found;
      }
      return bare(plainAnswer(503, 'Retry-After: 1\r\n'));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (wanted.isDirectory && (code === 'ENOENT' || code === 'ENOTDIR')) return this.#directory(wanted);
      return this.#failed(error as NodeJS.ErrnoException);
    }
  }

  /** Undefined: it has changed while it was read. */
  async #fileAt(request: HttpRequest, wanted: RequestPath, path: string): Promise<Found | undefined> {
    const file = await this.#files.get(path);
    try {
      if (file.status.kind === 'directory') {
        this.release(file);
        // An index that is a directory is none.
        return wanted.isDirectory ? this.#directory(wanted)
          : bare(redirectAnswer(`/${escapePath(path)}/${wanted.query}`));
      }
      const answer = fileAnswer(request, file);
      const isSent = request.method === 'GET' && (answer.status === 200 || answer.status === 206);
      if (!isSent || !file.isSmall || (await file.contents()) !== undefined) return { answer, file };
      this.#files.forget(path, file);
    } catch (error) {
      this.#files.forget(path, file);
      this.release(file);
      throw error;
    }
    this.release(file);
    return undefined;
  }

  /** One without an index. */
  async #directory({ path }: RequestPath): Promise<Found> {
    try {
      const directory = await this.#tree.open(path);
      try {
        if (directory.status.kind !== 'directory') return bare(plainAnswer(404));
        if (!this.#options.list) return bare(plainAnswer(403));
        return bare(await listingAnswer(directory, path, this.#options.dotfiles));
      } finally {
        await directory.close();
      }
    } catch (error) {
      return this.#failed(error as NodeJS.ErrnoException);
    }
  }

  #failed(error: NodeJS.ErrnoException): Found {
    const status = STATUS_OF_CODE[error.code ?? ''] ?? 500;
    if (status >= 500) this.report(error);
    return bare(plainAnswer(status, status === 503 ? 'Retry-After: 1\r\n' : ''));
  }
}

function bare(answer: Answer): Found {
  return { answer, file: undefined };
}

function indexOf(directory: string): string {
  return directory === '' ? INDEX : `${directory}/${INDEX}`;
}
