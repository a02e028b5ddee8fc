import { ECANCELED } from '../abi/errno.ts';
import type { Completion } from '../ring/completion.ts';
import { neededLinux, type Form } from '../ring/kernel/needed-linux.ts';
import { AbortError, checkSignal, unwatch, watch, type Abortable } from './abort.ts';
import type { Engine } from './engine.ts';
import { ArmedMultishot } from './engine/armed-multishot.ts';
import { operationError } from './operation-error.ts';
import type { Submission } from './submission.ts';

/** So many items wait for their consumer at most before the kernel is asked to stop. */
const ITEMS_MAX = 16;
/** And so many may be left when it is asked to go on. */
const ITEMS_LOW = 4;

/** Options that every iterator can be given. */
export interface ManyOptions {
  /** Ends the iteration with an {@link AbortError}, once the kernel has let go. */
  signal?: AbortSignal | undefined;
}

interface Waiter<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: Error): void;
}

/**
 * The part of an iteration that the engine holds. It does not refer to the iteration, which may be dropped in the
 * middle.
 */
interface Held<T> {
  readonly engine: Engine;
  readonly fd: number;
  /** By which the engine knows it. */
  readonly reference: WeakRef<Submission>;
  readonly items: T[];
  release(item: T, isUnseen: boolean): void;
}

/** Gives that back. One that came to its end holds nothing, and there is nothing to call off. */
const dropped = new FinalizationRegistry<Held<never>>(({ engine, fd, reference, items, release }) => {
  engine.finished(fd, reference);
  for (const item of items.splice(0)) release(item, true);
});

/**
 * A multishot operation as an async iterator: one entry, a completion for each arrival. It is armed at the first
 * `next()`; as long as its consumer is slow it is not armed; when the kernel ends it for reasons of its own it is armed
 * anew.
 */
export abstract class Multishot<T> extends ArmedMultishot implements AsyncIterableIterator<T, undefined>, Abortable {
  readonly #name: string;
  readonly #form: Form;
  readonly #signal: AbortSignal | undefined;
  readonly #items: T[] = [];
  #waiters: Waiter<T>[] = [];
  /** The part of an iteration that the consumer holds. */
  #current: T | undefined;
  #hasBegun = false;
  /** There will be no more items than there are. */
  #isEnded = false;
  #error: Error | undefined;
  /** Why somebody wanted it cancelled. */
  #reason: Error | undefined;
  #whenOver: (() => void)[] = [];
  /** Since it began. */
  #held: Held<T> | undefined;

  constructor(engine: Engine, name: string, form: Form, fd: number, options: ManyOptions | undefined) {
    super(engine, fd);
    checkSignal(options?.signal);
    this.#name = name;
    this.#form = form;
    this.#signal = options?.signal;
  }

  // ---------------------------------------------------------------- the iterator

  next(): Promise<IteratorResult<T, undefined>> {
    this.#releaseCurrent();
    if (!this.#hasBegun) this.#begin();
    if (this.#items.length > 0) {
      const value = this.#items.shift()!;
      this.#current = value;
      if (this.#items.length <= ITEMS_LOW) this.#go();
      return Promise.resolve({ value, done: false });
    }
    if (this.#isEnded && !this.isUnderWay) return this.#last();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#go();
    });
  }

  /** Stop: cancels in the kernel. Resolves when the kernel has let go. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#releaseCurrent();
    this.#end(undefined);
    await this.#untilOver();
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

  #begin(): void {
    this.#hasBegun = true;
    if (this.#isEnded) return;
    const { engine, fd } = this;
    const reference = engine.begun(this);
    this.#held = { engine, fd, reference, items: this.#items, release: this.releaser() };
    dropped.register(this, this.#held as Held<never>);
    const signal = this.#signal;
    if (signal === undefined) return;
    if (signal.aborted) this.#end(new AbortError(signal));
    else watch(signal, this);
  }

  #releaseCurrent(): void {
    const current = this.#current;
    if (current === undefined) return;
    this.#current = undefined;
    this.release(current);
  }

  /** The consumer is done with an item. */
  protected release(item: T): void {
    this.releaser()(item, false);
  }

  /** The answer at the end: the error, once, and that there is no more. */
  #last(): Promise<IteratorReturnResult<undefined>> {
    const error = this.#error;
    if (error === undefined) return Promise.resolve({ value: undefined, done: true });
    this.#error = undefined;
    return Promise.reject(error);
  }

