import { AsyncResource } from 'node:async_hooks';
import { ECANCELED } from '../../abi/errno.ts';
import type { CallOff } from '../../native/native.ts';
import { NOBODY } from '../../native/nobody.ts';
import { nextTick, throwUncaught } from '../../native/timers.ts';
import { closeNow, duplicate } from '../transport/socket-calls.ts';
import { isCancelledWriteTold } from './cancelled-write.ts';
import { Connection, type FailedOperation } from '../transport/connection.ts';
import { lengthOf } from '../transport/intrinsic.ts';
import { JsStream } from './js-stream.ts';
import { nativeHandle, socketHandle } from './native-handle.ts';
import { isIdleGuard, type HandleClass } from './node-internals.ts';
import type { Done, NativeHandle, Piece, SocketClass } from './node-net.ts';
import { LARGE_MIN, TAKEN } from '../transport/sender.ts';
import { giveToParser, prepareParser } from './server-parser.ts';
import { socketError } from '../transport/socket-error.ts';
import { SocketHandle, TcpSocketHandle } from './socket-handle.ts';
import type { Transport } from '../transport/transport.ts';
import type { UserBuffer } from './user-buffer.ts';

/** Encodings in which text is copied in one go: its length in bytes is known beforehand. */
const PLAIN = new Set(['utf8', 'utf-8', 'latin1', 'binary', 'ascii', 'ucs2', 'ucs-2', 'utf16le', 'utf-16le']);

const SETTLED = Promise.resolve();

/** Facts about its owner that a connection needs to know. */
export interface Owned {
  readonly isTcp: boolean;
  /** The class of the handle that had the socket before. */
  readonly handleClass: HandleClass;
  /** `onread` of the socket. */
  readonly userBuffer?: UserBuffer | undefined;
  /** The context in which its socket is told things; missing: that of nobody. */
  readonly scope?: AsyncResource | undefined;
  /** Another process may have the socket, too. */
  readonly isShared?: boolean;
  /** Called when its descriptor is closed. */
  readonly closed?: (() => void) | undefined;
  /** Calls off that the descriptor is closed when this thread ends. */
  readonly unguard: CallOff;
}

/** The connection under a socket: what comes is pushed to the stream, what is written is taken from it. */
export class SocketConnection extends Connection {
  readonly socket: SocketClass;
  readonly isTcp: boolean;
  readonly handle: SocketHandle;
  readonly #handleClass: HandleClass;
  readonly #userBuffer: UserBuffer | undefined;
  readonly #scope: AsyncResource | undefined;
  readonly #closed: (() => void) | undefined;
  /** Bytes that were given to it to be sent. */
  dispatched = 0;
  isReading = false;
  /** The peer is to be told of the end, and the socket has not been told that it was. */
  isEnding = false;
  #stream: JsStream | undefined;
  #native: NativeHandle | undefined;
  /** Writes that wait for the kernel: they are told if it breaks. */
  #waiting = 0;
  #broken: Error | undefined;
  /** The error that a write was told at once, of which the socket dies in the next tick. */
  #refused: Error | undefined;
  /** Those who wait for the socket have not seen it yet. */
  #isNew = false;
  /**
   * Nor has the server told of it: nothing is received, for whoever is told may give the socket to somebody else, see
   * {@link giveAway}.
   */
  #isHeld = false;
  /** The parser that node:http reads with, if it does. */
  #parser: unknown;

  constructor(transport: Transport, fd: number, socket: SocketClass, owned: Owned) {
    super(transport, fd, owned.unguard);
    this.socket = socket;
    this.isTcp = owned.isTcp;
    this.handle = owned.isTcp ? new TcpSocketHandle(this) : new SocketHandle(this);
    this.#handleClass = owned.handleClass;
    this.#userBuffer = owned.userBuffer;
    this.#scope = owned.scope;
    this.#closed = owned.closed;
    // It was made by somebody else.
    if (owned.closed !== undefined) this.distrustRoom();
    if (owned.isShared === true) this.sendAtOnce();
  }

