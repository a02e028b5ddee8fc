// What a program with the flag has to live with: clusters, sockets that are handed to other processes, those who
// observe, a graceful end. The same program runs with and without the flag, and prints the same.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { Temporary } from '../kernel/temporary.ts';
import { alike } from './alike.ts';
import { environment, major, REGISTER } from './flagged.ts';

/** A reporter of node:test that says how many tests passed. */
const ONLY_NUMBERS = `data:text/javascript,export default async function* (events) {
  for await (const { type, data } of events) if (type === 'test:pass' || type === 'test:fail') yield type + ' ' + data.nesting + '\\n';
}`;

describe('a cluster', () => {
  for (const policy of ['SCHED_RR', 'SCHED_NONE']) {
    alike(
      `answers, loses a worker, starts another, and disconnects: ${policy}`,
      `
      cluster.schedulingPolicy = cluster.${policy};
      if (cluster.isPrimary) {
        const start = async () => {
          const worker = cluster.fork();
          const [{ port, address }] = await once(worker, 'listening');
          console.log(address);
          return { worker, port };
        };
        const first = await start();
        const second = await start();
        console.log(first.port === second.port);
        for (let i = 0; i < 20; i++) console.log(await get(first.port));
        first.worker.process.kill();
        await once(first.worker, 'exit');
        console.log(await get(second.port));
        const third = await start();
        console.log(await get(third.port));
        cluster.disconnect(async () => {
          // Refused, or reset if a worker ends at this moment: with Node's sockets as well.
          console.log('disconnected', await get(third.port).catch(() => 'and nobody answers'));
        });
      } else {
        http.createServer((request, response) => response.end('worker')).listen(0, '127.0.0.1');
      }`,
      { isIdle: true },
    );
  }

  if (major >= 24) {
    alike(
      'with reusePort each worker accepts by itself',
      `
      if (cluster.isPrimary) {
        const { createServer } = net;
        const holder = createServer().listen({ port: 0, host: '127.0.0.1', reusePort: true });
        await once(holder, 'listening');
        const { port } = holder.address();
        holder.close();
        const workers = [cluster.fork({ PORT: port }), cluster.fork({ PORT: port })];
        await Promise.all(workers.map((worker) => once(worker, 'message')));
        for (let i = 0; i < 20; i++) console.log(await get(port));
        for (const worker of workers) worker.kill();
      } else {
        const server = http.createServer((request, response) => response.end('worker'));
        server.listen({ port: Number(process.env.PORT), host: '127.0.0.1', reusePort: true }, () => process.send('ready'));
      }`,
    );
  }

  alike(
    'given a primary that hands connections to workers, as sticky sessions do, each is answered',
    `
    if (cluster.isPrimary) {
      const workers = [cluster.fork(), cluster.fork()];
      await Promise.all(workers.map((worker) => once(worker, 'message')));
      let next = 0;
      const server = net.createServer({ pauseOnConnect: true }, (socket) => workers[next++ % 2].send('connection', socket));
      const port = await listening(server);
      for (let i = 0; i < 6; i++) console.log(await get(port, { path: '/' + i }));
      server.close();
      for (const worker of workers) worker.kill();
    } else {
      const server = http.createServer((request, response) => response.end(cluster.worker.id + request.url));
      process.on('message', (message, socket) => {
        server.emit('connection', socket);
        socket.resume();
      });
      process.send('ready');
    }`,
  );
});

describe('a server with a maximum of connections', () => {
  for (const most of [0, 1]) {
    alike(
      `of ${most}: drops the others, or none where 0 means that`,
      `
      const server = net.createServer((socket) => socket.write('served'));
      server.maxConnections = ${most};
      const port = await listening(server);
      const drops = [];
      server.on('drop', () => drops.push('drop'));
      const ends = [];
      for (let i = 0; i < 3; i++) {
        const client = net.connect(port, '127.0.0.1').on('error', () => {});
        ends.push(await Promise.race([once(client, 'data').then(([data]) => String(data)), once(client, 'close').then(() => 'closed')]));
        if (i === 2) client.destroy();
        else client.unref();
      }
      console.log(ends.join(), drops.join());
      process.exit();`,
      { isIdle: true },
    );
  }
});

