// The operations on open files: what they do to the file, looked at by other means.
import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs';
import {
  EAGAIN,
  EBADF,
  EBADFD,
  EFAULT,
  EFBIG,
  EINVAL,
  ENFILE,
  ENOBUFS,
  EOPNOTSUPP,
  EPIPE,
  ESPIPE,
} from '../../../src/abi/errno.ts';
import {
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  MADV_DONTNEED,
  MADV_NORMAL,
  MADV_WILLNEED,
  POSIX_FADV_DONTNEED,
  POSIX_FADV_WILLNEED,
  RWF_APPEND,
  RWF_DONTCACHE,
  RWF_DSYNC,
  RWF_NOAPPEND,
  RWF_NOWAIT,
  RWF_SYNC,
  SPLICE_F_MOVE,
  SPLICE_F_NONBLOCK,
  SYNC_FILE_RANGE_WAIT_AFTER,
  SYNC_FILE_RANGE_WRITE,
} from '../../../src/abi/file-flags.ts';
import { IOSQE_FIXED_FILE } from '../../../src/abi/flags.ts';
import { allocateAligned, type FileOffset, type IoUring, type Lendable } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { complete } from '../reap.ts';
import { Temporary } from '../temporary.ts';
import { completions, results } from './completions.ts';
import { openRing } from './recorder.ts';
import { any, refused } from './refused.ts';

const text = (...buffers: Uint8Array[]): string => Buffer.concat(buffers).toString();

/** A file with contents, open for reading and writing, in a folder that is gone with the block. */
class OpenFile implements Disposable {
  readonly #folder = new Temporary();
  readonly path: string;
  readonly fd: number;

  constructor(contents: string | Uint8Array = '') {
    this.path = this.#folder.file('data', contents);
    this.fd = openSync(this.path, 'r+');
  }

  get contents(): string {
    return readFileSync(this.path, 'utf8');
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
    this.#folder[Symbol.dispose]();
  }
}

/** Run what was just prepared. */
const run = (ring: IoUring): number => complete(ring).res;

it('IORING_OP_READ: with RWF_NOWAIT an empty pipe is EAGAIN, without it waits; an unknown flag is EOPNOTSUPP', {
  skip: without('6.4', 'RWF_NOWAIT on a pipe'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  const buffer = new Uint8Array(4);
  ring.prepRead(reader, buffer, 4, 1, null, { rwFlags: RWF_NOWAIT });
  assert.equal(run(ring), -EAGAIN);
  ring.prepRead(reader, buffer, 4, 1, null, { rwFlags: 0x80000000 });
  assert.equal(run(ring), -EOPNOTSUPP);
  ring.prepRead(reader, buffer, 4, 1);
  ring.submit();
  writeSync(writer, 'data');
  assert.equal(run(ring), 4);
  assert.equal(text(buffer), 'data');
});

it('IORING_OP_READ: without a buffer, and without a group to take one from, is EFAULT', () => {
  using file = new OpenFile('data');
  using ring = openRing(8);
  ring.prepRead(file.fd, null, 4, 1, 0);
  assert.equal(run(ring), -EFAULT);
});

it('IORING_OP_READ: protection information is refused by files that have none', () => {
  using file = new OpenFile('data');
  using ring = openRing(8);
  ring.prepRead(file.fd, new Uint8Array(4), 4, 1, 0, { pi: { buffer: new Uint8Array(8) } });
  assert.equal(run(ring), -EINVAL);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepRead(file.fd, new Uint8Array(4), 4, 1, 0, { pi: { buffer: new Uint8Array(8), appTag: -1 } }),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepRead(file.fd, new Uint8Array(4), 4, 1, 0, { pi: { buffer: any(8) } }),
    () => ring.prepRead(file.fd, null, 4, 1, 0, { pi: { buffer: new Uint8Array(8) } }),
  ]);
});

it('IORING_OP_WRITE: RWF_APPEND goes to the end, whatever the offset; RWF_DSYNC is taken', () => {
  using file = new OpenFile('12345');
  using ring = openRing(8);
  ring.prepWrite(file.fd, Buffer.from('678'), 3, 1, 0, { rwFlags: RWF_APPEND });
  assert.equal(run(ring), 3);
  ring.prepWrite(file.fd, Buffer.from('x'), 1, 1, 0, { rwFlags: RWF_DSYNC });
  assert.equal(run(ring), 1);
  assert.equal(file.contents, 'x2345678');
});

