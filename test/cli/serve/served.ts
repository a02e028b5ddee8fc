import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from 'node:http';
import { connect, type Socket } from 'node:net';

/** Both ways to serve. */
export const WAYS: readonly [name: string, env: NodeJS.ProcessEnv][] = [
  ['through io_uring', {}],
  ['without io_uring', { IOURING_DISABLED: '1' }],
];

export interface Response {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** `iouring serve`, as a process of its own that is gone with the block. */
export class Served implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  stdout = '';
  stderr = '';
  port = 0;

  private constructor(folder: string, args: readonly string[], env: NodeJS.ProcessEnv, command: readonly string[]) {
    const place = args.some((arg) => arg === '--unix' || arg === '--port') ? [] : ['--port', '0'];
    this.child = spawn(process.execPath, [...command, 'serve', folder, ...place, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    // All of its output has come then.
    this.exited = once(this.child, 'close').then(([code]) => code as number | null);
  }

  /** Resolves when it accepts connections. */
  static async start(
    folder: string,
    args: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
    command: readonly string[] = ['dist/cli/main.js'],
  ): Promise<Served> {
    const served = new Served(folder, args, env, command);
    const started = new Promise<void>((resolve) => {
      served.child.stderr!.on('data', () => {
        if (/ at .*\n/.test(served.stderr)) resolve();
      });
    });
    await Promise.race([started, served.exited.then((code) =>
      Promise.reject(new Error(`exit ${code}: ${served.stderr}`))
    )]);
    served.port = Number(/:(\d+)\/, /.exec(served.stderr)?.[1]);
    return served;
  }

  get(path: string, headers: Record<string, string> = {}, options: RequestOptions = {}): Promise<Response> {
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        { host: '127.0.0.1', port: this.port, path, headers, agent: false, ...options },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on(
            'end',
            () => resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
          );
        },
      );
      request.on('error', reject);
      request.end();
    });
  }

  connect(): Socket {
    return connect(this.port, '127.0.0.1').on('error', () => {});
  }

  /** Send these bytes, and read what comes until the server closes. */
  async exchange(bytes: string | Buffer, end = false): Promise<string> {
    const socket = this.connect();
    let received = '';
    socket.setEncoding('latin1').on('data', (text: string) => (received += text));
    if (end) socket.end(bytes, 'latin1');
    else socket.write(bytes, 'latin1');
    await closed(socket);
    return received;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.exited;
  }
}

/** Resolves when it is closed, also by an error. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}

/** The status of every response in what was received. */
export function statuses(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}
