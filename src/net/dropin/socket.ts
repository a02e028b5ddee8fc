import { AsyncResource } from '../../native/node-hooks.ts';
import type { Socket as NodeSocket, SocketConstructorOpts } from 'node:net';
import { constructorFunction, descriptorOf, methodsAsOf } from './constructor-function.ts';
import { countWrite, connectionOf, goesToNode } from './changing-ways.ts';
import { connectAsNode, connectBy, tellInOrder } from './connecting.ts';
import {
  ASKED_BY_HTTP,
  isAskedByNode,
  isClosedAsIdle,
  symbolsOfTransfer,
  whoAsks,
  type Listener,
} from './node-internals.ts';
import { node, type Done, type NativeHandle, type NameOf, type Piece, type SocketClass } from './node-net.ts';
import { haveTwoWays, register } from './prototypes.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';
import { ringSide } from './ring-when-needed.ts';
import type { SocketConnection } from './socket-connection.ts';
import {
  begin,
  connectionUnder,
  handleOf,
  inNode,
  isOpen,
  lend,
  lentTo,
  made,
  prototypeOfNode,
  stateOf,
  withinNode,
  writeAsNode,
  writesAtFirst,
  type State,
} from './socket-state.ts';
import { namedError } from '../transport/named-error.ts';
import { isOnRead, UserBuffer, type OnRead } from './user-buffer.ts';
import { watch } from './watch.ts';
import { forget, worth } from './worth.ts';

const SETTLED = Promise.resolve();
/** The kernel's number, here so that the table of all need not be loaded at the start. */
const EBADF = 9;

const Base = node.Socket as unknown as new () => SocketClass;

/** The answer of Node's getter. */
function asNode(socket: object, name: string): unknown {
  return Reflect.get(prototypeOfNode, name, socket) as unknown;
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
    const state = stateOf(this);
    if (state === undefined || state.connection === null) return handleOf(this);
    if (state.connection === undefined && isNodes(this, state)) return handleOf(this);
    return handleFor(this, state);
  }

  override set _handle(handle: NativeHandle | null) {
    const state = stateOf(this);
    const { connection } = state ?? {};
    if (handle !== null && connection === undefined && state?.connects === true) tellInOrder(this, state, handle);
    if (connection === undefined || connection === null) Reflect.set(prototypeOfNode, '_handle', handle, this);
    else if (handle === null) {
      connection.isLetGo = true;
      // Another process has it. Else nobody decides of ours.
      if (!state!.isLent) connection.handedOver();
    }
  }

  override connect(...args: unknown[]): this {
    return connectBy(this, args, () => super.connect(...args));
  }

  // ---------------------------------------------------------------- the stream

  override _read(size: number): void {
    const state = stateOf(this);
    const connection = state?.connection ?? connectionOf(this);
    if (connection !== undefined) return connection.read();
    if (isNodes(this, state)) super._read(size);
    else withinNode(this, () => super._read(size));
  }

  override _write(data: Uint8Array | string, encoding: BufferEncoding, done: Done): void {
    const state = stateOf(this);
    const { connection } = state ?? {};
    if (!isOpen(connection) || this.connecting) return this._writeGeneric(false, data, encoding, done);
    countWrite(this, state!);
    connection.send(data, encoding, done);
  }

  override _writev(pieces: Piece[], done: Done): void {
    const state = stateOf(this);
    const { connection } = state ?? {};
    if (!isOpen(connection) || this.connecting) return this._writeGeneric(true, pieces, '', done);
    countWrite(this, state!);
    connection.sendAll(pieces, done);
  }

  /** Also what Node calls, when it is connected, with what was written before. */
  override _writeGeneric(isMany: boolean, data: unknown, encoding: string, done: Done): void {
    const isConnecting = this.connecting;
    const state = stateOf(this);
    if (!isConnecting && state !== undefined && state.writesLeft > 0 && state.connection === undefined) {
      watch(this);
      return writeAsNode.call(this, isMany, data, encoding, done);
    }
    const connection = isConnecting ? undefined : connectionOf(this);
    if (!isOpen(connection)) {
      if (isClosedOnly(connection)) return done(namedError(EBADF, 'EBADF', 'write'));
      if (!isConnecting) watch(this);
      // Writes from before the socket was connected call back within the call, so that others run in it.
      if (isNodes(this, state) || this._pendingData !== null) {
        return writeAsNode.call(this, isMany, data, encoding, done);
      }
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
    const isRequested = error === undefined && this.parser && connectionUnder(this)?.hasArrived === true;
    return isRequested && isClosedAsIdle() && closesLater(this.server) ? this : super.destroy(error);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    forget(this);
    if (isOpen(connectionUnder(this))) lend(this, () => super._destroy(error, done));
    else withinNode(this, () => super._destroy(error, done));
  }

  override resetAndDestroy(): this {
    const connection = connectionUnder(this);
    if (!isOpen(connection)) return super.resetAndDestroy();
    if (connection.isTcp) this._reset();
    // Node says that this is no handle for it.
    else lend(this, () => super.resetAndDestroy());
    return this;
  }

  override pause(): this {
    return connectionUnder(this)?.isReadByUser === true ? lend(this, () => super.pause()) : super.pause();
  }

  override resume(): this {
    return connectionUnder(this)?.isReadByUser === true ? lend(this, () => super.resume()) : super.resume();
  }

  override read(size?: number): ReturnType<SocketClass['read']> {
    return connectionUnder(this)?.isReadByUser === true ? lend(this, () => super.read(size)) : super.read(size);
  }

  // ---------------------------------------------------------------- who listens

  /**
   * While node:http's server takes the socket over it adds two listeners that start and stop the handle, at each
   * request with a body. They get the connection's own handle: to find out that it is not node:child_process that asks
   * costs more than the rest of the request.
   */
  override on(event: string | symbol, listener: Listener): this {
    const isOfHttp = (event === 'resume' || event === 'pause') && isBeingTaken(this, stateOf(this));
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
    return isOpen(connectionUnder(this)) ? this.connecting
      : (withinNode(this, () => asNode(this, 'pending')) as boolean);
  }

  override get bufferSize(): number | undefined {
    return isOpen(connectionUnder(this)) ? this.writableLength
      : (withinNode(this, () => asNode(this, 'bufferSize')) as number | undefined);
  }

  override get bytesRead(): number {
    const { connection, bytesBefore } = stateOf(this) ?? {};
    return connection?.delivered ??
      (withinNode(this, () => asNode(this, 'bytesRead')) as number) + (bytesBefore?.read ?? 0);
  }

  override get _bytesDispatched(): number {
    const { connection, bytesBefore } = stateOf(this) ?? {};
    return connection?.dispatched ??
      (withinNode(this, () => asNode(this, '_bytesDispatched')) as number) + (bytesBefore?.dispatched ?? 0);
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
    const state = stateOf(this);
    const { connection } = state ?? {};
    if (isOpen(connection) && connection.delivered + connection.dispatched === 0) goesToNode(this, state!, connection);
    return withinNode(this, () => method.call(this));
  };
  Object.defineProperty(SocketMethods.prototype, symbol, { value: ours, writable: true, configurable: true });
}

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

