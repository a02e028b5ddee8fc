import { SocketConnection } from './socket-connection.ts';
import { behindEvents, ringForSockets } from '../transport/ring-or-node.ts';
import { addressOf, duplicateGuarded } from '../transport/socket-calls.ts';
import { transportOf } from '../transport/transport.ts';

/**
 * The part of us that only a connection needs which goes through the ring. Nothing that is loaded before there is one
 * imports it: see `ring-when-needed.ts`.
 */
export const ring = { SocketConnection, addressOf, behindEvents, duplicateGuarded, ringForSockets, transportOf };
