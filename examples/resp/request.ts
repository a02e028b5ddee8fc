/** Requests of RESP2, and inline ones, parsed where they lie: no text is made of them, and nothing is copied. */
import { constants } from 'node:buffer';

/** As redis-server has them, or had them when it was more careful. A key becomes a string, and those have an end in V8. */
export const ARGUMENTS_MAX = 1024 * 1024;
export const BULK_BYTES_MAX = Math.min(512 * 1024 * 1024, constants.MAX_STRING_LENGTH);
export const INLINE_BYTES_MAX = 64 * 1024;
export const REQUEST_BYTES_MAX = 1024 * 1024 * 1024;

const CR = 13;
const LF = 10;
const SPACE = 32;
const ZERO = 48;
const STAR = 42;
const DOLLAR = 36;
const DOUBLE_QUOTE = 34;
const SINGLE_QUOTE = 39;
const BACKSLASH = 92;

/** `$0\r\n\r\n`: no argument takes fewer bytes. */
const ARGUMENT_BYTES_MIN = 6;
/** Digits that a length may have; longer ones are beyond every limit. */
const DIGITS_MAX = 10;

/** What is wrong with it, in redis-server's words. */
export class ProtocolError extends Error {
  constructor(message: string) {
    super(`Protocol error: ${message}`);
  }
}

/** The present request: where its arguments are. One for all connections, for it is over before the next is looked at. */
export class Request {
  bytes: Buffer = Buffer.alloc(0);
  /** Arguments, with the command's name. 0: an empty request, which has no answer. */
  count = 0;
  starts = new Int32Array(64);
  ends = new Int32Array(64);
  /** Where the next request begins. */
  next = 0;
  /** The request is not complete: it ends at this index or later. */
  needed = 0;
  /** Where a line goes on; -1 when it is not complete. */
  #at = 0;

  /**
   * Parse the request that begins at `start`.
   * @returns false: it goes on after `end`; {@link needed} says what is worth waiting for
   * @throws {ProtocolError}
   */
  parse(bytes: Buffer, start: number, end: number): boolean {
    this.bytes = bytes;
    this.count = 0;
    if (bytes[start] !== STAR) return this.#parseInline(bytes, start, end);
    const count = this.#number(bytes, start + 1, end, 'invalid multibulk length');
    if (this.#at < 0) return this.#wantsMore(end + 1);
    if (count > ARGUMENTS_MAX) throw new ProtocolError('invalid multibulk length');
    let at = this.#at;
    if (count > this.starts.length) this.#makeRoom(count);
    const { starts, ends } = this;
    for (let i = 0; i < count; i++) {
      if (at >= end) return this.#wantsMore(at + ARGUMENT_BYTES_MIN * (count - i));
      if (bytes[at] !== DOLLAR) throw new ProtocolError(`expected '$', got '${String.fromCharCode(bytes[at])}'`);
      const length = this.#number(bytes, at + 1, end, 'invalid bulk length');
      if (this.#at < 0) return this.#wantsMore(at + ARGUMENT_BYTES_MIN * (count - i));
      if (length < 0 || length > BULK_BYTES_MAX) throw new ProtocolError('invalid bulk length');
      starts[i] = this.#at;
      ends[i] = this.#at + length;
      at = this.#at + length + 2;
      if (at > end) return this.#wantsMore(at + ARGUMENT_BYTES_MIN * (count - i - 1));
    }
    this.count = count > 0 ? count : 0;
    this.next = at;
    return true;
  }

  #wantsMore(needed: number): false {
    this.needed = needed;
    return false;
  }

  /** The number of a line, whose end is in `#at` then. */
  #number(bytes: Uint8Array, start: number, end: number, message: string): number {
    let at = start;
    let value = 0;
    const isNegative = at < end && bytes[at] === 45;
    if (isNegative) at++;
    const first = at;
    for (; at < end; at++) {
      const digit = bytes[at] - ZERO;
      if (digit >= 0 && digit <= 9 && at - first < DIGITS_MAX) value = value * 10 + digit;
      else if (bytes[at] === CR && at > first) break;
      else throw new ProtocolError(message);
    }
    this.#at = at + 2 <= end ? at + 2 : -1;
    return isNegative ? -value : value;
  }

