// Provided buffers of the first kind: given and taken back by operations.
import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { ENOBUFS, ENOENT } from '../../../src/abi/errno.ts';
import type { Completion, IoUring } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { finalized } from '../collect.ts';
import { Descriptors } from '../libc.ts';
import { complete } from '../reap.ts';
import { completions } from './completions.ts';
import { openRing } from './recorder.ts';
import { any, refused } from './refused.ts';

/** The kernel has taken the buffers that it was given. Before Linux 5.19 it may answer with a group, or a number of them. */
function assertGiven({ res }: Completion): void {
  assert.ok(without('5.19', '0 for buffers that were taken') ? res >= 0 : res === 0, `${res}`);
}

/** Read what is in a pipe into a buffer of group `bgid`. */
function readInto(ring: IoUring, reader: number, bgid: number, length = 4): Completion {
  ring.prepRead(reader, null, length, 1);
  ring.sqeSetBufGroup(bgid);
  return complete(ring);
}

it('IORING_OP_PROVIDE_BUFFERS: each is handed out once, by its id, in the order they were given', {
  skip: without('5.19', 'provided buffers in their order'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  const memory = Buffer.alloc(12);
  ring.prepProvideBuffers(memory, 4, 3, 7, 65533, 1);
  assertGiven(complete(ring));
  writeSync(writer, 'aaaabbbbcc');
  const found = [readInto(ring, reader, 7), readInto(ring, reader, 7), readInto(ring, reader, 7)];
  assert.deepEqual(found.map((c) => [c.res, c.bufferId()]), [[4, 65533], [4, 65534], [2, 65535]]);
  assert.equal(memory.toString(), 'aaaabbbbcc\0\0');
  writeSync(writer, 'dddd');
  const none = readInto(ring, reader, 7);
  assert.deepEqual([none.res, none.bufferId()], [-ENOBUFS, undefined]);
});

it('IORING_OP_PROVIDE_BUFFERS: those handed out are given again, and nothing was lost meanwhile', {
  skip: without('5.19', 'provided buffers in their order'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  const memory = Buffer.alloc(8);
  ring.prepProvideBuffers(memory, 4, 2, 0, 0, 1);
  assertGiven(complete(ring));
  for (let i = 0; i < 50; i++) {
    writeSync(writer, `${1000 + i}`);
    const c = readInto(ring, reader, 0);
    assert.deepEqual([c.res, c.bufferId()], [4, i % 2]);
    const at = c.bufferId()! * 4;
    assert.equal(memory.toString('utf8', at, at + 4), `${1000 + i}`);
    ring.prepProvideBuffers(memory.subarray(at, at + 4), 4, 1, 0, c.bufferId()!, 2);
    assertGiven(complete(ring));
  }
});

it('IORING_OP_PROVIDE_BUFFERS: for a multishot receive, until they are used up', {
  skip: without('6.0', 'IORING_RECV_MULTISHOT'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  const memory = Buffer.alloc(8);
  ring.prepProvideBuffers(memory, 4, 2, 65535, 10, 1);
  assertGiven(complete(ring));
  writeSync(b, '1234567890');
  ring.prepRecvMultishot(a, 65535, 2);
  const found = completions(ring, 3);
  assert.deepEqual(found.map((c) => [c.res, c.bufferId()]), [[4, 10], [4, 11], [-ENOBUFS, undefined]]);
  assert.deepEqual(found.map((c) => c.hasMore()), [true, true, false]);
  assert.equal(memory.toString(), '12345678');
});

it('IORING_OP_PROVIDE_BUFFERS: the memory is kept while the kernel has it, and no longer', {
  skip: without('5.19', 'provided buffers in their order'),
}, async () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  const provide = (bgid: number): WeakRef<Uint8Array> => {
    const memory = new Uint8Array(64);
    ring.prepProvideBuffers(memory, 32, 2, bgid, 0, 1);
    assertGiven(complete(ring));
    return new WeakRef(memory);
  };
  const [used, removed] = [provide(1), provide(2)];
  await finalized();
  assert.ok(used.deref() && removed.deref(), 'nobody but the ring refers to them');
  writeSync(writer, 'xyz');
  assert.equal(readInto(ring, reader, 1).res, 3);
  await finalized();
  assert.equal(Buffer.from(used.deref()!).toString('utf8', 0, 3), 'xyz', 'the kernel has the other half');
  writeSync(writer, 'xyz');
  assert.equal(readInto(ring, reader, 1).res, 3);
  ring.prepRemoveBuffers(2, 2, 1);
  assert.equal(complete(ring).res, 2);
  await finalized();
  assert.equal(used.deref(), undefined);
  assert.equal(removed.deref(), undefined);
});

it('IORING_OP_PROVIDE_BUFFERS: memory that the kernel did not take is not kept', async () => {
  using ring = openRing(8);
  ring.registerBufRing(2, 16, 3);
  const provide = (): WeakRef<Uint8Array> => {
    const memory = new Uint8Array(64);
    ring.prepProvideBuffers(memory, 32, 2, 3, 0, 1);
    assert.ok(complete(ring).res < 0, 'a buffer ring has the group');
    return new WeakRef(memory);
  };
  const memory = provide();
  await finalized();
  assert.equal(memory.deref(), undefined);
});

it('IORING_OP_PROVIDE_BUFFERS: of one group several times, from different memory', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  const chunks = [Buffer.alloc(4), Buffer.alloc(4), Buffer.alloc(4)];
  for (const [i, chunk] of chunks.entries()) ring.prepProvideBuffers(chunk, 4, 1, 7, i, i);
  completions(ring, 3).forEach(assertGiven);
  writeSync(writer, 'aaaabbbbcccc');
  assert.deepEqual([0, 1, 2].map(() => readInto(ring, reader, 7).bufferId()).sort(), [0, 1, 2]);
  assert.deepEqual(chunks.map(String).sort(), ['aaaa', 'bbbb', 'cccc']);
});

it('IORING_OP_PROVIDE_BUFFERS: misuse throws, and queues nothing', () => {
  using ring = openRing(8);
  const memory = new Uint8Array(64);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepProvideBuffers(memory, 0, 1, 0, 0, 1),
    () => ring.prepProvideBuffers(memory, 65, 1, 0, 0, 1),
    () => ring.prepProvideBuffers(memory, 32, 3, 0, 0, 1),
    () => ring.prepProvideBuffers(memory, 32, 0, 0, 0, 1),
    () => ring.prepProvideBuffers(memory, 1, 65537, 0, 0, 1),
    () => ring.prepProvideBuffers(memory, 32, 1, 65536, 0, 1),
    () => ring.prepProvideBuffers(memory, 32, 1, -1, 0, 1),
    () => ring.prepProvideBuffers(memory, 32, 2, 0, 65535, 1),
    () => ring.prepProvideBuffers(memory, 32, 1, 0, 0, -1),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepProvideBuffers(any(null), 32, 1, 0, 0, 1),
    () => ring.prepProvideBuffers(any([1]), 1, 1, 0, 0, 1),
    () => ring.prepProvideBuffers(memory, any('32'), 1, 0, 0, 1),
  ]);
});

