// Each operation of the ring on the real kernel: what it does, what its completion says, how it fails.
import assert from 'node:assert/strict';
import { fstatSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { describe } from 'node:test';
import { IoUring } from '../../src/index.ts';
import { it, without } from '../asking.ts';
import { finalized } from './collect.ts';
import { Descriptors, shutdownWrite } from './libc.ts';
import { complete, reap } from './reap.ts';
import { Temporary } from './temporary.ts';

const EBADF = 9;
const EISDIR = 21;
const EINVAL = 22;
const ESPIPE = 29;
const ETIME = 62;
const ENOTSOCK = 88;
const ENOBUFS = 105;
const ECANCELED = 125;

describe('prepRead and prepWrite', () => {
  it('use and move the file’s own position without an offset; -1 and null say the same', () => {
    using folder = new Temporary();
    using files = new Descriptors();
    using ring = new IoUring(8);
    const fd = files.own(openSync(folder.file('data', 'abcdefghij'), 'r+'));
    const buffer = Buffer.alloc(2);
    const read = (...offset: (number | bigint | null)[]): string => {
      ring.prepRead(fd, buffer, 2, 1, ...offset);
      assert.equal(complete(ring).res, 2);
      return buffer.toString();
    };
    assert.deepEqual([read(), read(-1), read(null), read(-1n), read()], ['ab', 'cd', 'ef', 'gh', 'ij']);
    ring.prepRead(fd, buffer, 2, 1);
    assert.equal(complete(ring).res, 0, 'the end of the file');
    assert.equal(read(2), 'cd');
    assert.equal(read(4n), 'ef');
    ring.prepWrite(fd, Buffer.from('!?'), 2, 1);
    assert.equal(complete(ring).res, 2, 'appended: reading at an offset moved nothing');
    assert.equal(readFileSync(`${folder.path}/data`, 'utf8'), 'abcdefghij!?');
  });

  it('write at an offset, and what node:fs then reads is the same', () => {
    using folder = new Temporary();
    using files = new Descriptors();
    using ring = new IoUring(8);
    const path = folder.file('data');
    const fd = files.own(openSync(path, 'r+'));
    ring.prepWrite(fd, new Uint16Array([0x6261, 0x6463]), 4, 1, 3);
    assert.equal(complete(ring).res, 4);
    assert.deepEqual(readFileSync(path), Buffer.from('\0\0\0abcd'));
  });

  it('beyond 4 GiB: all 64 bits of the offset arrive, as a number and as a bigint', () => {
    using folder = new Temporary();
    using files = new Descriptors();
    using ring = new IoUring(8);
    const fd = files.own(openSync(folder.file('sparse'), 'r+'));
    const place = 5 * 2 ** 32 + 7;
    ring.prepWrite(fd, Buffer.from('far'), 3, 1, place);
    assert.equal(complete(ring).res, 3);
    assert.equal(fstatSync(fd).size, place + 3);
    const buffer = Buffer.alloc(3);
    ring.prepRead(fd, buffer, 3, 1, BigInt(place));
    assert.equal(complete(ring).res, 3);
    assert.equal(buffer.toString(), 'far');
    ring.prepRead(fd, buffer, 3, 1, 2n ** 63n - 1n);
    assert.equal(complete(ring).res, -EINVAL, 'the last offset there is; its end would lie outside');
  });

  it('take every kind of buffer, and touch only its own bytes', () => {
    using folder = new Temporary();
    using files = new Descriptors();
    using ring = new IoUring(8);
    const fd = files.own(openSync(folder.file('data', 'x'.repeat(64)), 'r'));
    const memory = new ArrayBuffer(64);
    const views = [
      new Uint8Array(memory, 8, 8),
      new DataView(memory, 24, 8),
      new Float64Array(memory, 40, 1),
      Buffer.from(memory, 56, 8),
    ];
    for (const view of views) {
      ring.prepRead(fd, view, 8, 1, 0);
      assert.equal(complete(ring).res, 8);
    }
    assert.equal(Buffer.from(memory).toString(), '\0\0\0\0\0\0\0\0xxxxxxxx'.repeat(4));
    for (const whole of [new ArrayBuffer(4), new SharedArrayBuffer(4), new Uint8Array(4), new BigInt64Array(1)]) {
      ring.prepRead(fd, whole, 4, 1, 0);
      assert.equal(complete(ring).res, 4);
      const bytes = 'buffer' in whole ? whole.buffer : whole;
      assert.equal(Buffer.from(bytes).toString('utf8', 0, 4), 'xxxx');
    }
    ring.prepRead(fd, new Uint8Array(0), 0, 1, 0);
    assert.equal(complete(ring).res, 0);
  });

  it('short, at the end of the file; on a directory EISDIR; on a closed descriptor EBADF', () => {
    using folder = new Temporary();
    using files = new Descriptors();
    using ring = new IoUring(8);
    const fd = files.own(openSync(folder.file('data', '12345'), 'r'));
    const buffer = new Uint8Array(64);
    ring.prepRead(fd, buffer, 64, 1, 2);
    assert.equal(complete(ring).res, 3);
    const directory = files.own(openSync(folder.path, 'r'));
    ring.prepRead(directory, buffer, 64, 1, 0);
    assert.equal(complete(ring).res, -EISDIR);
    for (const none of [-1, 1_000_000, 2 ** 31, 2 ** 32 + fd, -(2 ** 40)]) {
      ring.prepRead(none, buffer, 64, 1, 0);
      assert.equal(complete(ring).res, -EBADF, `descriptor ${none}`);
    }
    ring.prepWrite(fd, buffer, 64, 1, 0);
    assert.equal(complete(ring).res, -EBADF, 'not open for writing');
  });

  it('an entry that fails does not stop those behind it', () => {
    using ring = new IoUring(8);
    ring.prepNop(1);
    ring.prepRead(-1, new Uint8Array(1), 1, 2, 0);
    ring.prepNop(3);
    assert.equal(ring.submitAndWait(3), 3);
    const came = reap(ring).map((c) => [c.userData, c.res]);
    // Some kernels tell of failures first.
    assert.deepEqual(came.sort(([a], [b]) => a - b), [[1, 0], [2, -EBADF], [3, 0]]);
  });
});

describe('prepFsync', () => {
  it('answers 0 for a file, in both forms, and the errors of fsync(2)', () => {
    using folder = new Temporary();
    using files = new Descriptors();
    using ring = new IoUring(8);
    const fd = files.own(openSync(folder.file('data', 'x'), 'r+'));
    ring.prepFsync(fd, 1);
    assert.equal(complete(ring).res, 0);
    ring.prepFsync(fd, 1, { datasync: true });
    assert.equal(complete(ring).res, 0);
    const [, writer] = files.pipe();
    ring.prepFsync(writer, 1);
    assert.equal(complete(ring).res, -EINVAL, 'a pipe has no disk');
    ring.prepFsync(-1, 1);
    assert.equal(complete(ring).res, -EBADF);
  });
});

describe('prepClose', () => {
  it('closes the descriptor; a second time is EBADF', () => {
    using folder = new Temporary();
    using ring = new IoUring(8);
    const fd = openSync(folder.file('data'), 'r');
    ring.prepClose(fd, 1);
    assert.equal(complete(ring).res, 0);
    assert.throws(() => fstatSync(fd), { code: 'EBADF' });
    ring.prepClose(fd, 1);
    assert.equal(complete(ring).res, -EBADF);
  });
});

describe('prepTimeout', () => {
  it('ends early with 0 when so many other completions were posted', () => {
    using ring = new IoUring(8);
    ring.prepTimeout(60_000, 1, { count: 2 });
    ring.prepNop(2);
    ring.prepNop(3);
    ring.submitAndWait(3);
    const results = new Map(reap(ring).map((c) => [c.userData, c.res]));
    assert.equal(results.get(1), 0);
  });

  it('several at once fire in the order of their times, fractions and zero included', () => {
    using ring = new IoUring(8);
    // Some kernels have clocks of 10 ms.
    ring.prepTimeout(60, 3);
    ring.prepTimeout(0.001, 1);
    ring.prepTimeout(35, 2);
    ring.prepTimeout(0, 0);
    ring.submitAndWait(4);
    const order = reap(ring).map((c) => (assert.equal(c.res, -ETIME), c.userData));
    assert.deepEqual(order.slice(2), [2, 3]);
    assert.deepEqual(new Set(order.slice(0, 2)), new Set([0, 1]));
  });

  it('keeps each time until the kernel has read it, round after round of the queue', () => {
    using ring = new IoUring(4);
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 4; i++) ring.prepTimeout(i === round % 4 ? 0 : 60_000, i);
      ring.submitAndWait(1);
      assert.deepEqual(reap(ring).map((c) => c.userData), [round % 4]);
      for (let i = 0; i < 4; i++) if (i !== round % 4) ring.prepCancel(i, 9);
      ring.submitAndWait(6);
      assert.equal(reap(ring).length, 6);
    }
  });
});

