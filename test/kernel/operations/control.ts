// The ring's own operations: nothing, messages to other rings, slots of registered files.
import assert from 'node:assert/strict';
import { fstatSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, writeSync } from 'node:fs';
import { EBADF, EBADFD, EFAULT, EINVAL, ENFILE, ENXIO } from '../../../src/abi/errno.ts';
import {
  IORING_CQE_F_MORE,
  IORING_REGISTER_FILES_SKIP,
  IORING_SETUP_SQE_MIXED,
  IOSQE_FIXED_FILE,
} from '../../../src/abi/flags.ts';
import { IORING_OP_NOP128 } from '../../../src/abi/operations.ts';
import type { IoUring } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { complete } from '../reap.ts';
import { Temporary } from '../temporary.ts';
import { completions, isQuiet, results } from './completions.ts';
import { openRing } from './recorder.ts';
import { any, refused } from './refused.ts';

it('IORING_OP_NOP: completes with 0 and its userData, all 64 bits of it', () => {
  using ring = openRing(8);
  for (const userData of [0, 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 0n, 2n ** 63n, 2n ** 64n - 1n]) {
    ring.prepNop(userData);
    const c = complete(ring);
    assert.deepEqual([c.userData64, c.res, c.flags], [BigInt(userData), 0, 0]);
  }
});

it('IORING_OP_NOP: completes with the result it is given', () => {
  using ring = openRing(8);
  for (const result of [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)]) {
    ring.prepNop(1, { result });
    assert.equal(complete(ring).res, result);
  }
  ring.prepNop(1);
  assert.equal(complete(ring).res, 0, 'nothing of it is left in the entry');
});

it('IORING_OP_NOP: looks a descriptor up, or a slot', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader] = files.pipe();
  ring.prepNop(1, { fd: reader, result: 9 });
  assert.equal(complete(ring).res, 9);
  ring.prepNop(1, { fd: -1, result: 9 });
  assert.equal(complete(ring).res, -EBADF);
  ring.prepNop(1, { fd: 0, fixedFile: true });
  assert.equal(complete(ring).res, -EBADF, 'no files are registered');
  ring.registerFiles([-1, reader]);
  const slots = [0, 1, 2].map((fd) => {
    ring.prepNop(1, { fd, fixedFile: true, result: 9 });
    return complete(ring).res;
  });
  assert.deepEqual(slots, [-EBADF, 9, -EBADF]);
});

it('IORING_OP_NOP: looks a registered buffer up', () => {
  using ring = openRing(8);
  ring.prepNop(1, { fixedBuffer: 0 });
  assert.equal(complete(ring).res, -EFAULT);
  ring.registerBuffers([new Uint8Array(64), new Uint8Array(64)]);
  const found = [0, 1, 2, 65535].map((fixedBuffer) => {
    ring.prepNop(1, { fixedBuffer, result: 9 });
    return complete(ring).res;
  });
  assert.deepEqual(found, [9, 9, -EFAULT, -EFAULT]);
});

it('IORING_OP_NOP: completes by deferred work, alone and with everything else', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader] = files.pipe();
  ring.registerBuffers([new Uint8Array(64)]);
  ring.registerFiles([reader]);
  ring.prepNop(1, { taskWork: true });
  ring.submit();
  assert.equal(ring.cqReady, 0, 'not by the submission');
  assert.equal(complete(ring).res, 0);
  ring.prepNop(2, { taskWork: true, fd: 0, fixedFile: true, fixedBuffer: 0, result: -7 });
  assert.equal(complete(ring).res, -7);
});

it('IORING_OP_NOP: two more values, in rings of 32-byte completions only', () => {
  using plain = openRing(8);
  plain.prepNop(1, { cqe32: [1, 2] });
  const refusal = complete(plain);
  assert.deepEqual([refusal.res, refusal.bigCqe()], [-EINVAL, undefined]);
  for (const options of [{ cqe32: true }, { cqeMixed: true }]) {
    using ring = openRing(8, options);
    for (const pair of [[1n, 2n], [2n ** 64n - 1n, 2n ** 63n], [0n, 0n]] as [bigint, bigint][]) {
      ring.prepNop(1, { cqe32: pair, result: 5 });
      const c = complete(ring);
      assert.deepEqual([c.res, c.bigCqe()], [5, pair]);
    }
    ring.prepNop(1, { cqe32: [2 ** 53 - 1, 7] });
    assert.deepEqual(complete(ring).bigCqe(), [2n ** 53n - 1n, 7n]);
  }
});

