import { EALREADY, ECANCELED, ECONNREFUSED, EINPROGRESS } from '../../abi/errno.ts';
import { POLLERR, POLLHUP, POLLOUT } from '../../abi/event-flags.ts';
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  IPPROTO_TCP,
  SO_ERROR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_NODELAY,
} from '../../abi/socket-flags.ts';
import { closeNow, connectTo, getsockopt, openSocket, setsockopt } from '../transport/socket-calls.ts';
import { Submission, type Completion, type IoUring } from '../../reactor/submission.ts';
import { clearImmediate, setImmediate } from '../../native/timers.ts';
import { keepAliveAsNode } from './keep-alive.ts';
import { isOnlyAttempt, isTaken } from './node-internals.ts';
import type { NameOf, NativeHandle } from './node-net.ts';
import { nameOf } from './socket-handle.ts';
import type { Transport } from '../transport/transport.ts';

/** A request of Node's to connect, and whom it tells. */
interface ConnectRequest {
  oncomplete?: (status: number, handle: NativeHandle, request: ConnectRequest, readable: boolean, writable: boolean) => void;
}

/** The connection, for its owner. */
export interface Connected {
  readonly handle: NativeHandle;
  readonly isTcp: boolean;
  /** Its owner owns it from then on. */
  readonly fd: number;
  readonly isRef: boolean;
}

/** The owner of a handle that connects through the ring. */
export interface ConnectOwner {
  readonly transport: Transport;
  /** Is the socket for somebody who works on the handle? */
  isTaken(): boolean;
  /** Call back in the context in which it was asked to connect. */
  tell(call: () => void): void;
  /** There is a connection. It is told of to Node's socket when `tell` is called. */
  connected(connection: Connected, tell: () => void): void;
}

/** `sun_path` has 108 bytes, one of them for the end of the text. */
const UNIX_PATH_MAX = 107;

/** libuv does not keep the time that is asked for before there is a descriptor. */
const KEEP_ALIVE_SECONDS = 60;

const STATE = Symbol('connecting');

type Hooked = NativeHandle & { [STATE]: Connecting };

/**
 * Have a handle of Node's that has no descriptor yet connect through the ring, if Node asks it to connect to one
 * address.
 */
export function connectThroughRing(handle: NativeHandle, owner: ConnectOwner): void {
  (handle as Hooked)[STATE] = new Connecting(handle as Hooked, owner);
  Object.setPrototypeOf(handle, hooked(Object.getPrototypeOf(handle) as NativeHandle));
}

/** How a handle gets its connection. The handle is Node's: its methods that concern the descriptor come here. */
class Connecting extends Submission {
  readonly handle: Hooked;
  readonly native: NativeHandle;
  readonly owner: ConnectOwner;
  readonly isTcp: boolean;
  /** Others than Node have seen the handle. */
  isSeen = false;
  /** Options that were asked for before there was a descriptor. */
  noDelay = false;
  keepAlive = false;
  #unguard: (() => void) | undefined;
  #request: ConnectRequest | undefined;
  #isRef = true;
  /** The turn of the event loop in which it was begun. */
  #turn = -1;
  #late: NodeJS.Immediate | undefined;
  #status = 0;

  constructor(handle: Hooked, owner: ConnectOwner) {
    super();
    this.handle = handle;
    this.native = Object.getPrototypeOf(handle) as NativeHandle;
    this.owner = owner;
    this.isTcp = handle.getpeername !== undefined;
  }

  override get isEvent(): boolean {
    return true;
  }

  override get isUnbounded(): boolean {
    return true;
  }

