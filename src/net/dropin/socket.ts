import { AsyncResource } from 'node:async_hooks';
import type { Socket as NodeSocket, SocketConstructorOpts } from 'node:net';
import { EBADF } from '../../abi/errno.ts';
import { addressOf, duplicate } from '../transport/socket-calls.ts';
import { nextTick } from '../../native/timers.ts';
import { constructorFunction } from './constructor-function.ts';
import { adoptHandle } from './native-handle.ts';
import { hasEnd, isAskedByNode, isNative, isOfHttp2, isReadByOthers, whoAsks } from './node-internals.ts';
import { node, type Done, type NativeHandle, type NameOf, type Piece, type SocketClass } from './node-net.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';
import { behindEvents, ringForSockets } from '../transport/ring-or-node.ts';
import { SocketConnection } from './socket-connection.ts';
import { socketError } from '../transport/socket-error.ts';
import { transportOf, type Transport } from '../transport/transport.ts';
import { isOnRead, UserBuffer, type OnRead } from './user-buffer.ts';

/**
 * SocketMethods under it; null if it stays Node's; undefined as long as that is not decided: see {@link connectionOf}.
 */
const CONNECTION = Symbol('connection');
/** One of Node's methods is at work on it, and is to find a handle. */
const IS_LENT = Symbol('handle is lent');
/** Facts that are known of it before it has a connection. */
const USER_BUFFER = Symbol('user buffer');
const SCOPE = Symbol('scope');
const KEEPS_DESCRIPTOR = Symbol('keeps descriptor');
const IS_SHARED = Symbol('is shared');
/** Writes before {@link takeOver}, at least 1: 0 of a socket that stays Node's, -1 of one that does not connect. */
const WRITES_LEFT = Symbol('writes left');

/**
 * A connection that is made is Node's for so many writes. To make one through the ring takes longer than libuv does,
 * and
 * to take it over costs as much as a few messages save: a short connection would pay for both and gain nothing. With 0,
 * as tests have it, it is taken over when it is first used.
 */
export const lasting = { writes: 16 };

interface State {
  [CONNECTION]: SocketConnection | null | undefined;
  [IS_LENT]: boolean;
  [USER_BUFFER]: UserBuffer | undefined;
  [SCOPE]: AsyncResource | undefined;
  [KEEPS_DESCRIPTOR]: boolean;
  [IS_SHARED]: boolean;
  [WRITES_LEFT]: number;
}

/** Node's class, with what ours have beside it. */
const Base = node.Socket as unknown as new () => SocketClass & State;

const prototypeOfNode = node.Socket.prototype as unknown as object;

/** The answer of Node's getter. */
function asNode(socket: object, name: string): unknown {
  return Reflect.get(prototypeOfNode, name, socket) as unknown;
}

/**
 * The methods of `net.Socket` that touch a handle. Node makes the handle and connects it; as soon as something is to be
 * read or written, a connection of ours takes over its descriptor. What is not here is Node's.
 */
class SocketMethods extends Base {
  /**
   * Node's while it is connecting, or if it stays Node's. The agent of node:http gets the connection's own. node:tls
   * and node:http2 get a handle of libuv's on the socket, which is Node's from then on, if nothing has come yet that it
   * would not see. All others get a native stream that stands on the connection, which the parser of node:http's server
   * reads from as well; and a handle of libuv's on the same socket for another process.
   */
  override get _handle(): NativeHandle | null {
    const connection = this[CONNECTION];
    if (connection === undefined || connection === null) {
      const handle = asNode(this, '_handle') as NativeHandle | null;
      // Somebody who has seen it may keep it: then it stays the socket's.
      if (this[WRITES_LEFT] > 0 && handle !== null && this !== inNode && !isAskedByOwner(this)) this[WRITES_LEFT] = 0;
      return handle;
    }
    if (this[IS_LENT]) return connection.seen ?? connection.handle;
    if (!connection.isOpen) return (!connection.isLetGo && connection.seen) || null;
    if (this.listenerCount('agentRemove') > 0) return connection.handle;
    const isTaken = this.parser !== undefined && this.parser !== null && this.server !== null &&
      connection.isTakenBy(this.parser);
    const who = isTaken ? undefined : whoAsks();
    if (who === 'child process') return connection.native;
    if (who === 'protocol' && goesToNode(this, connection)) return asNode(this, '_handle') as NativeHandle | null;
    return connection.stream.handle as unknown as NativeHandle;
  }

