// What the kernel does with a batch of entries, and what it still needs of them afterwards.
import assert from 'node:assert/strict';
import { readSync, writeSync } from 'node:fs';
import { EBADF, ECANCELED, EINVAL, ETIME } from '../../../src/abi/errno.ts';
import {
  IORING_ENTER_SQ_WAIT,
  IOSQE_ASYNC,
  IOSQE_IO_DRAIN,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
} from '../../../src/abi/flags.ts';
import { IoUring } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { completions, isQuiet, results } from '../operations/completions.ts';
import { reap } from '../reap.ts';
import { watched } from './calls.ts';

/** No kernel has an operation of this number. */
const NO_OPERATION = 250;

it('case 1: exactly as many entries can be queued as the ring has, then none before the next submit', () => {
  using ring = new IoUring(8);
  for (let round = 0; round < 5; round++) {
    let queued = 0;
    while (queued < 100 && ring.prepNop(queued)) queued++;
    assert.equal(queued, 8);
    assert.deepEqual([ring.sqReady, ring.sqSpaceLeft], [8, 0]);
    assert.equal(ring.prepRead(0, new Uint8Array(1), 1, 9), false, 'nor one that lends memory');
    assert.equal(ring.submit(), 8);
    assert.deepEqual([ring.sqReady, ring.sqSpaceLeft], [0, 8]);
    assert.equal(results(ring, 8).size, 8);
  }
});

it('case 2: a bad entry ends the batch behind it; the rest stays queued and goes with the next call', () => {
  const { kernel, enters } = watched();
  using ring = new IoUring(8, { submitAll: false }, kernel);
  ring.prepNop(1);
  ring.prepNop(2);
  ring.prepSqe({ opcode: NO_OPERATION }, 3);
  ring.prepNop(4);
  ring.prepNop(5);
  assert.equal(ring.submit(), 5, 'submit() makes that next call itself');
  assert.deepEqual(enters.map(({ toSubmit, result }) => [toSubmit, result]), [[5, 3], [2, 2]]);
  assert.deepEqual(results(ring, 5), new Map([[1, 0], [2, 0], [3, -EINVAL], [4, 0], [5, 0]]));
});

it('case 3: with submitAll the same batch is consumed in one call; the bad entries complete with their error', () => {
  const { kernel, enters } = watched();
  using ring = new IoUring(8, { submitAll: true }, kernel);
  ring.prepNop(1);
  ring.prepSqe({ opcode: NO_OPERATION }, 2);
  ring.prepSqe({ opcode: NO_OPERATION }, 3);
  ring.prepNop(4);
  assert.equal(ring.submit(), 4);
  assert.deepEqual(enters.map(({ toSubmit, result }) => [toSubmit, result]), [[4, 4]]);
  assert.deepEqual(results(ring, 4), new Map([[1, 0], [2, -EINVAL], [3, -EINVAL], [4, 0]]));
});

