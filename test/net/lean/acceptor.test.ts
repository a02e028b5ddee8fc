// The acceptor of the lean face beside others that wait on the same descriptor.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { AF_INET, SOCK_STREAM } from '../../../src/abi/index.ts';
import type { AcceptorOwner } from '../../../src/net/lean/any-acceptor.ts';
import { Acceptor } from '../../../src/net/lean/acceptor.ts';
import { addressOf, bindTo, closeNow, listenOn, openSocket } from '../../../src/net/transport/socket-calls.ts';
import { partsOf, Reactor } from '../../../src/reactor/reactor.ts';

describe('an acceptor', () => {
  it('given that another accept of its descriptor is aborted, goes on: it may have had the only wake-up', {
    timeout: 60_000,
  }, async () => {
    await using io = new Reactor();
    const fd = openSocket(AF_INET, SOCK_STREAM);
    assert.equal(bindTo(fd, { address: '127.0.0.1', port: 0 }), 0);
    assert.equal(listenOn(fd, 8), 0);
    const { port } = addressOf(fd, false) as AddressInfo;
    let acceptor: Acceptor;
    const accepted = new Promise<number>((resolve, reject) => {
      const owner: AcceptorOwner = { accepted: resolve, acceptFailed: reject };
      acceptor = new Acceptor(partsOf(io).engine, owner, fd);
      acceptor.start();
    });
    const controller = new AbortController();
    const aborted = io.accept(fd, { signal: controller.signal });
    await io.nop();
    controller.abort();
    await assert.rejects(aborted, { name: 'AbortError' });
    await io.nop();
    const client = connect(port, '127.0.0.1');
    await once(client, 'connect');
    const connection = await accepted;
    assert.ok(connection > 0);
    acceptor!.stop();
    client.destroy();
    closeNow(connection);
    closeNow(fd);
  });
});
