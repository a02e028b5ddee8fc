import { IORING_CQE_F_32, IORING_CQE_F_SKIP, IORING_CQ_EVENTFD_DISABLED } from '../../abi/flags.ts';
import { IO_CQRING_OFFSETS, IO_URING_PARAMS } from '../../abi/layouts.ts';

/** The completion queue: the kernel writes entries and moves the tail, we read them and move the head. */
export class CompletionQueue {
  entries = 0;
  /** One past the last entry reaped; the kernel learns of it by publish(). */
  head = 0;
  /** The ring's memory in words. */
  words = new Int32Array(0);
  /** Entry `cursor` begins at word `first + ((cursor & mask) << shift)`: user_data low and high, res, flags. */
  first = 0;
  mask = 0;
  /** Words of an entry as a power of two: 2, or 3 for entries of 32 bytes. */
  readonly shift: number;
  /** Entries of both sizes: one of 32 bytes takes two places (IORING_SETUP_CQE_MIXED). */
  readonly mixed: boolean;
  #kernelHead = 0;
  #kernelTail = 0;
  #kernelOverflow = 0;
  #kernelFlags = 0;

  /** The head that the kernel knows. */
  #published = 0;
  /**
   * With DEFER_TASKRUN the kernel posts only inside calls that this thread makes: plain loads and stores are in
   * order with that. Otherwise it may post at any moment from another processor, and they must acquire and
   * release. Atomics are calls of 5 to 10 ns each in V8, which a round trip of one operation would feel.
   */
  readonly #postedInCalls: boolean;

  /**
   * @param layout `postedInCalls`: IORING_SETUP_DEFER_TASKRUN; `big`: IORING_SETUP_CQE32; `mixed`:
   *   IORING_SETUP_CQE_MIXED
   */
  constructor(ring: ArrayBuffer, params: DataView, layout: { postedInCalls: boolean; big: boolean; mixed: boolean }) {
    this.shift = layout.big ? 3 : 2;
    this.mixed = layout.mixed;
    this.#postedInCalls = layout.postedInCalls;
    this.attach(ring, params);
  }

  /** Take this ring for one's own: that of a new ring, or the one that a resized one got in place of the old. */
  attach(ring: ArrayBuffer, params: DataView): void {
    const offset = (field: number): number => params.getUint32(IO_URING_PARAMS.cq_off + field, true) >>> 2;
    this.entries = params.getUint32(IO_URING_PARAMS.cq_entries, true);
    this.mask = this.entries - 1;
    this.first = offset(IO_CQRING_OFFSETS.cqes);
    this.#kernelHead = offset(IO_CQRING_OFFSETS.head);
    this.#kernelTail = offset(IO_CQRING_OFFSETS.tail);
    this.#kernelOverflow = offset(IO_CQRING_OFFSETS.overflow);
    this.#kernelFlags = offset(IO_CQRING_OFFSETS.flags);
    this.words = new Int32Array(ring);
    this.head = Atomics.load(this.words, this.#kernelHead);
    this.#published = this.head;
  }

  /** The kernel's tail: entries before it are complete. Acquires them, where that takes more than a plain load. */
  get tail(): number {
    if (this.#postedInCalls) return this.words[this.#kernelTail];
    return Atomics.load(this.words, this.#kernelTail);
  }

  /**
   * One past the last place that is filled: no further from the head than there are places, whatever the kernel says.
   */
  get end(): number {
    const { tail } = this;
    return (tail - this.head) >>> 0 <= this.entries ? tail : (this.head + this.entries) | 0;
  }

  /** Completions that wait to be reaped. */
  get ready(): number {
    return this.mixed ? this.#count(this.places) : this.places;
  }

  /** Places of the ring that are filled. */
  get places(): number {
    return (this.end - this.head) | 0;
  }

  /** How many of the next places are completions, where some take two and some are fillers. */
  #count(places: number): number {
    let count = 0;
    for (let i = 0; i < places; i++) {
      const flags = this.words[this.first + (((this.head + i) & this.mask) << this.shift) + 3];
      if (flags & IORING_CQE_F_SKIP) continue;
      if (flags & IORING_CQE_F_32) i++;
      count++;
    }
    return count;
  }

  /** How many places the kernel must have filled before `completions` can be there: it counts places. */
  slotsFor(completions: number): number {
    if (!this.mixed) return completions;
    const { places } = this;
    return Math.min(this.entries, completions + places - this.#count(places));
  }

  /**
   * Give the reaped entries back to the kernel. Our reads of them must come before it sees the head.
   */
  publish(): void {
    if (this.head === this.#published) return;
    this.#published = this.head;
    if (this.#postedInCalls) this.words[this.#kernelHead] = this.head;
    else Atomics.store(this.words, this.#kernelHead, this.head);
  }

  /** How many completions the kernel lost because it had no memory to keep them aside. */
  get overflow(): number {
    return this.words[this.#kernelOverflow] >>> 0;
  }

  /** Is a registered eventfd not to be signalled for now? */
  get eventfdDisabled(): boolean {
    return (Atomics.load(this.words, this.#kernelFlags) & IORING_CQ_EVENTFD_DISABLED) !== 0;
  }

  set eventfdDisabled(disabled: boolean) {
    if (disabled) Atomics.or(this.words, this.#kernelFlags, IORING_CQ_EVENTFD_DISABLED);
    else Atomics.and(this.words, this.#kernelFlags, ~IORING_CQ_EVENTFD_DISABLED);
  }

  /** Let go of the shared memory, which is about to be unmapped. From now on the queue is empty. */
  detach(): void {
    const last = Math.max(this.#kernelHead, this.#kernelTail, this.#kernelOverflow, this.#kernelFlags);
    this.words = new Int32Array(1 + last);
    this.head = 0;
    this.#published = 0;
  }
}
