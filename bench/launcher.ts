/** Starts competitors and tools as child processes, each on its core; none outlives this one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setPriority } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * `measured`: where the program runs whose numbers count; `beside`: what must not disturb it;
 * `anywhere`: a measured program that needs more than one core.
 */
export type Place = 'measured' | 'beside' | 'anywhere';

export interface Server extends AsyncDisposable {
  readonly pid: number;
  /** 0 where it listens at a path. */
  readonly port: number;
  /** The words that tell a client where it listens: `--port` or `--unix`, and which. */
  readonly address: readonly [string, string];
}

/** A program that has said its first line of JSON, and goes on. */
export interface Running<T> extends AsyncDisposable {
  readonly pid: number;
  readonly said: T;
}

/** A program that does something for each line that it is sent, and answers with a line of JSON. */
export interface Attendant extends AsyncDisposable {
  ask<T>(line: string, timeoutMs: number): Promise<T>;
}

/** What changes how a child behaves, and is set only for those that are meant to have it. */
const NOT_INHERITED = ['NODE_OPTIONS', 'UV_USE_IO_URING', 'UV_THREADPOOL_SIZE'];
const STDERR_SHOWN = 2000;
const SERVER_START_MS = 10_000;
const BETWEEN_ATTEMPTS_MS = 20;

/** The full path of a program in PATH. */
export function findInPath(name: string): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** The cores this process may use, from the kernel's list such as `0-2,5`. */
function allowedCores(): number[] {
  const status = readFileSync('/proc/self/status', 'latin1');
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first, last] = range.split('-').map(Number);
    return Array.from({ length: (last ?? first) - first + 1 }, (_, i) => first + i);
  });
}

export class Launcher {
  readonly cores: Readonly<Record<Exclude<Place, 'anywhere'>, number>> | undefined;
  /** Why nothing is pinned to a core. */
  readonly unpinned: string | undefined;
  /** Of everything that is started; what is not said stays what it is. */
  readonly niceness: number | undefined;
  readonly #signal: AbortSignal;
  readonly #running = new Set<ChildProcess>();

