import { worth } from '../../src/net/dropin/worth.ts';
import { worth as worthOfDatagrams } from '../../src/net/udp/worth.ts';

/**
 * Have sockets of iouring/net, iouring/http and iouring/dgram go through the ring from their first byte on: with the few
 * messages of a test none would.
 */
export function fromTheFirstByte(): void {
  worth.writes = worthOfDatagrams.messages = 0;
}
