// Connections that are closed in every way, many at a time: how each ended for its peer, and with how many bytes.
import { once } from 'node:events';
import type * as node from 'node:net';
import { Temporary } from '../../kernel/temporary.ts';
import { RawListener, RawPeer } from './raw-peer.ts';

type Net = typeof node;
export type Place = 'TCP' | 'unix';
export type Side = 'server' | 'client';

interface Pair {
  readonly socket: node.Socket;
  readonly peer: RawPeer;
}

const KIBI = 1024;
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

function closeOf(socket: node.Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}

/** A unix socket cannot, and says so. */
function reset(socket: node.Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    socket.destroy();
  }
}

function writeMany(socket: node.Socket, count: number, bytes: number): void {
  for (let i = 0; i < count; i++) socket.write(Buffer.alloc(bytes));
}

/** How a connection comes to its end. All sockets allow half-open connections. */
const WAYS: Record<string, (pair: Pair) => void | Promise<void>> = {
  end: ({ socket }) => void socket.resume().end('bye'),
  'end of nothing': ({ socket }) => void socket.resume().end(),
  destroy: ({ socket }) => void socket.destroy(),
  'destroy, read from': async ({ socket }) => {
    socket.resume();
    await turns(2);
    socket.destroy();
  },
  resetAndDestroy: ({ socket }) => reset(socket),
  'resetAndDestroy, read from': async ({ socket }) => {
    socket.resume();
    await turns(2);
    reset(socket);
  },
  'end, destroy': ({ socket }) => void socket.end('bye').destroy(),
  'end, destroy in an immediate': ({ socket }) => {
    socket.end('bye');
    setImmediate(() => socket.destroy());
  },
  destroySoon: ({ socket }) => socket.destroySoon(),
  'write, destroySoon': ({ socket }) => {
    socket.write('bye');
    socket.destroySoon();
  },
  'write, destroy': ({ socket }) => {
    socket.write('bye');
    socket.destroy();
  },
  'write, resetAndDestroy': ({ socket }) => {
    socket.write('bye');
    reset(socket);
  },
  'write 10 of 1 KiB, destroy': ({ socket }) => {
    writeMany(socket, 10, KIBI);
    socket.destroy();
  },
  'write 100 of 1 KiB, destroy': ({ socket }) => {
    writeMany(socket, 100, KIBI);
    socket.destroy();
  },
  'write 3 of 64 KiB, destroy': ({ socket }) => {
    writeMany(socket, 3, 64 * KIBI);
    socket.destroy();
  },
  'write 1 KiB with data unread, destroy': ({ socket, peer }) => {
    socket.pause();
    peer.send('unread');
    socket.write(Buffer.alloc(KIBI));
    socket.destroy();
  },
  'data unread, paused, destroy': async ({ socket, peer }) => {
    socket.pause();
    peer.send('unread');
    await turns(3);
    socket.destroy();
  },
  'data unread, paused, end, destroy': async ({ socket, peer }) => {
    socket.pause();
    peer.send('unread');
    await turns(3);
    socket.end('bye');
    await turns(2);
    socket.destroy();
  },
  'data unread, just come, destroy': async ({ socket, peer }) => {
    socket.resume();
    await turns(3);
    peer.send('unread');
    socket.destroy();
  },
  'data unread, just come, resetAndDestroy': async ({ socket, peer }) => {
    socket.resume();
    await turns(3);
    peer.send('unread');
    reset(socket);
  },
  'data read, destroy in its event': async ({ socket, peer }) => {
    peer.send('read');
    await once(socket, 'data');
    socket.destroy();
  },
  'data read and more behind, destroy': async ({ socket, peer }) => {
    socket.once('data', () => {
      peer.send('more');
      socket.destroy();
    });
    peer.send('read');
    await closeOf(socket);
  },
  'data in flight, destroy': async ({ socket, peer }) => {
    socket.once('data', () => {
      peer.send('more');
      peer.send('and more');
      socket.end('answer').destroy();
    });
    peer.send('question');
    await closeOf(socket);
  },
  'data that comes late, destroy': async ({ socket, peer }) => {
    socket.resume();
    await turns(3);
    socket.destroy();
    peer.send('late');
  },
  'echo, end of the peer': async ({ socket, peer }) => {
    socket.pipe(socket);
    peer.send('echo');
    await turns(2);
    peer.end();
    await closeOf(socket);
  },
  'end of the peer, half-open: an answer, end': async ({ socket, peer }) => {
    socket.resume();
    peer.end();
    await once(socket, 'end');
    await turns(2);
    socket.write('answer');
    await turns(2);
    socket.end('bye');
  },
  'end of the peer, half-open: destroy': async ({ socket, peer }) => {
    socket.resume();
    peer.end();
    await once(socket, 'end');
    socket.destroy();
  },
  'end of the peer behind data unread, destroy': async ({ socket, peer }) => {
    socket.pause();
    peer.send('unread');
    peer.end();
    await turns(3);
    socket.destroy();
  },
  'end of the peer behind data, destroy at the data': async ({ socket, peer }) => {
    socket.once('data', () => socket.destroy());
    peer.send('data');
    peer.end();
    await closeOf(socket);
  },
  'end of the peer behind data, destroy at the end': async ({ socket, peer }) => {
    socket.resume().once('end', () => socket.destroy());
    peer.send('data');
    peer.end();
    await closeOf(socket);
  },
  'end of the peer, not seen yet: destroy': async ({ socket, peer }) => {
    socket.resume();
    await turns(3);
    peer.end();
    socket.destroy();
  },
  'end, and then that of the peer': async ({ socket, peer }) => {
    socket.resume().end('bye');
    await once(socket, 'finish');
    await turns(2);
    peer.end();
    await closeOf(socket);
  },
};

