import { load, worth } from '../../src/net/dropin/worth.ts';
import { watchNext } from '../../src/net/dropin/watch.ts';
import { worth as worthOfDatagrams } from '../../src/net/udp/worth.ts';
import { randomOf } from '../reactor/random.ts';

/**
 * Have sockets of iouring/net, iouring/http and iouring/dgram go through the ring from their first byte on: with the few
 * messages of a test none would.
 */
export function fromTheFirstByte(): void {
  worth.writes = worthOfDatagrams.messages = 0;
}

/** Have each write of a socket that is Node's looked at, and the ring used as soon as it pays. */
export function atOnce(): void {
  Object.assign(worth, AT_ONCE);
  watchNext();
}

const AT_ONCE = { unwatched: 1, rest: 0, sustained: 0 };
const asItIs = { ...worth };

/** Settings of {@link worth}, by when a connection changes between Node and the ring. */
const WAYS = {
  'from the first byte on the ring': { writes: 0 },
  /** Whatever it costs: there at one write, and back at one of the next. */
  'changing all the time': {
    ...AT_ONCE,
    writes: 1,
    patience: 1,
    pause: 0,
    received: Number.POSITIVE_INFINITY,
    sent: Number.POSITIVE_INFINITY,
  },
  'on the ring when that pays': {},
} satisfies Record<string, Partial<typeof worth>>;

const CHANGING_ALWAYS: keyof typeof WAYS = 'changing all the time';
const FIRST_PAYS = 1;

export const ways = Object.keys(WAYS) as (keyof typeof WAYS)[];

/** Connections that are made during `call` change so. */
export async function going<T>(way: keyof typeof WAYS, call: () => Promise<T>): Promise<T> {
  const before = { ...worth };
  Object.assign(worth, { ...asItIs, ...WAYS[way] });
  watchNext();
  // If it did in turns, each of two sockets would stay where it is. The first is asked for one of Node's.
  const random = randomOf(FIRST_PAYS);
  const pays = { configurable: true, get: () => random(2) === 1 };
  if (way === CHANGING_ALWAYS) Object.defineProperty(load, 'pays', pays);
  try {
    return await call();
  } finally {
    Reflect.deleteProperty(load, 'pays');
    Object.assign(worth, before);
  }
}
