import { ECANCELED, EINTR, ETIME } from '../abi/errno.ts';
import { IOSQE_IO_LINK } from '../abi/flags.ts';
import type { Completion } from '../ring/completion.ts';
import type { IoUring } from '../ring/ring.ts';
import { AbortError, TimeoutError, unwatch, watch, type Abortable } from './abort.ts';
import { TIMER, type Engine } from './engine.ts';
import { operationError, type Subject } from './operation-error.ts';
import { Submission } from './submission.ts';

/** What every operation can be given. */
export interface OperationOptions {
  /**
   * Aborts the operation in the kernel. The promise rejects with an {@link AbortError} once the kernel has let go of
   * the memory that was lent.
   */
  signal?: AbortSignal | undefined;
  /** The kernel stops the operation after so many milliseconds, and the promise rejects with a {@link TimeoutError}. */
  timeoutMs?: number | undefined;
}

/** Write the operation's entry under this userData. False when there is no room. */
export type Prepare = (ring: IoUring, userData: number) => boolean;

/** What becomes of the kernel's answer. */
export interface Outcome<T> {
  /** The value to resolve with, from a `res` that is no error. */
  value(res: number): T;
  /** An error that is none: -ETIME of a timer. */
  success?: number;
  /** It may wait for ever: see {@link Submission.waits}. */
  waits?: boolean;
  /** The value is a descriptor, or brings some: close it when nobody will get it. */
  discard?(engine: Engine, res: number): void;
}

export const NUMBER: Outcome<number> = { value: (res) => res };
export const NOTHING: Outcome<void> = { value: () => undefined };
export const DESCRIPTOR: Outcome<number> = { value: (res) => res, discard: (engine, res) => engine.discard(res) };
/** Of those that may wait for ever. */
export const AWAITED: Outcome<number> = { ...NUMBER, waits: true };
export const DONE: Outcome<void> = { ...NOTHING, waits: true };
export const ACCEPTED: Outcome<number> = { ...DESCRIPTOR, waits: true };

/** The operation whose promise is being made: its constructor takes the two functions from here, and makes none itself. */
let settled: Operation | undefined;
let give: (operation: Operation, resolve: (value: unknown) => void, reject: (error: Error) => void) => void;
const take = (resolve: (value: unknown) => void, reject: (error: Error) => void): void => give(settled!, resolve, reject);

/** One operation, as a promise. */
export class Operation<T = unknown> extends Submission implements Abortable {
  readonly name: string;
  readonly subject: Subject | undefined;
  readonly outcome: Outcome<T>;
  readonly promise: Promise<T>;
  /** Runs only if this one succeeds. */
  linked = false;
  /** What the kernel answered. */
  res: number | undefined;
  readonly #engine: Engine;
  readonly #prepare: Prepare;
  readonly #fd: number;
  readonly #signal: AbortSignal | undefined;
  readonly #timeoutMs: number | undefined;
  /** When it was asked for, if anybody wants to know. */
  readonly #start: number;
  #resolve!: (value: T) => void;
  #reject!: (error: Error) => void;
  /** Why somebody wanted it cancelled. */
  #reason: Error | undefined;
  /** Whose wish it was. */
  #abortedBy: AbortSignal | undefined;
  #timeIsUp = false;

  constructor(
    engine: Engine,
    name: string,
    fd: number,
    options: OperationOptions | undefined,
    prepare: Prepare,
    outcome: Outcome<T>,
    subject: Subject | undefined,
  ) {
    super();
    this.name = name;
    this.subject = subject;
    this.outcome = outcome;
    this.#engine = engine;
    this.#prepare = prepare;
    this.#fd = fd;
    this.#signal = options?.signal;
    this.#timeoutMs = options?.timeoutMs;
    if (this.#timeoutMs !== undefined) this.entries = 2;
    if (outcome.waits) this.waits = true;
    this.#start = engine.observer === undefined ? 0 : performance.now();
    settled = this as Operation;
    this.promise = new Promise<T>(take as never);
    // Nothing keeps the last operation, and its engine with it.
    settled = undefined;
  }

  static {
    give = (operation, resolve, reject) => {
      operation.#resolve = resolve;
      operation.#reject = reject;
    };
  }

  override get fd(): number {
    return this.#fd;
  }

  /** Begin to listen to the signal. False if it says no already. */
  begin(): boolean {
    const signal = this.#signal;
    if (signal === undefined) return true;
    if (signal.aborted) {
      this.#reject(new AbortError(signal));
      return false;
    }
    watch(signal, this);
    return true;
  }

  override prepare(ring: IoUring): boolean {
    if (!this.#prepare(ring, this.slot)) return false;
    this.owed = 1;
    if (this.linked) ring.sqeSetFlags(IOSQE_IO_LINK);
    if (this.#timeoutMs === undefined) return true;
    if (!this.linked) ring.sqeSetFlags(IOSQE_IO_LINK);
    ring.prepLinkTimeout(this.#timeoutMs, TIMER | this.slot);
    // Behind its time limit the chain goes on.
    if (this.linked) ring.sqeSetFlags(IOSQE_IO_LINK);
    this.owed = 2;
    return true;
  }

  override arrived(c: Completion): void {
    // The notification of a zero-copy send says nothing but that the memory is free.
    this.res ??= c.res;
  }

  override expired(res: number): void {
    if (res === -ETIME) this.#timeIsUp = true;
  }

  override over(): void {
    const res = this.res!;
    const isDone = res >= 0 || res === this.outcome.success;
    if (this.#signal !== undefined) unwatch(this.#signal, this);
    if (this.#engine.observer !== undefined) this.#engine.observer.completed(this.name, this.#fd, res, this.#start);
    if (this.#abortedBy !== undefined) {
      if (isDone) this.outcome.discard?.(this.#engine, res);
      this.#reject(new AbortError(this.#abortedBy, res >= 0 ? res : undefined));
    } else if (isDone) {
      this.#resolve(this.outcome.value(res));
    } else {
      this.#reject(this.#error(res));
    }
  }

  #error(res: number): Error {
    const isStopped = res === -ECANCELED || res === -EINTR;
    if (isStopped && this.#timeIsUp) return new TimeoutError(this.name, this.#timeoutMs!);
    if (isStopped && this.#reason !== undefined) return this.#reason;
    return operationError(-res, this.name, this.subject);
  }

  override refused(error: Error): void {
    if (this.#signal !== undefined) unwatch(this.#signal, this);
    this.#reject(error);
  }

  override cancelled(error: Error): void {
    this.#reason ??= error;
  }

  aborted(signal: AbortSignal): void {
    if (this.#abortedBy !== undefined) return;
    this.#abortedBy = signal;
    if (this.#engine.cancel(this)) return;
    // It was never with the kernel.
    this.#reject(new AbortError(signal));
  }
}
