// Registrations in which older kernels wait for what is in flight. The thread that makes them sits there, so that nothing ends.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  IORING_FEAT_EXT_ARG,
  IORING_OP_POLL_ADD,
  IORING_OP_READ_FIXED,
  IORING_REGISTER_BUFFERS,
  IORING_REGISTER_ENABLE_RINGS,
  IORING_REGISTER_EVENTFD,
  IORING_REGISTER_EVENTFD_ASYNC,
  IORING_REGISTER_FILES,
  IORING_REGISTER_FILES_UPDATE,
  IORING_REGISTER_RESTRICTIONS,
  IORING_UNREGISTER_BUFFERS,
  IORING_UNREGISTER_EVENTFD,
  IORING_UNREGISTER_FILES,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_FIXED_FILE,
  IOSQE_IO_LINK,
  POLLIN,
} from '../../src/abi/index.ts';
import { IoUring } from '../../src/ring/io-uring.ts';
import { LINUX_5_10, LINUX_5_15, LINUX_5_19, LINUX_6_1, type Age } from './ages.ts';
import { FakeKernel } from './fake-kernel.ts';
import { open } from './old-kernel.ts';

const F_MORE = 2;
const BUSY = {
  code: 'EBUSY',
  syscall: 'io_uring_register',
  message: /cancel or reap them first; going on without needs Linux/,
};
const SINCE_6_13 = { ...BUSY, message: /cancel or reap them first; going on without needs Linux 6\.13/ };

/** Kernels that give up tables only when nothing uses them any more. */
const KEEP_TABLES: [name: string, age: Age][] = [['5.15', LINUX_5_15], ['5.19', LINUX_5_19], ['6.1', LINUX_6_1]];

type Registration = (ring: IoUring) => unknown;
const giveUp: [what: string, code: number, unregister: Registration][] = [
  ['files', IORING_UNREGISTER_FILES, (ring) => ring.unregisterFiles()],
  ['buffers', IORING_UNREGISTER_BUFFERS, (ring) => ring.unregisterBuffers()],
];

const buffer = new Uint8Array(8);
type Prepare = (ring: IoUring) => void;
const users: [what: string, prepare: Prepare][] = [
  ['a read into a registered buffer', (ring) => ring.prepRead(3, buffer, 8, 1, null, { fixed: 0 })],
  ['a read of a slot', onSlot((ring) => ring.prepRead(0, buffer, 8, 1))],
  ['a poll of a slot, which lends nothing', onSlot((ring) => ring.prepPollAdd(0, POLLIN, 1))],
  ['an accept on a slot', onSlot((ring) => ring.prepAccept(0, 1))],
  ['a splice from a slot', (ring) => ring.prepSplice(0, -1n, 4, -1n, 10, 1, { fixedIn: true })],
  ['a poll of a slot prepared field by field',
    (ring) => ring.prepSqe({ opcode: IORING_OP_POLL_ADD, fd: 0, opFlags: POLLIN, flags: IOSQE_FIXED_FILE }, 1)],
  ['a fixed read prepared field by field', (ring) => ring.prepSqe({ opcode: IORING_OP_READ_FIXED, fd: 3, len: 8 }, 1)],
];

function onSlot(prepare: Prepare): Prepare {
  return (ring) => {
    prepare(ring);
    ring.sqeSetFlags(IOSQE_FIXED_FILE);
  };
}

function withTables(age: Age): ReturnType<typeof open> {
  const opened = open(age);
  opened.ring.registerFiles([5]);
  opened.ring.registerBuffers([buffer]);
  return opened;
}

