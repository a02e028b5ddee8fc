// What can come between while a connection changes from the ring to Node: between the call that cancels its receive and
// the handle that goes on with its socket, and until all that the ring had taken is told. Nothing is lost or doubled, no
// descriptor is left, and whoever ends it then ends it as with node:net.
import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { once } from 'node:events';
import { fstatSync, readdirSync } from 'node:fs';
import * as node from 'node:net';
import { addAbortSignal } from 'node:stream';
import { afterEach, describe, it } from 'node:test';
import { ECANCELED, ENOENT } from '../../../src/abi/errno.ts';
import { IORING_CQE_F_BUFFER, IORING_CQE_F_MORE } from '../../../src/abi/flags.ts';
import { wayOf } from '../../../src/net/dropin/changing-ways.ts';
import type { SocketConnection } from '../../../src/net/dropin/socket-connection.ts';
import { connectionUnder } from '../../../src/net/dropin/socket-state.ts';
import { worth } from '../../../src/net/dropin/worth.ts';
import { koffiNative } from '../../../src/native/koffi.ts';
import { defaultReactor } from '../../../src/reactor/default-reactor.ts';
import type { Engine } from '../../../src/reactor/engine.ts';
import { CANCEL, partOf } from '../../../src/reactor/engine/slots.ts';
import { coreOf } from '../../../src/ring/ring-core.ts';
import { Temporary } from '../../kernel/temporary.ts';
import {
  atNode,
  connected,
  currentEngine,
  exchangeUntil,
  fillCompletions,
  fillEntries,
  KINDS,
  MOMENTS,
  NOBODYS,
  onRing,
  openOften,
  pays,
  takesNothing,
  turn,
  turns,
  whenCancelling,
  type Moment,
  type Pair,
} from './changing.ts';

const asItIs = { ...worth };
afterEach(() => void Object.assign(worth, asItIs));

const LIMIT = { timeout: 20_000 };

/** The connection under a socket. */
function connectionOf(socket: node.Socket): SocketConnection {
  return connectionUnder(socket)!;
}

interface Openable {
  open(fd: number): number;
}

/** Whatever a socket is told from now on. */
function textOf(socket: node.Socket): { text: string } {
  const told = { text: '' };
  socket.on('data', (data) => (told.text += String(data)));
  return told;
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; !holds(); i++) {
    if (i > 2000) throw new Error('it never came to that');
    await turn();
  }
}

const sockets = (): number => {
  let open = 0;
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (fstatSync(Number(fd)).isSocket()) open++;
    } catch {
      // It was the one of the folder.
    }
  }
  return open;
};

/** Node's handles on sockets. */
const handles = (): string[] => process.getActiveResourcesInfo().filter((name) => /TCP|Pipe/.test(name));

/** It works in both directions, on either way, and nothing was lost or doubled. */
async function works(pair: Pair, told: { text: string }, before: string): Promise<void> {
  await until(() => told.text === before);
  for (const way of ['ring', 'early', 'ring'] as const) {
    pays(way === 'ring');
    await exchangeUntil(pair, way);
    pair.peer.send('+');
    before += '+';
    await until(() => told.text.length >= before.length);
    assert.equal(told.text, before);
  }
}

function closeOf(socket: node.Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}

/** Both ends are closed, and of the sockets of this process there are as many as before. */
async function nothingIsLeft({ socket, peer }: Pair, before: number): Promise<void> {
  socket.on('error', () => {}).resume();
  peer.close();
  await closeOf(socket);
  await until(() => sockets() === before);
}

/**
 * Have the data in the ring's queue be told with the end of its receive, and no other end of that: the cancellation has
 * found nothing. False if there is none.
 */
function endWithData({ ring }: Engine): boolean {
  const { cq } = coreOf(ring);
  const { words } = cq;
  const waiting: number[] = [];
  for (let { head } = cq; head !== cq.end; head++) waiting.push(cq.first + ((head & cq.mask) << cq.shift));
  const data = waiting.find((at) => words[at + 2] === 4 && (words[at + 3] & IORING_CQE_F_BUFFER) !== 0);
  if (data === undefined) return false;
  const same = (at: number): boolean => words[at] === words[data] && words[at + 1] === words[data + 1];
  const end = waiting.find((at) => same(at) && words[at + 2] === -ECANCELED);
  const cancellation = waiting.find((at) => words[at + 1] === 0 && partOf(words[at]) === CANCEL);
  if (end === undefined || cancellation === undefined) return false;
  words[data + 3] &= ~IORING_CQE_F_MORE;
  words[cancellation + 2] = -ENOENT;
  // A completion of nobody's.
  words.set([0, NOBODYS / 2 ** 32, 0, 0], end);
  return true;
}

