// Chains and barriers: what runs, in which order, and what the members that do not run are told.
import assert from 'node:assert/strict';
import { openSync, readSync, writeSync } from 'node:fs';
import { EBADF, ECANCELED, EOPNOTSUPP, ETIME } from '../../../src/abi/errno.ts';
import {
  IOSQE_ASYNC,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_FIXED_FILE,
  IOSQE_IO_DRAIN,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
} from '../../../src/abi/flags.ts';
import { IoUring } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { completions, isQuiet, results } from '../operations/completions.ts';
import { complete, reap } from '../reap.ts';
import { Temporary } from '../temporary.ts';

const MINUTE = 60_000;

it('case 35: a head that fails cancels what follows, unless the links are hard; a wait for all does not hang', {
  skip: without('5.15', 'links that hold where an entry is refused'),
}, () => {
  using ring = new IoUring(8);
  const run = (link: number): [number, number][] => {
    ring.prepRead(-1, new Uint8Array(4), 4, 1);
    ring.sqeSetFlags(link);
    ring.prepNop(2);
    ring.sqeSetFlags(link);
    ring.prepNop(3);
    assert.equal(ring.submitAndWait(3), 3);
    assert.equal(ring.cqReady, 3);
    return reap(ring).map((c) => [c.userData, c.res]);
  };
  assert.deepEqual(run(IOSQE_IO_LINK), [[1, -EBADF], [2, -ECANCELED], [3, -ECANCELED]]);
  assert.deepEqual(run(IOSQE_IO_HARDLINK), [[1, -EBADF], [2, 0], [3, 0]]);
});

it('case 36: a barrier inside a chain waits for all earlier work, and holds back all later work', () => {
  using files = new Descriptors();
  using ring = new IoUring(16);
  const [reader, writer] = files.pipe();
  const first = Buffer.alloc(4);
  ring.prepRead(reader, first, 4, 1);
  ring.prepNop(2);
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepNop(3);
  ring.sqeSetFlags(IOSQE_IO_LINK | IOSQE_IO_DRAIN);
  ring.prepNop(4);
  ring.prepNop(5);
  ring.submit();
  assert.ok(isQuiet(ring));
  writeSync(writer, 'data');
  assert.deepEqual(completions(ring, 5).map((c) => [c.userData, c.res]), [[1, 4], [2, 0], [3, 0], [4, 0], [5, 0]]);
});

it('case 37: a read past the end is short, and as the head of soft links that cancels the chain', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = new IoUring(8);
  const fd = files.own(openSync(folder.file('data', 'twelve bytes'), 'r'));
  const run = (length: number, link: number): number[] => {
    const buffers = [Buffer.alloc(length), Buffer.alloc(4)];
    ring.prepRead(fd, buffers[0], length, 1, 0);
    ring.sqeSetFlags(link);
    ring.prepRead(fd, buffers[1], 4, 2, 0);
    const found = results(ring, 2);
    assert.equal(buffers[0].toString('utf8', 0, 12), 'twelve bytes');
    return [found.get(1)!, found.get(2)!];
  };
  assert.deepEqual(run(12, IOSQE_IO_LINK), [12, 4]);
  assert.deepEqual(run(13, IOSQE_IO_LINK), [12, -ECANCELED]);
  assert.deepEqual(run(13, IOSQE_IO_HARDLINK), [12, 4]);
});

it('case 38: open into a slot, read, close, linked: they use the new file, not the one that was in the slot', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = new IoUring(8);
  ring.registerFiles([files.own(openSync(folder.file('old', 'old contents'), 'r'))]);
  const path = folder.file('new', 'new contents');
  const buffer = Buffer.alloc(12);
  for (let round = 0; round < 3; round++) {
    buffer.fill(0);
    ring.prepOpen(path, 0, 1, { direct: 0 });
    ring.sqeSetFlags(IOSQE_IO_LINK);
    ring.prepRead(0, buffer, 12, 2, 0);
    ring.sqeSetFlags(IOSQE_IO_LINK | IOSQE_FIXED_FILE);
    ring.prepCloseDirect(0, 3);
    assert.deepEqual(results(ring, 3), new Map([[1, 0], [2, 12], [3, 0]]));
    assert.equal(buffer.toString(), 'new contents');
  }
  ring.prepRead(0, buffer, 12, 4, 0);
  ring.sqeSetFlags(IOSQE_FIXED_FILE);
  assert.equal(complete(ring).res, -EBADF, 'the slot is empty');
});

