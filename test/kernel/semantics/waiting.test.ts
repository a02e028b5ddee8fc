// Waits with limits of every kind, timers, and time limits of other operations.
import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { ECANCELED, EINTR, EINVAL, ENOENT, ETIME } from '../../../src/abi/errno.ts';
import { CLOCK_BOOTTIME, POLLIN } from '../../../src/abi/event-flags.ts';
import {
  IORING_ENTER_NO_IOWAIT,
  IORING_FEAT_NO_IOWAIT,
  IOSQE_ASYNC,
  IOSQE_IO_LINK,
} from '../../../src/abi/flags.ts';
import { KERNEL_TIMESPEC_SIZE } from '../../../src/abi/layouts.ts';
import { IORING_OP_LINK_TIMEOUT } from '../../../src/abi/operations.ts';
import { IORING_REGISTER_CLOCK } from '../../../src/abi/registrations.ts';
import { IoUring } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { collect } from '../collect.ts';
import { Descriptors } from '../libc.ts';
import { completions, isQuiet, results } from '../operations/completions.ts';
import { complete, reap } from '../reap.ts';
import { watched } from './calls.ts';

const MINUTE = 60_000;

/** Far less than a minute, far more than anything here takes. */
const SOON = 10_000;

/** How long something took, in milliseconds. */
function timed(action: () => void): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}

it('case 24: a limited wait ends with its time when nothing came, and before when something did', {
  skip: without('5.11', 'IORING_FEAT_EXT_ARG'),
}, () => {
  const { kernel, enters } = watched();
  using files = new Descriptors();
  using ring = new IoUring(8, {}, kernel);
  const [reader, writer] = files.pipe();
  assert.ok(timed(() => assert.equal(ring.submitAndWait(1, { timeoutMs: 25 }), 0)) >= 24.9);
  assert.equal(enters.at(-1)?.result, -ETIME);
  ring.prepPollAdd(reader, POLLIN, 1);
  ring.submit();
  writeSync(writer, 'x');
  assert.ok(timed(() => ring.submitAndWait(1, { timeoutMs: MINUTE })) < SOON);
  assert.deepEqual(reap(ring).map((c) => [c.userData, c.res]), [[1, POLLIN]]);
  ring.prepTimeout(10, 2);
  assert.ok(timed(() => ring.submitAndWait(1, { timeoutMs: MINUTE })) < SOON);
  assert.deepEqual(reap(ring).map((c) => c.userData), [2]);
});

it('case 25: minWaitMs: as many as wanted at once, some after it, none after all the time, or a late one', () => {
  using ring = new IoUring(8);
  ring.prepNop(1);
  ring.prepNop(2);
  assert.ok(timed(() => ring.submitAndWait(2, { minWaitMs: MINUTE, timeoutMs: MINUTE })) < SOON, 'two of two');
  assert.equal(reap(ring).length, 2);

  ring.prepNop(3);
  const some = timed(() => ring.submitAndWait(2, { minWaitMs: 40, timeoutMs: MINUTE }));
  assert.ok(some >= 39.9 && some < SOON, `one of two: ${some}`);
  assert.deepEqual(reap(ring).map((c) => c.userData), [3]);

  const none = timed(() => ring.submitAndWait(2, { minWaitMs: 5, timeoutMs: 50 }));
  assert.ok(none >= 49.9, `none: ${none}`);

  ring.prepTimeout(60, 4);
  const late = timed(() => ring.submitAndWait(8, { minWaitMs: 5, timeoutMs: MINUTE }));
  assert.ok(late >= 59.9 && late < SOON, `late: ${late}`);
  assert.deepEqual(reap(ring).map((c) => c.userData), [4]);
});

it('case 26: a deadline that has passed ends the wait at once; the clock is one of two', () => {
  const { kernel, enters } = watched();
  using ring = new IoUring(8, {}, kernel);
  for (const clock of [undefined, CLOCK_BOOTTIME]) {
    if (clock !== undefined) ring.registerClock(clock);
    for (const deadline of [1n, process.hrtime.bigint() - 1n]) {
      assert.ok(timed(() => assert.equal(ring.submitAndWait(1, { deadline }), 0)) < SOON);
      assert.equal(enters.at(-1)?.result, -ETIME);
    }
  }
  ring.registerClock(1);
  const deadline = process.hrtime.bigint() + 20_000_000n;
  ring.submitAndWait(1, { deadline });
  assert.ok(process.hrtime.bigint() >= deadline);
  ring.prepNop(1);
  const later = process.hrtime.bigint() + 60_000_000_000n;
  assert.ok(timed(() => ring.submitAndWait(1, { deadline: later })) < SOON);
  assert.equal(reap(ring).length, 1);
  for (const clock of [0, 2, 11]) {
    assert.throws(() => ring.registerClock(clock), { code: 'ERR_INVALID_ARG_VALUE' });
    const argument = Uint32Array.of(clock, 0, 0, 0);
    assert.throws(() => ring.registerRaw(IORING_REGISTER_CLOCK, argument, 0), { code: 'EINVAL' });
  }
});

