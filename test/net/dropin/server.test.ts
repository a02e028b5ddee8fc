// net.Server, name by name as node:net documents it, beside node:net.
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { AddressInfo, ListenOptions, Server } from 'node:net';
import { describe } from 'node:test';
import { withoutIPv6 } from '../../asking.ts';
import { Temporary } from '../../kernel/temporary.ts';
import { closed, connection, listen, sideBySide, type Net, type Story } from './side-by-side.ts';

/** What a server says when it is connected to. */
async function greeting(net: Net, options: object): Promise<string> {
  const client = net.connect({ host: '127.0.0.1', ...options } as object as { port: number });
  let text = '';
  client.on('data', (data) => (text += data.toString()));
  await new Promise((resolve) => client.on('error', (error) => (text = error.message)).once('close', resolve));
  return text;
}

const attempt = (story: Story, who: string, call: () => unknown): void => {
  try {
    call();
    story.tell(who, 'nothing thrown');
  } catch (error) {
    story.tell(who, error);
  }
};

describe('listen', () => {
  sideBySide('given every form of arguments, does as node:net', async (net, story, name) => {
    using folder = new Temporary();
    const { duplicate } = await import('../../../src/net/transport/socket-calls.ts');
    const path = join(folder.path, 'socket');
    story.call(folder.path, 'folder');
    const free = net.createServer();
    await listen(story, free);
    const other = net.createServer();
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    const fd = duplicate((other as unknown as { _handle: { fd: number } })._handle.fd);
    other.close();
    await closed(other);
    type Form = (server: Server, done: () => void) => unknown;
    const withIPv6: Record<string, Form> = {
      IPv6: (server, done) => server.listen({ port: 0, host: '::1' }, done),
      'IPv6 only': (server, done) => server.listen({ port: 0, ipv6Only: true }, done),
    };
    const forms: Record<string, Form> = {
      nothing: (server, done) => server.listen(done),
      port: (server, done) => server.listen(0, done),
      'port, host': (server, done) => server.listen(0, '127.0.0.1', done),
      'port, host, backlog': (server, done) => server.listen(0, '127.0.0.1', 5, done),
      'port, backlog': (server, done) => server.listen(0, 5 as never, done),
      options: (server, done) => server.listen({ port: 0, host: '127.0.0.1', backlog: 10, exclusive: true }, done),
      localhost: (server, done) => server.listen({ port: 0, host: 'localhost' }, done),
      ...(withoutIPv6 ? {} : withIPv6),
      path: (server, done) => server.listen(path, done),
      'option path, for all': (server, done) =>
        server.listen({ path: `${path}2`, readableAll: true, writableAll: true }, done),
      'abstract name': (server, done) => server.listen(`\0${name}`, done),
      fd: (server, done) => server.listen({ fd }, done),
    };
    for (const [form, start] of Object.entries(forms)) {
      const server = story.server(form, net.createServer((socket) => socket.end('hello')));
      story.tell(form, server.listening, server.address());
      const isListening = new Promise<void>((resolve) => {
        story.tell(form, start(server, resolve) === server);
      });
      await isListening;
      const address = server.address() as AddressInfo | string;
      const isPath = typeof address === 'string';
      if (!isPath) story.call(address.port, `port of ${form}`);
      story.tell(form, server.listening, address);
      const host = isPath || address.family === 'IPv4' ? '127.0.0.1' : '::1';
      story.tell(form, await greeting(net, isPath ? { path: address } : { port: address.port, host }));
      server.close();
      story.tell(form, server.listening, server.address());
      if (isPath && address.startsWith('/')) story.tell(form, existsSync(address));
      await closed(server);
    }
    free.close();
    await closed(free);
  });

  sideBySide(
    'given an address that is in use, not there or not allowed, fails as node:net does',
    async (net, story) => {
      using folder = new Temporary();
      const path = join(folder.path, 'socket');
      story.call(folder.path, 'folder');
      const first = net.createServer();
      const port = await listen(story, first);
      const unix = net.createServer();
      unix.listen(path);
      await once(unix, 'listening');
      const wrong: Record<string, ListenOptions> = {
        'port in use': { port, host: '127.0.0.1' },
        'path in use': { path },
        'no such folder': { path: join(folder.path, 'none', 'socket') },
        'no such address': { port: 0, host: '192.0.2.1' },
        'no such name': { port: 0, host: 'no.such.name.invalid' },
        'no socket': { fd: 0 } as ListenOptions,
      };
      for (const [what, options] of Object.entries(wrong)) {
        const server = story.server(what, net.createServer());
        const failed = new Promise((resolve) => server.once('error', resolve));
        server.listen(options);
        story.tell(what, server.listening);
        await failed;
        story.tell(what, server.listening, server.address());
        server.close((error) => story.tell(what, 'closed', error));
        await closed(server);
        // It may try again.
        await listen(story, server);
        server.close();
        await closed(server);
      }
      first.close();
      unix.close();
      await closed(first, unix);
    },
  );

  sideBySide('wrong arguments', async (net, story) => {
    attempt(story, 'nobody', () => net.createServer(5 as never));
    attempt(story, 'nobody', () => net.createServer({ highWaterMark: 'x' } as never));
    attempt(story, 'nobody', () => net.createServer({ keepAliveInitialDelay: 'x' } as never));
    for (
      const options of [{}, { port: -1 }, { port: 70_000 }, { port: 'x' }, { path: 5 }, { port: 0, signal: 'x' }, true]
    ) {
      attempt(story, JSON.stringify(options), () => net.createServer().listen(options as never).close());
    }
    const server = net.createServer();
    await listen(story, server);
    attempt(story, 'twice', () => server.listen(0));
    server.close();
    attempt(story, 'twice', () => server.close((error) => story.tell('twice', 'closed', error)));
    await closed(server);
  });

  sideBySide('given a server that was closed, listens again on the same port in the same tick', async (net, story) => {
    const server = net.createServer((socket) => socket.end('hello'));
    const port = await listen(story, server);
    for (let i = 0; i < 5; i++) {
      server.close();
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      story.tell('server', await greeting(net, { port }));
    }
    await new Promise((resolve) => server.close(resolve));
    story.tell('server', await greeting(net, { port }));
  });

  sideBySide('signal', async (net, story) => {
    for (const when of ['before', 'after']) {
      const control = new AbortController();
      if (when === 'before') control.abort();
      const server = story.server(when, net.createServer());
      server.listen({ port: 0, host: '127.0.0.1', signal: control.signal });
      if (when === 'after') {
        await once(server, 'listening');
        control.abort();
      }
      await closed(server);
      story.tell(when, server.listening);
    }
  });

  sideBySide('reusePort, where there is such an option', async (net, story) => {
    const all = [net.createServer(), net.createServer()];
    let port = 0;
    for (const [index, server] of all.entries()) {
      story.server(`server ${index}`, server);
      const settled = new Promise((resolve) => server.once('listening', resolve).once('error', resolve));
      server.listen({ port, host: '127.0.0.1', reusePort: true } as ListenOptions);
      await settled;
      port ||= (server.address() as AddressInfo).port;
      story.call(port, 'port');
    }
    const end = closed(...all);
    for (const server of all) server.close();
    await end;
  });
});

