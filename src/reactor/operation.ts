import { EAGAIN, ECANCELED, EINTR } from '../abi/errno.ts';
import { POLLIN } from '../abi/event-flags.ts';
import { IOSQE_IO_LINK } from '../abi/flags.ts';
import { monotonicNow } from '../native/timers.ts';
import type { Completion } from '../ring/completion.ts';
import { neededLinux, type Form } from '../ring/kernel/needed-linux.ts';
import type { IoUring } from '../ring/io-uring.ts';
import { AbortError, TimeoutError, unwatch, watch, type Abortable } from './abort.ts';
import type { Engine } from './engine.ts';
import { TIMER } from './engine/slots.ts';
import { operationError, type Subject } from './operation-error.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import { Submission } from './submission.ts';

/**
 * The taker of an operation's answer, where a layer on top has something else to give than the method. It is handed the
 * engine: so it is a key that no program has.
 */
export const OUTCOME = Symbol('outcome');

/** Options that every operation can be given. */
export interface OperationOptions {
  /**
   * Aborts the operation in the kernel. The promise rejects with an {@link AbortError} once the kernel has let go of
   * the memory that was lent.
   */
  signal?: AbortSignal | undefined;
  /**
   * The kernel stops the operation after so many milliseconds, and the promise rejects with a {@link TimeoutError},
   * which tells how much was done. 0: only what can be done at once.
   */
  timeoutMs?: number | undefined;
  /** Its name for errors and observers, where that is not the method's: a layer on top has names of its own. */
  syscall?: string | undefined;
  /** @internal */
  [OUTCOME]?: Outcome<unknown> | undefined;
}

/** The arguments of an operation, besides its descriptor: so many at most. */
export type Arguments = readonly [a?: unknown, b?: unknown, c?: unknown, d?: unknown, e?: unknown];

/** An operation as its method sees it: what it was asked with. `slot` is its userData. */
export interface Asked<Args extends Arguments = Arguments> {
  readonly slot: number;
  readonly fd: number;
  readonly a: Args[0];
  readonly b: Args[1];
  readonly c: Args[2];
  readonly d: Args[3];
  readonly e: Args[4];
  readonly outcome: Outcome<unknown>;
}

/** Tells which form of an operation was asked for. */
type FormOf = (asked: Asked) => Form;

/**
 * All that is the same for the operations of one method. The rest stands in the fields of the one {@link Operation}: a
 * call makes no closure, and no other object that keeps its arguments.
 */
export interface Kind<T, Args extends Arguments = Arguments> {
  /** Its name for errors and observers, unless they are told another one. */
  readonly name: string;
  /**
   * The kernel's name for it, to tell whether the kernel is too old for it, or what tells it of a call; undefined where
   * the operation changes from call to call.
   */
  readonly form: Form | FormOf | undefined;
  /** The taker of its answers where a call brings none of its own. */
  readonly outcome: Outcome<T>;
  /** Write the entry. False when there is no room. @throws misuse; nothing was queued then */
  readonly prepare: (ring: IoUring, asked: Asked<Args>) => boolean;
  /** Its subject, for the error that it may fail with. */
  readonly subject?: ((asked: Asked) => Subject | undefined) | undefined;
  /** The bytes that it is to transfer, where a chain ends if it transfers fewer. */
  readonly wanted?: ((asked: Asked) => number) | undefined;
}

/** Made once for each method, in its module. `form`: IORING_OP_*, or a later form of one. */
export function kind<T, Args extends Arguments>(
  name: string,
  form: number | Form | FormOf | undefined,
  outcome: Outcome<T>,
  prepare: Kind<T, Args>['prepare'],
  subject?: Kind<T>['subject'],
  wanted?: Kind<T>['wanted'],
): Kind<T, Args> {
  return ownOptions({
    name,
    form: typeof form === 'number' ? ownOptions({ opcode: form }) : form,
    outcome,
    prepare,
    subject,
    wanted,
  });
}

/** Instead of a value: there is another operation to do first, which is prepared next. */
export const AGAIN = Symbol('again');

