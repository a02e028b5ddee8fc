/**
 * Where the fields of the kernel's structs are: byte offsets, for DataView and typed arrays.
 *
 *     params.setUint32(IO_URING_PARAMS.flags, IORING_SETUP_CQSIZE, true);
 *
 * Each struct is an object of offsets, and its size in bytes is a constant of its own: IO_URING_PARAMS_SIZE.
 * Names are the kernel's. Six of them end in _STRUCT, where the name in capitals is a constant already.
 * Members of a C union are fields of one offset. Fields called resv, pad and the like must be zero.
 * How wide a field is says the STRUCTS table.
 *
 * Everything is little-endian, and the same on x86-64 and arm64 except for `struct epoll_event`.
 */

// ---------------------------------------------------------------- the two queues

/** One submission. 64 bytes; 128 with IORING_SETUP_SQE128, where `cmd` runs from 48 to the end. */
export const IO_URING_SQE = {
  opcode: 0,
  flags: 1,
  ioprio: 2,
  fd: 4,
  off: 8,
  addr2: 8,
  cmd_op: 8,
  __pad1: 12,
  addr: 16,
  splice_off_in: 16,
  level: 16,
  optname: 20,
  len: 24,
  rw_flags: 28,
  fsync_flags: 28,
  poll_events: 28,
  poll32_events: 28,
  sync_range_flags: 28,
  msg_flags: 28,
  timeout_flags: 28,
  accept_flags: 28,
  cancel_flags: 28,
  open_flags: 28,
  statx_flags: 28,
  fadvise_advice: 28,
  splice_flags: 28,
  rename_flags: 28,
  unlink_flags: 28,
  hardlink_flags: 28,
  xattr_flags: 28,
  msg_ring_flags: 28,
  uring_cmd_flags: 28,
  waitid_flags: 28,
  futex_flags: 28,
  install_fd_flags: 28,
  nop_flags: 28,
  pipe_flags: 28,
  user_data: 32,
  buf_index: 40,
  buf_group: 40,
  personality: 42,
  splice_fd_in: 44,
  file_index: 44,
  zcrx_ifq_idx: 44,
  optlen: 44,
  addr_len: 44,
  write_stream: 44,
  __pad3: 46,
  addr3: 48,
  attr_ptr: 48,
  optval: 48,
  cmd: 48,
  __pad2: 56,
  attr_type_mask: 56,
} as const;
export const IO_URING_SQE_SIZE = 64;

/**
 * One completion. 16 bytes; 32 with IORING_SETUP_CQE32, where `big_cqe` is two more 64-bit words. With
 * IORING_SETUP_CQE_MIXED slots are 16 bytes, and an entry with IORING_CQE_F_32 takes two of them.
 */
export const IO_URING_CQE = { user_data: 0, res: 8, flags: 12, big_cqe: 16 } as const;
export const IO_URING_CQE_SIZE = 16;

/** Argument of io_uring_setup(2), read and written. Of the two `_off` only `user_addr` is ever input. */
export const IO_URING_PARAMS = {
  sq_entries: 0,
  cq_entries: 4,
  flags: 8,
  sq_thread_cpu: 12,
  sq_thread_idle: 16,
  features: 20,
  wq_fd: 24,
  resv: 28,
  sq_off: 40,
  cq_off: 80,
} as const;
export const IO_URING_PARAMS_SIZE = 120;

/** `io_uring_params.sq_off`: where things are in the mapped submission ring. */
export const IO_SQRING_OFFSETS = {
  head: 0,
  tail: 4,
  ring_mask: 8,
  ring_entries: 12,
  flags: 16,
  dropped: 20,
  /** 0 with IORING_SETUP_NO_SQARRAY: there is none. */
  array: 24,
  resv1: 28,
  /** In, with IORING_SETUP_NO_MMAP: the caller's memory for the SQEs. */
  user_addr: 32,
} as const;
export const IO_SQRING_OFFSETS_SIZE = 40;