it('IORING_OP_REMOVE_BUFFERS: takes so many out of the group, or all there are', {
  skip: without('6.10', 'ENOENT for a group that there never was'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  ring.prepProvideBuffers(new Uint8Array(16), 4, 4, 7, 0, 1);
  assertGiven(complete(ring));
  ring.prepRemoveBuffers(1, 7, 2);
  assert.equal(complete(ring).res, 1);
  writeSync(writer, 'x');
  assert.equal(readInto(ring, reader, 7).res, 1);
  ring.prepRemoveBuffers(65536, 7, 3);
  assert.equal(complete(ring).res, 2);
  writeSync(writer, 'x');
  assert.equal(readInto(ring, reader, 7).res, -ENOBUFS);
  ring.prepRemoveBuffers(1, 7, 4);
  assert.ok([0, -ENOENT].includes(complete(ring).res), 'there are none left');
  ring.prepRemoveBuffers(1, 8, 5);
  assert.equal(complete(ring).res, -ENOENT, 'there never was such a group');
});

it('IORING_OP_REMOVE_BUFFERS: a group that was emptied can be filled again', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  for (let i = 0; i < 3; i++) {
    const memory = Buffer.alloc(8);
    ring.prepProvideBuffers(memory, 4, 2, 7, 0, 1);
    assertGiven(complete(ring));
    writeSync(writer, 'abcd');
    const c = readInto(ring, reader, 7);
    assert.equal(c.res, 4);
    const at = c.bufferId()! * 4;
    assert.equal(memory.toString('utf8', at, at + 4), 'abcd');
    ring.prepRemoveBuffers(2, 7, 1);
    assert.equal(complete(ring).res, 1);
  }
});

it('IORING_OP_REMOVE_BUFFERS: misuse throws, and queues nothing', () => {
  using ring = openRing(8);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepRemoveBuffers(0, 1, 1),
    () => ring.prepRemoveBuffers(65537, 1, 1),
    () => ring.prepRemoveBuffers(1, -1, 1),
    () => ring.prepRemoveBuffers(1, 65536, 1),
    () => ring.prepRemoveBuffers(1, 1, -1),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepRemoveBuffers(any('1'), 1, 1),
    () => ring.prepRemoveBuffers(1, any(null), 1),
  ]);
});
