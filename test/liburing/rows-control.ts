// The ring itself: nothing, time, poll, cancel, messages, registered files, provided buffers, modifiers.
import type { CancelMatch, Clock } from '../../src/ring/prepare/control.ts';
import { fileIndex, row, type Row } from './row.ts';

const IORING_POLL_ADD_MULTI = 1;
const IORING_POLL_ADD_LEVEL = 8;
const ALL = 1;

const CLOCKS: Record<Clock, number> = { monotonic: 0, boottime: 4, realtime: 8 };
const clocks = ['monotonic', 'boottime', 'realtime'] as const;

/** Milliseconds as a number, or nanoseconds as a bigint. */
const nanoseconds = (time: number | bigint): bigint =>
  typeof time === 'bigint' ? time : BigInt(Math.floor(time)) * 1_000_000n + BigInt((time % 1) * 1e6);

export const controlRows: readonly Row[] = [
  row({
    name: 'io_uring_prep_nop',
    draw: () => ({}),
    ours: (ring, _, userData) => ring.prepNop(userData),
    theirs: () => [['io_uring_prep_nop']],
  }),
  row({
    name: 'NOP with options',
    draw: (r) => ({
      result: r.u32() | 0,
      fd: r.fd(),
      fixedFile: r.bool(),
      fixedBuffer: r.u16(),
      taskWork: r.bool(),
      cqe32: [r.u64(), r.u64()] as [number | bigint, number | bigint],
    }),
    ours: (ring, a, userData) => ring.prepNop(userData, a),
    fields: (a) => ({
      opcode: 0,
      fd: a.fd,
      off: a.cqe32[0],
      addr: a.cqe32[1],
      len: a.result,
      op_flags: 1 | 2 | (a.fixedFile ? 4 : 0) | 8 | (a.taskWork ? 16 : 0) | 32,
      buf_index: a.fixedBuffer,
    }),
  }),
  row({
    name: 'NOP with one option',
    draw: (r) =>
      r.of([{}, { taskWork: true }, { result: -5 }, { fixedBuffer: 0 }, { fd: 0 }, { fd: 7, fixedFile: true }]),
    ours: (ring, a, userData) => ring.prepNop(userData, a),
    fields: (a: { result?: number; fd?: number; fixedFile?: boolean; fixedBuffer?: number; taskWork?: boolean }) => ({
      opcode: 0,
      fd: a.fd ?? -1,
      len: a.result ?? 0,
      op_flags: (a.result === undefined ? 0 : 1) |
        (a.fd === undefined ? 0 : 2) |
        (a.fixedFile ? 4 : 0) |
        (a.fixedBuffer === undefined ? 0 : 8) |
        (a.taskWork ? 16 : 0),
    }),
  }),
  row({
    name: 'io_uring_prep_nop128',
    big: true,
    draw: () => ({}),
    ours: (ring, _, userData) => ring.prepNop128(userData),
    theirs: () => [['io_uring_prep_nop128']],
    fields: () => ({ opcode: 63, fd: -1 }),
  }),

  row({
    name: 'io_uring_prep_timeout',
    draw: (r) => ({
      time: r.of([r.between(0, 2 ** 53 - 1), r.between(0, 100_000) + 0.25, r.length()]),
      count: r.u32(),
      absolute: r.bool(),
      clock: r.of(clocks),
      multishot: r.bool(),
      etimeSuccess: r.bool(),
    }),
    ours: (ring, { time, ...options }, userData) => ring.prepTimeout(time, userData, options),
    theirs: (a, m) => {
      const flags = CLOCKS[a.clock] | (a.absolute ? 1 : 0) | (a.etimeSuccess ? 32 : 0) | (a.multishot ? 64 : 0);
      return [['io_uring_prep_timeout', m.timespec('addr', nanoseconds(a.time)), a.count, flags]];
    },
  }),
  row({
    name: 'io_uring_prep_timeout, without options',
    draw: (r) => ({ time: r.length() }),
    ours: (ring, a, userData) => ring.prepTimeout(a.time, userData),
    theirs: (a, m) => [['io_uring_prep_timeout', m.timespec('addr', nanoseconds(a.time)), 0, 0]],
  }),
  row({
    name: 'io_uring_prep_timeout_remove',
    draw: (r) => ({ target: r.u64() }),
    ours: (ring, a, userData) => ring.prepTimeoutRemove(a.target, userData),
    theirs: (a) => [['io_uring_prep_timeout_remove', a.target, 0]],
  }),
  row({
    name: 'io_uring_prep_timeout_update',
    // No clock: a timer keeps the one it has, and the kernel refuses to be told another.
    draw: (r) => ({ target: r.u64(), time: r.length(), absolute: r.bool(), link: r.bool() }),
    ours: (ring, { target, time, ...options }, userData) => ring.prepTimeoutUpdate(target, time, userData, options),
    theirs: (a, m) => {
      const flags = (a.absolute ? 1 : 0) | (a.link ? 16 : 0);
      return [['io_uring_prep_timeout_update', m.timespec('off', nanoseconds(a.time)), a.target, flags]];
    },
  }),
  row({
    name: 'io_uring_prep_link_timeout',
    draw: (r) => ({ time: r.length(), absolute: r.bool(), clock: r.of(clocks), etimeSuccess: r.bool() }),
    ours: (ring, { time, ...options }, userData) => ring.prepLinkTimeout(time, userData, options),
    theirs: (a, m) => {
      const flags = CLOCKS[a.clock] | (a.absolute ? 1 : 0) | (a.etimeSuccess ? 32 : 0);
      return [['io_uring_prep_link_timeout', m.timespec('addr', nanoseconds(a.time)), flags]];
    },
  }),

  row({
    name: 'io_uring_prep_poll_add',
    draw: (r) => ({ fd: r.fd(), mask: r.u32() }),
    ours: (ring, a, userData) => ring.prepPollAdd(a.fd, a.mask, userData),
    theirs: (a) => [['io_uring_prep_poll_add', a.fd, a.mask]],
  }),
  row({
    name: 'io_uring_prep_poll_multishot',
    draw: (r) => ({ fd: r.fd(), mask: r.u32() }),
    ours: (ring, a, userData) => ring.prepPollAdd(a.fd, a.mask, userData, { multishot: true }),
    theirs: (a) => [['io_uring_prep_poll_multishot', a.fd, a.mask]],
  }),
  row({
    name: 'POLL_ADD, level-triggered',
    draw: (r) => ({ fd: r.fd(), mask: r.u32(), multishot: r.bool() }),
    ours: (ring, a, userData) => ring.prepPollAdd(a.fd, a.mask, userData, { multishot: a.multishot, level: true }),
    fields: (a) => ({
      opcode: 6,
      fd: a.fd,
      len: IORING_POLL_ADD_LEVEL | (a.multishot ? IORING_POLL_ADD_MULTI : 0),
      op_flags: a.mask,
    }),
  }),
  row({
    name: 'io_uring_prep_poll_remove',
    draw: (r) => ({ target: r.u64() }),
    ours: (ring, a, userData) => ring.prepPollRemove(a.target, userData),
    theirs: (a) => [['io_uring_prep_poll_remove', a.target]],
  }),
  row({
    name: 'io_uring_prep_poll_update',
    draw: (r) => {
      const change = r.of([{ events: r.u32() }, { newUserData: r.u64() }, { events: r.u32(), newUserData: r.u64() }]);
      return { target: r.u64(), change, multishot: r.bool(), level: r.bool() };
    },
    ours: (ring, { target, change, ...more }, userData) =>
      ring.prepPollUpdate(target, userData, { ...change, ...more }),
    theirs: (a) => {
      const { events, newUserData }: { events?: number; newUserData?: number | bigint } = a.change;
      const what = (events === undefined ? 0 : 2) | (newUserData === undefined ? 0 : 4);
      const how = (a.multishot ? IORING_POLL_ADD_MULTI : 0) | (a.level ? IORING_POLL_ADD_LEVEL : 0);
      return [['io_uring_prep_poll_update', a.target, newUserData ?? 0, events ?? 0, what | how]];
    },
  }),

  row({
    name: 'io_uring_prep_cancel64',
    draw: (r) => ({ target: r.u64(), all: r.bool() }),
    ours: (ring, a, userData) => ring.prepCancel(a.target, userData, { all: a.all }),
    theirs: (a) => [['io_uring_prep_cancel64', a.target, a.all]],
  }),
  row({
    name: 'io_uring_prep_cancel',
    draw: (r) => ({ target: r.u64() }),
    ours: (ring, a, userData) => ring.prepCancel(a.target, userData),
    theirs: (a) => [['io_uring_prep_cancel', a.target, 0]],
  }),
  row({
    name: 'io_uring_prep_cancel64, of all there is',
    draw: (r) => ({ all: r.bool() }),
    ours: (ring, a, userData) => ring.prepCancel({ any: true }, userData, { all: a.all }),
    theirs: (a) => [['io_uring_prep_cancel64', 0, 4 | (a.all ? ALL : 0)]],
  }),
  row({
    name: 'io_uring_prep_cancel_fd',
    draw: (r) => ({ fd: r.fd(), all: r.bool(), fixed: r.bool() }),
    ours: (ring, { fd, ...options }, userData) => ring.prepCancelFd(fd, userData, options),
    theirs: (a) => [['io_uring_prep_cancel_fd', a.fd, (a.all ? ALL : 0) | (a.fixed ? 8 : 0)]],
  }),
  row({
    name: 'io_uring_prep_cancel_fd, as a match',
    draw: (r) => ({ fd: r.fd(), all: r.bool(), fixed: r.bool() }),
    ours: (ring, { fd, fixed, all }, userData) => ring.prepCancel({ fd, fixed }, userData, { all }),
    theirs: (a) => [['io_uring_prep_cancel_fd', a.fd, (a.all ? ALL : 0) | (a.fixed ? 8 : 0)]],
  }),
  row({
    name: 'ASYNC_CANCEL by several keys',
    draw: (r) => {
      const match: CancelMatch = { opcode: r.u8() };
      if (r.bool()) match.userData = r.u64();
      if (r.bool()) Object.assign(match, { fd: r.fd(), fixed: r.bool() });
      return { match, all: r.bool() };
    },
    ours: (ring, a, userData) => ring.prepCancel(a.match, userData, { all: a.all }),
    fields: ({ match, all }) => ({
      opcode: 14,
      fd: match.fd ?? -1,
      addr: match.userData ?? 0,
      len: match.opcode ?? 0,
      op_flags: (all ? ALL : 0) | 32 |
        (match.fd === undefined ? 0 : 2) | (match.fixed ? 8 : 0) |
        (match.userData === undefined ? 0 : 16),
    }),
  }),

  row({
    name: 'io_uring_prep_msg_ring',
    draw: (r) => ({ fd: r.fd(), res: r.u32(), data: r.u64(), skipCqe: r.bool() }),
    ours: (ring, a, userData) => ring.prepMsgRing(a.fd, a.res, a.data, userData, { skipCqe: a.skipCqe }),
    theirs: (a) => [['io_uring_prep_msg_ring', a.fd, a.res, a.data, a.skipCqe]],
  }),
  row({
    name: 'io_uring_prep_msg_ring_cqe_flags',
    draw: (r) => ({ fd: r.fd(), res: r.u32() | 0, data: r.u64(), skipCqe: r.bool(), cqeFlags: r.u32() }),
    ours: (ring, { fd, res, data, ...options }, userData) => ring.prepMsgRing(fd, res, data, userData, options),
    theirs: (a) => [['io_uring_prep_msg_ring_cqe_flags', a.fd, a.res, a.data, a.skipCqe, a.cqeFlags]],
    fields: (a) => ({
      opcode: 40,
      fd: a.fd,
      off: a.data,
      len: a.res,
      op_flags: (a.skipCqe ? 1 : 0) | 2,
      file_index: a.cqeFlags,
    }),
  }),
  row({
    name: 'io_uring_prep_msg_ring_fd',
    // As an int it is never more in C.
    draw: (r) => ({ fd: r.fd(), source: r.count(), target: r.slot(), data: r.u64(), skipCqe: r.bool() }),
    ours: (ring, a, userData) => ring.prepMsgRingFd(a.fd, a.source, a.target, a.data, userData, { skipCqe: a.skipCqe }),
    theirs: (a) => [['io_uring_prep_msg_ring_fd', a.fd, a.source, fileIndex(a.target), a.data, a.skipCqe]],
    fields: (a) => ({
      opcode: 40,
      fd: a.fd,
      off: a.data,
      addr: 1,
      op_flags: a.skipCqe,
      file_index: fileIndex(a.target) + 1,
      addr3: a.source,
    }),
  }),
  row({
    name: 'io_uring_prep_msg_ring_fd_alloc',
    draw: (r) => ({ fd: r.fd(), source: r.count(), data: r.u64(), skipCqe: r.bool() }),
    ours: (ring, a, userData) => ring.prepMsgRingFd(a.fd, a.source, 'alloc', a.data, userData, { skipCqe: a.skipCqe }),
    theirs: (a) => [['io_uring_prep_msg_ring_fd_alloc', a.fd, a.source, a.data, a.skipCqe]],
    fields: (a) => ({
      opcode: 40,
      fd: a.fd,
      off: a.data,
      addr: 1,
      op_flags: a.skipCqe,
      file_index: 0xffff_ffff,
      addr3: a.source,
    }),
  }),

  row({
    name: 'io_uring_prep_files_update',
    draw: (r) => ({
      fds: Array.from({ length: 1 + r.below(20) }, () => r.fd()),
      offset: r.bool() ? ('alloc' as const) : r.count(),
    }),
    ours: (ring, a, userData, m) => ring.prepFilesUpdate(m.int32(a.fds), a.offset, userData),
    theirs: (a, m) => {
      const offset = a.offset === 'alloc' ? -1 : a.offset;
      return [['io_uring_prep_files_update', m.lent('addr', m.int32(a.fds)), a.fds.length, offset]];
    },
  }),
  row({
    name: 'io_uring_prep_fixed_fd_install',
    draw: (r) => ({ slot: r.count(), noCloexec: r.bool() }),
    ours: (ring, a, userData) => ring.prepFixedFdInstall(a.slot, userData, { noCloexec: a.noCloexec }),
    theirs: (a) => [['io_uring_prep_fixed_fd_install', a.slot, a.noCloexec]],
    fields: (a) => ({ opcode: 54, flags: 1, fd: a.slot, op_flags: a.noCloexec }),
  }),
  row({
    name: 'io_uring_prep_provide_buffers',
    draw: (r) => {
      const nr = r.between(1, 8);
      const buf = r.buffer();
      return { buf, size: r.between(1, Math.floor(buf.size / nr)), nr, bgid: r.u16(), bid: r.between(0, 65536 - nr) };
    },
    ours: (ring, a, userData, m) => ring.prepProvideBuffers(m.lend(a.buf), a.size, a.nr, a.bgid, a.bid, userData),
    theirs: (a, m) => {
      const address = m.lent('addr', m.lend(a.buf));
      return [['io_uring_prep_provide_buffers', address, a.size, a.nr, a.bgid, a.bid]];
    },
  }),
  row({
    name: 'io_uring_prep_remove_buffers',
    draw: (r) => ({ nr: r.between(1, 65536), bgid: r.u16() }),
    ours: (ring, a, userData) => ring.prepRemoveBuffers(a.nr, a.bgid, userData),
    theirs: (a) => [['io_uring_prep_remove_buffers', a.nr, a.bgid]],
  }),

  row({
    name: 'io_uring_sqe_set_flags',
    // All but BUFFER_SELECT, which has a method of its own.
    draw: (r) => ({ fd: r.fd(), flags: r.flags([1, 2, 4, 8, 16, 64]) }),
    ours: (ring, a, userData) => {
      const queued = ring.prepFsync(a.fd, userData);
      ring.sqeSetFlags(a.flags);
      return queued;
    },
    theirs: (a) => [['io_uring_prep_fsync', a.fd, 0], ['io_uring_sqe_set_flags', a.flags]],
  }),
  row({
    name: 'io_uring_sqe_set_flags, bit by bit, with a group, a personality and a priority',
    draw: (r) => ({ fd: r.fd(), size: r.u32(), bgid: r.u16(), id: r.u16(), ioprio: r.u16() }),
    group: (a) => a.bgid,
    ours: (ring, a, userData) => {
      const queued = ring.prepRead(a.fd, null, a.size, userData);
      ring.sqeSetFlags(2);
      ring.sqeSetPersonality(a.id);
      ring.sqeSetBufGroup(a.bgid);
      ring.sqeSetIoprio(a.ioprio);
      ring.sqeSetFlags(16);
      return queued;
    },
    fields: (a) => ({
      opcode: 22,
      flags: 2 | 16 | 32,
      ioprio: a.ioprio,
      fd: a.fd,
      off: -1,
      len: a.size,
      buf_group: a.bgid,
      personality: a.id,
    }),
  }),
];
