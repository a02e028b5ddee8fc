import type { LeanSocket, SocketHandlers } from '../../../src/net/lean/types.ts';

type Name = keyof SocketHandlers;

/**
 * Handlers that write down what they are called with, and let a test wait for it. Other handlers can stand in for some
 * of them.
 */
export class Recorder<T = unknown> {
  /** The handlers in the order they were called; several `data` in a row are one. */
  readonly calls: Name[] = [];
  readonly sockets: LeanSocket<T>[] = [];
  readonly received: Buffer[] = [];
  readonly errors: Error[] = [];
  /** What `close` was given. */
  closedWith: Error | undefined;
  readonly handlers: SocketHandlers<T>;
  readonly #counts = new Map<Name, number>();
  readonly #waiting: { isTrue: () => boolean; resolve: () => void }[] = [];

  constructor(own: SocketHandlers<T> = {}) {
    this.handlers = {
      open: (socket) => {
        this.sockets.push(socket);
        this.#run('open', () => own.open?.(socket));
      },
      data: (socket, data) => {
        this.received.push(Buffer.from(data));
        this.#run('data', () => own.data?.(socket, data));
      },
      drain: (socket) => this.#run('drain', () => own.drain?.(socket)),
      end: (socket) => this.#run('end', () => own.end?.(socket)),
      timeout: (socket) => this.#run('timeout', () => own.timeout?.(socket)),
      error: (socket, error) => {
        this.errors.push(error);
        this.#run('error', () => own.error?.(socket, error));
      },
      close: (socket, error) => {
        this.closedWith = error;
        this.#run('close', () => own.close?.(socket, error));
      },
    };
  }

  get bytes(): Buffer {
    return Buffer.concat(this.received);
  }

  get length(): number {
    return this.received.reduce((sum, { length }) => sum + length, 0);
  }

  count(name: Name): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Resolves when the handler has been called so many times in all. */
  called(name: Name, times = 1): Promise<void> {
    return this.until(() => this.count(name) >= times);
  }

  /** Resolves when so many bytes have come. */
  has(bytes: number): Promise<void> {
    return this.until(() => this.length >= bytes);
  }

  /** Resolves when that is so after a call. */
  until(isTrue: () => boolean): Promise<void> {
    if (isTrue()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ isTrue, resolve }));
  }

  #run(name: Name, own: () => void): void {
    if (name !== 'data' || this.calls.at(-1) !== 'data') this.calls.push(name);
    this.#counts.set(name, this.count(name) + 1);
    try {
      own();
    } finally {
      for (const waiter of this.#waiting.splice(0)) {
        if (waiter.isTrue()) waiter.resolve();
        else this.#waiting.push(waiter);
      }
    }
  }
}
