// A UDP socket on the ring that is closed, or goes back to Node, when the ring's queue has no room for the cancellation of
// its receive.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import * as dgram from '../../../src/dgram/index.ts';
import { worth } from '../../../src/net/udp/worth.ts';
import { defaultReactor } from '../../../src/reactor/default-reactor.ts';
import { currentEngine, fillEntries, turn } from '../dropin/changing.ts';
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
