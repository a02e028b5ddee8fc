/**
 * The flags of io_uring, by the field they go into. 32-bit values are positive numbers, the top bit included:
 * after `|` or `&` in JavaScript it reads negative, and `>>> 0` brings it back.
 *
 * A doc says since which kernel, what the flag brings, and what it costs or requires.
 */

// ---------------------------------------------------------------- io_uring_params.flags

/**
 * Kernel 5.1. Completions of storage are polled for, not signalled by interrupts: less latency for a busy
 * core. Only for files opened with O_DIRECT on devices that can poll.
 */
export const IORING_SETUP_IOPOLL = 0x1;
/**
 * Kernel 5.1. A kernel thread submits: no system call as long as it is awake. It keeps a core busy until it
 * sleeps (`sq_thread_idle` ms); then IORING_SQ_NEED_WAKEUP asks for a wake-up. Needs privileges before 5.11.
 */
export const IORING_SETUP_SQPOLL = 0x2;
/** Kernel 5.1. Pins that thread to CPU `sq_thread_cpu`. Requires SQPOLL. */
export const IORING_SETUP_SQ_AFF = 0x4;
/** Kernel 5.5. The completion ring gets `cq_entries` slots, rounded up; at least as many as the other. */
export const IORING_SETUP_CQSIZE = 0x8;
/** Kernel 5.6. Too large a size is cut to the limit, 32768 and 65536 entries, instead of EINVAL. */
export const IORING_SETUP_CLAMP = 0x10;
/** Kernel 5.6. Shares the worker pool, and the SQPOLL thread, of the ring `wq_fd`. */
export const IORING_SETUP_ATTACH_WQ = 0x20;
/**
 * Kernel 5.10. The ring takes no submissions before IORING_REGISTER_ENABLE_RINGS. That is the time to
 * register restrictions and wait regions; and a SINGLE_ISSUER ring belongs to the thread that enables it.
 */
export const IORING_SETUP_R_DISABLED = 0x40;
/** Kernel 5.18. A bad SQE does not end the batch: its error is its completion, the rest is submitted. */
export const IORING_SETUP_SUBMIT_ALL = 0x80;
/**
 * Kernel 5.19. Completion work does not interrupt the thread but waits until it enters the kernel, for
 * whatever reason. Excludes SQPOLL.
 */
export const IORING_SETUP_COOP_TASKRUN = 0x100;
/** Kernel 5.19. IORING_SQ_TASKRUN tells that such work is waiting. Requires COOP_TASKRUN or DEFER_TASKRUN. */
export const IORING_SETUP_TASKRUN_FLAG = 0x200;
/** Kernel 5.19. All SQEs are 128 bytes, for driver commands of up to 80 bytes. Costs twice the memory. */
export const IORING_SETUP_SQE128 = 0x400;
/** Kernel 5.19. All CQEs are 32 bytes, for operations that return more than `res`. Costs twice the memory. */
export const IORING_SETUP_CQE32 = 0x800;
/** Kernel 6.0. Only one task submits, which saves the kernel locking; any other gets EEXIST. */
export const IORING_SETUP_SINGLE_ISSUER = 0x1000;
/**
 * Kernel 6.1. Completion work runs only when the submitting task enters with IORING_ENTER_GETEVENTS: in
 * batches, when that task wants it. A loop that only looks at the CQ sees nothing; other tasks get EEXIST.
 * Requires SINGLE_ISSUER, excludes SQPOLL.
 */
export const IORING_SETUP_DEFER_TASKRUN = 0x2000;
/** Kernel 6.5. The rings lie in memory of the caller (`user_addr` of both offsets), a huge page perhaps. */
export const IORING_SETUP_NO_MMAP = 0x4000;
/** Kernel 6.5. There is no descriptor: the result is a registered index. Requires NO_MMAP. */
export const IORING_SETUP_REGISTERED_FD_ONLY = 0x8000;
/** Kernel 6.6. No index array between ring and SQEs: these are taken in order. Saves a look-up for each. */
export const IORING_SETUP_NO_SQARRAY = 0x10000;
/** Kernel 6.13. IOPOLL that sleeps a while before it polls: less CPU, more latency. Requires IOPOLL. */
export const IORING_SETUP_HYBRID_IOPOLL = 0x20000;
/** Kernel 6.18. 16- and 32-byte CQEs in one ring; IORING_CQE_F_32 marks the latter. Excludes CQE32. */
export const IORING_SETUP_CQE_MIXED = 0x40000;
/** Kernel 6.19. 64- and 128-byte SQEs in one ring; the latter for the *128 operations. Excludes SQE128. */
export const IORING_SETUP_SQE_MIXED = 0x80000;
/** Kernel 7.0. Each submission is read from index 0. Requires NO_SQARRAY, excludes SQPOLL. */
export const IORING_SETUP_SQ_REWIND = 0x100000;

