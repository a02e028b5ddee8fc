import type { Dirent } from 'node:fs';
import { Limit } from '../reactor/limit.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import { node } from './node-promises.ts';

/** So many directories are listed at the same time; after so many milliseconds in which none was, one more is. */
const LISTED_MAX = 16;
const STUCK_MS = 20;

/** The directories of a tree that is copied or removed. */
export class Directories {
  readonly #lists = new Limit(LISTED_MAX, STUCK_MS);

  /**
   * Do something with all entries of a directory at once. Rejects when all of it is over, with the first error in their
   * order.
   */
  async forEach(path: string, work: (entry: Dirent) => Promise<void>): Promise<void> {
    const entries = await this.#lists.run(() => node.readdir(path, ownOptions({ withFileTypes: true } as const)));
    const outcomes = await Promise.allSettled(entries.map(work));
    const failed = outcomes.find(({ status }) => status === 'rejected');
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
  }
}
