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
import { NONE } from '../arguments/own-options.ts';
import type { Lendable } from '../memory/lent-memory.ts';
import { checkInteger, checkUint32, outOfRange, wrongType, wrongValue } from '../arguments/argument-errors.ts';
import { Lease, type BufferSource } from '../pins.ts';
import { WaitPreparation } from './futex-and-process.ts';
import { addressBuffer, coreOf } from '../ring-core.ts';
import { copyOfBytes, type SocketAddressBuffer } from '../structs/socket-address.ts';
import { checkFd, checkUserData, highWord, lowWord, type UserData } from './entry.ts';

/** A 64-bit field of an entry: a number, or memory, which is lent and whose address is filled in. */
export type Field = number | bigint | Lendable;

/** What a driver's command takes. */
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

/** An entry as the kernel reads it. What is left out is 0, and `fd` -1. */
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
export abstract class CommandPreparation extends WaitPreparation {
  /**
   * Queue a command to the driver behind `fd`. What it does, and what it completes with, is the driver's to say.
   *
   * Memory given as `addr`, `addr3` or in `pointers` is lent until the completion is reaped. **The numbers and bytes in a
   * command can hold addresses that nobody checks**: as with {@link prepSqe}, memory safety is in the caller's hands.
   *
   * Kernel 5.19. Counterpart of io_uring_prep_uring_cmd(3); like ioctl(2).
   * @param cmdOp the driver's number for it
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   */
  prepUringCmd(fd: number, cmdOp: number, userData: UserData, options?: CommandOptions): boolean {
    return this.#command(IORING_OP_URING_CMD, fd, cmdOp, userData, options ?? NONE);
  }

  /**
   * Queue a command that takes an entry of 128 bytes, in a ring with both sizes.
   *
   * Kernel 6.19. Counterpart of io_uring_prep_uring_cmd128(3); like ioctl(2). As {@link prepUringCmd} otherwise.
   * @throws {Error} `ERR_INVALID_STATE` the ring has no such entries
   */
  prepUringCmd128(fd: number, cmdOp: number, userData: UserData, options?: CommandOptions): boolean {
    return this.#command(IORING_OP_URING_CMD128, fd, cmdOp, userData, options ?? NONE);
  }