describe('prepCancel', () => {
  it('ends a multishot receive with ECANCELED and without hasMore()', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    ring.registerBufRing(2, 16, 1);
    const [socket] = files.socketPair();
    ring.prepRecvMultishot(socket, 1, 10);
    ring.submit();
    ring.prepCancel(10, 11);
    ring.submitAndWait(2);
    const byUser = new Map(reap(ring).map((c) => [c.userData, [c.res, c.hasMore()]]));
    assert.deepEqual(byUser, new Map([[11, [0, false]], [10, [-ECANCELED, false]]]));
  });

  it('passes over an operation that is done and waits to be reaped, for one of the same userData that is not', {
    skip: without('5.19', 'reads of pipes that wait without a worker'),
  }, () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const [reader, writer] = files.pipe();
    writeSync(writer, 'for one');
    ring.prepRead(reader, new Uint8Array(64), 64, 5);
    ring.submitAndWait(1);
    ring.prepRead(reader, new Uint8Array(64), 64, 5);
    ring.prepTimeout(60_000, 5);
    ring.submit();
    ring.prepCancel(5, 6);
    ring.submitAndWait(3);
    ring.prepCancel(5, 7);
    ring.submitAndWait(5);
    const results = reap(ring).map((c) => [c.userData, c.res]);
    assert.deepEqual(results.filter(([userData]) => userData !== 5), [[6, 0], [7, 0]]);
    assert.deepEqual(results.filter(([userData]) => userData === 5).map(([, res]) => res), [7, -ECANCELED, -ECANCELED]);
  });

  it('after the completion finds nothing', () => {
    using ring = new IoUring(8);
    ring.prepTimeout(0, 5);
    ring.submitAndWait(1);
    ring.prepCancel(5, 6);
    ring.submitAndWait(2);
    assert.deepEqual(reap(ring).map((c) => [c.userData, c.res]), [[5, -ETIME], [6, -2]]);
  });
});

