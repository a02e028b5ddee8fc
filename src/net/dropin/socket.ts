import { AsyncResource } from 'node:async_hooks';
import type { Socket as NodeSocket, SocketConstructorOpts } from 'node:net';
import { EBADF } from '../../abi/errno.ts';
import { nextTick, setImmediate } from '../../native/timers.ts';
import { constructorFunction } from './constructor-function.ts';
import { classOf, forward } from './native-handle.ts';
import {
  ASKED_BY_HTTP,
  ASKED_TO_BIND,
  ASKED_TO_CONNECT,
  hasEnd,
  isAskedByNode,
  isClosedAsIdle,
  isIdleGuard,
  isNative,
  isOfHttp2,
  isReadByOthers,
  parserOn,
  symbolsOfTransfer,
  putUnder,
  whoAsks,
  type HandleParser,
} from './node-internals.ts';
import { node, type Done, type NativeHandle, type NameOf, type Piece, type SocketClass } from './node-net.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';
import { ringSide } from './ring-when-needed.ts';
import type { SocketConnection } from './socket-connection.ts';
import { socketError } from '../transport/socket-error.ts';
import { isOnRead, UserBuffer, type OnRead } from './user-buffer.ts';
import { count, forget, isWorthKeeping, isWorthTaking, load, worth } from './worth.ts';

const SETTLED = Promise.resolve();

/**
 * SocketMethods under it; null if it stays Node's; undefined as long as that is not decided: see {@link connectionOf}.
 */
const CONNECTION = Symbol('connection');
/** One of Node's methods is at work on it, and is to find a handle. */
const IS_LENT = Symbol('handle is lent');
/** Facts that are known of it before it has a connection. */
const USER_BUFFER = Symbol('user buffer');
const CONNECTS = Symbol('connects');
const SCOPE = Symbol('scope');
const KEEPS_DESCRIPTOR = Symbol('keeps descriptor');
const IS_SHARED = Symbol('is shared');
/** Writes before the next {@link look}, at least 1: 0 of a socket that stays Node's, -1 of one that goes by no look. */
const WRITES_LEFT = Symbol('writes left');
/** Writes between two looks while it is Node's. */
const PERIOD = Symbol('period');
/** The epoch of the load at the last look; -1 before the first. With another one the next write leads to a look. */
const EPOCH = Symbol('epoch');
/** Bytes that had come and gone at the last look, and messages that were written since. */
const READ_SEEN = Symbol('read seen');
const WRITTEN_SEEN = Symbol('written seen');
const MESSAGES = Symbol('messages');
/** Bytes that went by way of handles and connections that it has no more. */
const BYTES_BEFORE = Symbol('bytes before');
/** Bytes that went through the ring, of one that ever did; as long as it does, less all that had gone before. */
const BYTES_BY_RING = Symbol('bytes by ring');
/** The parser of node:http's server that has taken the socket over, and how often it still asks for the handle. */
const PARSER = Symbol('parser');
const ASKING = Symbol('asking');
/** How often the handle was asked for that Node is about to connect; undefined when it is not. */
const ASKED = Symbol('asked');

/** Bytes that have gone both ways. */
interface Bytes {
  readonly read: number;
  readonly dispatched: number;
}

interface State {
  [CONNECTION]: SocketConnection | null | undefined;
  [IS_LENT]: boolean;
  [USER_BUFFER]: UserBuffer | undefined;
  /** Is it a socket that connects, and not one that was accepted? */
  [CONNECTS]: boolean;
  /** The context in which one that connects is told things on the ring: see {@link noteScope}. */
  [SCOPE]: AsyncResource | undefined;
  [KEEPS_DESCRIPTOR]: boolean;
  [IS_SHARED]: boolean;
  [WRITES_LEFT]: number;
  [PERIOD]: number;
  [EPOCH]: number;
  [READ_SEEN]: number;
  [WRITTEN_SEEN]: number;
  [MESSAGES]: number;
  [BYTES_BEFORE]: Bytes | undefined;
  [BYTES_BY_RING]: Bytes | undefined;
  [PARSER]: unknown;
  [ASKING]: number;
  [ASKED]: number | undefined;
}

