// What can be set on any entry: slots, chains, barriers, workers, silence, provided buffers, credentials, priority.
import assert from 'node:assert/strict';
import { openSync, readFileSync, writeSync } from 'node:fs';
import { EACCES, EBADF, ECANCELED, EINVAL, ENOBUFS, EOPNOTSUPP, ETIME } from '../../../src/abi/errno.ts';
import {
  IOSQE_ASYNC,
  IOSQE_BUFFER_SELECT,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_FIXED_FILE,
  IOSQE_IO_DRAIN,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
} from '../../../src/abi/flags.ts';
import { MSG_WAITALL } from '../../../src/abi/socket-flags.ts';
import type { IoUring } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { finalized } from '../collect.ts';
import { Descriptors } from '../libc.ts';
import { CLOSED_WITHIN_MS } from '../closed-within.ts';
import { complete, reap } from '../reap.ts';
import { Temporary } from '../temporary.ts';
import { completions, isQuiet, results } from './completions.ts';
import { openRing } from './recorder.ts';
import { any, refused } from './refused.ts';

const SILENT = IOSQE_CQE_SKIP_SUCCESS;
const SILENT_LINK = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
const SILENT_HARDLINK = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_HARDLINK;

it('IORING_OP_READ: IOSQE_FIXED_FILE makes the descriptor a slot', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const fd = files.own(openSync(folder.file('data', 'slot'), 'r'));
  ring.registerFiles([-1, fd]);
  files.close(fd);
  const buffer = Buffer.alloc(4);
  ring.prepRead(1, buffer, 4, 1, 0);
  ring.sqeSetFlags(IOSQE_FIXED_FILE);
  assert.equal(complete(ring).res, 4);
  assert.equal(buffer.toString(), 'slot');
  ring.prepRead(0, buffer, 4, 1, 0);
  ring.sqeSetFlags(IOSQE_FIXED_FILE);
  assert.equal(complete(ring).res, -EBADF);
});

it('IORING_OP_WRITE: IOSQE_IO_LINK has one start when the other has succeeded', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const fd = files.own(openSync(folder.file('data'), 'r+'));
  const buffer = Buffer.alloc(5);
  for (let i = 0; i < 20; i++) {
    ring.prepWrite(fd, Buffer.from(`${10000 + i}`), 5, 1, 0);
    ring.sqeSetFlags(IOSQE_IO_LINK | IOSQE_ASYNC);
    ring.prepRead(fd, buffer, 5, 2, 0);
    ring.sqeSetFlags(IOSQE_IO_LINK);
    ring.prepFsync(fd, 3);
    assert.deepEqual(completions(ring, 3).map((c) => [c.userData, c.res]), [[1, 5], [2, 5], [3, 0]]);
    assert.equal(buffer.toString(), `${10000 + i}`);
  }
});

it('IORING_OP_NOP: IOSQE_IO_LINK ends a chain at its first failure, IOSQE_IO_HARDLINK does not', () => {
  using ring = openRing(8);
  const chain = (flags: number): number[] => {
    ring.prepNop(1);
    ring.sqeSetFlags(flags);
    ring.prepNop(2, { result: -7 });
    ring.sqeSetFlags(flags);
    ring.prepNop(3);
    ring.sqeSetFlags(flags);
    ring.prepNop(4);
    ring.prepNop(5);
    const found = results(ring, 5);
    return [1, 2, 3, 4, 5].map((userData) => found.get(userData)!);
  };
  assert.deepEqual(chain(IOSQE_IO_LINK), [0, -7, -ECANCELED, -ECANCELED, 0]);
  assert.deepEqual(chain(IOSQE_IO_HARDLINK), [0, -7, 0, 0, 0]);
});

