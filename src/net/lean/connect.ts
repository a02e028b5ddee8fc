import { checkConnect } from './lean-arguments.ts';
import type { ConnectOptions, LeanSocket } from './types.ts';
import { connectThroughNode } from './node-lean.ts';
import { connectThroughRing } from './ring-connect.ts';
import { ringForSockets } from '../transport/ring-or-node.ts';

/**
 * Connect, and have handlers serve the connection. Resolves when `open` was called. Through node:net where there is no
 * io_uring, and in Bun and Deno.
 *
 * Kernel 6.0 (multishot receive). Like connect(2).
 * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`,
 *   `ERR_MISSING_ARGS`
 * @returns rejects as Node's sockets fail (`ECONNREFUSED`, …), with an AbortError, or a TimeoutError; no handler is
 *   called then
 * @example
 * import { connect } from 'iouring/socket';
 *
 * const socket = await connect({ port: 8080, socket: { data: (_, data) => console.log(data.length) } });
 * socket.write('hello');
 */
export function connectLean<T = unknown>(options: ConnectOptions<T>): Promise<LeanSocket<T>> {
  const settings = checkConnect(options);
  const io = ringForSockets();
  return io === undefined ? connectThroughNode(options) : connectThroughRing(io, settings);
}
