// Below Linux 6.1 UDP sockets are Node's, and it is said, though those of TCP go through the ring from 6.0 on.
import assert from 'node:assert/strict';
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { createSocket } from '../../../src/dgram/index.ts';
import type { FallbackMessage } from '../../../src/reactor/available-reactor.ts';
import { defaultReactor } from '../../../src/reactor/default-reactor.ts';
import { age, refused } from '../../kernel/aged-kernel.ts';
import { LINUX_6_0 } from '../../ring/ages.ts';
import { fromTheFirstByte } from '../from-the-first-byte.ts';

fromTheFirstByte();

const told: FallbackMessage[] = [];
subscribe('iouring:fallback', (message) => told.push(message as FallbackMessage));
age(LINUX_6_0);

describe('iouring/dgram on Linux 6.0', () => {
  it('goes through Node, and one event says so, with the Linux that it needs', { timeout: 20_000 }, async () => {
    for (let i = 0; i < 2; i++) {
      const socket = createSocket('udp4').bind(0, '127.0.0.1');
      await once(socket, 'listening');
      socket.send('to itself', socket.address().port, '127.0.0.1');
      const [data] = (await once(socket, 'message')) as [Buffer];
      assert.equal(data.toString(), 'to itself');
      await new Promise<void>((resolve) => socket.close(resolve));
    }
    assert.equal(told.length, 1, 'once');
    assert.equal((told[0].error as NodeJS.ErrnoException).code, 'ERR_IOURING_UNSUPPORTED');
    assert.match(
      told[0].error.message,
      /^Cannot use io_uring for UDP: IORING_OP_SENDMSG_ZC needs Linux 6\.1, this is \d/,
    );
    assert.equal(defaultReactor().stats.submitted, 0);
    assert.deepEqual(refused, []);
  });
});
