// Registered files and buffers: slots, tags, and what goes on with what was replaced.
import assert from 'node:assert/strict';
import { fstatSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import {
  EBADF,
  EFAULT,
  EINVAL,
  ENFILE,
  EPERM,
} from '../../../src/abi/errno.ts';
import { AT_FDCWD } from '../../../src/abi/file-flags.ts';
import { MSG_WAITALL } from '../../../src/abi/socket-flags.ts';
import { IOSQE_ASYNC, IOSQE_FIXED_FILE, IOSQE_IO_LINK } from '../../../src/abi/flags.ts';
import {
  IORING_OP_CLOSE,
  IORING_OP_FIXED_FD_INSTALL,
  IORING_OP_OPENAT,
  IORING_OP_OPENAT2,
} from '../../../src/abi/operations.ts';
import { allocateAligned, IoUring } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { completions, isQuiet, results } from '../operations/completions.ts';
import { complete } from '../reap.ts';
import { Temporary } from '../temporary.ts';
import { tcpPair } from './sockets.ts';

/** What a read by slot finds, or the errno. */
function readSlot(ring: IoUring, slot: number): string | number {
  const buffer = Buffer.alloc(8);
  ring.prepRead(slot, buffer, 8, 1, 0);
  ring.sqeSetFlags(IOSQE_FIXED_FILE);
  const { res } = complete(ring);
  return res < 0 ? res : buffer.toString('utf8', 0, res);
}

/** The slot that an open takes, or the errno. */
function openSlot(ring: IoUring, path: string, direct: number | 'alloc' = 'alloc'): number {
  ring.prepOpen(path, 0, 1, { direct });
  return complete(ring).res;
}

function closeSlot(ring: IoUring, slot: number): number {
  ring.prepCloseDirect(slot, 1);
  return complete(ring).res;
}

/** Bytes that are different everywhere. */
const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff);

it('case 98: an update fills, clears, skips, and fails past the end; no ring in a table, no half a table', {
  skip: without('5.12', 'IORING_REGISTER_FILES_SKIP'),
}, () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = new IoUring(8);
  using other = new IoUring(8);
  const [one, two] = ['one', 'two'].map((name) => files.own(openSync(folder.file(name, name), 'r')));
  for (const bad of [ring.fd, other.fd, 1_000_000]) {
    assert.throws(() => ring.registerFiles([one, bad]), { code: 'EBADF' });
    assert.throws(() => ring.unregisterFiles(), { code: 'ENXIO' });
  }
  ring.registerFiles([one, one, one, -1]);
  assert.equal(ring.registerFilesUpdate(0, [-1, -2, two, two]), 4);
  const table = (): (string | number)[] => [0, 1, 2, 3].map((slot) => readSlot(ring, slot));
  assert.deepEqual(table(), [-EBADF, 'one', 'two', 'two']);
  assert.throws(() => ring.registerFilesUpdate(2, [one, one, one]), { code: 'EINVAL' });
  assert.throws(() => ring.registerFilesUpdate(4, [one]), { code: 'EINVAL' });
  assert.deepEqual(table(), [-EBADF, 'one', 'two', 'two']);
  const fds = Int32Array.of(one, -2, -1);
  ring.prepFilesUpdate(fds, 0, 1);
  assert.equal(complete(ring).res, 3);
  assert.deepEqual(table(), ['one', 'one', -EBADF, 'two']);
  ring.prepFilesUpdate(fds, 3, 1);
  assert.equal(complete(ring).res, -EINVAL);
  assert.throws(() => ring.registerFileAllocRange(3, 2), { code: 'EINVAL' });
  assert.throws(() => ring.registerFileAllocRange(0xffff_ffff, 1), { code: 'EOVERFLOW' });
});

