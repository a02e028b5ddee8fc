import { worth } from '../../src/net/dropin/worth.ts';
import { worth as worthOfDatagrams } from '../../src/net/udp/worth.ts';

/**
 * Have sockets of iouring/net, iouring/http and iouring/dgram go through the ring from their first byte on: with the few
 * messages of a test none would.
 */
export function fromTheFirstByte(): void {
  worth.writes = worthOfDatagrams.messages = 0;
}

const asItIs = { ...worth };

/** Settings of {@link worth}, by when a connection changes between Node and the ring. */
const WAYS = {
  'from the first byte on the ring': { writes: 0 },
  /** Whatever it costs: there at one write, and back at the next. */
  'changing at each write': {
    writes: 1,
    patience: 1,
    pause: 0,
    pays: 0,
    costs: Number.POSITIVE_INFINITY,
    received: Number.POSITIVE_INFINITY,
    sent: Number.POSITIVE_INFINITY,
  },
  'on the ring when that pays': {},
} satisfies Record<string, Partial<typeof worth>>;

export const ways = Object.keys(WAYS) as (keyof typeof WAYS)[];

/** Connections that are made during `call` change so. */
export async function going<T>(way: keyof typeof WAYS, call: () => Promise<T>): Promise<T> {
  const before = { ...worth };
  Object.assign(worth, { ...asItIs, ...WAYS[way] });
  try {
    return await call();
  } finally {
    Object.assign(worth, before);
  }
}
