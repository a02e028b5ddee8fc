import assert from 'node:assert/strict';
import { closeSync, constants, openSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  AT_FDCWD,
  EBADFD,
  EPOLLEXCLUSIVE,
  IORING_FEAT_EXT_ARG,
  IORING_FEAT_LINKED_FILE,
  IORING_FEAT_MIN_TIMEOUT,
  IORING_FEAT_POLL_32BITS,
  IORING_FEAT_RECVSEND_BUNDLE,
  IORING_FEAT_RW_ATTR,
  IORING_OP_ACCEPT,
  IORING_OP_TIMEOUT_REMOVE,
  IORING_OP_CLOSE,
  IORING_OP_LINKAT,
  IORING_OP_RECV,
  IORING_OP_SEND,
  IORING_OP_SENDMSG_ZC,
  IORING_OP_TEE,
  IORING_OP_UNLINKAT,
  IORING_REGISTER_ENABLE_RINGS,
  IORING_REGISTER_IOWQ_MAX_WORKERS,
  IORING_REGISTER_PBUF_RING,
  IORING_REGISTER_PERSONALITY,
  IORING_REGISTER_PROBE,
  IORING_REGISTER_RING_FDS,
  IORING_REGISTER_SYNC_CANCEL,
  IORING_SETUP_CQSIZE,
  IORING_SETUP_SUBMIT_ALL,
  IOSQE_ASYNC,
  IOSQE_IO_HARDLINK,
  OPERATIONS,
  POLLIN,
} from '../../src/abi/index.ts';
import { IoUring } from '../../src/ring/io-uring.ts';
import { methodSupport } from '../../src/ring/kernel/method-support.ts';
import { ProvenKernel, version } from '../../src/ring/kernel/proven-kernel.ts';
import { Msghdr } from '../../src/ring/structs/msghdr.ts';
import type { SocketAddress } from '../../src/ring/structs/socket-address.ts';
import { CLOSED_WITHIN_MS } from '../kernel/closed-within.ts';
import { Descriptors } from '../kernel/libc.ts';
import { FEATURES_5_10, FEATURES_5_15, LINUX_5_10, LINUX_5_15, LINUX_5_19, LINUX_6_1, type Age } from './ages.ts';
import { FakeKernel } from './fake-kernel.ts';
import { OldKernel, open } from './old-kernel.ts';

/** Linux 6.1 with the features that it has, as far as groups of buffers go. */
const OLD_GROUPS: Age = { ...LINUX_6_1, features: LINUX_5_19.features };

const PEER: SocketAddress = { family: 'IPv4', address: '127.0.0.1', port: 9 };

