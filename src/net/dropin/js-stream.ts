import type { Duplex } from 'node:stream';
import { ECANCELED, ENOTCONN } from '../../abi/errno.ts';
import { nativeStreamClass } from '../../native/native-stream.ts';
import { nextTick, setImmediate } from '../../native/timers.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';
import { TAKEN } from '../transport/sender.ts';
import { isOfHttp2 } from './node-internals.ts';

/** A request of Node's native code. */
type Request = object;

/** Node's class JSStream: a native stream whose work is done in JavaScript. */
interface NativeStream {
  isClosing(): boolean;
  onreadstart(): number;
  onreadstop(): number;
  onwrite(request: Request, buffers: Buffer[]): number;
  onshutdown(request: Request): number;
  readBuffer(bytes: Uint8Array): void;
  emitEOF(): void;
  finishWrite(request: Request, status: number): void;
  finishShutdown(request: Request, status: number): void;
  _consumed: boolean;
  onread?: unknown;
}

/** The connection that a stream stands on. */
export interface StreamedConnection {
  readonly socket: Duplex & { _unrefTimer(): void };
  /** The connection's own handle. */
  readonly handle: object;
  readonly fd: number;
  readonly isOpen: boolean;
  isReading: boolean;
  readonly writableLength: number;
  /** Bytes that were handed over, and that were given to it to be sent. */
  readonly delivered: number;
  dispatched: number;
  startReading(): void;
  pause(): void;
  /** Bytes, or the end, for the socket. */
  arrived(chunk: Buffer | null): void;
  transmit(bytes: Uint8Array, isMore: boolean): number;
  whenSent(done: (error: Error | undefined) => void): void;
  shutdown(done: () => void): void;
}

/** The handle of a stream in JavaScript, with all that Node's code calls and reads there. */
type Handle = NativeStream & { readonly [OWNER]: JsStream };

const OWNER = Symbol('owner');

type StreamClass = new () => Handle;

/** The classes of handles, by those of the connections' own handles: they have what those have. */
const classes = new Map<unknown, StreamClass>();

/** A class for all of a kind: to give each handle methods of its own takes ten times as long. */
function streamClassFor(handle: object): StreamClass {
  const { constructor } = handle;
  let found = classes.get(constructor);
  if (found === undefined) classes.set(constructor, found = streamClass(handle));
  return found;
}

function streamClass(handle: object): StreamClass {
  const made = {
    [NAME]: class extends (nativeStreamClass() as unknown as StreamClass) {},
  }[NAME];
  const { prototype } = made;
  const methods: Record<string, (this: Handle, ...args: never[]) => unknown> = {
    isClosing(): boolean {
      return !this[OWNER].connection.isOpen;
    },
    onreadstart(): number {
      this[OWNER].start();
      return 0;
    },
    onreadstop(): number {
      this[OWNER].connection.pause();
      return 0;
    },
    onwrite(request: Request, buffers: Buffer[]): number {
      return this[OWNER].write(request, buffers);
    },
    onshutdown(request: Request): number {
      return this[OWNER].shutdown(request);
    },
  };
  for (const [name, value] of Object.entries(methods)) define(prototype, name, ownOptions({ value }));
  for (const name of forwardedOf(handle)) {
    const value = function (this: Handle, ...args: unknown[]): unknown {
      const { handle: own } = this[OWNER].connection;
      return Reflect.apply(Reflect.get(own, name) as (...all: unknown[]) => unknown, own, args);
    };
    define(prototype, name, ownOptions({ value }));
  }
  const getters: Record<string, (this: Handle) => unknown> = {
    fd(): number {
      return this[OWNER].connection.fd;
    },
    bytesRead(): number {
      return this[OWNER].connection.delivered;
    },
    bytesWritten(): number {
      return this[OWNER].connection.dispatched;
    },
    writeQueueSize(): number {
      return this[OWNER].connection.writableLength;
    },
  };
  for (const [name, get] of Object.entries(getters)) define(prototype, name, ownOptions({ get }));
  // The stream is not read because its socket is: whoever wants to read from the stream is to ask.
  define(
    prototype,
    'reading',
    ownOptions({
      get(this: Handle): boolean {
        return this[OWNER].isConsumed && this[OWNER].connection.isReading;
      },
      set(): void {},
    }),
  );
  define(
    prototype,
    '_consumed',
    ownOptions({
      get(this: Handle): boolean {
        return this[OWNER].isConsumed;
      },
      // The server of node:http has its parser read from it.
      set(this: Handle, is: boolean): void {
        if (is) this[OWNER].isConsumed = true;
      },
    }),
  );
  return made;
}

const NAME = 'JSStream';

/** So many bytes the parser of node:http takes at a time. */
const PIECE_MAX = 64 * 1024;

/** The reader reads no more: the socket gets again what comes. */
function leftOver(this: Handle, bytes: ArrayBuffer | undefined): void {
  this[OWNER].leftOver(bytes === undefined);
}

/** Node sets some of these on the object itself. */
function define(prototype: object, name: string, descriptor: PropertyDescriptor): void {
  const isData = Object.hasOwn(descriptor, 'value');
  Object.defineProperty(
    prototype,
    name,
    ownOptions({ ...descriptor, configurable: true, ...(isData ? { writable: true } : {}) }),
  );
}

