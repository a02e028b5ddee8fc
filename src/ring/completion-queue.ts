import { IO_CQRING_OFFSETS, IO_URING_PARAMS } from '../abi/layouts.ts';

/** The completion queue: the kernel writes entries and moves the tail, we read them and move the head. */
export class CompletionQueue {
  readonly entries: number;
  /** One past the last entry reaped; the kernel learns of it by publish(). */
  head: number;
  /** The ring's memory in words. */
  words: Int32Array;
  /** Entry `cursor` begins at word `first + (cursor & mask) * 4`: user_data low and high, res, flags. */
  readonly first: number;
  readonly mask: number;
  readonly #kernelHead: number;
  readonly #kernelTail: number;

  /** The head that the kernel knows. */
  #published: number;
  /**
   * With DEFER_TASKRUN the kernel posts only inside calls that this thread makes: plain loads and stores are in
   * order with that. Otherwise it may post at any moment from another processor, and they must acquire and
   * release. Atomics are calls of 5 to 10 ns each in V8, which a round trip of one operation would feel.
   */
  readonly #postedInCalls: boolean;

  /** @param postedInCalls the ring has IORING_SETUP_DEFER_TASKRUN */
  constructor(ring: ArrayBuffer, params: DataView, postedInCalls: boolean) {
    const offset = (field: number): number =>
      params.getUint32(IO_URING_PARAMS.cq_off + field, true) >>> 2;
    this.entries = params.getUint32(IO_URING_PARAMS.cq_entries, true);
    this.mask = this.entries - 1;
    this.first = offset(IO_CQRING_OFFSETS.cqes);
    this.#kernelHead = offset(IO_CQRING_OFFSETS.head);
    this.#kernelTail = offset(IO_CQRING_OFFSETS.tail);
    this.words = new Int32Array(ring);
    this.head = Atomics.load(this.words, this.#kernelHead);
    this.#published = this.head;
    this.#postedInCalls = postedInCalls;
  }

  /** The kernel's tail: entries before it are complete. Acquires them, where that takes more than a plain load. */
  get tail(): number {
    if (this.#postedInCalls) return this.words[this.#kernelTail];
    return Atomics.load(this.words, this.#kernelTail);
  }

  /** Completions that wait to be reaped. */
  get ready(): number {
    return (this.tail - this.head) | 0;
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

  /** Let go of the shared memory, which is about to be unmapped. From now on the queue is empty. */
  detach(): void {
    this.words = new Int32Array(Math.max(this.#kernelHead, this.#kernelTail) + 1);
    this.head = 0;
    this.#published = 0;
  }
}
