// Rings that are resized, restricted, asked what they can do, or that act for somebody else.
import assert from 'node:assert/strict';
import { chmodSync, writeSync } from 'node:fs';
import { EACCES, EINVAL, ENOMEM, EOPNOTSUPP } from '../../../src/abi/errno.ts';
import { IOSQE_ASYNC, IOSQE_FIXED_FILE, IOSQE_IO_LINK } from '../../../src/abi/flags.ts';
import {
  IO_URING_PROBE_OP_SIZE,
  IO_URING_PROBE_SIZE,
  IO_URING_QUERY_HDR,
  IO_URING_QUERY_HDR_SIZE,
} from '../../../src/abi/layouts.ts';
import { IORING_OP_NOP, IORING_OP_READ, IORING_OP_WRITE } from '../../../src/abi/operations.ts';
import {
  IORING_REGISTER_ENABLE_RINGS,
  IORING_REGISTER_FILES,
  IORING_REGISTER_PROBE,
  IORING_REGISTER_QUERY,
} from '../../../src/abi/registrations.ts';
import { IoUring, queryKernel } from '../../../src/index.ts';
import { koffiNative } from '../../../src/native/koffi.ts';
import { it, without } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { completions, isQuiet, results } from '../operations/completions.ts';
import { complete, reap } from '../reap.ts';
import { Temporary } from '../temporary.ts';
import { watched } from './calls.ts';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

it('case 111: a resized ring keeps what is queued, what waits to be reaped, and what is in flight', () => {
  using files = new Descriptors();
  using ring = new IoUring(8, { cqEntries: 16 });
  const [reader, writer] = files.pipe();
  const [socket, peer] = files.socketPair();
  using buffers = ring.registerBufRing(8, 16, 1);
  const buffer = Buffer.alloc(4);
  ring.prepRead(reader, buffer, 4, 2n ** 64n - 1n);
  ring.prepRecvMultishot(socket, 1, 2n ** 63n);
  for (const [entries, cqEntries] of [[64, 128], [4, 8], [16, 16], [32, 64]]) {
    for (let i = 0; i < 3; i++) ring.prepNop(i);
    ring.submit();
    for (let i = 10; i < 13; i++) ring.prepNop(i);
    ring.prepRead(-1, Buffer.alloc(1), 1, 13);
    ring.resizeRings(entries, { cqEntries });
    assert.deepEqual([ring.sqEntries, ring.cqEntries], [entries, cqEntries]);
    assert.deepEqual([ring.sqReady, ring.sqSpaceLeft, ring.cqReady], [4, entries - 4, 3]);
    assert.deepEqual(completions(ring, 7).map((c) => c.userData), [0, 1, 2, 10, 11, 12, 13]);
    writeSync(peer, `${entries}`);
    const [c] = completions(ring, 1);
    assert.deepEqual([c.userData64, c.res, c.hasMore()], [2n ** 63n, `${entries}`.length, true]);
    assert.equal(Buffer.concat(buffers.bytes(c)).toString(), `${entries}`);
    buffers.recycle(c);
  }
  writeSync(writer, 'data');
  assert.deepEqual(completions(ring, 1).map((c) => [c.userData64, c.res]), [[2n ** 64n - 1n, 4]]);
  assert.equal(buffer.toString(), 'data');
});

it('case 111: what does not fit is EOVERFLOW, and changes nothing', {
  skip: without('6.13', 'IORING_REGISTER_RESIZE_RINGS'),
}, () => {
  using ring = new IoUring(8, { cqEntries: 16 });
  for (let i = 0; i < 8; i++) ring.prepNop(i);
  assert.throws(() => ring.resizeRings(4), { code: 'EOVERFLOW' });
  assert.deepEqual([ring.sqEntries, ring.cqEntries, ring.sqReady], [8, 16, 8]);
  ring.submit();
  assert.throws(() => ring.resizeRings(4, { cqEntries: 4 }), { code: 'EOVERFLOW' });
  assert.deepEqual(reap(ring).map((c) => c.userData), upTo(8));
  ring.resizeRings(4, { cqEntries: 4 });
  ring.prepNop(9);
  assert.equal(complete(ring).userData, 9);
});

it('case 112: a resized ring that could not be mapped at the first try works', () => {
  let failures = 0;
  const native = koffiNative();
  const map = (fd: number, offset: number, length: number): number =>
    failures > 0 && failures-- > 0 ? -ENOMEM : native.map(fd, offset, length);
  const { kernel } = watched({ map });
  for (const failing of [0, 1]) {
    using ring = new IoUring(8, { cqEntries: 16 }, kernel);
    ring.prepNop(1);
    ring.submit();
    ring.prepNop(2);
    failures = failing;
    ring.resizeRings(16, { cqEntries: 32 });
    assert.equal(failures, 0);
    assert.deepEqual(completions(ring, 2).map((c) => c.userData), [1, 2]);
    for (let i = 0; i < 16; i++) assert.ok(ring.prepNop(i));
    assert.equal(results(ring, 16).size, 16);
  }
});

