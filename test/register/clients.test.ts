// Clients that most people use, unchanged: what they are answered, told and refused is the same with the flag as
// without.
import { after, before, describe } from 'node:test';
import { programPath } from '../net/clients/peer.ts';
import { PostgresServer } from '../net/clients/postgres.ts';
import { RedisServer } from '../net/clients/redis.ts';
import { alike } from './alike.ts';

/** A server that answers each path in its way, over HTTP/1, and a port where nobody listens. */
const SERVER = `
  const sockets = new Set();
  const server = http.createServer((request, response) => {
    const { method, url } = request;
    if (url === '/large') return void response.end(Buffer.alloc(300_000, 'large '));
    if (url === '/reset') return void request.socket.resetAndDestroy();
    if (url === '/cut') return void response.writeHead(200, { 'content-length': 10 }).write('half', () => request.socket.destroy());
    if (url === '/nonsense') return void request.socket.end('nonsense, and no HTTP');
    if (url === '/hang') return void 0;
    if (url === '/redirect') return void response.writeHead(302, { location: '/' }).end();
    if (url === '/parts') {
      response.write('one ');
      return void setImmediate(() => { response.write('two '); setImmediate(() => response.end('three')); });
    }
    let bytes = 0;
    request.on('data', (data) => (bytes += data.length)).on('error', () => {});
    request.on('end', () => response.writeHead(200, { 'x-method': method, 'set-cookie': ['a=1', 'b=2'] }).end(method + ' ' + url + ' ' + bytes));
  });
  server.on('connection', (socket) => sockets.add(socket));
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: echo\\r\\n\\r\\n' + head);
    socket.on('data', (data) => socket.write(data)).on('end', () => socket.end());
  });
  const port = await listening(server);
  const nobody = await (async () => { const other = net.createServer(); const free = await listening(other); other.close(); await once(other, 'close'); return free; })();
  const base = 'http://127.0.0.1:' + port;
  const said = (text) => String(text).replaceAll(String(port), 'port').replaceAll(String(nobody), 'nobody');
  const show = (...words) => console.log(said(words.join(' ')));
  const tried = async (what, call) => {
    try {
      show(what, await call());
    } catch (error) {
      const { cause } = error;
      show(what, error.name, error.code, error.message, cause ? [cause.name, cause.code, cause.message, cause.syscall, cause.address].join() : '');
    }
  };
  const finish = () => { server.close(); server.closeAllConnections(); };
`;