// ---------------------------------------------------------------- io_uring_params.features

/** Kernel 5.4. One mapping holds both rings. */
export const IORING_FEAT_SINGLE_MMAP = 0x1;
/** Kernel 5.5. Completions that find the CQ full are kept, not dropped. */
export const IORING_FEAT_NODROP = 0x2;
/** Kernel 5.5. What an SQE points to as an argument (not as data) is free again after the submission. */
export const IORING_FEAT_SUBMIT_STABLE = 0x4;
/** Kernel 5.6. An offset of -1 means the file's own position. */
export const IORING_FEAT_RW_CUR_POS = 0x8;
/** Kernel 5.6. Requests run with the credentials of the task that submits, not of the ring's maker. */
export const IORING_FEAT_CUR_PERSONALITY = 0x10;
/** Kernel 5.7. Files that can be polled are waited for without a worker thread. */
export const IORING_FEAT_FAST_POLL = 0x20;
/** Kernel 5.9. Poll masks have 32 bits, so that EPOLLEXCLUSIVE and the like fit. */
export const IORING_FEAT_POLL_32BITS = 0x40;
/** Kernel 5.11. SQPOLL works with descriptors that are not registered. */
export const IORING_FEAT_SQPOLL_NONFIXED = 0x80;
/** Kernel 5.11. IORING_ENTER_EXT_ARG: a wait can have a time limit. */
export const IORING_FEAT_EXT_ARG = 0x100;
/** Kernel 5.12. Workers are threads of the process, no kernel threads in its name. */
export const IORING_FEAT_NATIVE_WORKERS = 0x200;
/** Kernel 5.13. Registered files and buffers have tags and can be updated in place. */
export const IORING_FEAT_RSRC_TAGS = 0x400;
/** Kernel 5.17. IOSQE_CQE_SKIP_SUCCESS works. */
export const IORING_FEAT_CQE_SKIP = 0x800;
/**
 * Kernel 5.18, and point releases of 5.17. A linked request looks its file up when it runs: it may use a slot that the
 * chain fills.
 */
export const IORING_FEAT_LINKED_FILE = 0x1000;
/** Kernel 6.3. io_uring_register(2) accepts a registered ring (IORING_REGISTER_USE_REGISTERED_RING). */
export const IORING_FEAT_REG_REG_RING = 0x2000;
/** Kernel 6.10. Bundles, and provided buffers for sends. */
export const IORING_FEAT_RECVSEND_BUNDLE = 0x4000;
/** Kernel 6.12. A wait can have a minimum time (`min_wait_usec`), to gather a batch. */
export const IORING_FEAT_MIN_TIMEOUT = 0x8000;
/** Kernel 6.14. Reads and writes can carry attributes (`attr_ptr`). */
export const IORING_FEAT_RW_ATTR = 0x10000;
/** Kernel 6.15. IORING_ENTER_NO_IOWAIT works. */
export const IORING_FEAT_NO_IOWAIT = 0x20000;

// ---------------------------------------------------------------- io_uring_enter(2)

/** Kernel 5.1. Waits for `min_complete` completions; with 0 only runs what completion work there is. */
export const IORING_ENTER_GETEVENTS = 0x1;
/** Kernel 5.1. Wakes the SQPOLL thread. */
export const IORING_ENTER_SQ_WAKEUP = 0x2;
/** Kernel 5.10. Waits until the SQPOLL thread has made room in the SQ. */
export const IORING_ENTER_SQ_WAIT = 0x4;
/** Kernel 5.11. The argument is a `struct io_uring_getevents_arg`, not a signal mask. */
export const IORING_ENTER_EXT_ARG = 0x8;
/** Kernel 5.18. The descriptor is a registered index: saves the look-up of the file. */
export const IORING_ENTER_REGISTERED_RING = 0x10;
/** Kernel 6.12. The time limit is a moment, not a duration. */
export const IORING_ENTER_ABS_TIMER = 0x20;
/** Kernel 6.13. The argument is a byte offset into the registered wait region. */
export const IORING_ENTER_EXT_ARG_REG = 0x40;
/** Kernel 6.15. The sleep does not count as iowait, which may keep the CPU's clock lower. */
export const IORING_ENTER_NO_IOWAIT = 0x80;

