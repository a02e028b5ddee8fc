// Database drivers from npm through our sockets, to the real servers.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { AbstractConnector, Redis } from 'ioredis';
import pg from 'pg';
import { after, before, describe } from 'node:test';
import { CERTIFICATE } from './certificate.ts';
import { digest } from './application.ts';
import { programPath } from './peer.ts';
import { PostgresServer } from './postgres.ts';
import { RedisServer } from './redis.ts';
import { itOnBoth, type Net } from './sockets.ts';

const BYTES = Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * i) >> 3));

describe('pg', () => {
  let server: PostgresServer | undefined;
  before(async () => {
    if (['postgres', 'initdb'].every((name) => programPath(name) !== undefined)) server = await PostgresServer.start();
  });
  after(() => server?.[Symbol.asyncDispose]());

  for (const how of ['TCP', 'TLS', 'a unix socket']) {
    itOnBoth(
      ['postgres', 'initdb'],
      `over ${how}: queries, bytes, many rows, transactions, notifications, errors, a query that is cancelled`,
      async (net) => {
        let sockets = 0;
        const config: pg.ClientConfig = {
          host: how === 'a unix socket' ? server!.folder : '127.0.0.1',
          port: server!.port,
          user: 'postgres',
          database: 'postgres',
          ...(how === 'TLS' ? { ssl: { ca: CERTIFICATE, servername: 'localhost' } } : {}),
          stream: () => {
            sockets++;
            return new net.Socket();
          },
        };
        const client = new pg.Client(config);
        await client.connect();
        const isEncrypted = await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
        await client.query('CREATE TEMP TABLE t (id int PRIMARY KEY, data bytea, text text)');
        await client.query('INSERT INTO t VALUES ($1, $2, $3)', [1, BYTES, 'ü'.repeat(100_000)]);
        const { rows } = await client.query<{ data: Buffer; text: string }>('SELECT data, text FROM t WHERE id = $1', [
          1,
        ]);
        const many = await client.query<{ n: number }>(
          'SELECT n, repeat($1, n % 50) FROM generate_series(1, 50000) n',
          ['x'],
        );
        await client.query('BEGIN');
        await client.query('DELETE FROM t');
        await client.query('ROLLBACK');
        const count = await client.query('SELECT count(*)::int AS n FROM t');
        const errors = [];
        for (const text of ['SELECT 1/0', 'SELEKT', "INSERT INTO t VALUES (1, NULL, '')"]) {
          errors.push(await client.query(text).catch((error: pg.DatabaseError) => `${error.code} ${error.message}`));
        }
        await client.query('LISTEN channel');
        const notified = once(client, 'notification') as Promise<[pg.Notification]>;

        const pool = new pg.Pool({ ...config, max: 6 });
        const sums = await Promise.all(
          Array.from({ length: 60 }, async (_, i) => {
            const { rows } = await pool.query<{ sum: string }>('SELECT sum(n) FROM generate_series(1, $1::int) n', [
              i * 100,
            ]);
            return rows[0].sum;
          }),
        );
        await pool.query("SELECT pg_notify('channel', 'from another')");
        const [{ payload }] = await notified;
        const isSleeping = "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(100)' AND state = 'active'";
        const sleeping = client.query('SELECT pg_sleep(100)').catch((error: pg.DatabaseError) => error.code);
        while ((await pool.query(isSleeping)).rows.length === 0);
        await pool.query(`SELECT pg_cancel_backend(pid) FROM (${isSleeping}) AS one`);
        const cancelled = await sleeping;
        // A connection that the server ends.
        const victim = new pg.Client(config);
        await victim.connect();
        const { rows: [{ pid }] } = await victim.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        const failed = once(victim, 'error');
        victim.on('error', () => {});
        await pool.query('SELECT pg_terminate_backend($1)', [pid]);
        const [{ code }] = (await failed) as [pg.DatabaseError];
        await victim.end();
        await pool.end();
        await client.end();
        return {
          sockets,
          isEncrypted: isEncrypted.rows,
          data: digest(rows[0].data),
          text: rows[0].text.length,
          many: many.rows.length,
          last: many.rows.at(-1)!.n,
          count: count.rows,
          errors,
          sums,
          payload,
          cancelled,
          code,
        };
      },
      (outcome) => {
        assert.equal(outcome.sockets, 8);
        assert.deepEqual(outcome.isEncrypted, [{ ssl: how === 'TLS' }]);
        assert.equal(outcome.data, digest(BYTES));
        assert.deepEqual([outcome.text, outcome.many, outcome.last, outcome.count], [100_000, 50_000, 50_000, [{
          n: 1,
        }]]);
        assert.deepEqual(outcome.errors.map((error) => String(error).slice(0, 5)), ['22012', '42601', '23505']);
        assert.deepEqual(
          outcome.sums,
          Array.from({ length: 60 }, (_, i) => (i === 0 ? null : String((i * 100 * (i * 100 + 1)) / 2))),
        );
        assert.deepEqual([outcome.payload, outcome.cancelled, outcome.code], ['from another', '57014', '57P01']);
      },
    );
  }
});

