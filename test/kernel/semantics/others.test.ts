// Children, futexes, epoll sets, file positions, pipes, and what a NOP can be made to do.
import assert from 'node:assert/strict';
import { openSync, readFileSync, readSync, writeSync } from 'node:fs';
import {
  EAGAIN,
  EBADF,
  ECANCELED,
  ECHILD,
  EFAULT,
  EINVAL,
  ENOENT,
  ESPIPE,
  ETIME,
} from '../../../src/abi/errno.ts';
import {
  CLD_EXITED,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  P_PID,
  POLLIN,
  WEXITED,
} from '../../../src/abi/event-flags.ts';
import { AT_FDCWD, STATX_SIZE } from '../../../src/abi/file-flags.ts';
import { IOSQE_FIXED_FILE, IOSQE_IO_HARDLINK, IOSQE_IO_LINK } from '../../../src/abi/flags.ts';
import { IORING_OP_STATX, IORING_OP_WAITID } from '../../../src/abi/operations.ts';
import { EpollEvents, IoUring, Siginfo, Statx } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { Children } from '../operations/children.ts';
import { completions, isQuiet, results } from '../operations/completions.ts';
import { complete } from '../reap.ts';
import { Temporary } from '../temporary.ts';
import { epollSet, eventfd } from './sockets.ts';

/** An address where nothing ever is. */
const NOWHERE = 16;

/** Scripts of a shell. */
const ENDS = 'exit 7';
const STAYS = 'exec sleep 1000';

it('case 119: what became of a child is told; a wait that is cancelled or limited ends without it', () => {
  using children = new Children();
  using ring = new IoUring(8);
  const stays = children.shell(STAYS);
  const info = new Siginfo();
  ring.prepWaitid(P_PID, stays, WEXITED, info, 1);
  ring.submit();
  assert.ok(isQuiet(ring));
  ring.prepCancel(1, 2);
  // Here the kernel counts, as if it had been told to end all.
  assert.deepEqual(results(ring, 2), new Map([[1, -ECANCELED], [2, 1]]));
  ring.prepWaitid(P_PID, stays, WEXITED, info, 1);
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepLinkTimeout(5, 2);
  const limited = results(ring, 2);
  assert.equal(limited.get(1), -ECANCELED);
  assert.ok([1, -ETIME].includes(limited.get(2)!), 'and the limit tells that number');
  assert.equal(info.signo, 0, 'nothing was told');

  const ends = children.shell(ENDS);
  ring.prepWaitid(P_PID, ends, WEXITED, info, 1);
  assert.equal(complete(ring).res, 0);
  children.collected(ends);
  assert.deepEqual([info.pid, info.code, info.status], [ends, CLD_EXITED, 7]);
  ring.prepWaitid(P_PID, ends, WEXITED, info, 1);
  assert.equal(complete(ring).res, -ECHILD);
});

it('case 119: a place for it that is none is EFAULT', { skip: without('6.7', 'IORING_OP_WAITID') }, () => {
  using children = new Children();
  using ring = new IoUring(8);
  const pid = children.shell(ENDS);
  ring.prepSqe({ opcode: IORING_OP_WAITID, fd: pid, len: P_PID, off: NOWHERE, fileIndex: WEXITED }, 1);
  assert.equal(complete(ring).res, -EFAULT);
  children.collected(pid);
});

it('case 120: a wake-up tells how many it woke; a wait for several tells which one; bad flags are EINVAL', () => {
  using ring = new IoUring(16);
  const futexes = [0, 1, 2].map(() => new Int32Array(new SharedArrayBuffer(4)));
  for (let i = 0; i < 5; i++) ring.prepFutexWait(futexes[0], 0, i);
  ring.submit();
  assert.ok(isQuiet(ring));
  ring.prepFutexWake(futexes[0], 0, 10);
  assert.equal(complete(ring).res, 0, 'none was asked for');
  ring.prepFutexWake(futexes[0], 2, 11);
  const two = completions(ring, 3);
  assert.equal(two.find((c) => c.userData === 11)?.res, 2);
  assert.ok(two.every((c) => c.userData === 11 || c.res === 0));
  ring.prepFutexWake(futexes[0], 100, 12);
  assert.equal(completions(ring, 4).find((c) => c.userData === 12)?.res, 3);

  for (const woken of [2, 0, 1]) {
    ring.prepFutexWaitv(futexes.map((futex) => ({ futex, value: 0 })), 1);
    ring.submit();
    assert.ok(isQuiet(ring));
    ring.prepFutexWake(futexes[woken], 1, 2);
    assert.deepEqual(results(ring, 2), new Map([[1, woken], [2, 1]]));
  }
  ring.prepFutexWait(futexes[0], 1, 1);
  assert.equal(complete(ring).res, -EAGAIN, 'that is not its value');
  for (
    const prep of [
      () => ring.prepFutexWait(futexes[0], 0, 1, { flags: 0x1000 }),
      () => ring.prepFutexWake(futexes[0], 1, 1, { flags: 0x1000 }),
      () => ring.prepFutexWaitv([{ futex: futexes[0], value: 0, flags: 0x1000 }], 1),
    ]
  ) {
    prep();
    assert.equal(complete(ring).res, -EINVAL);
  }
});

