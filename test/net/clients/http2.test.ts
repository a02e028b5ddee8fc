// node:http2 over our sockets, with curl and nghttp2's clients, which speak it as browsers do, and with node's over
// ours.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import { describe } from 'node:test';
import * as tls from 'node:tls';
import { Temporary } from '../../kernel/temporary.ts';
import { run } from '../../run.ts';
import { application, digest, large } from './application.ts';
import { CERTIFICATE, KEY } from './certificate.ts';
import { itOnBoth, serve } from './sockets.ts';

const BODY = Buffer.alloc(1_000_000, 'what is sent ');
const IDENTITY = { key: KEY, cert: CERTIFICATE, allowHTTP1: true };

describe('http2 over sockets', () => {
  itOnBoth(
    ['curl'],
    'curl --http2, after TLS and without',
    async (net) => {
      using temporary = new Temporary();
      const authority = temporary.file('authority.pem', CERTIFICATE);
      const body = temporary.file('body', BODY);
      const printed = [];
      for (const scheme of ['https', 'http']) {
        const server = scheme === 'https' ? http2.createSecureServer(IDENTITY, application)
          : http2.createServer(application);
        await using serving = await serve(net, server, { noDelay: true });
        const url = `${scheme}://localhost:${serving.port}`;
        const how = scheme === 'https' ? ['--http2', '--cacert', authority] : ['--http2-prior-knowledge'];
        const curl = async (...args: string[]): Promise<string> => {
          const { status, stdout, stderr } = await run('curl', ['-sS', '--max-time', '20', '-4', ...how, ...args]);
          return `${status} ${stderr}${stdout.length > 1000 ? digest(Buffer.from(stdout)) : stdout}`;
        };
        printed.push(
          await curl('-w', '%{http_version}', `${url}/hello`),
          await curl(`${url}/large?bytes=3000000`),
          await curl('--data-binary', `@${body}`, `${url}/digest`),
          // All over one connection, at the same time. curl 7.88 cannot do that without TLS.
          scheme === 'http' ? '' : await curl(
            '-Z',
            '--no-progress-meter',
            ...Array.from({ length: 20 }, () => `${url}/large?bytes=40`),
          ),
          scheme === 'https' ? await curl('--http1.1', '-w', '%{http_version}', `${url}/hello`) : '',
        );
      }
      return printed;
    },
    (printed) => {
      const expected = ['0 hello\n2', `0 ${digest(large(3_000_000))}`, `0 ${digest(BODY)}`];
      const all = `0 ${String(large(40)).repeat(20)}`;
      assert.deepEqual(printed, [...expected, all, '0 hello\n1.1', ...expected, '', '']);
    },
    "libuv's handles",
  );

  itOnBoth(
    ['nghttp', 'h2load'],
    'nghttp and h2load: many streams on many connections',
    async (net) => {
      await using server = await serve(net, http2.createServer(application), { noDelay: true });
      const url = `http://127.0.0.1:${server.port}`;
      const { stdout, status } = await run('nghttp', [`${url}/large?bytes=100000`, `${url}/large?bytes=100000`]);
      const load = await run('h2load', ['-n2000', '-c10', '-m20', `${url}/hello`]);
      return {
        status,
        bytes: stdout.length,
        requests: /^requests: .*/m.exec(load.stdout)?.[0],
        codes: /^status codes: .*/m.exec(load.stdout)?.[0],
      };
    },
    ({ status, bytes, requests, codes }) => {
      assert.equal(status, 0);
      // The same address is asked for once.
      assert.equal(bytes, 100_000);
      assert.match(
        requests ?? '',
        /2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout/,
      );
      assert.equal(codes, 'status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx');
    },
    "libuv's handles",
  );

  itOnBoth(
    [],
    "node's client, by createConnection: streams both ways, one that is given up, a session that is closed",
    async (net) => {
      const outcomes = [];
      for (const scheme of ['http', 'https']) {
        const server = scheme === 'https' ? http2.createSecureServer(IDENTITY, application)
          : http2.createServer(application);
        await using serving = await serve(net, server);
        const session = http2.connect(`${scheme}://localhost:${serving.port}`, {
          createConnection: () => {
            const socket = net.connect(serving.port, '127.0.0.1');
            if (scheme === 'http') return socket;
            return tls.connect({ socket, ca: CERTIFICATE, servername: 'localhost', ALPNProtocols: ['h2'] });
          },
        });
        const ask = async (path: string, body?: Uint8Array): Promise<string> => {
          const stream = session.request({ ':path': path, ':method': body === undefined ? 'GET' : 'POST' }).end(body);
          const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
          const received: Buffer[] = [];
          for await (const data of stream) received.push(data as Buffer);
          return `${headers[':status' as string] as unknown as number} ${digest(Buffer.concat(received))}`;
        };
        const all = Array.from({ length: 30 }, (_, i) => ask('/echo', BODY.subarray(0, i * 10_007)));
        const answers = await Promise.all(all);
        answers.push(await ask('/large?bytes=2000000'), await ask('/nothing'));
        const given = session.request({ ':path': '/large?bytes=50000000' });
        await once(given, 'data');
        given.close(http2.constants.NGHTTP2_CANCEL);
        await once(given, 'close');
        answers.push(await ask('/hello'));
        const closed = once(session, 'close');
        session.close();
        await closed;
        outcomes.push(answers);
      }
      return outcomes;
    },
    (outcomes) => {
      const sent = Array.from({ length: 30 }, (_, i) => BODY.subarray(0, i * 10_007));
      const answers = [...sent, large(2_000_000)].map((body) => `200 ${digest(body)}`);
      answers.push(`404 ${digest(Buffer.from('no such thing\n'))}`, `200 ${digest(Buffer.from('hello\n'))}`);
      assert.deepEqual(outcomes, [answers, answers]);
    },
    "libuv's handles",
  );
});
