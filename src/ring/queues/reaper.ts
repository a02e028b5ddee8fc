import {
  IORING_CQE_BUFFER_SHIFT,
  IORING_CQE_F_32,
  IORING_CQE_F_BUFFER,
  IORING_CQE_F_MORE,
  IORING_CQE_F_SKIP,
  IORING_SETUP_CQE32,
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_IOPOLL,
} from '../../abi/flags.ts';
import { checkInteger, wrongState, wrongType } from '../arguments/argument-errors.ts';
import { Completion } from '../completion.ts';
import { Lease, type BufferSource, type Pins, type Placement } from '../pins.ts';
import type { RingCore } from '../ring-core.ts';
import type { RingResources } from '../ring-resources.ts';
import type { CompletionQueue } from './completion-queue.ts';
import { flushOverflow } from './overflow.ts';

/** More completions than there can be. */
export const ALL = 2 ** 30 - 1;

/** Takes completions out of a ring's queue, and gives userData and memory back. */
export class Reaper {
  // Declared only, so that the constructor is the first to write them, and the last: see RingCore.
  declare readonly core: RingCore;
  declare readonly resources: RingResources;
  declare readonly cq: CompletionQueue;
  declare readonly pins: Pins;
  /** Completions are looked for on the device, and only by a call that waits for them. */
  readonly #ioPolled: boolean;
  readonly #cursor = new Completion();
  readonly #placement: Placement = { offset: 0, length: 0 };
  /** The last 16 bytes of a completion that has 32; none is to be had in a ring without such. */
  readonly #extra: Int32Array | undefined;
  /** Completions of this ring may have 32 bytes, or begin in the middle of a buffer: each wants a closer look. */
  #unusual = false;

  constructor(core: RingCore) {
    const { setupFlags } = core.resources;
    this.core = core;
    this.resources = core.resources;
    this.cq = core.cq;
    this.pins = core.pins;
    this.#ioPolled = (setupFlags & IORING_SETUP_IOPOLL) !== 0;
    const big = IORING_SETUP_CQE32 | IORING_SETUP_CQE_MIXED;
    this.#extra = setupFlags & big ? new Int32Array(4) : undefined;
    this.#unusual = this.#extra !== undefined;
  }

  forEach(callback: (c: Completion) => void, max: number): number {
    this.core.checkOpen();
    if (typeof callback !== 'function') throw wrongType('callback', 'of type function', callback);
    if (max !== ALL) checkInteger('max', max, 1, ALL);
    return this.#reapAll(callback, max);
  }