/** Makes the result of an operation from the kernel's answer. */
export interface Outcome<T> {
  /**
   * The value to resolve with, from a `res` that is no error; or the promise of one. What it throws the promise is
   * rejected with: {@link failed} is not called any more then.
   * @param asked the operation
   */
  value(res: number, asked: Asked): T | Promise<T> | typeof AGAIN;
  /**
   * The bytes of a transfer that is over when it is whole (MSG_WAITALL). Fewer are no answer to one that was stopped,
   * by its time limit or because its descriptor is cancelled.
   */
  readonly whole?: number;
  /** Bytes of it that went before the present operation, which is for the rest. */
  readonly before?: number;
  /** An error that is none: -ETIME of a timer. */
  success?: number;
  /** It may wait for ever: see {@link Submission.isUnbounded}. */
  isUnbounded: boolean;
  /** The kernel wakes one of several that wait for the same. */
  isExclusive?: boolean;
  /**
   * Before Linux 5.19 it does not wait on a descriptor that is non-blocking: these events are waited for then, and it
   * is begun anew.
   */
  readiness?: number;
  /** The value is a descriptor, or brings some: close it when nobody will get it. */
  discard?(engine: Engine, res: number, asked: Asked): void;
  /** Its name, where that changes from one operation to the next. */
  readonly name?: string;
  /** The subject of the present one, if that changes. */
  readonly subject?: Subject | undefined;
  /**
   * There is no value, and nothing of the operation is with the kernel any more. The promise is rejected with `error`,
   * or becomes what is returned here.
   */
  failed?(engine: Engine, error: Error): void | Promise<T>;
}

export const NUMBER: Outcome<number> = ownOptions({ value: (res) => res, isUnbounded: false });
export const NOTHING: Outcome<void> = ownOptions({ value: () => undefined, isUnbounded: false });
export const DESCRIPTOR: Outcome<number> = ownOptions({ ...NUMBER, discard: (engine, res) => engine.discard(res) });
/** The outcome of those that may wait for ever. */
export const AWAITED: Outcome<number> = ownOptions({ ...NUMBER, isUnbounded: true });
export const DONE: Outcome<void> = ownOptions({ ...NOTHING, isUnbounded: true });
/** The outcome of an accept that is not to wait. */
export const ACCEPTED_AT_ONCE: Outcome<number> = ownOptions({ ...DESCRIPTOR, isUnbounded: true, isExclusive: true });
export const ACCEPTED: Outcome<number> = ownOptions({ ...ACCEPTED_AT_ONCE, readiness: POLLIN });

/** The value is what the operation was asked with first: the kernel fills it in. */
export const FILLED: Outcome<unknown> = ownOptions({ value: (_res, { a }) => a, isUnbounded: false });
/** The same of one that may wait for ever. */
export const AWAITED_FILLED: Outcome<unknown> = ownOptions({ ...FILLED, isUnbounded: true });

/**
 * The operation whose promise is being made: its constructor takes the two functions from here, and makes none itself.
 */
let settled: Operation | undefined;
let give: (operation: Operation, resolve: (value: unknown) => void, reject: (error: Error) => void) => void;
const take = (resolve: (value: unknown) => void, reject: (error: Error) => void): void =>
  give(settled!, resolve, reject);

/** Fields that few operations have, so that the others do without the room for them. */
class Extras {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  /** When that is over, on the clock of `performance`. */
  deadline: number;
  /** When it was asked for, if anybody wants to know. */
  readonly start: number;
  /** The next of its chain runs only if this one succeeds. */
  isLinked = false;
  /** How often a cancellation may miss it: it begins when the one before it is done. */
  misses = 0;
  /** It was cancelled to be begun anew. */
  isRoused = false;
  /** The entry that is with the kernel is a poll: see {@link Outcome.readiness}. */
  isPolling = false;
  /** Why somebody wanted it cancelled. */
  reason: Error | undefined;
  /** The signal that has aborted it. */
  abortedBy: AbortSignal | undefined;
  timeIsUp = false;
  /** It is one of several that are linked. */
  isChained = false;
  /** To be called when it has succeeded, and nothing of it is with the kernel any more. */
  succeeded: (() => void) | undefined;
  /** Runs out while the kernel has done its work, and still reads the memory. */
  patience: NodeJS.Timeout | undefined;
  /** Its promise is settled, though the kernel still reads the memory: what to call when it does not any more. */
  release: (() => void) | undefined;

