// slow: 100,000 connections
// What happens to servers on the ring that nobody asked for: no descriptors left, no buffers left, peers that reset or
// vanish, readers that do not read, a reactor that is closed, a thread and a process that end.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { connect as nodeConnect, type AddressInfo, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { fromTheFirstByte } from '../from-the-first-byte.ts';
import { Reactor } from '../../../src/index.ts';
import { koffiNative } from '../../../src/native/koffi.ts';
import type { CallOff } from '../../../src/native/native.ts';
import { checkConnect, checkListen } from '../../../src/net/lean/lean-arguments.ts';
import ours from '../../../src/net/index.ts';
import { listen, type LeanSocket } from '../../../src/socket/index.ts';
import type { ListenOptions } from '../../../src/net/lean/types.ts';
import { connectThroughRing } from '../../../src/net/lean/ring-connect.ts';
import { LeanListener } from '../../../src/net/lean/lean-listener.ts';
import { transportOf } from '../../../src/net/transport/transport.ts';
import { run } from '../../run.ts';
import { Recorder } from './lean-recorder.ts';

fromTheFirstByte();

const HOST = '127.0.0.1';
const NET = new URL('../../../src/socket/index.js', import.meta.url).href;
const INDEX = new URL('../../../src/index.js', import.meta.url).href;

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const descriptors = (): number => readdirSync('/proc/self/fd').length;

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

/** A client of Node's that is connected. */
async function client(port: number): Promise<Socket> {
  const socket = nodeConnect(port, HOST);
  await once(socket, 'connect');
  return socket;
}

/** When it is closed, whether it broke or not. */
const closing = (socket: Socket): Promise<void> => new Promise((resolve) => void socket.once('close', () => resolve()));

/** A listener on a reactor of its own. */
function listenOn<T>(io: Reactor, options: ListenOptions<T>): LeanListener<T> {
  return new LeanListener(transportOf(io), checkListen({ hostname: HOST, ...options }));
}

async function program(text: string, limits = ''): Promise<string> {
  const command = `${limits}exec "$0" --input-type=module -e "$1"`;
  const { status, stdout, stderr } = await run('bash', ['-c', command, process.execPath, text]);
  assert.equal(status, 0, stderr);
  return stdout;
}

describe('shortages', () => {
  it('given no descriptors left, accepting pauses without spinning, and goes on when there are some', async () => {
    const output = await program(
      `
      import { defaultReactor } from '${INDEX}';
      import { listen } from '${NET}';
      import { openSync, closeSync } from 'node:fs';
      const io = defaultReactor();
      let open = 0;
      const listener = listen({ hostname: '${HOST}', socket: { open: (s) => { open++; s.write('hello'); }, error() {} } });
      // AF_INET, SOCK_STREAM
      const client = await io.socket(2, 1);
      const held = [];
      try { for (;;) held.push(openSync('/dev/null', 'r')); } catch (error) { console.log(error.code); }
      await io.connect(client, { address: '${HOST}', port: listener.port });
      const before = io.stats.enters;
      await io.sleep(300);
      console.log(open, io.stats.enters - before < 30 ? 'calm' : 'it spins: ' + (io.stats.enters - before));
      for (const fd of held.splice(0, 3)) closeSync(fd);
      const buffer = Buffer.alloc(5);
      await io.recv(client, buffer);
      console.log(open, String(buffer));
      listener.stop(true);
    `,
      'ulimit -n 128; ',
    );
    assert.equal(output, 'EMFILE\n0 calm\n1 hello\n');
  });

  it('given more arrivals at a time than buffers, every byte comes', async () => {
    await using io = new Reactor({ entries: 64 });
    const CONNECTIONS = 300;
    const BYTES = 20_000;
    let received = 0;
    let closed = 0;
    const listener = listenOn(io, {
      socket: {
        data: (_, data) => {
          for (const byte of data) assert.equal(byte, 7);
          received += data.length;
        },
        close: () => closed++,
      },
    });
    const chunk = Buffer.alloc(BYTES, 7);
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        const socket = await client(listener.port!);
        socket.resume().end(chunk);
        await once(socket, 'close');
      }),
    );
    await until(() => closed === CONNECTIONS);
    assert.equal(received, CONNECTIONS * BYTES);
    assert.equal(io.stats.buffersOut, 0);
    listener.stop();
  });
});

