// The buffers that all receives of a reactor share: they grow with the need, and what is not used any more is given
// back.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, mock, type TestContext } from 'node:test';
import { Reactor } from '../../src/index.ts';
import { BufferPool, type Starved } from '../../src/reactor/buffer-pool.ts';
import type { IoUring } from '../../src/ring/io-uring.ts';
import { it } from '../asking.ts';
import { Descriptors } from '../kernel/libc.ts';

const MIB = 2 ** 20;
/** What the pool waits between two looks, and what it waits here. */
const LOOK_MS = 1000;
const QUICK_MS = 5;

/** Have a pool's seconds pass at once. How many of its timers there are. */
function quickLooks(): { readonly pending: number } & Disposable {
  const real = setTimeout;
  let pending = 0;
  const quick = (call: () => void, ms?: number): NodeJS.Timeout => {
    if (ms !== LOOK_MS) return real(call, ms);
    pending++;
    return real(() => {
      pending--;
      call();
    }, QUICK_MS);
  };
  const mocked = mock.method(globalThis, 'setTimeout', quick as typeof setTimeout);
  return {
    get pending() {
      return pending;
    },
    [Symbol.dispose]: () => mocked.mock.restore(),
  };
}

/** The bytes that this process has in memory. */
function resident(): number {
  return Number(/^Rss:\s+(\d+) kB/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))![1]) * 1024;
}

/** Wait until something is the case. */
async function until(io: Reactor, what: string, isSo: () => boolean): Promise<void> {
  for (let ms = 0; !isSo(); ms += 2) {
    assert.ok(ms < 5000, what);
    await io.sleep(2);
  }
}

describe('the buffers of a reactor', () => {
  it('given many slow consumers that are gone, go back to the system, but for those that are held', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const pairs = Array.from({ length: 30 }, () => files.socketPair());
    const iterations = pairs.map(([ours]) => io.recvMany(ours));
    // All of it fits into the buffers that there may be: each consumer gets a large one.
    const data = Buffer.alloc(MIB, 'some data ');
    using looks = quickLooks();
    const before = resident();
    const sending = pairs.map(([, theirs]) => io.send(theirs, data).catch(() => {}));
    const received = new Map<unknown, number>();
    // Each is read from until its data comes in the large buffers; then as much as waits for a consumer is left
    // waiting. It can be that all of it has come in small ones by then: the kernel may move what one of them is sent
    // from socket to buffers within one system call, and is asked for large ones after it.
    const holding = iterations.map(async (iteration) => {
      for (;;) {
        const chunk = (await iteration.next()).value!;
        const total = (received.get(iteration) ?? 0) + chunk.bytes.length;
        received.set(iteration, total);
        if (chunk.bytes.length > 4096 || total === data.length) return chunk;
      }
    });
    const chunks = await Promise.all(holding);
    await until(io, 'memory is taken', () => resident() - before > 16 * MIB);
    const taken = resident();
    assert.ok(looks.pending > 0);

    // One is not given back.
    const kept = chunks[0];
    const text = Buffer.from(kept.copy()).toString('latin1');
    const view = kept.bytes;
    for (const chunk of chunks.slice(1)) chunk[Symbol.dispose]();
    await Promise.all(iterations.slice(1).map((iteration) => iteration.return!()));
    await until(io, 'memory is given back', () => taken - resident() > 10 * MIB);
    assert.equal(Buffer.from(view.buffer, view.byteOffset, view.length).toString('latin1'), text);

    // The connection goes on, whatever its receive was armed on.
    let total = received.get(iterations[0])!;
    while (total < data.length) {
      const { bytes } = (await iterations[0].next()).value!;
      for (let i = 0; i < bytes.length; i += 997) assert.equal(bytes[i], data[total + i]);
      total += bytes.length;
    }
    await iterations[0].return!();
    for (const [ours, theirs] of pairs) {
      files.close(ours);
      files.close(theirs);
    }
    await Promise.all(sending);
    // Nothing is left that could be given back: nobody looks any more.
    await until(io, 'nobody looks', () => looks.pending === 0);
    assert.equal(io.stats.buffersOut, 0);
  });

  it('given no shortage, are looked after by no timer', async () => {
    using files = new Descriptors();
    using looks = quickLooks();
    await using io = new Reactor();
    const [ours, theirs] = files.socketPair();
    const iteration = io.recvMany(ours);
    for (let i = 0; i < 100; i++) {
      await io.send(theirs, 'message');
      assert.equal((await iteration.next()).value!.bytes.length, 7);
    }
    assert.equal(looks.pending, 0);
  });
});

/** A ring that makes groups of nothing, and takes note of which it has. */
function groupsOnly(): {
  readonly ring: IoUring;
  readonly sizes: Map<number, number>;
  inUse: Set<number>;
  cqReady: number;
} {
  const sizes = new Map<number, number>();
  const kernel = {
    sizes,
    /** Ids that receives in flight still name. */
    inUse: new Set<number>(),
    cqReady: 0,
    cqHasOverflow: false,
    closed: false,
    registerBufRing(entries: number, bufSize: number, group: number) {
      if (sizes.has(group) || kernel.inUse.has(group)) {
        throw Object.assign(new Error('it is there'), { code: 'EEXIST' });
      }
      sizes.set(group, entries);
      const memory = new Uint8Array(entries * bufSize);
      return { group, entries, bytes: () => memory, recycle: () => {}, [Symbol.dispose]: () => sizes.delete(group) };
    },
  };
  return Object.assign(kernel, { ring: kernel as unknown as IoUring });
}

