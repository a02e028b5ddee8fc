// What people use of `socket._handle`, and what the process tells of its sockets, beside node:net.
import { once } from 'node:events';
import assert from 'node:assert/strict';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo, Server, ServerOpts, Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import tls from 'node:tls';
import { worth } from '../../../src/net/dropin/worth.ts';
import { IPPROTO_TCP, SO_KEEPALIVE, SOL_SOCKET, TCP_KEEPIDLE, TCP_NODELAY } from '../../../src/abi/socket-flags.ts';
import ours from '../../../src/net/index.ts';
import { getsockopt } from '../../../src/net/transport/socket-calls.ts';
import { Temporary } from '../../kernel/temporary.ts';
import { atOnce } from '../from-the-first-byte.ts';
import { CERTIFICATE, KEY } from '../clients/certificate.ts';
import { closed, connection, listen, sideBySide, type Net, type Story } from './side-by-side.ts';

/** As in a program: a connection is Node’s at first. */
function asInAProgram(): Disposable {
  const before = { ...worth };
  worth.writes = 16;
  atOnce();
  return { [Symbol.dispose]: () => void Object.assign(worth, before) };
}

interface Handle {
  constructor: { name: string };
  fd: number;
  reading: boolean;
  bytesRead: number;
  bytesWritten: number;
  writeQueueSize: number;
  close(done?: () => void): void;
  getAsyncId(): number;
  getpeername?(out: object): number;
  getsockname?(out: object): number;
  setNoDelay?(on: boolean): number;
  setKeepAlive?(on: boolean, seconds: number): number;
  readStart(): number;
  readStop(): number;
  ref(): void;
  unref(): void;
  hasRef(): boolean;
}

const handleOf = (socket: Socket): Handle | null => (socket as unknown as { _handle: Handle | null })._handle;

/** What it says of itself. */
function describeHandle(socket: Socket): unknown {
  const handle = handleOf(socket);
  if (handle === null) return null;
  const out: { port?: number; address?: string } = {};
  const { bytesRead, bytesWritten, writeQueueSize } = handle;
  const refs = [handle.hasRef(), (handle.unref(), handle.hasRef()), (handle.ref(), handle.hasRef())];
  const calls = [handle.getpeername?.(out), handle.getsockname?.({}), handle.setNoDelay?.(true),
    handle.setKeepAlive?.(true, 5)];
  const named = [out.port === socket.remotePort, out.address];
  return [handle.fd >= 0, handle.getAsyncId() > 0, typeof handle.close, bytesRead, bytesWritten, writeQueueSize, refs,
    calls, named];
}

for (const kind of ['TCP', 'unix'] as const) {
  describe(`${kind}, _handle`, () => {
    const pair = async (net: Net, folder: string): Promise<[Server, Socket, Socket]> => {
      const server = net.createServer();
      const path = join(folder, 'socket');
      if (kind === 'unix') server.listen(path);
      else server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const accepted = connection(server);
      const client = net.connect(
        kind === 'unix' ? { path } : { port: (server.address() as AddressInfo).port, host: '127.0.0.1' },
      );
      const [peer] = await Promise.all([accepted, once(client, 'connect')]);
      return [server, client, peer];
    };

    sideBySide('given a socket that is connected, in use, and gone, has what node:net has', async (net, story) => {
      using folder = new Temporary();
      const [server, client, peer] = await pair(net, folder.path);
      story.tell('client', describeHandle(client));
      story.tell('peer', describeHandle(peer));
      client.write('hello');
      await once(peer, 'data');
      story.tell('peer', describeHandle(peer));
      client.destroy();
      story.tell('client', describeHandle(client));
      server.close();
      await closed(client, peer, server);
      story.tell('peer', describeHandle(peer));
    });

    sideBySide('readStop, readStart', async (net, story) => {
      using folder = new Temporary();
      const [server, client, peer] = await pair(net, folder.path);
      let text = '';
      peer.on('data', (data: Buffer) => (text += data.toString()));
      client.write('one ');
      await once(peer, 'data');
      story.tell('peer', handleOf(peer)!.readStop());
      await new Promise((resolve) => client.write('two ', resolve));
      for (let i = 0; i < 5; i++) await new Promise(setImmediate);
      story.tell('peer', text, handleOf(peer)!.readStart());
      await once(peer, 'data');
      story.tell('peer', text);
      client.destroy();
      server.close();
      await closed(client, peer, server);
    });

    sideBySide('getActiveResourcesInfo names the sockets that keep the process alive', async (net, story) => {
      using folder = new Temporary();
      const count = (): number =>
        process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'PipeWrap').length;
      const before = count();
      const told = (who: string): void => story.tell(who, count() - before);
      const [server, client, peer] = await pair(net, folder.path);
      // A server of unix sockets is one of them.
      told('connected');
      client.unref();
      told('one unreferenced');
      client.ref();
      client.destroy();
      peer.destroy();
      server.close();
      await closed(client, peer, server);
      await new Promise(setImmediate);
      told('closed');
    });
  });
}

