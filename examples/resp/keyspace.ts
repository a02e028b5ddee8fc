/** Keys and their values: bytes under names of bytes, some of them for a time only. */
import { LARGE_BYTES, writeNumber } from './replies.ts';

const ZERO = 48;
const MINUS = 45;
/** Digits of a number that is exact in JavaScript whatever is in them. */
const SAFE_DIGITS = 15;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** Keys whose time is over are looked for so often, and so many with a time are looked at each time. */
const SWEEP_MS = 100;
const SWEEP_KEYS = 1000;

/** A value. */
export class Entry {
  /** Its memory, which may be larger than {@link length} says. Overwritten by the next value unless it is large. */
  bytes: Uint8Array;
  length: number;
  /** Milliseconds since 1970; 0 is never. */
  expiresAt = 0;

  constructor(length: number) {
    this.bytes = memoryFor(length);
    this.length = length;
  }

  /** Become a copy of these bytes. A large value is never changed, for it may be on its way to somebody still. */
  set(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length > this.bytes.length || length * 4 < this.bytes.length || this.bytes.length >= LARGE_BYTES) {
      this.bytes = memoryFor(length);
    }
    this.length = length;
    const to = this.bytes;
    if (length <= 64) { for (let i = 0; i < length; i++) to[i] = bytes[start + i]; }
    else to.set(bytes.subarray(start, end));
  }

  /** These bytes behind what there is. */
  append(bytes: Uint8Array): void {
    const joined = memoryFor(this.length + bytes.length);
    joined.set(this.bytes.subarray(0, this.length));
    joined.set(bytes, this.length);
    this.bytes = joined;
    this.length += bytes.length;
  }

  /** A copy of it. */
  copy(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

/** Small ones are in V8's own heap, which costs least; all have room for a number. */
function memoryFor(length: number): Uint8Array {
  return length <= 64 ? new Uint8Array(Math.max(24, (length + 7) & ~7)) : Buffer.allocUnsafeSlow(length);
}

export class Keyspace {
  readonly #entries = new Map<string, Entry>();
  /** Those that have a time. */
  readonly #mortal = new Map<string, Entry>();
  #sweep: Iterator<[string, Entry]> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** What time it is, in milliseconds since 1970: the same for all of a client's requests that came together. */
  now = Date.now();

  /** Including those whose time is over and that nobody has noticed yet. */
  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.expiresAt === 0 || entry.expiresAt > this.now) return entry;
    this.delete(key);
    return undefined;
  }

  /** Set a value, for ever; or as long as the one before unless its time is changed. */
  set(key: string, bytes: Uint8Array, start: number, end: number, keepsTime = false): Entry {
    const entry = this.get(key);
    if (entry === undefined) {
      const added = new Entry(end - start);
      added.set(bytes, start, end);
      this.#entries.set(key, added);
      return added;
    }
    entry.set(bytes, start, end);
    if (entry.expiresAt !== 0 && !keepsTime) this.expire(key, entry, 0);
    return entry;
  }

  /** Was there anything? */
  delete(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#entries.delete(key);
    if (entry.expiresAt !== 0) this.#mortal.delete(key);
    return entry.expiresAt === 0 || entry.expiresAt > this.now;
  }

  clear(): void {
    this.#entries.clear();
    this.#mortal.clear();
  }

  /** @param at milliseconds since 1970; 0 is never */
  expire(key: string, entry: Entry, at: number): void {
    entry.expiresAt = at;
    if (at === 0) this.#mortal.delete(key);
    else this.#mortal.set(key, entry);
    if (at !== 0) this.#timer ??= setInterval(() => this.#removeExpired(), SWEEP_MS).unref();
  }

  /** A few at a time, round and round. */
  #removeExpired(): void {
    this.now = Date.now();
    for (let i = 0; i < SWEEP_KEYS; i++) {
      this.#sweep ??= this.#mortal.entries();
      const { value, done } = this.#sweep.next();
      if (done) {
        this.#sweep = undefined;
        break;
      }
      if (value[1].expiresAt <= this.now) this.delete(value[0]);
    }
    if (this.#mortal.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = this.#sweep = undefined;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /**
   * Add to the number that a value is.
   * @returns the sum; undefined if the value is no integer of 64 bits, null if the sum would be none
   */
  add(key: string, delta: number | bigint): number | bigint | undefined | null {
    const entry = this.get(key);
    const value = entry === undefined ? 0 : parseInteger(entry.bytes, 0, entry.length);
    if (value === undefined) return undefined;
    let sum: number | bigint = NaN;
    if (typeof value === 'number' && typeof delta === 'number') sum = value + delta;
    if (!Number.isSafeInteger(sum)) {
      sum = BigInt(value) + BigInt(delta);
      if (sum < INT64_MIN || sum > INT64_MAX) return null;
    }
    const target = entry ?? this.set(key, NOTHING, 0, 0);
    if (target.bytes.length < 24) target.bytes = memoryFor(0);
    target.length = writeNumber(target.bytes, 0, sum);
    return sum;
  }
}

const NOTHING = new Uint8Array(0);

/** An integer of 64 bits as redis-server writes it: no spaces, no `+`, no zero in front. undefined if it is none. */
export function parseInteger(bytes: Uint8Array, start: number, end: number): number | bigint | undefined {
  const first = bytes[start] === MINUS ? start + 1 : start;
  const digits = end - first;
  if (digits < 1 || digits > 19) return undefined;
  if (bytes[first] === ZERO && end - start > 1) return undefined;
  let value = 0;
  for (let at = first; at < end; at++) {
    const digit = bytes[at] - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  if (digits <= SAFE_DIGITS) return first === start ? value : -value;
  const exact = BigInt(String.fromCharCode(...bytes.subarray(start, end)));
  return exact < INT64_MIN || exact > INT64_MAX ? undefined : exact;
}
