// What the ring does for a UDP socket: how often the kernel is called, whose memory is what, and what happens when
// things end.
// slow: starts programs, workers and a cluster
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { createSocket, type Socket as UdpSocket, type UdpSocketOptions } from '../../../src/dgram/index.ts';
import { defaultReactor } from '../../../src/reactor/default-reactor.ts';
import { withoutIPv6 } from '../../asking.ts';
import { Temporary } from '../../kernel/temporary.ts';
import { run } from '../../run.ts';
import { fromTheFirstByte } from '../from-the-first-byte.ts';

fromTheFirstByte();
process.env.IOURING_EAGER = '1';

const UDP = new URL('../../../src/dgram/index.js', import.meta.url).href;
const REACTOR = new URL('../../../src/reactor/default-reactor.js', import.meta.url).href;

/** Room for what the tests send at once. */
const ROOM = 4 * 2 ** 20;

async function bound(options: Partial<UdpSocketOptions> = {}, port = 0): Promise<UdpSocket> {
  const socket = createSocket({ type: 'udp4', ...options });
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

function closed(...sockets: UdpSocket[]): Promise<unknown> {
  return Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(resolve))));
}

/** The first so many messages. */
function messages(socket: UdpSocket, count: number): Promise<Buffer[]> {
  const all: Buffer[] = [];
  return new Promise((resolve) => {
    const take = (data: Buffer): void => {
      if (all.push(data) < count) return;
      socket.off('message', take);
      resolve(all);
    };
    socket.on('message', take);
  });
}

function numbered(i: number, length = 4): Buffer {
  const data = Buffer.alloc(length, i);
  data.writeUInt32LE(i);
  return data;
}

/** Until so many operations are left. */
async function settled(inFlight: number): Promise<void> {
  while (defaultReactor().stats.inFlight !== inFlight) await new Promise((resolve) => setImmediate(resolve));
}

