import { Completion } from '../../ring/completion.ts';
import type { Submission } from '../submission.ts';

/** Entries that there is room for in the beginning. */
const ROOM = 64;

/**
 * Completions that were taken out of the ring and not told of, in their order. The ring's own place is free by then,
 * whatever those do that are told.
 */
export class Arrivals {
  /** As long as it ever was: to shorten an array costs more than to use it again. */
  readonly #submissions: (Submission | undefined)[] = [];
  #words = new Int32Array(3 * ROOM);
  #head = 0;
  #tail = 0;
  /** How many there were before those that the array has. */
  #before = 0;
  readonly #cursor = new Completion();
  /** The part that has completed of the submission that was shifted last. */
  part = 0;

  get length(): number {
    return this.#tail - this.#head;
  }

  /** How many have come so far. The next one has this number. */
  get count(): number {
    return this.#before + this.#tail;
  }

  push(submission: Submission, part: number, res: number, flags: number): void {
    const tail = this.#tail++;
    if (3 * tail === this.#words.length) this.#grow();
    if (part === 0 && submission.untold++ === 0) submission.untoldAt = tail;
    this.#submissions[tail] = submission;
    const words = this.#words;
    words[3 * tail] = part;
    words[3 * tail + 1] = res;
    words[3 * tail + 2] = flags;
  }

  #grow(): void {
    const words = new Int32Array(2 * this.#words.length);
    words.set(this.#words);
    this.#words = words;
  }

  /**
   * Take the first: whose it is. {@link part} and {@link completion} tell of it until the next is taken. There is one.
   */
  shift(): Submission {
    const head = this.#head++;
    const submission = this.#submissions[head]!;
    this.#submissions[head] = undefined;
    const words = this.#words;
    this.part = words[3 * head];
    if (this.part === 0) submission.untold--;
    Completion.set(this.#cursor, 0, 0, words[3 * head + 1], words[3 * head + 2]);
    if (this.#head === this.#tail) {
      this.#before += this.#tail;
      this.#head = this.#tail = 0;
    }
    return submission;
  }

  /**
   * Shows the completions of `submission` itself, the oldest first, with their numbers. Nothing is taken. To look for
   * those that there are, and from the first of them on, takes as long whatever others have: many may be closed at the
   * same time. How many completions it has looked at.
   */
  show(submission: Submission, see: (res: number, flags: number, number: number) => void): number {
    const start = Math.max(this.#head, submission.untoldAt);
    let left = submission.untold;
    let i = start;
    for (; left > 0 && i < this.#tail; i++) {
      if (this.#submissions[i] !== submission || this.#words[3 * i] !== 0) continue;
      left--;
      see(this.#words[3 * i + 1], this.#words[3 * i + 2], this.#before + i);
    }
    return i - start;
  }

  /** The submission of the first one; undefined if there is none. */
  get first(): Submission | undefined {
    return this.#submissions[this.#head];
  }

  /** The result of its completion, if there is one. */
  get firstResult(): number {
    return this.#words[3 * this.#head + 1];
  }

  /** The completion of the one that was shifted last; its userData is not told. */
  get completion(): Completion {
    return this.#cursor;
  }
}