describe('the sockets of node:http', () => {
  sideBySide('have a handle, in a request and in an answer', async (net, story) => {
    const server = http.createServer((request, response) => {
      story.tell('request', describeSome(request.socket));
      response.end('hello');
    });
    const listener = net.createServer((socket) => server.emit('connection', socket)).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    const createConnection = (options: object): Socket => net.connect(options as { port: number });
    const kept = Object.assign(new http.Agent({ keepAlive: true }), { createConnection });
    for (const agent of [kept, kept, false] as const) {
      const request = http.get({ port, host: '127.0.0.1', agent, ...(agent === false ? { createConnection } : {}) });
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      story.tell('response', describeSome(response.socket));
      response.resume();
      await once(response, 'end');
    }
    kept.destroy();
    listener.close();
    await closed(listener);
  });

  function describeSome(socket: Socket): unknown {
    const handle = handleOf(socket)!;
    return [handle.fd >= 0, handle.getAsyncId() > 0, handle.hasRef(), handle.setNoDelay?.(true), typeof handle.close,
      handle.getpeername?.({})];
  }
});

describe('_handle, when somebody works on it', () => {
  /** A connection: what was accepted, and the client. */
  async function pair(net: Net, story: Story, options: ServerOpts = {}): Promise<[Server, Socket, Socket]> {
    const server = net.createServer(options);
    const port = await listen(story, server);
    const accepted = connection(server);
    const client = net.connect(port, '127.0.0.1');
    const [peer] = await Promise.all([accepted, once(client, 'connect')]);
    return [server, client, peer];
  }

  /** Tell of the calls of some methods. */
  function listenIn(story: Story, who: string, handle: Handle, names: readonly (keyof Handle)[]): void {
    for (const name of names) {
      const method = handle[name] as (...args: unknown[]) => unknown;
      Object.assign(handle, {
        [name](...args: unknown[]): unknown {
          story.tell(who, name, ...args.filter((arg) => typeof arg !== 'function'));
          return Reflect.apply(method, handle, args);
        },
      });
    }
  }

  const METHODS = ['setNoDelay', 'setKeepAlive', 'ref', 'unref', 'getpeername', 'close'] as const;

  sideBySide('of a socket: methods that somebody has replaced are called', async (net, story) => {
    const [server, client, peer] = await pair(net, story);
    for (const [who, socket] of Object.entries({ client, peer })) {
      listenIn(story, who, handleOf(socket)!, METHODS);
      socket.setNoDelay(true).setKeepAlive(true, 3000).unref().ref();
      story.tell(who, typeof socket.remoteAddress);
      socket.destroy();
    }
    server.close();
    await closed(client, peer, server);
  });

  sideBySide(
    'of a socket that is being connected: it stays the same, and what was replaced is called',
    async (net, story) => {
      using _ = asInAProgram();
      const server = net.createServer((socket) => socket.pipe(socket));
      const port = await listen(story, server);
      const client = story.socket('client', net.connect({ port, host: '127.0.0.1', noDelay: true, keepAlive: true }));
      const handle = handleOf(client)!;
      listenIn(story, 'handle', handle, ['setNoDelay', 'setKeepAlive', 'close']);
      await once(client, 'connect');
      story.tell('handle', handleOf(client) === handle, handle.fd >= 0);
      client.end('hello');
      server.close();
      await closed(client, server);
      story.tell('handle', handle.bytesRead);
    },
  );

  sideBySide('options that are set before there is a descriptor hold', async (net, story) => {
    const option = (socket: Socket, level: number, name: number): number =>
      getsockopt(handleOf(socket)!.fd, level, name);
    for (const how of ['by the socket', 'by its handle', 'by node:tls'] as const) {
      const server = net.createServer((socket) => socket.resume());
      const port = await listen(story, server);
      const client = net.connect(port, '127.0.0.1');
      const secure = how === 'by node:tls' ? tls.connect({ socket: client }).on('error', () => {}) : undefined;
      if (how === 'by its handle') {
        story.tell(how, handleOf(client)!.setNoDelay!(true), handleOf(client)!.setKeepAlive!(true, 7));
      }
      else (secure ?? client).setNoDelay(true).setKeepAlive(true, 7000);
      await once(client, 'connect');
      const isKept = option(client, SOL_SOCKET, SO_KEEPALIVE);
      story.tell(how, option(client, IPPROTO_TCP, TCP_NODELAY), isKept, option(client, IPPROTO_TCP, TCP_KEEPIDLE));
      secure?.destroy();
      client.destroy();
      server.close();
      await closed(client, server);
    }
  });

  sideBySide(
    'a handle that is closed: a write fails with EBADF, and without a handle the socket is closed',
    async (net, story) => {
      for (const how of ['closed', 'taken away'] as const) {
        const [server, client, peer] = await pair(net, story);
        peer.on('error', () => {});
        story.socket(how, client, ['error']);
        const failed = once(client, 'error');
        handleOf(client)!.close();
        if (how === 'taken away') Object.assign(client, { _handle: null });
        client.write('x', (error) => story.tell(`${how}, write`, error));
        await failed;
        peer.destroy();
        server.close();
        await closed(peer, server);
      }
    },
  );

  sideBySide('process._getActiveHandles lists the sockets that keep the process alive', async (net, story) => {
    const active = (): unknown[] => (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
    const [server, client, peer] = await pair(net, story);
    const told = (what: string): void => story.tell('active', what, active().includes(client), active().includes(peer));
    told('connected');
    client.unref();
    told('one unreferenced');
    client.destroy();
    peer.destroy();
    server.close();
    await closed(client, peer, server);
    await new Promise(setImmediate);
    told('closed');
  });

  sideBySide('each use of a socket by an agent of node:http has an async id of its own', async (net, story) => {
    const server = http.createServer((_, response) => response.end('hello'));
    const listener = net.createServer((socket) => server.emit('connection', socket));
    const port = await listen(story, listener);
    const createConnection = (options: object): Socket => net.connect(options as { port: number });
    const agent = Object.assign(new http.Agent({ keepAlive: true }), { createConnection });
    const ids: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      const [response] = (await once(http.get({ port, host: '127.0.0.1', agent }), 'response')) as [
        http.IncomingMessage,
      ];
      const { socket } = response;
      const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'async_id_symbol')!;
      ids.push((socket as unknown as Record<symbol, unknown>)[symbol]);
      response.resume();
      await once(socket, 'free');
    }
    story.tell('ids', ids.every((id) => Number(id) > 0), new Set(ids).size);
    agent.destroy();
    listener.close();
    await closed(listener);
  });

  it('node:tls and node:http2 get a handle of libuv’s, from a server and for a client', async (t) => {
    const names: unknown[] = [];
    const seen = (socket: Socket): void =>
      void names.push(handleOf(socket)?.constructor.name, handleOf(socket)!.fd >= 0);
    for (const server of [tls.createServer({ key: KEY, cert: CERTIFICATE }), http2.createServer()]) {
      const listener = ours.createServer((socket) => {
        server.emit('connection', socket);
        seen(socket);
      });
      listener.listen(0, '127.0.0.1');
      await once(listener, 'listening');
      const socket = ours.connect((listener.address() as AddressInfo).port, '127.0.0.1');
      t.after(() => socket.destroy());
      await new Promise<void>((resolve) => {
        socket.once('connect', () => {
          if (server instanceof tls.Server) {
            tls.connect({ socket, rejectUnauthorized: false }).once('secureConnect', () => resolve());
          } else {
            const session = http2.connect('http://localhost', { createConnection: () => socket });
            session.once('remoteSettings', () => resolve());
          }
          seen(socket);
        });
      });
      listener.close();
    }
    assert.deepEqual(names, Array.from({ length: 4 }, () => ['TCP', true]).flat());
  });
});

