// Waiting for other interfaces of the kernel; commands to drivers; entries as they are.
import { EpollEvents } from '../../src/ring/structs/epoll-events.ts';
import { Siginfo } from '../../src/ring/structs/siginfo.ts';
import { SocketAddressBuffer } from '../../src/ring/structs/socket-address.ts';
import { row, type Memory, type Row } from './row.ts';

const EPOLL_CTL_DEL = 2;

export const commandRows: readonly Row[] = [
  row({
    name: 'io_uring_prep_epoll_ctl',
    draw: (r) => ({ epfd: r.fd(), op: r.of([1, 2, 3]), fd: r.fd(), events: r.u32(), data: r.u64() }),
    ours: (ring, a, userData) => ring.prepEpollCtl(a.epfd, a.op, a.fd, { events: a.events, data: a.data }, userData),
    theirs: (a, m) => {
      const words = Uint32Array.of(a.events, Number(BigInt(a.data) & 0xffff_ffffn), Number(BigInt(a.data) >> 32n));
      // Packed on x86-64 only.
      const event = process.arch === 'x64' ? words : Uint32Array.of(words[0], 0, words[1], words[2]);
      const address = m.copy('addr', 'the event', new Uint8Array(event.buffer));
      return [['io_uring_prep_epoll_ctl', a.epfd, a.fd, a.op, address]];
    },
  }),
  row({
    name: 'io_uring_prep_epoll_ctl, without an event',
    draw: (r) => ({ epfd: r.fd(), fd: r.fd() }),
    ours: (ring, a, userData) => ring.prepEpollCtl(a.epfd, EPOLL_CTL_DEL, a.fd, null, userData),
    theirs: (a, m) => [['io_uring_prep_epoll_ctl', a.epfd, a.fd, EPOLL_CTL_DEL, m.own('addr', 'an event')]],
  }),
  row({
    name: 'io_uring_prep_epoll_wait',
    draw: (r) => ({ epfd: r.fd(), max: r.between(1, 64) }),
    ours: (ring, a, userData, m) => ring.prepEpollWait(a.epfd, m.once(a, () => new EpollEvents(a.max)), userData),
    theirs: (a, m) => [['io_uring_prep_epoll_wait', a.epfd, m.own('addr', 'the events'), a.max, 0]],
    fields: (a, m) => ({ opcode: 59, fd: a.epfd, addr: m.own('addr', 'the events'), len: a.max }),
  }),
  row({
    name: 'io_uring_prep_futex_wait',
    draw: (r) => ({ futex: [r.fd(), r.fd()], value: r.u32(), mask: r.u32(), flags: r.of([2, 6, 130, 0]) }),
    ours: (ring, { futex, value, ...options }, userData, m) =>
      ring.prepFutexWait(m.int32(futex), value, userData, options),
    theirs: (a, m) => {
      const address = m.lent('addr', m.int32(a.futex));
      return [['io_uring_prep_futex_wait', address, a.value, a.mask, a.flags, 0]];
    },
    fields: (a, m) => ({
      opcode: 51,
      fd: a.flags,
      off: a.value,
      addr: m.lent('addr', m.int32(a.futex)),
      addr3: a.mask,
    }),
  }),
  row({
    name: 'io_uring_prep_futex_wait, without options',
    draw: (r) => ({ futex: [r.fd()], value: r.fd() }),
    ours: (ring, a, userData, m) => ring.prepFutexWait(m.int32(a.futex), a.value, userData),
    theirs: (a, m) => {
      const address = m.lent('addr', m.int32(a.futex));
      return [['io_uring_prep_futex_wait', address, a.value >>> 0, 0xffff_ffff, 130, 0]];
    },
    fields: (a, m) => ({
      opcode: 51,
      fd: 130,
      off: a.value >>> 0,
      addr: m.lent('addr', m.int32(a.futex)),
      addr3: 0xffff_ffff,
    }),
  }),
  row({
    name: 'io_uring_prep_futex_wake',
    draw: (r) => ({ futex: [r.fd(), r.fd()], nr: r.count(), mask: r.u32(), flags: r.of([2, 6, 130, 0]) }),
    ours: (ring, { futex, nr, ...options }, userData, m) => ring.prepFutexWake(m.int32(futex), nr, userData, options),
    theirs: (a, m) => {
      const address = m.lent('addr', m.int32(a.futex));
      return [['io_uring_prep_futex_wake', address, a.nr, a.mask, a.flags, 0]];
    },
    fields: (a, m) => ({
      opcode: 52,
      fd: a.flags,
      off: a.nr,
      addr: m.lent('addr', m.int32(a.futex)),
      addr3: a.mask,
    }),
  }),
  row({
    name: 'io_uring_prep_futex_waitv',
    draw: (r) =>
      Array.from({ length: r.between(1, 128) }, () => ({
        futex: [r.fd()],
        value: r.u32(),
        flags: r.of([2, 130]),
      })),
    ours: (ring, a, userData, m) =>
      ring.prepFutexWaitv(a.map(({ futex, ...more }) => ({ futex: m.int32(futex), ...more })), userData),
    theirs: (a, m) => [['io_uring_prep_futex_waitv', m.copy('addr', 'the waiters', waiters(a, m)), a.length, 0]],
    fields: (a, m) => ({ opcode: 53, addr: m.copy('addr', 'the waiters', waiters(a, m)), len: a.length }),
  }),
  row({
    name: 'io_uring_prep_waitid',
    draw: (r) => ({
      idtype: r.between(0, 3),
      id: r.count(),
      options: r.flags([1, 2, 4, 8, 0x100_0000]),
      info: r.bool(),
    }),
    ours: (ring, a, userData, m) =>
      ring.prepWaitid(a.idtype, a.id, a.options, a.info ? m.once(a, () => new Siginfo()) : null, userData),
    theirs: (a, m) => {
      const info = a.info ? m.own('off', 'the siginfo') : null;
      return [['io_uring_prep_waitid', a.idtype, a.id, info, a.options, 0]];
    },
    fields: (a, m) => ({
      opcode: 50,
      fd: a.id,
      len: a.idtype,
      addr2: a.info ? m.own('off', 'the siginfo') : null,
      file_index: a.options,
    }),
  }),

  row({
    name: 'io_uring_prep_uring_cmd',
    draw: (r) => ({ fd: r.fd(), op: r.u32() }),
    ours: (ring, a, userData) => ring.prepUringCmd(a.fd, a.op, userData),
    theirs: (a) => [['io_uring_prep_uring_cmd', a.op, a.fd]],
    fields: (a) => ({ opcode: 46, fd: a.fd, cmd_op: a.op }),
  }),
  row({
    name: 'URING_CMD with fields',
    draw: (r) => ({
      fd: r.fd(),
      op: r.u32(),
      len: r.u32(),
      fixed: r.u16(),
      addr: r.bool() ? r.u64() : r.buffer(),
      addr3: r.bool() ? r.u64() : r.buffer(),
    }),
    ours: (ring, a, userData, m) => {
      const addr = typeof a.addr === 'object' ? m.lend(a.addr) : a.addr;
      const addr3 = typeof a.addr3 === 'object' ? m.lend(a.addr3) : a.addr3;
      return ring.prepUringCmd(a.fd, a.op, userData, { addr, len: a.len, addr3, fixed: a.fixed });
    },
    fields: (a, m) => ({
      opcode: 46,
      fd: a.fd,
      cmd_op: a.op,
      len: a.len,
      op_flags: 1,
      buf_index: a.fixed,
      addr: typeof a.addr === 'object' ? m.lent('addr', m.lend(a.addr)) : a.addr,
      addr3: typeof a.addr3 === 'object' ? m.lent('addr3', m.lend(a.addr3)) : a.addr3,
    }),
  }),
  row({
    name: 'URING_CMD with bytes of its own',
    draw: (r) => ({ fd: r.fd(), op: r.u32(), cmd: r.bytes(0, 16) }),
    ours: (ring, a, userData) => ring.prepUringCmd(a.fd, a.op, userData, { cmd: Buffer.from(a.cmd, 'hex') }),
    fields: (a) => {
      const cmd = Buffer.alloc(16);
      cmd.write(a.cmd, 'hex');
      return { opcode: 46, fd: a.fd, cmd_op: a.op, addr3: cmd.readBigUInt64LE(0), pad2: cmd.readBigUInt64LE(8) };
    },
  }),
  row({
    name: 'io_uring_prep_uring_cmd128',
    big: true,
    draw: (r) => ({ fd: r.fd(), op: r.u32() }),
    ours: (ring, a, userData) => ring.prepUringCmd128(a.fd, a.op, userData),
    theirs: (a) => [['io_uring_prep_uring_cmd128', a.op, a.fd]],
    fields: (a) => ({ opcode: 64, fd: a.fd, cmd_op: a.op }),
  }),
  row({
    name: 'URING_CMD128 with bytes of its own',
    big: true,
    draw: (r) => ({ fd: r.fd(), op: r.u32(), cmd: r.bytes(80, 80) }),
    ours: (ring, a, userData) => ring.prepUringCmd128(a.fd, a.op, userData, { cmd: Buffer.from(a.cmd, 'hex') }),
    fields: (a) => {
      const cmd = Buffer.from(a.cmd, 'hex');
      return { opcode: 64, fd: a.fd, cmd_op: a.op, addr3: cmd.readBigUInt64LE(0), pad2: cmd.readBigUInt64LE(8) };
    },
    rest: (a) => a.cmd.slice(32),
  }),
  row({
    name: 'io_uring_prep_cmd_sock',
    draw: (r) => ({
      op: r.between(0, 4),
      fd: r.fd(),
      level: r.u32(),
      optname: r.u32(),
      optval: r.bool() ? r.buffer() : null,
    }),
    ours: (ring, a, userData, m) => ring.prepCmdSock(a.op, a.fd, a.level, a.optname, m.lend(a.optval), userData),
    theirs: (a, m) => {
      const optval = m.lent('addr3', m.lend(a.optval));
      return [['io_uring_prep_cmd_sock', a.op, a.fd, a.level, a.optname, optval, a.optval?.size ?? 0]];
    },
    fields: (a, m) => ({
      opcode: 46,
      fd: a.fd,
      cmd_op: a.op,
      level: a.level,
      optname: a.optname,
      optlen: a.optval?.size ?? 0,
      optval: m.lent('addr3', m.lend(a.optval)),
    }),
  }),
  row({
    name: 'io_uring_prep_cmd_getsockname',
    draw: (r) => ({ fd: r.fd(), peer: r.bool() }),
    ours: (ring, a, userData, m) =>
      ring.prepCmdGetsockname(a.fd, m.once(a, () => new SocketAddressBuffer()), userData, { peer: a.peer }),
    theirs: (a, m) => {
      const length = m.copy('addr3', 'the room for an address', Uint8Array.of(128, 0, 0, 0));
      return [['io_uring_prep_cmd_getsockname', a.fd, m.own('addr', 'the address'), length, a.peer]];
    },
    fields: (a, m) => ({
      opcode: 46,
      fd: a.fd,
      cmd_op: 5,
      addr: m.own('addr', 'the address'),
      optlen: a.peer,
      addr3: m.copy('addr3', 'the room for an address', Uint8Array.of(128, 0, 0, 0)),
    }),
  }),
  row({
    name: 'io_uring_prep_cmd_discard',
    draw: (r) => ({ fd: r.fd(), offset: r.between(0, 2 ** 53 - 1), nbytes: r.between(0, 2 ** 53 - 1) }),
    ours: (ring, a, userData) => ring.prepCmdDiscard(a.fd, a.offset, a.nbytes, userData),
    theirs: (a) => [['io_uring_prep_cmd_discard', a.fd, a.offset, a.nbytes]],
    fields: (a) => ({ opcode: 46, fd: a.fd, cmd_op: 0x1200, addr: a.offset, addr3: a.nbytes }),
  }),
  row({
    name: 'io_uring_prep_cmd_zone_reset_all',
    draw: (r) => ({ fd: r.fd() }),
    ours: (ring, a, userData) => ring.prepCmdZoneResetAll(a.fd, userData),
    theirs: (a) => [['io_uring_prep_cmd_zone_reset_all', a.fd]],
    fields: (a) => ({ opcode: 46, fd: a.fd, cmd_op: 0x1201 }),
  }),

  row({
    name: 'an entry as it is',
    draw: (r) => ({
      opcode: r.between(0, 62),
      flags: r.flags([1, 2, 16]),
      ioprio: r.u16(),
      fd: r.fd(),
      off: r.u64(),
      addr: r.u64(),
      len: r.u32(),
      opFlags: r.u32(),
      bufIndex: r.u16(),
      personality: r.u16(),
      fileIndex: r.u32(),
      addr3: r.u64(),
      pad2: r.u64(),
    }),
    ours: (ring, a, userData) => ring.prepSqe(a, userData),
    fields: ({ opFlags, bufIndex, fileIndex, ...same }) => ({
      ...same,
      op_flags: opFlags,
      buf_index: bufIndex,
      file_index: fileIndex,
    }),
  }),
  row({
    name: 'an entry as it is, with memory',
    draw: (r) => ({ opcode: r.between(0, 62), off: r.buffer(), addr: r.buffer(), addr3: r.buffer() }),
    ours: (ring, a, userData, m) => {
      const fields = { opcode: a.opcode, off: m.lend(a.off), addr: m.lend(a.addr), addr3: m.lend(a.addr3) };
      return ring.prepSqe(fields, userData, { lend: [m.lend(a.off)] });
    },
    fields: (a, m) => ({
      opcode: a.opcode,
      fd: -1,
      off: m.lent('off', m.lend(a.off)),
      addr: m.lent('addr', m.lend(a.addr)),
      addr3: m.lent('addr3', m.lend(a.addr3)),
    }),
  }),
];

/** An array of struct futex_waitv. */
function waiters(list: { futex: number[]; value: number; flags: number }[], m: Memory): Uint8Array {
  const words = list.flatMap((a) => [BigInt(a.value), BigInt(m.address(m.int32(a.futex))), BigInt(a.flags)]);
  return new Uint8Array(BigUint64Array.from(words).buffer);
}
