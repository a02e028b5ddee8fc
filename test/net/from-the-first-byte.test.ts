// The ways that other tests have connections go: a way that does not do what its name says would have them test nothing.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { wayOf } from '../../src/net/dropin/changing-ways.ts';
import ours from '../../src/net/index.ts';
import { going, ways } from './from-the-first-byte.ts';

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Which way a client goes after each of so many writes. */
async function waysOf(writes: number): Promise<(string | undefined)[]> {
  const server = ours.createServer((socket) => void socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = ours.connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(client, 'connect');
  const seen: (string | undefined)[] = [];
  for (let i = 0; i < writes; i++) {
    client.write('x');
    await once(client, 'data');
    await turn();
    seen.push(wayOf(client));
  }
  client.destroy();
  server.close();
  await once(server, 'close');
  return seen;
}

const EXPECTED: Record<(typeof ways)[number], (seen: (string | undefined)[]) => boolean> = {
  'from the first byte on the ring': (seen) => seen.every((way) => way === 'ring'),
  'changing all the time': (seen) => seen.filter((way, i) => way !== seen[i - 1]).length > seen.length / 4,
  'on the ring when that pays': (seen) => seen.every((way) => way === 'early'),
};

describe('a connection that goes', () => {
  for (const way of ways) {
    it(`${way} does so`, async () => {
      const seen = await going(way, () => waysOf(40));
      assert.ok(EXPECTED[way](seen), seen.join(' '));
    });
  }
});