it('case 99: slots that the kernel picks are those of the range, whatever was done before', () => {
  using folder = new Temporary();
  using ring = new IoUring(8);
  const path = folder.file('data', 'data');
  ring.registerFilesSparse(10);
  assert.deepEqual([openSlot(ring, path), openSlot(ring, path)], [0, 1]);
  ring.registerFileAllocRange(4, 3);
  assert.deepEqual([0, 0, 0, 0].map(() => openSlot(ring, path)), [4, 5, 6, -ENFILE]);
  // Closed outside of the range: the kernel remembers where something became free.
  assert.deepEqual([closeSlot(ring, 0), closeSlot(ring, 1)], [0, 0]);
  assert.equal(openSlot(ring, path), -ENFILE);
  assert.equal(openSlot(ring, path, 9), 0);
  assert.equal(closeSlot(ring, 5), 0);
  assert.equal(closeSlot(ring, 9), 0);
  assert.deepEqual([openSlot(ring, path), openSlot(ring, path)], [5, -ENFILE]);
});

it('case 100: a full table is ENFILE; slots that became free are picked again', () => {
  using folder = new Temporary();
  using ring = new IoUring(8);
  const path = folder.file('data', 'data');
  ring.registerFilesSparse(4);
  assert.deepEqual([0, 0, 0, 0, 0].map(() => openSlot(ring, path)), [0, 1, 2, 3, -ENFILE]);
  for (const slot of [2, 0, 3]) {
    assert.equal(closeSlot(ring, slot), 0);
    assert.equal(openSlot(ring, path), slot);
    assert.equal(readSlot(ring, slot), 'data');
  }
  assert.equal(openSlot(ring, path), -ENFILE);
});

it('case 101: closing a slot: without a table, outside it, empty, or with a descriptor as well', () => {
  using folder = new Temporary();
  using ring = new IoUring(8);
  assert.equal(closeSlot(ring, 0), -6 /* ENXIO */);
  ring.registerFilesSparse(2);
  assert.equal(closeSlot(ring, 0), -EBADF, 'empty');
  assert.equal(closeSlot(ring, 2), -EINVAL, 'outside');
  assert.equal(openSlot(ring, folder.file('data', 'data'), 1), 0);
  ring.prepSqe({ opcode: IORING_OP_CLOSE, fd: 3, fileIndex: 2 }, 1);
  assert.equal(complete(ring).res, -EINVAL, 'both');
  assert.equal(readSlot(ring, 1), 'data');
  assert.equal(closeSlot(ring, 1), 0);
  assert.equal(readSlot(ring, 1), -EBADF);
  ring.prepClose(ring.fd, 1);
  assert.equal(complete(ring).res, -EBADF, 'the ring itself');
});

it('case 102: a file opened into a slot takes the place of the one there; bad pointers are EFAULT', () => {
  using folder = new Temporary();
  using ring = new IoUring(8);
  const [one, two] = ['one', 'two'].map((name) => folder.file(name, name));
  ring.registerFilesSparse(2);
  for (const path of [one, two, one]) {
    assert.equal(openSlot(ring, path, 1), 0);
    assert.equal(readSlot(ring, 1), path === one ? 'one' : 'two');
  }
  ring.prepOpenat2(AT_FDCWD, two, {}, 1, { direct: 1 });
  assert.equal(complete(ring).res, 0);
  assert.equal(readSlot(ring, 1), 'two');
  ring.prepOpenat2(AT_FDCWD, two, {}, 1, { direct: 2 });
  assert.equal(complete(ring).res, -EINVAL, 'outside the table');
  const path = Buffer.from(`${two}\0`);
  for (
    const [opcode, addr, off, len] of [
      [IORING_OP_OPENAT, 16, 0, 0],
      [IORING_OP_OPENAT2, 16, new Uint8Array(24), 24],
      [IORING_OP_OPENAT2, path, 16, 24],
    ] as const
  ) {
    ring.prepSqe({ opcode, fd: AT_FDCWD, addr, off, len, fileIndex: 2 }, 1);
    assert.equal(complete(ring).res, -EFAULT);
  }
  assert.equal(readSlot(ring, 1), 'two', 'nothing changed');
});

