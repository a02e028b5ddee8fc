/**
 * The lean sockets of whatever runs this: `listen` and `connect` of iouring/socket, and those of Bun on Bun. What the competitors do
 * with them they do with both.
 */
import type { connect, listen } from 'iouring/socket';

interface Lean {
  readonly listen: typeof listen;
  readonly connect: typeof connect;
}

const { Bun } = globalThis as { Bun?: Lean };

export const lean: Lean = Bun ?? (await import('iouring/socket'));
