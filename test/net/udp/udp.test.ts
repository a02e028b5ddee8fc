// UDP sockets beside node:dgram's own: the same is done with both, and the same must be seen.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import dgram, { type Socket, type SocketOptions, type SocketType } from 'node:dgram';
import { afterEach, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { createSocket, Socket as UdpSocket } from '../../../src/dgram/index.ts';
import { stateOf } from '../../../src/net/udp/node-dgram.ts';
import { worth } from '../../../src/net/udp/worth.ts';
import { withoutIPv6 } from '../../asking.ts';
import { fromTheFirstByte } from '../from-the-first-byte.ts';
import { pays } from './udp-ways.ts';
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

const asItIs = { ...worth };
afterEach(() => void Object.assign(worth, asItIs));

/** Ways that the datagrams of ours go; the answer ends it. */
const WAYS: { [way: string]: () => () => void } = {
  'through Node until it pays': () => () => undefined,
  'through the ring': () => {
    fromTheFirstByte();
    return () => undefined;
  },
  'through Node and the ring in turns': () => {
    let does = true;
    const change = (): void => pays(does = !does);
    change();
    const timer = setInterval(change, 1);
    return () => clearInterval(timer);
  },
};

describe('createSocket', () => {
  it('makes a dgram.Socket', () => {
    const socket = createSocket('udp4');
    assert.ok(socket instanceof UdpSocket && socket instanceof dgram.Socket);
    socket.close();
  });

  it('makes one that says to be what it is', () => {
    const socket = createSocket('udp4');
    const { constructor } = socket;
    assert.deepEqual([constructor, constructor.name, constructor.length], [UdpSocket, 'Socket', dgram.Socket.length]);
    assert.match(inspect(socket), /^(<ref \*1> )?Socket \{/);
    socket.close();
  });

  for (const [way, go] of Object.entries(WAYS)) {
    it(`given a descriptor that another socket receives by, fails as node:dgram, ${way}`, async () => {
      const failure = async (create: typeof theirs): Promise<unknown> => {
        const first = create('udp4').bind(0, '127.0.0.1');
        await once(first, 'listening');
        const { fd } = stateOf(first)!.handle!;
        const second = create('udp4');
        const bind = (): unknown => {
          try {
            return second.bind({ fd });
          } catch (error) {
            const { message, code, syscall } = error as NodeJS.ErrnoException;
            return { message, code, syscall };
          }
        };
        const failed = bind();
        first.close();
        second.close();
        await once(second, 'close');
        return failed;
      };
      const expected = await failure(theirs);
      assert.deepEqual(expected, { message: 'open EEXIST', code: 'EEXIST', syscall: 'open' });
      const end = go();
      assert.deepEqual(await failure(ours), expected);
      end();
    });

    for (const [name, scenario] of Object.entries(SCENARIOS)) {
      it(`as node:dgram, ${way}: ${name}`, { skip: name === 'IPv6' && withoutIPv6 }, async () => {
        const expected = await seen(theirs, scenario);
        assert.ok(Object.keys(expected).length > 2);
        const end = go();
        assert.deepEqual(await seen(ours, scenario), expected);
        end();
      });
    }
  }
});