describe('clients of HTTP', () => {
  alike(
    'fetch: answers, bodies, redirects, streams, what is cut, refused, reset, nonsense, aborted',
    `${SERVER}
    const text = async (path, options) => {
      const response = await fetch(base + path, options);
      const body = await response.text();
      return [response.status, response.headers.get('x-method'), response.headers.getSetCookie().join(), body.length, body.slice(0, 40)].join(' ');
    };
    for (const path of ['/', '/large', '/parts', '/redirect', '/reset', '/cut', '/nonsense']) await tried(path, () => text(path));
    await tried('POST', () => text('/', { method: 'POST', body: 'x'.repeat(100_000) }));
    await tried('stream', () => text('/', { method: 'PUT', duplex: 'half', body: new ReadableStream({
      pull(controller) { this.n = (this.n ?? 0) + 1; this.n > 20 ? controller.close() : controller.enqueue(new Uint8Array(5000)); },
    }) }));
    await tried('nobody', () => fetch('http://127.0.0.1:' + nobody));
    await tried('abort', () => { const abort = new AbortController(); server.once('request', () => abort.abort()); return fetch(base + '/hang', { signal: abort.signal }); });
    await tried('many', async () => (await Promise.all(Array.from({ length: 50 }, (_, i) => text('/' + i)))).join().length);
    finish();`,
  );

  alike(
    'undici: request, stream, pool, pipelining, upgrade, events, errors, close',
    `${SERVER}
    import { Agent, Client, Pool, request, stream } from 'undici';
    import { Writable } from 'node:stream';
    const client = new Client(base, { pipelining: 4 });
    const events = [];
    for (const name of ['connect', 'disconnect', 'connectionError', 'drain']) client.on(name, (origin, targets, error) => events.push(name + ' ' + (error?.code ?? '')));
    const read = async ({ statusCode, headers, body }) => [statusCode, headers['x-method'], (await body.text()).slice(0, 40)].join(' ');
    for (const path of ['/', '/parts', '/large']) await tried(path, async () => read(await client.request({ path, method: 'GET' })));
    await tried('POST', async () => read(await client.request({ path: '/', method: 'POST', body: Buffer.alloc(70_000) })));
    await tried('pipelined', async () => (await Promise.all(Array.from({ length: 12 }, async (_, i) => read(await client.request({ path: '/' + i, method: 'GET' }))))).join());
    for (const path of ['/reset', '/nonsense', '/cut']) await tried(path, async () => read(await client.request({ path, method: 'GET' })));
    await tried('after that', async () => read(await client.request({ path: '/', method: 'GET' })));
    await tried('upgrade', async () => {
      const { socket, headers } = await client.upgrade({ path: '/', protocol: 'echo' });
      socket.write('hello');
      const [data] = await once(socket, 'data');
      socket.end();
      await once(socket.resume(), 'close');
      return headers.upgrade + ' ' + data;
    });
    await client.close();
    show(events.join());
    const pool = new Pool(base, { connections: 3 });
    await tried('pool', async () => (await Promise.all(Array.from({ length: 30 }, async (_, i) => read(await pool.request({ path: '/' + i, method: 'GET' }))))).join());
    await tried('stream', async () => {
      let bytes = 0;
      await stream(base + '/large', { method: 'GET' }, () => new Writable({ write(chunk, encoding, done) { bytes += chunk.length; done(); } }));
      return bytes;
    });
    const agent = new Agent({ bodyTimeout: 100, headersTimeout: 100 });
    await tried('timeout', async () => read(await request(base + '/hang', { dispatcher: agent })));
    await tried('nobody', async () => read(await request('http://127.0.0.1:' + nobody)));
    await agent.destroy();
    await pool.close();
    finish();`,
  );

  alike(
    'http.request: keep-alive, reuse, timeouts, upgrade, 100 Continue, trailers, errors',
    `${SERVER}
    const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
    const ask = (path, { body, ...options } = {}) => new Promise((done, failed) => {
      const request = http.request({ host: '127.0.0.1', port, path, agent, ...options }, (response) => {
        let bytes = 0;
        response.on('data', (data) => (bytes += data.length)).on('error', failed);
        response.on('end', () => done([response.statusCode, response.headers['x-method'], bytes, request.reusedSocket, response.complete].join(' ')));
      });
      request.on('error', failed).on('timeout', () => request.destroy(new Error('timed out'))).on('continue', () => show('continue'));
      request.end(body);
    });
    for (const path of ['/', '/large', '/parts', '/reset', '/cut', '/nonsense', '/']) await tried(path, () => ask(path));
    await tried('body', () => ask('/', { method: 'POST', body: 'x'.repeat(200_000) }));
    await tried('continue', () => ask('/', { method: 'POST', headers: { expect: '100-continue' }, body: 'x' }));
    await tried('many', async () => (await Promise.all(Array.from({ length: 20 }, (_, i) => ask('/' + i)))).length);
    await tried('hang', () => ask('/hang', { timeout: 100 }));
    await tried('nobody', () => ask('/', { port: nobody }));
    await tried('nobody at a path', () => ask('/', { socketPath: '/nobody/is/here' }));
    await tried('upgrade', () => new Promise((done, failed) => {
      http.request({ host: '127.0.0.1', port, agent, headers: { connection: 'upgrade', upgrade: 'echo' } }).on('error', failed).on('upgrade', (response, socket, head) => {
        socket.end('hello');
        let text = String(head);
        socket.on('data', (data) => (text += data)).on('close', () => done(response.statusCode + ' ' + text));
      }).end();
    }));
    show(Object.keys(agent.sockets).length, Object.keys(agent.freeSockets).length, sockets.size);
    agent.destroy();
    finish();`,
  );

  alike(
    'ws: messages, pings, fragments, compression, closes, refusals, a server that ends',
    `
    import { WebSocket, WebSocketServer } from 'ws';
    for (const perMessageDeflate of [false, true]) {
      const server = http.createServer();
      const ends = [];
      const sockets = new WebSocketServer({ server, perMessageDeflate, verifyClient: ({ req }) => req.url !== '/refused' });
      sockets.on('connection', (socket) => {
        socket.on('message', (data, isBinary) => { socket.send(data, { binary: isBinary }); if (String(data) === 'end') socket.close(4001, 'ended'); if (String(data) === 'reset') socket.terminate(); });
        // Which of the two ends is told first is a matter of chance.
        socket.on('close', (code, reason) => ends.push(code + ' ' + reason));
      });
      const port = await listening(server);
      const talk = async (path, messages) => {
        const socket = new WebSocket('ws://127.0.0.1:' + port + path, { perMessageDeflate });
        const log = [];
        const closed = new Promise((done) => socket.on('close', (code, reason) => done(code + ' ' + reason)));
        socket.on('error', (error) => log.push(error.code + ' ' + error.message)).on('pong', (data) => log.push('pong ' + data));
        socket.on('message', (data, isBinary) => log.push(data.length + ' ' + isBinary));
        await once(socket, 'open').catch(() => {});
        if (socket.readyState === WebSocket.OPEN) {
          socket.ping('p');
          socket.send('first ', { fin: false });
          socket.send('and last', { fin: true });
          for (const message of messages) socket.send(message);
        }
        // Answers of a server that then resets the connection may come before that, or not.
        console.log(path, await closed, log.slice(0, messages[0] === 'reset' ? 1 : undefined).join());
      };
      await talk('/', ['x', Buffer.alloc(100_000, 'y'), 'z'.repeat(70_000), '', 'end']);
      await talk('/', ['reset']);
      await talk('/refused', []);
      sockets.close();
      server.close();
      await once(server, 'close');
      console.log('server:', ends.sort().join());
    }`,
  );

  alike(
    'express and fastify, with fetch, one process: routes, errors, streams, files',
    `
    import express from 'express';
    import { fastify } from 'fastify';
    import { createReadStream } from 'node:fs';
    import { fileURLToPath } from 'node:url';
    const own = fileURLToPath(import.meta.url);
    const app = express();
    app.use(express.json());
    app.get('/file', (request, response) => response.sendFile(own));
    app.get('/stream', (request, response) => createReadStream(own).pipe(response));
    app.get('/throws', () => { throw new Error('on purpose'); });
    app.post('/json', (request, response) => response.json({ ip: request.ip, ...request.body }));
    app.use((error, request, response, next) => response.status(500).send(error.message));
    const server = http.createServer(app);
    const other = fastify();
    other.get('/file', (request, reply) => reply.send(createReadStream(own)));
    other.get('/throws', () => { throw new Error('on purpose'); });
    other.post('/json', { schema: { body: { type: 'object', required: ['a'] } } }, (request) => ({ ip: request.ip, ...request.body }));
    await other.listen({ port: 0, host: '127.0.0.1' });
    for (const port of [await listening(server), other.server.address().port]) {
      for (const [path, options] of [
        ['/file'], ['/file', { headers: { range: 'bytes=0-9' } }], ['/stream'], ['/throws'], ['/missing'],
        ...['{"a":1}', '{"b":1}', 'no JSON'].map((body) => ['/json', { method: 'POST', headers: { 'content-type': 'application/json' }, body }]),
      ]) {
        const response = await fetch('http://127.0.0.1:' + port + path, options);
        const kept = [...response.headers].filter(([name]) => !/^(date|etag|last-modified)$/.test(name)).map((pair) => pair.join('='));
        console.log(path, response.status, kept.join(' '), (await response.text()).replace(/at .*/gs, '').length);
      }
    }
    server.close();
    server.closeAllConnections();
    await other.close();`,
  );
});

