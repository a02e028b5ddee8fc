// The examples of the reactor, run as programs, with real clients and the truth beside them.
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readFileSync, renameSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { Temporary } from '../kernel/temporary.ts';
import { run } from '../run.ts';

const program = (name: string): string => new URL(`../../examples/${name}.js`, import.meta.url).pathname;

/** A program that runs until it is told to end; its lines, one after the other. */
class Running implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #errors: AsyncIterator<string>;

  constructor(name: string, ...args: string[]) {
    this.child = spawn(process.execPath, [program(name), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
    this.#errors = createInterface({ input: this.child.stderr! })[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    return (await this.#lines.next()).value as string;
  }

  async error(): Promise<string> {
    return (await this.#errors.next()).value as string;
  }

  /** Its exit status. */
  async end(signal?: NodeJS.Signals): Promise<number | null> {
    if (this.child.exitCode !== null) return this.child.exitCode;
    const exit = once(this.child, 'exit');
    if (signal !== undefined) this.child.kill(signal);
    return ((await exit) as [number | null])[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.end('SIGKILL');
  }
}

const portOf = (line: string): number => Number(/^listening on (\d+)$/.exec(line)![1]);

describe('examples of the reactor', () => {
  it('reactor-echo: echoes to several clients at once, and stops when it is told to', async () => {
    await using server = new Running('reactor-echo');
    const port = portOf(await server.line());
    const clients = Array.from({ length: 10 }, async (_, i) => {
      const sent = Buffer.alloc(50_000 + i, `client ${i} `);
      const socket = connect(port, '127.0.0.1');
      socket.end(sent);
      const pieces: Buffer[] = [];
      for await (const piece of socket) pieces.push(piece as Buffer);
      assert.ok(Buffer.concat(pieces).equals(sent));
    });
    await Promise.all(clients);
    const idle = connect(port, '127.0.0.1');
    await once(idle, 'connect');
    const closed = once(idle.resume(), 'close');
    const ended = server.end('SIGTERM');
    assert.match(await server.line(), /^\d+ operations, \d+ system calls to submit them, \d+ wake-ups$/);
    assert.equal(await ended, 0);
    await closed;
  });

  it('tail-follow: prints what is appended, to a file that is truncated and one that is replaced too', async () => {
    using temporary = new Temporary();
    const path = temporary.file('log', 'before\n');
    await using tail = new Running('tail-follow', path);
    assert.equal(await tail.error(), `following ${path} from byte 7`);
    appendFileSync(path, 'one\n');
    assert.equal(await tail.line(), 'one');
    truncateSync(path);
    assert.equal(await tail.error(), 'truncated');
    appendFileSync(path, 'two\n');
    assert.equal(await tail.line(), 'two');
    renameSync(path, `${path}.1`);
    writeFileSync(path, 'three\n');
    assert.equal(await tail.error(), 'replaced');
    assert.equal(await tail.line(), 'three');
    assert.equal(await tail.end('SIGINT'), 0);
  });

  it('checksum-tree: the same as sha256sum', async () => {
    using temporary = new Temporary();
    mkdirSync(`${temporary.path}/deep/er`, { recursive: true });
    const paths = Array.from({ length: 200 }, (_, i) => {
      const name = `${['', 'deep/', 'deep/er/'][i % 3]}file ${i}`;
      return temporary.file(name, Buffer.alloc(i * 1713, `${i}`));
    });
    const expected = execFileSync('sha256sum', paths.sort((a, b) => (a < b ? -1 : 1)), { encoding: 'utf8' });
    const { status, stdout, stderr } = await run(process.execPath, [program('checksum-tree'), temporary.path]);
    assert.equal(status, 0, stderr);
    assert.equal(stdout, expected);
    assert.match(stderr, /^200 files, \d+ operations, \d+ system calls/);
  });

  it('durable-log: every record is there afterwards; one that was cut off is dropped', async () => {
    using temporary = new Temporary();
    const path = `${temporary.path}/log`;
    const append = async (): Promise<string[]> => {
      const { status, stdout, stderr } = await run(process.execPath, [program('durable-log'), path, '300']);
      assert.equal(status, 0, stderr);
      return stdout.trim().split('\n');
    };
    const first = await append();
    assert.equal(first[0], 'found 0 records');
    assert.equal(first.at(-1), 'read 300 records back');
    const whole = readFileSync(path);
    truncateSync(path, statSync(path).size - 3);
    const second = await append();
    assert.match(second[0], /^dropped \d+ bytes of a record that was cut off$/);
    assert.equal(second[1], 'found 299 records');
    assert.equal(second.at(-1), 'read 599 records back');
    assert.ok(readFileSync(path).subarray(0, whole.length - 40).equals(whole.subarray(0, -40)));
  });

  it('udp-echo: answers each datagram to its sender', async () => {
    await using server = new Running('udp-echo', '20');
    const port = portOf(await server.line());
    const clients = Array.from({ length: 4 }, async (_, i) => {
      const socket = createSocket('udp4').bind(0, '127.0.0.1');
      await once(socket, 'listening');
      for (let round = 0; round < 5; round++) {
        const sent = Buffer.alloc(1 + 300 * round, `${i}`);
        const answer = once(socket, 'message') as Promise<[Buffer]>;
        socket.send(sent, port, '127.0.0.1');
        assert.ok((await answer)[0].equals(sent));
      }
      socket.close();
    });
    await Promise.all(clients);
    assert.match(await server.line(), /^answered 20 datagrams of \d+ bytes$/);
    assert.equal(await server.end(), 0);
  });
});
