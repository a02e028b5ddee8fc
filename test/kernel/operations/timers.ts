// Time: timers, their removal and change, and time limits of other operations.
import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { POLLIN } from '../../../src/abi/event-flags.ts';
import { EALREADY, ECANCELED, EINVAL, ENOENT, ETIME } from '../../../src/abi/errno.ts';
import { IOSQE_IO_HARDLINK, IOSQE_IO_LINK } from '../../../src/abi/flags.ts';
import { it, without } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { complete } from '../reap.ts';
import { CLOCK_BOOTTIME, CLOCK_REALTIME, nanoseconds } from './clocks.ts';
import { completions, isQuiet, results } from './completions.ts';
import { openRing } from './recorder.ts';
import { any, refused } from './refused.ts';

const HOUR = 3_600_000;

it('IORING_OP_TIMEOUT: completes with -ETIME when the time is up, and not before', () => {
  using ring = openRing(4);
  const start = performance.now();
  ring.prepTimeout(8, 1);
  const c = complete(ring);
  assert.deepEqual([c.userData, c.res, c.hasMore()], [1, -ETIME, false]);
  assert.ok(performance.now() - start >= 7.9);
});

it('IORING_OP_TIMEOUT: takes nanoseconds as a bigint; none at all is over at once', () => {
  using ring = openRing(4);
  const start = performance.now();
  ring.prepTimeout(5_000_000n, 1);
  assert.equal(complete(ring).res, -ETIME);
  assert.ok(performance.now() - start >= 4.9);
  for (const time of [0, 0n, 1n]) {
    ring.prepTimeout(time, 1);
    assert.equal(complete(ring).res, -ETIME);
  }
});

it('IORING_OP_TIMEOUT: the longest times there are do not fire', () => {
  using ring = openRing(4);
  ring.prepTimeout(Number.MAX_SAFE_INTEGER, 1);
  ring.prepTimeout(2n ** 63n - 1n, 2);
  ring.submit();
  assert.ok(isQuiet(ring));
  ring.prepTimeoutRemove(1, 11);
  ring.prepTimeoutRemove(2, 12);
  assert.deepEqual(results(ring, 4), new Map([[1, -ECANCELED], [11, 0], [2, -ECANCELED], [12, 0]]));
});

it('IORING_OP_TIMEOUT: absolute, on each clock, fires when the clock shows that time', {
  skip: without('5.15', 'the clocks of timers'),
}, () => {
  using ring = openRing(4);
  const clocks = {
    monotonic: () => process.hrtime.bigint(),
    boottime: () => nanoseconds(CLOCK_BOOTTIME),
    realtime: () => nanoseconds(CLOCK_REALTIME),
  };
  for (const [name, now] of Object.entries(clocks)) {
    const clock = name as keyof typeof clocks;
    const due = now() + 4_000_000n;
    ring.prepTimeout(due, 1, { absolute: true, clock });
    assert.equal(complete(ring).res, -ETIME, name);
    assert.ok(now() >= due, name);
    ring.prepTimeout(1n, 1, { absolute: true, clock });
    assert.equal(complete(ring).res, -ETIME, `${name}, long past`);
    ring.prepTimeout(now() + 3_600_000_000_000n, 1, { absolute: true, clock });
    ring.submit();
    assert.ok(isQuiet(ring), `${name}, in an hour`);
    ring.prepTimeoutRemove(1, 2);
    completions(ring, 2);
  }
  const soon = Date.now() + 4;
  ring.prepTimeout(soon, 1, { absolute: true, clock: 'realtime' });
  assert.equal(complete(ring).res, -ETIME);
  assert.ok(Date.now() >= soon, 'what Date.now() shows will do');
});

it('IORING_OP_TIMEOUT: relative, on each clock', { skip: without('5.15', 'the clocks of timers') }, () => {
  using ring = openRing(4);
  for (const clock of ['monotonic', 'boottime', 'realtime'] as const) {
    const start = performance.now();
    ring.prepTimeout(4, 1, { clock });
    assert.equal(complete(ring).res, -ETIME);
    assert.ok(performance.now() - start >= 3.9, clock);
  }
});