it('case 27: DEFER_TASKRUN: a wait for two with one ready times out, says 1, and the one can be looked at', () => {
  using files = new Descriptors();
  using ring = new IoUring(8, { deferTaskrun: true });
  const [reader, writer] = files.pipe();
  const buffer = Buffer.alloc(4);
  ring.prepPollAdd(reader, POLLIN, 1);
  ring.submit();
  ring.prepRead(reader, buffer, 4, 2);
  writeSync(writer, 'abcd');
  ring.submit();
  assert.deepEqual(completions(ring, 2).map((c) => c.userData).sort(), [1, 2]);
  ring.prepNop(3, { taskWork: true });
  assert.equal(ring.submitAndWait(2, { timeoutMs: 10 }), 1);
  assert.equal(ring.peek()?.userData, 3);
  ring.prepRead(reader, buffer, 4, 4);
  ring.submit();
  writeSync(writer, 'efgh');
  assert.equal(ring.submitAndWait(3, { timeoutMs: 10 }), 0);
  assert.deepEqual(reap(ring).map((c) => [c.userData, c.res]), [[3, 0], [4, 4]]);
  assert.equal(buffer.toString(), 'efgh');
});

it('case 28: waits are registered while the ring is disabled; one that cannot be used flushes nothing', () => {
  using enabled = new IoUring(8);
  assert.throws(() => enabled.registerWaitRegion(1), { code: 'EINVAL' });
  enabled.prepNop(1);
  assert.throws(() => enabled.submitAndWaitReg(1, 0), { code: 'ERR_INVALID_STATE' });
  assert.equal(enabled.sqReady, 1, 'the entry is still queued');
  assert.equal(complete(enabled).userData, 1);

  using ring = new IoUring(8, { disabled: true });
  ring.registerWaitRegion(3);
  assert.throws(() => ring.registerWaitRegion(1), { code: 'EBUSY' });
  ring.setWait(2, { timeoutMs: 30 });
  ring.enableRings();
  ring.prepNop(1);
  for (const index of [-1, 3]) {
    assert.throws(() => ring.submitAndWaitReg(1, index), { code: 'ERR_OUT_OF_RANGE' });
    assert.deepEqual([ring.sqReady, ring.cqReady], [1, 0]);
  }
  const took = timed(() => assert.equal(ring.submitAndWaitReg(2, 2), 1));
  assert.ok(took >= 29.9 && took < SOON);
  assert.deepEqual(reap(ring).map((c) => c.userData), [1]);
});

it('case 30: a timer counts completions or time, is removed or set anew, and knows how often it fires', {
  skip: without('6.4', 'IORING_TIMEOUT_MULTISHOT'),
}, () => {
  using ring = new IoUring(8);
  ring.prepTimeout(MINUTE, 1, { count: 2 });
  ring.prepNop(2);
  ring.prepNop(3);
  assert.deepEqual(results(ring, 3), new Map([[2, 0], [3, 0], [1, 0]]), 'two came');
  ring.prepTimeout(5, 1, { count: 2 });
  ring.prepNop(2);
  assert.deepEqual(results(ring, 2), new Map([[2, 0], [1, -ETIME]]), 'only one came');

  ring.prepTimeoutRemove(99, 4);
  ring.prepTimeoutUpdate(99, 1, 5);
  assert.deepEqual(results(ring, 2), new Map([[4, -ENOENT], [5, -ENOENT]]));

  ring.prepTimeout(MINUTE, 6);
  ring.submit();
  ring.prepTimeoutUpdate(6, 15, 7);
  const took = timed(() => assert.deepEqual(results(ring, 2), new Map([[7, 0], [6, -ETIME]])));
  assert.ok(took >= 14.9 && took < SOON);

  ring.prepTimeout(2, 8, { multishot: true, count: 4 });
  assert.deepEqual(completions(ring, 4).map((c) => [c.res, c.hasMore()]), [
    [-ETIME, true],
    [-ETIME, true],
    [-ETIME, true],
    [-ETIME, false],
  ]);
  ring.prepTimeoutRemove(8, 9);
  assert.equal(complete(ring).res, -ENOENT);
});

it('case 31: a repeating timer whose completion overflows ends with a last one, and is gone', {
  skip: without('6.4', 'IORING_TIMEOUT_MULTISHOT'),
}, () => {
  using ring = new IoUring(2, { cqEntries: 2 });
  ring.prepNop(1);
  ring.prepNop(2);
  ring.submit();
  ring.prepTimeout(1, 3, { multishot: true });
  ring.submitAndWait(0);
  // The queue is full all the time: it is not reaped while the timer fires.
  for (const start = performance.now(); !ring.cqHasOverflow; ring.submitAndWait(0)) {
    if (performance.now() - start > SOON) throw new Error('the timer does not fire');
  }
  const found = reap(ring);
  assert.deepEqual(found.slice(0, 2).map((c) => c.userData), [1, 2]);
  const fired = found.slice(2);
  assert.deepEqual(fired.map((c) => [c.userData, c.res, c.hasMore()]), [[3, -ETIME, false]]);
  ring.prepTimeoutRemove(3, 4);
  assert.equal(complete(ring).res, -ENOENT);
});

