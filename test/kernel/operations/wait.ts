// Waiting for what other interfaces of the kernel tell: epoll sets, futexes, child processes.
import assert from 'node:assert/strict';
import { readSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import koffi from 'koffi';
import {
  EAGAIN,
  EBADF,
  ECANCELED,
  ECHILD,
  EEXIST,
  EINVAL,
  ENOENT,
  ETIME,
} from '../../../src/abi/errno.ts';
import {
  CLD_CONTINUED,
  CLD_EXITED,
  CLD_KILLED,
  CLD_STOPPED,
  EPOLLONESHOT,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  FUTEX2_SIZE_U32,
  POLLIN,
  POLLOUT,
  P_ALL,
  P_PID,
  P_PIDFD,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WSTOPPED,
} from '../../../src/abi/event-flags.ts';
import { IOSQE_IO_LINK } from '../../../src/abi/flags.ts';
import { EpollEvents, Siginfo, type IoUring } from '../../../src/index.ts';
import { it } from '../../asking.ts';
import { finalized } from '../collect.ts';
import { Descriptors } from '../libc.ts';
import { complete } from '../reap.ts';
import { Children, pidfdOpen } from './children.ts';
import { completions, isQuiet, results } from './completions.ts';
import { openRing } from './recorder.ts';
import { any, refused } from './refused.ts';

const epollCreate = koffi.load(null).func('int epoll_create1(int flags)') as (flags: number) => number;

/** An epoll set. */
function epollSet(files: Descriptors): number {
  return files.own(epollCreate(0o2000000));
}

const SIGCHLD = 17;

/**
 * Operation 1 was ended by 2. Where others say 0, cancelling a futex or a child's wait says how many it was; and so
 * does a time limit, where others say -ETIME.
 */
function assertEnded(ring: IoUring, said: number): void {
  const found = results(ring, 2);
  assert.equal(found.get(1), -ECANCELED);
  assert.ok([said, 1].includes(found.get(2)!), `${found.get(2)}`);
}

it('IORING_OP_EPOLL_CTL: adds, changes and removes; the set obeys', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const set = epollSet(files);
  const [reader, writer] = files.pipe();
  const events = new EpollEvents(4);
  writeSync(writer, 'x');

  ring.prepEpollCtl(set, EPOLL_CTL_ADD, reader, { events: POLLIN, data: 2n ** 64n - 1n }, 1);
  assert.equal(complete(ring).res, 0);
  ring.prepEpollWait(set, events, 2);
  assert.equal(complete(ring).res, 1);
  assert.deepEqual([...events.entries(1)], [{ events: POLLIN, data: 2n ** 64n - 1n }]);

  ring.prepEpollCtl(set, EPOLL_CTL_MOD, reader, { events: POLLIN | EPOLLONESHOT, data: 42 }, 1);
  assert.equal(complete(ring).res, 0);
  ring.prepEpollWait(set, events, 2);
  assert.equal(complete(ring).res, 1);
  assert.equal(events.data(0), 42n);
  ring.prepEpollWait(set, events, 2);
  ring.submit();
  assert.ok(isQuiet(ring), 'once');

  ring.prepEpollCtl(set, EPOLL_CTL_MOD, reader, { events: POLLIN }, 1);
  assert.deepEqual(results(ring, 2), new Map([[1, 0], [2, 1]]));
  assert.equal(events.data(0), BigInt(reader), 'the descriptor, where nothing else is said');

  ring.prepEpollCtl(set, EPOLL_CTL_DEL, reader, null, 1);
  assert.equal(complete(ring).res, 0);
  ring.prepEpollWait(set, events, 2);
  ring.submit();
  assert.ok(isQuiet(ring));
  ring.prepCancel(2, 3);
  assert.deepEqual(results(ring, 2), new Map([[2, -ECANCELED], [3, 0]]));
});

