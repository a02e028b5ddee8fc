import { worth } from '../../src/net/dropin/worth.ts';

/**
 * Have sockets of iouring/net and iouring/http go through the ring from their first byte on: with the few messages of a
 * test none would.
 */
export function fromTheFirstByte(): void {
  worth.writes = 0;
}
