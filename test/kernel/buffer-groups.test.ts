// Groups of provided buffers that come and go under one id while receives are armed on them.
import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { describe } from 'node:test';
import { IOSQE_BUFFER_SELECT } from '../../src/abi/flags.ts';
import { IORING_OP_RECV } from '../../src/abi/operations.ts';
import { MSG_TRUNC, MSG_WAITALL } from '../../src/abi/socket-flags.ts';
import { IoUring, Msghdr, type Completion, type ProvidedBufRing } from '../../src/index.ts';
import { coreOf } from '../../src/ring/ring-core.ts';
import { it, without } from '../asking.ts';
import { finalized } from './collect.ts';
import { Descriptors } from './libc.ts';
import { complete, reap } from './reap.ts';
import { datagramPair } from './semantics/sockets.ts';

const GROUP = 1;

/** Give the kernel classic buffers, or take them back: the operation's result. */
function provide(ring: IoUring, memory: Uint8Array): number {
  ring.prepProvideBuffers(memory, memory.length, 1, GROUP, 0, 90);
  return complete(ring).res;
}

function remove(ring: IoUring): number {
  ring.prepRemoveBuffers(1, GROUP, 91);
  return complete(ring).res;
}

/** The first completion: some kernels look for the next data at once, and tell that there is no buffer for it. */
function firstOf(ring: IoUring): Completion {
  ring.submitAndWait(1, { timeoutMs: 10_000 });
  return reap(ring)[0];
}

/** Queue a receive that waits for data, on the group. */
const ARMED: Record<string, (ring: IoUring, fd: number) => void> = {
  'a multishot receive': (ring, fd) => void ring.prepRecvMultishot(fd, GROUP, 1),
  'a bundle': (ring, fd) => void ring.prepRecvMultishot(fd, GROUP, 1, { bundle: true }),
  'a receive that waits for all of it': (ring, fd) => {
    ring.prepRecv(fd, null, 4096, 1, MSG_WAITALL);
    ring.sqeSetBufGroup(GROUP);
  },
  'a receive told of cut datagrams': (ring, fd) => void ring.prepRecvMultishot(fd, GROUP, 1, { flags: MSG_TRUNC }),
  'a multishot receive of messages': (ring, fd) => void ring.prepRecvmsgMultishot(fd, GROUP, new Msghdr(), 1),
  'a multishot read': (ring, fd) => void ring.prepReadMultishot(fd, GROUP, 1),
};

