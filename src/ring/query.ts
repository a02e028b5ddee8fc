import { EBADF, EBADFD, EINVAL, EOVERFLOW } from '../abi/errno.ts';
import { IORING_MSG_DATA, IO_URING_QUERY_OPCODES, IO_URING_QUERY_SCQ, IO_URING_QUERY_ZCRX } from '../abi/commands.ts';
import { IORING_MSG_RING_FLAGS_PASS } from '../abi/flags.ts';
import {
  IO_URING_QUERY_HDR,
  IO_URING_QUERY_HDR_SIZE,
  IO_URING_QUERY_OPCODE,
  IO_URING_QUERY_OPCODE_SIZE,
  IO_URING_QUERY_SCQ_STRUCT,
  IO_URING_QUERY_SCQ_STRUCT_SIZE,
  IO_URING_QUERY_ZCRX_STRUCT,
  IO_URING_QUERY_ZCRX_STRUCT_SIZE,
  IO_URING_SQE,
  IO_URING_SQE_SIZE,
} from '../abi/layouts.ts';
import { IORING_OP_MSG_RING } from '../abi/operations.ts';
import { IORING_REGISTER_QUERY, IORING_REGISTER_SEND_MSG_RING } from '../abi/registrations.ts';
import { koffiNative } from '../native/koffi.ts';
import type { Native } from '../native/native.ts';
import { checkFd } from './arguments/entry-fields.ts';
import { checkUserData, type UserData } from './arguments/user-data.ts';
import { aligned } from './memory/aligned-memory.ts';
import { ownOptions } from './arguments/own-options.ts';
import { kernelError } from './kernel/kernel-error.ts';
import { needs } from './kernel/proven-kernel.ts';
import { checkInteger, checkUint32, wrongState } from './arguments/argument-errors.ts';

/** The abilities of the kernel, as it tells them without a ring being made. */
export interface KernelCapabilities {
  /** How many operations and registrations it knows: all numbers below. */
  requestOpcodes: number;
  registerOpcodes: number;
  /** IORING_FEAT_*, IORING_SETUP_*, IORING_ENTER_* and IOSQE_* bits. */
  features: bigint;
  setupFlags: bigint;
  enterFlags: bigint;
  sqeFlags: bigint;
  /** Zero-copy receive; undefined where the kernel does not tell (before 6.19). */
  zcrx: { registerFlags: bigint; areaFlags: bigint; ctrlOpcodes: number; features: number } | undefined;
  /** The head of the rings in memory of one's own; undefined where the kernel does not tell (before 7.0). */
  rings: { headerBytes: bigint; headerAlignment: bigint } | undefined;
}

/**
 * Ask the kernel what it has: operations, registrations, flags.
 *
 * Kernel 6.18. Counterpart of io_uring_register_query(3).
 * @throws {Error} `ERR_IOURING_UNSUPPORTED` an older kernel, or no io_uring; otherwise the kernel's refusal
 * @example
 * import { queryKernel } from 'iouring';
 *
 * console.log(queryKernel());
 */
export function queryKernel(): KernelCapabilities;
/** @internal `native` is the kernel; tests hand in another. */
export function queryKernel(native?: Native): KernelCapabilities;
export function queryKernel(native: Native = koffiNative()): KernelCapabilities {
  const query = (operation: number, size: number): DataView | undefined => ask(native, operation, size);
  const opcodes = query(IO_URING_QUERY_OPCODES, IO_URING_QUERY_OPCODE_SIZE);
  if (opcodes === undefined) throw tooOld();
  const zcrx = query(IO_URING_QUERY_ZCRX, IO_URING_QUERY_ZCRX_STRUCT_SIZE);
  const rings = query(IO_URING_QUERY_SCQ, IO_URING_QUERY_SCQ_STRUCT_SIZE);
  return {
    requestOpcodes: opcodes.getUint32(IO_URING_QUERY_OPCODE.nr_request_opcodes, true),
    registerOpcodes: opcodes.getUint32(IO_URING_QUERY_OPCODE.nr_register_opcodes, true),
    features: opcodes.getBigUint64(IO_URING_QUERY_OPCODE.feature_flags, true),
    setupFlags: opcodes.getBigUint64(IO_URING_QUERY_OPCODE.ring_setup_flags, true),
    enterFlags: opcodes.getBigUint64(IO_URING_QUERY_OPCODE.enter_flags, true),
    sqeFlags: opcodes.getBigUint64(IO_URING_QUERY_OPCODE.sqe_flags, true),
    zcrx: zcrx && {
      registerFlags: zcrx.getBigUint64(IO_URING_QUERY_ZCRX_STRUCT.register_flags, true),
      areaFlags: zcrx.getBigUint64(IO_URING_QUERY_ZCRX_STRUCT.area_flags, true),
      ctrlOpcodes: zcrx.getUint32(IO_URING_QUERY_ZCRX_STRUCT.nr_ctrl_opcodes, true),
      features: zcrx.getUint32(IO_URING_QUERY_ZCRX_STRUCT.features, true),
    },
    rings: rings && {
      headerBytes: rings.getBigUint64(IO_URING_QUERY_SCQ_STRUCT.hdr_size, true),
      headerAlignment: rings.getBigUint64(IO_URING_QUERY_SCQ_STRUCT.hdr_alignment, true),
    },
  };
}

