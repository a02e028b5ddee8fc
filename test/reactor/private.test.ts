// What a program can reach from the objects that a reactor hands out: nothing of the engine behind them.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { POLLOUT } from '../../src/abi/index.ts';
import * as api from '../../src/index.ts';
import { Reactor } from '../../src/index.ts';
import { BufferPool, BufferPools, PooledGroup } from '../../src/reactor/buffer-pool.ts';
import { Engine } from '../../src/reactor/engine.ts';
import { Observer } from '../../src/reactor/observer.ts';
import { RegisteredFiles } from '../../src/reactor/registered-files.ts';
import { RegisteredMemory } from '../../src/reactor/registered-memory.ts';
import { Submission } from '../../src/reactor/submission.ts';
import { it } from '../asking.ts';
import { Descriptors } from '../kernel/libc.ts';

const INTERNAL = [BufferPool, BufferPools, Engine, Observer, PooledGroup, RegisteredFiles, RegisteredMemory,
  Submission];

/** Every object that can be reached by reading properties, with the way there. Getters of prototypes are asked, too. */
function* reachable(root: object): Generator<[way: string, found: object]> {
  const seen = new Set<unknown>([Object.prototype, Function.prototype, Promise.prototype, Array.prototype,
    Error.prototype]);
  const queue: [string, unknown, object][] = [['', root, root]];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const [way, found, owner] = next;
    if ((typeof found !== 'object' && typeof found !== 'function') || found === null || seen.has(found)) continue;
    seen.add(found);
    yield [way, found];
    // Memory has many properties, and none of interest.
    if (ArrayBuffer.isView(found)) continue;
    const self = Object.getPrototypeOf(owner) === found ? owner : found;
    queue.push([`${way}.__proto__`, Object.getPrototypeOf(found), self]);
    for (const key of Reflect.ownKeys(found)) {
      let value: unknown;
      try {
        value = Reflect.get(found, key, self);
      } catch {
        continue;
      }
      queue.push([`${way}.${String(key)}`, value, value as object]);
    }
  }
}

function assertPrivate(root: object, name: string): void {
  for (const [way, found] of reachable(root)) {
    const internal = INTERNAL.find((kind) => found instanceof kind || found === kind || found === kind.prototype);
    assert.equal(internal, undefined, `${name}${way} is of the engine: ${internal?.name}`);
    assert.ok(!(found instanceof api.IoUring), `${name}${way} is the reactor's ring`);
  }
}

describe('what a program can reach', () => {
  it('from a reactor, and from its class: not the engine, not the ring, not the buffers of others', async () => {
    await using io = new Reactor({ histograms: true });
    await io.nop();
    assertPrivate(io, 'io');
    assertPrivate(Reactor, 'Reactor');
    assert.deepEqual(Reflect.ownKeys(io), []);
  });

  it('from iterations, what they bring, and errors: likewise', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [ours, theirs] = files.socketPair();
    const { fd: listener, port } = files.listener();
    const iterations = {
      recvMany: io.recvMany(ours),
      recvmsgMany: io.recvmsgMany(theirs, { controllen: 64 }),
      acceptMany: io.acceptMany(listener),
      pollMany: io.pollMany(ours, POLLOUT),
      readMany: io.readMany(ours),
      messages: io.messages(),
    };
    for (const [name, iteration] of Object.entries(iterations)) assertPrivate(iteration, name);
    await io.send(theirs, 'to ours');
    await io.send(ours, 'to theirs');
    files.connect(port);
    for (const [name, iteration] of Object.entries(iterations)) {
      if (name === 'messages' || name === 'readMany') continue;
      const { value } = await iteration.next();
      if (typeof value === 'object') assertPrivate(value, name);
      else if (name === 'acceptMany') files.own(value!);
    }
    for (const [name, iteration] of Object.entries(iterations)) {
      assertPrivate(iteration, name);
      await iteration.return!();
    }
    const linked = await io.chain([['nop'], ['open', '/nowhere/at/all', 0]]).catch((reason: unknown) =>
      reason as object
    );
    const late = await io.sleep(1000, { timeoutMs: 1 }).catch((reason: unknown) => reason as object);
    assertPrivate(linked, 'LinkError');
    assertPrivate(late as object, 'TimeoutError');
  });

  it('by options that only the package has: they are not looked at', async () => {
    await using io = new Reactor();
    const handed: unknown[] = [];
    const outcome = {
      waits: false,
      value: (...all: unknown[]) => handed.push(all),
      failed: (...all: unknown[]) => void handed.push(all),
      discard: (...all: unknown[]) => handed.push(all),
    };
    assert.equal(await io.nop({ outcome } as object), 0);
    await assert.rejects(io.open('/nowhere/at/all', 0, { outcome } as object), { code: 'ENOENT' });
    await assert.rejects(io.nop({ outcome, timeoutMs: -1 } as object), { code: 'ERR_OUT_OF_RANGE' });
    const sequence = {
      name: 'nop',
      fd: -1,
      waits: false,
      subject: undefined,
      prepare: (...all: unknown[]) => handed.push(all),
      value: () => 0,
      failed: () => {},
    };
    assert.throws(() => io.perform(sequence as never), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.deepEqual(handed, []);
  });
});
