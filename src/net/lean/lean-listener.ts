import { isIPv6 } from 'node:net';
import { unlinkSync } from 'node:fs';
import { EAFNOSUPPORT, EADDRNOTAVAIL } from '../../abi/errno.ts';
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_NODELAY,
} from '../../abi/socket-flags.ts';
import { addressOf, bindTo, closeNow, listenOn, openSocket, setsockopt } from '../transport/socket-calls.ts';
import type { AcceptorOwner } from './any-acceptor.ts';
import { Acceptor } from './acceptor.ts';
import { checkHandlers, type ListenSettings, type SocketSettings } from './lean-arguments.ts';
import type { Listener, SocketHandlers } from './types.ts';
import { listenError } from './listen-error.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';
import { LeanConnection, type Shared } from './lean-connection.ts';
import type { CallOff } from '../../native/native.ts';
import type { Transport } from '../transport/transport.ts';

const [ANY_6, ANY_4] = ['::', '0.0.0.0'];

/** Listens, and has its connections served by handlers, through the ring. */
export class LeanListener<T> implements Listener<T>, AcceptorOwner, Shared<T> {
  handlers: SocketHandlers<T>;
  readonly settings: SocketSettings<T>;
  readonly listener: Listener<T> = this;
  readonly hostname: string | undefined;
  readonly port: number | undefined;
  readonly unix: string | undefined;
  readonly #transport: Transport;
  readonly #acceptor: Acceptor;
  readonly #connections = new Set<LeanConnection<T>>();
  readonly #unguard: CallOff;
  #fd: number;
  #isStopped = false;

  /** @throws {ListenError} */
  constructor(transport: Transport, settings: ListenSettings<T>) {
    this.#transport = transport;
    this.settings = settings;
    this.handlers = settings.handlers;
    this.#fd = listening(settings);
    this.unix = settings.place.kind === 'unix' ? settings.place.path : undefined;
    const name = addressOf(this.#fd, false);
    if (name?.family === 'IPv4' || name?.family === 'IPv6') {
      this.hostname = name.address;
      this.port = name.port;
    }
    this.#unguard = transport.engine.guard(this.#fd);
    this.#acceptor = new Acceptor(transport.engine, this, this.#fd);
    this.#acceptor.start();
  }

  get fd(): number {
    return this.#fd;
  }

  get connections(): number {
    return this.#connections.size;
  }

  stop(closeConnections = false): void {
    if (!this.#isStopped) {
      this.#isStopped = true;
      if (this.unix !== undefined) removeSocket(this.unix);
      this.#acceptor.stop();
      this.#unguard(true);
      this.#fd = -1;
    }
    if (closeConnections) { for (const connection of this.#connections) connection.finish(undefined, true); }
  }

  reload({ socket }: { socket: SocketHandlers<T> }): void {
    this.handlers = checkHandlers(socket);
  }

  ref(): void {
    this.#acceptor.isRef = true;
  }

  unref(): void {
    this.#acceptor.isRef = false;
  }

  [Symbol.dispose](): void {
    this.stop(true);
  }

  accepted(fd: number): void {
    const connection = new LeanConnection(this.#transport, fd, this);
    this.#connections.add(connection);
    connection.open();
  }

  /** The reactor is closed, or the descriptor was closed by somebody else. */
  acceptFailed(): void {
    this.stop();
  }

  closed(connection: LeanConnection<T>): void {
    this.#connections.delete(connection);
  }
}

/** A listening descriptor. @throws {ListenError} */
function listening({ place, backlog, reusePort, ipv6Only }: ListenSettings<unknown>): number {
  if (place.kind === 'fd') {
    // It is the caller's still if that fails.
    orThrow(-1, listenOn(place.fd, backlog));
    return place.fd;
  }
  if (place.kind === 'unix') {
    const fd = orThrow(-1, openSocket(AF_UNIX, TYPE), place.path, -1);
    orThrow(fd, bindTo(fd, ownOptions({ path: place.path })), place.path, -1);
    return orThrow(fd, listenOn(fd, backlog), place.path, -1);
  }
  const { address, port } = place;
  if (address !== undefined) return listeningAt(address, port, backlog, reusePort, ipv6Only);
  try {
    return listeningAt(ANY_6, port, backlog, reusePort, ipv6Only);
  } catch (error) {
    const { errno } = error as { errno: number };
    // There is no IPv6 here.
    if (errno !== -EAFNOSUPPORT && errno !== -EADDRNOTAVAIL) throw error;
    return listeningAt(ANY_4, port, backlog, reusePort, false);
  }
}

const TYPE = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

function listeningAt(address: string, port: number, backlog: number, reusePort: boolean, ipv6Only: boolean): number {
  const isV6 = isIPv6(address);
  const fd = orThrow(-1, openSocket(isV6 ? AF_INET6 : AF_INET, TYPE), address, port);
  const option = (level: number, name: number, on: boolean): void =>
    void orThrow(fd, setsockopt(fd, level, name, on ? 1 : 0), address, port);
  option(SOL_SOCKET, SO_REUSEADDR, true);
  if (reusePort) option(SOL_SOCKET, SO_REUSEPORT, true);
  if (isV6) option(IPPROTO_IPV6, IPV6_V6ONLY, ipv6Only);
  // Connections have it from the listener: no call for each.
  option(IPPROTO_TCP, TCP_NODELAY, true);
  orThrow(fd, bindTo(fd, ownOptions({ address, port })), address, port);
  return orThrow(fd, listenOn(fd, backlog), address, port);
}

/** `fd`, or `result` if that is a descriptor. What failed closes `fd`. */
function orThrow(fd: number, result: number, address?: string, port?: number): number {
  if (result >= 0) return fd < 0 ? result : fd;
  if (fd >= 0) closeNow(fd);
  throw listenError(-result, address, port);
}

/** Abstract names go by themselves. */
function removeSocket(path: string): void {
  if (path.startsWith('\0')) return;
  try {
    unlinkSync(path);
  } catch {
    // Somebody has removed it before.
  }
}
