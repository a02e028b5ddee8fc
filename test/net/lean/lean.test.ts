// The lean face of sockets, word by word, on each of its implementations.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { suite } from './lean-suite.ts';

// In Bun and Deno the second one would be the first without it. It is looked at when the modules are loaded.
process.env.IOURING_EAGER = '1';
const { connectLean } = await import('../../../src/net/lean/connect.ts');
const { listen } = await import('../../../src/net/lean/listen.ts');
const { connectThroughNode, listenThroughNode } = await import('../../../src/net/lean/node-lean.ts');

it('the second implementation is the ring in every runtime', () => {
  const listener = listen({ port: 0, socket: {} });
  listener.stop();
  assert.equal(listener.constructor.name, 'LeanListener');
});

suite('the lean face on node:net', { listen: listenThroughNode, connect: connectThroughNode });
suite('the lean face on the ring', { listen, connect: connectLean });
