// Polls, one of them or many on one file, and eventfds that tell of completions.
import assert from 'node:assert/strict';
import { constants, readSync, writeSync } from 'node:fs';
import { ECANCELED } from '../../../src/abi/errno.ts';
import { POLLIN, POLLOUT, POLLPRI } from '../../../src/abi/event-flags.ts';
import { IOSQE_IO_LINK } from '../../../src/abi/flags.ts';
import { IoUring, type Completion } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { completions, isQuiet, results } from '../operations/completions.ts';
import { reap } from '../reap.ts';
import { eventfd } from './sockets.ts';

/** As the kernel made rings before there were flags: completions are posted whenever they are there. */
const PLAIN = { deferTaskrun: false, coopTaskrun: false, singleIssuer: false };

/** Add to an eventfd. */
function signal(fd: number): void {
  const one = Buffer.alloc(8);
  one.writeBigUInt64LE(1n);
  writeSync(fd, one);
}

/** What an eventfd holds; undefined if it is 0. Then it is 0. */
function take(fd: number): number | undefined {
  const value = Buffer.alloc(8);
  try {
    readSync(fd, value);
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
    return undefined;
  }
  return Number(value.readBigUInt64LE());
}

const told = (found: readonly Completion[]): unknown[] => found.map((c) => [c.userData, c.res, c.hasMore()]);

