// The example of a RESP server, with Redis's own clients, beside Redis's own server.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { Redis } from 'ioredis';
import { randomOf, SEED } from '../../reactor/random.ts';
import { run } from '../../run.ts';
import { itWith, Peer } from './peer.ts';
import { RedisServer } from './redis.ts';

const EXAMPLE = new URL('../../../examples/resp-server.js', import.meta.url).pathname;

/** The example, on a port of its own. */
function started(...args: string[]): Promise<Peer & { port: number }> {
  return startedWith({}, ...args);
}

async function startedWith(env: NodeJS.ProcessEnv, ...args: string[]): Promise<Peer & { port: number }> {
  const peer = new Peer(process.execPath, [EXAMPLE, '--port', '0', ...args], { env: { ...process.env, ...env } });
  const [, port] = await peer.line(/^listening on (\d+)$/);
  return Object.assign(peer, { port: Number(port) });
}

/**
 * What a server answers to these bytes until it has sent so many, or closes. Sent in these pieces, a turn apart, and
 * with the end of this side unless the server is expected to close: redis-server forgets what it has not sent by then.
 */
async function answer(port: number, pieces: readonly Uint8Array[], bytes?: number): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const received: Buffer[] = [];
  let length = 0;
  const done = new Promise<void>((resolve, reject) => {
    socket.on('data', (data: Buffer) => {
      received.push(data);
      length += data.length;
      if (length >= (bytes ?? Infinity)) resolve();
    });
    socket.on('end', resolve).on('error', reject);
  });
  for (const piece of pieces) {
    await new Promise<void>((resolve) => void socket.write(piece, () => resolve()));
  }
  if (bytes === undefined) socket.end();
  await done;
  socket.destroy();
  return Buffer.concat(received);
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

function encode(args: readonly (string | Uint8Array)[]): Buffer {
  const parts = args.map((arg) => {
    const bytes = typeof arg === 'string' ? Buffer.from(arg) : arg;
    return Buffer.concat([latin1(`$${bytes.length}\r\n`), bytes, latin1('\r\n')]);
  });
  return Buffer.concat([latin1(`*${args.length}\r\n`), ...parts]);
}

/** What a person types, and what comes of it. */
const SESSION: readonly (readonly [string, string])[] = [
  ['PING', 'PONG'],
  ['ping "hello world"', '"hello world"'],
  ['ECHO "\\x00\\xff\\r\\n\\""', '"\\x00\\xff\\r\\n\\""'],
  ['SET greeting hello', 'OK'],
  ['GET greeting', '"hello"'],
  ['GET nothing', '(nil)'],
  ['SET greeting other NX', '(nil)'],
  ['SET new value XX', '(nil)'],
  ['SET greeting bye XX GET', '"hello"'],
  ['APPEND greeting " bye"', '(integer) 7'],
  ['STRLEN greeting', '(integer) 7'],
  ['SET n 41', 'OK'],
  ['INCR n', '(integer) 42'],
  ['INCRBY n -50', '(integer) -8'],
  ['DECR n', '(integer) -9'],
  ['DECRBY n 9223372036854775800', '(error) ERR increment or decrement would overflow'],
  ['INCRBY n 9223372036854775807', '(integer) 9223372036854775798'],
  ['INCRBY n 10', '(error) ERR increment or decrement would overflow'],
  ['INCR greeting', '(error) ERR value is not an integer or out of range'],
  ['MSET a 1 b 2 c 3', 'OK'],
  ['MSET a 1 b', "(error) ERR wrong number of arguments for 'mset' command"],
  ['MGET a nothing c', '1) "1"\n2) (nil)\n3) "3"'],
  ['EXISTS a b a nothing', '(integer) 3'],
  ['DEL a b nothing', '(integer) 2'],
  ['TTL c', '(integer) -1'],
  ['EXPIRE c 1000', '(integer) 1'],
  ['TTL c', '(integer) 1000'],
  ['EXPIRE c 10 GT', '(integer) 0'],
  ['PERSIST c', '(integer) 1'],
  ['SET c 4 EX 500', 'OK'],
  ['TTL c', '(integer) 500'],
  ['SET c 5 KEEPTTL', 'OK'],
  ['TTL c', '(integer) 500'],
  ['SET c 5 EX 0', "(error) ERR invalid expire time in 'set' command"],
  ['SET c 5 EX 1 PX 1', '(error) ERR syntax error'],
  ['EXPIRE c -1', '(integer) 1'],
  ['GET c', '(nil)'],
  ['TTL c', '(integer) -2'],
  ['SETEX timed 100 value', 'OK'],
  ['GETDEL timed', '"value"'],
  ['TYPE greeting', 'string'],
  ['TYPE timed', 'none'],
  ['DBSIZE', '(integer) 2'],
  ['SELECT 0', 'OK'],
  ['SELECT 16', '(error) ERR DB index is out of range'],
  ['GET', "(error) ERR wrong number of arguments for 'get' command"],
  ['FLUSH all of it', "(error) ERR unknown command 'FLUSH', with args beginning with: 'all' 'of' 'it' "],
  ['FLUSHALL', 'OK'],
  ['DBSIZE', '(integer) 0'],
];

