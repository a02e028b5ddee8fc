import { EBADF, ECANCELED, ENOBUFS } from '../abi/errno.ts';
import type { PooledGroup, Starved } from '../reactor/buffer-pool.ts';
import { endsAtHangUp } from '../reactor/event-loop.ts';
import { isAtEnd, isHungUp } from '../reactor/socket-calls.ts';
import { Submission, type Completion, type IoUring } from '../reactor/submission.ts';
import { nextTick, setImmediate } from '../reactor/timers.ts';
import { BULK, type Transport } from './transport.ts';

/**
 * How it is received: messages, many times, into buffers that the kernel picks; or much, by one plain receive after the other into
 * large memory of one of two sizes. After so many in a row that filled what they were given the next larger way is taken, and after so
 * many that would have fitted into the next smaller, that one. Measured with messages of 256 KiB: the larger of the two sizes takes a fifth
 * less time than either of the others.
 */
const MESSAGES = -1;
const FULL_STREAK = 4;
const SMALL_STREAK = 2;

const SETTLED = Promise.resolve();

const ENDS_AT_HANG_UP = endsAtHangUp();

/** Who receives. */
export interface Receiving {
  /** He keeps the memory of large receives, instead of a copy. */
  readonly keepsMemory: boolean;
  /**
   * Is it told of things as Node's sockets are? Each has a tick of its own then, see {@link Submission.isEvent}, and an end that comes
   * together with data is told of as Node does: in the next turn of the event loop, or, before libuv 1.52, where the
   * connection is over in both directions, when what the data has set off is done. A reset that comes with data is an end then, because
   * libuv does not read on to find it.
   */
  readonly isNodeLike: boolean;
  /**
   * Bytes came. Unless `isOwn` they are a view of memory that is used again after the call. What it throws is given to
   * {@link threw}.
   */
  received(bytes: Buffer, isOwn: boolean): void;
  threw(error: unknown): void;
  /** The peer has ended its side: nothing more will come. */
  ended(): void;
  /** Nothing more will come: `errno`, or the reactor is closed. */
  receiveFailed(errno: number, reason: Error | undefined): void;
  /** Nothing of it is with the kernel, and it was closed. */
  receiverClosed(): void;
}

/**
 * The receiving half of a connection. It is armed as long as somebody wants data: one multishot receive into buffers that the kernel
 * picks, or, where much arrives, one plain receive after the other. That it wants to be armed is state: whatever ends it in the
 * kernel, it is armed anew.
 */
export class Receiver extends Submission implements Starved {
  readonly #transport: Transport;
  readonly #owner: Receiving;
  readonly #fd: number;
  #group: PooledGroup | undefined;
  /** Of a plain receive. */
  #memory: Buffer | undefined;
  /** {@link MESSAGES}, or which size a plain receive is of. */
  #size = MESSAGES;
  /** How many in a row speak for a larger way, and for a smaller. */
  #full = 0;
  #small = 0;
  #isWanted = false;
  #isRef = true;
  /** The kernel was asked to end it. */
  #isStopping = false;
  /** Its last completion was seen: there is nothing to stop. */
  #isSpent = false;
  #isStarved = false;
  /** The last completion was of 0 bytes, though more was said to be there. */
  #wasEmpty = false;
  #isEnded = false;
  /** The owner was told of the end. */
  #isEndTold = false;
  #isClosed = false;
  #hasLeft = false;
  /** What came when nobody wanted it: data, and how it ended. */
  #kept: Buffer[] | undefined;
  #isDelivering = false;
  /** How it ended: 0 is the end of the peer's side. */
  #endKept: number | undefined;
  /** The turn of the event loop in which something was given to the owner. */
  #turn = -1;
  /** It has been armed, and nothing has come since. */
  #isFresh = false;
  /** With what came then the connection was over in both directions already. */
  #wasHungUp = false;
  #reason: Error | undefined;

