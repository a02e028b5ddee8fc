// A worker that ends while a connection of its changes between Node and the ring: wherever it is ended, no descriptor is
// left, its peer hears of the end, and what was told as sent has arrived.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { run } from '../../run.ts';

const URLS = ['net/index.js', 'net/dropin/changing-ways.js', 'net/dropin/worth.js', 'reactor/default-reactor.js',
  'native/koffi.js']
  .map((name) => JSON.stringify(new URL(`../../../src/${name}`, import.meta.url).href));

/** A server of Node's, and workers that are told when to begin: `body` is what each does. */
function program(body: string, main: string): string[] {
  const text = `
    import { createHook } from 'node:async_hooks';
    import { once } from 'node:events';
    import { fstatSync, readdirSync } from 'node:fs';
    import * as node from 'node:net';
    import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
    const tick = () => new Promise((resolve) => process.nextTick(resolve));
    const turn = () => new Promise(setImmediate);
    if (!isMainThread) {
      const [ours, { wayOf }, { worth }, { defaultReactor }, { koffiNative }] =
        await Promise.all([${URLS.map((url) => `import(${url})`).join()}]);
      const pays = (does) => Object.assign(worth, { writes: 1, unwatched: 1, rest: 0, sustained: 0, patience: 1, milliseconds: 0, pause: 0,
        pays: does ? 0 : Infinity, costs: does ? 0 : Infinity, received: Infinity, sent: Infinity });
      /** The parent is told, and ends this thread. */
      const wait = () => {
        parentPort.postMessage('now');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      };
      pays(true);
      const client = ours.connect(workerData.port, '127.0.0.1');
      await once(client, 'connect');
      client.on('error', () => {}).resume();
      const until = async (way) => {
        pays(way === 'ring');
        while (wayOf(client) !== way) {
          client.write('x');
          await turn();
        }
      };
      const { which } = workerData;
      ${body}
    }
    const open = new Set();
    let bytes = 0;
    const server = node.createServer((socket) => {
      open.add(socket);
      socket.on('error', () => {}).on('close', () => open.delete(socket));
      // A client's context is known when it reads.
      socket.on('data', (data) => (bytes += data.length, socket.write('.')));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address();
    const sockets = () => {
      let count = 0;
      for (const fd of readdirSync('/proc/self/fd')) try { count += fstatSync(Number(fd)).isSocket(); } catch {}
      return count;
    };
    const before = sockets();
    const start = (which) =>
      new Worker(new URL('data:text/javascript,' + encodeURIComponent(process.argv[1])), { workerData: { port, which } });
    /** Whether the connections of a worker that has ended are over. */
    const isOver = async () => {
      const limit = performance.now() + 30_000;
      while ((open.size > 0 || sockets() > before) && performance.now() < limit) await turn();
      const left = [open.size, sockets() - before];
      for (const socket of open) socket.destroy();
      return left.join();
    };
    ${main}
    server.close();`;
  return ['--input-type=module', '-e', text, text];
}

/** The main thread's part: it ends the worker when that says so, and prints what is left. */
const TERMINATED = `const worker = start();
  await once(worker, 'message');
  await worker.terminate();
  process.stdout.write(await isOver());`;

async function output(body: string, main: string): Promise<string> {
  const { status, stdout, stderr } = await run(process.execPath, program(body, main));
  assert.deepEqual([status, stderr], [0, '']);
  return stdout;
}

describe('a worker that is terminated while its connection changes', () => {
  it('given that it is when a descriptor was made for the ring, or is going to be closed, none is left', async () => {
    const out = await output(
      `defaultReactor();
      const native = koffiNative();
      if (which < 2) {
        // To the ring: behind the call that makes the descriptor, or before it is seen to that it is closed.
        const { closeAtThreadExit, duplicateGuarded } = native;
        if (which === 0) native.duplicateGuarded = (fd) => (native.duplicateGuarded = duplicateGuarded, duplicateGuarded(fd), wait());
        native.closeAtThreadExit = (fd) => (fstatSync(fd).isSocket() ? wait() : undefined, closeAtThreadExit(fd));
        if (which === 1) setTimeout(wait, 100);
        await until('ring');
      } else {
        await until('ring');
        // Back to Node: before a descriptor is closed.
        const { close } = native;
        native.close = (fd) => (fstatSync(fd).isSocket() ? wait() : undefined, close(fd));
        setTimeout(wait, 100);
        await until('early');
      }`,
      `for (const which of [0, 1, 2]) {
        const worker = start(which);
        await once(worker, 'message');
        await worker.terminate();
        process.stdout.write(await isOver() + ' ');
      }`,
    );
    assert.equal(out, '0,0 0,0 0,0 ');
  });

  it('given that it is when a handle is made for Node to go on, no descriptor is left', async () => {
    const out = await output(
      `await until('ring');
      createHook({ init: (_, type) => void (type === 'TCPWRAP' && wait()) }).enable();
      await until('early');`,
      TERMINATED,
    );
    assert.equal(out, '0,0');
  });

  it('given that it is behind the call that cancels its receive, no descriptor is left', async () => {
    const out = await output(
      `await until('ring');
      const native = koffiNative();
      const { duplicate } = native;
      native.duplicate = (fd) => (wait(), duplicate(fd));
      await until('early');`,
      TERMINATED,
    );
    assert.equal(out, '0,0');
  });

  it('given that it is at any moment while it changes again and again, its peer hears of the end', async () => {
    const out = await output(
      `await until('ring');
      await until('early');
      parentPort.postMessage('now');
      for (;;) {
        await until('ring');
        await until('early');
      }`,
      `for (let i = 0; i < 6; i++) {
        const worker = start();
        await once(worker, 'message');
        for (let turns = i; turns > 0; turns--) await turn();
        await worker.terminate();
        process.stdout.write(await isOver() + ' ');
      }`,
    );
    assert.equal(out, '0,0 '.repeat(6));
  });
});

describe('a worker that exits while its connection changes', () => {
  it('given that it does when a handle is made for Node to go on, all that was written arrives', async () => {
    const out = await output(
      `await until('ring');
      client.write(Buffer.alloc(1000));
      await turn();
      createHook({
        init(_, type) {
          if (type !== 'TCPWRAP') return;
          client.write(Buffer.alloc(2000));
          process.exit();
        },
      }).enable();
      parentPort.postMessage('now');
      await until('early');`,
      `const worker = start();
      await once(worker, 'message');
      await once(worker, 'exit');
      process.stdout.write(await isOver() + ' ' + (bytes > 3000 && bytes < 4000));`,
    );
    assert.equal(out, '0,0 true');
  });

  it('given an end of its connection when it exits, behind that of its ring, nothing is left, and nothing crashes', async () => {
    const out = await output(
      `await until('ring');
      process.on('exit', () => {
        client.write('last');
        client.destroy();
      });
      if (which === 1) client.write('words');
      process.exit();`,
      `for (const which of [0, 1]) {
        await once(start(which), 'exit');
        process.stdout.write(await isOver() + ' ');
      }`,
    );
    assert.equal(out, '0,0 0,0 ');
  });
});
