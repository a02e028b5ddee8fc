import type { Socket } from 'node:dgram';

/** A request of Node's to send something (`SendWrap`). */
export interface SendRequest {
  oncomplete?(status: number, bytes?: number): void;
}

/** The address that a datagram was sent from, as `node:dgram` gives it. */
export interface SenderAddress {
  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
  readonly port: number;
}

/** Node's own handle of a UDP socket (`UDPWrap`), as far as it is used here. Calls answer 0 or -errno. */
export interface UdpHandle {
  readonly fd: number;
  recvStart(): number;
  recvStop(): number;
  /**
   * `args` are port, address, and whether there is a callback; of a connected socket only the last. It answers 1 more
   * than the bytes sent if it is done already.
   */
  send(request: SendRequest, list: readonly ArrayBufferView[], count: number, ...args: unknown[]): number;
  close(callback?: () => void): void;
  ref(): void;
  unref(): void;
  hasRef(): boolean;
  /** To an address of the socket's own family; UV_UDP_* bits. */
  bind(address: string, port: number, flags: number): number;
  /** Take a descriptor that is a UDP socket's. */
  open(fd: number): number;
  getSendQueueSize(): number;
  getSendQueueCount(): number;
  /** As {@link send}, to IPv6: Node puts it in the place of that one. */
  send6?(): unknown;
  /** Calls the socket's own function that looks up names. */
  readonly lookup?: unknown;
  /** Set by `node:dgram` when it begins to receive: emits 'message', or 'error'. */
  onmessage?(bytes: number, handle: UdpHandle, data?: Buffer, sender?: SenderAddress & { size: number }): void;
}

/** Methods that a handle must have to be stood in for. */
export const HANDLE_METHODS = [
  'recvStart',
  'recvStop',
  'send',
  'close',
  'ref',
  'unref',
  'getSendQueueSize',
  'getSendQueueCount',
] as const;

/** Are a handle's methods Node's own? Somebody who has put others in their place wants them called. */
export function hasOwnMethods(handle: UdpHandle): boolean {
  const made = Object.getPrototypeOf(handle) as UdpHandle;
  return HANDLE_METHODS.every((name) =>
    handle[name] === made[name] || (name === 'send' && (handle.send as unknown) === made.send6)
  );
}

/** The state of a socket that `node:dgram` keeps. */
export interface SocketState {
  handle: UdpHandle | null;
  receiving: boolean;
  bindState: number;
  connectState: number;
  queue: unknown;
  sendBlockList?: unknown;
}

/** As {@link SocketState} says it. */
export const BOUND = 2;
export const CONNECTED = 2;

/** The state of a socket that `node:dgram` keeps; undefined where it keeps something else. */
export function stateOf(socket: Socket): SocketState | undefined {
  const symbols = Object.getOwnPropertySymbols(socket);
  const symbol = symbols.find(({ description }) => description === 'state symbol' || description === 'kStateSymbol');
  const state = symbol && (socket as unknown as Record<symbol, SocketState | undefined>)[symbol];
  const handle = state?.handle;
  // It was aborted before it began.
  if (handle === null) return state;
  const isKnown = typeof handle === 'object' && HANDLE_METHODS.every((name) => typeof handle[name] === 'function');
  return isKnown ? state : undefined;
}
