// Connections that wait for buffers to receive into: the next one that comes back is for one that still wants it, and not
// for one that was closed meanwhile.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Connection } from '../../src/net/transport/connection.ts';
import { transportOf } from '../../src/net/transport/transport.ts';
import { Reactor } from '../../src/index.ts';
import { partsOf } from '../../src/reactor/reactor.ts';
import { koffiNative } from '../../src/native/koffi.ts';
import { Descriptors } from '../kernel/libc.ts';

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Counts what it is told of. */
class Counting extends Connection {
  count = 0;

  override bytesReceived(bytes: Buffer): void {
    this.count += bytes.length;
  }

  override threw(error: unknown): void {
    throw error;
  }

  override ended(): void {}
  override failed(error: Error): void {
    throw error;
  }

  override progressed(): void {}
}

interface Starving extends AsyncDisposable {
  readonly first: Counting;
  readonly second: Counting;
  /** Have a buffer come back. */
  give(): void;
  /** Have the kernel end both for want of buffers. */
  starve(): void;
}

/** Two connections on a ring that has no buffer left, and no memory for more: all are with consumers. */
async function starving(): Promise<Starving> {
  const io = new Reactor();
  const transport = transportOf(io);
  const { ring } = partsOf(io).engine;
  const descriptors = new Descriptors();
  const { send } = koffiNative();
  const connection = (): [Counting, () => void] => {
    const [own, peer] = descriptors.socketPair();
    descriptors.forget(own);
    const made = new Counting(transport, own);
    made.startReading();
    return [made, () => assert.equal(send(peer, new Uint8Array(1), 1, 0), 1)];
  };
  const [glutton, feed] = connection();
  const [first, sendFirst] = connection();
  const [second, sendSecond] = connection();
  await turn();
  const { buffers } = transport;
  const { entries } = buffers.pick();
  ring.registerBufRing = () => {
    throw Object.assign(new Error('no memory'), { code: 'ENOMEM' });
  };
  return {
    first,
    second,
    starve() {
      // The kernel fills them one after the other, and nobody reaps.
      for (let i = 0; i < entries; i++) {
        feed();
        ring.submitAndWait(0);
      }
      // Consumers have as many as there are.
      for (let i = 0; i < entries; i++) buffers.taken();
      sendFirst();
      sendSecond();
      ring.submitAndWait(0);
    },
    give: () => buffers.returned(),
    async [Symbol.asyncDispose]() {
      assert.equal(glutton.count, entries);
      for (const one of [glutton, first, second]) one.close();
      await turn();
      descriptors[Symbol.dispose]();
      await io.close();
    },
  };
}

describe('connections that wait for buffers', () => {
  it('given one that is closed, the buffer that comes back is for the next', async () => {
    await using pair = await starving();
    pair.starve();
    for (let i = 0; i < 5; i++) await turn();
    assert.deepEqual([pair.first.count, pair.second.count], [0, 0]);
    pair.first.close();
    pair.give();
    for (let i = 0; i < 5; i++) await turn();
    assert.deepEqual([pair.first.count, pair.second.count], [0, 1]);
  });

  it('given one that is closed before it is told that there are none, the buffer that comes back is for the next', async () => {
    await using pair = await starving();
    pair.starve();
    pair.first.close();
    for (let i = 0; i < 5; i++) await turn();
    assert.deepEqual([pair.first.count, pair.second.count], [0, 0]);
    pair.give();
    for (let i = 0; i < 5; i++) await turn();
    assert.deepEqual([pair.first.count, pair.second.count], [0, 1]);
  });
});
