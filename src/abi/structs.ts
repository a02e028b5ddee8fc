import * as l from './layouts.ts';

/** Where a field is and how many bytes it takes: 0 for a flexible array, which runs on to the end. */
export interface Field<Offset extends number = number> {
  readonly offset: Offset;
  readonly size: number;
}

type Offsets = Readonly<Record<string, number>>;

/** A struct of the kernel's interface, in bytes. */
export interface Struct<O extends Offsets = Offsets> {
  readonly size: number;
  readonly fields: { readonly [Name in keyof O]: Field<O[Name]> };
  /** The struct on arm64, where it differs from x86-64. */
  readonly arm64?: Struct;
}

/**
 * A field runs to the next one, or to the end of the struct. `widths` has those that do not: members of a
 * union that are not as wide as the narrowest, fields with a gap behind them, and flexible arrays.
 */
/* @__NO_SIDE_EFFECTS__ */
function struct<O extends Offsets>(
  size: number,
  offsets: O,
  widths: { readonly [Name in keyof O]?: number } = {},
): Struct<O> {
  const starts = [...new Set(Object.values(offsets)), size].sort((a, b) => a - b);
  const fields = Object.entries(offsets).map(([name, offset]) => {
    const next = starts.find((start) => start > offset) ?? size;
    return [name, { offset, size: widths[name] ?? next - offset }];
  });
  return { size, fields: Object.fromEntries(fields) };
}

/* @__NO_SIDE_EFFECTS__ */
function withArm64<O extends Offsets, A extends Offsets>(
  layout: Struct<O>,
  arm64: Struct<A>,
): Struct<O> & { readonly arm64: Struct<A> } {
  return { ...layout, arm64 };
}

