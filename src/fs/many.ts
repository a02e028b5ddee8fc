import type { PathLike, Stats } from 'node:fs';
import { AbortError } from '../reactor/abort.ts';
import { checkInteger, wrongType } from '../ring/arguments/argument-errors.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import { NOTHING } from './plain-arguments.ts';
import { readFile } from './read-file.ts';
import { stat } from './stat.ts';

/** How many files are worked on. */
export interface ManyFilesOptions {
  /**
   * So many are being worked on at the same time, 1 … 65536; default 64. Results wait for their consumer beyond that,
   * not more.
   */
  concurrency?: number | undefined;
  /** Aborts the operations in the kernel; the iteration throws an AbortError. */
  signal?: AbortSignal | undefined;
}

/** The outcome of one path: a value, or why there is none. */
export type PathResult<K extends string, T> =
  | ({ readonly path: PathLike; readonly error?: undefined } & { readonly [name in K]: T })
  | ({ readonly path: PathLike; readonly error: NodeJS.ErrnoException } & { readonly [name in K]?: undefined });

const CONCURRENCY = 64;
const CONCURRENCY_MAX = 65_536;

/**
 * Read many files with so many in flight at a time, in the order of their paths. One that cannot be read does not end
 * the iteration: its result has an `error` instead of `data`.
 *
 * @param paths may be endless, and asynchronous: as many are taken as are worked on
 * @param options.encoding of text; default: Buffers
 * @example for await (const { path, data, error } of readFiles(paths)) …
 */
export function readFiles(
  paths: Iterable<PathLike> | AsyncIterable<PathLike>,
  options: ManyFilesOptions & { encoding: BufferEncoding },
): AsyncIterableIterator<PathResult<'data', string>>;
export function readFiles(
  paths: Iterable<PathLike> | AsyncIterable<PathLike>,
  options?: ManyFilesOptions & { encoding?: null | undefined },
): AsyncIterableIterator<PathResult<'data', Buffer>>;
export function readFiles(
  paths: Iterable<PathLike> | AsyncIterable<PathLike>,
  options: ManyFilesOptions & { encoding?: BufferEncoding | null | undefined } = NOTHING,
): AsyncIterableIterator<PathResult<'data', Buffer | string>> {
  const { encoding = null, signal } = options;
  const how = ownOptions({ encoding, signal }) as { encoding: BufferEncoding | null };
  return each(paths, options, 'data', (path) => readFile(path, how));
}

/** The same of the status of many paths; links are followed. */
export function statMany(
  paths: Iterable<PathLike> | AsyncIterable<PathLike>,
  options: ManyFilesOptions = NOTHING,
): AsyncIterableIterator<PathResult<'stats', Stats>> {
  return each(paths, options, 'stats', (path) => stat(path));
}

async function* each<K extends string, T>(
  paths: Iterable<PathLike> | AsyncIterable<PathLike>,
  { concurrency = CONCURRENCY, signal }: ManyFilesOptions,
  name: K,
  work: (path: PathLike) => Promise<T>,
): AsyncGenerator<PathResult<K, T>, void, undefined> {
  checkInteger('options.concurrency', concurrency, 1, CONCURRENCY_MAX);
  const { [Symbol.asyncIterator]: asyncIterator, [Symbol.iterator]: iterator } = Object(paths) as Partial<
    AsyncIterable<PathLike> & Iterable<PathLike>
  >;
  if (typeof paths === 'string' || (asyncIterator ?? iterator) === undefined) {
    throw wrongType('paths', 'an iterable of paths', paths);
  }
  type Source = AsyncIterator<PathLike> | Iterator<PathLike>;
  const source = ((asyncIterator ?? iterator) as (this: unknown) => Source).call(paths);
  const begun: Promise<PathResult<K, T>>[] = [];
  const begin = async (path: PathLike): Promise<PathResult<K, T>> => {
    try {
      return { path, [name]: await work(path) } as unknown as PathResult<K, T>;
    } catch (error) {
      return { path, error } as PathResult<K, T>;
    }
  };
  let isMore = true;
  // The oldest is given out; a place that it leaves is filled before.
  let first = 0;
  try {
    while (isMore || first < begun.length) {
      while (isMore && begun.length - first < concurrency) {
        if (signal?.aborted) throw new AbortError(signal);
        const next = asyncIterator === undefined ? (source.next() as IteratorResult<PathLike>) : await source.next();
        if (next.done) isMore = false;
        else begun.push(begin(next.value));
      }
      if (first === begun.length) break;
      const result = await begun[first++];
      if (first >= concurrency) {
        void begun.splice(0, first);
        first = 0;
      }
      if (signal?.aborted) throw new AbortError(signal);
      yield result;
    }
  } finally {
    // Nothing goes on when the iteration is over.
    if (isMore) await source.return?.();
    await Promise.all(begun.slice(first));
  }
}
