import { randomFillSync } from 'node:crypto';
import { wrongState } from './arguments/argument-errors.ts';

/** How many bits of a key are the slot: more than four million operations can lend something at a time. */
const SLOT_BITS = 22;
const SLOT_MASK = (1 << SLOT_BITS) - 1;

/** Random numbers are drawn so many at a time: one by one they would cost more than the operation. */
const DRAWN_WORDS = 8192;
const drawn = new Int32Array(new ArrayBuffer(4 * DRAWN_WORDS));
let next = DRAWN_WORDS;
/** As it was when this was loaded. */
const draw = randomFillSync;

/**
 * The operations that lend memory to the kernel, and the ones that return descriptors, from the moment they are queued
 * to their last completion. While an operation is here its buffer is referenced and cannot be collected.
 *
 * `userData` belongs to the caller: all 64 bits of it, and it may repeat. So it cannot say which
 * buffer a completion frees. An operation with a pin therefore goes to the kernel under a key of ours,
 * and the completion is translated back:
 *
 *     bits  0 … 21     slot in the arrays below
 *     bits 22 … 31     drawn at random for the slot, when the arrays are made
 *     bits 32 … 63     drawn at random for this use of the slot; never 0
 *
 * Operations that lend nothing keep the caller's value and cost nothing here, unless that value is the key of an
 * operation in flight: then it gets a slot too.
 *
 * A completion counts only if it carries the whole key that its slot has now; a late or doubled one is handed to the
 * caller as it came and frees nothing. A message from another ring may carry any value. To free the pin of an operation
 * that stays in flight, it must guess 42 bits: 2^41 messages on the average, which is more than four days at the six
 * million in a second that a processor makes of them, and the operation's next use of the slot begins anew. All of the
 * chance comes from the operating system's generator (node:crypto), and no key is ever told to anybody but the kernel.
 */
export class Pins {
  /** Slots in use. */
  size = 0;
  /** Was there ever a {@link Lease}? While not, a reaper need not look for one. */
  leased = false;
  #keyLow: Int32Array;
  #keyHigh: Int32Array;
  #userLow: Int32Array;
  #userHigh: Int32Array;
  /** The opcode that was prepared, and the descriptor it works on. */
  #opcode: Uint8Array;
  #fd: Int32Array;
  readonly #lent: unknown[] = [];
  #free: Int32Array;

  constructor(capacity: number) {
    this.#keyLow = keysFrom(new Int32Array(0), capacity);
    this.#keyHigh = new Int32Array(capacity);
    this.#userLow = new Int32Array(capacity).fill(UNSEARCHED);
    this.#userHigh = new Int32Array(capacity);
    this.#opcode = new Uint8Array(capacity);
    this.#fd = new Int32Array(capacity);
    this.#free = new Int32Array(capacity);
    for (let i = 0; i < capacity; i++) {
      this.#lent.push(undefined);
      this.#free[i] = capacity - 1 - i;
    }
  }