describe('registrations on old kernels', () => {
  for (const [name, age] of [['5.10', LINUX_5_10], ['5.15', LINUX_5_15]] as const) {
    it(`${name}: a ring with a read in flight is closed without a registration that is younger than the kernel`, () => {
      const { ring, kernel } = open(age);
      ring.prepRead(3, new Uint8Array(8), 8, 1);
      ring.submit();
      ring.close();
      assert.equal(kernel.asked(IORING_REGISTER_SYNC_CANCEL), 0);
      assert.equal(kernel.inFlight.size, 0);
    });

    it(`${name}: what needs a younger kernel is refused without asking, and the error says which`, () => {
      const { ring, kernel } = open(age);
      ring.prepPollAdd(3, POLLIN, 1);
      ring.submit();
      const message = /IORING_REGISTER_PBUF_RING needs Linux 5\.19, this is \d/;
      assert.throws(() => ring.registerBufRing(4, 64, 1), { code: 'EINVAL', message });
      assert.throws(() => ring.registerSyncCancel(1), { code: 'EINVAL', message: /needs Linux 6\.0, this is \d/ });
      const cancel = (): number => ring.registerSyncCancel({ any: true }, { all: true });
      assert.throws(cancel, { code: 'EINVAL', message: /needs Linux 6\.0/ });
      assert.throws(() => ring.registerClock(1), { code: 'EINVAL', message: /needs Linux 6\.12/ });
      assert.throws(() => ring.registerRaw(99, null, 0), { code: 'EINVAL' });
      assert.equal(kernel.asked(IORING_REGISTER_PBUF_RING) + kernel.asked(IORING_REGISTER_SYNC_CANCEL), 0);
      ring.close();
    });

    it(`${name}: what the kernel has is registered with operations in flight`, () => {
      const { ring, kernel } = open(age);
      ring.prepPollAdd(3, POLLIN, 1);
      ring.submit();
      ring.registerPersonality();
      assert.equal(kernel.asked(IORING_REGISTER_PERSONALITY), 1);
      if (age === LINUX_5_15) ring.registerIowqMaxWorkers(4, 4);
      else assert.throws(() => ring.registerIowqMaxWorkers(4, 4), /needs Linux 5\.15/);
      ring.close();
    });
  }

  it("given Debian's 5.10, which has the io_uring of 5.15 and not its operations, slots are taken", () => {
    const { ring, kernel } = open({ ...LINUX_5_15, lastOperation: IORING_OP_UNLINKAT });
    assert.equal(kernel.asked(IORING_REGISTER_IOWQ_MAX_WORKERS), 1);
    assert.ok(ring.prepCloseDirect(0, 1));
    assert.throws(() => ring.registerBufRing(4, 64, 1), /needs Linux 5\.19/);
    ring.close();
    new IoUring(4, {}, kernel).close();
    assert.equal(kernel.asked(IORING_REGISTER_IOWQ_MAX_WORKERS), 1, 'asked once');
  });

  for (const [name, age] of [['5.19', LINUX_5_19], ['6.1', OLD_GROUPS]] as const) {
    it(`${name}: a buffer ring for a group below 64 that had one is refused, in which the kernel would not start anew`, () => {
      const { ring, kernel } = open(age);
      for (const bgid of [5, 63]) {
        ring.registerBufRing(4, 64, bgid)[Symbol.dispose]();
        const asked = kernel.asked(IORING_REGISTER_PBUF_RING);
        assert.throws(() => ring.registerBufRing(2, 64, bgid), {
          code: 'ERR_IOURING_UNSUPPORTED',
          message: /^Cannot register a buffer ring for a group below 64 that had one: needs Linux 6\.10, this is \d/,
        });
        assert.equal(kernel.asked(IORING_REGISTER_PBUF_RING), asked);
      }
      for (let i = 0; i < 3; i++) ring.registerBufRing(4, 64, 64)[Symbol.dispose]();
      ring.close();
    });
  }

  it('6.10: a group gets buffers again and again', () => {
    const { ring } = open({ ...OLD_GROUPS, features: OLD_GROUPS.features | IORING_FEAT_RECVSEND_BUNDLE });
    for (let i = 0; i < 3; i++) ring.registerBufRing(4, 64, 5)[Symbol.dispose]();
    ring.close();
  });

  it('5.15: the ring descriptor is not registered, which needs 5.18', () => {
    const { ring, kernel } = open(LINUX_5_15);
    assert.equal(ring.registeredFd, undefined);
    assert.equal(kernel.asked(IORING_REGISTER_RING_FDS), 0);
    ring.close();
  });

  it('5.19: a registration that the kernel says no to is asked for once when the ring is closed', () => {
    const { ring, kernel } = open(LINUX_5_19);
    kernel.cancels = false;
    for (let i = 0; i < 3; i++) ring.prepRead(3, new Uint8Array(8), 8, i);
    ring.submit();
    let calls = 0;
    kernel.answers = Array.from({ length: 4 }, () => (call) => {
      if (++calls === 4) { for (const userData of kernel.inFlight) kernel.post(userData, -125); }
      return kernel.consume(call.toSubmit);
    });
    ring.close();
    assert.ok(calls === 4, 'it went on until all was over');
    assert.equal(kernel.asked(IORING_REGISTER_SYNC_CANCEL), 1);
  });

  it('a refusal that has another reason does not name a Linux that this one is younger than', () => {
    const { ring, kernel } = open({ ...LINUX_6_1, features: FEATURES_5_15 });
    kernel.register = () => -22;
    const misused: (() => unknown)[] = [
      () => ring.registerSyncCancel(1),
      () => ring.registerIowqMaxWorkers(4, 4),
      () => ring.registerIowqAff([0]),
      () => ring.unregisterIowqAff(),
      () => ring.registerFileAllocRange(0, 1),
    ];
    for (const misuse of misused) {
      assert.throws(misuse, ({ message }: Error) => !/Linux (5\.14|5\.15|6\.0)/.test(message), String(misuse));
    }
    assert.throws(() => ring.registerSyncCancel({ opcode: IORING_OP_RECV }), /cancel by opcode.*needs Linux 6\.6/);
    ring.close();
  });

  it('the operations are asked for at most once', () => {
    const { ring, kernel } = open(LINUX_5_15);
    for (let i = 0; i < 5; i++) assert.throws(() => ring.prepNop(1, { result: 5 }), /needs Linux 6\.10/);
    for (let i = 0; i < 5; i++) assert.throws(() => ring.registerClock(1), /needs Linux 6\.12/);
    assert.equal(kernel.asked(IORING_REGISTER_PROBE), 1);
    ring.close();
  });

  it('a ring that its kernel leaves disabled, and says that it has enabled: the Linux that it needs is told', () => {
    const { ring, kernel } = open(LINUX_5_10, { disabled: true });
    ring.prepNop(1);
    for (let i = 0; i < 2; i++) {
      kernel.answers = [-EBADFD];
      const message = /^Cannot enable the ring: needs Linux 5\.12, this is \d/;
      assert.throws(() => ring.enableRings(), { code: 'ERR_IOURING_UNSUPPORTED', message });
    }
    assert.equal(kernel.asked(IORING_REGISTER_ENABLE_RINGS), 2);
    assert.deepEqual(kernel.calls.map(({ toSubmit, minComplete, flags }) => [toSubmit, minComplete, flags]), [
      [0, 0, 0],
      [0, 0, 0],
    ]);
    assert.equal(ring.sqReady, 1);
    ring.close();
  });

  it('a ring that its kernel enables is tried before 5.12 only, and nothing is submitted', () => {
    for (const [age, tries] of [[LINUX_5_10, 1], [LINUX_5_15, 0]] as const) {
      const { ring, kernel } = open(age, { disabled: true });
      ring.prepNop(1);
      ring.enableRings();
      assert.equal(kernel.calls.length, tries);
      assert.equal(ring.sqReady, 1);
      ring.close();
    }
  });

  it('given a ring that is closed, what the kernel is too old for says so, too', () => {
    const ring = new IoUring(4, {}, new OldKernel(LINUX_5_10));
    ring.close();
    for (const use of [() => ring.prepNop(1, { result: 5 }), () => ring.prepCloseDirect(0, 1)]) {
      assert.throws(use, { code: 'ERR_IOURING_CLOSED' });
    }
  });

  it('a kernel that does not tell its operations, and proves nothing else, counts as old', () => {
    const kernel = new FakeKernel();
    kernel.features = FEATURES_5_10;
    kernel.unknownFlags = ~IORING_SETUP_CQSIZE;
    const ring = new IoUring(4, {}, kernel);
    assert.throws(() => ring.prepCloseDirect(0, 1), { code: 'ERR_IOURING_UNSUPPORTED' });
    assert.throws(() => ring.registerBufRing(4, 64, 1), { code: 'EINVAL', message: /needs Linux 5\.19/ });
    ring.close();
  });
});