it('IORING_OP_EPOLL_CTL: the errors of epoll_ctl(2)', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const set = epollSet(files);
  const [reader] = files.pipe();
  const control = (epfd: number, op: number, fd: number, event: { events: number } | null): number => {
    ring.prepEpollCtl(epfd, op, fd, event, 1);
    return complete(ring).res;
  };
  assert.equal(control(set, EPOLL_CTL_MOD, reader, { events: POLLIN }), -ENOENT);
  assert.equal(control(set, EPOLL_CTL_DEL, reader, null), -ENOENT);
  assert.equal(control(set, EPOLL_CTL_ADD, reader, { events: POLLIN }), 0);
  assert.equal(control(set, EPOLL_CTL_ADD, reader, { events: POLLIN }), -EEXIST);
  assert.equal(control(set, EPOLL_CTL_ADD, 1_000_000, { events: POLLIN }), -EBADF);
  assert.equal(control(-1, EPOLL_CTL_ADD, reader, { events: POLLIN }), -EBADF);
  assert.equal(control(reader, EPOLL_CTL_ADD, set, { events: POLLIN }), -EINVAL, 'a pipe is no epoll set');
  assert.equal(control(set, 99, reader, { events: POLLIN }), -EINVAL);
  assert.equal(control(set, EPOLL_CTL_DEL, reader, { events: 0 }), 0, 'an event is ignored there');
});

it('IORING_OP_EPOLL_CTL: misuse throws, and queues nothing', () => {
  using ring = openRing(8);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepEpollCtl(any('0'), EPOLL_CTL_ADD, 0, { events: 0 }, 1),
    () => ring.prepEpollCtl(0, any('add'), 0, { events: 0 }, 1),
    () => ring.prepEpollCtl(0, EPOLL_CTL_ADD, any(null), { events: 0 }, 1),
    () => ring.prepEpollCtl(0, EPOLL_CTL_ADD, 0, null, 1),
    () => ring.prepEpollCtl(0, EPOLL_CTL_ADD, 0, any(undefined), 1),
    () => ring.prepEpollCtl(0, EPOLL_CTL_ADD, 0, any(POLLIN), 1),
    () => ring.prepEpollCtl(0, EPOLL_CTL_MOD, 0, { events: any('in') }, 1),
    () => ring.prepEpollCtl(0, EPOLL_CTL_MOD, 0, { events: 0, data: any('x') }, 1),
    () => ring.prepEpollCtl(0, EPOLL_CTL_DEL, 0, null, any(null)),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepEpollCtl(0, -1, 0, { events: 0 }, 1),
    () => ring.prepEpollCtl(0, EPOLL_CTL_ADD, 0, { events: 2 ** 32 }, 1),
    () => ring.prepEpollCtl(0, EPOLL_CTL_ADD, 0, { events: 0, data: -1 }, 1),
    () => ring.prepEpollCtl(0, EPOLL_CTL_ADD, 0, { events: 0, data: 2n ** 64n }, 1),
  ]);
});

it('IORING_OP_EPOLL_WAIT: waits for the first event, and tells as many as there is room for', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const set = epollSet(files);
  const pairs = [1, 2, 3].map((data) => {
    const [a, b] = files.socketPair();
    ring.prepEpollCtl(set, EPOLL_CTL_ADD, a, { events: POLLIN, data }, 9);
    assert.equal(complete(ring).res, 0);
    return { a, b };
  });
  const events = new EpollEvents(2);
  ring.prepEpollWait(set, events, 1);
  ring.submit();
  assert.ok(isQuiet(ring));
  writeSync(pairs[1].b, 'x');
  assert.equal(complete(ring).res, 1);
  assert.deepEqual([...events.entries(1)], [{ events: POLLIN, data: 2n }]);
  for (const { b } of pairs) writeSync(b, 'x');
  ring.prepEpollWait(set, events, 1);
  assert.equal(complete(ring).res, 2);
  for (const { a } of pairs) readSync(a, new Uint8Array(8));
  ring.prepEpollCtl(set, EPOLL_CTL_MOD, pairs[2].a, { events: POLLOUT, data: 3 }, 9);
  assert.equal(complete(ring).res, 0);
  ring.prepEpollWait(set, events, 1);
  assert.equal(complete(ring).res, 1);
  assert.deepEqual([...events.entries(1)], [{ events: POLLOUT, data: 3n }]);
});

it('IORING_OP_EPOLL_WAIT: its memory is kept while it waits', async () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const set = epollSet(files);
  const [reader, writer] = files.pipe();
  ring.prepEpollCtl(set, EPOLL_CTL_ADD, reader, { events: POLLIN, data: 5 }, 9);
  assert.equal(complete(ring).res, 0);
  const wait = (): WeakRef<EpollEvents> => {
    const events = new EpollEvents(1);
    ring.prepEpollWait(set, events, 1);
    ring.submit();
    return new WeakRef(events);
  };
  const events = wait();
  await finalized();
  assert.ok(events.deref());
  writeSync(writer, 'x');
  assert.equal(complete(ring).res, 1);
  assert.equal(events.deref()!.data(0), 5n);
  await finalized();
  assert.equal(events.deref(), undefined);
});

