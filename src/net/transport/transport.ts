import type { BufferPool } from '../../reactor/buffer-pool.ts';
import type { Engine } from '../../reactor/engine.ts';
import { closedError } from '../../reactor/abort.ts';
import { koffiNative } from '../../native/koffi.ts';
import { nextTick } from '../../native/timers.ts';
import { partsOf, type Reactor } from '../../reactor/reactor.ts';
import { nameActive, type OpenConnection } from './active-resources.ts';
import { lengthOf } from './intrinsic.ts';
import { Segment } from './segment.ts';

/** Bytes of the memory that outgoing data is copied to: for messages, and for what is larger. */
const SMALL = 4096;
const LARGE = 64 * 1024;
/** Pieces of each that are kept for the next one. */
const SMALL_KEPT = 1024;
const LARGE_KEPT = 64;

/**
 * Bytes that are received at a time where much arrives: as libuv does, or for those who need not be told of each piece
 * as Node's sockets are. One piece of memory serves all connections, so that it stays in the processor's cache.
 */
const BULK_OF_NODE = 64 * 1024;
const BULK = 256 * 1024;

/**
 * So many connections that are closed in a tick are let go of together. For 1,000 that makes 64 system calls, beside the
 * 1,000 that close their descriptors: with 64 it would be 17, with 256 5, which is not a twentieth less altogether, and
 * the peers of the first would hear of the end as much later.
 */
const CLOSED_TOGETHER = 16;

/** A connection that is told when the reactor ends, and when the kernel has let go of it. */
interface Held extends OpenConnection {
  abandon(reason: Error): void;
  letGo(isFree: boolean): void;
}

/** All that the connections of a reactor share: memory to receive into and to send from. */
export class Transport {
  readonly engine: Engine;
  /** For messages: the kernel takes a buffer of these when something arrives, and not before. */
  readonly buffers: BufferPool;
  readonly connections = new Set<Held>();
  readonly #small: Segment[] = [];
  readonly #large: Segment[] = [];
  readonly #bulk = new Map<number, Buffer>();
  /** One was closed in this tick already; and those that were closed since, which are to be let go of. */
  #hasClosed = false;
  #closed: Held[] = [];

  constructor(reactor: Reactor) {
    const { engine, pools } = partsOf(reactor);
    this.engine = engine;
    this.buffers = pools.transient;
    // Writes of the last tick of a process have been made, as with Node: before a worker's ring is closed,
    // and again after those who write when it ends.
    const flush = (): void => {
      engine.flush();
      this.#letGoOfAll();
    };
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

  /**
   * Have the kernel let go of a connection that is closed. Of the first in a tick at once, as libuv does; of others
   * together, with one system call for several, and when the tick is over at the latest. A server that ends closes its
   * connections first: the longer that takes, the more requests are still sent to it, and clients connect anew, to be
   * reset when it closes its own socket.
   */
  letGoOf(connection: Held): void {
    this.#closed.push(connection);
    if (this.#hasClosed && this.#closed.length < CLOSED_TOGETHER) return;
    this.#letGoOfAll();
    if (this.#hasClosed) return;
    this.#hasClosed = true;
    nextTick(this.#endOfTick);
  }

  readonly #endOfTick = (): void => {
    this.#hasClosed = false;
    this.#letGoOfAll();
  };

  #letGoOfAll(): void {
    if (this.#closed.length === 0) return;
    const closed = this.#closed;
    this.#closed = [];
    const isFree = this.hasKernelDone();
    for (const connection of closed) connection.letGo(isFree);
  }

  /** Have the kernel do what it was asked to cancel. False if it did not take all entries. */
  hasKernelDone(): boolean {
    try {
      return this.engine.flush();
    } catch {
      // The next turn meets the same error, and is the place for it.
      return false;
    }
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

  /** Memory to receive into in bulk: what is in it is gone when the next one does. */
  bulkMemory(isNodeLike: boolean): Buffer {
    const bytes = isNodeLike ? BULK_OF_NODE : BULK;
    let memory = this.#bulk.get(bytes);
    // Somebody may have transferred it.
    if (memory === undefined || lengthOf(memory) === 0) {
      this.#bulk.set(bytes, memory = Buffer.allocUnsafeSlow(bytes));
      keepFreedMemory();
    }
    return memory;
  }

  /** The same, that a receiver may give away; then it takes it out of here. */
  givenMemory(): Buffer {
    return (this.#given ??= Buffer.allocUnsafeSlow(BULK_OF_NODE));
  }

  /** It was. */
  gaveMemory(): void {
    this.#given = undefined;
  }

  #given: Buffer | undefined;
}

let keepsFreedMemory = false;

/**
 * V8 frees pieces that were given away, or that node:http has copied, many at a time, and malloc returns them to the
 * kernel if they happen to lie at the end of its heap: then every page of the next ones is faulted in. Whether they do
 * differed from one start of a program to the next, and with that the CPU of a stream, by a factor of 2.
 */
function keepFreedMemory(): void {
  if (keepsFreedMemory) return;
  keepsFreedMemory = true;
  koffiNative().keepFreedMemory?.();
}

const transports = new WeakMap<Reactor, Transport>();

/** The one of a reactor. */
export function transportOf(reactor: Reactor): Transport {
  let transport = transports.get(reactor);
  if (transport === undefined) transports.set(reactor, transport = new Transport(reactor));
  return transport;
}