it('IORING_OP_TIMEOUT: with a count it completes with 0 as soon as so many others did', () => {
  using ring = openRing(8);
  ring.prepTimeout(HOUR, 1, { count: 2 });
  ring.prepNop(2);
  ring.submit();
  const first = completions(ring, 1);
  assert.deepEqual(first.map((c) => c.userData), [2], 'one is not enough');
  ring.prepNop(3);
  assert.deepEqual(results(ring, 2), new Map([[3, 0], [1, 0]]));
});

it('IORING_OP_TIMEOUT: with a count that is not reached the time counts', () => {
  using ring = openRing(8);
  ring.prepTimeout(2, 1, { count: 1000 });
  ring.prepNop(2);
  assert.deepEqual(results(ring, 2), new Map([[2, 0], [1, -ETIME]]));
});

it('IORING_OP_TIMEOUT: multishot with a count fires so often, and the last has no hasMore()', {
  skip: without('6.4', 'IORING_TIMEOUT_MULTISHOT'),
}, () => {
  using ring = openRing(4);
  const start = performance.now();
  ring.prepTimeout(2, 1, { multishot: true, count: 3 });
  const fired = completions(ring, 3);
  assert.deepEqual(fired.map((c) => [c.res, c.hasMore()]), [[-ETIME, true], [-ETIME, true], [-ETIME, false]]);
  assert.ok(performance.now() - start >= 5.9);
  assert.ok(isQuiet(ring));
});

it('IORING_OP_TIMEOUT: multishot without a count fires until it is removed', {
  skip: without('6.4', 'IORING_TIMEOUT_MULTISHOT'),
}, () => {
  using ring = openRing(4);
  ring.prepTimeout(500_000n, 1, { multishot: true });
  ring.submitAndWait(1, { timeoutMs: 5000 });
  assert.ok(ring.forEachCompletion((c) => assert.deepEqual([c.res, c.hasMore()], [-ETIME, true])) > 0);
  ring.prepTimeoutRemove(1, 2);
  let ended = false;
  let removed: number | undefined;
  while (!ended || removed === undefined) {
    ring.submitAndWait(1, { timeoutMs: 5000 });
    ring.forEachCompletion((c) => {
      if (c.userData === 2) removed = c.res;
      else if (!c.hasMore()) ended = (assert.equal(c.res, -ECANCELED), true);
    });
    // It was firing at that moment, and goes on.
    if (removed !== -EALREADY) continue;
    removed = undefined;
    ring.prepTimeoutRemove(1, 2);
  }
  assert.equal(removed, 0);
});

it('IORING_OP_TIMEOUT: the kernel refuses what is both multishot and absolute', () => {
  using ring = openRing(4);
  ring.prepTimeout(1, 1, { multishot: true, absolute: true });
  assert.equal(complete(ring).res, -EINVAL);
});

it('IORING_OP_TIMEOUT: breaks a chain by -ETIME, unless etimeSuccess says otherwise', {
  skip: without('5.16', 'IORING_TIMEOUT_ETIME_SUCCESS'),
}, () => {
  using ring = openRing(8);
  ring.prepTimeout(1, 1);
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepNop(2);
  assert.deepEqual(results(ring, 2), new Map([[1, -ETIME], [2, -ECANCELED]]));
  ring.prepTimeout(1, 1, { etimeSuccess: true });
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepNop(2);
  assert.deepEqual(results(ring, 2), new Map([[1, -ETIME], [2, 0]]));
});