it('IORING_OP_READ: a short one at the end of a file breaks its chain', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const fd = files.own(openSync(folder.file('data', 'short'), 'r'));
  ring.prepRead(fd, new Uint8Array(64), 64, 1, 0);
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepNop(2);
  assert.deepEqual(results(ring, 2), new Map([[1, 5], [2, -ECANCELED]]));
});

it('IORING_OP_NOP: IOSQE_IO_DRAIN waits for everything before it', () => {
  using ring = openRing(8);
  ring.prepTimeout(3, 1);
  ring.prepNop(2);
  ring.sqeSetFlags(IOSQE_IO_DRAIN);
  ring.prepNop(3);
  const [first, ...others] = completions(ring, 3).map((c) => [c.userData, c.res]);
  assert.deepEqual(first, [1, -ETIME]);
  // Which of the others was first, old kernels do not tell.
  assert.deepEqual(new Map(others as [number, number][]), new Map([[2, 0], [3, 0]]));
});

it('IORING_OP_READ: IOSQE_ASYNC goes to a worker and reads the same', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(64);
  const contents = Uint8Array.from({ length: 256 }, (_, i) => i);
  const fd = files.own(openSync(folder.file('data', contents), 'r'));
  const buffers = Array.from({ length: 64 }, () => new Uint8Array(4));
  for (const [i, buffer] of buffers.entries()) {
    ring.prepRead(fd, buffer, 4, i, i * 4);
    ring.sqeSetFlags(IOSQE_ASYNC);
  }
  const found = results(ring, 64);
  for (const [i, buffer] of buffers.entries()) {
    assert.equal(found.get(i), 4);
    assert.deepEqual(buffer, contents.slice(i * 4, i * 4 + 4));
  }
});

it('IORING_OP_NOP: flags are added to those that are there', () => {
  using ring = openRing(8);
  ring.prepNop(1, { result: -1 });
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.sqeSetFlags(0);
  ring.sqeSetFlags(IOSQE_ASYNC);
  ring.prepNop(2);
  assert.deepEqual(results(ring, 2), new Map([[1, -1], [2, -ECANCELED]]));
});

it('IORING_OP_NOP: IOSQE_CQE_SKIP_SUCCESS says nothing of a success, but of a failure', {
  skip: without('5.17', 'IOSQE_CQE_SKIP_SUCCESS'),
}, () => {
  using ring = openRing(8);
  for (const result of [0, 5, -5]) {
    ring.prepNop(1, { result });
    ring.sqeSetFlags(SILENT);
    ring.prepNop(2);
    const found = results(ring, result < 0 ? 2 : 1);
    assert.deepEqual(found, new Map(result < 0 ? [[1, -5], [2, 0]] : [[2, 0]]));
  }
  assert.ok(isQuiet(ring));
});

it('IORING_OP_NOP: IOSQE_IO_DRAIN is refused from the first silent operation on', {
  skip: without('5.17', 'IOSQE_CQE_SKIP_SUCCESS'),
}, () => {
  using ring = openRing(8);
  ring.prepNop(1);
  ring.sqeSetFlags(SILENT);
  ring.prepNop(2);
  ring.sqeSetFlags(IOSQE_IO_DRAIN);
  assert.equal(complete(ring).res, -EOPNOTSUPP);
});

it('IORING_OP_READ: a silent one that lends memory must be linked to one that speaks', {
  skip: without('5.17', 'IOSQE_CQE_SKIP_SUCCESS'),
}, () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const fd = files.own(openSync(folder.file('data', 'abcdef'), 'r'));
  const buffer = Buffer.alloc(2);
  ring.prepRead(fd, buffer, 2, 1, 0);
  refused(ring, 'ERR_INVALID_STATE', [() => ring.sqeSetFlags(SILENT)], /Link it/);
  assert.deepEqual(results(ring, 1), new Map([[1, 2]]), 'it is queued as it was, and speaks');
  ring.prepRead(fd, buffer, 2, 1, 2);
  ring.sqeSetFlags(SILENT_LINK);
  ring.prepNop(2);
  assert.deepEqual(results(ring, 1), new Map([[2, 0]]));
  assert.equal(buffer.toString(), 'cd');
});