describe('a buffer group that is disposed of while a receive is armed on it', () => {
  for (const [what, arm] of Object.entries(ARMED)) {
    const skip = what === 'a bundle' && without('6.10', 'IORING_RECVSEND_BUNDLE');
    it(`${what}: no other group gets its id before the receive is over, with classic buffers in between or not`, {
      skip,
    }, () => {
      for (const detour of [false, true]) {
        using files = new Descriptors();
        using ring = new IoUring(8);
        const [socket] = files.socketPair();
        const first = ring.registerBufRing(2, 4096, GROUP);
        arm(ring, socket);
        ring.submit();
        first[Symbol.dispose]();
        if (detour) {
          assert.equal(provide(ring, new Uint8Array(4096)), 0);
          assert.equal(remove(ring), 1);
        }
        assert.throws(() => ring.registerBufRing(2, 4096, GROUP), { code: 'EEXIST', message: /receives in flight/ });
        ring.prepCancel(1, 2);
        ring.submitAndWait(2, { timeoutMs: 5000 });
        assert.equal(reap(ring).length, 2);
        using again = ring.registerBufRing(2, 4096, GROUP);
        assert.equal(again.group, GROUP);
      }
    });
  }

  it('a receive on classic buffers that were removed: no buffer ring gets the id before it is over', () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const [socket] = files.socketPair();
    provide(ring, new Uint8Array(64));
    ring.prepRecv(socket, null, 64, 1);
    ring.sqeSetBufGroup(GROUP);
    ring.submit();
    remove(ring);
    assert.throws(() => ring.registerBufRing(2, 64, GROUP), { code: 'EEXIST' });
  });

  for (const incremental of [false, true]) {
    it(`classic buffers take its place: the data comes into them, and reaping ends (incremental: ${incremental})`, async () => {
      for (const bid of [0, 7, 40_000]) {
        using files = new Descriptors();
        using ring = new IoUring(8);
        const [socket, peer] = files.socketPair();
        const first = ring.registerBufRing(2, 16, GROUP, { incremental });
        ring.prepRecvMultishot(socket, GROUP, 1);
        ring.submit();
        first[Symbol.dispose]();
        const memory = new Uint8Array(64);
        ring.prepProvideBuffers(memory, 64, 1, GROUP, bid, 5);
        assert.equal(complete(ring).res, 0);
        writeSync(peer, 'late');
        const c = firstOf(ring);
        assert.deepEqual([c.userData, c.res, c.bufferId(), c.bufferOffset()], [1, 4, bid, 0]);
        assert.equal(Buffer.from(memory).toString('utf8', 0, 4), 'late');
        await finalized();
        assert.throws(() => first.bytes(c), { code: 'ERR_IOURING_CLOSED' });
      }
    });
  }

  it('classic buffers that such a receive took one of are held until the ring is closed', async () => {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const [socket, peer] = files.socketPair();
    const first = ring.registerBufRing(2, 16, GROUP);
    ring.prepRecvMultishot(socket, GROUP, 1);
    ring.submit();
    first[Symbol.dispose]();
    const weak = ((): WeakRef<Uint8Array> => {
      const memory = new Uint8Array(64);
      // Two, of which the kernel has one yet.
      ring.prepProvideBuffers(memory, 32, 2, GROUP, 0, 5);
      complete(ring);
      return new WeakRef(memory);
    })();
    writeSync(peer, 'late');
    assert.equal(firstOf(ring).res, 4);
    await finalized();
    assert.ok(weak.deref(), 'the kernel has the other one in its list');
  });
});

it('classic buffers that all say that they are views of one memory are all held', async () => {
  using ring = new IoUring(8);
  const weak = ((): WeakRef<Uint8Array>[] => {
    const buffer = new ArrayBuffer(8);
    return Array.from({ length: 4 }, (_, i) => {
      const memory = Object.defineProperty(new Uint8Array(4096), 'buffer', { value: buffer });
      ring.prepProvideBuffers(memory, 4096, 1, GROUP, i, 5);
      complete(ring);
      return new WeakRef(memory);
    });
  })();
  await finalized();
  assert.deepEqual(weak.map((memory) => memory.deref() !== undefined), [true, true, true, true]);
});

it('a receive that waits for all of it is refused on an incremental group: the kernel would give its rest to others', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [socket, peer] = files.socketPair();
  const [other, sender] = files.socketPair();
  const buffers = ring.registerBufRing(2, 64, GROUP, { incremental: true });
  const refused = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message: /MSG_WAITALL/ };
  assert.throws(() => ring.prepRecvMultishot(socket, GROUP, 1, { flags: MSG_WAITALL }), refused);
  for (
    const prepare of [
      () => ring.prepRecv(socket, null, 10, 1, MSG_WAITALL),
      () => ring.prepRecvmsg(socket, new Msghdr({ iov: [new Uint8Array(10)] }), 1, MSG_WAITALL),
      () =>
        ring.prepSqe({
          opcode: IORING_OP_RECV,
          fd: socket,
          flags: IOSQE_BUFFER_SELECT,
          bufIndex: GROUP,
          opFlags: MSG_WAITALL,
        }, 1),
    ]
  ) {
    assert.throws(() => {
      prepare();
      ring.sqeSetBufGroup(GROUP);
    }, refused);
  }
  // What is queued of that has no buffer.
  ring.submit();
  ring.prepCancelFd(socket, 3, { all: true });
  ring.submitAndWait(1);
  reap(ring);
  // Without it two of them share a buffer, and each shows its own.
  for (const [i, fd] of [socket, other].entries()) {
    ring.prepRecv(fd, null, 10, i);
    ring.sqeSetBufGroup(GROUP);
  }
  ring.submit();
  const shown: string[] = [];
  for (const [fd, data] of [[sender, 'other'], [peer, 'this']] as const) {
    writeSync(fd, data);
    shown.push(buffers.bytes(complete(ring)).map((bytes) => Buffer.from(bytes).toString()).join());
  }
  assert.deepEqual(shown, ['other', 'this']);
});

