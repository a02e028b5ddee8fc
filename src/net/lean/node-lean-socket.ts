import { nextTick } from '../../native/timers.ts';
import type { Socket } from 'node:net';
import { bytesIn, lengthOf } from '../transport/intrinsic.ts';
import { bytesOf, checkDelay, checkSeconds, checkTimeoutMs, warnOfSeconds } from './lean-arguments.ts';
import type { LeanSocket, Listener, SocketHandlers, Writable } from './types.ts';

/** The maker of a socket: its handlers may be other ones tomorrow. */
export interface SocketOwner<T> {
  handlers: SocketHandlers<T>;
  readonly listener: Listener<T> | undefined;
  readonly data: T;
  readonly allowHalfOpen: boolean;
  readonly writableHighWaterMark: number;
  /** It is closed. */
  closed(socket: NodeLeanSocket<T>): void;
}

/** Without a delay of one's own, libuv would refuse to probe; this is the kernel's. */
const KEEP_ALIVE_MS = 7_200_000;

/**
 * {@link LeanSocket} on top of a socket of Node's, which is made with `allowHalfOpen`: when this side ends is decided
 * here.
 */
export class NodeLeanSocket<T> implements LeanSocket<T> {
  data: T;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly remoteFamily: 'IPv4' | 'IPv6' | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly localFamily: 'IPv4' | 'IPv6' | undefined;
  readonly #socket: Socket;
  readonly #owner: SocketOwner<T>;
  #bytesRead = 0;
  #bytesTaken = 0;
  #bytesWritten = 0;
  #isEnded = false;
  #isEndedByPeer = false;
  /** Its user has closed it: what the peer does concerns nobody. */
  #isGivenUp = false;
  /** Pieces that this tick has written so far. */
  #pending: Buffer[] = [];
  /** A time limit is set. Deno's socket tells of one that was taken back, too. */
  #isTimed = false;
  #isDrainWanted = false;
  #error: Error | undefined;
  /** It is what a handler has thrown. */
  #isThrown = false;

  constructor(socket: Socket, owner: SocketOwner<T>) {
    this.#socket = socket;
    this.#owner = owner;
    this.data = owner.data;
    // Asked for now: Node forgets them when the socket closes.
    this.remoteAddress = socket.remoteAddress;
    this.remotePort = socket.remotePort;
    this.remoteFamily = socket.remoteFamily as 'IPv4' | 'IPv6' | undefined;
    this.localAddress = this.remoteAddress === undefined ? undefined : socket.localAddress;
    this.localPort = this.remoteAddress === undefined ? undefined : socket.localPort;
    this.localFamily = this.remoteAddress === undefined ? undefined
      : (socket.localFamily as 'IPv4' | 'IPv6' | undefined);
  }