describe('close on old kernels', () => {
  it('given an operation that begins when the one before it is cancelled, cancels that, too', () => {
    for (const age of [LINUX_5_10, LINUX_5_15]) {
      const { ring, kernel } = open(age);
      ring.prepRead(-1, new Uint8Array(8), 8, 1);
      ring.sqeSetFlags(IOSQE_IO_HARDLINK);
      ring.prepRead(-1, new Uint8Array(8), 8, 2);
      ring.submit();
      const [first, second] = kernel.inFlight;
      kernel.inFlight.delete(second);
      kernel.sees = () => {
        if (!kernel.inFlight.has(first)) kernel.inFlight.add(second);
      };
      const start = performance.now();
      ring.close();
      const took = performance.now() - start;
      assert.ok(took < CLOSED_WITHIN_MS, `it took ${took} ms`);
      assert.deepEqual([...kernel.inFlight], []);
    }
  });
});

describe('an EINVAL of a registration', () => {
  const LINUX_6_12: Age = {
    ...LINUX_6_1,
    features: LINUX_6_1.features | IORING_FEAT_MIN_TIMEOUT,
    lastRegistration: 30,
  };
  const tooOld: [linux: string, age: Age, needs: string, register: (ring: IoUring) => unknown][] = [
    ['5.10', LINUX_5_10, '5.13', (ring) => ring.registerFiles([1], { tags: [7] })],
    ['5.10', LINUX_5_10, '5.13', (ring) => ring.registerBuffers([new Uint8Array(8)], { tags: [7] })],
    ['5.10', LINUX_5_10, '5.13', (ring) => ring.registerBuffersUpdate(0, [new Uint8Array(8)])],
    ['5.10', LINUX_5_10, '5.14', (ring) => ring.registerIowqAff([0])],
    ['5.15', LINUX_5_15, '5.19', (ring) => ring.registerFilesSparse(4)],
    ['5.15', LINUX_5_15, '5.19', (ring) => ring.registerBuffersSparse(4)],
    ['5.15', LINUX_5_15, '5.19', (ring) => ring.registerBufRing(4, 64, 1, { incremental: true })],
    ['5.19', LINUX_5_19, '6.0', (ring) => ring.registerFileAllocRange(0, 1)],
    ['6.1', LINUX_6_1, '6.4', (ring) => ring.registerBufRing(4, 64, 1, { kernelMemory: true })],
    ['6.1', LINUX_6_1, '6.12', (ring) => ring.registerBufRing(4, 64, 1, { incremental: true })],
    ['6.1', LINUX_6_1, '6.9', (ring) => ring.registerNapi({ busyPollTimeoutUs: 1 })],
    ['6.12', LINUX_6_12, '6.13', (ring) => ring.cloneBuffers(ring, { count: 1 })],
    ['6.12', LINUX_6_12, '6.13', (ring) => ring.cloneBuffers(ring, { replace: true })],
    ['6.12', LINUX_6_12, '7.0', (ring) => ring.registerBpfFilter({ opcode: 0, program: [{ code: 6, k: 0 }] })],
  ];
  for (const [linux, age, needed, register] of tooOld) {
    const called = /ring\.(\w+)/.exec(String(register))![1];
    it(`given Linux ${linux} and ${called}, which needs ${needed}, it says so`, () => {
      const { ring, kernel } = open(age);
      // Forms that a kernel does not know are EINVAL, too.
      kernel.register = (_fd, opcode) => (opcode === IORING_REGISTER_PROBE ? -1 : -22);
      const message = new RegExp(`needs Linux ${needed.replace('.', '\\.')}, this is \\d`);
      assert.throws(() => register(ring), { code: 'EINVAL', syscall: 'io_uring_register', message });
      ring.close();
    });
  }

  it('given a kernel that has it, and a wrong argument, the Linux that it came with is not named', () => {
    const kernel = new FakeKernel();
    kernel.registerAnswer = () => -22;
    kernel.features |= IORING_FEAT_RW_ATTR;
    const ring = new IoUring(4, {}, kernel);
    for (const [, , needed, register] of tooOld) {
      if (needed === '7.0') continue;
      assert.throws(() => register(ring), ({ code, message }: NodeJS.ErrnoException) => {
        assert.equal(code, 'EINVAL');
        assert.doesNotMatch(message, /needs Linux/);
        return true;
      }, String(register));
    }
    ring.close();
  });
});

