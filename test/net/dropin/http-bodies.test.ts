// node:http's server over the sockets of iouring/net, where requests have bodies: what it costs beside what it answers.
import { atOnce, fromTheFirstByte } from '../from-the-first-byte.ts';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import node, { type AddressInfo } from 'node:net';
import { it } from 'node:test';
import { worth } from '../../../src/net/dropin/worth.ts';
import net from '../../../src/net/index.ts';
import { defaultReactor } from '../../../src/reactor/default-reactor.ts';

fromTheFirstByte();

/** A server that answers the length of the body. */
async function lengthServer(): Promise<{ port: number; [Symbol.asyncDispose](): Promise<void> }> {
  const server = http.createServer((request, response) => {
    let length = 0;
    request.on('data', (chunk: Buffer) => (length += chunk.length));
    request.on('end', () => response.end(`${length}`));
  });
  const listener = net.createServer(
    { allowHalfOpen: true, noDelay: true },
    (socket) => server.emit('connection', socket),
  );
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await once(listener, 'close');
    },
  };
}

async function post(port: number, agent: http.Agent | false, bytes: number): Promise<string> {
  const request = http.request({ port, host: '127.0.0.1', method: 'POST', agent });
  request.end(Buffer.alloc(bytes, 'x'));
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let answer = '';
  for await (const chunk of response) answer += String(chunk);
  return answer;
}

it('given requests with bodies, on new connections and on kept ones, nobody looks at a stack to see who asks for the handle', async () => {
  await using server = await lengthServer();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const { captureStackTrace } = Error;
  let captured = 0;
  try {
    assert.equal(await post(server.port, agent, 10), '10');
    Error.captureStackTrace = (target, from) => {
      // Who closes a connection is another question.
      if (from?.name !== 'isClosedAsIdle') captured++;
      captureStackTrace(target, from);
    };
    // The larger ones stop and start the socket.
    for (const bytes of [10, 4096, 100_000, 1_000_000]) assert.equal(await post(server.port, agent, bytes), `${bytes}`);
    assert.equal(captured, 0);
    for (const _ of [1, 2]) assert.equal(await post(server.port, false, 10), '10');
  } finally {
    Error.captureStackTrace = captureStackTrace;
    agent.destroy();
  }
  assert.equal(captured, 0);
});

it('given requests with bodies on connections that go to the ring, nobody looks at a stack to see who asks for the handle', async (t) => {
  const before = { ...worth };
  t.after(() => void Object.assign(worth, before));
  atOnce();
  const any = Number.POSITIVE_INFINITY;
  Object.assign(worth, { writes: 4, pause: 0, pays: 0, costs: 0, received: any, sent: any });
  await using server = await lengthServer();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  let ways = 0;
  const looks = t.mock.method(Error, 'captureStackTrace');
  for (let i = 0; i < 40; i++) {
    const bytes = i < 20 ? 10 : 100_000;
    assert.equal(await post(server.port, agent, bytes), `${bytes}`);
    if (defaultReactor().stats.enters > 0) ways++;
  }
  assert.ok(ways > 10, `${ways} requests on the ring`);
  const others = looks.mock.calls.filter(({ arguments: [, callee] }) => callee?.name !== 'isClosedAsIdle');
  assert.deepEqual(others.map(({ arguments: [, callee] }) => callee?.name), []);
});

it('given many requests at once that are answered in a later tick, their answers go out with few system calls', async () => {
  await using server = await lengthServer();
  const all = 64;
  const clients = await Promise.all(
    Array.from({ length: all }, async () => {
      const client = node.connect(server.port, '127.0.0.1');
      await once(client, 'connect');
      return client;
    }),
  );
  /** Each sends a request, in one tick. */
  const round = async (): Promise<string[]> => {
    const answers = clients.map(async (client) => {
      const [answer] = (await once(client, 'data')) as [Buffer];
      return answer.toString().split('\r\n\r\n')[1];
    });
    for (const client of clients) client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello');
    return Promise.all(answers);
  };
  await round();
  const rounds = 8;
  const before = defaultReactor().stats.enters;
  const start = performance.now();
  for (let i = 0; i < rounds; i++) assert.deepEqual(new Set(await round()), new Set(['5']));
  const enters = (defaultReactor().stats.enters - before) / rounds;
  const took = (performance.now() - start) / rounds;
  for (const client of clients) client.destroy();
  // What is there is handed over each millisecond as well, which counts on a slow machine.
  assert.ok(enters < all / 4 + took, `${enters} system calls for ${all} answers in ${took} ms`);
});

it('given large answers that the kernel takes at once, nothing of them is left for the ring to do', async () => {
  const body = Buffer.alloc(30_000, 'x');
  const server = http.createServer((_request, response) => response.end(body));
  const listener = net.createServer(
    { allowHalfOpen: true, noDelay: true },
    (socket) => server.emit('connection', socket),
  );
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const get = async (): Promise<number> => {
    const request = http.get({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1', agent });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    let length = 0;
    for await (const chunk of response) length += (chunk as Buffer).length;
    return length;
  };
  await get();
  const all = 20;
  const before = defaultReactor().stats.submitted;
  for (let i = 0; i < all; i++) assert.equal(await get(), body.length);
  const submitted = defaultReactor().stats.submitted - before;
  agent.destroy();
  listener.close();
  await once(listener, 'close');
  assert.ok(submitted < all / 2, `${submitted} entries for ${all} answers`);
});
