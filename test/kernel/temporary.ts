import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder that is gone with the block. */
export class Temporary implements Disposable {
  readonly path: string;

  /** @param parent the folder that it is made in */
  constructor(parent: string = tmpdir()) {
    this.path = mkdtempSync(join(parent, 'iouring-test-'));
  }

  /** A file in it, with these contents. */
  file(name: string, contents: string | Uint8Array = ''): string {
    const path = join(this.path, name);
    writeFileSync(path, contents);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