it('IORING_OP_TIMEOUT: misuse throws, and queues nothing', () => {
  using ring = openRing(4);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepTimeout(-1, 1),
    () => ring.prepTimeout(NaN, 1),
    () => ring.prepTimeout(Infinity, 1),
    () => ring.prepTimeout(2 ** 53, 1),
    () => ring.prepTimeout(-1n, 1),
    () => ring.prepTimeout(2n ** 63n, 1),
    () => ring.prepTimeout(1, 1, { count: -1 }),
    () => ring.prepTimeout(1, 1, { count: 2 ** 32 }),
    () => ring.prepTimeout(1, 1, { count: 1.5 }),
    () => ring.prepTimeout(1, -1),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepTimeout(any('1'), 1),
    () => ring.prepTimeout(any(undefined), 1),
    () => ring.prepTimeout(1, any('1')),
    () => ring.prepTimeout(1, 1, { count: any('1') }),
  ]);
  refused(ring, 'ERR_INVALID_ARG_VALUE', [
    () => ring.prepTimeout(1, 1, { clock: any('sundial') }),
    () => ring.prepTimeout(1, 1, { clock: any('toString') }),
  ]);
});

it('IORING_OP_TIMEOUT_REMOVE: ends the timer with -ECANCELED; of an unknown or fired one -ENOENT', () => {
  using ring = openRing(8);
  ring.prepTimeout(HOUR, 1);
  ring.submit();
  ring.prepTimeoutRemove(1, 2);
  assert.deepEqual(results(ring, 2), new Map([[1, -ECANCELED], [2, 0]]));
  ring.prepTimeoutRemove(1, 3);
  assert.equal(complete(ring).res, -ENOENT);
  ring.prepTimeout(0, 4);
  assert.equal(complete(ring).res, -ETIME);
  ring.prepTimeoutRemove(4, 5);
  assert.equal(complete(ring).res, -ENOENT);
});

it('IORING_OP_TIMEOUT_REMOVE: finds the timer by all 64 bits of its userData', () => {
  using ring = openRing(8);
  const high = 2n ** 63n + 5n;
  ring.prepTimeout(HOUR, high);
  ring.prepTimeout(HOUR, 5);
  ring.submit();
  ring.prepTimeoutRemove(high, 2);
  const found = new Map(completions(ring, 2).map((c) => [c.userData64, c.res]));
  assert.deepEqual(found, new Map([[high, -ECANCELED], [2n, 0]]));
  ring.prepTimeoutRemove(5, 2);
  assert.deepEqual(results(ring, 2), new Map([[5, -ECANCELED], [2, 0]]));
});

it('IORING_OP_TIMEOUT_REMOVE: update sets a new time: earlier, later, and absolute', () => {
  using ring = openRing(8);
  ring.prepTimeout(HOUR, 1);
  ring.submit();
  const start = performance.now();
  ring.prepTimeoutUpdate(1, 3, 2);
  assert.deepEqual(results(ring, 2), new Map([[2, 0], [1, -ETIME]]));
  assert.ok(performance.now() - start >= 2.9);

  ring.prepTimeout(20, 1);
  ring.prepTimeoutUpdate(1, HOUR, 2);
  assert.equal(complete(ring).res, 0);
  ring.prepTimeoutUpdate(1, process.hrtime.bigint() + 1_000_000n, 3, { absolute: true });
  assert.deepEqual(results(ring, 2), new Map([[3, 0], [1, -ETIME]]));

  ring.prepTimeoutUpdate(1, 1, 2);
  assert.equal(complete(ring).res, -ENOENT, 'it is gone');
});

it('IORING_OP_TIMEOUT_REMOVE: update leaves a timer its clock', () => {
  using ring = openRing(8);
  const due = nanoseconds(CLOCK_REALTIME) + 2_000_000n;
  ring.prepTimeout(HOUR, 1, { clock: 'realtime' });
  ring.prepTimeoutUpdate(1, due, 2, { absolute: true });
  assert.deepEqual(results(ring, 2), new Map([[2, 0], [1, -ETIME]]));
  assert.ok(nanoseconds(CLOCK_REALTIME) >= due);
});

it('IORING_OP_TIMEOUT_REMOVE: update of a linked timeout takes `link`, and only that', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader] = files.pipe();
  ring.prepRead(reader, new Uint8Array(1), 1, 1);
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepLinkTimeout(HOUR, 2);
  ring.submit();
  ring.prepTimeoutUpdate(2, 1, 3);
  assert.equal(complete(ring).res, -ENOENT, 'it is none of prepTimeout');
  ring.prepTimeoutUpdate(2, 1, 4, { link: true });
  const found = results(ring, 3);
  assert.deepEqual([found.get(4), found.get(2), found.get(1)], [0, -ETIME, -ECANCELED]);
});

