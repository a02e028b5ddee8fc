// Buffers that the kernel picks: rings of them and classic groups, bundles, incremental ones, and how it ends.
import assert from 'node:assert/strict';
import { openSync, writeSync } from 'node:fs';
import {
  EAGAIN,
  EBADFD,
  ECANCELED,
  EEXIST,
  EFAULT,
  EINVAL,
  ENOBUFS,
  ENOENT,
} from '../../../src/abi/errno.ts';
import {
  IO_URING_BUF_REG,
  IO_URING_BUF_REG_SIZE,
  IO_URING_BUF_STATUS,
  IO_URING_BUF_STATUS_SIZE,
} from '../../../src/abi/layouts.ts';
import { IORING_REGISTER_PBUF_RING, IORING_REGISTER_PBUF_STATUS } from '../../../src/abi/registrations.ts';
import {
  MSG_DONTWAIT,
  MSG_TRUNC,
  MSG_WAITALL,
  SO_RCVBUF,
  SO_SNDBUF,
  SOL_SOCKET,
} from '../../../src/abi/socket-flags.ts';
import { IoUring, Msghdr, type Completion, type IoUringOptions, type ProvidedBufRing } from '../../../src/index.ts';
import { it, Missing, without } from '../../asking.ts';
import { collect } from '../collect.ts';
import { Descriptors, shutdownWrite } from '../libc.ts';
import { completions, isQuiet, results } from '../operations/completions.ts';
import { complete, reap } from '../reap.ts';
import { Temporary } from '../temporary.ts';
import { datagramPair, setOption, tcpPair, udpPair } from './sockets.ts';

/** Bytes that are different everywhere. */
function pattern(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
}

/** What a completion brought, as text. */
const text = (buffers: ProvidedBufRing, c: Completion): string => Buffer.concat(buffers.bytes(c)).toString();

/**
 * Receive until there are so many bytes, through whatever operation `arm` queues, again whenever it ended. What
 * arrived, in order, and how each ended; every buffer is given back at once.
 */
function receive(
  ring: IoUring,
  buffers: ProvidedBufRing,
  bytes: number,
  arm: () => void,
): { data: Buffer; ends: number[] } {
  const pieces: Buffer[] = [];
  const ends: number[] = [];
  let left = bytes;
  arm();
  for (let calls = 0; left > 0; calls++) {
    assert.ok(calls < 100_000);
    ring.submitAndWait(1, { timeoutMs: 10_000 });
    const count = ring.forEachCompletion((c) => {
      if (c.bufferId() !== undefined) {
        for (const bytes of buffers.bytes(c)) pieces.push(Buffer.from(bytes));
        buffers.recycle(c);
        left -= c.res;
      }
      if (c.hasMore()) return;
      ends.push(c.res);
      if (left > 0) arm();
    });
    assert.ok(count > 0, `${left} bytes are missing`);
  }
  return { data: Buffer.concat(pieces), ends };
}

it('case 68: a multishot receive says MORE until its last: ENOBUFS, ECANCELED or the end of the stream', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const buffers = ring.registerBufRing(2, 8, 1);
  const [a, b] = files.socketPair();
  ring.prepRecvMultishot(a, 1, 1);
  ring.submit();
  const found: Completion[] = [];
  for (let i = 0; i < 3; i++) {
    writeSync(b, `data ${i}`);
    // Linux 6.1 says that there is no buffer left as soon as that is so, and not when data comes.
    if (found.length > i) continue;
    ring.submitAndWait(1, { timeoutMs: 5000 });
    found.push(...reap(ring));
  }
  const [first, second, last] = found;
  assert.equal(found.length, 3);
  assert.deepEqual([first.res, first.hasMore(), text(buffers, first)], [6, true, 'data 0']);
  assert.deepEqual([second.res, second.hasMore(), text(buffers, second)], [6, true, 'data 1']);
  assert.deepEqual([last.res, last.hasMore(), last.bufferId()], [-ENOBUFS, false, undefined]);
  buffers.recycle(0);
  buffers.recycle(1);
  ring.prepRecvMultishot(a, 1, 2);
  const c = complete(ring);
  assert.deepEqual([c.userData, text(buffers, c)], [2, 'data 2']);
  ring.prepCancel(2, 3);
  const cancelled = completions(ring, 2).find(({ userData }) => userData === 2)!;
  assert.deepEqual([cancelled.res, cancelled.hasMore(), cancelled.bufferId()], [-ECANCELED, false, undefined]);
  buffers.recycle(c);
  ring.prepRecvMultishot(a, 1, 4);
  writeSync(b, 'x');
  assert.equal(complete(ring).hasMore(), true);
  shutdownWrite(b);
  const end = complete(ring);
  assert.deepEqual([end.res, end.hasMore(), end.bufferId()], [0, false, undefined]);
  assert.equal(buffers.available(), 1, 'the end takes no buffer');
});