describe('connections', () => {
  sideBySide('getConnections, and close waits for them', async (net, story) => {
    const server = story.server('server', net.createServer());
    const port = await listen(story, server);
    const count = (): Promise<void> =>
      new Promise((resolve) => server.getConnections((error, number) => resolve(story.tell('server', error, number))));
    await count();
    const clients = [];
    const peers = [];
    for (let i = 0; i < 5; i++) {
      clients.push(net.connect(port, '127.0.0.1'));
      peers.push(await connection(server));
    }
    await count();
    server.close((error) => story.tell('server', 'closed', error));
    await count();
    for (const peer of peers.slice(1)) peer.destroy();
    await new Promise(setImmediate);
    await count();
    peers[0].destroy();
    await closed(server);
    await closed(...clients.filter((client) => !client.destroyed).map((client) => client.resume()));
  });

  for (const [most, unix] of [[2, false], [1, true], [0, false], [Infinity, false]] as const) {
    sideBySide(`maxConnections of ${most}${unix ? ', of a unix socket' : ''}`, async (net, story, name) => {
      const server = net.createServer();
      server.maxConnections = most;
      const told: Promise<unknown>[] = [];
      const dropped = (data?: Record<string, unknown>): void => {
        if (data === undefined) return story.tell('server', 'drop');
        const { localPort, remotePort, ...rest } = data;
        story.tell('server', 'drop', { ...rest, localPort: localPort === port, remotePort: typeof remotePort });
      };
      server.on('drop', dropped).on('connection', () => story.tell('server', 'connection'));
      const port = unix ? 0 : await listen(story, server);
      if (unix) {
        server.listen(`\0${name}`);
        await once(server, 'listening');
      }
      const clients = [];
      for (let i = 0; i < 4; i++) {
        told.push(Promise.race([once(server, 'connection'), once(server, 'drop')]));
        const client = unix ? net.connect(`\0${name}`) : net.connect(port, '127.0.0.1');
        client.on('error', () => {});
        clients.push(client);
        await told[i];
      }
      for (const client of clients) client.destroy();
      server.close();
      await closed(server);
    });
  }

  sideBySide('blockList of a server, where there is such an option', async (net, story) => {
    const blockList = new net.BlockList();
    blockList.addSubnet('127.0.0.0', 8);
    const server = story.server('server', net.createServer({ blockList } as object, (socket) => socket.end('hello')));
    const port = await listen(story, server);
    story.tell('server', await greeting(net, { port }));
    server.close();
    await closed(server);
  });

  sideBySide('given connections when it closes, they are served', async (net, story) => {
    const server = story.server('server', net.createServer((socket) => socket.end('hello')));
    const port = await listen(story, server);
    const client = story.socket('client', net.connect(port, '127.0.0.1'));
    await once(client, 'connect');
    server.close();
    await closed(client, server);
  });

  sideBySide('the options of its sockets', async (net, story) => {
    const options = {
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 7000,
      allowHalfOpen: true,
      pauseOnConnect: true,
    };
    const server = net.createServer({ ...options, highWaterMark: 1234 } as object);
    const { getsockopt } = await import('../../../src/net/transport/socket-calls.ts');
    const port = await listen(story, server);
    const client = net.connect(port, '127.0.0.1');
    const peer = await connection(server);
    const { fd } = (peer as unknown as { _handle: { fd: number } })._handle;
    const values = [[6, 1], [1, 9], [6, 4], [6, 5], [6, 6]].map(([level, name]) => getsockopt(fd, level, name));
    story.tell(
      'peer',
      values,
      peer.allowHalfOpen,
      peer.isPaused(),
      peer.readableHighWaterMark,
      peer.writableHighWaterMark,
    );
    peer.setKeepAlive(true, 9000);
    peer.setNoDelay(false);
    story.tell('peer', getsockopt(fd, 6, 4), getsockopt(fd, 6, 1));
    const later = peer as { setTypeOfService?(value: number): unknown; getTypeOfService?(): number };
    story.tell('peer', later.setTypeOfService?.(0x10) === peer, later.getTypeOfService?.());
    client.destroy();
    peer.destroy();
    server.close();
    await closed(server);
  });
});

