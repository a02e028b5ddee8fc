import type { BufferPool } from '../reactor/buffer-pool.ts';
import type { Engine } from '../reactor/engine.ts';
import { closedError } from '../reactor/abort.ts';
import { partsOf, type Reactor } from '../reactor/reactor.ts';
import { nameActive } from './active-resources.ts';
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
/**
 * The same where the memory is given away and made anew for each, as long as few receive so: below what malloc maps, and unmaps when it is
 * freed (128 KiB), for every page of that is faulted in again. Measured with messages of 1 MiB on one connection: 0.6 to 0.9 of the CPU that
 * pieces of 256 KiB take, and as much as copies out of warm memory. With 16 connections the larger pieces take 0.7 to 1.0 of the CPU of these:
 * most are not full, and copied.
 */
export const BULK_GIVEN = [64 * 1024, 124 * 1024] as const;
const FEW = 8;
const BULK_KEPT = 32;

/** What the connections of a reactor share: memory to receive into and to send from. */
export class Transport {
  readonly engine: Engine;
  /** For messages: the kernel takes a buffer of these when something arrives, and not before. */
  readonly buffers: BufferPool;
  readonly connections = new Set<Connection>();
  readonly #small: Segment[] = [];
  readonly #large: Segment[] = [];
  /** How many receive in bulk. */
  bulkReceivers = 0;
  /** By their length. */
  readonly #bulk = new Map<number, Buffer[]>([...BULK, ...BULK_GIVEN].map((bytes) => [bytes, []]));

  constructor(reactor: Reactor) {
    const { engine, pools } = partsOf(reactor);
    this.engine = engine;
    this.buffers = pools.turn;
    // What was written in the last tick of a process has been written, as with Node: before a worker's ring is closed, and again
    // after those who write when it ends.
    const flush = (): void => engine.flush();
    process.prependListener('exit', flush);
    process.on('exit', flush);
    const unname = nameActive(() => this.connections);
    engine.atEnd(() => {
      unname();
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

  /** Bytes of a plain receive of that size. */
  bulkBytes(size: number, isGiven: boolean): number {
    return (isGiven && this.bulkReceivers < FEW ? BULK_GIVEN : BULK)[size];
  }

  /** Memory for a plain receive, of one of the sizes. */
  takeBulk(bytes: number): Buffer {
    return this.#bulk.get(bytes)!.pop() ?? Buffer.allocUnsafeSlow(bytes);
  }

  giveBulk(memory: Buffer): void {
    const kept = this.#bulk.get(memory.length)!;
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
