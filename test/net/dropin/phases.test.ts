// Where in a pass of the event loop a socket tells what it tells: ticks, microtasks, immediates, 'close' and timers come
// in the order in which they come with node:net, however long a listener takes.
import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { describe } from 'node:test';
import { connection, sideBySide, type Net, type Story } from './side-by-side.ts';

const KINDS = ['TCP', 'unix'] as const;
const SIDES = ['server', 'client'] as const;

/** Longer than a timer of no milliseconds takes. */
function spin(): void {
  for (const end = performance.now() + 3; performance.now() < end;);
}

/** Ask for all that comes later, and be busy until a timer is due. */
function askForAll(story: Story, what = ''): void {
  const tell = (one: string): void => story.tell('socket', `${one}${what}`);
  setTimeout(() => tell('timer'), 0);
  setImmediate(() => {
    tell('immediate');
    process.nextTick(() => tell('tick of it'));
  });
  process.nextTick(() => tell('tick'));
  void Promise.resolve().then(() => tell('microtask'));
  spin();
}

const pass = (): Promise<void> => new Promise((resolve) => void setTimeout(() => setImmediate(resolve), 5));

/** Both ends of a connection: the one on `side` is told of. */
async function connected(
  net: Net,
  kind: (typeof KINDS)[number],
  side: (typeof SIDES)[number],
  name: string,
): Promise<{ server: Server; socket: Socket; peer: Socket }> {
  const server = net.createServer();
  server.listen(kind === 'unix' ? { path: `\0${name}` } : { host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const client = net.connect(
    kind === 'unix' ? { path: `\0${name}` } : { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
  );
  const [accepted] = await Promise.all([connection(server), once(client, 'connect')]);
  return { server, socket: side === 'server' ? accepted : client, peer: side === 'server' ? client : accepted };
}

for (const kind of KINDS) {
  for (const side of SIDES) {
    describe(`${kind}, the side of the ${side}`, () => {
      const test = (
        title: string,
        body: (story: Story, socket: Socket, peer: Socket) => Promise<void>,
      ): void => {
        sideBySide(title, async (net, story, name) => {
          const { server, socket, peer } = await connected(net, kind, side, name);
          peer.on('error', () => {}).resume();
          const over = Promise.all([server, socket, peer].map((one) => once(one, 'close')));
          await body(story, socket, peer);
          socket.destroy();
          peer.destroy();
          server.close();
          await over;
        });
      };

      test('what a listener of data asks for comes in its order', async (story, socket, peer) => {
        socket.on('data', () => {
          story.tell('socket', 'data');
          askForAll(story);
        });
        for (let i = 0; i < 3; i++) {
          peer.write('x');
          await once(socket, 'data');
          await pass();
        }
      });

      test(
        'a socket that is destroyed in a listener of data is closed behind immediates, before timers',
        async (story, socket, peer) => {
          socket.on('close', () => story.tell('socket', 'close'));
          socket.on('data', () => {
            socket.destroy();
            askForAll(story);
          });
          peer.write('x');
          await once(socket, 'close');
          await pass();
        },
      );

      for (const [where, ask] of Object.entries({ 'an immediate': setImmediate, 'a timer': setTimeout })) {
        test(`a socket that is destroyed in ${where} is closed in the same pass`, async (story, socket, peer) => {
          socket.on('data', () => {});
          peer.write('x');
          await once(socket, 'data');
          socket.on('close', () => story.tell('socket', 'close'));
          await new Promise<void>((resolve) =>
            void ask(() => {
              socket.destroy();
              askForAll(story);
              resolve();
            })
          );
          await pass();
        });
      }

      test(
        'the end of the peer’s side comes when what the data before it has asked for has come',
        async (story, socket, peer) => {
          socket.on('data', () => {
            story.tell('socket', 'data');
            askForAll(story);
          });
          socket.on('end', () => story.tell('socket', 'end'));
          peer.end('x');
          await once(socket, 'end');
          await pass();
        },
      );

      test('what a listener throws is uncaught before the next is told of anything', async (story, socket, peer) => {
        const uncaught = (error: Error): void => story.tell('socket', error.message);
        process.prependOnceListener('uncaughtException', uncaught);
        const others = process.listeners('uncaughtException').filter((listener) => listener !== uncaught);
        for (const other of others) process.off('uncaughtException', other);
        await new Promise<void>((resolve) => {
          socket.once('data', () => {
            setImmediate(() => story.tell('socket', 'immediate'));
            resolve();
            throw new Error('thrown');
          });
          peer.write('x');
        });
        await pass();
        process.off('uncaughtException', uncaught);
        for (const other of others) process.on('uncaughtException', other);
      });
    });
  }
}

describe('two sockets that are destroyed together', () => {
  sideBySide('are closed in the order in which libuv closes them', async (net, story, name) => {
    const server = net.createServer().listen(`\0${name}`);
    await once(server, 'listening');
    const pairs: [Socket, Socket][] = [];
    for (let i = 0; i < 3; i++) {
      const client = net.connect(`\0${name}`);
      const accepted = await connection(server);
      accepted.on('data', () => {});
      client.write('x');
      await once(accepted, 'data');
      pairs.push([accepted, client.on('error', () => {})]);
    }
    for (const [i, [socket]] of pairs.entries()) socket.on('close', () => story.tell('order', `close ${i}`));
    const over = Promise.all([server, ...pairs.flat()].map((one) => once(one, 'close')));
    for (const [socket] of pairs) socket.destroy();
    for (const [, client] of pairs) client.destroy();
    server.close();
    await over;
  });
});
