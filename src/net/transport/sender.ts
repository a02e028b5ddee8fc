import { EAGAIN, EBADF, ECANCELED, EPIPE } from '../../abi/errno.ts';
import { MSG_DONTWAIT, MSG_MORE, MSG_NOSIGNAL } from '../../abi/socket-flags.ts';
import { nextTick } from '../../native/timers.ts';
import { roomToSend, sendNow } from './socket-calls.ts';
import { Submission, type Completion, type IoUring } from '../../reactor/submission.ts';
import { bufferOf, bytesIn, lengthOf } from './intrinsic.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';
import { Segment } from './segment.ts';
import type { Transport } from './transport.ts';
import { mayBeWebAssembly } from './web-assembly.ts';

/** So many pieces go out with one send at most. */
const PIECES_MAX = 64;

/**
 * From so many bytes on, what is sent goes to the kernel at once, and what the kernel does not take is lent to it, not
 * copied.
 */
export const LARGE_MIN = 16 * 1024;

/** So much of what is small is put together at most. */
const TOGETHER_MAX = 64 * 1024;

/**
 * The share that bytes take of the room that a socket has: as the kernel reckons, twice as much as they are, and
 * something for each send. The first answer about the room is left out: that of a new socket is larger than this.
 */
const ROOM_PER_BYTE = 2;
const ROOM_PER_SEND = 2048;
const ROOM_AT_FIRST = 16 * 1024;

/**
 * The outcome for something that was to be sent: all of it is the kernel's, or will be; some of it waits. Or it is
 * -errno.
 */
export const TAKEN = 1;
export const WAITS = 0;

/** The owner of a sender, which is told what became of its bytes. */
export interface SenderOwner {
  /** So many bytes more are with the kernel. */
  sent(bytes: number): void;
  /** They are, and all that was written counted as sent already: nobody need be told. */
  tookAtOnce(bytes: number): void;
  /** The end of the peer's side is to be told first, if that is why nothing more can be sent. */
  readonly isEndExpected: boolean;
  /**
   * The rest is dropped: `errno`, or the reactor is closed. `wasWaiting`: the kernel had not taken all of it at once.
   */
  sendFailed(errno: number, reason: Error | undefined, wasWaiting: boolean): void;
  /** Nothing of it is with the kernel, and it was closed. */
  senderClosed(): void;
}

/** Is told when all that was written before is with the kernel, or will never be. */
interface Waiter {
  readonly at: number;
  done(error: Error | undefined): void;
}

/**
 * The sending half of a connection. What is large goes to the kernel in the call that sends it. What is small is put
 * together in one tick and goes out with one send through the ring, with those of other connections; but only as much
 * as the kernel has room for, so that it counts as sent at once. What the kernel does not take waits in the ring, and
 * whatever comes behind it.
 */
export class Sender extends Submission {
  readonly #transport: Transport;
  readonly #owner: SenderOwner;
  /** The segments that are with the kernel, if any are, come first: up to `#lent`. */
  #first: Segment | undefined;
  #lent: Segment | undefined;
  #last: Segment | undefined;
  #waiters: Waiter[] | undefined;
  /**
   * Bytes that were written, those of them that count as sent, and those that the kernel has taken, since the
   * beginning.
   */
  #written = 0;
  #counted = 0;
  #sent = 0;
  /** Nothing is put together: see {@link sendAtOnce}. */
  #isAtOnce = false;
  /** Bytes that the kernel has room for besides, at least. */
  #room = ROOM_AT_FIRST;
  /** To be submitted at the end of the tick, or with the kernel. */
  #isUnderWay = false;
  /**
   * It has a place among those that are to be submitted at the end of the tick. Not told when that is given up: see
   * {@link Submission.dropped}.
   */
  #isLate = false;
  /** Data that the ring has is not of this any more: it was sent otherwise before its turn came. */
  #isNothing = false;
  /** The completion is there, and was heeded before its turn came. */
  #isForeseen = false;
  #isClosed = false;
  /** It was closed when the kernel was at it. */
  #isAwaited = false;
  /** Why nothing more is sent. */
  #isBroken = false;
  #res = 0;
  #reason: Error | undefined;

