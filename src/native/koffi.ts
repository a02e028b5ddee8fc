import { constants } from 'node:fs';
import type Threads from 'node:worker_threads';
import type * as Koffi from 'koffi';
import { F_DUPFD_CLOEXEC, MADV_DONTNEED, O_CLOEXEC } from '../abi/file-flags.ts';
import { SOCK_CLOEXEC, SOCK_NONBLOCK } from '../abi/socket-flags.ts';
import { SYS_IO_URING_ENTER, SYS_IO_URING_REGISTER, SYS_IO_URING_SETUP } from '../abi/syscalls.ts';
import {
  MAP_ANONYMOUS,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_READ,
  PROT_WRITE,
} from '../abi/mmap.ts';
import { builtin } from './builtin.ts';
import { uvEventLoop, type EventLoop } from './event-loop.ts';
import { loadKoffi } from './load-koffi.ts';
import type { CallOff, Guarded, Native } from './native.ts';
import { readPipe } from './pipe-reader.ts';
import { readPipeInBun } from './pipe-reader-bun.ts';
import { isBun } from './runtime.ts';

/**
 * Bytes of a piece that malloc(3) of glibc maps, rather than taking it from its heap, whatever it has freed so far: up
 * to 32 MiB, all in all.
 */
const LARGEST_MAPPED = 32 * 1024 * 1024 - 64 * 1024;
let instance: Native | undefined;
/** Loaded when it is needed: it would make every import of this package slower. */
let threads: typeof Threads;

/**
 * The implementation over koffi, made at the first call and then shared by the whole thread.
 * @throws {Error} `ERR_IOURING_UNSUPPORTED` where there is no io_uring to reach: not Linux, not 64 bit,
 *   or koffi cannot be loaded (its prebuilt binary is missing, or the runtime forbids native code).
 */
export function koffiNative(): Native {
  return (instance ??= bind(loadKoffi()));
}

