// A block device to be written to and discarded: a file behind one of the kernel's loop devices.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Temporary } from '../temporary.ts';

/** Why there can be none here; undefined if there can. */
export function noLoopDevice(): string | undefined {
  if (process.getuid!() !== 0) return 'only root can make a loop device';
  if (!existsSync('/dev/loop-control')) return 'the kernel has no loop devices';
  try {
    execFileSync('losetup', ['--find'], { stdio: 'pipe' });
    return undefined;
  } catch {
    return 'losetup finds no free loop device';
  }
}

/** A loop device that is gone with the block. */
export class LoopDevice implements Disposable {
  /** `/dev/loopN` */
  readonly path: string;
  /** The file that holds its contents. */
  readonly backing: string;
  readonly #folder = new Temporary();

  constructor(contents: Uint8Array) {
    this.backing = this.#folder.file('disk', contents);
    this.path = execFileSync('losetup', ['--find', '--show', this.backing], { encoding: 'utf8' }).trim();
  }

  [Symbol.dispose](): void {
    execFileSync('losetup', ['--detach', this.path]);
    this.#folder[Symbol.dispose]();
  }
}
