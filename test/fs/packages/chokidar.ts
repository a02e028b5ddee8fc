// chokidar: what happens in a folder, one thing after the other; each is waited for before the next is done.
import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync, type Stats } from 'node:fs';
import { join, relative } from 'node:path';
import { watch, type ChokidarOptions, type FSWatcher } from 'chokidar';
import { at, given, end, tell } from './program.ts';

const cwd = at('.');

const AGAIN_MS = 100;

/** Everything that a watcher says, so that none is missed between two waits. */
class Events {
  readonly watcher: FSWatcher;
  readonly #seen: { what: string; path: string; stats: Stats | undefined }[] = [];
  #look = (): void => {};

  constructor(paths: string[], options: ChokidarOptions) {
    this.watcher = watch(paths, options);
    this.watcher.on('all', (what, path, stats) => {
      this.#seen.push({ what, path: relative(cwd, path), stats });
      this.#look();
    });
    const failed = (error: unknown): unknown => this.#seen.push({ what: String(error), path: '', stats: undefined });
    this.watcher.on('error', failed);
  }

  /** It has found all that was there: those that it has told of. */
  async ready(): Promise<string[]> {
    await new Promise<void>((resolve) => this.watcher.once('ready', resolve));
    return this.#seen.splice(0).map(({ what, path }) => `${what} ${path}`).sort();
  }

  /** Wait for this one; any others may come before it. */
  next(what: string, path: string): Promise<Stats | undefined> {
    return new Promise((resolve) => {
      this.#look = () => {
        const index = this.#seen.findIndex((event) => event.what === what && event.path === path);
        if (index === -1) return;
        this.#look = () => {};
        resolve(this.#seen.splice(0, index + 1).at(-1)!.stats);
      };
      this.#look();
    });
  }
}

/**
 * Do something, wait for what it leads to, and print that. It is done again and again until then: what happens just
 * when chokidar looks at the same file escapes it, on Node, too.
 */
async function happens(events: Events, act: () => void, ...awaited: [what: string, path: string][]): Promise<void> {
  act();
  const again = setInterval(act, AGAIN_MS);
  for (const [what, path] of awaited) {
    await tell(`${what} ${path}`, async () => {
      const stats = await events.next(what, path);
      return stats && `${stats.constructor.name} ${stats.isFile()} ${stats.isDirectory()}`;
    });
  }
  clearInterval(again);
}

async function watchFolder(folder: string, options: ChokidarOptions): Promise<void> {
  const inside = (name: string): string => join(folder, name);
  for (let i = 0; i < 40; i++) given(inside(`there/${i % 8}/file ${i}`));
  symlinkSync('there', at(inside('linked')));
  given(inside('ignored/x'));
  const events = new Events([at(folder)], { alwaysStat: true, ...options });
  await tell(`${folder} is ready ${JSON.stringify(options)}`, () => events.ready());
  const act = (what: () => void, ...awaited: [string, string][]): Promise<void> => happens(events, what, ...awaited);
  const remove = (path: string): void => rmSync(at(path), { recursive: true, force: true });
  await act(() => writeFileSync(at(inside('new')), 'new'), ['add', inside('new')]);
  await act(() => appendFileSync(at(inside('new')), ' and more'), ['change', inside('new')]);
  await act(() => mkdirSync(at(inside('folder')), { recursive: true }), ['addDir', inside('folder')]);
  await act(() => appendFileSync(at(inside('folder/inside')), 'inside'), ['add', inside('folder/inside')]);
  await act(() => appendFileSync(at(inside('folder/inside')), '!'), ['change', inside('folder/inside')]);
  const move = (): void => {
    given('moved');
    renameSync(at('moved'), at(inside('moved')));
  };
  await act(move, ['add', inside('moved')]);
  const link = (): void => {
    remove(inside('link'));
    symlinkSync('moved', at(inside('link')));
  };
  await act(link, ['add', inside('link')]);
  await act(() => remove(inside('link')), ['unlink', inside('link')]);
  await act(() => remove(inside('moved')), ['unlink', inside('moved')]);
  await act(() => remove(inside('folder/inside')), ['unlink', inside('folder/inside')]);
  await act(() => remove(inside('folder')), ['unlinkDir', inside('folder')]);
  await act(() => remove(inside('there/3/file 3')), ['unlink', inside('there/3/file 3')]);
  await act(() => appendFileSync(at(inside('there/4/file 4')), '!'), ['change', inside('there/4/file 4')]);
  await act(() => remove(inside('new')), ['unlink', inside('new')]);
  await tell('close', () => events.watcher.close());
}

await watchFolder('one', {});
await watchFolder('two', { ignored: /ignored/, followSymlinks: false, atomic: false });
// It asks for the size of a file until that stays the same.
await watchFolder('three', { awaitWriteFinish: { stabilityThreshold: 30, pollInterval: 10 }, depth: 5 });
end();
