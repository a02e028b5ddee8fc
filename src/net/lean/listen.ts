import { checkListen } from './lean-arguments.ts';
import type { Listener, ListenOptions } from './types.ts';
import { hasIpv6Only } from '../../native/runtime.ts';
import { listenThroughNode } from './node-lean.ts';
import { LeanListener } from './lean-listener.ts';
import { ringForSockets } from '../transport/ring-or-node.ts';
import { transportOf } from '../transport/transport.ts';

/**
 * Listen for connections, which handlers serve that all of them share. Done when the call returns: the port is known
 * then. Through node:net where there is no io_uring, and in Bun and Deno.
 *
 * Kernel 6.0 (multishot receive). Like listen(2).
 *
 * @example
 * import { listen } from 'iouring/socket';
 *
 * const listener = listen({ port: 0, socket: { data: (socket, data) => void socket.write(data) } });
 * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`
 * @throws {Error} as Node's: `EADDRINUSE`, `EACCES`, …
 */
export function listen<T = unknown>(options: ListenOptions<T>): Listener<T> {
  const settings = checkListen(options);
  const io = ringForSockets(settings.ipv6Only && !hasIpv6Only());
  return io === undefined ? listenThroughNode(options) : new LeanListener(transportOf(io), settings);
}