it('IORING_OP_READ: the memory of silent ones is kept while the chain runs, and no longer', {
  skip: without('5.17', 'IOSQE_CQE_SKIP_SUCCESS'),
}, async () => {
  using files = new Descriptors();
  using ring = openRing(16);
  const [reader, writer] = files.pipe();
  const start = (): WeakRef<Buffer>[] => {
    const buffers = [0, 1, 2].map(() => Buffer.from(new ArrayBuffer(4)));
    for (const [i, buffer] of buffers.entries()) {
      ring.prepRead(reader, buffer, 4, i);
      ring.sqeSetFlags(SILENT_LINK);
    }
    ring.prepNop(9);
    ring.submit();
    return buffers.map((buffer) => new WeakRef(buffer));
  };
  const kept = start();
  await finalized();
  assert.ok(kept.every((ref) => ref.deref()), 'all three are lent');
  writeSync(writer, 'aaaa');
  assert.ok(isQuiet(ring));
  await finalized();
  assert.ok(kept[1].deref() && kept[2].deref());
  writeSync(writer, 'bbbb');
  assert.ok(isQuiet(ring));
  writeSync(writer, 'cccc');
  const strong = kept[2].deref();
  assert.deepEqual(results(ring, 1), new Map([[9, 0]]));
  assert.equal(strong?.toString(), 'cccc');
  await finalized();
  assert.deepEqual(kept.slice(0, 2).map((ref) => ref.deref()), [undefined, undefined]);
});

it('IORING_OP_READ: a silent one that fails speaks, and those behind it are cancelled without a word', {
  skip: without('5.17', 'IOSQE_CQE_SKIP_SUCCESS'),
}, async () => {
  using files = new Descriptors();
  using ring = openRing(16);
  const [reader] = files.pipe();
  const run = (): WeakRef<Uint8Array>[] => {
    const buffers = [new Uint8Array(4), new Uint8Array(4), new Uint8Array(4)];
    for (const [i, buffer] of buffers.entries()) {
      ring.prepRead(i === 0 ? -1 : reader, buffer, 4, i);
      ring.sqeSetFlags(SILENT_LINK);
    }
    ring.prepNop(9);
    assert.deepEqual(results(ring, 1), new Map([[0, -EBADF]]));
    assert.ok(isQuiet(ring));
    return buffers.map((buffer) => new WeakRef(buffer));
  };
  const buffers = run();
  await finalized();
  assert.deepEqual(buffers.map((ref) => ref.deref()), [undefined, undefined, undefined]);
});

it('IORING_OP_READ: behind a hard link the failure of a silent one stops nothing', {
  skip: without('5.17', 'IOSQE_CQE_SKIP_SUCCESS'),
}, () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(16);
  const fd = files.own(openSync(folder.file('data', 'abcdef'), 'r'));
  const buffers = [Buffer.alloc(2), Buffer.alloc(2)];
  ring.prepRead(-1, Buffer.alloc(2), 2, 1, 0);
  ring.sqeSetFlags(SILENT_HARDLINK);
  ring.prepRead(fd, buffers[0], 2, 2, 0);
  ring.sqeSetFlags(SILENT_HARDLINK);
  ring.prepRead(fd, buffers[1], 2, 3, 4);
  assert.deepEqual(results(ring, 2), new Map([[1, -EBADF], [3, 2]]));
  assert.deepEqual(buffers.map(String), ['ab', 'ef']);
});

