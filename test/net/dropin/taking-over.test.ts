/**
 * A connection that a client makes is Node's at first, and goes through the ring when it has shown that it lasts: nobody
 * may notice when.
 */
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import * as node from 'node:net';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { defaultReactor } from '../../../src/reactor/default-reactor.ts';
import * as ours from '../../../src/net/index.ts';
import { wayOf } from '../../../src/net/dropin/changing-ways.ts';
import { worth } from '../../../src/net/dropin/worth.ts';
import { run } from '../../run.ts';
import { Temporary } from '../../kernel/temporary.ts';
import { atOnce } from '../from-the-first-byte.ts';

const WRITES = 40;

/** What people use of a handle. */
interface SeenHandle {
  readonly fd: number;
  readonly bytesRead: number;
  setNoDelay(on: boolean): number;
  getpeername(out: object): number;
  unref(): void;
  hasRef(): boolean;
}

// However few messages come.
atOnce();
Object.assign(worth, {
  writes: 16,
  pause: 0,
  pays: 0,
  costs: 0,
  received: Number.POSITIVE_INFINITY,
  sent: Number.POSITIVE_INFINITY,
});

after(() => defaultReactor().close());

/** A server of Node's, and where it is. */
async function serve(
  kind: 'TCP' | 'unix',
  folder: Temporary,
  serves: (socket: node.Socket) => void,
  options = {},
): Promise<[node.Server, node.NetConnectOpts]> {
  const server = node.createServer(options, serves);
  server.listen(kind === 'TCP' ? { port: 0, host: '127.0.0.1' } : { path: join(folder.path, 'socket') });
  await once(server, 'listening');
  const address = server.address()!;
  return [server, typeof address === 'string' ? { path: address } : { port: address.port, host: '127.0.0.1' }];
}

/** Writes one message after the other, each when the answer to the one before has come. */
async function exchange(client: node.Socket, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    const message = `message ${i}\n`;
    client.write(message);
    let answer = '';
    while (answer.length < message.length) answer += String((await once(client, 'data'))[0]);
    assert.equal(answer, message);
  }
}

const echo = (socket: node.Socket): void => void socket.on('error', () => {}).pipe(socket);

for (const kind of ['TCP', 'unix'] as const) {
  describe(kind, () => {
    it('given many messages, the connection is taken over, and nothing is lost or told otherwise', async () => {
      using folder = new Temporary();
      const [server, place] = await serve(kind, folder, echo);
      const client = ours.connect(place);
      await once(client, 'connect');
      await exchange(client, 0, 5);
      assert.equal(wayOf(client), 'early');
      await exchange(client, 5, WRITES);
      assert.equal(wayOf(client), 'ring');
      const bytes = Array.from({ length: WRITES }, (_, i) => `message ${i}\n`.length).reduce((sum, length) =>
        sum + length
      );
      assert.deepEqual([client.bytesRead, client.bytesWritten], [bytes, bytes]);
      assert.deepEqual([client.readyState, client.connecting, client.pending, client.destroyed], ['open', false, false,
        false]);
      client.end();
      await Promise.all([once(client, 'end'), once(client, 'close')]);
      assert.deepEqual([client.bytesRead, client.bytesWritten], [bytes, bytes]);
      server.close();
    });

    it('given a stream that comes meanwhile, each byte arrives once and in order', async () => {
      using folder = new Temporary();
      const all = Buffer.alloc(8 << 20);
      for (let i = 0; i < all.length; i += 4) all.writeUInt32LE(i, i);
      const [server, place] = await serve(kind, folder, (socket) => {
        socket.resume();
        socket.end(all);
      }, { allowHalfOpen: true });
      const client = ours.connect({ ...place, allowHalfOpen: true });
      const pieces: Buffer[] = [];
      client.on('data', (piece) => {
        pieces.push(piece);
        if (pieces.length < 30) client.write('x');
      });
      await once(client, 'end');
      assert.equal(wayOf(client), 'ring');
      assert.ok(Buffer.concat(pieces).equals(all));
      client.end();
      await once(client, 'close');
      server.close();
    });

    it('given a reset after it was taken over, it breaks as Node’s', async () => {
      using folder = new Temporary();
      let served: node.Socket | undefined;
      const [server, place] = await serve(kind, folder, (socket) => echo(served = socket));
      const client = ours.connect(place);
      await exchange(client, 0, WRITES);
      assert.equal(wayOf(client), 'ring');
      if (kind === 'TCP') {
        served!.resetAndDestroy();
        const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
        assert.deepEqual([error.code, error.syscall], ['ECONNRESET', 'read']);
      } else {
        served!.destroy();
        await once(client, 'end');
      }
      await once(client, 'close');
      server.close();
    });
  });
}