it('case 114: what a restricted ring may not do is EACCES; restrictions come before it is enabled', () => {
  using files = new Descriptors();
  using ring = new IoUring(8, { disabled: true });
  const [reader, writer] = files.pipe();
  ring.registerRestrictions([
    { registerOp: IORING_REGISTER_FILES },
    { registerOp: IORING_REGISTER_ENABLE_RINGS },
    { sqeOp: IORING_OP_NOP },
    { sqeOp: IORING_OP_WRITE },
    { sqeFlagsAllowed: IOSQE_IO_LINK },
    { sqeFlagsRequired: IOSQE_FIXED_FILE },
  ]);
  ring.enableRings();
  assert.throws(() => ring.registerRestrictions([{ sqeOp: IORING_OP_READ }]), { code: 'EACCES' });
  ring.registerFiles([reader, writer]);
  assert.throws(() => ring.registerFilesUpdate(0, [-1]), { code: 'EACCES' });
  assert.throws(() => ring.registerBuffers([new Uint8Array(8)]), { code: 'EACCES' });
  const run = (prep: () => void, flags: number): number => {
    prep();
    ring.sqeSetFlags(flags);
    return complete(ring).res;
  };
  const write = (): void => void ring.prepWrite(1, Buffer.from('data'), 4, 1);
  assert.equal(run(write, IOSQE_FIXED_FILE), 4);
  assert.equal(run(write, IOSQE_FIXED_FILE | IOSQE_ASYNC), -EACCES);
  assert.equal(run(write, 0), -EACCES, 'what is required is missing');
  assert.equal(run(() => ring.prepRead(0, Buffer.alloc(4), 4, 1), IOSQE_FIXED_FILE), -EACCES);
  using plain = new IoUring(8);
  assert.throws(() => plain.registerRestrictions([{ sqeOp: IORING_OP_NOP }]), { code: 'EBADFD' });
});

it('case 115: an operation with a personality runs with the credentials of that time', (t) => {
  if (process.getuid?.() !== 0) return t.skip('needs root, to become another user');
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = new IoUring(8);
  const path = folder.file('secret', 'data');
  chmodSync(path, 0o600);
  const open = (personality: number, flags = 0): number => {
    ring.prepOpen(path, 0, 1);
    ring.sqeSetPersonality(personality);
    ring.sqeSetFlags(flags);
    const { res } = complete(ring);
    if (res >= 0) files.own(res);
    return res;
  };
  const root = ring.registerPersonality();
  process.seteuid!(12345);
  try {
    assert.equal(open(0), -EACCES);
    for (const flags of [0, IOSQE_ASYNC]) assert.ok(open(root, flags) >= 0);
    const nobody = ring.registerPersonality();
    process.seteuid!(0);
    for (const flags of [0, IOSQE_ASYNC]) assert.equal(open(nobody, flags), -EACCES);
  } finally {
    process.seteuid!(0);
  }
  ring.unregisterPersonality(root);
  assert.equal(open(root), -EINVAL, 'unknown');
  assert.throws(() => ring.unregisterPersonality(root), { code: 'EINVAL' });
});

it('case 116: the memory of a probe must be zero; without room for operations it tells the last one', () => {
  using ring = new IoUring(8);
  const bytes = new Uint8Array(IO_URING_PROBE_SIZE + 256 * IO_URING_PROBE_OP_SIZE);
  bytes[100] = 1;
  assert.throws(() => ring.registerRaw(IORING_REGISTER_PROBE, bytes, 256), { code: 'EINVAL' });
  bytes.fill(0);
  assert.equal(ring.registerRaw(IORING_REGISTER_PROBE, bytes, 0), 0);
  assert.ok(bytes[0] >= 30);
  assert.ok(bytes.subarray(IO_URING_PROBE_SIZE).every((byte) => byte === 0));
  assert.equal(ring.probe().filter(({ supported }) => supported).length, bytes[0] + 1);
});

it('case 117: a question that the kernel does not know is answered in its own place, not by the call', () => {
  using ring = new IoUring(8);
  const bytes = new Uint8Array(new ArrayBuffer(IO_URING_QUERY_HDR_SIZE + 64));
  const data = koffiNative().addressOf(bytes.buffer) + IO_URING_QUERY_HDR_SIZE;
  const view = new DataView(bytes.buffer);
  view.setUint32(IO_URING_QUERY_HDR.query_op, 0xffff, true);
  view.setUint32(IO_URING_QUERY_HDR.size, 64, true);
  view.setBigUint64(IO_URING_QUERY_HDR.query_data, BigInt(data), true);
  assert.equal(ring.registerRaw(IORING_REGISTER_QUERY, bytes, 0), 0);
  assert.equal(view.getInt32(IO_URING_QUERY_HDR.result, true), -EOPNOTSUPP);
  const { requestOpcodes, zcrx } = queryKernel();
  assert.ok(requestOpcodes >= 60);
  assert.ok(zcrx === undefined || typeof zcrx.registerFlags === 'bigint', 'a younger question: no error either');
  assert.ok(isQuiet(ring));
});

it('case p: the largest queues there are', () => {
  using ring = new IoUring(32768, { cqEntries: 65536 });
  assert.deepEqual([ring.sqEntries, ring.cqEntries], [32768, 65536]);
  assert.throws(() => new IoUring(32769), { code: 'ERR_OUT_OF_RANGE' });
  assert.throws(() => new IoUring(8, { cqEntries: 65537 }), { code: 'ERR_OUT_OF_RANGE' });
  using buffers = ring.registerBufRing(32768, 1, 1);
  assert.equal(buffers.available(), 32768);
  assert.throws(() => ring.registerBufRing(65536, 1, 2), { code: 'ERR_OUT_OF_RANGE' });
});

it('case q: a registration that the kernel does not know is EINVAL, like wrong arguments', () => {
  using ring = new IoUring(8);
  assert.throws(() => ring.registerRaw(4711, null, 0), { code: 'EINVAL', syscall: 'io_uring_register' });
  assert.throws(() => ring.registerRaw(IORING_REGISTER_PROBE, new Uint8Array(16), 1_000_000), { code: 'EINVAL' });
});
