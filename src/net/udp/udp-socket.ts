/** `createSocket` in the style of `node:dgram`: UDP sockets through the ring. */
import { Socket, type RemoteInfo, type SocketOptions, type SocketType } from 'node:dgram';
import { wrongState } from '../../ring/arguments/argument-errors.ts';
import { sendDone, type SendDone } from './datagram-send.ts';
import { bytesIn, lengthOf } from '../transport/intrinsic.ts';
import { available } from '../transport/ring-or-node.ts';
import { socketError } from '../transport/socket-error.ts';
import { bindWithReusePort } from './udp-bind.ts';
import { HANDLE_METHODS, RingUdp, type UdpHandle } from './udp-handle.ts';

/** The options of `node:dgram`, and `reusePort` of later versions of it. */
export interface UdpSocketOptions extends SocketOptions {
  /**
   * SO_REUSEPORT: several sockets, of several threads or processes, may be bound to one port, and the kernel spreads
   * the datagrams over them. In a worker of a cluster that runs Node 20 it wants `bind({ exclusive: true })`.
   */
  reusePort?: boolean | undefined;
}

type Message = string | NodeJS.ArrayBufferView;
/** The callback of `send()`. */
type SendCallback = (error: Error | null, bytes: number) => void;
type MessageListener = (message: Buffer, sender: RemoteInfo) => void;

/** The state of a socket that `node:dgram` keeps. */
interface SocketState {
  handle: UdpHandle | null;
  bindState: number;
  connectState: number;
  queue: unknown;
  sendBlockList?: unknown;
}

/** As {@link SocketState} says it. */
const BOUND = 2;
const CONNECTED = 2;

/**
 * A UDP socket, as `dgram.Socket` of `node:dgram`, which it extends: what it can be asked, its events and its errors
 * are the same. Datagrams are received with one multishot receive, and those that are sent in one tick go to the kernel
 * with one system call.
 *
 * Two things are other than in Node. The data of `send()` is copied: its memory is the caller's again when the call
 * returns. And the messages that arrive are Buffers as `Buffer.from()` makes them: several may share an ArrayBuffer.
 *
 * Kernel 6.1. Where there is no io_uring, in Bun and in Deno it is Node's socket and nothing else, as the channel
 * `iouring:fallback` says. So is a socket that workers of a cluster share.
 */
export class UdpSocket extends Socket {
  readonly #state: SocketState | undefined;
  readonly #ring: RingUdp | undefined;
  /** Addresses need not go through a function of the user's. */
  readonly #isPlain: boolean;