it('case 39: the same chain in workers, behind a barrier, and without a word', () => {
  using folder = new Temporary();
  using ring = new IoUring(16);
  ring.registerFilesSparse(2);
  const path = folder.file('data', 'contents');
  const buffer = Buffer.alloc(8);
  const run = (first: number, each: number): void => {
    buffer.fill(0);
    ring.prepNop(9);
    ring.prepOpen(path, 0, 1, { direct: 1 });
    ring.sqeSetFlags(IOSQE_IO_LINK | first | each);
    ring.prepRead(1, buffer, 8, 2, 0);
    ring.sqeSetFlags(IOSQE_IO_LINK | IOSQE_FIXED_FILE | each);
    ring.prepCloseDirect(1, 3);
    ring.sqeSetFlags(each & ~IOSQE_CQE_SKIP_SUCCESS);
  };
  for (const first of [0, IOSQE_IO_DRAIN]) {
    for (const each of [0, IOSQE_ASYNC]) {
      run(first, each);
      assert.deepEqual(results(ring, 4), new Map([[9, 0], [1, 0], [2, 8], [3, 0]]), `${first}, ${each}`);
      assert.equal(buffer.toString(), 'contents');
    }
  }
  for (const each of [IOSQE_CQE_SKIP_SUCCESS, IOSQE_CQE_SKIP_SUCCESS | IOSQE_ASYNC]) {
    run(0, each);
    assert.deepEqual(results(ring, 2), new Map([[9, 0], [3, 0]]), `${each}`);
    assert.equal(buffer.toString(), 'contents');
  }
});

it('case 40: a time limit behind a barrier runs from when its operation starts', {
  skip: without('5.15', 'ECANCELED where a time limit struck'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(16);
  const [reader, writer] = files.pipe();
  const [other, otherWriter] = files.pipe();
  const buffer = Buffer.alloc(4);
  ring.prepRead(reader, Buffer.alloc(4), 4, 1);
  ring.prepRead(other, buffer, 4, 2);
  ring.sqeSetFlags(IOSQE_IO_DRAIN | IOSQE_IO_LINK);
  ring.prepLinkTimeout(10, 3);
  ring.prepNop(4);
  // The limit passes while the operation has not begun: this wait is much longer than it.
  assert.equal(ring.submitAndWait(1, { timeoutMs: 50 }), 4);
  assert.deepEqual(reap(ring), [], 'nothing is limited yet');
  writeSync(writer, 'now!');
  const found = completions(ring, 4).map((c) => [c.userData, c.res]);
  assert.deepEqual(found[0], [1, 4]);
  assert.deepEqual(new Map(found.slice(1) as [number, number][]), new Map([[2, -ECANCELED], [3, -ETIME], [4, 0]]));
  writeSync(otherWriter, 'left');
  assert.equal(readSync(other, buffer), 4, 'it took nothing');
});

it('case 40: members of chains that are cancelled have the userData they were given, all 64 bits', {
  skip: without('5.15', 'links that hold where an entry is refused'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(64);
  const [reader] = files.pipe();
  const userData = (i: number): bigint => (BigInt(i) << 58n) | (2n ** 53n + BigInt(i));
  for (const flags of [0, IOSQE_IO_DRAIN]) {
    for (let i = 0; i < 60; i++) {
      const mark = userData(i);
      if (i === 0) ring.prepRead(-1, new Uint8Array(4), 4, mark);
      else if (i % 3 === 0) ring.prepRead(reader, new Uint8Array(4), 4, mark);
      else if (i % 3 === 1) ring.prepNop(mark);
      else ring.prepAccept(reader, mark);
      ring.sqeSetFlags((i < 59 ? IOSQE_IO_LINK : 0) | (i === 0 ? flags : 0));
    }
    const found = completions(ring, 60).map((c) => [c.userData64, c.res]);
    const expected = Array.from({ length: 60 }, (_, i) => [userData(i), i === 0 ? -EBADF : -ECANCELED]);
    assert.deepEqual(found, expected);
  }
});

it('case 40: a chain behind a barrier cannot be cancelled before it begins, and then as any other', {
  skip: without('6.0', 'IORING_REGISTER_SYNC_CANCEL'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(16);
  const [reader, writer] = files.pipe();
  ring.prepRead(reader, Buffer.alloc(4), 4, 1);
  ring.prepRead(reader, Buffer.alloc(4), 4, 2);
  ring.sqeSetFlags(IOSQE_IO_DRAIN | IOSQE_IO_LINK);
  ring.prepLinkTimeout(MINUTE, 3);
  ring.submit();
  assert.ok(isQuiet(ring));
  assert.throws(() => ring.registerSyncCancel(2), { code: 'ENOENT' });
  assert.equal(ring.registerSyncCancel(1), 0);
  assert.deepEqual(results(ring, 1), new Map([[1, -ECANCELED]]));
  // A worker begins it, at some time now.
  for (const start = performance.now(); isQuiet(ring);) {
    try {
      ring.registerSyncCancel(2);
      break;
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOENT');
      if (performance.now() - start > 10_000) throw error;
    }
  }
  assert.deepEqual(results(ring, 2), new Map([[2, -ECANCELED], [3, -ECANCELED]]));
  writeSync(writer, 'left');
  assert.ok(isQuiet(ring));
});

it(
  'case l: a barrier after any silent operation is refused',
  { skip: without('5.17', 'IOSQE_CQE_SKIP_SUCCESS') },
  () => {
    using ring = new IoUring(8);
    ring.prepNop(1);
    ring.sqeSetFlags(IOSQE_IO_DRAIN);
    assert.equal(complete(ring).res, 0);
    ring.prepNop(2);
    ring.sqeSetFlags(IOSQE_CQE_SKIP_SUCCESS);
    ring.prepNop(3);
    ring.sqeSetFlags(IOSQE_IO_DRAIN);
    assert.deepEqual(results(ring, 1), new Map([[3, -EOPNOTSUPP]]));
  },
);
