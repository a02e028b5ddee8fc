// `iouring serve`: what a connection may do, in what order and how long; how it ends; and what is written down about
// it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Temporary } from '../../kernel/temporary.ts';
import { run } from '../../run.ts';
import { get, MALFORMED, MALFORMED_BODIES, WELL_FORMED } from './malformed-requests.ts';
import { closed, Served, statuses, WAYS } from './served.ts';

const LARGE = 8_000_000;
const HOST = 'Host: x\r\n';
const CLOSE = 'Connection: close\r\n';

/** A folder with a file for each digit, and a large one. */
function folderOf(): Temporary {
  const folder = new Temporary();
  for (let i = 0; i < 10; i++) folder.file(String(i), String(i).repeat(i + 1));
  folder.file('large', Buffer.alloc(LARGE, 'large'));
  return folder;
}

describe('iouring serve', { concurrency: 4 }, () => {
  for (const [way, env] of WAYS) {
    describe(`iouring serve, ${way}: HTTP/1`, () => {
      const folder = folderOf();
      let served: Served;
      before(async () => {
        served = await Served.start(folder.path, ['--no-log'], env);
      });
      after(async () => {
        await served[Symbol.asyncDispose]();
        folder[Symbol.dispose]();
      });

      it('answers pipelined requests in their order, whatever they are', async () => {
        const paths = [3, 'large', 'nothing', 9, 0, 5, '%00', 7, 'large', 1];
        const received = await served.exchange(
          `${paths.map((path) => get(`/${path}`)).join('')}${get('/2', CLOSE)}${get('/4')}`,
        );
        assert.deepEqual(statuses(received), [200, 200, 404, 200, 200, 200, 400, 200, 200, 200, 200]);
        const bodies = received.split(/HTTP\/1\.1 /).slice(1).map((response) =>
          response.slice(response.indexOf('\r\n\r\n') + 4)
        );
        for (const [i, path] of [...paths, 2].entries()) {
          if (typeof path === 'number') assert.equal(bodies[i], String(path).repeat(path + 1));
          if (path === 'large') assert.equal(bodies[i], 'large'.repeat(LARGE / 5));
        }
      });

      it('given a thousand requests at once, answers all', async () => {
        const received = await served.exchange(get('/5').repeat(999) + get('/6', CLOSE));
        assert.equal(statuses(received).length, 1000);
        assert.ok(received.endsWith('\r\n\r\n6666666'));
      });

      it('given a request that comes byte by byte, answers it', async () => {
        const socket = served.connect().setNoDelay();
        for (const byte of get('/3', CLOSE)) {
          socket.write(byte);
          await new Promise((resolve) => setImmediate(resolve));
        }
        let received = '';
        for await (const chunk of socket) received += String(chunk);
        assert.match(received, /^HTTP\/1\.1 200 .*\r\n\r\n3333$/s);
      });

      it('keeps a connection as the client wants, of either version', async () => {
        assert.match(await served.exchange(get('/1', '', '1.0')), /^HTTP\/1\.1 200 .*Connection: close\r\n.*11$/s);
        const kept = await served.exchange(get('/1', 'Connection: keep-alive\r\n', '1.0') + get('/2', '', '1.0'));
        assert.deepEqual([statuses(kept), kept.match(/Connection: [^\r]*/g)], [[200, 200], ['Connection: keep-alive',
          'Connection: close']]);
        assert.deepEqual(statuses(await served.exchange(get('/1', 'Connection: foo, Close\r\n') + get('/2'))), [200]);
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        const ports = new Set<number | undefined>();
        for (let i = 0; i < 5; i++) {
          const sent = request({ port: served.port, path: `/${i}`, agent }).end();
          const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
          ports.add(response.socket.localPort);
          await once(response.resume(), 'end');
        }
        agent.destroy();
        assert.equal(ports.size, 1);
      });

      it('given a client that has ended its side, answers it', async () => {
        assert.match(await served.exchange(get('/4') + get('/large'), true), /44444HTTP\/1\.1 200 .*large$/s);
        assert.equal(await served.exchange('', true), '');
        assert.equal(await served.exchange('GET /4 HT', true), '');
      });

      it('reads bodies off that nobody asked for, and refuses large ones', async () => {
        const chunked = 'Transfer-Encoding: chunked\r\n';
        const received = await served.exchange(
          `${get('/1', 'Content-Length: 5\r\n')}GET /${get('/2', chunked)}5;x=y\r\nGET /\r\n0\r\nTrailer: x\r\n\r\n${
            get('/3', CLOSE)
          }`,
        );
        assert.deepEqual([statuses(received), received.slice(-4)], [[200, 200, 200], '3333']);
        assert.deepEqual(statuses(await served.exchange(get('/1', 'Content-Length: 100000\r\n') + get('/2'))), [413]);
        const endless = get('/1', chunked) + `1000\r\n${'x'.repeat(4096)}\r\n`.repeat(20) + `0\r\n\r\n${get('/2')}`;
        assert.deepEqual(statuses(await served.exchange(endless)), [413]);
      });

      it('Expect: says that the body may come, and refuses other expectations', async () => {
        const socket = served.connect().setEncoding('latin1');
        socket.write(get('/2', `Expect: 100-continue\r\nContent-Length: 3\r\n${CLOSE}`));
        const [first] = (await once(socket, 'data')) as [string];
        assert.equal(first, 'HTTP/1.1 100 Continue\r\n\r\n');
        socket.write('abc');
        const [second] = (await once(socket, 'data')) as [string];
        assert.match(second, /^HTTP\/1\.1 200 .*222$/s);
        assert.deepEqual(statuses(await served.exchange(get('/1', 'Expect: more\r\n') + get('/2'))), [417]);
      });

      it('given other methods, refuses them or answers as HTTP says', async () => {
        for (const [method, expected] of [['OPTIONS', 204], ['POST', 405], ['DELETE', 405], ['TRACE', 405]] as const) {
          const { status, headers, body } = await served.get('/1', {}, { method });
          assert.deepEqual([status, headers.allow], [expected, 'GET, HEAD, OPTIONS']);
          if (expected === 204) assert.equal(body.length, 0);
        }
        assert.deepEqual(statuses(await served.exchange(`OPTIONS * HTTP/1.1\r\n${HOST}${CLOSE}\r\n`)), [204]);
        assert.deepEqual(statuses(await served.exchange(`CONNECT x:80 HTTP/1.1\r\n${HOST}\r\n${get('/1')}`)), [405]);
        assert.deepEqual(statuses(await served.exchange(`get /1 HTTP/1.1\r\n${HOST}\r\n${get('/1')}`)), [501]);
      });

      it('given requests that two readers could understand in two ways, refuses them', async () => {
        for (const head of MALFORMED) {
          const received = await served.exchange(`${head}${get('/2')}${get('/3', CLOSE)}`);
          const answers = statuses(received);
          assert.ok(
            answers.length === 1 && (answers[0] === 400 || answers[0] === 501),
            `${JSON.stringify(head)}: ${answers.join()}`,
          );
          assert.ok(received.includes('\r\nConnection: close\r\n'));
        }
        for (const request of MALFORMED_BODIES) {
          assert.deepEqual(statuses(await served.exchange(request + get('/2'))), [400], JSON.stringify(request));
        }
        assert.deepEqual(statuses(await served.exchange(`${get('/1')}nonsense\r\n\r\n${get('/2')}`)), [200, 400]);
      });
    });

    describe(`iouring serve, ${way}: what is no request`, () => {
      it('answers a response that comes as a request with 400, writes a line in the log, and goes on with other connections', async () => {
        using folder = folderOf();
        await using served = await Served.start(folder.path, [], env);
        const started = served.stderr;
        for (const response of ['HTTP/1.1 200 OK\r\n\r\n', 'HTTP/1.1 101 X\r\n\r\n']) {
          assert.deepEqual(statuses(await served.exchange(response + get('/2'))), [400], response);
          // A tunnel would have taken all of this, and said nothing.
          assert.deepEqual(
            statuses(await served.exchange(`${get('/1')}${response}${get('/2')}`)),
            [200, 400],
            response,
          );
        }
        assert.equal(await served.stop(), 0);
        assert.equal(served.stderr, started);
        const lines = served.stdout.trim().split('\n').map((line) => line.replace(/.*\] /, ''));
        assert.deepEqual(lines, ['"-" 400 16', '"GET /1 HTTP/1.1" 200 2', '"-" 400 16', '"-" 400 16',
          '"GET /1 HTTP/1.1" 200 2', '"-" 400 16']);
      });

      it('takes what is well-formed, be it unusual', async () => {
        using folder = folderOf();
        await using served = await Served.start(folder.path, ['--no-log'], env);
        for (const request of WELL_FORMED) {
          const [first, second, ...more] = statuses(await served.exchange(request + get('/1', CLOSE)));
          assert.ok([200, 204, 405].includes(first), JSON.stringify(request));
          if (!request.includes('HTTP/1.0')) assert.deepEqual([second, ...more], [200], JSON.stringify(request));
        }
      });
    });

    describe(`iouring serve, ${way}: limits`, () => {
      it('of a head, and of time: for a head, a body, between requests, and while sending', async () => {
        using folder = folderOf();
        const limits = ['--max-head', '1000', '--head-timeout', '1', '--idle-timeout', '1', '--send-timeout', '1'];
        await using served = await Served.start(folder.path, ['--no-log', ...limits], env);
        assert.deepEqual(statuses(await served.exchange(get('/1', `X: ${'x'.repeat(900)}\r\n${CLOSE}`))), [200]);
        assert.deepEqual(statuses(await served.exchange(get('/1', `X: ${'x'.repeat(1000)}\r\n`))), [431]);
        assert.deepEqual(statuses(await served.exchange(`GET /${'x'.repeat(1000)}`)), [431]);

        const timed = async (start: string, trickle = ''): Promise<[string, number]> => {
          const socket = served.connect();
          const begin = performance.now();
          let received = '';
          socket.setEncoding('latin1').on('data', (text: string) => (received += text));
          socket.write(start, 'latin1');
          // Whoever sends a byte now and then gets no more time.
          const dripping = setInterval(() => trickle !== '' && socket.write(trickle), 100);
          await closed(socket);
          clearInterval(dripping);
          return [received, performance.now() - begin];
        };
        /** Asks for much and reads nothing. */
        const stuck = async (): Promise<number> => {
          const socket = served.connect();
          const begin = performance.now();
          socket.pause();
          socket.write(get('/large') + get('/large'));
          // Of a reset nobody hears who does not read: but who writes.
          const writing = setInterval(() => socket.write('\r\n'), 100);
          await closed(socket);
          clearInterval(writing);
          return performance.now() - begin;
        };
        const [stuckFor, ...outcomes] = await Promise.all([
          stuck(),
          timed(''),
          timed('GET /1 HT'),
          timed('GET /1 HTTP/1.1\r\nX: ', 'x'),
          timed(get('/1', 'Content-Length: 50\r\n'), 'x'),
          timed(get('/1')),
        ]);
        const expected = [[], [408], [408], [408], [200]];
        assert.deepEqual(outcomes.map(([received]) => statuses(received)), expected);
        for (const [, milliseconds] of outcomes) assert.ok(milliseconds > 900, String(milliseconds));
        assert.ok(stuckFor > 900, String(stuckFor));
      });

      it('of connections: one too many is told to come back', async () => {
        using folder = folderOf();
        await using served = await Served.start(folder.path, ['--no-log', '--max-connections', '6'], env);
        const holders = Array.from({ length: 6 }, () => served.connect());
        await Promise.all(holders.map((socket) => once(socket, 'connect')));
        // Accepted in their order.
        const refused = await served.exchange(get('/1'));
        assert.match(refused, /^HTTP\/1\.1 503 .*Retry-After: 1\r\n/s);
        for (const socket of holders) socket.destroy();
        let status = 503;
        while (status === 503) [status] = statuses(await served.exchange(get('/1', CLOSE)));
        assert.equal(status, 200);
      });

      it('leaves no descriptor behind, whatever clients do', async () => {
        using folder = folderOf();
        await using served = await Served.start(folder.path, ['--no-log', '--list'], env);
        const descriptors = (): number => readdirSync(`/proc/${served.child.pid}/fd`).length;
        const visit = async (i: number): Promise<void> => {
          const socket = served.connect();
          await once(socket, 'connect');
          socket.write(get(['/large', '/', '/nothing', '/3'][i % 4]));
          if (i % 3 !== 0) await once(socket, 'data');
          if (i % 2 === 0) socket.resetAndDestroy();
          else socket.destroy();
        };
        await Promise.all(Array.from({ length: 24 }, (_, i) => visit(i)));
        await served.exchange(get('/1', CLOSE));
        // Files that are kept open are so by now: those of this folder, and no more than that.
        const most = descriptors() + 12;
        for (let round = 0; round < 6; round++) await Promise.all(Array.from({ length: 24 }, (_, i) => visit(i)));
        let now = descriptors();
        for (let i = 0; i < 2000 && now > most; i++) {
          await served.exchange(get('/1', CLOSE));
          now = descriptors();
        }
        assert.ok(now <= most, `${now} descriptors, and not ${most}`);
        assert.equal(await served.stop(), 0);
      });
    });

    describe(`iouring serve, ${way}: the end`, () => {
      it('under load: what was asked for is answered, nothing new is accepted, exit 0', async () => {
        using folder = folderOf();
        await using served = await Served.start(folder.path, [], env);
        const slow = Array.from({ length: 12 }, () => {
          const socket = served.connect();
          let length = 0;
          socket.write(get('/large') + get('/7'));
          let last = '';
          socket.on('data', (chunk: Buffer) => {
            length += chunk.length;
            last = (last + chunk.toString('latin1')).slice(-400);
            socket.pause();
            setTimeout(() => socket.resume(), 1);
          });
          const begun = once(socket, 'data');
          return { begun, done: once(socket, 'close').then(() => ({ length, last })) };
        });
        const idle = served.connect();
        const idleClosed = once(idle.resume(), 'close');
        await Promise.all(slow.map(({ begun }) => begun));
        const exited = served.stop(way === 'through io_uring' ? 'SIGTERM' : 'SIGINT');
        await idleClosed;
        const [error] = (await once(connect(served.port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
        assert.equal(error.code, 'ECONNREFUSED');
        for (const { done } of slow) {
          const { length, last } = await done;
          assert.ok(length > LARGE);
          assert.match(last, /HTTP\/1\.1 200 .*\r\nConnection: close\r\n.*77777777$/s);
        }
        assert.equal(await exited, 0);
        // All of it was written down before the end.
        assert.equal(served.stdout.match(/ "GET \/large HTTP\/1\.1" 200 8000000\n/g)!.length, 12);
      });

      it('a second signal does not wait', async () => {
        using folder = folderOf();
        await using served = await Served.start(folder.path, ['--no-log'], env);
        const stuck = served.connect();
        stuck.write(get('/large') + get('/large') + get('/large'));
        await once(stuck, 'data');
        stuck.pause();
        served.child.kill('SIGTERM');
        // It listens no more: so it has the first one.
        for (;;) {
          const probe = served.connect();
          const isRefused = await new Promise((resolve) =>
            probe.once('connect', () => resolve(false)).once('close', () => resolve(true))
          );
          probe.destroy();
          if (isRefused) break;
        }
        assert.equal(served.child.exitCode, null);
        assert.equal(await served.stop(), 143);
        stuck.destroy();
      });
    });

    describe(`iouring serve, ${way}: the access log`, () => {
      it('in the common log format to stdout', async () => {
        using folder = folderOf();
        await using served = await Served.start(folder.path, [], env);
        await served.get('/5');
        await served.exchange(get('/"\\x', CLOSE) + get('/1'));
        await served.exchange('nonsense\r\n\r\n');
        await served.get('/7', {}, { method: 'HEAD' });
        assert.equal(await served.stop(), 0);
        const lines = served.stdout.split('\n');
        const time = String.raw`\[\d\d\/[A-Z][a-z][a-z]\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]`;
        const expected = ['"GET /5 HTTP/1.1" 200 6', String.raw`"GET /\"\\x HTTP/1.1" 404 14`, '"-" 400 16',
          '"HEAD /7 HTTP/1.1" 200 0', ''];
        assert.equal(lines.length, expected.length);
        for (const [i, line] of lines.slice(0, -1).entries()) {
          assert.match(line, new RegExp(String.raw`^127\.0\.0\.1 - - ${time} "`));
          assert.ok(line.endsWith(` ${expected[i]}`), line);
        }
      });

      it('as JSON to a file, and to another one after SIGHUP', async () => {
        using folder = folderOf();
        using logs = new Temporary();
        const path = join(logs.path, 'access.log');
        writeFileSync(path, 'what was there\n');
        await using served = await Served.start(folder.path, ['--log', path, '--json'], env);
        await served.get('/5', { 'User-Agent': 'a "test"', Referer: 'http://x/' });
        while (!readFileSync(path, 'utf8').includes('/5')) await new Promise((resolve) => setTimeout(resolve, 20));
        renameSync(path, `${path}.1`);
        served.child.kill('SIGHUP');
        while (!readdirSync(logs.path).includes('access.log')) await new Promise((resolve) => setTimeout(resolve, 20));
        await served.get('/6');
        assert.equal(await served.stop(), 0);
        assert.equal(served.stdout, '');
        const [first, second, end] = readFileSync(`${path}.1`, 'utf8').split('\n');
        assert.deepEqual([first, end], ['what was there', '']);
        const { time, ms, ...rest } = JSON.parse(second) as Record<string, unknown>;
        assert.deepEqual(rest, {
          address: '127.0.0.1',
          method: 'GET',
          target: '/5',
          version: 'HTTP/1.1',
          status: 200,
          bytes: 6,
          referer: 'http://x/',
          userAgent: 'a "test"',
        });
        assert.ok(Math.abs(Date.parse(time as string) - Date.now()) < 10_000 && typeof ms === 'number' && ms >= 0);
        assert.equal((JSON.parse(readFileSync(path, 'utf8')) as { target: string }).target, '/6');
      });

      it('none, on a unix socket', async () => {
        using folder = folderOf();
        const unix = join(folder.path, 'socket');
        await using served = await Served.start(folder.path, ['--unix', unix, '--no-log'], env);
        const { status, body } = await served.get('/3', {}, { socketPath: unix });
        assert.deepEqual([status, body.toString()], [200, '3333']);
        assert.equal(await served.stop(), 0);
        assert.deepEqual([served.stdout, readdirSync(folder.path).includes('socket')], ['', false]);
      });
    });
  }
});

describe('iouring serve, on a terminal', () => {
  it('shows a line of rates that is drawn anew', async (t) => {
    if ((await run('sh', ['-c', 'command -v script'])).status !== 0) {
      t.skip('needs script (util-linux)');
      return;
    }
    using folder = folderOf();
    const command = `exec ${process.execPath} dist/cli/main.js serve ${folder.path} --port 0 --no-log`;
    const terminal = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(terminal, 'close');
    let stdout = '';
    for await (const text of terminal.stdout.setEncoding('utf8')) {
      stdout += String(text);
      // A key that is a signal.
      if (stdout.split('requests/s').length > 3 && !terminal.stdin.writableEnded) terminal.stdin.end('\x03');
    }
    assert.equal((await ended)[0], 0);
    assert.ok(stdout.includes('\r\x1b[2K0 requests/s  0 B/s  0 connections\r\x1b[2K'), JSON.stringify(stdout));
    assert.ok(stdout.endsWith('\r\x1b[2K'), JSON.stringify(stdout));
  });
});
