import type { Submission } from '../submission.ts';

/**
 * Iterations that have begun and are not over, armed or not, by their descriptor. Weak: one that nobody iterates any
 * more may be collected.
 */
export class Iterations {
  readonly #byFd = new Map<number, readonly WeakRef<Submission>[] | WeakRef<Submission>>();

  begun(iteration: Submission): WeakRef<Submission> {
    const reference = new WeakRef(iteration);
    const others = this.#on(iteration.fd);
    // Mostly there is one, and many descriptors.
    this.#byFd.set(iteration.fd, others.length === 0 ? reference : [...others, reference]);
    return reference;
  }

  finished(fd: number, reference: WeakRef<Submission>): void {
    const others = this.#on(fd).filter((other) => other !== reference);
    if (others.length === 0) this.#byFd.delete(fd);
    else this.#byFd.set(fd, others);
  }

  #on(fd: number): readonly WeakRef<Submission>[] {
    const found = this.#byFd.get(fd) ?? [];
    return found instanceof WeakRef ? [found] : found;
  }

  /** On one descriptor. */
  on(fd: number): Submission[] {
    return this.#byFd.has(fd) ? alive(this.#on(fd)) : [];
  }

  /** On all. */
  all(): Submission[] {
    return alive([...this.#byFd.keys()].flatMap((fd) => this.#on(fd)));
  }
}

function alive(references: readonly WeakRef<Submission>[]): Submission[] {
  return references.map((reference) => reference.deref()).filter((one) => one !== undefined);
}