const STARVED: Starved = { fed: () => {} };

/** All buffers taken: more are asked for. */
function exhaust(pool: BufferPool): () => void {
  const group = pool.pick();
  const taken = Array.from({ length: group.left }, (_, bid) => (group.take(bid, 1), bid));
  assert.equal(pool.feed(STARVED, group), true);
  return () => taken.forEach((bid) => group.give(bid));
}

describe('a pool', () => {
  const total = (sizes: Map<number, number>): number => [...sizes.values()].reduce((sum, entries) => sum + entries, 0);
  /** Let so many seconds pass. */
  const pass = (t: TestContext, looks: number): void => {
    for (; looks > 0; looks--) t.mock.timers.tick(LOOK_MS);
  };
  const counter = (): () => number => {
    let last = 0;
    return () => last++ % 8;
  };

  it('given three seconds in which half was unused, gives that back, and no sooner', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { ring, sizes } = groupsOnly();
    const pool = new BufferPool(ring, 16, 4, counter());
    const [first, second, third] = [exhaust(pool), exhaust(pool), exhaust(pool)];
    assert.equal(total(sizes), 32);
    // 16 are out.
    pass(t, 10);
    assert.equal(total(sizes), 32);
    third();
    pass(t, 1);
    assert.equal(total(sizes), 32);
    pass(t, 3);
    // 8 are out.
    assert.equal(total(sizes), 16);
    second();
    first();
    pass(t, 4);
    assert.equal(total(sizes), 4);
  });

  it('given buffers that are filled all the time, gives back half of the others at a time', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { ring, sizes } = groupsOnly();
    const pool = new BufferPool(ring, 16, 4, counter());
    for (const back of [exhaust(pool), exhaust(pool), exhaust(pool)]) back();
    const use = (): void => {
      const group = pool.pick();
      group.takeView(0, 1);
      group.give(0);
    };
    const seen: number[] = [];
    for (let i = 0; i < 14; i++) {
      use();
      pass(t, 1);
      if (seen.at(-1) !== total(sizes)) seen.push(total(sizes));
    }
    assert.deepEqual(seen, [32, 16, 8, 4]);
  });

  it('given that it soon needs what it gave back, waits longer the next time', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { ring, sizes } = groupsOnly();
    const pool = new BufferPool(ring, 16, 4, counter());
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      exhaust(pool)();
      assert.equal(total(sizes), 8);
      let looks = 0;
      for (; total(sizes) > 4; looks++) pass(t, 1);
      waits.push(looks);
    }
    // The first look comes after the shortage itself.
    assert.deepEqual(waits, [4, 7, 13, 25]);
  });

  it('takes no id that a receive in flight still names, and does not run out of ids', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const kernel = groupsOnly();
    const { ring, sizes } = kernel;
    const pool = new BufferPool(ring, 16, 4, counter());
    kernel.inUse.add(3).add(5);
    for (let i = 0; i < 20; i++) {
      exhaust(pool)();
      assert.equal(total(sizes), 8);
      while (total(sizes) > 4) pass(t, 1);
    }
    assert.ok(!sizes.has(3) && !sizes.has(5));
  });

  it('that has given a group back: receives that it ends are armed anew, and that is no shortage', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { ring, sizes } = groupsOnly();
    const pool = new BufferPool(ring, 16, 4, counter());
    const back = exhaust(pool);
    const retired = pool.pick();
    back();
    pass(t, 4);
    assert.equal(total(sizes), 4);
    assert.equal(retired.isRetired, true);
    for (let i = 0; i < 1000; i++) assert.equal(pool.feed(STARVED, retired), true);
    assert.equal(total(sizes), 4);
    assert.equal(pool.pick().isRetired, false);
  });

  it('keeps the memory of a group as long as a completion may tell of data in it', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const kernel = groupsOnly();
    const { ring, sizes } = kernel;
    const pool = new BufferPool(ring, 16, 4, counter());
    const back = exhaust(pool);
    const group = pool.pick();
    back();
    const discard = t.mock.method(group, 'discard');
    kernel.cqReady = 1;
    pass(t, 10);
    assert.equal(total(sizes), 4);
    assert.equal(discard.mock.callCount(), 0);
    // It is reaped: a buffer of that group.
    group.take(1, 1);
    kernel.cqReady = 0;
    pass(t, 3);
    assert.deepEqual(discard.mock.calls.map(({ result }) => result), [false, false, false]);
    group.give(1);
    group.reads = 1;
    pass(t, 1);
    group.reads = 0;
    pass(t, 3);
    assert.deepEqual(discard.mock.calls.slice(3).map(({ result }) => result), [false, true]);
  });
});