// ---------------------------------------------------------------- io_uring_sqe.flags

/** Kernel 5.1. `fd` is a slot of the registered files. */
export const IOSQE_FIXED_FILE = 0x1;
/** Kernel 5.2. Starts when all earlier requests are complete, and later ones wait for it. A slow barrier. */
export const IOSQE_IO_DRAIN = 0x2;
/** Kernel 5.3. The next SQE starts when this one has succeeded in full; otherwise the chain is cancelled. */
export const IOSQE_IO_LINK = 0x4;
/** Kernel 5.5. The next SQE starts when this one is complete, whatever its result. */
export const IOSQE_IO_HARDLINK = 0x8;
/** Kernel 5.6. Goes to a worker thread at once, without a first try that might block the submission. */
export const IOSQE_ASYNC = 0x10;
/** Kernel 5.7. Takes its buffer from the group `buf_group` when there is data. */
export const IOSQE_BUFFER_SELECT = 0x20;
/** Kernel 5.17. No completion on success. A ring that has used it fails every IO_DRAIN with EOPNOTSUPP. */
export const IOSQE_CQE_SKIP_SUCCESS = 0x40;

// ---------------------------------------------------------------- io_uring_cqe.flags

/** Kernel 5.7. The upper 16 bits are the id of the provided buffer that was used. */
export const IORING_CQE_F_BUFFER = 0x1;
/** Kernel 5.13. The same request will post again: keep its memory. */
export const IORING_CQE_F_MORE = 0x2;
/** Kernel 5.19. The socket has more data, or (6.10) the listener more connections. */
export const IORING_CQE_F_SOCK_NONEMPTY = 0x4;
/** Kernel 6.0. The notification of a zero-copy send: the buffer is free. */
export const IORING_CQE_F_NOTIF = 0x8;
/** Kernel 6.12. The kernel keeps the incremental buffer and will fill more of it: do not recycle. */
export const IORING_CQE_F_BUF_MORE = 0x10;
/** Kernel 6.18. A filler at the end of a mixed ring: ignore it and advance one slot. */
export const IORING_CQE_F_SKIP = 0x20;
/** Kernel 6.18. This entry is 32 bytes: two slots of a mixed ring. */
export const IORING_CQE_F_32 = 0x8000;
/** Kernel 6.17. Of a transmit timestamp: the hardware took it. */
export const IORING_CQE_F_TSTAMP_HW = 0x10000;
/** Where the buffer id begins. */
export const IORING_CQE_BUFFER_SHIFT = 16;
/** The bit number of IORING_CQE_F_TSTAMP_HW. */
export const IORING_TIMESTAMP_HW_SHIFT = 16;
/** Where the type of a transmit timestamp begins (SCM_TSTAMP_*). */
export const IORING_TIMESTAMP_TYPE_SHIFT = 17;
/** Kernel 6.2. In a notification's `res`, with SEND_ZC_REPORT_USAGE: data was copied. Reads -2147483648. */
export const IORING_NOTIF_USAGE_ZC_COPIED = 0x80000000;

// ---------------------------------------------------------------- flag words of the two rings

/** Kernel 5.1. In the SQ: the SQPOLL thread sleeps, enter with IORING_ENTER_SQ_WAKEUP. */
export const IORING_SQ_NEED_WAKEUP = 0x1;
/** Kernel 5.8. In the SQ: completions wait beside the full CQ, enter with IORING_ENTER_GETEVENTS. */
export const IORING_SQ_CQ_OVERFLOW = 0x2;
/** Kernel 5.19. In the SQ, with IORING_SETUP_TASKRUN_FLAG: completion work waits for an enter. */
export const IORING_SQ_TASKRUN = 0x4;
/** Kernel 5.8. In the CQ, set by the program: the registered eventfd stays silent. */
export const IORING_CQ_EVENTFD_DISABLED = 0x1;

// ---------------------------------------------------------------- io_uring_sqe.ioprio of sends and receives

