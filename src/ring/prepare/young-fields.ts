import {
  IORING_OP_ACCEPT,
  IORING_OP_ASYNC_CANCEL,
  IORING_OP_CLOSE,
  IORING_OP_NOP,
  IORING_OP_OPENAT2,
  IORING_OP_POLL_ADD,
  IORING_OP_READ,
  IORING_OP_RECV,
  IORING_OP_SEND,
  OPERATIONS,
} from '../../abi/operations.ts';
import { version, type Version } from '../kernel/proven-kernel.ts';

/** A field of an entry or a registration, or a bit of it, that kernels came to know later, and ignored until then. */
export interface YoungField {
  /** The thing that a caller asks for with it, to be read after "Cannot". */
  readonly what: string;
  /** The first kernel that does it. */
  readonly since: string;
  /** From this version on every kernel either does it or answers EINVAL: before that, it is not to be asked. */
  readonly refusedSince: Version;
}

/** The versions stand in the row of the operation, at this form; other operations with the field have the same. */
const young = (what: string, opcode: number, form: string): YoungField => ({
  what,
  since: OPERATIONS[opcode].variants![form],
  refusedSince: version(OPERATIONS[opcode].ignored![form]),
});

/**
 * Things that an older kernel would do otherwise than asked, without a word: it does not look at the field. Fields that
 * every kernel with the operation looks at, or answers EINVAL to, are not here; nor is IORING_RECVSEND_POLL_FIRST,
 * which changes no result.
 */
export const YOUNG_FIELDS = {
  /** `file_index` of OPENAT, OPENAT2 and ACCEPT: an ordinary descriptor would be made, which nobody learns of. */
  direct: young('put a descriptor into a slot', IORING_OP_ACCEPT, 'direct'),
  /**
   * The upper half of OPENAT2's flags: the file would be opened without them. Linux 5.14 looks at them, but a kernel of
   * Debian's that has the io_uring of 5.15 does not: what 5.19 brought proves it.
   */
  flags64: young('open with flags above the lower 32 bits', IORING_OP_OPENAT2, 'flags64'),
  /** `file_index` of CLOSE: the process's descriptor 0 would be closed. */
  closeDirect: young('empty a slot by closing it', IORING_OP_CLOSE, 'direct'),
  /** `addr2` of SEND: it would go to the peer that the socket is connected to, if it is. */
  to: young('send to an address', IORING_OP_SEND, 'sendto'),
  /** IORING_SEND_VECTORIZED: the array of addresses would be sent in place of the data. */
  vectorized: young('send several buffers without a msghdr', IORING_OP_SEND, 'vectorized'),
  /** IORING_RECV_MULTISHOT: it would receive nothing once, and that looks like the end of the stream. */
  receiveMultishot: young('receive again and again by one entry', IORING_OP_RECV, 'multishot'),
  /** IORING_RECVSEND_BUNDLE: likewise. */
  bundle: young('fill several buffers at once', IORING_OP_RECV, 'bundle'),
  /**
   * IORING_ASYNC_CANCEL_OP and IORING_ASYNC_CANCEL_USERDATA: without them it would cancel what has userData 0, or
   * everything else that fits.
   */
  cancelBy: young('cancel by opcode, or by userData and something else at once', IORING_OP_ASYNC_CANCEL, 'both'),
  /** IORING_ASYNC_CANCEL_FD_FIXED: it would cancel what is on the descriptor of that number. */
  cancelSlot: young('cancel by a slot of the registered files', IORING_OP_ASYNC_CANCEL, 'slot'),
  /** The flags of NOP: it would complete with 0 whatever was asked for. */
  nop: young('have a NOP do something', IORING_OP_NOP, 'inject'),
  /** The upper half of a poll's events: EPOLLEXCLUSIVE, EPOLLONESHOT, EPOLLET. */
  poll32: young('poll with events above the lower 16 bits', IORING_OP_POLL_ADD, 'events32'),
  /** `attr_ptr` of reads and writes: they would go without protection information. */
  attributes: young('transfer protection information', IORING_OP_READ, 'attributes'),
} as const;