it('IORING_OP_WRITE: a chain of silent ones that a submission cuts: its last one speaks', {
  skip: without('5.17', 'IOSQE_CQE_SKIP_SUCCESS'),
}, () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const fd = files.own(openSync(folder.file('data'), 'r+'));
  for (const [i, text] of ['one', 'two', 'six'].entries()) {
    ring.prepWrite(fd, Buffer.from(text), 3, i, i * 3);
    ring.sqeSetFlags(SILENT_LINK);
  }
  assert.deepEqual(results(ring, 1), new Map([[2, 3]]));
  ring.prepNop(9);
  assert.equal(complete(ring).userData, 9);
  assert.equal(readFileSync(`${folder.path}/data`, 'utf8'), 'onetwosix');
});

it('IORING_OP_LINK_TIMEOUT: behind a silent operation, it tells the caller of both when it strikes', {
  skip: without('5.17', 'IOSQE_CQE_SKIP_SUCCESS'),
}, async () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  const run = (): WeakRef<Uint8Array> => {
    const buffer = new Uint8Array(new ArrayBuffer(4));
    ring.prepRead(reader, buffer, 4, 1);
    ring.sqeSetFlags(SILENT_LINK);
    ring.prepLinkTimeout(1, 2);
    assert.deepEqual(results(ring, 2), new Map([[1, -ECANCELED], [2, -ETIME]]));
    return new WeakRef(buffer);
  };
  const buffer = run();
  await finalized();
  assert.equal(buffer.deref(), undefined);
  ring.prepRead(reader, new Uint8Array(4), 4, 1);
  ring.sqeSetFlags(SILENT_LINK);
  ring.prepLinkTimeout(3_600_000, 2);
  ring.submit();
  writeSync(writer, 'data');
  assert.deepEqual(results(ring, 1), new Map([[2, -ECANCELED]]), 'done in time, and silent');
});

it('IORING_OP_SEND_ZC: in a chain with a silent operation, its memory is kept until its notification', {
  skip: without('5.17', 'IOSQE_CQE_SKIP_SUCCESS'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const { fd, port } = files.listener();
  const client = files.connect(port);
  ring.prepAccept(fd, 1);
  const server = files.own(complete(ring).res);
  const [reader, writer] = files.pipe();
  for (let i = 0; i < 20; i++) {
    writeSync(writer, 'data');
    ring.prepRead(reader, new Uint8Array(4), 4, 1);
    ring.sqeSetFlags(SILENT_LINK);
    ring.prepSendZc(server, new Uint8Array(50_000), 50_000, 2);
    ring.sqeSetFlags(IOSQE_IO_LINK);
    ring.prepNop(3);
    const found = completions(ring, 3);
    assert.deepEqual(found.map((c) => c.userData64).sort(), [2n, 2n, 3n]);
    assert.deepEqual(found.filter((c) => c.userData === 2).map((c) => c.isNotification()), [false, true]);
    ring.prepRecv(client, new Uint8Array(50_000), 50_000, 4, MSG_WAITALL);
    assert.equal(complete(ring).res, 50_000);
  }
});

it('IORING_OP_READ: a chain that the kernel does not take, for one of it is wrong, keeps no memory', {
  skip: without('5.17', 'IOSQE_CQE_SKIP_SUCCESS'),
}, async () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  writeSync(writer, 'never read');
  const run = (flags: number): WeakRef<Uint8Array>[] => {
    const buffers = [new Uint8Array(new ArrayBuffer(4)), new Uint8Array(new ArrayBuffer(4))];
    ring.prepRead(reader, buffers[0], 4, 1);
    ring.sqeSetFlags(flags);
    ring.prepNop(2);
    ring.sqeSetPersonality(999);
    ring.sqeSetFlags(flags & ~SILENT);
    ring.prepRead(reader, buffers[1], 4, 3);
    ring.sqeSetFlags(flags);
    ring.prepNop(4);
    assert.deepEqual(results(ring, 1), new Map([[1, -ECANCELED]]));
    return buffers.map((buffer) => new WeakRef(buffer));
  };
  const buffers = run(SILENT_LINK);
  assert.ok(isQuiet(ring));
  await finalized();
  assert.deepEqual(buffers.map((ref) => ref.deref()), [undefined, undefined]);
  // With hard links it looks as if the first alone had been cancelled, and the second were to run.
  const kept = run(SILENT_HARDLINK);
  assert.ok(isQuiet(ring));
  const start = performance.now();
  ring.close();
  assert.ok(performance.now() - start < CLOSED_WITHIN_MS, 'the end of the ring does not wait for it');
  await finalized();
  // A read that is under way on a disk would look the same: that memory is never let go of.
  assert.notEqual(kept[1].deref(), undefined);
});

