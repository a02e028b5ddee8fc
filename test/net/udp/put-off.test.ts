/**
 * Datagrams that the kernel has no room for. UDP over the loopback always has: here the socket is one of AF_UNIX, which
 * has as much as SO_SNDBUF says until its peer reads.
 */
import assert from 'node:assert/strict';
import { AsyncResource } from 'node:async_hooks';
import { after, describe, it } from 'node:test';
import { EAGAIN } from '../../../src/abi/errno.ts';
import { MSG_DONTWAIT, SO_SNDBUF, SOL_SOCKET } from '../../../src/abi/socket-flags.ts';
import {
  bindTo,
  closeNow,
  connectTo,
  openSocket,
  recvNow,
  setsockopt,
} from '../../../src/net/transport/socket-calls.ts';
import { BOUND, CONNECTED, type SocketState, type UdpHandle } from '../../../src/net/udp/node-dgram.ts';
import { RingUdp } from '../../../src/net/udp/udp-handle.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;

/** As small as the kernel allows: a few datagrams. */
const SMALLEST = 1;

let count = 0;

/** A socket that sends to a peer which nobody reads from, but by {@link read}. */
class Pair {
  readonly #peer: number;
  readonly #handle: UdpHandle;
  #isClosed = false;
  readonly ring: RingUdp;
  /** What the callbacks of sends were told, in order. */
  readonly told: string[] = [];

  constructor() {
    const address = { path: `\0iouring-put-off-${process.pid}-${count++}` };
    const [fd, peer] = [0, 1].map(() => openSocket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK));
    assert.equal(bindTo(peer, address), 0);
    assert.equal(connectTo(fd, address), 0);
    assert.equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, SMALLEST), 0);
    this.#peer = peer;
    this.#handle = {
      fd,
      recvStart: () => 0,
      recvStop: () => 0,
      send: () => assert.fail('sent by Node'),
      close: () => void closeNow(fd),
      ref() {},
      unref() {},
      hasRef: () => true,
      bind: () => 0,
      open: () => 0,
      getSendQueueSize: () => 0,
      getSendQueueCount: () => 0,
    };
    const state: SocketState = {
      handle: this.#handle,
      receiving: true,
      bindState: BOUND,
      connectState: CONNECTED,
      queue: undefined,
    };
    this.ring = new RingUdp(state, this.#handle, false, new AsyncResource('TEST'));
    this.ring.takeFromTheBeginning();
    this.#handle.recvStart();
  }

  send(i: number): void {
    const told = (error: NodeJS.ErrnoException | null): void => void this.told.push(error?.code ?? String(i));
    assert.ok(this.ring.sendAtOnce([Buffer.of(i), told]));
  }

  get queued(): number {
    return this.#handle.getSendQueueCount();
  }

  /** The next datagram that has arrived, if there is one. */
  read(): number | undefined {
    const memory = new Uint8Array(1);
    const res = recvNow(this.#peer, memory, MSG_DONTWAIT);
    assert.ok(res === 1 || res === -EAGAIN, `${res}`);
    return res === 1 ? memory[0] : undefined;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handle.close();
  }

  closePeer(): void {
    closeNow(this.#peer);
  }
}

function turn(): Promise<void> {
  return new Promise(setImmediate);
}

const upTo = (end: number, start = 0): number[] => Array.from({ length: end - start }, (_, i) => start + i);

describe('a socket for which the kernel has no room', () => {
  const pairs: Pair[] = [];
  const pair = (): Pair => {
    const made = new Pair();
    pairs.push(made);
    return made;
  };
  after(() => {
    for (const one of pairs) {
      one.close();
      one.closePeer();
    }
  });

  it('given many in one tick, sends them in order as there is room', async () => {
    const p = pair();
    for (const i of upTo(100)) p.send(i);
    while (p.told.length === 0) await turn();
    assert.ok(p.told.length < 50, `${p.told.length}`);
    assert.equal(p.queued, 100 - p.told.length);
    const arrived: number[] = [];
    while (arrived.length < 100) {
      // Several at a time: whoever sleeps in the kernel is woken in the same moment.
      for (let i = p.read(); i !== undefined; i = p.read()) arrived.push(i);
      await turn();
    }
    assert.deepEqual(arrived, upTo(100));
    while (p.told.length < 100) await turn();
    assert.deepEqual(p.told, upTo(100).map(String));
    assert.equal(p.queued, 0);
  });

  it('given more while one is put off, that one is not overtaken', async () => {
    const p = pair();
    let next = 0;
    while (p.queued === 0) {
      assert.ok(next < 100);
      p.send(next++);
      await turn();
    }
    const arrived: number[] = [];
    // There is room again, and nobody was told of it so far.
    for (let i = p.read(); i !== undefined; i = p.read()) arrived.push(i);
    for (let i = 0; i < 20; i++) p.send(next++);
    while (arrived.length < next) {
      for (let i = p.read(); i !== undefined; i = p.read()) arrived.push(i);
      await turn();
    }
    assert.deepEqual(arrived, upTo(next));
  });

  it('closed, those that are put off are cancelled, and nothing is sent afterwards', async () => {
    const p = pair();
    for (const i of upTo(40)) p.send(i);
    while (p.told.length === 0) await turn();
    const sent = p.told.length;
    p.close();
    while (p.told.length < 40) await turn();
    assert.deepEqual(p.told, [...upTo(sent).map(String), ...upTo(40, sent).map(() => 'ECANCELED')]);
    const arrived: number[] = [];
    for (let i = p.read(); i !== undefined; i = p.read()) arrived.push(i);
    assert.deepEqual(arrived, upTo(sent));
  });
});
