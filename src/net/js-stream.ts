import modules from 'node:module';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type * as tls from 'node:tls';
import { ECANCELED, ENOTCONN } from '../abi/errno.ts';
import { nextTick, setImmediate } from '../reactor/timers.ts';
import { ownOptions } from '../reactor/own-options.ts';
import { TAKEN } from './sender.ts';
import type { SocketConnection } from './socket-connection.ts';

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

let Native: (new () => NativeStream) | undefined;

/** Node does not export the class; a TLSSocket over a stream that is not a socket stands on one. */
function nativeStream(): NativeStream {
  if (Native === undefined) {
    // A built-in module is the same from everywhere; a bundle may have no import.meta.url.
    const { TLSSocket, createSecureContext } = modules.createRequire(process.execPath)('node:tls') as typeof tls;
    const none = new Duplex(ownOptions({ read() {}, write() {} }));
    // With no certificates: Node's own list takes milliseconds to read.
    const probe = new TLSSocket(none, ownOptions({ secureContext: createSecureContext(ownOptions({ ca: [] })) }));
    const { _handle: wrap } = probe as unknown as TLSSocket & { _handle: { _parent: NativeStream } };
    Native = wrap._parent.constructor as new () => NativeStream;
    probe.on('error', () => {});
    probe.destroy();
    none.destroy();
  }
  return new Native();
}

/**
 * What stands in for the native handle of a socket that has none, for those who work on native streams only. Node would wrap such
 * a socket by itself, but node:tls would then wait for a `'connect'` that has been, and know no addresses.
 */
export class JsStream {
  readonly handle: NativeStream;
  readonly #connection: SocketConnection;
  /** Somebody reads from it. */
  isConsumed = false;
  readonly #writing = new Set<Request>();
  readonly #ending = new Set<Request>();

  constructor(connection: SocketConnection) {
    this.#connection = connection;
    this.handle = Object.defineProperties(Object.assign(nativeStream(), this.#methods(connection)), {
      // That the socket is being read says nothing of this: who wants to read from it is to ask.
      reading: ownOptions({ get: () => this.isConsumed && connection.isReading, set: () => {}, configurable: true }),
      fd: ownOptions({ get: () => connection.fd }),
      bytesRead: ownOptions({ get: () => connection.delivered }),
      bytesWritten: ownOptions({ get: () => connection.dispatched }),
      writeQueueSize: ownOptions({ get: () => connection.writableLength }),
    });
  }

  /**
   * Somebody asks for the handle. node:http2 listens to a stream that is being read already, and takes what has come before in the
   * next tick.
   */
  asked(): void {
    if (this.isConsumed || !isOfHttp2(this.#connection.socket)) return;
    nextTick(() => nextTick(() => this.#consume()));
  }

  #consume(): void {
    const { socket } = this.#connection;
    if (this.isConsumed || !this.#connection.isOpen) return;
    this.isConsumed = true;
    for (let bytes = socket.read() as Buffer | null; bytes !== null; bytes = socket.read()) this.handle.readBuffer(bytes);
    this.#connection.isReading = true;
    this.#connection.startReading();
  }

  #methods(connection: SocketConnection): object {
    const { handle } = connection;
    return {
      // node:http is to read by events.
      _consumed: true,
      isClosing: () => !connection.isOpen,
      onreadstart: () => {
        this.isConsumed = true;
        connection.isReading = true;
        connection.startReading();
        return 0;
      },
      // Who read from it does no more: what comes is the socket's again.
      onread: (bytes: ArrayBuffer | undefined) => {
        this.isConsumed = false;
        connection.arrived(bytes === undefined ? null : Buffer.from(bytes));
      },
      onreadstop: () => {
        connection.pause();
        return 0;
      },
      onwrite: (request: Request, buffers: Buffer[]) => this.#write(request, buffers),
      onshutdown: (request: Request) => this.#shutdown(request),
      readStart: () => handle.readStart(),
      readStop: () => handle.readStop(),
      close: (done?: () => void) => handle.close(done),
      ref: () => handle.ref(),
      unref: () => handle.unref(),
      hasRef: () => handle.hasRef(),
      reset: (done?: () => void) => handle.reset(done),
      ...forwarded(handle),
    };
  }

  /** The buffers are copies that Node has made for this call. */
  #write(request: Request, buffers: Buffer[]): number {
    const connection = this.#connection;
    if (!connection.isOpen) return -ENOTCONN;
    let outcome = TAKEN;
    const last = buffers.length - 1;
    for (let i = 0; i <= last && outcome >= 0; i++) {
      connection.dispatched += buffers[i].length;
      outcome = connection.transmit(buffers[i], i < last && buffers[i + 1].length > 0);
    }
    if (outcome < 0) return outcome;
    this.#writing.add(request);
    connection.socket._unrefTimer();
    const finish = (status: number): void => {
      if (this.#writing.delete(request)) this.handle.finishWrite(request, status);
    };
    // Node must have returned from asking for it.
    connection.whenSent((error) => setImmediate(finish, error === undefined ? 0 : -ECANCELED));
    return 0;
  }

  #shutdown(request: Request): number {
    this.#ending.add(request);
    const finish = (): void => {
      if (this.#ending.delete(request)) this.handle.finishShutdown(request, 0);
    };
    this.#connection.shutdown(() => setImmediate(finish));
    return 0;
  }

  received(bytes: Buffer): void {
    this.handle.readBuffer(bytes);
  }

  ended(): void {
    this.handle.emitEOF();
  }

  /** The connection is being closed: whoever waits is told. */
  cancelled(): void {
    if (this.#writing.size === 0 && this.#ending.size === 0) return;
    const writing = [...this.#writing];
    const ending = [...this.#ending];
    this.#writing.clear();
    this.#ending.clear();
    setImmediate(() => {
      for (const request of writing) this.handle.finishWrite(request, -ECANCELED);
      for (const request of ending) this.handle.finishShutdown(request, -ECANCELED);
    });
  }
}

/**
 * Has node:http2 made a session of it? It says so on the socket before it asks for the handle, by a symbol; which versions 20 to 26
 * import from a module that does not export it, so that the name is `undefined`.
 */
export function isOfHttp2(socket: object): boolean {
  const properties = socket as Record<string | symbol, unknown>;
  if (properties['undefined'] !== undefined) return true;
  const mark = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'kBoundSession');
  return mark !== undefined && properties[mark] !== undefined;
}

const FORWARDED = [
  'bind',
  'bind6',
  'connect',
  'connect6',
  'getpeername',
  'getsockname',
  'getTypeOfService',
  'setKeepAlive',
  'setNoDelay',
  'setTypeOfService',
];

/** Those of the handle's methods that it has. */
function forwarded(handle: object): object {
  const methods = handle as Record<string, ((...args: unknown[]) => unknown) | undefined>;
  const present = FORWARDED.filter((name) => methods[name] !== undefined);
  return Object.fromEntries(present.map((name) => [name, (...args: unknown[]) => methods[name]!(...args)]));
}