  /** Call `open`, and the other handlers when their time comes. */
  start(): void {
    const socket = this.#socket;
    socket.on('error', (error) => (this.#error ??= error));
    socket.on('close', () => this.#closed());
    socket.on('timeout', () => {
      if (this.#isTimed) this.#call('timeout');
    });
    socket.on('end', () => this.#endedByPeer());
    socket.on('data', (data: Buffer) => this.#received(data));
    this.#call('open');
  }

  get listener(): Listener<T> | undefined {
    return this.#owner.listener;
  }
  get fd(): number {
    return (this.#socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
  }
  get bytesRead(): number {
    return this.#bytesRead;
  }
  get bytesWritten(): number {
    return this.#bytesWritten;
  }
  get writableLength(): number {
    return this.#socket.destroyed ? 0 : this.#bytesTaken - this.#bytesWritten;
  }
  get readyState(): 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.#socket.destroyed || (this.#isEnded && this.#isEndedByPeer)) return 'closed';
    if (this.#isEnded) return 'readOnly';
    return this.#isEndedByPeer ? 'writeOnly' : 'open';
  }

  write(data: Writable, byteOffset?: number, byteLength?: number): number {
    const bytes = bytesOf(data, byteOffset, byteLength);
    if (this.#isEnded || this.#socket.destroyed) return 0;
    const length = lengthOf(bytes);
    const taken = Math.min(length, this.#owner.writableHighWaterMark - this.writableLength);
    if (taken < length) this.#isDrainWanted = true;
    if (taken > 0) this.#send(Buffer.from(bytesIn(bytes, 0, taken)));
    return taken;
  }

  end(data?: Writable): number {
    const taken = data === undefined ? 0 : this.write(data);
    if (!this.#isEnded) {
      this.#isEnded = true;
      this.#flush();
      this.#socket.end();
    }
    return taken;
  }

  close(): void {
    this.#isEnded = true;
    this.#isGivenUp = true;
    this.#flush();
    this.#socket.destroySoon();
  }

  terminate(): void {
    this.#isEnded = true;
    this.#isGivenUp = true;
    // A socket whose end is on its way libuv does not reset, and Node would lose it then, open.
    if (this.remoteAddress === undefined || this.#socket.writableEnded) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  setTimeout(timeoutMs: number): void {
    this.#limit(checkTimeoutMs(timeoutMs));
  }

  timeout(seconds: number): void {
    warnOfSeconds();
    this.#limit(checkSeconds(seconds));
  }

  #limit(timeoutMs: number): void {
    this.#isTimed = timeoutMs > 0;
    this.#socket.setTimeout(timeoutMs);
  }

  setNoDelay(on = true): boolean {
    if (this.remoteAddress === undefined || this.#socket.destroyed) return false;
    this.#socket.setNoDelay(on);
    return true;
  }

  setKeepAlive(on = true, initialDelayMs?: number): boolean {
    const delay = checkDelay(initialDelayMs);
    if (this.remoteAddress === undefined || this.#socket.destroyed) return false;
    this.#socket.setKeepAlive(on, delay || KEEP_ALIVE_MS);
    return true;
  }

  /** Everything that one tick writes goes out in one system call. */
  #send(bytes: Buffer): void {
    this.#bytesTaken += bytes.length;
    if (this.#pending.push(bytes) === 1) nextTick(() => this.#flush());
  }

  #flush(): void {
    const pending = this.#pending;
    if (pending.length === 0) return;
    this.#pending = [];
    // A single piece is spared the way over the list of a corked stream, which costs as much as the sending.
    const isCorked = pending.length > 1;
    if (isCorked) this.#socket.cork();
    for (const bytes of pending) {
      this.#socket.write(bytes, (error) => {
        // Why is told by the socket's own event.
        if (!error) this.#sent(bytes.length);
      });
    }
    if (isCorked) this.#socket.uncork();
  }

  #sent(bytes: number): void {
    this.#bytesWritten += bytes;
    if (!this.#isDrainWanted || this.#isEnded || this.#socket.destroyed) return;
    // Room for a few bytes would be asked for a few bytes at a time.
    if (this.writableLength > this.#owner.writableHighWaterMark / 2) return;
    this.#isDrainWanted = false;
    this.#call('drain');
  }

  #received(data: Buffer): void {
    if (this.#isGivenUp) return;
    this.#bytesRead += data.length;
    const { handlers } = this.#owner;
    if (handlers.data === undefined) return;
    try {
      handlers.data(this, data);
    } catch (error) {
      this.#failed(error);
    }
  }

  #endedByPeer(): void {
    this.#isEndedByPeer = true;
    if (!this.#isGivenUp) this.#call('end');
    if (!this.#owner.allowHalfOpen) this.end();
  }

  #closed(): void {
    const error = this.#error;
    const { handlers } = this.#owner;
    this.#isEnded = true;
    this.#owner.closed(this);
    try {
      if (error !== undefined && handlers.error !== undefined) handlers.error(this, error);
      else if (error !== undefined && this.#isThrown) throwLater(error);
    } catch (thrown) {
      throwLater(thrown);
    }
    try {
      handlers.close?.(this, error);
    } catch (thrown) {
      throwLater(thrown);
    }
  }

  #call(name: 'open' | 'drain' | 'end' | 'timeout'): void {
    try {
      this.#owner.handlers[name]?.(this);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** A handler has thrown. */
  #failed(thrown: unknown): void {
    if (this.#error === undefined) {
      this.#error = thrown instanceof Error ? thrown
        : new Error(`A handler has thrown ${String(thrown)}`, { cause: thrown });
      this.#isThrown = true;
    }
    this.#socket.destroy();
  }
}

/** To `process.on('uncaughtException')`. */
function throwLater(error: unknown): void {
  nextTick(() => {
    throw error;
  });
}
