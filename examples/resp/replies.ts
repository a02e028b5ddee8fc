/** Replies of RESP2, written one behind the other into memory that is used again and again. */

const BYTES = 128 * 1024;
/** Room for what stands around a value, and for numbers. */
const LINE_BYTES = 64;
/** Values of so many bytes are sent as they are, without a copy among the other replies. */
export const LARGE_BYTES = 16 * 1024;

const CR = 13;
const LF = 10;
const ZERO = 48;

/** Who gets what is written. */
export interface Receiver {
  /** Take these bytes. They are overwritten afterwards, unless they are said to be `lasting`. */
  send(bytes: Uint8Array, isLasting: boolean): void;
}

/** Where replies are written to. One for all connections: it is empty before the next gets its turn. */
export class Replies {
  readonly #bytes = Buffer.allocUnsafeSlow(BYTES);
  #at = 0;
  #receiver!: Receiver;

  /** Who gets the replies that follow. */
  begin(receiver: Receiver): void {
    this.#receiver = receiver;
  }

  /** Hand over what was written. */
  flush(): void {
    if (this.#at === 0) return;
    const bytes = this.#bytes.subarray(0, this.#at);
    this.#at = 0;
    this.#receiver.send(bytes, false);
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes > BYTES) this.flush();
  }

  /** `+text`, in ASCII. */
  simple(text: string): void {
    this.#line(43, text);
  }

  /** `-text`: it begins with the error's code. */
  error(text: string): void {
    // A line break of the client's own in it would begin another reply.
    this.#line(45, text.replaceAll(/[\r\n]/g, ' '));
  }

  #line(type: number, text: string): void {
    this.#reserve(text.length + LINE_BYTES);
    const bytes = this.#bytes;
    bytes[this.#at++] = type;
    if (text.length > LINE_BYTES) this.#at += bytes.write(text, this.#at, 'latin1');
    else for (let i = 0; i < text.length; i++) bytes[this.#at++] = text.charCodeAt(i);
    this.#end();
  }

  #end(): void {
    this.#bytes[this.#at++] = CR;
    this.#bytes[this.#at++] = LF;
  }

  integer(value: number | bigint): void {
    this.#number(58, value);
  }

  /** The head of an array of so many replies, which follow. */
  array(length: number): void {
    this.#number(42, length);
  }

  #number(type: number, value: number | bigint): void {
    this.#reserve(LINE_BYTES);
    this.#bytes[this.#at++] = type;
    this.#at = writeNumber(this.#bytes, this.#at, value);
    this.#end();
  }

  nil(): void {
    this.#number(36, -1);
  }

  nilArray(): void {
    this.#number(42, -1);
  }

  /** The first `length` bytes of a value. A large one must not be changed any more: it may be sent later. */
  bulk(value: Uint8Array, length = value.length): void {
    this.#reserve(Math.min(length, LARGE_BYTES) + LINE_BYTES);
    this.#number(36, length);
    if (length >= LARGE_BYTES) {
      this.flush();
      this.#receiver.send(value.subarray(0, length), true);
    } else if (length <= 64) {
      // By hand: a call to copy costs more.
      const bytes = this.#bytes;
      const at = this.#at;
      for (let i = 0; i < length; i++) bytes[at + i] = value[i];
      this.#at = at + length;
    } else {
      this.#bytes.set(length === value.length ? value : value.subarray(0, length), this.#at);
      this.#at += length;
    }
    this.#end();
  }

  /** A value that is text. */
  text(value: string): void {
    this.bulk(Buffer.from(value));
  }
}

/** The decimal digits of a number. Returns where they end. */
export function writeNumber(bytes: Uint8Array, start: number, value: number | bigint): number {
  let at = start;
  if (typeof value === 'bigint' || value < 0 || value > 0x7fff_ffff) {
    const text = String(value);
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    return at;
  }
  let digits = 1;
  for (let power = 10; power <= value; power *= 10) digits++;
  at += digits;
  let rest = value | 0;
  for (let i = at - 1; i >= start; i--) {
    const quotient = (rest / 10) | 0;
    bytes[i] = ZERO + rest - quotient * 10;
    rest = quotient;
  }
  return at;
}