/** Run a module in a process of its own. What it printed. */
async function program(text: string, env: NodeJS.ProcessEnv = {}, args: string[] = []): Promise<string> {
  const start = `import { createSocket } from ${JSON.stringify(UDP)}; import { defaultReactor } from ${
    JSON.stringify(REACTOR)
  };
    import { once } from 'node:events';`;
  const all = [...args, '--input-type=module', '-e', start + text];
  const { status, stdout, stderr } = await run(process.execPath, all, { env: { ...process.env, ...env } });
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

describe('the kernel is called seldom', () => {
  it('what is sent in one tick goes out with one system call, and a multishot receive takes as many as there are buffers', async () => {
    const a = await bound();
    const b = await bound({ recvBufferSize: ROOM });
    const { port } = b.address();
    const room = a.getSendBufferSize();
    const before = defaultReactor().stats;
    const answers: (Error | null)[] = [];
    for (let i = 0; i < 500; i++) a.send(numbered(i), port, '127.0.0.1', (error) => void answers.push(error));
    const all = await messages(b, 500);
    const after = defaultReactor().stats;
    // The receive takes 64 datagrams at a time, as many as there are buffers for.
    const rearms = after.rearms - before.rearms;
    assert.ok(rearms <= 500 / 64, `${rearms}`);
    assert.equal(after.submitted - before.submitted, 500 + rearms);
    // So many as there is surely room for, with what the kernel needs for each.
    const calls = Math.ceil((500 * 1300) / room);
    assert.ok(after.enters - before.enters <= calls + rearms);
    assert.deepEqual(all.map((data) => data.readUInt32LE()), Array.from({ length: 500 }, (_, i) => i));
    assert.deepEqual(answers, Array.from({ length: 500 }, () => null));
    assert.equal(a.getSendQueueCount(), 0);
    assert.equal(a.getSendQueueSize(), 0);
    // They were received together: what answers them goes out together, too.
    const answered = messages(a, 32);
    b.on('message', (data, { port, address }) => b.send(data, port, address));
    const enters = defaultReactor().stats.enters;
    const start = performance.now();
    for (let i = 0; i < 32; i++) a.send(numbered(i), port, '127.0.0.1');
    await answered;
    // What is held goes out each millisecond as well, which counts on a slow machine.
    const answering = defaultReactor().stats.enters - enters;
    assert.ok(answering <= 4 + performance.now() - start, `${answering} system calls`);
    await closed(a, b);
  });

  it('1,000 of one tick arrive in order, of a connected socket too', async () => {
    for (const isConnected of [false, true]) {
      const a = await bound();
      const b = await bound({ recvBufferSize: ROOM });
      const { port } = b.address();
      if (isConnected) {
        a.connect(port, '127.0.0.1');
        await once(a, 'connect');
      }
      const all = messages(b, 1000);
      for (let i = 0; i < 1000; i++) {
        if (isConnected) a.send(numbered(i));
        else a.send(numbered(i), port, '127.0.0.1');
      }
      assert.deepEqual((await all).map((data) => data.readUInt32LE()), Array.from({ length: 1000 }, (_, i) => i));
      await closed(a, b);
    }
  });

  it('more than there are buffers for: nothing is lost that the socket has room for', async () => {
    const a = await bound();
    const b = await bound({ recvBufferSize: ROOM });
    const { port } = b.address();
    const before = defaultReactor().stats;
    const all = messages(b, 3000);
    for (let i = 0; i < 3000; i++) a.send(numbered(i, i % 2 === 0 ? 4 : 600), port, '127.0.0.1');
    for (const [i, data] of (await all).entries()) assert.deepEqual(data, numbered(i, i % 2 === 0 ? 4 : 600));
    // It ran out of buffers, was armed anew, and has given all of them back.
    assert.ok(defaultReactor().stats.rearms > before.rearms);
    const more = messages(b, 200);
    for (let i = 0; i < 200; i++) a.send(numbered(i), port, '127.0.0.1');
    assert.equal((await more).length, 200);
    await closed(a, b);
  });
});

describe('memory', () => {
  it('given data that is changed after send(), what was there before is sent', async () => {
    const a = await bound();
    const b = await bound();
    const { port } = b.address();
    for (const length of [1, 100, 2048, 2049, 40_000, 65_507]) {
      const arrived = messages(b, 3);
      const data = Buffer.alloc(length, 1);
      a.send(data, port, '127.0.0.1');
      data.fill(2);
      a.send([data.subarray(0, 1), data.subarray(1)], port, '127.0.0.1');
      await new Promise((resolve) => a.send(data, 0, length, port, '127.0.0.1', resolve));
      data.fill(3);
      const all = await arrived;
      assert.deepEqual(all.map((one) => [one.length, one.every((byte) => byte === one[0])]), [[length, true], [length,
        true], [length, true]]);
      assert.deepEqual([all[0][0], all[2][0]], [1, 2]);
    }
    const memory = new Uint8Array([1, 2, 3]);
    const arrived = messages(b, 1);
    a.send(memory, port, '127.0.0.1');
    const moved = structuredClone(memory, { transfer: [memory.buffer] });
    moved.fill(9);
    assert.deepEqual([...(await arrived)[0]], [1, 2, 3]);
    await closed(a, b);
  });

  it('messages are the listener’s to keep', async () => {
    const a = await bound();
    const b = await bound({ recvBufferSize: ROOM });
    const { port } = b.address();
    const kept: Buffer[] = [];
    for (let round = 0; round < 6; round++) {
      const all = messages(b, 100);
      for (let i = 0; i < 100; i++) a.send(numbered(round * 100 + i, 1 + 3 + i * 13), port, '127.0.0.1');
      kept.push(...(await all));
    }
    for (const [i, data] of kept.entries()) assert.deepEqual(data, numbered(i, 4 + (i % 100) * 13));
    await closed(a, b);
  });

  it('many senders, each told apart', async () => {
    const b = await bound({ recvBufferSize: ROOM });
    const { port } = b.address();
    const senders = await Promise.all(Array.from({ length: 300 }, () => bound()));
    const seen: [number, number][] = [];
    const all = new Promise<void>((resolve) => {
      b.on('message', (data, sender) => {
        if (seen.push([data.readUInt32LE(), sender.port]) === 900) resolve();
      });
    });
    for (let round = 0; round < 3; round++) {
      for (const [i, sender] of senders.entries()) sender.send(numbered(i), port, '127.0.0.1');
    }
    await all;
    for (const [i, sender] of seen) assert.equal(sender, senders[i].address().port);
    await closed(b, ...senders);
  });
});

describe('the end', () => {
  it('close() sends what was asked for, frees the port, and leaves nothing behind', async () => {
    const b = await bound({ recvBufferSize: ROOM });
    const to = b.address().port;
    const descriptors = readdirSync('/proc/self/fd').length;
    // Of the sockets of other tests nothing is left, and of this one its receive.
    await settled(1);
    let answered = 0;
    for (let round = 0; round < 50; round++) {
      const arrived = messages(b, 20);
      const a = await bound();
      const { port } = a.address();
      a.connect(to, '127.0.0.1');
      await once(a, 'connect');
      for (let i = 0; i < 20; i++) a.send(numbered(i), () => answered++);
      a.close();
      // The number of its descriptor is this one's now. What was asked of the former does not reach it.
      const next = await bound({}, port);
      next.on('message', () => assert.fail('a message for another socket'));
      await arrived;
      await closed(next);
    }
    assert.equal(answered, 1000);
    assert.equal(readdirSync('/proc/self/fd').length, descriptors);
    await settled(1);
    await closed(b);
  });

  it('closed while messages wait for their listener, it gets none of them', async () => {
    const a = await bound();
    const b = await bound();
    let count = 0;
    const first = once(b, 'message');
    b.on('message', () => {
      count++;
      b.close();
    });
    for (let i = 0; i < 30; i++) a.send(numbered(i), b.address().port, '127.0.0.1');
    await first;
    await closed(a);
    assert.equal(count, 1);
  });

  it('the reactor closed under it: Node goes on with it, in both directions', async () => {
    const text = `
      const a = createSocket('udp4'), b = createSocket('udp4');
      b.bind(0, '127.0.0.1'); await once(b, 'listening');
      a.bind(0, '127.0.0.1'); await once(a, 'listening');
      const io = defaultReactor();
      const to = b.address().port;
      a.send('0', to, '127.0.0.1'); await once(b, 'message');
      const arrived = [];
      b.on('message', (data) => arrived.push(String(data)));
      const closing = io.close();
      a.send('1', to, '127.0.0.1', (error) => arrived.push('sent ' + error));
      await closing;
      await new Promise((resolve) => a.send('2', to, '127.0.0.1', resolve));
      b.send('3', a.address().port, '127.0.0.1'); await once(a, 'message');
      while (arrived.length < 3) await once(b, 'message');
      a.unref(); b.close(); a.close(() => console.log(arrived.sort().join()));
    `;
    assert.equal(await program(text), '1,2,sent null');
  });

  it('what a listener or a callback throws is the process’s, and nothing else suffers from it', async () => {
    const text = `
      const a = createSocket('udp4'), b = createSocket('udp4');
      const thrown = [], seen = [];
      process.on('uncaughtException', (error) => thrown.push(error.message));
      b.bind(0, '127.0.0.1'); await once(b, 'listening');
      a.bind(0, '127.0.0.1'); await once(a, 'listening');
      b.on('message', (data) => { seen.push(String(data)); if (seen.length === 5) done(); throw new Error('m' + data); });
      let done; const all = new Promise((resolve) => { done = resolve; });
      for (let i = 0; i < 5; i++) a.send(String(i), b.address().port, '127.0.0.1', () => { seen.push('sent'); throw new Error('s'); });
      await all;
      await new Promise((resolve) => setImmediate(resolve));
      console.log(seen.filter((one) => one !== 'sent').join(), seen.filter((one) => one === 'sent').length, thrown.sort().join());
      a.close(); b.close();
    `;
    assert.equal(await program(text.replaceAll('=== 5', '=== 10')), '0,1,2,3,4 5 m0,m1,m2,m3,m4,s,s,s,s,s');
  });

  it('the process: kept alive, or not, and what was sent last is sent', async () => {
    const receiver = await bound();
    const to = receiver.address().port;
    const last = once(receiver, 'message');
    const text = `
      const a = createSocket('udp4').unref();
      a.on('message', () => {});
      a.bind(0, '127.0.0.1'); await once(a, 'listening');
      process.on('exit', () => { console.log('exit'); });
      setTimeout(() => { a.connect(${to}, '127.0.0.1', () => { a.send('last'); process.exit(); }) }, 1);
    `;
    assert.equal(await program(text), 'exit');
    assert.equal(String(((await last) as [Buffer])[0]), 'last');
    // By itself: nothing but the timer keeps it alive.
    assert.equal(await program(`createSocket('udp4').bind(0, () => console.log('bound')).unref();`), 'bound');
    const kept = `
      const a = createSocket('udp4').bind(0, '127.0.0.1', () => {
        const { port } = a.address();
        a.unref().ref();
        a.once('message', (data) => { console.log(String(data)); a.close(); });
        setTimeout(() => createSocket('udp4').unref().send('wake up', port, '127.0.0.1'), 20).unref();
      });
    `;
    assert.equal(await program(kept), 'wake up');
    await closed(receiver);
  });

  it('a worker that is terminated with open sockets', async () => {
    const text = `
      import { Worker } from 'node:worker_threads';
      const source = 'Promise.all([import(' + JSON.stringify(${
      JSON.stringify(UDP)
    }) + '), import("node:worker_threads")]).then(([{ createSocket }, { parentPort }]) => { const a = createSocket("udp4");'
        + 'a.bind(0, "127.0.0.1", () => { const { port } = a.address(); a.on("message", (data) => a.send(data, port, "127.0.0.1"));'
        + 'for (let i = 0; i < 50; i++) a.send(Buffer.alloc(1000), port, "127.0.0.1");'
        + 'parentPort.postMessage(port); }); })';
      for (let i = 0; i < 5; i++) {
        const worker = new Worker(source, { eval: true });
        const [port] = await once(worker, 'message');
        await worker.terminate();
        // The kernel ends the worker's ring when it has time, and with it the receive that holds the socket.
        for (let bound = false; !bound; ) {
          const a = createSocket('udp4').bind(port, '127.0.0.1');
          bound = await once(a, 'listening').then(() => true, () => false);
          a.close();
        }
      }
      console.log('fine');
    `;
    assert.equal(await program(text), 'fine');
  });
});

describe('a cluster', () => {
  it('a socket that its workers share', async () => {
    using folder = new Temporary();
    const file = join(folder.path, 'cluster.mjs');
    writeFileSync(
      file,
      `import cluster from 'node:cluster'; import { createSocket } from ${JSON.stringify(UDP)};
      const a = createSocket('udp4');
      if (cluster.isPrimary) {
        cluster.fork().once('message', ({ port }) => a.send('question', port, '127.0.0.1'));
        a.once('message', (data) => { console.log(String(data)); a.close(); cluster.disconnect(); });
        a.bind(0, '127.0.0.1');
      } else {
        a.bind(0, '127.0.0.1', () => process.send(a.address()));
        a.once('message', (data, { port }) => a.send('answer', port, '127.0.0.1', () => a.close()));
      }`,
    );
    const { status, stdout, stderr } = await run(process.execPath, [file]);
    assert.equal(status, 0, stderr);
    assert.equal(stdout, 'answer\n');
  });
});

describe('reusePort', () => {
  it('two sockets share a port, and those without it do not', async () => {
    const a = await bound({ reusePort: true });
    const { port } = a.address();
    const b = await bound({ reusePort: true }, port);
    const c = createSocket('udp4').bind(port, '127.0.0.1');
    const [error] = (await once(c, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'EADDRINUSE');
    assert.equal(b.address().port, port);
    await closed(a, b, c);
  });

  it('one of IPv6 takes the port of one of IPv4', { skip: withoutIPv6 }, async () => {
    const a = await bound({ reusePort: true });
    const v6 = createSocket({ type: 'udp6', reusePort: true, ipv6Only: true }).bind(a.address().port, '::1');
    await once(v6, 'listening');
    await closed(a, v6);
  });
});

describe('without io_uring', () => {
  it('it is Node’s socket, and one event says so', async () => {
    const text = `
      import { subscribe } from 'node:diagnostics_channel';
      subscribe('iouring:fallback', ({ module, error }) => console.log(module, error.code));
      for (let i = 0; i < 2; i++) {
        const a = createSocket('udp4').bind(0, '127.0.0.1'); await once(a, 'listening');
        a.send('to itself', a.address().port, '127.0.0.1');
        const [data, sender] = await once(a, 'message');
        console.log(String(data), sender.size); a.close();
      }
    `;
    const both = 'to itself 9\nto itself 9';
    assert.equal(await program(text, { IOURING_DISABLED: '1' }), `iouring/net ERR_IOURING_DISABLED\n${both}`);
    assert.equal(await program(text), both);
  });
});