it('IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED: inside the registered buffer, anywhere in it; outside EFAULT', () => {
  using file = new OpenFile('abcdefgh');
  using ring = openRing(8);
  const [first, second] = [allocateAligned(4096), allocateAligned(8192)];
  ring.registerBuffers([first, second]);
  for (const offset of [0, 1, 4093, 8188]) {
    const part = second.subarray(offset, offset + 4);
    ring.prepRead(file.fd, part, 4, 1, 2, { fixed: 1 });
    assert.equal(run(ring), 4);
    assert.equal(text(part), 'cdef');
  }
  ring.prepWrite(file.fd, second.subarray(1, 3), 2, 1, 0, { fixed: 1 });
  assert.equal(run(ring), 2);
  assert.equal(file.contents, 'cdcdefgh');
  ring.prepWrite(file.fd, second, 2, 1, 0, { fixed: 0 });
  assert.equal(run(ring), -EFAULT);
  ring.prepRead(file.fd, new Uint8Array(4), 4, 1, 0, { fixed: 1 });
  assert.equal(run(ring), -EFAULT);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepRead(file.fd, first, 4, 1, 0, { fixed: 65536 }),
    () => ring.prepWrite(file.fd, first, 4, 1, 0, { fixed: -1 }),
  ]);
});

it('IORING_OP_READV, IORING_OP_WRITEV: pieces in order, empty ones too, short at the end of the file', () => {
  using file = new OpenFile();
  using ring = openRing(8);
  const pieces = ['abc', '', 'd', 'efgh'].map((piece) => Buffer.from(piece));
  ring.prepWritev(file.fd, pieces, 1, 2);
  assert.equal(run(ring), 8);
  assert.equal(file.contents, '\0\0abcdefgh');
  const memory = new ArrayBuffer(32);
  const into = [new Uint8Array(memory, 3, 2), new DataView(memory, 8, 3), new Uint8Array(0),
    new Uint8Array(memory, 16)];
  ring.prepReadv(file.fd, into, 1, 1);
  assert.equal(run(ring), 9);
  assert.equal(Buffer.from(memory).toString(), '\0\0\0\0a\0\0\0bcd\0\0\0\0\0efgh\0\0\0\0\0\0\0\0\0\0\0\0');
  ring.prepReadv(file.fd, [], 1, 0);
  assert.equal(run(ring), 0, 'nothing at all');
  ring.prepReadv(file.fd, Array.from({ length: 1024 }, () => new Uint8Array(1)), 1, 0);
  assert.equal(run(ring), 10);
  ring.prepReadv(file.fd, [new Uint8Array(2)], 1);
  assert.equal(run(ring), 2, 'where the file stands');
});

it('IORING_OP_READV, IORING_OP_WRITEV: the list may be changed at once, flags are passed on', () => {
  using file = new OpenFile('abcd');
  using ring = openRing(8);
  const list = [Buffer.alloc(2), Buffer.alloc(2)];
  const [a, b] = list;
  ring.prepReadv(file.fd, list, 1, 0);
  list.length = 0;
  assert.equal(run(ring), 4);
  assert.equal(text(a, b), 'abcd');
  ring.prepWritev(file.fd, [a, b], 1, 0, { rwFlags: RWF_APPEND });
  assert.equal(run(ring), 4);
  assert.equal(file.contents, 'abcdabcd');
});

it('IORING_OP_READV: misuse of the list', () => {
  using ring = openRing(8);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepReadv(0, any(new Uint8Array(4)), 1),
    () => ring.prepReadv(0, any([1]), 1),
    () => ring.prepWritev(0, any(undefined), 1),
    () => ring.prepReadv(any('0'), [], 1),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepReadv(0, Array.from({ length: 1025 }, () => new Uint8Array(1)), 1),
    () => ring.prepReadv(0, [], 1, -2),
    () => ring.prepReadv(0, [], 1, 0, { rwFlags: 2 ** 32 }),
    () => ring.prepReadv(0, [], 1, 0, { fixed: 65536 }),
  ]);
  const detached = new Uint8Array(8);
  structuredClone(detached, { transfer: [detached.buffer] });
  refused(ring, 'ERR_INVALID_ARG_VALUE', [() => ring.prepReadv(0, [new Uint8Array(1), detached], 1)], /buffers\[1\]/);
});

