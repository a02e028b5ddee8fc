import { ECANCELED } from '../abi/errno.ts';
import type { IoUring } from '../ring/io-uring.ts';
import { version } from '../ring/kernel/proven-kernel.ts';
import { coreOf } from '../ring/ring-core.ts';
import type { Engine } from './engine.ts';
import type { Operation } from './operation.ts';
import { operationError } from './operation-error.ts';
import { Submission } from './submission.ts';

/** Before that the kernel goes on behind what it refuses at once, such as a descriptor that is not open. */
const KEEPS_LINKS = version('5.15');
/** Before that a timer cannot say that it has succeeded: it ends the chain. */
const GOES_ON_BEHIND_TIMERS = version('5.16');

/**
 * Before that all transfers of a chain begin where the file stood at first: the second write is over the first. Point
 * releases of 5.10, 5.15 and 5.17 do not, in the end; nothing shows it.
 */
const FOLLOWS_THE_FILE = version('5.18');
const TRANSFERS = new Set(['read', 'write', 'readv', 'writev']);

/**
 * Does the kernel keep to the links of a chain of these methods: are those behind a step run if, and only if, it has
 * succeeded?
 */
export function keepsLinks(ring: IoUring, names: readonly string[]): boolean {
  const { kernel } = coreOf(ring).resources;
  if (kernel.isFrom(FOLLOWS_THE_FILE)) return true;
  if (names.filter((name) => TRANSFERS.has(name)).length > 1) return false;
  return kernel.isFrom(names.includes('sleep') ? GOES_ON_BEHIND_TIMERS : KEEPS_LINKS);
}

/** Operations one after the other, each only if the one before succeeded: the kernel has them all at once. */
export class Chain extends Submission {
  readonly #members: readonly Operation[];
  readonly #entries: number;
  readonly #isUnbounded: boolean;

  /** @param isLinked false: they are not to be submitted like this, but in {@link Steps} */
  constructor(members: readonly Operation[], isLinked: boolean) {
    super();
    this.#members = members;
    this.#entries = members.reduce((sum, { entries }) => sum + entries, 0);
    this.#isUnbounded = members.some(({ isUnbounded }) => isUnbounded);
    if (!isLinked) return;
    for (const member of members.slice(0, -1)) member.link();
    for (const member of members.slice(1)) member.follow();
  }

  override get members(): readonly Operation[] {
    return this.#members;
  }

  override get entries(): number {
    return this.#entries;
  }

  override get isUnbounded(): boolean {
    return this.#isUnbounded;
  }

  override prepare(ring: IoUring): boolean {
    // One that was aborted while it waited for room.
    if (this.members.some(({ dropped }) => dropped)) throw operationError(ECANCELED, 'link');
    return this.members.every((member) => member.prepare(ring));
  }

  override arrived(): void {}

  override over(): void {}

  override refused(error: Error): void {
    for (const member of this.members) member.refused(error);
  }

  override cancelled(error: Error): void {
    for (const member of this.members) member.cancelled(error);
  }
}

/** The steps of a chain where the kernel does not keep to links: each is submitted when the one before succeeded. */
export class Steps {
  readonly #engine: Engine;
  readonly #steps: readonly Operation[];

  /** @param promises the steps' own */
  constructor(engine: Engine, steps: readonly Operation[], promises: readonly Promise<unknown>[]) {
    this.#engine = engine;
    this.#steps = steps;
    for (const [i, step] of steps.entries()) {
      step.whenSucceeded(() => this.#go(i));
      promises[i].catch(() => this.#stop(i));
    }
  }

  /** @throws misuse; nothing is begun then */
  begin(chain: Chain): void {
    this.#engine.rehearse(chain);
    const [first] = this.#steps;
    if (first.beginLate()) this.#engine.submit(first);
  }

  /** The step has succeeded. */
  #go(at: number): void {
    const next = this.#steps.at(at + 1);
    if (next === undefined) return;
    if (this.#steps[at].isShort) return this.#stop(at);
    if (next.beginLate()) this.#engine.proceed(next);
  }

  /** Those behind the step are not begun. */
  #stop(at: number): void {
    for (const step of this.#steps.slice(at + 1)) {
      // One that was aborted has failed already.
      if (!step.dropped) step.refused(operationError(ECANCELED, step.name));
      step.dropped = true;
    }
  }
}

/**
 * A chain of operations in which one failed, or transferred less than it was asked to: those behind it did not run.
 * @example
 * import { LinkError } from 'iouring';
 *
 * try {
 *   await io.chain([['write', fd, 'a record\n'], ['fsync', fd]]);
 * } catch (error) {
 *   if (error instanceof LinkError) console.log(error.step, error.code, error.results);
 * }
 */
export class LinkError extends Error {
  override readonly name = 'LinkError';
  /** The code of the step that failed; `'ERR_IOURING_SHORT'` if it was short. */
  readonly code: string;
  /** The first step that failed or was short, from 0. */
  readonly step: number;
  /** The outcome of each step. */
  readonly results: readonly PromiseSettledResult<unknown>[];

  constructor(names: readonly string[], results: readonly PromiseSettledResult<unknown>[]) {
    const isCancelled = ({ reason }: PromiseRejectedResult): boolean =>
      (reason as NodeJS.ErrnoException).code === 'ECANCELED';
    // Those that did not run for it say that they were cancelled, those before it too if nothing was begun.
    const isCause = (result: PromiseSettledResult<unknown>): boolean =>
      result.status === 'rejected' && !isCancelled(result);
    const cause = results.findIndex(isCause);
    const failed = cause >= 0 ? cause : results.findIndex(({ status }) => status === 'rejected');
    const { reason } = results[failed] as PromiseRejectedResult;
    const before = results[failed - 1] as PromiseFulfilledResult<number> | undefined;
    // The kernel breaks a chain at a short transfer too, and what is behind it says that it was cancelled.
    const isShort = cause < 0 && typeof before?.value === 'number';
    const step = isShort ? failed - 1 : failed;
    const what = isShort
      ? `transferred ${before.value} bytes, fewer than it was asked to`
      : `failed: ${(reason as Error).message}`;
    super(`Step ${step} (${names[step]}) ${what}`, isShort ? undefined : { cause: reason });
    this.code = isShort ? 'ERR_IOURING_SHORT' : ((reason as NodeJS.ErrnoException).code ?? 'ERR_IOURING_LINK');
    this.step = step;
    this.results = results;
  }
}