it('IORING_OP_NOP: misuse throws, and queues nothing', () => {
  using ring = openRing(8);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepNop(-1),
    () => ring.prepNop(2n ** 64n),
    () => ring.prepNop(1, { result: 2 ** 31 }),
    () => ring.prepNop(1, { result: 0.5 }),
    () => ring.prepNop(1, { fixedBuffer: -1 }),
    () => ring.prepNop(1, { fixedBuffer: 65536 }),
    () => ring.prepNop(1, { cqe32: [-1, 0] }),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepNop(any('1')),
    () => ring.prepNop(1, { fd: any('0') }),
    () => ring.prepNop(1, { result: any('0') }),
    () => ring.prepNop(1, { cqe32: any([0]) }),
  ]);
});

it('IORING_OP_NOP128: completes with 0 where the kernel has it, and else with -EINVAL', () => {
  using ring = openRing(8, { sqe128: true });
  const { supported } = ring.probe()[IORING_OP_NOP128];
  for (let i = 0; i < 20; i++) {
    ring.prepNop128(i);
    const c = complete(ring);
    assert.deepEqual([c.userData, c.res], [i, supported ? 0 : -EINVAL]);
    ring.prepNop(i);
    assert.equal(complete(ring).res, 0);
  }
});

it('IORING_OP_NOP128: between small ones in a ring of both sizes, round and round; refused before Linux 6.19', () => {
  const ring = mixedRing();
  if (ring === undefined) {
    assert.throws(() => openRing(8, { sqeMixed: true }), { code: 'EINVAL', message: /SQE_MIXED/ });
    return;
  }
  using _ = ring;
  assert.ok(ring.setupFlags & IORING_SETUP_SQE_MIXED);
  let userData = 0;
  for (let round = 0; round < 50; round++) {
    const queued = new Map<number, number>();
    while (queued.size < 4) {
      const big = (round * 7 + queued.size) % 3 === 0;
      if (!(big ? ring.prepNop128(userData) : ring.prepNop(userData))) break;
      queued.set(userData++, 0);
    }
    assert.deepEqual(results(ring, queued.size), queued);
  }
});

function mixedRing(): IoUring | undefined {
  try {
    return openRing(8, { sqeMixed: true });
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EINVAL');
    return undefined;
  }
}

it('IORING_OP_NOP128: needs a ring with such entries', () => {
  using ring = openRing(8);
  refused(ring, 'ERR_INVALID_STATE', [() => ring.prepNop128(1)], /sqe128 or sqeMixed/);
});

it('IORING_OP_MSG_RING: a completion in the other ring, with any result and userData', () => {
  using ring = openRing(8);
  using other = openRing(8);
  const messages: [number, number | bigint, number][] = [
    [0, 0, 0],
    [7, 42, 7],
    [-5, 2n ** 64n - 1n, -5],
    [2 ** 32 - 1, 2 ** 53 - 1, -1],
    [-(2 ** 31), 1n, -(2 ** 31)],
  ];
  for (const [res, data, arrives] of messages) {
    ring.prepMsgRing(other.fd, res, data, 1);
    assert.deepEqual(results(ring, 1), new Map([[1, 0]]));
    const c = complete(other);
    assert.deepEqual([c.res, c.userData64, c.flags], [arrives, BigInt(data), 0]);
  }
});

it('IORING_OP_MSG_RING: wakes nobody who is not asked, but is counted by one who waits', () => {
  using ring = openRing(8);
  using other = openRing(8);
  for (let i = 0; i < 3; i++) ring.prepMsgRing(other.fd, i, i, 10 + i);
  assert.equal(results(ring, 3).size, 3);
  assert.deepEqual(completions(other, 3).map((c) => [c.userData, c.res]), [[0, 0], [1, 1], [2, 2]]);
});

