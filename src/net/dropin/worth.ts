import { performance } from 'node:perf_hooks';
import { monotonicNow } from '../../native/timers.ts';

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
  /** A connection that was given back is not looked at for so many times as many writes as before. */
  patience: 4,
  /**
   * A measurement takes so long: to change ways costs as much as some hundred messages save, and a burst is over before
   * that.
   */
  milliseconds: 100,
  /** Messages in a turn of the event loop, of all connections, from which on the ring pays. */
  pays: 14,
  /** Where there are fewer than these it costs more. Between the two a connection stays what it is. */
  costs: 4,
  /**
   * Bytes of a message that comes, and of one that goes, in the mean, up to which it pays. Once it does, up to twice as
   * many.
   */
  received: 2 * 1024,
  sent: 8 * 1024,
};

/** Writes, of all connections, between two looks at the clock. */
const WINDOW = 256;
/** After so many milliseconds without another one a measurement says nothing any more. */
const HOLDS_MS = 2000;

let last: object | undefined;
let writes = 0;
let messages = 0;
let turns = 0;
let began = 0;
let perTurn = 0;
let measuredAt = 0;

/**
 * A connection writes. What it writes several times in a row is one message: it goes out together.
 * @returns whether a message begins
 */
export function count(connection: object): boolean {
  const begins = connection !== last;
  if (begins) {
    last = connection;
    messages++;
  }
  if (++writes === WINDOW) measure();
  return begins;
}

function measure(): void {
  const now = monotonicNow();
  writes = 0;
  if (now - began < worth.milliseconds) return;
  const turnsNow = turnsSoFar();
  // The first one only begins; so does one that comes after a time in which little was written.
  const isFresh = now - began < HOLDS_MS;
  if (isFresh) {
    perTurn = messages / Math.max(1, turnsNow - turns);
    measuredAt = now;
  }
  turns = turnsNow;
  began = now;
  messages = 0;
}

/** Messages in a turn of the loop, as measured last. */
function load(): number {
  return monotonicNow() - measuredAt < HOLDS_MS ? perTurn : 0;
}

/** It is over. */
export function forget(connection: object): void {
  if (connection === last) last = undefined;
}

/** Does it pay to go through the ring, for one with messages of so many bytes? */
export function isWorthTaking(received: number, sent: number): boolean {
  return load() >= worth.pays && received <= worth.received && sent <= worth.sent;
}

/** Does it pay for one that does? */
export function isWorthKeeping(received: number, sent: number): boolean {
  return load() >= worth.costs && received <= 2 * worth.received && sent <= 2 * worth.sent;
}

interface LoopTiming {
  /** From version 20.18 on. */
  readonly uvMetricsInfo?: { readonly loopCount: number };
}

const { nodeTiming } = performance as unknown as { nodeTiming: LoopTiming };

/**
 * Turns that the event loop of this thread has made. Where Node does not count them nothing shows that the ring pays.
 */
function turnsSoFar(): number {
  return nodeTiming.uvMetricsInfo?.loopCount ?? Number.POSITIVE_INFINITY;
}
