// What goes through the ring when nobody asks for it: connections of a program that has much to do, and no others.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Report, SocketCount } from '../../src/register/index.ts';
import { program, REGISTER } from './flagged.ts';

const { uvMetricsInfo } = performance.nodeTiming as unknown as { uvMetricsInfo?: object };
const skip = uvMetricsInfo === undefined && 'this version of Node does not count the turns of its event loop';

/** As a user has it: IOURING_EAGER is not set. */
const DEFAULT = { IOURING: 'http.server', IOURING_EAGER: '', IOURING_REPORT: 'json' };

const COUNT_RINGS = `
  const countRings = () => readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync('/proc/self/fd/' + fd).includes('[io_uring]');
    } catch {
      return false;
    }
  }).length;`;

/** As many rings Node has for its own event loop, without the flag. */
const OWN_RINGS = Number(execFileSync(process.execPath, ['--input-type=module', '-e', `
  import { readdirSync, readlinkSync } from 'node:fs';
  import http from 'node:http';
  ${COUNT_RINGS}
  const server = http.createServer().listen(0, '127.0.0.1', () => server.close(() => console.log(countRings())));`]));

const PRELUDE = `
  import assert from 'node:assert/strict';
  import { once } from 'node:events';
  import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
  import http from 'node:http';
  import { text } from 'node:stream/consumers';
  import { report } from '${REGISTER}';

  const sockets = [];
  const server = http.createServer(async (request, response) => {
    response.end(request.method + ' ' + request.url + ' ' + await text(request));
  });
  server.on('connection', (socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  // On a busy machine a connection may be idle for long.
  server.keepAliveTimeout = 0;
  await once(server, 'listening');
  const { port } = server.address();

  const agents = [];
  const client = (name) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    return async (number) => {
      const path = '/' + name + '/' + number;
      const method = number % 3 === 0 ? 'POST' : 'GET';
      const request = http.request({ host: '127.0.0.1', port, agent, path, method });
      request.end(method === 'POST' ? 'body of ' + path : '');
      const [response] = await once(request, 'response');
      assert.equal(await text(response), method + ' ' + path + ' ' + (method === 'POST' ? 'body of ' + path : ''));
    };
  };
  const end = async () => {
    for (const agent of agents) agent.destroy();
    server.close();
    await once(server, 'close');
  };
  ${COUNT_RINGS}
  const rings = () => countRings() - ${OWN_RINGS};
  const isKoffiLoaded = () => readFileSync('/proc/self/maps', 'utf8').includes('koffi');
`;

/** What it prints, and what the report says in the end. */
async function outcome<T>(text: string): Promise<[printed: T, report: Report]> {
  const { status, stdout, stderr } = await program(PRELUDE + text, DEFAULT);
  assert.equal(status, 0, stderr);
  return [JSON.parse(stdout) as T, JSON.parse(stderr) as Report];
}

function accepted({ sockets }: Report, way: SocketCount['way']): SocketCount | undefined {
  return sockets.find((count) => count.way === way && count.reason.startsWith('accepted by node:http'));
}