/** What is no request, or no complete one. */
const BROKEN: readonly string[] = [
  '*a\r\n',
  '*\r\n',
  '*2147483648\r\n',
  '*99999999999999999999\r\n',
  '*1\r\nx\r\n',
  '*1\r\n$-1\r\n',
  '*1\r\n$a\r\n',
  '*2\r\n$3\r\nGET\r\n$536870913\r\n',
  'GET "a\r\n',
  "GET 'a'b\r\n",
  '*-1\r\nPING\r\n',
  '*0\r\n\r\nPING\r\n',
  '\r\n\n  \r\nPING\n',
  'PING\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$3\r\nab',
  '*1\r\n$4\r\nPI',
  '*2',
  'SET a "\\x41\\n\\q"\r\nGET a\r\n',
  'quit\r\nPING\r\n',
  'x'.repeat(70_000),
  "SET a 'it\\'s'\r\nGET a\r\n",
];

/** Requests of all kinds, right and wrong; the same for the same seed. */
function randomRequests(random: (n: number) => number, count: number): Buffer {
  const pick = <T>(all: readonly T[]): T => all[random(all.length)];
  const key = (): string => pick(['a', 'b', 'kéy', 'long '.repeat(20), '']);
  const number = (): string =>
    pick(['0', '1', '-1', '7', '1000', '9223372036854775807', '-9223372036854775808', '01', 'x', '1.5', '']);
  // Over already, or not as long as the test takes: what is in between depends on the clock.
  const time = (): string => pick(['100000', '2000000', '0', '-1', '9223372036854775807', '01', 'x', '']);
  const value = (): Buffer | string => {
    const size = pick([0, 1, 3, 64, 65, 300, 20_000]);
    return pick([number(), Buffer.from(Array.from({ length: size }, () => random(256)))]);
  };
  const all: (() => (string | Uint8Array)[])[] = [
    () => ['SET', key(), value()],
    () => ['set', key(), value(), pick(['NX', 'XX', 'GET', 'KEEPTTL', 'nonsense'])],
    () => ['SET', key(), value(), pick(['EX', 'PX', 'EXAT']), time()],
    () => ['GET', key()],
    () => ['INCR', key()],
    () => [pick(['INCRBY', 'DECRBY']), key(), number()],
    () => ['APPEND', key(), value()],
    () => ['STRLEN', key()],
    () => ['DEL', key(), key()],
    () => ['EXISTS', key(), key(), key()],
    () => ['MSET', key(), value(), key(), value()],
    () => ['MGET', key(), key(), key()],
    () => ['SETNX', key(), value()],
    () => ['GETDEL', key()],
    () => ['PERSIST', key()],
    () => ['EXPIRE', key(), time(), ...pick([[], ['NX'], ['XX'], ['NX', 'LT'], ['what']])],
    () => ['TYPE', key()],
    () => ['ECHO', value()],
    () => ['PING', ...pick([[], ['x'], ['x', 'y']])],
    () => [pick(['NOSUCH', 'GETT', 'get', 'SETRANGEE']), ...Array.from({ length: random(4) }, value)],
  ];
  return Buffer.concat(Array.from({ length: count }, () => encode(pick(all)())));
}

