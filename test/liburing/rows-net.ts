// Sockets.
import { Msghdr } from '../../src/ring/structs/msghdr.ts';
import { SocketAddressBuffer, type SocketAddressLike } from '../../src/ring/structs/socket-address.ts';
import type { Piece, Random } from './random.ts';
import { fileIndex, row, type Memory, type Pointer, type Row } from './row.ts';

const NONBLOCK = 0o4000;
const CLOEXEC = 0o2000000;

/** An address as it may be given, and the struct sockaddr that it is. */
interface Address {
  readonly given: Exclude<SocketAddressLike, Uint8Array> | { readonly raw: string };
  readonly bytes: string;
}

function address(r: Random): Address {
  const port = r.u16();
  const be = (...halves: number[]): string => halves.map((half) => half.toString(16).padStart(4, '0')).join('');
  const raw = r.bytes(2, 128);
  const host = [r.u8(), r.u8(), r.u8(), r.u8()];
  const words = Array.from({ length: 8 }, () => r.u16());
  const path = `/${r.word26()}`;
  const hex = (text: string): string => Buffer.from(text).toString('hex');
  const kinds: readonly Address[] = [
    { given: { raw }, bytes: raw },
    {
      given: { family: 'IPv4', address: host.join('.'), port },
      bytes: `0200${be(port)}${Buffer.from(host).toString('hex')}${'00'.repeat(8)}`,
    },
    {
      given: { address: words.map((word) => word.toString(16)).join(':'), port },
      bytes: `0a00${be(port)}${'00'.repeat(4)}${be(...words)}${'00'.repeat(4)}`,
    },
    { given: { path }, bytes: `0100${hex(path)}00` },
    { given: { path: `\0${path}` }, bytes: `010000${hex(path)}` },
  ];
  return r.of(kinds);
}

const given = ({ given: like }: Address): SocketAddressLike => ('raw' in like ? Buffer.from(like.raw, 'hex') : like);
const length = ({ bytes }: Address): number => bytes.length / 2;
const sockaddr = (m: Memory, field: 'addr' | 'off', a: Address): Pointer =>
  m.copy(field, 'struct sockaddr', Buffer.from(a.bytes, 'hex'));

/** Where an accept is to write the peer's address, and how much room there is. */
const peer = (m: Memory): [Pointer, Pointer] => [
  m.own('addr', 'the address'),
  m.copy('off', 'the room for an address', Uint8Array.of(128, 0, 0, 0)),
];

const message = (r: Random) => ({ fd: r.fd(), buffers: r.buffers(), flags: r.u32() });
const msghdr = (m: Memory, a: { buffers: readonly Piece[] }): Msghdr =>
  m.once(a, () => new Msghdr({ iov: a.buffers.map((b) => m.lend(b)) }));

/** A bundle with MSG_TRUNC is refused: nobody could tell which buffers it has filled. */
function bundledFlags({ bundle, flags }: { bundle: boolean; flags: number }): number {
  return bundle ? (flags & ~0x20) >>> 0 : flags;
}