describe('a server of node:http under the flag', { timeout: 60_000 }, () => {
  it('given many clients at a time, is taken to the ring, and given one, goes back; the report counts both', {
    skip,
  }, async () => {
    const [{ busy, quiet, before, rings, bytes, rounds }, atEnd] = await outcome<{
      before: number;
      busy: Report;
      quiet: Report;
      rings: number;
      rounds: number;
      bytes: [read: number, written: number];
    }>(`
      const before = rings();
      const isDone = (seen) => {
        const count = seen?.sockets.find(({ way, reason }) => way === 'ring' && reason.startsWith('accepted'));
        return count?.sockets === 64 && 4 * count.bytesRead > count.bytesReadByNode;
      };
      const clients = Array.from({ length: 64 }, (_, i) => client(i));
      let busy;
      let rounds = 0;
      // It has to have paid for some seconds.
      for (let i = 0; i < 10_000 && !isDone(busy); i++) {
        await Promise.all(clients.map((ask) => ask(i)));
        rounds++;
        if (i % 50 === 49) busy = report();
      }
      for (let i = 0; i < 1600; i++) await clients[0](i);
      const quiet = report();
      const sum = (name) => sockets.reduce((all, socket) => all + socket[name], 0);
      console.log(JSON.stringify({ before, busy, quiet, rounds, rings: rings(), bytes: [sum('bytesRead'), sum('bytesWritten')] }));
      await end();
    `);
    assert.equal(before, 0);
    assert.ok(rings > 0);
    const [whenBusy, whenQuiet, last] = [busy, quiet, atEnd].map((report) => accepted(report, 'ring')!);
    assert.equal(whenBusy.sockets, 64);
    assert.ok(whenBusy.bytesRead > 0 && whenBusy.bytesReadByNode > 0, JSON.stringify(whenBusy));
    // Of the 1600 requests of the one client most were Node's.
    const each = whenBusy.bytesReadByNode + whenBusy.bytesRead;
    const ofOne = (1600 * each) / (64 * rounds);
    assert.ok(whenQuiet.bytesReadByNode - whenBusy.bytesReadByNode > ofOne / 2, JSON.stringify([whenBusy, whenQuiet]));
    assert.ok(whenQuiet.bytesRead - whenBusy.bytesRead < ofOne / 2, JSON.stringify([whenBusy, whenQuiet]));
    // Each byte is counted once, on the way that it took.
    const { bytesRead, bytesWritten, bytesReadByNode, bytesWrittenByNode } = whenQuiet;
    assert.deepEqual([bytesRead + bytesReadByNode, bytesWritten + bytesWrittenByNode], bytes);
    assert.deepEqual(last, whenQuiet);
    assert.equal(accepted(atEnd, 'node'), undefined);
    assert.equal(atEnd.advice, undefined);
    assert.ok(atEnd.operations > atEnd.systemCalls && atEnd.systemCalls > 0);
  });

  it('given few requests, makes no ring, loads no native code, and the report says why, and how to see it', async () => {
    const [printed, report] = await outcome(`
      const ask = client(0);
      for (let i = 0; i < 5; i++) await ask(i);
      console.log(JSON.stringify([rings(), isKoffiLoaded()]));
      await end();
    `);
    assert.deepEqual(printed, [0, false]);
    assert.equal(report.operations, 0);
    assert.deepEqual(accepted(report, 'ring'), undefined);
    const { sockets, reason, bytesRead, bytesWritten } = accepted(report, 'node')!;
    assert.equal(sockets, 1);
    assert.ok(bytesRead > 0 && bytesWritten > 0);
    if (skip === false) assert.match(reason, /^accepted by node:http: too short for the ring to pay/);
    assert.match(report.advice!, /IOURING_EAGER=1/);
  });

  it('given a client that keeps its connection, and is the only one, stays Node’s, and the report says why', {
    skip,
  }, async () => {
    const [printed, report] = await outcome(`
      const ask = client(0);
      for (let i = 0; i < 300; i++) await ask(i);
      console.log(JSON.stringify([rings(), isKoffiLoaded()]));
      await end();
    `);
    assert.deepEqual(printed, [0, false]);
    assert.match(
      accepted(report, 'node')!.reason,
      /: too short for the ring to pay, or one of a few that write: it pays/,
    );
  });

  it(
    'given many at a time, but not for long enough, they stay Node’s, and the report says why',
    { skip },
    async () => {
      const [printed, report] = await outcome(`
      const clients = Array.from({ length: 64 }, (_, i) => client(i));
      const isLookedAt = () => report().sockets.some(({ reason }) => reason.includes('the ring did not pay'));
      for (let i = 0; i < 500 && !isLookedAt(); i++) await Promise.all(clients.map((ask) => ask(i)));
      console.log(JSON.stringify([rings(), isKoffiLoaded()]));
      await end();
    `);
      assert.deepEqual(printed, [0, false]);
      const reasons = report.sockets.map(({ reason }) => reason);
      assert.ok(
        reasons.some((reason) =>
          /: the ring did not pay: fewer than 26 messages in a turn of the loop, for less than 3 s/.test(reason)
        ),
        reasons.join(),
      );
    },
  );
});

describe('a program that imports iouring/net as well', () => {
  for (
    const [when, imports] of [
      ['behind iouring/register', ['REGISTER', 'NET']],
      ['before it', ['NET', 'REGISTER']],
    ] as const
  ) {
    it(`${when}, has its operations and sockets counted`, async () => {
      const entries = { REGISTER, NET: pathToFileURL(resolve('dist/net/index.js')).href };
      const text = `
        ${imports.map((name) => `await import('${entries[name]}');`).join('\n')}
        const { default: http } = await import('node:http');
        const server = http.createServer((_, response) => response.end('x')).listen(0, '127.0.0.1', () => {
          const get = { host: '127.0.0.1', port: server.address().port, agent: false };
          http.get(get, (response) => response.resume().on('end', () => server.close()));
        });`;
      const { status, stderr } = await program(text, { IOURING: 'http', IOURING_REPORT: 'json' }, []);
      assert.equal(status, 0, stderr);
      const counted = JSON.parse(stderr) as Report;
      assert.ok(counted.operations > 0, stderr);
      assert.equal(accepted(counted, 'ring')?.sockets, 1, stderr);
    });
  }
});
