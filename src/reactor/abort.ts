import { wrongState, wrongType } from '../ring/arguments/argument-errors.ts';
import { checkMilliseconds } from '../ring/structs/timespec.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';

/**
 * An operation was aborted by its signal. As Node's own: `code` is `'ABORT_ERR'`, `cause` the signal's reason.
 * @example
 * const signal = AbortSignal.timeout(100);
 * await io.sleep(1000, { signal }).catch((error) => console.log(error.name, error.cause));
 */
export class AbortError extends Error {
  readonly code = 'ABORT_ERR';
  override readonly name = 'AbortError';
  /**
   * The result of what the kernel had done before it could be stopped, as the operation would have given it; undefined
   * if it did nothing. A descriptor that came too late was closed.
   */
  declare readonly result?: number;

  constructor(signal: AbortSignal, result?: number) {
    super('The operation was aborted', { cause: signal.reason });
    if (result !== undefined) this.result = result;
  }
}

/**
 * An operation took longer than its `timeoutMs`: the kernel has stopped it.
 * @example
 * import { TimeoutError } from 'iouring';
 *
 * try {
 *   await io.read(pipe, buffer, { timeoutMs: 100 });
 * } catch (error) {
 *   if (!(error instanceof TimeoutError)) throw error;
 * }
 */
export class TimeoutError extends Error {
  readonly code = 'ETIMEDOUT';
  override readonly name = 'TimeoutError';
  readonly syscall: string;
  /**
   * The amount that the kernel had done before it was stopped, as the operation would have answered: of a send the
   * bytes that have gone out, of a receive those that are in the buffer. Undefined if it did nothing.
   */
  declare readonly result?: number;
  /**
   * Only of a send with `zeroCopy` whose peer has not taken everything yet: the kernel still reads the memory, which is
   * kept alive for it. Resolves when it has let go. What is changed in the memory before, the peer may get.
   */
  declare readonly released?: Promise<void>;

  constructor(syscall: string, timeoutMs: number, result?: number, released?: Promise<void>) {
    super(`ETIMEDOUT: not done after ${timeoutMs} ms, ${syscall}`);
    this.syscall = syscall;
    if (result !== undefined) this.result = result;
    if (released !== undefined) this.released = released;
  }
}

/** The reactor is closed, or was while the operation was under way. */
export function closedError(what: string): Error {
  return wrongState('ERR_IOURING_CLOSED', `Cannot ${what}: the reactor is closed`);
}

/** @throws {TypeError} unless it is an AbortSignal, or left out. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  const { aborted, addEventListener } = (signal ?? {}) as Partial<AbortSignal>;
  if (typeof aborted === 'boolean' && typeof addEventListener === 'function') return;
  throw wrongType('options.signal', 'an instance of AbortSignal', signal);
}

/** @throws {TypeError|RangeError} unless it is a time, or left out. */
export function checkTimeout(timeoutMs: number | undefined): void {
  if (timeoutMs !== undefined) checkMilliseconds('options.timeoutMs', timeoutMs);
}

/** An operation that is told when a signal aborts. */
export interface Abortable {
  aborted(signal: AbortSignal): void;
}

const ONCE = ownOptions({ once: true });

/**
 * The operations that wait for each signal: one listener serves them all, for adding one costs more than an operation.
 */
const watched = new WeakMap<AbortSignal, Set<Abortable>>();

/** Have `target` told when `signal` aborts. */
export function watch(signal: AbortSignal, target: Abortable): void {
  const all = watched.get(signal);
  if (all !== undefined) {
    all.add(target);
    return;
  }
  const first = new Set<Abortable>([target]);
  watched.set(signal, first);
  signal.addEventListener('abort', onAbort, ONCE);
}

/** Call that off. */
export function unwatch(signal: AbortSignal, target: Abortable): void {
  const all = watched.get(signal);
  if (all === undefined || !all.delete(target) || all.size > 0) return;
  // A signal may live much longer than what it was given to.
  watched.delete(signal);
  signal.removeEventListener('abort', onAbort);
}

function onAbort(this: AbortSignal): void {
  const all = watched.get(this);
  watched.delete(this);
  for (const target of all ?? []) target.aborted(this);
}