  /** As libuv connects. @returns 0, or -errno, if that is to be told in the call */
  begin(request: ConnectRequest, address: string, port: number | undefined, isV6: boolean): number {
    if (this.#request !== undefined) return -EALREADY;
    const { engine } = this.owner.transport;
    const fd = openSocket(this.isTcp ? (isV6 ? AF_INET6 : AF_INET) : AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && this.isTcp) return fd;
    const result = fd < 0 ? fd : connectTo(fd, this.isTcp ? { address, port: port! } : { path: address });
    const isUnderWay = result === 0 || result === -EINPROGRESS;
    if (fd >= 0) {
      this.fd = fd;
      this.#unguard = engine.guard(fd);
      if (this.noDelay) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
      if (this.keepAlive) keepAliveAsNode(fd, true, [KEEP_ALIVE_SECONDS]);
    }
    // TCP tells of all but a refusal in the call.
    if (!isUnderWay && this.isTcp && result !== -ECONNREFUSED) return result;
    this.#request = request;
    this.#turn = engine.turns;
    if (isUnderWay) engine.submit(this);
    else this.#tellLater(result);
    return 0;
  }

  override prepare(ring: IoUring): boolean {
    if (!ring.prepPollAdd(this.fd, POLLOUT, this.slot)) return false;
    this.owed = 1;
    return true;
  }

  override arrived({ res }: Completion): void {
    if (res < 0) this.#status = res;
    else this.#status = (res & (POLLERR | POLLHUP)) === 0 ? 0 : -getsockopt(this.fd, SOL_SOCKET, SO_ERROR);
  }

  override over(): void {
    if (this.#request === undefined) return;
    // Not before the event loop has turned: Node's own is told by it.
    if (this.#turn === this.owner.transport.engine.turns) this.#tellLater(this.#status);
    else this.#tell(this.#status);
  }

  override cancelled(): void {}

  /** The reactor is closed. */
  override refused(): void {
    if (this.#request !== undefined) this.#tellLater(-ECANCELED);
  }

  #tellLater(status: number): void {
    this.#late = setImmediate(() => this.#tell(status));
    if (!this.#isRef) this.#late.unref();
  }

  #tell(status: number): void {
    const request = this.#request;
    if (request === undefined) return;
    this.#request = undefined;
    const { handle, owner } = this;
    const isConnected = status === 0;
    const tell = (): void => owner.tell(() => request.oncomplete?.(status, handle, request, isConnected, isConnected));
    if (!isConnected) return tell();
    const fd = this.#letGo();
    owner.connected({ handle, isTcp: this.isTcp, fd, isRef: this.#isRef }, tell);
  }

  /** The descriptor is somebody else's, and the handle as Node has made it. */
  #letGo(): number {
    const fd = this.fd;
    this.fd = -1;
    this.#unguard?.();
    this.#unguard = undefined;
    Object.setPrototypeOf(this.handle, this.native);
    return fd;
  }

  /** Node is to do it. */
  leave(): void {
    this.#letGo();
  }

  /** The handle is being closed. */
  stop(): void {
    const request = this.#request;
    this.#request = undefined;
    clearImmediate(this.#late);
    if (this.slot >= 0 || this.queued) this.owner.transport.engine.cancel(this);
    const fd = this.#letGo();
    if (fd >= 0) closeNow(fd);
    const { handle, owner } = this;
    if (request === undefined) return;
    setImmediate(() => owner.tell(() => request.oncomplete?.(-ECANCELED, handle, request, false, false)));
  }

  set isRef(is: boolean) {
    this.#isRef = is;
    this.owner.transport.engine.keepAlive(this, is);
    if (is) this.#late?.ref();
    else this.#late?.unref();
  }

  get isRef(): boolean {
    return this.#isRef;
  }
}

/**
 * Is it an address that is connected to here? Those of a zone are not, nor abstract names: how long they are depends on
 * libuv's version.
 */
function isPlain(isTcp: boolean, address: string): boolean {
  if (isTcp) return !address.includes('%');
  return address !== '' && !address.includes('\0') && Buffer.byteLength(address) <= UNIX_PATH_MAX;
}

function connect(handle: Hooked, request: ConnectRequest, address: string, port: number | undefined, isV6: boolean): number {
  const { [STATE]: state } = handle;
  const { native, isTcp } = state;
  const hasDescriptor = (Reflect.get(native, 'fd', handle) as number) >= 0;
  const isOurs = isOnlyAttempt(request) && !isTaken(handle) && !state.owner.isTaken();
  if (!hasDescriptor && isOurs && isPlain(isTcp, address)) {
    return state.begin(request, address, port, isV6);
  }
  state.leave();
  const methods = native as unknown as Record<'connect' | 'connect6', (...args: unknown[]) => number>;
  return methods[isV6 ? 'connect6' : 'connect'].call(handle, ...(isTcp ? [request, address, port] : [request, address]));
}

/**
 * Somebody has seen the handle of a socket that is being connected, and may keep it: it is to be the socket's for good.
 */
export function keepHandle(handle: NativeHandle): void {
  const state = (handle as Partial<Hooked>)[STATE];
  if (state !== undefined) state.isSeen = true;
}

/** Is a handle that {@link connectThroughRing} was given to be kept? */
export function isKept(handle: NativeHandle): boolean {
  return (handle as Hooked)[STATE].isSeen || isTaken(handle);
}

const prototypes = new Map<NativeHandle, NativeHandle>();

/** Such a handle inherits from this: the prototype of Node's, with what concerns the descriptor before it. */
function hooked(native: NativeHandle): NativeHandle {
  let prototype = prototypes.get(native);
  if (prototype !== undefined) return prototype;
  const common = {
    get fd(): number {
      return (this as unknown as Hooked)[STATE].fd;
    },
    connect(this: Hooked, request: ConnectRequest, address: string, port?: number): number {
      return connect(this, request, address, port, false);
    },
    close(this: Hooked, done?: () => void): void {
      this[STATE].stop();
      // Not by its name: somebody may have put something in its place that calls this.
      native.close.call(this, done);
    },
    ref(this: Hooked): void {
      this[STATE].isRef = true;
      native.ref!.call(this);
    },
    unref(this: Hooked): void {
      this[STATE].isRef = false;
      native.unref!.call(this);
    },
    hasRef(this: Hooked): boolean {
      return this[STATE].isRef;
    },
  };
  const ofTcp = {
    connect6(this: Hooked, request: ConnectRequest, address: string, port: number): number {
      return connect(this, request, address, port, true);
    },
    getsockname(this: Hooked, out: NameOf): number {
      const { fd } = this[STATE];
      return fd < 0 ? native.getsockname!.call(this, out) : nameOf(fd, false, out);
    },
    getpeername(this: Hooked, out: NameOf): number {
      const { fd } = this[STATE];
      return fd < 0 ? native.getpeername!.call(this, out) : nameOf(fd, true, out);
    },
    setNoDelay(this: Hooked, on: boolean): number {
      const state = this[STATE];
      if (state.fd >= 0) return setsockopt(state.fd, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
      state.noDelay = on;
      return native.setNoDelay!.call(this, on);
    },
    setKeepAlive(this: Hooked, on: boolean, ...values: (number | undefined)[]): number {
      const state = this[STATE];
      if (state.fd >= 0) return keepAliveAsNode(state.fd, on, values);
      state.keepAlive = on;
      return native.setKeepAlive!.call(this, on, ...values);
    },
    reset(this: Hooked, done?: () => void): number {
      this[STATE].stop();
      native.close.call(this, done);
      return 0;
    },
  };
  const own = { ...Object.getOwnPropertyDescriptors(common), ...(native.getpeername && Object.getOwnPropertyDescriptors(ofTcp)) };
  prototype = Object.create(native, own) as NativeHandle;
  prototypes.set(native, prototype);
  return prototype;
}