/** Node's class, with what ours have beside it. */
const Base = node.Socket as unknown as new () => SocketClass & State;

const prototypeOfNode = node.Socket.prototype as unknown as object;

/** The answer of Node's getter. */
function asNode(socket: object, name: string): unknown {
  return Reflect.get(prototypeOfNode, name, socket) as unknown;
}

const { _writeGeneric: writeAsNode } = prototypeOfNode as SocketClass;
const getHandle = Object.getOwnPropertyDescriptor(prototypeOfNode, '_handle')?.get;

/** The handle of Node's under a socket: it is asked for several times at each write. */
function handleOf(socket: object): NativeHandle | null {
  return getHandle!.call(socket) as NativeHandle | null;
}

/**
 * The methods of `net.Socket` that touch a handle. Node makes the handle and connects it; when the ring pays for it, a
 * connection of ours takes over its descriptor, and gives it back when that does not pay any more. What is not here is
 * Node's.
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
    // Node's own methods, at each write.
    if (connection === undefined && this === inNode) return handleOf(this);
    if (connection === undefined || connection === null) {
      const handle = handleOf(this);
      if (this[ASKED] !== undefined) {
        this[ASKED]++;
        return handle;
      }
      // Somebody who has seen it may keep it: then it stays the socket's.
      if (this[WRITES_LEFT] !== 0 && this !== inNode && handle !== null && !isAskedByOwner(this)) this[WRITES_LEFT] = 0;
      return handle;
    }
    if (this[IS_LENT]) return connection.seen ?? connection.handle;
    if (!connection.isOpen) return (!connection.isLetGo && connection.seen) || null;
    if (this.listenerCount('agentRemove') > 0) return connection.handle;
    const who = isTakenByHttp(this) ? 'http' : whoAsks();
    if (who === 'child process') return connection.native;
    if (who === 'protocol' && goesToNode(this, connection)) return handleOf(this);
    // Node's own modules look at it, and keep none.
    if (who !== 'http' && !connection.isShown) connection.isShown = !isAskedByOwner(this);
    return connection.stream.handle as unknown as NativeHandle;
  }

  override set _handle(handle: NativeHandle | null) {
    const connection = this[CONNECTION];
    if (handle !== null && connection === undefined && this[CONNECTS]) tellInOrder(this, handle);
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
    if (connection === undefined && isEarly(this)) return writeEarly(this, false, data, encoding, done);
    if (!isOpen(connection) || this.connecting) return this._writeGeneric(false, data, encoding, done);
    countWrite(this);
    connection.send(data, encoding, done);
  }

  override _writev(pieces: Piece[], done: Done): void {
    const connection = this[CONNECTION];
    if (connection === undefined && isEarly(this)) return writeEarly(this, true, pieces, '', done);
    if (!isOpen(connection) || this.connecting) return this._writeGeneric(true, pieces, '', done);
    countWrite(this);
    connection.sendAll(pieces, done);
  }

  /** Also what Node calls, when it is connected, with what was written before. */
  override _writeGeneric(isMany: boolean, data: unknown, encoding: string, done: Done): void {
    const isConnecting = this.connecting;
    const connection = isConnecting ? undefined : connectionOf(this);
    if (!isOpen(connection)) {
      if (isClosedOnly(connection)) return done(socketError(EBADF, 'write'));
      // Writes from before the socket was connected call back within the call, so that others run in it.
      if (this._pendingData !== null) {
        if (!isConnecting) countWrite(this);
        return writeAsNode.call(this, isMany, data, encoding, done);
      }
      if (!isConnecting) return writeEarly(this, isMany, data, encoding, done);
      return withinNode(this, () => writeAsNode.call(this, isMany, data, encoding, done));
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

  /** One that a server of node:http closes as idle is not, if its request is here: see {@link closesLater}. */
  override destroy(error?: Error): this {
    const isRequested = error === undefined && this.parser && this[CONNECTION]?.hasArrived === true;
    return isRequested && isClosedAsIdle() && closesLater(this.server) ? this : super.destroy(error);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    forget(this);
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
    const isOfHttp = (event === 'resume' || event === 'pause') && isBeingTaken(this);
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
    return this[CONNECTION]?.delivered ??
      (withinNode(this, () => asNode(this, 'bytesRead')) as number) + (this[BYTES_BEFORE]?.read ?? 0);
  }

  override get _bytesDispatched(): number {
    return this[CONNECTION]?.dispatched ??
      (withinNode(this, () => asNode(this, '_bytesDispatched')) as number) + (this[BYTES_BEFORE]?.dispatched ?? 0);
  }
}

// Newer versions have these.
for (const name of ['setTypeOfService', 'getTypeOfService'] as const) {
  const method = Reflect.get(prototypeOfNode, name) as ((this: unknown, value?: number) => unknown) | undefined;
  if (method === undefined) continue;
  const ours = function (this: SocketMethods, value?: number): unknown {
    return lend(this, () => method.call(this, value));
  };
  Object.defineProperty(SocketMethods.prototype, name, { value: ours, writable: true, configurable: true });
}

// Newer versions hand a socket to another thread if nothing has come or gone: it is Node's from then on.
for (const symbol of symbolsOfTransfer(prototypeOfNode)) {
  const method = Reflect.get(prototypeOfNode, symbol) as (this: unknown) => unknown;
  const ours = function (this: SocketMethods): unknown {
    const connection = this[CONNECTION];
    if (isOpen(connection) && connection.delivered + connection.dispatched === 0) goesToNode(this, connection);
    return withinNode(this, () => method.call(this));
  };
  Object.defineProperty(SocketMethods.prototype, symbol, { value: ours, writable: true, configurable: true });
}

/** As the types of Node's events have it: what it is called with, and on, depends on the event. */
// oxlint-disable-next-line typescript/no-explicit-any
type Listener = (...args: any[]) => void;

/** Servers that are to close idle connections once more, and whether one of them does. */
const closing = new Set<object>();
let isLater = false;

/**
 * A server of node:http closes connections that are idle, because of a signal perhaps: Node tells of a signal behind
 * what came before it, and the ring tells of that later. So the server does it once more when that was told, as if it
 * had done it then.
 */
function closesLater(server: object | null): boolean {
  if (isLater || server === null || !isHttpServer(server)) return false;
  if (closing.has(server)) return true;
  const close = AsyncResource.bind(() => {
    closing.delete(server);
    isLater = true;
    try {
      server.closeIdleConnections();
    } finally {
      isLater = false;
    }
  });
  if (ringSide.soFar?.behindEvents(close) !== true) return false;
  closing.add(server);
  return true;
}

function isHttpServer(server: object): server is { closeIdleConnections(): void } {
  return typeof (server as { closeIdleConnections?: unknown }).closeIdleConnections === 'function';
}

/** Is it ours, and not closed? */
function isOpen(connection: SocketConnection | null | undefined): connection is SocketConnection {
  return connection !== undefined && connection !== null && connection.isOpen;
}

/** Has somebody closed the handle, and the socket still has it? */
function isClosedOnly(connection: SocketConnection | null | undefined): boolean {
  return connection !== undefined && connection !== null && !connection.isOpen && !connection.isLetGo;
}

/** Has node:http's server given it a parser, and not yet looked for a stream to read from? */
function isBeingTaken({ parser, server, [PARSER]: known }: SocketMethods): boolean {
  return parser !== undefined && parser !== null && server !== null && parser !== known;
}

/**
 * Is node:http's server just taking the socket over for its parser? It asks for the handle several times in one call,
 * and nobody else does until its parser reads from it.
 */
function isTakenByHttp(socket: SocketMethods): boolean {
  const { parser } = socket;
  if (isBeingTaken(socket)) {
    socket[PARSER] = parser;
    socket[ASKING] = ASKED_BY_HTTP - 1;
    // Nobody else asks before the server has told of it. One that is given to a server later may be asked by others.
    if (socket !== newcomer) void SETTLED.then(() => (socket[ASKING] = 0));
    socket[CONNECTION]?.parsedBy(parser);
    return true;
  }
  if (socket[ASKING] === 0 || parser !== socket[PARSER]) return false;
  socket[ASKING]--;
  return true;
}

/** A listener of Node's that finds the connection's handle. Node knows it again when it takes it off. */
function lentTo(listener: Listener): Listener {
  const lent = function (this: SocketMethods): void {
    lend(this, () => listener.call(this));
  };
  return Object.assign(lent, { listener });
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
  if (socket.destroyed) {
    socket[CONNECTION] = socket[BYTES_BEFORE] = socket[BYTES_BY_RING] = undefined;
    socket[WRITES_LEFT] = writesAtFirst();
    socket[PERIOD] = worth.writes;
    socket[EPOCH] = -1;
    socket[READ_SEEN] = socket[WRITTEN_SEEN] = socket[MESSAGES] = 0;
  }
  socket[CONNECTS] = true;
  socket[SCOPE] = isFromTheFirstByte(socket) ? new AsyncResource('IOURINGSOCKET') : undefined;
  socket[ASKED] = undefined;
  if (isOpen(connection)) return lend(socket, connect);
  if (callsOthers(socket, args)) return connect();
  try {
    return withinNode(socket, connect);
  } finally {
    const asked = askedOf(socket);
    if (asked !== undefined && binds(args)) socket[ASKED] = asked - ASKED_TO_BIND;
  }
}

/** The count behind a call of Node's: the compiler takes it for what was assigned before that. */
function askedOf(socket: SocketMethods): number | undefined {
  return socket[ASKED];
}

/** Is it to be ours without a look? */
function isFromTheFirstByte(socket: SocketMethods): boolean {
  return socket[WRITES_LEFT] < 0;
}

/** Does a call that connects a socket call a function of the user's, which may ask for the handle? */
function callsOthers(socket: SocketMethods, args: readonly unknown[]): boolean {
  return optionsOf(args)?.lookup !== undefined || socket.listenerCount('connectionAttempt') > 0;
}

/** Does such a call bind the socket as well? */
function binds(args: readonly unknown[]): boolean {
  const { localAddress, localPort } = optionsOf(args) ?? {};
  return Boolean(localAddress) || Boolean(localPort);
}

/** Options of a call that connects. */
interface ConnectOptions {
  readonly lookup?: unknown;
  readonly localAddress?: unknown;
  readonly localPort?: unknown;
}

/** The options of a call that connects a socket, as `net.connect` hands them on or as a user gives them. */
function optionsOf([first]: readonly unknown[]): ConnectOptions | undefined {
  const options: unknown = Array.isArray(first) ? first[0] : first;
  return typeof options === 'object' && options !== null ? options : undefined;
}

/**
 * The socket that Node is at work on and nobody else: whoever asks for its handle is Node. To find that out otherwise
 * takes much longer.
 */
let inNode: SocketMethods | undefined;

/** Have it be the one. The one before it is to be put back. */
function enter(socket: SocketMethods): SocketMethods | undefined {
  const before = inNode;
  inNode = socket;
  return before;
}

function withinNode<T>(socket: SocketMethods, call: () => T): T {
  const before = enter(socket);
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
  // Not in the call that connects, in which nobody but Node asks.
  if (socket === inNode) socket[ASKED] = 0;
  for (const name of ['connect', 'connect6'] as const) {
    const method = methods[name];
    if (method === undefined) continue;
    methods[name] = function (this: NativeHandle, request: ConnectRequest, ...place: unknown[]): number {
      // Somebody has asked as well, and may keep it: then it stays the socket's.
      if (socket[ASKED] !== undefined && socket[ASKED] > ASKED_TO_CONNECT) socket[WRITES_LEFT] = 0;
      socket[ASKED] = undefined;
      const { oncomplete } = request;
      const inOrder = (...outcome: unknown[]): void => {
        const tell = (): void => oncomplete.apply(request, outcome);
        // A failure is told at once: that of a handle that is closed comes before its 'close', after which the socket
        // may connect anew. Node may give up an attempt that waits to be told of.
        const tellLate = (): void => {
          const isCurrent = request.oncomplete === inOrder && handleOf(socket) === this;
          if (isCurrent) (socket[SCOPE] as AsyncResource).runInAsyncScope(tell);
        };
        if (outcome[0] !== 0 || ringSide.soFar?.behindEvents(tellLate) !== true) tell();
        // Node tells of it in the context that the socket was told to connect in.
        else socket[SCOPE] ??= new AsyncResource('IOURINGSOCKET');
      };
      request.oncomplete = inOrder;
      return method.call(this, request, ...place);
    };
  }
}

/** Is a socket Node's for now, and connected? */
function isEarly(socket: SocketMethods): boolean {
  return socket[WRITES_LEFT] > 0 && !socket.connecting && socket._pendingData === null;
}

/** It writes by way of Node. */
function writeEarly(socket: SocketMethods, isMany: boolean, data: unknown, encoding: string, done: Done): void {
  countWrite(socket);
  const before = enter(socket);
  try {
    writeAsNode.call(socket, isMany, data, encoding, done);
  } finally {
    inNode = before;
  }
}

/** A connection writes: after so many writes somebody is to look whether the ring pays for it. */
function countWrite(socket: SocketMethods): void {
  if (count(socket, isOpen(socket[CONNECTION]))) socket[MESSAGES]++;
  const { [WRITES_LEFT]: left, [EPOCH]: epoch } = socket;
  if (left > 1 && (epoch === load.epoch || epoch < 0)) socket[WRITES_LEFT] = left - 1;
  else if (left >= 1) nextTick(lookWhenSent, socket);
}

/** When what it has written is with the kernel. */
function lookWhenSent(socket: SocketMethods): void {
  const connection = socket[CONNECTION];
  if (isOpen(connection)) connection.whenSent(() => look(socket));
  else look(socket);
}

/** Go on with the one of Node and the ring that costs less: see {@link worth}. */
function look(socket: SocketMethods): void {
  // Meanwhile its handle may have been seen.
  if (socket[WRITES_LEFT] <= 0) return;
  socket[EPOCH] = load.epoch;
  const connection = socket[CONNECTION];
  const isRing = isOpen(connection);
  // Patience is for Node's way: on the other one what it costs is found out soon.
  socket[WRITES_LEFT] = isRing ? worth.writes : socket[PERIOD];
  if (!isAtWork(socket)) return;
  const handle = isRing ? connection : handleOf(socket);
  if (handle === null) return;
  const { bytesRead = 0, bytesWritten = 0 } = handle;
  const messages = Math.max(1, socket[MESSAGES]);
  const received = (bytesRead - socket[READ_SEEN]) / messages;
  const sent = (bytesWritten - socket[WRITTEN_SEEN]) / messages;
  socket[READ_SEEN] = bytesRead;
  socket[WRITTEN_SEEN] = bytesWritten;
  socket[MESSAGES] = 0;
  if (isRing) {
    if (!isWorthKeeping(received, sent)) giveBackInTime(socket, connection);
  } else if (connection === undefined && isWorthTaking(received, sent)) {
    if (socket[CONNECTS] && socket[SCOPE] === undefined) noteScope(socket, handle);
    else if (!load.takesTurn()) socket[WRITES_LEFT] = 1;
    else if (take(socket, handle) !== undefined) socket[WRITES_LEFT] = worth.writes;
  }
}

/**
 * A socket that connects is told things in the context that it was told to connect in, and so is what its handle reads:
 * it is noted when that comes next, and the write after that looks again. To note it before would show in async_hooks,
 * for each socket.
 */
function noteScope(socket: SocketMethods, handle: NativeHandle): void {
  const { onread } = handle;
  if (onread === undefined || isIdleGuard(onread)) return;
  handle.onread = function (this: NativeHandle, ...args: unknown[]): unknown {
    if (handle.onread === noting) handle.onread = onread;
    socket[SCOPE] ??= new AsyncResource('IOURINGSOCKET');
    if (socket[WRITES_LEFT] > 0) socket[WRITES_LEFT] = 1;
    return Reflect.apply(onread, this, args);
  };
  const noting = handle.onread;
}

/**
 * The descriptor becomes ours, unless something is under way on it, or others than Node may have its handle. All that
 * libuv has read was handed over in the call that read it.
 */
function take(socket: SocketMethods, handle: NativeHandle): SocketConnection | undefined {
  if (!isFree(socket, handle)) return undefined;
  const ring = ringSide.get();
  const io = ring?.ringForSockets();
  if (ring === undefined || io === undefined) return undefined;
  // Node may be about to connect it. A pipe or a FIFO is no socket, and has no peer either.
  if (ring.addressOf(handle.fd, true) === undefined) return undefined;
  const { reading, bytesRead = 0, bytesWritten = 0 } = handle;
  const isRef = handle.hasRef?.() !== false;
  const isTcp = handle.getpeername !== undefined;
  const parser = parserOn(socket, handle);
  // A descriptor that was given to it by number stays what it is as long as the socket lives.
  const keeps = socket[KEEPS_DESCRIPTOR];
  const { [USER_BUFFER]: userBuffer, [SCOPE]: scope, [IS_SHARED]: isShared } = socket;
  const closed = keeps ? () => handle.close() : undefined;
  const transport = ring.transportOf(io);
  const { fd, callOff: unguard } = ring.duplicateGuarded(handle.fd);
  if (fd < 0) return undefined;
  const owned = { isTcp, handleClass: classOf(handle), userBuffer, scope, isShared, closed, unguard };
  const connection = new ring.SocketConnection(transport, fd, socket, owned);
  socket[CONNECTION] = connection;
  parser?.unconsume();
  if (reading === true) handle.readStop!();
  Reflect.set(prototypeOfNode, '_handle', null, socket);
  if (!keeps) {
    // It would be named among the active ones until the event loop has closed it.
    handle.unref?.();
    handle.close();
    forward(handle, () => currentHandle(socket));
  }
  const before = sumOf(socket[BYTES_BEFORE], { read: bytesRead, dispatched: bytesWritten });
  socket[BYTES_BY_RING] = sumOf(socket[BYTES_BY_RING], { read: -before.read, dispatched: -before.dispatched });
  socket[READ_SEEN] = before.read;
  socket[WRITTEN_SEEN] = before.dispatched;
  connection.goOn(before.read, before.dispatched);
  if (!isRef) connection.unref();
  if (parser !== undefined) {
    connection.parsedBy(parser);
    parser.consume(connection.stream.handle);
    connection.stream.isConsumed = true;
  }
  if (reading === true) connection.readByHandle();
  return connection;
}

/**
 * Node goes on with what was ours, unless others than node:http's server have seen its stream: at once, if nothing is
 * under way. A peer that answers at once has sent something by then; so the ring is to receive no more, and when the
 * socket was told of all that had come, Node goes on.
 */
function giveBackInTime(socket: SocketMethods, connection: SocketConnection): void {
  if (socket[KEEPS_DESCRIPTOR] || socket[IS_SHARED] || connection.isHeldByOthers) return;
  if (giveBack(socket, connection)) return;
  connection.rest(() => {
    let isResting = true;
    connection.whenSent(() => {
      if (!isResting || socket[CONNECTION] !== connection || !connection.isOpen) return;
      isResting = false;
      if (!isAtWork(socket) || connection.isHeldByOthers || !giveBack(socket, connection)) connection.wake();
    });
    // A peer that does not read may itself wait to be read.
    const goOn = (): void => {
      if (isResting && connection.isOpen) connection.wake();
      isResting = false;
    };
    setImmediate(() => setImmediate(goOn));
  });
}

/** Node goes on with what was ours. False if something is under way. */
function giveBack(socket: SocketMethods, connection: SocketConnection): boolean {
  const { seen } = connection;
  const parser = seen === undefined ? undefined : parserOn(socket, seen);
  if (!goOnByNode(socket, connection, parser, true)) return false;
  socket[CONNECTION] = undefined;
  forward(connection.handle, () => currentHandle(socket));
  socket[READ_SEEN] = socket[WRITTEN_SEEN] = 0;
  socket[WRITES_LEFT] = socket[PERIOD] = load.nextPeriod(socket[PERIOD]);
  return true;
}

/** The handle that a socket works with now. */
function currentHandle(socket: SocketMethods): object | null {
  const connection = socket[CONNECTION];
  return isOpen(connection) ? connection.handle : handleOf(socket);
}

function sumOf(some: Bytes | undefined, others: Bytes): Bytes {
  if (some === undefined) return others;
  return { read: some.read + others.read, dispatched: some.dispatched + others.dispatched };
}

/** Is the handle asked for by who owns the socket in Node, and keeps no handle: node:net, or one of node:http? */
function isAskedByOwner(socket: SocketMethods): boolean {
  return socket.listenerCount('agentRemove') > 0 || isTakenByHttp(socket) || isAskedByNode();
}

/** Is a socket in the middle of its life: open in both directions, with nothing that waits to be written? */
function isAtWork(socket: SocketMethods): boolean {
  const { destroyed, writable, writableLength, connecting, [USER_BUFFER]: userBuffer } = socket;
  return writable && !destroyed && !connecting && writableLength === 0 && userBuffer === undefined && !hasEnd(socket);
}

/** The connection of a socket. If it is to be ours from the beginning, the descriptor becomes ours now. */
function connectionOf(socket: SocketMethods): SocketConnection | undefined {
  const known = socket[CONNECTION];
  if (known !== undefined) return known ?? undefined;
  if (socket.connecting || socket[WRITES_LEFT] >= 0) return undefined;
  const handle = handleOf(socket);
  if (handle === null) return undefined;
  const connection = handle.reading === true ? undefined : take(socket, handle);
  if (connection === undefined) socket[CONNECTION] = null;
  return connection;
}

/**
 * A protocol whose native code reads from handles takes the socket: it is Node's from then on. On a stream that stands
 * in for a handle that code would be called, and call back, in other turns, and at a higher cost. False if something
 * has come already.
 */
function goesToNode(socket: SocketMethods, connection: SocketConnection): boolean {
  if (!goOnByNode(socket, connection, undefined, false)) return false;
  socket[CONNECTION] = null;
  return true;
}

/**
 * Node goes on with the socket of a connection, if that can let go of it: false if not. `parser` reads from what there
 * is in its place; see {@link SocketConnection.giveAway}.
 */
function goOnByNode(
  socket: SocketMethods,
  connection: SocketConnection,
  parser: HandleParser | undefined,
  isReleased: boolean,
): boolean {
  let isReading = false;
  const handle = connection.giveAway(isReleased, () => ({ isReading } = connection));
  if (handle === undefined) return false;
  parser?.unconsume();
  putUnder(socket, handle);
  Reflect.set(prototypeOfNode, '_handle', handle, socket);
  const bytes = { read: connection.delivered, dispatched: connection.dispatched };
  socket[BYTES_BEFORE] = bytes;
  socket[BYTES_BY_RING] = sumOf(socket[BYTES_BY_RING], bytes);
  if (!connection.isRef) handle.unref?.();
  if (parser !== undefined) {
    handle._consumed = true;
    parser.consume(handle);
  }
  if (isReading) {
    handle.reading = true;
    handle.readStart!();
  }
  return true;
}

/** Is it a handle of Node's on a socket, with which nobody but the socket works, and which writes nothing? */
function isFree(socket: SocketMethods, handle: NativeHandle): handle is NativeHandle & { readonly fd: number } {
  return isNative(handle) && !isReadByOthers(socket, handle) && !isOfHttp2(socket) && handle.writeQueueSize === 0;
}

/**
 * `net.Socket` on the ring. An instance of Node's class as well; arguments, events and errors are Node's. Where there
 * is no ring, or where somebody has taken the native handle of a socket before it was used, it stays Node's altogether.
 */
export const Socket: typeof node.Socket = socketClass();

/** The same for sockets that Node itself would make: their `constructor` is Node's class. */
export const StandIn: typeof node.Socket = socketClass(node.Socket);

function socketClass(shown?: typeof node.Socket): typeof node.Socket {
  return constructorFunction(node.Socket, SocketMethods as unknown as typeof node.Socket, init, shown);
}

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
  withinNode(this, () => Reflect.apply(node.Socket, this, [given]));
  this[WRITES_LEFT] = writesAtFirst();
}