it('IORING_OP_READ: silent, in a chain with one that takes a provided buffer', {
  skip: without('5.17', 'IOSQE_CQE_SKIP_SUCCESS'),
}, async () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  const group = ring.registerBufRing(2, 8, 1);
  const run = (): WeakRef<Uint8Array> => {
    writeSync(writer, 'aaaabbbb');
    const buffer = new Uint8Array(new ArrayBuffer(4));
    ring.prepRead(reader, buffer, 4, 1);
    ring.sqeSetFlags(SILENT_LINK);
    ring.prepRead(reader, null, 4, 2);
    ring.sqeSetBufGroup(1);
    const c = complete(ring);
    assert.deepEqual([c.userData, c.res], [2, 4]);
    assert.equal(Buffer.from(group.bytes(c.bufferId()!, 4)).toString(), 'bbbb');
    assert.equal(Buffer.from(buffer).toString(), 'aaaa');
    group.recycle(c.bufferId()!);
    return new WeakRef(buffer);
  };
  const buffer = run();
  await finalized();
  assert.equal(buffer.deref(), undefined);
});

it('IORING_OP_READ: silence and a provided buffer, in either order', {
  skip: without('5.17', 'IOSQE_CQE_SKIP_SUCCESS'),
}, () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader, writer] = files.pipe();
  ring.registerBufRing(2, 8, 1);
  writeSync(writer, 'abcd');
  ring.prepRead(reader, null, 4, 1);
  ring.sqeSetBufGroup(1);
  refused(ring, 'ERR_INVALID_STATE', [() => ring.sqeSetFlags(SILENT)], /silent/);
  assert.equal(complete(ring).res, 4);
  writeSync(writer, 'abcd');
  ring.prepRead(reader, null, 4, 1);
  ring.sqeSetFlags(SILENT);
  refused(ring, 'ERR_INVALID_STATE', [() => ring.sqeSetBufGroup(1)], /silent/);
});

it('IORING_OP_NOP: userData that looks like a key of the ring’s own is let go of with its operation', {
  skip: without('5.17', 'IOSQE_CQE_SKIP_SUCCESS'),
}, () => {
  using files = new Descriptors();
  const [reader] = files.pipe();
  // One in 65534 of these does, whatever the ring has drawn.
  const lookalikes = Array.from({ length: 0xfffe }, (_, i) => BigInt(i + 1) << 48n);
  const ways: [string, number, (ring: IoUring, userData: bigint) => void][] = [
    ['silent', 0, (ring, userData) => {
      ring.prepNop(userData);
      ring.sqeSetFlags(SILENT);
    }],
    ['the new one of a poll that there is not', 1, (ring, userData) => {
      ring.prepPollUpdate(12345, 1, { newUserData: userData });
    }],
    ['the old one of a poll that has a new one', 3, (ring, userData) => {
      ring.prepPollAdd(reader, 1, userData);
      ring.prepPollUpdate(userData, 1, { newUserData: 12345 });
      ring.prepCancel(12345, 1);
    }],
  ];
  for (const [name, each, queue] of ways) {
    const ring = openRing(4096);
    let expected = 0;
    let reaped = 0;
    const reapAll = (): void => {
      while (reaped < expected) {
        ring.submitAndWait(expected - reaped, { timeoutMs: 5000 });
        const found = ring.forEachCompletion(() => {});
        assert.ok(found > 0, name);
        reaped += found;
      }
      ring.submit();
    };
    for (const userData of lookalikes) {
      if (ring.sqSpaceLeft < 3) reapAll();
      queue(ring, userData);
      expected += each;
    }
    reapAll();
    const start = performance.now();
    ring.close();
    assert.ok(performance.now() - start < CLOSED_WITHIN_MS, `${name}: the end of the ring waited for it`);
  }
});

