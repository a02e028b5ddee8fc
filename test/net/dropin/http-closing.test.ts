// A server of node:http over the ring that is closed while requests are on their way.
import { fromTheFirstByte } from '../from-the-first-byte.ts';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import node, { type AddressInfo } from 'node:net';
import { it } from 'node:test';
import { createServer } from '../../../src/http/index.ts';

fromTheFirstByte();

const REQUEST = 'GET / HTTP/1.1\r\nHost: here\r\n\r\n';

it('given requests that come together, and a server that is closed as the first is told of, the others are answered, and closed then', async () => {
  let requests = 0;
  let isToClose = false;
  const server = createServer((_, response) => {
    requests++;
    // What Node tells of a signal comes behind all that was there; what the ring tells of it comes one by one.
    if (isToClose && server.listening) server.close();
    response.end('hello');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const clients = Array.from({ length: 8 }, () => node.connect(port, '127.0.0.1').setEncoding('latin1'));
  const ask = (client: node.Socket): Promise<string> => {
    client.write(REQUEST);
    return Promise.race([once(client, 'data').then(String), once(client, 'close').then(() => 'nothing')]);
  };
  const ready = await Promise.all(clients.map(ask));
  const idle = node.connect(port, '127.0.0.1');
  assert.match(await ask(idle.setEncoding('latin1')), /hello/);
  const closed = Promise.all([idle, ...clients, server].map(async (emitter) => once(emitter, 'close')));
  isToClose = true;
  const answers = await Promise.all(clients.map(ask));
  await closed;
  assert.deepEqual([...ready, ...answers].map((answer) => answer.endsWith('hello')), Array(16).fill(true));
  assert.equal(requests, 17);
});
