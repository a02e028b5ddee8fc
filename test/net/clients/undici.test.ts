// undici over our sockets, by its own hook for them, to a server of node:http on the same kind of sockets.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe } from 'node:test';
import { Agent, Client, request } from 'undici';
import { application, digest, large } from './application.ts';
import { itOnBoth, type Net } from './sockets.ts';

type Connected = (error: Error | null, socket: import('node:net').Socket | null) => void;

/** The hook: it makes a socket, and says when it is connected. */
function connector(net: Net, made: () => void) {
  return ({ hostname, port }: { hostname: string; port: string }, connected: Connected): void => {
    made();
    const socket = net.connect({ host: hostname, port: Number(port) });
    const failed = (error: Error): void => connected(error, null);
    socket.once('error', failed).once('connect', () => {
      socket.off('error', failed);
      connected(null, socket);
    });
  };
}

describe('undici over sockets', () => {
  itOnBoth(
    [],
    'requests one by one, pipelined and by many connections, bodies, a large answer, a server that is gone',
    async (net) => {
      const server = createServer(application);
      const sockets = net.createServer((socket) => void server.emit('connection', socket));
      await once(sockets.listen(0, '127.0.0.1'), 'listening');
      const origin = `http://127.0.0.1:${(sockets.address() as AddressInfo).port}`;
      let made = 0;
      const connect = connector(net, () => made++) as never;
      const client = new Client(origin, { connect, pipelining: 8 });
      const hello = await (await client.request({ path: '/hello', method: 'GET' })).body.text();
      const body = large(300_000);
      const echoed = digest(
        new Uint8Array(await (await client.request({ path: '/echo', method: 'POST', body })).body.arrayBuffer()),
      );
      const pipelined = await Promise.all(
        Array.from(
          { length: 20 },
          async (_, i) => (await client.request({ path: `/request?${i}`, method: 'GET' })).body.text(),
        ),
      );
      const ofClient = made;
      const agent = new Agent({ connect, connections: 4 });
      const many = await Promise.all(
        Array.from({ length: 20 }, async () => {
          const { body: answer } = await request(`${origin}/large?bytes=100000`, { dispatcher: agent });
          return (await answer.arrayBuffer()).byteLength;
        }),
      );
      await client.close();
      await agent.close();
      sockets.close();
      await once(sockets, 'close');
      const gone = await request(`${origin}/hello`, { dispatcher: new Agent({ connect }) }).catch((
        { code }: NodeJS.ErrnoException,
      ) => code);
      return { hello, echoed, pipelined, ofClient, connections: made - ofClient, many, gone };
    },
    (outcome) => {
      assert.equal(outcome.hello, 'hello\n');
      assert.equal(outcome.echoed, digest(large(300_000)));
      assert.deepEqual(
        outcome.pipelined.map((text) => (JSON.parse(text) as { url: string }).url),
        Array.from({ length: 20 }, (_, i) => `/request?${i}`),
      );
      assert.deepEqual([outcome.ofClient, outcome.connections, outcome.gone], [1, 5, 'ECONNREFUSED']);
      assert.deepEqual(outcome.many, Array.from({ length: 20 }, () => 100_000));
    },
  );
});
