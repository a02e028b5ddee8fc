// Open files, pipes, memory.
import { fileIndex, row, type Row } from './row.ts';

const SPLICE_F_FD_IN_FIXED = 0x8000_0000;

/** The position of a file that is asked for: its own for null. */
const position = (offset: number | bigint | null): number | bigint => offset ?? -1;

export const fileRows: readonly Row[] = [
  row({
    name: 'io_uring_prep_read',
    draw: (r) => {
      const buf = r.buffer();
      return { fd: r.fd(), buf, len: r.between(0, buf.size), offset: r.offset() };
    },
    ours: (ring, a, userData, m) => ring.prepRead(a.fd, m.lend(a.buf), a.len, userData, a.offset),
    theirs: (a, m) => [['io_uring_prep_read', a.fd, m.lent('addr', m.lend(a.buf)), a.len, position(a.offset)]],
  }),
  row({
    name: 'io_uring_prep_read, where the file stands',
    draw: (r) => ({ fd: r.fd(), buf: r.buffer() }),
    ours: (ring, a, userData, m) => ring.prepRead(a.fd, m.lend(a.buf), a.buf.size, userData),
    theirs: (a, m) => [['io_uring_prep_read', a.fd, m.lent('addr', m.lend(a.buf)), a.buf.size, -1]],
  }),
  row({
    name: 'io_uring_prep_read, into a buffer of a group, io_uring_sqe_set_buf_group',
    draw: (r) => ({ fd: r.fd(), len: r.u32(), bgid: r.u16(), offset: r.offset() }),
    group: (a) => a.bgid,
    ours: (ring, a, userData) => {
      const queued = ring.prepRead(a.fd, null, a.len, userData, a.offset);
      ring.sqeSetBufGroup(a.bgid);
      return queued;
    },
    theirs: (a) => [
      ['io_uring_prep_read', a.fd, null, a.len, position(a.offset)],
      ['io_uring_sqe_set_flags', 32],
      ['io_uring_sqe_set_buf_group', a.bgid],
    ],
    fields: (a) => ({
      opcode: 22,
      flags: 32,
      fd: a.fd,
      off: position(a.offset),
      len: a.len,
      buf_group: a.bgid,
    }),
  }),
  row({
    name: 'READ with flags',
    draw: (r) => ({ fd: r.fd(), buf: r.buffer(), offset: r.offset(), rwFlags: r.u32() }),
    ours: (ring, { fd, buf, offset, rwFlags }, userData, m) =>
      ring.prepRead(fd, m.lend(buf), buf.size, userData, offset, { rwFlags }),
    fields: (a, m) => ({
      opcode: 22,
      fd: a.fd,
      off: position(a.offset),
      addr: m.lent('addr', m.lend(a.buf)),
      len: a.buf.size,
      op_flags: a.rwFlags,
    }),
  }),
  row({
    name: 'io_uring_prep_read_fixed',
    draw: (r) => ({ fd: r.fd(), buf: r.buffer(), offset: r.offset(), fixed: r.u16() }),
    ours: (ring, { fd, buf, offset, fixed }, userData, m) =>
      ring.prepRead(fd, m.lend(buf), buf.size, userData, offset, { fixed }),
    theirs: (a, m) => {
      const address = m.lent('addr', m.lend(a.buf));
      return [['io_uring_prep_read_fixed', a.fd, address, a.buf.size, position(a.offset), a.fixed]];
    },
  }),
  row({
    name: 'io_uring_prep_write',
    draw: (r) => {
      const buf = r.buffer();
      return { fd: r.fd(), buf, len: r.between(0, buf.size), offset: r.offset() };
    },
    ours: (ring, a, userData, m) => ring.prepWrite(a.fd, m.lend(a.buf), a.len, userData, a.offset),
    theirs: (a, m) => [['io_uring_prep_write', a.fd, m.lent('addr', m.lend(a.buf)), a.len, position(a.offset)]],
  }),
  row({
    name: 'io_uring_prep_write_fixed',
    draw: (r) => ({ fd: r.fd(), buf: r.buffer(), offset: r.offset(), fixed: r.u16() }),
    ours: (ring, { fd, buf, offset, fixed }, userData, m) =>
      ring.prepWrite(fd, m.lend(buf), buf.size, userData, offset, { fixed }),
    theirs: (a, m) => {
      const address = m.lent('addr', m.lend(a.buf));
      return [['io_uring_prep_write_fixed', a.fd, address, a.buf.size, position(a.offset), a.fixed]];
    },
  }),
  row({
    name: 'READ_FIXED and WRITE_FIXED with flags',
    draw: (r) => ({
      fd: r.fd(),
      buf: r.buffer(),
      offset: r.offset(),
      fixed: r.u16(),
      rwFlags: r.u32(),
      write: r.bool(),
    }),
    ours: (ring, { fd, buf, offset, write, ...options }, userData, m) =>
      write
        ? ring.prepWrite(fd, m.lend(buf), buf.size, userData, offset, options)
        : ring.prepRead(fd, m.lend(buf), buf.size, userData, offset, options),
    fields: (a, m) => ({
      opcode: a.write ? 5 : 4,
      fd: a.fd,
      off: position(a.offset),
      addr: m.lent('addr', m.lend(a.buf)),
      len: a.buf.size,
      op_flags: a.rwFlags,
      buf_index: a.fixed,
    }),
  }),
  row({
    name: 'io_uring_prep_readv',
    draw: (r) => ({ fd: r.fd(), buffers: r.buffers(), offset: r.offset() }),
    ours: (ring, a, userData, m) => ring.prepReadv(a.fd, a.buffers.map((b) => m.lend(b)), userData, a.offset),
    theirs: (a, m) => {
      const iovecs = m.iovecs('addr', a.buffers);
      return [['io_uring_prep_readv', a.fd, iovecs, a.buffers.length, position(a.offset)]];
    },
  }),
  row({
    name: 'io_uring_prep_readv2',
    draw: (r) => ({ fd: r.fd(), buffers: r.buffers(), offset: r.offset(), rwFlags: r.u32() }),
    ours: (ring, { fd, buffers, offset, rwFlags }, userData, m) =>
      ring.prepReadv(fd, buffers.map((b) => m.lend(b)), userData, offset, { rwFlags }),
    theirs: (a, m) => {
      const iovecs = m.iovecs('addr', a.buffers);
      return [['io_uring_prep_readv2', a.fd, iovecs, a.buffers.length, position(a.offset), a.rwFlags]];
    },
  }),
  row({
    name: 'io_uring_prep_readv_fixed',
    draw: (r) => ({ fd: r.fd(), buffers: r.buffers(), offset: r.offset(), rwFlags: r.u32(), fixed: r.u16() }),
    ours: (ring, { fd, buffers, offset, ...options }, userData, m) =>
      ring.prepReadv(fd, buffers.map((b) => m.lend(b)), userData, offset, options),
    theirs: (a, m) => {
      const iovecs = m.iovecs('addr', a.buffers);
      const { fd, buffers, rwFlags, fixed } = a;
      return [['io_uring_prep_readv_fixed', fd, iovecs, buffers.length, position(a.offset), rwFlags, fixed]];
    },
    fields: (a, m) => ({
      opcode: 60,
      fd: a.fd,
      off: position(a.offset),
      addr: m.iovecs('addr', a.buffers),
      len: a.buffers.length,
      op_flags: a.rwFlags,
      buf_index: a.fixed,
    }),
  }),
  row({
    name: 'io_uring_prep_writev',
    draw: (r) => ({ fd: r.fd(), buffers: r.buffers(), offset: r.offset() }),
    ours: (ring, a, userData, m) => ring.prepWritev(a.fd, a.buffers.map((b) => m.lend(b)), userData, a.offset),
    theirs: (a, m) => {
      const iovecs = m.iovecs('addr', a.buffers);
      return [['io_uring_prep_writev', a.fd, iovecs, a.buffers.length, position(a.offset)]];
    },
  }),
  row({
    name: 'io_uring_prep_writev2',
    draw: (r) => ({ fd: r.fd(), buffers: r.buffers(), offset: r.offset(), rwFlags: r.u32() }),
    ours: (ring, { fd, buffers, offset, rwFlags }, userData, m) =>
      ring.prepWritev(fd, buffers.map((b) => m.lend(b)), userData, offset, { rwFlags }),
    theirs: (a, m) => {
      const iovecs = m.iovecs('addr', a.buffers);
      return [['io_uring_prep_writev2', a.fd, iovecs, a.buffers.length, position(a.offset), a.rwFlags]];
    },
  }),
  row({
    name: 'io_uring_prep_writev_fixed',
    draw: (r) => ({ fd: r.fd(), buffers: r.buffers(), offset: r.offset(), rwFlags: r.u32(), fixed: r.u16() }),
    ours: (ring, { fd, buffers, offset, ...options }, userData, m) =>
      ring.prepWritev(fd, buffers.map((b) => m.lend(b)), userData, offset, options),
    theirs: (a, m) => {
      const iovecs = m.iovecs('addr', a.buffers);
      const { fd, buffers, rwFlags, fixed } = a;
      return [['io_uring_prep_writev_fixed', fd, iovecs, buffers.length, position(a.offset), rwFlags, fixed]];
    },
    fields: (a, m) => ({
      opcode: 61,
      fd: a.fd,
      off: position(a.offset),
      addr: m.iovecs('addr', a.buffers),
      len: a.buffers.length,
      op_flags: a.rwFlags,
      buf_index: a.fixed,
    }),
  }),
  row({
    name: 'io_uring_prep_read_multishot',
    draw: (r) => ({ fd: r.fd(), len: r.u32(), offset: r.offset(), bgid: r.u16() }),
    group: (a) => a.bgid,
    ours: (ring, { fd, bgid, ...options }, userData) => ring.prepReadMultishot(fd, bgid, userData, options),
    theirs: (a) => [['io_uring_prep_read_multishot', a.fd, a.len, position(a.offset), a.bgid]],
    fields: (a) => ({ opcode: 49, flags: 32, fd: a.fd, off: position(a.offset), len: a.len, buf_group: a.bgid }),
  }),
  row({
    name: 'io_uring_prep_read_multishot, where the file stands',
    draw: (r) => ({ fd: r.fd(), bgid: r.u16() }),
    group: (a) => a.bgid,
    ours: (ring, a, userData) => ring.prepReadMultishot(a.fd, a.bgid, userData),
    theirs: (a) => [['io_uring_prep_read_multishot', a.fd, 0, -1, a.bgid]],
    fields: (a) => ({ opcode: 49, flags: 32, fd: a.fd, off: -1, buf_group: a.bgid }),
  }),

  row({
    name: 'io_uring_prep_fsync',
    draw: (r) => ({ fd: r.fd(), datasync: r.bool() }),
    ours: (ring, a, userData) => ring.prepFsync(a.fd, userData, { datasync: a.datasync }),
    theirs: (a) => [['io_uring_prep_fsync', a.fd, a.datasync]],
  }),
  row({
    name: 'FSYNC of a range',
    // A range has an end.
    draw: (r) => ({ fd: r.fd(), datasync: r.bool(), offset: r.length(), length: r.u32() || 1 }),
    ours: (ring, { fd, ...options }, userData) => ring.prepFsync(fd, userData, options),
    fields: (a) => ({ opcode: 3, fd: a.fd, off: a.offset, len: a.length, op_flags: a.datasync }),
  }),
  row({
    name: 'io_uring_prep_sync_file_range',
    draw: (r) => ({ fd: r.fd(), offset: r.length(), length: r.u32(), flags: r.u32() }),
    ours: (ring, a, userData) => ring.prepSyncFileRange(a.fd, a.offset, a.length, a.flags, userData),
    theirs: (a) => [['io_uring_prep_sync_file_range', a.fd, a.length, a.offset, a.flags]],
  }),
  row({
    name: 'io_uring_prep_fallocate',
    draw: (r) => ({ fd: r.fd(), mode: r.u32(), offset: r.length(), length: r.length() }),
    ours: (ring, a, userData) => ring.prepFallocate(a.fd, a.mode, a.offset, a.length, userData),
    theirs: (a) => [['io_uring_prep_fallocate', a.fd, a.mode, a.offset, a.length]],
  }),
  row({
    name: 'io_uring_prep_ftruncate',
    draw: (r) => ({ fd: r.fd(), length: r.length() }),
    ours: (ring, a, userData) => ring.prepFtruncate(a.fd, a.length, userData),
    theirs: (a) => [['io_uring_prep_ftruncate', a.fd, a.length]],
    fields: (a) => ({ opcode: 55, fd: a.fd, off: a.length }),
  }),
  row({
    name: 'io_uring_prep_fadvise',
    draw: (r) => ({ fd: r.fd(), offset: r.length(), length: r.u32(), advice: r.u32() }),
    ours: (ring, a, userData) => ring.prepFadvise(a.fd, a.offset, a.length, a.advice, userData),
    theirs: (a) => [['io_uring_prep_fadvise', a.fd, a.offset, a.length, a.advice]],
  }),
  row({
    name: 'io_uring_prep_fadvise64',
    draw: (r) => ({
      fd: r.fd(),
      offset: r.length(),
      length: r.of([r.between(2 ** 32, 2 ** 53 - 1), (1n << 63n) - 1n, 1n << 32n]),
      advice: r.u32(),
    }),
    ours: (ring, a, userData) => ring.prepFadvise(a.fd, a.offset, a.length, a.advice, userData),
    theirs: (a) => [['io_uring_prep_fadvise64', a.fd, a.offset, a.length, a.advice]],
    fields: (a) => ({ opcode: 24, fd: a.fd, off: a.offset, addr: a.length, op_flags: a.advice }),
  }),
  row({
    name: 'io_uring_prep_madvise',
    // Whole pages.
    draw: (r) => {
      const [size, offset] = [65536 * (1 + r.below(3)), 65536 * r.below(2)];
      const buf = { size, offset, form: r.of(['Uint8Array', 'DataView']) };
      return { buf, length: r.of([0, 65536, buf.size]), advice: r.between(0, 25) };
    },
    ours: (ring, a, userData, m) => ring.prepMadvise(m.lend(a.buf), a.length, a.advice, userData),
    theirs: (a, m) => [['io_uring_prep_madvise', m.lent('addr', m.lend(a.buf)), a.length, a.advice]],
  }),

  row({
    name: 'io_uring_prep_splice',
    draw: (r) => ({
      fdIn: r.fd(),
      offIn: r.offset(),
      fdOut: r.fd(),
      offOut: r.offset(),
      nbytes: r.u32(),
      flags: r.u32(),
      fixedIn: r.bool(),
    }),
    ours: (ring, { fdIn, offIn, fdOut, offOut, nbytes, ...options }, userData) =>
      ring.prepSplice(fdIn, offIn, fdOut, offOut, nbytes, userData, options),
    theirs: (a) => {
      const flags = (a.fixedIn ? a.flags | SPLICE_F_FD_IN_FIXED : a.flags) >>> 0;
      return [
        ['io_uring_prep_splice', a.fdIn, position(a.offIn), a.fdOut, position(a.offOut), a.nbytes, flags],
      ];
    },
  }),
  row({
    name: 'io_uring_prep_tee',
    draw: (r) => ({ fdIn: r.fd(), fdOut: r.fd(), nbytes: r.u32(), flags: r.u32(), fixedIn: r.bool() }),
    ours: (ring, { fdIn, fdOut, nbytes, ...options }, userData) => ring.prepTee(fdIn, fdOut, nbytes, userData, options),
    theirs: (a) => {
      const flags = (a.fixedIn ? a.flags | SPLICE_F_FD_IN_FIXED : a.flags) >>> 0;
      return [['io_uring_prep_tee', a.fdIn, a.fdOut, a.nbytes, flags]];
    },
  }),
  row({
    name: 'io_uring_prep_close',
    draw: (r) => ({ fd: r.fd() }),
    ours: (ring, a, userData) => ring.prepClose(a.fd, userData),
    theirs: (a) => [['io_uring_prep_close', a.fd]],
  }),
  row({
    name: 'io_uring_prep_close_direct',
    draw: (r) => ({ slot: r.between(0, 0xffff_fffd) }),
    ours: (ring, a, userData) => ring.prepCloseDirect(a.slot, userData),
    theirs: (a) => [['io_uring_prep_close_direct', a.slot]],
  }),
  row({
    name: 'io_uring_prep_pipe',
    draw: (r) => ({ fds: [0, 0], flags: r.u32() }),
    ours: (ring, a, userData, m) => ring.prepPipe(m.int32(a.fds), userData, { flags: a.flags }),
    theirs: (a, m) => [['io_uring_prep_pipe', m.lent('addr', m.int32(a.fds)), a.flags]],
    fields: (a, m) => ({ opcode: 62, addr: m.lent('addr', m.int32(a.fds)), op_flags: a.flags }),
  }),
  row({
    name: 'io_uring_prep_pipe_direct',
    draw: (r) => ({ fds: [0, 0], flags: r.u32(), slot: r.slot() }),
    ours: (ring, a, userData, m) => ring.prepPipe(m.int32(a.fds), userData, { flags: a.flags, direct: a.slot }),
    theirs: (a, m) => {
      const address = m.lent('addr', m.int32(a.fds));
      return [['io_uring_prep_pipe_direct', address, a.flags, fileIndex(a.slot)]];
    },
    fields: (a, m) => ({
      opcode: 62,
      addr: m.lent('addr', m.int32(a.fds)),
      op_flags: a.flags,
      file_index: fileIndex(a.slot) + 1,
    }),
  }),
];
