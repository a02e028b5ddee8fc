// Registered buffers: what the kernel does with the table, and what it refuses.
import assert from 'node:assert/strict';
import { openSync, readFileSync } from 'node:fs';
import { EFAULT } from '../../../src/abi/errno.ts';
import { allocateAligned } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { finalized } from '../collect.ts';
import { Descriptors } from '../libc.ts';
import { completions, results } from '../operations/completions.ts';
import { openRing } from '../operations/recorder.ts';
import { any, refused } from '../operations/refused.ts';
import { complete } from '../reap.ts';
import { Temporary } from '../temporary.ts';

it('IORING_REGISTER_BUFFERS: reads and writes by index; a second table is EBUSY; other memory is EFAULT', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const path = folder.file('data', 'abcdefgh');
  const fd = files.own(openSync(path, 'r+'));
  const buffers = [allocateAligned(4096), allocateAligned(8192)];
  ring.registerBuffers(buffers);
  assert.throws(() => ring.registerBuffers(buffers), {
    code: 'EBUSY',
    syscall: 'io_uring_register',
    message: /unregisterBuffers/,
  });
  const inside = buffers[1].subarray(100, 104);
  ring.prepRead(fd, inside, 4, 1, 2, { fixed: 1 });
  assert.equal(complete(ring).res, 4);
  assert.equal(Buffer.from(inside).toString(), 'cdef');
  ring.prepWrite(fd, inside, 4, 1, 8, { fixed: 1 });
  assert.equal(complete(ring).res, 4);
  assert.equal(readFileSync(path, 'utf8'), 'abcdefghcdef');
  for (const [buffer, fixed] of [[inside, 0], [new Uint8Array(4), 1], [inside, 2], [inside, 65535]] as const) {
    ring.prepRead(fd, buffer, 4, 1, 0, { fixed });
    assert.equal(complete(ring).res, -EFAULT, `table place ${fixed}`);
  }
});

it('IORING_UNREGISTER_BUFFERS: the table is gone; without one ENXIO', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const fd = files.own(openSync('/dev/zero', 'r'));
  const buffer = new Uint8Array(64).fill(1);
  assert.throws(() => ring.unregisterBuffers(), { code: 'ENXIO', message: /no buffers are registered/ });
  ring.registerBuffers([buffer]);
  ring.unregisterBuffers();
  ring.prepRead(fd, buffer, 64, 1, 0, { fixed: 0 });
  assert.equal(complete(ring).res, -EFAULT);
  ring.registerBuffers([buffer]);
  ring.prepRead(fd, buffer, 64, 1, 0, { fixed: 0 });
  assert.equal(complete(ring).res, 64);
  assert.ok(buffer.every((byte) => byte === 0));
});

it('IORING_REGISTER_BUFFERS2: a sparse table is filled and emptied place by place', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const fd = files.own(openSync('/dev/zero', 'r'));
  ring.registerBuffersSparse(4);
  const buffer = new Uint8Array(64).fill(1);
  const read = (fixed: number): number => {
    ring.prepRead(fd, buffer, 64, 1, 0, { fixed });
    return complete(ring).res;
  };
  assert.equal(read(2), -EFAULT);
  assert.equal(ring.registerBuffersUpdate(2, [buffer]), 1);
  assert.deepEqual([read(1), read(2), read(3)], [-EFAULT, 64, -EFAULT]);
  assert.equal(ring.registerBuffersUpdate(1, [buffer, null, buffer]), 3);
  assert.deepEqual([read(1), read(2), read(3)], [64, -EFAULT, 64]);
  assert.throws(() => ring.registerBuffersUpdate(4, [buffer]), { code: 'EINVAL' });
});

const tagsByUse = { skip: without('6.13', 'tags in the order of use, not of replacement') };
it('IORING_REGISTER_BUFFERS_UPDATE: a tag is told when the last user of what was replaced is done', tagsByUse, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  const old = new Uint8Array(64);
  ring.registerBuffers([old, new Uint8Array(8)], { tags: [2n ** 63n + 7n, 0] });
  ring.prepRead(reader, old, 4, 1, null, { fixed: 0 });
  ring.submit();
  ring.registerBuffersUpdate(0, [new Uint8Array(64), new Uint8Array(8)], { tags: [5, 6] });
  ring.submitAndWait(0);
  assert.deepEqual(ring.copyCompletions().length, 0, 'the read still uses the old one; tag 0 is none');
  using other = openRing(8);
  other.prepWrite(writer, Buffer.from('data'), 4, 1);
  assert.equal(complete(other).res, 4);
  const found = completions(ring, 2);
  assert.deepEqual(found.map((c) => c.userData64).sort(), [1n, 2n ** 63n + 7n]);
  assert.equal(Buffer.from(old).toString('utf8', 0, 4), 'data');
  ring.unregisterBuffers();
  assert.deepEqual([...results(ring, 2)].sort(), [[5, 0], [6, 0]]);
});

