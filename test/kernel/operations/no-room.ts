// What holds for every prep method: no room, no ring, no userData.
import assert from 'node:assert/strict';
import { EPOLL_CTL_DEL } from '../../../src/abi/event-flags.ts';
import { IORING_OP_NOP, OPERATIONS } from '../../../src/abi/operations.ts';
import {
  allocateAligned,
  EpollEvents,
  IoUring,
  Msghdr,
  Siginfo,
  SocketAddressBuffer,
  Statx,
  type UserData,
} from '../../../src/index.ts';
import { coreOf } from '../../../src/ring/ring-core.ts';
import { it } from '../../asking.ts';
import { completions } from './completions.ts';
import { openRing } from './recorder.ts';
import { any, refused } from './refused.ts';

type Prepare = (ring: IoUring, userData: UserData) => boolean;

const memory = new Uint8Array(64);
const words = new Int32Array(4);
const page = allocateAligned(65536, 65536);

/** A way to queue each. */
const PREPARE: [operation: string, prepare: Prepare][] = [
  ['IORING_OP_NOP', (ring, userData) => ring.prepNop(userData)],
  ['IORING_OP_NOP', (ring, userData) => ring.prepNop(userData, { result: 1 })],
  ['IORING_OP_NOP', (ring, userData) => ring.prepSqe({ opcode: IORING_OP_NOP }, userData)],
  ['IORING_OP_NOP', (ring, userData) => ring.prepSqe({ opcode: IORING_OP_NOP, addr: memory }, userData)],
  ['IORING_OP_NOP128', (ring, userData) => ring.prepNop128(userData)],
  ['IORING_OP_TIMEOUT', (ring, userData) => ring.prepTimeout(1, userData)],
  ['IORING_OP_TIMEOUT_REMOVE', (ring, userData) => ring.prepTimeoutRemove(1, userData)],
  ['IORING_OP_TIMEOUT_REMOVE', (ring, userData) => ring.prepTimeoutUpdate(1, 1, userData)],
  ['IORING_OP_LINK_TIMEOUT', (ring, userData) => ring.prepLinkTimeout(1, userData)],
  ['IORING_OP_POLL_ADD', (ring, userData) => ring.prepPollAdd(0, 1, userData)],
  ['IORING_OP_POLL_REMOVE', (ring, userData) => ring.prepPollRemove(1, userData)],
  ['IORING_OP_POLL_REMOVE', (ring, userData) => ring.prepPollUpdate(1, userData, { events: 1, newUserData: 2 })],
  ['IORING_OP_ASYNC_CANCEL', (ring, userData) => ring.prepCancel(1, userData)],
  ['IORING_OP_ASYNC_CANCEL', (ring, userData) => ring.prepCancel({ any: true }, userData)],
  ['IORING_OP_ASYNC_CANCEL', (ring, userData) => ring.prepCancelFd(0, userData)],
  ['IORING_OP_MSG_RING', (ring, userData) => ring.prepMsgRing(0, 1, 1, userData, { cqeFlags: 1 })],
  ['IORING_OP_MSG_RING', (ring, userData) => ring.prepMsgRingFd(0, 1, 'alloc', 1, userData)],
  ['IORING_OP_FILES_UPDATE', (ring, userData) => ring.prepFilesUpdate(words, 0, userData)],
  ['IORING_OP_FIXED_FD_INSTALL', (ring, userData) => ring.prepFixedFdInstall(0, userData)],
  ['IORING_OP_PROVIDE_BUFFERS', (ring, userData) => ring.prepProvideBuffers(memory, 8, 8, 1, 0, userData)],
  ['IORING_OP_REMOVE_BUFFERS', (ring, userData) => ring.prepRemoveBuffers(1, 1, userData)],
  ['IORING_OP_EPOLL_CTL', (ring, userData) => ring.prepEpollCtl(0, EPOLL_CTL_DEL, 0, null, userData)],
  ['IORING_OP_EPOLL_WAIT', (ring, userData) => ring.prepEpollWait(0, new EpollEvents(1), userData)],
  ['IORING_OP_FUTEX_WAIT', (ring, userData) => ring.prepFutexWait(words, 0, userData)],
  ['IORING_OP_FUTEX_WAKE', (ring, userData) => ring.prepFutexWake(words, 0, userData)],
  ['IORING_OP_FUTEX_WAITV', (ring, userData) => ring.prepFutexWaitv([{ futex: words, value: 0 }], userData)],
  ['IORING_OP_WAITID', (ring, userData) => ring.prepWaitid(0, 0, 4, new Siginfo(), userData)],
  ['IORING_OP_URING_CMD', (ring, userData) => ring.prepUringCmd(0, 0, userData, { addr: memory, addr3: memory })],
  ['IORING_OP_URING_CMD', (ring, userData) => ring.prepCmdSock(0, 0, 0, 0, memory, userData)],
  ['IORING_OP_URING_CMD', (ring, userData) => ring.prepCmdGetsockname(0, new SocketAddressBuffer(), userData)],
  ['IORING_OP_URING_CMD', (ring, userData) => ring.prepCmdDiscard(0, 0, 0, userData)],
  ['IORING_OP_URING_CMD', (ring, userData) => ring.prepCmdZoneResetAll(0, userData)],
  ['IORING_OP_URING_CMD128', (ring, userData) => ring.prepUringCmd128(0, 0, userData, { cmd: memory })],
  ['IORING_OP_READ', (ring, userData) => ring.prepRead(0, memory, 8, userData)],
  ['IORING_OP_READ', (ring, userData) => ring.prepRead(0, null, 8, userData)],
  ['IORING_OP_WRITE', (ring, userData) => ring.prepWrite(0, memory, 8, userData, 0)],
  ['IORING_OP_READ_FIXED', (ring, userData) => ring.prepRead(0, memory, 8, userData, 0, { fixed: 0 })],
  ['IORING_OP_WRITE_FIXED', (ring, userData) => ring.prepWrite(0, memory, 8, userData, 0, { fixed: 0 })],
  ['IORING_OP_READV', (ring, userData) => ring.prepReadv(0, [memory], userData)],
  ['IORING_OP_WRITEV', (ring, userData) => ring.prepWritev(0, [memory, words], userData)],
  ['IORING_OP_READ_MULTISHOT', (ring, userData) => ring.prepReadMultishot(0, 9, userData)],
  ['IORING_OP_FSYNC', (ring, userData) => ring.prepFsync(0, userData)],
  ['IORING_OP_SYNC_FILE_RANGE', (ring, userData) => ring.prepSyncFileRange(0, 0, 0, 0, userData)],
  ['IORING_OP_FALLOCATE', (ring, userData) => ring.prepFallocate(0, 0, 0, 1, userData)],
  ['IORING_OP_FTRUNCATE', (ring, userData) => ring.prepFtruncate(0, 0, userData)],
  ['IORING_OP_FADVISE', (ring, userData) => ring.prepFadvise(0, 0, 0, 0, userData)],
  ['IORING_OP_MADVISE', (ring, userData) => ring.prepMadvise(page, 65536, 0, userData)],
  ['IORING_OP_SPLICE', (ring, userData) => ring.prepSplice(0, null, 1, null, 1, userData)],
  ['IORING_OP_TEE', (ring, userData) => ring.prepTee(0, 1, 1, userData)],
  ['IORING_OP_CLOSE', (ring, userData) => ring.prepClose(0, userData)],
  ['IORING_OP_CLOSE', (ring, userData) => ring.prepCloseDirect(0, userData)],
  ['IORING_OP_PIPE', (ring, userData) => ring.prepPipe(words, userData)],
  ['IORING_OP_OPENAT', (ring, userData) => ring.prepOpenat(-100, 'x', 0, userData)],
  ['IORING_OP_OPENAT', (ring, userData) => ring.prepOpen('x', 0, userData, { direct: 'alloc' })],
  ['IORING_OP_OPENAT2', (ring, userData) => ring.prepOpenat2(-100, 'x', {}, userData)],
  ['IORING_OP_STATX', (ring, userData) => ring.prepStatx(-100, 'x', 0, 0, new Statx(), userData)],
  ['IORING_OP_RENAMEAT', (ring, userData) => ring.prepRenameat(-100, 'x', -100, 'y', userData)],
  ['IORING_OP_RENAMEAT', (ring, userData) => ring.prepRename('x', 'y', userData)],
  ['IORING_OP_UNLINKAT', (ring, userData) => ring.prepUnlinkat(-100, 'x', 0, userData)],
  ['IORING_OP_UNLINKAT', (ring, userData) => ring.prepUnlink('x', userData)],
  ['IORING_OP_MKDIRAT', (ring, userData) => ring.prepMkdirat(-100, 'x', 0, userData)],
  ['IORING_OP_MKDIRAT', (ring, userData) => ring.prepMkdir('x', 0, userData)],
  ['IORING_OP_SYMLINKAT', (ring, userData) => ring.prepSymlinkat('x', -100, 'y', userData)],
  ['IORING_OP_SYMLINKAT', (ring, userData) => ring.prepSymlink('x', 'y', userData)],
  ['IORING_OP_LINKAT', (ring, userData) => ring.prepLinkat(-100, 'x', -100, 'y', 0, userData)],
  ['IORING_OP_LINKAT', (ring, userData) => ring.prepLink('x', 'y', userData)],
  ['IORING_OP_GETXATTR', (ring, userData) => ring.prepGetxattr('x', 'user.x', memory, userData)],
  ['IORING_OP_SETXATTR', (ring, userData) => ring.prepSetxattr('x', 'user.x', memory, userData)],
  ['IORING_OP_FGETXATTR', (ring, userData) => ring.prepFgetxattr(0, 'user.x', memory, userData)],
  ['IORING_OP_FSETXATTR', (ring, userData) => ring.prepFsetxattr(0, 'user.x', memory, userData)],
  ['IORING_OP_SOCKET', (ring, userData) => ring.prepSocket(2, 1, 0, userData)],
  ['IORING_OP_BIND', (ring, userData) => ring.prepBind(0, { address: '::1', port: 1 }, userData)],
  ['IORING_OP_CONNECT', (ring, userData) => ring.prepConnect(0, { path: 'x' }, userData)],
  ['IORING_OP_LISTEN', (ring, userData) => ring.prepListen(0, 1, userData)],
  ['IORING_OP_ACCEPT', (ring, userData) => ring.prepAccept(0, userData)],
  ['IORING_OP_ACCEPT', (ring, userData) => ring.prepAccept(0, userData, { address: new SocketAddressBuffer() })],
  ['IORING_OP_ACCEPT', (ring, userData) => ring.prepAcceptMultishot(0, userData)],
  ['IORING_OP_SHUTDOWN', (ring, userData) => ring.prepShutdown(0, 0, userData)],
  ['IORING_OP_SEND', (ring, userData) => ring.prepSend(0, memory, 8, userData)],
  ['IORING_OP_SEND', (ring, userData) => ring.prepSendto(0, memory, 8, { path: 'x' }, userData)],
  ['IORING_OP_SEND', (ring, userData) => ring.prepSendv(0, [memory], userData)],
  ['IORING_OP_SEND', (ring, userData) => ring.prepSendBundle(0, 9, userData)],
  ['IORING_OP_SEND_ZC', (ring, userData) => ring.prepSendZc(0, memory, 8, userData)],
  ['IORING_OP_SENDMSG', (ring, userData) => ring.prepSendmsg(0, { iov: [memory] }, userData)],
  ['IORING_OP_SENDMSG_ZC', (ring, userData) => ring.prepSendmsgZc(0, { iov: [memory] }, userData)],
  ['IORING_OP_RECV', (ring, userData) => ring.prepRecv(0, memory, 8, userData)],
  ['IORING_OP_RECV', (ring, userData) => ring.prepRecvMultishot(0, 9, userData)],
  ['IORING_OP_RECVMSG', (ring, userData) => ring.prepRecvmsg(0, new Msghdr(), userData)],
  ['IORING_OP_RECVMSG', (ring, userData) => ring.prepRecvmsgMultishot(0, 9, new Msghdr(), userData)],
  ['IORING_OP_RECV_ZC', (ring, userData) => ring.prepRecvZc(0, 0, userData)],
];

