// Programs that are not ours, which the tests of iouring/net talk to: where they are, and servers of them for the
// length of a test.
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, readdirSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, it, type TestContext } from 'node:test';

/** Debian has the programs of a PostgreSQL server beside the path. */
const POSTGRES = '/usr/lib/postgresql';

function folders(): string[] {
  const all = (process.env['PATH'] ?? '').split(delimiter);
  try {
    return [...all, ...readdirSync(POSTGRES).map((version) => join(POSTGRES, version, 'bin'))];
  } catch {
    return all;
  }
}

/** Where a program is; undefined if it is not installed. */
export function programPath(name: string): string | undefined {
  return folders()
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** A client that waits for ever fails its test. */
const TIMEOUT_MS = 60_000;

/** A test that needs these programs. Skipped, with their names, where one is missing. */
export function itWith(programs: readonly string[], name: string, body: (t: TestContext) => Promise<void>): void {
  const missing = programs.filter((program) => programPath(program) === undefined);
  const reason = `${missing.join(', ')} not installed: see scripts/peers.sh`;
  void it(name, missing.length === 0 ? { timeout: TIMEOUT_MS } : { skip: reason }, body);
}

/** What still runs when a test file ends in spite of all is ended with it. */
const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** A server that is ended with the block. */
export class Peer implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #lines: string[] = [];
  #seen = 0;
  #more: (() => void) | undefined;
  #hasEnded = false;

  constructor(program: string, args: readonly string[], options: SpawnOptions = {}) {
    this.child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(this.child);
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.#lines.push(line);
        this.#more?.();
      });
    }
    this.child.once('close', () => {
      running.delete(this.child);
      this.#hasEnded = true;
      this.#more?.();
    });
  }

  /** The next line that it prints of this form. */
  async line(form: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      while (this.#seen < this.#lines.length) {
        const found = form.exec(this.#lines[this.#seen++]);
        if (found !== null) return found;
      }
      if (this.#hasEnded) throw new Error(`it ended without having printed ${form}:\n${this.output}`);
      await new Promise<void>((resolve) => void (this.#more = resolve));
    }
  }

  /** What it printed so far. */
  get output(): string {
    return this.#lines.join('\n');
  }

  /** Have it end, in order. Its exit status; of one that was killed null. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (!this.#hasEnded) {
      const closed = once(this.child, 'close');
      this.child.kill(signal);
      await closed;
    }
    return this.child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }
}

/** A port that was free a moment ago, for programs that cannot be told to take any. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
