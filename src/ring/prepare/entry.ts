import { types } from 'node:util';
import {
  IORING_FILE_INDEX_ALLOC,
  IOSQE_ASYNC,
  IOSQE_BUFFER_SELECT,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_FIXED_FILE,
  IOSQE_IO_DRAIN,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
} from '../../abi/flags.ts';
import {
  IORING_OP_ACCEPT,
  IORING_OP_RECV,
  IORING_OP_RECVMSG,
  IORING_OP_RECV_ZC,
  IORING_OP_SEND,
  IORING_OP_SENDMSG,
  IORING_OP_SENDMSG_ZC,
  IORING_OP_SEND_ZC,
} from '../../abi/operations.ts';
import { ChainMember, SilentChain } from './chains.ts';
import type { Lendable } from '../memory/lent-memory.ts';
import { checkInteger, checkUint32, wrongState, wrongType, wrongValue } from '../arguments/argument-errors.ts';
import { DESCRIPTOR, Lease, NOTHING } from '../pins.ts';
import { coreOf, LINKS, Ring, type RingCore } from '../ring-core.ts';
import { copyOfAddress, copyOfBytes, SOCKADDR_MAX, writeSocketAddress, type SocketAddressLike } from '../structs/socket-address.ts';

export { checkUserData, highWord, lowWord, type UserData } from '../pins.ts';

/** A place in the table of registered files, or `'alloc'`: let the kernel pick a free one. */
export type Slot = number | 'alloc';

/** A path. Bytes are taken as they are; a URL must be one of a file. */
export type PathLike = string | Uint8Array | URL;

/** The modifiers that a caller may set on any entry. */
const MODIFIERS =
  IOSQE_FIXED_FILE |
  IOSQE_IO_DRAIN |
  IOSQE_IO_LINK |
  IOSQE_IO_HARDLINK |
  IOSQE_ASYNC |
  IOSQE_CQE_SKIP_SUCCESS;

/** Operations whose entry has modifiers of their own in place of a priority. */
const MODIFIED_BY_IOPRIO = new Set([
  IORING_OP_ACCEPT,
  IORING_OP_RECV,
  IORING_OP_RECVMSG,
  IORING_OP_RECV_ZC,
  IORING_OP_SEND,
  IORING_OP_SENDMSG,
  IORING_OP_SENDMSG_ZC,
  IORING_OP_SEND_ZC,
]);

/** The kernel's limit on the pieces of one scattered transfer (UIO_MAXIOV). */
const IOVECS_MAX = 1024;

/** How many file descriptors' worth of slots a table can have; more than any kernel allows. */
const SLOT_MAX = 0xffff_fffd;

const ENCODER = new TextEncoder();

/**
 * The base of every prep method: changes of the entry just prepared.
 * The methods themselves stand in the `prepare-….ts` files; the ring is the last of that line.
 */
export abstract class SqePreparation extends Ring {
  /**
   * Add modifiers to the entry just prepared: IOSQE_FIXED_FILE (its `fd` is a slot of the registered files),
   * IOSQE_IO_LINK and IOSQE_IO_HARDLINK (the next entry starts when this one is done; the first of them only if it
   * succeeded), IOSQE_IO_DRAIN (this one starts when all before it are done), IOSQE_ASYNC (do not try it inline first),
   * IOSQE_CQE_SKIP_SUCCESS (no completion if it succeeds; 5.17).
   *
   * An operation that lends memory and keeps silent is over when a later one of its chain completes: so it must be linked to
   * one that does not keep silent, and a `submit` that cuts the chain makes the last entry speak.
   *
   * Counterpart of io_uring_sqe_set_flags(3), which replaces the flags where this adds to them.
   * @throws {Error} `ERR_INVALID_STATE` there is no entry just prepared: it was submitted, or the last prep method
   *   returned false; or the entry would keep silent and its memory would never come back
   * @throws {RangeError|TypeError} unknown flags; IOSQE_BUFFER_SELECT is set by {@link sqeSetBufGroup}
   */
  sqeSetFlags(flags: number): void {
    checkInteger('flags', flags, 0, 0xff);
    if (flags & ~MODIFIERS) throw wrongValue('flags', 'only IOSQE_ modifiers; buffers are selected by sqeSetBufGroup');
    const core = checkPrepared(this);
    const { sq } = core;
    const word = sq.word(0) | (flags << 8);
    if ((word >> 8) & IOSQE_CQE_SKIP_SUCCESS) silence(core, (word >> 8) & 0xff);
    sq.setWord(0, word);
  }

