/**
 * A UDP socket goes through the ring while that pays, and through Node while it does not: it changes while it is at
 * work, and nobody may notice.
 */
// slow: thousands of datagrams, and programs
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import dgram, { type Socket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import ours from '../../../src/dgram/index.ts';
import { lifeOf, UdpSocket } from '../../../src/net/udp/udp-socket.ts';
import { load, worth } from '../../../src/net/udp/worth.ts';
import { withoutIPv6 } from '../../asking.ts';
import { Temporary } from '../../kernel/temporary.ts';
import { randomOf, SEED } from '../../reactor/random.ts';
import { run } from '../../run.ts';
import { pays } from './udp-ways.ts';

const asItIs = { ...worth };
afterEach(() => void Object.assign(worth, asItIs));

type Module = Pick<typeof dgram, 'createSocket'>;

/** Room for all that is on its way at once. */
const ROOM = 4 * 2 ** 20;
const HOST = '127.0.0.1';

async function bound(module: Module, host = HOST): Promise<Socket> {
  const socket = module.createSocket({ type: host === HOST ? 'udp4' : 'udp6', recvBufferSize: ROOM });
  socket.bind(0, host);
  await once(socket, 'listening');
  return socket;
}

function wayOf(socket: Socket): string {
  assert.ok(socket instanceof UdpSocket);
  return lifeOf(socket).way;
}

function closed(...sockets: Socket[]): Promise<unknown> {
  return Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(resolve))));
}

function turn(): Promise<void> {
  return new Promise(setImmediate);
}

/** Has `socket` receive one datagram after the other until it goes `way`. How many it took. */
async function exchangeUntil(socket: Socket, peer: Socket, way: string): Promise<number> {
  for (let i = 1; i < 1000; i++) {
    const came = once(socket, 'message');
    peer.send('x', socket.address().port, HOST);
    await came;
    await turn();
    if (wayOf(socket) === way) return i;
  }
  throw new Error(`it never came to ${way}: it is ${wayOf(socket)}`);
}

/** From now on it pays and does not in turns, so that every socket changes again and again. */
function changeAllTheTime(random: (below: number) => number): () => void {
  let does = true;
  pays(does);
  const timer = setInterval(() => {
    if (random(3) > 0) pays(does = !does);
  }, 1);
  return () => clearInterval(timer);
}

/** Datagrams of one sender to one receiver, and back: each is answered, and so many at most are on their way. */
class Flood {
  static readonly #WINDOW = 40;
  readonly #random: (below: number) => number;
  readonly #client: Socket;
  readonly #to: { port: number; host: string };
  readonly #isConnected: boolean;
  #sent = 0;
  #told = 0;
  answered = 0;
  readonly #total: number;
  #done: () => void = () => undefined;

  constructor(
    client: Socket,
    to: { port: number; host: string },
    total: number,
    isConnected: boolean,
    random: (below: number) => number,
  ) {
    this.#client = client;
    this.#to = to;
    this.#total = total;
    this.#isConnected = isConnected;
    this.#random = random;
  }

