// node:https over our sockets, on both sides of the connection.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import { describe } from 'node:test';
import * as tls from 'node:tls';
import { Temporary } from '../../kernel/temporary.ts';
import { run } from '../../run.ts';
import { application, digest, large } from './application.ts';
import { CERTIFICATE, KEY } from './certificate.ts';
import { itOnBoth, serve } from './sockets.ts';

const BODY = Buffer.alloc(2_000_000, 'what is sent ');
const IDENTITY = { key: KEY, cert: CERTIFICATE };

describe('https over sockets', () => {
  itOnBoth(
    ['curl'],
    'curl, over TLS 1.2 and 1.3',
    async (net) => {
      using temporary = new Temporary();
      const body = temporary.file('body', BODY);
      const authority = temporary.file('authority.pem', CERTIFICATE);
      await using server = await serve(net, https.createServer(IDENTITY, application));
      const url = `https://localhost:${server.port}`;
      const curl = async (...args: string[]): Promise<string> => {
        const all = ['-sS', '--max-time', '20', '-4', '--cacert', authority, ...args];
        const { status, stdout, stderr } = await run('curl', all);
        return `${status} ${stderr.replaceAll(String(server.port), 'PORT')}${
          stdout.length > 1000 ? digest(Buffer.from(stdout)) : stdout
        }`;
      };
      return [
        await curl('--tls-max', '1.2', '-w', '%{ssl_verify_result}', `${url}/hello`),
        await curl('--tlsv1.3', '-w', '%{ssl_verify_result}', `${url}/hello`),
        await curl('--data-binary', `@${body}`, `${url}/digest`),
        await curl(`${url}/large?bytes=2000000`),
        // One that expected another server, and one that speaks another protocol.
        await curl('--pinnedpubkey', `sha256//${'A'.repeat(43)}=`, `${url}/hello`),
        await curl('--max-time', '5', `http://localhost:${server.port}/hello`),
        await curl(`${url}/hello`),
      ];
    },
    (printed) => {
      assert.equal(printed[0], '0 hello\n0');
      assert.equal(printed[1], '0 hello\n0');
      assert.equal(printed[2], `0 ${digest(BODY)}`);
      assert.equal(printed[3], `0 ${digest(large(2_000_000))}`);
      assert.match(printed[4], /^90 /);
      assert.match(printed[5], /^52 /);
    },
    "libuv's handles",
  );

  itOnBoth(
    [],
    "node's client, by createConnection: TLS over a socket of ours; resumed sessions, renewed requests, the end of TLS",
    async (net) => {
      await using server = await serve(net, https.createServer(IDENTITY, application));
      const { port } = server;
      let session: Buffer | undefined;
      let connections = 0;
      const connect = (): tls.TLSSocket => {
        connections++;
        const options = { ca: CERTIFICATE, servername: 'localhost', session };
        return tls.connect({ ...options, socket: net.connect(port, '127.0.0.1') }).on(
          'session',
          (data) => (session = data),
        );
      };
      const answers = [];
      for (const [path, body] of [['/echo', BODY], ['/large?bytes=2000000'], ['/hello']] as const) {
        const options = { port, path, method: body === undefined ? 'GET' : 'POST' };
        const sent = https.request({ ...options, createConnection: connect }).end(body);
        const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
        const received: Buffer[] = [];
        for await (const data of response) received.push(data as Buffer);
        const { authorized } = response.socket as tls.TLSSocket;
        answers.push(`${response.statusCode} ${authorized} ${digest(Buffer.concat(received))}`);
      }
      // A certificate that nobody vouches for.
      const distrusting = tls.connect({ socket: net.connect(port, '127.0.0.1'), servername: 'localhost' });
      const [error] = (await once(distrusting, 'error')) as [NodeJS.ErrnoException];
      const plain = connect();
      await once(plain, 'secureConnect');
      const about = [plain.getProtocol(), plain.isSessionReused()];
      plain.end('GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      let text = '';
      for await (const data of plain) text += String(data);
      return { answers, connections, error: error.code, text, about };
    },
    ({ answers, connections, error, text, about }) => {
      assert.equal(connections, 4);
      const bodies = [BODY, large(2_000_000), Buffer.from('hello\n')];
      assert.deepEqual(answers, bodies.map((body) => `200 true ${digest(body)}`));
      assert.equal(error, 'DEPTH_ZERO_SELF_SIGNED_CERT');
      assert.match(text, /^HTTP\/1.1 200 OK\r\n[^]*hello\n$/);
      assert.deepEqual(about, ['TLSv1.3', true]);
    },
    "libuv's handles",
  );
});