it('IORING_OP_MSG_RING: to itself', () => {
  using ring = openRing(8);
  ring.prepMsgRing(ring.fd, 5, 2, 1);
  assert.deepEqual(results(ring, 2), new Map([[1, 0], [2, 5]]));
});

it('IORING_OP_MSG_RING: with flags of its own', { skip: without('6.3', 'IORING_MSG_RING_FLAGS_PASS') }, () => {
  using ring = openRing(8);
  using other = openRing(8);
  ring.prepMsgRing(other.fd, 5, 2, 1, { cqeFlags: IORING_CQE_F_MORE });
  assert.equal(complete(ring).res, 0);
  const c = complete(other);
  assert.deepEqual([c.res, c.userData, c.hasMore()], [5, 2, true]);
  ring.prepMsgRing(other.fd, 5, 2, 1, { cqeFlags: 0 });
  assert.equal(complete(ring).res, 0);
  assert.equal(complete(other).flags, 0);
});

it('IORING_OP_MSG_RING: data without a completion there is what the kernel refuses', () => {
  using ring = openRing(8);
  using other = openRing(8);
  ring.prepMsgRing(other.fd, 5, 2, 1, { skipCqe: true });
  assert.equal(complete(ring).res, -EINVAL);
  assert.ok(isQuiet(other));
});

it('IORING_OP_MSG_RING: to what is no ring, is closed, or is no descriptor', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader] = files.pipe();
  const answers = [reader, -1, 1_000_000].map((fd) => {
    ring.prepMsgRing(fd, 0, 0, 1);
    return complete(ring).res;
  });
  assert.deepEqual(answers, [-EBADFD, -EBADF, -EBADF]);
});

it('IORING_OP_MSG_RING: passes a file to a slot of choice, or to a free one', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  using other = openRing(8);
  const [reader, writer] = files.pipe();
  ring.registerFiles([-1, -1, reader]);
  other.registerFilesSparse(4);
  const readFrom = (slot: number): string => {
    writeSync(writer, 'hello');
    const buffer = Buffer.alloc(8);
    other.prepRead(slot, buffer, 8, 1);
    other.sqeSetFlags(IOSQE_FIXED_FILE);
    return buffer.toString('utf8', 0, complete(other).res);
  };

  ring.prepMsgRingFd(other.fd, 2, 3, 42, 1);
  assert.deepEqual(results(ring, 1), new Map([[1, 0]]));
  const told = complete(other);
  assert.deepEqual([told.userData, told.res], [42, 0]);
  assert.equal(readFrom(3), 'hello');

  ring.prepMsgRingFd(other.fd, 2, 'alloc', 2n ** 64n - 1n, 1);
  const slot = complete(ring).res;
  assert.ok(slot >= 0 && slot < 3, `slot ${slot}`);
  const again = complete(other);
  assert.deepEqual([again.userData64, again.res], [2n ** 64n - 1n, slot]);
  assert.equal(readFrom(slot), 'hello');

  ring.prepMsgRingFd(other.fd, 2, 'alloc', 9, 1, { skipCqe: true });
  const silent = complete(ring).res;
  assert.ok(isQuiet(other), 'nothing is said there');
  ring.unregisterFiles();
  assert.equal(readFrom(silent), 'hello', 'it stays when the sender gives it up');
});

it('IORING_OP_MSG_RING: a file that is not there, or has no place there', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  using other = openRing(8);
  const [reader] = files.pipe();
  const pass = (source: number, target: number | 'alloc'): number => {
    ring.prepMsgRingFd(other.fd, source, target, 1, 2);
    return complete(ring).res;
  };
  assert.equal(pass(0, 0), -EBADF, 'nothing is registered here');
  ring.registerFiles([reader, -1]);
  assert.equal(pass(1, 0), -EBADF, 'the slot is empty');
  assert.equal(pass(0, 0), -ENXIO, 'nothing is registered there');
  other.registerFilesSparse(1);
  assert.equal(pass(0, 1), -EINVAL, 'outside the table there');
  assert.equal(pass(0, 'alloc'), 0);
  assert.equal(complete(other).userData, 1);
  assert.equal(pass(0, 'alloc'), -ENFILE, 'the table there is full');
  ring.prepMsgRingFd(ring.fd, 0, 1, 1, 2);
  assert.equal(complete(ring).res, -EINVAL, 'to itself');
});

