// The timer of a socket that tells when nothing comes and goes: data puts it off as often on the ring as with Node, which
// shows in what a request costs, and in when 'timeout' is told.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import * as node from 'node:net';
import { describe, it } from 'node:test';
import ours from '../../../src/net/index.ts';
import { wayOf } from '../../../src/net/dropin/changing-ways.ts';
import { fromTheFirstByte } from '../from-the-first-byte.ts';

fromTheFirstByte();

const EXCHANGES = 5;

type Counted = node.Socket & { _unrefTimer(): void };

/** Counts how often the timer of a socket is put off. */
function count(socket: node.Socket): { puts: number } {
  const counted = { puts: 0 };
  const { _unrefTimer: putOff } = socket as Counted;
  (socket as Counted)._unrefTimer = function () {
    counted.puts++;
    putOff.call(this);
  };
  return counted;
}

async function listening(server: node.Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as node.AddressInfo).port;
}

/** How often with each exchange, on the side of the server. */
const PROTOCOLS: Record<string, (net: Pick<typeof node, 'createServer'>) => Promise<number[]>> = {
  async 'net, an echo'(net) {
    const sockets: node.Socket[] = [];
    const server = net.createServer((socket) => {
      sockets.push(socket);
      socket.on('data', (data) => socket.write(data));
    });
    const client = node.connect(await listening(server), '127.0.0.1');
    await once(server, 'connection');
    const counted = count(sockets[0]);
    const puts: number[] = [];
    for (let i = 0; i < EXCHANGES; i++) {
      client.write('x');
      await once(client, 'data');
      await new Promise(setImmediate);
      puts.push(counted.puts);
    }
    if (net === ours) assert.equal(wayOf(sockets[0]), 'ring');
    client.destroy();
    server.close();
    return puts;
  },
  'http, GET': (net) => requests(net, (port, agent) => http.get({ port, host: '127.0.0.1', agent })),
  'http, POST': (net) =>
    requests(net, (port, agent) => http.request({ port, host: '127.0.0.1', agent, method: 'POST' }).end('a body')),
};

async function requests(
  net: Pick<typeof node, 'createServer'>,
  ask: (port: number, agent: http.Agent) => http.ClientRequest,
): Promise<number[]> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  let counted: { puts: number } | undefined;
  let socket: node.Socket | undefined;
  const web = http.createServer((request, response) => {
    counted ??= count(socket = request.socket);
    request.resume().on('end', () => response.end('hello'));
  });
  const listener = net.createServer({ allowHalfOpen: true, noDelay: true }, (one) => web.emit('connection', one));
  const port = await listening(listener);
  const puts: number[] = [];
  for (let i = 0; i < EXCHANGES; i++) {
    const [response] = (await once(ask(port, agent), 'response')) as [http.IncomingMessage];
    await once(response.resume(), 'end');
    await new Promise(setImmediate);
    puts.push(counted!.puts);
  }
  if (net === ours) assert.equal(wayOf(socket!), 'ring');
  agent.destroy();
  listener.close();
  return puts;
}

describe('data puts the timer of a socket off as often as with Node', () => {
  for (const [protocol, exchange] of Object.entries(PROTOCOLS)) {
    it(protocol, async () => assert.deepEqual(await exchange(ours), await exchange(node)));
  }
});