  #command(opcode: number, fd: number, cmdOp: number, userData: UserData, options: CommandOptions): boolean {
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
      lent.push(coreOf(this).bufferGroup(multishot));
      index = multishot;
      flags |= IORING_URING_CMD_MULTISHOT;
      modifiers = IOSQE_BUFFER_SELECT;
    }
    const bytes = this.#commandBytes(opcode, cmd, pointers, lent);
    const [addrLow, addrHigh] = this.#field('options.addr', addr, lent);
    const [addr3Low, addr3High] = this.#field('options.addr3', addr3, lent);
    checkUserData('userData', userData);
    // When all that is the caller's was read.
    if (opcode === IORING_OP_URING_CMD128) {
      if (coreOf(this).isRefusedBig()) return false;
      coreOf(this).alignBig();
    }
    const queued = coreOf(this).queue(
      opcode, modifiers, 0, file, cmdOp, 0, addrLow, addrHigh, len, flags, index, userData,
      this.#held(lent, multishot !== undefined),
    );
    if (!queued) return false;
    if (addr3Low !== 0 || addr3High !== 0) coreOf(this).sq.extend(0, addr3Low, addr3High);
    if (opcode === IORING_OP_URING_CMD128) coreOf(this).grown();
    if (bytes) coreOf(this).sq.extendByCommand(bytes);
    return true;
  }

  /** The command's own bytes, with the addresses in their places. */
  #commandBytes(
    opcode: number,
    cmd: Uint8Array | undefined,
    pointers: ReadonlyMap<number, Lendable> | undefined,
    lent: unknown[],
  ): Uint8Array | undefined {
    if (cmd === undefined) return undefined;
    const bytes = copyOfBytes('cmd', cmd);
    const big = opcode === IORING_OP_URING_CMD128 || (coreOf(this).resources.setupFlags & IORING_SETUP_SQE128) !== 0;
    checkInteger('cmd.length', bytes.length, 0, big ? 80 : 16);
    const view = new DataView(bytes.buffer);
    for (const [offset, memory] of pointers ?? []) {
      checkInteger('pointers', offset, 0, bytes.length - 8);
      const [low, high] = this.#field('pointers', memory, lent);
      view.setInt32(offset, low, true);
      view.setInt32(offset + 4, high, true);
    }
    return bytes;
  }

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
   */
  prepCmdSock(
    cmdOp: number,
    fd: number,
    level: number,
    optname: number,
    optval: Lendable | null,
    userData: UserData,
  ): boolean {
    checkUint32('cmdOp', cmdOp);
    const file = checkFd('fd', fd);
    checkUint32('level', level);
    checkUint32('optname', optname);
    let low = 0;
    let high = 0;
    let length = 0;
    if (optval !== null) {
      const { memory } = coreOf(this);
      length = memory.findWhole(optval, 'optval');
      low = memory.addressLow;
      high = memory.addressHigh;
    }
    const queued = coreOf(this).queue(
      IORING_OP_URING_CMD, 0, 0, file, cmdOp, 0, level, optname, 0, 0, 0, userData, optval ?? undefined,
    );
    if (queued && optval !== null) coreOf(this).sq.extend(length, low, high);
    return queued;
  }

  /**
   * Queue the question for a socket's own address. Completes with 0 and fills `address`.
   *
   * `address` is lent to the kernel until the completion is reaped.
   *
   * Kernel 6.19. Counterpart of io_uring_prep_cmd_getsockname(3); like getsockname(2) and getpeername(2).
   * @param options.peer the other side's address
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   */
  prepCmdGetsockname(
    fd: number,
    address: SocketAddressBuffer,
    userData: UserData,
    options?: { peer?: boolean },
  ): boolean {
    const file = checkFd('fd', fd);
    const peer = options?.peer ? 1 : 0;
    checkUserData('userData', userData);
    const [low, high, lengthLow, lengthHigh] = addressBuffer(coreOf(this), address);
    const queued = coreOf(this).queue(
      IORING_OP_URING_CMD, 0, 0, file, SOCKET_URING_OP_GETSOCKNAME, 0, low, high, 0, 0, 0, userData, address,
    );
    if (queued) coreOf(this).sq.extend(peer, lengthLow, lengthHigh);
    return queued;
  }

  /**
   * Queue the discarding of a range of a block device: its contents are gone. Completes with 0 or `-errno`
   * (`-EINVAL` when it is not aligned to the device's blocks).
   *
   * Kernel 6.12. Counterpart of io_uring_prep_cmd_discard(3); like ioctl(2) with BLKDISCARD.
   * @param offset,nbytes bytes, 0 … 2^53-1
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   */
  prepCmdDiscard(fd: number, offset: number, nbytes: number, userData: UserData): boolean {
    const file = checkFd('fd', fd);
    checkInteger('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    checkInteger('nbytes', nbytes, 0, Number.MAX_SAFE_INTEGER);
    const queued = coreOf(this).queue(
      IORING_OP_URING_CMD, 0, 0, file, BLOCK_URING_CMD_DISCARD, 0, lowWord(offset), highWord(offset), 0, 0, 0, userData,
      undefined,
    );
    if (queued) coreOf(this).sq.extend(0, lowWord(nbytes), highWord(nbytes));
    return queued;
  }

  /**
   * Queue the resetting of all zones of a zoned block device: its contents are gone. Completes with 0 or `-errno`.
   *
   * Kernel 7.0. Counterpart of io_uring_prep_cmd_zone_reset_all(3); like ioctl(2) with BLKRESETZONE.
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   */
  prepCmdZoneResetAll(fd: number, userData: UserData): boolean {
    const file = checkFd('fd', fd);
    return coreOf(this).queue(
      IORING_OP_URING_CMD, 0, 0, file, BLOCK_URING_CMD_ZONE_RESET_ALL, 0, 0, 0, 0, 0, 0, userData, undefined,
    );
  }

  /**
   * Queue an entry as it is, for operations that this package has no method for. Memory given as a field is lent until
   * the last completion is reaped, and so is what stands in `options.lend`.
   *
   * **The one door that trusts you**: an address in a number, or in memory that the kernel follows, is not checked. All
   * other methods keep the promise that nothing done in JavaScript makes the kernel write into memory that is not yours.
   *
   * Counterpart of filling a `struct io_uring_sqe` by hand, as io_uring_prep_rw does.
   * @returns false when the submission queue is full; nothing was queued then
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   */
  prepSqe(sqe: RawSqe, userData: UserData, options?: { lend?: readonly Lendable[] }): boolean {
    if (typeof sqe !== 'object' || sqe === null) throw wrongType('sqe', 'an object', sqe);
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
      coreOf(this).memory.findWhole(memory, 'options.lend');
      lent.push(memory);
    }
    if (flags & IOSQE_BUFFER_SELECT) {
      const group = coreOf(this).bufferGroup(bufIndex);
      lent.unshift(coreOf(this).sourceOf(group, opcode | (ioprio << 16), len, opFlags));
    }
    const [offLow, offHigh] = this.#field('sqe.off', off, lent);
    const [addrLow, addrHigh] = this.#field('sqe.addr', addr, lent);
    const [addr3Low, addr3High] = this.#field('sqe.addr3', addr3, lent);
    const [padLow, padHigh] = this.#field('sqe.pad2', pad2, lent);
    const bytes = this.#commandBytes(opcode, cmd, undefined, lent);
    checkUserData('userData', userData);
    if (two) {
      if (coreOf(this).isRefusedBig()) return false;
      coreOf(this).alignBig();
    }
    const queued = coreOf(this).queue(
      opcode, flags, ioprio, file, offLow, offHigh, addrLow, addrHigh, len, opFlags,
      bufIndex | (personality << 16), userData, this.#held(lent, (flags & IOSQE_BUFFER_SELECT) !== 0),
    );
    if (!queued) return false;
    if (fileIndex !== 0 || addr3Low !== 0 || addr3High !== 0 || padLow !== 0 || padHigh !== 0) {
      coreOf(this).sq.extend(fileIndex, addr3Low, addr3High, padLow, padHigh);
    }
    if (two) coreOf(this).grown();
    if (bytes) coreOf(this).sq.extendByCommand(bytes);
    return true;
  }

  /** The two halves of a 64-bit field. Memory is added to what is lent. */
  #field(name: string, field: Field, lent: unknown[]): [low: number, high: number] {
    if (typeof field === 'object' && field !== null) {
      const { memory } = coreOf(this);
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

  /** What an operation holds; the first is a buffer group if it takes its buffers from one. */
  #held(lent: unknown[], grouped: boolean): unknown {
    if (lent.length < 2) return lent[0];
    return grouped ? coreOf(this).lease(new Lease(lent, lent[0] as BufferSource)) : lent;
  }
}
