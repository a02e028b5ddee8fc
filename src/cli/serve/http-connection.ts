import type { LeanSocket } from '../../socket/index.ts';
import { plainAnswer, statusLine, type Answer, type FilePart } from './http-answer.ts';
import { RequestReader, type HttpRequest, type Incoming } from './http-request.ts';
import type { HotFile } from './hot-files.ts';
import type { ServedFile } from './served-tree.ts';
import type { Found, Site } from './site.ts';

/**
 * Requests of one connection that wait for their turn: with more of them no more is read, until there are few again.
 */
const WAITING_MAX = 64;
const WAITING_FEW = 8;
/**
 * After the last answer the connection stays open for so long, and for so many bytes: closed at once, the answer might
 * not arrive.
 */
const LINGER_MS = 2000;
const LINGER_BYTES = 1 << 20;
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** The client is gone. */
const GONE = new Error('The connection is closed');

/** A client: its requests, answered one after the other. */
export class HttpConnection {
  readonly #site: Site;
  readonly #socket: LeanSocket<HttpConnection>;
  readonly #reader: RequestReader;
  readonly #incoming: Incoming[] = [];
  /** When something must have happened, on the clock of `performance`. */
  #deadline: number;
  #isAnswering = false;
  #isPaused = false;
  #isEndedByPeer = false;
  #isClosed = false;
  /** A head has begun, or a body. */
  #isInRequest = false;
  /** Nothing is answered any more; what comes is thrown away. */
  #isLingering = false;
  #lingeredBytes = 0;
  #bytesSeen = 0;
  /** Bytes that the socket has taken. */
  #taken = 0;
  #wake: (() => void) | undefined;

  constructor(site: Site, socket: LeanSocket<HttpConnection>) {
    this.#site = site;
    this.#socket = socket;
    this.#reader = new RequestReader(site.limits.head);
    this.#deadline = performance.now() + site.limits.headMs;
  }

  /** There are too many of them. */
  refuse(): void {
    this.#isAnswering = true;
    void this.#answerAll([{ refusal: 503 }]);
  }

