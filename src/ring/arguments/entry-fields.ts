import { types } from '../../native/node-util.ts';
import { IORING_FILE_INDEX_ALLOC } from '../../abi/flags.ts';
import type { Lendable } from '../memory/lent-memory.ts';
import { copyOfAddress, SOCKADDR_MAX, writeSocketAddress, type SocketAddressLike } from '../structs/socket-address.ts';
import { checkInteger, checkUint32, wrongType } from './argument-errors.ts';

/** A place in the table of registered files, or `'alloc'`: let the kernel pick a free one. */
export type Slot = number | 'alloc';

/** The kernel's limit on the pieces of one scattered transfer (UIO_MAXIOV). */
const IOVECS_MAX = 1024;

/** How many file descriptors' worth of slots a table can have; more than any kernel allows. */
const SLOT_MAX = 0xffff_fffd;

/**
 * A descriptor as the entry's `fd` field. The kernel answers EBADF for one that is not open; an integer that
 * no descriptor can be becomes -1, so that it gets the same answer and never names another file by wrapping.
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE` not an integer
 */
export function checkFd(name: string, fd: number): number {
  if (typeof fd === 'number' && (fd | 0) === fd) return fd;
  if (!Number.isInteger(fd)) throw wrongType(name, 'an integer', fd);
  return -1;
}

/** The value of `file_index` for a slot: one more, or the mark for "pick one"; 0 is an ordinary descriptor. */
export function fileIndex(name: string, slot: Slot | undefined): number {
  if (slot === undefined) return 0;
  if (slot === 'alloc') return IORING_FILE_INDEX_ALLOC;
  if (typeof slot !== 'number') throw wrongType(name, "of type number, or 'alloc'", slot);
  return checkInteger(name, slot, 0, SLOT_MAX) + 1;
}

/** Flags of an operation, as the kernel spells them. */
export function checkFlags(name: string, flags: number | undefined): number {
  return flags === undefined || flags === 0 ? 0 : checkUint32(name, flags);
}

/**
 * The caller's list of buffers as it is now: an object that answers differently the second time must not have the
 * kernel write to one buffer while another is kept alive.
 */
export function listOfBuffers(name: string, buffers: readonly Lendable[]): Lendable[] {
  if (!Array.isArray(buffers)) throw wrongType(name, 'an Array of ArrayBufferViews or ArrayBuffers', buffers);
  const list = [...(buffers as readonly Lendable[])];
  checkInteger(`${name}.length`, list.length, 0, IOVECS_MAX);
  return list;
}

/**
 * The bytes of a `struct sockaddr`. Not written into the arena at once: a getter of the caller's object could prepare
 * other entries meanwhile.
 */
export function addressBytes(name: string, address: SocketAddressLike): Uint8Array {
  // Who sends to the same address again and again gives it like this.
  if (types.isUint8Array(address)) return copyOfAddress(name, address);
  const bytes = new Uint8Array(SOCKADDR_MAX);
  return bytes.subarray(0, writeSocketAddress(bytes, 0, address, name));
}
