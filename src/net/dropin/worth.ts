import { isEager } from '../../native/eager.ts';
import { CHANGING, Load } from '../transport/load.ts';

/**
 * When the ring carries a connection, and when Node does: each is Node's until the ring pays for it, and again when it
 * does not any more. Large messages are never cheaper on it. See {@link Load}.
 */
export const worth = {
  ...CHANGING,
  /**
   * Writes of a connection between two looks at it. To take it costs as much as the ring saves with about half of them:
   * one that has had so many may be expected to have as many again. A short one is Node's altogether. With 0 every
   * connection is ours from its first byte on, whether that pays or not: the environment variable IOURING_EAGER asks
   * for it.
   */
  writes: isEager ? 0 : 256,
  /** Writes of connections that are Node's after which somebody looks whether there are many. */
  unwatched: 1024,
  /**
   * When each write was looked at for a while, and that led to nothing, so many times as many go by that nobody looks
   * at. With 0 each is looked at.
   */
  rest: 4,
  /**
   * So many milliseconds it has to have paid before the first connection is taken. V8 compiles what stands behind the
   * ring then, for which a program takes 0.1 to 0.2 s of CPU: one that does not live long would lose by it.
   */
  sustained: 3000,
  pays: 26,
  costs: 20,
  /**
   * Bytes of a message that comes, and of one that goes, in the mean, up to which it pays. Once it does, up to twice as
   * many.
   */
  received: 2 * 1024,
  sent: 8 * 1024,
};

/** The messages of all connections. */
export const load = new Load(worth);

/** The connection that wrote last. */
export let last: object | undefined;

/**
 * A connection writes. What it writes several times in a row is one message: it goes out together.
 * @returns whether a message begins
 */
export function count(connection: object): boolean {
  const begins = connection !== last;
  if (begins) last = connection;
  load.count(begins);
  return begins;
}

/** It is over, or the one that it is, whichever that was. */
export function forget(connection = last): void {
  if (connection === last) last = undefined;
}

/** Does it pay to go through the ring, for one with messages of so many bytes? */
export function isWorthTaking(received: number, sent: number): boolean {
  return received <= worth.received && sent <= worth.sent && load.paysFor(worth.sustained);
}

/** Does it pay for one that does? */
export function isWorthKeeping(received: number, sent: number): boolean {
  return received <= 2 * worth.received && sent <= 2 * worth.sent && load.pays;
}
