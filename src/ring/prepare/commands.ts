import {
  BLOCK_URING_CMD_DISCARD,
  BLOCK_URING_CMD_ZONE_RESET_ALL,
  SOCKET_URING_OP_GETSOCKNAME,
} from '../../abi/commands.ts';
import {
  IORING_SETUP_SQE128,
  IORING_URING_CMD_FIXED,
  IORING_URING_CMD_MULTISHOT,
  IOSQE_BUFFER_SELECT,
  IOSQE_CQE_SKIP_SUCCESS,
} from '../../abi/flags.ts';
import { IORING_OP_NOP128, IORING_OP_URING_CMD, IORING_OP_URING_CMD128 } from '../../abi/operations.ts';
import { checkFd } from '../arguments/entry-fields.ts';
import { NONE } from '../arguments/own-options.ts';
import { checkUserData, highWord, lowWord, type UserData } from '../arguments/user-data.ts';
import type { Lendable } from '../memory/lent-memory.ts';
import {
  checkInteger,
  checkObject,
  checkUint32,
  isObject,
  outOfRange,
  wrongType,
  wrongValue,
} from '../arguments/argument-errors.ts';
import { Lease, type BufferSource } from '../pins.ts';
import { addressBuffer, coreOf, usesTables, type RingCore } from '../ring-core.ts';
import { copyOfBytes, type SocketAddressBuffer } from '../structs/socket-address.ts';

/** A 64-bit field of an entry: a number, or memory, which is lent and whose address is filled in. */
export type Field = number | bigint | Lendable;

/** The fields of a driver's command. */
export interface CommandOptions {
  addr?: Field;
  len?: number;
  addr3?: Field;
  /** The command's own bytes, copied: up to 16, or 80 in an entry of 128. They take the place of `addr3`. */
  cmd?: Uint8Array;
  /** Memory whose address is to be written into `cmd`, and which is lent, by byte offset in it. */
  pointers?: ReadonlyMap<number, Lendable>;
  /** IORING_URING_CMD_FIXED (6.1): `addr` lies in the registered buffer of this index. */
  fixed?: number;
  /** IORING_URING_CMD_MULTISHOT (6.18): a completion, and a buffer of this group, for every event. */
  multishot?: number;
}

/** An entry as the kernel reads it. A field that is left out is 0, and `fd` -1. */
export interface RawSqe {
  opcode: number;
  /** IOSQE_* */
  flags?: number;
  ioprio?: number;
  fd?: number;
  off?: Field;
  addr?: Field;
  len?: number;
  /** rw_flags, msg_flags and so on */
  opFlags?: number;
  /** buf_index or buf_group */
  bufIndex?: number;
  personality?: number;
  /** file_index, splice_fd_in, optlen and so on */
  fileIndex?: number;
  addr3?: Field;
  pad2?: number | bigint;
  /** The bytes from 48 on, instead of addr3 and pad2: 16, or 80 in an entry of 128. */
  cmd?: Uint8Array;
}

/** Commands to drivers, sockets and block devices, and the entries that this package has no method for. */
export interface CommandOperations {
  /**
   * Queue a command to the driver behind `fd`. What it does, and what it completes with, is the driver's to say.
   *
   * Memory given as `addr`, `addr3` or in `pointers` is lent until the completion is reaped. **The numbers and bytes in
   * a command can hold addresses that nobody checks**: as with {@link prepSqe}, memory safety is in the caller's hands.
   *
   * Kernel 5.19. Counterpart of io_uring_prep_uring_cmd(3); like ioctl(2).
   * @param cmdOp the driver's number for it
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @example
   * ring.prepUringCmd(fd, 1, 1, { cmd: new Uint8Array(16) });
   */
  prepUringCmd(fd: number, cmdOp: number, userData: UserData, options?: CommandOptions): boolean;

  /**
   * Queue a command that takes an entry of 128 bytes, in a ring with both sizes.
   *
   * Kernel 6.19. Counterpart of io_uring_prep_uring_cmd128(3); like ioctl(2). As {@link prepUringCmd} otherwise.
   * @throws {Error} `ERR_INVALID_STATE` the ring has no such entries
   * @example
   * ring.prepUringCmd128(fd, 1, 1, { cmd: new Uint8Array(80) });
   */
  prepUringCmd128(fd: number, cmdOp: number, userData: UserData, options?: CommandOptions): boolean;