it('case 68: a multishot receive of messages: header, address, data; room that is too small is EFAULT', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  using other = new IoUring(8);
  using buffers = ring.registerBufRing(8, 64, 1);
  using small = ring.registerBufRing(2, 24, 2);
  const [a, b] = udpPair(files);
  const msg = new Msghdr({ name: 16, control: 0 });
  ring.prepRecvmsgMultishot(a, 1, msg, 1);
  ring.submit();
  for (const message of ['one', 'x'.repeat(32), 'y'.repeat(33), '']) {
    other.prepSend(b, Buffer.from(message), message.length, 1);
    assert.equal(complete(other).res, message.length);
    const c = complete(ring);
    assert.deepEqual([c.userData, c.hasMore()], [1, message !== ''], 'one without data is the end');
    const out = msg.parse(Buffer.concat(buffers.bytes(c)))!;
    assert.equal(Buffer.from(out.payload).toString(), message.slice(0, 32));
    assert.equal(out.flags & MSG_TRUNC, message.length > 32 ? MSG_TRUNC : 0);
    assert.equal(out.name?.family, 'IPv4');
    buffers.recycle(c);
  }
  assert.equal(msg.parse(new Uint8Array(31)), undefined);
  ring.prepRecvmsgMultishot(a, 2, msg, 3);
  writeSync(b, 'late');
  const c = complete(ring);
  assert.deepEqual([c.res, c.hasMore()], [-EFAULT, false]);
  assert.equal(small.available(), 2);
});

it('case 69: after ENOBUFS the data is still in the socket: nothing of it is lost', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const buffers = ring.registerBufRing(4, 100, 1);
  const [client, server] = tcpPair(files);
  const sent = pattern(20_000);
  assert.equal(writeSync(client, sent), 20_000);
  const held: Completion[] = [];
  const received: Buffer[] = [];
  let exhausted = 0;
  ring.prepRecvMultishot(server, 1, 1);
  for (let left = 20_000; left > 0;) {
    ring.submitAndWait(1, { timeoutMs: 10_000 });
    for (const c of reap(ring)) {
      if (c.res === -ENOBUFS) {
        exhausted++;
        // All of them only now.
        for (const one of held.splice(0)) buffers.recycle(one);
        ring.prepRecvMultishot(server, 1, 1);
        continue;
      }
      assert.ok(c.hasMore() && c.res > 0);
      received.push(Buffer.concat(buffers.bytes(c)));
      held.push(c);
      left -= c.res;
    }
  }
  assert.deepEqual(Buffer.concat(received), sent);
  assert.ok(exhausted >= 40, `${exhausted} times`);
});