/** `io_uring_params.cq_off`: where things are in the mapped completion ring. */
export const IO_CQRING_OFFSETS = {
  head: 0,
  tail: 4,
  ring_mask: 8,
  ring_entries: 12,
  overflow: 16,
  cqes: 20,
  flags: 24,
  resv1: 28,
  /** In, with IORING_SETUP_NO_MMAP: the caller's memory for the rings. */
  user_addr: 32,
} as const;
export const IO_CQRING_OFFSETS_SIZE = 40;

/** The struct that `attr_ptr` of a read or write points to with IORING_RW_ATTR_FLAG_PI: protection information. */
export const IO_URING_ATTR_PI = { flags: 0, app_tag: 2, len: 4, addr: 8, seed: 16, rsvd: 24 } as const;
export const IO_URING_ATTR_PI_SIZE = 32;

// ---------------------------------------------------------------- waiting

/** Time of timers and waits. Both fields are signed 64-bit numbers. */
export const KERNEL_TIMESPEC = { tv_sec: 0, tv_nsec: 8 } as const;
export const KERNEL_TIMESPEC_SIZE = 16;

/** Argument of io_uring_enter(2) with IORING_ENTER_EXT_ARG. */
export const IO_URING_GETEVENTS_ARG = {
  sigmask: 0,
  /** 8 when there is a signal mask: the kernel's sigset, not glibc's. */
  sigmask_sz: 8,
  /** Padding before 6.12; see IORING_FEAT_MIN_TIMEOUT. */
  min_wait_usec: 12,
  /** Address of a KERNEL_TIMESPEC, or 0 to wait without limit. */
  ts: 16,
} as const;
export const IO_URING_GETEVENTS_ARG_SIZE = 24;

/** One wait argument in a registered region (IORING_ENTER_EXT_ARG_REG). */
export const IO_URING_REG_WAIT = {
  ts: 0,
  min_wait_usec: 16,
  flags: 20,
  sigmask: 24,
  sigmask_sz: 32,
  pad: 36,
  pad2: 48,
} as const;
export const IO_URING_REG_WAIT_SIZE = 64;

/** The memory of IORING_REGISTER_MEM_REGION. */
export const IO_URING_REGION_DESC = {
  user_addr: 0,
  size: 8,
  flags: 16,
  id: 20,
  /** Out, when the kernel owns the memory: the offset to mmap(2). */
  mmap_offset: 24,
  __resv: 32,
} as const;
export const IO_URING_REGION_DESC_SIZE = 64;

/** Argument of IORING_REGISTER_MEM_REGION. `region_uptr` is the address of an IO_URING_REGION_DESC. */
export const IO_URING_MEM_REGION_REG = { region_uptr: 0, flags: 8, __resv: 16 } as const;
export const IO_URING_MEM_REGION_REG_SIZE = 32;

/** Argument of IORING_REGISTER_CLOCK. */
export const IO_URING_CLOCK_REGISTER = { clockid: 0, __resv: 4 } as const;
export const IO_URING_CLOCK_REGISTER_SIZE = 16;

/** Argument of IORING_REGISTER_NAPI and IORING_UNREGISTER_NAPI; the old settings come back in it. */
export const IO_URING_NAPI = { busy_poll_to: 0, prefer_busy_poll: 4, pad: 5, resv: 8 } as const;
export const IO_URING_NAPI_SIZE = 16;

// ---------------------------------------------------------------- registered files and buffers

/** Argument of IORING_REGISTER_FILES2 and IORING_REGISTER_BUFFERS2. */
export const IO_URING_RSRC_REGISTER = { nr: 0, flags: 4, resv2: 8, data: 16, tags: 24 } as const;
export const IO_URING_RSRC_REGISTER_SIZE = 32;

/**
 * Argument of IORING_REGISTER_FILES_UPDATE, where `data` is the address of 32-bit descriptors, and of
 * IORING_REGISTER_RING_FDS, where `data` is a ring's descriptor and an `offset` of -1 lets the kernel choose.
 */
export const IO_URING_RSRC_UPDATE = { offset: 0, resv: 4, data: 8 } as const;
export const IO_URING_RSRC_UPDATE_SIZE = 16;

