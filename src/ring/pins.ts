/**
 * The operations that lend memory to the kernel, and the ones that return descriptors, from the moment they are queued to their last
 * completion. While an operation is here its buffer is referenced and cannot be collected.
 *
 * `userData` belongs to the caller: all 64 bits of it, and repeated as he likes. So it cannot say which
 * buffer a completion frees. An operation with a pin therefore goes to the kernel under a key of ours,
 * and the completion is translated back:
 *
 *     key, low 32 bits      slot in the arrays below
 *     key, high 32 bits     16 bits drawn at random for this ring, 16 bits generation of the slot
 *
 * Operations that lend nothing keep the caller's value and cost nothing here, unless that value happens to
 * look like a key: then it gets a slot too. A message from another ring, which may carry any value, cannot
 * free a pin without guessing the ring's 16 bits and a live slot's generation.
 *
 * Generations: a completion counts only if its key is the one the slot has now; a late or doubled one is
 * handed to the caller as it came and frees nothing.
 */
export class Pins {
  /** What tells a key from a caller's value: `(high & KEY_MASK) === tag`. */
  readonly tag: number;
  /** Slots in use. */
  size = 0;
  /** Was there ever a {@link Lease}? While not, a reaper need not look for one. */
  leased = false;
  #keyHigh: Int32Array;
  #userLow: Int32Array;
  #userHigh: Int32Array;
  /** What was prepared, and on which descriptor. */
  #opcode: Uint8Array;
  #fd: Int32Array;
  #lent: unknown[];
  #free: Int32Array;

  constructor(capacity: number) {
    // Never 0 or -1: the high half of small numbers and of small negative ones.
    this.tag = (1 + Math.floor(Math.random() * 0xfffe)) << 16;
    this.#keyHigh = new Int32Array(capacity).fill(this.tag);
    this.#userLow = new Int32Array(capacity).fill(this.tag);
    this.#userHigh = new Int32Array(capacity);
    this.#opcode = new Uint8Array(capacity);
    this.#fd = new Int32Array(capacity);
    this.#lent = Array.from({ length: capacity }, () => undefined);
    this.#free = Int32Array.from({ length: capacity }, (_, i) => capacity - 1 - i);
  }

  /** Hold `lent` for an operation of this `userData`. The slot: the low half of the operation's key. */
  hold(userLow: number, userHigh: number, lent: unknown): number {
    if (this.size === this.#free.length) this.#grow();
    const slot = this.#free[this.#free.length - 1 - this.size++];
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

  /** The high half of the key of `slot`'s operation. */
  keyHigh(slot: number): number {
    return this.#keyHigh[slot];
  }

  /** Is this the key of an operation in flight? */
  has(keyLow: number, keyHigh: number): boolean {
    if ((keyHigh & KEY_MASK) !== this.tag) return false;
    return this.#keyHigh[keyLow] === keyHigh && this.#lent[keyLow] !== undefined;
  }

  /** The high half of the userData by which the ring's own end asks for `slot`: no key, and nobody else's either. */
  answerHigh(slot: number): number {
    return this.#keyHigh[slot] ^ ANSWER;
  }

  /** Is this the answer to that? */
  isAnswer(low: number, high: number): boolean {
    return low >= 0 && low < this.#keyHigh.length && (high & KEY_MASK) === (this.tag ^ ANSWER);
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
    // A value that is hardly ever searched for: find() does not stop at free slots.
    this.#userLow[slot] = this.tag;
    this.#keyHigh[slot] = this.tag | ((this.#keyHigh[slot] + 1) & 0xffff);
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

  /** The slots of all operations in flight that lend something, or bring something. */
  held(): number[] {
    return [...this.#lent.keys()].filter((slot) => this.#lent[slot] !== undefined && this.#lent[slot] !== NOTHING);
  }

  #grow(): void {
    const used = this.#free.length;
    const capacity = used * 2;
    const wider = (from: Int32Array, rest: number): Int32Array => {
      const to = new Int32Array(capacity).fill(rest);
      to.set(from);
      return to;
    };
    this.#keyHigh = wider(this.#keyHigh, this.tag);
    this.#userLow = wider(this.#userLow, this.tag);
    this.#userHigh = wider(this.#userHigh, 0);
    this.#fd = wider(this.#fd, 0);
    const opcodes = this.#opcode;
    this.#opcode = new Uint8Array(capacity);
    this.#opcode.set(opcodes);
    while (this.#lent.length < capacity) this.#lent.push(undefined);
    // Every old slot is in use; the free ones are the new ones, taken from the end of the unused part.
    this.#free = new Int32Array(capacity);
    for (let i = 0; i < used; i++) this.#free[i] = capacity - 1 - i;
  }
}

/**
 * Held in place of memory by an operation that returns a descriptor: one that nobody reaps before the ring closes
 * must be closed with it.
 */
export const DESCRIPTOR = Symbol('descriptor');

/** Held by an operation that lends nothing but whose userData looks like one of our keys. */
export const NOTHING = null;

/** A group of provided buffers: it is told which of them a completion has filled. */
export interface BufferSource {
  /** Where in the buffer `bid` the data of this completion begins. */
  take(bid: number, res: number, flags: number): number;
}

/** What an operation holds that is more than a piece of memory. */
export class Lease implements BufferSource {
  /** What stays alive with it: memory, {@link DESCRIPTOR}, or another lease. */
  readonly lent: unknown;
  readonly #source: BufferSource | undefined;

  constructor(lent: unknown, source?: BufferSource) {
    this.lent = lent;
    this.#source = source;
  }

  take(bid: number, res: number, flags: number): number {
    return (this.#source ?? (this.lent as BufferSource)).take(bid, res, flags);
  }

  /**
   * A completion of the operation is reaped. The `res` to show to the caller; undefined when he shall not see it, and
   * the slot is still in use.
   */
  complete(res: number, _flags: number): number | undefined {
    return this.lent instanceof Lease ? this.lent.complete(res, _flags) : res;
  }

  /**
   * What the caller will see as `res` of the last of these, which are the operation's completions that are not reaped
   * yet; undefined when he will not see that one.
   */
  shows(results: readonly number[]): number | undefined {
    return this.lent instanceof Lease ? this.lent.shows(results) : results[results.length - 1];
  }

  /** Nobody will see this completion: close the descriptors that came with it. */
  abandon(res: number, close: (fd: number) => void): void {
    if (this.lent instanceof Lease) this.lent.abandon(res, close);
    else if (this.lent === DESCRIPTOR && res >= 0) close(res);
  }

  /** Is `what` among what is held? */
  holds(what: unknown): boolean {
    return this.lent === what || this.#source === what || (this.lent instanceof Lease && this.lent.holds(what));
  }
}

/** What makes another tag of the ring's. */
const ANSWER = 1 << 30;

/** The bits of a key's high half that are the ring's tag. */
export const KEY_MASK = 0xffff << 16;