for (const kind of KINDS) {
  describe(`a connection over ${kind} that goes back to Node`, () => {
    for (const moment of MOMENTS) {
      it(`given data ${moment}, it is told once`, LIMIT, async () => {
        using folder = new Temporary();
        const before = sockets();
        const pair = await onRing(kind, folder);
        const told = textOf(pair.socket);
        await turns(3);
        let isReached = false;
        whenCancelling(currentEngine(), moment, () => {
          isReached = true;
          pair.peer.send('data');
        });
        pair.socket.write('x');
        await until(() => isReached);
        await works(pair, told, 'data');
        await nothingIsLeft(pair, before);
      });
    }

    it('given data with which the receive ends by itself in that call, it is told once', LIMIT, async () => {
      using folder = new Temporary();
      const before = sockets();
      const pair = await onRing(kind, folder);
      const told = textOf(pair.socket);
      await turns(3);
      const engine = currentEngine();
      let isReached = false;
      whenCancelling(engine, 'before it is asked for', () => {
        pair.peer.send('data');
        engine.ring.submitAndWait(0);
        const { submitAndWait } = engine.ring;
        engine.ring.submitAndWait = (...args) => {
          Reflect.deleteProperty(engine.ring, 'submitAndWait');
          const consumed = submitAndWait.apply(engine.ring, args);
          isReached = endWithData(engine);
          return consumed;
        };
      });
      pair.socket.write('x');
      await until(() => isReached);
      await works(pair, told, 'data');
      await nothingIsLeft(pair, before);
    });

    it(
      'given no room for the cancellation, it goes on, and what comes behind that call is told once',
      LIMIT,
      async () => {
        using folder = new Temporary();
        const before = sockets();
        const pair = await onRing(kind, folder);
        const told = textOf(pair.socket);
        await turns(3);
        const engine = currentEngine();
        // So it stays for that call, as if others had taken the room again.
        const { prepCancel } = engine.ring;
        engine.ring.prepCancel = () => false;
        whenCancelling(engine, 'before it is asked for', () => fillEntries(engine));
        let isReached = false;
        const { submitAndWait } = engine.ring;
        engine.ring.submitAndWait = (...args) => {
          const consumed = submitAndWait.apply(engine.ring, args);
          if (!isReached) {
            isReached = true;
            engine.ring.prepCancel = prepCancel;
            pair.peer.send('data');
          }
          return consumed;
        };
        pair.socket.write('x');
        await until(() => isReached);
        Reflect.deleteProperty(engine.ring, 'prepCancel');
        Reflect.deleteProperty(engine.ring, 'submitAndWait');
        await works(pair, told, 'data');
        await nothingIsLeft(pair, before);
      },
    );

    it('given a full submission queue, the receive has ended when the call returns all the same', LIMIT, async () => {
      using folder = new Temporary();
      const before = sockets();
      const pair = await onRing(kind, folder);
      const told = textOf(pair.socket);
      await turns(3);
      const engine = currentEngine();
      whenCancelling(engine, 'before it is asked for', () => fillEntries(engine));
      pair.socket.write('x');
      await until(() => wayOf(pair.socket) === 'early');
      pair.peer.send('data');
      await works(pair, told, 'data');
      await nothingIsLeft(pair, before);
    });

    it('given data for which the completion queue has no room, it is told once', LIMIT, async () => {
      using folder = new Temporary();
      const before = sockets();
      const pair = await onRing(kind, folder);
      const told = textOf(pair.socket);
      await turns(3);
      const engine = currentEngine();
      let overflows = false;
      whenCancelling(engine, 'before it is asked for', () => {
        fillCompletions(engine);
        pair.peer.send('data');
        engine.ring.submitAndWait(0);
        overflows = engine.ring.cqHasOverflow;
      });
      pair.socket.write('x');
      await until(() => overflows);
      await works(pair, told, 'data');
      await nothingIsLeft(pair, before);
    });

    it('given no descriptor when its receive waited in front of the ring, it receives on', LIMIT, async () => {
      using folder = new Temporary();
      const before = sockets();
      defaultReactor();
      const pair = await atNode(kind, folder);
      const told = textOf(pair.socket);
      await turns(3);
      const engine = currentEngine();
      const native = koffiNative();
      const { duplicate } = native;
      pair.socket.write('x');
      fillEntries(engine);
      await new Promise<void>((resolve) => process.nextTick(resolve));
      assert.equal(engine.queued, 1);
      const handlesBefore = handles();
      native.duplicate = () => -24;
      try {
        assert.equal(connectionOf(pair.socket).giveAway(true, () => {}), undefined);
      } finally {
        native.duplicate = duplicate;
      }
      // The one that was to have it is closed in the turn that follows.
      await turns(2);
      assert.deepEqual(handles(), handlesBefore);
      pair.peer.send('data');
      await works(pair, told, 'data');
      await nothingIsLeft(pair, before);
    });

    it('given a descriptor that libuv takes for another handle’s, it goes on, and changes later', LIMIT, async () => {
      using folder = new Temporary();
      const before = sockets();
      const pair = await onRing(kind, folder);
      const told = textOf(pair.socket);
      await turns(3);
      const other = await connected(kind, folder, {}, node);
      const { prototype } = (other.socket as unknown as { _handle: { constructor: { prototype: Openable } } })._handle
        .constructor;
      const { open } = prototype;
      let isReached = false;
      // EEXIST: somebody has closed the number under a handle that is being read from.
      prototype.open = () => {
        isReached = true;
        return -17;
      };
      try {
        pair.socket.write('x');
        await until(() => isReached);
        assert.equal(wayOf(pair.socket), 'ring');
      } finally {
        prototype.open = open;
      }
      pair.peer.send('data');
      await works(pair, told, 'data');
      other.socket.destroy();
      other.peer.close();
      await closeOf(other.socket);
      await nothingIsLeft(pair, before);
    });

    it(
      'given files that are opened all the while, each keeps its descriptor, and so does the connection',
      LIMIT,
      async () => {
        using folder = new Temporary();
        const before = sockets();
        const pair = await onRing(kind, folder);
        const told = textOf(pair.socket);
        await turns(3);
        using files = openOften();
        const native = koffiNative();
        const asBefore = { ...native };
        for (const name of ['enter', 'close', 'duplicate'] as const) {
          const call = asBefore[name] as (...args: unknown[]) => number;
          native[name] = (...args: unknown[]) => {
            files.once();
            const result = call(...args);
            files.once();
            return result;
          };
        }
        try {
          for (const way of ['early', 'ring', 'early'] as const) {
            pays(way === 'ring');
            await exchangeUntil(pair, way);
          }
        } finally {
          Object.assign(native, asBefore);
        }
        pair.peer.send('data');
        await works(pair, told, 'data');
        assert.ok(files.opened.length > 10);
        for (const fd of files.opened) assert.ok(fstatSync(fd).isCharacterDevice());
        await nothingIsLeft(pair, before);
      },
    );
  });
}

