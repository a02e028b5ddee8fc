import { AsyncResource } from 'node:async_hooks';
import { Socket, type RemoteInfo, type SocketOptions, type SocketType } from 'node:dgram';
import { EEXIST } from '../../abi/errno.ts';
import { imitate } from '../../native/imitate.ts';
import { setImmediate } from '../../native/timers.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';
import { BOUND, hasOwnMethods, stateOf, type SocketState, type UdpHandle } from './node-dgram.ts';
import { ringSide } from './ring-when-needed.ts';
import type { RingUdp } from './udp-handle.ts';
import { load, worth } from './worth.ts';

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

/** Node's prototype: types have it that each event is emitted with arguments of its own. */
const { prototype } = Socket as unknown as {
  prototype: Pick<Socket, MethodName> & { emit(...args: unknown[]): boolean };
};

/** The methods that stand in for Node's. */
const METHODS = ['emit', 'bind', 'send', 'setSendBufferSize'] as const;
type MethodName = Exclude<(typeof METHODS)[number], 'emit'>;

/** Nobody is told when it is collected. */
const MANUAL = ownOptions({ requireManualDestroy: true });

/** Sockets whose handle somebody has asked for: whoever has it may do anything with it. */
const seen = new WeakSet<object>();

/** How it is with a socket. */
export interface Life {
  /** `early`: through Node, until it pays to go through the ring; `node`: through Node altogether. */
  readonly way: 'ring' | 'node' | 'early';
  /** Did it ever go through the ring? */
  readonly wasOnRing: boolean;
  readonly isClosed: boolean;
}

let read: (socket: UdpSocket) => Life;

/**
 * A UDP socket, as `dgram.Socket` of `node:dgram`, which it extends: what it can be asked, its events and its errors
 * are the same. It is Node's as long as few datagrams come at a time. While many do, they are received with one
 * multishot receive, and those that are sent in one tick go to the kernel with one system call; the environment
 * variable IOURING_EAGER has it so from the first one on.
 *
 * The data of `send()` is the socket's until the callback is called, as with Node: it is copied in the call while the
 * ring sends, and not before the next tick while Node does.
 *
 * Kernel 6.1. Where there is no io_uring, in Bun and in Deno it is Node's socket and nothing else, as the channel
 * `iouring:fallback` says. So is a socket that workers of a cluster share, and one whose handle somebody has asked for.
 */
export class UdpSocket extends Socket {
  /** Undefined: it stays Node's. */
  readonly #state: SocketState | undefined;
  /** The handle that it was made with: the one of another process may be put in its place. */
  readonly #handle: UdpHandle | undefined;
  /** Addresses need not go through a function of the user's. */
  readonly #isPlain: boolean;
  /** Where it was made: somebody may put another function there. */
  readonly #lookup: unknown;
  /**
   * In it messages are told of, as in that of the handle. It is noted in a call in which the handle tells of one, when
   * the ring may be about to: to note it before would show in async_hooks, for each socket.
   */
  #context: AsyncResource | undefined;
  #ring: RingUdp | undefined;
  #wasTaken = false;
  /** Messages before the next look; 0: it is to come; -1: there is none. */
  #left = -1;
  /** Messages between two looks while it is Node's. */
  #period = worth.messages;

  static {
    read = (socket) => {
      const { handle } = socket.#state ?? { handle: undefined };
      const isOnRing = socket.#ring?.isAtWork === true;
      const isOurs = socket.#handle !== undefined && !seen.has(socket) && (handle ?? socket.#handle) === socket.#handle;
      return {
        way: isOnRing ? 'ring' : isOurs ? 'early' : 'node',
        wasOnRing: isOnRing || socket.#wasTaken,
        isClosed: handle === null,
      };
    };
  }

  constructor(type: SocketType | UdpSocketOptions, listener?: MessageListener) {
    // @ts-expect-error -- the types of Node do not say that it can be constructed.
    super(type, listener);
    this.#isPlain = typeof type === 'string' || type.lookup === undefined;
    const state = stateOf(this);
    if (state === undefined) ringSide.get()?.tellForeign();
    if (state === undefined || state.handle === null) return;
    const { handle } = state;
    this.#state = state;
    this.#handle = handle;
    this.#lookup = handle.lookup;
    // Node 20 does not know it.
    if (typeof type === 'object' && type.reusePort && !('reusePort' in state)) {
      ringSide.get()?.bindWithReusePort(handle, this.#isIPv6);
    }
    if (worth.messages > 0) {
      this.#left = worth.messages;
    } else {
      this.#noteContext();
      this.#ring = this.#makeRing();
      this.#ring?.takeFromTheBeginning();
    }
  }

  get #isIPv6(): boolean {
    return (this as { type?: unknown }).type === 'udp6';
  }

  // ---------------------------------------------------------------- the one of Node and the ring that costs less