describe('prepAccept and prepAcceptMultishot', () => {
  it('multishot: one submission, a descriptor per connection, until cancelled', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const { fd, port } = files.listener();
    ring.prepAcceptMultishot(fd, 1);
    ring.submit();
    const accepted = new Set<number>();
    for (let i = 0; i < 5; i++) {
      files.connect(port);
      const c = complete(ring);
      assert.equal(c.hasMore(), true);
      accepted.add(files.own(c.res));
    }
    assert.equal(accepted.size, 5);
    ring.prepCancel(1, 2);
    ring.submitAndWait(2);
    const last = reap(ring).find((c) => c.userData === 1)!;
    assert.deepEqual([last.res, last.hasMore()], [-ECANCELED, false]);
  });

  it('on what does not listen: the errors of accept(2)', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const [reader] = files.pipe();
    ring.prepAccept(reader, 1);
    assert.equal(complete(ring).res, -ENOTSOCK);
    ring.prepAccept(files.socketPair()[0], 1);
    assert.equal(complete(ring).res, -EINVAL);
  });
});

describe('prepSend', () => {
  it('sends the first len bytes, and obeys its flags', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const [a, b] = files.socketPair();
    ring.prepSend(a, Buffer.from('hello there'), 5, 1);
    assert.equal(complete(ring).res, 5);
    const received = Buffer.alloc(32);
    assert.equal(readSync(b, received), 5);
    assert.equal(received.toString('utf8', 0, 5), 'hello');
    const DONTWAIT = 0x40;
    const much = Buffer.alloc(4 << 20);
    ring.prepSend(a, much, much.length, 1, DONTWAIT);
    const { res } = complete(ring);
    assert.ok(res > 0 && res < much.length, 'what fits, without waiting for the rest');
    ring.prepSend(a, much, much.length, 1, DONTWAIT);
    assert.equal(complete(ring).res, -11);
  });

  it('to a peer that is gone: EPIPE as a result, and no signal', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const [a, b] = files.socketPair();
    files.close(b);
    ring.prepSend(a, Buffer.from('x'), 1, 1);
    assert.equal(complete(ring).res, -32);
    const [reader] = files.pipe();
    ring.prepSend(reader, Buffer.from('x'), 1, 1);
    assert.equal(complete(ring).res, -ENOTSOCK);
  });
});

