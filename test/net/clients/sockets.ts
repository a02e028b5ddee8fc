// The same body over node:net, which is right, and over ours: what comes of it is the same, and nothing is left.
import assert from 'node:assert/strict';
import { once, type EventEmitter } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import * as node from 'node:net';
import type { TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { fromTheFirstByte } from '../from-the-first-byte.ts';
import { defaultReactor } from '../../../src/index.ts';
import * as ours from '../../../src/net/index.ts';
import { itWith } from './peer.ts';

fromTheFirstByte();

export type Net = typeof node;

/** What a body over ours has the reactor do at least. */
const OPERATIONS_MIN = 3;
/** So long a socket may take to be closed that belongs to nobody any more. */
const CLOSED_WITHIN_MS = 30_000;

/** Sockets that are open: when a body is over there are as many as before. */
function sockets(): number {
  const names = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return 'the folder itself';
    }
  });
  return names.filter((name) => name.startsWith('socket:')).length;
}

/** What comes of a body. The sockets that it opened are closed then. */
async function outcomeOf<T>(net: Net, body: (net: Net) => Promise<T>): Promise<T> {
  const before = sockets();
  const outcome = await body(net);
  for (const until = performance.now() + CLOSED_WITHIN_MS; sockets() > before;) {
    assert.ok(performance.now() < until, `${sockets() - before} sockets are left open`);
    await setImmediate();
  }
  return outcome;
}

/**
 * A test whose body is run over both. `check` looks at what came of it over node:net: what is compared with that is
 * compared with something. `way` is the one that bytes take over ours: node:tls and node:http2 keep libuv's handle of a
 * socket that nobody has used.
 */
export function itOnBoth<T>(
  programs: readonly string[],
  name: string,
  body: (net: Net, t: TestContext) => Promise<T>,
  check: (outcome: T) => void,
  way: 'ring' | "libuv's handles" = 'ring',
): void {
  itWith(programs, name, async (t) => {
    const io = defaultReactor();
    const expected = await outcomeOf(node, (net) => body(net, t));
    check(expected);
    const before = io.stats.submitted;
    const outcome = await outcomeOf(ours as unknown as Net, (net) => body(net, t));
    assert.deepEqual(outcome, expected);
    assert.equal(io.stats.submitted - before >= OPERATIONS_MIN ? 'ring' : "libuv's handles", way);
  });
}

/** A server whose connections come from sockets of a module. */
export interface Serving extends AsyncDisposable {
  readonly port: number;
}

/** Give `server`, which is not listening itself, the connections of a server of `net`. */
export async function serve(net: Net, server: EventEmitter, options: node.ServerOpts = {}): Promise<Serving> {
  const open = new Set<node.Socket>();
  const listener = net.createServer(options, (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    server.emit('connection', socket);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as node.AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(listener, 'close');
      listener.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