describe('fields that old kernels ignore', () => {
  /** For each form that a row calls ignored, the ways to ask for it. */
  const data = new Uint8Array(8);
  const pi = { buffer: new Uint8Array(8) };
  const asks: Readonly<Record<string, Record<string, ((ring: IoUring) => boolean)[]>>> = {
    IORING_OP_NOP: {
      inject: [(ring) => ring.prepNop(1, { result: 7 })],
      file: [(ring) => ring.prepNop(1, { fd: 3 }), (ring) => ring.prepNop(1, { fixedFile: true })],
      cqe32: [(ring) => ring.prepNop(1, { cqe32: [1, 2] })],
    },
    IORING_OP_READV: { attributes: [(ring) => ring.prepReadv(3, [data], 1, 0, { pi })] },
    IORING_OP_WRITEV: { attributes: [(ring) => ring.prepWritev(3, [data], 1, 0, { pi })] },
    IORING_OP_READ_FIXED: { attributes: [(ring) => ring.prepRead(3, data, 8, 1, 0, { fixed: 0, pi })] },
    IORING_OP_WRITE_FIXED: { attributes: [(ring) => ring.prepWrite(3, data, 8, 1, 0, { fixed: 0, pi })] },
    IORING_OP_READ: { attributes: [(ring) => ring.prepRead(3, data, 8, 1, 0, { pi })] },
    IORING_OP_WRITE: { attributes: [(ring) => ring.prepWrite(3, data, 8, 1, 0, { pi })] },
    IORING_OP_POLL_ADD: { events32: [(ring) => ring.prepPollAdd(3, (POLLIN | EPOLLEXCLUSIVE) >>> 0, 1)] },
    IORING_OP_ACCEPT: {
      direct: [(ring) => ring.prepAccept(3, 1, { direct: 2 }), (ring) => ring.prepAccept(3, 1, { direct: 'alloc' })],
    },
    IORING_OP_OPENAT: {
      direct: [
        (ring) => ring.prepOpenat(AT_FDCWD, '/x', 0, 1, { direct: 0 }),
        (ring) => ring.prepOpen('/x', 0, 1, { direct: 'alloc' }),
      ],
    },
    IORING_OP_OPENAT2: {
      direct: [(ring) => ring.prepOpenat2(AT_FDCWD, '/x', {}, 1, { direct: 'alloc' })],
      flags64: [(ring) => ring.prepOpenat2(AT_FDCWD, '/x', { flags: 2 ** 32 }, 1)],
    },
    IORING_OP_CLOSE: { direct: [(ring) => ring.prepCloseDirect(0, 1)] },
    IORING_OP_SEND: {
      sendto: [
        (ring) => ring.prepSendto(3, data, 4, PEER, 1),
        (ring) => ring.prepSend(3, data, 4, 1, 0, { to: PEER }),
      ],
      vectorized: [(ring) => ring.prepSendv(3, [data], 1)],
    },
    IORING_OP_RECV: {
      multishot: [(ring) => ring.prepRecvMultishot(3, 7, 1)],
      bundle: [(ring) => ring.prepRecv(3, null, 0, 1, 0, { bundle: true })],
    },
    IORING_OP_RECVMSG: { multishot: [(ring) => ring.prepRecvmsgMultishot(3, 7, new Msghdr({ name: 16 }), 1)] },
    IORING_OP_ASYNC_CANCEL: {
      slot: [(ring) => ring.prepCancelFd(0, 1, { fixed: true }), (ring) => ring.prepCancel({ fd: 0, fixed: true }, 1)],
      operation: [(ring) => ring.prepCancel({ opcode: IORING_OP_RECV }, 1)],
      both: [
        (ring) => ring.prepCancel({ fd: 3, userData: 5 }, 1, { all: true }),
        (ring) => ring.prepCancel({ any: true, userData: 5 }, 1),
      ],
    },
  };

  /** With a group that receives may have their buffers from. */
  function withGroup(kernel: FakeKernel): IoUring {
    kernel.result = () => 0;
    const ring = new IoUring(8, {}, kernel);
    ring.prepProvideBuffers(new Uint8Array(64), 64, 1, 7, 0, 1);
    ring.submit();
    ring.forEachCompletion(() => {});
    return ring;
  }

  for (const { name, variants, ignored = {} } of OPERATIONS) {
    for (const form of Object.keys(ignored)) {
      it(`${name}: ${form} is refused with the kernel that it needs, and nothing is queued`, () => {
        const features = FEATURES_5_10 & ~IORING_FEAT_POLL_32BITS;
        const ring = withGroup(new OldKernel({ ...LINUX_5_10, features, lastOperation: IORING_OP_TEE - 1 }));
        for (const ask of asks[name][form]) {
          assert.throws(() => ask(ring), (error: NodeJS.ErrnoException) => {
            assert.equal(error.code, 'ERR_IOURING_UNSUPPORTED');
            // One of several forms may be refused as another one of the same field is.
            assert.match(error.message, /needs Linux \d+\.\d+, this is \d/);
            if (variants![form] === ignored[form]) {
              assert.ok(error.message.includes(` ${variants![form]},`), error.message);
            }
            return true;
          }, String(ask));
          assert.equal(ring.sqReady, 0);
        }
        assert.ok(ring.prepNop(2));
        assert.equal(ring.sqReady, 1);
        ring.close();
      });

      it(`${name}: ${form} is queued where the kernel looks at the field`, () => {
        const ring = withGroup(new FakeKernel());
        for (const ask of asks[name][form]) assert.ok(ask(ring), String(ask));
        assert.equal(ring.sqReady, asks[name][form].length);
        ring.close();
      });
    }
  }

  it('a poll with events above the lower 16 bits is refused before 5.9, and taken from then on', () => {
    const features = FEATURES_5_10 & ~IORING_FEAT_POLL_32BITS;
    const before = open({ ...LINUX_5_10, features, lastOperation: IORING_OP_TEE - 1 });
    assert.throws(() => before.ring.prepPollAdd(3, POLLIN | EPOLLEXCLUSIVE, 1), /needs Linux 5\.9/);
    assert.ok(before.ring.prepPollAdd(3, POLLIN, 1));
    before.ring.close();
    const { ring } = open(LINUX_5_10);
    assert.ok(ring.prepPollAdd(3, (POLLIN | EPOLLEXCLUSIVE) >>> 0, 1));
    ring.close();
  });

  it('slots are taken from 5.15 on, an address to send to from 5.19 on, and refused before', () => {
    const at15 = open(LINUX_5_15).ring;
    assert.ok(at15.prepCloseDirect(0, 1));
    assert.ok(at15.prepOpenat(AT_FDCWD, '/x', 0, 1, { direct: 0 }));
    assert.throws(() => at15.prepSendto(3, new Uint8Array(4), 4, PEER, 1), /needs Linux 6\.1/);
    at15.close();
    const at19 = open(LINUX_5_19).ring;
    assert.ok(at19.prepSendto(3, new Uint8Array(4), 4, PEER, 1));
    at19.close();
  });
});

