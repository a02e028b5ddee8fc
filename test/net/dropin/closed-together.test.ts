// Many connections that are closed in one tick: what that takes grows with their number, and not faster.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as node from 'node:net';
import { it } from 'node:test';
import ours from '../../../src/net/index.ts';
import { koffiNative } from '../../../src/native/koffi.ts';
import { fromTheFirstByte } from '../from-the-first-byte.ts';
import { currentEngine, turn } from './changing.ts';

fromTheFirstByte();

interface Taken {
  /** Completions that were looked at. */
  readonly looked: number;
  /** Calls of io_uring_enter(2). */
  readonly enters: number;
}

/** What it takes to close so many connections in one tick, of each of which a send has completed that nobody was told of. */
async function closing(count: number): Promise<Taken> {
  const server = node.createServer((socket) => void socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as node.AddressInfo;
  const sockets: node.Socket[] = [];
  for (let i = 0; i < count; i++) sockets.push(ours.connect(port, '127.0.0.1').resume());
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  for (let i = 0; i < 5; i++) await turn();
  const engine = currentEngine();
  for (const socket of sockets) socket.write('x');
  // The sends go to the kernel, and complete.
  engine.flush();
  const native = koffiNative();
  const asBefore = { ...native };
  let looked = 0;
  let enters = 0;
  const { peek } = engine;
  engine.peek = (...args) => {
    const one = peek.apply(engine, args);
    looked += one;
    return one;
  };
  for (const name of ['enter', 'enterWith'] as const) {
    const call = asBefore[name] as (...args: unknown[]) => number;
    native[name] = (...args: unknown[]) => {
      enters++;
      return call(...args);
    };
  }
  for (const socket of sockets) socket.destroy();
  await new Promise<void>((resolve) => process.nextTick(resolve));
  Object.assign(native, asBefore);
  Reflect.deleteProperty(engine, 'peek');
  await Promise.all(sockets.map(async (socket) => void (socket.closed || (await once(socket, 'close')))));
  server.close();
  await once(server, 'close');
  return { looked, enters };
}

it('given twice as many, it looks at twice as many completions, and makes twice as many calls', async () => {
  const few = await closing(250);
  const many = await closing(500);
  assert.ok(few.looked >= 250, String(few.looked));
  assert.ok(many.looked <= 2.1 * few.looked, `${few.looked} ${many.looked}`);
  assert.ok(many.enters <= 2.1 * few.enters, `${few.enters} ${many.enters}`);
  // Beside a call for each that closes its descriptor they are few.
  assert.ok(many.enters <= 500 / 8, String(many.enters));
});
