// Registrations that rule how a ring works: notification, credentials, restrictions, worker threads, waits.
import assert from 'node:assert/strict';
import { chmodSync, readSync } from 'node:fs';
import koffi from 'koffi';
import { EACCES, ECANCELED, EINVAL } from '../../../src/abi/errno.ts';
import { CLOCK_BOOTTIME, CLOCK_MONOTONIC, POLLIN } from '../../../src/abi/event-flags.ts';
import { IOSQE_ASYNC, IOSQE_IO_LINK } from '../../../src/abi/flags.ts';
import { IORING_OP_NOP, IORING_OP_POLL_ADD, IORING_OP_READ, IORING_OP_TEE } from '../../../src/abi/operations.ts';
import { IORING_REGISTER_BUFFERS, IORING_REGISTER_PROBE } from '../../../src/abi/registrations.ts';
import { queryKernel, registerSyncMsg } from '../../../src/ring/query.ts';
import { it, without } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { completions, results } from '../operations/completions.ts';
import { openRing, recorder } from '../operations/recorder.ts';
import { any, refused } from '../operations/refused.ts';
import { complete } from '../reap.ts';
import { Temporary } from '../temporary.ts';

const libc = koffi.load(null);
const eventfdOf = libc.func('int eventfd(uint value, int flags)') as (value: number, flags: number) => number;
const setfsuid = libc.func('int setfsuid(uint uid)') as (uid: number) => number;

/** An eventfd that never blocks. */
function eventfd(files: Descriptors): { fd: number; take: () => number } {
  const fd = files.own(eventfdOf(0, 0o2004000));
  return {
    fd,
    take: () => {
      const value = Buffer.alloc(8);
      try {
        readSync(fd, value);
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
      }
      return Number(value.readBigUInt64LE());
    },
  };
}

it('IORING_REGISTER_EVENTFD: is signalled for completions; one for a ring; silenced and woken', () => {
  using files = new Descriptors();
  using ring = openRing(8, { deferTaskrun: false });
  const { fd, take } = eventfd(files);
  ring.registerEventfd(fd);
  assert.throws(() => ring.registerEventfd(fd), { code: 'EBUSY', message: /unregisterEventfd/ });
  assert.equal(ring.cqEventfdEnabled, true);
  ring.prepNop(1);
  complete(ring);
  assert.ok(take() > 0);
  ring.cqEventfdToggle(false);
  assert.equal(ring.cqEventfdEnabled, false);
  ring.prepNop(1);
  complete(ring);
  assert.equal(take(), 0);
  ring.cqEventfdToggle(true);
  ring.prepNop(1);
  complete(ring);
  assert.ok(take() > 0, 'only what comes from then on');
});

it('IORING_UNREGISTER_EVENTFD: no more signals; without one ENXIO', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  assert.throws(() => ring.unregisterEventfd(), { code: 'ENXIO' });
  const { fd, take } = eventfd(files);
  ring.registerEventfd(fd);
  ring.unregisterEventfd();
  ring.prepNop(1);
  complete(ring);
  assert.equal(take(), 0);
  for (const [other, code] of [[987_654, 'EBADF'], [0, 'EINVAL']] as const) {
    assert.throws(() => ring.registerEventfd(other), { code });
  }
});

it('IORING_REGISTER_EVENTFD_ASYNC: is silent about what completes inside the submitting call', () => {
  using files = new Descriptors();
  using ring = openRing(8, { deferTaskrun: false, coopTaskrun: false });
  const { fd, take } = eventfd(files);
  ring.registerEventfdAsync(fd);
  ring.prepNop(1);
  ring.submit();
  assert.equal(complete(ring).userData, 1);
  assert.equal(take(), 0);
  ring.prepNop(2);
  ring.sqeSetFlags(IOSQE_ASYNC);
  ring.submitAndWait(1, { timeoutMs: 5000 });
  // The worker signals before the completion can be waited for, or just behind it.
  ring.prepPollAdd(fd, POLLIN, 3);
  assert.equal(results(ring, 2).get(3), POLLIN);
  assert.equal(take(), 1);
});

it('IORING_REGISTER_PROBE: names the operations that the kernel has', () => {
  using ring = openRing(8);
  const found = ring.probe();
  assert.equal(found[IORING_OP_NOP].supported, true);
  assert.equal(found[IORING_OP_READ].name, 'IORING_OP_READ');
  assert.equal(found.length, 65);
});

