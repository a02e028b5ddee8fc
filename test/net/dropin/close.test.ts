// The end of a server: what it has not handed out stays with the kernel, which resets it, as with node:net.
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import type { AddressInfo, Server, Socket } from 'node:net';
import { describe, it } from 'node:test';
import { koffiNative } from '../../../src/native/koffi.ts';
import { defaultReactor } from '../../../src/reactor/default-reactor.ts';
import { partsOf } from '../../../src/reactor/reactor.ts';
import ours from '../../../src/net/index.ts';
import { PeerThread, type Place } from './peer-thread.ts';
import { closed, sideBySide, type Net } from './side-by-side.ts';

const KINDS = ['TCP', 'unix'] as const;

async function listening(
  net: Net,
  kind: (typeof KINDS)[number],
  name: string,
  options: object = {},
): Promise<[Server, Place]> {
  const server = net.createServer(options);
  if (kind === 'unix') server.listen(`\0${name}`);
  else server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return [server,
    kind === 'unix' ? { path: `\0${name}` } : { port: (server.address() as AddressInfo).port, host: '127.0.0.1' }];
}

for (const kind of KINDS) {
  for (const data of [undefined, 'hello']) {
    describe(`${kind}, a server is closed, of peers that have sent ${data === undefined ? 'nothing' : 'something'}`, () => {
      sideBySide(
        'given no connection that was handed out yet, they get what they would from node:net',
        async (net, story, name) => {
          await using peer = await PeerThread.start();
          const [server, place] = await listening(net, kind, name);
          story.server('server', server);
          peer.do(['connect many', { place, count: 3, data }]);
          server.close();
          await closed(server);
          story.tell('peers', await peer.ends());
        },
      );

      sideBySide(
        'given that the listener of the first closes it, the others get what they would from node:net',
        async (net, story, name) => {
          await using peer = await PeerThread.start();
          const [server, place] = await listening(net, kind, name);
          story.server('server', server);
          server.on('connection', (socket) => {
            socket.resume();
            socket.end();
            server.close(() => story.tell('server', 'closed'));
          });
          peer.do(['connect many', { place, count: 3, data }]);
          await closed(server);
          story.tell('peers', (await peer.ends()).sort());
        },
      );

      sideBySide(
        'given that a tick of the first closes it, the others get what they would from node:net',
        async (net, story, name) => {
          await using peer = await PeerThread.start();
          const [server, place] = await listening(net, kind, name);
          story.server('server', server);
          server.on('connection', (socket) => {
            socket.resume();
            socket.end();
            void Promise.resolve().then(() =>
              process.nextTick(() => server.close(() => story.tell('server', 'closed')))
            );
          });
          peer.do(['connect many', { place, count: 3, data }]);
          await closed(server);
          story.tell('peers', (await peer.ends()).sort());
        },
      );
    });
  }

  describe(`${kind}, many connections are closed in one tick`, () => {
    const COUNT = 40;

    /** Each has read something. */
    async function accepted(server: Server, place: Place, peer: PeerThread): Promise<Socket[]> {
      const sockets: Socket[] = [];
      server.on('connection', (socket) => sockets.push(socket.on('error', () => {}).resume()));
      peer.do(['connect many', { place, count: COUNT, data: 'hello' }]);
      while (sockets.length < COUNT || sockets.some(({ bytesRead }) => bytesRead === 0)) {
        await new Promise(setImmediate);
      }
      return sockets;
    }

    // Of a unix socket the kernel tells a reset only by what it still has: what the ring has taken is not there.
    for (const isUnread of kind === 'TCP' ? [false, true] : [false]) {
      sideBySide(
        `given ${isUnread ? 'data that nobody has read' : 'nothing unread'}, peers get what they would from node:net`,
        async (net, story, name) => {
          await using peer = await PeerThread.start();
          const [server, place] = await listening(net, kind, name);
          const sockets = await accepted(server, place, peer);
          if (isUnread) peer.do(['write by each', 'unread']);
          for (const socket of sockets) socket.destroy();
          server.close();
          await closed(server);
          story.tell('peers', (await peer.ends()).sort());
        },
      );
    }

    it('given a message that is sent as its socket is destroyed, nothing comes between it and the end', async (t) => {
      await using peer = await PeerThread.start();
      const [server, place] = await listening(ours, kind, `${process.pid} nothing between`);
      const sockets = await accepted(server, place, peer);
      const calls: string[] = [];
      const native = koffiNative();
      const { engine } = partsOf(defaultReactor());
      for (const [index, socket] of sockets.slice(0, 2).entries()) {
        const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
        const { send } = native;
        const sending = t.mock.method(native, 'send', (...args: Parameters<typeof send>) => {
          calls.push(`send ${index}`);
          return send(...args);
        });
        const { submitAndWait } = engine.ring;
        const entering = t.mock.method(engine.ring, 'submitAndWait', (...args: Parameters<typeof submitAndWait>) => {
          calls.push(`enter ${index}`);
          return submitAndWait.apply(engine.ring, args);
        });
        socket.write('x');
        socket.destroy();
        sending.mock.restore();
        entering.mock.restore();
        assert.throws(() => fstatSync(fd), { code: 'EBADF' }, 'it is closed when the call returns');
        // The next one that is closed in the same tick waits for others.
        await new Promise((resolve) => void setImmediate(resolve));
      }
      assert.deepEqual(calls, ['enter 0', 'send 0', 'enter 1', 'send 1']);
      for (const socket of sockets) socket.destroy();
      server.close();
      await closed(server);
    });

    it('given that all are on the ring, a system call lets go of several', async (t) => {
      await using peer = await PeerThread.start();
      const [server, place] = await listening(ours, kind, `${process.pid} let go`);
      const sockets = await accepted(server, place, peer);
      const enter = t.mock.method(partsOf(defaultReactor()).engine.ring, 'submitAndWait');
      for (const socket of sockets) socket.destroy();
      await Promise.resolve();
      const calls = enter.mock.callCount();
      assert.ok(calls >= 1 && calls <= 4, `${calls} system calls`);
      server.close();
      await closed(server);
    });
  });

  describe(`${kind}, a server is closed`, () => {
    sideBySide('calls back, and emits, in the async context that closed it', async (net, story, name) => {
      await using peer = await PeerThread.start();
      const context = new AsyncLocalStorage<string>();
      const [server, place] = await listening(net, kind, name);
      server.on('close', () => story.tell('server', 'close', context.getStore()));
      peer.do(['connect many', { place, count: 2 }]);
      context.run('closer', () => server.close(() => story.tell('server', 'closed', context.getStore())));
      await closed(server);
      await peer.ends();
    });
  });
}