/** Argument of IORING_REGISTER_FILES_UPDATE2 and IORING_REGISTER_BUFFERS_UPDATE. */
export const IO_URING_RSRC_UPDATE2 = { offset: 0, resv: 4, data: 8, tags: 16, nr: 24, resv2: 28 } as const;
export const IO_URING_RSRC_UPDATE2_SIZE = 32;

/** The older name of IO_URING_RSRC_UPDATE. */
export const IO_URING_FILES_UPDATE = { offset: 0, resv: 4, fds: 8 } as const;
export const IO_URING_FILES_UPDATE_SIZE = 16;

/** Argument of IORING_REGISTER_FILE_ALLOC_RANGE: the slots from `off` to before `off + len`. */
export const IO_URING_FILE_INDEX_RANGE = { off: 0, len: 4, resv: 8 } as const;
export const IO_URING_FILE_INDEX_RANGE_SIZE = 16;

/** Argument of IORING_REGISTER_CLONE_BUFFERS. */
export const IO_URING_CLONE_BUFFERS = {
  src_fd: 0,
  flags: 4,
  src_off: 8,
  dst_off: 12,
  nr: 16,
  pad: 20,
} as const;
export const IO_URING_CLONE_BUFFERS_SIZE = 32;

// ---------------------------------------------------------------- provided buffers

/** One entry of a provided-buffer ring. */
export const IO_URING_BUF = { addr: 0, len: 8, bid: 12, resv: 14 } as const;
export const IO_URING_BUF_SIZE = 16;

/** A provided-buffer ring: its 16-bit `tail` lies in what would be `resv` of the first entry. */
export const IO_URING_BUF_RING = { resv1: 0, resv2: 8, resv3: 12, tail: 14, bufs: 0 } as const;
export const IO_URING_BUF_RING_SIZE = 16;

/** Argument of IORING_REGISTER_PBUF_RING and IORING_UNREGISTER_PBUF_RING. */
export const IO_URING_BUF_REG = {
  /** Page aligned; 0 with IOU_PBUF_RING_MMAP. */
  ring_addr: 0,
  ring_entries: 8,
  bgid: 12,
  flags: 14,
  /** Kernel 7.1, and back-ported, with IOU_PBUF_RING_INC; zero otherwise. */
  min_left: 16,
  resv: 20,
} as const;
export const IO_URING_BUF_REG_SIZE = 40;

/** Argument of IORING_REGISTER_PBUF_STATUS: a group in, the kernel's head index out. */
export const IO_URING_BUF_STATUS = { buf_group: 0, head: 4, resv: 8 } as const;
export const IO_URING_BUF_STATUS_SIZE = 40;

// ---------------------------------------------------------------- probing, restricting, cancelling

/** Argument of IORING_REGISTER_PROBE, followed by its `ops`. All of it must be zero on entry. */
export const IO_URING_PROBE = { last_op: 0, ops_len: 1, resv: 2, resv2: 4, ops: 16 } as const;
export const IO_URING_PROBE_SIZE = 16;

/** One of IO_URING_PROBE's `ops`. */
export const IO_URING_PROBE_OP = { op: 0, resv: 1, flags: 2, resv2: 4 } as const;
export const IO_URING_PROBE_OP_SIZE = 8;

/** One element of the argument of IORING_REGISTER_RESTRICTIONS. */
export const IO_URING_RESTRICTION = {
  /** IORING_RESTRICTION_*. */
  opcode: 0,
  register_op: 2,
  sqe_op: 2,
  sqe_flags: 2,
  resv: 3,
  resv2: 4,
} as const;
export const IO_URING_RESTRICTION_SIZE = 16;

/** Argument of IORING_REGISTER_RESTRICTIONS for a whole task (descriptor -1), followed by its elements. */
export const IO_URING_TASK_RESTRICTION = { flags: 0, nr_res: 2, resv: 4, restrictions: 16 } as const;
export const IO_URING_TASK_RESTRICTION_SIZE = 16;

/** Argument of IORING_REGISTER_SYNC_CANCEL. */
export const IO_URING_SYNC_CANCEL_REG = {
  addr: 0,
  /** -1 unless a descriptor is matched. */
  fd: 8,
  flags: 12,
  /** A KERNEL_TIMESPEC; -1 in both its fields waits without limit. */
  timeout: 16,
  opcode: 32,
  pad: 33,
  pad2: 40,
} as const;
export const IO_URING_SYNC_CANCEL_REG_SIZE = 64;