  constructor(options: OperationOptions | undefined, start: number) {
    this.signal = options?.signal;
    this.timeoutMs = options?.timeoutMs;
    this.deadline = this.timeoutMs === undefined ? Infinity : monotonicNow() + this.timeoutMs;
    this.start = start;
  }
}

function extrasOf(engine: Engine, options: OperationOptions | undefined): Extras | undefined {
  const isObserved = engine.observer !== undefined;
  const isLimited = options !== undefined && (options.signal !== undefined || options.timeoutMs !== undefined);
  return isObserved || isLimited ? new Extras(options, isObserved ? monotonicNow() : 0) : undefined;
}

const nobody = (): void => {};

/** It is a matter of turns: what is missed so often is on a disk, where nothing can be stopped. */
const MISSES_MAX = 10;

/** The longest time that a timer of the loop can count, in milliseconds. */
const DELAY_MAX = 2 ** 31 - 1;

/** Stands for the answer that the kernel has not given. No operation answers this. */
const UNANSWERED = -0x8000_0000;

/** One operation, as a promise. */
export class Operation<T = unknown> extends Submission implements Abortable, Asked {
  // As with those of Submission. Nor are they private to the engine (#), which would take a function that gives each
  // its first value.
  declare readonly outcome: Outcome<T>;
  /** Its arguments, besides the descriptor. */
  declare readonly a: unknown;
  declare readonly b: unknown;
  declare readonly c: unknown;
  declare readonly d: unknown;
  declare readonly e: unknown;
  declare private readonly engine: Engine;
  declare private readonly kind: Kind<T>;
  /** The name that a layer on top has for it. */
  declare private readonly syscall: string | undefined;
  declare private extras: Extras | undefined;
  declare private res: number;
  declare private resolve: (value: T | Promise<T>) => void;
  declare private reject: (error: Error) => void;

  constructor(
    engine: Engine,
    kind: Kind<T>,
    fd: number,
    options: OperationOptions | undefined,
    outcome: Outcome<T>,
    a: unknown,
    b: unknown,
    c: unknown,
    d: unknown,
    e: unknown,
  ) {
    super();
    // A number that is no descriptor is refused by the ring.
    this.fd = fd;
    this.outcome = outcome;
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
    this.e = e;
    this.engine = engine;
    this.kind = kind;
    this.syscall = options?.syscall;
    this.extras = extrasOf(engine, options);
    this.res = UNANSWERED;
    this.resolve = nobody;
    this.reject = nobody;
  }

  static {
    give = (operation, resolve, reject) => {
      operation.resolve = resolve;
      operation.reject = reject;
    };
  }

  get name(): string {
    return this.outcome.name ?? this.syscall ?? this.kind.name;
  }

  /** The promise of it; to be made once. */
  promise(): Promise<T> {
    settled = this as Operation;
    const promise = new Promise<T>(take as never);
    // Nothing keeps the last operation, and its engine with it.
    settled = undefined;
    return promise;
  }

  override get entries(): number {
    return this.extras?.timeoutMs === undefined ? 1 : 2;
  }

  override get isUnbounded(): boolean {
    return this.outcome.isUnbounded;
  }

  /** The next one that is prepared runs only if this one succeeds. */
  link(): void {
    this.extra.isLinked = true;
    this.extra.isChained = true;
  }

  /** It runs only when the one before it is done. */
  follow(): void {
    this.extra.misses = MISSES_MAX;
    this.extra.isChained = true;
  }

  /** Have `call` made when it has succeeded: before anybody is told, so that what it begins is under way by then. */
  whenSucceeded(call: () => void): void {
    this.extra.succeeded = call;
  }

  /** Has it succeeded with less than it was asked for? */
  get isShort(): boolean {
    const wanted = this.outcome.whole ?? this.kind.wanted?.(this);
    return wanted !== undefined && this.resultWith(this.res)! < wanted;
  }

  override startsLate(): boolean {
    return this.extras !== undefined && this.extras.misses-- > 0;
  }

  private get extra(): Extras {
    return (this.extras ??= new Extras(undefined, 0));
  }

  /** Begin to listen to the signal. False if it says no already. */
  begin(): boolean {
    const signal = this.extras?.signal;
    if (signal === undefined) return true;
    if (signal.aborted) {
      this.fail(new AbortError(signal));
      return false;
    }
    watch(signal, this);
    return true;
  }

