import { EBADF, ECONNRESET, EPIPE } from '../../abi/errno.ts';
import {
  IPPROTO_TCP,
  SHUT_WR,
  SO_ERROR,
  SO_KEEPALIVE,
  SOL_SOCKET,
  TCP_KEEPIDLE,
  TCP_NODELAY,
} from '../../abi/socket-flags.ts';
import type { CallOff } from '../../native/native.ts';
import { nextTick } from '../../native/timers.ts';
import { addressOf, getsockopt, resetOnClose, setsockopt, shutdownNow } from './socket-calls.ts';
import { lengthOf } from './intrinsic.ts';
import { Receiver, type ReceiverOwner } from './receiver.ts';
import { Sender, type SenderOwner } from './sender.ts';
import { socketError } from './socket-error.ts';
import type { Transport } from './transport.ts';

/** The operation of a connection that failed, as Node names it. */
export type FailedOperation = 'read' | 'write' | 'shutdown';

/** To have something run when the microtasks of this tick have run. */
const SETTLED = Promise.resolve();

/** The address of a socket; undefined where there is none, or none any more. */
export type EndPoint = ReturnType<typeof addressOf>;

/**
 * A connected stream socket on the ring. It owns its descriptor. What happens is told by calls of the protected
 * methods, on the event loop, never within a call of its own methods, and never after {@link close}.
 */
export abstract class Connection implements ReceiverOwner, SenderOwner {
  readonly #transport: Transport;
  readonly #receiver: Receiver;
  /** Since something was written. */
  #sender: Sender | undefined;
  #fd: number;
  #isRef = true;
  #isClosing = false;
  #isReset = false;
  /** Halves that the kernel was at when it was closed. */
  #isSending = false;
  /** Something is to be sent when the kernel has let go of the rest. */
  #sendsLast = false;
  #isReceiving = false;
  /** Halves that the kernel could not be made to let go of at once, when it was closed. */
  #pending = 0;
  #whenClosed: (() => void)[] | undefined;
  readonly #unguard: CallOff;
  bytesRead = 0;
  bytesWritten = 0;

  /** @param unguard calls off that `fd` is closed when this thread ends, if somebody has seen to that */
  constructor(transport: Transport, fd: number, unguard?: CallOff) {
    // First: the thread may be ended anywhere from here on.
    this.#unguard = unguard ?? transport.engine.guard(fd);
    this.#transport = transport;
    this.#fd = fd;
    this.#receiver = new Receiver(transport, this, fd);
    transport.connections.add(this);
  }

  /** Its descriptor; -1 once it is being closed. */
  get fd(): number {
    return this.#isClosing ? -1 : this.#fd;
  }

  /** Bytes that were written and are not with the kernel. */
  get writableLength(): number {
    return this.#sender === undefined ? 0 : this.#sender.length;
  }

  /** Has the owner been told that the peer has ended its side? What came before the end has been handed over then. */
  get isEndTold(): boolean {
    return this.#receiver.isEndTold;
  }

  // ---------------------------------------------------------------- what the owner is told

  /** Has the kernel told of something that the owner was not told of so far? */
  get hasArrived(): boolean {
    return !this.#isClosing && this.#receiver.hasTaken;
  }

  /** Was the owner given bytes that nobody has seen yet? */
  get hasUnread(): boolean {
    return false;
  }

  /** Is it told that the peer is gone, and not of a reset, when it waits to send? So a unix socket of Node's. */
  get hearsOfGonePeer(): boolean {
    return false;
  }

  /** Large receives go into memory that the owner may keep. */
  get keepsMemory(): boolean {
    return false;
  }

  /** It is told of what happens as Node's sockets are: see {@link ReceiverOwner.isNodeLike}. */
  get isNodeLike(): boolean {
    return false;
  }

  /** Bytes have come. Unless `receiverOwnsMemory` they are a view that is valid during the call. */
  abstract bytesReceived(bytes: Buffer, receiverOwnsMemory: boolean): void;
  /** A call of {@link bytesReceived} threw. */
  abstract threw(error: unknown): void;
  /** The peer has ended its side: nothing more will come. */
  abstract ended(): void;
  /** The connection broke. It is to be closed. */
  abstract failed(error: Error, operation: FailedOperation): void;
  /** Bytes are with the kernel. */
  abstract progressed(bytes: number): void;