it('IORING_OP_MSG_RING: misuse throws, and queues nothing', () => {
  using ring = openRing(8);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepMsgRing(0, 2 ** 32, 0, 1),
    () => ring.prepMsgRing(0, -(2 ** 31) - 1, 0, 1),
    () => ring.prepMsgRing(0, 0, -1, 1),
    () => ring.prepMsgRing(0, 0, 0, -1),
    () => ring.prepMsgRing(0, 0, 0, 1, { cqeFlags: -1 }),
    () => ring.prepMsgRing(0, 0, 0, 1, { cqeFlags: 2 ** 32 }),
    () => ring.prepMsgRingFd(0, -1, 0, 0, 1),
    () => ring.prepMsgRingFd(0, 0, -1, 0, 1),
    () => ring.prepMsgRingFd(0, 0, 2 ** 32 - 2, 0, 1),
    () => ring.prepMsgRingFd(0, 0, 0, 2n ** 64n, 1),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepMsgRing(any(ring), 0, 0, 1),
    () => ring.prepMsgRing(0, any('0'), 0, 1),
    () => ring.prepMsgRing(0, 0, any(undefined), 1),
    () => ring.prepMsgRingFd(0, 0, any('any'), 0, 1),
    () => ring.prepMsgRingFd(0, any('alloc'), 0, 0, 1),
    () => ring.prepMsgRingFd(any(null), 0, 0, 0, 1),
  ]);
});

it('IORING_OP_FILES_UPDATE: fills, leaves and empties slots', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const fds = ['a', 'b', 'c'].map((name) => files.own(openSync(folder.file(name, name), 'r')));
  const left = without('5.12', 'IORING_REGISTER_FILES_SKIP') ? fds[1] : IORING_REGISTER_FILES_SKIP;
  ring.registerFiles([-1, fds[1], fds[2], -1]);
  ring.prepFilesUpdate(Int32Array.of(fds[0], left, -1), 0, 1);
  assert.equal(complete(ring).res, 3);
  for (const fd of fds) files.close(fd);
  const byte = Buffer.alloc(1);
  const contents = [0, 1, 2, 3].map((slot) => {
    ring.prepRead(slot, byte, 1, 1, 0);
    ring.sqeSetFlags(IOSQE_FIXED_FILE);
    const { res } = complete(ring);
    return res === 1 ? byte.toString() : res;
  });
  assert.deepEqual(contents, ['a', 'b', -EBADF, -EBADF], 'a slot keeps its file when the descriptor is closed');
});

it('IORING_OP_FILES_UPDATE: with alloc the kernel picks the slots, and says which', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  ring.registerFiles([reader, -1, -1, -1]);
  ring.registerFileAllocRange(2, 2);
  const fds = Int32Array.of(reader, writer);
  ring.prepFilesUpdate(fds, 'alloc', 1);
  assert.equal(complete(ring).res, 2);
  assert.deepEqual([...fds].sort(), [2, 3]);
  ring.prepWrite(fds[1], Buffer.from('hi'), 2, 2);
  ring.sqeSetFlags(IOSQE_FIXED_FILE);
  assert.equal(complete(ring).res, 2);
  const buffer = Buffer.alloc(8);
  assert.equal(readSync(reader, buffer), 2);
  ring.prepFilesUpdate(Int32Array.of(reader), 'alloc', 3);
  assert.equal(complete(ring).res, -ENFILE, 'the range is full');
});

