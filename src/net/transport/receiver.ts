import { EAGAIN, EBADF, ECANCELED, EINTR, ENOBUFS } from '../../abi/errno.ts';
import { POLLIN } from '../../abi/event-flags.ts';
import { IORING_CQE_F_BUFFER, IORING_CQE_F_MORE } from '../../abi/flags.ts';
import { MSG_DONTWAIT } from '../../abi/socket-flags.ts';
import type { PooledGroup, Starved } from '../../reactor/buffer-pool.ts';
import { endsAtHangUp } from '../../native/runtime.ts';
import { bufferOf, lengthOf } from './intrinsic.ts';
import { isAtEnd, isHungUp, isReadable, recvNow } from './socket-calls.ts';
import { ArmedMultishot } from '../../reactor/engine/armed-multishot.ts';
import type { Completion, IoUring } from '../../reactor/submission.ts';
import { nextTick } from '../../native/timers.ts';
import type { Transport } from './transport.ts';

/**
 * After so many messages in a row that filled their buffers, bytes are received in bulk; and after so many that would
 * have fitted into such a buffer, as messages again.
 */
const FULL_STREAK = 4;
const SMALL_STREAK = 2;

/**
 * So often in a row memory that was filled is filled again before others have their turn: as often as libuv does, or
 * for others.
 */
const READS_OF_NODE = 32;
const READS = 4;

/**
 * Bytes that came when nobody wanted them are told of in pieces of so many at most, as if libuv had left them waiting.
 */
const KEPT_TOGETHER = 64 * 1024;

const SETTLED = Promise.resolve();

const ENDS_AT_HANG_UP = endsAtHangUp();

/** Does a result tell only that a receive has ended, and nothing of the connection? */
function isNothing(res: number): boolean {
  return res === -ECANCELED || res === -ENOBUFS;
}

/** The owner of a receiver, which is told of what comes. */
export interface ReceiverOwner {
  /** Is it to keep the process alive? */
  readonly isRef: boolean;
  /** It keeps the memory of large receives, instead of a copy. */
  readonly keepsMemory: boolean;
  /**
   * Is it told of things as Node's sockets are? Each has a tick of its own then, see {@link Submission.isEvent}, and an
   * end that comes together with data is told of as Node does: in the next turn of the event loop, or, before libuv
   * 1.52, where the connection is over in both directions, when what the data has set off is done. A reset that comes
   * with data is an end then, because libuv does not read on to find it.
   */
  readonly isNodeLike: boolean;
  /**
   * Bytes came. Unless `receiverOwnsMemory` they are a view of memory that is used again after the call. What it throws
   * is given to {@link threw}.
   */
  received(bytes: Buffer, receiverOwnsMemory: boolean): void;
  threw(error: unknown): void;
  /** Does it give what it receives to native code of Node's? */
  readonly isReadByNatives: boolean;
  /** The peer has ended its side: nothing more will come. */
  ended(): void;
  /** Nothing more will come: `errno`, or the reactor is closed. */
  receiveFailed(errno: number, reason: Error | undefined): void;
  /** Nothing of it is with the kernel, and it was closed. */
  receiverClosed(): void;
}

/**
 * The receiving half of a connection. It is armed as long as somebody wants data: one multishot receive into buffers
 * that the kernel picks. Where much arrives it is armed with a poll, again and again, and receives by itself when that
 * says so: into memory that is in the processor's cache, as libuv does. With a receive in the ring each connection
 * would have cold memory of its own; and what waits in the kernel does not have to be kept here for who wants to pause.
 * That it wants to be armed is state: whatever ends it in the kernel, it is armed anew.
 */