it('case 32: a time limit: alone or doubled it is an error; it ends the operation, or is ended by it', {
  skip: without('5.15', 'links that hold where an entry is refused'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [reader, writer] = files.pipe();
  const buffer = Buffer.alloc(4);
  ring.prepLinkTimeout(1, 1);
  assert.equal(complete(ring).res, -EINVAL, 'alone');

  ring.prepRead(reader, buffer, 4, 1);
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepLinkTimeout(MINUTE, 2);
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepLinkTimeout(MINUTE, 3);
  const doubled = results(ring, 3);
  assert.equal(doubled.get(1), -ECANCELED);
  assert.equal(doubled.get(2), -ECANCELED);
  assert.equal(doubled.get(3), -EINVAL);

  for (const flags of [0, IOSQE_ASYNC]) {
    ring.prepRead(reader, buffer, 4, 1);
    ring.sqeSetFlags(IOSQE_IO_LINK | flags);
    ring.prepLinkTimeout(10, 2);
    const took = timed(() => {
      const found = results(ring, 2);
      // A worker that is in the middle of it is interrupted, which is a little different.
      const running = flags === IOSQE_ASYNC && found.get(1) === -EINTR;
      assert.equal(found.get(1), running ? -EINTR : -ECANCELED);
      if (!running) assert.equal(found.get(2), -ETIME);
    });
    assert.ok(took >= 9.9 && took < SOON);
  }

  ring.prepRead(reader, buffer, 4, 1);
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepLinkTimeout(MINUTE, 2);
  ring.submit();
  assert.ok(isQuiet(ring));
  writeSync(writer, 'done');
  assert.deepEqual(results(ring, 2), new Map([[1, 4], [2, -ECANCELED]]));
  assert.equal(buffer.toString(), 'done');
});

it('case 33: a time limit that is not valid cancels the operation it guards', {
  skip: without('5.15', 'links that hold where an entry is refused'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [reader, writer] = files.pipe();
  writeSync(writer, 'left');
  const timespec = new Uint8Array(KERNEL_TIMESPEC_SIZE).fill(0xff);
  for (const addr of [timespec, 16]) {
    ring.prepRead(reader, new Uint8Array(4), 4, 1);
    ring.sqeSetFlags(IOSQE_IO_LINK);
    ring.prepSqe({ opcode: IORING_OP_LINK_TIMEOUT, addr, len: 1 }, 2);
    const found = results(ring, 2);
    assert.equal(found.get(1), -ECANCELED);
    assert.ok([-EINVAL, -14].includes(found.get(2)!), `${found.get(2)}`);
  }
  const buffer = Buffer.alloc(8);
  ring.prepRead(reader, buffer, 8, 1);
  assert.equal(complete(ring).res, 4, 'nothing was read');
});

it('case 34: noIowait is for the one call it is given with, on kernels that say they have it', {
  skip: without('6.15', 'IORING_FEAT_NO_IOWAIT'),
}, () => {
  const { kernel, enters } = watched();
  using ring = new IoUring(8, {}, kernel);
  assert.ok(ring.features & IORING_FEAT_NO_IOWAIT);
  const flags: boolean[] = [];
  for (const noIowait of [true, false, true]) {
    ring.prepTimeout(1, 1);
    ring.submitAndWait(1, { noIowait });
    assert.equal(reap(ring)[0].res, -ETIME);
    flags.push(((enters.at(-1)?.flags ?? 0) & IORING_ENTER_NO_IOWAIT) !== 0);
  }
  ring.prepNop(1);
  ring.submitAndWait(1);
  flags.push(((enters.at(-1)?.flags ?? 0) & IORING_ENTER_NO_IOWAIT) !== 0);
  assert.deepEqual(flags, [true, false, true, false]);
});

it('case 58: the time of a time limit lives until it is submitted, whatever happens before', () => {
  using files = new Descriptors();
  using ring = new IoUring(128);
  const [reader] = files.pipe();
  for (let i = 0; i < 32; i++) {
    ring.prepPollAdd(reader, POLLIN, i);
    ring.sqeSetFlags(IOSQE_IO_LINK);
    const time = i % 2 ? 3 : 3_000_000n;
    ring.prepLinkTimeout(time, 100 + i);
    ring.prepTimeout(MINUTE + i, 200 + i);
  }
  collect();
  const garbage = Array.from({ length: 64 }, () => new Uint8Array(4096).fill(0xff));
  ring.submit();
  assert.equal(garbage.length, 64);
  const found = results(ring, 64);
  for (let i = 0; i < 32; i++) assert.deepEqual([found.get(i), found.get(100 + i)], [-ECANCELED, -ETIME]);
  assert.ok(isQuiet(ring), 'the long ones are as long as they were');
});
