// Waiting for a descriptor to be ready, and changing or ending such a wait.
import assert from 'node:assert/strict';
import { readSync, writeSync } from 'node:fs';
import { EBADF, ECANCELED, EINVAL, ENOENT } from '../../../src/abi/errno.ts';
import { EPOLLEXCLUSIVE, POLLHUP, POLLIN, POLLOUT, POLLPRI } from '../../../src/abi/event-flags.ts';
import { it, without } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { complete } from '../reap.ts';
import { completions, isQuiet, results } from './completions.ts';
import { openRing } from './recorder.ts';
import { any, refused } from './refused.ts';

it('IORING_OP_POLL_ADD: waits for an event, and completes with those that are there', {
  skip: without('5.15', 'a poll that tells only what it was asked for'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(4);
  const [a, b] = files.socketPair();
  ring.prepPollAdd(a, POLLIN, 1);
  ring.submit();
  assert.ok(isQuiet(ring));
  writeSync(b, 'x');
  const c = complete(ring);
  assert.deepEqual([c.userData, c.res, c.hasMore()], [1, POLLIN, false]);
  ring.prepPollAdd(a, POLLIN | POLLOUT | POLLPRI, 2);
  assert.equal(complete(ring).res, POLLIN | POLLOUT, 'there already; nothing urgent');
});

it('IORING_OP_POLL_ADD: is told of the end of a pipe without asking, and of a bad descriptor', () => {
  using files = new Descriptors();
  using ring = openRing(4);
  const [reader, writer] = files.pipe();
  ring.prepPollAdd(reader, 0, 1);
  ring.submit();
  assert.ok(isQuiet(ring));
  files.close(writer);
  assert.equal(complete(ring).res, POLLHUP);
  for (const none of [-1, 1_000_000, 2 ** 32 + reader]) {
    ring.prepPollAdd(none, POLLIN, 2);
    assert.equal(complete(ring).res, -EBADF);
  }
});

it('IORING_OP_POLL_ADD: of exclusive polls only one is woken: the mask has 32 bits', {
  skip: without('5.15', 'a poll that tells only what it was asked for'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  const polls = [1, 2, 3];
  for (const i of polls) ring.prepPollAdd(reader, POLLIN | EPOLLEXCLUSIVE, i);
  ring.submit();
  assert.ok(isQuiet(ring));
  writeSync(writer, 'x');
  const c = complete(ring);
  assert.equal(c.res, POLLIN);
  assert.ok(isQuiet(ring));
});

it('IORING_OP_POLL_ADD: multishot completes at every change, until it is cancelled', {
  skip: without('5.13', 'IORING_POLL_ADD_MULTI'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(4);
  const [reader, writer] = files.pipe();
  writeSync(writer, 'before');
  ring.prepPollAdd(reader, POLLIN, 1, { multishot: true });
  const first = complete(ring);
  assert.deepEqual([first.res, first.hasMore()], [POLLIN, true], 'what was there counts as one');
  assert.ok(isQuiet(ring), 'and only as one: it is edge-triggered');
  for (let i = 0; i < 5; i++) {
    writeSync(writer, 'x');
    const c = complete(ring);
    assert.deepEqual([c.userData, c.res, c.hasMore()], [1, POLLIN, true]);
  }
  ring.prepPollRemove(1, 2);
  const last = completions(ring, 2).find((c) => c.userData === 1)!;
  assert.deepEqual([last.res, last.hasMore()], [-ECANCELED, false]);
});

it('IORING_OP_POLL_ADD: level-triggered is what the kernel refuses, in spite of its header', () => {
  using files = new Descriptors();
  using ring = openRing(4);
  const [reader] = files.pipe();
  for (const multishot of [false, true]) {
    ring.prepPollAdd(reader, POLLIN, 1, { multishot, level: true });
    assert.equal(complete(ring).res, -EINVAL);
  }
});

it('IORING_OP_POLL_ADD: a ring is readable when completions wait in another', () => {
  using ring = openRing(4);
  using other = openRing(4, { coopTaskrun: true });
  ring.prepPollAdd(other.fd, POLLIN, 1);
  ring.submit();
  assert.ok(isQuiet(ring));
  other.prepNop(7);
  other.submit();
  assert.equal(complete(ring).res, POLLIN);
  assert.equal(complete(other).userData, 7);
});

it('IORING_OP_POLL_ADD: misuse throws, and queues nothing', () => {
  using ring = openRing(4);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepPollAdd(any('0'), POLLIN, 1),
    () => ring.prepPollAdd(0.5, POLLIN, 1),
    () => ring.prepPollAdd(0, any('in'), 1),
    () => ring.prepPollAdd(0, POLLIN, any(undefined)),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepPollAdd(0, -1, 1),
    () => ring.prepPollAdd(0, 2 ** 32, 1),
    () => ring.prepPollAdd(0, POLLIN, -1),
  ]);
});

it('IORING_OP_POLL_REMOVE: ends the poll with -ECANCELED; there is nothing a second time', () => {
  using files = new Descriptors();
  using ring = openRing(4);
  const [reader, writer] = files.pipe();
  ring.prepPollAdd(reader, POLLIN, 2n ** 64n - 1n);
  ring.submit();
  ring.prepPollRemove(2n ** 64n - 1n, 2);
  const found = new Map(completions(ring, 2).map((c) => [c.userData64, c.res]));
  assert.deepEqual(found, new Map([[2n ** 64n - 1n, -ECANCELED], [2n, 0]]));
  writeSync(writer, 'x');
  assert.ok(isQuiet(ring));
  ring.prepPollRemove(2n ** 64n - 1n, 3);
  assert.equal(complete(ring).res, -ENOENT);
});

it('IORING_OP_POLL_REMOVE: update sets other events, which complete the poll if they are there', () => {
  using files = new Descriptors();
  using ring = openRing(4);
  const [a, b] = files.socketPair();
  ring.prepPollAdd(a, POLLPRI, 1);
  ring.prepPollUpdate(1, 2, { events: POLLIN });
  assert.equal(complete(ring).res, 0);
  writeSync(b, 'x');
  const c = complete(ring);
  assert.deepEqual([c.userData, c.res], [1, POLLIN]);
  ring.prepPollAdd(a, POLLPRI, 1);
  ring.prepPollUpdate(1, 2, { events: POLLOUT });
  assert.deepEqual(results(ring, 2), new Map([[2, 0], [1, POLLOUT]]));
  ring.prepPollUpdate(1, 3, { events: POLLIN });
  assert.equal(complete(ring).res, -ENOENT);
});

it('IORING_OP_POLL_REMOVE: update gives the poll other userData, with other events or without', () => {
  using files = new Descriptors();
  using ring = openRing(4);
  const [reader, writer] = files.pipe();
  const next = 2n ** 63n + 9n;
  ring.prepPollAdd(reader, POLLPRI, 1);
  ring.prepPollUpdate(1, 2, { newUserData: next });
  assert.equal(complete(ring).res, 0);
  ring.prepPollUpdate(1, 3, { events: POLLIN });
  assert.equal(complete(ring).res, -ENOENT, 'known by its new one only');
  ring.prepPollUpdate(next, 4, { events: POLLIN, newUserData: 77 });
  assert.equal(complete(ring).res, 0);
  writeSync(writer, 'x');
  const c = complete(ring);
  assert.deepEqual([c.userData, c.res, c.hasMore()], [77, POLLIN, false]);
});

it('IORING_OP_POLL_REMOVE: update leaves a poll what it is: once, or multishot', () => {
  using files = new Descriptors();
  using ring = openRing(4);
  const [reader, writer] = files.pipe();
  for (const multishot of [false, true]) {
    ring.prepPollAdd(reader, POLLPRI, 1, { multishot });
    ring.prepPollUpdate(1, 2, { events: POLLIN, multishot: !multishot });
    assert.equal(complete(ring).res, 0);
    for (let i = 0; i < (multishot ? 3 : 1); i++) {
      writeSync(writer, 'x');
      const c = complete(ring);
      assert.deepEqual([c.userData, c.res, c.hasMore()], [1, POLLIN, multishot]);
      readSync(reader, new Uint8Array(8));
    }
    ring.prepCancel(1, 5);
    if (multishot) assert.deepEqual(results(ring, 2), new Map([[1, -ECANCELED], [5, 0]]));
    else assert.equal(complete(ring).res, -ENOENT);
  }
});

it('IORING_OP_POLL_REMOVE: update to level-triggered is what the kernel refuses, and leaves the poll', () => {
  using files = new Descriptors();
  using ring = openRing(4);
  const [reader, writer] = files.pipe();
  ring.prepPollAdd(reader, POLLIN, 1);
  ring.prepPollUpdate(1, 2, { events: POLLIN, level: true });
  assert.equal(complete(ring).res, -EINVAL);
  writeSync(writer, 'x');
  assert.equal(complete(ring).userData, 1);
});

it('IORING_OP_POLL_REMOVE: misuse throws, and queues nothing', () => {
  using ring = openRing(4);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepPollRemove(any('1'), 1),
    () => ring.prepPollUpdate(1, 2, any(undefined)),
    () => ring.prepPollUpdate(1, 2, any(null)),
    () => ring.prepPollUpdate(1, 2, any(3)),
    () => ring.prepPollUpdate(1, 2, { newUserData: any('x') }),
  ]);
  refused(ring, 'ERR_INVALID_ARG_VALUE', [
    () => ring.prepPollUpdate(1, 2, {}),
    () => ring.prepPollUpdate(1, 2, { multishot: true }),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepPollRemove(-1, 1),
    () => ring.prepPollUpdate(1, 2, { events: -1 }),
    () => ring.prepPollUpdate(1, 2, { events: 2 ** 32 }),
    () => ring.prepPollUpdate(1, 2, { newUserData: 2n ** 64n }),
    () => ring.prepPollUpdate(-1, 2, { events: 1 }),
    () => ring.prepPollUpdate(1, -2, { events: 1 }),
  ]);
});