it('IORING_OP_READV_FIXED, IORING_OP_WRITEV_FIXED: pieces of one registered buffer; others are EFAULT', {
  skip: without('6.15', 'IORING_OP_READV_FIXED'),
}, () => {
  using file = new OpenFile('abcdefgh');
  using ring = openRing(8);
  const buffer = allocateAligned(65536);
  ring.registerBuffers([buffer]);
  const pieces = [buffer.subarray(5, 8), buffer.subarray(40_000, 40_001), buffer.subarray(4095, 4099)];
  ring.prepReadv(file.fd, pieces, 1, 0, { fixed: 0 });
  assert.equal(run(ring), 8);
  assert.equal(text(...pieces), 'abcdefgh');
  ring.prepWritev(file.fd, pieces.toReversed?.() ?? [...pieces].reverse(), 1, 0, { fixed: 0 });
  assert.equal(run(ring), 8);
  assert.equal(file.contents, 'efghdabc');
  ring.prepReadv(file.fd, [pieces[0], new Uint8Array(4)], 1, 0, { fixed: 0 });
  assert.equal(run(ring), -EFAULT);
});

it('IORING_OP_READ_MULTISHOT: a completion for each arrival, until the buffers or the data end', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  const buffers = ring.registerBufRing(4, 8, 5);
  ring.prepReadMultishot(reader, 5, 9);
  ring.submit();
  const seen: string[] = [];
  for (const piece of ['one', 'two', 'three']) {
    writeSync(writer, piece);
    const c = complete(ring);
    assert.deepEqual([c.userData, c.hasMore()], [9, true]);
    seen.push(text(...buffers.bytes(c)));
    buffers.recycle(c);
  }
  assert.deepEqual(seen, ['one', 'two', 'three']);
  writeSync(writer, 'x'.repeat(64));
  assert.deepEqual(completions(ring, 5).map((c) => c.res), [8, 8, 8, 8, -ENOBUFS], 'the rest waits in the pipe');
  for (let bid = 0; bid < 4; bid++) buffers.recycle(bid);
  ring.prepReadMultishot(reader, 5, 9);
  assert.deepEqual(completions(ring, 4).map((c) => c.res), [8, 8, 8, 8], 'the rest');
  ring.prepReadMultishot(reader, 5, 9, { len: 3 });
  assert.equal(run(ring), -EINVAL, 'no kernel has that yet');
});

it('IORING_OP_READ_MULTISHOT: not for regular files; not without a group', () => {
  using file = new OpenFile('data');
  using ring = openRing(8);
  refused(ring, 'ERR_INVALID_STATE', [() => ring.prepReadMultishot(file.fd, 1, 1)]);
  using _buffers = ring.registerBufRing(2, 8, 1);
  ring.prepReadMultishot(file.fd, 1, 1);
  assert.equal(run(ring), -EBADFD);
});

it('IORING_OP_FSYNC: all of a file, its data only, a range of it; not a pipe', () => {
  using file = new OpenFile('data');
  using files = new Descriptors();
  using ring = openRing(8);
  for (
    const options of [undefined, {}, { datasync: true }, { offset: 1, length: 2 }, { offset: 2n ** 40n, length: 1 }, {
      offset: 0,
    }]
  ) {
    ring.prepFsync(file.fd, 1, options);
    assert.equal(run(ring), 0);
  }
  ring.prepFsync(files.pipe()[0], 1);
  assert.equal(run(ring), -EINVAL);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepFsync(file.fd, 1, { offset: -1 }),
    () => ring.prepFsync(file.fd, 1, { length: 2 ** 32 }),
  ]);
  refused(ring, 'ERR_INVALID_ARG_VALUE', [() => ring.prepFsync(file.fd, 1, { offset: 4096 })]);
});

it('IORING_OP_SYNC_FILE_RANGE: writes back; flags it does not know are EINVAL, pipes ESPIPE', () => {
  using file = new OpenFile('data');
  using files = new Descriptors();
  using ring = openRing(8);
  ring.prepSyncFileRange(file.fd, 0, 4, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER, 1);
  assert.equal(run(ring), 0);
  ring.prepSyncFileRange(file.fd, 0, 0, 0x80, 1);
  assert.equal(run(ring), -EINVAL);
  ring.prepSyncFileRange(files.pipe()[0], 0, 0, SYNC_FILE_RANGE_WRITE, 1);
  assert.equal(run(ring), -ESPIPE);
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.prepSyncFileRange(file.fd, -1, 0, 0, 1)]);
});