  override set _handle(handle: NativeHandle | null) {
    const connection = this[CONNECTION];
    if (handle !== null && connection === undefined && this[SCOPE] !== undefined) tellInOrder(this, handle);
    if (connection === undefined || connection === null) Reflect.set(prototypeOfNode, '_handle', handle, this);
    else if (handle === null) {
      connection.isLetGo = true;
      // Another process has it. Else nobody decides of ours.
      if (!this[IS_LENT]) connection.handedOver();
    }
  }

  override connect(...args: unknown[]): this {
    return connectBy(this, args, () => super.connect(...args));
  }

  // ---------------------------------------------------------------- the stream

  override _read(size: number): void {
    const connection = this[CONNECTION] ?? connectionOf(this);
    if (connection === undefined) withinNode(this, () => super._read(size));
    else connection.read();
  }

  override _write(data: Uint8Array | string, encoding: BufferEncoding, done: Done): void {
    const connection = this[CONNECTION];
    if (isOpen(connection) && !this.connecting) connection.send(data, encoding, done);
    else this._writeGeneric(false, data, encoding, done);
  }

  override _writev(pieces: Piece[], done: Done): void {
    const connection = this[CONNECTION];
    if (isOpen(connection) && !this.connecting) connection.sendAll(pieces, done);
    else this._writeGeneric(true, pieces, '', done);
  }

  /** Also what Node calls, when it is connected, with what was written before. */
  override _writeGeneric(isMany: boolean, data: unknown, encoding: string, done: Done): void {
    const connection = this.connecting ? undefined : connectionOf(this);
    if (!isOpen(connection)) {
      if (isClosedOnly(connection)) return done(socketError(EBADF, 'write'));
      if (!this.connecting) countWrite(this);
      const write = (): void => super._writeGeneric(isMany, data, encoding, done);
      // Writes from before the socket was connected call back within the call, so that others run in it.
      return this._pendingData === null ? withinNode(this, write) : write();
    }
    this._pendingData = null;
    this._pendingEncoding = '';
    if (isMany) connection.sendAll(data as Piece[], done);
    else connection.send(data as Uint8Array | string, encoding, done);
  }

  override _final(done: Done): void {
    const connection = this.connecting ? undefined : connectionOf(this);
    if (connection === undefined) withinNode(this, () => super._final(done));
    else if (connection.isOpen) connection.finish(done);
    else done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (isOpen(this[CONNECTION])) lend(this, () => super._destroy(error, done));
    else withinNode(this, () => super._destroy(error, done));
  }

  override resetAndDestroy(): this {
    const connection = this[CONNECTION];
    if (!isOpen(connection)) return super.resetAndDestroy();
    if (connection.isTcp) this._reset();
    // Node says that this is no handle for it.
    else lend(this, () => super.resetAndDestroy());
    return this;
  }

  override pause(): this {
    return this[CONNECTION]?.isReadByUser === true ? lend(this, () => super.pause()) : super.pause();
  }

  override resume(): this {
    return this[CONNECTION]?.isReadByUser === true ? lend(this, () => super.resume()) : super.resume();
  }

  override read(size?: number): ReturnType<SocketClass['read']> {
    return this[CONNECTION]?.isReadByUser === true ? lend(this, () => super.read(size)) : super.read(size);
  }

  // ---------------------------------------------------------------- who listens

  /**
   * While node:http's server takes the socket over it adds two listeners that start and stop the handle, at each
   * request with a body. They get the connection's own handle: to find out that it is not node:child_process that asks
   * costs more than the rest of the request.
   */
  override on(event: string | symbol, listener: Listener): this {
    const isOfHttp = (event === 'resume' || event === 'pause') && isTakenOver(this);
    return super.on(event, isOfHttp ? lentTo(listener) : listener);
  }

