/**
 * All that the drop-in concludes from what Node happens to do, and promises nowhere: names of its modules, functions
 * and symbols, how often it asks. Nothing else in src/net leans on such a thing. Each is here with what it leans on,
 * what becomes of a socket in a version that does it otherwise, and the test that fails then (which
 * test/net/dropin/node-internals.test.ts checks to be there).
 */
import { asksOftenForHandle } from '../../native/runtime.ts';
import type { NativeHandle, SocketClass } from './node-net.ts';

// ---------------------------------------------------------------- who asks for a socket's handle

/** Frames from the caller on in which to look for the module that asks; the first two are those of the getter. */
const FRAMES = 5;

/** Modules of Node's that ask for a socket's handle to keep it. Versions from 26 on have node:tls elsewhere. */
const KEEPERS = [
  [/\bnode:internal\/child_process\b/, 'child process'],
  [/\bnode:(?:_tls_wrap|internal\/tls\/wrap|internal\/http2\/core)\b/, 'protocol'],
] as const;

/**
 * Which of Node's modules asks for a socket's handle: node:child_process, which hands it to another process, and gives
 * it to native code that takes any object for a handle of libuv's, so that it must get one; or a protocol, node:tls or
 * node:http2, whose native code works on it. Undefined: none of these. Nothing but the stack tells, and it takes long
 * to look at: this is not to be called for each request.
 *
 * Leans on: the names of Node's modules in a stack trace. Otherwise: tls and http2 work on a stream in JavaScript, and
 * are slower; a socket that is sent to another process ends this one.
 *
 * - watched by test/net/dropin/handle.test.ts: node:tls and node:http2 get a handle of libuv’s, from a server and for a
 *   client
 * - watched by test/net/dropin/process.test.ts: a socket sent to a child process, kept open or not, and one as its
 *   output
 */
export function whoAsks(): (typeof KEEPERS)[number][1] | undefined {
  const stack = stackAbove(whoAsks, FRAMES);
  return KEEPERS.find(([place]) => place.test(stack))?.[1];
}

/**
 * Is it a module of Node's that has called the getter, three calls above this one? Not node:child_process: it hands the
 * handle to another process, and may do so later.
 *
 * Leans on: the scheme of Node's modules in a stack trace. Otherwise: connections stay libuv's.
 *
 * - watched by test/net/dropin/handle.test.ts: of a socket that is being connected: it stays the same, and what was
 *   replaced is called
 */