function bind(koffi: typeof Koffi): Native {
  threads = builtin('node:worker_threads') as typeof Threads;
  const libc = koffi.load(null);
  // syscall(2) is variadic in C; with integer arguments only, both ABIs pass them as if it were not.
  // Each signature is as short and as narrow as it can be: koffi's price is by the argument.
  const setup = libc.func('syscall', 'int', ['int', 'uint', 'void *']) as Syscall;
  const enter = libc.func('syscall', 'int', ['int', 'int', 'uint', 'uint', 'uint', 'int']) as Syscall;
  const withArgument = ['int', 'int', 'uint', 'uint', 'uint', 'uintptr_t', 'uint64'];
  const enterWith = libc.func('syscall', 'int', withArgument) as Syscall;
  const register = libc.func('syscall', 'int', ['int', 'int', 'uint', 'uintptr_t', 'uint']) as Syscall;
  const mapping = ['uintptr_t', 'size_t', 'int', 'int', 'int', 'int64'];
  const mmap = libc.func('mmap', 'intptr_t', mapping) as Syscall;
  const munmap = libc.func('munmap', 'int', ['uintptr_t', 'size_t']) as Syscall;
  const madvise = libc.func('madvise', 'int', ['uintptr_t', 'size_t', 'int']) as Syscall;
  const malloc = libc.func('malloc', 'uintptr_t', ['size_t']) as (bytes: number) => number;
  const free = libc.func('free', 'void', ['uintptr_t']) as (address: number) => void;
  const close = libc.func('close', 'int', ['int']) as Syscall;
  const name = ['int', 'void *', 'void *'];
  const getsockname = libc.func('getsockname', 'int', name) as Syscall;
  const getpeername = libc.func('getpeername', 'int', name) as Syscall;
  const socket = libc.func('socket', 'int', ['int', 'int', 'int']) as Syscall;
  const bindTo = libc.func('bind', 'int', ['int', 'void *', 'uint']) as Syscall;
  const listen = libc.func('listen', 'int', ['int', 'int']) as Syscall;
  const accept4 = libc.func('accept4', 'int', ['int', 'uintptr_t', 'uintptr_t', 'int']) as Syscall;
  const connectTo = libc.func('connect', 'int', ['int', 'void *', 'uint']) as Syscall;
  const poll = libc.func('poll', 'int', ['uintptr_t', 'ulong', 'int']) as Syscall;
  // A `struct pollfd`: the descriptor, what is asked for, and what is answered.
  const pollfd = new Int32Array(new ArrayBuffer(8));
  const pollEvents = new Int16Array(pollfd.buffer, 4);
  const pollfdAddress = Number(koffi.address(pollfd));
  const send = libc.func('send', 'intptr_t', ['int', 'void *', 'size_t', 'int']) as Syscall;
  const recv = libc.func('recv', 'intptr_t', ['int', 'void *', 'size_t', 'int']) as Syscall;
  const shutdown = libc.func('shutdown', 'int', ['int', 'int']) as Syscall;
  const setsockopt = libc.func('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint']) as Syscall;
  const getsockopt = libc.func('getsockopt', 'int', ['int', 'int', 'int', 'void *', 'void *']) as Syscall;
  // Variadic in C, as syscall(2) is.
  const fcntl = libc.func('fcntl', 'int', ['int', 'int', 'int']) as Syscall;
  const guards = guardsOf(koffi, libc, fcntl, close);
  const futimens = libc.func('futimens', 'int', ['int', 'void *']) as Syscall;
  const utimensat = libc.func('utimensat', 'int', ['int', 'void *', 'void *', 'int']) as Syscall;
  const flistxattr = libc.func('flistxattr', 'intptr_t', ['int', 'void *', 'size_t']) as Syscall;
  const llistxattr = libc.func('llistxattr', 'intptr_t', ['void *', 'void *', 'size_t']) as Syscall;
  const lseek = libc.func('lseek', 'int64', ['int', 'int64', 'int']) as Syscall;
  const range = ['int', 'void *', 'int', 'void *', 'size_t', 'uint'];
  const copyFileRange = libc.func('copy_file_range', 'intptr_t', range) as Syscall;
  const eventfd = libc.func('eventfd', 'int', ['uint', 'int']) as Syscall;
  const eventfdRead = libc.func('eventfd_read', 'int', ['int', 'uintptr_t']) as Syscall;
  // The count of an eventfd, which nobody looks at.
  const ignored = new BigUint64Array(new ArrayBuffer(8));
  const ignoredAddress = Number(koffi.address(ignored));
  const pipe2 = libc.func('pipe2', 'int', ['void *', 'int']) as Syscall;
  const { errno } = koffi;
  /** Looked for when it is first asked for: not every program has a reactor. */
  let eventLoop: { found: EventLoop | undefined } | undefined;
  const pageSize = (libc.func('getpagesize', 'int', []) as Syscall)();

  return {
    setup(entries, params) {
      const fd = setup(SYS_IO_URING_SETUP, entries, params);
      return fd < 0 ? -errno() : fd;
    },
    enter(fd, toSubmit, minComplete, flags) {
      const consumed = enter(SYS_IO_URING_ENTER, fd, toSubmit, minComplete, flags, 0);
      return consumed < 0 ? -errno() : consumed;
    },
    enterWith(fd, toSubmit, minComplete, flags, argument, size) {
      const n = SYS_IO_URING_ENTER;
      const consumed = enterWith(n, fd, toSubmit, minComplete, flags, argument, size);
      return consumed < 0 ? -errno() : consumed;
    },
    register(fd, opcode, argument, count) {
      const result = register(SYS_IO_URING_REGISTER, fd, opcode, argument, count);
      return result < 0 ? -errno() : result;
    },
    map(fd, offset, length) {
      const flags = MAP_SHARED | MAP_POPULATE;
      const address = mmap(0, length, PROT_READ | PROT_WRITE, flags, fd, offset);
      return address === -1 ? -errno() : address;
    },
    allocate(length) {
      const address = mmap(0, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      return address === -1 ? -errno() : address;
    },
    unmap(address, length) {
      return munmap(address, length) < 0 ? -errno() : 0;
    },
    discard(memory) {
      const address = Number(koffi.address(memory));
      const begin = Math.ceil(address / pageSize) * pageSize;
      const end = Math.floor((address + memory.byteLength) / pageSize) * pageSize;
      if (end <= begin) return 0;
      return madvise(begin, end - begin, MADV_DONTNEED) < 0 ? -errno() : 0;
    },
    keepFreedMemory() {
      // The memory is never touched, and so costs nothing. free(3) of nothing does nothing.
      free(malloc(LARGEST_MAPPED));
    },
    socketName(fd, peer, address) {
      const length = new Uint32Array([address.byteLength]);
      const result = (peer ? getpeername : getsockname)(fd, address, length);
      return result < 0 ? -errno() : length[0];
    },
    socket(domain, type, protocol) {
      const fd = socket(domain, type, protocol);
      return fd < 0 ? -errno() : fd;
    },
    bind(fd, address) {
      return bindTo(fd, address, address.byteLength) < 0 ? -errno() : 0;
    },
    listen(fd, backlog) {
      return listen(fd, backlog) < 0 ? -errno() : 0;
    },
    accept(fd) {
      const accepted = accept4(fd, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
      return accepted < 0 ? -errno() : accepted;
    },
    connect(fd, address) {
      return connectTo(fd, address, address.byteLength) < 0 ? -errno() : 0;
    },
    polled(fd, events) {
      pollfd[0] = fd;
      pollEvents[0] = events;
      return poll(pollfdAddress, 1, 0) < 0 ? -errno() : pollEvents[1];
    },
    send(fd, memory, length, flags) {
      const sent = send(fd, memory, length, flags);
      return sent < 0 ? -errno() : sent;
    },
    recv(fd, memory, length, flags) {
      const received = recv(fd, memory, length, flags);
      return received < 0 ? -errno() : received;
    },
    shutdown(fd, how) {
      return shutdown(fd, how) < 0 ? -errno() : 0;
    },
    setSocketOption(fd, level, name, value) {
      return setsockopt(fd, level, name, value, value.byteLength) < 0 ? -errno() : 0;
    },
    getSocketOption(fd, level, name, value) {
      const length = new Uint32Array([value.byteLength]);
      return getsockopt(fd, level, name, value, length) < 0 ? -errno() : length[0];
    },
    duplicate(fd) {
      const copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
      return copy < 0 ? -errno() : copy;
    },
    setTimes(fd, path, times, flags) {
      // The C library refuses utimensat without a path.
      const result = path === null ? futimens(fd, times) : utimensat(fd, path, times, flags);
      return result < 0 ? -errno() : 0;
    },
    listAttributes(file, names) {
      const list = typeof file === 'number' ? flistxattr : llistxattr;
      const length = list(file, names, names.byteLength);
      return length < 0 ? -errno() : length;
    },
    seek(fd, offset, whence) {
      const position = lseek(fd, offset, whence);
      return position < 0 ? -errno() : position;
    },
    copyRange(fdIn, offsetIn, fdOut, offsetOut, length) {
      const [from, to] = [offsetIn, offsetOut].map((offset) => BigInt64Array.of(BigInt(offset)));
      const copied = copyFileRange(fdIn, from, fdOut, to, length, 0);
      return copied < 0 ? -errno() : copied;
    },
    eventLoop() {
      return (eventLoop ??= { found: uvEventLoop(koffi, libc) }).found;
    },
    eventfd() {
      const fd = eventfd(0, constants.O_NONBLOCK | O_CLOEXEC);
      return fd < 0 ? -errno() : fd;
    },
    resetEventfd(fd) {
      eventfdRead(fd, ignoredAddress);
      ignored[0] = 0n;
    },
    pipe(fds) {
      return pipe2(fds, constants.O_NONBLOCK | O_CLOEXEC) < 0 ? -errno() : 0;
    },
    readPipe: isBun() ? (fd, onData) => readPipeInBun(fd, onData, guards.closeAtThreadExit) : readPipe,
    view(address, length) {
      return koffi.view(address, length);
    },
    close(fd) {
      return close(fd) < 0 ? -errno() : 0;
    },
    addressOf(memory) {
      // Through a view: koffi takes no SharedArrayBuffer itself.
      return Number(koffi.address(new Uint8Array(memory, 0, Math.min(1, memory.byteLength))));
    },
    keepInPlace(memory) {
      try {
        threads.markAsUntransferable(memory);
      } catch (error) {
        // Deno has marked a frozen one by then, and fails to note that on it.
        if (Object.isExtensible(memory)) throw error;
      }
      if (!('transfer' in memory) || Object.hasOwn(memory, 'transfer')) return;
      if (Object.isExtensible(memory)) forbidTransfer(memory);
    },
    poll(fd, onReadable) {
      return koffi.node.poll(fd, () => onReadable());
    },
    pageSize,
    isMainThread: threads.isMainThread,
    ...guards,
  };
}

type Syscall = (...numbers: unknown[]) => number;

/**
 * Not every engine's `ArrayBuffer.prototype.transfer` heeds the mark (Node 22 and 24 do not, 26 does). Which, is not
 * tried: one buffer that was detached makes V8 check every other at every access from then on.
 */
function forbidTransfer(memory: ArrayBuffer): void {
  const value = (): never => {
    const message = 'Cannot transfer an ArrayBuffer that was lent to io_uring: copy it instead';
    throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_STATE' });
  };
  // Descriptors that inherit nothing: what somebody put into Object.prototype would be taken for a part of them.
  const own = { __proto__: null, value };
  Object.defineProperty(memory, 'transfer', own);
  Object.defineProperty(memory, 'transferToFixedLength', own);
}

/**
 * A thread's end frees its JavaScript memory without running any JavaScript. Node calls C functions of
 * the form `void (*)(void *)` then, and close(2) has that shape in every supported calling convention.
 * On the main thread the end of the process closes the descriptor.
 */
function guardsOf(
  koffi: typeof Koffi,
  libc: Koffi.LibraryHandle,
  fcntl: Syscall,
  close: Syscall,
): Pick<Native, 'closeAtThreadExit' | 'duplicateGuarded'> {
  const { errno } = koffi;
  const callOffOf = (fd: number): CallOff => (closes) => void (closes === true && close(fd));
  const unguarded = {
    closeAtThreadExit: callOffOf,
    duplicateGuarded(fd: number): Guarded {
      const copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
      return copy < 0 ? { fd: -errno(), callOff: nothing } : { fd: copy, callOff: callOffOf(copy) };
    },
  };
  if (threads.isMainThread) return unguarded;
  const type = ['void *', 'void *', 'uintptr_t'];
  let add: Syscall, remove: Syscall, atExit: unknown;
  try {
    add = libc.func('napi_add_env_cleanup_hook', 'int', type) as Syscall;
    remove = libc.func('napi_remove_env_cleanup_hook', 'int', type) as Syscall;
    atExit = libc.symbol('close');
  } catch {
    return unguarded;
  }
  const { env } = koffi.node;
  let count = 0;
  // Node aborts when the same function gets the same argument twice, as happens when somebody else closes a ring's
  // descriptor and its number comes back. close(2) takes an int: what stands above it makes them differ.
  const mark = (): number => (++count % 2 ** 20) * 2 ** 32;
  const guarded = (argument: number, fd: number): CallOff => (closes) => {
    // In this order: a thread that ends in between would close a number that may be another file's by then.
    remove(env, atExit, argument);
    if (closes === true) close(fd);
  };
  return {
    closeAtThreadExit(fd) {
      const argument = mark() + fd;
      add(env, atExit, argument);
      return guarded(argument, fd);
    },
    duplicateGuarded(fd) {
      const above = mark();
      const copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
      if (copy < 0) return { fd: -errno(), callOff: nothing };
      const argument = above + copy;
      add(env, atExit, argument);
      return { fd: copy, callOff: guarded(argument, copy) };
    },
  };
}

const nothing = (): void => {};
