import { clearTimeout, nextTick, setTimeout } from '../../reactor/timers.ts';
import { Connection, type EndPoint } from '../transport/connection.ts';
import type { SocketSettings } from './lean-arguments.ts';
import type { LeanSocket, Listener, SocketHandlers } from './types.ts';
import { LeanRingSocket } from './lean-socket.ts';
import type { Transport } from '../transport/transport.ts';

/** What the sockets of a listener have in common. */
export interface Shared<T> {
  handlers: SocketHandlers<T>;
  readonly settings: SocketSettings<T>;
  readonly listener: Listener<T> | undefined;
  /** One of them is closed. */
  closed(connection: LeanConnection<T>): void;
}

const OPEN = 0;
/** This side is to be ended when all is sent. */
const ENDING = 1;
/** It is. */
const ENDED = 2;
const CLOSED = 3;

/** The lean face of a connection on the ring: what its socket does, and which handlers are called. */
export class LeanConnection<T> extends Connection {
  readonly socket: LeanSocket<T>;
  readonly shared: Shared<T>;
  #state = OPEN;
  /** The connection ends when all is sent, whatever the peer does. */
  #isClosing = false;
  /** Not everything was taken that was to be written. */
  #isFull = false;
  #timer: NodeJS.Timeout | undefined;
  #local: EndPoint;
  #remote: EndPoint;

  constructor(transport: Transport, fd: number, shared: Shared<T>) {
    super(transport, fd);
    this.shared = shared;
    this.socket = new LeanRingSocket(this, shared.settings.data);
  }

  /** It is connected: the first that is heard of it. */
  open(): void {
    this.startReading();
    this.#call('open');
  }

  // ---------------------------------------------------------------- what the socket asks for

  /** How many bytes may be written now. */
  get room(): number {
    if (this.#state !== OPEN) return 0;
    return Math.max(0, this.shared.settings.writableHighWaterMark - this.writableLength);
  }

  /** How many of these may be written now. If not all, `drain` is called when there is room. */
  admit(bytes: number): number {
    const { room } = this;
    if (bytes <= room) return bytes;
    if (this.#state === OPEN) this.#isFull = true;
    return room;
  }

  /** Something was written. */
  active(): void {
    this.#timer?.refresh();
    // The kernel may have taken all of it at once: then nothing else calls `drain`.
    if (this.#isFull && this.writableLength === 0) nextTick(() => this.progressed());
  }

  endSide(): void {
    if (this.#state !== OPEN) return;
    this.#state = ENDING;
    this.whenSent((error) => {
      if (error === undefined) this.#allSent();
    });
  }

  /** Everything that will be sent is. */
  #allSent(): void {
    if (this.#state !== ENDING) return;
    // Where nobody listens to the peer any more, the end of the connection is the end of this side.
    if (this.#isClosing || this.isEndTold) return this.finish(undefined);
    this.shutdown((error) => {
      if (this.#state !== ENDING) return;
      if (error !== undefined) return this.failed(error);
      this.#state = ENDED;
      if (this.#isClosing || this.isEndTold) this.finish(undefined);
    });
  }

  /** Close it when all is sent. */
  closeSoon(): void {
    if (this.#isClosing || this.#state === CLOSED) return;
    this.#isClosing = true;
    this.stopReading();
    if (this.#state === ENDED) this.finish(undefined);
    else this.endSide();
  }

  /** Close it now. `close` is called when that is done. */
  finish(error: Error | undefined, isReset = false): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    clearTimeout(this.#timer);
    const done = (): void => {
      this.shared.closed(this);
      this.#call('close', error);
    };
    if (isReset) this.reset(done);
    else this.close(done);
  }

  read(on: boolean): void {
    if (this.#state === CLOSED || this.#isClosing) return;
    if (on) this.startReading();
    else this.stopReading();
  }

  timeout(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (ms > 0 && this.#state !== CLOSED) this.#timer = setTimeout(() => this.#call('timeout'), ms).unref();
  }

  get readyState(): LeanSocket['readyState'] {
    const hasEnded = this.isEndTold || this.#isClosing || this.#state === CLOSED;
    if (this.#state === OPEN) return hasEnded ? 'writeOnly' : 'open';
    return hasEnded ? 'closed' : 'readOnly';
  }

  get local(): EndPoint {
    return (this.#local ??= this.sockname());
  }

  get remote(): EndPoint {
    return (this.#remote ??= this.peername());
  }

  // ---------------------------------------------------------------- what happens

  #call(name: 'open' | 'drain' | 'end' | 'timeout'): void;
  #call(name: 'error' | 'close', error: Error | undefined): void;
  #call(name: 'open' | 'drain' | 'end' | 'timeout' | 'error' | 'close', error?: Error): void {
    const { handlers } = this.shared;
    try {
      if (name === 'error') handlers.error?.(this.socket, error!);
      else if (name === 'close') handlers.close?.(this.socket, error);
      else handlers[name]?.(this.socket);
    } catch (thrown) {
      if (name === 'error' || name === 'close') raise(thrown);
      else this.threw(thrown);
    }
  }

  override bytesReceived(bytes: Buffer): void {
    this.#timer?.refresh();
    const { handlers } = this.shared;
    if (handlers.data !== undefined) handlers.data(this.socket, bytes);
  }

  /** A handler threw: its connection ends, and somebody hears of it. */
  override threw(thrown: unknown): void {
    if (this.#state === CLOSED || this.shared.handlers.error === undefined) raise(thrown);
    this.failed(thrown as Error);
  }

  override ended(): void {
    this.#call('end');
    if (this.#state === ENDED) this.finish(undefined);
    else if (!this.shared.settings.allowHalfOpen) this.endSide();
  }

  override failed(error: Error): void {
    if (this.#state === CLOSED) return;
    this.#call('error', error);
    this.finish(error);
  }

  override progressed(): void {
    this.#timer?.refresh();
    if (!this.#isFull || this.#state !== OPEN) return;
    if (this.writableLength > this.shared.settings.writableHighWaterMark / 2) return;
    this.#isFull = false;
    this.#call('drain');
  }
}

/** As if nobody had caught it. */
function raise(error: unknown): void {
  nextTick(() => {
    throw error;
  });
}
