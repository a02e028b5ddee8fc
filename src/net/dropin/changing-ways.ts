/** Which way the data of a socket goes, Node's or the ring's, and how it changes. */
import { AsyncResource } from '../../native/node-hooks.ts';
import { nextTick, setImmediate } from '../../native/timers.ts';
import { isToTellInOrder } from './connecting.ts';
import { classOf, forward } from './native-handle.ts';
import {
  hasEnd,
  hasOwnMethods,
  isIdleGuard,
  isNative,
  isOfHttp2,
  isOfNode,
  isOfSharingServer,
  isReadByOthers,
  parserOn,
  replaceHttpListeners,
  putUnder,
  type HandleParser,
} from './node-internals.ts';
import type { NativeHandle, SocketClass } from './node-net.ts';
import { canChange, isOfNodesClass, isOurs, onRing } from './prototypes.ts';
import { ringSide } from './ring-when-needed.ts';
import type { SocketConnection } from './socket-connection.ts';
import {
  beginConnected,
  connectionUnder,
  handleOf,
  isOpen,
  lentTo,
  prototypeOfNode,
  stateOf,
  type Bytes,
  type State,
} from './socket-state.ts';
import { count, isWorthKeeping, isWorthTaking, load, worth } from './worth.ts';

/** A connection writes: after so many writes somebody is to look whether the ring pays for it. */
export function countWrite(socket: SocketClass, state: State): void {
  if (count(socket)) state.messages++;
  if (state.writesLeft > 1) state.writesLeft--;
  else lookSoon(socket, state);
}

/**
 * The same for one that is Node's, of which only some writes are told, in stretches: a message is judged by what came
 * and went in the one that it is of.
 * @param stretch is its number
 */
export function countAtNode(socket: SocketClass, stretch: number): void {
  const state = stateOf(socket) ?? beginConnected(socket);
  // One of a class that extends ours may be on the ring, and one that connects has nothing to look at.
  if (state.connection !== undefined) return;
  if (socket.connecting) return;
  if (state.stretch !== stretch) {
    const { bytesRead = 0, bytesWritten = 0 } = handleOf(socket) ?? {};
    state.stretch = stretch;
    state.wasLookedAt ||= state.messages >= FEW;
    state.readSeen = bytesRead;
    state.writtenSeen = bytesWritten;
    state.messages = 0;
    if (state.writesLeft > 0) state.writesLeft = Math.max(state.writesLeft, Math.min(FEW, worth.writes));
  }
  countWrite(socket, state);
}

/** So many messages of a stretch are needed to judge by. */
const FEW = 16;

/** Look when the tick is over. A thousand writes may follow before that, and are not to ask for it again. */
function lookSoon(socket: SocketClass, state: State): void {
  if (state.writesLeft < 1) return;
  state.writesLeft = Math.max(1, state.period);
  nextTick(lookWhenSent, socket);
}

/** When what it has written is with the kernel. */
function lookWhenSent(socket: SocketClass): void {
  const connection = connectionUnder(socket);
  if (isOpen(connection)) connection.whenSent(() => look(socket));
  else look(socket);
}

/** Go on with the one of Node and the ring that costs less: see {@link worth}. */
function look(socket: SocketClass): void {
  // It may have begun another life meanwhile.
  const state = stateOf(socket);
  // Its handle may have been seen.
  if (state === undefined || state.writesLeft <= 0) return;
  const { connection } = state;
  const isRing = isOpen(connection);
  // Patience is for Node's way: on the other one what it costs is found out soon.
  state.writesLeft = isRing ? worth.writes : state.period;
  state.wasLookedAt = true;
  if (!isAtWork(socket, state)) return;
  const handle = isRing ? connection : handleOf(socket);
  if (handle === null) return;
  const { bytesRead = 0, bytesWritten = 0 } = handle;
  const messages = Math.max(1, state.messages);
  const received = (bytesRead - state.readSeen) / messages;
  const sent = (bytesWritten - state.writtenSeen) / messages;
  state.readSeen = bytesRead;
  state.writtenSeen = bytesWritten;
  state.messages = 0;
  if (isRing) {
    if (!isWorthKeeping(received, sent)) giveBackInTime(socket, state, connection);
  } else if (connection === undefined && isWorthTaking(received, sent)) {
    if (state.connects && state.scope === undefined) noteScope(state, handle);
    else if (!ringSide.isReady || !load.takesTurn()) state.writesLeft = 1;
    else if (take(socket, state, handle) === undefined) load.decline();
    else {
      state.writesLeft = worth.writes;
      load.took();
    }
  } else {
    load.decline();
  }
}