describe('a server and what observes it', () => {
  sideBySide('diagnostics channels', async (net, story) => {
    const channels = ['net.server.socket', 'net.client.socket', 'tracing:net.server.listen:asyncStart',
      'tracing:net.server.listen:asyncEnd', 'tracing:net.server.listen:error'];
    const subscriptions = channels.map((name) => {
      const listener = (message: unknown): void => story.tell(name, Object.keys(message as object).sort());
      subscribe(name, listener);
      return () => unsubscribe(name, listener);
    });
    const server = net.createServer((socket) => socket.end());
    const port = await listen(story, server);
    await greeting(net, { port });
    const client = new net.Socket().connect(port, '127.0.0.1');
    await closed(client.resume());
    const second = net.createServer();
    const failed = new Promise((resolve) => second.once('error', resolve));
    second.listen(port, '127.0.0.1');
    await failed;
    server.close();
    await closed(server);
    for (const stop of subscriptions) stop();
  });

  sideBySide('Symbol.asyncDispose, ref and unref', async (net, story) => {
    const server = story.server('server', net.createServer());
    story.tell('server', server.unref() === server, server.ref() === server);
    await listen(story, server);
    story.tell('server', server.unref() === server, server.ref() === server);
    await server[Symbol.asyncDispose]();
    story.tell('server', server.listening);
    await server[Symbol.asyncDispose]();
  });

  sideBySide(
    'given calls without new, and on objects of other classes, Server does as node:net’s',
    async (net, story) => {
      const make = net.Server as unknown as (this: unknown, listener?: () => void) => Server;
      const server = make(() => {});
      story.tell('server', server instanceof net.Server, server.constructor === net.Server, server.constructor.name);
      const inherited = Object.create(net.Server.prototype) as Server;
      make.call(inherited);
      await listen(story, inherited);
      const port = (inherited.address() as AddressInfo).port;
      const OldSocket = function (this: unknown): void {
        (net.Socket as unknown as (this: unknown) => void).call(this);
      } as unknown as new () => import('node:net').Socket;
      Object.setPrototypeOf(OldSocket.prototype as object, net.Socket.prototype);
      const client = new OldSocket();
      client.connect(port, '127.0.0.1');
      const peer = await connection(inherited);
      peer.end('hello');
      client.once('data', (data: Buffer) => story.tell('client', data.toString()));
      await closed(client);
      inherited.close();
      await closed(inherited);
      class Derived extends net.Socket {
        own = 'mine';
      }
      story.tell(
        'derived',
        new Derived().own,
        new Derived() instanceof net.Server,
        (net as { Stream?: unknown }).Stream === net.Socket,
      );
      assert.ok(new Derived() instanceof net.Socket);
    },
  );
});