/** Has somebody closed the handle, and the socket still has it? */
function isClosedOnly(connection: SocketConnection | null | undefined): boolean {
  return connection !== undefined && connection !== null && !connection.isOpen && !connection.isLetGo;
}

/** The handle, for whoever asks, as {@link SocketMethods._handle} says. */
function handleFor(socket: SocketMethods, state: State): NativeHandle | null {
  const { connection } = state;
  if (connection === undefined || connection === null) {
    const handle = handleOf(socket);
    if (state.asked !== undefined) {
      state.asked++;
      return handle;
    }
    // Somebody who has seen it may keep it: then it stays the socket's.
    if (state.writesLeft !== 0 && handle !== null && !isAskedByOwner(socket, state)) state.writesLeft = 0;
    return handle;
  }
  if (state.isLent) return connection.seen ?? connection.handle;
  if (!connection.isOpen) return (!connection.isLetGo && connection.seen) || null;
  if (socket.listenerCount('agentRemove') > 0) return connection.handle;
  const who = isTakenByHttp(socket, state) ? 'http' : whoAsks();
  if (who === 'child process') return connection.native;
  if (who === 'protocol' && goesToNode(socket, state, connection)) return handleOf(socket);
  // Node's own modules look at it, and keep none.
  if (who !== 'http' && !connection.isShown) connection.isShown = !isAskedByOwner(socket, state);
  return connection.stream.handle as unknown as NativeHandle;
}

/** Has node:http's server given it a parser, and not yet looked for a stream to read from? */
function isBeingTaken({ parser, server }: SocketMethods, state: State | undefined): boolean {
  return parser !== undefined && parser !== null && server !== null && parser !== state?.parser;
}

/**
 * Is node:http's server just taking the socket over for its parser? It asks for the handle several times in one call,
 * and nobody else does until its parser reads from it.
 */
function isTakenByHttp(socket: SocketMethods, state: State): boolean {
  const { parser } = socket;
  if (isBeingTaken(socket, state)) {
    state.parser = parser;
    state.asking = ASKED_BY_HTTP - 1;
    // Nobody else asks before the server has told of it. One that is given to a server later may be asked by others.
    if (socket !== newcomer) void SETTLED.then(() => (state.asking = 0));
    state.connection?.parsedBy(parser);
    return true;
  }
  if (state.asking === 0 || parser !== state.parser) return false;
  state.asking--;
  return true;
}

/** Is the handle asked for by who owns the socket in Node, and keeps no handle: node:net, or one of node:http? */
function isAskedByOwner(socket: SocketMethods, state: State): boolean {
  return socket.listenerCount('agentRemove') > 0 || isTakenByHttp(socket, state) || isAskedByNode();
}

/** Are the methods of a socket Node's for now? Or is Node at work on it? */
function isNodes(socket: SocketMethods, state: State | undefined): boolean {
  return (state !== undefined && state.writesLeft > 0) || socket === inNode;
}

const METHODS = SocketMethods as unknown as typeof node.Socket;

