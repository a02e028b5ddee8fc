/** The kernel's number, here so that the table of all need not be loaded at the start. */
const ENOBUFS = 105;

/**
 * The option `onread` of a socket: bytes go into memory of the user's, and a callback takes the place of `'data'`
 * events.
 */
export interface OnRead {
  buffer: Uint8Array | (() => Uint8Array);
  callback(bytesWritten: number, buffer: Uint8Array): boolean | void;
}

/** Is it one that Node would heed? It ignores what is not. */
export function isOnRead(onread: unknown): onread is OnRead {
  if (typeof onread !== 'object' || onread === null) return false;
  const { buffer, callback } = onread as Partial<OnRead>;
  return (buffer instanceof Uint8Array || typeof buffer === 'function') && typeof callback === 'function';
}

/** The connection that the bytes come from. */
interface Source {
  readonly socket: object;
  readonly isReading: boolean;
  pause(): void;
  broke(errno: number): void;
}

/** Fills the user's memory. */
export class UserBuffer {
  readonly #onread: OnRead;
  /** Makes new memory, each time; it is Node that calls it for the first. */
  readonly #generate: (() => Uint8Array) | undefined;
  #memory: Uint8Array | undefined;
  /** Bytes that came when the user wanted no more. */
  #rest: Buffer | undefined;

  constructor(onread: OnRead) {
    this.#onread = onread;
    if (typeof onread.buffer === 'function') this.#generate = onread.buffer;
    else this.#memory = onread.buffer;
  }

  /** The option as Node is to have it: the first memory that is made is used, whoever asks for it. */
  get option(): OnRead {
    const generate = this.#generate;
    if (generate === undefined) return this.#onread;
    const buffer = (): Uint8Array => {
      const memory = generate();
      if (memory instanceof Uint8Array) this.#memory = memory;
      return memory;
    };
    return { buffer, callback: this.#onread.callback };
  }

  /** Bytes that came and were not handed over. */
  get length(): number {
    return this.#rest?.length ?? 0;
  }

  /** Hand over what was left. True if nothing is left. */
  resume(connection: Source): boolean {
    const rest = this.#rest;
    if (rest === undefined) return true;
    this.#rest = undefined;
    this.received(connection, rest);
    return this.#rest === undefined;
  }

  /** Bytes that the user does not want, and those that were left when the callback threw, are kept. */
  received(connection: Source, came: Buffer): void {
    const bytes = this.#rest === undefined ? came : Buffer.concat([this.#rest, came]);
    this.#rest = undefined;
    let from = 0;
    try {
      while (from < bytes.length && connection.isReading) {
        const memory = this.#memory;
        if (memory === undefined || memory.length === 0) return connection.broke(ENOBUFS);
        const part = Math.min(memory.length, bytes.length - from);
        memory.set(bytes.subarray(from, from + part));
        from += part;
        const goesOn = Reflect.apply(this.#onread.callback, connection.socket, [part, memory]) !== false;
        const next = this.#generate?.();
        if (next instanceof Uint8Array) this.#memory = next;
        if (!goesOn) connection.pause();
      }
    } finally {
      if (from < bytes.length) this.#rest = Buffer.from(bytes.subarray(from));
    }
  }
}
