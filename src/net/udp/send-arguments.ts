import { bytesIn, lengthOf } from '../transport/intrinsic.ts';
import { socketError } from '../transport/socket-error.ts';
import { sendDone, type SendDone } from './datagram-send.ts';

/** The callback of `send()`. */
type SendCallback = (error: Error | null, bytes: number) => void;

/** A datagram that is to be sent. */
export interface Message {
  readonly data: string | Uint8Array;
  /** Undefined of a connected socket. */
  readonly address: string | undefined;
  readonly port: number | undefined;
  readonly callback: SendCallback | undefined;
}

/** The message that `socket.send()` was called with; undefined unless it was in one of the forms that are used most. */
export function messageOf(args: readonly unknown[], isConnected: boolean): Message | undefined {
  const [first] = args;
  if (typeof first !== 'string' && !(first instanceof Uint8Array)) return undefined;
  // send(msg, offset, length, …)
  const isSlice = typeof args[2] === 'number';
  const rest = isSlice ? 3 : 1;
  const data = isSlice ? slice(first, args[1], args[2]) : first;
  if (data === undefined) return undefined;
  const [port, address] = isConnected ? [] : [args[rest], args[rest + 1]];
  const end = isConnected ? rest : rest + 2;
  const callback = args[end];
  if (args.length > end + 1 || !isCallback(callback)) return undefined;
  if (isConnected) return { data, address: undefined, port: undefined, callback };
  if (typeof port !== 'number' || typeof address !== 'string') return undefined;
  if (!Number.isInteger(port) || port < 1 || port > 0xffff) return undefined;
  return { data, address, port, callback };
}

function isCallback(callback: unknown): callback is SendCallback | undefined {
  return callback === undefined || typeof callback === 'function';
}

/** Undefined unless they are numbers that fit. */
function slice(data: string | Uint8Array, offset: unknown, length: unknown): Uint8Array | undefined {
  if (typeof data === 'string' || typeof offset !== 'number' || typeof length !== 'number') return undefined;
  if (offset >>> 0 !== offset || length >>> 0 !== length || offset + length > lengthOf(data)) return undefined;
  return bytesIn(data, offset, offset + length);
}

/** To be told the outcome, in the context of now. */
export function doneOf({ callback, address, port }: Message): SendDone | undefined {
  if (callback === undefined) return undefined;
  const call = (res: number): void => {
    if (res >= 0) callback(null, res);
    else (callback as (error: Error) => void)(sendError(res, address, port));
  };
  return sendDone(call);
}

/** In Node's shape and words. */
function sendError(res: number, address: string | undefined, port: number | undefined): Error {
  const error = socketError(-res, 'send');
  if (address !== undefined) error.message += ` ${address}:${port}`;
  return Object.assign(error, { address }, port === undefined ? undefined : { port });
}
