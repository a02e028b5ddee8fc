import type { LeanSocket } from 'iouring/socket';
import { execute, type Asker, type Context } from './commands.ts';
import type { Keyspace } from './keyspace.ts';
import { Replies, type Receiver } from './replies.ts';
import { ProtocolError, Request, REQUEST_BYTES_MAX } from './request.ts';

/** Memory that a connection keeps for a request that comes in pieces; more is given back. */
const KEPT_BYTES = 64 * 1024;

const NONE = Buffer.alloc(0);
const request = new Request();
const replies = new Replies();
let ids = 0;

/** A client: what it has sent and not got an answer for, and what was answered and it has not taken. */
export class Connection implements Asker, Receiver {
  readonly id = ++ids;
  name = '';
  readonly #socket: LeanSocket<Connection | undefined>;
  readonly #context: Context;
  readonly #keyspace: Keyspace;
  /** The beginning of a request whose rest is still to come, or requests that must wait for the client to take its replies. */
  #pending = NONE;
  #pendingBytes = 0;
  /** No use in looking at it with fewer bytes. */
  #needed = 0;
  /** What the socket did not take; nothing more is done for this client until it has. */
  #untaken: Uint8Array[] = [];
  #isEnding = false;

  constructor(socket: LeanSocket<Connection | undefined>, keyspace: Keyspace, server: Context['server']) {
    this.#socket = socket;
    this.#keyspace = keyspace;
    this.#context = { request, replies, keyspace, server, client: this };
  }

  /** Bytes have come. They are the socket's again when this returns. */
  received(data: Buffer): void {
    if (this.#isEnding) return;
    if (this.#pendingBytes === 0 && this.#untaken.length === 0) {
      const done = this.#answer(data, data.length);
      if (done < data.length) this.#keep(data, done);
      return;
    }
    this.#keep(data, 0);
    if (this.#untaken.length === 0) this.#answerPending();
  }

  #answerPending(): void {
    if (this.#pendingBytes === 0 || this.#pendingBytes < this.#needed) return;
    const done = this.#answer(this.#pending, this.#pendingBytes);
    this.#pendingBytes -= done;
    if (this.#pendingBytes > 0) this.#pending.copyWithin(0, done, done + this.#pendingBytes);
    else if (this.#pending.length > KEPT_BYTES) this.#pending = NONE;
  }

  #keep(data: Buffer, start: number): void {
    const bytes = data.length - start;
    const size = this.#pendingBytes + bytes;
    if (size > this.#pending.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(size, Math.min(this.#needed, size * 2), 1024));
      this.#pending.copy(larger, 0, 0, this.#pendingBytes);
      this.#pending = larger;
    }
    data.copy(this.#pending, this.#pendingBytes, start);
    this.#pendingBytes = size;
  }

  /** Answer what is complete. Returns how many bytes that was. */
  #answer(bytes: Buffer, end: number): number {
    let at = 0;
    this.#needed = 0;
    this.#keyspace.now = Date.now();
    replies.begin(this);
    try {
      while (at < end && !this.#isEnding && this.#untaken.length === 0) {
        if (!request.parse(bytes, at, end)) {
          this.#needed = request.needed - at;
          if (this.#needed > REQUEST_BYTES_MAX) throw new ProtocolError('request too large');
          break;
        }
        at = request.next;
        execute(this.#context);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      replies.error(`ERR ${error.message}`);
      this.quit();
    }
    replies.flush();
    if (!this.#isEnding) return at;
    this.#endIfSent();
    return end;
  }

  // ---------------------------------------------------------------- what goes out

  send(bytes: Uint8Array, isLasting: boolean): void {
    const taken = this.#untaken.length === 0 ? this.#socket.write(bytes) : 0;
    if (taken === bytes.length) return;
    const rest = bytes.subarray(taken);
    if (this.#untaken.length === 0) this.#socket.pause();
    this.#untaken.push(isLasting ? rest : rest.slice());
  }

  /** The socket takes more. */
  drained(): void {
    const untaken = this.#untaken;
    while (untaken.length > 0) {
      const taken = this.#socket.write(untaken[0]);
      if (taken < untaken[0].length) {
        untaken[0] = untaken[0].subarray(taken);
        return;
      }
      untaken.shift();
    }
    this.#needed = 0;
    this.#answerPending();
    if (untaken.length > 0) return;
    this.#endIfSent();
    this.#socket.resume();
  }

  /** The client has said all it will say. What it asked for it still gets. */
  ended(): void {
    if (this.#untaken.length > 0) this.#isHalfClosed = true;
    else this.#socket.end();
  }

  #isHalfClosed = false;

  quit(): void {
    this.#isEnding = true;
  }

  #endIfSent(): void {
    if ((this.#isEnding || this.#isHalfClosed) && this.#untaken.length === 0) this.#socket.end();
  }
}