describe('what is handed to another process', () => {
  alike(
    'a socket, to a child',
    `
    import { fork } from 'node:child_process';
    if (process.argv[2] !== 'child') {
      const child = fork(process.argv[1], ['child']);
      const server = net.createServer({ pauseOnConnect: true }, (socket) => child.send('socket', socket));
      const port = await listening(server);
      const socket = net.connect(port, '127.0.0.1');
      socket.write('hello');
      for await (const data of socket) console.log(String(data));
      server.close();
      child.disconnect();
    } else {
      process.on('message', async (message, socket) => {
        for await (const data of socket) socket.end(message + ' ' + data);
      });
    }`,
  );

  alike(
    'a socket, from a child that has accepted or connected it',
    `
    import { fork } from 'node:child_process';
    if (process.argv[2] !== 'child') {
      const child = fork(process.argv[1], ['child']);
      const sockets = [];
      child.on('message', async (message, socket) => {
        if (message === 'done') return child.disconnect();
        socket.end('from the parent: ' + message);
      });
    } else {
      const server = net.createServer((socket) => process.send('accepted', socket));
      const port = await listening(server);
      const socket = net.connect(port, '127.0.0.1');
      for await (const data of socket) console.log(String(data));
      server.close();
      const other = net.createServer(async (socket) => { for await (const data of socket) console.log(String(data)); other.close(() => process.send('done')); });
      const connected = net.connect(await listening(other), '127.0.0.1', () => process.send('connected', connected));
    }`,
  );

  alike(
    'a server',
    `
    import { fork } from 'node:child_process';
    if (process.argv[2] !== 'child') {
      const child = fork(process.argv[1], ['child']);
      const server = net.createServer();
      const port = await listening(server);
      child.send('server', server);
      await once(child, 'message');
      server.close();
      const socket = net.connect(port, '127.0.0.1');
      for await (const data of socket) console.log(String(data));
      child.disconnect();
    } else {
      process.on('message', (message, server) => {
        server.on('connection', (socket) => { socket.end('from the child'); server.close(); });
        process.send('ready');
      });
    }`,
    { isIdle: true },
  );
});

describe('an end', () => {
  alike(
    'on SIGTERM under load loses no request that was begun',
    `
    import { fork } from 'node:child_process';
    if (process.argv[2] !== 'child') {
      const child = fork(process.argv[1], ['child']);
      const [port] = await once(child, 'message');
      const agent = new http.Agent({ keepAlive: true, maxSockets: 32 });
      let answered = 0;
      const lost = new Set();
      // A request that the server has not seen when it closes an idle connection is nobody's fault; what it has seen it
      // counts.
      const ended = ({ code }) => code !== 'ECONNRESET' && code !== 'EPIPE' && code !== 'ECONNREFUSED' && lost.add(code);
      const work = async () => {
        while (answered < 500) {
          if ((await get(port, { agent }).catch(ended)) === 'answer' && ++answered === 500) child.kill('SIGTERM');
        }
      };
      const exit = once(child, 'exit');
      await Promise.all(Array.from({ length: 32 }, work));
      const [status, signal] = await exit;
      agent.destroy();
      console.log(answered >= 500, [...lost], status, signal);
    } else {
      let begun = 0;
      let done = 0;
      const server = http.createServer((request, response) => {
        begun++;
        response.on('finish', () => done++);
        setTimeout(() => response.end('answer'), 2);
      });
      const port = await listening(server);
      process.send(port);
      process.once('SIGTERM', () => server.close(() => { process.exitCode = begun === done ? 0 : 9; process.disconnect(); }));
    }`,
    { isIdle: true },
  );

  alike(
    'fastify with @fastify/under-pressure answers no 503 that is not there without',
    `
    import { fastify } from 'fastify';
    import pressure from '@fastify/under-pressure';
    const app = fastify();
    await app.register(pressure, { maxEventLoopDelay: 500, maxEventLoopUtilization: 0.999 });
    app.get('/', () => 'x');
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
    const answers = {};
    const ask = async () => { const text = await get(port, { agent }); answers[text] = (answers[text] ?? 0) + 1; };
    for (let i = 0; i < 40; i++) { await Promise.all(Array.from({ length: 8 }, ask)); await new Promise((done) => setTimeout(done, 5)); }
    console.log(JSON.stringify(answers));
    agent.destroy();
    await app.close();`,
  );

  it('node --watch starts a program anew', { timeout: 60_000 }, async () => {
    using folder = new Temporary();
    const text = (answer: string): string => `
      import http from 'node:http';
      const server = http.createServer((request, response) => response.end('${answer}')).listen(0, '127.0.0.1', async () => {
        console.log(await (await fetch('http://127.0.0.1:' + server.address().port)).text());
        server.close();
        server.closeAllConnections();
      });`;
    const file = folder.file('program.mjs', text('first'));
    const child = spawn(process.execPath, ['--watch', '--import', REGISTER, file], {
      env: environment({ IOURING: 'http,net' }),
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      const lines = createInterface({ input: child.stdout });
      const answers: string[] = [];
      for await (const line of lines) {
        if (line === 'first') folder.file('program.mjs', text('second'));
        if (/^(first|second)$/.test(line)) answers.push(line);
        if (line === 'second') break;
      }
      assert.deepEqual(answers, ['first', 'second']);
    } finally {
      child.kill();
    }
  });

  alike(
    'node --test',
    `
    import { it } from 'node:test';
    const server = http.createServer((request, response) => response.end('x'));
    it('given requests, answers', async () => {
      const port = await listening(server);
      for (let i = 0; i < 10; i++) if ((await get(port)) !== 'x') throw new Error('wrong');
      server.close();
    });`,
    { flags: ['--test', '--test-reporter', ONLY_NUMBERS], isIdle: true },
  );

  alike(
    'under the inspector',
    `
    import inspector from 'node:inspector';
    const server = http.createServer((request, response) => response.end('x'));
    const port = await listening(server);
    const { host } = new URL(inspector.url());
    const [about] = await (await fetch('http://' + host + '/json/list')).json();
    console.log(await get(port), about.type);
    server.close();`,
    { flags: ['--inspect=127.0.0.1:0'] },
  );
});
