import { O_CLOEXEC } from '../abi/file-flags.ts';
import type { Lendable } from '../ring/memory/lent-memory.ts';
import { wrongType } from '../ring/arguments/argument-errors.ts';
import { checkSignal, checkTimeout } from './abort.ts';
import type { Engine } from './engine.ts';
import { Operation, OUTCOME, type Arguments, type Kind, type OperationOptions, type Outcome } from './operation.ts';
import type { RegisteredMemory } from './registered-memory.ts';

/** Data to send or write: memory as it is, or text, which is encoded as UTF-8. */
export type Data = Lendable | string;

/** The options of every operation that makes descriptors. */
export interface DescriptorOptions extends OperationOptions {
  /**
   * Are the descriptors closed in programs that this process starts? Default true, whatever the flags are; with false
   * the flags alone say it (O_CLOEXEC, SOCK_CLOEXEC, MSG_CMSG_CLOEXEC).
   */
  cloexec?: boolean | undefined;
}

/**
 * Flags of an operation that makes descriptors, with the one that closes them in programs that are started.
 * @param bit O_CLOEXEC, which is SOCK_CLOEXEC too, or MSG_CMSG_CLOEXEC
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE` of `options.cloexec`; wrong flags are left to the ring
 */
export function withCloexec(flags: number, options: DescriptorOptions | undefined, bit = O_CLOEXEC): number {
  const cloexec = options?.cloexec ?? true;
  if (typeof cloexec !== 'boolean') throw wrongType('options.cloexec', 'of type boolean', cloexec);
  const isMissing = cloexec && Number.isSafeInteger(flags) && flags >= 0 && Math.floor(flags / bit) % 2 === 0;
  return isMissing ? flags + bit : flags;
}

/** Access that only this package has to a reactor: none of it can be reached from the object. */
let engineIn: (methods: OperationMethods) => Engine;
let registeredIn: (methods: OperationMethods) => RegisteredMemory;
let chainIn: (methods: OperationMethods) => Operation[] | undefined;
let chainUp: (methods: OperationMethods, chain: Operation[] | undefined, isLinked: boolean) => void;
let isLinkedIn: (methods: OperationMethods) => boolean;

/**
 * The base of every operation's method: they stand in the `methods-….ts` files, and the reactor is the last of that
 * line.
 */
export abstract class OperationMethods {
  readonly #engine: Engine;
  readonly #registered: RegisteredMemory;
  /** The operations of a chain that is being put together. */
  #chain: Operation[] | undefined;
  /** Are they handed to the kernel all at once? */
  #isLinked = false;

  /** @internal */
  constructor(engine: Engine, registered: RegisteredMemory) {
    this.#engine = engine;
    this.#registered = registered;
  }

  static {
    engineIn = (methods) => methods.#engine;
    registeredIn = (methods) => methods.#registered;
    chainIn = (methods) => methods.#chain;
    chainUp = (methods, chain, isLinked) => {
      methods.#chain = chain;
      methods.#isLinked = isLinked;
    };
    isLinkedIn = (methods) => methods.#isLinked;
  }
}

/** The memory that a reactor has registered. */
export function registeredOf(methods: OperationMethods): RegisteredMemory {
  return registeredIn(methods);
}

/** The operations of the chain that a reactor is putting together, if it is. */
export function chainOf(methods: OperationMethods): Operation[] | undefined {
  return chainIn(methods);
}

/** {@link chainOf}, if the kernel has them linked: not where each is handed over when the one before it is done. */
export function linkedOf(methods: OperationMethods): Operation[] | undefined {
  return isLinkedIn(methods) ? chainIn(methods) : undefined;
}

/**
 * Operations are not begun from now on, but put into `chain`; undefined: they are begun again.
 * @param isLinked will they be handed to the kernel all at once?
 */
export function collectInto(methods: OperationMethods, chain: Operation[] | undefined, isLinked: boolean): void {
  chainUp(methods, chain, isLinked);
}

/**
 * Have an operation done. Never throws: misuse is a rejection as everything else.
 * @param outcome the taker of this one's answer; undefined: that of its kind
 * @param asked the arguments that its kind makes the entry of
 */
export const run = begin as <T, const Args extends Arguments>(
  methods: OperationMethods,
  kind: Kind<T, Args>,
  fd: number,
  options: OperationOptions | undefined,
  outcome: Outcome<T> | undefined,
  ...asked: Args
) => Promise<T>;

/** The arguments stand by themselves: to gather them would make an array for each operation. */
function begin(
  methods: OperationMethods,
  kind: Kind<unknown>,
  fd: number,
  options: OperationOptions | undefined,
  outcome: Outcome<unknown> | undefined,
  a?: unknown,
  b?: unknown,
  c?: unknown,
  d?: unknown,
  e?: unknown,
): Promise<unknown> {
  const engine = engineIn(methods);
  const chain = chainIn(methods);
  let taker = outcome ?? kind.outcome;
  if (options !== undefined) {
    try {
      checkSignal(options.signal);
      checkTimeout(options.timeoutMs);
    } catch (error) {
      void options[OUTCOME]?.failed?.(engine, error as Error);
      return Promise.reject(error);
    }
    taker = options[OUTCOME] ?? taker;
  }
  const operation = new Operation(engine, kind, fd, options, taker, a, b, c, d, e);
  const promise = operation.promise();
  if (chain !== undefined) chain.push(operation);
  else if (operation.begin()) engine.submit(operation);
  return promise;
}

/** How many bytes to transfer if nobody says. The ring checks `buf` itself. */
export function lengthOf(buf: Lendable, length: number | undefined): number {
  return length ?? (buf as Lendable | undefined)?.byteLength ?? 0;
}

/** A buffer that is no buffer would be one for the kernel to choose: the ring takes null for that. */
export function memoryOf<T extends Lendable>(buf: T): T {
  return buf ?? (undefined as unknown as T);
}

export function bytesOf(data: Data): Lendable {
  return typeof data === 'string' ? Buffer.from(data) : memoryOf(data);
}
