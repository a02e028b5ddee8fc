// Disks that are full, files that must not grow, sectors that cannot be read: for real, where that can be had.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, readSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Temporary } from '../kernel/temporary.ts';

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

/** Why something cannot be had here; false: it can. */
function refusalOf(attempt: () => Disposable): string | false {
  try {
    attempt()[Symbol.dispose]();
    return false;
  } catch (error) {
    return (error as Error).message.split('\n').slice(0, 2).join(' ');
  }
}

/** A disk with room for so many bytes, a multiple of 4096. It is gone with the block. */
export class SmallDisk implements Disposable {
  readonly #folder = new Temporary();
  readonly path = join(this.#folder.path, 'disk');

  constructor(bytes: number) {
    try {
      mkdirSync(this.path);
      run('mount', '-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', this.path);
    } catch (error) {
      this.#folder[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    // Whatever a test that has failed left open there.
    run('umount', '-l', this.path);
    this.#folder[Symbol.dispose]();
  }
}

/** No file of this process becomes larger than so many bytes until the block is over. */
export class SizeLimit implements Disposable {
  constructor(bytes: number) {
    limitTo(String(bytes));
  }

  [Symbol.dispose](): void {
    limitTo('unlimited');
  }
}

function limitTo(bytes: string): void {
  run('prlimit', '--pid', String(process.pid), `--fsize=${bytes}:`);
}

/** A block device of 1 MiB that can be read up to here, and not any further. */
export const READABLE = 8192;

/** Such a device. It is gone with the block. */
export class SpoiltDisk implements Disposable {
  readonly #folder = new Temporary();
  readonly path: string;
  /** As long as it is open, what can be read is in memory. */
  readonly #held: number;

  constructor() {
    const backing = join(this.#folder.path, 'backing');
    writeFileSync(backing, Buffer.alloc(2 ** 20, 'contents '));
    try {
      this.path = run('losetup', '--find', '--show', backing);
    } catch (error) {
      this.#folder[Symbol.dispose]();
      throw error;
    }
    this.#held = openSync(this.path, 'r');
    truncateSync(backing, READABLE);
    readSync(this.#held, Buffer.alloc(READABLE), 0, READABLE, 0);
  }

  [Symbol.dispose](): void {
    closeSync(this.#held);
    run('losetup', '--detach', this.path);
    this.#folder[Symbol.dispose]();
  }
}

/** Why there is none of these here; false: there is. */
export const noSmallDisk: string | false = refusalOf(() => new SmallDisk(65_536));
export const noSizeLimit: string | false = refusalOf(() => new SizeLimit(2 ** 40));
export const noSpoiltDisk: string | false = refusalOf(() => new SpoiltDisk());

/** Where a file stands that is open under this number: asked of the kernel, so that nothing takes notice. */
export function standingAt(fd: number): number {
  const [, position] = /^pos:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))!;
  return Number(position);
}