// ---------------------------------------------------------------- query

/** One link in the chain that IORING_REGISTER_QUERY walks. */
export const IO_URING_QUERY_HDR = {
  /** Address of the next header, or 0. */
  next_entry: 0,
  query_data: 8,
  query_op: 16,
  size: 20,
  /** Out: 0 or a negative errno, for this entry alone. */
  result: 24,
  __resv: 28,
} as const;
export const IO_URING_QUERY_HDR_SIZE = 40;

/** Answer to IO_URING_QUERY_OPCODES. */
export const IO_URING_QUERY_OPCODE = {
  nr_request_opcodes: 0,
  nr_register_opcodes: 4,
  feature_flags: 8,
  ring_setup_flags: 16,
  enter_flags: 24,
  sqe_flags: 32,
  nr_query_opcodes: 40,
  __pad: 44,
} as const;
export const IO_URING_QUERY_OPCODE_SIZE = 48;

/** Answer to IO_URING_QUERY_ZCRX. */
export const IO_URING_QUERY_ZCRX_STRUCT = {
  register_flags: 0,
  area_flags: 8,
  nr_ctrl_opcodes: 16,
  features: 20,
  rq_hdr_size: 24,
  rq_hdr_alignment: 28,
  __resv2: 32,
} as const;
export const IO_URING_QUERY_ZCRX_STRUCT_SIZE = 40;

/** Answer to IO_URING_QUERY_SCQ. */
export const IO_URING_QUERY_SCQ_STRUCT = { hdr_size: 0, hdr_alignment: 8 } as const;
export const IO_URING_QUERY_SCQ_STRUCT_SIZE = 16;

// ---------------------------------------------------------------- classic-BPF filters

/** Argument of IORING_REGISTER_BPF_FILTER. */
export const IO_URING_BPF = { cmd_type: 0, cmd_flags: 2, resv: 4, filter: 8 } as const;
export const IO_URING_BPF_SIZE = 72;

/** `io_uring_bpf.filter`. */
export const IO_URING_BPF_FILTER = {
  opcode: 0,
  flags: 4,
  filter_len: 8,
  /** Reserved in the first headers of 7.0. */
  pdu_size: 12,
  resv: 13,
  filter_ptr: 16,
  resv2: 24,
} as const;
export const IO_URING_BPF_FILTER_SIZE = 64;

/**
 * The view of a request that a filter gets: a head, and from 16 on a payload by opcode. `socket_family` is C's
 * `socket.family`. The payload of CONNECT is the kernel's, no public header has it yet.
 */
export const IO_URING_BPF_CTX = {
  user_data: 0,
  opcode: 8,
  sqe_flags: 9,
  pdu_size: 10,
  pad: 11,
  socket: 16,
  socket_family: 16,
  socket_type: 20,
  socket_protocol: 24,
  open: 16,
  open_flags: 16,
  open_mode: 24,
  open_resolve: 32,
  connect: 16,
  connect_family: 16,
  connect_port: 20,
  connect_addr: 24,
} as const;
export const IO_URING_BPF_CTX_SIZE = 40;

/** A classic-BPF program. */
export const SOCK_FPROG = { len: 0, filter: 8 } as const;
export const SOCK_FPROG_SIZE = 16;

/** One instruction of it. */
export const SOCK_FILTER = { code: 0, jt: 2, jf: 3, k: 4 } as const;
export const SOCK_FILTER_SIZE = 8;

// ---------------------------------------------------------------- zero-copy receive

/** Argument of IORING_REGISTER_ZCRX_IFQ. */
export const IO_URING_ZCRX_IFQ_REG = {
  if_idx: 0,
  if_rxq: 4,
  rq_entries: 8,
  flags: 12,
  area_ptr: 16,
  region_ptr: 24,
  /** Out: an IO_URING_ZCRX_OFFSETS. */
  offsets: 32,
  /** Out. */
  zcrx_id: 64,
  rx_buf_len: 68,
  /** Address of a ZCRX_EVENT_DESC; reserved before ZCRX_FEATURE_EVENT. */
  event_desc: 72,
  __resv: 80,
} as const;
export const IO_URING_ZCRX_IFQ_REG_SIZE = 96;