/** Kernel 5.19. Waits for readiness first: saves a try that is known to fail. */
export const IORING_RECVSEND_POLL_FIRST = 0x1;
/** Kernel 6.0. Receives until cancelled or out of buffers. Requires BUFFER_SELECT, excludes MSG_WAITALL. */
export const IORING_RECV_MULTISHOT = 0x2;
/** Kernel 6.0. A zero-copy send from the registered buffer `buf_index`. */
export const IORING_RECVSEND_FIXED_BUF = 0x4;
/** Kernel 6.2. The notification tells whether data was copied after all: IORING_NOTIF_USAGE_ZC_COPIED. */
export const IORING_SEND_ZC_REPORT_USAGE = 0x8;
/** Kernel 6.10. One completion for several provided buffers, of which it names the first. */
export const IORING_RECVSEND_BUNDLE = 0x10;
/** Kernel 6.17. `addr` of a send is an array of iovecs, `len` their number. */
export const IORING_SEND_VECTORIZED = 0x20;

// ---------------------------------------------------------------- io_uring_sqe.ioprio of accepts

/** Kernel 5.19. Accepts until cancelled. Give no address: every accept would write to the same one. */
export const IORING_ACCEPT_MULTISHOT = 0x1;
/** Kernel 6.10. EAGAIN instead of waiting. */
export const IORING_ACCEPT_DONTWAIT = 0x2;
/** Kernel 6.10. Waits for readiness before the first try. */
export const IORING_ACCEPT_POLL_FIRST = 0x4;

// ---------------------------------------------------------------- io_uring_sqe.timeout_flags

/** Kernel 5.5. The time is a moment, not a duration. */
export const IORING_TIMEOUT_ABS = 0x1;
/** Kernel 5.11. TIMEOUT_REMOVE sets a new time instead. */
export const IORING_TIMEOUT_UPDATE = 0x2;
/** Kernel 5.15. By the clock that also runs while the machine is suspended. */
export const IORING_TIMEOUT_BOOTTIME = 0x4;
/** Kernel 5.15. By the clock on the wall. */
export const IORING_TIMEOUT_REALTIME = 0x8;
/** Kernel 5.15. TIMEOUT_REMOVE sets a new time for a LINK_TIMEOUT. */
export const IORING_LINK_TIMEOUT_UPDATE = 0x10;
/** Kernel 5.16. ETIME counts as success: it does not break a chain. */
export const IORING_TIMEOUT_ETIME_SUCCESS = 0x20;
/** Kernel 6.4. Repeats as often as `off` says; 0 is for ever. */
export const IORING_TIMEOUT_MULTISHOT = 0x40;
/** Kernel 7.1. `addr` is the time in nanoseconds, not an address. */
export const IORING_TIMEOUT_IMMEDIATE_ARG = 0x80;
/** Both bits that choose a clock. */
export const IORING_TIMEOUT_CLOCK_MASK = 0xc;
/** Both bits that set a new time. */
export const IORING_TIMEOUT_UPDATE_MASK = 0x12;

// ---------------------------------------------------------------- io_uring_sqe.len of polls

/** Kernel 5.13. Reports every event, not only the first. */
export const IORING_POLL_ADD_MULTI = 0x1;
/** Kernel 5.13. POLL_REMOVE sets a new mask instead. */
export const IORING_POLL_UPDATE_EVENTS = 0x2;
/** Kernel 5.13. POLL_REMOVE sets a new user_data instead. */
export const IORING_POLL_UPDATE_USER_DATA = 0x4;
/** Kernel 6.0. Reports again as long as the state lasts: level-triggered. */
export const IORING_POLL_ADD_LEVEL = 0x8;

// ---------------------------------------------------------------- io_uring_sqe.cancel_flags

/** Kernel 5.19. All that match; the result is how many. */
export const IORING_ASYNC_CANCEL_ALL = 0x1;
/** Kernel 5.19. Match by `fd`. */
export const IORING_ASYNC_CANCEL_FD = 0x2;
/** Kernel 5.19. Match anything. */
export const IORING_ASYNC_CANCEL_ANY = 0x4;
/** Kernel 6.0. `fd` is a slot of the registered files. */
export const IORING_ASYNC_CANCEL_FD_FIXED = 0x8;
/** Kernel 6.6. Match by user_data too, beside another key; it is the key where no other is given. */
export const IORING_ASYNC_CANCEL_USERDATA = 0x10;
/** Kernel 6.6. Match by operation, given in `len`. */
export const IORING_ASYNC_CANCEL_OP = 0x20;

// ---------------------------------------------------------------- other operations