  constructor(signal: AbortSignal, niceness?: number) {
    this.#signal = signal;
    this.niceness = niceness;
    const cores = allowedCores();
    if (cores.length < 2) {
      this.unpinned = 'there is only one core';
    } else if (findInPath('taskset') === undefined) {
      this.unpinned = 'taskset is not there: apt-get install util-linux';
    } else {
      this.cores = { measured: cores.at(-1)!, beside: cores[0] };
    }
    process.once('exit', () => this.#killAll());
  }

  /** Runs a command to its end; what it printed. */
  async run(command: Command, place: Place, timeoutMs: number): Promise<string> {
    const child = this.#start(command, place);
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    const output: string[] = [];
    child.stdout!.setEncoding('utf8').on('data', (text: string) => output.push(text));
    const errors = collectErrors(child);
    try {
      const [code, signal] = await once(child, 'close');
      this.#signal.throwIfAborted();
      if (code !== 0) {
        // wrk, for one, complains where it reports.
        const why = errors() || output.join('').trim().split('\n').at(-1)!;
        throw new Error(`${basename(command.file)} ended with ${signal ?? code}: ${why}`);
      }
      return output.join('');
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs a command that prints one line of JSON. */
  async runForJson<T>(command: Command, place: Place, timeoutMs: number): Promise<T> {
    return JSON.parse(await this.run(command, place, timeoutMs)) as T;
  }

  /** Starts a server, which prints `{"port":N}`, or `{"unix":"PATH"}`, once it listens. */
  async serve(command: Command, place: Place = 'measured'): Promise<Server> {
    const running = await this.start<{ port?: number; unix?: string }>(command, place, 'listen');
    const { port = 0, unix } = running.said;
    const address = unix === undefined ? (['--port', `${port}`] as const) : (['--unix', unix] as const);
    return { ...running, port, address };
  }

  /** Starts a program that prints a line of JSON when it does `what`, and goes on. */
  async start<T>(command: Command, place: Place, what: string): Promise<Running<T>> {
    const child = this.#start(command, place);
    const closed = once(child, 'close');
    const errors = collectErrors(child);
    const timer = setTimeout(() => child.kill('SIGKILL'), SERVER_START_MS);
    const lines = createInterface({ input: child.stdout! });
    const first = await Promise.race([once(lines, 'line'), closed]);
    clearTimeout(timer);
    this.#signal.throwIfAborted();
    if (hasEnded(child) || typeof first[0] !== 'string') {
      throw new Error(`${basename(command.file)} did not ${what}: ${errors()}`);
    }
    return { ...running(command, child, closed, errors), said: JSON.parse(first[0]) as T };
  }

  /** Starts a program that waits for lines on its standard input once it has printed one. */
  async attend(command: Command, place: Place): Promise<Attendant> {
    const child = this.#start(command, place, 'pipe');
    const name = basename(command.file);
    const closed = once(child, 'close');
    const errors = collectErrors(child);
    const lines = createInterface({ input: child.stdout! });
    const said = async (timeoutMs: number): Promise<string> => {
      const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
      const [line] = (await Promise.race([once(lines, 'line'), closed])) as unknown[];
      clearTimeout(timer);
      this.#signal.throwIfAborted();
      if (typeof line !== 'string') throw new Error(`${name} ended too early: ${errors()}`);
      return line;
    };
    await said(SERVER_START_MS);
    return {
      async ask<T>(line: string, timeoutMs: number) {
        child.stdin!.write(`${line}\n`);
        return JSON.parse(await said(timeoutMs)) as T;
      },
      async [Symbol.asyncDispose]() {
        child.stdin!.on('error', () => {}).end();
        child.kill('SIGKILL');
        await closed;
      },
    };
  }

  /**
   * Starts a server that was told its port, and says nothing that a program could read: it listens when it takes
   * a connection.
   */
  async serveOn(port: number, command: Command): Promise<Server> {
    const child = this.#start(command, 'measured');
    const closed = once(child, 'close');
    const errors = collectErrors(child);
    // Nobody reads it, and a full pipe would stop the server.
    child.stdout!.resume();
    for (const deadline = performance.now() + SERVER_START_MS; !(await takesConnections(port));) {
      if (hasEnded(child) || performance.now() > deadline) {
        child.kill('SIGKILL');
        await closed;
        this.#signal.throwIfAborted();
        throw new Error(`${basename(command.file)} did not listen: ${errors()}`);
      }
      await pause(BETWEEN_ATTEMPTS_MS);
    }
    return { ...running(command, child, closed, errors), port, address: ['--port', `${port}`] };
  }

  #start({ file, args, env }: Command, place: Place, input: 'ignore' | 'pipe' = 'ignore'): ChildProcess {
    this.#signal.throwIfAborted();
    const inherited = { ...process.env };
    for (const name of NOT_INHERITED) {
      delete inherited[name];
    }
    const words = [file, ...args];
    if (this.cores !== undefined && place !== 'anywhere') {
      words.unshift('taskset', '-c', String(this.cores[place]));
    }
    const child = spawn(words[0], words.slice(1), {
      env: { ...inherited, ...env },
      stdio: [input, 'pipe', 'pipe'],
      detached: this.niceness !== undefined,
    });
    if (this.niceness !== undefined && child.pid !== undefined) {
      setNiceness(child.pid, this.niceness);
    }
    // taskset replaces itself by the program, so this is the program's own process.
    const stop = (): boolean => child.kill('SIGKILL');
    this.#signal.addEventListener('abort', stop, { once: true });
    this.#running.add(child);
    child.once('close', () => {
      this.#signal.removeEventListener('abort', stop);
      this.#running.delete(child);
    });
    return child;
  }

  #killAll(): void {
    for (const child of this.#running) {
      child.kill('SIGKILL');
    }
  }
}

/**
 * Of a process that leads a session of its own. Where the kernel shares the cores out among sessions first (autogroup), it is the session
 * that has to be nice.
 */
function setNiceness(pid: number, niceness: number): void {
  setPriority(pid, niceness);
  const group = `/proc/${pid}/autogroup`;
  if (existsSync(group)) {
    writeFileSync(group, `${niceness}`);
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** A program that goes on until it is disposed of. */
function running(
  { file }: Command,
  child: ChildProcess,
  closed: Promise<unknown>,
  errors: () => string,
): AsyncDisposable & { readonly pid: number } {
  return {
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      const early = hasEnded(child);
      child.kill('SIGKILL');
      await closed;
      if (early) {
        throw new Error(`${basename(file)} ended too early: ${errors()}`);
      }
    },
  };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function takesConnections(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** What a child complained of: the line that names the error in it, or the last one. */
function collectErrors(child: ChildProcess): () => string {
  let text = '';
  child.stderr!.setEncoding('utf8').on('data', (more: string) => {
    text = (text + more).slice(-STDERR_SHOWN);
  });
  return () => {
    const lines = text.trim().split('\n').map((line) => line.trim());
    return lines.find((line) => /^(\w*error:|Cannot)/i.test(line)) ?? lines.at(-1) ?? '';
  };
}