/** What a completion's views show: how many bytes, and the first of them. */
const shown = (buffers: ProvidedBufRing, c: Completion): string =>
  buffers.bytes(c).map((bytes) => `${bytes.length} ${String.fromCharCode(bytes[0])}`).join(', ');

describe('a datagram that is cut, with MSG_TRUNC', () => {
  const LENGTH = 300;

  /** Receive three of them. What is shown, and whether each buffer can be given back once. */
  function receive(
    options: { bufSize: number; incremental?: boolean; len?: number },
    arm: 'multishot' | 'single' | 'message',
  ): string[] {
    using files = new Descriptors();
    using ring = new IoUring(8);
    const { bufSize, incremental = false, len = 0 } = options;
    const buffers = ring.registerBufRing(4, bufSize, GROUP, { incremental });
    const [socket, peer] = datagramPair(files);
    const seen: string[] = [];
    if (arm === 'multishot') ring.prepRecvMultishot(socket, GROUP, 1, { flags: MSG_TRUNC, len });
    for (let i = 0; i < 3; i++) {
      writeSync(peer, Buffer.alloc(LENGTH, 65 + i));
      if (arm === 'single') ring.prepRecv(socket, null, len || bufSize, 1, MSG_TRUNC);
      if (arm === 'message') {
        ring.prepRecvmsg(socket, new Msghdr({ iov: [new Uint8Array(len || bufSize)] }), 1, MSG_TRUNC);
      }
      if (arm !== 'multishot') ring.sqeSetBufGroup(GROUP);
      const c = complete(ring);
      assert.equal(c.res, LENGTH, 'the length of the datagram');
      seen.push(shown(buffers, c));
      buffers.recycle(c);
      assert.throws(() => buffers.recycle(c), { code: 'ERR_INVALID_STATE' });
      assert.equal(coreOf(ring).pins.size, arm === 'multishot' ? 1 : 0);
    }
    return seen;
  }

  it('shows no more than there is room for in the buffer', () => {
    const expected = ['100 A', '100 B', '100 C'];
    for (const arm of ['multishot', 'single', 'message'] as const) {
      assert.deepEqual(receive({ bufSize: 100 }, arm), expected, arm);
    }
  });

  it('shows no more than was asked for', { skip: without('6.17', 'len of prepRecvMultishot') }, () => {
    for (const arm of ['multishot', 'single', 'message'] as const) {
      assert.deepEqual(receive({ bufSize: 200, len: 50 }, arm), ['50 A', '50 B', '50 C'], arm);
    }
  });

  const skip = without('6.12', 'incremental buffer rings');
  it(
    'is refused on an incremental group, where the kernel counts what it cut off, beyond the last buffer',
    { skip },
    () => {
      const refused = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message: /MSG_TRUNC/ };
      for (const arm of ['multishot', 'single', 'message'] as const) {
        assert.throws(() => receive({ bufSize: 1000, incremental: true }, arm), refused, arm);
      }
    },
  );

  it('is refused with a bundle, of which nobody could tell what it filled', () => {
    using ring = new IoUring(8);
    ring.registerBufRing(2, 16, GROUP);
    const refused = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message: /MSG_TRUNC/ };
    assert.throws(() => ring.prepRecvMultishot(0, GROUP, 1, { flags: MSG_TRUNC, bundle: true }), refused);
    assert.equal(ring.sqReady, 0);
    ring.prepRecv(0, null, 16, 1, MSG_TRUNC, { bundle: true });
    assert.throws(() => ring.sqeSetBufGroup(GROUP), refused);
  });
});