  /**
   * It was accepted in this turn. Whoever waits for it with a promise, to listen then, must not miss the end: that a
   * turn may bring both is nothing that Node's sockets do.
   */
  isNew(): void {
    this.#isNew = this.#isHeld = true;
    void SETTLED.then(() => (this.#isNew = false));
  }

  /** It goes on where a handle of Node's has come to, which has received and sent so many bytes. */
  goOn(bytesRead: number, bytesWritten: number): void {
    this.bytesRead = bytesRead;
    this.bytesWritten = this.dispatched = bytesWritten;
    this.distrustRoom();
  }

  /** The server has told of it. */
  announced(): void {
    this.#isHeld = false;
    if (this.isReading && this.isOpen) this.startReading();
  }

  /** The parser of node:http's server reads what comes. */
  parsedBy(parser: unknown): void {
    this.#parser = parser;
    prepareParser(parser);
  }

  get isOpen(): boolean {
    return this.fd >= 0;
  }

  /** The socket has no handle any more. Before, it may have one that is closed. */
  isLetGo = false;

  /**
   * It was to be reset while it was being ended, and is the socket's no more: it is closed when the peer has ended,
   * too.
   */
  get #isOrphan(): boolean {
    return this.isLetGo && this.socket.destroyed;
  }

  /** The handle that others have seen, if there is one, whatever they have done to it. */
  get seen(): NativeHandle | undefined {
    return this.#stream?.handle as unknown as NativeHandle | undefined;
  }

  /** Somebody else than node:http has the stream that stands in for the handle. */
  isShown = false;

  /**
   * Has somebody a handle of it whom it cannot be taken from: a program, another process, or an agent whose guard is on
   * it?
   */
  get isHeldByOthers(): boolean {
    return this.isShown || this.#native !== undefined || this.#isGuarded;
  }

  /** Is it read into the user's memory? */
  get isReadByUser(): boolean {
    return this.#userBuffer !== undefined;
  }

  /** Bytes that came and were handed over. */
  get delivered(): number {
    return this.bytesRead - (this.#userBuffer?.length ?? 0);
  }

  /**
   * A native stream of Node's for those who work on nothing else: node:tls and node:http2. From then on it is they who
   * read.
   */
  get stream(): JsStream {
    this.#stream ??= new JsStream(this);
    this.#stream.asked();
    return this.#stream;
  }

  /** A handle of libuv's on the same socket, for another process. It is ours until it is handed over. */
  get native(): NativeHandle {
    if (this.#native === undefined) {
      this.#native = nativeHandle(duplicate(this.fd));
      this.sendAtOnce();
    }
    return this.#native;
  }

  /** Another process has the socket now: nothing is told of it here any more. */
  handedOver(): void {
    if (this.#native === undefined) return;
    this.#native = undefined;
    this.close();
  }

  // ---------------------------------------------------------------- reading

  /** The socket wants data. */
  read(): void {
    if (this.isReading || this.#stream?.isConsumed === true || !this.isOpen) return;
    this.isReading = true;
    if (this.#isHeld) return;
    if (this.#userBuffer === undefined || this.#userBuffer.length === 0) this.startReading();
    else nextTick(() => this.#resume());
  }

  /** Data is wanted by way of the handle: by the socket, or by the one that has its stream. */
  readByHandle(): void {
    if (this.#stream?.isConsumed === true && this.isOpen) this.#stream.start();
    else this.read();
  }

  /** It does not. */
  pause(): void {
    this.isReading = false;
    this.stopReading();
  }

  #resume(): void {
    if (!this.isReading || !this.isOpen) return;
    this.tell(() => {
      if (this.#userBuffer!.resume(this) && this.isReading) this.startReading();
    });
  }

  override get hasUnread(): boolean {
    return this.#userBuffer !== undefined && this.#userBuffer.length > 0;
  }

  override get keepsMemory(): boolean {
    return this.#userBuffer === undefined && this.#stream === undefined;
  }

  override get hearsOfGonePeer(): boolean {
    return !this.isTcp;
  }

  override get isNodeLike(): boolean {
    return true;
  }

  override bytesReceived(bytes: Buffer, receiverOwnsMemory: boolean): void {
    if (this.#scope === undefined) this.#take(bytes, receiverOwnsMemory);
    else this.#scope.runInAsyncScope(this.#take, this, bytes, receiverOwnsMemory);
  }

  override get isReadByNatives(): boolean {
    return this.#stream?.isConsumed === true && this.#isParsed && this.#scope === undefined;
  }

  #take(bytes: Buffer, receiverOwnsMemory: boolean): void {
    const { socket } = this;
    // node:http puts the timer off of a socket that its parser reads, behind the requests: mostly there is none then.
    if (this.#stream?.isConsumed === true && this.#isParsed) {
      if (this.isCalledBare) return this.#stream.received(bytes);
      return giveToParser(this.#parser, this.#toStream, bytes);
    }
    socket._unrefTimer();
    if (this.#stream?.isConsumed === true) return this.#stream.received(bytes);
    if (this.#isGuarded) return void socket.destroy();
    if (this.#userBuffer !== undefined) return this.#userBuffer.received(this, bytes);
    // A decoder makes text of it at once.
    const chunk = receiverOwnsMemory || socket.readableEncoding !== null ? bytes : Buffer.from(bytes);
    this.arrived(chunk);
  }

  /** For the stream: bytes that are its to keep, or the end. */
  arrived(chunk: Buffer | null): void {
    const { socket } = this;
    const wantsMore = this.#isParsed ? giveToParser(this.#parser, this.#toSocket, chunk) : socket.push(chunk);
    if (chunk === null) socket.read(0);
    else if (!wantsMore) this.pause();
  }

  /** Does the parser of node:http's server get what comes? */
  get #isParsed(): boolean {
    const { parser } = this.socket;
    return parser !== undefined && parser !== null && parser === this.#parser;
  }

  readonly #toStream = (bytes: Buffer): void => this.#stream!.received(bytes);
  readonly #toSocket = (chunk: Buffer | null): boolean => this.socket.push(chunk);

  get #isGuarded(): boolean {
    const onread = this.handle.onread ?? this.#stream?.handle.onread;
    return isIdleGuard(onread);
  }

  override threw(error: unknown): void {
    throwUncaught(error);
  }

  override ended(): void {
    if (!this.isOpen) return;
    if (this.#isOrphan) return this.close();
    if (this.#isNew) return this.inNextPass(() => this.ended());
    this.tell(() => {
      this.socket._unrefTimer();
      if (this.#stream?.isConsumed === true) return this.#stream.ended();
      this.arrived(null);
    });
  }

  /** Nothing more can be read. */
  broke(errno: number): void {
    this.failed(socketError(errno, 'read'), 'read');
  }

  override failed(error: Error, operation: FailedOperation): void {
    if (!this.isOpen || this.#refused !== undefined) return;
    if (this.#isOrphan) return this.close();
    this.#broken = error;
    if (this.#isNew) return this.inNextPass(() => this.failed(error, operation));
    // Those who wait for what they wrote are told, and the stream by them.
    if (operation === 'write' && this.#waiting > 0) return;
    this.tell(() => this.socket.destroy(error));
  }

  override progressed(): void {
    this.socket._unrefTimer();
  }

  /** Call back in the socket's context; what is thrown there is nobody's. */
  tell(call: () => void): void {
    try {
      if (this.#scope === undefined) call();
      else this.#scope.runInAsyncScope(call);
    } catch (error) {
      this.threw(error);
    }
  }

  // ---------------------------------------------------------------- writing

  send(data: Uint8Array | string, encoding: string, done: Done): void {
    this.socket._unrefTimer();
    this.#settle(this.#transmit(data, encoding, false), done);
  }

  sendAll(pieces: readonly Piece[], done: Done): void {
    this.socket._unrefTimer();
    let outcome = TAKEN;
    const last = pieces.length - 1;
    for (let i = 0; i <= last && outcome >= 0; i++) {
      const { chunk, encoding } = pieces[i];
      outcome = Math.min(outcome, this.#transmit(chunk, encoding, i < last && hasBytes(pieces[i + 1])));
    }
    this.#settle(outcome, done);
  }

  #transmit(data: Uint8Array | string, encoding: string, isMore: boolean): number {
    if (typeof data === 'string') {
      if (PLAIN.has(encoding)) {
        const length = Buffer.byteLength(data, encoding as BufferEncoding);
        if (length < LARGE_MIN) {
          this.dispatched += length;
          return this.transmitText(data, encoding as BufferEncoding, length);
        }
      }
      // Up to version 22 Node's streams let it pass, and its handles refuse it.
      if (encoding === 'buffer') throw notBuffer();
      return this.#transmit(Buffer.from(data, encoding as BufferEncoding), 'buffer', isMore);
    }
    this.dispatched += lengthOf(data);
    return this.transmit(data, isMore);
  }

  #settle(outcome: number, done: Done): void {
    if (outcome === TAKEN) return done();
    if (outcome < 0) {
      this.#refused = socketError(-outcome, 'write');
      return done(this.#refused);
    }
    this.#waiting++;
    const scope = new AsyncResource('WRITEWRAP');
    this.whenSent((error) => {
      this.#waiting--;
      const isDestroyed = error !== undefined && this.socket.destroyed;
      const destroyedReason = isDestroyed && isCancelledWriteTold() ? socketError(ECANCELED, 'write') : null;
      const reason = error === undefined || isDestroyed ? destroyedReason : this.#reason();
      const tell = (): void => {
        try {
          scope.runInAsyncScope(done, undefined, reason);
        } catch (thrown) {
          this.threw(thrown);
        }
      };
      // A socket that was destroyed has said why, or will in the next tick: its callbacks are called after that. Others
      // behind those of earlier writes, which were written in the call and are told in a tick.
      if (isDestroyed) void SETTLED.then(() => nextTick(tell));
      else nextTick(tell);
    });
  }

  /** Why what was written is not sent. */
  #reason(): Error {
    return this.#broken ?? socketError(ECANCELED, 'write');
  }

  /** That the peer is told of the end cannot go wrong in a way that Node would show. */
  finish(done: Done): void {
    const scope = new AsyncResource('SHUTDOWNWRAP');
    this.isEnding = true;
    this.shutdown(() => {
      this.isEnding = false;
      try {
        scope.runInAsyncScope(done);
      } catch (thrown) {
        this.threw(thrown);
      }
    });
  }

  /**
   * Give the socket to a handle of Node's, if nothing has come that was not handed over, and nothing waits to be sent.
   * Not if somebody has the stream that stands in for the handle, or memory of the user's is read into.
   * @param isReleased whoever has the stream lets go of it
   * @param beforeClose is called when it is certain
   * @returns the handle; or undefined, and this goes on
   */
  giveAway(isReleased: boolean, beforeClose: () => void): NativeHandle | undefined {
    const isHeld = this.#stream !== undefined && !isReleased;
    if (isHeld || this.#userBuffer !== undefined || !this.withdraw()) return undefined;
    const handle = (this.#scope ?? NOBODY).runInAsyncScope(socketHandle, undefined, this.#handleClass);
    // Hooks of the program's hear of a new handle, and may have used the socket, or closed it.
    if (this.isWithdrawn) {
      const copy = duplicate(this.fd);
      // Between the two no function of JavaScript begins, where a thread can be ended: the copy has an owner then.
      if (copy >= 0 && handle.open!(copy) === 0) {
        beforeClose();
        this.close();
        return handle;
      }
      if (copy >= 0) closeNow(copy);
    }
    handle.close();
    if (this.isOpen) this.wake();
    return undefined;
  }

  override close(done?: () => void): void {
    this.isReading = false;
    this.#stream?.cancelled();
    this.#native?.close();
    super.close(() => {
      this.#closed?.();
      done?.();
    });
  }
}

/** Has it bytes for certain? The kernel keeps back a part of what comes before. */
function hasBytes({ chunk, encoding }: Piece): boolean {
  return typeof chunk === 'string' ? chunk.length > 0 && PLAIN.has(encoding) : lengthOf(chunk) > 0;
}

/** In Node's words. */
function notBuffer(): TypeError {
  return Object.assign(new TypeError('Second argument must be a buffer'), { code: 'ERR_INVALID_ARG_TYPE' });
}