  constructor(transport: Transport, owner: Receiving, fd: number) {
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

  override get isEvent(): boolean {
    return this.#owner.isNodeLike;
  }

  override get endless(): boolean {
    return true;
  }

  /** Was the owner told that the peer has ended its side, or that the connection broke? Before that, data may be kept here. */
  get isEndTold(): boolean {
    return this.#isEndTold;
  }

  // ---------------------------------------------------------------- what the owner wants

  start(): void {
    if (this.#isWanted || this.#isClosed) return;
    this.#isWanted = true;
    this.#settleRef();
    if (this.#kept !== undefined || this.#endKept !== undefined) return this.#deliverSoon();
    this.#arm();
  }

  /**
   * Nothing is given to the owner until {@link start}. The kernel is asked to stop only when something comes meanwhile: who pauses
   * for a moment pays nothing.
   */
  stop(): void {
    if (!this.#isWanted) return;
    this.#isWanted = false;
    this.#settleRef();
  }

  /** For good. True if nothing of it is with the kernel; if not, the owner is told. */
  close(): boolean {
    this.#count(MESSAGES);
    this.#isClosed = true;
    this.#isWanted = false;
    this.#hasLeft = this.#kept !== undefined && this.#kept.length > 0;
    this.#kept = undefined;
    this.#endKept = undefined;
    this.#transport.buffers.forget(this);
    this.#halt();
    return this.slot < 0;
  }

  /**
   * The owner means to give the socket away: the kernel is asked to end what it is at. False if something was taken from the kernel
   * that the owner has not been given. {@link hasTaken} tells when the kernel has ended it; it is armed anew if the owner stays.
   */
  withdraw(): boolean {
    if (this.#kept !== undefined || this.#isEnded) return false;
    this.#halt();
    return true;
  }

  /** Has the kernel told of anything that the owner has not been told yet, be it data, the end or an error? */
  get hasTaken(): boolean {
    let has = false;
    this.#transport.engine.peek(this, (res) => (has ||= res !== -ECANCELED && res !== -ENOBUFS));
    return has;
  }

  /** Does the owner want data? */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** The error that the kernel has told, and of which the owner was not told yet; 0 if nothing. */
  get failure(): number {
    let errno = 0;
    this.#transport.engine.peek(this, (res) => (errno = res < 0 && res !== -ECANCELED && res !== -ENOBUFS ? -res : errno));
    return errno;
  }

  /** When it is closed: was something taken from the kernel that the owner has not been given? */
  get hasLeft(): boolean {
    if (!this.#hasLeft) this.#transport.engine.peek(this, (res) => (this.#hasLeft ||= res > 0));
    return this.#hasLeft;
  }

  set isRef(is: boolean) {
    this.#isRef = is;
    this.#settleRef();
  }

  /** Who does not want anything does not keep the process alive. */
  #settleRef(): void {
    this.#transport.engine.keepAlive(this, this.#isRef && this.#isWanted);
  }

  // ---------------------------------------------------------------- the kernel

  #arm(): void {
    if (this.slot >= 0 || this.#isEnded || this.#isStarved || this.#isClosed) return;
    this.#isSpent = false;
    this.#isFresh = true;
    this.#transport.engine.submit(this);
  }

  /** Ask the kernel to end it, if it is at it. */
  #halt(): void {
    if (this.#isStopping || this.#isSpent || (this.slot < 0 && !this.queued)) return;
    this.#isStopping = this.#transport.engine.cancel(this);
  }

  override prepare(ring: IoUring): boolean {
    if (this.#size !== MESSAGES) {
      const memory = (this.#memory ??= this.#transport.takeBulk(this.#bulkBytes));
      if (!ring.prepRecv(this.#fd, memory, memory.length, this.slot)) return false;
    } else {
      this.#group = this.#transport.buffers.pick();
      if (!ring.prepRecvMultishot(this.#fd, this.#group.id, this.slot)) return false;
    }
    this.owed = 1;
    return true;
  }

  override arrived(c: Completion): void {
    const { res } = c;
    this.#isSpent = !c.hasMore();
    if (res > 0) {
      this.#wasEmpty = false;
      if (this.#memory === undefined) this.#message(res, c.bufferId()!);
      else this.#bulk(res, this.#memory);
      return;
    }
    if (this.#memory === undefined) this.#giveBack(c);
    if (res === 0) {
      // TCP says at its end, too, that something may be left. To look costs less than to receive again, and tells of the end when it is
      // there, before what others have sent since. A second time in a row it is the end.
      if (c.sockNonempty() && !this.#wasEmpty && !this.#isClosed && !isAtEnd(this.#fd)) this.#wasEmpty = true;
      else this.#end(0);
    } else if (res === -ENOBUFS) {
      this.#isStarved = !this.#transport.buffers.feed(this, this.#group);
    } else if (res !== -ECANCELED || (!this.#isStopping && !this.#isClosed) || this.#reason !== undefined) {
      this.#end(-res);
    }
  }

  /** An end may come with a buffer that has nothing in it. */
  #giveBack(c: Completion): void {
    const bid = c.bufferId();
    if (bid === undefined) return;
    this.#group!.takeView(bid, 0);
    this.#group!.give(bid);
  }

  #message(bytes: number, bid: number): void {
    const group = this.#group!;
    const view = group.takeView(bid, bytes);
    this.#full = bytes === group.pool.bufSize ? this.#full + 1 : 0;
    if (this.#isFresh) {
      this.#isFresh = false;
      // Data that was there before it was armed may have a reset behind it, which comes later by itself.
      this.#wasHungUp = ENDS_AT_HANG_UP && this.#owner.isNodeLike && bytes < group.pool.bufSize && isHungUp(this.#fd);
    }
    this.#give(view, false);
    group.give(bid);
    if (this.#full >= FULL_STREAK) this.#turnTo(0);
  }

  #bulk(bytes: number, memory: Buffer): void {
    const { length } = memory;
    this.#full = bytes === length ? this.#full + 1 : 0;
    this.#small = bytes <= (this.#size === 0 ? this.#transport.buffers.bufSize : BULK[0]) ? this.#small + 1 : 0;
    // Half empty memory is not given away.
    const isOwn = this.#owner.keepsMemory && bytes * 2 >= length;
    if (isOwn) this.#memory = undefined;
    this.#give(bytes === length ? memory : memory.subarray(0, bytes), isOwn);
    if (this.#small >= SMALL_STREAK) this.#turnTo(this.#size - 1);
    else if (this.#full >= FULL_STREAK && this.#size < BULK.length - 1) this.#turnTo(this.#size + 1);
  }

  /** Bytes of a plain receive. */
  get #bulkBytes(): number {
    return this.#transport.bulkBytes(this.#size, this.#owner.keepsMemory);
  }

  #turnTo(size: number): void {
    this.#count(size);
    this.#size = size;
    this.#full = this.#small = 0;
    this.#halt();
  }

  /** As one who receives in bulk, or not. */
  #count(size: number): void {
    if (this.#isClosed) return;
    this.#transport.bulkReceivers += Number(size !== MESSAGES) - Number(this.#size !== MESSAGES);
  }

  #give(bytes: Buffer, isOwn: boolean): void {
    if (this.#isClosed) return;
    if (this.#isWanted && this.#kept === undefined) return this.#hand(bytes, isOwn);
    (this.#kept ??= []).push(isOwn ? bytes : Buffer.from(bytes));
    if (!this.#isWanted) this.#halt();
  }

  #hand(bytes: Buffer, isOwn: boolean): void {
    this.#turn = this.#transport.engine.turns;
    try {
      this.#owner.received(bytes, isOwn);
    } catch (error) {
      this.#owner.threw(error);
    }
  }

  #end(errno: number): void {
    if (this.#isClosed) return;
    this.#isEnded = true;
    this.#endKept = errno;
    if (this.#isWanted && this.#kept === undefined) this.#tellEndInTime();
  }

  #tellEndInTime(): void {
    if (this.#wasHungUp) this.#endKept = 0;
    const isTogether = this.#turn === this.#transport.engine.turns;
    if (!isTogether || !this.#owner.isNodeLike || this.#reason !== undefined) return this.#tellEnd();
    const tellEnd = (): void => this.#tellEnd();
    if (ENDS_AT_HANG_UP && isHungUp(this.#fd)) {
      // A tick that a microtask asks for comes when the ticks and microtasks that there are have run.
      void SETTLED.then(() => nextTick(tellEnd));
    } else {
      setImmediate(tellEnd);
    }
  }

  /** If the owner still wants to know. */
  #tellEnd(): void {
    const errno = this.#endKept;
    if (errno === undefined) return;
    if (this.#isWanted && this.#kept === undefined) {
      this.#endKept = undefined;
      this.#isEndTold = true;
      if (errno === 0) this.#owner.ended();
      else this.#owner.receiveFailed(errno, this.#reason);
    }
  }

  /** Not in the call that asked for it. */
  #deliverSoon(): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    nextTick(() => this.#deliver());
  }

  #deliver(): void {
    this.#isDelivering = false;
    while (this.#isWanted && this.#kept !== undefined) {
      const bytes = this.#kept.shift();
      if (bytes === undefined) {
        this.#kept = undefined;
        break;
      }
      this.#hand(bytes, true);
    }
    if (!this.#isWanted) return;
    if (this.#endKept === undefined) this.#arm();
    else this.#tellEndInTime();
  }

  override over(): void {
    this.#isStopping = false;
    // It was of another size.
    if (this.#memory !== undefined && (this.#size === MESSAGES || this.#memory.length !== this.#bulkBytes)) this.#dropMemory();
    if (this.#isClosed) {
      this.#dropMemory();
      this.#owner.receiverClosed();
    } else if (this.#isWanted && this.#kept === undefined) {
      this.#arm();
    }
  }

  #dropMemory(): void {
    if (this.#memory === undefined) return;
    this.#transport.giveBulk(this.#memory);
    this.#memory = undefined;
  }

  fed(): void {
    this.#isStarved = false;
    if (this.#isWanted) this.#arm();
  }

  override cancelled(error: Error): void {
    this.#reason ??= error;
  }

  override refused(error: Error): void {
    if (this.#isClosed) {
      this.#owner.receiverClosed();
    } else if (!this.#isEnded) {
      this.#reason ??= error;
      this.#end(EBADF);
    }
  }
}
