import { SocketConnection } from './socket-connection.ts';
import { replaceMethods } from '../transport/active-resources.ts';
import { behindEvents, ringForSockets, tellFallback } from '../transport/ring-or-node.ts';
import { addressOf, duplicateGuarded } from '../transport/socket-calls.ts';
import { transportOf } from '../transport/transport.ts';

/** Say, once, that sockets of this runtime stay what they are. */
function tellForeign(): void {
  tellFallback(new Error('Sockets of this runtime are not built as Node’s: they cannot be put on a ring'));
}

/**
 * The part of us that only a connection needs which goes through the ring. Nothing that is loaded before there is one
 * imports it: see `ring-when-needed.ts`.
 */
export const ring = {
  SocketConnection,
  addressOf,
  behindEvents,
  duplicateGuarded,
  replaceMethods,
  ringForSockets,
  tellForeign,
  transportOf,
};
