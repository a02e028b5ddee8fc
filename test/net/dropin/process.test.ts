// What concerns the process: what keeps it alive, what is written before it ends, errors that nobody catches, async
// contexts, workers and clusters. The same program runs with node:net and with iouring/net, and prints the same.
// slow: starts programs
import { fromTheFirstByte } from '../from-the-first-byte.ts';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { run } from '../../run.ts';

fromTheFirstByte();

const NET = new URL('../../../src/net/index.js', import.meta.url).href;

const PRELUDE = `
  import { once } from 'node:events';
  import { AsyncLocalStorage } from 'node:async_hooks';
  import cluster from 'node:cluster';
  import { Worker, isMainThread } from 'node:worker_threads';
  const { default: net } = await import(process.env.NET);
  const listen = async (server) => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server.address().port;
  };
`;

/** What a program prints, and how it ends. */
async function outcome(
  net: string,
  text: string,
  more: NodeJS.ProcessEnv = {},
): Promise<{ status: number; stdout: string; stderr: string }> {
  const env = { ...process.env, ...more, NET: net };
  const { status, stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', PRELUDE + text], {
    env,
  });
  return { status, stdout, stderr: /^\w*Error: .*$/m.exec(stderr)?.[0] ?? '' };
}

function alike(title: string, text: string, more?: NodeJS.ProcessEnv): void {
  it(title, { timeout: 30_000 }, async () => {
    const [expected, actual] = await Promise.all([outcome('node:net', text, more), outcome(NET, text, more)]);
    assert.ok(expected.stdout.length + expected.stderr.length > 0);
    assert.deepEqual(actual, expected);
  });
}