// ---------------------------------------------------------------- whoever ends it meanwhile

interface Ending extends Pair {
  readonly abort: AbortController;
}

/** Ends of a connection, and whether the program waits for its peer to end it as well. */
const ENDINGS: Record<string, (ending: Ending) => void> = {
  destroy: ({ socket }) => void socket.destroy(),
  'destroy with an error': ({ socket }) => void socket.destroy(new Error('mine')),
  resetAndDestroy({ socket }) {
    if (socket.remoteFamily !== undefined) socket.resetAndDestroy();
    else socket.destroy();
  },
  end: ({ socket }) => void socket.end('bye'),
  destroySoon: ({ socket }) => socket.destroySoon(),
  'write, destroy': ({ socket }) => {
    socket.write('bye');
    socket.destroy();
  },
  abort: ({ abort }) => abort.abort(),
};

/** How an ending came about: for the peer, and for the socket. */
interface Outcome {
  readonly end: string;
  readonly bytes: number;
  readonly events: string[];
}

async function outcomeOf(
  pair: Pair,
  begin: (end: (way: string) => void) => Promise<void>,
  way: string,
): Promise<Outcome> {
  const { socket, peer } = pair;
  const events: string[] = [];
  for (const name of ['end', 'finish', 'error', 'close']) {
    socket.on(name, (value?: unknown) => {
      if (value instanceof Error) events.push(`${name} ${(value as NodeJS.ErrnoException).code ?? value.message}`);
      else events.push(`${name}${typeof value === 'boolean' ? ` ${value}` : ''}`);
    });
  }
  const abort = new AbortController();
  addAbortSignal(abort.signal, socket);
  socket.resume();
  await turns(3);
  await begin(() => ENDINGS[way]({ socket, peer, abort }));
  const end = await peer.drainToEnd();
  peer.close();
  await until(() => events.some((event) => event.startsWith('close')));
  return { end, bytes: peer.bytes, events };
}