describe('tables of files and buffers before 6.13', () => {
  for (const [name, age] of KEEP_TABLES) {
    for (const [what, code, unregister] of giveUp) {
      for (const [user, prepare] of users) {
        it(`${name}: with ${user} in flight, ${what} are given up when it ends, and not before`, () => {
          const { ring, kernel } = withTables(age);
          prepare(ring);
          ring.submit();
          assert.throws(() => unregister(ring), SINCE_6_13);
          assert.equal(kernel.asked(code), 0);
          const [userData] = kernel.inFlight;
          kernel.answers = [() => (kernel.complete(userData, 0), 0)];
          unregister(ring);
          assert.equal(kernel.asked(code), 1, 'what ends meanwhile is waited for');
          assert.equal(ring.forEachCompletion((c) => assert.equal(c.userData, 1)), 1, 'and stays to be reaped');
          ring.close();
        });
      }
    }
  }

  it('a poll of a slot that goes on is in flight until its last completion', () => {
    const { ring, kernel } = withTables(LINUX_6_1);
    ring.prepPollAdd(0, POLLIN, 1, { multishot: true });
    ring.sqeSetFlags(IOSQE_FIXED_FILE);
    ring.submit();
    const [userData] = kernel.inFlight;
    kernel.post(userData, POLLIN, F_MORE);
    assert.equal(ring.forEachCompletion((c) => assert.equal(c.userData, 1)), 1);
    assert.throws(() => ring.unregisterFiles(), SINCE_6_13);
    kernel.complete(userData, POLLIN);
    ring.unregisterFiles();
    ring.close();
  });

  it('an operation on a slot is cancelled by the userData that the caller gave it', () => {
    const { ring, kernel } = withTables(LINUX_6_1);
    onSlot((r) => r.prepPollAdd(0, POLLIN, 7))(ring);
    ring.submit();
    ring.prepCancel(7, 8);
    ring.submit();
    const seen: number[] = [];
    ring.forEachCompletion((c) => void seen.push(c.userData));
    assert.deepEqual(seen, [7, 8]);
    ring.unregisterFiles();
    assert.equal(kernel.asked(IORING_UNREGISTER_FILES), 1);
    ring.close();
  });

  it('operations that use neither, and entries that are not submitted, are not waited for', () => {
    const { ring, kernel } = withTables(LINUX_5_19);
    ring.prepRead(3, new Uint8Array(8), 8, 1);
    ring.submit();
    for (const [, prepare] of users) prepare(ring);
    const { length } = kernel.calls;
    for (const [, , unregister] of giveUp) unregister(ring);
    assert.equal(kernel.calls.length, length);
    ring.close();
  });

  it('slots are changed at once', () => {
    const { ring, kernel } = withTables(LINUX_6_1);
    for (const [, prepare] of users) prepare(ring);
    ring.submit();
    const { length } = kernel.calls;
    ring.registerFilesUpdate(0, [6]);
    assert.equal(kernel.calls.length, length);
    assert.equal(kernel.asked(IORING_REGISTER_FILES_UPDATE), 1);
    ring.close();
  });

  it('one that keeps silent on a slot is over when the one that it is linked to speaks', () => {
    const { ring, kernel } = withTables(LINUX_6_1);
    ring.prepFsync(0, 1);
    ring.sqeSetFlags(IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK);
    ring.prepNop(2);
    ring.submit();
    assert.throws(() => ring.unregisterFiles(), SINCE_6_13);
    const [silent, last] = kernel.inFlight;
    kernel.inFlight.delete(silent);
    kernel.complete(last, 0);
    assert.equal(ring.forEachCompletion((c) => assert.equal(c.userData, 2)), 1);
    ring.unregisterFiles();
    ring.close();
  });

  it('one that keeps silent on a slot alone may be in flight for ever', () => {
    const { ring } = withTables(LINUX_6_1);
    ring.prepFsync(0, 1);
    ring.sqeSetFlags(IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS);
    ring.submit();
    assert.throws(() => ring.unregisterFiles(), { code: 'EBUSY', message: /keeps silent.*needs Linux 6\.13/ });
    ring.close();
  });

  it('a kernel that gives up tables under operations in flight is asked at once', () => {
    const kernel = new FakeKernel();
    kernel.result = () => undefined;
    kernel.registerAnswer = () => 0;
    const ring = new IoUring(16, {}, kernel);
    for (const [, prepare] of users) prepare(ring);
    const own = kernel.entriesSeen;
    ring.submit();
    assert.equal(own[2].userData, 1n, 'an operation that lends nothing goes by the userData of the caller');
    const { length } = kernel.calls;
    for (const [, code, unregister] of giveUp) {
      unregister(ring);
      assert.equal(kernel.registered.filter(({ opcode }) => opcode === code).length, 1);
    }
    assert.equal(kernel.calls.length, length);
    ring.close();
  });
});