  // ---------------------------------------------------------------- what it wants

  /** Data is wanted. Harmless when repeated. */
  startReading(): void {
    this.#receiver.start();
  }

  /** Data is not wanted: what comes waits, here or with the peer. Harmless when repeated. */
  stopReading(): void {
    this.#receiver.stop();
  }

  /** Has anything come that the owner has not been given? */
  get isBehind(): boolean {
    return !this.#isClosing && this.#receiver.isBehind;
  }

  /** Send a copy of `bytes`. */
  write(bytes: Uint8Array): void {
    if (lengthOf(bytes) > 0) this.#sending.copy(bytes);
  }

  /** Send text, of `length` bytes in `encoding`. */
  writeText(text: string, encoding: BufferEncoding, length: number): void {
    this.#sending.copyText(text, encoding, length);
  }

  /**
   * Send `bytes` as libuv does: as much as the kernel takes is with it, or as good as with it, when this returns. What
   * is large and does not fit is lent until it is sent, unless it cannot be lent: that is copied.
   * @param isMore something follows at once
   * @returns {@link TAKEN}, {@link WAITS} or -errno
   */
  transmit(bytes: Uint8Array, isMore: boolean): number {
    return this.#orReset(this.#sending.send(bytes, isMore, this.#isDeaf));
  }

  /** The same of text, of `length` bytes in `encoding`, less than {@link LARGE_MIN}. */
  transmitText(text: string, encoding: BufferEncoding, length: number): number {
    return this.#orReset(this.#sending.sendText(text, encoding, length, this.#isDeaf));
  }