/** Cut at random places. */
function cut(bytes: Buffer, random: (n: number) => number, longest: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + random(longest);
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}

describe('resp-server', () => {
  for (const disabled of ['0', '1']) {
    const how = disabled === '1' ? ', without io_uring' : '';
    itWith(['redis-cli'], `a session of redis-cli${how}`, async () => {
      await using server = await startedWith({ IOURING_DISABLED: disabled });
      const script = SESSION.map(([command]) => `${command}\n`).join('');
      const replies = await session(server.port, script);
      assert.equal(replies, `${SESSION.map(([, reply]) => reply).join('\n')}\n`);
      assert.equal(await server.end('SIGTERM'), 0);
      assert.equal(server.output, `listening on ${server.port}`);
    });
  }

  itWith(['redis-cli', 'redis-server'], 'the same session beside a redis-server', async () => {
    await using server = await RedisServer.start();
    const script = SESSION.map(([command]) => `${command}\n`).join('');
    assert.equal(await session(server.port, script), `${SESSION.map(([, reply]) => reply).join('\n')}\n`);
  });

  itWith(['redis-server'], 'what is no request: the same answers as of a redis-server, byte by byte', async () => {
    await using ours = await started();
    await using theirs = await RedisServer.start();
    for (const text of BROKEN) {
      const right = await answer(theirs.port, [latin1(text)]);
      const got = await answer(ours.port, [latin1(text)]);
      assert.equal(got.toString('latin1'), right.toString('latin1'), JSON.stringify(text.slice(0, 50)));
    }
  });

  itWith(
    ['redis-server'],
    `random requests, cut anywhere: the same answers as of a redis-server, IOURING_SEED=${SEED}`,
    async () => {
      await using ours = await started();
      await using theirs = await RedisServer.start();
      const random = randomOf(SEED);
      const requests = Buffer.concat([randomRequests(random, 3000), encode(['QUIT'])]);
      const right = await answer(theirs.port, [requests], Infinity);
      assert.ok(right.length > 100_000);
      for (const longest of [requests.length, 5000, 20]) {
        await answer(ours.port, [encode(['FLUSHALL'])]);
        const got = await answer(ours.port, cut(requests, random, longest), Infinity);
        const at = right.findIndex((byte, i) => byte !== got[i]);
        const near = (bytes: Buffer): string => bytes.toString('latin1', Math.max(0, at - 200), at + 100);
        if (at !== -1) assert.equal(near(got), near(right), `differs at ${at} of ${right.length}`);
        assert.equal(got.length, right.length);
      }
    },
  );

  itWith(['redis-benchmark'], 'redis-benchmark, with pipelines and without', async (t) => {
    await using server = await started();
    for (const pipeline of ['1', '16']) {
      const rates = await benchmark(server.port, '-n', pipeline === '1' ? '5000' : '50000', '-P', pipeline);
      t.diagnostic(
        `${pipeline} at a time: ${Object.entries(rates).map(([test, rate]) => `${test} ${rate}`).join(', ')}`,
      );
      assert.deepEqual(Object.keys(rates), ['PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'INCR', 'MSET (10 keys)']);
    }
    const client = driver(t, server.port);
    assert.equal(await client.get('counter:__rand_int__'), '55000');
    assert.match(await client.info(), /total_commands_processed:33\d{4}/);
    assert.equal(await server.end(), 0);
  });

  it('a driver: pipelines, transactions it does not have, values of any bytes, times to live', async (t) => {
    await using server = await started();
    const client = driver(t, server.port);
    const value = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await client.set(value, value);
    assert.ok((await client.getBuffer(value))!.equals(value));
    const pipeline = client.pipeline();
    for (let i = 0; i < 5000; i++) pipeline.set(`key ${i}`, `value ${i}`).get(`key ${i}`).incr('n');
    const replies = (await pipeline.exec())!;
    assert.equal(replies.length, 15_000);
    for (const [i, [error, reply]] of replies.entries()) {
      assert.equal(error, null);
      const n = Math.floor(i / 3);
      assert.equal(reply, ['OK', `value ${n}`, n + 1][i % 3]);
    }
    await assert.rejects(client.call('MULTI'), { message: /unknown command 'MULTI'/ });
    const soon = (await client.pipeline().set('soon', 'gone', 'PX', 1000).exists('soon').exec())!;
    assert.deepEqual(soon, [[null, 'OK'], [null, 1]]);
    // Nobody asks for it: it goes by itself.
    while ((await client.dbsize()) > 5002) await new Promise((resolve) => void setTimeout(resolve, 5));
    assert.equal(await client.dbsize(), 5002);
  });

  it('a value of 32 MiB, and a client that does not take its replies', async (t) => {
    await using server = await started();
    const value = Buffer.alloc(32 << 20, 'a large value ');
    const stored = await answer(server.port, [encode(['SET', 'large', value])], 5);
    assert.equal(stored.toString(), '+OK\r\n');
    const other = driver(t, server.port);
    const rss = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await other.info())![1]);
    const before = await rss();
    const slow = connect(server.port, '127.0.0.1');
    const gets = 40;
    // It changes meanwhile: what was asked for before is sent as it was.
    slow.write(Buffer.concat([...Array.from({ length: gets }, () => encode(['GET', 'large'])), encode(['QUIT'])]));
    // The server is at work for it, and serves others meanwhile.
    while ((await other.incr('asked')) < 200);
    await other.set('large', 'small');
    assert.ok((await rss()) - before < 200 << 20, 'replies are not heaped up');
    let received = 0;
    for await (const data of slow) received += (data as Buffer).length;
    const large = `$${value.length}\r\n`.length + value.length + 2;
    const small = '$5\r\nsmall\r\n'.length;
    const rest = received - '+OK\r\n'.length;
    const n = (rest - gets * small) / (large - small);
    assert.ok(Number.isInteger(n) && n >= 1 && n < gets, `${n} replies of the former value`);
  });

  it('no more clients than it is told to take', async () => {
    await using server = await started('--maxclients', '3');
    const sockets = Array.from({ length: 3 }, () => connect(server.port, '127.0.0.1'));
    for (const socket of sockets) {
      socket.write('PING\r\n');
      await once(socket, 'data');
    }
    assert.equal(
      (await answer(server.port, [latin1('PING\r\n')])).toString(),
      '-ERR max number of clients reached\r\n',
    );
    const closed = once(sockets[0], 'close');
    sockets[0].end();
    await closed;
    let reply = '';
    while ((reply = (await answer(server.port, [latin1('PING\r\n')])).toString()).startsWith('-'));
    assert.equal(reply, '+PONG\r\n');
    for (const socket of sockets) socket.destroy();
  });
});

