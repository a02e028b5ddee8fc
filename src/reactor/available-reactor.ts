import { channel } from 'node:diagnostics_channel';
import { release } from 'node:os';
import { OPERATIONS } from '../abi/operations.ts';
import { monotonicNow } from '../native/timers.ts';
import { defaultReactor } from './default-reactor.ts';
import { wrongState } from '../ring/arguments/argument-errors.ts';
import type { Reactor } from './reactor.ts';

/** Told once of each module that goes through Node because there is no io_uring: {@link FallbackMessage}. */
const fallbacks = channel('iouring:fallback');

/** The message that subscribers of the channel `iouring:fallback` are given. */
export interface FallbackMessage {
  /** The module that was imported: `'iouring/fs'`, … */
  module: string;
  /** Why there is no ring; `iouring doctor` says it at length. */
  error: Error;
}

/** Setting this to 1 has the drop-ins go through Node, as where io_uring is missing. */
export const DISABLING_VARIABLE = 'IOURING_DISABLED';

/**
 * A shortage passes: another ring is tried for after so many milliseconds. What else is in the way is asked for some
 * times only; it may have been a shortage as well, of descriptors while native code was loaded.
 */
const RETRY_MS = 1000;
const ATTEMPTS_MAX = 3;
const SHORTAGES = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM']);

/**
 * Gives a drop-in the reactor of this thread, or nothing where there can be none, or none whose kernel has what the
 * drop-in does, and says so once.
 */
export class AvailableReactor {
  readonly #module: string;
  readonly #needed: readonly number[];
  /** Its kernel was asked for them, and has them. */
  #proved: Reactor | undefined;
  #retryAt = 0;
  #attempts = 0;
  #isTold = false;

  /** @param needed IORING_OP_*: all that the module cannot do without */
  constructor(module: string, needed: readonly number[]) {
    this.#module = module;
    this.#needed = needed;
  }

  get(): Reactor | undefined {
    if (this.#retryAt !== 0 && monotonicNow() < this.#retryAt) return undefined;
    try {
      refuseIfDisabled();
      const reactor = defaultReactor();
      if (reactor !== this.#proved) this.#prove(reactor);
      this.#retryAt = 0;
      return reactor;
    } catch (error) {
      this.#failed(error as NodeJS.ErrnoException);
      return undefined;
    }
  }

  #prove(reactor: Reactor): void {
    const missing = this.#needed.filter((opcode) => !reactor.supports(opcode)).map((opcode) => OPERATIONS[opcode]);
    // The rows stand in the order in which the kernel got them.
    const last = missing.at(-1);
    if (last !== undefined) {
      // It will not learn it.
      this.#attempts = ATTEMPTS_MAX;
      const message =
        `Cannot use io_uring for ${this.#module}: ${last.name} needs Linux ${last.since}, this is ${release()}`;
      throw wrongState('ERR_IOURING_UNSUPPORTED', message);
    }
    this.#proved = reactor;
  }

  #failed(error: NodeJS.ErrnoException): void {
    this.#attempts++;
    const isPassing = SHORTAGES.has(error.code ?? '') || (this.#attempts < ATTEMPTS_MAX && !isDisabled);
    this.#retryAt = isPassing ? monotonicNow() + RETRY_MS : Infinity;
    this.tell(error);
  }

  /** Say, if nobody has, that the module goes through Node, and why. */
  tell(error: Error): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const message: FallbackMessage = { module: this.#module, error };
    fallbacks.publish(message);
  }
}

/** Looked at once: what the environment says at the start holds. */
const isDisabled = process.env[DISABLING_VARIABLE] === '1';

function refuseIfDisabled(): void {
  if (!isDisabled) return;
  const message = `io_uring is not used: the environment variable ${DISABLING_VARIABLE} is set to 1`;
  throw Object.assign(new Error(message), { code: 'ERR_IOURING_DISABLED' });
}