it('IORING_OP_FILES_UPDATE: without a table, outside of it, of a descriptor that is none', {
  skip: without('5.13', 'ENXIO without a table'),
}, () => {
  using ring = openRing(8);
  const update = (fds: Int32Array, offset: number): number => {
    ring.prepFilesUpdate(fds, offset, 1);
    return complete(ring).res;
  };
  assert.equal(update(Int32Array.of(-1), 0), -ENXIO);
  ring.registerFilesSparse(2);
  assert.equal(update(Int32Array.of(-1), 2), -EINVAL);
  assert.equal(update(Int32Array.of(-1, -1), 1), -EINVAL);
  assert.equal(update(Int32Array.of(1_000_000), 0), -EBADF);
  assert.equal(update(Int32Array.of(-1, 1_000_000), 0), 1, 'as far as it came');
});

it('IORING_OP_FILES_UPDATE: misuse throws, and queues nothing', () => {
  using ring = openRing(8);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepFilesUpdate(any([1]), 0, 1),
    () => ring.prepFilesUpdate(any(new Uint32Array(1)), 0, 1),
    () => ring.prepFilesUpdate(new Int32Array(1), any('any'), 1),
    () => ring.prepFilesUpdate(new Int32Array(1), 0, any(null)),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepFilesUpdate(new Int32Array(1), -1, 1),
    () => ring.prepFilesUpdate(new Int32Array(1), 2 ** 31, 1),
  ]);
});

/** What a descriptor stands for; undefined once it is closed. */
function nameOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

/** The flags of an open descriptor, as the kernel tells them. */
function flagsOf(fd: number): number {
  return parseInt(/^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1], 8);
}

const O_CLOEXEC = 0o2000000;

it('IORING_OP_FIXED_FD_INSTALL: makes a descriptor of its own, close-on-exec unless asked', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const fd = files.own(openSync(folder.file('data', 'contents'), 'r'));
  ring.registerFiles([-1, fd]);
  const install = (options?: { noCloexec?: boolean }): number => {
    ring.prepFixedFdInstall(1, 1, options);
    return files.own(complete(ring).res);
  };
  const installed = install();
  assert.notEqual(installed, fd);
  assert.equal(flagsOf(installed) & O_CLOEXEC, O_CLOEXEC);
  assert.equal(flagsOf(install({ noCloexec: true })) & O_CLOEXEC, 0);
  files.close(fd);
  ring.unregisterFiles();
  const buffer = Buffer.alloc(8);
  assert.equal(readSync(installed, buffer, 0, 8, 0), 8);
  assert.equal(buffer.toString(), 'contents');
});

it('IORING_OP_FIXED_FD_INSTALL: of a slot that is empty or is none', () => {
  using ring = openRing(8);
  const install = (slot: number): number => {
    ring.prepFixedFdInstall(slot, 1);
    return complete(ring).res;
  };
  assert.equal(install(0), -EBADF);
  ring.registerFilesSparse(1);
  assert.deepEqual([install(0), install(1), install(2 ** 31 - 1)], [-EBADF, -EBADF, -EBADF]);
});

it('IORING_OP_FIXED_FD_INSTALL: a descriptor that nobody reaps is closed with the ring', () => {
  using files = new Descriptors();
  const [reader] = files.pipe();
  const name = readlinkSync(`/proc/self/fd/${reader}`);
  /** How many descriptors there are of that end of the pipe, and of the other. */
  const open = (): number => readdirSync('/proc/self/fd').filter((fd) => nameOf(fd) === name).length;
  const before = open();
  const ring = openRing(8);
  ring.registerFiles([reader]);
  for (let i = 0; i < 4; i++) ring.prepFixedFdInstall(0, i);
  ring.submit();
  assert.equal(open(), before + 4);
  ring.close();
  assert.equal(open(), before);
  assert.ok(fstatSync(reader).isFIFO());
});

it('IORING_OP_FIXED_FD_INSTALL: misuse throws, and queues nothing', () => {
  using ring = openRing(8);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepFixedFdInstall(-1, 1),
    () => ring.prepFixedFdInstall(2 ** 31, 1),
    () => ring.prepFixedFdInstall(0, -1),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepFixedFdInstall(any('alloc'), 1),
    () => ring.prepFixedFdInstall(0, any(undefined)),
  ]);
});
