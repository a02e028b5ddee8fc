import { clearTimeout, nextTick, setTimeout, throwUncaught } from '../../native/timers.ts';
import { Connection, type EndPoint } from '../transport/connection.ts';
import { bytesIn, lengthOf } from '../transport/intrinsic.ts';
import type { Transport } from '../transport/transport.ts';
import {
  bytesOf,
  checkDelay,
  checkSeconds,
  checkTimeoutMs,
  warnOfSeconds,
  type SocketSettings,
} from './lean-arguments.ts';
import type { LeanSocket, Listener, SocketHandlers, Writable } from './types.ts';

/** All that the sockets of a listener have in common. */
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
  #endsWhenSent = false;
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
    if (this.#endsWhenSent || this.isEndTold) return this.finish(undefined);
    this.shutdown((error) => {
      if (this.#state !== ENDING) return;
      if (error !== undefined) return this.failed(error);
      this.#state = ENDED;
      if (this.#endsWhenSent || this.isEndTold) this.finish(undefined);
    });
  }

  /** Close it when all is sent. */
  closeSoon(): void {
    if (this.#endsWhenSent || this.#state === CLOSED) return;
    this.#endsWhenSent = true;
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
    if (this.#state === CLOSED || this.#endsWhenSent) return;
    if (on) this.startReading();
    else this.stopReading();
  }

  timeout(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (ms > 0 && this.#state !== CLOSED) this.#timer = setTimeout(() => this.#call('timeout'), ms).unref();
  }

  get readyState(): LeanSocket['readyState'] {
    const hasEnded = this.isEndTold || this.#endsWhenSent || this.#state === CLOSED;
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
      if (name === 'error' || name === 'close') throwUncaught(thrown);
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
    if (this.#state === CLOSED || this.shared.handlers.error === undefined) throwUncaught(thrown);
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

/** The face of a {@link LeanConnection} that its user holds. */
export class LeanRingSocket<T> implements LeanSocket<T> {
  data: T;
  readonly #connection: LeanConnection<T>;

  constructor(connection: LeanConnection<T>, data: T) {
    this.data = data;
    this.#connection = connection;
  }

  write(data: Writable, byteOffset?: number, byteLength?: number): number {
    const connection = this.#connection;
    if (typeof data === 'string' && byteOffset === undefined && byteLength === undefined) {
      const length = Buffer.byteLength(data);
      // The bytes of text count where it is not taken as a whole.
      if (length <= connection.room) {
        connection.writeText(data, 'utf8', length);
        connection.active();
        return length;
      }
    }
    const bytes = bytesOf(data, byteOffset, byteLength);
    const length = lengthOf(bytes);
    const taken = connection.admit(length);
    if (taken > 0) {
      connection.write(taken === length ? bytes : bytesIn(bytes, 0, taken));
      connection.active();
    }
    return taken;
  }

  end(data?: Writable): number {
    const taken = data === undefined ? 0 : this.write(data);
    this.#connection.endSide();
    return taken;
  }

  close(): void {
    this.#connection.closeSoon();
  }

  terminate(): void {
    this.#connection.finish(undefined, true);
  }

  pause(): void {
    this.#connection.read(false);
  }

  resume(): void {
    this.#connection.read(true);
  }

  ref(): void {
    this.#connection.ref();
  }

  unref(): void {
    this.#connection.unref();
  }

  setTimeout(timeoutMs: number): void {
    this.#connection.timeout(checkTimeoutMs(timeoutMs));
  }

  timeout(seconds: number): void {
    warnOfSeconds();
    this.#connection.timeout(checkSeconds(seconds));
  }

  setNoDelay(on = true): boolean {
    return this.#connection.setNoDelay(on) === 0;
  }

  setKeepAlive(on = true, initialDelayMs?: number): boolean {
    return this.#connection.setKeepAlive(on, Math.floor(checkDelay(initialDelayMs) / 1000)) === 0;
  }

  get listener(): Listener<T> | undefined {
    return this.#connection.shared.listener;
  }

  get fd(): number {
    return this.#connection.fd;
  }

  get remoteAddress(): string | undefined {
    return addressIn(this.#connection.remote);
  }

  get remotePort(): number | undefined {
    return portIn(this.#connection.remote);
  }

  get remoteFamily(): 'IPv4' | 'IPv6' | undefined {
    return familyIn(this.#connection.remote);
  }

  get localAddress(): string | undefined {
    return addressIn(this.#connection.local);
  }

  get localPort(): number | undefined {
    return portIn(this.#connection.local);
  }

  get localFamily(): 'IPv4' | 'IPv6' | undefined {
    return familyIn(this.#connection.local);
  }

  get bytesRead(): number {
    return this.#connection.bytesRead;
  }

  get bytesWritten(): number {
    return this.#connection.bytesWritten;
  }

  get writableLength(): number {
    return this.#connection.writableLength;
  }

  get readyState(): LeanSocket['readyState'] {
    return this.#connection.readyState;
  }
}

function addressIn(end: EndPoint): string | undefined {
  return end?.family === 'IPv4' || end?.family === 'IPv6' ? end.address : undefined;
}

function portIn(end: EndPoint): number | undefined {
  return end?.family === 'IPv4' || end?.family === 'IPv6' ? end.port : undefined;
}

function familyIn(end: EndPoint): 'IPv4' | 'IPv6' | undefined {
  return end?.family === 'IPv4' || end?.family === 'IPv6' ? end.family : undefined;
}
