// Below Linux 6.0 sockets are Node's, and it is said; files still go through the ring.
import { fromTheFirstByte } from './from-the-first-byte.ts';
import assert from 'node:assert/strict';
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { describe, it } from 'node:test';
import net from '../../src/net/index.ts';
import type { FallbackMessage } from '../../src/reactor/available-reactor.ts';
import { listen } from '../../src/socket/index.ts';
import { age, refused } from '../kernel/aged-kernel.ts';
import { LINUX_5_15 } from '../ring/ages.ts';

fromTheFirstByte();

const told: FallbackMessage[] = [];
subscribe('iouring:fallback', (message) => told.push(message as FallbackMessage));
age(LINUX_5_15);

describe('iouring/net on Linux 5.15', () => {
  it('goes through Node, and one event says so, with the Linux that it needs', { timeout: 20_000 }, async () => {
    const server = net.createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const socket = net.connect(port, '127.0.0.1');
    const [data] = (await once(socket, 'data')) as [Buffer];
    assert.equal(data.toString(), 'hello');
    assert.equal((socket as Socket & { _handle: object })._handle.constructor.name, 'TCP');
    server.close();
    await once(server, 'close');
    const listener = listen({ hostname: '127.0.0.1', port: 0, socket: {} });
    listener.stop(true);
    assert.equal(told.length, 1, 'once');
    const [{ module, error }] = told;
    assert.equal(module, 'iouring/net');
    assert.equal((error as NodeJS.ErrnoException).code, 'ERR_IOURING_UNSUPPORTED');
    assert.match(
      error.message,
      /^Cannot use io_uring for iouring\/net: IORING_OP_SEND_ZC needs Linux 6\.0, this is \d/,
    );
    assert.deepEqual(refused, []);
  });
});