/** The answer to one question; undefined if the kernel does not know it. */
function ask(native: Native, operation: number, size: number): DataView | undefined {
  const { bytes, address } = aligned(native, IO_URING_QUERY_HDR_SIZE + size, 8);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setBigUint64(IO_URING_QUERY_HDR.query_data, BigInt(address + IO_URING_QUERY_HDR_SIZE), true);
  view.setUint32(IO_URING_QUERY_HDR.query_op, operation, true);
  view.setUint32(IO_URING_QUERY_HDR.size, size, true);
  const result = native.register(-1, IORING_REGISTER_QUERY, address, 0);
  if (result === -EINVAL || result === -EBADF) throw tooOld();
  if (result < 0) throw kernelError(-result, 'io_uring_register');
  if (view.getInt32(IO_URING_QUERY_HDR.result, true) < 0) return undefined;
  return new DataView(view.buffer, view.byteOffset + IO_URING_QUERY_HDR_SIZE, size);
}

const tooOld = (): Error => wrongState('ERR_IOURING_UNSUPPORTED', `Cannot query the kernel: ${needs('6.18')}`);

/**
 * Post a completion to a ring without having one: `res` and userData `data` arrive there, as of prepMsgRing.
 *
 * Kernel 6.13. Counterpart of io_uring_register_sync_msg(3).
 * @param ringFd the ring's descriptor
 * @param res -2^31 … 2^32-1; arrives as a signed number
 * @param options.cqeFlags IORING_CQE_F_* bits to arrive with it
 * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
 * @throws {Error} `EBADFD` it is no ring, or a disabled one, `EOVERFLOW` its queue is full, and others of the kernel
 * @example
 * import { registerSyncMsg } from 'iouring';
 *
 * registerSyncMsg(otherRing.fd, 42, 7);
 */
export function registerSyncMsg(
  ringFd: number,
  res: number,
  data: UserData,
  options?: { cqeFlags?: number },
): void;
/** @internal `native` is the kernel; tests hand in another. */
export function registerSyncMsg(
  ringFd: number,
  res: number,
  data: UserData,
  options?: { cqeFlags?: number },
  native?: Native,
): void;
export function registerSyncMsg(
  ringFd: number,
  res: number,
  data: UserData,
  options?: { cqeFlags?: number },
  native: Native = koffiNative(),
): void {
  const file = checkFd('ringFd', ringFd);
  checkInteger('res', res, -(2 ** 31), 2 ** 32 - 1);
  checkUserData('data', data);
  const cqeFlags = options?.cqeFlags;
  if (cqeFlags !== undefined) checkUint32('options.cqeFlags', cqeFlags);
  const { bytes, address } = aligned(native, IO_URING_SQE_SIZE, 8);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint8(IO_URING_SQE.opcode, IORING_OP_MSG_RING);
  view.setInt32(IO_URING_SQE.fd, file, true);
  view.setBigUint64(IO_URING_SQE.off, BigInt(data), true);
  view.setBigUint64(IO_URING_SQE.addr, BigInt(IORING_MSG_DATA), true);
  view.setUint32(IO_URING_SQE.len, res >>> 0, true);
  if (cqeFlags !== undefined) {
    view.setUint32(IO_URING_SQE.msg_ring_flags, IORING_MSG_RING_FLAGS_PASS, true);
    view.setUint32(IO_URING_SQE.file_index, cqeFlags, true);
  }
  const result = native.register(-1, IORING_REGISTER_SEND_MSG_RING, address, 1);
  if (result < 0) throw kernelError(-result, 'io_uring_register', MESSAGE_HINTS[-result]);
}

const MESSAGE_HINTS: Record<number, string> = ownOptions({
  // Before 6.13 a ring's own descriptor was wanted for every registration.
  [EBADF]: `no such descriptor; or ${needs('6.13')}`,
  [EBADFD]: 'the descriptor is no ring, or the ring is disabled',
  [EINVAL]: needs('6.13'),
  [EOVERFLOW]: 'the completion queue of that ring is full',
});
