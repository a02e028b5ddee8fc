// Registrations of the ring itself: its buffer rings, its descriptor, its size, its waits.
import assert from 'node:assert/strict';
import { fstatSync, writeSync } from 'node:fs';
import { ENOBUFS } from '../../../src/abi/errno.ts';
import { it } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { completions, isQuiet, results } from '../operations/completions.ts';
import { openRing } from '../operations/recorder.ts';
import { refused } from '../operations/refused.ts';
import { complete } from '../reap.ts';

it('IORING_REGISTER_PBUF_RING, IORING_UNREGISTER_PBUF_RING: serves until it is disposed of', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  const buffers = ring.registerBufRing(2, 16, 3);
  writeSync(b, 'hello');
  ring.prepRecv(a, null, 16, 1);
  ring.sqeSetBufGroup(3);
  const c = complete(ring);
  assert.equal(Buffer.from(buffers.bytes(c.bufferId()!, c.res)).toString(), 'hello');
  buffers[Symbol.dispose]();
  assert.throws(() => ring.prepRecvMultishot(a, 3, 1), { code: 'ERR_INVALID_STATE' });
  using again = ring.registerBufRing(2, 16, 3);
  assert.equal(again.available(), 2);
});

it('IORING_REGISTER_PBUF_STATUS: head and what is left, over the wrap at 2^16', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  using buffers = ring.registerBufRing(2, 16, 3);
  assert.deepEqual([buffers.head(), buffers.available()], [0, 2]);
  const take = (): void => {
    writeSync(b, 'x');
    ring.prepRecv(a, null, 16, 1);
    ring.sqeSetBufGroup(3);
  };
  take();
  const first = complete(ring);
  assert.deepEqual([buffers.head(), buffers.available()], [1, 1]);
  take();
  complete(ring);
  assert.deepEqual([buffers.head(), buffers.available()], [2, 0]);
  take();
  assert.equal(complete(ring).res, -ENOBUFS);
  buffers.recycle(first);
  assert.deepEqual([buffers.head(), buffers.available()], [2, 1]);
});

it('IORING_REGISTER_RING_FDS, IORING_UNREGISTER_RING_FDS: by index, by descriptor, by index again', () => {
  using ring = openRing(8, { registerRingFd: false });
  assert.equal(ring.registeredFd, undefined);
  const index = ring.registerRingFd();
  assert.equal(ring.registeredFd, index);
  assert.equal(ring.registerRingFd(), index, 'harmless when repeated');
  ring.prepNop(1);
  assert.equal(complete(ring).res, 0);
  ring.unregisterRingFd();
  assert.equal(ring.registeredFd, undefined);
  ring.prepNop(1);
  assert.equal(complete(ring).res, 0);
  assert.throws(() => ring.closeRingFd(), { code: 'ERR_IOURING_UNSUPPORTED', message: /registerRingFd\(\) first/ });
});

it('IORING_REGISTER_USE_REGISTERED_RING: without its descriptor a ring submits, waits and registers by index', () => {
  const ring = openRing(8);
  const { fd } = ring;
  ring.closeRingFd();
  assert.equal(ring.fd, -1);
  assert.throws(() => fstatSync(fd), { code: 'EBADF' });
  ring.prepNop(1);
  assert.equal(complete(ring).res, 0);
  ring.registerBuffers([new Uint8Array(8)]);
  using buffers = ring.registerBufRing(2, 16, 1);
  assert.equal(buffers.available(), 2);
  assert.throws(() => ring.unregisterRingFd(), { code: 'ERR_INVALID_STATE' });
  assert.throws(() => ring.registerBufRing(2, 16, 2, { kernelMemory: true }), { syscall: 'mmap' });
  ring.close();
  // The place in the thread's table is free again: there are 16 of them.
  for (let i = 0; i < 20; i++) {
    using other = openRing(8);
    assert.notEqual(other.registeredFd, undefined);
    other.closeRingFd();
  }
});