  async run(): Promise<void> {
    if (this.#isConnected) {
      this.#client.connect(this.#to.port, this.#to.host);
      await once(this.#client, 'connect');
    }
    this.#client.on('message', (data) => {
      // In the order in which they were sent, each once.
      assert.equal(data.readUInt32LE(), this.answered++);
      assert.ok(data.subarray(4).every((byte) => byte === (this.answered - 1) % 251));
      if (this.answered === this.#total) this.#done();
      else this.#send();
    });
    await new Promise<void>((resolve) => {
      this.#done = resolve;
      this.#send();
    });
    while (this.#told < this.#sent) await turn();
  }

  #send(): void {
    if (this.answered % 3 === 0 && this.#random(4) === 0) return void setImmediate(() => this.#sendNow());
    this.#sendNow();
  }

  #sendNow(): void {
    while (this.#sent < this.#total && this.#sent - this.answered < Flood.#WINDOW) {
      const i = this.#sent++;
      const data = Buffer.alloc(4 + this.#random(this.#random(20) === 0 ? 20_000 : 300), i % 251);
      data.writeUInt32LE(i);
      // Forms that take other ways to the kernel.
      const form = this.#random(5) === 0 ? [data.subarray(0, 4), data.subarray(4)] : data;
      const told = (error: Error | null, bytes: number): void => {
        assert.deepEqual([error, bytes], [null, data.length]);
        assert.equal(this.#told++, i, 'callbacks come in order');
      };
      if (this.#isConnected) this.#client.send(form as Buffer, told);
      else this.#client.send(form as Buffer, this.#to.port, this.#to.host, told);
    }
  }
}

describe('a UDP socket', () => {
  it('given that it pays, and then does not, goes there and back', async () => {
    const [a, b] = [await bound(ours), await bound(dgram)];
    const { port } = a.address();
    a.setTTL(7);
    a.addMembership('239.1.2.3', HOST);
    const size = a.getRecvBufferSize();
    for (const way of ['ring', 'early', 'ring', 'early'] as const) {
      pays(way === 'ring');
      await exchangeUntil(a, b, way);
      assert.deepEqual([a.address().port, a.getRecvBufferSize(), a.getSendQueueCount()], [port, size, 0]);
    }
    a.dropMembership('239.1.2.3', HOST);
    await closed(a, b);
  });

  for (const [of, host] of [['IPv4', HOST], ['IPv6', '::1']] as const) {
    const title = `given floods in both directions of ${of} while it changes, each datagram comes once and in order`;
    it(`${title} (IOURING_SEED=${SEED})`, { skip: of === 'IPv6' && withoutIPv6 }, async () => {
      const random = randomOf(SEED);
      const end = changeAllTheTime(random);
      const server = await bound(ours, host);
      const ways = { ring: 0, early: 0, node: 0 };
      const next = new Map<number, number>();
      server.on('message', (data, { port, address }) => {
        ways[wayOf(server) as keyof typeof ways]++;
        const expected = next.get(port) ?? 0;
        assert.equal(data.readUInt32LE(), expected);
        next.set(port, expected + 1);
        if (random(6) === 0) server.send([data.subarray(0, 4), data.subarray(4)], port, address);
        else server.send(data, port, address);
      });
      const clients = await Promise.all([ours, ours, ours, dgram].map((module) => bound(module, host)));
      const TOTAL = 3000;
      const { port } = server.address();
      await Promise.all(
        clients.map((client, i) => new Flood(client, { port, host }, TOTAL, i % 2 === 1, random).run()),
      );
      end();
      assert.deepEqual([...next.values()], clients.map(() => TOTAL));
      assert.ok(ways.ring > 100 && ways.early > 100 && ways.node === 0, JSON.stringify(ways));
      await closed(server, ...clients);
    });
  }

  it('given that it is closed at any moment of a change, nothing comes afterwards, and its port is free', async () => {
    const random = randomOf(SEED);
    const peer = await bound(dgram);
    const end = changeAllTheTime(random);
    for (let round = 0; round < 150; round++) {
      const socket = await bound(ours);
      const { port } = socket.address();
      let isClosed = false;
      const last = random(30);
      const over = new Promise<void>((resolve) => {
        socket.on('message', (data) => {
          assert.ok(!isClosed, 'it is closed');
          socket.send(data, peer.address().port, HOST);
          if (data[0] !== last) return;
          const close = (): void => {
            isClosed = true;
            socket.close(resolve);
          };
          const when = [(call: () => void) => call(), setImmediate, process.nextTick];
          when[random(when.length)](close);
          socket.removeAllListeners('message').on('message', () => assert.ok(!isClosed, 'it is closed'));
        });
      });
      for (let i = 0; i < 40; i++) peer.send(Buffer.from([i]), port, HOST);
      await over;
      const again = dgram.createSocket('udp4').bind(port, HOST);
      await once(again, 'listening');
      await closed(again);
    }
    end();
    await closed(peer);
  });

  it('given callbacks and messages in contexts of their own, each is told in its own, before and after', async () => {
    const storage = new AsyncLocalStorage<string>();
    const peer = await bound(dgram);
    const socket = await storage.run('socket', () => bound(ours));
    const heard = new Set<string | undefined>();
    socket.on('message', () => heard.add(storage.getStore()));
    const told: (string | undefined)[] = [];
    for (const way of ['ring', 'early', 'ring', 'early'] as const) {
      pays(way === 'ring');
      await storage.run('exchange', () => exchangeUntil(socket, peer, way));
      await storage.run(way, () =>
        new Promise((resolve) => {
          socket.send('x', peer.address().port, HOST, () => resolve(told.push(storage.getStore())));
        }));
    }
    assert.deepEqual([[...heard], told], [['socket'], ['ring', 'early', 'ring', 'early']]);
    await closed(socket, peer);
  });

  it('given a peer to which it is connected, and that goes, it hears of that, before and after', async () => {
    for (const ways of [['ring'], ['ring', 'early'], ['ring', 'early', 'ring']] as const) {
      const [socket, peer] = [await bound(ours), await bound(dgram)];
      const { port } = peer.address();
      socket.connect(port, HOST);
      await once(socket, 'connect');
      for (const way of ways) {
        pays(way === 'ring');
        await exchangeUntil(socket, peer, way);
        const came = once(peer, 'message');
        socket.send('connected');
        assert.equal(String(((await came) as [Buffer])[0]), 'connected');
        assert.equal(socket.remoteAddress().port, port);
      }
      await closed(peer);
      const failed = once(socket, 'error');
      socket.send('x');
      const [error] = (await failed) as [NodeJS.ErrnoException];
      assert.deepEqual([error.message, error.code], ['recvmsg ECONNREFUSED', 'ECONNREFUSED']);
      assert.equal(wayOf(socket), ways.at(-1));
      await closed(socket);
    }
  });

  it('given patience that has grown, it is taken later, and leaves the ring as soon as at first', async () => {
    pays(true);
    worth.patience = 50;
    const [socket, peer] = [await bound(ours), await bound(dgram)];
    const messages: number[] = [];
    for (const way of ['ring', 'early', 'ring', 'early'] as const) {
      worth.pays = worth.costs = way === 'ring' ? 0 : Number.POSITIVE_INFINITY;
      messages.push(await exchangeUntil(socket, peer, way));
    }
    const [first, back, second, backAgain] = messages;
    assert.ok(first < 10 && back < 10 && second >= 50 && backAgain < 10, messages.join());
    await closed(socket, peer);
  });
});

describe('a UDP socket that stays Node’s', () => {
  const skip = '_handle' in dgram.Socket.prototype ? false : 'sockets of this version of Node do not show it';
  it('given somebody who has asked for its handle, and one that is on the ring goes back', { skip }, async () => {
    const [a, b, peer] = [await bound(ours), await bound(ours), await bound(dgram)];
    const theirs = peer as unknown as { _handle: object };
    const handleOf = (socket: Socket): object => (socket as unknown as typeof theirs)._handle;
    assert.equal(handleOf(a).constructor, handleOf(peer).constructor);
    pays(true);
    await exchangeUntil(b, peer, 'ring');
    const handle = handleOf(b);
    await exchangeUntil(a, peer, 'node');
    await exchangeUntil(b, peer, 'node');
    for (let i = 0; i < 20; i++) await exchangeUntil(b, peer, 'node');
    // It looks as if nothing had been.
    assert.deepEqual(Object.getOwnPropertyNames(handle), Object.getOwnPropertyNames(theirs._handle));
    await closed(a, b, peer);
  });

  it('given workers of a cluster that share it', async () => {
    using folder = new Temporary();
    const file = join(folder.path, 'cluster.mjs');
    const [DGRAM, UDP, WAYS] = ['src/dgram/index', 'src/net/udp/udp-socket', 'test/net/udp/udp-ways'].map((name) =>
      JSON.stringify(new URL(`../../../${name}.js`, import.meta.url).href)
    );
    writeFileSync(
      file,
      `import cluster from 'node:cluster';
      import { createSocket } from ${DGRAM}; import { lifeOf } from ${UDP}; import { pays } from ${WAYS};
      pays(true);
      const socket = createSocket('udp4');
      if (cluster.isPrimary) {
        cluster.fork().once('message', ({ port }) => {
          socket.on('message', (data) => {
            if (data.length < 20) return socket.send(data, port, '127.0.0.1');
            socket.close();
            cluster.disconnect();
          });
          socket.send('', port, '127.0.0.1');
        });
        socket.bind(0, '127.0.0.1');
      } else {
        socket.bind(0, '127.0.0.1', () => process.send(socket.address()));
        socket.on('message', (data, { port }) => {
          console.log(lifeOf(socket).way);
          socket.send(data + '.', port, '127.0.0.1');
        });
      }`,
    );
    const { status, stdout, stderr } = await run(process.execPath, [file]);
    assert.equal(status, 0, stderr);
    assert.deepEqual([...new Set(stdout.trim().split('\n'))], ['node']);
  });
});

describe('the process', () => {
  it('given sockets that are kept alive by nothing, it ends in either way; given one that is, it goes on', async () => {
    const text = (isRef: boolean): string => `
      import { once } from 'node:events';
      import { createSocket } from ${JSON.stringify(new URL('../../../src/dgram/index.js', import.meta.url).href)};
      import { lifeOf } from ${JSON.stringify(new URL('../../../src/net/udp/udp-socket.js', import.meta.url).href)};
      import { pays } from ${JSON.stringify(new URL('udp-ways.js', import.meta.url).href)};
      pays(false);
      const socket = createSocket('udp4').bind(0, '127.0.0.1');
      await once(socket, 'listening');
      for (const way of ['ring', 'early']) {
        pays(way === 'ring');
        while (lifeOf(socket).way !== way) {
          const came = once(socket, 'message');
          socket.send('x', socket.address().port, '127.0.0.1');
          await came;
          await new Promise(setImmediate);
        }
        process.stdout.write(way + ' ');
      }
      socket.unref();
      pays(true);
      socket.send('x', socket.address().port, '127.0.0.1');
      while (lifeOf(socket).way !== 'ring') await new Promise(setImmediate);
      if (${isRef}) {
        socket.ref();
        socket.on('message', () => { process.stdout.write('came'); socket.unref(); });
        setTimeout(() => socket.send('y', socket.address().port, '127.0.0.1'), 20).unref();
      }`;
    for (const isRef of [false, true]) {
      const { status, stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', text(isRef)]);
      assert.deepEqual([status, stdout, stderr], [0, `ring early ${isRef ? 'came' : ''}`, '']);
    }
  });
});

describe('whether it pays', () => {
  beforeEach(() => void Object.assign(worth, { milliseconds: 0 }));

  it('given many messages in a turn of the loop it does, given few it does not', async () => {
    for (let i = 0; i < 40; i++) {
      await turn();
      for (let j = 0; j < 32; j++) load.count(true);
    }
    assert.equal(load.pays, true);
    for (let i = 0; i < 600; i++) {
      await turn();
      load.count(true);
    }
    assert.equal(load.pays, false);
  });
});