it('IORING_REGISTER_BUFFERS: tags that a failed registration was given are never told', {
  skip: without('5.13', 'tags'),
}, () => {
  using ring = openRing(8);
  const buffer = new Uint8Array(8);
  ring.registerBuffers([buffer]);
  assert.throws(() => ring.registerBuffers([buffer], { tags: [9] }), { code: 'EBUSY' });
  ring.unregisterBuffers();
  ring.submitAndWait(0);
  assert.deepEqual(ring.copyCompletions(), []);
});

it('IORING_REGISTER_CLONE_BUFFERS: both rings use the same memory, whole tables, ranges, replaced places', () => {
  using files = new Descriptors();
  using source = openRing(8);
  using target = openRing(8);
  const fd = files.own(openSync('/dev/zero', 'r'));
  const buffers = [0, 1, 2].map(() => new Uint8Array(64).fill(1));
  const read = (index: number, fixed: number): number => {
    target.prepRead(fd, buffers[index], 64, 1, 0, { fixed });
    return complete(target).res;
  };
  assert.throws(() => target.cloneBuffers(source), { code: 'ENXIO', message: /other ring/ });
  source.registerBuffers(buffers);
  target.cloneBuffers(source);
  source.close();
  assert.deepEqual([read(0, 0), read(1, 1), read(2, 2), read(0, 1)], [64, 64, 64, -EFAULT]);
  using another = openRing(8);
  another.registerBuffers(buffers);
  assert.throws(() => target.cloneBuffers(another), { code: 'EBUSY', message: /replace/ });
  target.cloneBuffers(another, { srcOffset: 2, dstOffset: 0, count: 1, replace: true });
  assert.deepEqual([read(2, 0), read(1, 1), read(2, 2), read(0, 0)], [64, 64, 64, -EFAULT]);
  assert.throws(() => target.cloneBuffers(another, { count: 9, replace: true }), {
    code: 'EINVAL',
    message: /outside/,
  });
  assert.throws(() => target.cloneBuffers(another, { srcOffset: 2, count: 2, replace: true }), { code: 'EOVERFLOW' });
});

it('IORING_REGISTER_BUFFERS: a registered buffer stays alive while it is registered, and no longer', async () => {
  using ring = openRing(8);
  const weak = ((): WeakRef<object>[] => {
    const buffers = [new Uint8Array(4096), new Uint8Array(4096)];
    ring.registerBuffers(buffers);
    return buffers.map((buffer) => new WeakRef(buffer));
  })();
  await finalized();
  assert.ok(weak.every((ref) => ref.deref() !== undefined));
  ring.registerBuffersUpdate(0, [null]);
  await finalized();
  assert.deepEqual(weak.map((ref) => ref.deref() !== undefined), [false, true]);
  ring.unregisterBuffers();
  await finalized();
  assert.ok(weak.every((ref) => ref.deref() === undefined));
});

it('registered buffers: misuse is refused before the kernel is asked', () => {
  using ring = openRing(8);
  const buffer = new Uint8Array(8);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.registerBuffers(any(buffer)),
    () => ring.registerBuffers(any([1])),
    () => ring.registerBuffersSparse(any('1')),
    () => ring.registerBuffers([buffer], { tags: any(1) }),
    () => ring.registerBuffers([buffer], { tags: any(['1']) }),
    () => ring.cloneBuffers(any({})),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.registerBuffers([]),
    () => ring.registerBuffersSparse(0),
    () => ring.registerBuffersSparse(16385),
    () => ring.registerBuffersUpdate(-1, [buffer]),
    () => ring.registerBuffers([buffer], { tags: [1, 2] }),
    () => ring.registerBuffers([buffer], { tags: [-1] }),
  ]);
  refused(ring, 'ERR_INVALID_ARG_VALUE', [
    () =>
      ring.registerBuffers([new Uint8Array(Reflect.construct(ArrayBuffer, [8, { maxByteLength: 16 }]) as ArrayBuffer)]),
  ]);
  ring.close();
  for (
    const call of [
      () => ring.registerBuffers([buffer]),
      () => ring.registerBuffersSparse(1),
      () => ring.registerBuffersUpdate(0, [buffer]),
      () => ring.unregisterBuffers(),
    ]
  ) {
    assert.throws(call, { code: 'ERR_IOURING_CLOSED' });
  }
});