it('case 70: len is the most a completion has, limit the most that all of them have', {
  skip: without('6.17', 'limits of a multishot receive'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const buffers = ring.registerBufRing(64, 32, 1);
  const [client, server] = tcpPair(files);
  const sent = pattern(1000);
  assert.equal(writeSync(client, sent), 1000);
  const { data, ends } = receive(ring, buffers, 1000, () => {
    ring.prepRecvMultishot(server, 1, 1, { len: 24, limit: 240 });
  });
  assert.deepEqual(data, sent);
  assert.deepEqual(ends.slice(0, 4), [24, 24, 24, 24], 'the last of each ten');
  assert.equal(ends.length, 4);
  ring.prepCancel(1, 2);
  completions(ring, 2);
});

it('case 71: a bundle that failed or took less than a buffer leaves the length of the buffers alone', {
  skip: without('6.10', 'IORING_RECVSEND_BUNDLE'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const buffers = ring.registerBufRing(2, 64, 1);
  const [a, b] = datagramPair(files);
  for (let round = 0; round < 4; round++) {
    ring.prepRecv(a, null, 1, 1, MSG_DONTWAIT, { bundle: true });
    ring.sqeSetBufGroup(1);
    assert.equal(complete(ring).res, -EAGAIN);
  }
  assert.equal(buffers.available(), 2);
  for (let round = 0; round < 4; round++) {
    writeSync(b, 'z'.repeat(64));
    ring.prepRecv(a, null, 8, 1, 0, { bundle: true });
    ring.sqeSetBufGroup(1);
    const trimmed = complete(ring);
    assert.deepEqual([trimmed.res, text(buffers, trimmed)], [8, 'zzzzzzzz']);
    buffers.recycle(trimmed);
    writeSync(b, 'w'.repeat(64));
    ring.prepRecv(a, null, 64, 1);
    ring.sqeSetBufGroup(1);
    const whole = complete(ring);
    assert.equal(text(buffers, whole), 'w'.repeat(64));
    buffers.recycle(whole);
  }
});

for (const [kind, pair] of [['TCP', tcpPair], ['unix', (files: Descriptors) => files.socketPair()]] as const) {
  it(`case 72: ${kind}: what is sent and received in bundles arrives in order, also over full sockets`, () => {
    using files = new Descriptors();
    using ring = new IoUring(16);
    const outgoing = ring.registerBufRing(16, 1024, 1, { filled: false });
    const incoming = ring.registerBufRing(8, 700, 2);
    const [client, server] = pair(files);
    setOption(client, SOL_SOCKET, SO_SNDBUF, 4096);
    const sent = pattern(100_000);
    const received: Buffer[] = [];
    const free = Array.from({ length: 16 }, (_, bid) => bid);
    const added: { bid: number; length: number }[] = [];
    let queued = 0;
    let done = 0;
    let left = sent.length;
    let sending = false;
    let spanning = 0;
    const onSent = (c: Completion): void => {
      if (!c.hasMore()) sending = false;
      if (c.res === -ENOBUFS) return;
      assert.equal(c.bufferId(), added[0].bid, 'the first of them');
      assert.ok(Buffer.concat(outgoing.bytes(c)).equals(sent.subarray(done, done + c.res)));
      done += c.res;
      for (let bytes = c.res; bytes > 0;) {
        const { bid, length } = added.shift()!;
        bytes -= length;
        free.push(bid);
        assert.ok(bytes >= 0, 'whole buffers');
      }
    };
    const onReceived = (c: Completion): void => {
      if (c.bufferId() === undefined) assert.equal(c.res, -ENOBUFS);
      else {
        if (c.res > 700) spanning++;
        received.push(Buffer.concat(incoming.bytes(c)));
        incoming.recycle(c);
        left -= c.res;
      }
      if (!c.hasMore() && left > 0) ring.prepRecvMultishot(server, 2, 2, { bundle: true });
    };
    ring.prepRecvMultishot(server, 2, 2, { bundle: true });
    for (let calls = 0; left > 0; calls++) {
      assert.ok(calls < 10_000);
      while (free.length > 0 && queued < sent.length) {
        const bid = free.shift()!;
        const length = Math.min(1 + ((queued * 13) % 1024), sent.length - queued);
        outgoing.bytes(bid, length).set(sent.subarray(queued, queued + length));
        outgoing.add(bid, length);
        added.push({ bid, length });
        queued += length;
      }
      // Without MSG_WAITALL a buffer that the socket takes half of is used up.
      if (!sending && added.length > 0) sending = ring.prepSendBundle(client, 1, 1, { flags: MSG_WAITALL });
      ring.submitAndWait(1, { timeoutMs: 10_000 });
      const count = ring.forEachCompletion((c) => (c.userData === 1 ? onSent(c) : onReceived(c)));
      assert.ok(count > 0, `${left} bytes are missing`);
    }
    assert.ok(Buffer.concat(received).equals(sent));
    assert.ok(spanning > 0, 'some spanned several buffers');
  });
}

it('case 72: a classic group serves bundles too: those after the first buffer are used up with it', {
  skip: without('6.10', 'IORING_RECVSEND_BUNDLE'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(16);
  const [client, server] = tcpPair(files);
  const memory = Buffer.alloc(4 * 8);
  ring.prepProvideBuffers(memory, 8, 4, 5, 0, 1);
  assert.equal(complete(ring).res, 0);
  assert.equal(writeSync(client, 'abcdefghijklmnopqrstuvwxyz'), 26);
  const pieces: string[] = [];
  let next = 0;
  for (let left = 26; left > 0;) {
    ring.prepRecv(server, null, 0, 2, 0, { bundle: true });
    ring.sqeSetBufGroup(5);
    const c = complete(ring);
    assert.equal(c.bufferId(), next);
    pieces.push(memory.toString('utf8', next * 8, next * 8 + c.res));
    next += Math.ceil(c.res / 8);
    left -= c.res;
  }
  assert.equal(pieces.join(''), 'abcdefghijklmnopqrstuvwxyz');
  ring.prepRecv(server, null, 8, 3, MSG_DONTWAIT);
  ring.sqeSetBufGroup(5);
  assert.equal(complete(ring).res, -ENOBUFS);
});

it('case 73: an incremental buffer comes again and again, each time from where the last ended', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const buffers = ring.registerBufRing(2, 64, 1, { incremental: true });
  const [a, b] = files.socketPair();
  ring.prepRecvMultishot(a, 1, 1);
  ring.submit();
  for (let round = 0; round < 3; round++) {
    const seen: [number | undefined, number, boolean][] = [];
    const got: string[] = [];
    for (let i = 0; i < 8; i++) {
      writeSync(b, `message ${i}`.padEnd(16));
      const c = complete(ring);
      seen.push([c.bufferId(), c.bufferOffset(), c.bufferMore()]);
      got.push(text(buffers, c));
      buffers.recycle(c);
    }
    assert.deepEqual(got, Array.from({ length: 8 }, (_, i) => `message ${i}`.padEnd(16)));
    assert.deepEqual(seen, [0, 1].flatMap((bid) => [0, 16, 32, 48].map((offset) => [bid, offset, offset < 48])));
  }
});

it('case 73: incremental buffers and bundles together, in order, whole pages and crumbs', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const buffers = ring.registerBufRing(4, 4096, 1, { incremental: true });
  const [client, server] = tcpPair(files);
  const sent = pattern(60_000);
  let written = 0;
  let round = 0;
  const write = (): void => {
    const length = Math.min([1, 4096, 77, 9000, 3][round++ % 5], sent.length - written);
    written += writeSync(client, sent, written, length);
  };
  const received: Buffer[] = [];
  let left = sent.length;
  ring.prepRecvMultishot(server, 1, 1, { bundle: true });
  while (left > 0) {
    while (written < sent.length && written - (sent.length - left) < 12_000) write();
    ring.submitAndWait(1, { timeoutMs: 10_000 });
    const count = ring.forEachCompletion((c) => {
      if (c.bufferId() !== undefined) {
        received.push(Buffer.concat(buffers.bytes(c)));
        assert.equal(received.at(-1)!.length, c.res);
        buffers.recycle(c);
        left -= c.res;
      }
      if (!c.hasMore() && left > 0) ring.prepRecvMultishot(server, 1, 1, { bundle: true });
    });
    assert.ok(count > 0, `${left} bytes are missing`);
  }
  assert.ok(Buffer.concat(received).equals(sent));
});

/** Far more data than the buffers hold is there already: every bundle is cut short somewhere. */
function receiveMuch(incremental: boolean, options: IoUringOptions): void {
  using files = new Descriptors();
  using ring = new IoUring(16, options);
  const buffers = ring.registerBufRing(4, 1024, 1, { incremental });
  const [client, server] = tcpPair(files);
  const sent = pattern(100_000);
  setOption(client, SOL_SOCKET, SO_SNDBUF, 262_144);
  setOption(server, SOL_SOCKET, SO_RCVBUF, 262_144);
  assert.equal(writeSync(client, sent), sent.length);
  const { data, ends } = receive(ring, buffers, sent.length, () => {
    ring.prepRecvMultishot(server, 1, 1, { bundle: true });
  });
  assert.ok(data.equals(sent));
  assert.ok(ends.every((res) => res === -ENOBUFS || res > 0));
}

it(
  'case 74: bundles cut short by few buffers deliver in order',
  { skip: without('6.10', 'IORING_RECVSEND_BUNDLE') },
  () => {
    for (const deferTaskrun of [true, false]) receiveMuch(false, { deferTaskrun });
  },
);

it('case 75: bundles cut short by few incremental buffers deliver in order', () => {
  for (const deferTaskrun of [true, false]) receiveMuch(true, { deferTaskrun });
});

it('case 76: a rest too small for the header of a message is left, and the next buffer taken (minLeft)', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  let buffers: ProvidedBufRing;
  try {
    buffers = ring.registerBufRing(4, 1024, 1, { incremental: true, minLeft: 32 });
  } catch (error) {
    throw new Missing((error as Error).message);
  }
  const [client, server] = tcpPair(files);
  const msg = new Msghdr({ name: 16 });
  ring.prepRecvmsgMultishot(server, 1, msg, 1);
  ring.submit();
  const taken: (number | undefined)[] = [];
  const sizes = [480, 480, 305, 305, 305, 305, 305, 305, 305];
  const sent = pattern(sizes.reduce((sum, size) => sum + size));
  let at = 0;
  for (const size of sizes) {
    assert.equal(writeSync(client, sent, at, size), size);
    const c = complete(ring);
    assert.deepEqual([c.res, c.hasMore()], [32 + size, true]);
    const out = msg.parse(Buffer.concat(buffers.bytes(c)))!;
    assert.ok(Buffer.from(out.payload).equals(sent.subarray(at, at + size)));
    taken.push(c.bufferId());
    at += size;
  }
  assert.deepEqual(taken, [0, 0, 1, 1, 1, 2, 2, 2, 3]);
});

