import { EAGAIN, EBADF, ECANCELED } from '../abi/errno.ts';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from '../abi/socket-flags.ts';
import { Submission, type Completion, type IoUring } from '../reactor/submission.ts';
import { Segment } from './segment.ts';
import type { Transport } from './transport.ts';

/** So many pieces go out with one send at most. */
const PIECES_MAX = 64;

/** Who sends. */
export interface Sending {
  /** So many bytes more are with the kernel. */
  sent(bytes: number): void;
  /** What was left is to be dropped, when it has been told: `errno`, or the reactor is closed. */
  sendFailed(errno: number, reason: Error | undefined, drop: () => void): void;
  /** Nothing of it is with the kernel, and it was closed. */
  senderClosed(): void;
}

/** Is told when all that was written before is with the kernel, or will never be. */
interface Waiter {
  readonly at: number;
  done(error: Error | undefined): void;
}

/**
 * The sending half of a connection. What is written in one tick is put together and goes out with one send; while that is under way,
 * what is written meanwhile makes the next one.
 */
export class Sender extends Submission {
  readonly #transport: Transport;
  readonly #owner: Sending;
  readonly #fd: number;
  /** What is with the kernel, if anything is, is at the beginning: up to `#lent`. */
  #first: Segment | undefined;
  #lent: Segment | undefined;
  #last: Segment | undefined;
  #waiters: Waiter[] | undefined;
  /** Bytes that were written, and those that the kernel has taken, since the beginning. */
  #written = 0;
  #sent = 0;
  /** To be submitted at the end of the tick, or with the kernel. */
  #isUnderWay = false;
  #isClosed = false;
  /** Why nothing more is sent. */
  #isBroken = false;
  #res = 0;
  #reason: Error | undefined;

  constructor(transport: Transport, owner: Sending, fd: number) {
    super();
    this.#transport = transport;
    this.#owner = owner;
    this.#fd = fd;
  }

  override get fd(): number {
    return this.#fd;
  }

  override get waits(): boolean {
    return true;
  }

  /** Bytes that were written and are not with the kernel. */
  get length(): number {
    return this.#written - this.#sent;
  }

  /** Copy `bytes`. */
  copy(bytes: Uint8Array): void {
    const { length } = bytes;
    let segment = this.#open(length);
    if (segment.memory.length - segment.end >= length) {
      segment.memory.set(bytes, segment.end);
      segment.end += length;
    } else {
      for (let from = 0; from < length; ) {
        segment = this.#open(length - from);
        const part = Math.min(length - from, segment.memory.length - segment.end);
        segment.memory.set(bytes.subarray(from, from + part), segment.end);
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
    if (segment.memory.length - segment.end < length) return this.copy(Buffer.from(text, encoding));
    (segment.memory as Buffer).write(text, segment.end, length, encoding);
    segment.end += length;
    this.#added(length);
  }

  /** Send `bytes` as they are when their turn comes: they are lent until then. */
  lend(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#append(Segment.lent(bytes));
    this.#added(bytes.length);
  }

  /** Have `done` called when all that was written so far is with the kernel: at once if it is. */
  whenSent(done: (error: Error | undefined) => void): void {
    if (this.#sent === this.#written) done(undefined);
    else (this.#waiters ??= []).push({ at: this.#written, done });
  }

  /** A segment that has room: for all of `bytes`, unless that is more than any has. */
  #open(bytes: number): Segment {
    const last = this.#last;
    // Not what is with the kernel.
    if (last !== undefined && last.isCopy && (this.slot < 0 || last !== this.#lent)) {
      const left = last.memory.length - last.end;
      if (left >= bytes || (left > 0 && bytes > last.memory.length)) return last;
    }
    return this.#append(this.#transport.takeSegment(bytes));
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
    this.#transport.engine.submitLate(this);
  }

  /**
   * For good. What was copied is sent as far as the kernel takes it at once, unless it `isReset`. True if nothing is under way; if
   * not, the owner is told.
   */
  close(isReset: boolean): boolean {
    this.#isClosed = true;
    if (this.slot >= 0) {
      // It waits for the peer to make room, as it may do for ever.
      this.#transport.engine.cancel(this);
    } else if (isReset && this.#isUnderWay) {
      this.dropped = true;
      this.#isUnderWay = false;
    }
    if (!this.#isUnderWay) this.#drop(undefined);
    return !this.#isUnderWay;
  }

  override prepare(ring: IoUring): boolean {
    const first = this.#first!;
    const flags = this.#isClosed ? MSG_NOSIGNAL | MSG_DONTWAIT : MSG_NOSIGNAL;
    const prepared = first.next === undefined ? this.#prepareOne(ring, first, flags) : this.#prepareMany(ring, first, flags);
    if (prepared) this.owed = 1;
    return prepared;
  }

  #prepareOne(ring: IoUring, segment: Segment, flags: number): boolean {
    const { memory, start, end } = segment;
    this.#lent = segment;
    const bytes = start === 0 ? memory : memory.subarray(start);
    return ring.prepSend(this.#fd, bytes, end - start, this.slot, flags);
  }

  /** Several pieces go out together as they are: nothing is copied to make one of them. */
  #prepareMany(ring: IoUring, first: Segment, flags: number): boolean {
    const iov: Uint8Array[] = [];
    for (let one: Segment | undefined = first; one !== undefined && iov.length < PIECES_MAX; one = one.next) {
      iov.push(one.memory.subarray(one.start, one.end));
      this.#lent = one;
    }
    return ring.prepSendmsg(this.#fd, { iov }, this.slot, flags);
  }

  override arrived(c: Completion): void {
    this.#res = c.res;
  }

  override over(): void {
    const res = this.#res;
    if (res < 0) {
      this.#isUnderWay = false;
      return this.#failed(-res, this.#reason);
    }
    this.#advance(res);
    // Whoever is told may write more, or close it: it is under way until all have been told.
    this.#owner.sent(res);
    if (this.#waiters !== undefined) this.#tell(this.#waiters);
    if (!this.#isUnderWay) return;
    if (this.#first !== undefined) return this.#begin();
    this.#isUnderWay = false;
    if (this.#isClosed) this.#owner.senderClosed();
  }

  /** So many bytes from the beginning are sent. */
  #advance(bytes: number): void {
    this.#sent += bytes;
    for (let left = bytes; left > 0; ) {
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

  #tell(waiters: Waiter[]): void {
    while (waiters.length > 0 && waiters[0].at <= this.#sent) waiters.shift()!.done(undefined);
  }

  #failed(errno: number, reason: Error | undefined): void {
    if (this.#isClosed) {
      this.#drop(undefined);
      this.#owner.senderClosed();
      return;
    }
    // A signal, or a descriptor that does not block: nothing is wrong with the connection.
    if (errno === EAGAIN) return this.#begin();
    this.#isBroken = true;
    this.#owner.sendFailed(errno === ECANCELED && reason !== undefined ? EBADF : errno, reason, () => this.#drop(reason));
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
    this.#isUnderWay = false;
    this.#failed(EBADF, error);
  }
}

/** What was written before a connection was closed, or broke, and was not sent. */
const DROPPED = new Error('The connection was closed before all was sent');