export function isAskedByNode(): boolean {
  return /[ (]node:(?!internal\/child_process\b)[^\n]*$/.test(stackAbove(isAskedByNode, 4));
}

/**
 * Is a connection closed by `closeIdleConnections` of node:http?
 *
 * Leans on: the name of that method in a stack trace. Otherwise: connections are closed with requests that have come.
 *
 * - watched by test/net/dropin/http-closing.test.ts: given requests that come together, and a server that is closed as
 *   the first is told of, the others are answered, and closed then
 */
export function isClosedAsIdle(): boolean {
  return /closeIdleConnections \(node:_http_server/.test(stackAbove(isClosedAsIdle, 3));
}

/** So many lines of the stack, without `callee` and what it has called. */
function stackAbove(callee: () => unknown, frames: number): string {
  const limit = Error.stackTraceLimit;
  const trace: { stack?: string } = {};
  Reflect.set(Error, 'stackTraceLimit', frames);
  Error.captureStackTrace(trace, callee);
  Reflect.set(Error, 'stackTraceLimit', limit);
  return String(trace.stack);
}

/**
 * So often node:http's server asks for the handle of a socket that it takes over: whether there is one (before version
 * 22), whether it is a stream, whether it is free, and to take it.
 *
 * Leans on: that number. If it asks more often, the last time counts as anybody's, and costs a look at the stack; if
 * less often, somebody else who asks in the same call of node:http's counts as node:http.
 *
 * - watched by test/net/dropin/http-bodies.test.ts: given requests with bodies, on new connections and on kept ones,
 *   nobody looks at a stack to see who asks for the handle
 */
export const ASKED_BY_HTTP: number = asksOftenForHandle() ? 5 : 4;

/**
 * So often Node asks for the handle of a socket to connect it, in a tick of its own or when an address was looked up.
 *
 * Leans on: that number. If it asks more often, connections stay libuv's; if less often, so may one not that somebody
 * else asks for meanwhile.
 *
 * - watched by test/net/dropin/node-internals.test.ts: given a socket that is connecting, with an address of its own or
 *   without, Node asks for its handle as often as it is known to
 */
export const ASKED_TO_CONNECT = 1;

/**
 * So much oftener it asks if it binds the socket before, to an address of its own or a port.
 *
 * Leans on: that number. Otherwise: as with {@link ASKED_TO_CONNECT}.
 *
 * - watched by test/net/dropin/node-internals.test.ts: given a socket that is connecting, with an address of its own or
 *   without, Node asks for its handle as often as it is known to
 */
export const ASKED_TO_BIND = 2;

// ---------------------------------------------------------------- what node:http and node:http2 have done to a socket

/**
 * Is this the guard that node:http's agent puts on the handle of an idle socket? Bytes that come then are nobody's
 * answer.
 *
 * Leans on: the name of that function. Otherwise: such bytes are read as the answer to the next request.
 *
 * - watched by test/net/dropin/protocols.test.ts: http: what comes while a connection is idle is nobody’s answer
 */
export function isIdleGuard(onread: unknown): boolean {
  return typeof onread === 'function' && onread.name === 'freeSocketOnReadGuard';
}

/**
 * Has node:http2 made a session of the socket? It says so on the socket before it asks for the handle, by a symbol.
 *
 * Leans on: the description of that symbol; and on its being a property called `undefined` in versions 20 to 26, which
 * import the symbol from a module that does not export it. Otherwise: what comes before http2 listens is lost.
 *
 * - watched by test/net/dropin/protocols.test.ts: http2${isSecure ? ', secure' : ''}, over a socket that is ${state}
 */
export function isOfHttp2(socket: object): boolean {
  const properties = socket as Record<string | symbol, unknown>;
  if (properties['undefined'] !== undefined) return true;
  const mark = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'kBoundSession');
  return mark !== undefined && properties[mark] !== undefined;
}

/** node:http's parser, where it reads from a handle by itself. */
export interface HandleParser {
  _consumed?: boolean;
  consume(handle: object): void;
  unconsume(): void;
}

/**
 * The parser of node:http's server that reads from the handle of its socket, if one does: it can be had to read from
 * another one.
 *
 * Leans on: `_consumed` of handle and parser, and the parser's methods `consume` and `unconsume`. Otherwise: the
 * connections of http servers stay Node's.
 *
 * - watched by test/net/dropin/there-and-back.test.ts: given a server of node:http, requests go on over the ring, and
 *   back
 */
export function parserOn({ parser }: SocketClass, handle: NativeHandle): HandleParser | undefined {
  if (handle._consumed !== true || typeof parser !== 'object' || parser === null) return undefined;
  const candidate = parser as Partial<HandleParser>;
  if (candidate._consumed !== true || typeof candidate.consume !== 'function') return undefined;
  return typeof candidate.unconsume === 'function' ? (candidate as HandleParser) : undefined;
}

/**
 * Does somebody read from a handle whom it cannot be taken from?
 *
 * Leans on: that node:tls defines `reading` on the handle with an accessor, and that node:http sets `_consumed`, and
 * leaves it when it has taken its parser off. Otherwise: bytes that are theirs are read by the socket.
 *
 * - watched by test/net/dropin/protocols.test.ts: tls takes a socket that is being connected, in ${when}
 */
export function isReadByOthers(socket: SocketClass, handle: NativeHandle): boolean {
  if (Object.getOwnPropertyDescriptor(handle, 'reading')?.get !== undefined) return true;
  const { parser } = socket;
  return handle._consumed === true && parser !== undefined && parser !== null && parserOn(socket, handle) === undefined;
}

/**
 * Has somebody put other methods on a handle, which are to be called? Node puts one there, `onread`.
 * @param isKnown whether it is one of ours
 *
 * Leans on: that name. Otherwise: connections stay Node's.
 *
 * - watched by test/net/dropin/handle.test.ts: of a socket that is being connected: it stays the same, and what was
 *   replaced is called
 */
export function hasOwnMethods(handle: NativeHandle, isKnown: (method: object) => boolean): boolean {
  const own = Object.entries(handle) as [string, unknown][];
  return own.some(([name, value]) => typeof value === 'function' && name !== 'onread' && !isKnown(value));
}

/**
 * Is it the function of Node's that a handle tells of what it has read? A program may have put another one there.
 *
 * Leans on: its name. Otherwise: connections stay Node's.
 *
 * - watched by test/net/dropin/taking-over.test.ts: given a handle that tells somebody else of what it reads, the
 *   socket keeps it
 */
export function isOfNode({ name }: { readonly name: string }): boolean {
  return name === 'onStreamRead';
}

/**
 * Has the server of a socket given some of its sockets to other processes? They may have this one, too, and its handle
 * may wait to be sent.
 *
 * Leans on: `_usingWorkers` of a server. Otherwise: to send such a socket, and keep it open here, may fail.
 *
 * - watched by test/net/dropin/taking-over.test.ts: given a socket that a server shares with other processes, it stays
 *   Node’s
 */
export function isOfSharingServer({ server }: SocketClass): boolean {
  return (server as { _usingWorkers?: boolean } | null | undefined)?._usingWorkers === true;
}

/**
 * The listeners of node:http's server that start and stop the handle of a socket, at each request with a body: to find
 * out who asks for the handle costs more than the rest of the request.
 *
 * Leans on: their names, and that a socket keeps listeners in `_events`. Otherwise: the stack is looked through at such
 * requests.
 *
 * - watched by test/net/dropin/http-bodies.test.ts: given requests with bodies on connections that go to the ring,
 *   nobody looks at a stack to see who asks for the handle
 */
export function replaceHttpListeners(socket: SocketClass, replace: (listener: Listener) => Listener): void {
  const { _events: events } = socket as unknown as { _events: Record<string, Listener | Listener[] | undefined> };
  for (const [event, name] of [['resume', 'onSocketResume'], ['pause', 'onSocketPause']] as const) {
    const listeners = events[event];
    if (Array.isArray(listeners)) {
      const at = listeners.findIndex((listener) => listener.name === name);
      if (at >= 0) listeners[at] = replace(listeners[at]);
    } else if (listeners?.name === name) {
      events[event] = replace(listeners);
    }
  }
}

/** As the types of Node's events have it: what it is called with, and on, depends on the event. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Listener = (...args: any[]) => void;

/**
 * Has a socket got the end of the peer's side, be it that nobody has heard of it so far?
 *
 * Leans on: `ended` in the state of a stream. Otherwise: a connection is taken over that has ended, and fails.
 *
 * - watched by test/net/dropin/taking-over.test.ts: given the end of the peer’s side that nobody has read, the
 * socket stays
 *   Node’s
 */
export function hasEnd(socket: SocketClass): boolean {
  return (socket as unknown as { _readableState: { ended: boolean } })._readableState.ended;
}

// ---------------------------------------------------------------- Node's own handles

/**
 * Is it a handle of libuv's on a socket, with a descriptor?
 *
 * Leans on: the names of the classes. Otherwise: sockets and servers stay Node's.
 *
 * - watched by test/net/dropin/node-internals.test.ts: given sockets of both kinds, their data goes through the ring
 */
export function isNative(handle: NativeHandle): handle is NativeHandle & { readonly fd: number } {
  const { name } = handle.constructor;
  return (name === 'TCP' || name === 'Pipe') && handle.fd !== undefined && handle.fd >= 0;
}

/** The class of a handle of libuv's. */
export type HandleClass = new (type: number) => NativeHandle;

/** The type of a handle that is neither a server nor a channel between processes. */
const OF_SOCKET = 0;

/**
 * A handle of libuv's for a socket, with nothing under it so far. Hooks of the program's hear of it in the call.
 *
 * Leans on: that the handles that Node makes are made by their `constructor`, with their type as the only argument.
 * Otherwise: connections do not come back from the ring.
 *
 * - watched by test/net/dropin/there-and-back.test.ts: given that it pays, and then does not, goes there and back, and
 *   counts its bytes on
 */
export function emptyHandle(handleClass: HandleClass): NativeHandle {
  return new handleClass(OF_SOCKET);
}

/**
 * Have a handle tell a socket of what it reads, and give the socket the handle's context, as if the socket had been
 * made with it.
 *
 * Leans on: the descriptions of two symbols that no module exports. Otherwise: it throws.
 *
 * - watched by test/net/dropin/handle.test.ts: node:tls and node:http2 get a handle of libuv’s, from a server and for a
 *   client
 */
export function putUnder(socket: SocketClass, handle: NativeHandle): void {
  Reflect.set(handle, symbolOf(handle, 'owner_symbol'), socket);
  Reflect.set(socket, symbolOf(socket, 'async_id_symbol'), handle.getAsyncId!());
}

/**
 * The symbols of the methods by which Node hands a socket to another thread; none before version 24.
 *
 * Leans on: the descriptions of these symbols. Otherwise: a socket on the ring cannot be handed to another thread.
 *
 * - watched by test/net/dropin/process.test.ts: a socket that is handed to a worker thread, new and used${eager &&
 *   ', on the ring'}
 */
export function symbolsOfTransfer(prototype: object): symbol[] {
  return Object.getOwnPropertySymbols(prototype).filter(({ description }) =>
    /^messaging_transfer_(?:list_)?symbol$/.test(description ?? '')
  );
}

function symbolOf(object: object, name: string): symbol {
  return Object.getOwnPropertySymbols(object).find(({ description }) => description === name)!;
}