describe('waits where the kernel does not limit them', () => {
  it('a wait with a time limit ends when its time is up, and has submitted', () => {
    const { ring, kernel } = open(LINUX_5_10);
    ring.prepPollAdd(3, POLLIN, 1);
    const start = performance.now();
    assert.equal(ring.submitAndWait(1, { timeoutMs: 20 }), 1);
    const took = performance.now() - start;
    assert.ok(took >= 19, `${took} ms`);
    assert.ok(kernel.calls.every(({ timed, minComplete }) => !timed && minComplete === 0));
    ring.close();
  });

  it('a wait with a time limit ends when what it waits for is there', () => {
    const { ring, kernel } = open(LINUX_5_10);
    ring.prepPollAdd(3, POLLIN, 1);
    kernel.answers = [() => kernel.consume(1), () => 0, () => (kernel.post(1n, POLLIN), 0)];
    assert.equal(ring.submitAndWait(1, { timeoutMs: 60_000 }), 1);
    assert.equal(kernel.calls.length, 3);
    assert.equal(ring.forEachCompletion(() => {}), 1);
    ring.close();
  });

  it('a worker waits without end in slices that its end can come between', () => {
    const kernel = new OldKernel(LINUX_5_10);
    kernel.result = () => undefined;
    Object.assign(kernel, { isMainThread: false });
    const ring = new IoUring(8, {}, kernel);
    ring.prepPollAdd(3, POLLIN, 1);
    let looks = 0;
    kernel.answers = Array.from({ length: 150 }, () => (call) => {
      if (++looks === 150) kernel.post(1n, POLLIN);
      return kernel.consume(call.toSubmit);
    });
    assert.equal(ring.submitAndWait(1), 1);
    assert.ok(kernel.calls.every(({ minComplete }) => minComplete === 0), 'no call waits in the kernel');
    ring.close();
  });
});