  received(data: Buffer): void {
    if (this.#isLingering || this.#reader.isBroken) {
      this.#lingeredBytes += data.length;
      if (this.#lingeredBytes > LINGER_BYTES) this.#socket.close();
      return;
    }
    const before = this.#incoming.length;
    const hasHead = this.#reader.push(data, this.#incoming);
    const isInRequest = this.#reader.isInBody || this.#incoming.length === before;
    // The clock of a request begins with its first byte, and anew for its body: not with every byte.
    if (!isInRequest || !this.#isInRequest || hasHead) this.#beginWait(isInRequest);
    if (this.#reader.isContinueWanted && !this.#isAnswering && this.#incoming.length === 0) {
      this.#reader.isContinueWanted = false;
      this.#socket.write(CONTINUE);
    }
    if (this.#incoming.length > WAITING_MAX && !this.#isPaused) {
      this.#isPaused = true;
      this.#socket.pause();
    }
    if (this.#isAnswering || this.#incoming.length === 0) return;
    this.#isAnswering = true;
    void this.#answerAll(this.#incoming);
  }

  drained(): void {
    this.#wakeUp();
  }

  /** The peer sends no more, and may still want its answers. */
  ended(): void {
    this.#isEndedByPeer = true;
    if (!this.#isAnswering) this.#socket.close();
  }

  closed(): void {
    this.#isClosed = true;
    this.#wakeUp();
  }

  /** Close as soon as what was asked for is answered. */
  stop(): void {
    if (!this.#isAnswering) this.#socket.close();
  }

  /** Has it taken too long? Asked now and then. */
  check(now: number): void {
    if (now < this.#deadline) return;
    if (this.#isLingering) {
      this.#socket.close();
      this.#deadline = now + LINGER_MS;
    } else if (this.#isAnswering) {
      const { bytesWritten, writableLength } = this.#socket;
      const isStuck = writableLength > 0 && bytesWritten === this.#bytesSeen;
      this.#bytesSeen = bytesWritten;
      if (isStuck) this.#socket.terminate();
      else this.#deadline = now + this.#site.limits.sendMs;
    } else if (this.#isInRequest) {
      this.#isAnswering = true;
      void this.#answerAll([{ refusal: 408 }]);
    } else {
      this.#socket.close();
    }
  }

  /** Wait for the rest of a request, or for the next one. */
  #beginWait(isInRequest: boolean): void {
    const { headMs, idleMs } = this.#site.limits;
    this.#isInRequest = isInRequest;
    if (!this.#isAnswering) this.#deadline = performance.now() + (isInRequest ? headMs : idleMs);
  }

  async #answerAll(incoming: Incoming[]): Promise<void> {
    try {
      for (let next = incoming.shift(); next !== undefined && !this.#isClosed; next = incoming.shift()) {
        this.#bytesSeen = this.#socket.bytesWritten;
        this.#deadline = performance.now() + this.#site.limits.sendMs;
        if (!(await this.#answer(next, incoming.length === 0))) {
          this.#linger();
          return;
        }
        if (this.#isPaused && incoming.length <= WAITING_FEW) {
          this.#isPaused = false;
          this.#socket.resume();
        }
      }
    } catch (error) {
      // The client is gone, or the file is not what it was when its length was told: there is no other way to say so.
      this.#socket.terminate();
      if (error !== GONE) this.#site.report(error as Error);
      return;
    }
    this.#isAnswering = false;
    if (this.#isEndedByPeer || this.#site.isStopping) this.#socket.close();
    else this.#beginWait(this.#isInRequest);
  }

  /** @returns may another one follow? */
  async #answer({ request, refusal }: Incoming, isLast: boolean): Promise<boolean> {
    const start = request?.start ?? performance.now();
    let found: Found;
    if (refusal === undefined) {
      const finding = this.#site.find(request!);
      // What is at hand is answered in the same turn.
      found = finding instanceof Promise ? await finding : finding;
    } else {
      found = { answer: plainAnswer(refusal, refusal === 503 ? 'Retry-After: 1\r\n' : ''), file: undefined };
    }
    const { answer, file } = found;
    const keepAlive = refusal === undefined && request!.keepAlive &&
      !(isLast && (this.#site.isStopping || this.#isEndedByPeer));
    const head = Buffer.from(this.#head(answer, request, keepAlive), 'latin1');
    const before = this.#taken;
    try {
      const sending = this.#send(head, request?.method === 'HEAD' ? [] : answer.body, file);
      if (sending !== undefined) await sending;
    } finally {
      if (file !== undefined) this.#site.release(file);
      this.#site.answered({
        address: this.#socket.remoteAddress,
        request,
        status: answer.status,
        bytes: Math.max(0, this.#taken - before - head.length),
        milliseconds: performance.now() - start,
      });
    }
    return keepAlive;
  }

  #head({ status, fields, length }: Answer, request: HttpRequest | undefined, keepAlive: boolean): string {
    const connection = !keepAlive ? 'Connection: close\r\n'
      : request?.version === 'HTTP/1.0' ? 'Connection: keep-alive\r\n' : '';
    // A 204 has none, and of a 304 it would be that of the file.
    const size = status === 204 || status === 304 ? '' : `Content-Length: ${length}\r\n`;
    return `${statusLine(status)}Server: iouring\r\nDate: ${this.#site.date()}\r\n${connection}${fields}${size}\r\n`;
  }

  /** Send the head, and what follows it. @returns undefined if the socket has taken all of it already */
  #send(head: Buffer, body: Answer['body'], file: HotFile | undefined): Promise<void> | undefined {
    const wait = this.#write(head);
    if (wait === undefined && body.length <= 1) return body.length === 0 ? undefined : this.#sendPiece(body[0], file);
    return (async () => {
      if (wait !== undefined) await wait;
      for (const piece of body) await this.#sendPiece(piece, file);
    })();
  }

  #sendPiece(piece: Buffer | FilePart, file: HotFile | undefined): Promise<void> | undefined {
    if (Buffer.isBuffer(piece)) return this.#write(piece);
    const { offset, length } = piece;
    const { contentsNow } = file!;
    return contentsNow === undefined ? this.#sendPart(file!.file, offset, length)
      : this.#write(contentsNow.subarray(offset, offset + length));
  }

  async #sendPart(file: ServedFile, offset: number, length: number): Promise<void> {
    const buffer = this.#site.buffers.take();
    try {
      for (let sent = 0; sent < length;) {
        const read = await file.read(buffer, offset + sent, Math.min(length - sent, buffer.length));
        if (read === 0) throw new Error('A file became shorter while it was sent');
        const wait = this.#write(buffer.subarray(0, read));
        if (wait !== undefined) await wait;
        sent += read;
      }
    } finally {
      this.#site.buffers.give(buffer);
    }
  }

  /** Have the socket take all of it. @returns undefined if it has, and otherwise when it will have */
  #write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#isClosed) return Promise.reject(GONE);
    const taken = this.#socket.write(bytes);
    this.#taken += taken;
    return taken === bytes.length ? undefined : this.#writeRest(bytes, taken);
  }

  async #writeRest(bytes: Uint8Array, offset: number): Promise<void> {
    while (offset < bytes.length) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      if (this.#isClosed) throw GONE;
      const taken = this.#socket.write(bytes, offset);
      offset += taken;
      this.#taken += taken;
    }
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** That was the last answer. */
  #linger(): void {
    if (this.#isEndedByPeer) {
      this.#socket.close();
      return;
    }
    this.#isLingering = true;
    this.#isAnswering = false;
    this.#deadline = performance.now() + LINGER_MS;
    this.#socket.end();
    if (this.#isPaused) this.#socket.resume();
  }
}