it('case 103: a descriptor made of a slot: both stay; not of a descriptor, nor for somebody else', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = new IoUring(8);
  ring.registerFilesSparse(2);
  assert.equal(openSlot(ring, folder.file('data', 'data'), 0), 0);
  ring.prepFixedFdInstall(0, 1);
  const fd = files.own(complete(ring).res);
  const buffer = Buffer.alloc(4);
  assert.equal(readSync(fd, buffer, 0, 4, 0), 4);
  assert.equal(readSlot(ring, 0), 'data');
  assert.equal(closeSlot(ring, 0), 0);
  assert.equal(fstatSync(fd).size, 4);
  ring.prepFixedFdInstall(0, 1);
  assert.equal(complete(ring).res, -EBADF, 'empty');
  ring.prepSqe({ opcode: IORING_OP_FIXED_FD_INSTALL, fd }, 1);
  assert.equal(complete(ring).res, -EBADF, 'not a slot');
  assert.equal(ring.registerFilesUpdate(0, [fd]), 1);
  ring.prepSqe({ opcode: IORING_OP_FIXED_FD_INSTALL, fd: 0, flags: IOSQE_FIXED_FILE, opFlags: 2 }, 1);
  assert.equal(complete(ring).res, -EINVAL, 'an unknown flag');
  const id = ring.registerPersonality();
  ring.prepFixedFdInstall(0, 1);
  ring.sqeSetPersonality(id);
  assert.equal(complete(ring).res, -EPERM);
});

it('case 104: a pipe made in slots tells their numbers', () => {
  using ring = new IoUring(8);
  ring.registerFilesSparse(8);
  const transfer = ([from, to]: Int32Array): void => {
    const buffer = Buffer.alloc(4);
    ring.prepWrite(to, Buffer.from('data'), 4, 1);
    ring.sqeSetFlags(IOSQE_FIXED_FILE | IOSQE_IO_LINK);
    ring.prepRead(from, buffer, 4, 2);
    ring.sqeSetFlags(IOSQE_FIXED_FILE);
    assert.deepEqual(results(ring, 2), new Map([[1, 4], [2, 4]]));
    assert.equal(buffer.toString(), 'data');
  };
  const used = new Set<number>();
  for (const direct of [4, 'alloc', 'alloc', 4, 'alloc'] as const) {
    const slots = new Int32Array(2).fill(-1);
    ring.prepPipe(slots, 1, { direct });
    assert.equal(complete(ring).res, 0);
    if (direct === 4) assert.deepEqual([...slots], [4, 5]);
    else assert.ok(slots.every((slot) => slot >= 0 && slot < 8 && !used.has(slot)), 'free ones');
    for (const slot of slots) used.add(slot);
    transfer(slots);
  }
  assert.equal(used.size, 8);
  const slots = new Int32Array(2);
  ring.prepPipe(slots, 1, { direct: 7 });
  assert.ok(complete(ring).res < 0, 'there is room for one end only');
});

it('case 105: a slot that is passed to another ring works there, also when the sender has given it up', () => {
  using folder = new Temporary();
  using ring = new IoUring(8);
  using target = new IoUring(8);
  ring.registerFilesSparse(2);
  target.registerFilesSparse(4);
  assert.equal(openSlot(ring, folder.file('data', 'data'), 1), 0);
  const mark = 2n ** 64n - 2n;
  ring.prepMsgRingFd(target.fd, 1, 2, mark, 1);
  assert.equal(complete(ring).res, 0);
  assert.deepEqual(completions(target, 1).map((c) => [c.userData64, c.res]), [[mark, 0]]);
  target.registerFileAllocRange(0, 2);
  ring.prepMsgRingFd(target.fd, 1, 'alloc', mark, 1);
  const picked = complete(ring).res;
  assert.ok(picked === 0 || picked === 1);
  assert.deepEqual(completions(target, 1).map((c) => [c.userData64, c.res]), [[mark, picked]]);
  ring.prepMsgRingFd(target.fd, 1, 3, mark, 1, { skipCqe: true });
  assert.equal(complete(ring).res, 0);
  assert.ok(isQuiet(target));
  assert.equal(closeSlot(ring, 1), 0);
  const found = [picked, 1 - picked, 2, 3].map((slot) => readSlot(target, slot));
  assert.deepEqual(found, ['data', -EBADF, 'data', 'data']);
  ring.prepMsgRingFd(target.fd, 1, 2, mark, 1);
  assert.equal(complete(ring).res, -EBADF, 'there is none any more');
  ring.prepMsgRingFd(ring.fd, 0, 1, mark, 1);
  assert.equal(complete(ring).res, -EINVAL, 'nor to itself');
});