it('IORING_OP_FALLOCATE: grows, keeps the size, punches, zeroes; beyond 4 GiB', () => {
  using file = new OpenFile('x'.repeat(16384));
  using ring = openRing(8);
  const allocate = (mode: number, offset: number | bigint, length: number | bigint): number => {
    ring.prepFallocate(file.fd, mode, offset, length, 1);
    return run(ring);
  };
  assert.equal(allocate(0, 16384, 4096), 0);
  assert.equal(fstatSync(file.fd).size, 20480);
  assert.equal(allocate(FALLOC_FL_KEEP_SIZE, 5n * 2n ** 32n, 4096n), 0);
  assert.equal(fstatSync(file.fd).size, 20480);
  assert.equal(allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096), 0);
  const bytes = readFileSync(file.path);
  assert.ok(bytes.subarray(4096, 8192).every((byte) => byte === 0));
  assert.ok(bytes.subarray(8192, 16384).every((byte) => byte === 120));
  const zeroed = allocate(FALLOC_FL_ZERO_RANGE, 8192, 4096);
  assert.ok(zeroed === 0 || zeroed === -EOPNOTSUPP);
  assert.equal(allocate(0, 0, 0), -EINVAL);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepFallocate(file.fd, 0, -1, 1, 1),
    () => ring.prepFallocate(file.fd, 0, 0, 2n ** 63n, 1),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [() => ring.prepFallocate(file.fd, 0, any('0'), 1, 1)]);
});

it('IORING_OP_FTRUNCATE: shorter, longer, beyond 4 GiB', () => {
  using file = new OpenFile('abcdef');
  using ring = openRing(8);
  ring.prepFtruncate(file.fd, 3, 1);
  assert.equal(run(ring), 0);
  assert.equal(file.contents, 'abc');
  ring.prepFtruncate(file.fd, 5, 1);
  assert.equal(run(ring), 0);
  assert.equal(file.contents, 'abc\0\0');
  ring.prepFtruncate(file.fd, 3 * 2 ** 32 + 1, 1);
  assert.equal(run(ring), 0);
  assert.equal(statSync(file.path).size, 3 * 2 ** 32 + 1);
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.prepFtruncate(file.fd, -1, 1), () =>
    ring.prepFtruncate(file.fd, 0.5, 1)]);
});

it('IORING_OP_FADVISE: short and long ranges; not for pipes; an unknown advice is EINVAL', () => {
  using file = new OpenFile('data');
  using files = new Descriptors();
  using ring = openRing(8);
  const hasLong = without('6.11', 'a length above 32 bits') === false;
  for (const length of [0, 4, 2 ** 32 - 1, ...(hasLong ? [2 ** 32, 2n ** 62n] : [])]) {
    ring.prepFadvise(file.fd, 0, length, POSIX_FADV_WILLNEED, 1);
    assert.equal(run(ring), 0, `${length}`);
  }
  ring.prepFadvise(file.fd, 0, 0, POSIX_FADV_DONTNEED, 1);
  assert.equal(run(ring), 0);
  ring.prepFadvise(file.fd, 0, 0, 99, 1);
  assert.equal(run(ring), -EINVAL);
  ring.prepFadvise(files.pipe()[0], 0, 0, POSIX_FADV_WILLNEED, 1);
  assert.equal(run(ring), -ESPIPE);
});

it('IORING_OP_MADVISE: MADV_DONTNEED clears just the pages meant; others are taken; parts of pages are refused', () => {
  using ring = openRing(8);
  const pages = allocateAligned(4 * 65536, 65536).fill(7);
  const middle = pages.subarray(65536, 2 * 65536);
  ring.prepMadvise(middle, 65536, MADV_DONTNEED, 1);
  assert.equal(run(ring), 0);
  assert.ok(middle.every((byte) => byte === 0));
  assert.ok(pages.subarray(0, 65536).every((byte) => byte === 7));
  assert.ok(pages.subarray(2 * 65536).every((byte) => byte === 7));
  for (const advice of [MADV_NORMAL, MADV_WILLNEED]) {
    ring.prepMadvise(pages, pages.length, advice, 1);
    assert.equal(run(ring), 0);
  }
  refused(ring, 'ERR_INVALID_ARG_VALUE', [
    () => ring.prepMadvise(pages.subarray(1), 65536, MADV_DONTNEED, 1),
    () => ring.prepMadvise(pages, 100, MADV_DONTNEED, 1),
    () => ring.prepMadvise(pages, 65536, 100, 1),
    () => ring.prepMadvise(pages, 65536, 102, 1),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.prepMadvise(pages, pages.length + 65536, MADV_DONTNEED, 1)]);
});