/** All structs of layouts.ts by the kernel's name, with the width of each field. For tools and tests. */
export const STRUCTS = {
  io_uring_sqe: struct(l.IO_URING_SQE_SIZE, l.IO_URING_SQE, {
    off: 8,
    addr2: 8,
    addr: 8,
    splice_off_in: 8,
    poll_events: 2,
    cmd: 0,
    splice_fd_in: 4,
    file_index: 4,
    zcrx_ifq_idx: 4,
    optlen: 4,
    write_stream: 1,
  }),
  io_uring_cqe: struct(l.IO_URING_CQE_SIZE, l.IO_URING_CQE),
  io_uring_params: struct(l.IO_URING_PARAMS_SIZE, l.IO_URING_PARAMS),
  io_sqring_offsets: struct(l.IO_SQRING_OFFSETS_SIZE, l.IO_SQRING_OFFSETS),
  io_cqring_offsets: struct(l.IO_CQRING_OFFSETS_SIZE, l.IO_CQRING_OFFSETS),
  io_uring_attr_pi: struct(l.IO_URING_ATTR_PI_SIZE, l.IO_URING_ATTR_PI),

  __kernel_timespec: struct(l.KERNEL_TIMESPEC_SIZE, l.KERNEL_TIMESPEC),
  io_uring_getevents_arg: struct(l.IO_URING_GETEVENTS_ARG_SIZE, l.IO_URING_GETEVENTS_ARG),
  io_uring_reg_wait: struct(l.IO_URING_REG_WAIT_SIZE, l.IO_URING_REG_WAIT),
  io_uring_region_desc: struct(l.IO_URING_REGION_DESC_SIZE, l.IO_URING_REGION_DESC),
  io_uring_mem_region_reg: struct(l.IO_URING_MEM_REGION_REG_SIZE, l.IO_URING_MEM_REGION_REG),
  io_uring_clock_register: struct(l.IO_URING_CLOCK_REGISTER_SIZE, l.IO_URING_CLOCK_REGISTER),
  io_uring_napi: struct(l.IO_URING_NAPI_SIZE, l.IO_URING_NAPI),

  io_uring_rsrc_register: struct(l.IO_URING_RSRC_REGISTER_SIZE, l.IO_URING_RSRC_REGISTER),
  io_uring_rsrc_update: struct(l.IO_URING_RSRC_UPDATE_SIZE, l.IO_URING_RSRC_UPDATE),
  io_uring_rsrc_update2: struct(l.IO_URING_RSRC_UPDATE2_SIZE, l.IO_URING_RSRC_UPDATE2),
  io_uring_files_update: struct(l.IO_URING_FILES_UPDATE_SIZE, l.IO_URING_FILES_UPDATE),
  io_uring_file_index_range: struct(l.IO_URING_FILE_INDEX_RANGE_SIZE, l.IO_URING_FILE_INDEX_RANGE),
  io_uring_clone_buffers: struct(l.IO_URING_CLONE_BUFFERS_SIZE, l.IO_URING_CLONE_BUFFERS),

  io_uring_buf: struct(l.IO_URING_BUF_SIZE, l.IO_URING_BUF),
  io_uring_buf_ring: struct(l.IO_URING_BUF_RING_SIZE, l.IO_URING_BUF_RING, { bufs: 0 }),
  io_uring_buf_reg: struct(l.IO_URING_BUF_REG_SIZE, l.IO_URING_BUF_REG),
  io_uring_buf_status: struct(l.IO_URING_BUF_STATUS_SIZE, l.IO_URING_BUF_STATUS),

  io_uring_probe: struct(l.IO_URING_PROBE_SIZE, l.IO_URING_PROBE),
  io_uring_probe_op: struct(l.IO_URING_PROBE_OP_SIZE, l.IO_URING_PROBE_OP),
  io_uring_restriction: struct(l.IO_URING_RESTRICTION_SIZE, l.IO_URING_RESTRICTION),
  io_uring_task_restriction: struct(l.IO_URING_TASK_RESTRICTION_SIZE, l.IO_URING_TASK_RESTRICTION),
  io_uring_sync_cancel_reg: struct(l.IO_URING_SYNC_CANCEL_REG_SIZE, l.IO_URING_SYNC_CANCEL_REG),

  io_uring_query_hdr: struct(l.IO_URING_QUERY_HDR_SIZE, l.IO_URING_QUERY_HDR),
  io_uring_query_opcode: struct(l.IO_URING_QUERY_OPCODE_SIZE, l.IO_URING_QUERY_OPCODE),
  io_uring_query_zcrx: struct(l.IO_URING_QUERY_ZCRX_STRUCT_SIZE, l.IO_URING_QUERY_ZCRX_STRUCT),
  io_uring_query_scq: struct(l.IO_URING_QUERY_SCQ_STRUCT_SIZE, l.IO_URING_QUERY_SCQ_STRUCT),

  io_uring_bpf: struct(l.IO_URING_BPF_SIZE, l.IO_URING_BPF),
  io_uring_bpf_filter: struct(l.IO_URING_BPF_FILTER_SIZE, l.IO_URING_BPF_FILTER),
  io_uring_bpf_ctx: struct(l.IO_URING_BPF_CTX_SIZE, l.IO_URING_BPF_CTX, {
    socket: 12,
    socket_family: 4,
    socket_protocol: 4,
    open: 24,
    open_flags: 8,
    open_mode: 8,
    connect: 24,
    connect_family: 4,
    connect_port: 2,
    connect_addr: 16,
  }),
  sock_fprog: struct(l.SOCK_FPROG_SIZE, l.SOCK_FPROG, { len: 2 }),
  sock_filter: struct(l.SOCK_FILTER_SIZE, l.SOCK_FILTER),

  io_uring_zcrx_ifq_reg: struct(l.IO_URING_ZCRX_IFQ_REG_SIZE, l.IO_URING_ZCRX_IFQ_REG),
  io_uring_zcrx_offsets: struct(l.IO_URING_ZCRX_OFFSETS_SIZE, l.IO_URING_ZCRX_OFFSETS),
  io_uring_zcrx_area_reg: struct(l.IO_URING_ZCRX_AREA_REG_SIZE, l.IO_URING_ZCRX_AREA_REG),
  io_uring_zcrx_rqe: struct(l.IO_URING_ZCRX_RQE_SIZE, l.IO_URING_ZCRX_RQE),
  io_uring_zcrx_cqe: struct(l.IO_URING_ZCRX_CQE_SIZE, l.IO_URING_ZCRX_CQE),
  zcrx_ctrl: struct(l.ZCRX_CTRL_SIZE, l.ZCRX_CTRL),
  zcrx_ctrl_export: struct(l.ZCRX_CTRL_EXPORT_STRUCT_SIZE, l.ZCRX_CTRL_EXPORT_STRUCT),
  zcrx_ctrl_flush_rq: struct(l.ZCRX_CTRL_FLUSH_RQ_STRUCT_SIZE, l.ZCRX_CTRL_FLUSH_RQ_STRUCT),
  zcrx_ctrl_arm_event: struct(l.ZCRX_CTRL_ARM_EVENT_STRUCT_SIZE, l.ZCRX_CTRL_ARM_EVENT_STRUCT),
  zcrx_event_desc: struct(l.ZCRX_EVENT_DESC_SIZE, l.ZCRX_EVENT_DESC),
  zcrx_stats: struct(l.ZCRX_STATS_SIZE, l.ZCRX_STATS),

  msghdr: struct(l.MSGHDR_SIZE, l.MSGHDR, { msg_namelen: 4, msg_flags: 4 }),
  iovec: struct(l.IOVEC_SIZE, l.IOVEC),
  cmsghdr: struct(l.CMSGHDR_SIZE, l.CMSGHDR),
  io_uring_recvmsg_out: struct(l.IO_URING_RECVMSG_OUT_SIZE, l.IO_URING_RECVMSG_OUT),
  io_timespec: struct(l.IO_TIMESPEC_SIZE, l.IO_TIMESPEC),
  sockaddr_in: struct(l.SOCKADDR_IN_SIZE, l.SOCKADDR_IN),
  sockaddr_in6: struct(l.SOCKADDR_IN6_SIZE, l.SOCKADDR_IN6),
  sockaddr_un: struct(l.SOCKADDR_UN_SIZE, l.SOCKADDR_UN),
  sockaddr_storage: struct(l.SOCKADDR_STORAGE_SIZE, l.SOCKADDR_STORAGE, { ss_family: 2 }),

  statx: struct(l.STATX_STRUCT_SIZE, l.STATX_STRUCT, { stx_mode: 2, stx_atomic_write_unit_max_opt: 4 }),
  statx_timestamp: struct(l.STATX_TIMESTAMP_SIZE, l.STATX_TIMESTAMP, { tv_nsec: 4 }),
  open_how: struct(l.OPEN_HOW_SIZE, l.OPEN_HOW),
  epoll_event: withArm64(
    struct(l.EPOLL_EVENT_SIZE, l.EPOLL_EVENT),
    struct(l.EPOLL_EVENT_ARM64_SIZE, l.EPOLL_EVENT_ARM64, { events: 4 }),
  ),
  futex_waitv: struct(l.FUTEX_WAITV_SIZE, l.FUTEX_WAITV),
  siginfo_t: struct(l.SIGINFO_SIZE, l.SIGINFO, { si_code: 4, si_status: 4 }),
};