it('every prep method stands in the table below, and no operation without one', () => {
  const called = new Set(PREPARE.map(([, prepare]) => /ring\.(prep\w+)/.exec(String(prepare))![1]));
  const all = new Set<string>();
  for (let p = IoUring.prototype as object; p !== Object.prototype; p = Object.getPrototypeOf(p) as object) {
    for (const name of Object.getOwnPropertyNames(p)) if (name.startsWith('prep')) all.add(name);
  }
  assert.deepEqual([...called].sort(), [...all].sort());
  const operations = new Set(PREPARE.map(([operation]) => operation));
  // The last two are READV and WRITEV of registered buffers, by the same methods.
  const rest = OPERATIONS.map(({ name }) => name).filter((name) => !operations.has(name));
  assert.deepEqual(rest, ['IORING_OP_READV_FIXED', 'IORING_OP_WRITEV_FIXED']);
});

it('what the table of operations says is lent until the completion is held, and where it says nothing, nothing is', () => {
  let holding = 0;
  for (const [operation, prepare] of PREPARE) {
    const { lends, result } = OPERATIONS.find(({ name }) => name === operation)!;
    using ring = openRing(4, { sqe128: true });
    ring.registerBufRing(2, 16, 9);
    const call = String(prepare);
    assert.ok(prepare(ring, 1), call);
    // The ring's own books, which TypeScript hides.
    const { size } = coreOf(ring).pins;
    const lasting = lends.some(
      ({ until, through, variant, what }) =>
        variant === undefined && what !== 'command' && (until !== 'submit' || (through && through.until !== 'submit')),
    );
    // Without a buffer, as for one that the kernel picks.
    if (lasting && !call.includes('null')) {
      assert.equal(size, 1, call);
      holding++;
    }
    // A descriptor that comes back is held on to as well, and so is a group of buffers.
    const brings = result.startsWith('the descriptor') || operation === 'IORING_OP_READ_MULTISHOT';
    if (lends.length === 0 && !call.includes('memory')) assert.equal(size, brings ? 1 : 0, call);
  }
  assert.ok(holding > 30);
});