const root = process.getuid?.() === 0 ? false : 'needs root, to become another user';

it('IORING_REGISTER_PERSONALITY: an operation runs with the credentials of that moment', { skip: root }, () => {
  using folder = new Temporary();
  using ring = openRing(8);
  chmodSync(folder.file('secret', 'data'), 0o600);
  // As another user for the file system, for a moment.
  setfsuid(12345);
  const other = ring.registerPersonality();
  setfsuid(0);
  const own = ring.registerPersonality();
  assert.ok(other > 0 && own > 0 && own !== other);
  const open = (personality: number): number => {
    ring.prepOpen(`${folder.path}/secret`, 0, 1);
    ring.sqeSetPersonality(personality);
    const { res } = complete(ring);
    if (res >= 0) {
      ring.prepClose(res, 2);
      complete(ring);
    }
    return res;
  };
  assert.ok(open(own) >= 0);
  assert.equal(open(other), -EACCES);
  assert.ok(open(0) >= 0, 'without one, as ever');
  assert.equal(open(4711), -EINVAL);
});

it('IORING_UNREGISTER_PERSONALITY: the id is unknown then', () => {
  using ring = openRing(8);
  const id = ring.registerPersonality();
  ring.unregisterPersonality(id);
  ring.prepNop(1);
  ring.sqeSetPersonality(id);
  assert.equal(complete(ring).res, -EINVAL);
  assert.throws(() => ring.unregisterPersonality(id), { code: 'EINVAL', message: /no personality/ });
});

it('IORING_REGISTER_RESTRICTIONS: what is not listed is EACCES, for good', () => {
  using ring = openRing(8, { disabled: true });
  ring.registerRestrictions([
    { sqeOp: IORING_OP_NOP },
    { sqeOp: IORING_OP_POLL_ADD },
    { registerOp: 12 },
    { sqeFlagsAllowed: IOSQE_IO_LINK },
  ]);
  assert.throws(() => ring.registerRestrictions([{ sqeOp: 1 }]), { code: 'EBUSY' });
  ring.enableRings();
  ring.prepNop(1);
  assert.equal(complete(ring).res, 0);
  ring.prepFsync(0, 1);
  assert.equal(complete(ring).res, -EACCES);
  ring.prepNop(1);
  ring.sqeSetFlags(IOSQE_ASYNC);
  assert.equal(complete(ring).res, -EACCES);
  assert.throws(() => ring.registerBuffers([new Uint8Array(8)]), { code: 'EACCES' });
});

it('IORING_REGISTER_ENABLE_RINGS: nothing runs before; only once', () => {
  using ring = openRing(8, { disabled: true });
  ring.prepNop(1);
  assert.throws(() => ring.submit(), { code: 'EBADFD' });
  ring.enableRings();
  assert.equal(complete(ring).res, 0, 'what was queued is there');
  assert.throws(() => ring.enableRings(), { code: 'EBADFD', message: /enabled already/ });
  assert.throws(() => ring.registerRestrictions([{ sqeOp: 0 }]), { code: 'EBADFD', message: /disabled: true/ });
});

it('IORING_REGISTER_IOWQ_AFF, IORING_UNREGISTER_IOWQ_AFF: workers run there, and work goes on', () => {
  using ring = openRing(8);
  ring.registerIowqAff([0]);
  ring.prepNop(1);
  ring.sqeSetFlags(IOSQE_ASYNC);
  assert.equal(complete(ring).res, 0);
  ring.unregisterIowqAff();
});

it('IORING_REGISTER_IOWQ_MAX_WORKERS: tells the limits before, and keeps the new ones', () => {
  using ring = openRing(8);
  const before = ring.registerIowqMaxWorkers();
  assert.ok(before.bounded > 0 && before.unbounded > 0);
  assert.deepEqual(ring.registerIowqMaxWorkers(3, 5), before);
  assert.deepEqual(ring.registerIowqMaxWorkers(0, 6), { bounded: 3, unbounded: 5 });
  assert.deepEqual(ring.registerIowqMaxWorkers(), { bounded: 3, unbounded: 6 });
});

