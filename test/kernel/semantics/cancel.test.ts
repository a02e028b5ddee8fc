// Cancelling: what it reaches, what it answers, and what becomes of the operation.
import assert from 'node:assert/strict';
import { readSync, writeSync } from 'node:fs';
import { EALREADY, EBADF, ECANCELED, EINTR, EINVAL, ENOENT } from '../../../src/abi/errno.ts';
import { POLLIN } from '../../../src/abi/event-flags.ts';
import {
  IORING_ACCEPT_MULTISHOT,
  IORING_FILE_INDEX_ALLOC,
  IOSQE_ASYNC,
  IOSQE_FIXED_FILE,
} from '../../../src/abi/flags.ts';
import { IORING_OP_ACCEPT, IORING_OP_READ } from '../../../src/abi/operations.ts';
import { IoUring } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { completions, isQuiet, results } from '../operations/completions.ts';
import { complete } from '../reap.ts';

const HUGE = 2n ** 64n - 1n;

/** A read of an empty pipe: it waits, and memory is lent to it. */
function prepWaitingRead(ring: IoUring, fd: number, userData: number | bigint): Uint8Array {
  const buffer = new Uint8Array(8);
  assert.ok(ring.prepRead(fd, buffer, 8, userData));
  return buffer;
}

it('case 41: a cancellation stays in its ring', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  using other = new IoUring(8);
  const [reader, writer] = files.pipe();
  prepWaitingRead(ring, reader, 1);
  ring.prepPollAdd(reader, POLLIN, 2);
  ring.submit();
  for (const target of [1, 2]) other.prepCancel(target, target);
  other.prepCancelFd(reader, 3, { all: true });
  other.prepCancel({ any: true }, 4, { all: true });
  assert.deepEqual(results(other, 4), new Map([[1, -ENOENT], [2, -ENOENT], [3, 0], [4, 0]]));
  assert.ok(isQuiet(ring));
  writeSync(writer, 'x');
  assert.deepEqual(results(ring, 2), new Map([[1, 1], [2, POLLIN]]));
});

it('case 42: an operation and its cancellation race: one completion for each, and they agree', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [reader, writer] = files.pipe();
  const outcomes = new Set<string>();
  for (let round = 0; round < 400; round++) {
    const buffer = Buffer.alloc(1);
    ring.prepRead(reader, buffer, 1, HUGE);
    const isAsync = round % 8 < 4;
    ring.sqeSetFlags(isAsync ? IOSQE_ASYNC : 0);
    ring.submit();
    const order = round % 4;
    const prepWrite = (): void => void ring.prepWrite(writer, Buffer.from('x'), 1, 2);
    // Done before the cancellation is queued; right before it; in a worker at the same time; after it.
    if (order < 3) prepWrite();
    if (order === 0) ring.submitAndWait(2, { timeoutMs: 10_000 });
    if (order === 2) ring.sqeSetFlags(IOSQE_ASYNC);
    ring.prepCancel(HUGE, 3);
    if (order === 3) prepWrite();
    const found = completions(ring, 3);
    assert.deepEqual(found.map((c) => c.userData64).sort(), [HUGE, 2n, 3n].sort());
    const [read, write, cancel] = [HUGE, 2n, 3n].map((mark) => found.find((c) => c.userData64 === mark)!.res);
    assert.equal(write, 1);
    assert.ok([0, -ENOENT, -EALREADY].includes(cancel), `cancel ${cancel}`);
    assert.ok([1, -ECANCELED, -EINTR].includes(read), `read ${read}`);
    if (cancel === 0) assert.ok(read < 0, 'cancelled is cancelled');
    // A worker that has begun is told to stop, and then the kernel looks in other places, where it finds nothing.
    if (cancel === -ENOENT && !isAsync) assert.equal(read, 1, 'done before');
    if (read === 1) assert.equal(buffer.toString(), 'x');
    else assert.equal(readSync(reader, buffer), 1, 'it is still there');
    outcomes.add(`${cancel} ${read}`);
  }
  // Who wins in the middle is the machine's to say; the first and the last of the orders leave no choice.
  for (const sure of [`0 ${-ECANCELED}`, `${-ENOENT} 1`]) assert.ok(outcomes.has(sure), [...outcomes].join('; '));
});

it('case 43: all that fit, by descriptor, slot, userData or whatever; completes with their number', () => {
  using files = new Descriptors();
  using ring = new IoUring(32);
  const [one] = files.pipe();
  const [two] = files.pipe();
  ring.registerFiles([one, two]);
  const start = (): void => {
    for (let i = 0; i < 3; i++) {
      prepWaitingRead(ring, one, HUGE);
      ring.prepPollAdd(two, POLLIN, 7);
      prepWaitingRead(ring, 0, 8);
      ring.sqeSetFlags(IOSQE_FIXED_FILE);
    }
    ring.submit();
  };
  const cancelled = (count: number): void => {
    const found = completions(ring, count + 1);
    assert.equal(found.filter((c) => c.res === -ECANCELED).length, count);
    assert.equal(found.find((c) => c.res >= 0 && c.userData64 === 1n)?.res, count);
  };
  start();
  ring.prepCancelFd(one, 1, { all: true });
  // The slot holds the same file.
  cancelled(6);
  ring.prepCancelFd(1, 1, { all: true, fixed: true });
  cancelled(3);
  start();
  ring.prepCancel(HUGE, 1, { all: true });
  cancelled(3);
  ring.prepCancel(7, 1, { all: true });
  cancelled(3);
  ring.prepCancel({ any: true }, 1, { all: true });
  cancelled(3);
});

/** Cancellations by opcode, and by two things at once. */
const byOpcode = { skip: without('6.6', 'IORING_ASYNC_CANCEL_OP and IORING_ASYNC_CANCEL_USERDATA') };