/** Kernel 6.0. In `msg_ring_flags`: no completion at the target, when passing a descriptor. */
export const IORING_MSG_RING_CQE_SKIP = 0x1;
/** Kernel 6.3. In `msg_ring_flags`: `file_index` becomes the flags of the target's completion. */
export const IORING_MSG_RING_FLAGS_PASS = 0x2;
/** Kernel 6.8. In `install_fd_flags`: the new descriptor survives exec. */
export const IORING_FIXED_FD_NO_CLOEXEC = 0x1;
/** Kernel 5.1. In `fsync_flags`: data only, as fdatasync(2). */
export const IORING_FSYNC_DATASYNC = 0x1;
/** Kernel 5.7. In `splice_flags`: `splice_fd_in` is a slot of the registered files. */
export const SPLICE_F_FD_IN_FIXED = 0x80000000;
/** Kernel 5.19. In `file_index`: the kernel picks the slot and returns it. 0 is no slot, n + 1 is slot n. */
export const IORING_FILE_INDEX_ALLOC = 0xffffffff;
/** Kernel 6.14. In `attr_type_mask`: `attr_ptr` points to a `struct io_uring_attr_pi`. */
export const IORING_RW_ATTR_FLAG_PI = 0x1;
/** Kernel 6.1. In `uring_cmd_flags`: the command uses the registered buffer `buf_index`. */
export const IORING_URING_CMD_FIXED = 0x1;
/** Kernel 6.18. In `uring_cmd_flags`: the command posts repeatedly. Requires IOSQE_BUFFER_SELECT. */
export const IORING_URING_CMD_MULTISHOT = 0x2;
/** All `uring_cmd_flags`. */
export const IORING_URING_CMD_MASK = 0x3;
/** Kernel 6.10. In `nop_flags`: the result is `len`. */
export const IORING_NOP_INJECT_RESULT = 0x1;
/** Kernel 6.13. In `nop_flags`: looks `fd` up. */
export const IORING_NOP_FILE = 0x2;
/** Kernel 6.13. In `nop_flags`: `fd` is a slot of the registered files. */
export const IORING_NOP_FIXED_FILE = 0x4;
/** Kernel 6.13. In `nop_flags`: looks the registered buffer `buf_index` up. */
export const IORING_NOP_FIXED_BUFFER = 0x8;
/** Kernel 6.16. In `nop_flags`: completes through task work. */
export const IORING_NOP_TW = 0x10;
/** Kernel 6.18. In `nop_flags`: posts a 32-byte completion with `off` and `addr` as its payload. */
export const IORING_NOP_CQE32 = 0x20;

// ---------------------------------------------------------------- arguments of io_uring_register(2)

/** Kernel 6.4. In `io_uring_buf_reg.flags`: kernel memory, mapped by the program. Groups 0 to 2047. */
export const IOU_PBUF_RING_MMAP = 0x1;
/** Kernel 6.12. In `io_uring_buf_reg.flags`: large buffers are used up piece by piece, see CQE_F_BUF_MORE. */
export const IOU_PBUF_RING_INC = 0x2;
/** Kernel 5.19. In `io_uring_rsrc_register.flags`: an empty table of `nr` slots. */
export const IORING_RSRC_REGISTER_SPARSE = 0x1;
/** Kernel 5.12. A descriptor in an update of files: leave this slot as it is. */
export const IORING_REGISTER_FILES_SKIP = -2;
/** Kernel 6.12. In `io_uring_clone_buffers.flags`: `src_fd` is a registered index. */
export const IORING_REGISTER_SRC_REGISTERED = 0x1;
/** Kernel 6.13. In `io_uring_clone_buffers.flags`: slots in use are replaced. */
export const IORING_REGISTER_DST_REPLACE = 0x2;
/** Kernel 5.6. In `io_uring_probe_op.flags`: the kernel has the operation. */
export const IO_URING_OP_SUPPORTED = 0x1;
/** Kernel 6.13. In `io_uring_region_desc.flags`: the memory is the caller's. */
export const IORING_MEM_REGION_TYPE_USER = 0x1;
/** Kernel 6.13. In `io_uring_mem_region_reg.flags`: holds wait arguments. The ring must still be disabled. */
export const IORING_MEM_REGION_REG_WAIT_ARG = 0x1;
/** Kernel 6.13. In `io_uring_reg_wait.flags`: `ts` holds a time limit. */
export const IORING_REG_WAIT_TS = 0x1;

// ---------------------------------------------------------------- tables