it('IORING_OP_SPLICE: from a file through a pipe to a socket; from a slot; offsets of pipes are refused', () => {
  using file = new OpenFile('0123456789');
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  const [a, b] = files.socketPair();
  ring.prepSplice(file.fd, 2, writer, null, 5, 1, { flags: SPLICE_F_MOVE });
  assert.equal(run(ring), 5);
  ring.prepSplice(reader, -1, a, -1, 100, 1);
  assert.equal(run(ring), 5);
  const received = Buffer.alloc(16);
  assert.equal(received.toString('utf8', 0, readSync(b, received)), '23456');
  ring.registerFiles([file.fd, writer]);
  ring.prepSplice(0, 7n, 1, null, 5, 1, { fixedIn: true });
  ring.sqeSetFlags(IOSQE_FIXED_FILE);
  assert.equal(run(ring), 3);
  assert.equal(received.toString('utf8', 0, readSync(reader, received)), '789');
  ring.prepSplice(reader, 3, a, null, 5, 1);
  assert.equal(run(ring), -ESPIPE);
  ring.prepSplice(file.fd, 0, file.fd, 0, 5, 1);
  assert.equal(run(ring), -EINVAL, 'neither is a pipe');
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepSplice(0, -2, 1, null, 1, 1),
    () => ring.prepSplice(0, null, 1, null, 2 ** 32, 1),
    () => ring.prepSplice(0, null, 1, null, 1, 1, { flags: -1 }),
  ]);
});

it('IORING_OP_TEE: the same bytes in both pipes; from a slot; needs two pipes', () => {
  using file = new OpenFile('data');
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  const [otherReader, otherWriter] = files.pipe();
  const received = Buffer.alloc(16);
  writeSync(writer, 'abcdef');
  ring.prepTee(reader, otherWriter, 4, 1);
  assert.equal(run(ring), 4);
  assert.equal(received.toString('utf8', 0, readSync(otherReader, received)), 'abcd');
  ring.registerFiles([reader]);
  ring.prepTee(0, otherWriter, 100, 1, { fixedIn: true });
  assert.equal(run(ring), 6);
  assert.equal(received.toString('utf8', 0, readSync(reader, received)), 'abcdef', 'nothing was taken out');
  ring.prepTee(file.fd, otherWriter, 4, 1);
  assert.equal(run(ring), -EINVAL);
});

it('IORING_OP_CLOSE: a descriptor, a slot; what there is not', () => {
  using file = new OpenFile('data');
  using ring = openRing(8);
  const fd = openSync(file.path, 'r');
  ring.prepClose(fd, 1);
  assert.equal(run(ring), 0);
  assert.throws(() => fstatSync(fd), { code: 'EBADF' });
  ring.prepClose(fd, 1);
  assert.equal(run(ring), -EBADF);
  ring.prepCloseDirect(0, 1);
  assert.notEqual(run(ring), 0, 'no files are registered');
  ring.registerFiles([file.fd, -1]);
  ring.prepCloseDirect(0, 1);
  assert.equal(run(ring), 0);
  ring.prepCloseDirect(0, 1);
  assert.equal(run(ring), -EBADF);
  ring.prepCloseDirect(2, 1);
  assert.equal(run(ring), -EINVAL);
  ring.prepClose(ring.fd, 1);
  assert.equal(run(ring), -EBADF, 'a ring does not close itself');
  fstatSync(file.fd);
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.prepCloseDirect(-1, 1), () => ring.prepCloseDirect(2 ** 32, 1)]);
});

it('IORING_OP_PIPE: two descriptors, with the flags asked for', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const fds = new Int32Array(2);
  ring.prepPipe(fds, 1, { flags: constants.O_NONBLOCK | 0o2000000 });
  assert.equal(run(ring), 0);
  const [reader, writer] = [files.own(fds[0]), files.own(fds[1])];
  writeSync(writer, 'data');
  const received = Buffer.alloc(8);
  assert.equal(readSync(reader, received), 4);
  assert.throws(() => readSync(reader, received), { code: 'EAGAIN' });
  ring.prepPipe(fds, 1, { flags: 1 });
  assert.equal(run(ring), -EINVAL);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [() => ring.prepPipe(any(new Uint8Array(8)), 1), () =>
    ring.prepPipe(fds, 1, { direct: any('x') })]);
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.prepPipe(new Int32Array(1), 1), () =>
    ring.prepPipe(fds, 1, { direct: -1 })]);
});

it('IORING_OP_PIPE: two slots, chosen or picked, and no descriptor', () => {
  using ring = openRing(8);
  ring.registerFilesSparse(8);
  const fds = new Int32Array(2);
  const through = ([reader, writer]: Int32Array): string => {
    const buffer = Buffer.alloc(4);
    ring.prepWrite(writer, Buffer.from('data'), 4, 1);
    ring.sqeSetFlags(IOSQE_FIXED_FILE);
    assert.equal(run(ring), 4);
    ring.prepRead(reader, buffer, 4, 1);
    ring.sqeSetFlags(IOSQE_FIXED_FILE);
    assert.equal(run(ring), 4);
    return buffer.toString();
  };
  ring.prepPipe(fds, 1, { direct: 4 });
  assert.equal(run(ring), 0);
  assert.deepEqual([...fds], [4, 5]);
  assert.equal(through(fds), 'data');
  ring.prepPipe(fds, 1, { direct: 'alloc' });
  assert.equal(run(ring), 0);
  assert.equal(new Set([4, 5, ...fds]).size, 4);
  assert.equal(through(fds), 'data');
});