it('case 44: by descriptor and userData: both must fit', byOpcode, () => {
  using files = new Descriptors();
  using ring = new IoUring(16);
  const pipes = [0, 1].map(() => files.pipe()[0]);
  for (const fd of pipes) for (const mark of [HUGE, 2n ** 63n]) prepWaitingRead(ring, fd, mark);
  ring.submit();
  ring.prepCancel({ fd: pipes[1], userData: HUGE }, 1, { all: true });
  const found = completions(ring, 2).map((c) => [c.userData64, c.res]);
  assert.deepEqual(found.sort(), [[1n, 1], [HUGE, -ECANCELED]]);
  ring.prepCancel({ fd: pipes[1], userData: HUGE }, 1);
  assert.equal(complete(ring).res, -ENOENT);
  ring.prepCancel({ fd: pipes[0], userData: HUGE }, 1);
  assert.deepEqual(completions(ring, 2).map((c) => [c.userData64, c.res]).sort(), [[1n, 0], [HUGE, -ECANCELED]]);
  ring.prepCancel({ any: true }, 1);
  assert.equal(completions(ring, 3).filter((c) => c.userData64 === 2n ** 63n).length, 2);
});

it('case 45: a cancellation that blocks: by userData, descriptor or kind; of nothing ENOENT', byOpcode, () => {
  using files = new Descriptors();
  using ring = new IoUring(16);
  const [reader] = files.pipe();
  const [other] = files.pipe();
  for (const flags of [0, IOSQE_ASYNC]) {
    const targets = [HUGE, { opcode: IORING_OP_READ }, { fd: reader }, { fd: reader, userData: HUGE }];
    // Which file an operation is on, the kernel knows only once its worker has begun.
    for (const target of flags === 0 ? targets : targets.slice(0, 2)) {
      prepWaitingRead(ring, reader, HUGE);
      ring.sqeSetFlags(flags);
      ring.prepPollAdd(other, POLLIN, 2);
      ring.submit();
      assert.equal(ring.registerSyncCancel(target, { timeoutMs: 5000 }), 0);
      const [c] = completions(ring, 1);
      assert.equal(c.userData64, HUGE);
      assert.ok([-ECANCELED, -EINTR].includes(c.res));
      assert.throws(() => ring.registerSyncCancel(target), { code: 'ENOENT' });
      assert.equal(ring.registerSyncCancel(2), 0);
      assert.deepEqual(results(ring, 1), new Map([[2, -ECANCELED]]));
    }
  }
});

it('case 46: accepts end when they are cancelled, started or not; those of a closed listener go on', byOpcode, () => {
  using files = new Descriptors();
  using ring = new IoUring(16);
  const { fd, port } = files.listener();
  ring.prepAccept(fd, HUGE);
  ring.prepCancel(HUGE, 2);
  assert.deepEqual(completions(ring, 2).map((c) => c.res).sort(), [-ECANCELED, 0].sort());
  for (const prep of [() => ring.prepAccept(fd, HUGE), () => ring.prepAcceptMultishot(fd, HUGE)]) {
    prep();
    ring.submit();
    assert.ok(isQuiet(ring));
    ring.prepCancel(HUGE, 2);
    const found = completions(ring, 2);
    assert.deepEqual(found.map((c) => c.res).sort(), [-ECANCELED, 0].sort());
    assert.ok(found.every((c) => !c.hasMore()));
  }
  for (let i = 0; i < 4; i++) ring.prepAccept(fd, i);
  ring.submit();
  files.connect(port);
  const accepted = complete(ring);
  files.own(accepted.res);
  ring.prepClose(fd, 9);
  files.forget(fd);
  assert.deepEqual(results(ring, 1), new Map([[9, 0]]), 'the other accepts keep it open');
  files.connect(port);
  files.own(complete(ring).res);
  ring.prepCancel({ opcode: IORING_OP_ACCEPT }, 10, { all: true });
  const last = completions(ring, 3);
  assert.deepEqual(last.map((c) => c.res).sort((a, b) => a - b), [-ECANCELED, -ECANCELED, 2]);
});

it('case 46: a multishot accept into slots has to let the kernel pick them', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const { fd, port } = files.listener();
  ring.registerFilesSparse(4);
  const accept = { opcode: IORING_OP_ACCEPT, ioprio: IORING_ACCEPT_MULTISHOT, fd };
  ring.prepSqe({ ...accept, fileIndex: 2 }, 1);
  assert.equal(complete(ring).res, -EINVAL);
  ring.prepSqe({ ...accept, fileIndex: IORING_FILE_INDEX_ALLOC }, 1);
  ring.submit();
  assert.ok(isQuiet(ring));
  ring.prepCancel(1, 2);
  assert.equal(completions(ring, 2).length, 2);
  ring.prepAcceptMultishot(fd, 1, { direct: 'alloc' });
  for (let slot = 0; slot < 3; slot++) {
    files.connect(port);
    const c = complete(ring);
    assert.deepEqual([c.userData, c.res, c.hasMore()], [1, slot, true]);
  }
});

it('case h: closing a descriptor does not end a read that waits; it takes data that comes later', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [reader, writer] = files.pipe();
  const buffer = prepWaitingRead(ring, reader, 1);
  ring.submit();
  ring.prepClose(reader, 2);
  files.forget(reader);
  assert.deepEqual(results(ring, 1), new Map([[2, 0]]));
  assert.ok(isQuiet(ring));
  writeSync(writer, 'late');
  assert.deepEqual(results(ring, 1), new Map([[1, 4]]));
  assert.equal(Buffer.from(buffer).toString('utf8', 0, 4), 'late');
  ring.prepCancelFd(reader, 3);
  assert.equal(complete(ring).res, -EBADF);
});