  constructor(transport: Transport, owner: SenderOwner, fd: number) {
    super(fd);
    this.#transport = transport;
    this.#owner = owner;
  }

  override get isUnbounded(): boolean {
    return true;
  }

  /** Bytes that were written and are not with the kernel. */
  get length(): number {
    return this.#written - this.#sent;
  }

  /** Those of them that do not count as sent. */
  get waiting(): number {
    return this.#written - Math.max(this.#counted, this.#sent);
  }

  /** Something was sent on the descriptor before: how much room there is has to be asked. */
  distrustRoom(): void {
    this.#room = 0;
  }

  /**
   * From now on whatever the kernel takes is with it when the call returns: another process has the socket, too, and
   * may act on it.
   */
  sendAtOnce(): void {
    this.#isAtOnce = true;
    if (this.#counted > this.#sent) this.#flush(0);
  }

  // ---------------------------------------------------------------- what is sent, as with libuv

  /**
   * Send `bytes`. What is not taken is lent, if it is large and can be lent; else it is copied.
   * @param isMore something follows at once
   * @param isNow nothing is put together
   * @returns {@link TAKEN}, {@link WAITS} or -errno
   */
  send(bytes: Uint8Array, isMore: boolean, isNow: boolean): number {
    const length = lengthOf(bytes);
    if (length < LARGE_MIN && !this.#isAtOnce && !isNow) {
      const before = this.#makeRoomNow(length);
      if (before < 0) return before;
      if (before === TAKEN) {
        this.#copy(bytes, length);
        this.#counted = this.#written;
        return TAKEN;
      }
    }
    let from = 0;
    const before = this.#flush(MSG_MORE);
    if (before < 0) return before;
    if (before === TAKEN) {
      from = this.#sendNow(bytes, length, isMore ? MSG_MORE : 0);
      if (from < 0) return from;
      this.#written += from;
      this.#took(from);
      if (from === length) return TAKEN;
    }
    // The rest, behind what waits.
    const left = length - from;
    if (left >= LARGE_MIN && this.#canLend(bytes)) {
      this.#append(Segment.lent(bytes, from, length));
      this.#added(left);
    } else {
      this.#copy(from === 0 ? bytes : bytesIn(bytes, from), left);
    }
    return WAITS;
  }

  /** The same of text of `length` bytes in that encoding, less than {@link LARGE_MIN}. */
  sendText(text: string, encoding: BufferEncoding, length: number, isNow: boolean): number {
    const before = this.#isAtOnce || isNow ? WAITS : this.#makeRoomNow(length);
    if (before < 0) return before;
    if (before !== TAKEN) return this.send(Buffer.from(text, encoding), false, isNow);
    this.copyText(text, encoding, length);
    this.#counted = this.#written;
    return TAKEN;
  }

  #canLend(bytes: Uint8Array): boolean {
    return !mayBeWebAssembly(bufferOf(bytes)) && this.#transport.engine.canLend(bytes);
  }

  /**
   * {@link TAKEN} if there is room for so much more; if not, what was put together is sent, and perhaps there is then.
   * Or -errno.
   */
  #makeRoomNow(length: number): number {
    if (this.#makeRoom(length)) return TAKEN;
    if (this.waiting > 0 || this.length === 0) return WAITS;
    const before = this.#flush(0);
    return before !== TAKEN || this.#makeRoom(length) ? before : WAITS;
  }