  // ---------------------------------------------------------------- what is asked of the handle

  override setNoDelay(on?: boolean): this {
    return lend(this, () => super.setNoDelay(on));
  }

  override setKeepAlive(...args: unknown[]): this {
    return lend(this, () => super.setKeepAlive(...args));
  }

  override ref(): this {
    return lend(this, () => super.ref());
  }

  override unref(): this {
    return lend(this, () => super.unref());
  }

  override _getsockname(): NameOf {
    return lend(this, () => super._getsockname());
  }

  override _getpeername(): NameOf {
    return lend(this, () => super._getpeername());
  }

  override get pending(): boolean {
    return isOpen(this[CONNECTION]) ? this.connecting : (withinNode(this, () => asNode(this, 'pending')) as boolean);
  }

  override get bufferSize(): number | undefined {
    return isOpen(this[CONNECTION]) ? this.writableLength
      : (withinNode(this, () => asNode(this, 'bufferSize')) as number | undefined);
  }

  override get bytesRead(): number {
    return this[CONNECTION]?.delivered ?? (withinNode(this, () => asNode(this, 'bytesRead')) as number);
  }

  override get _bytesDispatched(): number {
    return this[CONNECTION]?.dispatched ?? (withinNode(this, () => asNode(this, '_bytesDispatched')) as number);
  }
}

// Newer versions have these.
for (const name of ['setTypeOfService', 'getTypeOfService'] as const) {
  const method = Reflect.get(prototypeOfNode, name) as ((this: unknown, value?: number) => unknown) | undefined;
  if (method === undefined) continue;
  const ours = function (this: SocketMethods, value?: number): unknown {
    return lend(this, () => method.call(this, value));
  };
  Object.defineProperty(ours, 'name', { value: method.name });
  Object.defineProperty(SocketMethods.prototype, name, { value: ours, writable: true, configurable: true });
}

/** As the types of Node's events have it: what it is called with, and on, depends on the event. */
// oxlint-disable-next-line typescript/no-explicit-any
type Listener = (...args: any[]) => void;

/** Is it ours, and not closed? */
function isOpen(connection: SocketConnection | null | undefined): connection is SocketConnection {
  return connection !== undefined && connection !== null && connection.isOpen;
}

/** Has somebody closed the handle, and the socket still has it? */
function isClosedOnly(connection: SocketConnection | null | undefined): boolean {
  return connection !== undefined && connection !== null && !connection.isOpen && !connection.isLetGo;
}

/** Has node:http's server given it a parser, and not yet looked for a stream to read from? */
function isTakenOver(socket: SocketMethods): boolean {
  const connection = socket[CONNECTION];
  const { parser } = socket;
  return parser !== undefined && parser !== null && socket.server !== null && isOpen(connection) &&
    !connection.hasParser(parser);
}

/** A listener of Node's that finds the connection's handle. */
function lentTo(listener: Listener): Listener {
  return function (this: SocketMethods): void {
    lend(this, () => listener.call(this));
  };
}

/** Have Node's method find a handle if ours is open. */
function lend<T>(socket: SocketMethods, call: () => T): T {
  const before = socket[IS_LENT];
  if (before) return call();
  if (!isOpen(socket[CONNECTION])) return withinNode(socket, call);
  socket[IS_LENT] = true;
  try {
    return call();
  } finally {
    socket[IS_LENT] = before;
  }
}

/** The method `connect` of Node, for a socket that is to go through the ring if it lasts. */
function connectBy<T>(socket: SocketMethods, args: readonly unknown[], connect: () => T): T {
  const connection = socket[CONNECTION];
  // Another life begins.
  if (socket.destroyed) socket[CONNECTION] = undefined;
  socket[SCOPE] = new AsyncResource('TCPWRAP');
  if (isOpen(connection)) return lend(socket, connect);
  socket[WRITES_LEFT] = lasting.writes || -1;
  if (callsOthers(socket, args)) return connect();
  // An address that needs no lookup is connected to in a tick that is asked for in the call.
  nextTick(enterNode, socket);
  try {
    return withinNode(socket, connect);
  } finally {
    nextTick(leaveNode);
  }
}