/** How ioredis lets another module make its connections. */
function connectorOf(net: Net, target: object, made: (socket: object) => void): typeof AbstractConnector {
  class Connector extends AbstractConnector {
    constructor() {
      super(1000);
    }

    override connect(): Promise<import('node:net').Socket> {
      this.connecting = true;
      const socket = net.connect(target as import('node:net').NetConnectOpts);
      made(socket);
      this.stream = socket;
      return Promise.resolve(socket);
    }
  }
  return Connector;
}

describe('ioredis', () => {
  let server: RedisServer | undefined;
  before(async () => {
    if (programPath('redis-server') !== undefined) server = await RedisServer.start();
  });
  after(() => server?.[Symbol.asyncDispose]());

  for (const how of ['TCP', 'a unix socket']) {
    itOnBoth(
      ['redis-server'],
      `over ${how}: pipelines, transactions, bytes, subscriptions, a blocking command, a connection that is lost and made anew`,
      async (net, t) => {
        const target = how === 'TCP' ? { port: server!.port, host: '127.0.0.1' } : { path: server!.unix };
        let sockets = 0;
        const open = (): Redis => {
          const Connector = connectorOf(net, target, () => sockets++);
          const one = new Redis({ Connector, retryStrategy: () => 1, lazyConnect: true } as object);
          t.after(() => one.disconnect());
          return one;
        };
        const client = open();
        await client.flushall();
        await client.set('bytes', BYTES);
        const bytes = (await client.getBuffer('bytes'))!;
        const pipeline = client.pipeline();
        for (let i = 0; i < 10_000; i++) pipeline.rpush('list', `element ${i}`);
        const pushed = (await pipeline.exec())!;
        const list = await client.lrange('list', 0, -1);
        const transaction = await client.multi().incr('n').incrby('n', 10).get('n').exec();
        const error = await client.incr('list').catch((error: Error) => error.message);

        const subscriber = open();
        await subscriber.subscribe('news');
        const message = once(subscriber, 'message');
        await client.publish('news', 'something happened');
        const heard = await message;
        const blocked = open();
        const popped = blocked.blpop('queue', 0);
        while (!String(await client.client('LIST')).includes('cmd=blpop'));
        await client.rpush('queue', 'at last');
        const value = await popped;

        const id = await blocked.client('ID');
        const anew = once(blocked, 'ready');
        await client.client('KILL', 'ID', id);
        await anew;
        const after = await blocked.get('n');
        for (const one of [client, subscriber, blocked]) {
          const ended = once(one, 'end');
          await one.quit();
          await ended;
        }
        return { sockets, bytes: digest(bytes), pushed: pushed.length, list, transaction, error, heard, value, after };
      },
      (outcome) => {
        assert.deepEqual([outcome.sockets, outcome.bytes, outcome.pushed], [4, digest(BYTES), 10_000]);
        assert.deepEqual(outcome.list, Array.from({ length: 10_000 }, (_, i) => `element ${i}`));
        assert.deepEqual(outcome.transaction, [[null, 1], [null, 11], [null, '11']]);
        assert.match(outcome.error as string, /^WRONGTYPE/);
        assert.deepEqual([outcome.heard, outcome.value, outcome.after], [['news', 'something happened'], ['queue',
          'at last'], '11']);
      },
    );
  }
});
