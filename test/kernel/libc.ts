// Descriptors for the tests, from libc itself: Node has no pipe, no socket pair, and no listener that it does
// not accept from behind our back.
import koffi from 'koffi';
import { closeSync } from 'node:fs';
import { readSocketAddress, type SocketAddress } from '../../src/ring/structs/socket-address.ts';

const libc = koffi.load(null);
const pipe2 = libc.func('int pipe2(_Out_ int *fds, int flags)') as (fds: number[], flags: number) => number;
const socketpair = libc.func('int socketpair(int domain, int type, int protocol, _Out_ int *fds)') as (
  domain: number,
  type: number,
  protocol: number,
  fds: number[],
) => number;
const socket = libc.func('int socket(int domain, int type, int protocol)') as Call;
const bind = libc.func('int bind(int fd, void *address, uint length)') as Call;
const listenOn = libc.func('int listen(int fd, int backlog)') as Call;
const connectTo = libc.func('int connect(int fd, void *address, uint length)') as Call;
const getsockname = libc.func('int getsockname(int fd, void *address, void *length)') as Call;
const shutdownOf = libc.func('int shutdown(int fd, int how)') as Call;

type Call = (...args: unknown[]) => number;

const AF_UNIX = 1;
const AF_INET = 2;
const SOCK_STREAM = 1;
const CLOEXEC = 0o2000000;

function check(result: number): number {
  if (result < 0) throw new Error(`libc: errno ${koffi.errno()}`);
  return result;
}

/** Descriptors that are closed with the block, whichever of them are still open then. */
export class Descriptors implements Disposable {
  readonly #open = new Set<number>();

  own(fd: number): number {
    this.#open.add(fd);
    return fd;
  }

  /** Close one now. */
  close(fd: number): void {
    this.#open.delete(fd);
    closeSync(fd);
  }

  /** Somebody else closed it, or will. */
  forget(fd: number): void {
    this.#open.delete(fd);
  }

  /** A pipe: [read end, write end]. `flags`: O_NONBLOCK, if it shall be. */
  pipe(flags = 0): [number, number] {
    const fds = [-1, -1];
    check(pipe2(fds, CLOEXEC | flags));
    return [this.own(fds[0]), this.own(fds[1])];
  }

  /** Two connected stream sockets. */
  socketPair(): [number, number] {
    const fds = [-1, -1];
    check(socketpair(AF_UNIX, SOCK_STREAM | CLOEXEC, 0, fds));
    return [this.own(fds[0]), this.own(fds[1])];
  }

  /** A stream socket of a family. */
  socket(domain: number): number {
    return this.own(check(socket(domain, SOCK_STREAM | CLOEXEC, 0)));
  }

  /** A TCP listener on the loopback address, on a port that the kernel picks. */
  listener(backlog = 128): { fd: number; port: number } {
    const fd = this.socket(AF_INET);
    const address = loopback(0);
    check(bind(fd, address, address.length));
    check(listenOn(fd, backlog));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(address.length);
    check(getsockname(fd, address, length));
    return { fd, port: address.readUInt16BE(2) };
  }

  /** Where a socket is bound to. */
  address(fd: number): SocketAddress {
    const bytes = Buffer.alloc(128);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    check(getsockname(fd, bytes, length));
    return readSocketAddress(new Uint8Array(bytes.subarray(0, length.readUInt32LE())));
  }

  /** A TCP connection to a listener on the loopback address. Returns when it is in the listener's backlog. */
  connect(port: number): number {
    const fd = this.socket(AF_INET);
    const address = loopback(port);
    check(connectTo(fd, address, address.length));
    return fd;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#open) closeSync(fd);
    this.#open.clear();
  }
}

/** Send no more: the peer sees the end of the stream. */
export function shutdownWrite(fd: number): void {
  check(shutdownOf(fd, 1));
}

function loopback(port: number): Buffer {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_INET, 0);
  address.writeUInt16BE(port, 2);
  address.set([127, 0, 0, 1], 4);
  return address;
}