/** Writes before somebody looks at a socket. */
function writesAtFirst(): number {
  return worth.writes || -1;
}

/** The state of a socket that has no connection yet. While it is being made nobody looks at it. */
function begin(socket: SocketMethods): void {
  socket[CONNECTION] = undefined;
  socket[IS_LENT] = false;
  socket[CONNECTS] = false;
  socket[SCOPE] = undefined;
  socket[USER_BUFFER] = undefined;
  socket[KEEPS_DESCRIPTOR] = false;
  socket[IS_SHARED] = false;
  socket[WRITES_LEFT] = Math.min(0, writesAtFirst());
  socket[PERIOD] = worth.writes;
  socket[EPOCH] = -1;
  socket[READ_SEEN] = socket[WRITTEN_SEEN] = socket[MESSAGES] = 0;
  socket[BYTES_BEFORE] = undefined;
  socket[BYTES_BY_RING] = undefined;
  socket[PARSER] = undefined;
  socket[ASKING] = 0;
  socket[ASKED] = undefined;
}

/**
 * Have a socket that Node's class has made, and that has neither a connection nor memory of the user's to read into,
 * connect and go through the ring from now on. It is an instance of the same class as before, and its `constructor` is
 * the same.
 * @param args what it was told to connect to
 * @param connect Node's own: the method of the prototype may be somebody's who has called this one
 */