it('IORING_OP_EPOLL_WAIT: of what is no epoll set; misuse', () => {
  using files = new Descriptors();
  using ring = openRing(8);
  const [reader] = files.pipe();
  for (const [fd, error] of [[reader, -EINVAL], [-1, -EBADF]]) {
    ring.prepEpollWait(fd, new EpollEvents(1), 1);
    assert.equal(complete(ring).res, error);
  }
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepEpollWait(any(null), new EpollEvents(1), 1),
    () => ring.prepEpollWait(0, any(new Uint8Array(12)), 1),
    () => ring.prepEpollWait(0, any(null), 1),
    () => ring.prepEpollWait(0, any(Object.create(EpollEvents.prototype)), 1),
    () => ring.prepEpollWait(0, new EpollEvents(1), any('1')),
  ]);
});

it('IORING_OP_FUTEX_WAIT: until it is woken by another ring', () => {
  using ring = openRing(8);
  using other = openRing(8);
  const futex = new Int32Array([7, 8]);
  ring.prepFutexWait(futex, 7, 1);
  ring.submit();
  assert.ok(isQuiet(ring));
  other.prepFutexWake(futex, 1, 2);
  assert.deepEqual(results(other, 1), new Map([[2, 1]]));
  assert.deepEqual(results(ring, 1), new Map([[1, 0]]));
});

it('IORING_OP_FUTEX_WAIT: is not begun where another value stands', () => {
  using ring = openRing(8);
  const futex = new Uint32Array([2 ** 32 - 1]);
  ring.prepFutexWait(futex, 0, 1);
  assert.equal(complete(ring).res, -EAGAIN);
  for (const value of [-1, 2 ** 32 - 1]) {
    ring.prepFutexWait(futex, value, 1);
    ring.submit();
    assert.ok(isQuiet(ring), 'the same 32 bits');
    ring.prepCancel(1, 2);
    assertEnded(ring, 0);
  }
});