  constructor(type: SocketType | UdpSocketOptions, listener?: MessageListener) {
    // @ts-expect-error -- the types of Node do not say that it can be constructed.
    super(type, listener);
    this.#isPlain = typeof type === 'string' || type.lookup === undefined;
    this.#state = stateOf(this);
    const handle = this.#state?.handle;
    if (handle == null) return;
    const isIPv6 = (this as { type?: unknown }).type === 'udp6';
    this.#ring = new RingUdp(handle, isIPv6);
    // Node 20 does not know it.
    if (typeof type === 'object' && type.reusePort && !('reusePort' in this.#state!)) bindWithReusePort(handle, isIPv6);
  }

  /**
   * Send a datagram. As `socket.send()` of `node:dgram`, in all its forms.
   *
   * @param msg copied: its memory is the caller's again when this returns. Text is sent as UTF-8; several pieces as one
   *   datagram
   * @param callback is called when the kernel has taken the datagram, or refused it: `EMSGSIZE`, `ECONNREFUSED`, …
   * @throws {TypeError|RangeError|Error} as Node
   */
  override send(msg: Message | readonly unknown[], port?: number, address?: string, callback?: SendCallback): void;
  override send(msg: Message | readonly unknown[], port?: number, callback?: SendCallback): void;
  override send(msg: Message | readonly unknown[], callback?: SendCallback): void;
  override send(
    msg: Message,
    offset: number,
    length: number,
    port?: number,
    address?: string,
    callback?: SendCallback,
  ): void;
  override send(msg: Message, offset: number, length: number, port?: number, callback?: SendCallback): void;
  override send(msg: Message, offset: number, length: number, callback?: SendCallback): void;
  override send(...args: unknown[]): void {
    if (!this.#sendAtOnce(args)) super.send(...(args as Parameters<Socket['send']>));
  }

  /** The forms that are used most, without what Node does for those that are not. False: it is none of these. */
  #sendAtOnce(args: unknown[]): boolean {
    const state = this.#state;
    const ring = this.#ring;
    if (state === undefined || ring === undefined || !this.#isPlain || state.bindState !== BOUND) return false;
    if (state.queue !== undefined || state.handle !== ring.handle || state.sendBlockList !== undefined) return false;
    if (!ring.canSend) return false;
    const [data] = args;
    if (typeof data !== 'string' && !(data instanceof Uint8Array)) return false;
    // send(msg, offset, length, …)
    const isSlice = typeof args[2] === 'number';
    const rest = isSlice ? 3 : 1;
    const piece = isSlice ? slice(data, args[1], args[2]) : data;
    if (piece === undefined) return false;
    if (state.connectState === CONNECTED) {
      const callback = args[rest];
      if (!isEnd(args, rest, callback)) return false;
      ring.send(piece, undefined, doneOf(callback, undefined, undefined));
      return true;
    }
    const port = args[rest];
    const address = args[rest + 1];
    const callback = args[rest + 2];
    if (typeof port !== 'number' || typeof address !== 'string' || !isEnd(args, rest + 2, callback)) return false;
    if (!Number.isInteger(port) || port < 1 || port > 0xffff) return false;
    const to = ring.destination(address, port);
    if (to === undefined) return false;
    ring.send(piece, to, doneOf(callback, address, port));
    return true;
  }
}

/** Is the argument at `place` a callback or nothing, and the last? */
function isEnd(args: unknown[], place: number, callback: unknown): callback is SendCallback | undefined {
  return args.length <= place + 1 && (callback === undefined || typeof callback === 'function');
}

/** Undefined unless they are numbers that fit. */
function slice(data: string | Uint8Array, offset: unknown, length: unknown): Uint8Array | undefined {
  if (typeof data === 'string' || typeof offset !== 'number' || typeof length !== 'number') return undefined;
  if (offset >>> 0 !== offset || length >>> 0 !== length || offset + length > lengthOf(data)) return undefined;
  return bytesIn(data, offset, offset + length);
}

function doneOf(
  callback: SendCallback | undefined,
  address: string | undefined,
  port: number | undefined,
): SendDone | undefined {
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

/** The state of a socket that `node:dgram` keeps; undefined, and said once, where it keeps something else. */
function stateOf(socket: Socket): SocketState | undefined {
  const symbols = Object.getOwnPropertySymbols(socket);
  const symbol = symbols.find(({ description }) => description === 'state symbol' || description === 'kStateSymbol');
  const state = symbol && (socket as unknown as Record<symbol, SocketState | undefined>)[symbol];
  const handle = state?.handle;
  // It was aborted before it began.
  if (handle === null) return state;
  if (typeof handle === 'object' && HANDLE_METHODS.every((name) => typeof handle[name] === 'function')) return state;
  const message = 'Cannot use io_uring for UDP: the runtime keeps its UDP sockets otherwise than Node does';
  available.tell(wrongState('ERR_IOURING_UNSUPPORTED', message));
  return undefined;
}

/**
 * Make a UDP socket: {@link UdpSocket}. As `dgram.createSocket()` of `node:dgram`: its arguments, and what is wrong
 * with them, are the same.
 * @param options `type` is 'udp4' or 'udp6'
 * @param callback listens to 'message'
 * @throws {TypeError|RangeError} as Node
 *
 * @example
 * import { createSocket } from 'iouring/dgram';
 *
 * const socket = createSocket('udp4', (message, { port, address }) => socket.send(message, port, address));
 * socket.bind(53, '127.0.0.1');
 */
export function createSocket(options: SocketType | UdpSocketOptions, callback?: MessageListener): UdpSocket {
  return new UdpSocket(options, callback);
}
