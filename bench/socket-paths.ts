/** Paths for unix sockets, each used once: a server that is killed leaves its own behind. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Case } from './scenario.ts';

/** TCP over loopback, or unix sockets. */
export type Transport = 'tcp' | 'unix';

export interface TransportCase extends Case {
  /** Of unix sockets, where to listen; a measurement chooses it. */
  readonly path?: string;
}

export class SocketPaths implements Disposable {
  readonly #transport: Transport;
  readonly #folder: string | undefined;
  #count = 0;

  constructor(transport: Transport) {
    this.#transport = transport;
    this.#folder = transport === 'unix' ? mkdtempSync(join(tmpdir(), 'iouring-bench-')) : undefined;
  }

  /** What the title of a scenario adds to that of the same over TCP. */
  get title(): string {
    return this.#transport === 'unix' ? ', over a unix socket' : '';
  }

  /** The name of a scenario, which is also that of the group of its cases. */
  named(name: string): string {
    return this.#transport === 'unix' ? `${name}-unix` : name;
  }

  /** The case, with a path to listen at if it needs one. */
  placed<C extends TransportCase>(test: C): C {
    return this.#folder === undefined ? test : { ...test, path: join(this.#folder, `${this.#count++}`) };
  }

  [Symbol.dispose](): void {
    if (this.#folder !== undefined) {
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }
}

/** What a server is told of it. */
export function placeOf({ path }: TransportCase): string[] {
  return path === undefined ? [] : ['--unix', path];
}
