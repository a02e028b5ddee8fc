import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, fstatSync } from 'node:fs';
import { connect as nodeConnect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type {
  ConnectOptions,
  LeanSocket,
  Listener,
  ListenOptions,
  SocketHandlers,
} from '../../../src/net/lean/types.ts';
import { withoutIPv6 } from '../../asking.ts';
import { Descriptors } from '../../kernel/libc.ts';
import { Temporary } from '../../kernel/temporary.ts';
import { Recorder } from './lean-recorder.ts';

/** An implementation of the lean face. */
export interface LeanFace {
  listen<T>(options: ListenOptions<T>): Listener<T>;
  connect<T>(options: ConnectOptions<T>): Promise<LeanSocket<T>>;
}

const HOST = '127.0.0.1';
const MEBI = 1 << 20;
const pattern = (length: number): Buffer => Buffer.alloc(length, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));
type Code = NodeJS.ErrnoException;

const isInDeno = 'deno' in process.versions;

/** Is it a socket's descriptor? Those of Deno's node:net are not shown. */
function isSocketWhereShown(fd: number): boolean {
  return fd === -1 ? isInDeno : fstatSync(fd).isSocket();
}

/** The words of `lean.ts`, one by one, on an implementation. */
export function suite(name: string, { listen, connect }: LeanFace): void {
  /** A listener, and a client of Node's on it. */
  async function served(
    t: TestContext,
    options: Partial<ListenOptions> = {},
    client: { allowHalfOpen?: boolean } = {},
  ) {
    const server = new Recorder(options.socket);
    const listener = listen({ hostname: HOST, ...options, socket: server.handlers });
    const peer = nodeConnect({ port: listener.port!, host: HOST, ...client });
    peer.on('error', () => {});
    t.after(() => {
      peer.destroy();
      listener.stop(true);
    });
    await once(peer, 'connect');
    await server.called('open');
    return { server, listener, peer, socket: server.sockets[0] };
  }

  /** A server of Node's, and a lean client on it. */
  async function connected(t: TestContext, options: Partial<ConnectOptions> = {}) {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, HOST);
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const client = new Recorder(options.socket);
    const [[peer], socket] = await Promise.all([
      once(server, 'connection') as Promise<[Socket]>,
      connect({ hostname: HOST, port, ...options, socket: client.handlers }),
    ]);
    peer.on('error', () => {});
    t.after(() => {
      socket.terminate();
      peer.destroy();
      server.close();
    });
    return { server, client, peer, socket, port };
  }

  /** What a socket of Node's receives until the other side ends. */
  async function all(peer: Socket): Promise<Buffer> {
    const chunks: Buffer[] = [];
    peer.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(peer, 'end');
    return Buffer.concat(chunks);
  }

  /** Errors of a callback nobody awaits. */
  async function uncaught(during: () => Promise<unknown>): Promise<unknown[]> {
    const errors: unknown[] = [];
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const first = new Promise<void>((resolve) => {
      process.on('uncaughtException', (error) => {
        errors.push(error);
        resolve();
      });
    });
    try {
      await during();
      await first;
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const other of others) process.on('uncaughtException', other);
    }
    return errors;
  }

  describe(`${name}: listening`, () => {
    it('is done when the call returns, on a port that the kernel chooses', async () => {
      const listener = listen({ hostname: HOST, socket: {} });
      assert.ok(listener.port! > 0 && listener.port! < 65_536);
      assert.deepEqual([listener.hostname, listener.unix, listener.connections], [HOST, undefined, 0]);
      assert.ok(isSocketWhereShown(listener.fd));
      const again = { port: listener.port!, hostname: HOST, socket: {} };
      const { port } = listener;
      listener.stop();
      listener.stop();
      assert.equal(listener.fd, -1);
      const second = listen(again);
      assert.equal(second.port, port);
      second.stop();
    });

    it('serves IPv6 and IPv4 by default, and IPv6 only where that is asked for', { skip: withoutIPv6 }, async () => {
      const families: unknown[] = [];
      const server = new Recorder({ open: (socket) => void families.push(socket.localFamily) });
      const both = listen({ socket: server.handlers });
      assert.equal(both.hostname, '::');
      for (const host of ['127.0.0.1', '::1']) {
        await once(nodeConnect({ port: both.port!, host }).resume().end(), 'close');
      }
      assert.deepEqual(families, ['IPv6', 'IPv6']);
      both.stop(true);
      let six: Listener | undefined;
      try {
        six = listen({ hostname: '::', ipv6Only: true, socket: {} });
      } catch (error) {
        // Deno's node:net, by itself, would take connections by IPv4 as well.
        assert.deepEqual([isInDeno, (error as Code).code], [true, 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM']);
      }
      if (six !== undefined) {
        const [error] = (await once(nodeConnect({ port: six.port!, host: '127.0.0.1' }), 'error')) as [Code];
        assert.equal(error.code, 'ECONNREFUSED');
        six.stop(true);
      }
      const local = listen({ hostname: 'localhost', socket: {} });
      assert.equal(local.hostname, '127.0.0.1');
      local.stop();
    });

    it('tells at once, in Node’s words, that a port is taken', async (t) => {
      const listener = listen({ hostname: HOST, socket: {} });
      t.after(() => listener.stop());
      const node = createServer().listen({ port: listener.port, host: HOST });
      const [expected] = (await once(node, 'error')) as [Code & { address: string; port: number }];
      assert.throws(
        () => listen({ hostname: HOST, port: listener.port, socket: {} }),
        ({ message, code, errno, syscall, address, port }: typeof expected) => {
          const fields = [message, code, errno, syscall, address, port];
          assert.deepEqual(fields, [expected.message, expected.code, -98, 'listen', HOST, listener.port]);
          return true;
        },
      );
      assert.throws(() => listen({ hostname: '203.0.113.7', socket: {} }), { code: 'EADDRNOTAVAIL' });
    });

    it('shares a port with reusePort, or says that it cannot', () => {
      let first: Listener | undefined;
      try {
        first = listen({ hostname: HOST, reusePort: true, socket: {} });
      } catch (error) {
        assert.equal((error as Code).code, 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM');
        return;
      }
      const second = listen({ hostname: HOST, port: first.port, reusePort: true, socket: {} });
      assert.equal(second.port, first.port);
      assert.throws(() => listen({ hostname: HOST, port: first.port, socket: {} }), { code: 'EADDRINUSE' });
      first.stop();
      second.stop();
    });

    it('unix sockets: of a path that is removed again, and of an abstract name', async () => {
      using folder = new Temporary();
      const names = [join(folder.path, 'socket'), `\0iouring-test-${process.pid}-${name}`];
      for (const unix of names) {
        const server = new Recorder({ data: (socket, data) => void socket.end(data) });
        const listener = listen({ unix, socket: server.handlers });
        assert.deepEqual([listener.unix, listener.port, listener.hostname], [unix, undefined, undefined]);
        assert.equal(existsSync(names[0]), unix === names[0]);
        assert.throws(() => listen({ unix, socket: {} }), { code: 'EADDRINUSE', syscall: 'listen', address: unix });
        const client = new Recorder();
        const socket = await connect({ unix, socket: client.handlers });
        assert.equal(socket.write('hello'), 5);
        await client.called('close');
        assert.equal(client.bytes.toString(), 'hello');
        for (const end of [socket, server.sockets[0]]) {
          const { remoteAddress, remotePort, remoteFamily, localAddress, localPort, localFamily } = end;
          for (const field of [remoteAddress, remotePort, remoteFamily, localAddress, localPort, localFamily]) {
            assert.equal(field, undefined);
          }
        }
        assert.equal(socket.setNoDelay(), false);
        listener.stop();
        assert.ok(!existsSync(names[0]));
        await assert.rejects(connect({ unix, socket: {} }), { syscall: 'connect' });
      }
    });

    it('on a descriptor that is listened on already', async () => {
      using descriptors = new Descriptors();
      const { fd, port } = descriptors.listener();
      const server = new Recorder({ open: (socket) => socket.close() });
      const listener = listen({ fd, socket: server.handlers });
      descriptors.forget(fd);
      assert.deepEqual([listener.port, listener.hostname, listener.fd], [port, HOST, fd]);
      await once(nodeConnect(port, HOST).resume(), 'close');
      assert.equal(server.count('open'), 1);
      listener.stop();
      assert.throws(() => fstatSync(fd), { code: 'EBADF' });
      assert.throws(
        () => listen({ fd: 1_000_000, socket: {} }),
        ({ code, syscall }: Code) => syscall === 'listen' && /^E(INVAL|BADF)$/.test(code!),
      );
    });

    it('counts its connections, and stops without touching them', async (t) => {
      const { server, listener, peer, socket } = await served(t);
      assert.deepEqual([listener.connections, socket.listener === listener], [1, true]);
      const { port } = listener;
      listener.stop();
      const [error] = (await once(nodeConnect(port!, HOST), 'error')) as [Code];
      assert.equal(error.code, 'ECONNREFUSED');
      peer.write('still there');
      await server.has(11);
      assert.equal(listener.connections, 1);
      peer.end();
      await server.called('close');
      assert.equal(listener.connections, 0);
    });

    it('terminates them with stop(true), and so does the end of a `using` block', async (t) => {
      for (
        const stop of [(listener: Listener) => listener.stop(true), (listener: Listener) => listener[Symbol.dispose]()]
      ) {
        const { server, listener, peer } = await served(t);
        const error = once(peer, 'error') as Promise<[Code]>;
        stop(listener);
        assert.equal((await error)[0].code, 'ECONNRESET');
        await server.called('close');
        assert.deepEqual([server.calls, server.closedWith, listener.connections], [['open', 'close'], undefined, 0]);
      }
    });

    it('reload: open connections get the new handlers, too', async (t) => {
      const { server, listener, peer } = await served(t);
      peer.write('one');
      await server.has(3);
      const next = new Recorder();
      listener.reload({ socket: next.handlers });
      peer.write('two');
      await next.has(3);
      assert.equal(server.bytes.toString(), 'one');
      assert.throws(() => listener.reload({ socket: { data: 1 as never } }), { code: 'ERR_INVALID_ARG_TYPE' });
      peer.end();
      await next.called('close');
      assert.deepEqual([next.calls, server.calls], [['data', 'end', 'close'], ['open', 'data']]);
    });
  });

  describe(`${name}: connecting`, () => {
    it('resolves when open has been called, with the user’s data and both addresses', async (t) => {
      const data = { of: 'the user' };
      const order: string[] = [];
      const { socket, peer, port, client } = await connected(t, {
        data,
        socket: { open: () => void order.push('open') },
      });
      order.push('resolved');
      assert.deepEqual(order, ['open', 'resolved']);
      assert.equal(client.sockets[0], socket);
      assert.equal(socket.data, data);
      socket.data = 5;
      assert.equal(socket.data, 5);
      assert.deepEqual([socket.remoteAddress, socket.remotePort, socket.remoteFamily], [HOST, port, 'IPv4']);
      assert.deepEqual([socket.localAddress, socket.localPort, socket.localFamily], [HOST, peer.remotePort, 'IPv4']);
      assert.deepEqual([socket.listener, socket.readyState, socket.bytesRead, socket.bytesWritten], [undefined, 'open',
        0, 0]);
      assert.ok(isSocketWhereShown(socket.fd));
    });

    it('looks names up, and begins where localAddress says', async (t) => {
      const { peer } = await connected(t, { localAddress: '127.0.0.7' });
      assert.equal(peer.remoteAddress, '127.0.0.7');
      const { socket } = await connected(t, { hostname: 'localhost' });
      assert.equal(socket.readyState, 'open');
      await assert.rejects(connect({ hostname: 'no.such.name.invalid', port: 1, socket: {} }), {
        syscall: 'getaddrinfo',
      });
    });

    it('rejects as Node does when nobody listens, and calls no handler', async () => {
      const free = listen({ hostname: HOST, socket: {} });
      const { port } = free;
      free.stop();
      const never = new Recorder();
      const [expected] = (await once(nodeConnect(port!, HOST), 'error')) as [Code & { address: string; port: number }];
      await assert.rejects(connect({ hostname: HOST, port, socket: never.handlers }), (error: typeof expected) => {
        const { message, code, errno, syscall, address } = expected;
        assert.deepEqual(
          [error.message, error.code, error.errno, error.syscall, error.address, error.port],
          [message, code, errno, syscall, address, port],
        );
        return true;
      });
      await assert.rejects(connect({ unix: '/no/such/socket', socket: never.handlers }), {
        code: 'ENOENT',
        syscall: 'connect',
      });
      assert.deepEqual(never.calls, []);
    });

    it('stops with a signal, or after timeoutMs', async () => {
      using descriptors = new Descriptors();
      // Its backlog is full: connecting gets no answer.
      const { port } = descriptors.listener(1);
      descriptors.connect(port);
      descriptors.connect(port);
      const never = new Recorder();
      const options = { hostname: HOST, port, socket: never.handlers };
      await assert.rejects(connect({ ...options, timeoutMs: 30 }), {
        name: 'TimeoutError',
        code: 'ETIMEDOUT',
        syscall: 'connect',
      });
      const controller = new AbortController();
      const attempt = connect({ ...options, signal: controller.signal });
      setTimeout(() => controller.abort('enough'), 10);
      await assert.rejects(attempt, { name: 'AbortError', code: 'ABORT_ERR', cause: 'enough' });
      await assert.rejects(connect({ ...options, signal: AbortSignal.abort('no') }), {
        name: 'AbortError',
        code: 'ABORT_ERR',
        cause: 'no',
      });
      assert.deepEqual(never.calls, []);
    });

    it('a signal and a time are of no effect on an open connection', async (t) => {
      const controller = new AbortController();
      const { socket, client, peer } = await connected(t, { signal: controller.signal, timeoutMs: 500 });
      controller.abort();
      await new Promise((resolve) => setTimeout(resolve, 550));
      peer.write('x');
      await client.has(1);
      assert.equal(socket.readyState, 'open');
    });
  });

  describe(`${name}: data`, () => {
    it('sends text, bytes, views and parts of them, and counts what the kernel took', async (t) => {
      const { socket, peer, client } = await connected(t);
      const received = all(peer);
      assert.equal(socket.write('é'), 2);
      assert.equal(socket.write(Buffer.from('abcdef'), 1, 2), 2);
      assert.equal(socket.write(Buffer.from('abcdef'), 4), 2);
      assert.equal(socket.write(new Uint16Array([0x3130, 0x3332]), 2), 2);
      assert.equal(socket.write(new Uint8Array([65, 66]).buffer), 2);
      assert.equal(socket.write(''), 0);
      const own = Buffer.from('copied');
      assert.equal(socket.write(own), 6);
      own.fill('x');
      assert.ok(socket.writableLength <= 16);
      assert.equal(socket.end('end'), 3);
      assert.equal(socket.readyState, 'readOnly');
      assert.deepEqual([socket.write('late'), socket.end('later')], [0, 0]);
      assert.equal((await received).toString(), 'ébcef23ABcopiedend');
      peer.end();
      await client.called('close');
      assert.deepEqual([socket.bytesWritten, socket.writableLength, socket.readyState, socket.fd], [19, 0, 'closed',
        -1]);
      assert.deepEqual([socket.write('x'), socket.end('x')], [0, 0]);
    });

    it('what is written in one tick goes out together', async (t) => {
      const { socket, peer } = await connected(t);
      for (let i = 0; i < 100; i++) socket.write(String(i % 10));
      const [chunk] = (await once(peer, 'data')) as [Buffer];
      assert.equal(chunk.toString(), '0123456789'.repeat(10));
    });

    it('refuses what cannot be written', async (t) => {
      const { socket } = await connected(t);
      for (const wrong of [undefined, null, 1, {}, []]) {
        assert.throws(() => socket.write(wrong as never), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
      }
      const three = Buffer.alloc(3);
      assert.throws(() => socket.write(three, '1' as never), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
      for (const [offset, length] of [[4], [-1], [0.5], [0, 4], [2, 2], [0, -1]]) {
        assert.throws(() => socket.write(three, offset, length), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
      }
    });

    it('takes what there is room for; drain says when there is more; the peer gets all of it in order', async (t) => {
      const bytes = pattern(8 * MEBI);
      const limit = 64 * 1024;
      let sent = 0;
      const push = (socket: LeanSocket): void => {
        for (;;) {
          const taken = socket.write(bytes, sent, Math.min(50_000, bytes.length - sent));
          assert.ok(socket.writableLength <= limit, `${socket.writableLength}`);
          sent += taken;
          if (sent === bytes.length) socket.end();
          if (taken < 50_000) break;
        }
      };
      const { peer, server, socket } = await served(t, {
        writableHighWaterMark: limit,
        socket: { open: push, drain: push },
      });
      assert.ok(sent < bytes.length);
      assert.equal(socket.readyState, 'open');
      const received = await all(peer);
      assert.ok(received.equals(bytes));
      await server.called('close');
      assert.equal(socket.bytesWritten, bytes.length);
      assert.ok(server.count('drain') > 0);
    });

    it('a message larger than the outgoing buffer is taken in part; without one that was refused there is no drain', async (t) => {
      const { peer, socket, client } = await connected(t, { writableHighWaterMark: 1000 });
      assert.equal(socket.write(pattern(1000)), 1000);
      await once(peer, 'data');
      assert.equal(client.count('drain'), 0);
      await turn();
      assert.equal(socket.write(pattern(5000)), 1000);
      assert.equal(socket.write('x'), 0);
      await client.called('drain');
      assert.equal(socket.write('x'), 1);
    });

    it('receives all bytes, and counts those that were handed over', async (t) => {
      const { server, peer, socket } = await served(t);
      const bytes = pattern(3 * MEBI + 17);
      peer.end(bytes);
      await server.called('close');
      assert.ok(server.bytes.equals(bytes));
      assert.equal(socket.bytesRead, bytes.length);
      assert.deepEqual(server.calls, ['open', 'data', 'end', 'close']);
    });

    it('pause: no data, and the peer has to wait; resume: all of it', async (t) => {
      const { server, peer, socket } = await served(t, { socket: { open: (socket) => socket.pause() } });
      const bytes = pattern(16 * MEBI);
      const isAllTaken = new Promise<boolean>((resolve) => peer.write(bytes, () => resolve(true)));
      const quiet = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 100));
      assert.equal(await Promise.race([isAllTaken, quiet]), false);
      assert.equal(server.length, 0);
      socket.resume();
      await server.has(bytes.length);
      assert.ok(server.bytes.equals(bytes));
    });

    it('pauses in the middle: the call that pauses is the last', async (t) => {
      let calls = 0;
      const { server, peer, socket } = await served(t, {
        socket: {
          data: (socket) => {
            calls++;
            socket.pause();
          },
        },
      });
      peer.write(pattern(4 * MEBI));
      await server.called('data');
      for (let i = 0; i < 20; i++) await turn();
      assert.equal(calls, 1);
      socket.resume();
      await server.called('data', 2);
      assert.equal(calls, 2);
    });

    it('many connections share handlers and no bytes', async (t) => {
      const listener = listen<number>({
        hostname: HOST,
        data: 0,
        socket: {
          data(socket, data) {
            socket.data += data.length;
            socket.write(data);
          },
          end: (socket) => void socket.end(`=${socket.data}`),
        },
      });
      t.after(() => listener.stop(true));
      const answers = await Promise.all(
        Array.from({ length: 40 }, async (_, i) => {
          const client = new Recorder();
          const socket = await connect({ hostname: HOST, port: listener.port, socket: client.handlers });
          socket.end(String(i % 10).repeat(i + 1));
          await client.called('close');
          return client.bytes.toString();
        }),
      );
      assert.deepEqual(answers, Array.from({ length: 40 }, (_, i) => `${String(i % 10).repeat(i + 1)}=${i + 1}`));
    });
  });

  describe(`${name}: the end`, () => {
    it('when the peer ends, this side is ended too, after what the handler still writes', async (t) => {
      const { server, peer, socket } = await served(t, { socket: { end: (socket) => void socket.write('good bye') } });
      peer.end('hello');
      assert.equal((await all(peer)).toString(), 'good bye');
      await server.called('close');
      assert.deepEqual([server.calls, socket.readyState, server.closedWith], [['open', 'data', 'end', 'close'],
        'closed', undefined]);
    });

    for (const place of ['TCP', 'unix'] as const) {
      for (const end of ['end', 'nothing'] as const) {
        it(`data and end come to a paused socket, then ${end} is called and resume: both are told, ${place}`, async (t) => {
          const server = new Recorder({ open: (socket) => socket.pause() });
          // Deno calls what is given to t.after() of no test of a suite.
          using folder = new Temporary();
          const unix = join(folder.path, 'socket');
          const listener = listen({ ...(place === 'unix' ? { unix } : { hostname: HOST }), socket: server.handlers });
          t.after(() => listener.stop(true));
          const peer = nodeConnect(place === 'unix' ? { path: unix } : { port: listener.port!, host: HOST });
          await Promise.all([once(peer, 'connect'), server.called('open')]);
          const received = all(peer);
          await new Promise<void>((resolve) => void peer.end('hello', resolve));
          // Time enough to take both from the kernel.
          for (let i = 0; i < 10; i++) await turn();
          const [socket] = server.sockets;
          assert.equal(socket.readyState, 'open');
          if (end === 'end') {
            socket.end('bye');
            // The end of this side is no reason to forget the other.
            assert.equal((await received).toString(), 'bye');
            assert.equal(socket.readyState, 'readOnly');
          }
          socket.resume();
          await server.called('close');
          assert.deepEqual([server.calls, server.bytes.toString()], [['open', 'data', 'end', 'close'], 'hello']);
          await received;
        });
      }
    }

    it('with allowHalfOpen this side stays open until it ends itself', async (t) => {
      const { server, peer, socket } = await served(t, { allowHalfOpen: true }, { allowHalfOpen: true });
      peer.end();
      await server.called('end');
      for (let i = 0; i < 5; i++) await turn();
      assert.equal(socket.readyState, 'writeOnly');
      socket.write('and ');
      socket.end('then');
      assert.equal((await all(peer)).toString(), 'and then');
      await server.called('close');
      const { peer: other, socket: mine, client } = await connected(t, { allowHalfOpen: true });
      mine.end('question');
      assert.equal((await all(other)).toString(), 'question');
      other.end('answer');
      await client.called('close');
      assert.equal(client.bytes.toString(), 'answer');
    });

    it('close sends what was taken, and does not wait for the peer', async (t) => {
      const { server, peer, socket } = await served(t, {}, { allowHalfOpen: true });
      const bytes = pattern(900_000);
      assert.equal(socket.write(bytes), bytes.length);
      socket.close();
      assert.equal(socket.write('x'), 0);
      assert.ok((await all(peer)).equals(bytes));
      await server.called('close');
      assert.deepEqual([server.calls, server.closedWith, socket.fd], [['open', 'close'], undefined, -1]);
      assert.equal(peer.writable, true);
    });

    it('terminate resets, and what was not sent is lost', async (t) => {
      const { server, peer, socket } = await served(t);
      const error = once(peer, 'error') as Promise<[Code]>;
      // What is large the kernel may have taken, and a socket of Node's that is reset behind data tells of an end.
      socket.write(pattern(1000));
      socket.terminate();
      assert.equal((await error)[0].code, 'ECONNRESET');
      await server.called('close');
      socket.terminate();
      socket.close();
      assert.equal(socket.end(), 0);
      assert.deepEqual([server.calls, server.closedWith, socket.readyState, socket.writableLength], [['open', 'close'],
        undefined, 'closed', 0]);
    });

    it('terminate behind an end, of this side or of both: it is closed at once, without an error', async (t) => {
      for (const peerEnds of [false, true]) {
        const { server, listener, peer, socket } = await served(t, { allowHalfOpen: true });
        if (peerEnds) {
          peer.end();
          await server.called('end');
        }
        socket.end();
        socket.terminate();
        await server.called('close');
        assert.deepEqual([server.calls.at(-1), server.calls.includes('error'), server.closedWith], ['close', false,
          undefined]);
        assert.deepEqual([socket.readyState, listener.connections], ['closed', 0]);
        // By an end or by a reset: as the kernel had it.
        if (!peer.closed) await new Promise((resolve) => void peer.resume().once('close', resolve));
      }
    });

    it('a reset of the peer: error in Node’s shape, and then close with the same', async (t) => {
      const { server, peer } = await served(t);
      peer.resetAndDestroy();
      await server.called('close');
      const [error] = server.errors as Code[];
      assert.deepEqual([server.calls, error.code, error.syscall, error.errno], [['open', 'error', 'close'],
        'ECONNRESET', 'read', -104]);
      assert.equal(server.closedWith, error);
    });

    it('writing to a peer that is gone: EPIPE or ECONNRESET', async (t) => {
      const { client, peer, socket } = await connected(t, { allowHalfOpen: true });
      peer.destroy();
      await client.called('end');
      socket.write('one');
      while (client.count('close') === 0) {
        socket.write('more');
        await turn();
      }
      assert.match((client.errors[0] as Code).code!, /^(EPIPE|ECONNRESET)$/);
      assert.equal(client.closedWith, client.errors[0]);
    });

    it('without an error handler a broken connection is told by close alone', async (t) => {
      let closedWith: Error | undefined;
      const listener = listen({ hostname: HOST, socket: { close: (_, error) => void (closedWith = error) } });
      t.after(() => listener.stop(true));
      const peer = nodeConnect(listener.port!, HOST);
      await once(peer, 'connect');
      peer.resetAndDestroy();
      while (closedWith === undefined) await turn();
      assert.equal((closedWith as Code).code, 'ECONNRESET');
    });
  });

  describe(`${name}: handlers that throw`, () => {
    const thrown = new Error('thrown by a handler');
    const raise = (): never => {
      throw thrown;
    };
    const cases: Record<string, [SocketHandlers, (peer: Socket) => void]> = {
      open: [{ open: raise }, () => {}],
      data: [{ data: raise }, (peer) => void peer.write('x')],
      end: [{ end: raise }, (peer) => void peer.end()],
    };
    for (const [handler, [handlers, provoke]] of Object.entries(cases)) {
      it(`${handler}: its connection ends, and error is given what was thrown`, async (t) => {
        const { server, peer, listener } = await served(t, { socket: handlers });
        const closed = once(peer.resume(), 'close');
        provoke(peer);
        await closed;
        await server.called('close');
        assert.deepEqual([server.errors, server.closedWith, listener.connections], [[thrown], thrown, 0]);
      });

      it(`${handler}: without an error handler it is an uncaught exception`, async (t) => {
        const errors = await uncaught(async () => {
          const listener = listen({ hostname: HOST, socket: handlers });
          t.after(() => listener.stop(true));
          const peer = nodeConnect(listener.port!, HOST).on('error', () => {});
          await once(peer, 'connect');
          provoke(peer);
          await once(peer.resume(), 'close');
        });
        assert.deepEqual(errors, [thrown]);
      });
    }

    it('drain and timeout: the same', async (t) => {
      const drained = await connected(t, { writableHighWaterMark: 10, socket: { drain: raise } });
      drained.socket.write(pattern(20));
      const timed = await connected(t, { socket: { timeout: raise } });
      timed.socket.setTimeout(20);
      for (const { client } of [drained, timed]) {
        await client.called('close');
        assert.deepEqual(client.errors, [thrown]);
      }
    });

    it('error and close themselves: uncaught, and close is still called, once', async (t) => {
      const calls: string[] = [];
      const errors = await uncaught(async () => {
        const listener = listen({
          hostname: HOST,
          socket: {
            data: raise,
            error: () => {
              calls.push('error');
              throw new Error('in error');
            },
            close: () => void calls.push('close'),
          },
        });
        t.after(() => listener.stop(true));
        const peer = nodeConnect(listener.port!, HOST).on('error', () => {});
        await once(peer, 'connect');
        peer.write('x');
        await once(peer.resume(), 'close');
      });
      assert.deepEqual(errors.map((error) => (error as Error).message), ['in error']);
      assert.deepEqual(calls, ['error', 'close']);
    });
  });

  describe(`${name}: settings of a socket`, () => {
    it('timeout: once for each idle period, and the connection stays open; 0 is never', async (t) => {
      const { server, peer, socket } = await served(t);
      socket.setTimeout(50);
      await server.called('timeout');
      const start = performance.now();
      while (performance.now() - start < 150) await turn();
      assert.equal(server.count('timeout'), 1);
      assert.equal(socket.readyState, 'open');
      peer.write('x');
      await server.called('timeout', 2);
      socket.setTimeout(0);
      peer.write('x');
      await server.has(2);
      const again = performance.now();
      while (performance.now() - again < 120) await turn();
      assert.equal(server.count('timeout'), 2);
      for (const wrong of [-1, NaN, Infinity, 2 ** 31]) {
        assert.throws(() => socket.setTimeout(wrong), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
        assert.throws(() => socket.timeout(wrong), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
      }
      assert.throws(() => socket.setTimeout('1' as never), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
      assert.throws(() => socket.timeout('1' as never), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    });

    it('given a timeout in seconds, which is the older form, it is that of so many thousand milliseconds', async (t) => {
      const { server, socket } = await served(t);
      const start = performance.now();
      socket.timeout(0.1);
      await server.called('timeout');
      assert.ok(performance.now() - start >= 95);
    });

    it('activity puts the timeout off, in both directions', async (t) => {
      let active = performance.now();
      const quiet: number[] = [];
      const { server, peer, socket } = await served(t, {
        socket: {
          data: () => void (active = performance.now()),
          timeout: () => void quiet.push(performance.now() - active),
        },
      });
      socket.setTimeout(200);
      const start = performance.now();
      peer.resume();
      for (let i = 0; performance.now() - start < 450; i++) {
        if (i % 2 === 0) {
          peer.write('x');
        } else {
          socket.write('x');
          active = performance.now();
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const { length } = quiet;
      await server.until(() => quiet.length > length);
      // On a loaded machine there may be so long a silence in between, too. Timers may be a millisecond early.
      for (const ms of quiet) assert.ok(ms >= 198, `it was told after ${ms} ms of silence`);
    });

    it('setNoDelay and setKeepAlive say whether the socket takes it', async (t) => {
      const { socket, server, peer } = await served(t);
      assert.deepEqual([socket.setNoDelay(), socket.setNoDelay(false), socket.setKeepAlive(),
        socket.setKeepAlive(true, 5000), socket.setKeepAlive(false)], [true, true, true, true, true]);
      assert.throws(() => socket.setKeepAlive(true, -1), { code: 'ERR_OUT_OF_RANGE' });
      peer.end();
      await server.called('close');
      assert.deepEqual([socket.setNoDelay(), socket.setKeepAlive()], [false, false]);
    });
  });

  describe(`${name}: wrong arguments`, () => {
    const socket = {};
    const type = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' };
    const range = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' };
    const value = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' };
    const listening: [unknown, object][] = [
      [undefined, type],
      [{}, type],
      [{ socket: null }, type],
      [{ socket: { open: 1 } }, type],
      [{ socket, port: '80' }, type],
      [{ socket, port: -1 }, range],
      [{ socket, port: 65_536 }, range],
      [{ socket, port: 1.5 }, range],
      [{ socket, hostname: 1 }, type],
      [{ socket, hostname: 'example.org' }, value],
      [{ socket, hostname: '' }, value],
      [{ socket, unix: 1 }, type],
      [{ socket, unix: '' }, value],
      [{ socket, unix: 'a\0b' }, value],
      [{ socket, unix: 'x'.repeat(108) }, value],
      [{ socket, unix: 'x', port: 1 }, value],
      [{ socket, fd: 1, hostname: '::' }, value],
      [{ socket, fd: -1 }, range],
      [{ socket, backlog: 0 }, range],
      [{ socket, backlog: '1' }, type],
      [{ socket, reusePort: 1 }, type],
      [{ socket, ipv6Only: 1 }, type],
      [{ socket, allowHalfOpen: 'yes' }, type],
      [{ socket, writableHighWaterMark: 0 }, range],
      [{ socket, writableHighWaterMark: '1' }, type],
    ];
    it('of listen', () => {
      for (const [options, error] of listening) {
        assert.throws(() => listen(options as ListenOptions), error, JSON.stringify(options));
      }
    });

    const connecting: [unknown, object][] = [
      [undefined, type],
      [{ port: 1 }, type],
      [{ socket }, { code: 'ERR_MISSING_ARGS' }],
      [{ socket, port: '1' }, type],
      [{ socket, port: 65_536 }, range],
      [{ socket, port: 1, hostname: 1 }, type],
      [{ socket, unix: 'x', port: 1 }, value],
      [{ socket, unix: 'x'.repeat(108) }, value],
      [{ socket, port: 1, localAddress: 'x' }, { code: 'ERR_INVALID_IP_ADDRESS' }],
      [{ socket, port: 1, signal: 1 }, type],
      [{ socket, port: 1, timeoutMs: -1 }, range],
      [{ socket, port: 1, timeoutMs: '1' }, type],
      [{ socket, port: 1, allowHalfOpen: 1 }, type],
    ];
    it('of connect', async () => {
      for (const [options, error] of connecting) {
        await assert.rejects(async () => connect(options as ConnectOptions), error, JSON.stringify(options));
      }
    });
  });
}