/** Where things are in the mapped refill queue. */
export const IO_URING_ZCRX_OFFSETS = { head: 0, tail: 4, rqes: 8, __resv2: 12, __resv: 16 } as const;
export const IO_URING_ZCRX_OFFSETS_SIZE = 32;

/** The memory that packets land in. */
export const IO_URING_ZCRX_AREA_REG = {
  addr: 0,
  len: 8,
  rq_area_token: 16,
  flags: 24,
  dmabuf_fd: 28,
  __resv2: 32,
} as const;
export const IO_URING_ZCRX_AREA_REG_SIZE = 48;

/** One entry of the refill queue: a buffer going back to the kernel. */
export const IO_URING_ZCRX_RQE = { off: 0, len: 8, __pad: 12 } as const;
export const IO_URING_ZCRX_RQE_SIZE = 16;

/** The second half of a RECV_ZC completion. `off`: see IORING_ZCRX_AREA_SHIFT. */
export const IO_URING_ZCRX_CQE = { off: 0, __pad: 8 } as const;
export const IO_URING_ZCRX_CQE_SIZE = 16;

/** Argument of IORING_REGISTER_ZCRX_CTRL: the last three are one union. */
export const ZCRX_CTRL = {
  zcrx_id: 0,
  op: 4,
  __resv: 8,
  zc_export: 24,
  zc_flush: 24,
  zc_arm_event: 24,
} as const;
export const ZCRX_CTRL_SIZE = 72;

/** `zcrx_ctrl.zc_export`. */
export const ZCRX_CTRL_EXPORT_STRUCT = { zcrx_fd: 0, __resv1: 4 } as const;
export const ZCRX_CTRL_EXPORT_STRUCT_SIZE = 48;

/** `zcrx_ctrl.zc_flush`. */
export const ZCRX_CTRL_FLUSH_RQ_STRUCT = { __resv: 0 } as const;
export const ZCRX_CTRL_FLUSH_RQ_STRUCT_SIZE = 48;

/** `zcrx_ctrl.zc_arm_event`. */
export const ZCRX_CTRL_ARM_EVENT_STRUCT = { event_type: 0, __resv: 4 } as const;
export const ZCRX_CTRL_ARM_EVENT_STRUCT_SIZE = 48;

/** Which events a zero-copy receive instance reports. Newer than ZCRX_REG_NODEV. */
export const ZCRX_EVENT_DESC = {
  user_data: 0,
  type_mask: 8,
  flags: 12,
  stats_offset: 16,
  __resv2: 24,
} as const;
export const ZCRX_EVENT_DESC_SIZE = 96;

/** Counters at `zcrx_event_desc.stats_offset`. */
export const ZCRX_STATS = { copy_count: 0, copy_bytes: 8 } as const;
export const ZCRX_STATS_SIZE = 16;

// ---------------------------------------------------------------- sockets

/** Argument of SENDMSG and RECVMSG. A receive writes the two lengths and the flags back. */
export const MSGHDR = {
  msg_name: 0,
  msg_namelen: 8,
  msg_iov: 16,
  msg_iovlen: 24,
  msg_control: 32,
  msg_controllen: 40,
  msg_flags: 48,
} as const;
export const MSGHDR_SIZE = 56;

/** One piece of scattered memory. */
export const IOVEC = { iov_base: 0, iov_len: 8 } as const;
export const IOVEC_SIZE = 16;

/** Head of one control message; its data follows at 16, and the next head at the next multiple of 8. */
export const CMSGHDR = { cmsg_len: 0, cmsg_level: 8, cmsg_type: 12 } as const;
export const CMSGHDR_SIZE = 16;

/**
 * The header that a multishot RECVMSG puts at the start of each buffer. Behind it: the name area and the control area,
 * each as long as the msghdr said however little was used, then the payload. The payload's length is the
 * completion's result minus these three; `payloadlen` is the datagram's full size, which may be more.
 */