for (const [operation, prepare] of PREPARE) {
  const call = String(prepare).replace(/^.*?=> ring\./, '');

  it(`${operation}: ${call} takes nothing from a full queue, and nothing is lost`, () => {
    using ring = openRing(2, { sqe128: true });
    ring.registerBufRing(2, 16, 9);
    for (let round = 0; round < 3; round++) {
      ring.prepNop(1);
      ring.prepNop(2);
      for (let i = 0; i < 5; i++) assert.equal(prepare(ring, 3), false);
      assert.equal(ring.sqReady, 2);
      refused(ring, 'ERR_INVALID_STATE', [() => ring.sqeSetFlags(0)]);
      assert.deepEqual(completions(ring, 2).map((c) => [c.userData, c.res]), [[1, 0], [2, 0]]);
    }
  });

  it(`${operation}: ${call} refuses userData that is none, and a closed ring`, () => {
    using ring = openRing(4, { sqe128: true });
    ring.registerBufRing(2, 16, 9);
    const outside = [-1, 0.5, NaN, 2 ** 53, -1n, 2n ** 64n];
    refused(ring, 'ERR_OUT_OF_RANGE', outside.map((value) => () => prepare(ring, value)));
    const others = ['1', undefined, null, {}, Symbol('x'), true];
    refused(ring, 'ERR_INVALID_ARG_TYPE', others.map((value) => () => prepare(ring, any(value))));
    ring.prepNop(7);
    assert.deepEqual(completions(ring, 1).map((c) => c.userData), [7]);
    ring.close();
    refused(ring, 'ERR_IOURING_CLOSED', [() => prepare(ring, 1)]);
  });
}
