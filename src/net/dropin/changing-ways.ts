/** Which way the data of a socket goes, Node's or the ring's, and how it changes. */
import { AsyncResource } from 'node:async_hooks';
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
import type { NativeHandle } from './node-net.ts';
import { backAtNode, canChange, isOurs, onRing } from './prototypes.ts';
import { ringSide } from './ring-when-needed.ts';
import type { SocketConnection } from './socket-connection.ts';
import {
  CONNECTION,
  USER_BUFFER,
  CONNECTS,
  SCOPE,
  KEEPS_DESCRIPTOR,
  IS_SHARED,
  WRITES_LEFT,
  PERIOD,
  READ_SEEN,
  WRITTEN_SEEN,
  MESSAGES,
  STRETCH,
  WAS_LOOKED_AT,
  BYTES_BEFORE,
  BYTES_BY_RING,
  PARSER,
  type Bytes,
  type State,
  type OurSocket,
  prototypeOfNode,
  handleOf,
  beginConnected,
  isOpen,
  lentTo,
} from './socket-state.ts';
import { count, isWorthKeeping, isWorthTaking, load, worth } from './worth.ts';

/** A connection writes: after so many writes somebody is to look whether the ring pays for it. */
export function countWrite(socket: OurSocket): void {
  if (count(socket)) socket[MESSAGES]++;
  if (socket[WRITES_LEFT] > 1) socket[WRITES_LEFT]--;
  else lookSoon(socket);
}

/**
 * The same for one that is Node's, of which only some writes are told, in stretches: a message is judged by what came
 * and went in the one that it is of.
 * @param stretch is its number
 */
export function countAtNode(socket: OurSocket, stretch: number): void {
  if (!(CONNECTION in socket)) beginConnected(socket);
  // One of a class that extends ours may be on the ring, and one that connects has nothing to look at.
  else if (socket[CONNECTION] !== undefined) return;
  if (socket.connecting) return;
  if (socket[STRETCH] !== stretch) {
    const { bytesRead = 0, bytesWritten = 0 } = handleOf(socket) ?? {};
    socket[STRETCH] = stretch;
    socket[WAS_LOOKED_AT] ||= socket[MESSAGES] >= FEW;
    socket[READ_SEEN] = bytesRead;
    socket[WRITTEN_SEEN] = bytesWritten;
    socket[MESSAGES] = 0;
    if (socket[WRITES_LEFT] > 0) socket[WRITES_LEFT] = Math.max(socket[WRITES_LEFT], Math.min(FEW, worth.writes));
  }
  countWrite(socket);
}

/** So many messages of a stretch are needed to judge by. */
const FEW = 16;

/** Look when the tick is over. A thousand writes may follow before that, and are not to ask for it again. */
function lookSoon(socket: OurSocket): void {
  if (socket[WRITES_LEFT] < 1) return;
  socket[WRITES_LEFT] = Math.max(1, socket[PERIOD]);
  nextTick(lookWhenSent, socket);
}

/** When what it has written is with the kernel. */
function lookWhenSent(socket: OurSocket): void {
  const connection = socket[CONNECTION];
  if (isOpen(connection)) connection.whenSent(() => look(socket));
  else look(socket);
}

/** Go on with the one of Node and the ring that costs less: see {@link worth}. */
function look(socket: OurSocket): void {
  // Meanwhile its handle may have been seen.
  if (socket[WRITES_LEFT] <= 0) return;
  const connection = socket[CONNECTION];
  const isRing = isOpen(connection);
  // Patience is for Node's way: on the other one what it costs is found out soon.
  socket[WRITES_LEFT] = isRing ? worth.writes : socket[PERIOD];
  socket[WAS_LOOKED_AT] = true;
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
    else if (!ringSide.isReady || !load.takesTurn()) socket[WRITES_LEFT] = 1;
    else if (take(socket, handle) === undefined) load.decline();
    else {
      socket[WRITES_LEFT] = worth.writes;
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
function noteScope(socket: OurSocket, handle: NativeHandle): void {
  const { onread } = handle;
  if (onread === undefined || isIdleGuard(onread)) return;
  if (noting.has(onread)) return load.decline();
  const note = function (this: NativeHandle, ...args: unknown[]): unknown {
    if (handle.onread === note) handle.onread = onread;
    socket[SCOPE] ??= new AsyncResource('IOURINGSOCKET');
    if (socket[WRITES_LEFT] > 0) socket[WRITES_LEFT] = 1;
    return Reflect.apply(onread, this, args);
  };
  noting.add(note);
  handle.onread = note;
}

/**
 * The descriptor becomes ours, unless something is under way on it, or others than Node may have its handle. All that
 * libuv has read was handed over in the call that read it.
 */
function take(socket: OurSocket, handle: NativeHandle): SocketConnection | undefined {
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
  socket[PARSER] = socket.parser;
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
function giveBackInTime(socket: OurSocket, connection: SocketConnection): void {
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
function giveBack(socket: OurSocket, connection: SocketConnection): boolean {
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
function currentHandle(socket: OurSocket): object | null {
  const connection = socket[CONNECTION];
  return isOpen(connection) ? connection.handle : handleOf(socket);
}

function sumOf(some: Bytes | undefined, others: Bytes): Bytes {
  if (some === undefined) return others;
  return { read: some.read + others.read, dispatched: some.dispatched + others.dispatched };
}

/** Is a socket in the middle of its life: open in both directions, with nothing that waits to be written? */
function isAtWork(socket: OurSocket): boolean {
  const { destroyed, writable, writableLength, connecting, [USER_BUFFER]: userBuffer } = socket;
  return writable && !destroyed && !connecting && writableLength === 0 && userBuffer === undefined && !hasEnd(socket);
}

/** The connection of a socket. If it is to be ours from the beginning, the descriptor becomes ours now. */
export function connectionOf(socket: OurSocket): SocketConnection | undefined {
  const known = socket[CONNECTION];
  if (known !== undefined) return known ?? undefined;
  if (socket.connecting || socket[WRITES_LEFT] >= 0) return undefined;
  const handle = handleOf(socket);
  if (handle === null) return undefined;
  const connection = handle.reading === true ? undefined : take(socket, handle);
  if (connection === undefined) {
    socket[CONNECTION] = null;
    backAtNode(socket);
  }
  return connection;
}

/**
 * A protocol whose native code reads from handles takes the socket: it is Node's from then on. On a stream that stands
 * in for a handle that code would be called, and call back, in other turns, and at a higher cost. False if something
 * has come already.
 */
export function goesToNode(socket: OurSocket, connection: SocketConnection): boolean {
  if (!goOnByNode(socket, connection, undefined, false)) return false;
  socket[CONNECTION] = null;
  return true;
}

/**
 * Node goes on with the socket of a connection, if that can let go of it: false if not. `parser` reads from what there
 * is in its place; see {@link SocketConnection.giveAway}.
 */
function goOnByNode(
  socket: OurSocket,
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
  backAtNode(socket);
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
function isFree(socket: OurSocket, handle: NativeHandle): handle is NativeHandle & { readonly fd: number } {
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
  if (!(CONNECTION in socket)) return isOurs(socket) ? 'early' : 'node';
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

/** Has it been looked at whether the ring pays for a socket? One that is short, or alone, has no such look. */
export function wasLookedAt(socket: object): boolean {
  const { [WAS_LOOKED_AT]: was, [MESSAGES]: messages = 0 } = socket as Partial<State>;
  return was === true || messages >= FEW;
}