/** Does a call that connects a socket call a function of the user's, which may ask for the handle? */
function callsOthers(socket: SocketMethods, [first]: readonly unknown[]): boolean {
  // As net.connect hands them on.
  const options: unknown = Array.isArray(first) ? first[0] : first;
  const hasLookup = typeof options === 'object' && options !== null &&
    (options as { lookup?: unknown }).lookup !== undefined;
  return hasLookup || socket.listenerCount('connectionAttempt') > 0;
}

/**
 * The socket that Node is at work on and nobody else: whoever asks for its handle is Node. To find that out otherwise
 * takes much longer.
 */
let inNode: SocketMethods | undefined;

function enterNode(socket: SocketMethods): void {
  // Those who hear of an attempt may ask for the handle.
  if (socket.listenerCount('connectionAttempt') === 0) inNode = socket;
}

function leaveNode(): void {
  inNode = undefined;
}

function withinNode<T>(socket: SocketMethods, call: () => T): T {
  const before = inNode;
  inNode = socket;
  try {
    return call();
  } finally {
    inNode = before;
  }
}

/** Node's request to connect, as its handles tell of it. */
interface ConnectRequest {
  oncomplete(...outcome: unknown[]): void;
}

/**
 * The events of the ring are told in another phase of the loop than those of libuv. A connection is told of behind what
 * came before it: the server to which it goes, in the same process, has accepted it then.
 */
function tellInOrder(socket: SocketMethods, handle: NativeHandle): void {
  const methods = handle as unknown as Record<
    string,
    ((request: ConnectRequest, ...place: unknown[]) => number) | undefined
  >;
  for (const name of ['connect', 'connect6'] as const) {
    const method = methods[name];
    if (method === undefined) continue;
    methods[name] = function (this: NativeHandle, request: ConnectRequest, ...place: unknown[]): number {
      const { oncomplete } = request;
      const inOrder = (...outcome: unknown[]): void => {
        const tell = (): void => oncomplete.apply(request, outcome);
        // A failure is told at once: that of a handle that is closed comes before its 'close', after which the socket
        // may connect anew. Node may give up an attempt that waits to be told of.
        const tellLate = (): void => {
          const isCurrent = request.oncomplete === inOrder && asNode(socket, '_handle') === this;
          if (isCurrent) socket[SCOPE]!.runInAsyncScope(tell);
        };
        if (outcome[0] !== 0 || !behindEvents(tellLate)) tell();
      };
      request.oncomplete = inOrder;
      return method.call(this, request, ...place);
    };
  }
}

/**
 * A connection that Node has made has shown that it lasts: its descriptor becomes ours, unless something is under way
 * on it, or others than Node may have its handle. All that libuv has read was handed over in the call that read it.
 */
function takeOver(socket: SocketMethods): void {
  const handle = asNode(socket, '_handle') as NativeHandle | null;
  // Meanwhile it may have been seen, or begun another life.
  if (socket[WRITES_LEFT] !== 1 || socket[CONNECTION] !== undefined || handle === null) return;
  socket[WRITES_LEFT] = lasting.writes;
  if (!isAtWork(socket)) return;
  const io = ringForSockets();
  const fd = io !== undefined && isFree(socket, handle) ? duplicate(handle.fd!) : -1;
  if (io === undefined || fd < 0) return;
  const { reading, bytesRead = 0, bytesWritten = 0 } = handle;
  const isRef = handle.hasRef?.() !== false;
  if (reading === true) handle.readStop!();
  Reflect.set(prototypeOfNode, '_handle', null, socket);
  // It would be named among the active ones until the event loop has closed it.
  handle.unref?.();
  handle.close();
  const connection = attach(socket, transportOf(io), fd, handle.getpeername !== undefined);
  connection.goOn(bytesRead, bytesWritten);
  if (!isRef) connection.unref();
  if (reading === true) connection.read();
}

