import { Lease, type BufferSource } from './pins.ts';

/** Buffers that one PROVIDE_BUFFERS gave: `out` tells which of them were handed out since. */
interface Chunk {
  memory: unknown;
  firstBid: number;
  out: Uint8Array;
  left: number;
}

/**
 * A group of buffers given by IORING_OP_PROVIDE_BUFFERS. The kernel keeps a list of them, first in, first out, and
 * forgets a buffer when it hands it out. Their memory is kept here until then: longer than any operation lasts.
 */
export class ClassicGroup implements BufferSource {
  readonly id: number;
  /** Why the group serves no more, once it does not. */
  ended: string | undefined;
  readonly #chunks: Chunk[] = [];
  /** Buffers that REMOVE_BUFFERS took out: how many, the kernel says; which, it does not. */
  #removed = 0;

  constructor(id: number) {
    this.id = id;
  }

  /** Give `count` buffers of `memory`. The lease goes with the operation, and takes them back if it fails. */
  provide(memory: unknown, firstBid: number, count: number): Lease {
    const chunk = { memory, firstBid, out: new Uint8Array(count), left: count };
    this.#chunks.push(chunk);
    return new Provision(memory, () => this.#forget(chunk));
  }

  /** The lease of a REMOVE_BUFFERS. */
  removal(): Lease {
    return new Removal(this, (count) => {
      this.#removed += count;
      const left = this.#chunks.reduce((sum, chunk) => sum + chunk.left, 0);
      if (this.#removed < left) return;
      this.#removed = 0;
      this.#chunks.length = 0;
    });
  }

  take(bid: number): number {
    const holds = ({ firstBid, out }: Chunk): boolean => out[bid - firstBid] === 0;
    const chunk = this.#chunks.find(holds);
    if (chunk) {
      chunk.out[bid - chunk.firstBid] = 1;
      if (--chunk.left === 0) this.#forget(chunk);
    }
    return 0;
  }

  end(reason: string): void {
    this.ended ??= reason;
  }

  #forget(chunk: Chunk): void {
    const index = this.#chunks.indexOf(chunk);
    if (index >= 0) this.#chunks.splice(index, 1);
  }
}

class Provision extends Lease {
  readonly #failed: () => void;

  constructor(memory: unknown, failed: () => void) {
    super(memory);
    this.#failed = failed;
  }

  override complete(res: number): number {
    if (res < 0) this.#failed();
    return res;
  }
}

class Removal extends Lease {
  readonly #removed: (count: number) => void;

  constructor(group: ClassicGroup, removed: (count: number) => void) {
    super(group);
    this.#removed = removed;
  }

  override complete(res: number): number {
    if (res > 0) this.#removed(res);
    return res;
  }
}