describe('peers', () => {
  it('a reset is an error, and the end, at every point of a connection’s life', async () => {
    // Before it is seen, while it is served, when this side is ended, while much is being sent, while it is paused.
    const lives: Record<string, (socket: LeanSocket) => void> = {
      untouched() {},
      served: (socket) => void socket.write('hello'),
      ended: (socket) => void socket.end('bye'),
      sending: (socket) => void socket.write(Buffer.alloc(900_000)),
      closing: (socket) => {
        socket.write(Buffer.alloc(900_000));
        socket.close();
      },
    };
    for (const [name, live] of Object.entries(lives)) {
      const server = new Recorder({ open: live });
      const listener = listen({ hostname: HOST, allowHalfOpen: true, socket: server.handlers });
      const peer = await client(listener.port!);
      peer.on('error', () => {});
      await server.called('open');
      for (let i = 0; i < 5; i++) await turn();
      peer.resetAndDestroy();
      await server.called('close');
      assert.equal(server.count('close'), 1, name);
      const codes = server.errors.map((error) => (error as NodeJS.ErrnoException).code);
      if (name !== 'closing') assert.match(codes.join(), /^(ECONNRESET|EPIPE)$/, name);
      assert.equal(listener.connections, 0, name);
      listener.stop();
    }
  });

  it('given a reset while it is paused, a connection tells of it when it is resumed', async () => {
    const server = new Recorder({ open: (socket) => socket.pause() });
    const listener = listen({ hostname: HOST, socket: server.handlers });
    const peer = await client(listener.port!);
    peer.on('error', () => {});
    await server.called('open');
    peer.write('in between');
    for (let i = 0; i < 20; i++) await turn();
    peer.resetAndDestroy();
    for (let i = 0; i < 20; i++) await turn();
    assert.deepEqual(server.calls, ['open']);
    server.sockets[0].resume();
    await server.called('close');
    listener.stop();
  });

  it('given a peer that never reads, no more than the high water mark is kept, and others are served', async () => {
    const MARK = 100_000;
    let isFeeding = true;
    const feed = (socket: LeanSocket<number>): void => {
      for (let taken = 1; taken > 0 && isFeeding; socket.data += taken) taken = socket.write(Buffer.alloc(50_000));
    };
    const server = new Recorder<number>({
      open(socket) {
        socket.data = 0;
        feed(socket);
      },
      drain: feed,
    });
    const listener = listen({ hostname: HOST, writableHighWaterMark: MARK, socket: server.handlers });
    const silent = await client(listener.port!);
    silent.pause();
    await server.called('open');
    const [first] = server.sockets;
    // Until the kernel's own buffers are full.
    for (let calm = 0, before = -1; calm < 50; before = first.data) {
      await turn();
      calm = first.data === before ? calm + 1 : 0;
    }
    assert.ok(first.writableLength > 0 && first.writableLength <= MARK, String(first.writableLength));
    const taken = first.write(Buffer.alloc(2 * MARK));
    assert.ok(taken <= MARK && first.writableLength <= MARK);
    first.data += taken;
    const lively = await client(listener.port!);
    await once(lively, 'data');
    lively.destroy();
    // He changes his mind: what was taken comes, all of it.
    isFeeding = false;
    let bytes = 0;
    silent.on('data', (data) => (bytes += data.length)).resume();
    first.end();
    await closing(silent);
    assert.equal(bytes, first.data);
    listener.stop(true);
  });

  it('given peers that vanish, timeout tells of them', async () => {
    const server = new Recorder({
      open: (socket) => socket.setTimeout(50),
      timeout: (socket) => socket.terminate(),
    });
    const listener = listen({ hostname: HOST, socket: server.handlers });
    const peer = await client(listener.port!);
    peer.on('error', () => {});
    await server.called('close');
    assert.deepEqual(server.calls, ['open', 'timeout', 'close']);
    await closing(peer);
    listener.stop();
  });
});