export class Receiver extends ArmedMultishot implements Starved {
  readonly #transport: Transport;
  readonly #owner: ReceiverOwner;
  #group: PooledGroup | undefined;
  /** It receives in bulk, or is to. */
  #isBulk = false;
  /** The entry that was made last is a poll. */
  #isPoll = false;
  /** It is going to read again in this turn, and so is not armed. */
  #isReadingOn = false;
  /** How many in a row speak for bulk, and for messages. */
  #full = 0;
  #small = 0;
  #isWanted = false;
  /** The last completion was of 0 bytes, though more was said to be there. */
  #wasEmpty = false;
  #isEnded = false;
  /** The owner was told of the end. */
  #isEndTold = false;
  #isClosed = false;
  #hasLeft = false;
  /** Data that came when nobody wanted it. */
  #kept: Buffer[] | undefined;
  #isDelivering = false;
  /** How it ended: 0 is the end of the peer's side. */
  #endKept: number | undefined;
  /** The turn of the event loop in which something was given to the owner. */
  #turn = -1;
  /** How many events there were when something was given to the owner. */
  #events = 0;
  /** It has been armed, and nothing has come since. */
  #isFresh = false;
  /** With what came then the connection was over in both directions already. */
  #wasHungUp = false;
  /** Called in place of being armed again. */
  #resting: (() => void) | undefined;
  /** The error that its end is to be told as: whoever sent was told of it by the kernel, which tells once. */
  #failsWith = 0;
  #reason: Error | undefined;

  constructor(transport: Transport, owner: ReceiverOwner, fd: number) {
    super(transport.engine, fd);
    this.#transport = transport;
    this.#owner = owner;
  }

  override get isEvent(): boolean {
    return this.#owner.isNodeLike;
  }

  override isNatives(res: number): boolean {
    return res > 0 && !this.#isPoll && this.#isWanted && this.#kept === undefined && !this.#isClosed &&
      this.#owner.isReadByNatives;
  }

  /**
   * Was the owner told that the peer has ended its side, or that the connection broke? Before that, data may be kept
   * here.
   */
  get isEndTold(): boolean {
    return this.#isEndTold;
  }

  // ---------------------------------------------------------------- what the owner wants