it('IORING_REGISTER_RESIZE_RINGS: entries and completions come along, also over the end of the ring', () => {
  using files = new Descriptors();
  using ring = openRing(8, { cqEntries: 16 });
  const [reader, writer] = files.pipe();
  const buffer = new Uint8Array(4);
  for (let i = 0; i < 13; i++) {
    ring.prepNop(i);
    complete(ring);
  }
  ring.prepRead(reader, buffer, 4, 100);
  for (let i = 0; i < 5; i++) ring.prepNop(200 + i);
  ring.submit();
  ring.submitAndWait(5);
  ring.prepNop(300);
  ring.prepTimeout(0, 301);
  ring.resizeRings(64, { cqEntries: 128 });
  assert.deepEqual([ring.sqEntries, ring.cqEntries], [64, 128]);
  assert.equal(ring.sqReady, 2, 'queued entries are there');
  writeSync(writer, 'data');
  const found = completions(ring, 8).map((c) => c.userData).sort((x, y) => x - y);
  assert.deepEqual(found, [100, 200, 201, 202, 203, 204, 300, 301]);
  assert.equal(Buffer.from(buffer).toString(), 'data');
  for (let i = 0; i < 64; i++) assert.ok(ring.prepNop(i));
  assert.equal(ring.prepNop(64), false);
  ring.submit();
  assert.equal(results(ring, 64).size, 64);
  ring.resizeRings(4, { cqEntries: 8 });
  assert.deepEqual([ring.sqEntries, ring.cqEntries], [4, 8]);
  for (let i = 0; i < 50; i++) {
    ring.prepNop(i);
    assert.equal(complete(ring).userData, i);
  }
});

it('IORING_REGISTER_RESIZE_RINGS: what does not fit is EOVERFLOW, and the ring goes on', () => {
  using ring = openRing(16, { cqEntries: 32 });
  for (let i = 0; i < 16; i++) ring.prepNop(i);
  ring.submit();
  assert.throws(() => ring.resizeRings(2, { cqEntries: 4 }), { code: 'EOVERFLOW', message: /does not fit/ });
  assert.equal(results(ring, 16).size, 16);
  using rings = openRing(8, { deferTaskrun: false });
  assert.throws(() => rings.resizeRings(16), { code: 'ERR_IOURING_UNSUPPORTED', message: /deferTaskrun/ });
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.resizeRings(0), () => ring.resizeRings(8, { cqEntries: 0 })]);
  ring.prepNop(1);
  ring.submitAndWait(1);
  ring.forEachCompletion(() => {
    assert.throws(() => ring.resizeRings(8), { code: 'ERR_IOURING_REENTRANT' });
  });
});

it('IORING_REGISTER_MEM_REGION: waits that were registered are kept to', () => {
  using ring = openRing(8, { disabled: true });
  assert.throws(() => ring.setWait(0, {}), { code: 'ERR_INVALID_STATE', message: /registerWaitRegion/ });
  ring.registerWaitRegion(70);
  assert.throws(() => ring.registerWaitRegion(1), { code: 'EBUSY', message: /region already/ });
  ring.enableRings();
  ring.setWait(69, { timeoutMs: 30 });
  const start = performance.now();
  assert.equal(ring.submitAndWaitReg(1, 69), 0);
  assert.ok(performance.now() - start >= 29);
  ring.prepNop(1);
  assert.equal(ring.submitAndWaitReg(1, 69), 1);
  assert.equal(completions(ring, 1)[0].userData, 1);
  ring.setWait(0, { timeoutMs: 60_000, minWaitMs: 1 });
  ring.prepNop(2);
  ring.submitAndWaitReg(5, 0);
  assert.ok(performance.now() - start < 20_000, 'one will do after the shortest wait');
  assert.equal(completions(ring, 1)[0].userData, 2);
  assert.ok(isQuiet(ring));
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.submitAndWaitReg(1, 70),
    () => ring.setWait(70, {}),
    () => ring.setWait(0, { timeoutMs: -1 }),
    () => ring.registerWaitRegion(0),
  ]);
});

it('IORING_REGISTER_MEM_REGION: only while the ring is disabled', () => {
  using ring = openRing(8);
  assert.throws(() => ring.registerWaitRegion(1), { code: 'EINVAL', message: /disabled: true/ });
  assert.throws(() => ring.submitAndWaitReg(1, 0), { code: 'ERR_INVALID_STATE' });
});