describe('the end', () => {
  it('given a listener closed under load, its connections end, its address is free, nothing is left', async () => {
    const before = descriptors();
    await using io = new Reactor();
    const inside = descriptors();
    const server = new Recorder({ data: (socket, data) => void socket.write(data) });
    const listener = listenOn(io, { socket: server.handlers });
    const { port } = listener;
    const peers = await Promise.all(Array.from({ length: 50 }, () => client(port!)));
    for (const peer of peers) {
      peer.on('error', () => {}).resume();
      const write = (): void => {
        if (peer.writable) peer.write(Buffer.alloc(10_000), write);
      };
      write();
    }
    await server.has(1_000_000);
    listener.stop(true);
    const again = listenOn(io, { port: port!, socket: {} });
    again.stop();
    await Promise.all(peers.map((peer) => (peer.destroyed ? Promise.resolve() : closing(peer))));
    await until(() => server.count('close') === server.count('open') && io.stats.inFlight === 0);
    assert.equal(descriptors(), inside);
    assert.ok(inside > before);
  });

  it('given a reactor that is closed, its connections are told, and closed', async () => {
    const before = descriptors();
    const io = new Reactor();
    const server = new Recorder({ data: (socket) => socket.pause() });
    const listener = listenOn(io, { socket: server.handlers });
    const peers = await Promise.all(Array.from({ length: 10 }, () => client(listener.port!)));
    for (const peer of peers) peer.on('error', () => {}).resume();
    for (const peer of peers.slice(5)) peer.write('pause');
    await until(() => server.count('data') >= 5);
    const clientSide = new Recorder();
    const away = await connectThroughRing(
      io,
      checkConnect({ hostname: HOST, port: listener.port!, socket: clientSide.handlers }),
    );
    await server.called('open', 11);
    away.write(Buffer.alloc(100));
    const closed = peers.map((peer) => closing(peer));
    await io.close();
    await server.called('close', 11);
    await clientSide.called('close');
    for (const error of server.errors) assert.equal((error as NodeJS.ErrnoException).code, 'ERR_IOURING_CLOSED');
    await Promise.all(closed);
    assert.equal(away.write('too late'), 0);
    assert.deepEqual([away.fd, listener.fd, listener.connections], [-1, -1, 0]);
    assert.equal(descriptors(), before);
  });

  it('what was written in the last tick of a process arrives', async () => {
    const listener = listen({ hostname: HOST, socket: server().handlers });
    const text = `
      import { connect } from '${NET}';
      const socket = await connect({ hostname: '${HOST}', port: ${listener.port}, socket: {} });
      socket.write('last words');
      process.exit();`;
    await program(text);
    await last.called('close');
    assert.equal(last.bytes.toString(), 'last words');
    listener.stop();
  });

  it('unreferenced connections and listeners do not keep a process alive; referenced ones do', async () => {
    const text = (how: string): string => `
      import { connect, listen } from '${NET}';
      const listener = listen({ hostname: '${HOST}', socket: { open: (socket) => socket.unref() } });
      listener.unref();
      const socket = await connect({ hostname: '${HOST}', port: listener.port, socket: { data() {} } });
      ${how}
      process.on('exit', () => console.log('the end'));`;
    assert.equal(await program(text('socket.unref();')), 'the end\n');
    assert.equal(await program(text('socket.pause();')), 'the end\n');
    const kept = `${text('socket.unref(); socket.ref();')}
      setTimeout(() => { console.log('alive'); socket.unref(); }, 50).unref();`;
    assert.equal(await program(kept), 'alive\nthe end\n');
  });

  it('a thread that is terminated closes its connections and its listener', async () => {
    const before = descriptors();
    const text = `
      const { parentPort } = require('node:worker_threads');
      import('${NET}').then(({ listen }) => {
        const socket = { open: (s) => s.write('from a worker') };
        const listener = listen({ hostname: '${HOST}', socket });
        parentPort.postMessage(listener.port);
      });`;
    const worker = new Worker(text, { eval: true });
    const [port] = (await once(worker, 'message')) as [number];
    const peer = await client(port);
    await once(peer, 'data');
    const ended = closing(peer);
    peer.on('error', () => {});
    await worker.terminate();
    await ended;
    await until(() => descriptors() <= before);
    // The kernel takes a ring down a moment after its descriptor is closed; until then it accepts, and resets.
    let code: string | undefined = 'ECONNRESET';
    while (code === 'ECONNRESET') {
      const [error] = (await once(nodeConnect(port, HOST), 'error')) as [NodeJS.ErrnoException];
      ({ code } = error);
    }
    assert.equal(code, 'ECONNREFUSED');
  });

  it('the guard on a descriptor, for a thread that ends, is called off before the descriptor is closed', async (t) => {
    const native = koffiNative();
    const { closeAtThreadExit, duplicateGuarded } = native;
    /** Of each guard that was called off: was its descriptor still open, so that its number was nobody else's? */
    const open: boolean[] = [];
    const noted = (fd: number, callOff: CallOff): CallOff => (closes) => {
      open.push(existsSync(`/proc/self/fd/${fd}`));
      callOff(closes);
    };
    native.closeAtThreadExit = (fd) => noted(fd, closeAtThreadExit(fd));
    native.duplicateGuarded = (original) => {
      const { fd, callOff } = duplicateGuarded(original);
      return { fd, callOff: noted(fd, callOff) };
    };
    t.after(() => Object.assign(native, { closeAtThreadExit, duplicateGuarded }));
    for (const how of ['terminate', 'close'] as const) {
      const lean = new Recorder();
      const listener = listen({ hostname: HOST, socket: lean.handlers });
      const peer = await client(listener.port!);
      peer.on('error', () => {}).resume();
      await lean.called('open');
      const before = open.length;
      lean.sockets[0][how]();
      await Promise.all([lean.called('close'), closing(peer)]);
      assert.equal(open.length, before + 1);
      listener.stop();
    }
    for (const how of ['destroy', 'resetAndDestroy', 'end'] as const) {
      const listener = ours.createServer().listen(0, HOST);
      await once(listener, 'listening');
      const socket = ours.connect((listener.address() as AddressInfo).port, HOST);
      const [[accepted]] = (await Promise.all([once(listener, 'connection'), once(socket, 'connect')])) as [
        [Socket],
        unknown,
      ];
      accepted.on('error', () => {}).resume();
      const ended = [closing(socket), closing(accepted)];
      socket.resume()[how]();
      await Promise.all(ended);
      listener.close();
    }
    assert.ok(open.length >= 8);
    assert.ok(!open.includes(false));
  });

  it('the end of one connection is never that of the next one with its descriptor', async () => {
    await using io = new Reactor();
    const server = new Recorder({ data: (socket, data) => void socket.end(data), error() {} });
    const listener = listenOn(io, { allowHalfOpen: true, socket: server.handlers });
    const open = (handlers: object): Promise<LeanSocket> =>
      connectThroughRing(
        io,
        checkConnect({ hostname: HOST, port: listener.port!, allowHalfOpen: true, socket: handlers }),
      );
    for (let i = 0; i < 500; i++) {
      const first = await open({ error() {} });
      const { fd } = first;
      first.end();
      first.terminate();
      await turn();
      const next = new Recorder();
      const second = await open(next.handlers);
      if (i === 0) assert.ok(fd > 0);
      second.write('still open');
      await next.called('end');
      assert.equal(next.bytes.toString(), 'still open');
      second.terminate();
    }
    listener.stop(true);
  });

  it('100,000 connections opened and closed leave nothing over', async () => {
    await using io = new Reactor();
    const ALL = 100_000;
    const AT_A_TIME = 64;
    let closed = 0;
    // Whoever resets keeps no port in TIME_WAIT.
    const listener = listenOn(io, {
      socket: { data: (socket) => socket.terminate(), error() {}, close: () => closed++ },
    });
    let begun = 0;
    const one = async (): Promise<void> => {
      while (begun++ < ALL) {
        await new Promise<void>((resolve, reject) => {
          const socket = { error() {}, close: () => resolve() };
          connectThroughRing(io, checkConnect({ hostname: HOST, port: listener.port!, socket })).then(
            (open) => open.write('x'),
            reject,
          );
        });
      }
    };
    const few = async (count: number): Promise<void> => {
      await Promise.all(Array.from({ length: count }, one));
    };
    const before = descriptors();
    await few(AT_A_TIME);
    await until(() => closed === ALL);
    assert.equal(listener.connections, 0);
    listener.stop();
    await until(() => io.stats.inFlight === 0);
    const { buffersOut, queued } = io.stats;
    assert.deepEqual({ buffersOut, queued }, { buffersOut: 0, queued: 0 });
    assert.equal(descriptors(), before - 1);
  });
});

/** Who hears the last words. */
let last: Recorder;
function server(): Recorder {
  return (last = new Recorder());
}