describe('transfers with a device', () => {
  const flagsOf = (age: Age, fd: number): number[] => {
    const { ring, kernel } = open(age);
    const memory = new Uint8Array(8);
    ring.prepRead(fd, memory, 8, 1);
    ring.prepReadv(fd, [memory], 2);
    ring.prepWrite(fd, memory, 8, 3);
    ring.prepWritev(fd, [memory], 4);
    ring.prepRead(fd, null, 8, 5);
    ring.submit();
    const seen = kernel.entriesSeen.map(({ flags }) => flags);
    assert.equal(seen.length, 5);
    ring.close();
    return [...new Set(seen)];
  };

  it('that blocks are left to a worker before 5.14, where the kernel would block whoever submits', () => {
    const terminal = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY);
    const nonBlocking = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
    const file = openSync(fileURLToPath(import.meta.url), 'r');
    try {
      assert.deepEqual(flagsOf(LINUX_5_10, terminal), [IOSQE_ASYNC]);
      for (const fd of [nonBlocking, file, -1]) assert.deepEqual(flagsOf(LINUX_5_10, fd), [0]);
      for (const fd of [terminal, nonBlocking, file]) assert.deepEqual(flagsOf(LINUX_5_15, fd), [0]);
    } finally {
      for (const fd of [terminal, nonBlocking, file]) closeSync(fd);
    }
  });
});

