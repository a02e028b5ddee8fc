// A Proxy in front of a socket, as mocks and wrappers make one: what Node's methods keep on the socket is found through
// it, and so is what ours keep beside it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type * as node from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { wayOf } from '../../../src/net/dropin/changing-ways.ts';
import { worth } from '../../../src/net/dropin/worth.ts';
import { Temporary } from '../../kernel/temporary.ts';
import { connected, exchangeUntil, KINDS, pays, turn, type Pair } from './changing.ts';

const asItIs = { ...worth };
afterEach(() => void Object.assign(worth, asItIs));

/** What is written by the object arrives, and what comes is told to who listens by it; it counts both. */
async function exchange({ socket, peer }: Pair, other: node.Socket): Promise<void> {
  peer.drain();
  peer.bytes = 0;
  const [written, read] = [other.bytesWritten, other.bytesRead];
  await new Promise<void>((resolve, reject) => {
    other.write('hello', (error) => (error ? reject(error) : resolve()));
  });
  for (let i = 0; i < 100 && peer.bytes < 5; i++) {
    await turn();
    peer.drain();
  }
  assert.equal(peer.bytes, 5);
  const data = once(socket, 'data');
  peer.send('answer');
  assert.equal(String((await data)[0]), 'answer');
  assert.deepEqual([other.bytesWritten - written, other.bytesRead - read], [5, 6]);
}

describe('a Proxy in front of a socket', () => {
  for (const kind of KINDS) {
    it(`over ${kind}: works while the socket is Node’s, on the ring, and when it is Node’s again`, async () => {
      using folder = new Temporary();
      pays(false);
      const pair = await connected(kind, folder, { noDelay: true });
      const other = new Proxy(pair.socket, {});
      await exchange(pair, other);
      for (const way of ['ring', 'early', 'ring'] as const) {
        pays(way === 'ring');
        // Writes by either have it change, and both find it changed.
        await exchangeUntil({ ...pair, socket: way === 'early' ? other : pair.socket }, way);
        assert.deepEqual([wayOf(pair.socket), wayOf(other)], [way, way]);
        await exchange(pair, other);
      }
      other.destroy();
      assert.equal(pair.socket.destroyed, true);
      await once(pair.socket, 'close');
    });
  }
});
