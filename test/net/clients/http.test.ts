// node:http over our sockets, with curl, wrk and autocannon, and with node's own client over ours.
import assert from 'node:assert/strict';
import autocannon from 'autocannon';
import { once } from 'node:events';
import * as http from 'node:http';
import { describe } from 'node:test';
import { Temporary } from '../../kernel/temporary.ts';
import { run } from '../../run.ts';
import { application, digest, large } from './application.ts';
import { itOnBoth, serve, type Net } from './sockets.ts';

const BODY = Buffer.alloc(3_000_000, 'what is sent ');

/** What curl prints; an answer by its digest where it is large. */
async function curl(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await run('curl', ['-sS', '--max-time', '20', '-A', 'curl', ...args]);
  const text = stdout.length > 5000 ? digest(Buffer.from(stdout)) : stdout;
  return `${status} ${stderr}\n${text}`;
}

/** What came of a request of node's own client. */
async function request(options: http.RequestOptions, body?: Uint8Array): Promise<string> {
  const sent = http.request(options).end(body);
  const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
  const received: Buffer[] = [];
  for await (const data of response) received.push(data as Buffer);
  return `${response.statusCode} ${digest(Buffer.concat(received))}`;
}

describe('http over sockets', () => {
  itOnBoth(
    ['curl'],
    'curl: requests of all kinds',
    async (net) => {
      using temporary = new Temporary();
      const body = temporary.file('body', BODY);
      await using server = await serve(net, http.createServer(application));
      const url = `http://127.0.0.1:${server.port}`;
      return [
        await curl('-i', `${url}/hello`),
        await curl('-I', `${url}/hello`),
        await curl('-i', '--http1.0', `${url}/large?bytes=100000`),
        await curl('-i', '-X', 'DELETE', '-H', 'x-header: value', `${url}/request`),
        await curl(`${url}/large?bytes=3000000`),
        await curl(`${url}/nothing`, '--fail'),
        // With a length and `Expect: 100-continue`, in chunks, and back again.
        await curl('-H', 'Expect: 100-continue', '--data-binary', `@${body}`, `${url}/digest`),
        await curl('-T', body, '-H', 'Transfer-Encoding: chunked', `${url}/digest`),
        await curl('--data-binary', `@${body}`, `${url}/echo`),
        // One connection for all.
        await curl('-w', '%{num_connects}\n', ...[1, 2, 3, 4].flatMap((n) => [`${url}/large?bytes=${n}`])),
        // At the same time.
        await curl('-Z', '--no-progress-meter', ...Array.from({ length: 20 }, () => `${url}/hello`)),
        // It goes away in the middle.
        await curl('--max-filesize', '1000', `${url}/large?bytes=50000000`, '-w', '%{http_code}', '-r', '0-'),
        await curl('-i', `${url}/hello`),
      ];
    },
    (printed) => {
      assert.match(printed[0], /^0 \nHTTP\/1\.1 200 OK\r\n[^]*hello\n$/);
      assert.equal(printed[4], `0 \n${digest(large(3_000_000))}`);
      assert.match(printed[5], /^22 /);
      assert.equal(printed[6], `0 \n${digest(BODY)}`);
      assert.equal(printed[7], `0 \n${digest(BODY)}`);
      assert.equal(printed[8], `0 \n${digest(BODY)}`);
      assert.match(printed[9], /1\n.+0\n.+0\n.+0\n$/);
      assert.equal(printed[10], `0 \n${'hello\n'.repeat(20)}`);
    },
  );

  itOnBoth(
    ['wrk'],
    'wrk: nothing fails under load',
    async (net, t) => {
      await using server = await serve(net, http.createServer(application), { noDelay: true });
      const { stdout, status } = await run('wrk', ['-t1', '-c50', '-d1s', `http://127.0.0.1:${server.port}/hello`]);
      t.diagnostic(`${nameOf(net)}: ${/Requests\/sec: +(.*)/.exec(stdout)?.[1]} requests a second`);
      return {
        status,
        failures: /Socket errors.*|Non-2xx.*/.exec(stdout)?.[0],
        isLoaded: / [1-9]\d{2,} requests in /.test(stdout),
      };
    },
    (outcome) => assert.deepEqual(outcome, { status: 0, failures: undefined, isLoaded: true }),
  );

  itOnBoth(
    [],
    'autocannon: pipelines, bodies, and a server that closes connections',
    async (net) => {
      const outcomes = [];
      for (const path of ['/hello', '/digest', '/closing']) {
        const server = http.createServer((req, res) => {
          if (path === '/closing') res.setHeader('connection', 'close');
          application(req, res);
        });
        await using serving = await serve(net, server, { noDelay: true });
        const isPost = path === '/digest';
        const { errors, timeouts, non2xx, ['2xx']: ok, mismatches } = await autocannon({
          url: `http://127.0.0.1:${serving.port}${path === '/closing' ? '/hello' : path}`,
          connections: 10,
          pipelining: isPost || path === '/closing' ? 1 : 8,
          amount: 1000,
          sampleInt: 50,
          ...(isPost ? { method: 'POST', body: BODY.subarray(0, 5000), expectBody: digest(BODY.subarray(0, 5000)) }
            : {}),
        });
        // What is on its way when the last one is answered is not counted, nor every second that ends its connection.
        const least = path === '/closing' ? 450 : 900;
        outcomes.push({ path, errors, timeouts, non2xx, isDone: ok >= least, mismatches });
      }
      return outcomes;
    },
    (outcomes) => {
      for (const { path, ...counts } of outcomes) {
        assert.deepEqual(counts, { errors: 0, timeouts: 0, non2xx: 0, isDone: true, mismatches: 0 }, path);
      }
    },
  );

  itOnBoth(
    [],
    "node's client, with createConnection: connections that are kept, bodies, and requests that are given up",
    async (net) => {
      await using server = await serve(net, http.createServer(application));
      const { port } = server;
      const agent = new http.Agent({ keepAlive: true, maxSockets: 5 });
      let connections = 0;
      const createConnection = (): ReturnType<Net['connect']> => {
        connections++;
        return net.connect({ port, host: '127.0.0.1', noDelay: true });
      };
      // Asked by the agent, where there is one.
      (agent as unknown as { createConnection: typeof createConnection }).createConnection = createConnection;
      const all = Array.from({ length: 60 }, (_, i) => {
        const body = BODY.subarray(0, i * 997);
        return request({ agent, port, path: '/echo', method: 'POST' }, body);
      });
      const answers = await Promise.all(all);
      const kept = connections;
      agent.destroy();
      const byItself = await request({ port, path: '/large?bytes=2000000', createConnection });
      const given = http.get({ port, path: '/large?bytes=50000000', createConnection });
      const [response] = (await once(given, 'response')) as [http.IncomingMessage];
      await once(response, 'data');
      const closed = once(response, 'close');
      given.destroy();
      await closed.catch(() => {});
      return { answers, kept, byItself, connections };
    },
    ({ answers, kept, byItself, connections }) => {
      assert.deepEqual(answers, answers.map((_, i) => `200 ${digest(BODY.subarray(0, i * 997))}`));
      assert.deepEqual([kept, connections], [5, 7]);
      assert.equal(byItself, `200 ${digest(large(2_000_000))}`);
    },
  );

  itOnBoth(
    [],
    'what belongs to sockets: a socket that is upgraded, one that is idle, one that sends no request',
    async (net) => {
      const server = http.createServer(application).setTimeout(1000);
      const events: string[] = [];
      server.on('upgrade', (_request, socket, head) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nConnection: Upgrade\r\n\r\n');
        socket.write(head);
        socket.pipe(socket);
      });
      server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
        events.push(`${error.code}`);
        socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      });
      await using serving = await serve(net, server);
      const options = { port: serving.port, headers: { connection: 'Upgrade', upgrade: 'raw' } };
      const sent = http.get({ ...options, createConnection: () => net.connect(serving.port, '127.0.0.1') });
      const [, socket] = (await once(sent, 'upgrade')) as [unknown, import('node:net').Socket];
      socket.end('to and fro');
      const back = await text(socket);
      const answers = [];
      for (const bytes of ['no request\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\r\nX: ']) {
        const client = net.connect(serving.port, '127.0.0.1');
        client.write(bytes);
        answers.push(await text(client));
      }
      return { back, answers, events };
    },
    ({ back, answers, events }) => {
      assert.equal(back, 'to and fro');
      assert.deepEqual(answers.map((answer) => answer.split('\r\n')[0]), ['HTTP/1.1 400 Bad Request', '']);
      assert.deepEqual(events, ['HPE_INVALID_METHOD']);
    },
  );
});

async function text(stream: AsyncIterable<unknown>): Promise<string> {
  const received: Buffer[] = [];
  for await (const data of stream) received.push(data as Buffer);
  return Buffer.concat(received).toString('latin1');
}

function nameOf(net: Net): string {
  return 'listen' in net ? 'iouring/net' : 'node:net';
}
