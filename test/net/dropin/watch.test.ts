// A socket that is Node's is Node's altogether: nothing of ours is between its methods and its handle, and only a few of
// its writes are looked at.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as node from 'node:net';
import { describe, it } from 'node:test';
import * as ours from '../../../src/net/index.ts';
import { observe } from '../../../src/net/dropin/watch.ts';
import { worth } from '../../../src/net/dropin/worth.ts';

/** What those members of a socket are that stand on prototypes, but for what was said of them. */
function membersOf(socket: object, but: readonly string[]): unknown[] {
  const prototype = Object.getPrototypeOf(socket) as object;
  const names = Reflect.ownKeys(node.Socket.prototype).filter((name) => !but.includes(String(name)));
  return names.map((name) => {
    const owner = ownerOf(prototype, name);
    const { get, set, value } = Object.getOwnPropertyDescriptor(owner, name)!;
    return [name, get, set, value];
  });
}

function ownerOf(object: object, name: string | symbol): object {
  return Object.hasOwn(object, name) ? object : ownerOf(Object.getPrototypeOf(object) as object, name);
}

it('given few messages, sockets have Node’s members and no other properties, but for what counts writes and orders events', async () => {
  const all = await Promise.all([ours, node].map(async (net) => {
    const server = net.createServer((socket) => void socket.pipe(socket)).listen(0, '127.0.0.1');
    const accepted = once(server, 'connection') as Promise<[node.Socket]>;
    await once(server, 'listening');
    const client = net.connect((server.address() as node.AddressInfo).port, '127.0.0.1');
    const [socket] = await accepted;
    for (let i = 0; i < 100; i++) {
      client.write('x');
      await once(client, 'data');
    }
    const seen = [socket, client].map((one) => [
      Reflect.ownKeys(one).map(String),
      ...membersOf(one, ['constructor', '_writeGeneric', 'connect']),
    ]);
    client.destroy();
    server.close();
    await once(server, 'close');
    return seen;
  }));
  assert.deepEqual(all[0], all[1]);
});

describe('how many writes are looked at', () => {
  /** Of so many writes of two sockets in one turn of the loop. */
  function looksAt(writes: number): number {
    const sockets = [new node.Socket(), new node.Socket()];
    let looks = 0;
    for (let written = 0; written < writes; looks++) written += observe(sockets[looks % 2]);
    return looks;
  }

  it('given two sockets that write much in a turn, fewer and fewer', () => {
    const [first, second] = [looksAt(200_000), looksAt(2_000_000)];
    assert.ok(first > worth.unwatched / 1024 && first < 20_000, `${first}`);
    assert.ok(second < 60_000, `${second}`);
  });

  it('given that each is to be looked at, each', () => {
    const { rest } = worth;
    worth.rest = 0;
    assert.equal(looksAt(5000), 5000);
    worth.rest = rest;
  });
});