const givesUpAtOnce = { skip: without('6.13', 'tables that are given up under operations in flight') };

it('case 106: a tag is told when the last user of what was replaced is done; else none', givesUpAtOnce, () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [reader, writer] = files.pipe();
  const tags = [2n ** 64n - 1n, 0, 7];
  const buffers = tags.map(() => new Uint8Array(8));
  ring.registerFiles([reader, reader, reader], { tags });
  ring.registerBuffers(buffers, { tags: tags.map((tag) => (tag === 0 ? 0 : BigInt(tag) - 1n)) });
  assert.throws(() => ring.registerFiles([reader], { tags: [99] }), { code: 'EBUSY' });
  assert.throws(() => ring.registerBuffers(buffers, { tags: [97, 98, 99] }), { code: 'EBUSY' });
  ring.prepRead(0, buffers[0], 4, 1, null, { fixed: 0 });
  ring.sqeSetFlags(IOSQE_FIXED_FILE);
  ring.submit();
  ring.unregisterFiles();
  ring.unregisterBuffers();
  assert.deepEqual(completions(ring, 2).map((c) => [c.userData64, c.res]).sort(), [[6n, 0], [7n, 0]]);
  assert.ok(isQuiet(ring), 'the read uses the others');
  writeSync(writer, 'data');
  const found = completions(ring, 3).map((c) => c.userData64).sort();
  assert.deepEqual(found, [1n, 2n ** 64n - 1n, 2n ** 64n - 2n].sort());
  assert.equal(Buffer.from(buffers[0]).toString('utf8', 0, 4), 'data');
});

it('case 107: a slot may be changed while an operation uses the file that was in it', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [reader, writer] = files.pipe();
  const fd = files.own(openSync(folder.file('data', 'file'), 'r'));
  ring.registerFiles([reader]);
  for (const flags of [0, IOSQE_ASYNC]) {
    const buffer = Buffer.alloc(4);
    ring.prepRead(0, buffer, 4, 1);
    ring.sqeSetFlags(IOSQE_FIXED_FILE);
    ring.submit();
    assert.ok(isQuiet(ring));
    assert.equal(ring.registerFilesUpdate(0, [fd]), 1);
    ring.prepRead(0, Buffer.alloc(4), 4, 2, 0);
    ring.sqeSetFlags(IOSQE_FIXED_FILE | flags);
    assert.deepEqual(results(ring, 1), new Map([[2, 4]]));
    ring.registerFilesUpdate(0, [-1]);
    writeSync(writer, 'pipe');
    assert.deepEqual(results(ring, 1), new Map([[1, 4]]));
    assert.equal(buffer.toString(), 'pipe');
    ring.registerFilesUpdate(0, [reader]);
  }
});

const clonesRanges = { skip: without('6.13', 'ranges of cloneBuffers') };

it('case 108: buffers are cloned as a whole, in ranges, over others; what cannot be says why', clonesRanges, () => {
  using files = new Descriptors();
  using source = new IoUring(8);
  using target = new IoUring(8);
  const zero = files.own(openSync('/dev/zero', 'r'));
  const buffers = [1, 2, 3].map((value) => new Uint8Array(64).fill(value));
  const read = (buffer: number, fixed: number): number => {
    target.prepRead(zero, buffers[buffer], 64, 1, 0, { fixed });
    return complete(target).res;
  };
  assert.throws(() => target.cloneBuffers(source), { code: 'ENXIO' });
  source.registerBuffersSparse(4);
  source.registerBuffersUpdate(0, [buffers[0], buffers[1]]);
  source.registerBuffersUpdate(3, [buffers[2]]);
  target.cloneBuffers(source);
  assert.deepEqual([read(0, 0), read(1, 1), read(2, 2), read(2, 3)], [64, 64, -EFAULT, 64]);
  assert.ok(buffers.every((buffer) => buffer.every((byte) => byte === 0)));
  assert.throws(() => target.cloneBuffers(source), { code: 'EBUSY' });
  assert.throws(() => target.cloneBuffers(source, { srcOffset: 3, count: 2, replace: true }), { code: 'EOVERFLOW' });
  assert.throws(() => target.cloneBuffers(source, { srcOffset: 5, count: 1, replace: true }), /EOVERFLOW|EINVAL/);
  assert.throws(() => target.cloneBuffers(source, { count: 5, replace: true }), { code: 'EINVAL' });
  target.cloneBuffers(source, { srcOffset: 3, dstOffset: 6, count: 1, replace: true });
  target.cloneBuffers(source, { srcOffset: 3, dstOffset: 0, count: 1, replace: true });
  source.unregisterBuffers();
  assert.deepEqual([read(2, 0), read(1, 1), read(2, 6), read(0, 0)], [64, 64, 64, -EFAULT]);
});