it('IORING_OP_READ: chains of silent ones, one after the other, more than the queue holds: nothing piles up', {
  skip: without('5.17', 'IOSQE_CQE_SKIP_SUCCESS'),
}, () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const fd = files.own(openSync(folder.file('data', 'abcdefgh'), 'r'));
  const buffers = Array.from({ length: 7 }, () => Buffer.alloc(1));
  for (let round = 0; round < 200; round++) {
    for (const [i, buffer] of buffers.entries()) {
      buffer[0] = 0;
      ring.prepRead(fd, buffer, 1, i, i);
      ring.sqeSetFlags(SILENT_LINK);
    }
    ring.prepRead(fd, buffers[0], 1, 2n ** 64n - 1n, 7);
    const c = complete(ring);
    assert.deepEqual([c.userData64, c.res], [2n ** 64n - 1n, 1]);
    assert.equal(buffers.join(''), 'hbcdefg');
  }
});

it('IORING_OP_RECV: sqeSetBufGroup takes a buffer of the group, whichever is free', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [a, b] = files.socketPair();
  const group = ring.registerBufRing(2, 8, 4);
  for (let i = 0; i < 6; i++) {
    writeSync(b, `data ${i}`);
    const own = new Uint8Array(8);
    ring.prepRecv(a, i % 2 ? own : null, 8, i);
    ring.sqeSetBufGroup(4);
    const c = complete(ring);
    assert.deepEqual([c.userData, c.res], [i, 6]);
    assert.equal(Buffer.from(group.bytes(c.bufferId()!, c.res)).toString(), `data ${i}`);
    assert.deepEqual(own, new Uint8Array(8), 'not the one it was given');
    group.recycle(c.bufferId()!);
  }
});

it('IORING_OP_READ: sqeSetBufGroup for many reads at once: each has a buffer of its own', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const fd = files.own(openSync(folder.file('data', 'aabbccdd'), 'r'));
  const group = ring.registerBufRing(4, 2, 9);
  for (let i = 0; i < 5; i++) {
    ring.prepRead(fd, null, 2, i, i * 2);
    ring.sqeSetBufGroup(9);
    ring.sqeSetFlags(IOSQE_ASYNC);
  }
  const found = completions(ring, 5);
  const served = found.filter((c) => c.res >= 0);
  assert.equal(new Set(served.map((c) => c.bufferId())).size, 4);
  assert.deepEqual(found.filter((c) => c.res < 0).map((c) => c.res), [-ENOBUFS]);
  for (const c of served) {
    const text = Buffer.from(group.bytes(c.bufferId()!, c.res)).toString();
    assert.equal(text, 'aabbccdd'.slice(c.userData * 2, c.userData * 2 + 2));
  }
});

it('IORING_OP_OPENAT: sqeSetPersonality runs it with the credentials that were kept', (t) => {
  if (process.getuid!() !== 0) return t.skip('only root can take other credentials');
  using folder = new Temporary();
  using ring = openRing(8);
  const path = folder.file('data', 'private');
  const root = ring.registerPersonality();
  process.setegid!(65534);
  process.seteuid!(65534);
  let nobody: number;
  let asRoot: number;
  try {
    nobody = ring.registerPersonality();
    ring.prepOpen(path, 2, 1);
    ring.sqeSetPersonality(root);
    asRoot = complete(ring).res;
  } finally {
    process.seteuid!(0);
    process.setegid!(0);
  }
  using files = new Descriptors();
  assert.ok(files.own(asRoot) >= 0, 'the folder is open to root only');
  ring.prepOpen(path, 2, 1);
  ring.sqeSetPersonality(nobody);
  assert.equal(complete(ring).res, -EACCES);
});