describe('the process', () => {
  alike(
    'ends when what is left is not referenced',
    `
    const server = net.createServer((socket) => socket.unref().on('data', () => {}));
    const port = await listen(server);
    const client = net.connect(port, '127.0.0.1');
    await once(client, 'connect');
    client.on('data', () => {});
    client.unref();
    server.unref();
    process.on('exit', () => console.log('exit'));
  `,
  );

  alike(
    'given a referenced server, does not end',
    `
    const server = net.createServer();
    server.unref();
    await listen(server);
    server.ref();
    setTimeout(() => { console.log('still here'); server.close(); }, 50).unref();
  `,
  );

  alike(
    'given a socket that reads and was unreferenced before it was connected, does not end',
    `
    const server = net.createServer((socket) => setTimeout(() => socket.end('x'), 50)).unref();
    const port = await listen(server);
    const client = new net.Socket();
    client.unref();
    client.ref();
    client.connect(port, '127.0.0.1');
    client.on('data', (data) => console.log(String(data)));
  `,
  );

  alike(
    'given a socket that was unreferenced before it was connected, ends',
    `
    const server = net.createServer((socket) => socket.unref().resume());
    const port = await listen(server);
    const client = new net.Socket();
    client.unref();
    client.connect(port, '127.0.0.1', () => { console.log('connected'); server.unref(); });
  `,
  );

  alike(
    'given a paused socket, ends',
    `
    const server = net.createServer({ pauseOnConnect: true }, () => server.unref());
    const port = await listen(server);
    const client = net.connect(port, '127.0.0.1', () => { console.log('connected'); client.unref(); });
  `,
  );

  alike(
    'what was written before process.exit() arrives',
    `
    import { fork, spawn } from 'node:child_process';
    const server = net.createServer((socket) => socket.on('data', (data) => console.log(String(data))).on('end', () => server.close()));
    const port = await listen(server);
    const text = "const { default: net } = await import(process.env.NET); const socket = net.connect(" + port +
      ", '127.0.0.1', () => { socket.write('last words', () => process.exit()); });";
    spawn(process.execPath, ['--input-type=module', '-e', text], { stdio: 'inherit' });
  `,
  );

  alike(
    'given an error event without a listener, ends',
    `
    const server = net.createServer((socket) => socket.on('data', () => socket.resetAndDestroy()));
    const port = await listen(server);
    net.connect(port, '127.0.0.1').resume().write('x');
  `,
  );

  for (const where of ['connection', 'data', 'end', 'close', 'drain']) {
    alike(
      `what is thrown in '${where}' is an uncaught exception, and all goes on`,
      `
      process.on('uncaughtException', (error) => console.log('uncaught', error.message));
      const fail = (what) => { if (what === '${where}') throw new Error('in ' + what); };
      let rounds = 0;
      const server = net.createServer();
      server.on('connection', (socket) => {
        socket.on('error', () => {});
        socket.once('data', () => fail('data')).resume().on('end', () => fail('end')).on('close', () => fail('close'));
        socket.end('x');
        fail('connection');
      });
      const port = await listen(server);
      const next = () => {
        if (rounds++ === 3) return server.close();
        const client = net.connect(port, '127.0.0.1');
        client.on('drain', () => fail('drain'));
        client.write(Buffer.alloc(200_000));
        client.resume().end().on('close', next);
      };
      next();
      // The last socket may tell of its end after the server does.
      server.on('close', () => setTimeout(() => console.log('closed'), 20));
    `,
    );
  }

  alike(
    'async contexts',
    `
    const storage = new AsyncLocalStorage();
    const told = {};
    const tell = (who, what) => (told[who] ??= []).push(what + ' ' + storage.getStore());
    let peer;
    const server = net.createServer((socket) => {
      tell('server', 'connection');
      for (const event of ['data', 'end', 'close']) socket.on(event, () => tell('peer ' + event, event));
      peer = once(socket, 'close');
      storage.run('answer', () => socket.write(Buffer.alloc(500_000), () => { tell('peer', 'written'); socket.end(); }));
    });
    await storage.run('listen', () => listen(server));
    const { port } = server.address();
    const client = storage.run('made', () => new net.Socket());
    for (const event of ['connect', 'data', 'end', 'close']) client.once(event, () => tell('client', event));
    storage.run('connect', () => client.connect(port, '127.0.0.1'));
    storage.run('write', () => client.write('x', () => tell('client written', 'written')));
    client.on('data', () => {});
    await once(client, 'close');
    await peer;
    storage.run('close', () => server.close(() => tell('server', 'closed')));
    await once(server, 'close');
    for (const key of Object.keys(told).sort()) console.log(key, [...new Set(told[key])].join());
  `,
  );

  alike(
    'a worker thread',
    `
    const text = "const { default: net } = await import(process.env.NET); const { once } = await import('node:events');" +
      "const server = net.createServer((socket) => socket.end('from a worker')); server.listen(0); await once(server, 'listening');" +
      "const socket = net.connect(server.address().port); socket.on('data', (data) => console.log(String(data)));" +
      "await once(socket, 'close'); server.close();";
    const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(text)));
    await once(worker, 'exit');
    console.log('done');
  `,
  );

  // Node 20 and 22 say that it cannot be done; on the ring, and as a program has it.
  for (const eager of ['1', '']) {
    alike(
      `a socket that is handed to a worker thread, new and used${eager && ', on the ring'}`,
      `
      const text = "const { parentPort } = await import('node:worker_threads');" +
        "parentPort.on('message', ({ socket }) => socket.on('data', (data) => socket.end('echo ' + data)));";
      const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(text)));
      const server = net.createServer((socket) => {
        const hand = (name) => {
          try {
            worker.postMessage({ socket }, [socket]);
            console.log(name, socket.destroyed, socket.writable);
          } catch (error) {
            console.log(name, error.name, error.code);
          }
        };
        if (used) socket.once('data', () => { hand('used'); socket.destroy(); });
        else { hand('new'); if (!socket.destroyed) socket.destroy(); }
      });
      const port = await listen(server);
      let used = false;
      for (used of [false, true]) {
        const client = net.connect(port, '127.0.0.1', () => client.write('hello'));
        client.on('data', (data) => console.log(String(data))).on('error', () => {});
        await once(client, 'close');
      }
      server.close();
      await worker.terminate();
    `,
      { IOURING_EAGER: eager },
    );
  }

  alike(
    'what a worker wrote before it ended arrives',
    `
    const server = net.createServer((socket) => socket.on('data', (data) => console.log(String(data))).on('end', () => server.close()));
    const port = await listen(server);
    const text = "const { default: net } = await import(process.env.NET); const socket = net.connect(" + port +
      ", '127.0.0.1', () => { socket.write('last words', () => process.exit()); });";
    const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(text)));
    await Promise.all([once(worker, 'exit'), once(server, 'close')]);
    console.log('done');
  `,
  );

  for (const policy of ['rr', 'none']) {
    alike(
      `a cluster (${policy})`,
      `
      import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
      import { tmpdir } from 'node:os';
      const folder = mkdtempSync(tmpdir() + '/iouring-test-');
      writeFileSync(folder + '/worker.mjs', \`
        const { default: net } = await import(process.env.NET);
        const server = net.createServer((socket) => {
          socket.on('data', (data) => socket.end('worker got ' + data + ' ' + (socket instanceof net.Socket)));
        });
        server.listen(0, '127.0.0.1');
        process.on('message', () => { server.close(() => process.disconnect()); });
      \`);
      process.env.NODE_CLUSTER_SCHED_POLICY = '${policy}';
      cluster.schedulingPolicy = '${policy}' === 'rr' ? cluster.SCHED_RR : cluster.SCHED_NONE;
      cluster.setupPrimary({ exec: folder + '/worker.mjs', execArgv: [] });
      const workers = [cluster.fork(), cluster.fork()];
      const [[address]] = await Promise.all(workers.map((worker) => once(worker, 'listening')));
      for (let i = 0; i < 6; i++) {
        const client = net.connect(address.port, '127.0.0.1');
        client.write('hello');
        client.on('data', (data) => console.log(String(data)));
        await once(client, 'close');
      }
      for (const worker of workers) worker.send('stop');
      await Promise.all(workers.map((worker) => once(worker, 'exit')));
      rmSync(folder, { recursive: true });
      console.log('done');
    `,
    );
  }

  alike(
    'a server sent to a child process',
    `
    import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    import { fork } from 'node:child_process';
    const folder = mkdtempSync(tmpdir() + '/iouring-test-');
    writeFileSync(folder + '/child.mjs', \`
      process.on('message', (message, server) => {
        server.on('connection', (socket) => socket.end('from the child').on('close', () => process.exit()));
        process.send('ready');
      });
    \`);
    const server = net.createServer();
    const port = await listen(server);
    const child = fork(folder + '/child.mjs', { execArgv: [] });
    const exit = once(child, 'exit');
    child.send('server', server);
    await once(child, 'message');
    server.close();
    const client = net.connect(port, '127.0.0.1');
    client.on('data', (data) => console.log(String(data)));
    await once(client, 'close');
    await exit;
    rmSync(folder, { recursive: true });
  `,
  );

  alike(
    'a socket sent to a child process, kept open or not, and one as its output',
    `
    import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    import { fork, spawn } from 'node:child_process';
    const folder = mkdtempSync(tmpdir() + '/iouring-test-');
    writeFileSync(folder + '/child.mjs', \`
      process.on('message', (message, socket) => {
        socket.write('the child has it, ' + message);
        socket.on('data', (data) => socket.end(', and got ' + data));
      });
    \`);
    const child = fork(folder + '/child.mjs', { execArgv: [] });
    const server = net.createServer({ pauseOnConnect: true });
    const port = await listen(server);
    for (const keepOpen of [false, true]) {
      const client = net.connect(port, '127.0.0.1');
      const [socket] = await once(server, 'connection');
      await new Promise((resolve) => child.send(String(keepOpen), socket, { keepOpen }, resolve));
      let text = '';
      const end = once(client, 'end');
      client.on('data', (data) => (text += data));
      client.write('words');
      if (keepOpen) {
        await once(client, 'data');
        socket.destroy();
      }
      await end;
      console.log(text, socket.destroyed);
      client.destroy();
    }
    const client = net.connect(port, '127.0.0.1');
    const [socket] = await once(server, 'connection');
    const echo = spawn('echo', ['from echo'], { stdio: ['ignore', socket, 'inherit'] });
    client.on('data', (data) => console.log(String(data)));
    const end = once(client, 'end');
    await once(echo, 'exit');
    socket.destroy();
    await end;
    child.disconnect();
    await once(child, 'exit');
    server.close();
    rmSync(folder, { recursive: true });
    console.log('done');
  `,
  );

  alike(
    'a socket that two processes have: what one says it has written is written before what the other does then',
    `
    import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    import { fork } from 'node:child_process';
    import { createRequire } from 'node:module';
    const folder = mkdtempSync(tmpdir() + '/iouring-test-');
    writeFileSync(folder + '/child.mjs', \`
      import { createRequire } from 'node:module';
      const { default: net } = await import(process.env.NET);
      // So that the socket that comes is one of these.
      createRequire('/')('node:net').Socket = net.Socket;
      process.on('message', (message, socket) => socket.write('child, ', () => process.send('written')));
    \`);
    const child = fork(folder + '/child.mjs', { execArgv: [] });
    const server = net.createServer((socket) => {
      child.once('message', () => socket.end('parent', () => child.disconnect()));
      child.send('socket', socket, { keepOpen: true });
    });
    const client = net.connect(await listen(server), '127.0.0.1');
    let text = '';
    for await (const data of client) text += data;
    console.log(text);
    server.close();
    await once(child, 'exit');
    console.log(child.exitCode);
    rmSync(folder, { recursive: true });
  `,
  );

  alike(
    'a worker whose node:net is this one ends when nothing is left',
    `
    const text = "import { createRequire } from 'node:module'; const { default: net } = await import(process.env.NET);" +
      "Object.assign(createRequire('/')('node:net'), { Socket: net.Socket, Server: net.Server });" +
      "new net.Server().listen(0).unref(); console.log('listens');";
    const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(text)));
    await once(worker, 'exit');
    console.log('done');
  `,
  );

  alike(
    'a socket that is reset while it is being ended: that is an error, and its peer gets the end',
    `
    for (const when of ['at once', 'in a tick']) {
      const server = net.createServer();
      const port = await listen(server);
      const client = net.connect(port, '127.0.0.1');
      const [socket] = await once(server, 'connection');
      for (const event of ['finish', 'error', 'close']) socket.on(event, (error) => console.log(event, error?.message));
      client.on('data', (data) => console.log(String(data)));
      const end = once(client, 'end');
      socket.end('bye');
      if (when === 'at once') socket.resetAndDestroy();
      else process.nextTick(() => socket.resetAndDestroy());
      await end;
      console.log('end');
      server.close();
    }
    // Node has lost the handle, which is still open.
    process.exit();
  `,
  );
});
