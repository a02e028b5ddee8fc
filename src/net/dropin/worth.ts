import { performance } from 'node:perf_hooks';

/**
 * When the ring carries a connection, and when Node does. A system call that serves many connections is what a ring
 * saves: where there are few messages in a turn of the event loop, or large ones, what it does beside them costs more
 * than that. So each connection is Node's until the ring pays for it, and again when it does not any more.
 */
export const worth = {
  /**
   * Writes of a connection between two looks at it. A short connection is Node's altogether. With 0 every connection
   * is ours from its first byte on, whether that pays or not: the environment variable IOURING_EAGER asks for it.
   */
  writes: process.env.IOURING_EAGER === '1' ? 0 : 16,
  /** Messages in a turn of the event loop, of all connections, from which on the ring pays. */
  pays: 14,
  /** Where there are fewer than these it costs more. Between the two a connection stays what it is. */
  costs: 8,
  /** Bytes of a message and its answer, in the mean, up to which it pays. */
  bytes: 16 * 1024,
};

/** Writes, of all connections, between two looks at the clock of the loop. */
const WINDOW = 64;

let last: object | undefined;
let writes = 0;
let messages = 0;
let turns = 0;
let perTurn = 0;

/** A connection writes. What it writes several times in a row is one message: it goes out together. */
export function count(connection: object): void {
  if (connection !== last) {
    last = connection;
    messages++;
  }
  if (++writes < WINDOW) return;
  const now = turnsSoFar();
  perTurn = messages / Math.max(1, now - turns);
  turns = now;
  writes = messages = 0;
}

/** It is over. */
export function forget(connection: object): void {
  if (connection === last) last = undefined;
}

/** Does it pay to go through the ring, for one with so many bytes a message? */
export function isWorthTaking(bytes: number): boolean {
  return perTurn >= worth.pays && bytes <= worth.bytes;
}

/** Does it pay for one that does? */
export function isWorthKeeping(bytes: number): boolean {
  return perTurn >= worth.costs && bytes <= 2 * worth.bytes;
}

interface LoopTiming {
  /** From version 20.18 on. */
  readonly uvMetricsInfo?: { readonly loopCount: number };
}

const { nodeTiming } = performance as unknown as { nodeTiming: LoopTiming };

/** Does this version of Node count the turns of its loop? Where it does not, nothing shows that the ring pays. */
export function showsTurns(): boolean {
  return nodeTiming.uvMetricsInfo !== undefined;
}

/** Turns that the event loop of this thread has made. */
function turnsSoFar(): number {
  return nodeTiming.uvMetricsInfo?.loopCount ?? Number.POSITIVE_INFINITY;
}