export function connectAdopted<T>(socket: NodeSocket, args: readonly unknown[], connect: () => T): T {
  const adopted = Object.setPrototypeOf(socket, StandIn.prototype) as SocketMethods;
  begin(adopted);
  adopted[WRITES_LEFT] = writesAtFirst();
  return connectBy(adopted, args, connect);
}

/**
 * How the data of a socket goes now; `early`: through Node, until it pays to go through the ring; undefined: none has
 * come so far.
 */
export function wayOf(socket: object): 'ring' | 'node' | 'early' | undefined {
  if (!(CONNECTION in socket)) return 'node';
  const { [CONNECTION]: connection, [WRITES_LEFT]: writesLeft } = socket as State;
  if (connection !== undefined) return connection === null ? 'node' : 'ring';
  return writesLeft > 0 ? 'early' : writesLeft === 0 ? 'node' : undefined;
}

/** Bytes of a socket that went through the ring; undefined if it never did. */
export function bytesByRing(socket: object): { read: number; written: number } | undefined {
  if (!(CONNECTION in socket)) return undefined;
  const { [CONNECTION]: connection, [BYTES_BY_RING]: before } = socket as State;
  if (before === undefined) return undefined;
  const { delivered = 0, dispatched = 0 } = connection ?? {};
  return { read: before.read + delivered, written: before.dispatched + dispatched };
}

