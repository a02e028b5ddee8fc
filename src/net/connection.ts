import { EBADF, ECONNRESET, EPIPE } from '../abi/errno.ts';
import {
  IPPROTO_TCP,
  SHUT_WR,
  SO_KEEPALIVE,
  SOL_SOCKET,
  TCP_KEEPIDLE,
  TCP_NODELAY,
} from '../abi/socket-flags.ts';
import { addressOf, closeNow, resetOnClose, setsockopt } from '../reactor/socket-calls.ts';
import { Submission, type Completion, type IoUring } from '../reactor/submission.ts';
import { Receiver, type Receiving } from './receiver.ts';
import { Sender, type Sending } from './sender.ts';
import { socketError } from './socket-error.ts';
import type { Transport } from './transport.ts';

/** What a connection was at when it broke, as Node names it. */
export type Doing = 'read' | 'write' | 'shutdown';

/** The address of a socket; undefined where there is none, or none any more. */
export type EndPoint = ReturnType<typeof addressOf>;

/**
 * A connected stream socket on the ring. It owns its descriptor. What happens is told by calls of the protected methods, on the
 * event loop, never within a call of its own methods, and never after {@link close}.
 */
export abstract class Connection implements Receiving, Sending {
  readonly #transport: Transport;
  readonly #receiver: Receiver;
  /** Since something was written. */
  #sender: Sender | undefined;
  #fd: number;
  #isRef = true;
  #isClosing = false;
  #isReset = false;
  /** Operations that end a side and are not over. */
  #shutdowns = 0;
  /** Half-operations that are not over though it is being closed. */
  #pending = 0;
  #whenClosed: (() => void)[] | undefined;
  readonly #unguard: () => void;
  bytesRead = 0;
  bytesWritten = 0;

  constructor(transport: Transport, fd: number) {
    this.#transport = transport;
    this.#fd = fd;
    this.#receiver = new Receiver(transport, this, fd);
    this.#unguard = transport.engine.guard(fd);
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

  /** Has the peer ended its side? */
  get isEnded(): boolean {
    return this.#receiver.isEnded;
  }

  // ---------------------------------------------------------------- what the owner is told

  /** Large receives go into memory that the owner may keep. @internal */
  get keepsMemory(): boolean {
    return false;
  }

  /** It is told of what happens as Node's sockets are: see {@link Receiving.isNodeLike}. @internal */
  get isNodeLike(): boolean {
    return false;
  }

  /** Bytes have come. Unless `isOwn` they are a view that is valid during the call. @internal */
  abstract bytesReceived(bytes: Buffer, isOwn: boolean): void;
  /** A call of {@link bytesReceived} threw. @internal */
  abstract threw(error: unknown): void;
  /** The peer has ended its side: nothing more will come. @internal */
  abstract ended(): void;
  /** The connection broke. It is to be closed. @internal */
  abstract failed(error: Error, doing: Doing): void;
  /** Bytes are with the kernel. @internal */
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

  /** Send a copy of `bytes`. */
  write(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#sending.copy(bytes);
  }

  /** Send text, of `length` bytes in `encoding`. */
  writeText(text: string, encoding: BufferEncoding, length: number): void {
    this.#sending.copyText(text, encoding, length);
  }

  /** Send `bytes` without copying them: they are lent until they are sent. What cannot be lent is copied. */
  writeLent(bytes: Uint8Array): void {
    if (this.#transport.engine.canLend(bytes)) this.#sending.lend(bytes);
    else this.write(bytes);
  }

  /** Have `done` called when all that was written so far is with the kernel: at once if it is, or with an error if it never will be. */
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
    this.whenSent((error) => {
      if (error !== undefined || this.#isClosing) return done(error);
      this.#shutdowns++;
      this.#transport.engine.submit(
        new Shutdown(this.#fd, (refusal) => {
          this.#shutdowns--;
          // Was it waited for? Whoever is told may close the connection himself.
          const isAwaited = this.#isClosing;
          done(refusal);
          if (isAwaited) this.#halfClosed();
        }),
      );
    });
  }