describe('registrations that wait until nothing at all is in flight', () => {
  const before518: [what: string, code: number, register: Registration][] = [
    ['registerEventfd', IORING_REGISTER_EVENTFD, (ring) => ring.registerEventfd(9)],
    ['registerEventfdAsync', IORING_REGISTER_EVENTFD_ASYNC, (ring) => ring.registerEventfdAsync(9)],
    ['unregisterEventfd', IORING_UNREGISTER_EVENTFD, (ring) => ring.unregisterEventfd()],
    ['registerRestrictions', IORING_REGISTER_RESTRICTIONS, (ring) => ring.registerRestrictions([{ sqeOp: 0 }])],
    ['enableRings', IORING_REGISTER_ENABLE_RINGS, (ring) => ring.enableRings()],
    ['registerRaw', IORING_REGISTER_EVENTFD, (ring) => ring.registerRaw(IORING_REGISTER_EVENTFD, Int32Array.of(9), 1)],
  ];
  const before513: typeof before518 = [
    ['registerBuffers', IORING_REGISTER_BUFFERS, (ring) => ring.registerBuffers([buffer])],
    ['unregisterBuffers', IORING_UNREGISTER_BUFFERS, (ring) => ring.unregisterBuffers()],
    ['registerFiles', IORING_REGISTER_FILES, (ring) => ring.registerFiles([5])],
  ];
  const waits: [linux: string, age: Age, registrations: typeof before518][] = [
    ['5.10', LINUX_5_10, before513.slice(0, 1)],
    // A second of waiting without a limit takes a second, which the others need not.
    ['5.11', { ...LINUX_5_10, features: LINUX_5_10.features | IORING_FEAT_EXT_ARG }, [...before518, ...before513]],
    ['5.15', LINUX_5_15, before518],
  ];
  for (const [linux, age, registrations] of waits) {
    for (const [what, code, register] of registrations) {
      it(`${linux}: ${what} with a poll in flight says that it is busy, and is made when the poll ends`, () => {
        const { ring, kernel } = open(age);
        ring.prepPollAdd(3, POLLIN, 1);
        ring.submit();
        assert.throws(() => register(ring), BUSY);
        assert.equal(kernel.asked(code), 0);
        kernel.answers = [() => (kernel.complete(1n, POLLIN), 0)];
        register(ring);
        assert.equal(kernel.asked(code), 1);
        assert.equal(ring.forEachCompletion((c) => assert.equal(c.userData, 1)), 1);
        ring.close();
      });

      it(`${linux}: ${what} is made at once where all is over, reaped or not, and entries wait to be submitted`, () => {
        const { ring, kernel } = open(age);
        for (let i = 0; i < 3; i++) ring.prepPollAdd(3, POLLIN, i);
        ring.submit();
        for (let i = 0n; i < 3n; i++) kernel.complete(i, POLLIN);
        ring.forEachCompletion(() => {}, 2);
        ring.prepPollAdd(3, POLLIN, 4);
        const { length } = kernel.calls;
        register(ring);
        assert.ok(kernel.calls.slice(length).every(({ toSubmit, flags }) => toSubmit === 0 && flags === 0), 'no wait');
        assert.equal(kernel.asked(code), 1);
        ring.close();
      });
    }
  }

  it('5.15: the completions of a poll that goes on, reaped or not, are not taken for the end of others', () => {
    const { ring, kernel } = open(LINUX_5_15);
    ring.prepPollAdd(3, POLLIN, 1, { multishot: true });
    ring.prepPollAdd(3, POLLIN, 2);
    ring.submit();
    for (let i = 0; i < 3; i++) kernel.post(1n, POLLIN, F_MORE);
    assert.equal(ring.forEachCompletion(() => {}, 2), 2);
    kernel.complete(2n, POLLIN);
    assert.throws(() => ring.registerEventfd(9), BUSY);
    kernel.complete(1n, POLLIN);
    ring.registerEventfd(9);
    ring.close();
  });

  it('5.15: a mark that a table was made with is not taken for the end of an operation', () => {
    const { ring, kernel } = open(LINUX_5_15);
    ring.registerFiles([5], { tags: [77] });
    ring.prepPollAdd(3, POLLIN, 1);
    ring.submit();
    kernel.post(77n, 0);
    assert.throws(() => ring.registerEventfd(9), BUSY);
    kernel.complete(1n, POLLIN);
    ring.registerEventfd(9);
    ring.close();
  });

  it('5.15: tables are registered at once with operations in flight', () => {
    const { ring, kernel } = open(LINUX_5_15);
    ring.prepPollAdd(3, POLLIN, 1);
    ring.submit();
    const { length } = kernel.calls;
    for (const [, , register] of before513) register(ring);
    assert.equal(kernel.calls.length, length);
    ring.close();
  });

  it('5.19: an eventfd is registered with operations in flight', () => {
    const { ring, kernel } = open(LINUX_5_19);
    ring.prepPollAdd(3, POLLIN, 1);
    ring.submit();
    const { length } = kernel.calls;
    ring.registerEventfd(9);
    assert.equal(kernel.calls.length, length);
    ring.close();
  });

  it('5.10: a ring that was set up disabled is restricted and enabled', () => {
    const { ring, kernel } = open(LINUX_5_10, { disabled: true });
    ring.prepPollAdd(3, POLLIN, 1);
    ring.registerRestrictions([{ sqeOp: 0 }]);
    ring.enableRings();
    assert.equal(kernel.asked(IORING_REGISTER_RESTRICTIONS), 1);
    assert.equal(kernel.asked(IORING_REGISTER_ENABLE_RINGS), 1);
    ring.close();
  });
});