describe('a connection that is ended while it goes back to Node', () => {
  for (const kind of KINDS) {
    for (const way of Object.keys(ENDINGS)) {
      it(`${way}, over ${kind}: as with node:net, at whatever moment`, LIMIT, async () => {
        using folder = new Temporary();
        const before = sockets();
        const native = await connected(kind, folder, { allowHalfOpen: false }, node);
        const expected = await outcomeOf(
          native,
          async (end) => {
            native.socket.write('x');
            await new Promise<void>((resolve) => process.nextTick(resolve));
            end(way);
          },
          way,
        );
        for (const moment of [...MOMENTS, 'when the handle is made'] as const) {
          const pair = await onRing(kind, folder);
          const actual = await outcomeOf(pair, (end) => ended(pair, moment, () => end(way)), way);
          assert.deepEqual(actual, expected, moment);
        }
        await until(() => sockets() === before);
      });
    }
  }
});

/** It is written to, and `end` is called at a moment of the change that follows. */
async function ended({ socket }: Pair, moment: Moment | 'when the handle is made', end: () => void): Promise<void> {
  let isReached = false;
  const act = (): void => {
    isReached = true;
    end();
  };
  if (moment !== 'when the handle is made') {
    whenCancelling(currentEngine(), moment, act);
    socket.write('x');
    return until(() => isReached);
  }
  const hook = createHook({
    init(_, type) {
      if (!isReached && (type === 'TCPWRAP' || type === 'PIPEWRAP')) act();
    },
  });
  hook.enable();
  try {
    socket.write('x');
    await until(() => isReached);
  } finally {
    hook.disable();
  }
}

describe('a connection that is ended while the ring tells it of the last data before it goes back', () => {
  for (const kind of KINDS) {
    for (const way of Object.keys(ENDINGS)) {
      it(`${way}, over ${kind}: as with node:net`, LIMIT, async () => {
        using folder = new Temporary();
        const before = sockets();
        // A unix socket that is closed with data unread is reset: but not by us, if the ring has taken the data.
        for (const later of kind === 'TCP' ? [0, 4] : [4]) {
          const act = async (end: (way: string) => void): Promise<void> => {
            if (later === 0) await new Promise<void>((resolve) => process.nextTick(resolve));
            else await turns(later);
            end(way);
          };
          const native = await connected(kind, folder, {}, node);
          const expected = await outcomeOf(
            native,
            async (end) => {
              native.socket.write('x');
              native.peer.send('data');
              await act(end);
            },
            way,
          );
          const pair = await onRing(kind, folder);
          const actual = await outcomeOf(
            pair,
            async (end) => {
              let isReached = false;
              whenCancelling(currentEngine(), 'before it is asked for', () => {
                isReached = true;
                pair.peer.send('data');
                currentEngine().ring.submitAndWait(0);
              });
              pair.socket.write('x');
              while (!isReached) await new Promise<void>((resolve) => process.nextTick(resolve));
              await act(end);
            },
            way,
          );
          assert.deepEqual(actual, expected, `${later} turns later`);
        }
        await until(() => sockets() === before);
      });
    }
  }
});

// ---------------------------------------------------------------- the ring ends meanwhile

describe('a connection whose ring ends while it goes back to Node', () => {
  for (const kind of KINDS) {
    for (const moment of MOMENTS) {
      it(`given a reactor that is closed ${moment}, over ${kind}: all that was written arrives`, LIMIT, async () => {
        using folder = new Temporary();
        const before = sockets();
        const pair = await onRing(kind, folder);
        const { socket, peer } = pair;
        const told = textOf(socket);
        const errors: unknown[] = [];
        socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code));
        await turns(3);
        const reactor = defaultReactor();
        let closing: Promise<void> | undefined;
        whenCancelling(currentEngine(), moment, () => (closing = reactor.close()));
        socket.write('last words');
        await until(() => closing !== undefined);
        await closing;
        if (socket.destroyed) {
          // As any that is on the ring when that ends.
          assert.deepEqual(errors, ['ERR_IOURING_CLOSED']);
          assert.equal(await peer.drainToEnd(), 'end');
        } else {
          assert.equal(wayOf(socket), 'early');
          peer.send('data');
          await until(() => told.text === 'data');
          peer.drain();
        }
        assert.equal(peer.bytes, 'last words'.length);
        await nothingIsLeft(pair, before);
      });
    }

    it(
      `given a ring whose descriptor somebody closes before the call, over ${kind}: it is told, and nothing is left`,
      LIMIT,
      async () => {
        using folder = new Temporary();
        const before = sockets();
        const pair = await onRing(kind, folder);
        const { socket, peer } = pair;
        await turns(3);
        const engine = currentEngine();
        let isReached = false;
        const failed = once(socket, 'error') as Promise<[NodeJS.ErrnoException]>;
        whenCancelling(engine, 'before the call', () => {
          isReached = true;
          // As the kernel says when the descriptor is no ring's.
          engine.ring.submitAndWait = engine.ring.submit = () => {
            throw Object.assign(new Error('EBADF: io_uring_enter'), {
              errno: -9,
              code: 'EBADF',
              syscall: 'io_uring_enter',
            });
          };
        });
        socket.write('last words');
        const [{ code }] = await failed;
        assert.ok(isReached);
        assert.equal(code, 'EBADF');
        assert.equal(await peer.drainToEnd(), 'end');
        assert.equal(peer.bytes, 'last words'.length);
        await nothingIsLeft(pair, before);
      },
    );
  }
});

