import type { SingleBar } from 'cli-progress';
import { sized } from '../byte-size.ts';
import type { TreeCopy } from './copy-tree.ts';

const REDRAW_MS = 200;
const LINE_MS = 1000;

/** Tells how far a copy is, on stderr: a bar on a terminal, a line a second elsewhere. */
export class CopyProgress {
  readonly #copy: TreeCopy;
  readonly #start = performance.now();
  readonly #bar: SingleBar | undefined;
  readonly #timer: NodeJS.Timeout;
  #last = '';

  /** The bar is loaded only where it can be seen. */
  static async start(copy: TreeCopy): Promise<CopyProgress> {
    return new CopyProgress(copy, process.stderr.isTTY ? await makeBar() : undefined);
  }

  private constructor(copy: TreeCopy, bar: SingleBar | undefined) {
    this.#copy = copy;
    this.#bar = bar;
    bar?.start(1, 0, this.#numbers());
    this.#timer = setInterval(() => this.#show(), this.#bar === undefined ? LINE_MS : REDRAW_MS);
    this.#timer.unref();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#show();
    this.#bar?.stop();
  }

  #show(): void {
    const numbers = this.#numbers();
    if (this.#bar !== undefined) {
      // Of a tree that is still being walked the total grows.
      this.#bar.setTotal(Math.max(1, this.#copy.found.bytes));
      this.#bar.update(this.#copy.bytes, numbers);
      return;
    }
    const { done, files, rate } = numbers;
    const line = `${files} files, ${done}, ${rate}/s\n`;
    if (line !== this.#last) process.stderr.write(line);
    this.#last = line;
  }

  #numbers(): { done: string; all: string; files: string; rate: string; left: string } {
    const { bytes, files, found } = this.#copy;
    const seconds = (performance.now() - this.#start) / 1000;
    const rate = bytes / seconds;
    const left = rate > 0 ? Math.ceil((found.bytes - bytes) / rate) : 0;
    return {
      done: sized(bytes),
      all: sized(found.bytes),
      files: `${files}/${found.files}`,
      rate: sized(rate),
      left: `${left} s`,
    };
  }
}

async function makeBar(): Promise<SingleBar> {
  const { Presets, SingleBar } = await import('cli-progress');
  const format = '{bar} {percentage}%  {done} of {all}  {files} files  {rate}/s  {left} left';
  return new SingleBar({ format, stream: process.stderr, hideCursor: true, barsize: 24 }, Presets.shades_classic);
}