  /**
   * Queue a command to a socket: SOCKET_URING_OP_SIOCINQ and SIOCOUTQ (6.6) complete with the bytes that wait to be
   * read or sent, GETSOCKOPT (6.7) with the option's length, SETSOCKOPT (6.7) with 0; TX_TIMESTAMP (6.17) posts 32-byte
   * completions without end and needs `cqe32` or `cqeMixed`.
   *
   * `optval` is lent to the kernel until the completion is reaped.
   *
   * Kernel 6.6. Counterpart of io_uring_prep_cmd_sock(3); like getsockopt(2), setsockopt(2) and ioctl(2).
   * @param cmdOp SOCKET_URING_OP_*
   * @param level SOL_SOCKET and so on; reading is for SOL_SOCKET only
   * @param optval the option's value, all of it; null for none
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @example
   * import { SOCKET_URING_OP_SIOCINQ } from 'iouring/abi';
   *
   * ring.prepCmdSock(SOCKET_URING_OP_SIOCINQ, socket, 0, 0, null, 1);
   */
  prepCmdSock(
    cmdOp: number,
    fd: number,
    level: number,
    optname: number,
    optval: Lendable | null,
    userData: UserData,
  ): boolean;

  /**
   * Queue the question for a socket's own address. Completes with 0 and fills `address`.
   *
   * `address` is lent to the kernel until the completion is reaped.
   *
   * Kernel 6.19. Counterpart of io_uring_prep_cmd_getsockname(3); like getsockname(2) and getpeername(2).
   * @param options.peer the other side's address
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @example
   * import { SocketAddressBuffer } from 'iouring';
   *
   * const name = new SocketAddressBuffer();
   * ring.prepCmdGetsockname(socket, name, 1);
   */
  prepCmdGetsockname(
    fd: number,
    address: SocketAddressBuffer,
    userData: UserData,
    options?: { peer?: boolean },
  ): boolean;

  /**
   * Queue the discarding of a range of a block device: its contents are gone. Completes with 0 or `-errno`
   * (`-EINVAL` when it is not aligned to the device's blocks).
   *
   * Kernel 6.12. Counterpart of io_uring_prep_cmd_discard(3); like ioctl(2) with BLKDISCARD.
   * @param offset where the range begins, in bytes, 0 … 2^53-1
   * @param nbytes of the range in bytes, likewise
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @example
   * ring.prepCmdDiscard(fd, 0, 1 << 20, 1);
   */
  prepCmdDiscard(fd: number, offset: number, nbytes: number, userData: UserData): boolean;

  /**
   * Queue the resetting of all zones of a zoned block device: its contents are gone. Completes with 0 or `-errno`.
   *
   * Kernel 7.0. Counterpart of io_uring_prep_cmd_zone_reset_all(3); like ioctl(2) with BLKRESETZONE.
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @example
   * ring.prepCmdZoneResetAll(fd, 1);
   */
  prepCmdZoneResetAll(fd: number, userData: UserData): boolean;

  /**
   * Queue an entry as it is, for operations that this package has no method for. Memory given as a field is lent until
   * the last completion is reaped, and so is what stands in `options.lend`.
   *
   * **The one door that trusts you**: an address in a number, or in memory that the kernel follows, is not checked. All
   * other methods keep the promise that nothing done in JavaScript makes the kernel write into memory that is not
   * yours.
   *
   * Counterpart of filling a `struct io_uring_sqe` by hand, as io_uring_prep_rw does.
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @example
   * import { IORING_OP_NOP } from 'iouring/abi';
   *
   * ring.prepSqe({ opcode: IORING_OP_NOP }, 1);
   */
  prepSqe(sqe: RawSqe, userData: UserData, options?: { lend?: readonly Lendable[] }): boolean;
}

