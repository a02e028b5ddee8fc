/// <reference lib="esnext.disposable" preserve="true" />

/** All that a program gets of an iteration: the rest of it is the engine's. */
export class Iteration<T> implements AsyncIterableIterator<T, undefined>, AsyncDisposable {
  readonly #inner: Required<AsyncIterator<T, undefined>> & AsyncDisposable;

  constructor(inner: Required<AsyncIterator<T, undefined>> & AsyncDisposable) {
    this.#inner = inner;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return this.#inner.next();
  }

  /** Stop. Resolves when the kernel has let go. */
  return(): Promise<IteratorResult<T, undefined>> {
    return this.#inner.return();
  }

  throw(error?: unknown): Promise<IteratorResult<T, undefined>> {
    return this.#inner.throw(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}