  /** {@link begin}, some time after it was made: its time limit counts from now on. */
  beginLate(): boolean {
    const { extra } = this;
    if (extra.timeoutMs !== undefined) extra.deadline = monotonicNow() + extra.timeoutMs;
    return this.begin();
  }

  override prepare(ring: IoUring): boolean {
    // The time that is over before the kernel is asked is over: nothing is begun then.
    const { extras } = this;
    if (extras !== undefined && this.isOverdue(extras)) throw this.timeoutError(UNANSWERED);
    const isPrepared = extras?.isPolling
      ? ring.prepPollAdd(this.fd, this.outcome.readiness!, this.slot)
      : this.kind.prepare(ring, this);
    if (!isPrepared) return false;
    this.owed = 1;
    if (extras !== undefined) this.modify(ring, extras);
    return true;
  }

  private modify(ring: IoUring, { isLinked }: Extras): void {
    const { timeLeft } = this;
    if (isLinked || timeLeft !== undefined) ring.sqeSetFlags(IOSQE_IO_LINK);
    if (timeLeft === undefined) return;
    ring.prepLinkTimeout(timeLeft, TIMER + this.slot);
    // Behind its time limit the chain goes on.
    if (isLinked) ring.sqeSetFlags(IOSQE_IO_LINK);
    this.owed = 2;
  }

  override get timeLeft(): number | undefined {
    const deadline = this.extras?.deadline ?? Infinity;
    return deadline === Infinity ? undefined : Math.max(0, deadline - monotonicNow());
  }

  /** A limit of 0 means: what can be done at once. */
  private isOverdue({ deadline, timeoutMs, isChained }: Extras): boolean {
    if (deadline === Infinity || isChained) return false;
    const hasHadItsTime = timeoutMs! > 0 || (this.outcome.before ?? 0) > 0;
    return hasHadItsTime && monotonicNow() >= deadline;
  }

  private timeoutError(res: number, released?: Promise<void>): TimeoutError {
    return new TimeoutError(this.name, this.extras!.timeoutMs!, this.resultWith(res), released);
  }

  /** The amount that was done all in all when the present operation answered `res`; undefined: nothing. */
  private resultWith(res: number): number | undefined {
    const { before = 0 } = this.outcome;
    if (res >= 0) return before + res;
    return before > 0 ? before : undefined;
  }

  override late(): void {
    this.refused(this.timeoutError(UNANSWERED));
  }

  override arrived(c: Completion): void {
    // The notification of a zero-copy send says nothing but that the memory is free.
    if (this.res !== UNANSWERED) return;
    this.res = c.res;
    if (this.extras !== undefined && c.hasMore()) this.awaitRelease(this.extras);
  }

  /**
   * The peer may take its time, and the kernel reads the memory as long: the kernel's own timer ended with the work, so
   * this one is the loop's.
   */
  private awaitRelease(extras: Extras): void {
    const { timeLeft } = this;
    if (timeLeft === undefined) return;
    extras.patience = setTimeout(() => this.settleEarly(extras), Math.min(timeLeft, DELAY_MAX));
    extras.patience.unref();
  }

  private settleEarly(extras: Extras): void {
    // Nobody aborts it by half: an abort waits for the memory.
    if (extras.abortedBy !== undefined) return;
    // The timer came early, or cannot count that far.
    if (this.timeLeft! > 0) return this.awaitRelease(extras);
    const { signal, start } = extras;
    if (start !== 0) this.engine.observer?.completed(this.name, this.fd, this.res, start);
    if (signal !== undefined) unwatch(signal, this);
    const released = new Promise<void>((resolve) => void (extras.release = resolve));
    this.fail(this.timeoutError(this.res, released));
  }

  override expired(res: number): void {
    // -ETIME, or what the cancellation came to. The timer itself is cancelled when it was not needed.
    if (res !== -ECANCELED) this.extra.timeIsUp = true;
  }

  override over(): void {
    const res = this.res;
    if (this.extras !== undefined) return this.overWith(this.extras, res);
    if (res >= 0) void this.answer(res);
    else this.overWith(NO_EXTRAS, res);
  }

