/**
 * The numbers that choose a command within an operation or a registration, where flags.ts has the bits that
 * modify one.
 */

// ---------------------------------------------------------------- MSG_RING: `addr`

/** Kernel 5.18. Post a completion with `len` as its result and `off` as its user_data. */
export const IORING_MSG_DATA = 0;
/** Kernel 6.0. Pass a direct descriptor to the other ring. */
export const IORING_MSG_SEND_FD = 1;

// ---------------------------------------------------------------- URING_CMD: `cmd_op`

/** Kernel 6.6. Of a socket: the result is the number of bytes to be read. */
export const SOCKET_URING_OP_SIOCINQ = 0;
/** Kernel 6.6. Of a socket: the result is the number of bytes not sent yet. */
export const SOCKET_URING_OP_SIOCOUTQ = 1;
/** Kernel 6.7. getsockopt(2), at the level SOL_SOCKET only. */
export const SOCKET_URING_OP_GETSOCKOPT = 2;
/** Kernel 6.7. setsockopt(2), at any level. */
export const SOCKET_URING_OP_SETSOCKOPT = 3;
/** Kernel 6.17. Transmit timestamps, repeatedly. Requires 32-byte completions. */
export const SOCKET_URING_OP_TX_TIMESTAMP = 4;
/** Kernel 6.19. getsockname(2), or getpeername(2) with an `optlen` of 1. */
export const SOCKET_URING_OP_GETSOCKNAME = 5;
/** Kernel 6.12. Of a block device: discard a range. */
export const BLOCK_URING_CMD_DISCARD = 0x1200;
/** Later than 7.0. Of a zoned block device: reset all zones. */
export const BLOCK_URING_CMD_ZONE_RESET_ALL = 0x1201;

// ------------------------------------------------------ IORING_REGISTER_IOWQ_MAX_WORKERS (5.15): index

/** Workers for work that ends by itself: files and block devices. */
export const IO_WQ_BOUND = 0;
/** Workers for work that may never end: sockets and pipes. */
export const IO_WQ_UNBOUND = 1;

// ------------------------------------------------------ IORING_REGISTER_RESTRICTIONS (5.10): `opcode`

/** Allow a registration. */
export const IORING_RESTRICTION_REGISTER_OP = 0;
/** Allow an operation. */
export const IORING_RESTRICTION_SQE_OP = 1;
/** Allow these SQE flags. */
export const IORING_RESTRICTION_SQE_FLAGS_ALLOWED = 2;
/** Demand these SQE flags. */
export const IORING_RESTRICTION_SQE_FLAGS_REQUIRED = 3;

// ---------------------------------------------------------------- IORING_REGISTER_QUERY (6.18): `query_op`

/** Kernel 6.18. How many operations there are, and which flags: IO_URING_QUERY_OPCODE. */
export const IO_URING_QUERY_OPCODES = 0;
/** Kernel 6.19. What zero-copy receive can do. */
export const IO_URING_QUERY_ZCRX = 1;
/** Kernel 6.19. Size and alignment of the head of the rings. */
export const IO_URING_QUERY_SCQ = 2;

// ---------------------------------------------------------------- IORING_REGISTER_BPF_FILTER

/** Kernel 7.0. In `cmd_type`: add a filter. */
export const IO_URING_BPF_CMD_FILTER = 1;
/** Kernel 7.0. In `flags`, a bit: operations without a filter are denied. */
export const IO_URING_BPF_FILTER_DENY_REST = 0x1;
/** Kernel 7.1. In `flags`, a bit: fail if the kernel's payload is not `pdu_size` long. */
export const IO_URING_BPF_FILTER_SZ_STRICT = 0x2;

// ---------------------------------------------------------------- zero-copy receive

/** Kernel 6.16. In `io_uring_zcrx_area_reg.flags`, a bit: the area is a dma-buf. */
export const IORING_ZCRX_AREA_DMABUF = 0x1;
/** Kernel 6.15. In an offset, the area's id begins at this bit. */
export const IORING_ZCRX_AREA_SHIFT = 48;
/** Kernel 6.15. In an offset, the bits of the area's id. */
export const IORING_ZCRX_AREA_MASK = 0xffff000000000000n;
/** Kernel 6.19. In `io_uring_zcrx_ifq_reg.flags`, a bit: an instance that another ring has exported. */
export const ZCRX_REG_IMPORT = 0x1;
/** Kernel 7.1. In `io_uring_zcrx_ifq_reg.flags`, a bit: no network device, everything is copied. */
export const ZCRX_REG_NODEV = 0x2;
/** Kernel 7.0. A feature bit: `rx_buf_len` is honoured. */
export const ZCRX_FEATURE_RX_PAGE_SIZE = 0x1;
/** Later than 7.1. A feature bit: events can be reported. */
export const ZCRX_FEATURE_EVENT = 0x2;
/** Kernel 6.19. In `zcrx_ctrl.op`: take in what is in the refill queue. */
export const ZCRX_CTRL_FLUSH_RQ = 0;
/** Kernel 6.19. In `zcrx_ctrl.op`: make a descriptor that another ring can import. */
export const ZCRX_CTRL_EXPORT = 1;
/** Later than 7.1. In `zcrx_ctrl.op`: report an event once more. */
export const ZCRX_CTRL_ARM_EVENT = 2;
/** Later than 7.1. In `event_type`, and as a bit number in `type_mask`: no memory for a packet. */
export const ZCRX_EVENT_ALLOC_FAIL = 0;
/** Later than 7.1. In `event_type`, and as a bit number in `type_mask`: data was copied. */
export const ZCRX_EVENT_COPY = 1;
/** Later than 7.1. In `zcrx_event_desc.flags`, a bit: `stats_offset` is valid. */
export const ZCRX_EVENT_DESC_FLAG_STATS = 0x1;