it('IORING_OP_READ: several operations on one file complete each by itself', () => {
  using file = new OpenFile('abcdefgh');
  using ring = openRing(8);
  const buffers = Array.from({ length: 8 }, () => Buffer.alloc(1));
  for (const [i, buffer] of buffers.entries()) ring.prepRead(file.fd, buffer, 1, i, i);
  assert.deepEqual([...results(ring, 8).values()], buffers.map(() => 1));
  assert.equal(text(...buffers), 'abcdefgh');
});

it('IORING_OP_READ, IORING_OP_WRITE: positions as numbers and bigints, also beyond 4 GiB; or the file’s own', () => {
  using file = new OpenFile();
  using ring = openRing(8);
  const far = 2 ** 40 + 3;
  for (const offset of [2 ** 31 - 2, 2 ** 32 - 2, 2 ** 32, far, BigInt(far) + 100n]) {
    const written = Buffer.from(`at ${offset}`);
    ring.prepWrite(file.fd, written, written.length, 1, offset);
    assert.equal(run(ring), written.length);
    const seen = Buffer.alloc(written.length);
    assert.equal(readSync(file.fd, seen, 0, seen.length, BigInt(offset)), seen.length);
    assert.ok(seen.equals(written), `${offset}`);
    const read = Buffer.alloc(written.length);
    ring.prepReadv(file.fd, [read.subarray(0, 3), read.subarray(3)], 1, BigInt(offset));
    assert.equal(run(ring), written.length);
    assert.ok(read.equals(written), `${offset}`);
  }
  ftruncateSync(file.fd, 0);
  const own: [FileOffset | undefined, string][] = [[undefined, 'a'], [null, 'b'], [-1, 'c'], [-1n, 'd']];
  for (const [offset, letter] of own) {
    ring.prepWrite(file.fd, Buffer.from(letter), 1, 1, offset);
    assert.equal(run(ring), 1);
  }
  assert.equal(file.contents, 'abcd');
  // Positions there are, but no file is so long.
  ring.prepWrite(file.fd, Buffer.from('x'), 1, 1, 2n ** 63n - 1n);
  assert.ok([-EINVAL, -EFBIG].includes(run(ring)));
  const misused: unknown[] = [-2, -2n, 0.5, Number.NaN, 2 ** 53, 2n ** 63n];
  const read = (offset: unknown): boolean => ring.prepRead(file.fd, new Uint8Array(1), 1, 1, any(offset));
  refused(ring, 'ERR_OUT_OF_RANGE', misused.map((offset) => () => read(offset)));
  refused(ring, 'ERR_INVALID_ARG_TYPE', [() => read('0')]);
});

it('IORING_OP_READ, IORING_OP_WRITE: any kind of memory, its own part of it only; none of it at all', () => {
  using file = new OpenFile('abcdefgh');
  using ring = openRing(8);
  const shared = new SharedArrayBuffer(16);
  const plain = new ArrayBuffer(16);
  const kinds: [Lendable, ArrayBufferLike, number][] = [
    [plain, plain, 0],
    [shared, shared, 0],
    [new DataView(plain, 3, 9), plain, 3],
    [new Uint8Array(shared, 5, 8), shared, 5],
    [new Float64Array(plain, 8, 1), plain, 8],
  ];
  for (const [buffer, memory, at] of kinds) {
    const bytes = new Uint8Array(memory).fill(46);
    ring.prepRead(file.fd, buffer, 8, 1, 0);
    assert.equal(run(ring), 8);
    assert.equal(Buffer.from(bytes).toString(), `${'.'.repeat(at)}abcdefgh${'.'.repeat(8 - at)}`);
    ring.prepWrite(file.fd, buffer, 8, 1, 8);
    assert.equal(run(ring), 8);
    assert.equal(file.contents, 'abcdefghabcdefgh');
    ftruncateSync(file.fd, 8);
  }
  for (const length of [0, 1]) {
    ring.prepRead(file.fd, new Uint8Array(length), 0, 1, 0);
    assert.equal(run(ring), 0);
    ring.prepWrite(file.fd, new Uint8Array(length), 0, 1, 0);
    assert.equal(run(ring), 0);
  }
});