it('case 121: an epoll wait tells the number of events; who leaves the set takes his along', () => {
  using files = new Descriptors();
  using ring = new IoUring(8, { deferTaskrun: true });
  using other = new IoUring(8);
  const set = epollSet(files);
  const pipes = [0, 1, 2].map(() => files.pipe());
  const control = (op: number, i: number): void => {
    other.prepEpollCtl(set, op, pipes[i][0], op === EPOLL_CTL_ADD ? { events: POLLIN, data: i } : null, 1);
    assert.equal(complete(other).res, 0);
  };
  for (const i of pipes.keys()) control(EPOLL_CTL_ADD, i);
  const events = new EpollEvents(4);
  ring.prepEpollWait(set, events, 1);
  ring.submit();
  assert.ok(isQuiet(ring));
  writeSync(pipes[1][1], 'x');
  // The ring was woken, and looks only when it is entered.
  control(EPOLL_CTL_DEL, 1);
  assert.ok(isQuiet(ring), 'there is nothing any more');
  writeSync(pipes[0][1], 'x');
  writeSync(pipes[2][1], 'x');
  assert.deepEqual(results(ring, 1), new Map([[1, 2]]));
  assert.deepEqual([...events.entries(2)].map(({ data }) => data).sort(), [0n, 2n]);
});

it('case 122: without an offset reads and writes go on where the file is', {
  skip: without('5.18', 'transfers that follow the file'),
}, () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = new IoUring(8);
  const path = folder.file('data', 'abcdefghij');
  const fd = files.own(openSync(path, 'r+'));
  const buffers = Array.from({ length: 3 }, () => Buffer.alloc(2));
  for (const [i, buffer] of buffers.entries()) {
    ring.prepRead(fd, buffer, 2, i, [undefined, null, -1][i]);
    ring.sqeSetFlags(IOSQE_IO_LINK);
  }
  ring.prepRead(fd, Buffer.alloc(2), 2, 3, 0);
  ring.sqeSetFlags(IOSQE_IO_LINK);
  ring.prepWrite(fd, Buffer.from('XY'), 2, 4);
  assert.deepEqual(results(ring, 5), new Map([[0, 2], [1, 2], [2, 2], [3, 2], [4, 2]]));
  assert.deepEqual(buffers.map(String), ['ab', 'cd', 'ef']);
  assert.equal(readFileSync(path, 'utf8'), 'abcdefXYij', 'the one with an offset moved nothing');
  const rest = Buffer.alloc(8);
  ring.prepReadv(fd, [rest], 6);
  assert.equal(complete(ring).res, 2);
  assert.equal(rest.toString('utf8', 0, 2), 'ij');
  ring.prepRead(fd, rest, 8, 7);
  assert.equal(complete(ring).res, 0, 'the end');
});

it('case 123: a read from an eventfd returns 8 bytes, however many were asked for', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const fd = eventfd(files, 5);
  const buffer = Buffer.alloc(64, 0xff);
  ring.prepRead(fd, buffer, 64, 1);
  assert.equal(complete(ring).res, 8);
  assert.equal(buffer.readBigUInt64LE(), 5n);
  assert.equal(buffer.readBigUInt64LE(8), 2n ** 64n - 1n);
  ring.prepRead(fd, buffer, 64, 2);
  ring.submit();
  assert.ok(isQuiet(ring), 'it waits for the next');
  const one = Buffer.alloc(8);
  one.writeBigUInt64LE(3n);
  writeSync(fd, one);
  assert.equal(complete(ring).res, 8);
});