it('case 77: while there is room a buffer is the kernel’s: after reads of files too, and at their end', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = new IoUring(8);
  const contents = 'a'.repeat(32) + 'b'.repeat(32) + 'c'.repeat(16);
  const file = files.own(openSync(folder.file('data', contents), 'r'));
  const [reader, writer] = files.pipe();
  writeSync(writer, contents);
  files.close(writer);
  for (const [bgid, fd] of [[1, file], [2, reader]]) {
    const buffers = ring.registerBufRing(1, 256, bgid, { incremental: true });
    const got: string[] = [];
    for (const expected of [32, 32, 16, 0]) {
      ring.prepRead(fd, null, 32, 1);
      ring.sqeSetBufGroup(bgid);
      const c = complete(ring);
      assert.deepEqual([c.res, c.bufferId(), c.bufferMore()], [expected, 0, true]);
      got.push(text(buffers, c));
    }
    assert.equal(got.join(''), contents);
  }
});

it('case 78: a multishot read ends by ENOBUFS, is refused for files, and keeps to the length of each buffer', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = new IoUring(8);
  const buffers = ring.registerBufRing(4, 16, 1, { filled: false });
  const [reader, writer] = files.pipe();
  ring.prepReadMultishot(files.own(openSync(folder.file('data', 'data'), 'r')), 1, 1);
  assert.equal(complete(ring).res, -EBADFD);
  const sizes = [16, 5, 16, 1];
  for (const [bid, size] of sizes.entries()) buffers.add(bid, size);
  writeSync(writer, 'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz');
  ring.prepReadMultishot(reader, 1, 2);
  const found = completions(ring, 5);
  assert.deepEqual(found.map((c) => [c.res, c.hasMore()]), [...sizes.map((size) => [size, true]), [-ENOBUFS, false]]);
  assert.equal(found.slice(0, 4).map((c) => text(buffers, c)).join(''), 'abcdefghijklmnopqrstuvwxyzabcdefghijkl');
  for (const c of found.slice(0, 4)) buffers.recycle(c);
  ring.prepReadMultishot(reader, 1, 3);
  assert.equal(text(buffers, completions(ring, 1)[0]), 'mnopqrstuvwxyz');
});

