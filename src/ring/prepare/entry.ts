import {
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
import { checkInteger, wrongState, wrongValue } from '../arguments/argument-errors.ts';
import { DESCRIPTOR, Lease, NOTHING } from '../pins.ts';
import { coreOf, LINKS, type RingCore } from '../ring-core.ts';

/** The modifiers that a caller may set on any entry. */
const MODIFIERS = IOSQE_FIXED_FILE |
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

/** Changes of the entry just prepared. */
export interface EntryModifiers {
  /**
   * Add modifiers to the entry just prepared: IOSQE_FIXED_FILE (its `fd` is a slot of the registered files),
   * IOSQE_IO_LINK and IOSQE_IO_HARDLINK (the next entry starts when this one is done; the first of them only if it
   * succeeded), IOSQE_IO_DRAIN (this one starts when all before it are done), IOSQE_ASYNC (do not try it inline first),
   * IOSQE_CQE_SKIP_SUCCESS (no completion if it succeeds; 5.17).
   *
   * An operation that lends memory and keeps silent is over when a later one of its chain completes: so it must be
   * linked to one that does not keep silent, and a `submit` that cuts the chain makes the last entry speak.
   *
   * Counterpart of io_uring_sqe_set_flags(3), which replaces the flags where this adds to them.
   * @throws {Error} `ERR_INVALID_STATE` there is no entry just prepared: it was submitted, or the last prep method
   *   returned false; or the entry would keep silent and its memory would never come back
   * @throws {RangeError|TypeError} unknown flags; IOSQE_BUFFER_SELECT is set by {@link sqeSetBufGroup}
   * @example
   * import { IOSQE_IO_LINK } from 'iouring/abi';
   *
   * ring.prepWrite(fd, buffer, buffer.length, 1, 0);
   * ring.sqeSetFlags(IOSQE_IO_LINK);
   * ring.prepFsync(fd, 2);
   */
  sqeSetFlags(flags: number): void;

  /**
   * Have the entry just prepared take its buffer from group `bgid` when data is there, whatever buffer it was given
   * (`null` will do): `bufferId()` of its completion names it.
   *
   * Kernel 5.7. Counterpart of IOSQE_BUFFER_SELECT with io_uring_sqe_set_buf_group(3).
   * @param bgid a group of {@link IoUring.registerBufRing} or prepProvideBuffers
   * @throws {Error} `ERR_INVALID_STATE` no such group, or no entry just prepared; RangeError, TypeError
   * @example
   * import { IOSQE_BUFFER_SELECT } from 'iouring/abi';
   *
   * ring.prepRead(pipe, null, 4096, 1);
   * ring.sqeSetFlags(IOSQE_BUFFER_SELECT);
   * ring.sqeSetBufGroup(7);
   */
  sqeSetBufGroup(bgid: number): void;

  /**
   * Have the entry just prepared run with the credentials of a registered personality.
   *
   * Kernel 5.6. Counterpart of `sqe->personality`; see registerPersonality.
   * @throws {Error} `ERR_INVALID_STATE` no entry just prepared; RangeError, TypeError
   * @example
   * const id = ring.registerPersonality();
   * ring.prepNop(1);
   * ring.sqeSetPersonality(id);
   */
  sqeSetPersonality(id: number): void;

  /**
   * Set the I/O priority of the entry just prepared, as ioprio_set(2) counts. Not for operations on sockets, which
   * have modifiers in its place.
   *
   * Kernel 5.1. Counterpart of `sqe->ioprio`.
   * @throws {Error} `ERR_INVALID_STATE` no entry just prepared, or one on a socket; RangeError, TypeError
   * @example
   * ring.prepRead(fd, buffer, buffer.length, 1, 0);
   * ring.sqeSetIoprio((2 << 13) | 4);
   */
  sqeSetIoprio(ioprio: number): void;
}

export const modifiers: EntryModifiers = {
  sqeSetFlags(flags) {
    checkInteger('flags', flags, 0, 0xff);
    if (flags & ~MODIFIERS) throw wrongValue('flags', 'only IOSQE_ modifiers; buffers are selected by sqeSetBufGroup');
    const core = checkPrepared(this);
    const { sq } = core;
    const word = sq.word(0) | (flags << 8);
    if (flags & IOSQE_FIXED_FILE) core.noteSlot();
    if ((word >> 8) & IOSQE_CQE_SKIP_SUCCESS) silence(core, (word >> 8) & 0xff);
    sq.setWord(0, word);
  },

  sqeSetBufGroup(bgid) {
    const core = checkPrepared(this);
    const group = core.bufferGroup(bgid);
    const { sq, pins } = core;
    if ((sq.word(0) >> 8) & IOSQE_CQE_SKIP_SUCCESS) throw namesNoBuffer();
    const low = sq.word(8);
    const high = sq.word(9);
    let slot = high === 0 ? -1 : pins.slotOf(low, high);
    if (slot >= 0) {
      const lent = pins.lent(slot);
      // Memory that was lent so far stays: a msghdr is used all the same.
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
  },

  sqeSetPersonality(id) {
    checkInteger('id', id, 0, 0xffff);
    const { sq } = checkPrepared(this);
    sq.setWord(10, (sq.word(10) & 0xffff) | (id << 16));
  },

  sqeSetIoprio(ioprio) {
    checkInteger('ioprio', ioprio, 0, 0xffff);
    const { sq } = checkPrepared(this);
    // One of them has the kernel take the memory for a list of addresses.
    if (MODIFIED_BY_IOPRIO.has(sq.word(0) & 0xff)) {
      const message = 'Cannot set a priority: operations on sockets have none, and modifiers in its place';
      throw wrongState('ERR_INVALID_STATE', message);
    }
    sq.setWord(0, (sq.word(0) & 0xffff) | (ioprio << 16));
  },
};

/** The core that the ring works with, if there is an entry just prepared. */
function checkPrepared(ring: object): RingCore {
  const core = coreOf(ring);
  const { sq } = core;
  core.checkOpen();
  if (sq.isOpen && core.refusedAt !== sq.tail) return core;
  const reason = sq.isOpen
    ? 'the last operation was not queued, for the queue was full'
    : 'it is submitted, or none was prepared';
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
  const isOnSlot = slot >= 0 && core.isOnSlot(slot);
  if (!lends && !(isOnSlot && held === NOTHING && linked && !core.resources.isPolled)) {
    if (isOnSlot) core.loseSlot();
    if (held === DESCRIPTOR || isOnSlot) unpin(core, slot);
    return;
  }
  if (!linked) {
    const message = 'Cannot keep silent: nothing would tell when the memory is free again.' +
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