  override emit(...args: unknown[]): boolean {
    // Somebody may call it before this class has begun: Node tells a channel of a new socket.
    if (args[0] === 'message' && #left in this && this.#left >= 0) this.#came();
    return Reflect.apply(prototype.emit, this, args);
  }

  #came(): void {
    load.count(true);
    if (this.#left === 0 || --this.#left > 0) return;
    this.#left = 0;
    // Not in the call in which libuv reads.
    if (this.#ring !== undefined || load.pays) {
      this.#noteContext();
      setImmediate(this.#look);
    } else {
      this.#left = this.#period;
    }
  }

  #noteContext(): void {
    this.#context ??= new AsyncResource('IOURINGSOCKET', MANUAL);
  }

  /** Go on with the one of Node and the ring that costs less: see {@link worth}. */
  readonly #look = (): void => {
    const state = this.#state!;
    const isSeen = seen.has(this);
    const ring = this.#ring;
    // It is closed, or shared with other processes; or somebody may change what the ring relies on.
    const isNodes = state.handle !== this.#handle || state.bindState !== BOUND || (isSeen && ring === undefined);
    this.#left = isNodes ? -1 : ring === undefined ? this.#period : worth.messages;
    if (isNodes) return;
    if (ring !== undefined) {
      if (isSeen || !load.pays || !ring.canSend) ring.giveBack(this.#givenBack);
    } else if (load.pays) {
      if (ringSide.isReady && load.takesTurn()) this.#take();
      else this.#left = 1;
    }
  };

  #take(): void {
    const ring = this.#makeRing();
    if (ring?.take() !== true) return;
    this.#ring = ring;
    this.#wasTaken = true;
    // Patience is for Node's way: on the other one what it costs is found out soon.
    this.#left = worth.messages;
  }

  #makeRing(): RingUdp | undefined {
    const side = hasOwnMethods(this.#handle!) ? ringSide.get() : undefined;
    return side && new side.RingUdp(this.#state!, this.#handle!, this.#isIPv6, this.#context!);
  }

  readonly #givenBack = (): void => {
    this.#ring = undefined;
    this.#left = this.#period = load.nextPeriod(this.#period);
  };

  // ---------------------------------------------------------------- sending

  /**
   * Send a datagram. As `socket.send()` of `node:dgram`, in all its forms.
   *
   * @param msg is the socket's until `callback` is called. Text is sent as UTF-8; several pieces as one datagram
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
    const ring = #ring in this ? this.#ring : undefined;
    const isPlain = ring !== undefined && this.#isPlain && this.#handle!.lookup === this.#lookup;
    if (isPlain && ring.sendAtOnce(args)) return;
    super.send(...(args as Parameters<Socket['send']>));
    ring?.goesThroughNode();
  }

  /** As `socket.setSendBufferSize()` of `node:dgram`: SO_SNDBUF. @throws as Node */
  override setSendBufferSize(size: number): void {
    super.setSendBufferSize(size);
    if (#ring in this) this.#ring?.roomChanged();
  }
}

const handleOfNode = Object.getOwnPropertyDescriptor(prototype, '_handle');

// Newer versions have none.
if (handleOfNode !== undefined) {
  const { get, set } = handleOfNode;
  Object.defineProperty(UdpSocket.prototype, '_handle', {
    ...handleOfNode,
    get(this: UdpSocket): unknown {
      seen.add(this);
      return get?.call(this);
    },
    set(this: UdpSocket, handle: unknown): void {
      seen.add(this);
      set?.call(this, handle);
    },
  });
}

/**
 * As `socket.bind()` of `node:dgram`. libuv refuses a descriptor that another socket receives by; where the ring does
 * that for the other, libuv would not know.
 */
function bind(this: UdpSocket, ...args: unknown[]): unknown {
  const nodes = (): unknown => Reflect.apply(prototype.bind, this, args);
  const ringUdp = ringSide.soFar?.RingUdp;
  const [place] = args as [{ fd?: unknown } | null | undefined];
  if (ringUdp?.isAnyAtWork !== true || typeof place !== 'object' || !ringUdp.receivesBy(place?.fd)) return nodes();
  const handle = stateOf(this)?.handle;
  if (!handle || Object.hasOwn(handle, 'open')) return nodes();
  Object.defineProperty(handle, 'open', { value: () => -EEXIST, configurable: true });
  try {
    return nodes();
  } finally {
    Reflect.deleteProperty(handle, 'open');
  }
}

Object.defineProperty(UdpSocket.prototype, 'bind', { value: bind, writable: true, configurable: true });

imitate(UdpSocket, Socket);
for (const name of METHODS) {
  imitate(UdpSocket.prototype[name], prototype[name]);
  Object.defineProperty(UdpSocket.prototype, name, { enumerable: true });
}

/** The same, of the class that Node's `createSocket` makes, as far as one can see. */
class StandIn extends UdpSocket {}

Object.defineProperty(StandIn.prototype, 'constructor', { value: Socket, writable: true, configurable: true });

/** How it is with a socket of ours. */
export function lifeOf(socket: UdpSocket): Life {
  return read(socket);
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

/** The same under `iouring/register`: the `constructor` of what it makes is `dgram.Socket` of `node:dgram`. */
export function createNodesSocket(options: SocketType | UdpSocketOptions, callback?: MessageListener): UdpSocket {
  return new StandIn(options, callback);
}