it('case 124: splice: no offset at a pipe; tee takes two pipes; nothing at all is fine', () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = new IoUring(8);
  const fd = files.own(openSync(folder.file('data', 'contents'), 'r+'));
  const [reader, writer] = files.pipe();
  const [reader2, writer2] = files.pipe();
  const splice = (from: number, offIn: number | null, to: number, offOut: number | null, bytes: number): number => {
    ring.prepSplice(from, offIn, to, offOut, bytes, 1);
    return complete(ring).res;
  };
  assert.equal(splice(fd, 0, writer, 0, 4), -ESPIPE);
  assert.equal(splice(reader, 0, fd, 0, 4), -ESPIPE);
  assert.equal(splice(fd, 2, writer, null, 0), 0);
  assert.equal(splice(fd, 2, writer, null, 4), 4);
  for (const [from, to] of [[fd, writer], [reader, fd]]) {
    ring.prepTee(from, to, 4, 1);
    assert.equal(complete(ring).res, -EINVAL);
  }
  ring.prepTee(reader, writer2, 4, 1);
  assert.equal(complete(ring).res, 4);
  const other = files.own(openSync(folder.file('other', 'abcdefgh'), 'r+'));
  assert.equal(splice(reader, null, other, 3, 4), 4);
  const copy = Buffer.alloc(4);
  assert.equal(readSync(reader2, copy), 4);
  assert.deepEqual([copy.toString(), readFileSync(`${folder.path}/other`, 'utf8')], ['nten', 'abcntenh']);
});

it('case 125: a path or a place that is not there is EFAULT, in the completion', () => {
  using folder = new Temporary();
  using ring = new IoUring(8);
  const path = folder.file('data', 'contents');
  const statx = new Statx();
  ring.prepStatx(AT_FDCWD, path, 0, STATX_SIZE, statx, 1);
  assert.equal(complete(ring).res, 0);
  assert.equal(statx.size, 8);
  const common = { opcode: IORING_OP_STATX, fd: AT_FDCWD, len: STATX_SIZE };
  ring.prepSqe({ ...common, addr: NOWHERE, off: new Uint8Array(256) }, 1);
  assert.equal(complete(ring).res, -EFAULT);
  ring.prepSqe({ ...common, addr: Buffer.from(`${path}\0`), off: NOWHERE }, 1);
  assert.equal(complete(ring).res, -EFAULT);
  ring.prepSqe({ ...common, addr: Buffer.from(`${path}x\0`), off: new Uint8Array(256) }, 1);
  assert.equal(complete(ring).res, -ENOENT);
});

it('case 126: a NOP goes the ways of files, slots, buffers, deferred work and any result', () => {
  using files = new Descriptors();
  using ring = new IoUring(8);
  const [reader] = files.pipe();
  ring.registerFiles([reader, -1]);
  ring.registerBuffers([new Uint8Array(64)]);
  const nop = (options: Parameters<IoUring['prepNop']>[1], flags = 0): number => {
    ring.prepNop(1, options);
    ring.sqeSetFlags(flags);
    return complete(ring).res;
  };
  assert.deepEqual([nop({ fd: reader }), nop({ fd: 1_000_000 })], [0, -EBADF]);
  assert.deepEqual([0, 1, 2].map((fd) => nop({ fd, fixedFile: true }, IOSQE_FIXED_FILE)), [0, -EBADF, -EBADF]);
  assert.deepEqual([0, 1].map((fixedBuffer) => nop({ fixedBuffer })), [0, -EFAULT]);
  assert.deepEqual([nop({ taskWork: true }), nop({ taskWork: true, result: 5 })], [0, 5]);
  assert.deepEqual([-(2 ** 31), -1, 2 ** 31 - 1].map((result) => nop({ result })), [-(2 ** 31), -1, 2 ** 31 - 1]);
  ring.prepNop(1, { taskWork: true, result: -7 });
  ring.sqeSetFlags(IOSQE_IO_HARDLINK);
  ring.prepNop(2, { taskWork: true });
  assert.deepEqual(results(ring, 2), new Map([[1, -7], [2, 0]]));
});