/** The functions by which {@link noteScope} hears of a read. */
const noting = new WeakSet<object>();

/**
 * A socket that connects is told things in the context that it was told to connect in, and so is what its handle reads:
 * it is noted when that comes next, and the write after that looks again. To note it before would show in async_hooks,
 * for each socket.
 */
function noteScope(state: State, handle: NativeHandle): void {
  const { onread } = handle;
  if (onread === undefined || isIdleGuard(onread)) return;
  if (noting.has(onread)) return load.decline();
  const note = function (this: NativeHandle, ...args: unknown[]): unknown {
    if (handle.onread === note) handle.onread = onread;
    state.scope ??= new AsyncResource('IOURINGSOCKET');
    if (state.writesLeft > 0) state.writesLeft = 1;
    return Reflect.apply(onread, this, args);
  };
  noting.add(note);
  handle.onread = note;
}

/**
 * The descriptor becomes ours, unless something is under way on it, or others than Node may have its handle. All that
 * libuv has read was handed over in the call that read it.
 */
function take(socket: SocketClass, state: State, handle: NativeHandle): SocketConnection | undefined {
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
  const { keepsDescriptor: keeps, userBuffer, scope, isShared } = state;
  const closed = keeps ? () => handle.close() : undefined;
  const transport = ring.transportOf(io);
  const { fd, callOff: unguard } = ring.duplicateGuarded(handle.fd);
  if (fd < 0) return undefined;
  const owned = { isTcp, handleClass: classOf(handle), userBuffer, scope, isShared, closed, unguard };
  const connection = new ring.SocketConnection(transport, fd, socket, owned);
  ring.replaceMethods(isOfNodesClass(socket));
  state.connection = connection;
  state.parser = socket.parser;
  onRing(socket);
  replaceHttpListeners(socket, lentTo);
  parser?.unconsume();
  if (reading === true) handle.readStop!();
  Reflect.set(prototypeOfNode, '_handle', null, socket);
  if (!keeps) {
    // It would be named among the active ones until the event loop has closed it.
    handle.unref?.();
    handle.close();
    forward(handle, () => currentHandle(socket));
  }
  const before = sumOf(state.bytesBefore, { read: bytesRead, dispatched: bytesWritten });
  state.bytesByRing = sumOf(state.bytesByRing, { read: -before.read, dispatched: -before.dispatched });
  state.readSeen = before.read;
  state.writtenSeen = before.dispatched;
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
function giveBackInTime(socket: SocketClass, state: State, connection: SocketConnection): void {
  if (state.keepsDescriptor || state.isShared || connection.isHeldByOthers) return;
  if (giveBack(socket, state, connection)) return;
  connection.rest(() => {
    let isResting = true;
    connection.whenSent(() => {
      if (!isResting || state.connection !== connection || !connection.isOpen) return;
      isResting = false;
      if (!isAtWork(socket, state) || connection.isHeldByOthers || !giveBack(socket, state, connection)) {
        connection.wake();
      }
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
function giveBack(socket: SocketClass, state: State, connection: SocketConnection): boolean {
  const { seen } = connection;
  const parser = seen === undefined ? undefined : parserOn(socket, seen);
  if (!goOnByNode(socket, state, connection, parser, true)) return false;
  state.connection = undefined;
  forward(connection.handle, () => currentHandle(socket));
  state.readSeen = state.writtenSeen = 0;
  state.writesLeft = state.period = load.nextPeriod(state.period);
  return true;
}

/** The handle that a socket works with now. */
function currentHandle(socket: SocketClass): object | null {
  const connection = connectionUnder(socket);
  return isOpen(connection) ? connection.handle : handleOf(socket);
}

function sumOf(some: Bytes | undefined, others: Bytes): Bytes {
  if (some === undefined) return others;
  return { read: some.read + others.read, dispatched: some.dispatched + others.dispatched };
}

/** Is a socket in the middle of its life: open in both directions, with nothing that waits to be written? */
function isAtWork(socket: SocketClass, { userBuffer }: State): boolean {
  const { destroyed, writable, writableLength, connecting } = socket;
  return writable && !destroyed && !connecting && writableLength === 0 && userBuffer === undefined && !hasEnd(socket);
}

/** The connection of a socket. If it is to be ours from the beginning, the descriptor becomes ours now. */
export function connectionOf(socket: SocketClass): SocketConnection | undefined {
  const state = stateOf(socket);
  if (state === undefined) return undefined;
  const { connection: known } = state;
  if (known !== undefined) return known ?? undefined;
  if (socket.connecting || state.writesLeft >= 0) return undefined;
  const handle = handleOf(socket);
  if (handle === null) return undefined;
  const connection = handle.reading === true ? undefined : take(socket, state, handle);
  if (connection === undefined) state.connection = null;
  return connection;
}

/**
 * A protocol whose native code reads from handles takes the socket: it is Node's from then on. On a stream that stands
 * in for a handle that code would be called, and call back, in other turns, and at a higher cost. False if something
 * has come already.
 */
export function goesToNode(socket: SocketClass, state: State, connection: SocketConnection): boolean {
  if (!goOnByNode(socket, state, connection, undefined, false)) return false;
  state.connection = null;
  return true;
}

/**
 * Node goes on with the socket of a connection, if that can let go of it: false if not. `parser` reads from what there
 * is in its place; see {@link SocketConnection.giveAway}.
 */
function goOnByNode(
  socket: SocketClass,
  state: State,
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
  state.bytesBefore = bytes;
  state.bytesByRing = sumOf(state.bytesByRing, bytes);
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
function isFree(socket: SocketClass, handle: NativeHandle): handle is NativeHandle & { readonly fd: number } {
  const { onread } = handle;
  const isOthers = hasOwnMethods(handle, isToTellInOrder) || isReadByOthers(socket, handle) || isOfHttp2(socket) ||
    !(onread === undefined || isOfNode(onread) || noting.has(onread));
  return isNative(handle) && !isOthers && !isOfSharingServer(socket) && canChange(socket) &&
    handle.writeQueueSize === 0;
}

/**
 * How the data of a socket goes now; `early`: through Node, until it pays to go through the ring; undefined: none has
 * come so far.
 */
export function wayOf(socket: object): 'ring' | 'node' | 'early' | undefined {
  const state = stateOf(socket);
  if (state === undefined) return isOurs(socket) ? 'early' : 'node';
  const { connection, writesLeft } = state;
  if (connection !== undefined) return connection === null ? 'node' : 'ring';
  return writesLeft > 0 ? 'early' : writesLeft === 0 ? 'node' : undefined;
}

/** Bytes of a socket that went through the ring; undefined if it never did. */
export function bytesByRing(socket: object): { read: number; written: number } | undefined {
  const { connection, bytesByRing: before } = stateOf(socket) ?? {};
  if (before === undefined) return undefined;
  const { delivered = 0, dispatched = 0 } = connection ?? {};
  return { read: before.read + delivered, written: before.dispatched + dispatched };
}

/** Has it been looked at whether the ring pays for a socket? One that is short, or alone, has no such look. */
export function wasLookedAt(socket: object): boolean {
  const { wasLookedAt: was = false, messages = 0 } = stateOf(socket) ?? {};
  return was || messages >= FEW;
}
