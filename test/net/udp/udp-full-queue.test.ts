// A UDP socket on the ring that is closed, or goes back to Node, when the ring's queue has no room for the cancellation of
// its receive, or the kernel does not take that.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { afterEach, describe, it } from 'node:test';
import * as dgram from '../../../src/dgram/index.ts';
import { worth } from '../../../src/net/udp/worth.ts';
import { defaultReactor } from '../../../src/reactor/default-reactor.ts';
import { currentEngine, fillEntries, takesNothing, turn } from '../dropin/changing.ts';
import { fromTheFirstByte } from '../from-the-first-byte.ts';

const asItIs = { ...worth };
afterEach(() => void Object.assign(worth, asItIs));

const HOST = '127.0.0.1';

async function bound(port = 0): Promise<dgram.Socket> {
  const socket = dgram.createSocket('udp4').bind(port, HOST);
  await once(socket, 'listening');
  return socket;
}

describe('a UDP socket on a ring whose queue is full', () => {
  it('given that it is closed, its port is free at once', async () => {
    fromTheFirstByte();
    const socket = await bound();
    const { port } = socket.address();
    for (let i = 0; i < 5; i++) await turn();
    assert.ok(currentEngine().inFlight > 0);
    fillEntries(currentEngine());
    const closed = once(socket, 'close');
    socket.close();
    const next = dgram.createSocket('udp4');
    const message = once(next, 'message') as Promise<[Buffer]>;
    next.bind(port, HOST);
    await once(next, 'listening');
    next.send('hello', port, HOST);
    assert.equal(String((await message)[0]), 'hello');
    await closed;
    next.close();
  });

  it('given that its reactor is closed meanwhile, it goes on through Node, and loses nothing', async () => {
    fromTheFirstByte();
    const socket = await bound();
    const { port } = socket.address();
    const sender = await bound();
    for (let i = 0; i < 5; i++) await turn();
    let text = '';
    socket.on('message', (data) => (text += String(data)));
    sender.send('a', port, HOST);
    while (text.length < 1) await turn();
    fillEntries(currentEngine());
    const closing = defaultReactor().close();
    sender.send('b', port, HOST);
    await closing;
    sender.send('c', port, HOST);
    while (text.length < 3) await turn();
    assert.equal(text, 'abc');
    socket.close();
    sender.close();
  });
});

const descriptors = (): number => readdirSync('/proc/self/fd').length;

/**
 * It is closed when the kernel takes nothing. Entries that are not with the kernel name its descriptor, which is not to
 * be another's by then: it is closed when they are over.
 */
async function closesLater(socket: dgram.Socket, goOn: () => void, turns = 3): Promise<void> {
  const { port } = socket.address();
  const before = descriptors();
  socket.close();
  for (let i = 0; i < turns; i++) await turn();
  assert.equal(descriptors(), before);
  goOn();
  for (let i = 0; descriptors() === before && i < 1000; i++) await turn();
  await isFree(port);
}

async function isFree(port: number): Promise<void> {
  const next = await bound(port);
  next.close();
  await once(next, 'close');
}

describe('a UDP socket that is closed when the kernel takes nothing', () => {
  it('given its receive with the kernel, is closed when that has let go of it', { timeout: 60_000 }, async () => {
    fromTheFirstByte();
    const socket = await bound();
    for (let i = 0; i < 5; i++) await turn();
    await closesLater(socket, takesNothing(currentEngine()));
  });

  it('given its receive in front of the ring, need not wait for anything', { timeout: 60_000 }, async () => {
    fromTheFirstByte();
    await bound().then((first) => first.close());
    for (let i = 0; i < 5; i++) await turn();
    const engine = currentEngine();
    const socket = dgram.createSocket('udp4').bind(0, HOST);
    fillEntries(engine);
    await once(socket, 'listening');
    const { port } = socket.address();
    const before = descriptors();
    const goOn = takesNothing(engine);
    socket.close();
    assert.equal(descriptors(), before - 1);
    goOn();
    await isFree(port);
  });

  for (const place of ['in the ring', 'in front of it'] as const) {
    it(`given messages ${place}, is closed when each was told of`, { timeout: 60_000 }, async () => {
      fromTheFirstByte();
      const receiver = await bound();
      const socket = await bound();
      socket.connect(receiver.address().port, HOST);
      await once(socket, 'connect');
      for (let i = 0; i < 5; i++) await turn();
      const engine = currentEngine();
      const { ring } = engine;
      const goOn = takesNothing(engine);
      if (place === 'in front of it') ring.prepSend = () => false;
      let told = 0;
      for (let i = 0; i < 5; i++) socket.send('message', () => told++);
      // Those in front are over in the next turn: in that, the kernel lets go of the receive before.
      await closesLater(socket, goOn, place === 'in front of it' ? 0 : 3);
      Reflect.deleteProperty(ring, 'prepSend');
      assert.equal(told, 5);
      receiver.close();
      await once(receiver, 'close');
    });
  }
});