  /** Nobody reads, who would hear of a peer that is gone: it is whoever sends that is to be told, and in the call. */
  get #isDeaf(): boolean {
    return !this.#receiver.isWanted || this.#receiver.isEndTold;
  }

  /**
   * The kernel tells of a reset to the one that asks first. With libuv it is the writer: here an armed receive may have
   * been told already. The writer of a unix socket is told that the peer is gone in any case.
   */
  #orReset(outcome: number): number {
    if (this.hearsOfGonePeer) return outcome;
    return (outcome === -EPIPE && -this.#receiver.failure) || outcome;
  }

  /** Bytes that were transmitted and wait for the kernel. */
  get waitingLength(): number {
    return this.#sender === undefined ? 0 : this.#sender.waiting;
  }

  /** Something was sent on the descriptor before it came here. */
  protected distrustRoom(): void {
    this.#sending.distrustRoom();
  }

  /**
   * Another process has the socket, too: what is written is with the kernel when {@link transmit} returns, as far as
   * that takes it.
   */
  protected sendAtOnce(): void {
    this.#sending.sendAtOnce();
  }

  /**
   * Have `done` called when all that was written so far is with the kernel: at once if it is, or with an error if it
   * never will be.
   */
  whenSent(done: (error: Error | undefined) => void): void {
    if (this.#sender === undefined) done(undefined);
    else this.#sender.whenSent(done);
  }

  get #sending(): Sender {
    if (this.#sender !== undefined) return this.#sender;
    const sender = new Sender(this.#transport, this, this.#fd);
    sender.keepsAlive = this.#isRef;
    return (this.#sender = sender);
  }

  /** End this side when all that was written so far is sent: shutdown(2) with SHUT_WR. */
  shutdown(done: (error: Error | undefined) => void): void {
    let isLater = false;
    this.whenSent((error) => {
      const result = error !== undefined || this.#isClosing ? 0 : shutdownNow(this.#fd, SHUT_WR);
      const outcome = result < 0 ? socketError(-result, 'shutdown') : error;
      // Not in the call that asked for it, and not before what is asked for in the same tick: what waited may have been
      // sent in that.
      if (isLater) nextTick(done, outcome);
      else void SETTLED.then(() => nextTick(done, outcome));
    });
    isLater = true;
  }

  /**
   * Close it, and its descriptor: now, or when the tick is over if it is not the first that is closed in it. What was
   * copied and not sent gets one try, as if it had been sent when it was written.
   * @param done is called when the descriptor is closed, and this has returned
   */
  close(done?: () => void): void {
    if (done !== undefined) (this.#whenClosed ??= []).push(done);
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (this.#transport.engine.closed) return this.#closeNow();
    this.#isReceiving = !this.#receiver.close();
    // A peer that answers meanwhile is to find it closed, not open and unread: nothing comes between the two.
    this.#sendsLast = this.#isReceiving && this.#sender?.waitForClose() === true;
    if (!this.#sendsLast) this.#closeSender();
    // An armed receive holds the socket, and would keep the peer from hearing of the end.
    if (this.#isSending || this.#isReceiving) this.#transport.letGoOf(this);
    else this.letGo(true);
  }

  #closeSender(): void {
    this.#isSending = this.#sender !== undefined && !this.#sender.close(this.#isReset);
  }

  /**
   * The kernel was told to let go of it.
   * @param isFree it took all entries
   * @internal
   */
  letGo(isFree: boolean): void {
    if (this.#fd < 0) return;
    if (this.#sendsLast) this.#closeSender();
    // Data that nobody read makes the kernel end the connection with a reset. What was taken from it is out of its
    // sight.
    if (this.hasUnread || this.#receiver.hasLeft || this.#receiver.hasTakenBytes) resetOnClose(this.#fd);
    if (isFree) return this.#closeNow();
    // Entries that are not with the kernel yet look the descriptor up when they are: it must not be another socket's by
    // then.
    this.#pending = Number(this.#isSending) + Number(this.#isReceiving);
  }

  /**
   * Have the kernel let go of the socket, so that somebody else may go on with it: if nothing has come that the owner
   * was not given, and nothing waits to be sent. False if that cannot be now: it goes on here.
   */
  protected withdraw(): boolean {
    if (this.#isIdle && this.#receiver.withdraw()) {
      if (this.#transport.hasKernelDone() && this.isWithdrawn) return true;
      this.#receiver.wake();
    }
    return false;
  }

  /** Is it as {@link withdraw} has left it? */
  protected get isWithdrawn(): boolean {
    return this.#isIdle && this.#receiver.isLetGo;
  }

  get #isIdle(): boolean {
    return !this.#isClosing && !this.hasUnread && this.writableLength === 0;
  }

  /**
   * Have nothing received from now on, and `then` called when the owner was told of all that had come. {@link wake} has
   * it go on. False if that cannot be now. @internal
   */
  rest(then: () => void): boolean {
    return !this.#isClosing && this.#receiver.rest(then);
  }

  /** @internal */
  wake(): void {
    this.#receiver.wake();
  }

  /** End it at once: the peer gets a reset, and what was not sent is lost. */
  reset(done?: () => void): void {
    if (!this.#isClosing) {
      resetOnClose(this.#fd);
      this.#isReset = true;
    }
    this.close(done);
  }

  /** The reactor is closed: nothing can be waited for any more. @internal */
  abandon(reason: Error): void {
    if (this.#isClosing) return;
    this.failed(reason, 'read');
    this.close();
  }

  /** Does native code of Node's read from it, and call for each piece as for a descriptor that it waits for? */
  get isReadByNatives(): boolean {
    return false;
  }

  /** Is it being given a piece outside of any other call? */
  protected get isCalledBare(): boolean {
    return this.#transport.engine.isTellingNatives;
  }

  /** Have `call` called in the next pass of the event loop, where it would be told of what comes then. */
  protected inNextPass(call: () => void): void {
    this.#transport.engine.inNextPass(call);
  }

  /** Have `call` called where libuv tells of what was closed. */
  whenClosed(call: () => void): void {
    this.#transport.engine.whenClosed(call);
  }

  /** One half is with the kernel no more. */
  #halfClosed(): void {
    if (this.#pending > 0 && --this.#pending === 0) this.#closeNow();
  }

  #closeNow(): void {
    if (this.#fd < 0) return;
    this.#unguard(true);
    this.#fd = -1;
    this.#transport.connections.delete(this);
    nextTick(() => {
      const all = this.#whenClosed;
      this.#whenClosed = undefined;
      for (const done of all ?? []) done();
    });
  }

  // ---------------------------------------------------------------- the socket

  /** Keep the process alive while data is wanted, or is being sent: so it is in the beginning. */
  ref(): void {
    this.#keepAlive(true);
  }

  unref(): void {
    this.#keepAlive(false);
  }

  get isRef(): boolean {
    return this.#isRef;
  }

  #keepAlive(is: boolean): void {
    this.#isRef = is;
    this.#receiver.settleRef();
    if (this.#sender !== undefined) this.#transport.engine.keepAlive(this.#sender, is);
  }

  /** TCP_NODELAY. 0, or -errno. */
  setNoDelay(on: boolean): number {
    return this.#isClosing ? -EBADF : setsockopt(this.#fd, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
  }

  /** SO_KEEPALIVE, and the seconds before the first probe; 0 leaves them as they are. 0, or -errno. */
  setKeepAlive(on: boolean, initialDelay: number): number {
    if (this.#isClosing) return -EBADF;
    const result = setsockopt(this.#fd, SOL_SOCKET, SO_KEEPALIVE, on ? 1 : 0);
    if (result < 0 || !on || initialDelay === 0) return result;
    return setsockopt(this.#fd, IPPROTO_TCP, TCP_KEEPIDLE, initialDelay);
  }

  /** The address of this end. */
  sockname(): EndPoint {
    return this.#isClosing ? undefined : addressOf(this.#fd, false);
  }

  /** The address of the other end. */
  peername(): EndPoint {
    return this.#isClosing ? undefined : addressOf(this.#fd, true);
  }

  // ---------------------------------------------------------------- of its halves

  received(bytes: Buffer, receiverOwnsMemory: boolean): void {
    this.bytesRead += bytes.length;
    this.bytesReceived(bytes, receiverOwnsMemory);
  }

  receiveFailed(errno: number, reason: Error | undefined): void {
    if (!this.#isClosing) this.failed(reason ?? socketError(errno, 'read'), 'read');
  }

  receiverClosed(): void {
    this.#halfClosed();
  }

  sent(bytes: number): void {
    this.bytesWritten += bytes;
    if (!this.#isClosing) this.progressed(bytes);
  }

  get isEndExpected(): boolean {
    const { isWanted, isEndTold, failure } = this.#receiver;
    return isWanted && !isEndTold && failure === 0 && !this.#isClosing;
  }

  tookAtOnce(bytes: number): void {
    this.bytesWritten += bytes;
  }

  sendFailed(errno: number, reason: Error | undefined, wasWaiting: boolean): void {
    if (this.#isClosing) return;
    if (reason !== undefined) return this.failed(reason, 'write');
    // For all that the owner knows it has been sent, and the peer was gone after it: whoever reads hears of that.
    if (!wasWaiting && this.isNodeLike && (errno === ECONNRESET || errno === EPIPE)) {
      return this.#receiver.failAtEnd(errno === ECONNRESET ? errno : 0);
    }
    // A unix socket that waits to send hears of a reset; whoever reads no more and tries again, as libuv does, hears
    // that the peer is gone.
    if ((errno === ECONNRESET || errno === EPIPE) && this.hearsOfGonePeer && this.#receiver.isEndTold) {
      return this.failed(socketError(EPIPE, 'write'), 'write');
    }
    // With libuv whoever reads, and waits to write, is told when it reads. Only one of the two hears of an error from
    // the kernel.
    const toldToReader = wasWaiting && this.#receiver.isWanted ? errnoOfReader(errno, this.#receiver.failure, this.#fd)
      : 0;
    if (toldToReader !== 0) this.failed(socketError(toldToReader, 'read'), 'read');
    else this.failed(socketError(errno, 'write'), 'write');
  }

  senderClosed(): void {
    this.#halfClosed();
  }
}

/**
 * The errno that a receive was told, or would be, when a send was told `errno`; 0 if nothing is wrong with receiving.
 */
function errnoOfReader(errno: number, failure: number, fd: number): number {
  if (errno === ECONNRESET || failure !== 0) return failure || errno;
  return errno === EPIPE ? Math.max(0, getsockopt(fd, SOL_SOCKET, SO_ERROR)) : 0;
}
