// ws, the package, over our sockets on both sides: its server on node:http, its client by createConnection.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http from 'node:http';
import { connect } from 'node:net';
import { describe } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { digest } from './application.ts';
import { itOnBoth, serve, type Net } from './sockets.ts';

const MESSAGE = Buffer.alloc(8 << 20, 'a large message ');

/** A server that says again what it is told; and when it was told to, closes. */
function echoing(compresses: boolean): { server: http.Server; sockets: WebSocketServer; closes: string[] } {
  const server = http.createServer();
  const closes: string[] = [];
  const sockets = new WebSocketServer({ server, perMessageDeflate: compresses });
  sockets.on('connection', (socket) => {
    socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary && String(data) === 'close') socket.close(4001, 'as you wish');
      else if (!isBinary && String(data) === 'terminate') socket.terminate();
      else socket.send(data, { binary: isBinary });
    });
    socket.on('close', (code, reason) => closes.push(`${code} ${String(reason)}`)).on('error', () => {});
  });
  return { server, sockets, closes };
}

function client(net: Net, port: number, options: object = {}): WebSocket {
  const createConnection = (): ReturnType<Net['connect']> => net.connect(port, '127.0.0.1');
  // It takes what http.request takes.
  const all: object = { ...options, createConnection };
  return new WebSocket(`ws://127.0.0.1:${port}/`, all);
}

async function next(socket: WebSocket): Promise<string> {
  const [data, isBinary] = (await once(socket, 'message')) as [Buffer, boolean];
  return `${isBinary} ${data.length} ${digest(data)}`;
}

describe('ws over sockets', () => {
  for (const compresses of [false, true]) {
    itOnBoth(
      [],
      `messages small and large, whole and in fragments${compresses ? ', compressed' : ''}; pings; close codes`,
      async (net) => {
        const { server, closes } = echoing(compresses);
        await using serving = await serve(net, server);
        const socket = client(net, serving.port, { perMessageDeflate: compresses });
        await once(socket, 'open');
        const echoes = [];
        for (const size of [0, 1, 125, 126, 65_535, 65_536, MESSAGE.length]) {
          socket.send(MESSAGE.subarray(0, size));
          echoes.push(await next(socket));
        }
        for (let i = 0; i < 100; i++) {
          socket.send(MESSAGE.subarray(i * 1000, (i + 1) * 1000), { fin: i === 99, binary: false });
        }
        echoes.push(await next(socket));
        // A thousand at once come back in order.
        const order: string[] = [];
        const all = new Promise<void>((resolve) => {
          socket.on('message', (data: Buffer) => {
            order.push(String(data));
            if (order.length === 1000) resolve();
          });
        });
        for (let i = 0; i < 1000; i++) socket.send(String(i));
        await all;
        const pong = once(socket, 'pong');
        socket.ping('are you there');
        const [answer] = (await pong) as [Buffer];
        socket.close(4000, 'that is all');
        const [code, reason] = (await once(socket, 'close')) as [number, Buffer];

        const endings = [`${code} ${String(reason)}`];
        for (const wish of ['close', 'terminate']) {
          const other = client(net, serving.port).on('error', () => {});
          await once(other, 'open');
          other.send(wish);
          const [code, reason] = (await once(other, 'close')) as [number, Buffer];
          endings.push(`${code} ${String(reason)}`);
        }
        const gone = client(net, serving.port);
        await once(gone, 'open');
        gone.terminate();
        await once(gone, 'close');
        while (closes.length < 4) await new Promise((resolve) => void setImmediate(resolve));
        return {
          echoes,
          isInOrder: order.every((text, i) => text === String(i)),
          answer: String(answer),
          endings,
          closes,
        };
      },
      ({ echoes, isInOrder, answer, endings, closes }) => {
        const sizes = [0, 1, 125, 126, 65_535, 65_536, MESSAGE.length];
        const expected = sizes.map((size) => `true ${size} ${digest(MESSAGE.subarray(0, size))}`);
        assert.deepEqual(echoes, [...expected, `false 100000 ${digest(MESSAGE.subarray(0, 100_000))}`]);
        assert.ok(isInOrder);
        assert.equal(answer, 'are you there');
        assert.deepEqual(endings, ['4000 that is all', '4001 as you wish', '1006 ']);
        assert.deepEqual(closes, ['4000 that is all', '4001 as you wish', '1006 ', '1006 ']);
      },
    );
  }

  itOnBoth(
    [],
    'a client that does not read is waited for; then it gets everything',
    async (net) => {
      const { server, sockets } = echoing(false);
      await using serving = await serve(net, server);
      const connected = once(sockets, 'connection') as Promise<[WebSocket]>;
      const slow = connect(serving.port, '127.0.0.1');
      slow.write(
        'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==\r\n\r\n',
      );
      const [socket] = await connected;
      let sent = 0;
      for (let i = 0; i < 4; i++) socket.send(MESSAGE, () => sent++);
      for (let i = 0; i < 20; i++) await new Promise((resolve) => void setImmediate(resolve));
      const isHeld = socket.bufferedAmount > MESSAGE.length && sent < 4;
      let received = 0;
      slow.on('data', (data) => (received += data.length));
      while (sent < 4) await new Promise((resolve) => void setImmediate(resolve));
      socket.close();
      slow.end();
      await once(slow, 'close');
      return { isHeld, bytes: received - (received % MESSAGE.length) };
    },
    (outcome) => assert.deepEqual(outcome, { isHeld: true, bytes: 4 * MESSAGE.length }),
  );
});