it('IORING_OP_FUTEX_WAIT: between threads, on shared memory', async () => {
  using ring = openRing(8);
  const shared = new Int32Array(new SharedArrayBuffer(8), 4);
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.module).then(({ IoUring }) => {
      const ring = new IoUring(8);
      const woken = [];
      parentPort.on('message', () => {
        Atomics.store(workerData.shared, 0, 1);
        ring.prepFutexWake(workerData.shared, 100, 1);
        ring.submitAndWait(1);
        ring.forEachCompletion((c) => woken.push(c.res));
        ring.prepFutexWait(workerData.shared, 1, 2);
        ring.submit();
        parentPort.postMessage(woken);
        ring.submitAndWait(1);
        ring.forEachCompletion((c) => woken.push(c.res));
        ring.close();
        parentPort.postMessage(woken);
        parentPort.close();
      });
      parentPort.postMessage([]);
    });`;
  const module = new URL('../../../src/index.js', import.meta.url).href;
  const worker = new Worker(code, { eval: true, workerData: { module, shared } });
  const answer = (): Promise<number[]> =>
    new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  const gone = new Promise((resolve) => worker.once('exit', resolve));
  await answer();
  ring.prepFutexWait(shared, 0, 1);
  ring.submit();
  worker.postMessage('wake');
  assert.deepEqual(await answer(), [1]);
  assert.equal(complete(ring).res, 0);
  assert.equal(shared[0], 1);
  ring.prepFutexWake(shared, 1, 2);
  assert.equal(complete(ring).res, 1);
  assert.deepEqual(await answer(), [1, 0]);
  await gone;
});

it('IORING_OP_FUTEX_WAIT: its memory is kept while it waits', async () => {
  using ring = openRing(8);
  const wait = (): WeakRef<Int32Array> => {
    const futex = new Int32Array(1);
    ring.prepFutexWait(futex, 0, 1);
    ring.submit();
    return new WeakRef(futex);
  };
  const futex = wait();
  await finalized();
  ring.prepFutexWake(futex.deref()!, 1, 2);
  assert.deepEqual(results(ring, 2), new Map([[2, 1], [1, 0]]));
  await finalized();
  assert.equal(futex.deref(), undefined);
});

it('IORING_OP_FUTEX_WAIT: misuse throws, and queues nothing; flags that the kernel does not know', () => {
  using ring = openRing(8);
  const futex = new Int32Array(1);
  ring.prepFutexWait(futex, 0, 1, { flags: 0x40 });
  assert.equal(complete(ring).res, -EINVAL);
  ring.prepFutexWait(futex, 0, 1, { mask: 0 });
  assert.equal(complete(ring).res, -EINVAL);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepFutexWait(any(new BigInt64Array(1)), 0, 1),
    () => ring.prepFutexWait(any([0]), 0, 1),
    () => ring.prepFutexWait(any(futex.buffer), 0, 1),
    () => ring.prepFutexWait(futex, any(0n), 1),
    () => ring.prepFutexWait(futex, 0, 1, { mask: any('1') }),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepFutexWait(new Int32Array(0), 0, 1),
    () => ring.prepFutexWait(futex, 2 ** 32, 1),
    () => ring.prepFutexWait(futex, -(2 ** 31) - 1, 1),
    () => ring.prepFutexWait(futex, 0, 1, { mask: 2 ** 32 }),
    () => ring.prepFutexWait(futex, 0, 1, { flags: -1 }),
    () => ring.prepFutexWait(futex, 0, -1),
  ]);
});

it('IORING_OP_FUTEX_WAKE: so many of those whose mask fits; the rest goes on waiting', () => {
  using ring = openRing(16);
  const futex = new Int32Array(1);
  for (const userData of [1, 2, 3]) ring.prepFutexWait(futex, 0, userData, { mask: 0b01 });
  ring.prepFutexWait(futex, 0, 4, { mask: 0b10 });
  ring.submit();
  const wake = (nr: number, mask?: number): number => {
    ring.prepFutexWake(futex, nr, 9, mask === undefined ? {} : { mask });
    const woken = completions(ring, 1)[0].res;
    if (woken > 0) completions(ring, woken);
    return woken;
  };
  ring.prepFutexWake(futex, 100, 9, { mask: 0b100 });
  assert.equal(complete(ring).res, 0, 'nobody waits with that');
  ring.prepFutexWake(futex, 100, 9, { mask: 0b10 });
  assert.deepEqual(results(ring, 2), new Map([[9, 1], [4, 0]]));
  ring.prepFutexWake(futex, 2, 9);
  assert.deepEqual(results(ring, 3), new Map([[9, 2], [1, 0], [2, 0]]));
  assert.ok(isQuiet(ring));
  assert.equal(wake(0), 0);
  ring.prepFutexWake(futex, 2 ** 31 - 1, 9);
  assert.deepEqual(results(ring, 2), new Map([[9, 1], [3, 0]]));
  assert.equal(wake(1), 0);
});

it('IORING_OP_FUTEX_WAKE: private ones and those shared with other processes are not the same', () => {
  using ring = openRing(16);
  const futex = new Int32Array(1);
  ring.prepFutexWait(futex, 0, 1, { flags: FUTEX2_SIZE_U32 });
  ring.prepFutexWake(futex, 1, 2);
  assert.deepEqual(results(ring, 1), new Map([[2, 0]]));
  ring.prepFutexWake(futex, 1, 3, { flags: FUTEX2_SIZE_U32 });
  assert.deepEqual(results(ring, 2), new Map([[3, 1], [1, 0]]));
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepFutexWake(futex, -1, 1),
    () => ring.prepFutexWake(futex, 2 ** 31, 1),
    () => ring.prepFutexWake(new Uint32Array(0), 1, 1),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepFutexWake(any(null), 1, 1),
    () => ring.prepFutexWake(futex, any('1'), 1),
  ]);
});

it('IORING_OP_FUTEX_WAITV: tells which of several was woken', () => {
  using ring = openRing(8);
  using other = openRing(8);
  const memory = new Int32Array([5, 6, 7]);
  const shared = new Uint32Array(new SharedArrayBuffer(4));
  const futexes = [memory.subarray(0, 1), memory.subarray(1, 2), shared, memory.subarray(2)];
  for (const [i, futex] of futexes.entries()) {
    ring.prepFutexWaitv(futexes.map((one) => ({ futex: one, value: one[0] })), 1);
    ring.submit();
    assert.ok(isQuiet(ring));
    other.prepFutexWake(futex, 1, 2);
    assert.equal(complete(other).res, 1);
    assert.deepEqual(results(ring, 1), new Map([[1, i]]));
  }
});

it('IORING_OP_FUTEX_WAITV: one with another value, the most there can be, and an end by a time limit', () => {
  using ring = openRing(8);
  const waiters = Array.from({ length: 128 }, () => ({ futex: new Int32Array(1), value: 0 }));
  ring.prepFutexWaitv(waiters, 1);
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepLinkTimeout(1, 2);
  assertEnded(ring, -ETIME);
  ring.prepFutexWaitv([...waiters.slice(1), { futex: new Int32Array(1), value: 1 }], 1);
  assert.equal(complete(ring).res, -EAGAIN);
});

it('IORING_OP_FUTEX_WAITV: the memory of all is kept while it waits', async () => {
  using ring = openRing(8);
  const wait = (): WeakRef<Int32Array>[] => {
    const futexes = [new Int32Array(1), new Int32Array(1)];
    ring.prepFutexWaitv(futexes.map((futex) => ({ futex, value: 0 })), 1);
    ring.submit();
    return futexes.map((futex) => new WeakRef(futex));
  };
  const futexes = wait();
  await finalized();
  assert.ok(futexes[0].deref());
  ring.prepFutexWake(futexes[1].deref()!, 1, 2);
  assert.deepEqual(results(ring, 2), new Map([[2, 1], [1, 1]]));
  await finalized();
  assert.deepEqual(futexes.map((futex) => futex.deref()), [undefined, undefined]);
});

it('IORING_OP_FUTEX_WAITV: misuse throws, and queues nothing', () => {
  using ring = openRing(8);
  const futex = new Int32Array(1);
  const waiter = { futex, value: 0 };
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepFutexWaitv(any(waiter), 1),
    () => ring.prepFutexWaitv([any(null)], 1),
    () => ring.prepFutexWaitv([waiter, any({ value: 0 })], 1),
    () => ring.prepFutexWaitv([any({ futex, value: '0' })], 1),
    () => ring.prepFutexWaitv([any({ futex, value: 0, flags: '2' })], 1),
    () => ring.prepFutexWaitv([waiter], any(undefined)),
  ]);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepFutexWaitv([], 1),
    () => ring.prepFutexWaitv(Array.from({ length: 129 }, () => waiter), 1),
    () => ring.prepFutexWaitv([{ futex: new Int32Array(0), value: 0 }], 1),
    () => ring.prepFutexWaitv([{ futex, value: 2 ** 32 }], 1),
    () => ring.prepFutexWaitv([{ futex, value: 0, flags: 2 ** 32 }], 1),
  ]);
});

it('IORING_OP_WAITID: tells the exit code of a child, and collects it', () => {
  using children = new Children();
  using ring = openRing(8);
  const pid = children.shell('exit 7');
  const info = new Siginfo();
  assert.deepEqual(info.toJSON(), { signo: 0, code: 0, pid: 0, uid: 0, status: 0 });
  ring.prepWaitid(P_PID, pid, WEXITED, info, 1);
  assert.equal(complete(ring).res, 0);
  children.collected(pid);
  const uid = process.getuid!();
  assert.deepEqual(info.toJSON(), { signo: SIGCHLD, code: CLD_EXITED, pid, uid, status: 7 });
  ring.prepWaitid(P_PID, pid, WEXITED, null, 1);
  assert.equal(complete(ring).res, -ECHILD);
});

it('IORING_OP_WAITID: what becomes of a child: stopped, going on, killed; WNOHANG does not wait', () => {
  using children = new Children();
  using ring = openRing(8);
  const pid = children.shell('exec sleep 60');
  const info = new Siginfo();
  const wait = (options: number): Siginfo => {
    ring.prepWaitid(P_PID, pid, options, info, 1);
    assert.equal(complete(ring).res, 0);
    return info;
  };
  assert.equal(wait(WEXITED | WNOHANG).pid, 0, 'it is still running');
  process.kill(pid, 'SIGSTOP');
  assert.deepEqual([wait(WSTOPPED).code, info.pid, info.status], [CLD_STOPPED, pid, 19]);
  process.kill(pid, 'SIGCONT');
  assert.deepEqual([wait(WCONTINUED).code, info.pid, info.status], [CLD_CONTINUED, pid, 18]);
  process.kill(pid, 'SIGKILL');
  assert.deepEqual([wait(WEXITED | WNOWAIT).code, info.status], [CLD_KILLED, 9]);
  assert.deepEqual([wait(WEXITED).code, info.pid], [CLD_KILLED, pid], 'it was left to be waited for');
  children.collected(pid);
});

it('IORING_OP_WAITID: by a descriptor of the process, and of any child at all', () => {
  using files = new Descriptors();
  using children = new Children();
  using ring = openRing(8);
  const info = new Siginfo();
  const first = children.shell('exit 1');
  ring.prepWaitid(P_PIDFD, files.own(pidfdOpen(first)), WEXITED, info, 1);
  assert.equal(complete(ring).res, 0);
  children.collected(first);
  assert.deepEqual([info.pid, info.status], [first, 1]);
  const second = children.shell('exit 2');
  ring.prepWaitid(P_ALL, 0, WEXITED, info, 1);
  assert.equal(complete(ring).res, 0);
  children.collected(second);
  assert.deepEqual([info.pid, info.status], [second, 2]);
  ring.prepWaitid(P_ALL, 0, WEXITED, info, 1);
  assert.equal(complete(ring).res, -ECHILD);
});

it('IORING_OP_WAITID: can be cancelled, and limited in time; the child goes on', () => {
  using children = new Children();
  using ring = openRing(8);
  const pid = children.shell('exec sleep 60');
  ring.prepWaitid(P_PID, pid, WEXITED, new Siginfo(), 1);
  ring.submit();
  assert.ok(isQuiet(ring));
  ring.prepCancel(1, 2);
  assertEnded(ring, 0);
  ring.prepWaitid(P_PID, pid, WEXITED, null, 1);
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepLinkTimeout(1, 2);
  assertEnded(ring, -ETIME);
  assert.ok(process.kill(pid, 0));
});

it('IORING_OP_WAITID: its memory is kept while it waits', async () => {
  using children = new Children();
  using ring = openRing(8);
  const pid = children.shell('exec sleep 60');
  const wait = (): WeakRef<Siginfo> => {
    const info = new Siginfo();
    ring.prepWaitid(P_PID, pid, WEXITED, info, 1);
    ring.submit();
    return new WeakRef(info);
  };
  const info = wait();
  await finalized();
  assert.ok(info.deref());
  process.kill(pid, 'SIGTERM');
  assert.equal(complete(ring).res, 0);
  children.collected(pid);
  assert.deepEqual([info.deref()!.code, info.deref()!.status], [CLD_KILLED, 15]);
  await finalized();
  assert.equal(info.deref(), undefined);
});

it('IORING_OP_WAITID: the errors of waitid(2); misuse throws, and queues nothing', () => {
  using ring = openRing(8);
  const wait = (idtype: number, id: number, options: number): number => {
    ring.prepWaitid(idtype, id, options, null, 1);
    return complete(ring).res;
  };
  assert.equal(wait(99, 1, WEXITED), -EINVAL);
  assert.equal(wait(P_PID, 0, WEXITED), -EINVAL);
  assert.equal(wait(P_PID, 1, 0), -EINVAL);
  assert.equal(wait(P_PID, 1, WEXITED), -ECHILD, 'not a child of this process');
  assert.equal(wait(P_PIDFD, 1_000_000, WEXITED), -EBADF);
  refused(ring, 'ERR_OUT_OF_RANGE', [
    () => ring.prepWaitid(-1, 1, WEXITED, null, 1),
    () => ring.prepWaitid(P_PID, -1, WEXITED, null, 1),
    () => ring.prepWaitid(P_PID, 2 ** 31, WEXITED, null, 1),
    () => ring.prepWaitid(P_PID, 1, 2 ** 32, null, 1),
    () => ring.prepWaitid(P_PID, 1, WEXITED, null, -1),
  ]);
  refused(ring, 'ERR_INVALID_ARG_TYPE', [
    () => ring.prepWaitid(any('pid'), 1, WEXITED, null, 1),
    () => ring.prepWaitid(P_PID, any(null), WEXITED, null, 1),
    () => ring.prepWaitid(P_PID, 1, any('exited'), null, 1),
    () => ring.prepWaitid(P_PID, 1, WEXITED, any(new Uint8Array(128)), 1),
    () => ring.prepWaitid(P_PID, 1, WEXITED, any(undefined), 1),
  ]);
});
