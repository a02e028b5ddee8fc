// UDP sockets beside node:dgram's own: the same is done with both, and the same must be seen.
import assert from 'node:assert/strict';
import dgram, { type Socket, type SocketOptions, type SocketType } from 'node:dgram';
import { describe, it } from 'node:test';
import { createSocket, UdpSocket } from '../../../src/net/udp/module.ts';
import { Record, SCENARIOS } from './udp-scenarios.ts';

/** Types: wherever a socket of node:dgram is wanted, ours does. */
const ours: (type: SocketType | SocketOptions) => Socket = createSocket;
const theirs = (type: SocketType | SocketOptions): Socket => dgram.createSocket(type as SocketType);

async function seen(create: typeof theirs, scenario: (record: Record) => Promise<void>): Promise<Record['seen']> {
  const record = new Record(create);
  await scenario(record);
  await record.closeAll();
  return record.isAmbiguous ? seen(create, scenario) : record.seen;
}

describe('createSocket', () => {
  it('makes a dgram.Socket', () => {
    const socket = createSocket('udp4');
    assert.ok(socket instanceof UdpSocket && socket instanceof dgram.Socket);
    socket.close();
  });

  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    it(`as node:dgram: ${name}`, async () => {
      const expected = await seen(theirs, scenario);
      assert.ok(Object.keys(expected).length > 2);
      assert.deepEqual(await seen(ours, scenario), expected);
    });
  }
});