  // ---------------------------------------------------------------- of those that know what the items are

  /**
   * A completion of the kernel's: {@link push} what it brings, {@link finish} at the end, or say that it is nothing.
   */
  protected abstract take(c: Completion): void;

  /**
   * The function that disposes of an item that the consumer is done with, or will never get (`isUnseen`). The function
   * must not refer to the iteration: it outlives it.
   */
  protected abstract releaser(): (item: T, isUnseen: boolean) => void;

  /** An item for the consumer. */
  protected push(item: T): void {
    if (this.#isEnded) return this.releaser()(item, true);
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      // Somebody asked for the next one already, so the one before is done with.
      this.#releaseCurrent();
      this.#current = item;
      waiter.resolve({ value: item, done: false });
      return;
    }
    this.#items.push(item);
    if (this.#items.length >= ITEMS_MAX) this.#stop();
  }

  /** Replace the last item that waits, if there is one. */
  protected get lastItem(): T | undefined {
    return this.#items.at(-1);
  }

  protected set lastItem(item: T) {
    this.#items[this.#items.length - 1] = item;
  }

  /** No more: the end, or an error. What is there already is still the consumer's. */
  protected finish(error?: Error): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (this.#held !== undefined) this.engine.finished(this.fd, this.#held.reference);
    this.#error = error;
    if (this.#signal !== undefined) unwatch(this.#signal, this);
    this.#stop();
    this.#answerWaiters();
  }

  /** An error of the kernel's. */
  protected fail(res: number): void {
    if (res !== -ECANCELED || this.#reason === undefined) {
      return this.finish(operationError(-res, this.#name, undefined, neededLinux(this.engine.ring, res, this.#form)));
    }
    this.finish(this.#reason);
    this.orphaned();
  }

  /** Its descriptor or its reactor is closed. What has come is still the consumer's, if there is one. */
  protected orphaned(): void {}

  /** Nobody is to get what has come. */
  protected dropAll(): void {
    this.#dropItems();
  }

  /** Arm it anew, with what is right now. */
  protected restart(): void {
    this.#stop();
    this.#goOn();
  }

  // ---------------------------------------------------------------- the kernel's side

  #go(): void {
    if (!this.#isEnded) this.arm();
  }

  /** If somebody waits for more, or soon will. */
  #goOn(): void {
    if (this.#waiters.length > 0 || this.#items.length <= ITEMS_LOW) this.#go();
  }

  #stop(): void {
    if (!this.halt()) this.#settle();
  }

  protected override received(c: Completion): void {
    const isStopping = this.state === 'stopping';
    // It was asked to.
    if (c.res === -ECANCELED && isStopping && this.#reason === undefined) return;
    this.take(c);
    if (!c.hasMore() && !isStopping && !this.#isEnded) this.engine.counters.rearms++;
  }

  protected override left(): void {
    this.#settle();
    this.#goOn();
  }

  protected override resumed(): void {
    this.#goOn();
  }

  #settle(): void {
    this.#answerWaiters();
    if (this.isUnderWay) return;
    for (const over of this.#whenOver.splice(0)) over();
  }

  /** At the end: once the kernel has let go. */
  #answerWaiters(): void {
    if (!this.#isEnded || this.isUnderWay) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { resolve, reject } of waiters) this.#last().then(resolve, reject);
  }

  #untilOver(): Promise<void> {
    if (!this.isUnderWay) return Promise.resolve();
    return new Promise((resolve) => void this.#whenOver.push(resolve));
  }

  /** The consumer, or its signal, wants no more: not even what is there. */
  #end(error: Error | undefined): void {
    if (!this.#isEnded) this.finish(error);
    this.#dropItems();
  }

  #dropItems(): void {
    for (const item of this.#items.splice(0)) this.releaser()(item, true);
  }

  aborted(signal: AbortSignal): void {
    this.#end(new AbortError(signal));
  }

  protected override lost(error: Error): void {
    this.finish(error);
    this.orphaned();
    this.#settle();
  }

  override cancelled(error: Error): void {
    this.#reason ??= error;
  }
}