describe('what a connection has that is taken over', () => {
  it('given a context in which it was asked to connect, its data comes in that context', async () => {
    using folder = new Temporary();
    const [server, place] = await serve('TCP', folder, echo);
    const storage = new AsyncLocalStorage<string>();
    const client = storage.run('connecting', () => ours.connect(place));
    const seen = new Set<string | undefined>();
    client.on('data', () => seen.add(storage.getStore()));
    await storage.run('writing', () => exchange(client, 0, WRITES));
    assert.equal(wayOf(client), 'ring');
    assert.deepEqual([...seen], ['connecting']);
    client.destroy();
    server.close();
  });

  it('given a socket that does not keep the process alive, it still does not', async () => {
    using folder = new Temporary();
    const [server, place] = await serve('TCP', folder, echo);
    const client = ours.connect(place);
    client.unref();
    await exchange(client, 0, WRITES);
    assert.equal(wayOf(client), 'ring');
    assert.equal((client as unknown as { _handle: { hasRef(): boolean } })._handle.hasRef(), false);
    client.destroy();
    server.close();
  });

  it('given a socket that is paused, nothing is told before it is resumed', async () => {
    using folder = new Temporary();
    const [server, place] = await serve('TCP', folder, echo);
    const client = ours.connect(place);
    await once(client, 'connect');
    let got = '';
    client.on('data', (piece) => (got += String(piece)));
    client.pause();
    for (let i = 0; i < WRITES; i++) {
      client.write('x');
      await new Promise(setImmediate);
    }
    assert.equal(wayOf(client), 'ring');
    assert.equal(got, '');
    client.resume();
    while (got.length < WRITES) await once(client, 'data');
    assert.equal(got, 'x'.repeat(WRITES));
    client.destroy();
    server.close();
  });

  it('given a time limit, it is told when nothing comes for so long', async () => {
    using folder = new Temporary();
    const [server, place] = await serve('TCP', folder, echo);
    const client = ours.connect(place);
    client.setTimeout(100);
    await exchange(client, 0, WRITES);
    assert.equal(wayOf(client), 'ring');
    await once(client, 'timeout');
    client.destroy();
    server.close();
  });

  it('given an agent that keeps connections alive, all requests are answered on one', async () => {
    const server = http.createServer((request, response) => request.pipe(response)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as node.AddressInfo;
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    Object.assign(agent, { createConnection: (options: node.NetConnectOpts) => ours.connect(options) });
    const sockets = new Set<node.Socket>();
    for (let i = 0; i < WRITES; i++) {
      const body = String(i).repeat(i);
      const request = http.request({ port, host: '127.0.0.1', method: 'POST', agent }).end(body);
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      sockets.add(response.socket);
      assert.equal((await response.toArray()).join(''), body);
    }
    assert.equal(sockets.size, 1);
    assert.equal(wayOf([...sockets][0]), 'ring');
    agent.destroy();
    server.close();
  });
});

describe('what is told in order', () => {
  /** A server on the ring that has events to tell of in each turn, from a client that is Node's. */
  async function busy(): Promise<{ port: number; [Symbol.asyncDispose](): Promise<void> }> {
    const server = ours.createServer((socket) => void socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as node.AddressInfo;
    const noise = node.connect(port, '127.0.0.1');
    noise.on('data', () => noise.write('x'));
    noise.write('x');
    await once(noise, 'data');
    return {
      port,
      async [Symbol.asyncDispose]() {
        noise.destroy();
        server.close();
        await once(server, 'close');
      },
    };
  }

  it('given a socket that is destroyed while it connects, and connects anew in its close, it connects', async () => {
    await using server = await busy();
    for (let i = 0; i < 50; i++) {
      const client = ours.connect(server.port, '127.0.0.1');
      const errors: unknown[] = [];
      client.on('error', (error) => errors.push(error));
      const again = new Promise((resolve) =>
        client.once('close', () => resolve(once(client.connect(server.port, '127.0.0.1'), 'connect')))
      );
      if (i % 2 === 0) process.nextTick(() => client.destroy());
      else setImmediate(() => client.destroy());
      await again;
      client.write('hello');
      assert.equal(String((await once(client, 'data'))[0]), 'hello');
      assert.deepEqual(errors, []);
      client.destroy();
    }
  });

  it('given a server in the same process, it has accepted a connection that is told of', async () => {
    await using server = await busy();
    const late = ours.createServer().listen(0, '127.0.0.1');
    await once(late, 'listening');
    const told: string[] = [];
    late.on('connection', (socket) => {
      told.push('connection');
      socket.destroy();
    });
    for (let i = 0; i < 20; i++) {
      const client = ours.connect((late.address() as node.AddressInfo).port, '127.0.0.1', () => told.push('connect'));
      await once(client.resume(), 'close');
    }
    assert.equal(told.join(), Array.from({ length: 20 }, () => 'connection,connect').join());
    assert.ok(server.port > 0);
    late.close();
  });
});

describe('who asks for the handle', () => {
  it('given an agent that uses a connection again, nobody looks at a stack to see who asks', async (t) => {
    const server = http.createServer((_, response) => response.end('x')).listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    Object.assign(agent, { createConnection: (options: node.NetConnectOpts) => ours.connect(options) });
    const { port } = server.address() as node.AddressInfo;
    const get = async (): Promise<void> => {
      const [response] = (await once(http.get({ port, host: '127.0.0.1', agent }), 'response')) as [
        http.IncomingMessage,
      ];
      await response.toArray();
    };
    await get();
    const looks = t.mock.method(Error, 'captureStackTrace');
    for (let i = 0; i < 8; i++) await get();
    assert.equal(looks.mock.calls.filter(({ arguments: [, callee] }) => callee?.name === 'isAskedByNode').length, 0);
  });

  for (const when of ['before anything was written', 'in the tick before it is taken over'] as const) {
    it(`given that somebody has it since ${when}, it stands for the connection all the same`, async () => {
      using folder = new Temporary();
      const [server, place] = await serve('TCP', folder, echo);
      const client = ours.connect(place) as node.Socket & { _handle: SeenHandle };
      let handle: SeenHandle | undefined = when === 'before anything was written' ? client._handle : undefined;
      await exchange(client, 0, 15);
      client.write('message 15\n');
      handle ??= client._handle;
      await once(client, 'data');
      await exchange(client, 16, WRITES);
      assert.equal(wayOf(client), 'ring');
      const { _handle: now } = client;
      assert.deepEqual([handle.fd, handle.bytesRead], [now.fd, client.bytesRead]);
      assert.deepEqual([handle.setNoDelay(true), handle.getpeername({})], [0, 0]);
      const closed = once(client, 'close');
      handle.unref();
      assert.equal(now.hasRef(), false);
      client.destroy();
      await closed;
      server.close();
    });
  }

  it('given bytes that nobody has asked for, the handle of a connection that was taken over tells of them', async () => {
    using folder = new Temporary();
    let served: node.Socket | undefined;
    const [server, place] = await serve('TCP', folder, (socket) => echo(served = socket));
    const client = ours.connect(place);
    await exchange(client, 0, WRITES);
    assert.equal(wayOf(client), 'ring');
    client.on('agentRemove', () => {});
    const { _handle: handle } = client as unknown as { _handle: { hasPendingRead(): boolean } };
    assert.equal(handle.hasPendingRead(), false);
    served!.write('unasked');
    const until = performance.now() + 30_000;
    // Nothing of the loop's runs meanwhile.
    while (!handle.hasPendingRead()) assert.ok(performance.now() < until);
    client.destroy();
    server.close();
  });
});

describe('what stays Node’s', () => {
  it('given the end of the peer’s side that nobody has read, the socket stays Node’s', async () => {
    using folder = new Temporary();
    const received: Buffer[] = [];
    const [server, place] = await serve('TCP', folder, (socket) => {
      socket.on('data', (piece) => received.push(piece));
      socket.end('all');
    }, { allowHalfOpen: true });
    const client = ours.connect({ ...place, allowHalfOpen: true });
    await once(client, 'connect');
    // What has come is in the socket, and the end behind it.
    await once(client, 'readable');
    while (!(client as unknown as { _readableState: { ended: boolean } })._readableState.ended) {
      await new Promise(setImmediate);
    }
    for (let i = 0; i < WRITES; i++) {
      client.write('x');
      await new Promise(setImmediate);
    }
    assert.equal(wayOf(client), 'early');
    assert.equal(String(client.read()), 'all');
    client.resume();
    client.end();
    await once(client, 'close');
    assert.equal(String(Buffer.concat(received)), 'x'.repeat(WRITES));
    server.close();
  });

  it('given a method of its handle that somebody has replaced, the socket keeps the handle', async () => {
    using folder = new Temporary();
    const [server, place] = await serve('TCP', folder, echo);
    const client = ours.connect(place) as node.Socket & { _handle: SeenHandle };
    const { _handle: handle } = client;
    const { unref } = handle;
    let calls = 0;
    handle.unref = () => (calls++, unref.call(handle));
    await exchange(client, 0, WRITES);
    assert.equal(wayOf(client), 'early');
    client.unref();
    assert.deepEqual([client._handle, calls], [handle, 1]);
    client.destroy();
    server.close();
  });

  it('given a handle that tells somebody else of what it reads, the socket keeps it', async () => {
    using folder = new Temporary();
    const [server, place] = await serve('TCP', folder, echo);
    const client = ours.connect(place) as node.Socket & { _handle: { onread(...args: unknown[]): unknown } };
    await once(client, 'connect');
    const { onread } = client._handle;
    let calls = 0;
    client._handle.onread = function (...args) {
      calls++;
      return Reflect.apply(onread, this, args);
    };
    await exchange(client, 0, WRITES);
    assert.equal(wayOf(client), 'early');
    assert.equal(calls, WRITES);
    client.destroy();
    server.close();
  });

  it('given a prototype of the program’s own, the socket stays Node’s, and goes on', async () => {
    using folder = new Temporary();
    const [server, place] = await serve('TCP', folder, echo);
    const client = ours.connect(place);
    await exchange(client, 0, 2);
    Object.setPrototypeOf(client, Object.create(Object.getPrototypeOf(client) as object) as object);
    await exchange(client, 2, WRITES);
    assert.equal(wayOf(client), 'early');
    client.destroy();
    server.close();
  });

  it('given writes without an answer, and one at last, it is told of that', async () => {
    using folder = new Temporary();
    let served: node.Socket | undefined;
    const [server, place] = await serve('TCP', folder, (socket) => void (served = socket).resume());
    const client = ours.connect(place);
    await once(client, 'connect');
    worth.writes = 1;
    // Each is looked at: what hears of a read was put on the handle each time once.
    for (let i = 0; i < 15_000; i++) {
      client.write('x');
      if (i % 10 === 0) await new Promise(setImmediate);
    }
    served!.write('hello');
    assert.equal(String((await once(client, 'data'))[0]), 'hello');
    worth.writes = 16;
    client.destroy();
    server.close();
  });

  it('given a socket that a server shares with other processes, it stays Node’s', async (t) => {
    using folder = new Temporary();
    const child = fork(folder.file('child.cjs', `process.on('message', () => process.send('has it'));`));
    t.after(() => child.kill());
    const sockets: node.Socket[] = [];
    const server = ours.createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = node.connect((server.address() as node.AddressInfo).port, '127.0.0.1');
    await once(server, 'connection');
    const [socket] = sockets;
    child.send('there', socket, { keepOpen: true });
    await once(child, 'message');
    for (let i = 0; i < WRITES; i++) {
      socket.write('x');
      await new Promise(setImmediate);
    }
    assert.equal(wayOf(socket), 'early');
    client.destroy();
    socket.destroy();
    server.close();
  });

  it('given that the reactor is closed when it would be taken over, or soon after, nothing is lost or crashes', async () => {
    using folder = new Temporary();
    const [server, place] = await serve('TCP', folder, echo);
    const client = ours.connect(place);
    await exchange(client, 0, 15);
    await defaultReactor().close();
    await exchange(client, 15, WRITES);
    assert.equal(wayOf(client), 'ring');
    const errors: NodeJS.ErrnoException[] = [];
    client.on('error', (error) => errors.push(error));
    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
    client.write('on its way');
    await defaultReactor().close();
    await closed;
    assert.deepEqual(errors.map(({ code }) => code), ['ERR_IOURING_CLOSED']);
    server.close();
  });

  it('given no io_uring, many writes change nothing', async () => {
    const program = `
      import { once } from 'node:events';
      import { createServer } from 'node:net';
      import { connect } from ${JSON.stringify(new URL('../../../src/net/index.js', import.meta.url).href)};
      const server = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const client = connect(server.address().port, '127.0.0.1');
      for (let i = 0; i < 40; i++) {
        client.write('x');
        await once(client, 'data');
      }
      process.stdout.write(client.bytesRead + ' ' + client.bytesWritten + ' ' + client._handle.constructor.name);
      client.destroy();
      server.close();`;
    const env = { ...process.env, IOURING_DISABLED: '1' };
    const { status, stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', program], { env });
    assert.deepEqual([status, stdout, stderr], [0, '40 40 TCP', '']);
  });

  it('given short connections only, no ring is made', async () => {
    // Later versions have rings of libuv's.
    const program = `
      import { readdirSync, readlinkSync } from 'node:fs';
      import { createServer } from 'node:net';
      import { connect } from ${JSON.stringify(new URL('../../../src/net/index.js', import.meta.url).href)};
      const target = (fd) => { try { return readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } };
      const rings = () => readdirSync('/proc/self/fd').map(target).filter((name) => name.includes('[io_uring]')).length;
      const server = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1', () => {
        const before = rings();
        connect(server.address().port, '127.0.0.1').resume().on('close', () => {
          process.stdout.write(String(rings() - before));
          server.close();
        });
      });`;
    const { status, stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', program]);
    assert.deepEqual([status, stdout, stderr], [0, '0', '']);
  });
});
