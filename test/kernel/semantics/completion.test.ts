// The completion queue: order, overflow, entries of two sizes, and completions that do not come.
import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { EBADF, ECANCELED, ETIME } from '../../../src/abi/errno.ts';
import { POLLIN } from '../../../src/abi/event-flags.ts';
import { IOSQE_CQE_SKIP_SUCCESS, IOSQE_IO_DRAIN, IOSQE_IO_LINK } from '../../../src/abi/flags.ts';
import { IoUring, type Completion } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { completions, isQuiet, results } from '../operations/completions.ts';
import { reap } from '../reap.ts';
import { watched } from './calls.ts';

const SILENT_LINK = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;

const userDataOf = (found: readonly Completion[]): number[] => found.map((c) => c.userData);

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

it('case 14: what overflows is kept in order, and comes with the next call that asks for completions', {
  skip: without('5.15', 'submissions while completions overflow'),
}, () => {
  const { kernel, enters } = watched();
  using ring = new IoUring(4, { cqEntries: 4 }, kernel);
  for (let i = 0; i < 20; i++) {
    ring.prepNop(i);
    if (i % 4 === 3) ring.submit();
  }
  assert.deepEqual([ring.cqReady, ring.cqHasOverflow, ring.cqOverflow], [4, true, 0]);
  assert.deepEqual(userDataOf(ring.copyCompletions(3)), [0, 1, 2]);
  const calls = enters.length;
  assert.equal(ring.cqHasOverflow, true, 'reaping what is there flushes nothing');
  assert.deepEqual(userDataOf(ring.copyCompletions(4)), [3, 4, 5, 6]);
  assert.ok(enters.length > calls);
  assert.deepEqual(userDataOf(reap(ring)), upTo(20).slice(7));
  assert.deepEqual([ring.cqReady, ring.cqHasOverflow, ring.cqOverflow], [0, false, 0]);
});

it('case 15: twelve completions come one by one out of a queue for eight', () => {
  using ring = new IoUring(4, { cqEntries: 8 });
  for (let i = 0; i < 12; i++) {
    ring.prepNop(i);
    if (i % 4 === 3) ring.submit();
  }
  assert.equal(ring.cqReady, 8);
  const found: number[] = [];
  for (const c of ring.completions()) found.push(c.userData);
  assert.deepEqual(found, upTo(12));
  assert.equal(ring.peek(), undefined);
});

it('case 16: looking shows the same completion until it is reaped, also over the end of the ring', () => {
  using ring = new IoUring(4, { cqEntries: 4 });
  let next = 0;
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 3; i++) ring.prepNop(round * 3 + i);
    ring.submit();
    for (const size of [1, 2]) {
      assert.equal(ring.peek()?.userData, next);
      assert.equal(ring.peek()?.userData, next);
      const batch = ring.copyCompletions(size);
      assert.deepEqual(userDataOf(batch), upTo(next + size).slice(next));
      next += size;
    }
    assert.equal(ring.peek(), undefined);
  }
});

it('case 17: in a ring of both sizes completions are counted as such, whatever places they take', () => {
  using ring = new IoUring(8, { cqEntries: 16, cqeMixed: true });
  ring.prepNop(1);
  ring.prepNop(2, { cqe32: [22, 2n ** 64n - 1n] });
  ring.prepNop(3);
  ring.prepNop(4, { cqe32: [44, 4] });
  ring.submit();
  assert.equal(ring.cqReady, 4);
  const first = ring.copyCompletions(2);
  assert.deepEqual(first.map((c) => [c.userData, c.bigCqe()]), [[1, undefined], [2, [22n, 2n ** 64n - 1n]]]);
  assert.equal(ring.cqReady, 2);
  assert.deepEqual([ring.peek()?.userData, ring.peek()?.bigCqe()], [3, undefined]);
  assert.deepEqual(reap(ring).map((c) => [c.userData, c.bigCqe()]), [[3, undefined], [4, [44n, 4n]]]);
  // The kernel counts places, a wait counts completions.
  ring.prepNop(5, { cqe32: [5, 5] });
  ring.prepTimeout(15, 6);
  assert.equal(ring.submitAndWait(2), 2);
  assert.deepEqual(userDataOf(reap(ring)), [5, 6]);
});

it('case 18: a large completion leaves the last place of the ring unused; the others come after the overflow', () => {
  using ring = new IoUring(16, { cqEntries: 16, cqeMixed: true });
  for (let before = 0; before < 16; before++) {
    for (let i = 0; i < before; i++) ring.prepNop(1000 + i);
    assert.equal(completions(ring, before).length, before);
    // Now the ring's end is anywhere; twelve of these do not fit.
    for (let i = 0; i < 12; i++) ring.prepNop(i, { cqe32: [i * 3, i * 5] });
    ring.submit();
    assert.equal(ring.cqHasOverflow, true);
    const found = reap(ring);
    const expected = upTo(12).map((i) => [i, [BigInt(i * 3), BigInt(i * 5)]]);
    assert.deepEqual(found.map((c) => [c.userData, c.bigCqe()]), expected, `${before} before`);
    assert.equal(ring.cqReady, 0);
  }
});

