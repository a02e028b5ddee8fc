// Connections on the ring under everything that can happen to them, on a ring of ordinary size and on one that is full
// all the time: what arrives is what was sent, byte by byte, and in the end nothing is left over: no descriptor, no
// slot, no buffer.
// slow: thousands of connections
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fromTheFirstByte } from '../from-the-first-byte.ts';
import { Reactor } from '../../../src/index.ts';
import { checkConnect, checkListen } from '../../../src/net/lean/lean-arguments.ts';
import type { ConnectOptions, LeanSocket, Listener, ListenOptions } from '../../../src/net/lean/types.ts';
import { connectThroughRing } from '../../../src/net/lean/ring-connect.ts';
import { LeanListener } from '../../../src/net/lean/lean-listener.ts';
import { transportOf } from '../../../src/net/transport/transport.ts';
import { randomOf, SEED } from '../../reactor/random.ts';

fromTheFirstByte();

const descriptors = (): number => readdirSync('/proc/self/fd').length;
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Until it holds; a run that never gets there is ended by the runner. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

const listenOn = <T>(io: Reactor, options: ListenOptions<T>): Listener<T> =>
  new LeanListener(transportOf(io), checkListen(options));
const connectOn = <T>(io: Reactor, options: ConnectOptions<T>): Promise<LeanSocket<T>> =>
  connectThroughRing(io, checkConnect(options));

/** The byte that stands at a place of every stream. */
const byteAt = (place: number): number => (place * 31 + (place >>> 8) * 7) & 0xff;

class Stream {
  sent = 0;
  taken = 0;
  received = 0;
  /** How many are to be sent. */
  readonly length: number;
  isClosed = false;
  error: Error | undefined;

  constructor(length: number) {
    this.length = length;
  }

  check(data: Uint8Array): void {
    for (let i = 0; i < data.length; i++) {
      if (data[i] !== byteAt(this.received + i)) assert.fail(`byte ${this.received + i} is wrong`);
    }
    this.received += data.length;
  }

  /** As much as is taken. True if everything is. */
  feed(socket: LeanSocket<Stream>, random: (n: number) => number): boolean {
    while (this.taken < this.length) {
      const size = Math.min(this.length - this.taken, 1 + random(random(8) === 0 ? 200_000 : 2000));
      const chunk = Buffer.alloc(size);
      for (let i = 0; i < size; i++) chunk[i] = byteAt(this.taken + i);
      const taken = socket.write(chunk);
      this.taken += taken;
      if (taken < size) return false;
    }
    return true;
  }
}

/** Connections of one listener, each sending to and fro as much as it likes, and pausing now and then. */
async function traffic(io: Reactor, connections: number, random: (n: number) => number): Promise<void> {
  const before = descriptors();
  const all: Stream[] = [];
  const flip = (socket: LeanSocket<Stream>): void => {
    if (random(20) > 0) return;
    socket.pause();
    if (random(2) === 0) setImmediate(() => socket.resume());
    else socket.resume();
  };
  const go = (socket: LeanSocket<Stream>): void => {
    if (socket.data.feed(socket, random)) socket.end();
  };
  const handlers = {
    data(socket: LeanSocket<Stream>, data: Buffer) {
      socket.data.check(data);
      flip(socket);
    },
    drain: go,
    error(socket: LeanSocket<Stream>, error: Error) {
      socket.data.error = error;
    },
    close(socket: LeanSocket<Stream>) {
      socket.data.isClosed = true;
    },
  };
  const lengthOf = (): number => random(random(4) === 0 ? 1_000_000 : 5000);
  const listener = listenOn<Stream>(io, {
    hostname: '127.0.0.1',
    allowHalfOpen: true,
    writableHighWaterMark: 65_536,
    socket: {
      ...handlers,
      open(socket) {
        socket.data = new Stream(lengthOf());
        all.push(socket.data);
        go(socket);
      },
    },
  });
  const { port } = listener;
  for (let i = 0; i < connections; i++) {
    const stream = new Stream(lengthOf());
    all.push(stream);
    const open = go;
    await connectOn<Stream>(io, {
      hostname: '127.0.0.1',
      port: port!,
      allowHalfOpen: true,
      writableHighWaterMark: 65_536,
      data: stream,
      socket: { ...handlers, open },
    });
  }
  await until(() => all.length === 2 * connections && all.every(({ isClosed }) => isClosed));
  for (const { error } of all) assert.equal(error, undefined);
  const total = (key: 'length' | 'received'): number => all.reduce((sum, stream) => sum + stream[key], 0);
  assert.equal(total('received'), total('length'));
  listener.stop();
  await until(() => io.stats.inFlight === 0);
  assert.equal(descriptors(), before);
  const { buffersOut, queued } = io.stats;
  assert.deepEqual({ buffersOut, queued }, { buffersOut: 0, queued: 0 });
}