export const IO_URING_RECVMSG_OUT = { namelen: 0, controllen: 4, payloadlen: 8, flags: 12 } as const;
export const IO_URING_RECVMSG_OUT_SIZE = 16;

/** The payload of a transmit-timestamp completion (SOCKET_URING_OP_TX_TIMESTAMP). */
export const IO_TIMESPEC = { tv_sec: 0, tv_nsec: 8 } as const;
export const IO_TIMESPEC_SIZE = 16;

/** IPv4 address. Port and address are in network byte order. */
export const SOCKADDR_IN = { sin_family: 0, sin_port: 2, sin_addr: 4, sin_zero: 8 } as const;
export const SOCKADDR_IN_SIZE = 16;

/** IPv6 address. The port is in network byte order. */
export const SOCKADDR_IN6 = {
  sin6_family: 0,
  sin6_port: 2,
  sin6_flowinfo: 4,
  sin6_addr: 8,
  sin6_scope_id: 24,
} as const;
export const SOCKADDR_IN6_SIZE = 28;

/** Unix-domain address. Names in the abstract namespace begin with a NUL, and their length counts. */
export const SOCKADDR_UN = { sun_family: 0, sun_path: 2 } as const;
export const SOCKADDR_UN_SIZE = 110;

/** Room for the address of any family. */
export const SOCKADDR_STORAGE = { ss_family: 0 } as const;
export const SOCKADDR_STORAGE_SIZE = 128;

// ---------------------------------------------------------------- files, events, processes

/** Result of STATX. The time stamps are STATX_TIMESTAMP. */
export const STATX_STRUCT = {
  stx_mask: 0,
  stx_blksize: 4,
  stx_attributes: 8,
  stx_nlink: 16,
  stx_uid: 20,
  stx_gid: 24,
  stx_mode: 28,
  stx_ino: 32,
  stx_size: 40,
  stx_blocks: 48,
  stx_attributes_mask: 56,
  stx_atime: 64,
  stx_btime: 80,
  stx_ctime: 96,
  stx_mtime: 112,
  stx_rdev_major: 128,
  stx_rdev_minor: 132,
  stx_dev_major: 136,
  stx_dev_minor: 140,
  stx_mnt_id: 144,
  stx_dio_mem_align: 152,
  stx_dio_offset_align: 156,
  stx_subvol: 160,
  stx_atomic_write_unit_min: 168,
  stx_atomic_write_unit_max: 172,
  stx_atomic_write_segments_max: 176,
  stx_dio_read_offset_align: 180,
  stx_atomic_write_unit_max_opt: 184,
} as const;
export const STATX_STRUCT_SIZE = 256;

/** A time in STATX: signed 64-bit seconds, unsigned 32-bit nanoseconds. */
export const STATX_TIMESTAMP = { tv_sec: 0, tv_nsec: 8 } as const;
export const STATX_TIMESTAMP_SIZE = 16;

/** Argument of OPENAT2. */
export const OPEN_HOW = { flags: 0, mode: 8, resolve: 16 } as const;
export const OPEN_HOW_SIZE = 24;

/** An event of EPOLL_CTL and EPOLL_WAIT on x86-64, where the struct is packed. */
export const EPOLL_EVENT = { events: 0, data: 4 } as const;
export const EPOLL_EVENT_SIZE = 12;

/** The same on arm64 and every other architecture. */
export const EPOLL_EVENT_ARM64 = { events: 0, data: 8 } as const;
export const EPOLL_EVENT_ARM64_SIZE = 16;

/** One element of FUTEX_WAITV's array. */
export const FUTEX_WAITV = { val: 0, uaddr: 8, flags: 16, __reserved: 20 } as const;
export const FUTEX_WAITV_SIZE = 24;

/** Result of WAITID: siginfo_t, as far as waitid(2) fills it. */
export const SIGINFO = {
  si_signo: 0,
  si_errno: 4,
  si_code: 8,
  si_pid: 16,
  si_uid: 20,
  si_status: 24,
} as const;
export const SIGINFO_SIZE = 128;
