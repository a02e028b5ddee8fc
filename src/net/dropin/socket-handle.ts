import { AsyncResource } from 'node:async_hooks';
import { EINVAL, EISCONN, ENOTCONN } from '../../abi/errno.ts';
import { IP_TOS, IPPROTO_IP, IPPROTO_IPV6, IPV6_TCLASS } from '../../abi/socket-flags.ts';
import { withZone } from '../transport/address-zone.ts';
import { addressOf, getsockopt, setsockopt } from '../transport/socket-calls.ts';
import { keepAliveAsNode } from './keep-alive.ts';
import type { NameOf, NativeHandle } from './node-net.ts';

/** The connection that a handle stands for. */
export interface HandledConnection {
  readonly fd: number;
  readonly isOpen: boolean;
  readonly isReading: boolean;
  readonly isEnding: boolean;
  readonly isRef: boolean;
  /** Bytes that were handed over, that were given to it to be sent, and of those that wait for the kernel. */
  readonly delivered: number;
  readonly dispatched: number;
  readonly waitingLength: number;
  readonly isBehind: boolean;
  readByHandle(): void;
  pause(): void;
  /** Have it called where libuv tells of what was closed. */
  whenClosed(call: () => void): void;
  close(done?: () => void): void;
  reset(done?: () => void): void;
  tell(call: () => void): void;
  ref(): void;
  unref(): void;
  setNoDelay(on: boolean): number;
}

/**
 * The stand-in that Node's own methods of a socket find in place of a native handle, while they are being called: they
 * do the rest, whatever the version. Answers are 0 or -errno. What a unix socket's handle does not have is missing here
 * as well.
 */
export class SocketHandle implements NativeHandle {
  protected readonly connection: HandledConnection;
  /** Node sets it, and we do not call it but for what the connection says. */
  onread: NativeHandle['onread'];
  #resource: AsyncResource | undefined;

  constructor(connection: HandledConnection) {
    this.connection = connection;
  }

  get fd(): number {
    return this.connection.fd;
  }

  /** node:http marks the time in between the use of a socket by two requests. */
  getAsyncId(): number {
    return (this.#resource ??= new AsyncResource('IOURINGSOCKET')).asyncId();
  }

  /** And gives each use a number of its own. */
  asyncReset(): void {
    this.#resource = undefined;
  }

  /** It has none among the native ones. */
  getProviderType(): number {
    return 0;
  }

  get reading(): boolean {
    return this.connection.isReading;
  }

  /** Node sets it beside calling {@link readStart} and {@link readStop}. */
  set reading(_is: boolean) {}

  readStart(): number {
    this.connection.readByHandle();
    return 0;
  }

  readStop(): number {
    this.connection.pause();
    return 0;
  }

  /** The agent of node:http asks before it uses an idle connection again: what has come is nobody's answer. */
  hasPendingRead(): boolean {
    return this.connection.isBehind;
  }

  /** It is. */
  connect(): number {
    return -EISCONN;
  }

  connect6(): number {
    return -EISCONN;
  }

  bind(): number {
    return -EINVAL;
  }

  bind6(): number {
    return -EINVAL;
  }

  get bytesRead(): number {
    return this.connection.delivered;
  }

  get bytesWritten(): number {
    return this.connection.dispatched;
  }

  get writeQueueSize(): number {
    return this.connection.waitingLength;
  }

  close(done?: () => void): void {
    this.connection.close(done && this.#later(done));
  }

  /** Not while it is being ended: libuv refuses that, and the peer gets the end. */
  reset(done?: () => void): number {
    if (this.connection.isEnding) return -EINVAL;
    this.connection.reset(done && this.#later(done));
    return 0;
  }

  /** Not before an error is told of, which is in the next tick, even if it is done at once. */
  #later(done: () => void): () => void {
    let isDone = false;
    let mayTell = false;
    const tell = (): void => {
      if (isDone && mayTell) this.connection.tell(done);
    };
    this.connection.whenClosed(() => {
      mayTell = true;
      tell();
    });
    return () => {
      isDone = true;
      tell();
    };
  }

  ref(): void {
    this.connection.ref();
  }

  unref(): void {
    this.connection.unref();
  }

  hasRef(): boolean {
    return this.connection.isOpen && this.connection.isRef;
  }
}

/** The handle of a TCP socket. */
export class TcpSocketHandle extends SocketHandle {
  getsockname(out: NameOf): number {
    return nameOf(this.connection.fd, false, out);
  }

  getpeername(out: NameOf): number {
    return nameOf(this.connection.fd, true, out);
  }

  setNoDelay(on: boolean): number {
    return this.connection.setNoDelay(on);
  }

  /** Times in seconds. */
  setKeepAlive(on: boolean, ...values: (number | undefined)[]): number {
    return keepAliveAsNode(this.connection.fd, on, values);
  }

  setTypeOfService(value: number): number {
    const option = this.#typeOfService;
    return option === undefined ? -EINVAL : setsockopt(this.connection.fd, ...option, value);
  }

  getTypeOfService(): number {
    const option = this.#typeOfService;
    return option === undefined ? -EINVAL : getsockopt(this.connection.fd, ...option);
  }

  get #typeOfService(): [level: number, name: number] | undefined {
    switch (addressOf(this.connection.fd, false)?.family) {
      case 'IPv4':
        return [IPPROTO_IP, IP_TOS];
      case 'IPv6':
        return [IPPROTO_IPV6, IPV6_TCLASS];
      default:
        return undefined;
    }
  }
}

/** Write the address of a socket, or of its peer, to `out`, as Node's handles do. 0 or -errno. */
export function nameOf(fd: number, peer: boolean, out: NameOf): number {
  const name = addressOf(fd, peer);
  if (name?.family !== 'IPv4' && name?.family !== 'IPv6') return -ENOTCONN;
  out.address = name.family === 'IPv6' ? withZone(name.address, name.scopeid) : name.address;
  out.family = name.family;
  out.port = name.port;
  return 0;
}