  /** True if it has succeeded, false if it has failed or goes on. */
  private answer(res: number): boolean {
    let value: T | Promise<T> | typeof AGAIN;
    try {
      value = this.outcome.value(res, this);
    } catch (error) {
      this.reject(error as Error);
      return false;
    }
    if (value !== AGAIN) {
      this.resolve(value);
      return true;
    }
    this.res = UNANSWERED;
    this.engine.proceed(this);
    return false;
  }

  private overWith(extras: Extras, answer: number): void {
    const { signal, abortedBy, start, patience, release } = extras;
    if (release !== undefined) return release();
    if (patience !== undefined) clearTimeout(patience);
    let res = answer;
    if (extras.isPolling) {
      extras.isPolling = false;
      if (res >= 0 && this.beginAnew(extras)) return;
      // Events are no answer to what was asked for.
      if (res >= 0) res = -ECANCELED;
    } else if (res === -EAGAIN && this.outcome.readiness !== undefined && !extras.isChained) {
      this.extra.isPolling = true;
      if (this.beginAnew(this.extra)) return;
      this.extra.isPolling = false;
      res = -ECANCELED;
    }
    if (res === -ECANCELED && this.outcome.isExclusive) {
      if (extras.isRoused && this.beginAnew(extras)) return;
      this.engine.rearmExclusiveWaiters(this.fd);
    }
    const isDone = (res >= 0 && !this.isCutShort(extras, res)) || res === this.outcome.success;
    if (start !== 0) this.engine.observer?.completed(this.name, this.fd, res, start);
    if (abortedBy === undefined && isDone) {
      const hasSucceeded = this.answer(res);
      if (this.res === UNANSWERED) return;
      if (signal !== undefined) unwatch(signal, this);
      if (hasSucceeded) extras.succeeded?.();
      return;
    }
    if (signal !== undefined) unwatch(signal, this);
    if (abortedBy !== undefined) {
      if (isDone) this.outcome.discard?.(this.engine, res, this);
      this.fail(new AbortError(abortedBy, this.resultWith(res)));
    } else {
      this.fail(this.error(res));
    }
  }

  /** Was it stopped before it had transferred all that it was to transfer? */
  private isCutShort({ timeIsUp, reason }: Extras, res: number): boolean {
    const { whole, before = 0 } = this.outcome;
    return whole !== undefined && before + res < whole && (timeIsUp || reason !== undefined);
  }

  private fail(error: Error): void {
    const instead = this.outcome.failed?.(this.engine, error);
    if (instead === undefined) this.reject(error);
    else this.resolve(instead);
  }

  /** False if somebody wants it cancelled in earnest. */
  private beginAnew(extras: Extras): boolean {
    extras.isRoused = false;
    if (extras.abortedBy !== undefined || extras.reason !== undefined || extras.timeIsUp) return false;
    this.res = UNANSWERED;
    this.engine.submit(this);
    return true;
  }

  override rearm(): void {
    if (!this.outcome.isExclusive || this.extra.isRoused) return;
    this.extra.isRoused = true;
    this.engine.cancel(this);
  }

  private error(res: number): Error {
    const isStopped = res >= 0 || res === -ECANCELED || res === -EINTR;
    const { timeIsUp, reason } = this.extras ?? NO_EXTRAS;
    if (isStopped && timeIsUp) return this.timeoutError(res);
    if (isStopped && reason !== undefined) return reason;
    const subject = this.outcome.name === undefined ? this.kind.subject?.(this) : this.outcome.subject;
    const { form } = this.kind;
    const needed = neededLinux(this.engine.ring, res, typeof form === 'function' ? form(this) : form);
    return operationError(-res, this.name, subject, needed);
  }

  override refused(error: Error): void {
    const { signal, patience, release } = this.extras ?? NO_EXTRAS;
    if (release !== undefined) return release();
    if (patience !== undefined) clearTimeout(patience);
    if (signal !== undefined) unwatch(signal, this);
    this.fail(error);
  }

  override cancelled(error: Error): void {
    this.extra.reason ??= error;
  }

  aborted(signal: AbortSignal): void {
    const extra = this.extra;
    if (extra.abortedBy !== undefined) return;
    extra.abortedBy = signal;
    if (this.engine.cancel(this)) return;
    // The kernel has nothing of it: it waits for room, alone or for the rest of what it began.
    this.fail(new AbortError(signal, this.resultWith(UNANSWERED)));
  }
}

const NO_EXTRAS = new Extras(undefined, 0);
