// Cancelling: whichever way an operation is named, however many there are, and whatever they were lent.
import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { ECANCELED, ENOENT } from '../../../src/abi/errno.ts';
import { POLLIN } from '../../../src/abi/event-flags.ts';
import { IOSQE_FIXED_FILE } from '../../../src/abi/flags.ts';
import { IORING_OP_POLL_ADD, IORING_OP_READ } from '../../../src/abi/operations.ts';
import type { Completion, IoUring } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { complete } from '../reap.ts';
import { completions, isQuiet, results } from './completions.ts';
import { openRing } from './recorder.ts';
import { any, refused } from './refused.ts';

const HOUR = 3_600_000;

/** A read of an empty pipe: it waits, and memory is lent to it. */
function prepWaitingRead(ring: IoUring, fd: number, userData: number): Uint8Array {
  const buffer = new Uint8Array(8);
  assert.ok(ring.prepRead(fd, buffer, 8, userData));
  return buffer;
}

/** How often each userData completed with each result. */
function tally(found: Completion[]): string[] {
  return found.map((c) => `${c.userData}: ${c.res}`).sort();
}

it('IORING_OP_ASYNC_CANCEL: by userData ends one operation, lending memory or not', {
  skip: without('5.19', 'reads of pipes that wait without a worker'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader] = files.pipe();
  prepWaitingRead(ring, reader, 1);
  ring.prepPollAdd(reader, POLLIN, 2);
  ring.submit();
  ring.prepCancel(1, 11);
  assert.deepEqual(results(ring, 2), new Map([[1, -ECANCELED], [11, 0]]));
  ring.prepCancel(2, 12);
  assert.deepEqual(results(ring, 2), new Map([[2, -ECANCELED], [12, 0]]));
  ring.prepCancel(2, 13);
  assert.equal(complete(ring).res, -ENOENT);
  ring.prepCancel({ userData: 2 }, 14);
  assert.equal(complete(ring).res, -ENOENT);
});

it('IORING_OP_ASYNC_CANCEL: of several with one userData it ends one at a time', {
  skip: without('5.19', 'reads of pipes that wait without a worker'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader] = files.pipe();
  prepWaitingRead(ring, reader, 5);
  prepWaitingRead(ring, reader, 5);
  ring.prepPollAdd(reader, POLLIN, 5);
  ring.submit();
  for (let i = 0; i < 3; i++) {
    ring.prepCancel(5, 6);
    assert.deepEqual(tally(completions(ring, 2)), [`5: -${ECANCELED}`, '6: 0']);
  }
  ring.prepCancel(5, 6);
  assert.equal(complete(ring).res, -ENOENT);
});

