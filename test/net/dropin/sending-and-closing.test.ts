// slow: many megabytes for each way to send and to close
// How sockets send and close, beside node:net: what the peer gets and when, seen by system calls; and what the program
// is told.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import * as node from 'node:net';
import { describe, it } from 'node:test';
import { going, ways } from '../from-the-first-byte.ts';
import ours from '../../../src/net/index.ts';
import { Temporary } from '../../kernel/temporary.ts';
import { RawListener, RawPeer } from './raw-peer.ts';

const KIBI = 1024;
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await turn();
};

/** What a descriptor stands for, if it is open still. */
function linkOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

type Net = typeof node;
type Side = 'server' | 'client';
type Place = 'TCP' | 'unix';

/** What happens, line by line. */
type Tell = (...what: unknown[]) => void;
interface Pair {
  readonly socket: node.Socket;
  readonly peer: RawPeer;
  /** When it has told so, and whether it broke or not. */
  readonly closed: Promise<void>;
}
type Scenario = (pair: Pair, tell: Tell) => void | Promise<void>;

/** A socket that was accepted, or has connected, and the other end of it. */
async function connected(net: Net, side: Side, place: Place, path: string): Promise<Omit<Pair, 'closed'>> {
  if (side === 'server') {
    const server = net.createServer({ allowHalfOpen: false });
    server.listen(place === 'unix' ? { path } : { port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const address = server.address() as node.AddressInfo;
    const peer = RawPeer.connect(place === 'unix' ? { path } : { address: '127.0.0.1', port: address.port });
    const [socket] = (await once(server, 'connection')) as [node.Socket];
    server.close();
    return { socket, peer };
  }
  using listener = new RawListener(place === 'unix' ? { path } : { address: '127.0.0.1', port: 0 });
  const socket = net.connect(place === 'unix' ? { path } : { port: listener.port, host: '127.0.0.1' });
  await once(socket, 'connect');
  return { socket, peer: listener.accept() };
}

async function run(net: Net, side: Side, place: Place, scenario: Scenario): Promise<string[]> {
  using folder = new Temporary();
  const { socket, peer } = await connected(net, side, place, `${folder.path}/socket`);
  const lines: string[] = [];
  const tell: Tell = (...what) => {
    const words = what.map((one) => {
      if (!(one instanceof Error)) return String(one);
      const { code, syscall, message } = one as NodeJS.ErrnoException;
      return `${code} ${syscall} (${message})`;
    });
    lines.push(words.join(' '));
  };
  const closed = new Promise<void>((resolve) => void socket.once('close', () => resolve()));
  for (const event of ['end', 'finish', 'drain', 'error', 'close']) socket.on(event, (...args) => tell(event, ...args));
  try {
    await scenario({ socket, peer, closed }, tell);
  } finally {
    socket.destroy();
    peer.close();
    await closed;
    await turn();
  }
  return lines;
}

/** The same on both ends and over both kinds of sockets. */
function sameAsNode(title: string, scenario: Scenario, places: readonly Place[] = ['TCP', 'unix']): void {
  for (const place of places) {
    for (const side of ['server', 'client'] as const) {
      it(`${title}: ${side}, ${place}`, { timeout: 20_000 }, async () => {
        const expected = await run(node, side, place, scenario);
        assert.ok(expected.length > 0);
        for (const way of ways) {
          assert.deepEqual(await going(way, () => run(ours as Net, side, place, scenario)), expected, way);
        }
      });
    }
  }
}

describe('write', () => {
  for (const kibi of [1, 16, 32, 64, 128]) {
    sameAsNode(
      `pieces of ${kibi} KiB that the kernel has room for are written when it returns`,
      async ({ socket, peer }, tell) => {
        const order: string[] = [];
        // A unix socket has room for 200 KiB.
        const count = Math.min(8, Math.floor(190 / kibi));
        for (let i = 0; i < count; i++) {
          const returned = socket.write(Buffer.alloc(kibi * KIBI, i), () => order.push(`callback ${i}`));
          tell(returned, socket.writableLength, socket.bytesWritten, socket.writableNeedDrain);
        }
        process.nextTick(() => order.push('tick'));
        void Promise.resolve().then(() => order.push('microtask'));
        setImmediate(() => order.push('immediate'));
        await turns(2);
        tell(order);
        peer.drain();
        tell(peer.bytes);
      },
    );
  }

  sameAsNode(
    'given corked writes, they go out together, and are written when uncork returns',
    async ({ socket, peer }, tell) => {
      for (const large of [100, 20 * KIBI, 100 * KIBI]) {
        socket.cork();
        socket.write('head');
        socket.write(Buffer.alloc(large), () => tell('called back'));
        socket.write('tail');
        socket.uncork();
        tell(socket.writableLength, socket.bytesWritten);
        await turn();
        peer.drain();
        tell(peer.bytes);
      }
    },
  );

  sameAsNode(
    'given corked writes with an empty one at the end, the peer has them when uncork returns',
    ({ socket, peer }, tell) => {
      for (const [last, encoding] of [['', 'utf8'], ['zz', 'hex'], [Buffer.alloc(0), undefined]] as const) {
        socket.cork();
        socket.write('head');
        socket.write(Buffer.alloc(100 * KIBI));
        if (typeof last === 'string') socket.write(last, encoding);
        else socket.write(last);
        socket.uncork();
        peer.drain();
        tell(peer.bytes);
      }
    },
  );

  sameAsNode('callbacks come in the order of the writes', async ({ socket, peer }, tell) => {
    for (const [index, bytes] of [1, 30_000, 1, 300_000, 5, 10_000_000, 1].entries()) {
      socket.write(Buffer.alloc(bytes), (error) => tell('callback', index, error));
    }
    await Promise.all([peer.drainToEnd(), once(socket, 'drain')]);
    await turn();
    tell(peer.bytes > 10_300_000);
  });

  sameAsNode(
    'given more than the kernel has room for, the rest waits, with one drain',
    async ({ socket, peer }, tell) => {
      let isFull = false;
      for (let i = 0; i < 400 && !isFull; i++) isFull = !socket.write(Buffer.alloc(64 * KIBI));
      const written = socket.bytesWritten;
      tell(isFull, socket.writableLength > 0, socket.writableLength <= 64 * KIBI);
      let before = -1;
      while (socket.writableLength > 0 && peer.bytes !== before) {
        before = peer.bytes;
        peer.drain();
        await turns(10);
      }
      tell(socket.writableLength);
      peer.drain();
      tell(peer.bytes === written);
    },
  );

  sameAsNode('given no room in the kernel, a small piece waits, too', async ({ socket, peer }, tell) => {
    for (let i = 0; i < 10_000 && socket.write(Buffer.alloc(1000)); i++);
    tell(socket.writableLength > 0, socket.write('x'), socket.writableNeedDrain);
    const written = socket.bytesWritten;
    await Promise.all([peer.drainToEnd(), once(socket, 'drain')]);
    await turns(2);
    peer.drain();
    tell(peer.bytes === written, socket.writableLength);
  });
});

describe('write and then the end', () => {
  const amounts = {
    '1 KiB': [1, 1],
    '50 of 1 KiB': [50, 1],
    '100 of 1 KiB': [100, 1],
    '3 of 64 KiB': [3, 64],
    '32 of 64 KiB': [32, 64],
  } as const;
  for (const [amount, [count, kibi]] of Object.entries(amounts)) {
    for (const how of ['destroy', 'end, destroy', 'resetAndDestroy', 'destroySoon', 'end'] as const) {
      // Beyond the peer's window a reset takes along what the kernel has not sent: other pieces are other packets.
      if (how === 'resetAndDestroy' && kibi === 1 && count > 1) continue;
      sameAsNode(`${amount}, ${how}: the same arrives`, async ({ socket, peer, closed }, tell) => {
        let called = 0;
        let failed = 0;
        for (let i = 0; i < count; i++) {
          socket.write(Buffer.alloc(kibi * KIBI), (error) => void (error ? failed++ : called++));
        }
        if (how.startsWith('end')) socket.end();
        if (how.endsWith('estroy')) socket[how === 'end, destroy' ? 'destroy' : how as 'destroy']();
        if (how === 'destroySoon') socket.destroySoon();
        const end = await peer.drainToEnd();
        if (how === 'end') {
          await turns(2);
          peer.close();
        }
        await closed;
        tell(peer.bytes, end, called, failed);
        // A unix socket has room for less, and for fewer small pieces with Node.
      }, how === 'resetAndDestroy' || count * kibi >= 100 ? ['TCP'] : ['TCP', 'unix']);
    }
  }

  sameAsNode('given a message and a reset, the message has arrived when the call returns', ({ socket, peer }, tell) => {
    socket.write('hello', () => tell('called back'));
    socket.resetAndDestroy();
    tell(peer.drain(), peer.bytes);
  }, ['TCP']);

  sameAsNode('given a message and its end, finish comes before immediates', async ({ socket }, tell) => {
    await turn();
    socket.end('abc', () => tell('end called back'));
    process.nextTick(() => tell('tick'));
    setImmediate(() => tell('immediate'));
    await turns(2);
  });

  sameAsNode(
    'given an end behind 5 ms of work in its turn, finish comes before immediates',
    async ({ socket }, tell) => {
      await turn();
      await new Promise((resolve) => void socket.write('hello', resolve));
      setImmediate(() => tell('immediate'));
      for (const start = performance.now(); performance.now() - start < 5;);
      socket.end('abc', () => tell('end called back'));
      await turns(2);
    },
  );

  sameAsNode('given an end without data, finish comes before immediates', async ({ socket, peer }, tell) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    socket.end(() => tell('end called back'));
    process.nextTick(() => tell('tick'));
    void Promise.resolve().then(() => tell('microtask'));
    setImmediate(() => tell('immediate'));
    await turns(2);
    tell(peer.look());
  });
});

describe('destroy', () => {
  for (const isLate of [false, true]) {
    const title = isLate
      ? 'given pieces that came apart, and one behind the first that was read, the peer gets a reset'
      : 'given pieces that came apart before the first was read, the peer sees the end, and no reset';
    sameAsNode(title, async ({ socket, peer, closed }, tell) => {
      socket.once('data', () => {
        if (isLate) peer.send('four');
        socket.destroy();
      });
      await turns(3);
      // A ring is told of each of them by itself; libuv reads them at once.
      for (const piece of ['one', 'two', 'three']) peer.send(piece);
      await closed;
      tell(await peer.drainToEnd());
    }, isLate ? ['TCP'] : ['TCP', 'unix']);
  }

  for (const how of ['destroy', 'resetAndDestroy'] as const) {
    sameAsNode(`${how}: the peer is told when the call returns`, async ({ socket, peer }, tell) => {
      await turn();
      socket.resume();
      await turn();
      socket[how]();
      tell(peer.look());
    }, how === 'destroy' ? ['TCP', 'unix'] : ['TCP']);

    sameAsNode(`${how} within a tick that answers: the peer is told then`, async ({ socket, peer, closed }, tell) => {
      socket.on('data', () => {
        socket.write('answer');
        socket[how]();
        tell(peer.drain(), peer.bytes);
      });
      peer.send('question');
      await closed;
    }, how === 'destroy' ? ['TCP', 'unix'] : ['TCP']);
  }

  sameAsNode(
    'given data that comes after an end, the peer gets an end and no reset',
    async ({ socket, peer }, tell) => {
      socket.resume();
      await turns(3);
      socket.destroy();
      tell(peer.look());
      tell(peer.send('late'));
      tell(peer.look());
      await turns(3);
      tell(peer.look());
    },
  );

  sameAsNode(
    'given a paused socket with data that was not read, the peer gets what node:net sends it',
    async ({ socket, peer }, tell) => {
      socket.pause();
      await turns(3);
      peer.send('unread');
      await turns(5);
      socket.destroy();
      tell(peer.look());
    },
    ['TCP'],
  );

  sameAsNode(
    'given data of the same turn that was not read, the peer gets what node:net sends it',
    async ({ socket, peer }, tell) => {
      socket.on('data', () => tell('data'));
      await turns(3);
      peer.send('unread');
      socket.destroy();
      tell(peer.look());
    },
    ['TCP'],
  );

  sameAsNode(
    'given data that was all read, the peer gets what node:net sends it',
    async ({ socket, peer, closed }, tell) => {
      socket.once('data', (data: Buffer) => {
        tell('data', data.length);
        socket.destroy();
        tell(peer.look());
      });
      peer.send('read');
      await closed;
    },
  );

  sameAsNode(
    'given data that was read and more behind it, the peer gets what node:net sends it',
    async ({ socket, peer, closed }, tell) => {
      socket.once('data', () => {
        peer.send('more');
        socket.destroy();
        tell(peer.look());
      });
      peer.send('read');
      await closed;
    },
    ['TCP'],
  );

  sameAsNode(
    'given much that waits to be sent, the callbacks come in the order of node:net’s',
    async ({ socket, peer, closed }, tell) => {
      for (let i = 0; i < 3; i++) socket.write(Buffer.alloc(20_000_000), (error) => tell('callback', i, error));
      await turns(3);
      socket.destroy();
      tell('destroyed', socket.writableLength > 0);
      setImmediate(() => tell('immediate'));
      await closed;
      tell(await peer.drainToEnd());
    },
  );
});

describe('one connection serves another', () => {
  // What is small is with the kernel, and its completion is behind the data that asks for more: it has not been told
  // yet.
  for (const [what, bytes] of [['small', 100], ['large', 64 * KIBI]] as const) {
    for (const how of ['nothing', 'destroy', 'resetAndDestroy'] as const) {
      it(`something ${what} behind something small in the same turn, then ${how}: all of it arrives, as with node:net`, async () => {
        const outcomes: unknown[] = [];
        for (const net of [node, ours as Net]) {
          const asking = await connected(net, 'server', 'TCP', '');
          const answering = await connected(net, 'client', 'TCP', '');
          asking.socket.resume();
          await turns(3);
          const told = new Promise<unknown[]>((resolve) => {
            asking.socket.once('data', () => {
              const returned = answering.socket.write(Buffer.alloc(bytes));
              const { writableLength } = answering.socket;
              if (how !== 'nothing') answering.socket[how]();
              resolve([returned, writableLength]);
            });
          });
          asking.peer.send('go');
          answering.socket.write('small');
          outcomes.push(await told);
          await turns(2);
          outcomes.push([answering.peer.drain(), answering.peer.bytes]);
          for (const { socket, peer } of [asking, answering]) {
            socket.destroy();
            peer.close();
          }
        }
        assert.deepEqual(outcomes.slice(2), outcomes.slice(0, 2));
        assert.deepEqual(outcomes[2], [true, 0]);
      });
    }
  }
});

describe('two connections', () => {
  for (const place of ['TCP', 'unix'] as const) {
    it(`${place}: the end of one comes before what another has sent after it, as with node:net`, async () => {
      const outcomes: string[][] = [];
      for (const net of [node, ours as Net]) {
        using folder = new Temporary();
        const [first, second] = await Promise.all(
          [0, 1].map((i) => connected(net, 'server', place, `${folder.path}/socket${i}`)),
        );
        const told: string[] = [];
        const over = new Promise((resolve) => second.socket.on('data', () => resolve(told.push('data'))));
        first.socket.on('end', () => told.push('end')).resume();
        await turns(3);
        first.peer.end();
        second.peer.send('x');
        await over;
        await turns(3);
        outcomes.push(told);
        for (const { socket, peer } of [first, second]) {
          socket.destroy();
          peer.close();
        }
      }
      assert.deepEqual(outcomes, [['end', 'data'], ['end', 'data']]);
    });
  }
});

describe('a peer that breaks off', () => {
  for (const bytes of [10, 20_000, 100_000]) {
    sameAsNode(`before ${bytes} bytes are written to it`, async ({ socket, peer, closed }, tell) => {
      peer.reset();
      socket.write(Buffer.alloc(bytes), (error) => tell('callback', error));
      await closed;
    }, bytes === 10 ? [] : ['TCP', 'unix']);
  }

  sameAsNode(
    'given a write that waits, and a peer that has not read, tells what node:net tells',
    async ({ socket, peer, closed }, tell) => {
      socket.resume();
      for (let isFull = false; !isFull;) {
        isFull = !socket.write(Buffer.alloc(64 * KIBI), (error) => error && tell('callback', error));
      }
      await turns(3);
      peer.reset();
      await closed;
    },
  );

  sameAsNode(
    'given a write that waits, and nobody who reads, tells what node:net tells',
    async ({ socket, peer, closed }, tell) => {
      socket.pause();
      for (let isFull = false; !isFull;) {
        isFull = !socket.write(Buffer.alloc(64 * KIBI), (error) => error && tell('callback', error));
      }
      await turns(3);
      peer.reset();
      await closed;
    },
  );
});

describe('a socket that is reset in the tick in which it is ended', () => {
  // As libuv it refuses that, and Node lets go of the handle all the same: nobody is left to close it.
  for (const how of ['closes', 'resets'] as const) {
    for (const side of ['server', 'client'] as const) {
      it(`is told that it cannot be, and closed when the peer ${how} it: ${side}`, { timeout: 20_000 }, async () => {
        await going('from the first byte on the ring', async () => {
          const { socket, peer } = await connected(ours, side, 'TCP', '');
          const errors: unknown[] = [];
          socket.on('error', ({ code }: NodeJS.ErrnoException) => errors.push(code));
          const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
          const link = readlinkSync(`/proc/self/fd/${fd}`);
          const isOpen = (): boolean => readdirSync('/proc/self/fd').some((name) => linkOf(name) === link);
          socket.resume();
          await turns(3);
          socket.end().resetAndDestroy();
          await turns(3);
          assert.deepEqual(errors, ['EINVAL']);
          assert.ok(isOpen());
          assert.equal(await peer.drainToEnd(), 'end');
          if (how === 'closes') peer.close();
          else peer.reset();
          while (isOpen()) await turn();
        });
      });
    }
  }
});