  /**
   * Have the entry just prepared take its buffer from group `bgid` when data is there, whatever buffer it was given
   * (`null` will do): `bufferId()` of its completion names it.
   *
   * Kernel 5.7. Counterpart of IOSQE_BUFFER_SELECT with io_uring_sqe_set_buf_group(3).
   * @param bgid a group of {@link IoUring.registerBufRing} or prepProvideBuffers
   * @throws {Error} `ERR_INVALID_STATE` no such group, or no entry just prepared; RangeError, TypeError
   */
  sqeSetBufGroup(bgid: number): void {
    const core = checkPrepared(this);
    const group = core.bufferGroup(bgid);
    const { sq, pins } = core;
    if ((sq.word(0) >> 8) & IOSQE_CQE_SKIP_SUCCESS) throw namesNoBuffer();
    const low = sq.word(8);
    const high = sq.word(9);
    let slot = high === 0 ? -1 : pins.slotOf(low, high);
    if (slot >= 0) {
      const lent = pins.lent(slot);
      // What was lent so far stays: a msghdr is used all the same.
      const source = core.sourceOf(group, sq.word(0), sq.word(6), sq.word(7), lent);
      pins.replace(slot, lent === NOTHING ? source : core.lease(new Lease(lent, source)));
    } else {
      slot = pins.hold(low, high, core.sourceOf(group, sq.word(0), sq.word(6), sq.word(7)));
      pins.describe(slot, sq.word(0) & 0xff, sq.word(1));
      sq.setWord(8, pins.keyLow(slot));
      sq.setWord(9, pins.keyHigh(slot));
    }
    sq.setWord(0, sq.word(0) | (IOSQE_BUFFER_SELECT << 8));
    sq.setWord(10, (sq.word(10) & ~0xffff) | bgid);
  }

  /**
   * Have the entry just prepared run with the credentials of a registered personality.
   *
   * Kernel 5.6. Counterpart of `sqe->personality`; see registerPersonality.
   * @throws {Error} `ERR_INVALID_STATE` no entry just prepared; RangeError, TypeError
   */
  sqeSetPersonality(id: number): void {
    checkInteger('id', id, 0, 0xffff);
    const { sq } = checkPrepared(this);
    sq.setWord(10, (sq.word(10) & 0xffff) | (id << 16));
  }

  /**
   * Set the I/O priority of the entry just prepared, as ioprio_set(2) counts. Not for operations on sockets, which
   * have modifiers in its place.
   *
   * Kernel 5.1. Counterpart of `sqe->ioprio`.
   * @throws {Error} `ERR_INVALID_STATE` no entry just prepared, or one on a socket; RangeError, TypeError
   */
  sqeSetIoprio(ioprio: number): void {
    checkInteger('ioprio', ioprio, 0, 0xffff);
    const { sq } = checkPrepared(this);
    // One of them has the kernel take the memory for a list of addresses.
    if (MODIFIED_BY_IOPRIO.has(sq.word(0) & 0xff)) {
      throw wrongState('ERR_INVALID_STATE', 'Cannot set a priority: operations on sockets have none, and modifiers in its place');
    }
    sq.setWord(0, (sq.word(0) & 0xffff) | (ioprio << 16));
  }
}

/** The core that the ring works with, if there is an entry just prepared. */
function checkPrepared(ring: SqePreparation): RingCore {
  const core = coreOf(ring);
  const { sq } = core;
  core.checkOpen();
  if (sq.isOpen && core.refusedAt !== sq.tail) return core;
  const reason = sq.isOpen ? 'the last operation was not queued, for the queue was full' : 'it is submitted, or none was prepared';
  throw wrongState('ERR_INVALID_STATE', `Cannot modify the entry just prepared: ${reason}`);
}