/** So many writes are left to be Node's; after the last of them the socket is taken over. */
function countWrite(socket: SocketMethods): void {
  const { [WRITES_LEFT]: left } = socket;
  if (left === 1) nextTick(takeOver, socket);
  else if (left > 1) socket[WRITES_LEFT] = left - 1;
}

/** Is the handle asked for by who owns the socket in Node, and keeps no handle: node:net, or an agent of node:http? */
function isAskedByOwner(socket: SocketMethods): boolean {
  return socket.listenerCount('agentRemove') > 0 || isAskedByNode();
}

/** Is a socket in the middle of its life: open in both directions, with nothing that waits to be written? */
function isAtWork(socket: SocketMethods): boolean {
  const { destroyed, writable, writableLength, connecting, [USER_BUFFER]: userBuffer } = socket;
  return writable && !destroyed && !connecting && writableLength === 0 && userBuffer === undefined && !hasEnd(socket);
}

/** The connection of a socket. If it is connected, and nothing speaks against it, the descriptor becomes ours now. */
function connectionOf(socket: SocketMethods): SocketConnection | undefined {
  const known = socket[CONNECTION];
  if (known !== undefined) return known ?? undefined;
  if (socket.connecting || socket[WRITES_LEFT] >= 0) return undefined;
  const handle = socket._handle;
  if (handle === null) return undefined;
  const io = ringForSockets();
  const fd = io === undefined || handle.reading === true || !isFree(socket, handle) ? -1 : duplicate(handle.fd!);
  if (io === undefined || fd < 0) {
    socket[CONNECTION] = null;
    return undefined;
  }
  const isRef = handle.hasRef?.() !== false;
  // A descriptor that was given to it by number stays what it is as long as the socket lives.
  const keeps = socket[KEEPS_DESCRIPTOR];
  socket._handle = null;
  if (!keeps) handle.close();
  const connection = attach(
    socket,
    transportOf(io),
    fd,
    handle.getpeername !== undefined,
    keeps ? () => handle.close() : undefined,
  );
  if (!isRef) connection.unref();
  return connection;
}

/**
 * A protocol whose native code reads from handles takes the socket: it is Node's from then on. On a stream that stands
 * in for a handle that code would be called, and call back, in other turns, and at a higher cost. False if something
 * has come already.
 */
function goesToNode(socket: SocketMethods, connection: SocketConnection): boolean {
  const { isReading, isRef } = connection;
  const fd = connection.giveAway();
  if (fd < 0) return false;
  socket[CONNECTION] = null;
  const handle = adoptHandle(socket, fd);
  socket._handle = handle;
  if (!isRef) handle.unref?.();
  if (isReading) {
    handle.reading = true;
    handle.readStart!();
  }
  return true;
}

function attach(
  socket: SocketMethods,
  transport: Transport,
  fd: number,
  isTcp: boolean,
  closed?: () => void,
): SocketConnection {
  const { [USER_BUFFER]: userBuffer, [SCOPE]: scope, [IS_SHARED]: isShared } = socket;
  return (socket[CONNECTION] = new SocketConnection(transport, fd, socket, {
    isTcp,
    userBuffer,
    scope,
    isShared,
    closed,
  }));
}

/** Is it a handle of Node's on a connected socket, with which nobody but the socket works, and which writes nothing? */
function isFree(socket: SocketMethods, handle: NativeHandle): boolean {
  if (!isNative(handle) || isReadByOthers(handle) || isOfHttp2(socket)) return false;
  // Node may be about to connect it. A pipe or a FIFO is no socket, and has no peer either.
  return handle.writeQueueSize === 0 && addressOf(handle.fd, true) !== undefined;
}

/**
 * `net.Socket` on the ring. An instance of Node's class as well; arguments, events and errors are Node's. Where there
 * is no ring, or where somebody has taken the native handle of a socket before it was used, it stays Node's altogether.
 */
