import { memoryOf, type Lendable } from './memory/lent-memory.ts';
import { Lease, type BufferSource } from './pins.ts';

/**
 * A group of buffers given by IORING_OP_PROVIDE_BUFFERS. The kernel keeps a list of them and forgets a buffer when it
 * hands it out. Which are left it does not tell, only how many went: so all memory of the group is kept here until none
 * is left. A bundle counts as one, for the kernel names only its first: then memory is kept until the ring is closed.
 * So it is when a receive takes one that was armed on a buffer ring of this id before, for nobody can tell of which of
 * the two it was.
 */
export class ClassicGroup implements BufferSource {
  readonly id: number;
  /** Why the group serves no more, once it does not. */
  ended: string | undefined;
  /** By what it is a view of: once, however often its buffers were given. */
  readonly #memory = new Map<ArrayBufferLike, Lendable>();
  #left = 0;

  constructor(id: number) {
    this.id = id;
  }

  /** Give `count` buffers of `memory`. The lease goes with the operation, and takes them back if it fails. */
  provide(memory: Lendable, count: number): Lease {
    this.#memory.set(memoryOf(memory), memory);
    this.#left += count;
    return new Counted(memory, (res) => {
      if (res < 0) this.#gone(count);
    });
  }

  /** The lease of a REMOVE_BUFFERS. */
  removal(): Lease {
    return new Counted(undefined, (res) => {
      if (res > 0) this.#gone(res);
    });
  }

  take(): void {
    this.#gone(1);
  }

  end(reason: string): void {
    this.ended ??= reason;
  }

  #gone(count: number): void {
    this.#left -= count;
    if (this.#left === 0) this.#memory.clear();
  }
}

/** Tells how the operation went. */
class Counted extends Lease {
  readonly #completed: (res: number) => void;

  constructor(memory: unknown, completed: (res: number) => void) {
    super(memory);
    this.#completed = completed;
  }

  override complete(res: number): number {
    this.#completed(res);
    return res;
  }
}