it('case 109: fixed reads and writes at any place inside a registered buffer', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = new IoUring(8);
  const contents = pattern(65536);
  const path = folder.file('data', contents);
  const fd = files.own(openSync(path, 'r+'));
  const buffer = allocateAligned(65536);
  ring.registerBuffers([new Uint8Array(16), buffer]);
  const places = [[0, 65536], [1, 1], [511, 4096], [4095, 2], [4096, 4096], [5000, 60_000], [65535, 1]];
  for (const [offset, length] of places) {
    buffer.fill(0);
    const place = buffer.subarray(offset, offset + length);
    ring.prepRead(fd, place, length, 1, offset, { fixed: 1 });
    assert.equal(complete(ring).res, length);
    assert.deepEqual(Buffer.from(place), Buffer.from(contents.subarray(offset, offset + length)));
    assert.ok(buffer.subarray(0, offset).every((byte) => byte === 0));
    assert.ok(buffer.subarray(offset + length).every((byte) => byte === 0));
  }
  buffer.set(Buffer.from('written'), 4093);
  ring.prepWrite(fd, buffer.subarray(4093, 4100), 7, 1, 3, { fixed: 1 });
  assert.equal(complete(ring).res, 7);
  assert.equal(readFileSync(path).toString('utf8', 3, 10), 'written');
  ring.prepRead(fd, buffer, 4, 1, 0, { fixed: 0 });
  assert.equal(complete(ring).res, -EFAULT, 'it lies in the other one');
});

const fixedLists = { skip: without('6.15', 'IORING_OP_READV_FIXED') };

it('case 110: lists of places in one registered buffer: crooked, across pages, long and short', fixedLists, () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = new IoUring(8);
  const contents = pattern(32768);
  const fd = files.own(openSync(folder.file('data', contents), 'r+'));
  const [client, server] = tcpPair(files);
  const buffer = allocateAligned(65536);
  ring.registerBuffers([buffer]);
  const growing = Array.from({ length: 40 }, (_, i) => i * 11 + 1);
  for (const sizes of [[1], [3, 4096, 5], [8191, 1, 8193, 77], [4096, 4096], growing, [5]]) {
    const total = sizes.reduce((sum, size) => sum + size);
    let at = 13;
    const places = sizes.map((size) => {
      const place = buffer.subarray(at, at + size);
      at += size + 17;
      return place;
    });
    buffer.fill(0);
    ring.prepReadv(fd, places, 1, 100, { fixed: 0 });
    assert.equal(complete(ring).res, total);
    const expected = Buffer.from(contents.subarray(100, 100 + total));
    assert.deepEqual(Buffer.concat(places), expected);
    ring.prepWritev(fd, places, 2, 50_000, { fixed: 0 });
    assert.equal(complete(ring).res, total);
    const back = Buffer.alloc(total);
    assert.equal(readSync(fd, back, 0, total, 50_000), total);
    assert.deepEqual(back, expected);
    ring.prepSendmsgZc(client, { iov: places }, 3, MSG_WAITALL, { fixed: 0 });
    ring.submitAndWait(1);
    const found = ring.copyCompletions();
    assert.deepEqual([found[0].res, found[0].hasMore()], [total, true]);
    const received = Buffer.alloc(total);
    for (let got = 0; got < total;) got += readSync(server, received, got, total - got, null);
    assert.deepEqual(received, expected);
    const notification = found[1] ?? complete(ring);
    assert.deepEqual([notification.isNotification(), notification.hasMore()], [true, false]);
  }
});
