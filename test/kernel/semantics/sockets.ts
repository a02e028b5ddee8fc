// Sockets and eventfds, from libc: connected pairs over the loopback, and options that decide how much they hold.
import koffi from 'koffi';
import { SOCK_CLOEXEC, SOCK_DGRAM, SOCK_STREAM } from '../../../src/abi/socket-flags.ts';
import type { Descriptors } from '../libc.ts';

type Call = (...args: unknown[]) => number;

const libc = koffi.load(null);
const socketOf = libc.func('int socket(int domain, int type, int protocol)') as Call;
const bindOf = libc.func('int bind(int fd, void *address, uint length)') as Call;
const connectOf = libc.func('int connect(int fd, void *address, uint length)') as Call;
const acceptOf = libc.func('int accept4(int fd, void *address, void *length, int flags)') as Call;
const getsockname = libc.func('int getsockname(int fd, void *address, void *length)') as Call;
const socketpair = libc.func('int socketpair(int domain, int type, int protocol, _Out_ int *fds)') as Call;
const setsockopt = libc.func('int setsockopt(int fd, int level, int name, void *value, uint length)') as Call;
const eventfdOf = libc.func('int eventfd(uint value, int flags)') as Call;
const epollOf = libc.func('int epoll_create1(int flags)') as Call;
const fcntlOf = libc.func('fcntl', 'int', ['int', 'int', 'int']) as Call;

const AF_UNIX = 1;
const AF_INET = 2;
const CLOEXEC = 0o2000000;
const F_GETFD = 1;

function check(result: number): number {
  if (result < 0) throw new Error(`libc: errno ${koffi.errno()}`);
  return result;
}

function loopback(port: number): Buffer {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_INET, 0);
  address.writeUInt16BE(port, 2);
  address.set([127, 0, 0, 1], 4);
  return address;
}

/** A socket of the internet family. */
export function socket(files: Descriptors, type: number): number {
  return files.own(check(socketOf(AF_INET, type | SOCK_CLOEXEC, 0)));
}

/** Give a socket a port of the loopback address that the kernel picks. Which. */
export function bindAnywhere(fd: number): number {
  const address = loopback(0);
  check(bindOf(fd, address, address.length));
  return portOf(fd);
}

/** The two ends of a TCP connection. */
export function tcpPair(files: Descriptors): [client: number, server: number] {
  const listener = files.listener();
  const client = files.connect(listener.port);
  const server = files.own(check(acceptOf(listener.fd, null, null, SOCK_CLOEXEC)));
  files.close(listener.fd);
  return [client, server];
}

/** Two UDP sockets that are connected to each other. */
export function udpPair(files: Descriptors): [number, number] {
  const pair: [number, number] = [socket(files, SOCK_DGRAM), socket(files, SOCK_DGRAM)];
  const ports = pair.map(bindAnywhere);
  for (const [i, fd] of pair.entries()) check(connectOf(fd, loopback(ports[1 - i]), 16));
  return pair;
}

/** Two connected unix sockets that keep messages apart. */
export function datagramPair(files: Descriptors): [number, number] {
  const fds = [-1, -1];
  check(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds));
  return [files.own(fds[0]), files.own(fds[1])];
}

/** A TCP port that nobody listens on: it was somebody's just now. */
export function closedPort(files: Descriptors): number {
  const fd = socket(files, SOCK_STREAM);
  const port = bindAnywhere(fd);
  files.close(fd);
  return port;
}

/** Set an option that is a number. */
export function setOption(fd: number, level: number, name: number, value: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  check(setsockopt(fd, level, name, bytes, bytes.length));
}

/** An eventfd that starts at `value`. */
export function eventfd(files: Descriptors, value = 0, flags = 0): number {
  return files.own(check(eventfdOf(value, CLOEXEC | flags)));
}

/** Is the descriptor closed when another program is started? */
export function closesOnExec(fd: number): boolean {
  return (check(fcntlOf(fd, F_GETFD, 0)) & 1) !== 0;
}

/** An epoll set. */
export function epollSet(files: Descriptors): number {
  return files.own(check(epollOf(CLOEXEC)));
}

/** The port of a socket on the loopback address. */
export function portOf(fd: number): number {
  const address = loopback(0);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(address.length);
  check(getsockname(fd, address, length));
  return address.readUInt16BE(2);
}
