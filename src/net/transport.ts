import type { BufferPool } from '../reactor/buffer-pool.ts';
import type { Engine } from '../reactor/engine.ts';
import { closedError } from '../reactor/abort.ts';
import { partsOf, type Reactor } from '../reactor/reactor.ts';
import type { Connection } from './connection.ts';
import { Segment } from './segment.ts';

/** Bytes of the memory that outgoing data is copied to: for messages, and for what is larger. */
const SMALL = 4096;
const LARGE = 64 * 1024;
/** Pieces of each that are kept for the next one. */
const SMALL_KEPT = 1024;
const LARGE_KEPT = 64;

/** Bytes of a plain receive, for those who receive much, and very much. */
export const BULK = [64 * 1024, 256 * 1024] as const;
const BULK_KEPT = 32;

/** What the connections of a reactor share: memory to receive into and to send from. */
export class Transport {
  readonly engine: Engine;
  /** For messages: the kernel takes a buffer of these when something arrives, and not before. */
  readonly buffers: BufferPool;
  readonly connections = new Set<Connection>();
  readonly #small: Segment[] = [];
  readonly #large: Segment[] = [];
  readonly #bulk: readonly Buffer[][] = BULK.map(() => []);

  constructor(reactor: Reactor) {
    const { engine, pools } = partsOf(reactor);
    this.engine = engine;
    this.buffers = pools.turn;
    // What was written in the last tick of a process has been written, as with Node: before a worker's ring is closed, and again
    // after those who write when it ends.
    const flush = (): void => engine.flush();
    process.prependListener('exit', flush);
    process.on('exit', flush);
    engine.atEnd(() => {
      process.off('exit', flush);
      process.off('exit', flush);
      for (const connection of this.connections) connection.abandon(engine.ended ?? closedError('go on'));
    });
  }

  /** Room for `bytes` of outgoing data, or for as much as there is in one piece. */
  takeSegment(bytes: number): Segment {
    if (bytes <= SMALL) return this.#small.pop() ?? Segment.empty(SMALL);
    return this.#large.pop() ?? Segment.empty(LARGE);
  }

  giveSegment(segment: Segment): void {
    segment.clear();
    if (segment.memory.length === SMALL) {
      if (this.#small.length < SMALL_KEPT) this.#small.push(segment);
    } else if (this.#large.length < LARGE_KEPT) {
      this.#large.push(segment);
    }
  }

  /** Memory for a plain receive of one of the sizes. */
  takeBulk(size: number): Buffer {
    return this.#bulk[size].pop() ?? Buffer.allocUnsafeSlow(BULK[size]);
  }

  giveBulk(memory: Buffer): void {
    const kept = this.#bulk[memory.length === BULK[0] ? 0 : 1];
    if (kept.length < BULK_KEPT) kept.push(memory);
  }
}

const transports = new WeakMap<Reactor, Transport>();

/** The one of a reactor. */
export function transportOf(reactor: Reactor): Transport {
  let transport = transports.get(reactor);
  if (transport === undefined) transports.set(reactor, (transport = new Transport(reactor)));
  return transport;
}