export const netRows: readonly Row[] = [
  row({
    name: 'io_uring_prep_socket',
    draw: (r) => ({ domain: r.count(), type: r.count(), protocol: r.count() }),
    ours: (ring, a, userData) => ring.prepSocket(a.domain, a.type, a.protocol, userData),
    theirs: (a) => [['io_uring_prep_socket', a.domain, a.type, a.protocol, 0]],
  }),
  row({
    name: 'io_uring_prep_socket_direct',
    draw: (r) => ({ domain: r.count(), type: r.count(), protocol: r.count(), direct: r.slot() }),
    ours: (ring, a, userData) => ring.prepSocket(a.domain, a.type, a.protocol, userData, { direct: a.direct }),
    theirs: (a) => [['io_uring_prep_socket_direct', a.domain, a.type, a.protocol, fileIndex(a.direct), 0]],
  }),
  row({
    name: 'io_uring_prep_socket_direct_alloc',
    draw: (r) => ({ domain: r.count(), type: r.count(), protocol: r.count() }),
    ours: (ring, a, userData) => ring.prepSocket(a.domain, a.type, a.protocol, userData, { direct: 'alloc' }),
    theirs: (a) => [['io_uring_prep_socket_direct_alloc', a.domain, a.type, a.protocol, 0]],
    fields: (a) => ({ opcode: 45, fd: a.domain, off: a.type, len: a.protocol, file_index: 0xffff_ffff }),
  }),
  row({
    name: 'io_uring_prep_bind',
    draw: (r) => ({ fd: r.fd(), address: address(r) }),
    ours: (ring, a, userData) => ring.prepBind(a.fd, given(a.address), userData),
    theirs: (a, m) => [['io_uring_prep_bind', a.fd, sockaddr(m, 'addr', a.address), length(a.address)]],
    fields: (a, m) => ({ opcode: 56, fd: a.fd, off: length(a.address), addr: sockaddr(m, 'addr', a.address) }),
  }),
  row({
    name: 'io_uring_prep_connect',
    draw: (r) => ({ fd: r.fd(), address: address(r) }),
    ours: (ring, a, userData) => ring.prepConnect(a.fd, given(a.address), userData),
    theirs: (a, m) => [['io_uring_prep_connect', a.fd, sockaddr(m, 'addr', a.address), length(a.address)]],
  }),
  row({
    name: 'io_uring_prep_listen',
    draw: (r) => ({ fd: r.fd(), backlog: r.count() }),
    ours: (ring, a, userData) => ring.prepListen(a.fd, a.backlog, userData),
    theirs: (a) => [['io_uring_prep_listen', a.fd, a.backlog]],
    fields: (a) => ({ opcode: 57, fd: a.fd, len: a.backlog }),
  }),
  row({
    name: 'io_uring_prep_shutdown',
    draw: (r) => ({ fd: r.fd(), how: r.u32() }),
    ours: (ring, a, userData) => ring.prepShutdown(a.fd, a.how, userData),
    theirs: (a) => [['io_uring_prep_shutdown', a.fd, a.how]],
  }),

  // Unlike liburing, accepts make descriptors as Node does unless they are told otherwise.
  row({
    name: 'io_uring_prep_accept',
    draw: (r) => ({ fd: r.fd() }),
    ours: (ring, a, userData) => ring.prepAccept(a.fd, userData),
    theirs: (a) => [['io_uring_prep_accept', a.fd, null, null, NONBLOCK | CLOEXEC]],
  }),
  row({
    name: 'io_uring_prep_accept, with flags',
    draw: (r) => ({ fd: r.fd(), flags: r.u32() }),
    ours: (ring, a, userData) => ring.prepAccept(a.fd, userData, { flags: a.flags }),
    theirs: (a) => [['io_uring_prep_accept', a.fd, null, null, a.flags]],
  }),
  row({
    name: 'io_uring_prep_accept, with an address',
    draw: (r) => ({ fd: r.fd() }),
    ours: (ring, a, userData, m) =>
      ring.prepAccept(a.fd, userData, { address: m.once(a, () => new SocketAddressBuffer()) }),
    theirs: (a, m) => [['io_uring_prep_accept', a.fd, ...peer(m), NONBLOCK | CLOEXEC]],
  }),
  row({
    name: 'io_uring_prep_accept_direct',
    draw: (r) => ({ fd: r.fd(), direct: r.slot() }),
    ours: (ring, a, userData) => ring.prepAccept(a.fd, userData, { direct: a.direct }),
    theirs: (a) => [['io_uring_prep_accept_direct', a.fd, null, null, NONBLOCK, fileIndex(a.direct)]],
  }),
  row({
    name: 'io_uring_prep_accept_direct, with flags and an address',
    draw: (r) => ({ fd: r.fd(), direct: r.slot(), flags: r.u32() }),
    ours: (ring, a, userData, m) => {
      const { direct, flags } = a;
      return ring.prepAccept(a.fd, userData, { direct, flags, address: m.once(a, () => new SocketAddressBuffer()) });
    },
    theirs: (a, m) => [['io_uring_prep_accept_direct', a.fd, ...peer(m), a.flags, fileIndex(a.direct)]],
  }),
  row({
    name: 'ACCEPT with a modifier',
    draw: (r) => ({ fd: r.fd(), dontwait: r.bool(), pollFirst: r.bool() }),
    ours: (ring, { fd, ...options }, userData) => ring.prepAccept(fd, userData, options),
    fields: (a) => ({
      opcode: 13,
      ioprio: (a.dontwait ? 2 : 0) | (a.pollFirst ? 4 : 0),
      fd: a.fd,
      op_flags: NONBLOCK | CLOEXEC,
    }),
  }),
  row({
    name: 'io_uring_prep_multishot_accept',
    draw: (r) => ({ fd: r.fd() }),
    ours: (ring, a, userData) => ring.prepAcceptMultishot(a.fd, userData),
    theirs: (a) => [['io_uring_prep_multishot_accept', a.fd, null, null, NONBLOCK | CLOEXEC]],
  }),
  row({
    name: 'io_uring_prep_multishot_accept_direct',
    draw: (r) => ({ fd: r.fd(), flags: r.u32() }),
    ours: (ring, a, userData) => ring.prepAcceptMultishot(a.fd, userData, { direct: 'alloc', flags: a.flags }),
    theirs: (a) => [['io_uring_prep_multishot_accept_direct', a.fd, null, null, a.flags]],
  }),
  row({
    name: 'ACCEPT with a modifier, multishot',
    draw: (r) => ({ fd: r.fd(), dontwait: r.bool(), pollFirst: r.bool() }),
    ours: (ring, { fd, ...options }, userData) => ring.prepAcceptMultishot(fd, userData, options),
    fields: (a) => ({
      opcode: 13,
      ioprio: 1 | (a.dontwait ? 2 : 0) | (a.pollFirst ? 4 : 0),
      fd: a.fd,
      op_flags: NONBLOCK | CLOEXEC,
    }),
  }),

  row({
    name: 'io_uring_prep_send',
    draw: (r) => {
      const buf = r.buffer();
      return { fd: r.fd(), buf, len: r.between(0, buf.size), flags: r.u32() };
    },
    ours: (ring, a, userData, m) => ring.prepSend(a.fd, m.lend(a.buf), a.len, userData, a.flags),
    theirs: (a, m) => [['io_uring_prep_send', a.fd, m.lent('addr', m.lend(a.buf)), a.len, a.flags]],
  }),
  row({
    name: 'io_uring_prep_send, without flags',
    draw: (r) => ({ fd: r.fd(), buf: r.buffer() }),
    ours: (ring, a, userData, m) => ring.prepSend(a.fd, m.lend(a.buf), a.buf.size, userData),
    theirs: (a, m) => [['io_uring_prep_send', a.fd, m.lent('addr', m.lend(a.buf)), a.buf.size, 0]],
  }),
  row({
    name: 'SEND after a poll',
    draw: (r) => ({ fd: r.fd(), buf: r.buffer(), flags: r.u32() }),
    ours: (ring, a, userData, m) =>
      ring.prepSend(a.fd, m.lend(a.buf), a.buf.size, userData, a.flags, { pollFirst: true }),
    fields: (a, m) => ({
      opcode: 26,
      ioprio: 1,
      fd: a.fd,
      addr: m.lent('addr', m.lend(a.buf)),
      len: a.buf.size,
      op_flags: a.flags,
    }),
  }),
  row({
    name: 'io_uring_prep_send, io_uring_prep_send_set_addr',
    draw: (r) => ({ fd: r.fd(), buf: r.buffer(), flags: r.u32(), to: address(r) }),
    ours: (ring, a, userData, m) =>
      ring.prepSend(a.fd, m.lend(a.buf), a.buf.size, userData, a.flags, { to: given(a.to) }),
    theirs: (a, m) => [
      ['io_uring_prep_send', a.fd, m.lent('addr', m.lend(a.buf)), a.buf.size, a.flags],
      ['io_uring_prep_send_set_addr', sockaddr(m, 'off', a.to), length(a.to)],
    ],
  }),
  row({
    name: 'io_uring_prep_sendto',
    draw: (r) => ({ fd: r.fd(), buf: r.buffer(), flags: r.u32(), to: address(r) }),
    ours: (ring, a, userData, m) => ring.prepSendto(a.fd, m.lend(a.buf), a.buf.size, given(a.to), userData, a.flags),
    theirs: (a, m) => {
      const [buf, to] = [m.lent('addr', m.lend(a.buf)), sockaddr(m, 'off', a.to)];
      return [['io_uring_prep_sendto', a.fd, buf, a.buf.size, a.flags, to, length(a.to)]];
    },
    fields: (a, m) => ({
      opcode: 26,
      fd: a.fd,
      addr2: sockaddr(m, 'off', a.to),
      addr: m.lent('addr', m.lend(a.buf)),
      len: a.buf.size,
      op_flags: a.flags,
      addr_len: length(a.to),
    }),
  }),
  row({
    name: 'io_uring_prep_send_bundle, io_uring_sqe_set_buf_group',
    draw: (r) => ({ fd: r.fd(), bgid: r.u16(), flags: r.u32(), len: r.u32() }),
    group: (a) => a.bgid,
    ours: (ring, { fd, bgid, ...options }, userData) => ring.prepSendBundle(fd, bgid, userData, options),
    theirs: (a) => [
      ['io_uring_prep_send_bundle', a.fd, a.len, a.flags],
      ['io_uring_sqe_set_flags', 32],
      ['io_uring_sqe_set_buf_group', a.bgid],
    ],
    fields: (a) => ({
      opcode: 26,
      flags: 32,
      ioprio: 16,
      fd: a.fd,
      len: a.len,
      op_flags: a.flags,
      buf_group: a.bgid,
    }),
  }),
  row({
    name: 'SEND, a bundle after a poll',
    draw: (r) => ({ fd: r.fd(), bgid: r.u16() }),
    group: (a) => a.bgid,
    ours: (ring, a, userData) => ring.prepSendBundle(a.fd, a.bgid, userData, { pollFirst: true }),
    fields: (a) => ({ opcode: 26, flags: 32, ioprio: 1 | 16, fd: a.fd, buf_group: a.bgid }),
  }),
  row({
    name: 'SEND of several buffers',
    draw: (r) => ({ fd: r.fd(), buffers: r.buffers(), flags: r.u32(), to: address(r), pollFirst: r.bool() }),
    ours: (ring, a, userData, m) =>
      ring.prepSendv(a.fd, a.buffers.map((b) => m.lend(b)), userData, a.flags, {
        to: given(a.to),
        pollFirst: a.pollFirst,
      }),
    fields: (a, m) => ({
      opcode: 26,
      ioprio: 32 | (a.pollFirst ? 1 : 0),
      fd: a.fd,
      addr2: sockaddr(m, 'off', a.to),
      addr: m.iovecs('addr', a.buffers),
      len: a.buffers.length,
      op_flags: a.flags,
      addr_len: length(a.to),
    }),
  }),
  row({
    name: 'SEND of several buffers, without an address',
    draw: (r) => ({ fd: r.fd(), buffers: r.buffers() }),
    ours: (ring, a, userData, m) => ring.prepSendv(a.fd, a.buffers.map((b) => m.lend(b)), userData),
    fields: (a, m) => ({
      opcode: 26,
      ioprio: 32,
      fd: a.fd,
      addr: m.iovecs('addr', a.buffers),
      len: a.buffers.length,
    }),
  }),
  row({
    name: 'SEND_ZC of several buffers',
    draw: (r) => ({ fd: r.fd(), buffers: r.buffers(), flags: r.u32(), reportUsage: r.bool(), fixed: r.u16() }),
    ours: (ring, { fd, buffers, flags, ...options }, userData, m) =>
      ring.prepSendv(fd, buffers.map((b) => m.lend(b)), userData, flags, { zeroCopy: true, ...options }),
    fields: (a, m) => ({
      opcode: 47,
      ioprio: 32 | 4 | (a.reportUsage ? 8 : 0),
      fd: a.fd,
      addr: m.iovecs('addr', a.buffers),
      len: a.buffers.length,
      op_flags: a.flags,
      buf_index: a.fixed,
    }),
  }),
  row({
    name: 'io_uring_prep_send_zc',
    draw: (r) => ({ fd: r.fd(), buf: r.buffer(), flags: r.u32(), reportUsage: r.bool(), pollFirst: r.bool() }),
    ours: (ring, { fd, buf, flags, ...options }, userData, m) =>
      ring.prepSendZc(fd, m.lend(buf), buf.size, userData, flags, options),
    theirs: (a, m) => {
      const how = (a.reportUsage ? 8 : 0) | (a.pollFirst ? 1 : 0);
      return [['io_uring_prep_send_zc', a.fd, m.lent('addr', m.lend(a.buf)), a.buf.size, a.flags, how]];
    },
  }),
  row({
    name: 'io_uring_prep_send_zc_fixed',
    draw: (r) => ({ fd: r.fd(), buf: r.buffer(), flags: r.u32(), reportUsage: r.bool(), fixed: r.u16() }),
    ours: (ring, { fd, buf, flags, ...options }, userData, m) =>
      ring.prepSendZc(fd, m.lend(buf), buf.size, userData, flags, options),
    theirs: (a, m) => {
      const [address, how] = [m.lent('addr', m.lend(a.buf)), a.reportUsage ? 8 : 0];
      return [['io_uring_prep_send_zc_fixed', a.fd, address, a.buf.size, a.flags, how, a.fixed]];
    },
  }),
  row({
    name: 'io_uring_prep_send_zc_fixed, io_uring_prep_send_set_addr',
    draw: (r) => ({ fd: r.fd(), buf: r.buffer(), flags: r.u32(), fixed: r.u16(), to: address(r) }),
    ours: (ring, { fd, buf, flags, fixed, to }, userData, m) =>
      ring.prepSendZc(fd, m.lend(buf), buf.size, userData, flags, { fixed, to: given(to) }),
    theirs: (a, m) => [
      ['io_uring_prep_send_zc_fixed', a.fd, m.lent('addr', m.lend(a.buf)), a.buf.size, a.flags, 0, a.fixed],
      ['io_uring_prep_send_set_addr', sockaddr(m, 'off', a.to), length(a.to)],
    ],
  }),
  row({
    name: 'io_uring_prep_sendmsg',
    draw: message,
    ours: (ring, a, userData, m) => ring.prepSendmsg(a.fd, msghdr(m, a), userData, a.flags),
    theirs: (a, m) => [['io_uring_prep_sendmsg', a.fd, m.message('addr', a.buffers), a.flags]],
  }),
  row({
    name: 'SENDMSG after a poll',
    draw: message,
    ours: (ring, a, userData, m) =>
      ring.prepSendmsg(a.fd, { iov: a.buffers.map((b) => m.lend(b)) }, userData, a.flags, { pollFirst: true }),
    fields: (a, m) => ({
      opcode: 9,
      ioprio: 1,
      fd: a.fd,
      addr: m.message('addr', a.buffers),
      len: 1,
      op_flags: a.flags,
    }),
  }),
  row({
    name: 'io_uring_prep_sendmsg_zc',
    draw: message,
    ours: (ring, a, userData, m) => ring.prepSendmsgZc(a.fd, msghdr(m, a), userData, a.flags),
    theirs: (a, m) => [['io_uring_prep_sendmsg_zc', a.fd, m.message('addr', a.buffers), a.flags]],
  }),
  row({
    name: 'io_uring_prep_sendmsg_zc_fixed',
    draw: (r) => ({ ...message(r), fixed: r.u16() }),
    ours: (ring, a, userData, m) => ring.prepSendmsgZc(a.fd, msghdr(m, a), userData, a.flags, { fixed: a.fixed }),
    theirs: (a, m) => [['io_uring_prep_sendmsg_zc_fixed', a.fd, m.message('addr', a.buffers), a.flags, a.fixed]],
    fields: (a, m) => ({
      opcode: 48,
      ioprio: 4,
      fd: a.fd,
      addr: m.message('addr', a.buffers),
      len: 1,
      op_flags: a.flags,
      buf_index: a.fixed,
    }),
  }),
  row({
    name: 'SENDMSG_ZC with modifiers',
    draw: (r) => ({ ...message(r), reportUsage: r.bool(), pollFirst: r.bool() }),
    ours: (ring, a, userData, m) => {
      const { reportUsage, pollFirst } = a;
      return ring.prepSendmsgZc(a.fd, msghdr(m, a), userData, a.flags, { reportUsage, pollFirst });
    },
    fields: (a, m) => ({
      opcode: 48,
      ioprio: (a.reportUsage ? 8 : 0) | (a.pollFirst ? 1 : 0),
      fd: a.fd,
      addr: m.message('addr', a.buffers),
      len: 1,
      op_flags: a.flags,
    }),
  }),

  row({
    name: 'io_uring_prep_recv',
    draw: (r) => {
      const buf = r.buffer();
      return { fd: r.fd(), buf, len: r.between(0, buf.size), flags: r.u32() };
    },
    ours: (ring, a, userData, m) => ring.prepRecv(a.fd, m.lend(a.buf), a.len, userData, a.flags),
    theirs: (a, m) => [['io_uring_prep_recv', a.fd, m.lent('addr', m.lend(a.buf)), a.len, a.flags]],
  }),
  row({
    name: 'RECV into buffers of a group',
    draw: (r) => ({ fd: r.fd(), len: r.u32(), bgid: r.u16(), bundle: r.bool(), pollFirst: r.bool() }),
    group: (a) => a.bgid,
    ours: (ring, { fd, len, bgid, ...options }, userData) => {
      const queued = ring.prepRecv(fd, null, len, userData, 0, options);
      ring.sqeSetBufGroup(bgid);
      return queued;
    },
    fields: (a) => ({
      opcode: 27,
      flags: 32,
      ioprio: (a.bundle ? 16 : 0) | (a.pollFirst ? 1 : 0),
      fd: a.fd,
      len: a.len,
      buf_group: a.bgid,
    }),
  }),
  row({
    name: 'io_uring_prep_recv_multishot, io_uring_sqe_set_buf_group',
    draw: (r) => ({ fd: r.fd(), bgid: r.u16(), flags: r.u32(), len: r.u32() }),
    group: (a) => a.bgid,
    ours: (ring, { fd, bgid, ...options }, userData) => ring.prepRecvMultishot(fd, bgid, userData, options),
    theirs: (a) => [
      ['io_uring_prep_recv_multishot', a.fd, null, a.len, a.flags],
      ['io_uring_sqe_set_flags', 32],
      ['io_uring_sqe_set_buf_group', a.bgid],
    ],
    fields: (a) => ({
      opcode: 27,
      flags: 32,
      ioprio: 2,
      fd: a.fd,
      len: a.len,
      op_flags: a.flags,
      buf_group: a.bgid,
    }),
  }),
  // Where there is no helper yet for the group: it is 0 in both.
  row({
    name: 'io_uring_prep_recv_multishot',
    draw: (r) => ({ fd: r.fd() }),
    group: () => 0,
    ours: (ring, a, userData) => ring.prepRecvMultishot(a.fd, 0, userData),
    theirs: (a) => [['io_uring_prep_recv_multishot', a.fd, null, 0, 0], ['io_uring_sqe_set_flags', 32]],
  }),
  row({
    name: 'RECV, multishot with modifiers',
    draw: (r) => ({
      fd: r.fd(),
      bgid: r.u16(),
      flags: r.u32(),
      bundle: r.bool(),
      len: r.u32(),
      limit: r.u32(),
      pollFirst: r.bool(),
    }),
    group: (a) => a.bgid,
    ours: (ring, { fd, bgid, ...options }, userData) =>
      ring.prepRecvMultishot(fd, bgid, userData, { ...options, flags: bundledFlags(options) }),
    fields: (a) => ({
      opcode: 27,
      flags: 32,
      ioprio: 2 | (a.bundle ? 16 : 0) | (a.pollFirst ? 1 : 0),
      fd: a.fd,
      len: a.len,
      op_flags: bundledFlags(a),
      buf_group: a.bgid,
      optlen: a.limit,
    }),
  }),
  row({
    name: 'io_uring_prep_recvmsg',
    draw: message,
    ours: (ring, a, userData, m) => ring.prepRecvmsg(a.fd, msghdr(m, a), userData, a.flags),
    theirs: (a, m) => [['io_uring_prep_recvmsg', a.fd, m.message('addr', a.buffers), a.flags]],
  }),
  row({
    name: 'RECVMSG after a poll',
    draw: message,
    ours: (ring, a, userData, m) => ring.prepRecvmsg(a.fd, msghdr(m, a), userData, a.flags, { pollFirst: true }),
    fields: (a, m) => ({
      opcode: 10,
      ioprio: 1,
      fd: a.fd,
      addr: m.message('addr', a.buffers),
      len: 1,
      op_flags: a.flags,
    }),
  }),
  row({
    name: 'io_uring_prep_recvmsg_multishot',
    draw: (r) => ({ fd: r.fd(), flags: r.u32() }),
    group: () => 0,
    ours: (ring, a, userData, m) =>
      ring.prepRecvmsgMultishot(a.fd, 0, m.once(a, () => new Msghdr({})), userData, a.flags),
    theirs: (a, m) => [
      ['io_uring_prep_recvmsg_multishot', a.fd, m.message('addr', []), a.flags],
      ['io_uring_sqe_set_flags', 32],
    ],
  }),
  row({
    name: 'RECVMSG, multishot, of any group',
    draw: (r) => ({ fd: r.fd(), bgid: r.u16(), flags: r.u32() }),
    group: (a) => a.bgid,
    ours: (ring, a, userData, m) =>
      ring.prepRecvmsgMultishot(a.fd, a.bgid, m.once(a, () => new Msghdr({})), userData, a.flags),
    fields: (a, m) => ({
      opcode: 10,
      flags: 32,
      ioprio: 2,
      fd: a.fd,
      addr: m.message('addr', []),
      len: 1,
      op_flags: a.flags,
      buf_group: a.bgid,
    }),
  }),
  row({
    name: 'RECV_ZC',
    draw: (r) => ({ fd: r.fd(), id: r.u32(), len: r.u32() }),
    ours: (ring, a, userData) => ring.prepRecvZc(a.fd, a.id, userData, { len: a.len }),
    fields: (a) => ({ opcode: 58, ioprio: 2, fd: a.fd, len: a.len, zcrx_ifq_idx: a.id }),
  }),
];