describe('provided buffers', () => {
  it('run out with ENOBUFS and nothing lost: recycled and queued again, the rest arrives', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const buffers = ring.registerBufRing(2, 4, 3);
    const [a, b] = files.socketPair();
    writeSync(b, 'aaaabbbbcccc');
    ring.prepRecvMultishot(a, 3, 1);
    ring.submitAndWait(3, { timeoutMs: 5000 });
    const first = reap(ring);
    assert.deepEqual(first.map((c) => c.res), [4, 4, -ENOBUFS]);
    assert.deepEqual(first.map((c) => c.hasMore()), [true, true, false]);
    const text = first.slice(0, 2).map((c) => Buffer.from(buffers.bytes(c.bufferId()!, 4)).toString());
    assert.deepEqual(text, ['aaaa', 'bbbb']);
    for (const c of first.slice(0, 2)) buffers.recycle(c.bufferId()!);
    ring.prepRecvMultishot(a, 3, 1);
    const rest = complete(ring);
    assert.equal(Buffer.from(buffers.bytes(rest.bufferId()!, rest.res)).toString(), 'cccc');
  });

  it('go round 65536 times and more: the 16-bit tail wraps', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const buffers = ring.registerBufRing(8, 4, 3);
    const [a, b] = files.socketPair();
    ring.prepRecvMultishot(a, 3, 1);
    ring.submit();
    const word = Buffer.alloc(4);
    for (let i = 0; i < 70_000; i++) {
      word.writeUInt32LE(i);
      writeSync(b, word);
      ring.submitAndWait(1);
      ring.forEachCompletion((c) => {
        const id = c.bufferId()!;
        assert.equal(Buffer.from(buffers.bytes(id, c.res)).readUInt32LE(), i);
        buffers.recycle(id);
      });
    }
  });

  it('one group serves several receivers; the end of a stream takes no buffer', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const buffers = ring.registerBufRing(4, 16, 0);
    const pairs = [files.socketPair(), files.socketPair()];
    for (const [i, [receiver]] of pairs.entries()) ring.prepRecvMultishot(receiver, 0, i);
    for (const [i, [, sender]] of pairs.entries()) writeSync(sender, `from ${i}`);
    ring.submitAndWait(2);
    for (const c of reap(ring)) {
      const text = Buffer.from(buffers.bytes(c.bufferId()!, c.res)).toString();
      assert.equal(text, `from ${c.userData}`);
    }
    shutdownWrite(pairs[0][1]);
    const end = complete(ring);
    assert.deepEqual([end.userData, end.res, end.bufferId(), end.hasMore()], [0, 0, undefined, false]);
  });

  it('of all sizes that the kernel takes: 1 and 32768 entries, groups 0 and 65535', () => {
    using ring = new IoUring(8);
    using small = ring.registerBufRing(1, 1, 0);
    using large = ring.registerBufRing(32768, 64, 65535);
    assert.deepEqual([small.entries, small.bufSize, small.group], [1, 1, 0]);
    assert.deepEqual([large.entries, large.bufSize, large.group], [32768, 64, 65535]);
    assert.equal(large.bytes(32767, 64).length, 64);
  });

  it('a group that was disposed of can be registered again, and serves anew', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const [a, b] = files.socketPair();
    for (let round = 0; round < 3; round++) {
      using buffers = ring.registerBufRing(2, 16, 5);
      ring.prepRecvMultishot(a, 5, round);
      writeSync(b, `round ${round}`);
      const c = complete(ring);
      assert.equal(Buffer.from(buffers.bytes(c.bufferId()!, c.res)).toString(), `round ${round}`);
      ring.prepCancel(round, 99);
      ring.submitAndWait(2);
      reap(ring);
    }
  });

  it('a group with receives in flight from before is not registered anew: the kernel would mix the two', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const [a] = files.socketPair();
    ring.registerBufRing(2, 16, 5);
    const before = ring.registerBufRing(2, 16, 6);
    ring.prepRecvMultishot(a, 6, 1);
    ring.submit();
    before[Symbol.dispose]();
    assert.throws(() => ring.registerBufRing(2, 16, 6), { code: 'EEXIST', message: /in flight.*cancel/ });
    assert.throws(() => ring.prepRecvMultishot(a, 6, 2), { code: 'ERR_INVALID_STATE' });
    ring.prepCancel(1, 3);
    ring.submitAndWait(2);
    reap(ring);
    assert.equal(ring.registerBufRing(2, 16, 6).group, 6);
  });

  it('a group that was disposed of is let go of when its last receive ends', async () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const before = process.memoryUsage().external;
    for (let i = 0; i < 20; i++) {
      const [a, b] = files.socketPair();
      const buffers = ring.registerBufRing(16, 65536, i);
      ring.prepRecvMultishot(a, i, 1);
      ring.submit();
      buffers[Symbol.dispose]();
      writeSync(b, 'x');
      assert.equal(complete(ring).res, -ENOBUFS);
    }
    await finalized();
    const held = process.memoryUsage().external - before;
    assert.ok(held < 5 << 20, `${held} bytes of 20 MiB are held`);
  });

  it('disposed of under an armed receive: it ends with ENOBUFS when data comes', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const buffers = ring.registerBufRing(2, 16, 5);
    const [a, b] = files.socketPair();
    ring.prepRecvMultishot(a, 5, 1);
    ring.submit();
    buffers[Symbol.dispose]();
    writeSync(b, 'late');
    const c = complete(ring);
    assert.deepEqual([c.userData, c.res, c.hasMore()], [1, -ENOBUFS, false]);
  });
});

it('ESPIPE never: an offset on a pipe is ignored, as the kernel does', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [reader, writer] = files.pipe();
  writeSync(writer, 'abc');
  ring.prepRead(reader, new Uint8Array(3), 3, 1, 5);
  const { res } = complete(ring);
  assert.notEqual(res, -ESPIPE);
  assert.equal(res, 3);
});