const missing = (...programs: string[]): string | false => {
  const names = programs.filter((program) => programPath(program) === undefined);
  return names.length > 0 && `${names.join(', ')} not installed: see scripts/peers.sh`;
};

describe('drivers of databases', () => {
  const noPostgres = missing('postgres', 'initdb');
  const noRedis = missing('redis-server');
  let postgres: PostgresServer | undefined;
  let redis: RedisServer | undefined;
  before(async () => {
    if (noPostgres === false) postgres = await PostgresServer.start();
    if (noRedis === false) redis = await RedisServer.start();
  });
  after(async () => {
    await postgres?.[Symbol.asyncDispose]();
    await redis?.[Symbol.asyncDispose]();
  });

  for (const how of ['TCP', 'a unix socket']) {
    alike(
      `pg over ${how}: queries, a pool behind express, rows, errors, notifications, a connection that the server ends`,
      `
      import express from 'express';
      import pg from 'pg';
      const config = { host: process.env.PG_HOST, port: Number(process.env.PG_PORT), user: 'postgres', database: 'postgres' };
      const client = new pg.Client(config);
      client.on('end', () => console.log('end'));
      await client.connect();
      await client.query('CREATE TEMP TABLE t (id int PRIMARY KEY, data bytea)');
      await client.query('INSERT INTO t VALUES ($1, $2)', [1, Buffer.alloc(500_000, 'bytes ')]);
      const { rows } = await client.query('SELECT length(data) AS n, data FROM t');
      console.log(rows[0].n, rows[0].data.length);
      const many = await client.query("SELECT n, repeat('x', n % 50) FROM generate_series(1, 20000) n");
      console.log(many.rowCount, many.fields.map(({ name }) => name).join());
      for (const text of ['SELECT 1/0', 'SELEKT', 'INSERT INTO t VALUES (1, NULL)']) {
        await client.query(text).catch(({ name, code, message, severity }) => console.log(name, code, message, severity));
      }
      await client.query('LISTEN channel_' + process.pid);
      const notified = once(client, 'notification');
      const pool = new pg.Pool({ ...config, max: 4 });
      await pool.query("SELECT pg_notify('channel_" + process.pid + "', 'heard')");
      console.log((await notified)[0].payload);
      const app = express();
      app.get('/:n', async (request, response) => response.json((await pool.query('SELECT sum(n) FROM generate_series(1, $1::int) n', [request.params.n])).rows));
      const server = http.createServer(app);
      const port = await listening(server);
      console.log((await Promise.all(Array.from({ length: 40 }, (_, i) => get(port, { path: '/' + i })))).join());
      const victim = new pg.Client(config);
      await victim.connect();
      const ended = new Promise((done) => victim.once('end', done));
      const errors = [];
      victim.on('error', ({ code, message }) => errors.push(code + ' ' + message));
      const { rows: [{ pid }] } = await victim.query('SELECT pg_backend_pid() AS pid');
      await pool.query('SELECT pg_terminate_backend($1)', [pid]);
      await ended;
      console.log(errors.join());
      await new pg.Client({ ...config, host: '127.0.0.1', port: 1 }).connect().catch(({ code, message, syscall }) => console.log(code, message, syscall));
      server.close();
      await pool.end();
      await client.end();`,
      {
        env: () => ({ PG_HOST: how === 'TCP' ? '127.0.0.1' : postgres!.folder, PG_PORT: `${postgres!.port}` }),
        skip: noPostgres,
      },
    );

    alike(
      `ioredis over ${how}: pipelines, transactions, bytes, subscriptions, a blocking command, a connection that is killed`,
      `
      import { Redis } from 'ioredis';
      const place = process.env.REDIS_PATH ? { path: process.env.REDIS_PATH } : { host: '127.0.0.1', port: Number(process.env.REDIS_PORT) };
      const prefix = 'p' + process.pid + ':';
      const log = [];
      const open = (name) => {
        const client = new Redis({ ...place, keyPrefix: prefix, retryStrategy: () => 1 });
        for (const event of ['connect', 'ready', 'close', 'reconnecting', 'end']) client.on(event, () => log.push(name + ' ' + event));
        client.on('error', ({ code }) => log.push(name + ' error ' + code));
        return client;
      };
      const client = open('client');
      await client.set('bytes', Buffer.alloc(400_000, 'bytes '));
      console.log((await client.getBuffer('bytes')).length);
      // A connection goes through the ring when it has shown that it lasts.
      for (let i = 0; i < 40; i++) await client.ping();
      const pipeline = client.pipeline();
      for (let i = 0; i < 5000; i++) pipeline.rpush('list', 'element ' + i);
      console.log((await pipeline.exec()).length, (await client.lrange('list', 0, -1)).length);
      console.log(JSON.stringify(await client.multi().incr('n').incrby('n', 10).get('n').exec()));
      await client.incr('list').catch(({ name, message }) => console.log(name, message));
      const subscriber = open('subscriber');
      await subscriber.subscribe(prefix + 'news');
      const heard = once(subscriber, 'message');
      await client.publish(prefix + 'news', 'something');
      console.log((await heard)[1]);
      const blocked = open('blocked');
      const id = await blocked.client('ID');
      const popped = blocked.blpop('queue', 0);
      await client.rpush('queue', 'at last');
      console.log((await popped)[1]);
      const anew = new Promise((done) => blocked.once('close', () => blocked.once('ready', done)));
      await client.client('KILL', 'ID', id);
      await anew;
      console.log(await blocked.get('n'));
      for (const one of [client, subscriber, blocked]) {
        const ended = once(one, 'end');
        await one.quit();
        await ended;
      }
      console.log(log.filter((line) => line.startsWith('client')).join(), log.filter((line) => line.startsWith('blocked')).join());`,
      {
        env: () => (how === 'TCP' ? { REDIS_PORT: `${redis!.port}` } : { REDIS_PATH: redis!.unix }),
        skip: noRedis,
      },
    );
  }
});