/** The entry just prepared is going to complete without a word. */
function silence(core: RingCore, flags: number): void {
  const { sq, pins } = core;
  const slot = pins.slotOf(sq.word(8), sq.word(9));
  const linked = (flags & LINKS) !== 0;
  const held = slot < 0 ? undefined : pins.lent(slot);
  if (flags & IOSQE_BUFFER_SELECT) throw namesNoBuffer();
  // Nothing to come back: a descriptor is the caller's to know of.
  const lends = held !== undefined && held !== NOTHING && held !== DESCRIPTOR;
  if (!lends) {
    if (held === DESCRIPTOR) unpin(core, slot);
    return;
  }
  if (!linked) {
    const message =
      'Cannot keep silent: nothing would tell when the memory is free again.' +
      ' Link it to an operation that completes (IOSQE_IO_LINK), or leave IOSQE_CQE_SKIP_SUCCESS away';
    throw wrongState('ERR_INVALID_STATE', message);
  }
  let member = held instanceof ChainMember ? held : undefined;
  if (member === undefined) {
    if (core.resources.isPolled) {
      // The kernel's thread takes entries when it likes, and cuts chains by that.
      throw wrongState('ERR_INVALID_STATE', 'Cannot keep silent with sqPoll: leave IOSQE_CQE_SKIP_SUCCESS away');
    }
    core.silent = new SilentChain(pins, sq.isBehindLink);
    (core.chained ??= []).push(core.silent);
    member = new ChainMember(held, core.silent);
    pins.replace(slot, core.lease(member));
    core.silent.add(member, slot);
  }
  member.silent = true;
  member.hard = (flags & IOSQE_IO_HARDLINK) !== 0;
}

/** Give the entry just prepared the caller's own userData. */
function unpin({ sq, pins }: RingCore, slot: number): void {
  const low = pins.userLow(slot);
  const high = pins.userHigh(slot);
  // A value that is somebody's key keeps its slot.
  if (high !== 0 && pins.slotOf(low, high) >= 0) return;
  sq.setWord(8, low);
  sq.setWord(9, high);
  pins.release(slot);
}

function namesNoBuffer(): Error {
  const message = 'Cannot keep silent and take a provided buffer: only the completion names it';
  return wrongState('ERR_INVALID_STATE', message);
}

/**
 * The bytes of a `struct sockaddr`. Not written into the arena at once: a getter of the caller's object could prepare other
 * entries meanwhile.
 */
export function addressBytes(name: string, address: SocketAddressLike): Uint8Array {
  // Who sends to the same address again and again gives it like this.
  if (types.isUint8Array(address)) return copyOfAddress(name, address);
  const bytes = new Uint8Array(SOCKADDR_MAX);
  return bytes.subarray(0, writeSocketAddress(bytes, 0, address, name));
}

/** The bytes of a path, without anything behind. @throws {TypeError} */
export function pathBytes(name: string, path: PathLike): Uint8Array {
  const kind = 'of type string or an instance of Uint8Array or URL';
  let bytes: Uint8Array;
  // From the pool: in a third of the time that an array of its own takes.
  if (typeof path === 'string') bytes = Buffer.from(path);
  // A copy: what a caller's object says of its length does not count.
  else if (path instanceof Uint8Array) bytes = copyOfBytes(name, path);
  else if (path instanceof URL) bytes = ENCODER.encode(filePath(name, path));
  else throw wrongType(name, kind, path);
  if (bytes.includes(0)) throw wrongValue(name, 'it must be a path without null bytes');
  return bytes;
}

function filePath(name: string, url: URL): string {
  const { protocol, hostname, pathname } = url;
  if (protocol !== 'file:') throw wrongValue(name, 'a URL must be of scheme file');
  if (hostname !== '') throw wrongValue(name, 'the URL of a file must have no host');
  if (/%2f/i.test(pathname)) throw wrongValue(name, 'the URL of a file must not include encoded / characters');
  try {
    return decodeURIComponent(pathname);
  } catch {
    throw wrongValue(name, 'the URL of a file must be UTF-8 where it is encoded; give the path as bytes');
  }
}

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

/** What `file_index` says for a slot: one more, or the mark for "pick one"; 0 is an ordinary descriptor. */
export function fileIndex(name: string, slot: Slot | undefined): number {
  if (slot === undefined) return 0;
  if (slot === 'alloc') return IORING_FILE_INDEX_ALLOC;
  if (typeof slot !== 'number') throw wrongType(name, "of type number, or 'alloc'", slot);
  return checkInteger(name, slot, 0, SLOT_MAX) + 1;
}

/**
 * The caller's list of buffers as it is now: an object that answers differently the second time must not have the kernel
 * write to one buffer while another is kept alive.
 */
export function listOfBuffers(name: string, buffers: readonly Lendable[]): Lendable[] {
  if (!Array.isArray(buffers)) throw wrongType(name, 'an Array of ArrayBufferViews or ArrayBuffers', buffers);
  const list = [...(buffers as readonly Lendable[])];
  checkInteger(`${name}.length`, list.length, 0, IOVECS_MAX);
  return list;
}

/** Flags of an operation, as the kernel spells them. */
export function checkFlags(name: string, flags: number | undefined): number {
  return flags === undefined || flags === 0 ? 0 : checkUint32(name, flags);
}