it('IORING_OP_NOP: sqeSetPersonality with one that is not registered', () => {
  using ring = openRing(8);
  ring.prepNop(1);
  ring.sqeSetPersonality(999);
  assert.equal(complete(ring).res, -EINVAL);
  ring.prepNop(1);
  ring.sqeSetPersonality(999);
  ring.sqeSetPersonality(0);
  assert.equal(complete(ring).res, 0, 'taken back');
});

it('IORING_OP_READ: sqeSetIoprio takes what ioprio_set(2) takes', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(8);
  const fd = files.own(openSync(folder.file('data', 'abc'), 'r'));
  const read = (ioprio: number): number => {
    ring.prepRead(fd, new Uint8Array(3), 3, 1, 0);
    ring.sqeSetIoprio(ioprio);
    return complete(ring).res;
  };
  const BEST_EFFORT = 2 << 13;
  const IDLE = 3 << 13;
  assert.deepEqual([read(0), read(BEST_EFFORT | 7), read(IDLE), read(7 << 13)], [3, 3, 3, -EINVAL]);
});

it('IORING_OP_NOP: modifiers need an entry that was just prepared', () => {
  using ring = openRing(2);
  ring.registerBufRing(2, 16, 1);
  const modifiers = [
    () => ring.sqeSetFlags(IOSQE_ASYNC),
    () => ring.sqeSetBufGroup(1),
    () => ring.sqeSetPersonality(0),
    () => ring.sqeSetIoprio(0),
  ];
  refused(ring, 'ERR_INVALID_STATE', modifiers, /none was prepared/);
  ring.prepNop(1);
  ring.submit();
  refused(ring, 'ERR_INVALID_STATE', modifiers, /submitted/);
  ring.prepNop(2);
  ring.prepNop(3);
  assert.equal(ring.prepNop(4), false);
  refused(ring, 'ERR_INVALID_STATE', modifiers, /full/);
  assert.deepEqual(results(ring, 3), new Map([[1, 0], [2, 0], [3, 0]]), 'none of them was touched');
  ring.close();
  refused(ring, 'ERR_IOURING_CLOSED', modifiers);
});

it('IORING_OP_NOP: an entry stays open to modifiers until it is submitted, whatever else fails', () => {
  using ring = openRing(4);
  ring.prepNop(1, { result: -9 });
  assert.throws(() => ring.prepNop(-1));
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepNop(2);
  assert.deepEqual(results(ring, 2), new Map([[1, -9], [2, -ECANCELED]]));
});

it('IORING_OP_NOP: misuse of a modifier throws, and leaves the entry as it was', () => {
  using ring = openRing(4);
  ring.prepNop(1);
  refused(ring, 'ERR_INVALID_ARG_VALUE', [
    () => ring.sqeSetFlags(IOSQE_BUFFER_SELECT),
    () => ring.sqeSetFlags(0x80),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.sqeSetFlags(-1),
    () => ring.sqeSetFlags(256),
    () => ring.sqeSetBufGroup(-1),
    () => ring.sqeSetBufGroup(65536),
    () => ring.sqeSetPersonality(65536),
    () => ring.sqeSetIoprio(-1),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.sqeSetFlags(any('1')),
    () => ring.sqeSetBufGroup(any(undefined)),
    () => ring.sqeSetPersonality(any('1')),
    () => ring.sqeSetIoprio(any(1n)),
  ]);
  refused(ring, 'ERR_INVALID_STATE', [() => ring.sqeSetBufGroup(5)], /group 5/);
  assert.deepEqual(reap(ring), []);
  assert.equal(complete(ring).res, 0);
});
