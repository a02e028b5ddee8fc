// A peer that resets, or is gone, in the tick in which something is written: which error is told, and by what, beside
// node:net.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as node from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import ours from '../../../src/net/index.ts';
import { Temporary } from '../../kernel/temporary.ts';
import { going, ways } from '../from-the-first-byte.ts';
import { RawPeer } from './raw-peer.ts';
import { connection, told, type Net, type Scenario, type Story } from './side-by-side.ts';

const KINDS = ['TCP', 'unix'] as const;

interface Pair extends AsyncDisposable {
  readonly socket: Socket;
  readonly peer: RawPeer;
}

async function pairOf(net: Net, kind: (typeof KINDS)[number]): Promise<Pair> {
  const server = net.createServer({ allowHalfOpen: true, highWaterMark: 1 });
  const folder = new Temporary();
  const path = join(folder.path, 'socket');
  if (kind === 'unix') server.listen(path);
  else server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = connection(server);
  const peer = RawPeer.connect(
    kind === 'unix' ? { path } : { address: '127.0.0.1', port: (server.address() as AddressInfo).port },
  );
  const socket = await accepted;
  const over = Promise.all(
    [socket, server].map((one) => new Promise<void>((resolve) => one.once('close', () => resolve()))),
  );
  return {
    socket,
    peer,
    async [Symbol.asyncDispose]() {
      server.close();
      await over;
      peer.close();
      folder[Symbol.dispose]();
    },
  };
}

/** Have a connection at work: some messages in both directions. */
async function warmUp({ socket, peer }: Pair): Promise<void> {
  for (let i = 0; i < 3; i++) {
    peer.send('x');
    await once(socket, 'data');
    await new Promise<void>((resolve) => void socket.write('y', () => resolve()));
    await new Promise(setImmediate);
  }
}

function watch(story: Story, socket: Socket): void {
  for (const event of ['end', 'error', 'close']) {
    socket.on(event, (...args: unknown[]) => story.tell('socket', event, ...args));
  }
}

type Deed = (peer: RawPeer) => void;

const DEEDS: Record<string, Deed> = {
  'reset': (peer) => peer.reset(),
  'closed with data unread': (peer) => peer.close(),
  'closed with nothing unread': (peer) => (peer.drain(), peer.close()),
};

/** Writes of one tick, in bytes, or the end with so many; the peer is gone before the one at each place. */
type Step = { readonly write: number } | { readonly end: number };
const STEPS: readonly (readonly Step[])[] = [
  [{ write: 1 }],
  [{ write: 10 }, { write: 10 }, { write: 10 }],
  [{ write: 100_000 }],
  [{ write: 10 }, { write: 100_000 }],
  [{ end: 1 }],
  [{ end: 0 }],
  [{ write: 10 }, { end: 10 }],
];

function take(story: Story, socket: Socket, step: Step): void {
  if ('end' in step) {
    socket.end(Buffer.alloc(step.end), (error?: Error) => story.tell('writes', 'end', error));
    return;
  }
  const goesOn = socket.write(Buffer.alloc(step.write), (error) => story.tell('writes', step.write, error));
  story.tell('writes', step.write, goesOn, socket.writableLength);
}

interface Case {
  readonly kind: (typeof KINDS)[number];
  readonly deed: Deed;
  readonly steps: readonly Step[];
  readonly reads: boolean;
}

/** The story of it, when the peer is gone before the step at `place`. */
function scenarioOf({ kind, deed, steps, reads }: Case, place: number): Scenario {
  return async (net, story) => {
    await using pair = await pairOf(net, kind);
    const { socket, peer } = pair;
    watch(story, socket);
    socket.on('data', () => {});
    await warmUp(pair);
    if (!reads) {
      socket.pause();
      // What comes fills the socket: it asks for no more.
      peer.send('z');
      while (socket.readableLength === 0) await new Promise(setImmediate);
    }
    steps.forEach((step, i) => {
      if (i === place) deed(peer);
      take(story, socket, step);
    });
    if (place === steps.length) deed(peer);
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
    socket.resume();
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
    story.tell('socket', socket.destroyed);
    socket.destroy();
  };
}

// What is small is sent at the end of the tick, and counts as sent: whoever reads learns of a peer that is gone behind
// it, or before, as with node:net when that is a moment later, or earlier. Whoever does not read is told in the call.
for (const kind of KINDS) {
  describe(`${kind}: a peer that is gone in the tick of a write`, { timeout: 60_000 }, () => {
    for (const [how, deed] of Object.entries(DEEDS)) {
      for (const steps of STEPS) {
        for (const reads of [true, false]) {
          const what = steps.map((step) => Object.entries(step).join().replace(',', ' ')).join(', ');
          it(`given ${what} to one that is ${how}, of a socket that ${reads ? 'reads' : 'is paused'}, tells what node:net does`, async () => {
            const stories: Record<string, string[]>[] = [];
            const places = [...steps.keys(), steps.length];
            for (const place of places) {
              stories.push(await told(node, scenarioOf({ kind, deed, steps, reads }, place)));
            }
            for (const place of places) {
              for (const way of ways) {
                const story = await going(way, () => told(ours, scenarioOf({ kind, deed, steps, reads }, place)));
                const isAsOften = reads && stories.some((one) => isDeepStrictEqual(one, story));
                if (!isAsOften) assert.deepEqual(story, stories[place], `${way}, at ${place}`);
              }
            }
          });
        }
      }
    }
  });
}