  /** Has the kernel room for so much more, beside what counts as sent already? */
  #makeRoom(length: number): boolean {
    if (this.#isBroken || this.waiting > 0) return false;
    const { length: before } = this;
    if (before + length > TOGETHER_MAX) return false;
    const takes = length * ROOM_PER_BYTE + (before === 0 ? ROOM_PER_SEND : 0);
    if (this.#room < takes) {
      this.#room = roomToSend(this.fd) - before * ROOM_PER_BYTE - ROOM_PER_SEND;
      if (this.#room < takes) return false;
    }
    this.#room -= takes;
    return true;
  }

  #sendNow(bytes: Uint8Array, length: number, flags: number): number {
    const result = sendNow(this.fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL | flags);
    return result === -EAGAIN ? 0 : result;
  }

  /**
   * Have the kernel take what was put together now. {@link TAKEN} if nothing is left, {@link WAITS} if something is, or
   * -errno.
   */
  #flush(flags: number): number {
    if (this.#first !== undefined && !this.#isFree()) return WAITS;
    while (this.#first !== undefined) {
      const { memory, start, end } = this.#first;
      const taken = this.#sendNow(start === 0 ? memory : bytesIn(memory, start, end), end - start, flags);
      if (taken < 0) return taken;
      this.#took(taken);
      this.#advance(taken);
      if (taken < end - start) return WAITS;
    }
    this.#callOff();
    return TAKEN;
  }

  /**
   * The bytes that were put together are sent: the entry that was to send them would have nothing to do, unless
   * somebody is to be told.
   */
  #callOff(): void {
    if (!this.#isLate || !this.#isUnderWay || this.slot >= 0 || this.queued || (this.#waiters?.length ?? 0) > 0) return;
    this.dropped = true;
    this.#isUnderWay = false;
  }

  /** Is the kernel at nothing of it? What it has just done counts as done. */
  #isFree(): boolean {
    if (this.slot < 0 || this.#isNothing || this.#isForeseen) return true;
    let res = -1;
    this.#transport.engine.peek(this, (one) => (res = one));
    if (res < 0) return false;
    this.#isForeseen = true;
    this.#took(res);
    this.#advance(res);
    return true;
  }