export const Socket: typeof node.Socket = constructorFunction(
  node.Socket,
  SocketMethods as unknown as typeof node.Socket,
  function init(this: SocketMethods, options?: SocketConstructorOpts | number): void {
    begin(this);
    const onread: unknown = typeof options === 'object' ? (options as { onread?: OnRead }).onread : undefined;
    const userBuffer = isOnRead(onread) ? new UserBuffer(onread) : undefined;
    this[USER_BUFFER] = userBuffer;
    this[KEEPS_DESCRIPTOR] = typeof options === 'number' || options?.fd !== undefined;
    // So node:child_process makes one of what it was sent, and process.stdout is one of what this process was started
    // with.
    this[IS_SHARED] = this[KEEPS_DESCRIPTOR] || (options as { handle?: unknown } | undefined)?.handle !== undefined;
    const given = userBuffer === undefined ? options
      : ownOptions({ ...(options as SocketConstructorOpts), onread: userBuffer.option });
    Reflect.apply(node.Socket, this, [given]);
  },
);

/** The state of a socket that has no connection yet. */
function begin(socket: SocketMethods): void {
  socket[CONNECTION] = undefined;
  socket[IS_LENT] = false;
  socket[SCOPE] = undefined;
  socket[USER_BUFFER] = undefined;
  socket[KEEPS_DESCRIPTOR] = false;
  socket[IS_SHARED] = false;
  socket[WRITES_LEFT] = -1;
}

/**
 * Have a socket that Node's class has made, and that has neither a connection nor memory of the user's to read into,
 * connect and go through the ring from now on. It is an instance of the same class as before, and its `constructor` is
 * the same.
 * @param args what it was told to connect to
 * @param connect Node's own: the method of the prototype may be somebody's who has called this one
 */
export function connectAdopted<T>(socket: NodeSocket, args: readonly unknown[], connect: () => T): T {
  const adopted = Object.setPrototypeOf(socket, adoptedPrototype) as SocketMethods;
  begin(adopted);
  return connectBy(adopted, args, connect);
}

const { constructor: _, ...methods } = Object.getOwnPropertyDescriptors(SocketMethods.prototype);
const adoptedPrototype = Object.create(prototypeOfNode, methods) as object;

/**
 * How the data of a socket goes; `early`: through Node as long as it has not shown that it lasts; undefined: none has
 * come
 * so far.
 */
export function wayOf(socket: object): 'ring' | 'node' | 'early' | undefined {
  if (!(CONNECTION in socket)) return 'node';
  const { [CONNECTION]: connection, [WRITES_LEFT]: writesLeft } = socket as State;
  if (connection !== undefined) return connection === null ? 'node' : 'ring';
  return writesLeft > 0 ? 'early' : writesLeft === 0 ? 'node' : undefined;
}

type AcceptOptions = SocketConstructorOpts & { pauseOnCreate: boolean };

/**
 * A socket on a connected descriptor, which it owns. `pauseOnCreate`: nothing is read before it is resumed. See {@link
 * announced}.
 */
export function accept(transport: Transport, fd: number, isTcp: boolean, options: AcceptOptions): NodeSocket {
  const socket = new Socket(options) as unknown as SocketMethods;
  attach(socket, transport, fd, isTcp).isNew();
  return begun(socket, options);
}

/** The same on a handle of Node's, which stays under it if there is no ring. */
export function acceptHandle(handle: NativeHandle, options: AcceptOptions): NodeSocket {
  const given = { ...options, handle, manualStart: true, pauseOnCreate: false };
  const socket = new Socket(ownOptions(given as SocketConstructorOpts)) as unknown as SocketMethods;
  socket[IS_SHARED] = false;
  connectionOf(socket)?.isNew();
  return begun(socket, options);
}

function begun(socket: SocketMethods, { pauseOnCreate }: AcceptOptions): NodeSocket {
  if (pauseOnCreate) (socket as { readableFlowing: boolean | null }).readableFlowing = false;
  else socket.read(0);
  return socket as unknown as NodeSocket;
}

/** The server has told of a socket that it has accepted: from now on it receives. */
export function announced(socket: NodeSocket): void {
  (socket as unknown as State)[CONNECTION]?.announced();
}