it('case 79: a multishot read goes on until the pipe is empty, and when there is more again', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const buffers = ring.registerBufRing(16, 8, 1);
  const [reader, writer] = files.pipe();
  ring.prepReadMultishot(reader, 1, 1);
  ring.submit();
  for (let round = 0; round < 5; round++) {
    writeSync(writer, 'x'.repeat(8 * 6));
    const found = completions(ring, 6);
    assert.ok(found.every((c) => c.res === 8 && c.hasMore()));
    for (const c of found) buffers.recycle(c);
    assert.ok(isQuiet(ring));
  }
  files.close(writer);
  const end = complete(ring);
  assert.deepEqual([end.res, end.hasMore()], [0, false]);
});

it('case 80: one group, one kind: a second registration is EEXIST, a ring at a crooked place refused', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [a, b] = files.socketPair();
  using buffers = ring.registerBufRing(4, 16, 1);
  assert.throws(() => ring.registerBufRing(4, 16, 1), { code: 'EEXIST' });
  ring.prepProvideBuffers(new Uint8Array(16), 16, 1, 1, 0, 1);
  assert.ok([-EINVAL, -EEXIST].includes(complete(ring).res));
  ring.prepProvideBuffers(new Uint8Array(16), 16, 1, 2, 0, 1);
  assert.equal(complete(ring).res, 0);
  assert.throws(() => ring.registerBufRing(4, 16, 2), { code: 'EEXIST' });
  const bytes = new Uint8Array(IO_URING_BUF_REG_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(IO_URING_BUF_REG.ring_entries, 4, true);
  view.setUint16(IO_URING_BUF_REG.bgid, 3, true);
  for (const address of [4096n + 16n, 16n]) {
    view.setBigUint64(IO_URING_BUF_REG.ring_addr, address, true);
    assert.throws(() => ring.registerRaw(IORING_REGISTER_PBUF_RING, bytes, 1), /EINVAL|EFAULT/);
  }
  writeSync(b, '12345');
  for (let i = 0; i < 4; i++) {
    ring.prepRecv(a, null, 1, i);
    ring.sqeSetBufGroup(1);
    assert.equal(complete(ring).res, 1);
  }
  ring.prepRecv(a, null, 1, 5);
  ring.sqeSetBufGroup(1);
  assert.equal(complete(ring).res, -ENOBUFS, 'empty');
  buffers.recycle(2);
  ring.prepRecv(a, null, 1, 6);
  ring.sqeSetBufGroup(1);
  const c = complete(ring);
  assert.deepEqual([c.bufferId(), text(buffers, c)], [2, '5']);
});