/**
 * The stand-in for the native handle of a socket that has none, for those who work on native streams only: the parser
 * of node:http's server, node:tls and node:http2. Node would wrap such a socket by itself, but node:tls would then wait
 * for a `'connect'` that has been, and know no addresses.
 */
export class JsStream {
  readonly handle: Handle;
  /** @internal */
  readonly connection: StreamedConnection;
  /** Somebody reads from it. */
  isConsumed = false;
  /** The bytes that the reader is being given. */
  #given: Buffer | undefined;
  #writing: Set<Request> | undefined;
  #ending: Set<Request> | undefined;

  constructor(connection: StreamedConnection) {
    this.connection = connection;
    // With `new`, V8 compiles whatever inlines this in vain, again and again: it depends on a map of Node's class that
    // does not stay as it is.
    this.handle = Reflect.construct(streamClassFor(connection.handle), []);
    (this.handle as { [OWNER]: JsStream })[OWNER] = this;
    // Node's class keeps it inside, and calls what it has there.
    this.handle.onread = leftOver;
  }

  /**
   * Somebody asks for the handle. node:http2 listens to a stream that is being read already, and takes what has come
   * before in the next tick.
   */
  asked(): void {
    if (this.isConsumed || !isOfHttp2(this.connection.socket)) return;
    nextTick(() => nextTick(() => this.#consume()));
  }

  #consume(): void {
    const { socket } = this.connection;
    if (this.isConsumed || !this.connection.isOpen) return;
    this.isConsumed = true;
    for (let bytes = socket.read() as Buffer | null; bytes !== null; bytes = socket.read()) this.received(bytes);
    this.connection.isReading = true;
    this.connection.startReading();
  }

  /** Node reads from it. @internal */
  start(): void {
    this.isConsumed = true;
    this.connection.isReading = true;
    this.connection.startReading();
  }

  /** Bytes came, or the end, that nobody reads from here any more. @internal */
  leftOver(isEnd: boolean): void {
    this.isConsumed = false;
    // Not those of the memory that Node has copied them to: from version 24 on that is larger than they are, and the
    // rest of it is anybody's.
    if (isEnd) this.connection.arrived(null);
    else if (this.#given !== undefined) this.connection.arrived(Buffer.from(this.#given));
  }

  /** The buffers are copies that Node has made for this call. @internal */
  write(request: Request, buffers: Buffer[]): number {
    const connection = this.connection;
    if (!connection.isOpen) return -ENOTCONN;
    let outcome = TAKEN;
    const last = buffers.length - 1;
    for (let i = 0; i <= last && outcome >= 0; i++) {
      connection.dispatched += buffers[i].length;
      outcome = connection.transmit(buffers[i], i < last && buffers[i + 1].length > 0);
    }
    if (outcome < 0) return outcome;
    (this.#writing ??= new Set()).add(request);
    connection.socket._unrefTimer();
    const finish = (status: number): void => {
      if (this.#writing!.delete(request)) this.handle.finishWrite(request, status);
    };
    // Node must have returned from asking for it.
    connection.whenSent((error) => setImmediate(finish, error === undefined ? 0 : -ECANCELED));
    return 0;
  }

  /** @internal */
  shutdown(request: Request): number {
    (this.#ending ??= new Set()).add(request);
    const finish = (): void => {
      if (this.#ending!.delete(request)) this.handle.finishShutdown(request, 0);
    };
    this.connection.shutdown(() => setImmediate(finish));
    return 0;
  }

  /** In pieces that whoever reads takes at once: each is either theirs, or left over. */
  received(bytes: Buffer): void {
    const { length } = bytes;
    for (let from = 0; from < length; from += PIECE_MAX) {
      this.#given = length <= PIECE_MAX ? bytes : bytes.subarray(from, from + PIECE_MAX);
      this.handle.readBuffer(this.#given);
    }
    this.#given = undefined;
  }

  ended(): void {
    this.handle.emitEOF();
  }

  /** The connection is being closed: whoever waits is told. */
  cancelled(): void {
    const writing = [...(this.#writing ?? [])];
    const ending = [...(this.#ending ?? [])];
    if (writing.length === 0 && ending.length === 0) return;
    this.#writing?.clear();
    this.#ending?.clear();
    setImmediate(() => {
      for (const request of writing) this.handle.finishWrite(request, -ECANCELED);
      for (const request of ending) this.handle.finishShutdown(request, -ECANCELED);
    });
  }
}

const FORWARDED = [
  'bind',
  'bind6',
  'close',
  'connect',
  'connect6',
  'getpeername',
  'getsockname',
  'getTypeOfService',
  'hasRef',
  'readStart',
  'readStop',
  'ref',
  'reset',
  'setKeepAlive',
  'setNoDelay',
  'setTypeOfService',
  'unref',
];

/** Those of the methods that the handle has. */
function forwardedOf(handle: object): string[] {
  return FORWARDED.filter((name) => Reflect.get(handle, name) !== undefined);
}