const byKind = { skip: without('6.6', 'IORING_ASYNC_CANCEL_OP') };
it('IORING_REGISTER_SYNC_CANCEL: ends operations by userData, descriptor, kind, or all', byKind, () => {
  using files = new Descriptors();
  using ring = openRing(16);
  const [reader] = files.pipe();
  const [other] = files.pipe();
  const start = (): void => {
    for (let i = 0; i < 2; i++) {
      ring.prepRead(reader, new Uint8Array(8), 8, 1);
      ring.prepPollAdd(other, POLLIN, 1);
    }
    ring.submit();
  };
  start();
  assert.equal(ring.registerSyncCancel(1), 0);
  assert.deepEqual(completions(ring, 1).map((c) => [c.userData, c.res]), [[1, -ECANCELED]]);
  assert.equal(ring.registerSyncCancel(1, { all: true }), 3, 'with memory and without');
  assert.ok(completions(ring, 3).every((c) => c.userData === 1 && c.res === -ECANCELED));
  start();
  assert.equal(ring.registerSyncCancel({ fd: reader }, { all: true }), 2);
  assert.equal(ring.registerSyncCancel({ opcode: IORING_OP_POLL_ADD }, { all: true, timeoutMs: 1000 }), 2);
  assert.equal(completions(ring, 4).length, 4);
  start();
  assert.equal(ring.registerSyncCancel({ any: true }, { all: true }), 4);
  assert.equal(completions(ring, 4).length, 4);
  assert.throws(() => ring.registerSyncCancel(1), { code: 'ENOENT', message: /no such operation/ });
  assert.equal(ring.registerSyncCancel({ any: true }, { all: true }), 0);
  refused(ring, 'ERR_INVALID_ARG_VALUE', [() => ring.registerSyncCancel({}), () =>
    ring.registerSyncCancel({ fixed: true })]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [() => ring.registerSyncCancel(any(undefined)), () =>
    ring.registerSyncCancel(any('1'))]);
  refused(ring, 'ERR_OUT_OF_RANGE', [() => ring.registerSyncCancel(-1), () =>
    ring.registerSyncCancel(1, { timeoutMs: -1 })]);
});

it('IORING_REGISTER_NAPI, IORING_UNREGISTER_NAPI: settings are kept and told', () => {
  using ring = openRing(8);
  const none = { busyPollTimeoutUs: 0, preferBusyPoll: false };
  assert.deepEqual(ring.registerNapi({ busyPollTimeoutUs: 50, preferBusyPoll: true }), none);
  assert.deepEqual(ring.registerNapi({ busyPollTimeoutUs: 20 }), { busyPollTimeoutUs: 50, preferBusyPoll: true });
  assert.deepEqual(ring.unregisterNapi(), { busyPollTimeoutUs: 20, preferBusyPoll: false });
  assert.deepEqual(ring.registerNapi({ busyPollTimeoutUs: 0 }), none);
});

it('IORING_REGISTER_CLOCK: waits go by it; others than two are refused', () => {
  using ring = openRing(8);
  ring.registerClock(CLOCK_BOOTTIME);
  const start = performance.now();
  ring.submitAndWait(1, { timeoutMs: 20 });
  assert.ok(performance.now() - start >= 19);
  ring.registerClock(CLOCK_MONOTONIC);
  ring.submitAndWait(1, { deadline: process.hrtime.bigint() - 1n });
  refused(ring, 'ERR_INVALID_ARG_VALUE', [() => ring.registerClock(0), () => ring.registerClock(5)]);
});

it('IORING_REGISTER_SEND_MSG_RING: a completion appears in a ring, sent without one', () => {
  using ring = openRing(8);
  registerSyncMsg(ring.fd, -7, 2n ** 64n - 1n, undefined, recorder);
  registerSyncMsg(ring.fd, 8, 9, { cqeFlags: 0x4 }, recorder);
  const found = completions(ring, 2);
  assert.deepEqual(found.map((c) => [c.userData64, c.res, c.flags]), [[2n ** 64n - 1n, -7, 0], [9n, 8, 4]]);
  assert.throws(() => registerSyncMsg(0, 1, 1, undefined, recorder), { code: 'EBADFD', message: /no ring/ });
  assert.throws(() => registerSyncMsg(987_654, 1, 1, undefined, recorder), { code: 'EBADF' });
  assert.throws(() => registerSyncMsg(ring.fd, 2 ** 33, 1), { code: 'ERR_OUT_OF_RANGE' });
});

it('IORING_REGISTER_QUERY: tells what the kernel has, in agreement with a ring', () => {
  using ring = openRing(8);
  const kernel = queryKernel(recorder);
  assert.equal(kernel.requestOpcodes, ring.probe().filter(({ supported }) => supported).length);
  assert.equal(Number(kernel.features), ring.features);
  assert.equal(Number(kernel.setupFlags) & ring.setupFlags, ring.setupFlags);
  assert.ok(kernel.registerOpcodes >= 36);
});