it('nobody looks through the stack for who asks at reads and writes of a socket that stays Node’s', async (t) => {
  const sockets: Socket[] = [];
  const listener = ours.createServer((socket) => {
    sockets.push(socket);
    // node:tls gets the handle before anything has come: the socket is Node's from then on.
    const secured = new tls.TLSSocket(socket, {
      isServer: true,
      secureContext: tls.createSecureContext({ key: KEY, cert: CERTIFICATE }),
    });
    socket.once('close', () => secured.destroy());
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const client = ours.connect((listener.address() as AddressInfo).port, '127.0.0.1');
  await Promise.all([once(client, 'connect'), once(listener, 'connection')]);
  const [socket] = sockets;
  const capture = t.mock.method(Error, 'captureStackTrace');
  for (let i = 0; i < 10; i++) {
    await new Promise((resolve) => void socket.write('x', resolve));
    socket._read(1);
  }
  const looks = capture.mock.callCount();
  capture.mock.restore();
  client.destroy();
  listener.close();
  await once(socket.destroy(), 'close');
  assert.equal(looks, 0);
});

describe('_handle of a server', () => {
  for (const when of ['when the ring pays', 'from the first byte on'] as const) {
    sideBySide(
      `through the ring ${when}: given a program that has replaced onconnection, it gets a handle of each connection`,
      async (net, story) => {
        using _ = when === 'when the ring pays' ? asInAProgram() : undefined;
        const server = net.createServer(
          { noDelay: true, keepAlive: true, keepAliveInitialDelay: 5000 },
          (socket) => socket.end('hello'),
        );
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        type Connected = (this: unknown, status: number, client: Handle) => void;
        const handle = (server as unknown as { _handle: { onconnection: Connected } })._handle;
        const { onconnection } = handle;
        handle.onconnection = function (status, client) {
          const { setNoDelay, setKeepAlive } = client;
          client.setNoDelay = (on) => (story.tell('handle', 'setNoDelay', on), setNoDelay!.call(client, on));
          client.setKeepAlive = (
            on,
            seconds,
          ) => (story.tell('handle', 'setKeepAlive', on, seconds), setKeepAlive!.call(client, on, seconds));
          story.tell('handle', status, client.fd >= 0);
          onconnection.call(this, status, client);
        };
        const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
        const [data] = (await once(client, 'data')) as [Buffer];
        story.tell('client', data.toString());
        server.close();
        await closed(client, server);
      },
    );
  }
});
