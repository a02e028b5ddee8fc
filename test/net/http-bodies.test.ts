// node:http's server over the sockets of iouring/net, where requests have bodies: what it costs beside what it answers.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { it } from 'node:test';
import net from '../../src/net/index.ts';
import { defaultReactor } from '../../src/reactor/default-reactor.ts';

/** A server that answers the length of the body. */
async function lengthServer(): Promise<{ port: number; [Symbol.asyncDispose](): Promise<void> }> {
  const server = http.createServer((request, response) => {
    let length = 0;
    request.on('data', (chunk: Buffer) => (length += chunk.length));
    request.on('end', () => response.end(`${length}`));
  });
  const listener = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => server.emit('connection', socket));
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

async function post(port: number, agent: http.Agent, bytes: number): Promise<string> {
  const request = http.request({ port, host: '127.0.0.1', method: 'POST', agent });
  request.end(Buffer.alloc(bytes, 'x'));
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let answer = '';
  for await (const chunk of response) answer += String(chunk);
  return answer;
}

it('given requests with bodies on a kept connection, nobody looks at a stack to see who asks for the handle', async () => {
  await using server = await lengthServer();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const { captureStackTrace } = Error;
  let captured = 0;
  try {
    assert.equal(await post(server.port, agent, 10), '10');
    Error.captureStackTrace = (target, from) => {
      captured++;
      captureStackTrace(target, from);
    };
    // The larger ones stop and start the socket.
    for (const bytes of [10, 4096, 100_000, 1_000_000]) assert.equal(await post(server.port, agent, bytes), `${bytes}`);
  } finally {
    Error.captureStackTrace = captureStackTrace;
    agent.destroy();
  }
  assert.equal(captured, 0);
});

it('given many requests at once that are answered in a later tick, their answers go out with few system calls', async () => {
  await using server = await lengthServer();
  const agent = new http.Agent({ keepAlive: true });
  const all = 64;
  const round = (): Promise<string[]> => Promise.all(Array.from({ length: all }, () => post(server.port, agent, 1000)));
  await round();
  const before = defaultReactor().stats.enters;
  const answers = await round();
  const enters = defaultReactor().stats.enters - before;
  agent.destroy();
  assert.deepEqual(new Set(answers), new Set(['1000']));
  assert.ok(enters < all / 2, `${enters} system calls for ${all} answers`);
});