it('IORING_OP_ASYNC_CANCEL: all of one userData, lending memory or not, for one completion', {
  skip: without('5.19', 'IORING_ASYNC_CANCEL_ALL'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(16);
  const [reader] = files.pipe();
  const [socket] = files.socketPair();
  for (let i = 0; i < 3; i++) prepWaitingRead(ring, reader, 5);
  prepWaitingRead(ring, socket, 5);
  ring.prepPollAdd(reader, POLLIN, 5);
  ring.prepTimeout(HOUR, 5);
  ring.prepPollAdd(reader, POLLIN, 4);
  prepWaitingRead(ring, reader, 4);
  ring.submit();
  ring.prepCancel(5, 6, { all: true });
  const found = tally(completions(ring, 7));
  assert.deepEqual(found, [...Array.from({ length: 6 }, () => `5: -${ECANCELED}`), '6: 6']);
  assert.ok(isQuiet(ring), 'those of other userData stay');
  ring.prepCancel(4, 7, { all: true });
  assert.deepEqual(tally(completions(ring, 3)), [`4: -${ECANCELED}`, `4: -${ECANCELED}`, '7: 2']);
});

it('IORING_OP_ASYNC_CANCEL: all of a userData that nothing has completes with 0', {
  skip: without('5.19', 'IORING_ASYNC_CANCEL_ALL'),
}, () => {
  using ring = openRing(8);
  ring.prepCancel(5, 6, { all: true });
  assert.equal(complete(ring).res, 0);
});

it('IORING_OP_ASYNC_CANCEL: all, several times over before the first is submitted', {
  skip: without('5.19', 'IORING_ASYNC_CANCEL_ALL'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(16);
  const [reader] = files.pipe();
  prepWaitingRead(ring, reader, 5);
  prepWaitingRead(ring, reader, 5);
  ring.submit();
  for (const userData of [6, 7]) ring.prepCancel(5, userData, { all: true });
  assert.deepEqual(tally(completions(ring, 4)).slice(0, 3), [`5: -${ECANCELED}`, `5: -${ECANCELED}`, '6: 2']);
});

it('IORING_OP_ASYNC_CANCEL: all of one userData needs an entry for each; without room nothing is queued', {
  skip: without('5.19', 'IORING_ASYNC_CANCEL_ALL'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(4);
  const [reader] = files.pipe();
  for (let i = 0; i < 3; i++) prepWaitingRead(ring, reader, 5);
  ring.submit();
  ring.prepNop(1);
  assert.equal(ring.prepCancel(5, 6, { all: true }), false, 'three and one are four, and one is taken');
  refused(ring, 'ERR_INVALID_STATE', [() => ring.sqeSetFlags(0)]);
  assert.equal(complete(ring).userData, 1);
  assert.equal(ring.prepCancel(5, 6, { all: true }), true);
  assert.equal(ring.sqSpaceLeft, 0);
  assert.deepEqual(tally(completions(ring, 4)).at(-1), '6: 3');

  for (let i = 0; i < 4; i++) prepWaitingRead(ring, reader, 5);
  ring.submit();
  refused(ring, 'ERR_INVALID_STATE', [() => ring.prepCancel(5, 6, { all: true })], /by fd or any/);
  ring.prepCancel({ any: true }, 6, { all: true });
  assert.deepEqual(tally(completions(ring, 5)).at(-1), '6: 4');
});

it('IORING_OP_ASYNC_CANCEL: by descriptor, one or all of them', () => {
  using files = new Descriptors();
  using ring = openRing(16);
  const [one] = files.pipe();
  const [two] = files.pipe();
  for (const userData of [1, 2, 3]) prepWaitingRead(ring, one, userData);
  ring.prepPollAdd(two, POLLIN, 4);
  ring.submit();
  ring.prepCancelFd(one, 11);
  const first = results(ring, 2);
  assert.deepEqual([first.get(11), first.size], [0, 2]);
  ring.prepCancelFd(one, 12, { all: true });
  assert.equal(results(ring, 3).get(12), 2);
  ring.prepCancelFd(one, 13);
  assert.equal(complete(ring).res, -ENOENT);
  ring.prepCancel({ fd: two }, 14);
  assert.deepEqual(results(ring, 2), new Map([[4, -ECANCELED], [14, 0]]));
});

it('IORING_OP_ASYNC_CANCEL: by slot of the registered files', () => {
  using files = new Descriptors();
  using ring = openRing(16);
  const [reader] = files.pipe();
  ring.registerFiles([-1, reader]);
  for (const userData of [1, 2]) {
    prepWaitingRead(ring, 1, userData);
    ring.sqeSetFlags(IOSQE_FIXED_FILE);
  }
  ring.submit();
  ring.prepCancelFd(1, 11, { fixed: true });
  assert.equal(results(ring, 2).get(11), 0);
  ring.prepCancel({ fd: 1, fixed: true }, 12, { all: true });
  assert.equal(results(ring, 2).get(12), 1);
});

it('IORING_OP_ASYNC_CANCEL: by operation, and by operation and descriptor', () => {
  using files = new Descriptors();
  using ring = openRing(16);
  const [one] = files.pipe();
  const [two] = files.pipe();
  prepWaitingRead(ring, one, 1);
  prepWaitingRead(ring, two, 2);
  ring.prepPollAdd(one, POLLIN, 3);
  ring.prepPollAdd(two, POLLIN, 4);
  ring.submit();
  ring.prepCancel({ opcode: IORING_OP_POLL_ADD, fd: two }, 11, { all: true });
  assert.deepEqual(results(ring, 2), new Map([[4, -ECANCELED], [11, 1]]));
  ring.prepCancel({ opcode: IORING_OP_READ }, 12, { all: true });
  assert.deepEqual(results(ring, 3), new Map([[1, -ECANCELED], [2, -ECANCELED], [12, 2]]));
  ring.prepCancel({ opcode: IORING_OP_READ }, 13);
  assert.equal(complete(ring).res, -ENOENT);
  ring.prepCancel({ opcode: IORING_OP_POLL_ADD }, 14);
  assert.deepEqual(results(ring, 2), new Map([[3, -ECANCELED], [14, 0]]));
});

it('IORING_OP_ASYNC_CANCEL: any is every operation, whether it says all or not', {
  skip: without('5.19', 'IORING_ASYNC_CANCEL_ANY'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(16);
  const [reader] = files.pipe();
  for (const all of [true, false]) {
    prepWaitingRead(ring, reader, 1);
    ring.prepPollAdd(reader, POLLIN, 2);
    ring.prepTimeout(HOUR, 3);
    ring.submit();
    ring.prepCancel({ any: true }, 11, { all });
    assert.deepEqual(results(ring, 4), new Map([[1, -ECANCELED], [2, -ECANCELED], [3, -ECANCELED], [11, 3]]));
    ring.prepCancel({ any: true }, 12, { all });
    assert.equal(complete(ring).res, 0);
  }
});

it('IORING_OP_ASYNC_CANCEL: by userData and descriptor both must fit', () => {
  using files = new Descriptors();
  using ring = openRing(16);
  const [one] = files.pipe();
  const [two] = files.pipe();
  prepWaitingRead(ring, one, 5);
  prepWaitingRead(ring, two, 5);
  ring.prepPollAdd(one, POLLIN, 5);
  ring.prepPollAdd(one, POLLIN, 6);
  ring.submit();
  ring.prepCancel({ userData: 5, fd: one }, 11, { all: true });
  assert.deepEqual(tally(completions(ring, 3)), ['11: 2', `5: -${ECANCELED}`, `5: -${ECANCELED}`]);
  ring.prepCancel({ userData: 6, fd: two }, 12);
  assert.equal(complete(ring).res, -ENOENT);
  ring.prepCancel({ userData: 5, fd: two }, 13);
  assert.deepEqual(results(ring, 2), new Map([[5, -ECANCELED], [13, 0]]));
});

it('IORING_OP_ASYNC_CANCEL: by userData and descriptor ends only one, unless it is told to end all', () => {
  using files = new Descriptors();
  using ring = openRing(16);
  const [reader] = files.pipe();
  for (let i = 0; i < 3; i++) prepWaitingRead(ring, reader, 5);
  ring.submit();
  ring.prepCancel({ userData: 5, fd: reader }, 11);
  assert.deepEqual(tally(completions(ring, 2)), ['11: 0', `5: -${ECANCELED}`]);
  assert.ok(isQuiet(ring));
  ring.prepCancel({ userData: 5, opcode: IORING_OP_READ }, 12);
  assert.deepEqual(tally(completions(ring, 2)), ['12: 0', `5: -${ECANCELED}`]);
  assert.ok(isQuiet(ring));
});

it('IORING_OP_ASYNC_CANCEL: peek() shows what reaping then gives: the one completion of many', {
  skip: without('5.19', 'IORING_ASYNC_CANCEL_ALL'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader] = files.pipe();
  for (let i = 0; i < 3; i++) prepWaitingRead(ring, reader, 5);
  ring.submit();
  ring.prepCancel(5, 6, { all: true });
  ring.submitAndWait(7, { timeoutMs: 50 });
  const found: number[] = [];
  for (let next = ring.peek(); next !== undefined; next = ring.peek()) {
    const [c] = ring.copyCompletions(1);
    assert.deepEqual(next.toJSON(), c.toJSON());
    found.push(c.userData);
  }
  assert.deepEqual(found.sort(), [5, 5, 5, 6]);
});

it('IORING_OP_ASYNC_CANCEL: does not end one that is done; its data is there', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  const done = prepWaitingRead(ring, reader, 5);
  ring.submit();
  writeSync(writer, 'data');
  ring.submitAndWait(1);
  ring.prepCancel(5, 6);
  assert.deepEqual(results(ring, 2), new Map([[5, 4], [6, -ENOENT]]));
  assert.equal(Buffer.from(done).toString('utf8', 0, 4), 'data');
});

it('IORING_OP_ASYNC_CANCEL: misuse throws, and queues nothing', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader] = files.pipe();
  prepWaitingRead(ring, reader, 5);
  ring.submit();
  refused(ring, 'ERR_INVALID_ARG_VALUE', [
    () => ring.prepCancel({}, 1),
    () => ring.prepCancel({ fixed: true }, 1),
    () => ring.prepCancel({ any: false }, 1),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepCancel(any('5'), 1),
    () => ring.prepCancel(any(null), 1),
    () => ring.prepCancel({ userData: any('5') }, 1),
    () => ring.prepCancel({ fd: any('5') }, 1),
    () => ring.prepCancel({ opcode: any('read') }, 1),
    () => ring.prepCancelFd(any(undefined), 1),
    () => ring.prepCancel(5, any(null), { all: true }),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepCancel(-5, 1),
    () => ring.prepCancel({ userData: 2n ** 64n }, 1),
    () => ring.prepCancel({ opcode: 256 }, 1),
    () => ring.prepCancel(5, -1, { all: true }),
  ]);
});