it('case 4: an entry that cannot be prepared keeps its error, all others of its chain are cancelled', {
  skip: without('5.15', 'links that hold where an entry is refused'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [reader, writer] = files.pipe();
  writeSync(writer, 'left alone');
  const huge = 2n ** 64n - 9n;
  for (const link of [IOSQE_IO_LINK, IOSQE_IO_HARDLINK]) {
    for (const barrier of [0, IOSQE_IO_DRAIN]) {
      for (let bad = 0; bad < 4; bad++) {
        for (let i = 0; i < 4; i++) {
          const userData = huge + BigInt(i);
          if (i === bad) ring.prepSqe({ opcode: NO_OPERATION }, userData);
          else ring.prepRead(reader, new Uint8Array(4), 4, userData);
          ring.sqeSetFlags((i < 3 ? link : 0) | (i === 0 ? barrier : 0));
        }
        const found = completions(ring, 4).map((c) => [Number(c.userData64 - huge), c.res]);
        const expected = [0, 1, 2, 3].map((i) => [i, i === bad ? -EINVAL : -ECANCELED]);
        assert.deepEqual(found.sort(), expected, `links ${link}, barrier ${barrier}, the bad one is ${bad}`);
      }
    }
  }
  assert.equal(readSync(reader, Buffer.alloc(32)), 10, 'nothing of it was read');
});

it('case 5: lists of buffers may be changed right after submit, even if the read goes on in a worker', () => {
  using files = new Descriptors();
  using ring = new IoUring(4);
  for (const flags of [0, IOSQE_ASYNC]) {
    const [reader, writer] = files.pipe();
    const kept = [Buffer.alloc(3), Buffer.alloc(5)];
    const list = [...kept];
    ring.prepReadv(reader, list, 1);
    ring.sqeSetFlags(flags);
    ring.submit();
    list.reverse();
    const other = [Buffer.alloc(3), Buffer.alloc(5)];
    // These are written where the list of the first one was.
    for (let i = 0; i < 12; i++) {
      ring.prepReadv(-1, other, 2);
      assert.equal(completions(ring, 1)[0].res, -EBADF);
    }
    writeSync(writer, 'onetwoxx');
    assert.deepEqual(results(ring, 1), new Map([[1, 8]]));
    assert.deepEqual(kept.map(String), ['one', 'twoxx']);
    assert.ok(other.every((buffer) => buffer.every((byte) => byte === 0)));
  }
});

it('case 6: of every size there is, both rings can be filled to the brim, wherever they begin', () => {
  for (let size = 1; size <= 32768; size *= 2) {
    using ring = new IoUring(size, { cqEntries: size });
    assert.deepEqual([ring.sqEntries, ring.cqEntries], [size, size]);
    const run = (count: number): void => {
      for (let i = 0; i < count; i++) assert.ok(ring.prepNop(i));
      if (count === size) assert.equal(ring.prepNop(count), false);
      ring.submitAndWait(count);
      assert.deepEqual([ring.cqReady, ring.cqHasOverflow], [count, false]);
      let next = 0;
      ring.forEachCompletion((c) => {
        if (c.userData !== next++) throw new Error(`size ${size}: ${c.userData} instead of ${next - 1}`);
      });
      assert.equal(next, count);
    };
    run(size);
    // From here on the rings end in the middle of what is queued.
    run(Math.ceil(size / 3));
    run(size);
    run(size);
  }
});

it('case 8: a ring without entries is refused, and its descriptor cannot be read', () => {
  assert.throws(() => new IoUring(0), { code: 'ERR_OUT_OF_RANGE' });
  using ring = new IoUring(4);
  assert.throws(() => readSync(ring.fd, Buffer.alloc(8)), { code: 'EINVAL' });
  assert.throws(() => writeSync(ring.fd, 'x'), { code: 'EINVAL' });
});

it('case 9: a wait that times out still tells how many entries went, and waits once only', {
  skip: without('5.11', 'IORING_FEAT_EXT_ARG'),
}, () => {
  const { kernel, enters } = watched();
  using ring = new IoUring(8, {}, kernel);
  ring.prepNop(1);
  ring.prepNop(2);
  const start = performance.now();
  assert.equal(ring.submitAndWait(3, { timeoutMs: 30 }), 2);
  assert.ok(performance.now() - start >= 29.9);
  // The first call consumes the entries, and cannot say that its time is up as well.
  const waits = enters.filter(({ minComplete }) => minComplete > 0);
  assert.deepEqual(waits.map(({ toSubmit, result }) => [toSubmit, result]), [[2, 2]]);
  assert.deepEqual(reap(ring).map((c) => c.userData), [1, 2]);
  assert.equal(ring.submitAndWait(1, { timeoutMs: 5 }), 0);
  assert.equal(enters.at(-1)?.result, -ETIME);
});

it('case 10: with sqPoll the queue may be full because the thread lags behind: submit() waits for room', () => {
  const { kernel, enters } = watched();
  using ring = new IoUring(2, { sqPoll: { idleMs: 1 } }, kernel);
  let reaped = 0;
  for (let queued = 0; queued < 4000;) {
    // The kernel may be interrupted while it waits; then once more.
    for (let tries = 0; !ring.prepNop(queued); tries++) {
      assert.ok(tries < 20, 'there is room after a submit');
      ring.submit();
    }
    queued++;
    while (queued < 4000 && ring.prepNop(queued)) queued++;
    ring.submit();
    reaped += ring.forEachCompletion(() => {});
  }
  while (reaped < 4000) {
    ring.submitAndWait(1, { timeoutMs: 1000 });
    reaped += ring.forEachCompletion(() => {});
  }
  assert.equal(reaped, 4000);
  assert.ok(enters.some(({ flags }) => flags & IORING_ENTER_SQ_WAIT), 'it had to wait at least once');
  assert.ok(isQuiet(ring));
});