it('IORING_REGISTER_ZCRX_IFQ: is refused without such a network card, and the reason is given', () => {
  using ring = openRing(8, { cqe32: true });
  const options = { interfaceIndex: 1, rxQueue: 0, areaBytes: 65536, rqEntries: 16 };
  assert.throws(() => ring.registerIfq(options), {
    syscall: 'io_uring_register',
    message: /network card|needs|interface/,
  });
  assert.throws(() => ring.registerIfq({ ...options, interfaceIndex: 4711 }), { syscall: 'io_uring_register' });
  refused(ring, 'ERR_INVALID_ARG_VALUE', [
    () => ring.registerIfq({ ...options, areaBytes: 65537 }),
    () => ring.registerIfq({ ...options, rqEntries: 15 }),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [() => ring.registerIfq(any(null)), () =>
    ring.registerIfq({ ...options, rxQueue: any('0') })]);
});

it('IORING_REGISTER_ZCRX_CTRL: Linux 6.19; before it is refused, and the reason is given', () => {
  using ring = openRing(8, { cqe32: true });
  assert.throws(() => ring.registerZcrxCtrl(0, 'flush'), { syscall: 'io_uring_register' });
  assert.throws(() => ring.registerZcrxCtrl(0, 'export'), { syscall: 'io_uring_register' });
  refused(ring, 'ERR_INVALID_ARG_VALUE', [() => ring.registerZcrxCtrl(0, any('stop'))]);
});

it('IORING_REGISTER_BPF_FILTER: Linux 7.0; before it is refused, and the reason is given', (t) => {
  using ring = openRing(8);
  const allow = { opcode: IORING_OP_NOP, program: [{ code: 0x06, k: 1 }] };
  if (queryKernel().registerOpcodes > 37) return t.skip('this kernel has it: not written yet what it does');
  assert.throws(() => ring.registerBpfFilter(allow), { code: 'EINVAL', message: /Linux 7\.0/ });
  refused(ring, 'ERR_INVALID_ARG_TYPE', [() => ring.registerBpfFilter(any(1)), () =>
    ring.registerBpfFilter({ opcode: 0, program: any(1) })]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.registerBpfFilter({ ...allow, opcode: 256 }),
    () => ring.registerBpfFilter({ ...allow, program: [] }),
    () => ring.registerBpfFilter({ ...allow, program: [{ code: -1 }] }),
  ]);
});

it('registerRaw: what has no method', () => {
  using ring = openRing(8);
  const buffer = new Uint8Array(16 + 8 * 256);
  assert.equal(ring.registerRaw(IORING_REGISTER_PROBE, buffer, 256), 0);
  assert.ok(buffer[0] >= IORING_OP_TEE, 'the last operation that there is');
  assert.throws(() => ring.registerRaw(200, null, 0), { code: 'EINVAL', syscall: 'io_uring_register' });
  assert.throws(() => ring.registerRaw(IORING_REGISTER_BUFFERS, null, 1), { code: 'EFAULT' });
  refused(ring, 'ERR_INVALID_ARG_TYPE', [() => ring.registerRaw(0, any('x'), 1), () =>
    ring.registerRaw(any('1'), null, 0)]);
});

it('control registrations: misuse is refused before the kernel is asked', () => {
  using ring = openRing(8, { disabled: true });
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.registerEventfd(any('1')),
    () => ring.registerRestrictions(any({})),
    () => ring.registerRestrictions([any(null)]),
    () => ring.registerIowqAff(any(0)),
    () => ring.registerNapi(any(undefined)),
    () => ring.registerClock(any('boottime')),
    () => ring.unregisterPersonality(any('1')),
  ]);
  refused(ring, 'ERR_INVALID_ARG_VALUE', [
    () => ring.registerRestrictions([any({})]),
    () => ring.registerRestrictions([any({ sqeOp: 1, registerOp: 2 })]),
    () => ring.registerRestrictions([any({ toString: 1 })]),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.registerRestrictions([]),
    () => ring.registerRestrictions([{ sqeOp: 256 }]),
    () => ring.registerIowqAff([]),
    () => ring.registerIowqAff([1024]),
    () => ring.registerIowqMaxWorkers(-1),
    () => ring.registerNapi({ busyPollTimeoutUs: -1 }),
    () => ring.unregisterPersonality(65536),
  ]);
});
