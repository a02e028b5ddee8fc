// Small applications of the frameworks that most people run, unchanged, with and without the flag: clients see the same
// bytes, and the applications the same events; and the ring was used.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Report } from '../../src/register/index.ts';
import { start } from './flagged.ts';

type Client = (port: number) => Promise<string>;

/** Send it, and say all that is answered until the connection is over. */
function sends(...pieces: string[]): Client {
  return (port) =>
    exchange(port, async (socket) => {
      for (const piece of pieces) {
        socket.write(piece);
        await turn();
      }
    });
}

async function exchange(port: number, talk: (socket: Socket) => Promise<void> | void): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (data: string) => (answer += data));
  const log: string[] = [];
  socket.on('end', () => log.push('end')).on('error', (error: NodeJS.ErrnoException) => log.push(error.code!));
  await once(socket, 'connect');
  await talk(socket);
  if (!socket.destroyed) await once(socket, 'close').catch(() => {});
  return `${answer.replace(/^date: .*$/gim, 'date')}[${log.join()}]`;
}

const get = (path: string, headers = ''): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
const CLOSE = 'Connection: close\r\n';
const post = (body: string, headers = CLOSE): string =>
  `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\nContent-Type: text/x\r\n${headers}\r\n`;
const BODY = 'x'.repeat(4096);
const CHUNK = `4000\r\n${'y'.repeat(0x4000)}\r\n`;

/**
 * Whether the application is told of a reset or of an end depends on what the kernel has told it first, with Node's
 * sockets as well.
 */
const RESET = 'a client that resets in the middle of a body';

const CLIENTS: Record<string, Client> = {
  'one request': sends(get('/', CLOSE)),
  'three requests on one connection, the last to nowhere': sends(get('/'), get('/?again'), get('/missing', CLOSE)),
  'twenty requests in one piece': sends(get('/').repeat(19) + get('/', CLOSE)),
  'a request byte for byte': sends(...Array.from(get('/', CLOSE))),
  'an answer that is large': sends(get('/large', CLOSE)),
  'an answer in parts': sends(get('/parts', CLOSE)),
  'a body of 4 KiB': sends(post(BODY) + BODY),
  'a body that comes later': sends(post(BODY), BODY.slice(0, 100), BODY.slice(100)),
  'a body in chunks of 16 KiB': sends(
    `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: text/x\r\n${CLOSE}\r\n`,
    ...Array.from({ length: 20 }, () => CHUNK),
    '0\r\n\r\n',
  ),
  'a body that waits for 100 Continue': sends(post(BODY, `${CLOSE}Expect: 100-continue\r\n`), BODY),
  'HEAD': sends(`HEAD /large HTTP/1.1\r\nHost: x\r\n${CLOSE}\r\n`),
  'HTTP/1.0': sends('GET / HTTP/1.0\r\n\r\n'),
  'no Host': sends('GET / HTTP/1.1\r\n\r\n'),
  'nonsense': sends('nonsense\r\n\r\n'),
  'a header that is too large': sends(get('/', `X: ${'z'.repeat(20_000)}\r\n`)),
  'nothing at all': (port) => exchange(port, (socket) => void socket.end()),
  'half a request and the end': (port) => exchange(port, (socket) => void socket.end('GET / HTT')),
  'a request and the end': (port) => exchange(port, (socket) => void socket.end(get('/'))),
  'a request for an upgrade that nobody expects': sends(get('/', 'Upgrade: other\r\nConnection: Upgrade\r\n')),
  [RESET]: (port) =>
    exchange(port, async (socket) => {
      await new Promise((done) => socket.write(post(BODY) + BODY.slice(0, 1000), done));
      socket.resetAndDestroy();
    }),
  'a client that reads slowly': (port) =>
    exchange(port, async (socket) => {
      socket.pause();
      socket.write(get('/large', CLOSE));
      for (let i = 0; i < 20; i++) await turn();
      socket.resume();
    }),
};

/** With messages of all kinds, and a close. */
const websocket: Client = async (port) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  await once(socket, 'open');
  const answers: string[] = [];
  for (const message of ['text', Buffer.from('binary'), 'x'.repeat(70_000), '']) {
    socket.send(message);
    const [data, isBinary] = (await once(socket, 'message')) as [Buffer, boolean];
    answers.push(`${data.length} ${isBinary}`);
  }
  socket.close(4000, 'enough');
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  return `${answers.join()} ${code} ${String(reason)}`;
};

interface Told {
  address: { family: string; port: number };
  answers: Record<string, string>;
  events: string[];
  exit: [status: number | null, signal: string | null];
  report: string;
}

/** What clients and the application have seen. */
async function outcome(
  name: string,
  clients: Record<string, Client>,
  mode: Parameters<typeof start>[1],
): Promise<Told> {
  const child = start(name, mode);
  const report = text(child.stderr!);
  const [address] = (await once(child, 'message')) as [Told['address']];
  const events: string[] = [];
  let rouse: (() => void) | undefined;
  child.on('message', (event) => {
    events.push(String(event));
    rouse?.();
  });
  const answers: Record<string, string> = {};
  let expected = 0;
  for (const [title, client] of Object.entries(clients)) {
    const before = events.length;
    answers[title] = await client(address.port);
    // The application has seen the end of the connection, so that its events come in one order.
    expected++;
    const closed = (): number => events.filter((event) => /^#\d+ close/.test(event)).length;
    while (closed() < expected) await new Promise<void>((done) => (rouse = done));
    if (title === RESET) events.splice(before, events.length, `#${expected - 1} close`);
  }
  const exit = once(child, 'exit');
  child.send('end');
  return { address, answers, events, exit: (await exit) as Told['exit'], report: await report };
}

for (const name of ['http', 'express', 'fastify', 'hono', 'koa', 'ws']) {
  describe(name, { timeout: 60_000 }, () => {
    it('answers and is told the same with the flag as without, on the ring, and while that does not pay', async () => {
      const clients = name === 'ws' ? { ...CLIENTS, websocket } : CLIENTS;
      const modes = ['plain', 'eager', 'default'] as const;
      const [plain, ...flagged] = await Promise.all(modes.map((mode) => outcome(name, clients, mode)));
      for (const [i, way] of (['ring', 'node'] as const).entries()) {
        const { address, answers, events, exit, report } = flagged[i];
        assert.equal(address.family, plain.address.family);
        assert.deepEqual(answers, plain.answers);
        assert.deepEqual(events, plain.events);
        assert.deepEqual(exit, plain.exit);
        // Frameworks print there what becomes of requests that were cut off.
        const { sockets } = JSON.parse(report.trim().split('\n').at(-1)!) as Report;
        const accepted = sockets.filter((count) =>
          count.way === way && count.reason.startsWith('accepted by node:http')
        );
        const count = accepted.reduce((sum, { sockets: n }) => sum + n, 0);
        // The one that sends nothing need not come as far.
        assert.ok(count >= Object.keys(clients).length - 1, report);
      }
    });
  });
}
