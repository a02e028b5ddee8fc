// The lean face of sockets, word by word, on each of its implementations.
import { connectLean } from '../../../src/net/lean/connect.ts';
import { listen } from '../../../src/net/lean/listen.ts';
import { connectThroughNode, listenThroughNode } from '../../../src/net/lean/node-lean.ts';
import { suite } from './lean-suite.ts';

suite('the lean face on node:net', { listen: listenThroughNode, connect: connectThroughNode });
suite('the lean face on the ring', { listen, connect: connectLean });