export const commandOperations: CommandOperations = {
  prepUringCmd(fd, cmdOp, userData, options) {
    return command(coreOf(this), IORING_OP_URING_CMD, fd, cmdOp, userData, options ?? NONE);
  },

  prepUringCmd128(fd, cmdOp, userData, options) {
    return command(coreOf(this), IORING_OP_URING_CMD128, fd, cmdOp, userData, options ?? NONE);
  },

  prepCmdSock(cmdOp, fd, level, optname, optval, userData) {
    const core = coreOf(this);
    checkUint32('cmdOp', cmdOp);
    const file = checkFd('fd', fd);
    checkUint32('level', level);
    checkUint32('optname', optname);
    let low = 0;
    let high = 0;
    let length = 0;
    if (optval !== null) {
      const { memory } = core;
      length = memory.findWhole(optval, 'optval');
      low = memory.addressLow;
      high = memory.addressHigh;
    }
    const queued = core.queue(
      IORING_OP_URING_CMD,
      0,
      0,
      file,
      cmdOp,
      0,
      level,
      optname,
      0,
      0,
      0,
      userData,
      optval ?? undefined,
    );
    if (queued && optval !== null) core.sq.extend(length, low, high);
    return queued;
  },

  prepCmdGetsockname(fd, address, userData, options) {
    const core = coreOf(this);
    const file = checkFd('fd', fd);
    const peer = options?.peer ? 1 : 0;
    checkUserData('userData', userData);
    const [low, high, lengthLow, lengthHigh] = addressBuffer(core, address);
    const queued = core.queue(
      IORING_OP_URING_CMD,
      0,
      0,
      file,
      SOCKET_URING_OP_GETSOCKNAME,
      0,
      low,
      high,
      0,
      0,
      0,
      userData,
      address,
    );
    if (queued) core.sq.extend(peer, lengthLow, lengthHigh);
    return queued;
  },

  prepCmdDiscard(fd, offset, nbytes, userData) {
    const core = coreOf(this);
    const file = checkFd('fd', fd);
    checkInteger('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    checkInteger('nbytes', nbytes, 0, Number.MAX_SAFE_INTEGER);
    const queued = core.queue(
      IORING_OP_URING_CMD,
      0,
      0,
      file,
      BLOCK_URING_CMD_DISCARD,
      0,
      lowWord(offset),
      highWord(offset),
      0,
      0,
      0,
      userData,
      undefined,
    );
    if (queued) core.sq.extend(0, lowWord(nbytes), highWord(nbytes));
    return queued;
  },

  prepCmdZoneResetAll(fd, userData) {
    const file = checkFd('fd', fd);
    return coreOf(this).queue(
      IORING_OP_URING_CMD,
      0,
      0,
      file,
      BLOCK_URING_CMD_ZONE_RESET_ALL,
      0,
      0,
      0,
      0,
      0,
      0,
      userData,
      undefined,
    );
  },

  prepSqe(sqe, userData, options) {
    const core = coreOf(this);
    checkObject('sqe', sqe);
    const { opcode, flags = 0, ioprio = 0, off = 0, addr = 0, len = 0, opFlags = 0, addr3 = 0, pad2 = 0, cmd } = sqe;
    const { bufIndex = 0, personality = 0, fileIndex = 0 } = sqe;
    checkInteger('sqe.opcode', opcode, 0, 0xff);
    checkInteger('sqe.flags', flags, 0, 0xff);
    if (flags & IOSQE_CQE_SKIP_SUCCESS) {
      throw wrongValue('sqe.flags', 'IOSQE_CQE_SKIP_SUCCESS is set by sqeSetFlags, which knows of the memory lent');
    }
    checkInteger('sqe.ioprio', ioprio, 0, 0xffff);
    checkUint32('sqe.len', len);
    checkUint32('sqe.opFlags', opFlags);
    checkInteger('sqe.bufIndex', bufIndex, 0, 0xffff);
    checkInteger('sqe.personality', personality, 0, 0xffff);
    checkInteger('sqe.fileIndex', fileIndex, -1, 2 ** 32 - 1);
    const file = sqe.fd === undefined ? -1 : checkFd('sqe.fd', sqe.fd);
    const two = opcode === IORING_OP_NOP128 || opcode === IORING_OP_URING_CMD128;
    const lent: unknown[] = [];
    const lend = options?.lend ?? [];
    if (!Array.isArray(lend)) throw wrongType('options.lend', 'an Array of ArrayBufferViews or ArrayBuffers', lend);
    for (const memory of lend as readonly Lendable[]) {
      core.memory.findWhole(memory, 'options.lend');
      lent.push(memory);
    }
    if (flags & IOSQE_BUFFER_SELECT) {
      const group = core.bufferGroup(bufIndex);
      lent.unshift(core.sourceOf(group, opcode | (ioprio << 16), len, opFlags));
    }
    const [offLow, offHigh] = field(core, 'sqe.off', off, lent);
    const [addrLow, addrHigh] = field(core, 'sqe.addr', addr, lent);
    const [addr3Low, addr3High] = field(core, 'sqe.addr3', addr3, lent);
    const [padLow, padHigh] = field(core, 'sqe.pad2', pad2, lent);
    const bytes = commandBytes(core, opcode, cmd, undefined, lent);
    checkUserData('userData', userData);
    if (two) {
      if (core.isRefusedBig()) return false;
      core.alignBig();
    }
    const queued = core.queue(
      opcode,
      flags,
      ioprio,
      file,
      offLow,
      offHigh,
      addrLow,
      addrHigh,
      len,
      opFlags,
      bufIndex | (personality << 16),
      userData,
      held(core, lent, (flags & IOSQE_BUFFER_SELECT) !== 0),
    );
    if (!queued) return false;
    if (fileIndex !== 0 || addr3Low !== 0 || addr3High !== 0 || padLow !== 0 || padHigh !== 0) {
      core.sq.extend(fileIndex, addr3Low, addr3High, padLow, padHigh);
    }
    if (two) core.grown();
    if (bytes) core.sq.extendByCommand(bytes);
    if (usesTables(opcode, flags, opFlags)) core.noteSlot();
    return true;
  },
};

function command(
  core: RingCore,
  opcode: number,
  fd: number,
  cmdOp: number,
  userData: UserData,
  options: CommandOptions,
): boolean {
  const { addr = 0, len = 0, addr3 = 0, cmd, pointers, fixed, multishot } = options;
  const file = checkFd('fd', fd);
  checkUint32('cmdOp', cmdOp);
  checkUint32('options.len', len);
  let flags = 0;
  let index = 0;
  let modifiers = 0;
  const lent: unknown[] = [];
  if (fixed !== undefined) {
    index = checkInteger('options.fixed', fixed, 0, 0xffff);
    flags |= IORING_URING_CMD_FIXED;
  }
  if (multishot !== undefined) {
    lent.push(core.bufferGroup(multishot));
    index = multishot;
    flags |= IORING_URING_CMD_MULTISHOT;
    modifiers = IOSQE_BUFFER_SELECT;
  }
  const bytes = commandBytes(core, opcode, cmd, pointers, lent);
  const [addrLow, addrHigh] = field(core, 'options.addr', addr, lent);
  const [addr3Low, addr3High] = field(core, 'options.addr3', addr3, lent);
  checkUserData('userData', userData);
  // When all that is the caller's was read.
  if (opcode === IORING_OP_URING_CMD128) {
    if (core.isRefusedBig()) return false;
    core.alignBig();
  }
  const queued = core.queue(
    opcode,
    modifiers,
    0,
    file,
    cmdOp,
    0,
    addrLow,
    addrHigh,
    len,
    flags,
    index,
    userData,
    held(core, lent, multishot !== undefined),
  );
  if (!queued) return false;
  if (addr3Low !== 0 || addr3High !== 0) core.sq.extend(0, addr3Low, addr3High);
  if (opcode === IORING_OP_URING_CMD128) core.grown();
  if (bytes) core.sq.extendByCommand(bytes);
  return true;
}

/** The command's own bytes, with the addresses in their places. */
function commandBytes(
  core: RingCore,
  opcode: number,
  cmd: Uint8Array | undefined,
  pointers: ReadonlyMap<number, Lendable> | undefined,
  lent: unknown[],
): Uint8Array | undefined {
  if (cmd === undefined) return undefined;
  const bytes = copyOfBytes('cmd', cmd);
  const big = opcode === IORING_OP_URING_CMD128 || (core.resources.setupFlags & IORING_SETUP_SQE128) !== 0;
  checkInteger('cmd.length', bytes.length, 0, big ? 80 : 16);
  const view = new DataView(bytes.buffer);
  for (const [offset, memory] of pointers ?? []) {
    checkInteger('pointers', offset, 0, bytes.length - 8);
    const [low, high] = field(core, 'pointers', memory, lent);
    view.setInt32(offset, low, true);
    view.setInt32(offset + 4, high, true);
  }
  return bytes;
}

/** The two halves of a 64-bit field. Memory is added to what is lent. */
function field(core: RingCore, name: string, field: Field, lent: unknown[]): [low: number, high: number] {
  if (isObject(field)) {
    const { memory } = core;
    memory.findWhole(field, name);
    lent.push(field);
    return [memory.addressLow, memory.addressHigh];
  }
  if (typeof field === 'number' ? !Number.isSafeInteger(field) : typeof field !== 'bigint') {
    throw wrongType(name, 'an integer, a bigint, an ArrayBufferView or an ArrayBuffer', field);
  }
  if (field < -(2n ** 63n) || field >= 2n ** 64n) throw outOfRange(name, 'of 64 bits', field);
  return [lowWord(field), highWord(field)];
}

/** The things that an operation holds; the first is a buffer group if it takes its buffers from one. */
function held(core: RingCore, lent: unknown[], grouped: boolean): unknown {
  if (lent.length < 2) return lent[0];
  return grouped ? core.lease(new Lease(lent, lent[0] as BufferSource)) : lent;
}
