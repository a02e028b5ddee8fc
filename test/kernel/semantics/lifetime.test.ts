// How long rings, their threads and their descriptors live, and from when on they do something.
import assert from 'node:assert/strict';
import { fstatSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { POLLIN } from '../../../src/abi/event-flags.ts';
import { IORING_ENTER_SQ_WAKEUP, IOSQE_ASYNC } from '../../../src/abi/flags.ts';
import { IoUring } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { moduleText, run } from '../../run.ts';
import { Descriptors } from '../libc.ts';
import { completions, isQuiet, results } from '../operations/completions.ts';
import { complete, reap } from '../reap.ts';
import { Temporary } from '../temporary.ts';
import { watched } from './calls.ts';
import { closesOnExec } from './sockets.ts';

const LIMIT_MS = 60_000;

/** The kernel's threads of this process whose names begin so. */
function threads(prefix: string): string[] {
  return readdirSync('/proc/self/task').flatMap((id) => {
    try {
      const name = readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim();
      return name.startsWith(prefix) ? [name] : [];
    } catch {
      // It ended in this moment.
      return [];
    }
  });
}

/** Look again and again until it is so. */
function until(condition: () => boolean, what: string): void {
  for (const start = performance.now(); !condition();) {
    if (performance.now() - start > LIMIT_MS) throw new Error(`never: ${what}`);
  }
}

it('case 49: before it is enabled a ring delivers nothing, and is told so', () => {
  using ring = new IoUring(8, { disabled: true });
  ring.prepNop(1);
  assert.throws(() => ring.submitAndWait(0), { code: 'EBADFD' });
  assert.throws(() => ring.submitAndWait(1), { code: 'EBADFD' });
  assert.equal(ring.sqReady, 1);
  ring.enableRings();
  assert.deepEqual(results(ring, 1), new Map([[1, 0]]));
});

/** Does the event loop of this Node have a ring? */
const hasLoopRing = readFileSync('/proc/self/maps', 'utf8').includes('io_uring');

const pipesAtOnce = { skip: without('6.4', 'reads of pipes that need no worker') };
it(
  'case 49: DEFER_TASKRUN: completions appear when the ring is entered, and reaping enters it for them',
  pipesAtOnce,
  () => {
    const { kernel, enters } = watched();
    using files = new Descriptors();
    using ring = new IoUring(8, { deferTaskrun: true }, kernel);
    const [reader, writer] = files.pipe();
    const buffer = Buffer.alloc(4);
    ring.prepRead(reader, buffer, 4, 1);
    ring.submit();
    writeSync(writer, 'data');
    assert.deepEqual([ring.cqReady, ring.peek(), buffer.toString('hex')], [0, undefined, '00000000']);
    const calls = enters.length;
    assert.deepEqual(reap(ring).map((c) => [c.userData, c.res]), [[1, 4]]);
    assert.equal(enters.length, calls + 1);
    assert.deepEqual(reap(ring), []);
    assert.equal(enters.length, calls + 1, 'without need it does not');
  },
);

it('case 51: the descriptor may be closed once it is registered; then everything goes by the index', () => {
  using plain = new IoUring(4, { registerRingFd: false });
  assert.throws(() => plain.closeRingFd(), { code: 'ERR_IOURING_UNSUPPORTED' });
  plain.prepNop(1);
  assert.equal(complete(plain).res, 0);

  using files = new Descriptors();
  using ring = new IoUring(4, { registerRingFd: true });
  const [reader, writer] = files.pipe();
  const buffer = Buffer.alloc(4);
  ring.prepRead(reader, buffer, 4, 1);
  ring.submit();
  const { fd } = ring;
  ring.closeRingFd();
  ring.closeRingFd();
  assert.throws(() => fstatSync(fd), { code: 'EBADF' });
  writeSync(writer, 'data');
  assert.deepEqual(results(ring, 1), new Map([[1, 4]]));
  ring.registerFilesSparse(1);
  assert.throws(() => ring.registerFilesSparse(1), { code: 'EBUSY' });
  assert.throws(() => ring.unregisterBuffers(), { code: 'ENXIO' });
  assert.throws(() => ring.unregisterRingFd(), { code: 'ERR_INVALID_STATE' });
  ring.prepRead(reader, buffer, 4, 2);
  ring.submit();
  ring.registerSyncCancel(2);
  assert.equal(complete(ring).userData, 2);
});

it('case 53: a ring that shares the workers of another goes on when that one is closed', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  const fd = files.own(openSync(folder.file('data', 'contents'), 'r'));
  using first = new IoUring(4);
  using second = new IoUring(4, { attachWq: first });
  using third = new IoUring(4, { attachWq: second });
  for (const closed of [false, true]) {
    if (closed) first.close();
    for (const ring of [second, third]) {
      const buffer = Buffer.alloc(8);
      ring.prepRead(fd, buffer, 8, 1, 0);
      ring.sqeSetFlags(IOSQE_ASYNC);
      assert.equal(complete(ring).res, 8);
      assert.equal(buffer.toString(), 'contents');
    }
  }
});

it('case 53: the same with sqPoll: one thread for all of them, until the last is closed', {
  skip: without('5.12', 'threads of sqPoll that are of the process'),
}, () => {
  const first = new IoUring(4, { sqPoll: { idleMs: 1 } });
  using second = new IoUring(4, { sqPoll: { idleMs: 1 }, attachWq: first });
  // A thread takes its name when it first runs.
  until(() => threads('iou-sqp').length === 1, 'there is one thread');
  first.prepNop(1);
  second.prepNop(2);
  assert.deepEqual([complete(first).userData, complete(second).userData], [1, 2]);
  first.close();
  second.prepNop(3);
  assert.equal(complete(second).userData, 3);
  second.close();
  until(() => threads('iou-sqp').length === 0, 'the thread ends');
});