/** A flag as a row to be shown to people. */
export interface Flag {
  readonly name: string;
  readonly value: number;
  /** The first kernel that has it. */
  readonly since: string;
  readonly meaning: string;
}

/** `io_uring_params.flags`. */
export const SETUP_FLAGS: readonly Flag[] = [
  {
    name: 'IORING_SETUP_IOPOLL',
    value: IORING_SETUP_IOPOLL,
    since: '5.1',
    meaning: 'storage completions are polled for',
  },
  { name: 'IORING_SETUP_SQPOLL', value: IORING_SETUP_SQPOLL, since: '5.1', meaning: 'a kernel thread submits' },
  {
    name: 'IORING_SETUP_SQ_AFF',
    value: IORING_SETUP_SQ_AFF,
    since: '5.1',
    meaning: 'that thread is pinned to one CPU',
  },
  {
    name: 'IORING_SETUP_CQSIZE',
    value: IORING_SETUP_CQSIZE,
    since: '5.5',
    meaning: 'the completion ring has a size of its own',
  },
  {
    name: 'IORING_SETUP_CLAMP',
    value: IORING_SETUP_CLAMP,
    since: '5.6',
    meaning: 'sizes beyond the limit are cut, not refused',
  },
  {
    name: 'IORING_SETUP_ATTACH_WQ',
    value: IORING_SETUP_ATTACH_WQ,
    since: '5.6',
    meaning: 'shares the workers of another ring',
  },
  { name: 'IORING_SETUP_R_DISABLED', value: IORING_SETUP_R_DISABLED, since: '5.10', meaning: 'starts disabled' },
  {
    name: 'IORING_SETUP_SUBMIT_ALL',
    value: IORING_SETUP_SUBMIT_ALL,
    since: '5.18',
    meaning: 'a bad entry does not end its batch',
  },
  {
    name: 'IORING_SETUP_COOP_TASKRUN',
    value: IORING_SETUP_COOP_TASKRUN,
    since: '5.19',
    meaning: 'completions do not interrupt the thread',
  },
  {
    name: 'IORING_SETUP_TASKRUN_FLAG',
    value: IORING_SETUP_TASKRUN_FLAG,
    since: '5.19',
    meaning: 'the ring shows when completion work is waiting',
  },
  {
    name: 'IORING_SETUP_SQE128',
    value: IORING_SETUP_SQE128,
    since: '5.19',
    meaning: 'submission entries of 128 bytes',
  },
  { name: 'IORING_SETUP_CQE32', value: IORING_SETUP_CQE32, since: '5.19', meaning: 'completion entries of 32 bytes' },
  { name: 'IORING_SETUP_SINGLE_ISSUER', value: IORING_SETUP_SINGLE_ISSUER, since: '6.0', meaning: 'one task submits' },
  {
    name: 'IORING_SETUP_DEFER_TASKRUN',
    value: IORING_SETUP_DEFER_TASKRUN,
    since: '6.1',
    meaning: 'completion work runs only when that task asks for it',
  },
  {
    name: 'IORING_SETUP_NO_MMAP',
    value: IORING_SETUP_NO_MMAP,
    since: '6.5',
    meaning: 'the rings lie in memory of the program',
  },
  {
    name: 'IORING_SETUP_REGISTERED_FD_ONLY',
    value: IORING_SETUP_REGISTERED_FD_ONLY,
    since: '6.5',
    meaning: 'the ring has an index and no descriptor',
  },
  {
    name: 'IORING_SETUP_NO_SQARRAY',
    value: IORING_SETUP_NO_SQARRAY,
    since: '6.6',
    meaning: 'no index array: entries are taken in order',
  },
  {
    name: 'IORING_SETUP_HYBRID_IOPOLL',
    value: IORING_SETUP_HYBRID_IOPOLL,
    since: '6.13',
    meaning: 'sleeps before it polls',
  },
  {
    name: 'IORING_SETUP_CQE_MIXED',
    value: IORING_SETUP_CQE_MIXED,
    since: '6.18',
    meaning: 'completion entries of 16 and 32 bytes',
  },
  {
    name: 'IORING_SETUP_SQE_MIXED',
    value: IORING_SETUP_SQE_MIXED,
    since: '6.19',
    meaning: 'submission entries of 64 and 128 bytes',
  },
  {
    name: 'IORING_SETUP_SQ_REWIND',
    value: IORING_SETUP_SQ_REWIND,
    since: '7.0',
    meaning: 'every submission is read from the first entry',
  },
];