  start(): void {
    if (this.#isWanted || this.#isClosed) return;
    this.#isWanted = true;
    this.settleRef();
    if (this.#kept !== undefined || this.#endKept !== undefined) return this.#deliverSoon();
    this.#arm();
  }

  /**
   * Nothing is given to the owner until {@link start}. The kernel is asked to stop only when something comes meanwhile:
   * who pauses for a moment pays nothing.
   */
  stop(): void {
    if (!this.#isWanted) return;
    this.#isWanted = false;
    this.settleRef();
  }

  /** For good. True if nothing of it is with the kernel; if not, the owner is told. */
  close(): boolean {
    this.#isClosed = true;
    this.#isWanted = false;
    this.#hasLeft = this.#kept !== undefined && this.#kept.length > 0;
    this.#kept = undefined;
    this.#endKept = undefined;
    this.#transport.buffers.forget(this);
    this.halt();
    return this.slot < 0;
  }

  /**
   * The owner means to give the socket away: the kernel is asked to end what it is at. False if something was taken
   * from the kernel that the owner has not been given. {@link isLetGo} tells whether the kernel has ended it; it is
   * armed anew if the owner stays, and says so with {@link wake}.
   */
  withdraw(): boolean {
    if (this.#kept !== undefined || this.#isEnded || this.#failsWith !== 0) return false;
    this.halt();
    return true;
  }

  /**
   * The kernel is asked to end what it is at. When it has, and the owner was told of all that had come, `then` is
   * called, and nothing is received before {@link wake}. False if there is nothing to end.
   */
  rest(then: () => void): boolean {
    if (this.state !== 'armed' && this.state !== 'stopping') return false;
    this.#resting = then;
    this.halt();
    if (this.slot >= 0) return true;
    // It had waited in front of the ring.
    this.wake();
    return false;
  }

  /** It goes on. */
  wake(): void {
    this.#resting = undefined;
    if (this.#isWanted && this.#kept === undefined) this.#arm();
  }

  /**
   * Is the kernel at nothing of it, and has it told of nothing that the owner was not told of? A cancellation need not
   * have found what it was to end, or completions may be kept back: what comes then would be nobody's.
   */
  get isLetGo(): boolean {
    let isOver = this.slot < 0 || this.state === 'spent' || this.state === 'starved';
    let isTold = true;
    this.engine.peek(this, (res, flags) => {
      isTold &&= isNothing(res);
      isOver ||= (flags & IORING_CQE_F_MORE) === 0;
    });
    return isOver && isTold;
  }

  /** Has the kernel told of anything that the owner has not been told yet, be it data, the end or an error? */
  get hasTaken(): boolean {
    let has = false;
    this.engine.peek(this, (res) => (has ||= !isNothing(res)));
    return has;
  }

  /**
   * Has the kernel taken bytes from the socket that the owner was not told of yet? Not counting, for a Node-like owner,
   * what was there when it was given something the last time: the kernel tells of pieces that libuv would have read at
   * once.
   */
  get hasTakenBytes(): boolean {
    const read = this.#owner.isNodeLike ? this.#events : 0;
    let has = false;
    this.engine.peek(this, (res, flags, number) => {
      has ||= res > 0 && (flags & IORING_CQE_F_BUFFER) !== 0 && number >= read;
    });
    return has;
  }

  /** Has anything come that the owner has not been given, here or with the kernel? */
  get isBehind(): boolean {
    return (this.#kept?.length ?? 0) > 0 || this.#endKept !== undefined || this.hasTaken || isReadable(this.fd);
  }

  /** Does the owner want data? */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** The error that the kernel has told, and of which the owner was not told yet; 0 if nothing. */
  get failure(): number {
    let errno = this.#failsWith;
    this.engine.peek(this, (res) => (errno = res < 0 && !isNothing(res) ? -res : errno));
    return errno;
  }

  /** The connection broke with `errno`, which the kernel has told to another. What came before is received first. */
  failAtEnd(errno: number): void {
    this.#failsWith = errno;
  }

  /**
   * When it is closed: was something taken from the kernel that the owner has not been given? Not counting what the
   * kernel has not told of.
   */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /**
   * It keeps the process alive while data is wanted, unless its owner is not to. To be called when either has changed.
   */
  settleRef(): void {
    this.engine.keepAlive(this, this.#owner.isRef && this.#isWanted);
  }

  // ---------------------------------------------------------------- the kernel

  #arm(): void {
    if (!this.#isEnded && !this.#isClosed && !this.#isReadingOn && this.arm()) this.#isFresh = true;
  }

  override prepare(ring: IoUring): boolean {
    if (this.#isBulk) {
      if (!ring.prepPollAdd(this.fd, POLLIN, this.slot)) return false;
    } else {
      this.#group = this.#transport.buffers.pick();
      if (!ring.prepRecvMultishot(this.fd, this.#group.id, this.slot)) return false;
    }
    this.#isPoll = this.#isBulk;
    this.owed = 1;
    return true;
  }

  protected override received(c: Completion): void {
    const { res } = c;
    if (res > 0) {
      this.#wasEmpty = false;
      if (this.#isPoll) this.#bulk(this.#owner.isNodeLike ? READS_OF_NODE : READS);
      else this.#message(res, c.bufferId()!);
      return;
    }
    if (!this.#isPoll) this.#giveBack(c);
    if (res === 0) {
      // TCP says at its end, too, that something may be left. To look costs less than to receive again, and tells of
      // the end when it is there, before what others have sent since. A second time in a row it is the end.
      if (c.sockNonempty() && !this.#wasEmpty && !this.#isClosed && !isAtEnd(this.fd)) this.#wasEmpty = true;
      else this.#end(0);
    } else if (res === -ENOBUFS) {
      // Others wait for buffers: one that is closed is not to be fed before them.
      if (!this.#isClosed && !this.#transport.buffers.feed(this, this.#group)) this.starve();
    } else if (res !== -ECANCELED || (this.state !== 'stopping' && !this.#isClosed) || this.#reason !== undefined) {
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
      this.#wasHungUp = ENDS_AT_HANG_UP && this.#owner.isNodeLike && bytes < group.pool.bufSize && isHungUp(this.fd);
    }
    this.#give(view, false);
    group.give(bid);
    if (this.#full >= FULL_STREAK) this.#turnTo(true);
  }

  /** Something is there. Nothing is taken that nobody wants. */
  #bulk(reads: number): void {
    const { isNodeLike, keepsMemory } = this.#owner;
    for (let left = reads - 1; this.#isBulk && this.#isWanted && this.#kept === undefined; left--) {
      // Much comes, in all likelihood: where it is kept it need not be copied.
      const isGiven = keepsMemory && this.#full > 0;
      const memory = isGiven ? this.#transport.givenMemory() : this.#transport.bulkMemory(isNodeLike);
      const bytes = recvNow(this.fd, memory, MSG_DONTWAIT);
      if (bytes === -EAGAIN || bytes === -EINTR) return;
      if (bytes <= 0) return this.#end(-bytes);
      const isFull = bytes === lengthOf(memory);
      this.#full = isFull ? this.#full + 1 : 0;
      this.#small = bytes <= this.#transport.buffers.bufSize ? this.#small + 1 : 0;
      // Half empty memory is not given away.
      const receiverOwnsMemory = isGiven && bytes * 2 >= lengthOf(memory);
      if (receiverOwnsMemory) this.#transport.gaveMemory();
      if (this.#small >= SMALL_STREAK) this.#turnTo(false);
      this.#give(Buffer.from(bufferOf(memory), 0, bytes), receiverOwnsMemory);
      if (!isFull || left === 0) return;
      if (isNodeLike) return this.#readOn(left);
    }
  }

  /**
   * Read again when the ticks and microtasks that the last piece has set off have run, and before anything else, as
   * libuv does: what belongs together is dealt with while it is in the processor's cache.
   */
  #readOn(reads: number): void {
    this.#isReadingOn = true;
    void SETTLED.then(() =>
      nextTick(() => {
        this.#isReadingOn = false;
        // An end that comes now is told of at once.
        this.#turn = -1;
        this.#bulk(reads);
        if (!this.#isReadingOn && this.#isWanted && this.#kept === undefined) this.#arm();
      })
    );
  }

  #turnTo(isBulk: boolean): void {
    this.#isBulk = isBulk;
    this.#full = this.#small = 0;
    this.halt();
  }

  #give(bytes: Buffer, receiverOwnsMemory: boolean): void {
    if (this.#isClosed) {
      this.#hasLeft = true;
      return;
    }
    if (this.#isWanted && this.#kept === undefined) return this.#hand(bytes, receiverOwnsMemory);
    (this.#kept ??= []).push(receiverOwnsMemory ? bytes : Buffer.from(bytes));
    if (!this.#isWanted) this.halt();
  }

  #hand(bytes: Buffer, receiverOwnsMemory: boolean): void {
    this.#turn = this.engine.turns;
    this.#events = this.engine.events;
    try {
      this.#owner.received(bytes, receiverOwnsMemory);
    } catch (error) {
      this.#owner.threw(error);
    }
  }

  #end(errno: number): void {
    if (this.#isClosed) return;
    this.#isEnded = true;
    this.#endKept = errno || this.#failsWith;
    if (this.#isWanted && this.#kept === undefined) this.#tellEndInTime();
  }

  #tellEndInTime(): void {
    if (this.#wasHungUp) this.#endKept = 0;
    const isTogether = this.#turn === this.engine.turns;
    if (!isTogether || !this.#owner.isNodeLike || this.#reason !== undefined) return this.#tellEnd();
    const tellEnd = (): void => this.#tellEnd();
    if (ENDS_AT_HANG_UP && isHungUp(this.fd)) {
      // A tick that a microtask asks for comes when the ticks and microtasks that there are have run.
      void SETTLED.then(() => nextTick(tellEnd));
    } else {
      this.engine.inNextPass(tellEnd);
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
      const bytes = this.#nextKept(this.#kept);
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

  #nextKept(kept: Buffer[]): Buffer | undefined {
    let count = 0;
    let length = 0;
    while (count < kept.length && length + lengthOf(kept[count]) <= KEPT_TOGETHER) length += lengthOf(kept[count++]);
    if (count < 2 || !this.#owner.isNodeLike) return kept.shift();
    return Buffer.concat(kept.splice(0, count), length);
  }

  protected override left(): void {
    if (this.#isClosed) {
      this.#owner.receiverClosed();
    } else if (this.#resting !== undefined) {
      const then = this.#resting;
      this.#resting = undefined;
      then();
    } else if (this.#isWanted && this.#kept === undefined) {
      this.#arm();
    }
  }

  protected override resumed(): void {
    if (this.#isWanted) this.#arm();
  }

  override cancelled(error: Error): void {
    this.#reason ??= error;
  }

  protected override lost(error: Error): void {
    if (this.#isClosed) {
      this.#owner.receiverClosed();
    } else if (!this.#isEnded) {
      this.#reason ??= error;
      this.#end(EBADF);
    }
  }
}
