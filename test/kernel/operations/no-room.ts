// What holds for every operation of control.ts, wait.ts and command.ts: no room, no ring, no userData.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { EPOLL_CTL_DEL } from '../../../src/abi/event-flags.ts';
import { IORING_OP_NOP } from '../../../src/abi/operations.ts';
import { EpollEvents, Siginfo, SocketAddressBuffer, type IoUring, type UserData } from '../../../src/index.ts';
import { completions } from './completions.ts';
import { openRing } from './recorder.ts';
import { any, refused } from './refused.ts';

type Prepare = (ring: IoUring, userData: UserData) => boolean;

const memory = new Uint8Array(64);
const words = new Int32Array(4);

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
];

for (const [operation, prepare] of PREPARE) {
  const call = String(prepare).replace(/^.*?=> ring\./, '');

  it(`${operation}: ${call} takes nothing from a full queue, and nothing is lost`, () => {
    using ring = openRing(2, { sqe128: true });
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