/** Ends of the peer's doing: what the socket is told. */
const BROKEN: Record<string, (pair: Pair) => void | Promise<void>> = {
  'reset by the peer': async ({ socket, peer }) => {
    socket.resume();
    peer.reset();
    await turns(10);
    socket.destroy();
  },
  'reset by the peer, in use': async ({ socket, peer }) => {
    socket.resume();
    await turns(3);
    peer.reset();
    // Of a unix socket it is the end.
    await turns(10);
    socket.destroy();
  },
  'reset by the peer behind data': async ({ socket, peer }) => {
    socket.resume();
    await turns(3);
    peer.send('data');
    peer.reset();
    // Before version 24 this is the end of its side.
    await turns(10);
    socket.destroy();
  },
  'closed by the peer with data unread': async ({ socket, peer }) => {
    socket.resume();
    await turns(2);
    socket.write('unread');
    await turns(2);
    peer.close();
  },
};

async function accepted(server: node.Server, peers: number, connect: () => RawPeer): Promise<Pair[]> {
  const sockets: node.Socket[] = [];
  const pairs: Pair[] = [];
  server.on('connection', (socket) => sockets.push(socket));
  for (let i = 0; i < peers; i++) {
    const peer = connect();
    while (sockets.length === 0) await turn();
    pairs.push({ socket: sockets.shift()!, peer });
  }
  server.removeAllListeners('connection');
  return pairs;
}

/** As many pairs. */
async function pairsOf(net: Net, side: Side, place: Place, path: string, count: number): Promise<Pair[]> {
  if (side === 'server') {
    const server = net.createServer({ allowHalfOpen: true });
    server.listen(place === 'unix' ? { path } : { port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const address = server.address() as node.AddressInfo;
    const target = place === 'unix' ? { path } : { address: '127.0.0.1', port: address.port };
    const pairs = await accepted(server, count, () => RawPeer.connect(target));
    server.close();
    return pairs;
  }
  using listener = new RawListener(place === 'unix' ? { path } : { address: '127.0.0.1', port: 0 });
  const target = place === 'unix' ? { path } : { port: listener.port, host: '127.0.0.1' };
  const pairs: Pair[] = [];
  for (let i = 0; i < count; i++) {
    const socket = net.connect({ ...target, allowHalfOpen: true });
    await once(socket, 'connect');
    pairs.push({ socket, peer: listener.accept() });
  }
  return pairs;
}

async function closedBy(way: string, { socket, peer }: Pair): Promise<string> {
  const told: string[] = [];
  socket.on('error', ({ code, syscall }: NodeJS.ErrnoException) => told.push(`${code} ${syscall}`));
  const closed = closeOf(socket);
  const broken = BROKEN[way];
  await (broken ?? WAYS[way])({ socket, peer });
  // A peer that has broken off looks no more.
  const end = broken === undefined ? await peer.drainToEnd() : 'broken';
  peer.close();
  await closed;
  return `${end}, ${peer.bytes} bytes${told.length > 0 ? `, told ${told.join(', ')}` : ''}`;
}

/**
 * Ways that differ over unix sockets. The kernel resets such a socket only if bytes are left in its own queue, and puts
 * none back that a receive has taken; and small writes that go out as one take less of its room than each by itself:
 * more of them arrive.
 */
const OTHER_FOR_UNIX = new Set([
  'write 100 of 1 KiB, destroy',
  'write 1 KiB with data unread, destroy',
  'data unread, just come, destroy',
  'data unread, just come, resetAndDestroy',
  'data read and more behind, destroy',
  'data in flight, destroy',
]);

/** How `rounds` connections of each way ended: how often each outcome came. */
export async function closings(
  net: Net,
  side: Side,
  place: Place,
  rounds: number,
): Promise<Record<string, Record<string, number>>> {
  const ways = [...Object.keys(WAYS), ...Object.keys(BROKEN)].filter((way) =>
    place === 'TCP' || !OTHER_FOR_UNIX.has(way)
  );
  const counts: Record<string, Record<string, number>> = Object.fromEntries(ways.map((way) => [way, {}]));
  for (let round = 0; round < rounds; round++) {
    using folder = new Temporary();
    const pairs = await pairsOf(net, side, place, `${folder.path}/socket`, ways.length);
    const outcomes = await Promise.all(ways.map((way, i) => closedBy(way, pairs[i])));
    for (const [i, outcome] of outcomes.entries()) counts[ways[i]][outcome] = (counts[ways[i]][outcome] ?? 0) + 1;
  }
  return counts;
}

/** Connections of a round. */
export const CLOSINGS_A_ROUND = Object.keys(WAYS).length + Object.keys(BROKEN).length;