it('IORING_OP_WRITE: RWF_NOAPPEND is where it was told to, whatever the file says; RWF_SYNC, RWF_DONTCACHE', {
  skip: without('6.14', 'RWF_DONTCACHE'),
}, () => {
  using file = new OpenFile('12345');
  using files = new Descriptors();
  using ring = openRing(8);
  const appending = files.own(openSync(file.path, constants.O_WRONLY | constants.O_APPEND));
  ring.prepWrite(appending, Buffer.from('6'), 1, 1, 0);
  assert.equal(run(ring), 1);
  ring.prepWrite(appending, Buffer.from('x'), 1, 1, 0, { rwFlags: RWF_NOAPPEND | RWF_SYNC });
  assert.equal(run(ring), 1);
  assert.equal(file.contents, 'x23456');
  ring.prepWritev(file.fd, [Buffer.from('y')], 1, 1, { rwFlags: RWF_DONTCACHE });
  const res = run(ring);
  assert.ok(res === 1 || res === -EOPNOTSUPP, 'not every file system can');
  assert.equal(file.contents, res === 1 ? 'xy3456' : 'x23456');
});

it('IORING_OP_WRITE: to a pipe that nobody reads is EPIPE, and no signal', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  files.close(reader);
  ring.prepWrite(writer, Buffer.from('x'), 1, 1);
  assert.equal(run(ring), -EPIPE);
  ring.prepWritev(writer, [Buffer.from('x'), Buffer.from('y')], 1);
  assert.equal(run(ring), -EPIPE);
});

it('IORING_OP_READ_FIXED, IORING_OP_WRITEV_FIXED: flags and far positions; without a table, or outside it', {
  skip: without('6.15', 'IORING_OP_WRITEV_FIXED'),
}, () => {
  using file = new OpenFile('abc');
  using ring = openRing(8);
  const buffer = allocateAligned(4096);
  ring.prepRead(file.fd, buffer, 4, 1, 0, { fixed: 0 });
  assert.equal(run(ring), -EFAULT, 'no buffers are registered');
  ring.registerBuffersSparse(2);
  ring.prepRead(file.fd, buffer, 4, 1, 0, { fixed: 1 });
  assert.equal(run(ring), -EFAULT, 'an empty place');
  ring.registerBuffersUpdate(1, [buffer]);
  buffer.set(Buffer.from('12345678'));
  ring.prepWritev(file.fd, [buffer.subarray(0, 2), buffer.subarray(4, 5)], 1, 0, { fixed: 1, rwFlags: RWF_APPEND });
  assert.equal(run(ring), 3);
  assert.equal(file.contents, 'abc125');
  ring.prepWrite(file.fd, buffer, 8, 1, 2 ** 33 + 1, { fixed: 1 });
  assert.equal(run(ring), 8);
  ring.prepRead(file.fd, buffer.subarray(100, 108), 8, 1, 2n ** 33n + 1n, { fixed: 1 });
  assert.equal(run(ring), 8);
  assert.equal(text(buffer.subarray(100, 108)), '12345678');
  ring.prepRead(file.fd, buffer, 4, 1, 0, { fixed: 2 });
  assert.equal(run(ring), -EFAULT, 'behind the table');
});

it('IORING_OP_READ_MULTISHOT: on a socket; at the end of the stream it ends with 0', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  const buffers = ring.registerBufRing(4, 8, 5);
  ring.prepReadMultishot(b, 5, 9);
  ring.submit();
  writeSync(a, 'data');
  const c = complete(ring);
  assert.deepEqual([c.res, c.hasMore(), text(...buffers.bytes(c))], [4, true, 'data']);
  buffers.recycle(c);
  files.close(a);
  const end = complete(ring);
  assert.deepEqual([end.res, end.hasMore()], [0, false]);
  if (end.bufferId() !== undefined) buffers.recycle(end);
  assert.equal(buffers.available(), 4, 'no buffer is lost');
});