  /**
   * Close it, and its descriptor. What was copied and not sent gets one try, as if it had been sent when it was written.
   * @param done is called when the descriptor is closed
   */
  close(done?: () => void): void {
    if (done !== undefined) (this.#whenClosed ??= []).push(done);
    if (this.#isClosing) return;
    this.#isClosing = true;
    const { engine } = this.#transport;
    if (engine.closed) return this.#closeNow();
    // A thread of the kernel's shuts down, and looks the descriptor up when its turn comes: it must not be another socket's by then.
    this.#pending = 1 + this.#shutdowns;
    if (!this.#receiver.close()) this.#pending++;
    if (this.#sender !== undefined && !this.#sender.close(this.#isReset)) this.#pending++;
    this.#halfClosed();
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

  /** One half is with the kernel no more. */
  #halfClosed(): void {
    if (--this.#pending > 0) return;
    const closing = new Close(this.#fd, () => this.#closed());
    closing.keepsAlive = this.#isRef;
    this.#transport.engine.submit(closing);
  }

  #closeNow(): void {
    if (this.#fd < 0) return;
    closeNow(this.#fd);
    this.#closed();
  }

  #closed(): void {
    if (this.#fd < 0) return;
    this.#fd = -1;
    this.#unguard();
    this.#transport.connections.delete(this);
    const all = this.#whenClosed;
    this.#whenClosed = undefined;
    for (const done of all ?? []) done();
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
    this.#receiver.isRef = is;
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

  /** @internal */
  received(bytes: Buffer, isOwn: boolean): void {
    this.bytesRead += bytes.length;
    this.bytesReceived(bytes, isOwn);
  }

  /** @internal */
  receiveFailed(errno: number, reason: Error | undefined): void {
    if (!this.#isClosing) this.failed(reason ?? socketError(errno, 'read'), 'read');
  }

  /** @internal */
  receiverClosed(): void {
    this.#halfClosed();
  }

  /** @internal */
  sent(bytes: number): void {
    this.bytesWritten += bytes;
    if (!this.#isClosing) this.progressed(bytes);
  }

  /** @internal */
  sendFailed(errno: number, reason: Error | undefined, drop: () => void): void {
    const isRead = reason === undefined && this.isNodeLike && this.#receiver.isReading;
    const fail = (): void => {
      // The kernel tells of a reset once. To Node, which reads before it writes, it would have told it so.
      const doing = isRead && errno === ECONNRESET ? 'read' : 'write';
      if (!this.#isClosing) this.failed(reason ?? socketError(errno, doing), doing);
      drop();
    };
    if (isRead && errno === EPIPE) this.#receiver.whenOver(fail);
    else fail();
  }

  /** @internal */
  senderClosed(): void {
    this.#halfClosed();
  }
}

/** The end of this side. */
class Shutdown extends Submission {
  readonly #fd: number;
  readonly #done: (error: Error | undefined) => void;
  #res = 0;

  constructor(fd: number, done: (error: Error | undefined) => void) {
    super();
    this.#fd = fd;
    this.#done = done;
  }

  override prepare(ring: IoUring): boolean {
    if (!ring.prepShutdown(this.#fd, SHUT_WR, this.slot)) return false;
    this.owed = 1;
    return true;
  }

  override arrived(c: Completion): void {
    this.#res = c.res;
  }

  override over(): void {
    this.#done(this.#res < 0 ? socketError(-this.#res, 'shutdown') : undefined);
  }

  override cancelled(): void {}

  override refused(error: Error): void {
    this.#done(error);
  }
}

/** The end of a descriptor. */
class Close extends Submission {
  readonly #fd: number;
  readonly #done: () => void;

  constructor(fd: number, done: () => void) {
    super();
    this.#fd = fd;
    this.#done = done;
  }

  override prepare(ring: IoUring): boolean {
    if (!ring.prepClose(this.#fd, this.slot)) return false;
    this.owed = 1;
    return true;
  }

  override arrived(): void {}

  override over(): void {
    this.#done();
  }

  override cancelled(): void {}

  /** The ring is closed before it came to that. */
  override refused(): void {
    // What was handed to the kernel is done: the descriptor may be somebody else's already.
    if (this.slot < 0) closeNow(this.#fd);
    this.#done();
  }
}
