// How a connection is made, and how not, beside node:net: the events in their order, what is known meanwhile, and who
// ends it.
import { once } from 'node:events';
import type { AddressInfo, NetConnectOpts, Server, Socket } from 'node:net';
import { join } from 'node:path';
import { describe } from 'node:test';
import { worth } from '../../../src/net/dropin/worth.ts';
import { AF_INET, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from '../../../src/abi/socket-flags.ts';
import {
  addressOf,
  bindTo,
  closeNow,
  connectTo,
  getsockopt,
  listenOn,
  openSocket,
} from '../../../src/net/transport/socket-calls.ts';
import { withoutIPv6 } from '../../asking.ts';
import { Temporary } from '../../kernel/temporary.ts';
import { atOnce } from '../from-the-first-byte.ts';
import { closed, sideBySide, type Net, type Story } from './side-by-side.ts';

// As in a program: a connection is Node’s at first.
worth.writes = 16;
atOnce();

const KINDS = ['TCP', 'IPv6', 'name', 'unix'] as const;
type Kind = (typeof KINDS)[number];

/** Why those of a kind cannot be run here, if they cannot. */
const lacks = (kind: Kind): string | false => kind === 'IPv6' && withoutIPv6;

const EVENTS = ['lookup', 'connectionAttempt', 'connectionAttemptFailed', 'connectionAttemptTimeout', 'connect',
  'ready', 'end', 'error', 'close'];

/** A server that listens, and how to connect to it. */
async function listening(net: Net, story: Story, kind: Kind, folder: string): Promise<[Server, NetConnectOpts]> {
  const server = net.createServer((socket) => socket.on('error', () => {}).resume().end());
  const path = join(folder, 'socket');
  story.call(folder, 'folder');
  if (kind === 'unix') server.listen(path);
  else server.listen(0, kind === 'IPv6' ? '::1' : '127.0.0.1');
  await once(server, 'listening');
  if (kind === 'unix') return [server, { path }];
  const { port, address } = server.address() as AddressInfo;
  story.call(port, 'port');
  return [server, kind === 'name' ? { port, host: 'localhost', family: 4 } : { port, host: address }];
}

function watch(story: Story, socket: Socket, who = 'client', events = EVENTS): Socket {
  for (const event of events) socket.on(event, (...args: unknown[]) => story.tell(who, event, ...args));
  return socket.resume();
}

const properties = (
  { connecting, pending, readyState, bytesRead, bytesWritten, localAddress, remoteAddress, destroyed }: Socket,
): object => {
  return { connecting, pending, readyState, bytesRead, bytesWritten, localAddress, remoteAddress, destroyed };
};

describe('a server that is closed as soon as its client is connected', () => {
  // The connection waits to be accepted then, or was: the kernel resets those that wait.
  for (const kind of KINDS) {
    for (const when of ['in the tick in which it listens', 'later'] as const) {
      sideBySide(`${kind}, connected to ${when}: it has accepted the connection`, async (net, story) => {
        using folder = new Temporary();
        const [server, options] = await listening(net, story, kind, folder.path);
        server.on('connection', () => story.tell('both', 'connection'));
        if (when === 'later') { for (let i = 0; i < 5; i++) await new Promise(setImmediate); }
        const client = watch(story, net.connect(options));
        client.once('connect', () => {
          story.tell('both', 'connect');
          server.close();
          client.end('hello');
        });
        await closed(client, server);
      }, lacks(kind));
    }
  }
});

/** An address that answers nobody: its queue is full. */
class Silent {
  readonly #fds: number[] = [];
  readonly port: number;

  constructor() {
    const listener = this.#open();
    bindTo(listener, { address: '127.0.0.1', port: 0 });
    listenOn(listener, 0);
    this.port = (addressOf(listener, false) as { port: number }).port;
    for (let i = 0; i < 2; i++) connectTo(this.#open(), { address: '127.0.0.1', port: this.port });
  }

  #open(): number {
    const fd = openSocket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
    this.#fds.push(fd);
    return fd;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#fds) closeNow(fd);
  }
}

for (const kind of KINDS) {
  describe(`${kind}, connect`, { skip: lacks(kind) }, () => {
    sideBySide('emits the same events, with the same properties in each', async (net, story) => {
      using folder = new Temporary();
      const [server, options] = await listening(net, story, kind, folder.path);
      const client = watch(story, new net.Socket());
      client.on('connectionAttempt', () => story.tell('client', properties(client)));
      client.on('connect', () => story.tell('client', properties(client)));
      story.tell('client', client.connect(options) === client, properties(client));
      process.nextTick(() => story.tell('client', 'tick', properties(client)));
      await once(client, 'connect');
      server.close();
      await closed(client, server);
      story.tell('client', properties(client));
    });

    sideBySide('given options that are set before, the connection has them', async (net, story) => {
      using folder = new Temporary();
      const [server, options] = await listening(net, story, kind, folder.path);
      const client = watch(story, new net.Socket({ keepAlive: true, keepAliveInitialDelay: 5000 } as object));
      client.setNoDelay(true);
      client.connect(options).setKeepAlive(true, 9000).setNoDelay(false).setNoDelay(true);
      client.setTimeout(10_000).ref();
      await once(client, 'connect');
      const [nodelay, keepalive] = [[6, 1], [1, 9]] as const;
      const fd = (client as unknown as { _handle: { fd: number } })._handle.fd;
      if (kind !== 'unix') {
        story.tell('client', getsockopt(fd, ...nodelay), getsockopt(fd, ...keepalive), getsockopt(fd, 6, 4));
      }
      server.close();
      await closed(client, server);
    });

    for (const how of ['destroy', 'destroy with an error', 'resetAndDestroy', 'end'] as const) {
      sideBySide(`${how} in the call, in the next tick, and after the attempt`, async (net, story) => {
        using folder = new Temporary();
        const [server, options] = await listening(net, story, kind, folder.path);
        for (const when of ['call', 'tick', 'attempt']) {
          // A lookup takes as long as it takes.
          const client = watch(story, new net.Socket(), when, EVENTS.filter((event) => event !== 'lookup'));
          client.connect(options);
          client.write('x', (error) => story.tell(`${when}, writing`, 'written', error));
          const end = (): void => {
            try {
              if (how === 'destroy') client.destroy();
              else if (how === 'destroy with an error') client.destroy(new Error('enough'));
              else if (how === 'resetAndDestroy') client.resetAndDestroy();
              else client.end(() => story.tell(`${when}, writing`, 'ended'));
              story.tell(when, properties(client));
            } catch (error) {
              story.tell(when, error);
              client.destroy();
            }
          };
          if (when === 'call') end();
          else if (when === 'tick') process.nextTick(end);
          else client.on('connectionAttempt', () => process.nextTick(end));
          if (!client.closed) await new Promise((resolve) => client.once('close', resolve));
        }
        server.close();
        await closed(server);
      });
    }

    sideBySide('given a listener that throws, goes on as node:net does', async (net, story) => {
      using folder = new Temporary();
      const [server, options] = await listening(net, story, kind, folder.path);
      const { setUncaughtExceptionCaptureCallback } = process;
      const caught = new Promise<unknown>((resolve) => setUncaughtExceptionCaptureCallback.call(process, resolve));
      const client = watch(story, net.connect(options));
      client.once('connect', () => {
        throw new Error('thrown');
      });
      story.tell('client', await caught);
      setUncaughtExceptionCaptureCallback.call(process, null);
      client.destroy();
      server.close();
      await closed(client, server);
    });
  });
}

describe('there is no connection', () => {
  sideBySide('given that nobody listens, fails as node:net does', async (net, story) => {
    using folder = new Temporary();
    story.call(folder.path, 'folder');
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    story.call(port, 'port');
    server.close();
    await closed(server);
    const places: NetConnectOpts[] = [
      { port, host: '127.0.0.1' },
      { port, host: 'localhost' },
      { port, host: 'localhost', family: 4 },
      { path: join(folder.path, 'nothing') },
      { path: folder.path },
      { path: join(folder.path, 'p'.repeat(120)) },
      { path: '/proc/self/exe' },
      { port: 0, host: '127.0.0.1' },
      { port: 1, host: '255.255.255.255' },
      { port: 1, host: '224.0.0.1' },
      { port, host: '127.0.0.1', localPort: 1 },
      { port, host: '127.0.0.1', localAddress: '192.0.2.1' },
    ];
    for (const [i, place] of places.entries()) {
      const client = watch(story, new net.Socket(), `client ${i}`);
      client.connect(place, () => story.tell(`client ${i}`, 'connected'));
      await new Promise((resolve) => client.once('close', resolve));
      story.tell(`client ${i}`, properties(client));
    }
  });

  sideBySide('given no answer, a timeout, a signal or destroy ends it', async (net, story) => {
    using silent = new Silent();
    story.call(silent.port, 'port');
    const options = { port: silent.port, host: '127.0.0.1' };
    const late = watch(story, net.connect({ ...options, timeout: 40 }), 'timeout');
    late.on('timeout', () => {
      story.tell('timeout', 'timeout', properties(late));
      late.destroy();
    });
    await closed(late);
    const controller = new AbortController();
    const stopped = watch(story, net.connect({ ...options, signal: controller.signal } as NetConnectOpts), 'signal');
    setImmediate(() => controller.abort());
    await closed(stopped);
    for (const how of ['destroy', 'resetAndDestroy'] as const) {
      const client = watch(story, net.connect(options), how);
      await new Promise(setImmediate);
      story.tell(how, properties(client), (client as unknown as { _handle: { fd: number } })._handle.fd >= 0);
      client[how]();
      if (how === 'resetAndDestroy') client.destroy();
      await closed(client);
    }
  });
});
