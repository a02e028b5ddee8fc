import { POLLHUP, POLLIN } from '../../abi/event-flags.ts';
import { MSG_DONTWAIT, MSG_PEEK, SO_LINGER, SO_MEMINFO, SOL_SOCKET } from '../../abi/socket-flags.ts';
import { koffiNative } from '../../native/koffi.ts';
import type { Guarded } from '../../native/native.ts';
import {
  readSocketAddress,
  SOCKADDR_MAX,
  writeSocketAddress,
  type SocketAddress,
  type SocketAddressLike,
} from '../../ring/structs/socket-address.ts';

import { lengthOf } from './intrinsic.ts';

export type { SocketAddress };

/*
 * Calls on sockets that never wait: io_uring has no operation for them, or none that is older than 6.11, and a system
 * call of its own costs less than a turn of the loop. Each answers the kernel's way: a value ≥ 0, or -errno.
 */

/** Room for what calls are given, or answer, that are over when they return. */
const ROOM = new Uint8Array(SOCKADDR_MAX);
const VALUE = new Uint8Array(8);
const NUMBERS = new Int32Array(VALUE.buffer);
const NUMBER = VALUE.subarray(0, 4);
/**
 * The answer of SO_MEMINFO, and which of it: bytes that are allocated to be sent, that may be, and that TCP has queued.
 */
const MEMORY = new Uint8Array(9 * 4);
const MEMORY_NUMBERS = new Uint32Array(MEMORY.buffer);
const WMEM_ALLOC = 2;
const SNDBUF = 3;
const WMEM_QUEUED = 5;

/** socket(2). The descriptor. */
export function openSocket(domain: number, type: number, protocol = 0): number {
  return koffiNative().socket(domain, type, protocol);
}

/** bind(2). @throws {TypeError|RangeError} an address that is none */
export function bindTo(fd: number, address: SocketAddressLike): number {
  const length = writeSocketAddress(ROOM, 0, address);
  return koffiNative().bind(fd, ROOM.subarray(0, length));
}

/** listen(2). */
export function listenOn(fd: number, backlog: number): number {
  return koffiNative().listen(fd, backlog);
}

/** connect(2). @throws {TypeError|RangeError} an address that is none */
export function connectTo(fd: number, address: SocketAddressLike): number {
  const length = writeSocketAddress(ROOM, 0, address);
  return koffiNative().connect(fd, ROOM.subarray(0, length));
}

/** Is there something to receive, be it the end? */
export function isReadable(fd: number): boolean {
  const events = koffiNative().polled(fd, POLLIN);
  return events > 0 && (events & POLLIN) !== 0;
}

/** Is the connection over in both directions (POLLHUP)? */
export function isHungUp(fd: number): boolean {
  const events = koffiNative().polled(fd, 0);
  return events > 0 && (events & POLLHUP) !== 0;
}

/**
 * send(2) of `length` bytes at the beginning of `memory`, which is not the kernel's any more when this returns. Bytes
 * sent.
 */
export function sendNow(fd: number, memory: Uint8Array, length: number, flags: number): number {
  return koffiNative().send(fd, memory, length, flags);
}

/**
 * Is nothing left to be read, and will nothing come? False as well if something is wrong, of which the socket tells but
 * once.
 */
export function isAtEnd(fd: number): boolean {
  return koffiNative().recv(fd, NUMBER, 1, MSG_PEEK | MSG_DONTWAIT) === 0;
}

/** recv(2) into all of `memory`, which is the caller's again when this returns. Bytes received. */
export function recvNow(fd: number, memory: Uint8Array, flags: number): number {
  return koffiNative().recv(fd, memory, lengthOf(memory), flags);
}

/** shutdown(2). The ring's own operation is queued to a thread of the kernel's, and done when its turn comes. */
export function shutdownNow(fd: number, how: number): number {
  return koffiNative().shutdown(fd, how);
}

/**
 * How much memory a socket still has for what is sent: data, and what the kernel needs besides. 0 if it is not known.
 * Kernel 4.12.
 */
export function roomToSend(fd: number): number {
  if (koffiNative().getSocketOption(fd, SOL_SOCKET, SO_MEMINFO, MEMORY) < MEMORY.length) return 0;
  return Math.max(0, MEMORY_NUMBERS[SNDBUF] - Math.max(MEMORY_NUMBERS[WMEM_ALLOC], MEMORY_NUMBERS[WMEM_QUEUED]));
}

/** setsockopt(2) of an option that is an int. */
export function setsockopt(fd: number, level: number, name: number, value: number): number {
  NUMBERS[0] = value;
  return koffiNative().setSocketOption(fd, level, name, NUMBER);
}

/** getsockopt(2) of an option that is an int and never negative. */
export function getsockopt(fd: number, level: number, name: number): number {
  const length = koffiNative().getSocketOption(fd, level, name, NUMBER);
  return length < 0 ? length : NUMBERS[0];
}

/** SO_LINGER with no time: close(2) then ends the connection with a reset. */
export function resetOnClose(fd: number): number {
  NUMBERS[0] = 1;
  NUMBERS[1] = 0;
  return koffiNative().setSocketOption(fd, SOL_SOCKET, SO_LINGER, VALUE);
}

/** A second descriptor of the same socket, closed in programs that this one starts. */
export function duplicate(fd: number): number {
  return koffiNative().duplicate(fd);
}

/** The same, that is closed when this thread ends, until that is called off. */
export function duplicateGuarded(fd: number): Guarded {
  return koffiNative().duplicateGuarded(fd);
}

/** close(2). */
export function closeNow(fd: number): number {
  return koffiNative().close(fd);
}

/** The address of a socket, or of its peer; undefined where there is none, or none any more. */
export function addressOf(fd: number, peer: boolean): SocketAddress | undefined {
  const length = koffiNative().socketName(fd, peer, ROOM);
  return length < 0 ? undefined : readSocketAddress(ROOM.subarray(0, Math.min(length, SOCKADDR_MAX)));
}

/**
 * An address as the kernel has it (`struct sockaddr`), for who uses it often. @throws {TypeError|RangeError} an address
 * that is none
 */
export function rawAddress(address: SocketAddressLike): Uint8Array {
  return ROOM.slice(0, writeSocketAddress(ROOM, 0, address));
}