it('case 80: a group that is given up can be registered again, of whatever kind it was and will be', () => {
  using ring = new IoUring(8);
  const kinds = [{}, { incremental: true }, { kernelMemory: true }, { incremental: true, minLeft: 8 }, {}];
  for (const kind of kinds) {
    using buffers = ring.registerBufRing(4, 16, 1, kind);
    assert.equal(buffers.available(), 4);
  }
});

it('case 81: what is available is counted in 16 bits, up to a full ring; of an unknown group ENOENT', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [reader, writer] = files.pipe();
  const buffers = ring.registerBufRing(32768, 1, 1);
  assert.deepEqual([buffers.head(), buffers.available()], [0, 32768]);
  ring.prepReadMultishot(reader, 1, 1);
  // Three rounds: the head passes 2^16.
  for (let taken = 4096; taken <= 3 * 32768; taken += 4096) {
    writeSync(writer, Buffer.alloc(4096));
    const held: number[] = [];
    while (held.length < 4096) {
      ring.submitAndWait(1, { timeoutMs: 10_000 });
      const count = ring.forEachCompletion((c) => {
        if (c.bufferId() !== undefined) held.push(c.bufferId()!);
        if (!c.hasMore()) ring.prepReadMultishot(reader, 1, 1);
      });
      assert.ok(count > 0);
    }
    assert.deepEqual([buffers.head(), buffers.available()], [taken & 0xffff, 32768 - 4096]);
    for (const bid of held) buffers.recycle(bid);
    assert.equal(buffers.available(), 32768);
  }
  const bytes = new Uint8Array(IO_URING_BUF_STATUS_SIZE);
  new DataView(bytes.buffer).setUint32(IO_URING_BUF_STATUS.buf_group, 77, true);
  assert.throws(() => ring.registerRaw(IORING_REGISTER_PBUF_STATUS, bytes, 1), { code: 'ENOENT' });
});