/**
 * `net.Socket` on the ring. An instance of Node's class as well; arguments, events and errors are Node's. Where there
 * is no ring it stays Node's altogether.
 */
export const Socket: typeof node.Socket = constructorFunction(node.Socket, METHODS, init, undefined, earlySocket);

/** The same for sockets that Node itself would make: their `constructor` is Node's class. */
const StandIn: typeof node.Socket = constructorFunction(node.Socket, METHODS, init, node.Socket);

/** A socket of ours that is Node's has two methods that are not: they count, and tell of events in order. */
class EarlyMethods extends Base {
  override connect(...args: unknown[]): this {
    return connectAsNode(this, () => super.connect(...args));
  }

  override _writeGeneric(isMany: boolean, data: unknown, encoding: string, done: Done): void {
    watch(this);
    return writeAsNode.call(this, isMany, data, encoding, done);
  }
}

/**
 * Sockets that are Node's are instances of {@link Socket} as well. Node's constructor gives them the prototype of this:
 * V8 gives all of them one hidden class because this is a class, and no function.
 */
class EarlySocket extends (Socket as unknown as new () => object) {}
Reflect.deleteProperty(EarlySocket.prototype, 'constructor');
Object.defineProperties(EarlySocket.prototype, methodsAsOf(prototypeOfNode, EarlyMethods.prototype));

haveTwoWays(EarlySocket.prototype, Socket.prototype);
haveTwoWays(prototypeOfNode, StandIn.prototype);

const OURS = Object.getOwnPropertyDescriptors(Socket.prototype) as unknown as Record<string, PropertyDescriptor>;
let hasNodesMethods = false;

/**
 * A socket with Node's methods, as they are when the first is made, in place of those of ours that no program has
 * replaced until then.
 */
function makeEarly(options: unknown): NodeSocket {
  if (!hasNodesMethods) {
    hasNodesMethods = true;
    for (const name of Reflect.ownKeys(OURS)) {
      const { get, value } = OURS[name as string];
      const now = Object.getOwnPropertyDescriptor(Socket.prototype, name);
      const isOurs = now?.get === get && now?.value === value;
      if (!isOurs || name === 'constructor' || Object.hasOwn(EarlySocket.prototype, name)) continue;
      Object.defineProperty(EarlySocket.prototype, name, descriptorOf(prototypeOfNode, name)!);
    }
  }
  return Reflect.construct(node.Socket, [options], EarlySocket) as NodeSocket;
}

/** A socket that is Node's until the ring pays for it; undefined if it is ours in any case, or has facts of its own. */
function earlySocket(options?: SocketConstructorOpts | number): NodeSocket | undefined {
  const { fd, handle, onread } = (typeof options === 'object' && options !== null ? options : { fd: options }) as {
    fd?: unknown;
    handle?: unknown;
    onread?: unknown;
  };
  if (worth.writes === 0 || (fd ?? handle ?? onread ?? null) !== null) return undefined;
  return makeEarly(options);
}

function init(this: SocketMethods, options?: SocketConstructorOpts | number): void {
  const state = begin(this);
  const onread: unknown = typeof options === 'object' ? (options as { onread?: OnRead } | null)?.onread : undefined;
  const userBuffer = isOnRead(onread) ? new UserBuffer(onread) : undefined;
  state.userBuffer = userBuffer;
  state.keepsDescriptor = typeof options === 'number' || options?.fd !== undefined;
  // So node:child_process makes one of what it was sent, and process.stdout is one of what this process was started
  // with.
  state.isShared = state.keepsDescriptor || (options as { handle?: unknown } | undefined)?.handle !== undefined;
  const given = userBuffer === undefined ? options
    : ownOptions({ ...(options as SocketConstructorOpts), onread: userBuffer.option });
  withinNode(this, () => Reflect.apply(node.Socket, this, [given]));
  made(this, state);
  state.writesLeft = writesAtFirst();
}

/**
 * Have a socket that Node's class has made, and that has neither a connection nor memory of the user's to read into,
 * connect and go through the ring, from now on or when that pays. It is an instance of the same class as before, and
 * its `constructor` is the same.
 * @param args what it was told to connect to
 * @param connect Node's own: the method of the prototype may be somebody's who has called this one
 */
export function connectAdopted<T>(socket: NodeSocket, args: readonly unknown[], connect: () => T): T {
  if (worth.writes > 0) {
    register(socket);
    return connectAsNode(socket as unknown as SocketMethods, connect);
  }
  const adopted = Object.setPrototypeOf(socket, StandIn.prototype) as SocketMethods;
  begin(adopted).writesLeft = writesAtFirst();
  return connectBy(adopted, args, connect);
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
  if (worth.writes > 0) {
    const early = makeEarly(ownOptions({ ...options, handle }));
    setUp(early);
    return early;
  }
  const given = { ...options, handle, manualStart: true, pauseOnCreate: false };
  const socket = new Socket(ownOptions(given as SocketConstructorOpts)) as unknown as SocketMethods;
  stateOf(socket)!.isShared = false;
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
  newcomer = undefined;
  const state = stateOf(socket);
  if (state === undefined) return;
  state.asking = 0;
  state.connection?.announced();
}