describe('transfers with a socket', () => {
  const offsetsOf = (age: Age, fd: number): number[] => {
    const { ring, kernel } = open(age);
    const memory = new Uint8Array(8);
    ring.prepRead(fd, memory, 8, 1);
    ring.prepReadv(fd, [memory], 2);
    ring.prepWrite(fd, memory, 8, 3, -1);
    ring.prepWritev(fd, [memory], 4, null);
    ring.submit();
    const seen = kernel.entriesSeen.map(({ words }) => words[2] | words[3]);
    assert.equal(seen.length, 4);
    ring.close();
    return [...new Set(seen)];
  };

  it('begin at 0 before 5.16, where -1 is ESPIPE; with other files they begin where those stand', () => {
    using files = new Descriptors();
    const [socket] = files.socketPair();
    const [reader] = files.pipe();
    assert.deepEqual(offsetsOf(LINUX_5_10, socket), [0]);
    assert.deepEqual(offsetsOf(LINUX_5_10, reader), [-1]);
    assert.deepEqual(offsetsOf(LINUX_5_15, socket), [0]);
    assert.deepEqual(offsetsOf(LINUX_5_19, socket), [-1]);
  });
});

describe('methods whose form is younger than their operation', () => {
  /** Which methods are there, on a kernel that answers EINVAL to flags of an accept and of a timer's removal that it does not know. */
  function methodsOn(age: Age, knowsFlags: boolean): { has: (name: string) => boolean; kernel: OldKernel } {
    const { ring, kernel } = open(age);
    Object.assign(kernel, { eventfd: () => 77, socket: () => 78 });
    kernel.result = ({ opcode, words }) => {
      const flags = opcode === IORING_OP_ACCEPT ? words[0] >>> 16 : opcode === IORING_OP_TIMEOUT_REMOVE ? words[7] : 0;
      return flags !== 0 && !knowsFlags ? -22 : -88;
    };
    const operations = OPERATIONS.map(({ code, name }) => ({
      opcode: code,
      name,
      supported: code <= age.lastOperation,
    }));
    const methods = methodSupport(ring, operations);
    ring.close();
    return { kernel, has: (name) => methods.find((method) => method.name === name)!.supported };
  }

  it('5.15: they are tried, and what the kernel says EINVAL to, or would do otherwise, is not there', () => {
    const { has, kernel } = methodsOn(LINUX_5_15, false);
    const there = ['prepAccept', 'prepCancel', 'prepCloseDirect', 'prepPollUpdate', 'prepRecv', 'prepSend'];
    const missing = ['prepAcceptMultishot', 'prepTimeoutUpdate', 'prepRecvMultishot', 'prepRecvmsgMultishot',
      'prepSendto', 'prepSendv', 'prepSocket', 'prepMsgRingFd'];
    assert.deepEqual(there.filter((name) => !has(name)), []);
    assert.deepEqual(missing.filter(has), []);
    assert.ok(
      kernel.entriesSeen.every(({ opcode }) => opcode !== IORING_OP_RECV && opcode !== IORING_OP_SEND),
      'it would receive or send',
    );
  });

  it('the same kernel with the flags of a younger one has what came with them', () => {
    const { has } = methodsOn(LINUX_5_15, true);
    assert.ok(has('prepAcceptMultishot'));
    assert.ok(has('prepTimeoutUpdate'));
    assert.ok(!has('prepRecvMultishot'));
  });

  it('5.10: slots are refused without a try, which would close descriptor 0', () => {
    const { has, kernel } = methodsOn(LINUX_5_10, false);
    assert.ok(!has('prepCloseDirect'));
    assert.ok(kernel.entriesSeen.every(({ opcode }) => opcode !== IORING_OP_CLOSE));
  });

  it('the row of each operation has the version of every form that a method is for', () => {
    for (const { methods, later = {}, variants } of OPERATIONS) {
      for (const [method, form] of Object.entries(later)) {
        assert.ok(methods.includes(method), method);
        assert.ok(variants?.[form], `${method}: ${form}`);
      }
    }
  });
});

