// A peer that is gone: which error is told, and by what, beside node:net.
// slow: connections that break in each way
import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { describe } from 'node:test';
import { PeerThread } from './peer-thread.ts';
import { closed, connection, sideBySide, type Net, type Story } from './side-by-side.ts';

const KINDS = ['TCP', 'unix'] as const;

type Place = { port: number; host: string } | { path: string };

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

function watch(story: Story, socket: Socket): void {
  socket.resume();
  for (const event of ['end', 'error', 'close']) {
    socket.on(event, (...args: unknown[]) => story.tell('socket', event, ...args));
  }
}

const MUCH = Buffer.alloc(16 << 20);

for (const kind of KINDS) {
  describe(`${kind}, a peer that is gone`, () => {
    for (const deed of ['destroy', 'reset', 'end'] as const) {
      if (kind === 'unix' && deed === 'reset') continue;
      sideBySide(`given a write that waits for room, ${deed}: what both sides are told`, async (net, story, name) => {
        await using peer = await PeerThread.start();
        const [server, place] = await listening(net, kind, name);
        const accepted = connection(server);
        peer.do(['connect', place]);
        const socket = await accepted;
        watch(story, socket);
        socket.write(MUCH, (error) => story.tell('socket', 'written', error?.message));
        for (let i = 0; i < 3; i++) await new Promise(setImmediate);
        peer.do([deed]);
        if (deed === 'end') {
          await once(socket, 'end');
          peer.do(['destroy']);
        }
        server.close();
        await closed(socket, server);
      });
    }
  });
}