/** Connections that are ended in every way at every moment. */
async function demolition(io: Reactor, connections: number, random: (n: number) => number): Promise<void> {
  const before = descriptors();
  let open = 0;
  let closed = 0;
  let asked = 0;
  const harm = (socket: LeanSocket): void => {
    const what = random(12);
    if (what === 0) socket.terminate();
    else if (what === 1) socket.close();
    else if (what === 2) socket.end('the end');
    else if (what === 3) socket.pause();
    else if (what === 4) socket.resume();
    else if (what < 8) socket.write(Buffer.alloc(random(300_000)));
    else if (what === 8) {
      socket.write('x');
      socket.terminate();
    } else if (what === 9) {
      socket.write('x');
      socket.close();
      socket.write('y');
    } else if (what === 10) {
      socket.end();
      socket.end();
      socket.terminate();
    }
  };
  const handlers = {
    open(socket: LeanSocket) {
      open++;
      harm(socket);
    },
    data: harm,
    drain: harm,
    end: harm,
    error() {},
    close(socket: LeanSocket) {
      closed++;
      assert.equal(socket.fd, -1);
      assert.equal(socket.readyState, 'closed');
      assert.equal(socket.write('z'), 0);
    },
  };
  const listener = listenOn(io, { hostname: '127.0.0.1', allowHalfOpen: random(2) === 0, socket: handlers });
  const sockets = new Set<LeanSocket>();
  const ended = async (): Promise<void> => {
    asked++;
    try {
      const aborter = random(8) === 0 ? new AbortController() : undefined;
      if (aborter !== undefined) setImmediate(() => aborter.abort());
      const socket = await connectOn(io, {
        hostname: '127.0.0.1',
        port: listener.port!,
        signal: aborter?.signal,
        allowHalfOpen: random(2) === 0,
        socket: handlers,
      });
      sockets.add(socket);
      for (let i = random(4); i > 0; i--) {
        await turn();
        harm(socket);
      }
    } catch (error) {
      assert.match((error as NodeJS.ErrnoException).code ?? '', /^(ABORT_ERR|ECONNRESET|ECONNREFUSED)$/);
    }
    asked--;
  };
  for (let i = 0; i < connections; i++) {
    void ended();
    if (random(3) === 0) await turn();
  }
  await until(() => asked === 0);
  // Those that nobody has ended.
  for (const socket of sockets) socket.terminate();
  listener.stop(true);
  await until(() => open === closed && listener.connections === 0 && io.stats.inFlight === 0);
  assert.equal(descriptors(), before);
  assert.equal(io.stats.buffersOut, 0);
}

const RINGS = [
  { name: 'a ring of ordinary size', options: {} },
  { name: 'a ring that is always full', options: { entries: 2, cqEntries: 4 } },
];

describe(`connections (IOURING_SEED=${SEED})`, () => {
  for (const { name, options } of RINGS) {
    it(`what arrives is what was sent: ${name}`, async () => {
      await using io = new Reactor(options);
      await traffic(io, 40, randomOf(SEED));
    });

    it(`ended in every way at every moment: ${name}`, async () => {
      await using io = new Reactor(options);
      await demolition(io, 600, randomOf(SEED + 1));
    });
  }
});