it('case 19: the size of the completion queue is what was really made; none at all is refused', () => {
  assert.throws(() => new IoUring(4, { cqEntries: 0 }), { code: 'ERR_OUT_OF_RANGE' });
  for (const [asked, made] of [[4, 4], [5, 8], [100, 128], [65536, 65536]]) {
    using ring = new IoUring(4, { cqEntries: asked });
    assert.equal(ring.cqEntries, made);
  }
  using clamped = new IoUring(100_000, { clamp: true });
  assert.deepEqual([clamped.sqEntries, clamped.cqEntries], [32768, 65536]);
});

it('case 20: a wait for two returns when both are there: one that is done at once, and a timer', () => {
  using ring = new IoUring(8);
  const start = performance.now();
  ring.prepNop(1);
  ring.prepTimeout(20, 2);
  assert.equal(ring.submitAndWait(2), 2);
  assert.ok(performance.now() - start >= 19.9);
  assert.equal(ring.cqReady, 2);
  assert.deepEqual(reap(ring).map((c) => [c.userData, c.res]), [[1, 0], [2, -ETIME]]);
});

it('case 21: of a chain that keeps silent only the last speaks, or the one that failed', {
  skip: without('5.17', 'IOSQE_CQE_SKIP_SUCCESS'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(16);
  const [reader, writer] = files.pipe();
  const buffers = [0, 1, 2, 3].map(() => Buffer.alloc(2));
  for (let bad = -1; bad < 3; bad++) {
    writeSync(writer, 'aabbccdd');
    for (const [i, buffer] of buffers.entries()) {
      ring.prepRead(i === bad ? -1 : reader, buffer.fill(0), 2, 10 + i);
      ring.sqeSetFlags(i < 3 ? SILENT_LINK : 0);
    }
    const [c] = completions(ring, 1);
    if (bad < 0) assert.deepEqual([c.userData, c.res], [13, 2]);
    else assert.deepEqual([c.userData, c.res], [10 + bad, -EBADF]);
    assert.ok(isQuiet(ring));
    const read = bad < 0 ? 4 : bad;
    assert.equal(buffers.join('').replaceAll('\0', ''), 'aabbccdd'.slice(0, read * 2));
    if (read < 4) ring.prepRead(reader, Buffer.alloc(8), 8, 1);
    if (read < 4) assert.deepEqual(results(ring, 1), new Map([[1, 8 - read * 2]]));
  }
});

it('case 21: a time limit of a silent operation is silent only if it is told to be', {
  skip: without('5.17', 'IOSQE_CQE_SKIP_SUCCESS'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [, writer] = files.pipe();
  const run = (silentLimit: boolean): void => {
    // Ready at once: nothing is lent, so nothing has to speak.
    ring.prepPollAdd(writer, 4, 1);
    ring.sqeSetFlags(SILENT_LINK);
    ring.prepLinkTimeout(60_000, 2);
    if (silentLimit) ring.sqeSetFlags(IOSQE_CQE_SKIP_SUCCESS);
  };
  run(false);
  assert.deepEqual(results(ring, 1), new Map([[2, -ECANCELED]]));
  run(true);
  ring.prepNop(3);
  assert.deepEqual(results(ring, 1), new Map([[3, 0]]));
  assert.ok(isQuiet(ring));
});

it('case 22: messages to a ring whose queue is full are kept aside, not lost', () => {
  for (const deferTaskrun of [true, false]) {
    using ring = new IoUring(16);
    using target = new IoUring(2, { cqEntries: 2, deferTaskrun });
    for (let i = 0; i < 12; i++) ring.prepMsgRing(target.fd, i, 2n ** 64n - 12n + BigInt(i), i);
    assert.ok(completions(ring, 12).every((c) => c.res === 0));
    target.submitAndWait(2);
    assert.deepEqual([target.cqReady, target.cqHasOverflow, target.cqOverflow], [2, true, 0]);
    const found = completions(target, 12);
    assert.deepEqual(found.map((c) => [c.userData64, c.res]), upTo(12).map((i) => [2n ** 64n - 12n + BigInt(i), i]));
  }
});

it('case 23: a barrier waits for every completion of an operation with many, in chains too', {
  skip: without('6.0', 'IORING_REGISTER_SYNC_CANCEL'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(16);
  const [reader, writer] = files.pipe();
  ring.prepPollAdd(reader, POLLIN, 1, { multishot: true });
  ring.submit();
  ring.prepRead(-1, new Uint8Array(1), 1, 2);
  ring.sqeSetFlags(IOSQE_IO_DRAIN | IOSQE_IO_LINK);
  ring.prepNop(3);
  ring.prepNop(4);
  for (let i = 0; i < 4; i++) {
    writeSync(writer, 'x');
    const [c] = completions(ring, 1);
    assert.deepEqual([c.userData, c.res, c.hasMore()], [1, POLLIN, true]);
  }
  assert.ok(isQuiet(ring), 'all that came after the barrier waits');
  ring.registerSyncCancel(1);
  const found = completions(ring, 4).map((c) => [c.userData, c.res]);
  // In which order those come that waited for it differs between kernels.
  assert.deepEqual(found.sort(([a], [b]) => a - b), [[1, -ECANCELED], [2, -EBADF], [3, -ECANCELED], [4, 0]]);
});
