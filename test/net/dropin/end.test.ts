// When the end of a connection is told: as late as by node:net, though the ring brings it together with the data before
// it.
// slow: connections that end in each way
import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { describe } from 'node:test';
import { PeerThread, type Deed } from './peer-thread.ts';
import { closed, connection, sideBySide, type Net, type Story } from './side-by-side.ts';

const KINDS = ['TCP', 'unix'] as const;

type Place = { port: number; host: string } | { path: string };

/** A server that listens, and where. */
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

/**
 * What was told of a socket, and what ran in between, if not much comes; immediates are left out where the ring may be
 * a turn later.
 */
function watch(story: Story, socket: Socket, immediates: boolean): void {
  const who = 'socket';
  const tell = (what: string): void => story.tell(who, what);
  let all = 0;
  let pieces = 0;
  socket.on('close', () => tell(`${all} bytes`));
  socket.on('data', (bytes: Buffer) => {
    all += bytes.length;
    if (bytes.length > 5) return;
    tell(`data ${++pieces}`);
    process.nextTick(() => {
      tell('tick');
      void Promise.resolve().then(() => {
        tell('microtask after it');
        process.nextTick(() => tell('tick after that'));
      });
    });
    void Promise.resolve().then(() => tell('microtask'));
    if (immediates) setImmediate(() => tell('immediate'));
  });
  for (const event of ['end', 'close']) socket.on(event, (...args: unknown[]) => story.tell(who, event, ...args));
  socket.on('error', (error) => story.tell(who, 'error', error));
}

const ENDINGS: Record<string, readonly Deed[]> = {
  'data and its end': [['write', 'hello'], ['end']],
  'data, and is gone': [['write', 'hello'], ['destroy']],
  'data and a reset': [['write', 'hello'], ['reset']],
  'nothing but its end': [['end']],
  'nothing, and is gone': [['destroy']],
  'nothing but a reset': [['reset']],
  'much data and its end': [['write', 100_000], ['end']],
};

for (const kind of KINDS) {
  describe(`${kind}, the peer sends at once`, () => {
    for (const [what, deeds] of Object.entries(ENDINGS)) {
      if (kind === 'unix' && what.includes('reset')) continue;
      // Where the connection is over in both directions, data that was there before it was asked for comes alone.
      const isOver = what.includes('reset') || (kind === 'unix' && what.includes('gone'));
      sideBySide(`${what}, while it is being read`, async (net, story, name) => {
        await using peer = await PeerThread.start();
        const [server, place] = await listening(net, kind, name);
        const accepted = connection(server);
        peer.do(['connect', place]);
        const socket = await accepted;
        watch(story, socket, true);
        // It is being read by now.
        for (let i = 0; i < 3; i++) await new Promise(setImmediate);
        peer.do(...deeds);
        server.close();
        await closed(socket, server);
      });

      sideBySide(`${what}, before it is accepted`, async (net, story, name) => {
        await using peer = await PeerThread.start();
        const [server, place] = await listening(net, kind, name);
        const accepted = new Promise<Socket>((resolve) =>
          server.on('connection', (socket) => {
            watch(story, socket, !isOver);
            resolve(socket);
          })
        );
        peer.do(['connect', place], ...deeds);
        const socket = await accepted;
        server.close();
        await closed(socket, server);
      });

      sideBySide(`${what}, while it is told of`, async (net, story, name) => {
        await using peer = await PeerThread.start();
        const [server, place] = await listening(net, kind, name);
        const accepted = new Promise<Socket>((resolve) =>
          server.on('connection', (socket) => {
            watch(story, socket, !isOver);
            peer.do(...deeds);
            resolve(socket);
          })
        );
        peer.do(['connect', place]);
        const socket = await accepted;
        server.close();
        await closed(socket, server);
      });

      sideBySide(`${what}, while it is paused`, async (net, story, name) => {
        await using peer = await PeerThread.start();
        const [server, place] = await listening(net, kind, name, { pauseOnConnect: true });
        const accepted = connection(server);
        peer.do(['connect', place]);
        const socket = await accepted;
        watch(story, socket, !isOver);
        peer.do(...deeds);
        socket.resume();
        server.close();
        await closed(socket, server);
      });

      sideBySide(`${what}, after this side was ended`, async (net, story, name) => {
        await using peer = await PeerThread.start();
        const [server, place] = await listening(net, kind, name, { allowHalfOpen: true });
        const accepted = connection(server);
        peer.do(['connect', place]);
        const socket = await accepted;
        watch(story, socket, true);
        await new Promise<void>((resolve) => socket.end(resolve));
        peer.do(...deeds);
        server.close();
        await closed(socket, server);
      });
    }
  });
}