/** `io_uring_params.features`. */
export const FEATURES: readonly Flag[] = [
  {
    name: 'IORING_FEAT_SINGLE_MMAP',
    value: IORING_FEAT_SINGLE_MMAP,
    since: '5.4',
    meaning: 'one mapping for both rings',
  },
  {
    name: 'IORING_FEAT_NODROP',
    value: IORING_FEAT_NODROP,
    since: '5.5',
    meaning: 'no completion is lost when the ring is full',
  },
  {
    name: 'IORING_FEAT_SUBMIT_STABLE',
    value: IORING_FEAT_SUBMIT_STABLE,
    since: '5.5',
    meaning: 'arguments are free after the submission',
  },
  {
    name: 'IORING_FEAT_RW_CUR_POS',
    value: IORING_FEAT_RW_CUR_POS,
    since: '5.6',
    meaning: 'offset -1 is the file position',
  },
  {
    name: 'IORING_FEAT_CUR_PERSONALITY',
    value: IORING_FEAT_CUR_PERSONALITY,
    since: '5.6',
    meaning: "requests use the submitter's credentials",
  },
  {
    name: 'IORING_FEAT_FAST_POLL',
    value: IORING_FEAT_FAST_POLL,
    since: '5.7',
    meaning: 'waits for readiness without worker threads',
  },
  { name: 'IORING_FEAT_POLL_32BITS', value: IORING_FEAT_POLL_32BITS, since: '5.9', meaning: 'poll masks of 32 bits' },
  {
    name: 'IORING_FEAT_SQPOLL_NONFIXED',
    value: IORING_FEAT_SQPOLL_NONFIXED,
    since: '5.11',
    meaning: 'SQPOLL with ordinary descriptors',
  },
  { name: 'IORING_FEAT_EXT_ARG', value: IORING_FEAT_EXT_ARG, since: '5.11', meaning: 'waits with a time limit' },
  {
    name: 'IORING_FEAT_NATIVE_WORKERS',
    value: IORING_FEAT_NATIVE_WORKERS,
    since: '5.12',
    meaning: 'workers are threads of the process',
  },
  {
    name: 'IORING_FEAT_RSRC_TAGS',
    value: IORING_FEAT_RSRC_TAGS,
    since: '5.13',
    meaning: 'registered files and buffers with tags',
  },
  {
    name: 'IORING_FEAT_CQE_SKIP',
    value: IORING_FEAT_CQE_SKIP,
    since: '5.17',
    meaning: 'completions of successes can be left out',
  },
  {
    name: 'IORING_FEAT_LINKED_FILE',
    value: IORING_FEAT_LINKED_FILE,
    since: '5.18',
    meaning: 'a linked request looks its file up when it runs',
  },
  {
    name: 'IORING_FEAT_REG_REG_RING',
    value: IORING_FEAT_REG_REG_RING,
    since: '6.3',
    meaning: 'a registered ring can be configured',
  },
  {
    name: 'IORING_FEAT_RECVSEND_BUNDLE',
    value: IORING_FEAT_RECVSEND_BUNDLE,
    since: '6.10',
    meaning: 'several buffers in one completion',
  },
  {
    name: 'IORING_FEAT_MIN_TIMEOUT',
    value: IORING_FEAT_MIN_TIMEOUT,
    since: '6.12',
    meaning: 'waits that gather a batch',
  },
  {
    name: 'IORING_FEAT_RW_ATTR',
    value: IORING_FEAT_RW_ATTR,
    since: '6.14',
    meaning: 'reads and writes with attributes',
  },
  {
    name: 'IORING_FEAT_NO_IOWAIT',
    value: IORING_FEAT_NO_IOWAIT,
    since: '6.15',
    meaning: 'waits that are not counted as iowait',
  },
];

