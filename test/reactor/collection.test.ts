// Garbage collection against operations in flight: what nobody refers to any more is kept as long as the kernel uses
// it, and no longer.
// slow: has garbage collected over and over
import assert from 'node:assert/strict';
import { readdirSync, writeSync } from 'node:fs';
import { describe } from 'node:test';
import { Reactor } from '../../src/index.ts';
import { it } from '../asking.ts';
import { collect, finalized } from '../kernel/collect.ts';
import { Descriptors } from '../kernel/libc.ts';

const FIELD = 0x5a;

/** Memory that takes the place of what was freed, if anything was. */
function sow(pieces: number, bytes: number): Uint8Array[] {
  return Array.from({ length: pieces }, () => new Uint8Array(new ArrayBuffer(bytes)).fill(FIELD));
}

async function isGone(reference: WeakRef<object>): Promise<boolean> {
  for (let i = 0; i < 20; i++) {
    await finalized();
    if (reference.deref() === undefined) return true;
  }
  return false;
}

describe('a buffer in flight that nobody refers to', () => {
  it('stays, though its promise is dropped too; what comes harms no other memory', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const pipes = Array.from({ length: 50 }, () => files.pipe());
    for (const [reader] of pipes) void io.read(reader, new Uint8Array(new ArrayBuffer(4096)));
    await io.nop();
    for (let i = 0; i < 5; i++) collect();
    const fields = sow(400, 4096);
    for (const [, writer] of pipes) writeSync(writer, Buffer.alloc(4096, 'late'));
    await io.sleep(5);
    assert.equal(io.stats.inFlight, 0);
    assert.ok(fields.every((field) => field.every((byte) => byte === FIELD)));
  });

  it('is free to be collected when its operation is over, done or aborted', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [reader, writer] = files.pipe();
    const done = await (async () => {
      const buffer = new Uint8Array(new ArrayBuffer(65536));
      const reading = io.read(reader, buffer);
      writeSync(writer, 'x');
      await reading;
      return new WeakRef(buffer);
    })();
    const aborted = await (async () => {
      const abort = new AbortController();
      const buffer = new Uint8Array(new ArrayBuffer(65536));
      const reading = io.read(reader, buffer, { signal: abort.signal });
      setImmediate(() => abort.abort());
      await assert.rejects(reading, { name: 'AbortError' });
      return new WeakRef(buffer);
    })();
    assert.ok(await isGone(done), 'of one that is done');
    assert.ok(await isGone(aborted), 'of one that was aborted');
  });

  it('of a reactor that nobody refers to: the promise settles all the same', async () => {
    using files = new Descriptors();
    const [reader, writer] = files.pipe();
    const reading = (() => new Reactor().read(reader, new Uint8Array(8)))();
    await finalized();
    writeSync(writer, 'there');
    assert.equal(await reading, 5);
  });
});

it('iterations that are abandoned give back what nobody took: buffers, and connections', async () => {
  using files = new Descriptors();
  await using io = new Reactor();
  const pairs = Array.from({ length: 20 }, () => files.socketPair());
  await (async () => {
    for (const [ours, theirs] of pairs) {
      writeSync(theirs, 'x'.repeat(100));
      await io.recvMany(ours).next();
    }
  })();
  // Until they have taken as much as they may, and are not armed any more.
  for (let i = 0; i < 100; i++) {
    for (const [, theirs] of pairs) writeSync(theirs, 'y');
    await io.nop();
  }
  const { fd, port } = files.listener();
  await (async () => {
    const first = io.acceptMany(fd).next();
    files.connect(port);
    files.own((await first).value!);
  })();
  for (let i = 0; i < 40; i++) {
    files.connect(port);
    await io.nop();
  }
  await io.sleep(1);
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const before = descriptors();
  for (let i = 0; i < 50 && (io.stats.buffersOut > 20 || descriptors() > before - 10); i++) await finalized();
  // The chunk that each had given out is its consumer's.
  assert.equal(io.stats.buffersOut, 20);
  assert.ok(descriptors() <= before - 10, 'connections that nobody took are closed');
  assert.equal(io.stats.inFlight, 0);
});

it('memory of allocate is unregistered when it is collected, and its place used again', async () => {
  await using io = new Reactor();
  const held: WeakRef<object>[] = [];
  // More than there are places, were none given back.
  for (let i = 0; i < 3000; i++) {
    const memory = io.allocate(4096);
    if (i === 0) held.push(new WeakRef(memory.buffer));
    if (i % 200 === 0) await finalized();
  }
  assert.ok(await isGone(held[0]));
  const last = io.allocate(4096);
  assert.notEqual(io.placeOf(last), undefined);
});

it('operations under constant collection: every byte is right', async () => {
  using files = new Descriptors();
  await using io = new Reactor();
  const [ours, theirs] = files.socketPair();
  const sent = Buffer.alloc(200_000, 'torture ');
  const sending = io.send(theirs, new Uint8Array(sent));
  const pieces: Uint8Array[] = [];
  let received = 0;
  while (received < sent.length) {
    const buffer = new Uint8Array(new ArrayBuffer(5000));
    const bytes = await io.recv(ours, buffer);
    pieces.push(buffer.subarray(0, bytes));
    received += bytes;
    collect();
  }
  await sending;
  assert.ok(Buffer.concat(pieces).equals(sent));
});
