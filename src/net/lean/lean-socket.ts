import { bytesIn, lengthOf } from '../transport/intrinsic.ts';
import { bytesOf, checkDelay, checkSeconds } from './lean-arguments.ts';
import type { LeanSocket, Listener, Writable } from './types.ts';
import type { EndPoint } from '../transport/connection.ts';
import type { LeanConnection } from './lean-connection.ts';

/** What a user holds of a {@link LeanConnection}. */
export class LeanRingSocket<T> implements LeanSocket<T> {
  data: T;
  readonly #connection: LeanConnection<T>;

  constructor(connection: LeanConnection<T>, data: T) {
    this.data = data;
    this.#connection = connection;
  }

  write(data: Writable, byteOffset?: number, byteLength?: number): number {
    const connection = this.#connection;
    if (typeof data === 'string' && byteOffset === undefined && byteLength === undefined) {
      const length = Buffer.byteLength(data);
      // Of what is not taken as a whole, the bytes count.
      if (length <= connection.room) {
        connection.writeText(data, 'utf8', length);
        connection.active();
        return length;
      }
    }
    const bytes = bytesOf(data, byteOffset, byteLength);
    const length = lengthOf(bytes);
    const taken = connection.admit(length);
    if (taken > 0) {
      connection.write(taken === length ? bytes : bytesIn(bytes, 0, taken));
      connection.active();
    }
    return taken;
  }

  end(data?: Writable): number {
    const taken = data === undefined ? 0 : this.write(data);
    this.#connection.endSide();
    return taken;
  }

  close(): void {
    this.#connection.closeSoon();
  }

  terminate(): void {
    this.#connection.finish(undefined, true);
  }

  pause(): void {
    this.#connection.read(false);
  }

  resume(): void {
    this.#connection.read(true);
  }

  ref(): void {
    this.#connection.ref();
  }

  unref(): void {
    this.#connection.unref();
  }

  timeout(seconds: number): void {
    this.#connection.timeout(checkSeconds(seconds));
  }

  setNoDelay(on = true): boolean {
    return this.#connection.setNoDelay(on) === 0;
  }

  setKeepAlive(on = true, initialDelayMs?: number): boolean {
    return this.#connection.setKeepAlive(on, Math.floor(checkDelay(initialDelayMs) / 1000)) === 0;
  }

  get listener(): Listener<T> | undefined {
    return this.#connection.shared.listener;
  }

  get fd(): number {
    return this.#connection.fd;
  }

  get remoteAddress(): string | undefined {
    return addressIn(this.#connection.remote);
  }

  get remotePort(): number | undefined {
    return portIn(this.#connection.remote);
  }

  get remoteFamily(): 'IPv4' | 'IPv6' | undefined {
    return familyIn(this.#connection.remote);
  }

  get localAddress(): string | undefined {
    return addressIn(this.#connection.local);
  }

  get localPort(): number | undefined {
    return portIn(this.#connection.local);
  }

  get localFamily(): 'IPv4' | 'IPv6' | undefined {
    return familyIn(this.#connection.local);
  }

  get bytesRead(): number {
    return this.#connection.bytesRead;
  }

  get bytesWritten(): number {
    return this.#connection.bytesWritten;
  }

  get writableLength(): number {
    return this.#connection.writableLength;
  }

  get readyState(): LeanSocket['readyState'] {
    return this.#connection.readyState;
  }
}

function addressIn(end: EndPoint): string | undefined {
  return end?.family === 'IPv4' || end?.family === 'IPv6' ? end.address : undefined;
}

function portIn(end: EndPoint): number | undefined {
  return end?.family === 'IPv4' || end?.family === 'IPv6' ? end.port : undefined;
}

function familyIn(end: EndPoint): 'IPv4' | 'IPv6' | undefined {
  return end?.family === 'IPv4' || end?.family === 'IPv6' ? end.family : undefined;
}