/** Flags of io_uring_enter(2). */
export const ENTER_FLAGS: readonly Flag[] = [
  { name: 'IORING_ENTER_GETEVENTS', value: IORING_ENTER_GETEVENTS, since: '5.1', meaning: 'wait for completions' },
  { name: 'IORING_ENTER_SQ_WAKEUP', value: IORING_ENTER_SQ_WAKEUP, since: '5.1', meaning: 'wake the SQPOLL thread' },
  {
    name: 'IORING_ENTER_SQ_WAIT',
    value: IORING_ENTER_SQ_WAIT,
    since: '5.10',
    meaning: 'wait for room in the submission ring',
  },
  { name: 'IORING_ENTER_EXT_ARG', value: IORING_ENTER_EXT_ARG, since: '5.11', meaning: 'the argument is a struct' },
  {
    name: 'IORING_ENTER_REGISTERED_RING',
    value: IORING_ENTER_REGISTERED_RING,
    since: '5.18',
    meaning: 'the ring is given by its registered index',
  },
  {
    name: 'IORING_ENTER_ABS_TIMER',
    value: IORING_ENTER_ABS_TIMER,
    since: '6.12',
    meaning: 'the time limit is a moment',
  },
  {
    name: 'IORING_ENTER_EXT_ARG_REG',
    value: IORING_ENTER_EXT_ARG_REG,
    since: '6.13',
    meaning: 'the argument lies in the registered region',
  },
  {
    name: 'IORING_ENTER_NO_IOWAIT',
    value: IORING_ENTER_NO_IOWAIT,
    since: '6.15',
    meaning: 'the sleep is not counted as iowait',
  },
];

/** `io_uring_sqe.flags`. */
export const SQE_FLAGS: readonly Flag[] = [
  { name: 'IOSQE_FIXED_FILE', value: IOSQE_FIXED_FILE, since: '5.1', meaning: 'the descriptor is a slot' },
  { name: 'IOSQE_IO_DRAIN', value: IOSQE_IO_DRAIN, since: '5.2', meaning: 'waits for all earlier requests' },
  { name: 'IOSQE_IO_LINK', value: IOSQE_IO_LINK, since: '5.3', meaning: 'the next one starts when this has succeeded' },
  {
    name: 'IOSQE_IO_HARDLINK',
    value: IOSQE_IO_HARDLINK,
    since: '5.5',
    meaning: 'the next one starts whatever this returns',
  },
  { name: 'IOSQE_ASYNC', value: IOSQE_ASYNC, since: '5.6', meaning: 'goes straight to a worker' },
  { name: 'IOSQE_BUFFER_SELECT', value: IOSQE_BUFFER_SELECT, since: '5.7', meaning: 'takes a provided buffer' },
  { name: 'IOSQE_CQE_SKIP_SUCCESS', value: IOSQE_CQE_SKIP_SUCCESS, since: '5.17', meaning: 'no completion on success' },
];

/** `io_uring_cqe.flags`, without what the upper 16 bits mean where IORING_CQE_F_BUFFER is set. */
export const CQE_FLAGS: readonly Flag[] = [
  {
    name: 'IORING_CQE_F_BUFFER',
    value: IORING_CQE_F_BUFFER,
    since: '5.7',
    meaning: 'the upper 16 bits are a buffer id',
  },
  { name: 'IORING_CQE_F_MORE', value: IORING_CQE_F_MORE, since: '5.13', meaning: 'the request will post again' },
  {
    name: 'IORING_CQE_F_SOCK_NONEMPTY',
    value: IORING_CQE_F_SOCK_NONEMPTY,
    since: '5.19',
    meaning: 'the socket has more',
  },
  { name: 'IORING_CQE_F_NOTIF', value: IORING_CQE_F_NOTIF, since: '6.0', meaning: 'a zero-copy buffer is free' },
  {
    name: 'IORING_CQE_F_BUF_MORE',
    value: IORING_CQE_F_BUF_MORE,
    since: '6.12',
    meaning: 'the kernel keeps the buffer',
  },
  { name: 'IORING_CQE_F_SKIP', value: IORING_CQE_F_SKIP, since: '6.18', meaning: 'a filler, to be ignored' },
  { name: 'IORING_CQE_F_32', value: IORING_CQE_F_32, since: '6.18', meaning: 'an entry of 32 bytes' },
];

/**
 * The names of the bits of `value`. What `group` does not know comes last, as one number: '0x400000'.
 * Negative numbers are taken as the 32 bits they are.
 * @example
 * import { flagNames, SETUP_FLAGS } from 'iouring/abi';
 *
 * console.log(flagNames(SETUP_FLAGS, ring.setupFlags));
 */
export function flagNames(group: readonly Flag[], value: number): string[] {
  let rest = value >>> 0;
  const names: string[] = [];
  for (const flag of group) {
    if ((rest & flag.value) === 0) continue;
    rest = (rest & ~flag.value) >>> 0;
    names.push(flag.name);
  }
  if (rest !== 0) names.push(`0x${rest.toString(16)}`);
  return names;
}