  peek(): Completion | undefined {
    this.core.checkOpen();
    const cq = this.cq;
    const pins = this.pins;
    const { words, first, mask, shift, end } = cq;
    const seen = new Map<Lease, number[]>();
    for (let { head } = cq; head !== end; head = (head + 1) | 0) {
      const word = first + ((head & mask) << shift);
      const flags = words[word + 3];
      if (this.#extra !== undefined && flags & IORING_CQE_F_SKIP) continue;
      const [low, high] = [words[word], words[word + 1]];
      const slot = high === 0 ? -1 : pins.slotOf(low, high);
      const lease = slot < 0 ? undefined : pins.lent(slot);
      let res = words[word + 2];
      if (lease instanceof Lease) {
        const results = [...(seen.get(lease) ?? []), res];
        seen.set(lease, results);
        const shown = lease.shows(results);
        if (shown === undefined) continue;
        res = shown;
      }
      const found = new Completion();
      Completion.set(found, slot < 0 ? low : pins.userLow(slot), slot < 0 ? high : pins.userHigh(slot), res, flags);
      const big = shift === 3 || (cq.mixed && (flags & IORING_CQE_F_32) !== 0);
      if (big) Completion.setExtra(found, words.slice(word + 4, word + 8));
      return found;
    }
    return undefined;
  }

  *completions(): Generator<Completion, void, undefined> {
    this.core.checkOpen();
    const cursor = this.#cursor;
    while (!this.resources.closed && this.#reapAll(NOTHING_MORE, 1) > 0) yield cursor;
  }

  copy(max: number): Completion[] {
    checkInteger('max', max, 1, ALL);
    this.core.checkOpen();
    const copies: Completion[] = [];
    this.#reapAll((c) => void copies.push(c.copy()), max);
    return copies;
  }

  #reapAll(callback: (c: Completion) => void, max: number): number {
    if (this.core.reaping) {
      const message = 'Cannot reap inside the callback of forEachCompletion: return from it first';
      throw wrongState('ERR_IOURING_REENTRANT', message);
    }
    this.core.reaping = true;
    let reaped = 0;
    // Was there a look for what the kernel keeps aside, after all places were given back?
    let isDrained = false;
    try {
      reaped = this.#reap(callback, max);
      while (reaped < max && !this.resources.closed && this.#isMore(reaped, max)) {
        const { head } = this.cq;
        reaped += this.#reap(callback, max - reaped);
        // Not even places that the caller gets nothing of.
        if (this.cq.head === head) break;
      }
      isDrained = reaped < max;
    } finally {
      this.core.reaping = false;
      this.cq.publish();
      if (!isDrained) this.core.noteOverflow(this.core.sq.recentFlags);
      if (this.resources.lingering) this.resources.forgetGroups();
    }
    return reaped;
  }

  /** Is there more to reap: left because of what was hidden, or kept back by the kernel so far? */
  #isMore(reaped: number, max: number): boolean {
    return (max !== ALL && this.cq.places > 0) || flushOverflow(this.core, reaped, this.#ioPolled);
  }

  /** Up to `max` of the completions in the queue. How many the callback was given. */
  #reap(callback: (c: Completion) => void, max: number): number {
    const cq = this.cq;
    const pins = this.pins;
    const resources = this.resources;
    const { words, first, mask, shift } = cq;
    const cursor = this.#cursor;
    const start = cq.head;
    if (resources.countsMore) this.#unusual = true;
    let head = start;
    let { end } = cq;
    if (((end - start) | 0) > max) end = (start + max) | 0;
    // Places that the callback is given nothing for.
    let hidden = 0;
    while (head !== end) {
      const word = first + ((head & mask) << shift);
      let low = words[word];
      let high = words[word + 1];
      let res = words[word + 2];
      const flags = words[word + 3];
      head = (head + 1) | 0;
      // Reaped from here on, whatever the callback does.
      cq.head = head;
      if (this.#unusual) {
        const places = this.#inspect(word, flags);
        if (places !== 1) hidden++;
        if (places === 0) continue;
        if (places === 2) cq.head = head = (head + 1) | 0;
        if (((end - head) | 0) < 0) end = head;
      }
      const slot = high === 0 ? -1 : pins.slotOf(low, high);
      if (slot >= 0) {
        low = pins.userLow(slot);
        high = pins.userHigh(slot);
        if (flags & IORING_CQE_F_BUFFER) this.#take(slot, res, flags);
        if (pins.leased) {
          const lent = pins.lent(slot);
          const shown = lent instanceof Lease ? lent.complete(res, flags) : res;
          if (shown === undefined) {
            hidden++;
            continue;
          }
          res = shown;
        }
        if ((flags & IORING_CQE_F_MORE) === 0) pins.release(slot);
      }
      Completion.set(cursor, low, high, res, flags);
      callback(cursor);
      // `words` are unmapped then.
      if (resources.closed) break;
    }
    return ((head - start) | 0) - hidden;
  }

  /** A provided buffer, or several, are the caller's now. */
  #take(slot: number, res: number, flags: number): void {
    const data = this.#placement;
    data.offset = 0;
    data.length = res;
    (this.pins.lent(slot) as BufferSource).take(flags >>> IORING_CQE_BUFFER_SHIFT, res, flags, data);
    if (data.offset === 0 && data.length === res) return;
    Completion.setPlacement(this.#cursor, data.offset, data.length);
    this.#unusual = true;
  }

  /**
   * Have the cursor show of the completion at `word` what not every one has. How many places it takes: 0 is a filler,
   * and no completion.
   */
  #inspect(word: number, flags: number): number {
    const extra = this.#extra;
    if (flags & IORING_CQE_F_MORE) this.resources.unasked++;
    Completion.setPlacement(this.#cursor, 0, -1);
    if (extra === undefined) return 1;
    if (flags & IORING_CQE_F_SKIP) return 0;
    const { shift, words } = this.cq;
    const big = shift === 3 || (this.cq.mixed && (flags & IORING_CQE_F_32) !== 0);
    if (big) { for (let i = 0; i < 4; i++) extra[i] = words[word + 4 + i]; }
    Completion.setExtra(this.#cursor, big ? extra : undefined);
    return big && shift === 2 ? 2 : 1;
  }
}

const NOTHING_MORE = (): void => {};
