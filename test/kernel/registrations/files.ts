// Registered files: slots in place of descriptors.
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { EBADF, ENFILE } from '../../../src/abi/errno.ts';
import { IOSQE_FIXED_FILE } from '../../../src/abi/flags.ts';
import { it, without } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { completions, results } from '../operations/completions.ts';
import { openRing } from '../operations/recorder.ts';
import { any, refused } from '../operations/refused.ts';
import { complete } from '../reap.ts';
import type { IoUring } from '../../../src/index.ts';
import { Temporary } from '../temporary.ts';

/** What a read by slot finds, or the errno. */
function readSlot(ring: IoUring, slot: number): string | number {
  const buffer = Buffer.alloc(8);
  ring.prepRead(slot, buffer, 8, 1, 0);
  ring.sqeSetFlags(IOSQE_FIXED_FILE);
  const { res } = complete(ring);
  return res < 0 ? res : buffer.toString('utf8', 0, res);
}

it('IORING_REGISTER_FILES: slots outlive their descriptors; -1 is an empty one; a second table is EBUSY', () => {
  using folder = new Temporary();
  using ring = openRing(8);
  const fd = openSync(folder.file('a', 'one'), 'r');
  ring.registerFiles([fd, -1]);
  closeSync(fd);
  assert.deepEqual([readSlot(ring, 0), readSlot(ring, 1), readSlot(ring, 2)], ['one', -EBADF, -EBADF]);
  assert.throws(() => ring.registerFiles([0]), { code: 'EBUSY', message: /unregisterFiles/ });
});

it('IORING_UNREGISTER_FILES: the table is gone; without one ENXIO', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  assert.throws(() => ring.unregisterFiles(), { code: 'ENXIO' });
  ring.registerFiles([files.own(openSync(folder.file('a', 'one'), 'r'))]);
  ring.unregisterFiles();
  assert.equal(readSlot(ring, 0), -EBADF);
});

it('IORING_REGISTER_FILES_UPDATE: fills, clears and skips slots; past the end EINVAL', {
  skip: without('5.12', 'IORING_REGISTER_FILES_SKIP'),
}, () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const a = files.own(openSync(folder.file('a', 'one'), 'r'));
  const b = files.own(openSync(folder.file('b', 'two'), 'r'));
  ring.registerFiles([a, a, a]);
  assert.equal(ring.registerFilesUpdate(0, [b, -2, -1]), 3);
  assert.deepEqual([0, 1, 2].map((slot) => readSlot(ring, slot)), ['two', 'one', -EBADF]);
  assert.throws(() => ring.registerFilesUpdate(3, [b]), { code: 'EINVAL' });
});

it('IORING_REGISTER_FILES2: an empty table for files that are opened into it; full it is ENFILE', () => {
  using folder = new Temporary();
  using ring = openRing(8);
  ring.registerFilesSparse(2);
  const path = folder.file('a', 'one');
  const open = (): number => {
    ring.prepOpen(path, 0, 1, { direct: 'alloc' });
    return complete(ring).res;
  };
  assert.deepEqual([open(), open(), open()], [0, 1, -ENFILE]);
  assert.deepEqual([readSlot(ring, 0), readSlot(ring, 1)], ['one', 'one']);
});

const tagsByUse = { skip: without('6.13', 'tags in the order of use, not of replacement') };
it('IORING_REGISTER_FILES_UPDATE2: the tag of a file is told when its last user is done', tagsByUse, () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const a = files.own(openSync(folder.file('a', 'one'), 'r'));
  const [reader, writer] = files.pipe();
  ring.registerFiles([reader, a], { tags: [50, 51] });
  const buffer = new Uint8Array(4);
  ring.prepRead(0, buffer, 4, 1);
  ring.sqeSetFlags(IOSQE_FIXED_FILE);
  ring.submit();
  assert.equal(ring.registerFilesUpdate(0, [a, -1], { tags: [52, 0] }), 2);
  // The file in slot 1 has no user; the pipe in slot 0 has one.
  assert.deepEqual([...results(ring, 1)], [[51, 0]]);
  using other = openRing(8);
  other.prepWrite(writer, Buffer.from('data'), 4, 1);
  assert.equal(complete(other).res, 4);
  assert.deepEqual(completions(ring, 2).map((c) => c.userData).sort((x, y) => x - y), [1, 50]);
  assert.equal(readSlot(ring, 0), 'one');
  ring.unregisterFiles();
  assert.deepEqual([...results(ring, 1)], [[52, 0]]);
});

it('IORING_REGISTER_FILE_ALLOC_RANGE: the kernel picks from the range only', () => {
  using folder = new Temporary();
  using ring = openRing(8);
  assert.throws(() => ring.registerFileAllocRange(0, 1), { code: 'EINVAL', message: /no files are registered/ });
  ring.registerFilesSparse(8);
  ring.registerFileAllocRange(5, 2);
  const path = folder.file('a', 'one');
  const open = (): number => {
    ring.prepOpen(path, 0, 1, { direct: 'alloc' });
    return complete(ring).res;
  };
  assert.deepEqual([open(), open(), open()], [5, 6, -ENFILE]);
  ring.prepCloseDirect(5, 1);
  assert.equal(complete(ring).res, 0);
  assert.equal(open(), 5);
  assert.throws(() => ring.registerFileAllocRange(7, 2), { code: 'EINVAL' });
  assert.throws(() => ring.registerFileAllocRange(2 ** 32 - 1, 2), { code: 'EOVERFLOW' });
});

it('registered files: what cannot be registered, and misuse', () => {
  using ring = openRing(8);
  assert.throws(() => ring.registerFiles([0, ring.fd]), { code: 'EBADF', message: /descriptor of a ring/ });
  assert.throws(() => ring.registerFiles([0, 987_654]), { code: 'EBADF' });
  assert.throws(() => ring.unregisterFiles(), { code: 'ENXIO' }, 'a failure leaves nothing');
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.registerFiles(any(3)),
    () => ring.registerFiles(any(['3'])),
    () => ring.registerFilesSparse(any(null)),
    () => ring.registerFileAllocRange(any('0'), 1),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.registerFiles([]),
    () => ring.registerFiles([-2]),
    () => ring.registerFilesUpdate(0, [-3]),
    () => ring.registerFilesUpdate(-1, [0]),
    () => ring.registerFilesSparse(0),
    () => ring.registerFilesSparse(2 ** 21),
    () => ring.registerFileAllocRange(-1, 1),
  ]);
  ring.close();
  assert.throws(() => ring.registerFiles([0]), { code: 'ERR_IOURING_CLOSED' });
});