  /**
   * Hold `lent` for an operation of this `userData`. The slot; its operation goes to the kernel under the key
   * {@link keyLow} and {@link keyHigh}.
   * @throws {Error} `ERR_INVALID_STATE` four million operations are in flight
   */
  hold(userLow: number, userHigh: number, lent: unknown): number {
    if (this.size === this.#free.length) this.#grow();
    const slot = this.#free[this.#free.length - 1 - this.size++];
    if (next === DRAWN_WORDS) redraw();
    const chance = drawn[next++];
    this.#keyHigh[slot] = chance === 0 ? 1 : chance;
    this.#userLow[slot] = userLow;
    this.#userHigh[slot] = userHigh;
    this.#lent[slot] = lent;
    return slot;
  }

  /** Remember what the operation in `slot` is, for those who look for it by that. */
  describe(slot: number, opcode: number, fd: number): void {
    this.#opcode[slot] = opcode;
    this.#fd[slot] = fd;
  }

  opcode(slot: number): number {
    return this.#opcode[slot];
  }

  fd(slot: number): number {
    return this.#fd[slot];
  }

  /** The low half of the key of `slot`'s operation. */
  keyLow(slot: number): number {
    return this.#keyLow[slot];
  }

  /** The high half of it, which is never 0. */
  keyHigh(slot: number): number {
    return this.#keyHigh[slot];
  }

  /** The slot of the operation in flight that has this key; -1 if there is none. */
  slotOf(low: number, high: number): number {
    const slot = low & SLOT_MASK;
    const isKey = this.#keyHigh[slot] === high && this.#keyLow[slot] === low && this.#lent[slot] !== undefined;
    return isKey ? slot : -1;
  }

  /** The high half of the userData by which the ring's own end asks for `slot`; the low half is its key's. */
  answerHigh(slot: number): number {
    return this.#keyHigh[slot] ^ ANSWER;
  }

  /** The slot that this is the answer for, whether its operation is over or not; -1 if it is none. */
  answered(low: number, high: number): number {
    const slot = low & SLOT_MASK;
    return this.#keyLow[slot] === low && (this.#keyHigh[slot] ^ ANSWER) === high ? slot : -1;
  }

  userLow(slot: number): number {
    return this.#userLow[slot];
  }

  userHigh(slot: number): number {
    return this.#userHigh[slot];
  }

  lent(slot: number): unknown {
    return this.#lent[slot];
  }

  /** Hold something else for the operation in `slot` than was held so far. */
  replace(slot: number, lent: unknown): void {
    this.#lent[slot] = lent;
  }

  /** The last completion was reaped: let go of the buffer. */
  release(slot: number): void {
    this.#lent[slot] = undefined;
    this.#userLow[slot] = UNSEARCHED;
    this.#free[this.#free.length - this.size--] = slot;
  }

  /**
   * The slot of an operation with this `userData` that `accepts` takes, or -1. A search through all slots, for
   * cancelling is rare: an index would cost every operation.
   */
  find(userLow: number, userHigh: number, accepts: (slot: number) => boolean): number {
    if (this.size === 0) return -1;
    const lows = this.#userLow;
    for (let slot = lows.indexOf(userLow); slot !== -1; slot = lows.indexOf(userLow, slot + 1)) {
      const inFlight = this.#userHigh[slot] === userHigh && this.#lent[slot] !== undefined;
      if (inFlight && accepts(slot)) return slot;
    }
    return -1;
  }

  /** All slots of operations with this `userData`. */
  findAll(userLow: number, userHigh: number, accepts: (slot: number) => boolean): number[] {
    const found: number[] = [];
    this.find(userLow, userHigh, (slot) => {
      if (accepts(slot)) found.push(slot);
      return false;
    });
    return found;
  }

  /** Is there an operation in flight that `lent` is held for, by itself or in a lease? */
  holdsFor(lent: unknown): boolean {
    return this.#lent.some((held) => held === lent || (held instanceof Lease && held.holds(lent)));
  }

  /** The slots of all operations in flight that are here. */
  all(): number[] {
    return [...this.#lent.keys()].filter((slot) => this.#lent[slot] !== undefined);
  }

  /** The slots of all operations in flight that lend something, or bring something. */
  held(): number[] {
    return [...this.#lent.keys()].filter((slot) => this.#lent[slot] !== undefined && this.#lent[slot] !== NOTHING);
  }

  #grow(): void {
    const used = this.#free.length;
    if (used > SLOT_MASK) {
      const message =
        `Cannot queue: ${used} operations that lend memory are in flight, and there can be no more: reap first`;
      throw wrongState('ERR_INVALID_STATE', message);
    }
    const capacity = Math.min(used * 2, SLOT_MASK + 1);
    const wider = (from: Int32Array, rest: number): Int32Array => {
      const to = new Int32Array(capacity).fill(rest);
      to.set(from);
      return to;
    };
    this.#keyLow = keysFrom(this.#keyLow, capacity);
    this.#keyHigh = wider(this.#keyHigh, 0);
    this.#userLow = wider(this.#userLow, UNSEARCHED);
    this.#userHigh = wider(this.#userHigh, 0);
    this.#fd = wider(this.#fd, 0);
    const opcodes = this.#opcode;
    this.#opcode = new Uint8Array(capacity);
    this.#opcode.set(opcodes);
    while (this.#lent.length < capacity) this.#lent.push(undefined);
    // Every old slot is in use; the free ones are the new ones, taken from the end of the unused part.
    this.#free = new Int32Array(capacity);
    for (let i = 0; used + i < capacity; i++) this.#free[i] = capacity - 1 - i;
  }
}

function redraw(): void {
  draw(drawn);
  next = 0;
}

/** The low halves of `capacity` keys, of which those that are there stay. */
function keysFrom(old: Int32Array, capacity: number): Int32Array {
  const keys = draw(new Int32Array(capacity));
  for (let slot = 0; slot < capacity; slot++) keys[slot] = (keys[slot] & ~SLOT_MASK) | slot;
  keys.set(old);
  return keys;
}

/** A value that is hardly ever searched for: {@link Pins.find} does not stop at free slots. */
const UNSEARCHED = 0x6b8b_4567;

/**
 * Held in place of memory by an operation that returns a descriptor: one that nobody reaps before the ring closes
 * must be closed with it.
 */
export const DESCRIPTOR = Symbol('descriptor');

/** Held by an operation that lends nothing but has to be known by a key of ours. */
export const NOTHING = null;

/** Where in its provided buffers a completion's data is. */
export interface Placement {
  /** The byte of the first buffer that it begins at. */
  offset: number;
  /** How many bytes there are: `res` at most, which may tell the length of a datagram that was cut. */
  length: number;
}

/** A group of provided buffers: it is told which of them a completion has filled. */
export interface BufferSource {
  /**
   * Buffer `bid`, or that and others, are the caller's now. Corrects `data`, which is offset 0 and length `res` before.
   */
  take(bid: number, res: number, flags: number, data: Placement): void;
}

/** A thing that an operation holds which is more than a piece of memory. */
export class Lease implements BufferSource {
  /** The thing that stays alive with it: memory, {@link DESCRIPTOR}, or another lease. */
  readonly lent: unknown;
  readonly #source: BufferSource | undefined;

  constructor(lent: unknown, source?: BufferSource) {
    this.lent = lent;
    this.#source = source;
  }

  take(bid: number, res: number, flags: number, data: Placement): void {
    (this.#source ?? (this.lent as BufferSource)).take(bid, res, flags, data);
  }

  /**
   * A completion of the operation is reaped. The `res` to show to the caller; undefined when it is not to be shown, and
   * the slot is still in use.
   */
  complete(res: number, _flags: number): number | undefined {
    return this.lent instanceof Lease ? this.lent.complete(res, _flags) : res;
  }

  /**
   * The `res` that the caller will see of the last of these, which are the operation's completions that are not reaped
   * yet; undefined when that one will not be shown.
   */
  shows(results: readonly number[]): number | undefined {
    return this.lent instanceof Lease ? this.lent.shows(results) : results[results.length - 1];
  }

  /** Nobody will see this completion: close the descriptors that came with it. */
  abandon(res: number, close: (fd: number) => void): void {
    if (this.lent instanceof Lease) this.lent.abandon(res, close);
    else if (this.lent === DESCRIPTOR && res >= 0) close(res);
  }

  /** Is `what` held? */
  holds(what: unknown): boolean {
    const source = this.#source;
    if (this.lent === what || source === what) return true;
    return (this.lent instanceof Lease && this.lent.holds(what)) || (source instanceof Lease && source.holds(what));
  }
}

/** This makes of a key the mark of an answer. */
const ANSWER = 1 << 30;