it('IORING_OP_TIMEOUT_REMOVE: misuse throws, and queues nothing', () => {
  using ring = openRing(4);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepTimeoutRemove(-1, 1),
    () => ring.prepTimeoutRemove(1, 2n ** 64n),
    () => ring.prepTimeoutUpdate(1, -1, 1),
    () => ring.prepTimeoutUpdate(-1, 1, 1),
    () => ring.prepTimeoutUpdate(1, 1, -1),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepTimeoutRemove(any(null), 1),
    () => ring.prepTimeoutUpdate(1, any({}), 1),
  ]);
});

it('IORING_OP_LINK_TIMEOUT: cancels the operation before it, and completes with -ETIME', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader] = files.pipe();
  const limited: (() => unknown)[] = [() => ring.prepPollAdd(reader, POLLIN, 1)];
  // An older kernel has a worker read the pipe, where it goes on.
  if (!without('5.15', 'reads that a time limit strikes')) {
    limited.push(() => ring.prepRead(reader, new Uint8Array(1), 1, 1));
  }
  for (const prepare of limited) {
    const start = performance.now();
    prepare();
    ring.sqeSetFlags(IOSQE_IO_LINK);
    ring.prepLinkTimeout(4, 2);
    assert.deepEqual(results(ring, 2), new Map([[1, -ECANCELED], [2, -ETIME]]));
    assert.ok(performance.now() - start >= 3.9);
  }
});

it('IORING_OP_LINK_TIMEOUT: completes with -ECANCELED when the operation was done first', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  const byte = new Uint8Array(1);
  ring.prepRead(reader, byte, 1, 1);
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepLinkTimeout(HOUR, 2);
  ring.submit();
  assert.ok(isQuiet(ring));
  writeSync(writer, '!');
  assert.deepEqual(results(ring, 2), new Map([[1, 1], [2, -ECANCELED]]));
  assert.equal(byte[0], 33);
});

it('IORING_OP_LINK_TIMEOUT: after a hard link, absolute, on other clocks, with etimeSuccess', {
  skip: without('5.16', 'IORING_TIMEOUT_ETIME_SUCCESS'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader] = files.pipe();
  const inTime = (prepare: () => void): void => {
    ring.prepRead(reader, new Uint8Array(1), 1, 1);
    ring.sqeSetFlags(IOSQE_IO_HARDLINK);
    prepare();
    assert.deepEqual(results(ring, 2), new Map([[1, -ECANCELED], [2, -ETIME]]));
  };
  inTime(() => ring.prepLinkTimeout(1_000_000n, 2));
  inTime(() => ring.prepLinkTimeout(process.hrtime.bigint() + 1_000_000n, 2, { absolute: true }));
  inTime(() => ring.prepLinkTimeout(1, 2, { clock: 'boottime' }));
  inTime(() => ring.prepLinkTimeout(Date.now(), 2, { absolute: true, clock: 'realtime' }));
  inTime(() => ring.prepLinkTimeout(1, 2, { etimeSuccess: true }));
});

it('IORING_OP_LINK_TIMEOUT: without an operation to limit it is -EINVAL', () => {
  using ring = openRing(8);
  ring.prepLinkTimeout(1, 1);
  assert.equal(complete(ring).res, -EINVAL);
  ring.prepNop(1);
  ring.prepLinkTimeout(1, 2);
  assert.deepEqual(results(ring, 2), new Map([[1, 0], [2, -EINVAL]]));
});

it('IORING_OP_LINK_TIMEOUT: misuse throws, and queues nothing', () => {
  using ring = openRing(4);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepLinkTimeout(-1, 1),
    () => ring.prepLinkTimeout(1, 0.5),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [() => ring.prepLinkTimeout(any(null), 1)]);
  refused(ring, 'ERR_INVALID_ARG_VALUE', [() => ring.prepLinkTimeout(1, 1, { clock: any('x') })]);
});