  #took(bytes: number): void {
    this.#sent += bytes;
    this.#owner.tookAtOnce(bytes);
  }

  // ---------------------------------------------------------------- what is sent at the end of the tick, room or not

  /**
   * Copy `bytes`; but of what is large the kernel takes as much as it has room for at once, and only the rest is
   * copied.
   */
  copy(bytes: Uint8Array): void {
    const length = lengthOf(bytes);
    const taken = length < LARGE_MIN || this.#isBroken ? 0 : this.#sendLarge(bytes, length);
    if (taken < 0) this.#failSoon(-taken);
    else if (taken < length) this.#copy(taken === 0 ? bytes : bytesIn(bytes, taken), length - taken);
  }

  /** Bytes that the kernel has taken, or -errno. */
  #sendLarge(bytes: Uint8Array, length: number): number {
    const before = this.#flush(MSG_MORE);
    if (before !== TAKEN) return Math.min(0, before);
    const taken = this.#sendNow(bytes, length, 0);
    if (taken <= 0) return taken;
    this.#written += taken;
    this.#took(taken);
    return taken;
  }

  /** Not in the call that sends. Nothing is sent any more. */
  #failSoon(errno: number): void {
    this.#isBroken = true;
    nextTick(() => this.#failed(errno, undefined));
  }

  #copy(bytes: Uint8Array, length: number): void {
    if (length === 0) return;
    let segment = this.#open(length);
    if (segment.memory.length - segment.end >= length) {
      segment.memory.set(bytes, segment.end);
      segment.end += length;
    } else {
      for (let from = 0; from < length;) {
        segment = this.#open(length - from);
        const part = Math.min(length - from, segment.memory.length - segment.end);
        segment.memory.set(bytesIn(bytes, from, from + part), segment.end);
        segment.end += part;
        from += part;
      }
    }
    this.#added(length);
  }

  /** Copy text of `length` bytes in that encoding. */
  copyText(text: string, encoding: BufferEncoding, length: number): void {
    if (length === 0) return;
    const segment = this.#open(length);
    // In pieces it would be cut within characters.
    if (segment.memory.length - segment.end < length) return this.#copy(Buffer.from(text, encoding), length);
    (segment.memory as Buffer).write(text, segment.end, length, encoding);
    segment.end += length;
    this.#added(length);
  }

  /** Have `done` called when all that was written so far is with the kernel: at once if it is. */
  whenSent(done: (error: Error | undefined) => void): void {
    if (this.#sent === this.#written) done(undefined);
    else (this.#waiters ??= []).push({ at: this.#written, done });
  }

  /** A segment that has room: for all of `bytes`, unless that is more than any has. */
  #open(bytes: number): Segment {
    const last = this.#last;
    let isFirst = true;
    // Not what is with the kernel.
    if (last !== undefined && last.isCopy && (!this.#isLent || last !== this.#lent)) {
      const left = last.memory.length - last.end;
      if (left >= bytes) return last;
      // Headers and a body go out in one piece: to send two takes longer than to copy the first of them again.
      if (last === this.#first && last.end + bytes <= TOGETHER_MAX) return this.#enlarge(last);
      if (left > 0 && bytes > last.memory.length) return last;
      isFirst = false;
    }
    // Where much is put together it is not done in many small pieces.
    return this.#append(this.#transport.takeSegment(isFirst ? bytes : TOGETHER_MAX));
  }

  /** Moves the bytes of the only segment to a larger one. */
  #enlarge(only: Segment): Segment {
    const larger = this.#transport.takeSegment(TOGETHER_MAX);
    larger.memory.set(bytesIn(only.memory, only.start, only.end));
    larger.end = only.end - only.start;
    this.#transport.giveSegment(only);
    return (this.#first = this.#last = larger);
  }

  get #isLent(): boolean {
    return this.slot >= 0 && !this.#isNothing && !this.#isForeseen;
  }

  #append(segment: Segment): Segment {
    if (this.#last === undefined) this.#first = segment;
    else this.#last.next = segment;
    return (this.#last = segment);
  }

  #added(bytes: number): void {
    this.#written += bytes;
    if (!this.#isUnderWay) this.#begin();
  }

  #begin(): void {
    if (this.#isBroken) return this.#drop(undefined);
    this.#isUnderWay = true;
    // It was called off, and has its place still.
    if (this.#isLate && this.dropped) {
      this.dropped = false;
      return;
    }
    this.#isLate = true;
    this.#transport.engine.submitLate(this);
  }

  // ---------------------------------------------------------------- the end

  /**
   * Have what waits for the end of the tick wait for {@link close} instead. False if nothing does, or somebody is to be
   * told of it.
   */
  waitForClose(): boolean {
    if (this.#first === undefined || this.#isBroken || !this.#isFree()) return false;
    this.#callOff();
    return !this.#isUnderWay;
  }

  /**
   * For good. What counts as sent is sent now; and what was copied besides, as far as the kernel takes it, unless it
   * `isReset`. True if nothing is with the kernel; if not, the owner is told.
   */
  close(isReset: boolean): boolean {
    this.#isClosed = true;
    if (!isReset || this.#counted > this.#sent) this.#flush(0);
    this.#isAwaited = this.#isLent;
    // It waits for the peer to make room, as it may do for ever.
    if (this.#isAwaited) this.#transport.engine.cancel(this);
    else this.#drop(undefined);
    return !this.#isAwaited;
  }

  // ---------------------------------------------------------------- the ring

  override prepare(ring: IoUring): boolean {
    this.#isLate = false;
    const first = this.#first;
    // It was sent meanwhile, or is closed.
    this.#isNothing = first === undefined;
    let prepared: boolean;
    if (first === undefined) prepared = ring.prepNop(this.slot);
    else if (first.next === undefined) prepared = this.#prepareOne(ring, first);
    else prepared = this.#prepareMany(ring, first);
    if (prepared) this.owed = 1;
    return prepared;
  }

  #prepareOne(ring: IoUring, segment: Segment): boolean {
    const { memory, start, end } = segment;
    this.#lent = segment;
    const bytes = start === 0 ? memory : bytesIn(memory, start);
    return ring.prepSend(this.fd, bytes, end - start, this.slot, MSG_NOSIGNAL);
  }

  /** Several pieces go out together as they are: nothing is copied to make one of them. */
  #prepareMany(ring: IoUring, first: Segment): boolean {
    const iov: Uint8Array[] = [];
    for (let one: Segment | undefined = first; one !== undefined && iov.length < PIECES_MAX; one = one.next) {
      iov.push(bytesIn(one.memory, one.start, one.end));
      this.#lent = one;
    }
    return ring.prepSendmsg(this.fd, ownOptions({ iov }), this.slot, MSG_NOSIGNAL);
  }

  override arrived(c: Completion): void {
    this.#res = c.res;
  }

  override over(): void {
    const isKnown = this.#isNothing || this.#isForeseen;
    const hasWaited = this.waiting > 0;
    this.#isNothing = this.#isForeseen = false;
    if (!isKnown) {
      const res = this.#res;
      if (res < 0) {
        this.#isUnderWay = false;
        return this.#failed(-res, this.#reason);
      }
      this.#sent += res;
      this.#advance(res);
    }
    // The one that is told may write more, close it, or end the process, which sends what is under way by then.
    this.#isUnderWay = false;
    if (this.#first !== undefined && !this.#isClosed) this.#begin();
    if (!isKnown && hasWaited) this.#owner.sent(this.#res);
    else if (!isKnown) this.#owner.tookAtOnce(this.#res);
    this.#tell();
    if (this.#isClosed) this.#closed();
  }

  #closed(): void {
    this.#drop(undefined);
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    this.#owner.senderClosed();
  }

  /** So many bytes from the beginning are sent. */
  #advance(bytes: number): void {
    for (let left = bytes; left > 0;) {
      const first = this.#first!;
      const part = Math.min(left, first.end - first.start);
      first.start += part;
      left -= part;
      if (first.start < first.end) return;
      this.#first = first.next;
      if (first.next === undefined) this.#last = undefined;
      if (first.isCopy) this.#transport.giveSegment(first);
    }
  }

  #tell(): void {
    const waiters = this.#waiters;
    if (waiters === undefined) return;
    while (waiters.length > 0 && waiters[0].at <= this.#sent) waiters.shift()!.done(undefined);
  }

  #failed(errno: number, reason: Error | undefined): void {
    if (this.#isClosed) return this.#closed();
    // A signal, or a descriptor that does not block: nothing is wrong with the connection.
    if (errno === EAGAIN) return this.#begin();
    this.#isBroken = true;
    const wasWaiting = this.waiting > 0;
    const fail = (): void => {
      this.#owner.sendFailed(errno === ECANCELED && reason !== undefined ? EBADF : errno, reason, wasWaiting);
      this.#drop(reason);
    };
    if (errno === EPIPE && wasWaiting && this.#owner.isEndExpected) this.#transport.engine.inNextPass(fail);
    else fail();
  }

  /** Nobody will get what is left. */
  #drop(reason: Error | undefined): void {
    let segment = this.#first;
    this.#first = this.#last = undefined;
    while (segment !== undefined) {
      const { next } = segment;
      if (segment.isCopy) this.#transport.giveSegment(segment);
      segment = next;
    }
    this.#sent = this.#written;
    const waiters = this.#waiters;
    this.#waiters = undefined;
    for (const { done } of waiters ?? []) done(reason ?? DROPPED);
  }

  override cancelled(error: Error): void {
    this.#reason ??= error;
  }

  override refused(error: Error): void {
    this.#isLate = false;
    // It was called off: nothing of it is to be sent.
    if (this.dropped) {
      this.dropped = false;
      return;
    }
    this.#isUnderWay = false;
    this.#failed(EBADF, error);
  }
}

/** The error of bytes that were written before a connection was closed, or broke, and were not sent. */
const DROPPED = new Error('The connection was closed before all was sent');
