import type { Completion } from '../ring/completion.ts';
import { checkInteger, wrongState } from '../ring/arguments/argument-errors.ts';
import type { IoUring } from '../ring/io-uring.ts';
import { AbortError, checkSignal, unwatch, watch, type Abortable } from './abort.ts';
import { MESSAGE, type Engine } from './engine.ts';
import type { ManyOptions } from './multishot.ts';
import { Submission } from './submission.ts';

/** A message that another reactor has sent: 64 bits, whose meaning is the program's. */
export interface RingMessage {
  /** -2^31 … 2^31-1 */
  readonly value: number;
  /** 0 … 2^32-1 */
  readonly tag: number;
}

interface Waiter {
  resolve(result: IteratorResult<RingMessage, undefined>): void;
  reject(error: Error): void;
}

/** The userData by which a message with this tag arrives. */
export function messageData(tag: number): number {
  return MESSAGE + checkInteger('tag', tag, 0, 2 ** 32 - 1);
}

/**
 * messages: what other rings send to this one, as an async iterator. It has a place in the engine, which keeps the
 * process alive and is told of the end, but no entry in the ring: the kernel needs none to post a message. So what ends
 * it is the cancellation alone, which finds nothing.
 */
export class Messages extends Submission
  implements AsyncIterableIterator<RingMessage, undefined>, AsyncDisposable, Abortable
{
  readonly #engine: Engine;
  readonly #signal: AbortSignal | undefined;
  #items: RingMessage[] = [];
  readonly #waiters: Waiter[] = [];
  #isEnded = false;
  #error: Error | undefined;
  #reason: Error | undefined;
  #whenOver: (() => void)[] = [];

  constructor(engine: Engine, options: ManyOptions | undefined) {
    super();
    const signal = options?.signal;
    checkSignal(signal);
    if (engine.mailbox !== undefined) {
      throw wrongState(
        'ERR_INVALID_STATE',
        'The messages of this reactor are iterated already: end that iteration first',
      );
    }
    this.#engine = engine;
    this.#signal = signal;
    if (signal?.aborted) {
      this.#finish(new AbortError(signal));
      return;
    }
    engine.mailbox = this;
    if (signal !== undefined) watch(signal, this);
    engine.submit(this);
  }

  // ---------------------------------------------------------------- the iterator

  next(): Promise<IteratorResult<RingMessage, undefined>> {
    const value = this.#items.shift();
    if (value !== undefined) return Promise.resolve({ value, done: false });
    if (this.#isEnded) return this.#last();
    return new Promise((resolve, reject) => void this.#waiters.push({ resolve, reject }));
  }

  /** Stop. What has come and was not taken is dropped, and so is what comes from now on. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#stop(undefined);
    if (this.slot >= 0) await new Promise<void>((resolve) => void this.#whenOver.push(resolve));
    return { value: undefined, done: true };
  }

  async throw(error?: unknown): Promise<never> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** The answer at the end: the error, once, and that there is no more. */
  #last(): Promise<IteratorReturnResult<undefined>> {
    const error = this.#error;
    this.#error = undefined;
    return error === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(error);
  }

  #stop(error: Error | undefined): void {
    this.#items = [];
    if (this.#isEnded) return;
    this.#finish(error);
    this.#engine.cancel(this);
  }

  #finish(error: Error | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    if (this.#engine.mailbox === this) this.#engine.mailbox = undefined;
    if (this.#signal !== undefined) unwatch(this.#signal, this);
    for (const { resolve, reject } of this.#waiters.splice(0)) this.#last().then(resolve, reject);
  }

  aborted(signal: AbortSignal): void {
    this.#stop(new AbortError(signal));
  }

  // ---------------------------------------------------------------- the engine's side

  override get isUnbounded(): boolean {
    return true;
  }

  override get endless(): boolean {
    return true;
  }

  override prepare(_ring: IoUring): boolean {
    // Nothing will be the last of it but a cancellation.
    this.owed = 0;
    return true;
  }

  override arrived({ res: value, userData }: Completion): void {
    const item = { value, tag: userData - MESSAGE };
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#items.push(item);
    else waiter.resolve({ value: item, done: false });
  }

  override over(): void {
    this.#engine.counters.completed++;
    this.#settle(this.#reason);
  }

  override refused(error: Error): void {
    this.#settle(error);
  }

  #settle(error: Error | undefined): void {
    this.#finish(error);
    for (const over of this.#whenOver.splice(0)) over();
  }

  override cancelled(error: Error): void {
    this.#reason ??= error;
  }
}