it('case 59: several polls on one file all fire', {
  skip: without('5.15', 'a poll that tells only what it was asked for'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(32);
  const [reader, writer] = files.pipe();
  for (let i = 0; i < 16; i++) ring.prepPollAdd(reader, POLLIN, i, { multishot: i % 2 === 1 });
  ring.submit();
  assert.ok(isQuiet(ring));
  writeSync(writer, 'x');
  const found = completions(ring, 16).sort((a, b) => a.userData - b.userData);
  assert.deepEqual(told(found), found.map((_, i) => [i, POLLIN, i % 2 === 1]));
});

it('case 59: a ring can poll itself, and another that is disabled yet', () => {
  using ring = new IoUring(8, PLAIN);
  using disabled = new IoUring(8, { ...PLAIN, disabled: true });
  ring.prepPollAdd(ring.fd, POLLIN, 1);
  ring.prepPollAdd(disabled.fd, POLLIN, 2);
  ring.submit();
  assert.ok(isQuiet(ring));
  ring.prepNop(3);
  assert.deepEqual(results(ring, 2), new Map([[3, 0], [1, POLLIN]]));
  disabled.enableRings();
  disabled.prepNop(4);
  disabled.submit();
  assert.deepEqual(results(ring, 1), new Map([[2, POLLIN]]));
});

it('case 60: the masks of many polls change in bulk; one that ends is queued again', () => {
  using files = new Descriptors();
  using ring = new IoUring(64, { cqEntries: 64 });
  const pipes = Array.from({ length: 50 }, () => files.pipe());
  for (const [i, [reader]] of pipes.entries()) ring.prepPollAdd(reader, POLLPRI, i, { multishot: true });
  ring.submit();
  for (let round = 0; round < 6; round++) {
    const open = round % 2 === 0;
    const events = open ? POLLIN : POLLPRI;
    for (let i = 0; i < 50; i++) ring.prepPollUpdate(i, 1000 + i, { events, multishot: true });
    const changed = completions(ring, 50);
    assert.ok(changed.every((c) => c.userData >= 1000 && c.res === 0));
    const fired = new Set<number>();
    for (const [, writer] of pipes) writeSync(writer, 'x');
    for (let calls = 0; open && fired.size < 50; calls++) {
      assert.ok(calls < 1000);
      ring.submitAndWait(1, { timeoutMs: 1000 });
      ring.forEachCompletion((c) => {
        assert.equal(c.res, POLLIN);
        fired.add(c.userData);
        if (!c.hasMore()) ring.prepPollAdd(pipes[c.userData][0], POLLIN, c.userData, { multishot: true });
      });
    }
    assert.ok(isQuiet(ring), 'with the other mask it is silent');
    for (const [reader] of pipes) readSync(reader, Buffer.alloc(8));
  }
});

it('case 61: a multishot poll whose completion overflows ends, and goes on when it is queued again', {
  skip: without('5.13', 'IORING_POLL_ADD_MULTI'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(2, { ...PLAIN, cqEntries: 2 });
  const [reader, writer] = files.pipe();
  ring.prepPollAdd(reader, POLLIN, 1, { multishot: true });
  ring.submit();
  for (let i = 0; i < 4; i++) {
    writeSync(writer, 'x');
    // Let the kernel post it; nothing is reaped.
    ring.submitAndWait(0);
  }
  assert.equal(ring.cqHasOverflow, true);
  assert.deepEqual(told(reap(ring)), [[1, POLLIN, true], [1, POLLIN, true], [1, POLLIN, false]]);
  writeSync(writer, 'x');
  assert.ok(isQuiet(ring), 'it is gone');
  ring.prepPollAdd(reader, POLLIN, 2, { multishot: true });
  assert.deepEqual(told(completions(ring, 1)), [[2, POLLIN, true]]);
});

it('case 62: a poll that is given a mask that holds already fires at once', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [a, b] = files.socketPair();
  for (const multishot of [false, true]) {
    ring.prepPollAdd(a, POLLPRI, 1, { multishot });
    ring.submit();
    assert.ok(isQuiet(ring));
    ring.prepPollUpdate(1, 2, { events: POLLOUT, multishot });
    const found = completions(ring, 2).sort((x, y) => x.userData - y.userData);
    assert.deepEqual(told(found), [[1, POLLOUT, multishot], [2, 0, false]]);
  }
  writeSync(b, 'x');
  ring.prepPollUpdate(1, 3, { events: POLLIN, multishot: true });
  assert.deepEqual(results(ring, 2), new Map([[3, 0], [1, POLLIN]]));
  ring.prepCancel(1, 4);
  assert.deepEqual(results(ring, 2), new Map([[1, -ECANCELED], [4, 0]]));
});

it('case 63: a multishot poll on the eventfd of its own ring ends with the second wake-up, and does not loop', {
  skip: without('6.2', 'EPOLL_URING_WAKE'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(8, PLAIN);
  const fd = eventfd(files, 0, constants.O_NONBLOCK);
  ring.registerEventfd(fd);
  ring.prepPollAdd(fd, POLLIN, 1, { multishot: true });
  ring.submit();
  signal(fd);
  assert.ok(take(fd)! >= 1);
  // The completion of the first wake-up is the second one.
  const found = completions(ring, 2);
  assert.deepEqual(told(found), [[1, POLLIN, true], [1, POLLIN, false]]);
  signal(fd);
  assert.ok(isQuiet(ring));
});

it('case 64: completions that signal the eventfd that is polled do not make more of themselves', {
  skip: without('5.13', 'IORING_POLL_ADD_MULTI'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(8, PLAIN);
  const fd = eventfd(files);
  ring.registerEventfd(fd);
  ring.prepPollAdd(fd, POLLIN, 1, { multishot: true });
  ring.submit();
  ring.prepNop(2);
  assert.deepEqual(results(ring, 2), new Map([[2, 0], [1, POLLIN]]));
  assert.ok(isQuiet(ring));
  assert.ok(isQuiet(ring));
});

it('case 65: an eventfd that is muted stays silent; unmuted it is signalled for what is new, once a batch', () => {
  for (const options of [{}, PLAIN]) {
    using files = new Descriptors();
    using ring = new IoUring(64, options);
    const fd = eventfd(files, 0, constants.O_NONBLOCK);
    ring.registerEventfd(fd);
    ring.cqEventfdToggle(false);
    for (let i = 0; i < 63; i++) ring.prepNop(i);
    assert.equal(results(ring, 63).size, 63);
    assert.equal(take(fd), undefined);
    ring.cqEventfdToggle(true);
    assert.equal(take(fd), undefined, 'not for what came before');
    for (let i = 0; i < 8; i++) ring.prepNop(i);
    ring.submit();
    assert.equal(take(fd), 1);
    assert.equal(reap(ring).length, 8);
  }
});

it('case 66: a ring has one eventfd; the second is refused until the first is given up', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const fds = [eventfd(files), eventfd(files)];
  ring.registerEventfd(fds[0]);
  for (const fd of fds) assert.throws(() => ring.registerEventfd(fd), { code: 'EBUSY' });
  ring.unregisterEventfd();
  ring.registerEventfd(fds[1]);
  ring.unregisterEventfd();
  assert.throws(() => ring.unregisterEventfd(), { code: 'ENXIO' });
});

it('case 67: the eventfd of a ring can be polled and then read by the ring itself', () => {
  using files = new Descriptors();
  using ring = new IoUring(8, PLAIN);
  const fd = eventfd(files);
  const value = Buffer.alloc(8);
  ring.prepPollAdd(fd, POLLIN, 1);
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepReadv(fd, [value], 2);
  ring.submit();
  assert.ok(isQuiet(ring));
  ring.registerEventfd(fd);
  ring.prepNop(3);
  assert.deepEqual(results(ring, 3), new Map([[3, 0], [1, POLLIN], [2, 8]]));
  assert.ok(value.readBigUInt64LE() >= 1n);
});