  #makeRoom(count: number): void {
    this.starts = new Int32Array(count);
    this.ends = new Int32Array(count);
  }

  // ---------------------------------------------------------------- a line of words, as a person types it

  #parseInline(bytes: Buffer, start: number, end: number): boolean {
    let at = start;
    let isQuoted = false;
    for (; at < end && bytes[at] !== LF; at++) {
      if (bytes[at] === DOUBLE_QUOTE || bytes[at] === SINGLE_QUOTE) isQuoted = true;
    }
    if (at - start > INLINE_BYTES_MAX) throw new ProtocolError('too big inline request');
    if (at === end) return this.#wantsMore(end + 1);
    this.next = at + 1;
    if (at > start && bytes[at - 1] === CR) at--;
    if (isQuoted) this.#unquote(bytes, start, at);
    else this.#split(bytes, start, at);
    return true;
  }

  #split(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; at++) {
      if (isSpace(bytes[at])) continue;
      const first = at;
      while (at < end && !isSpace(bytes[at])) at++;
      this.#push(first, at);
    }
  }

  /** Quotes make a word of several; in double ones `\n`, `\xff` and so on have their meaning. What is meant is written elsewhere. */
  #unquote(bytes: Uint8Array, start: number, end: number): void {
    const unquoted = Buffer.allocUnsafe(end - start);
    let to = 0;
    this.bytes = unquoted;
    for (let at = start; at < end;) {
      if (isSpace(bytes[at])) {
        at++;
        continue;
      }
      const first = to;
      for (; at < end && !isSpace(bytes[at]); at++) {
        const quote = bytes[at];
        if (quote !== DOUBLE_QUOTE && quote !== SINGLE_QUOTE) {
          unquoted[to++] = quote;
          continue;
        }
        for (at++; bytes[at] !== quote; at++) {
          if (at >= end) throw new ProtocolError('unbalanced quotes in request');
          if (bytes[at] !== BACKSLASH || at + 1 >= end) {
            unquoted[to++] = bytes[at];
          } else if (quote === SINGLE_QUOTE) {
            if (bytes[at + 1] === SINGLE_QUOTE) at++;
            unquoted[to++] = bytes[at];
          } else {
            const hex = bytes[at + 1] === 120 ? hexByte(bytes, at + 2, end) : -1;
            unquoted[to++] = hex >= 0 ? hex : (ESCAPES[String.fromCharCode(bytes[at + 1])] ?? bytes[at + 1]);
            at += hex >= 0 ? 3 : 1;
          }
        }
        if (at + 1 < end && !isSpace(bytes[at + 1])) throw new ProtocolError('unbalanced quotes in request');
      }
      this.#push(first, to);
    }
  }

  #push(start: number, end: number): void {
    if (this.count === this.starts.length) {
      const { starts, ends } = this;
      this.#makeRoom(this.count * 2);
      this.starts.set(starts);
      this.ends.set(ends);
    }
    this.starts[this.count] = start;
    this.ends[this.count++] = end;
  }

  // ---------------------------------------------------------------- its arguments

  /** One byte a character, whatever the bytes mean: good for a key. */
  latin1(i: number): string {
    return this.bytes.toString('latin1', this.starts[i], this.ends[i]);
  }

  length(i: number): number {
    return this.ends[i] - this.starts[i];
  }

  /** A view of it. */
  argument(i: number): Uint8Array {
    return this.bytes.subarray(this.starts[i], this.ends[i]);
  }

  /** Is it this word, whatever the case? `word` is in lower case. */
  is(i: number, word: string): boolean {
    const start = this.starts[i];
    if (this.ends[i] - start !== word.length) return false;
    for (let k = 0; k < word.length; k++) if ((this.bytes[start + k] | 0x20) !== word.charCodeAt(k)) return false;
    return true;
  }
}

const ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, b: 8, a: 7 };

function isSpace(byte: number): boolean {
  return byte === SPACE || (byte >= 9 && byte <= 13);
}

/** The value of two hexadecimal digits; -1 if they are none. */
function hexByte(bytes: Uint8Array, at: number, end: number): number {
  if (at + 2 > end) return -1;
  const text = String.fromCharCode(bytes[at], bytes[at + 1]);
  return /^[0-9a-f]{2}$/i.test(text) ? Number.parseInt(text, 16) : -1;
}