it('IORING_OP_FALLOCATE: what is allocated and punched shows in the blocks; ranges taken out and put in', () => {
  using file = new OpenFile();
  using ring = openRing(8);
  const block = Math.max(4096, fstatSync(file.fd).blksize);
  const allocate = (mode: number, offset: number, length: number): number => {
    ring.prepFallocate(file.fd, mode, offset, length, 1);
    return run(ring);
  };
  const held = (): number => fstatSync(file.fd).blocks * 512;
  assert.equal(allocate(FALLOC_FL_KEEP_SIZE, 0, 8 * block), 0);
  assert.deepEqual([fstatSync(file.fd).size, held() >= 8 * block], [0, true]);
  const contents = Buffer.concat(['a', 'b', 'c', 'd'].map((letter) => Buffer.alloc(block, letter)));
  writeSync(file.fd, contents, 0, contents.length, 0);
  const before = held();
  assert.equal(allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, block, 2 * block), 0);
  assert.ok(held() <= before - 2 * block, `${held()} after ${before}`);
  assert.equal(allocate(FALLOC_FL_PUNCH_HOLE, block, block), -EOPNOTSUPP, 'the size must be kept');
  const collapsed = allocate(FALLOC_FL_COLLAPSE_RANGE, block, 2 * block);
  if (collapsed === -EOPNOTSUPP) return;
  assert.equal(collapsed, 0);
  assert.equal(fstatSync(file.fd).size, 2 * block);
  assert.equal(allocate(FALLOC_FL_INSERT_RANGE, block, block), 0);
  const expected = Buffer.concat([Buffer.alloc(block, 'a'), Buffer.alloc(block), Buffer.alloc(block, 'd')]);
  assert.ok(readFileSync(file.path).equals(expected));
  assert.equal(allocate(FALLOC_FL_COLLAPSE_RANGE, 1, block), -EINVAL, 'only whole blocks');
});

it('IORING_OP_SPLICE: positions beyond 4 GiB on either side; without waiting an empty pipe is EAGAIN', () => {
  using file = new OpenFile();
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  const far = 2 ** 34 + 7;
  ring.prepSplice(reader, null, file.fd, far, 10, 1, { flags: SPLICE_F_NONBLOCK });
  assert.equal(run(ring), -EAGAIN);
  writeSync(writer, 'abcdefgh');
  ring.prepSplice(reader, null, file.fd, far, 10, 1);
  assert.equal(run(ring), 8);
  assert.equal(fstatSync(file.fd).size, far + 8);
  ring.prepSplice(file.fd, BigInt(far) + 2n, writer, null, 3, 1);
  assert.equal(run(ring), 3);
  const received = Buffer.alloc(16);
  assert.equal(received.toString('utf8', 0, readSync(reader, received)), 'cde');
  ring.prepTee(reader, writer, 3, 1, { flags: SPLICE_F_NONBLOCK });
  assert.equal(run(ring), -EINVAL, 'one pipe is not two');
  const [, other] = files.pipe();
  ring.prepTee(reader, other, 3, 1, { flags: SPLICE_F_NONBLOCK });
  assert.equal(run(ring), -EAGAIN);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepSplice(any('0'), null, 1, null, 1, 1),
    () => ring.prepSplice(0, any('0'), 1, null, 1, 1),
    () => ring.prepTee(0, any(null), 1, 1),
    () => ring.prepTee(0, 1, any(1n), 1),
  ]);
});

it('IORING_OP_PIPE: with room for one end only there is no pipe, and nothing is left of it', () => {
  using ring = openRing(8);
  const open = (): number => readdirSync('/proc/self/fd').length;
  const before = open();
  const fds = new Int32Array([-7, -7]);
  ring.prepPipe(fds, 1, { direct: 0 });
  assert.ok(run(ring) < 0, 'no files are registered');
  ring.registerFilesSparse(3);
  const pipe = (direct: number | 'alloc', flags = 0): number => {
    ring.prepPipe(fds, 1, { direct, flags });
    return run(ring);
  };
  assert.equal(pipe('alloc', 0o2000000), -EINVAL, 'O_CLOEXEC is for descriptors');
  assert.equal(pipe(2), -EINVAL, 'the last slot has none behind it');
  assert.equal(pipe(0), 0);
  assert.equal(pipe('alloc'), -ENFILE);
  const [, , third] = [0, 1, 2].map((slot) => {
    ring.prepCloseDirect(slot, 1);
    return run(ring);
  });
  assert.equal(third, -EBADF, 'the slot in which one end was for a moment is empty');
  assert.equal(open(), before, 'no descriptor was made');
});

it('IORING_OP_CLOSE: -1 and slots that are no descriptors are EBADF', () => {
  using file = new OpenFile('data');
  using ring = openRing(8);
  ring.prepClose(-1, 1);
  assert.equal(run(ring), -EBADF);
  ring.prepClose(2 ** 31, 1);
  assert.equal(run(ring), -EBADF, 'not some other descriptor');
  ring.registerFiles([file.fd]);
  ring.prepClose(0, 1);
  ring.sqeSetFlags(IOSQE_FIXED_FILE);
  assert.equal(run(ring), -EBADF, 'slots are closed by prepCloseDirect');
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepClose(any('1'), 1),
    () => ring.prepCloseDirect(any('alloc'), 1),
  ]);
});
