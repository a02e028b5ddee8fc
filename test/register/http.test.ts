// iouring/http: every name of node:http, nothing that concerns the rest of the process, and the frameworks on it.
import { fromTheFirstByte } from '../net/from-the-first-byte.ts';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import * as named from '../../src/http/index.ts';
import ours from '../../src/http/index.ts';
import { wayOf } from '../../src/net/dropin/changing-ways.ts';
import { run } from '../run.ts';
import { environment } from './flagged.ts';

fromTheFirstByte();

/** Those that go through the ring. */
const RING = new Set(['Agent', 'Server', 'createServer', 'get', 'globalAgent', 'request']);

describe('the names of iouring/http', () => {
  it('are those of node:http in this version, and what does not go through the ring is Node’s', () => {
    const nodes = http as unknown as Record<string, unknown>;
    const all = ours as unknown as Record<string, unknown>;
    assert.deepEqual(Object.keys(all).sort(), Object.keys(nodes).sort());
    for (const name of Object.keys(nodes)) assert.equal(all[name] === nodes[name], !RING.has(name), name);
    const present = Object.entries(named).filter(([name, value]) => name !== 'default' && value !== undefined);
    assert.deepEqual(present.map(([name]) => name).sort(), Object.keys(nodes).sort());
    for (const [name, value] of present) assert.equal(value, all[name], name);
  });

  it('functions have Node’s names and take as many arguments', () => {
    for (const name of ['createServer', 'get', 'request'] as const) {
      assert.deepEqual([ours[name].name, ours[name].length], [http[name].name, http[name].length]);
    }
  });

  it('classes look like Node’s: name, length, instances with and without new', () => {
    for (const name of ['Server', 'Agent'] as const) {
      assert.equal(ours[name].name, http[name].name);
      assert.equal(ours[name].length, http[name].length);
      const made = (ours[name] as unknown as () => object)();
      assert.ok(made instanceof ours[name] && made instanceof http[name]);
    }
    assert.deepEqual(
      (ours.globalAgent as unknown as { options: object }).options,
      (http.globalAgent as unknown as { options: object }).options,
    );
  });
});

/** A server of ours, its port, and the sockets that it has accepted. */
async function serve(
  listener: http.RequestListener,
): Promise<AsyncDisposable & { port: number; server: http.Server; sockets: net.Socket[] }> {
  const sockets: net.Socket[] = [];
  const server = ours.createServer(listener).on('connection', (socket) => sockets.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  return {
    port,
    server,
    sockets,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

describe('what goes through the ring', () => {
  it('request and get in all their forms, with an agent, with none, and with the default one', async () => {
    await using served = await serve((request, response) => response.end(`${request.method} ${request.url}`));
    const url = `http://127.0.0.1:${served.port}/path`;
    const agent = new ours.Agent({ keepAlive: true });
    const options = { host: '127.0.0.1', port: served.port, path: '/other' };
    type Form = (done: (response: http.IncomingMessage) => void) => http.ClientRequest;
    const forms: [form: Form, answer: string][] = [
      [(done) => ours.get(url, done), 'GET /path'],
      [(done) => ours.get(new URL(url), done), 'GET /path'],
      [(done) => ours.get(url, { method: 'PUT' }, done), 'PUT /path'],
      [(done) => ours.get(options, done), 'GET /other'],
      [(done) => ours.get({ ...options, agent: false }, done), 'GET /other'],
      [(done) => ours.get({ ...options, agent }, done), 'GET /other'],
      [(done) => ours.request({ ...options, method: 'POST' }, done).end('x'), 'POST /other'],
    ];
    for (const [form, answer] of forms) {
      const request = await new Promise<http.IncomingMessage>((done) => form(done));
      assert.equal(wayOf(request.socket), 'ring');
      assert.equal(await text(request), answer);
    }
    assert.ok(served.sockets.length > 0 && served.sockets.every((socket) => wayOf(socket) === 'ring'));
    agent.destroy();
    ours.globalAgent.destroy();
  });

  it('nothing of the rest of the process: a server and a request of node:http beside it are Node’s', async () => {
    const server = http.createServer((_, response) => response.end('Node’s')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const accepted = once(server, 'connection') as Promise<[net.Socket]>;
    const response = await new Promise<http.IncomingMessage>((done) =>
      http.get({ host: '127.0.0.1', port, agent: false }, done)
    );
    assert.equal(wayOf(response.socket), 'node');
    assert.equal(wayOf((await accepted)[0]), 'node');
    assert.equal(await text(response), 'Node’s');
    server.close();
    await once(server, 'close');
  });

  it('given data after an upgrade, it has the length that was sent', async () => {
    await using served = await serve(() => {});
    const sizes: number[] = [];
    served.server.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
      socket.on('data', (data: Buffer) => {
        sizes.push(data.length);
        socket.write('seen');
      });
      // It is nobody's but the listener's.
      socket.on('end', () => socket.end());
    });
    const socket = net.connect(served.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n');
    await once(socket, 'data');
    for (const size of [3, 100, 1]) {
      socket.write(Buffer.alloc(size));
      await once(socket, 'data');
    }
    assert.deepEqual(sizes, [3, 100, 1]);
    socket.destroy();
  });

  it('given a port that is in use, the error is Node’s', async () => {
    await using served = await serve(() => {});
    const failure = async ({ createServer }: Pick<typeof http, 'createServer'>): Promise<unknown[]> => {
      type ListenError = NodeJS.ErrnoException & { address?: string; port?: number };
      const error = await new Promise<ListenError>((done) =>
        createServer().once('error', done).listen(served.port, '127.0.0.1')
      );
      return [error.code, error.message, error.errno, error.syscall, error.address, error.port];
    };
    const [actual, expected] = await Promise.all([failure(ours), failure(http)]);
    assert.equal(actual[0], 'EADDRINUSE');
    assert.deepEqual(actual, expected);
  });
});

describe('the examples run', () => {
  for (
    const [name, answer] of [
      ['express', '200 {"hello":"express"}\n'],
      ['fastify', '200 {"hello":"fastify"}\n'],
      ['hono', '200 {"hello":"hono"}\n'],
      ['koa', '200 {"hello":"koa"}\n'],
      ['ws', 'echo hello\n'],
    ]
  ) {
    it(name, { timeout: 30_000 }, async () => {
      const path = new URL(`../../examples/http/${name}.js`, import.meta.url).pathname;
      const { status, stdout, stderr } = await run(process.execPath, [path], { env: environment() });
      assert.deepEqual([status, stdout, stderr], [0, answer, '']);
    });
  }
});