describe('what a kernel proves', () => {
  it('features, set-up flags and the last operation each prove the version that they came with', () => {
    const never = (): never => assert.fail('asked for operations in vain');
    assert.ok(new ProvenKernel(IORING_FEAT_EXT_ARG, 0, never).isFrom(version('5.11')));
    assert.ok(new ProvenKernel(0, IORING_SETUP_SUBMIT_ALL, never).isFrom(version('5.18')));
    assert.ok(new ProvenKernel(FEATURES_5_15, 0, () => IORING_OP_SENDMSG_ZC).isFrom(version('6.1')));
    assert.ok(!new ProvenKernel(FEATURES_5_15, 0, () => IORING_OP_SENDMSG_ZC).isFrom(version('6.2')));
    assert.ok(!new ProvenKernel(FEATURES_5_15, 0, () => -1).isFrom(version('5.15')));
  });

  it('LINKED_FILE alone is no proof of 5.18: 5.17 has it too', () => {
    const kernel = new ProvenKernel(IORING_FEAT_LINKED_FILE | FEATURES_5_15, 0, () => IORING_OP_LINKAT);
    assert.ok(!kernel.isFrom(version('5.18')));
  });

  it('5.15 is more than 5.9', () => assert.ok(version('5.15') > version('5.9')));
});
