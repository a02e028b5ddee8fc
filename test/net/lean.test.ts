// The lean face of sockets, word by word, on each of its implementations.
import { connectThroughNode, listenThroughNode } from '../../src/net/node-lean.ts';
import { suite } from './lean-suite.ts';

suite('the lean face on node:net', { listen: listenThroughNode, connect: connectThroughNode });