/** Has it been looked at whether the ring pays for a socket? A short one has no such look. */
export function wasLookedAt(socket: object): boolean {
  return ((socket as Partial<State>)[WRITTEN_SEEN] ?? 0) > 0;
}

type AcceptOptions = SocketConstructorOpts & { pauseOnCreate: boolean };

/**
 * A socket on a handle of Node's that has come. `pauseOnCreate`: nothing is read before it is resumed. See {@link
 * announced}.
 * @param setUp is given the socket while it has that handle, be it that it is to go through the ring at once
 */
export function acceptHandle(
  handle: NativeHandle,
  options: AcceptOptions,
  setUp: (socket: NodeSocket) => void,
): NodeSocket {
  const given = { ...options, handle, manualStart: true, pauseOnCreate: false };
  const socket = new Socket(ownOptions(given as SocketConstructorOpts)) as unknown as SocketMethods;
  socket[IS_SHARED] = false;
  newcomer = socket;
  setUp(socket as unknown as NodeSocket);
  connectionOf(socket)?.isNew();
  if (options.pauseOnCreate) (socket as { readableFlowing: boolean | null }).readableFlowing = false;
  else socket.read(0);
  return socket as unknown as NodeSocket;
}

/** The socket of which its server is about to tell. */
let newcomer: SocketMethods | undefined;

/** The server has told of a socket that it has accepted: from now on it receives. */
export function announced(socket: NodeSocket): void {
  const state = socket as unknown as State;
  newcomer = undefined;
  state[ASKING] = 0;
  state[CONNECTION]?.announced();
}