/** A driver that gives up with the test. */
function driver(t: TestContext, port: number): Redis {
  const client = new Redis(port, '127.0.0.1', { retryStrategy: () => null });
  t.after(() => client.disconnect());
  // It may hear of the server's end before it is told to go.
  client.on('error', () => {});
  return client;
}

/** What redis-cli prints for these commands. */
async function session(port: number, script: string): Promise<string> {
  const printed = new Promise<string>((resolve, reject) => {
    const child = execFile('redis-cli', ['-p', String(port), '--no-raw'], (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(error);
    });
    child.stdin!.end(script);
  });
  return (await printed).replaceAll(/\n\n/g, '\n');
}

/** Requests a second, by test. */
async function benchmark(port: number, ...args: string[]): Promise<Record<string, number>> {
  const tests = ['-t', 'ping,set,get,incr,mset', '-c', '50', '--csv'];
  const { status, stdout, stderr } = await run('redis-benchmark', ['-p', String(port), ...tests, ...args]);
  assert.equal(stderr, '');
  assert.equal(status, 0, stdout);
  const rows = stdout.trim().split('\n').slice(1).map((row) => row.replaceAll('"', '').split(','));
  return Object.fromEntries(rows.map(([name, rate]) => [name, Math.round(Number(rate))]));
}