it('case 82: one group feeds many receivers: each gets its own data, with ids in no order', () => {
  using files = new Descriptors();
  using ring = new IoUring(16);
  const buffers = ring.registerBufRing(8, 32, 1);
  const pairs = Array.from({ length: 6 }, () => files.socketPair());
  for (const [i, [a]] of pairs.entries()) ring.prepRecvMultishot(a, 1, i);
  ring.submit();
  const received = pairs.map(() => '');
  const ids = pairs.map((): number[] => []);
  const sent = pairs.map(() => '');
  for (let round = 0; round < 40; round++) {
    for (const [i, [, b]] of pairs.entries()) {
      if ((round * 5 + i * 3) % 4 === 0) continue;
      const message = `${i}:${round};`;
      writeSync(b, message);
      sent[i] += message;
    }
    while (received.some((data, i) => data !== sent[i])) {
      ring.submitAndWait(1, { timeoutMs: 10_000 });
      const count = ring.forEachCompletion((c) => {
        const i = c.userData;
        if (c.bufferId() !== undefined) {
          received[i] += text(buffers, c);
          ids[i].push(c.bufferId()!);
          buffers.recycle(c);
        }
        if (!c.hasMore()) ring.prepRecvMultishot(pairs[i][0], 1, i);
      });
      assert.ok(count > 0);
    }
  }
  assert.ok(ids.some((of) => of.some((id, n) => n > 0 && id !== (of[n - 1] + 1) % 8)));
});

it('case 83: what was received through a ring of the kernel’s memory stays after that is given up', () => {
  using files = new Descriptors();
  const [a, b] = files.socketPair();
  const ring = new IoUring(8);
  const buffers = ring.registerBufRing(4, 4096, 1, { kernelMemory: true });
  ring.prepRecvMultishot(a, 1, 1);
  writeSync(b, 'kept');
  const c = complete(ring);
  const view = buffers.bytes(c.bufferId()!, c.res);
  buffers[Symbol.dispose]();
  collect();
  assert.equal(Buffer.from(view).toString(), 'kept');
  writeSync(b, 'more');
  assert.deepEqual(results(ring, 1), new Map([[1, -ENOBUFS]]));
  using again = ring.registerBufRing(4, 4096, 1, { kernelMemory: true });
  ring.prepRecvMultishot(a, 1, 2);
  assert.equal(text(again, complete(ring)), 'more');
  ring.close();
  assert.equal(Buffer.from(view).toString(), 'kept');
});

it('case 84: a classic group: removal tells how many; an id comes back; a short read uses its buffer up', {
  skip: without('5.19', '0 for buffers that were taken'),
}, () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = new IoUring(8);
  const memory = Buffer.alloc(8 * 16);
  ring.prepRemoveBuffers(1, 7, 1);
  assert.equal(complete(ring).res, -ENOENT);
  ring.prepProvideBuffers(memory, 16, 8, 7, 100, 1);
  assert.equal(complete(ring).res, 0);
  const fd = files.own(openSync(folder.file('data', 'twelve bytes'), 'r'));
  const seen = new Set<number>();
  for (const offset of [0, 6, 12]) {
    ring.prepRead(fd, null, 16, 2, offset);
    ring.sqeSetBufGroup(7);
    const c = complete(ring);
    assert.equal(c.res, 12 - offset);
    const bid = c.bufferId()! - 100;
    assert.ok(bid >= 0 && bid < 8 && !seen.has(bid));
    seen.add(bid);
    assert.equal(memory.toString('utf8', bid * 16, bid * 16 + c.res), 'twelve bytes'.slice(offset));
  }
  ring.prepRemoveBuffers(2, 7, 3);
  assert.equal(complete(ring).res, 2);
  ring.prepRemoveBuffers(100, 7, 3);
  assert.equal(complete(ring).res, 3, 'the rest of them');
  ring.prepRead(fd, null, 16, 4, 0);
  ring.sqeSetBufGroup(7);
  assert.equal(complete(ring).res, -ENOBUFS);
});