it('case 54: the polling thread goes to sleep after its time, and is woken by the next submit', () => {
  const { kernel, enters } = watched();
  using ring = new IoUring(4, { sqPoll: { idleMs: 1 } }, kernel);
  using clock = new IoUring(4);
  for (let round = 0; round < 3; round++) {
    until(() => {
      // Its time is in ticks of the kernel, of up to 10 ms.
      clock.submitAndWait(1, { timeoutMs: 30 });
      const calls = enters.length;
      ring.prepNop(round);
      ring.submit();
      const woken = enters.slice(calls).some(({ flags }) => flags & IORING_ENTER_SQ_WAKEUP);
      assert.equal(complete(ring).userData, round);
      return woken;
    }, 'it sleeps');
  }
});

it('case 55: a path below /proc/self means the program, also in a worker', () => {
  using files = new Descriptors();
  using ring = new IoUring(4);
  for (const flags of [0, IOSQE_ASYNC]) {
    ring.prepOpen('/proc/self/stat', 0, 1);
    ring.sqeSetFlags(flags);
    const fd = files.own(complete(ring).res);
    const buffer = Buffer.alloc(256);
    ring.prepRead(fd, buffer, 256, 2, 0);
    assert.ok(complete(ring).res > 0);
    assert.equal(Number.parseInt(buffer.toString(), 10), process.pid);
  }
});

it('case 56: a process may end with work queued and in flight, without closing anything', async () => {
  const code = `
    import { IoUring } from ${JSON.stringify(new URL('../../../src/index.js', import.meta.url).href)};
    const rings = [{}, { sqPoll: true }, { deferTaskrun: false }].map((options) => {
      const ring = new IoUring(8, options);
      const files = ring.registerBufRing(2, 16, 1);
      ring.prepPipe(new Int32Array(2), 1);
      ring.submitAndWait(1);
      ring.prepTimeout(3_600_000, 2, { multishot: true });
      ring.prepPollAdd(0, 1, 3, { multishot: true });
      const fds = new Int32Array(2);
      ring.prepPipe(fds, 4);
      ring.submitAndWait(2);
      ring.forEachCompletion(() => {});
      ring.prepRead(fds[0], new Uint8Array(64), 64, 5);
      ring.sqeSetFlags(16);
      ring.prepReadMultishot(fds[0], 1, 6);
      ring.submit();
      ring.prepRead(fds[0], new Uint8Array(64), 64, 7);
      return ring;
    });
    process.exitCode = 7;
    if (rings.length === 3) console.log('done');
  `;
  const start = performance.now();
  const { status, stdout, stderr } = await run(process.execPath, moduleText(code));
  assert.deepEqual([status, stdout, stderr], [7, 'done\n', '']);
  assert.ok(performance.now() - start < LIMIT_MS);
});

// Linux 6.1 and 6.12 keep the last of them as long as the thread lives that had the rings; 6.18.44 and 7.3 do not.
const workersEnd = { skip: without('6.18', 'worker threads that end with the last ring') };

it('case 57: the worker threads end with the last ring', workersEnd, (t) => {
  if (hasLoopRing) return t.skip('this Node has a ring for its own event loop, with which they stay');
  using files = new Descriptors();
  until(() => threads('iou-wrk').length === 0, 'those of the tests before end');
  using one = new IoUring(8);
  using two = new IoUring(8);
  for (const ring of [one, two]) {
    const [reader] = files.pipe();
    for (let i = 0; i < 4; i++) {
      ring.prepRead(reader, new Uint8Array(8), 8, i);
      ring.sqeSetFlags(IOSQE_ASYNC);
    }
    ring.submit();
  }
  until(() => threads('iou-wrk').length > 0, 'they begin');
  one.close();
  two.close();
  until(() => threads('iou-wrk').length === 0, 'they end');
});

it('case i: a thread has sixteen places for rings; a closed ring gives its own back', () => {
  for (let round = 0; round < 2; round++) {
    const rings = Array.from({ length: 16 }, () => new IoUring(1, { registerRingFd: true }));
    assert.equal(new Set(rings.map((ring) => ring.registeredFd)).size, 16);
    assert.throws(() => new IoUring(1, { registerRingFd: true }), { code: 'ERR_IOURING_UNSUPPORTED', message: /16/ });
    using other = new IoUring(1);
    assert.equal(other.registeredFd, undefined, 'it goes by its descriptor');
    other.prepNop(1);
    assert.equal(complete(other).res, 0);
    for (const ring of rings) ring.close();
  }
});

it('case o: the descriptor of a ring is closed by exec, and readable when completions wait', () => {
  using ring = new IoUring(4);
  using other = new IoUring(4, { coopTaskrun: true });
  assert.ok(closesOnExec(ring.fd) && closesOnExec(other.fd));
  ring.prepPollAdd(other.fd, POLLIN, 1);
  ring.submit();
  assert.ok(isQuiet(ring));
  other.prepNop(2);
  other.submit();
  assert.deepEqual(completions(ring, 1).map((c) => [c.userData, c.res]), [[1, POLLIN]]);
  assert.equal(complete(other).userData, 2);
  ring.prepPollAdd(other.fd, POLLIN, 1);
  assert.ok(isQuiet(ring), 'no more when they are reaped');
});