describe('a connection that the kernel does not let go of', () => {
  for (const kind of KINDS) {
    it(
      `over ${kind}, given a cancellation that it does not take for now, goes on, and changes later`,
      LIMIT,
      async () => {
        using folder = new Temporary();
        const before = sockets();
        const pair = await onRing(kind, folder);
        const told = textOf(pair.socket);
        await turns(3);
        const engine = currentEngine();
        let goOn: (() => void) | undefined;
        whenCancelling(engine, 'before the call', () => (goOn = takesNothing(engine)));
        pair.socket.write('x');
        await until(() => goOn !== undefined);
        assert.equal(wayOf(pair.socket), 'ring');
        goOn!();
        pair.peer.send('data');
        await works(pair, told, 'data');
        await nothingIsLeft(pair, before);
      },
    );

    it(`over ${kind}, given a cancellation that does not find the receive, goes on`, LIMIT, async () => {
      using folder = new Temporary();
      const before = sockets();
      const pair = await onRing(kind, folder);
      const told = textOf(pair.socket);
      await turns(3);
      const { ring } = currentEngine();
      const { prepCancel } = ring;
      let isReached = false;
      ring.prepCancel = (_, ...rest) => {
        isReached = true;
        return prepCancel.call(ring, NOBODYS, ...rest);
      };
      pair.socket.write('x');
      await until(() => isReached);
      Reflect.deleteProperty(ring, 'prepCancel');
      assert.equal(wayOf(pair.socket), 'ring');
      pair.peer.send('data');
      await until(() => told.text === 'data');
      await nothingIsLeft(pair, before);
    });
  }
});

describe('a connection that is closed, and closed again', () => {
  for (const kind of KINDS) {
    it(`over ${kind}, and its reactor as well: its descriptor is closed once`, LIMIT, async () => {
      using folder = new Temporary();
      const before = sockets();
      const pairs = [await onRing(kind, folder), await onRing(kind, folder)];
      using files = openOften();
      await turns(3);
      // The kernel lets go of the first at once, and of others in a tick with those that are closed in it.
      const connections = pairs.map(({ socket }) => connectionOf(socket));
      for (let i = 0; i < 3; i++) {
        for (const connection of connections) {
          connection.close();
          files.once();
        }
      }
      const closing = defaultReactor().close();
      await new Promise<void>((resolve) => process.nextTick(resolve));
      for (const connection of connections) connection.close();
      for (let i = 0; i < 4; i++) files.once();
      for (const connection of connections) connection.close();
      await closing;
      for (const fd of files.opened) assert.ok(fstatSync(fd).isCharacterDevice());
      for (const { socket, peer } of pairs) {
        socket.destroy();
        peer.close();
      }
      await until(() => sockets() === before);
    });
  }
});

describe('a connection that is closed when the kernel takes nothing', () => {
  for (const kind of KINDS) {
    it(`over ${kind}: its descriptor is nobody else’s before the kernel has let go of it`, LIMIT, async () => {
      using folder = new Temporary();
      const pair = await onRing(kind, folder);
      pays(true);
      pair.socket.resume();
      await turns(3);
      const before = sockets();
      const goOn = takesNothing(currentEngine());
      pair.socket.destroy();
      await turns(3);
      assert.equal(sockets(), before);
      goOn();
      await until(() => sockets() === before - 1);
      assert.equal(await pair.peer.drainToEnd(), 'end');
      pair.peer.close();
    });
  }
});