it('case a: a read at the end of a file takes a buffer for nothing; the end of a stream does not', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = new IoUring(8);
  const buffers = ring.registerBufRing(2, 16, 1);
  const fd = files.own(openSync(folder.file('data', ''), 'r'));
  for (let i = 0; i < 10; i++) {
    ring.prepRead(fd, null, 16, 1, 0);
    ring.sqeSetBufGroup(1);
    const c = complete(ring);
    assert.deepEqual([c.res, c.bufferId() !== undefined, buffers.available()], [0, true, 1]);
    assert.deepEqual(buffers.bytes(c), []);
    buffers.recycle(c);
  }
  const [a, b] = files.socketPair();
  shutdownWrite(b);
  ring.prepRecv(a, null, 16, 1);
  ring.sqeSetBufGroup(1);
  const c = complete(ring);
  assert.deepEqual([c.res, c.bufferId(), buffers.available()], [0, undefined, 2]);
});

it('case b: without waiting and without a buffer it is ENOBUFS, not EAGAIN', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  ring.registerBufRing(2, 16, 1, { filled: false });
  const [a] = files.socketPair();
  ring.prepRecv(a, null, 16, 1, MSG_DONTWAIT);
  ring.sqeSetBufGroup(1);
  assert.equal(complete(ring).res, -ENOBUFS);
  ring.prepRecv(a, new Uint8Array(1), 1, 1, MSG_DONTWAIT);
  assert.equal(complete(ring).res, -EAGAIN);
});

it('case e: a bundle of 40 bytes in buffers of 16: two buffers, then one', {
  skip: without('6.10', 'IORING_RECVSEND_BUNDLE'),
}, () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const buffers = ring.registerBufRing(8, 16, 1);
  const [a, b] = files.socketPair();
  const sent = pattern(40);
  writeSync(b, sent);
  ring.prepRecvMultishot(a, 1, 1, { bundle: true });
  const found = completions(ring, 2);
  assert.deepEqual(found.map((c) => [c.res, c.bufferId()]), [[32, 0], [8, 2]]);
  assert.deepEqual(Buffer.concat(found.flatMap((c) => buffers.bytes(c))), sent);
  assert.equal(buffers.available(), 5);
  for (const c of found) buffers.recycle(c);
  assert.equal(buffers.available(), 8);
  assert.throws(() => buffers.recycle(found[1]), { code: 'ERR_INVALID_STATE' });
});

it('case f: incremental buffers of 32, messages of 12: 12, 12, 8, and 4 from the next', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const buffers = ring.registerBufRing(2, 32, 1, { incremental: true });
  const [a, b] = files.socketPair();
  ring.prepRecvMultishot(a, 1, 1);
  ring.submit();
  const got: unknown[] = [];
  for (const message of ['abcdefghijkl', 'mnopqrstuvwx', 'ABCDEFGHIJKL']) {
    writeSync(b, message);
    for (let bytes = 0; bytes < 12;) {
      assert.equal(ring.submitAndWait(1, { timeoutMs: 10_000 }), 0);
      for (const c of reap(ring)) {
        got.push([c.res, c.bufferId(), c.bufferOffset(), c.bufferMore(), text(buffers, c)]);
        bytes += c.res;
      }
    }
  }
  assert.deepEqual(got, [
    [12, 0, 0, true, 'abcdefghijkl'],
    [12, 0, 12, true, 'mnopqrstuvwx'],
    [8, 0, 24, false, 'ABCDEFGH'],
    [4, 1, 0, true, 'IJKL'],
  ]);
});

it('case g: the memory of the kernel can be mapped for groups up to 2047', () => {
  using ring = new IoUring(8);
  for (const bgid of [0, 2047]) {
    using buffers = ring.registerBufRing(2, 16, bgid, { kernelMemory: true });
    assert.equal(buffers.available(), 2);
  }
  for (const bgid of [2048, 32768, 65535]) {
    assert.throws(() => ring.registerBufRing(2, 16, bgid, { kernelMemory: true }), { code: 'ERR_OUT_OF_RANGE' });
    using buffers = ring.registerBufRing(2, 16, bgid);
    assert.equal(buffers.available(), 2);
  }
});
