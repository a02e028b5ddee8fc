// Sockets that are opened, used and closed at random, all at the same time: nothing is mixed up, and nothing is left
// over.
// slow: thousands of datagrams
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { afterEach, it } from 'node:test';
import { createSocket, type Socket as UdpSocket } from '../../../src/dgram/index.ts';
import { defaultReactor } from '../../../src/reactor/default-reactor.ts';
import { randomOf, SEED } from '../../reactor/random.ts';
import { worth } from '../../../src/net/udp/worth.ts';
import { pays } from './udp-ways.ts';
import { fromTheFirstByte } from '../from-the-first-byte.ts';

const ROUNDS = 400;
const SOCKETS = 40;

/** Until it is so. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

async function storm(): Promise<void> {
  const random = randomOf(SEED);
  const io = defaultReactor();
  const descriptors = readdirSync('/proc/self/fd').length;
  const open = new Map<UdpSocket, number>();
  const counts = { received: 0, asked: 0, answered: 0, closed: 0, opened: 0 };

  /** Sends that are to be told of, unless their socket is closed in the same tick. */
  const inTick = new Map<UdpSocket, number>();
  const close = (socket: UdpSocket): void => {
    open.delete(socket);
    counts.asked -= inTick.get(socket) ?? 0;
    inTick.delete(socket);
    socket.close(() => counts.closed++);
  };
  let opening = 0;
  const add = (): void => {
    const socket = createSocket('udp4');
    counts.opened++;
    opening++;
    socket.on('listening', () => {
      opening--;
      open.set(socket, socket.address().port);
    });
    // Of connected ones whose peer is closed.
    socket.on('error', ({ message }) => assert.equal(message, 'recvmsg ECONNREFUSED'));
    socket.on('message', (data, { size, port }) => {
      counts.received++;
      assert.ok(open.has(socket), 'it is closed');
      assert.equal(data.length, size);
      assert.ok(data.every((byte) => byte === data[0]), 'the bytes are of one datagram');
      const what = random(100);
      if (what === 0) close(socket);
      else if (what < 20) sendTo(socket, data, port);
    });
    socket.bind(0, '127.0.0.1');
  };
  const connecting = new Set<UdpSocket>();
  const connected = new Set<UdpSocket>();
  const sendTo = (socket: UdpSocket, data: Uint8Array, port: number): void => {
    // With an address, or without one? It is not known yet.
    if (connecting.has(socket)) return;
    const isAsked = random(2) === 0;
    if (isAsked) counts.asked++;
    const callback = isAsked ? (): void => void counts.answered++ : undefined;
    if (connected.has(socket)) return socket.send(data, callback);
    socket.send(data, port, '127.0.0.1', callback);
    if (!isAsked) return;
    inTick.set(socket, (inTick.get(socket) ?? 0) + 1);
    process.nextTick(() => {
      if (inTick.has(socket)) inTick.set(socket, inTick.get(socket)! - 1);
    });
  };

  for (let round = 0; round < ROUNDS; round++) {
    for (let i = open.size; i < SOCKETS; i++) add();
    await until(() => opening === 0);
    const all = [...open];
    for (let i = random(100); i > 0; i--) {
      const [socket] = all[random(all.length)];
      const [, port] = all[random(all.length)];
      if (!open.has(socket)) continue;
      const data = new Uint8Array(random(10) === 0 ? random(60_000) : random(600)).fill(random(256));
      sendTo(socket, data, port);
      const what = random(200);
      if (what === 0) close(socket);
      if (what !== 1 || connected.has(socket)) continue;
      connecting.add(socket);
      socket.connect(port, '127.0.0.1', () => {
        connecting.delete(socket);
        connected.add(socket);
      });
      await until(() => connected.has(socket) || !open.has(socket));
    }
  }
  for (const socket of open.keys()) close(socket);
  await until(() => counts.closed === counts.opened && counts.answered === counts.asked && io.stats.inFlight === 0);
  assert.ok(counts.received > 1000 && counts.closed > SOCKETS, JSON.stringify(counts));
  assert.equal(io.stats.submitted, io.stats.completed);
  // The ring, and its eventfd.
  assert.ok(readdirSync('/proc/self/fd').length <= descriptors + 2);
}

const asItIs = { ...worth };
afterEach(() => void Object.assign(worth, asItIs));

it(`a storm of datagrams through the ring (IOURING_SEED=${SEED})`, async () => {
  fromTheFirstByte();
  await storm();
});

it(`a storm of datagrams through Node and the ring in turns (IOURING_SEED=${SEED})`, async () => {
  let does = true;
  pays(does);
  const timer = setInterval(() => pays(does = !does), 1);
  await storm();
  clearInterval(timer);
});
