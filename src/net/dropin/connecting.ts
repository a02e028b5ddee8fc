import { AsyncResource } from '../../native/node-hooks.ts';
import { ASKED_TO_BIND, ASKED_TO_CONNECT } from './node-internals.ts';
import type { NativeHandle, SocketClass } from './node-net.ts';
import { ringSide } from './ring-when-needed.ts';
import {
  begin,
  beginConnected,
  handleOf,
  inNode,
  isOpen,
  lend,
  stateOf,
  withinNode,
  writesAtFirst,
  type State,
} from './socket-state.ts';

/** The method `connect` of Node, for a socket that is to go through the ring if it lasts. */
export function connectBy<T>(socket: SocketClass, args: readonly unknown[], connect: () => T): T {
  const before = stateOf(socket);
  const { connection } = before ?? {};
  let state = before;
  // Another life begins.
  if (state === undefined || socket.destroyed) {
    state = begin(socket);
    state.userBuffer = before?.userBuffer;
    state.writesLeft = writesAtFirst();
  }
  state.connects = true;
  state.scope = isFromTheFirstByte(state) ? new AsyncResource('IOURINGSOCKET') : undefined;
  state.asked = undefined;
  if (isOpen(connection)) return lend(socket, connect);
  if (callsOthers(socket, args)) return connect();
  try {
    return withinNode(socket, connect);
  } finally {
    const asked = askedOf(state);
    if (asked !== undefined && binds(args)) state.asked = asked - ASKED_TO_BIND;
  }
}

/**
 * The same for a socket that is Node's: events of the ring are told as they came, before that it is connected. One on a
 * path is connected in the call.
 */
export function connectAsNode<T>(socket: SocketClass, connect: () => T): T {
  if (socket.destroyed && stateOf(socket) !== undefined) beginConnected(socket);
  const result = connect();
  const handle = ringSide.soFar === undefined || !socket.connecting ? null : handleOf(socket);
  if (handle !== null) tellBehindEvents(socket, handle, () => new AsyncResource('IOURINGSOCKET'));
  return result;
}

/** The count behind a call of Node's: the compiler takes it for what was assigned before that. */
function askedOf(state: State): number | undefined {
  return state.asked;
}

/** Is it to be ours without a look? */
function isFromTheFirstByte(state: State): boolean {
  return state.writesLeft < 0;
}

/** Does a call that connects a socket call a function of the user's, which may ask for the handle? */
function callsOthers(socket: SocketClass, args: readonly unknown[]): boolean {
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

/** Node's request to connect, as its handles tell of it. */
interface ConnectRequest {
  oncomplete(...outcome: unknown[]): void;
}

/**
 * The events of the ring are told in another phase of the loop than those of libuv. A connection is told of behind what
 * came before it: the server to which it goes, in the same process, has accepted it then.
 */
export function tellInOrder(socket: SocketClass, state: State, handle: NativeHandle): void {
  // Not in the call that connects, in which nobody but Node asks.
  if (socket === inNode) state.asked = 0;
  tellBehindEvents(socket, handle, () => (state.scope ??= new AsyncResource('IOURINGSOCKET')), () => {
    // Somebody has asked as well, and may keep it: then it stays the socket's.
    if (state.asked !== undefined && state.asked > ASKED_TO_CONNECT) state.writesLeft = 0;
    state.asked = undefined;
  });
}

/**
 * @param scope is the context that the socket was told to connect in, in which Node tells of it
 * @param begins is called when the handle is to connect
 */
function tellBehindEvents(
  socket: SocketClass,
  handle: NativeHandle,
  scope: () => AsyncResource,
  begins?: () => void,
): void {
  const methods = handle as unknown as Record<
    string,
    ((request: ConnectRequest, ...place: unknown[]) => number) | undefined
  >;
  for (const name of ['connect', 'connect6'] as const) {
    const method = methods[name];
    if (method === undefined) continue;
    const tellsInOrder = function (this: NativeHandle, request: ConnectRequest, ...place: unknown[]): number {
      begins?.();
      const { oncomplete } = request;
      const inOrder = (...outcome: unknown[]): void => {
        const tell = (): void => oncomplete.apply(request, outcome);
        let resource: AsyncResource | undefined;
        // A failure is told at once: that of a handle that is closed comes before its 'close', after which the socket
        // may connect anew. Node may give up an attempt that waits to be told of.
        const tellLate = (): void => {
          const isCurrent = request.oncomplete === inOrder && handleOf(socket) === this;
          if (isCurrent) resource!.runInAsyncScope(tell);
        };
        if (outcome[0] !== 0 || ringSide.soFar?.behindEvents(tellLate) !== true) tell();
        else resource = scope();
      };
      request.oncomplete = inOrder;
      return method.call(this, request, ...place);
    };
    methods[name] = tellsInOrder;
    ofOurs.add(tellsInOrder);
  }
}

const ofOurs = new WeakSet<object>();

/** Is a method of a handle one that was put there for this? */
export function isToTellInOrder(method: object): boolean {
  return ofOurs.has(method);
}
