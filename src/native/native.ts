import type { EventLoop } from './event-loop.ts';

export type { EventLoop };

/**
 * The one seam to machine code. Everything above it is TypeScript over shared memory; a scripted fake
 * of this interface stands in for the kernel in unit tests.
 *
 * Every call answers the kernel's way: a value ≥ 0, or `-errno`. None of them throws for a kernel "no".
 * Addresses are plain numbers: user space ends far below 2^53 on every 64-bit Linux.
 */
export interface Native {
  /** io_uring_setup(2). `params` is a `struct io_uring_params`, read and written. The ring's descriptor. */
  setup(entries: number, params: Uint8Array): number;

  /** io_uring_enter(2) without an argument: no signal mask, no timeout. SQEs consumed. */
  enter(fd: number, toSubmit: number, minComplete: number, flags: number): number;

  /** io_uring_enter(2) with an argument of `size` bytes at address `argument`. SQEs consumed. */
  enterWith(
    fd: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
    argument: number,
    size: number,
  ): number;

  /** io_uring_register(2). `argument` is an address, or 0 for none. */
  register(fd: number, opcode: number, argument: number, count: number): number;

  /** mmap(2) of a ring's memory, shared and populated. The address. */
  map(fd: number, offset: number, length: number): number;

  /** mmap(2) of zeroed private memory. The address, at the start of a page. */
  allocate(length: number): number;

  /** munmap(2). No view of the memory may be touched afterwards: that is a crash, not an exception. */
  unmap(address: number, length: number): number;

  /**
   * madvise(2) with MADV_DONTNEED of the whole pages in it: private memory that is zeroed then and costs nothing until
   * it is touched again. Its addresses stay valid. Left out by a kernel that is made up.
   */
  discard?(memory: Uint8Array): number;

  /**
   * Have malloc(3) keep up to 64 MiB of freed memory at the end of its heap, as it does by itself once it has freed a
   * mapped piece of half that size (mallopt(3), M_TRIM_THRESHOLD): what is allocated and freed at a great rate is
   * faulted in page by page again and again otherwise. For good, and for the whole process. Left out by a kernel that
   * is made up.
   */
  keepFreedMemory?(): void;

  /** The memory at `address` as an ArrayBuffer. It is a window: it neither owns nor frees the memory. */
  view(address: number, length: number): ArrayBuffer;

  /** close(2). */
  close(fd: number): number;

  /** getsockname(2), or getpeername(2) of a socket's `peer`: bytes of the address, which is written to `address`. */
  socketName(fd: number, peer: boolean, address: Uint8Array): number;

  /** socket(2). The descriptor. */
  socket(domain: number, type: number, protocol: number): number;

  /** bind(2) to a `struct sockaddr`. */
  bind(fd: number, address: Uint8Array): number;

  /** listen(2). */
  listen(fd: number, backlog: number): number;

  /** accept4(2), SOCK_NONBLOCK and SOCK_CLOEXEC. The descriptor. */
  accept(fd: number): number;

  /** connect(2) to a `struct sockaddr`. */
  connect(fd: number, address: Uint8Array): number;

  /** poll(2) of one descriptor for `events`, without waiting. What is the case: POLL*. */
  polled(fd: number, events: number): number;

  /** send(2) of `length` bytes at the beginning of `memory`. Bytes sent. With MSG_DONTWAIT, or it waits. */
  send(fd: number, memory: Uint8Array, length: number, flags: number): number;

  /** recv(2) of at most `length` bytes to the beginning of `memory`. Bytes received. With MSG_DONTWAIT, or it waits. */
  recv(fd: number, memory: Uint8Array, length: number, flags: number): number;

  /** shutdown(2). */
  shutdown(fd: number, how: number): number;

  /** setsockopt(2). */
  setSocketOption(fd: number, level: number, name: number, value: Uint8Array): number;

  /** getsockopt(2) into `value`. Bytes of what is there. */
  getSocketOption(fd: number, level: number, name: number, value: Uint8Array): number;

  /** A second descriptor, O_CLOEXEC, of what `fd` refers to; like fcntl(2) with F_DUPFD_CLOEXEC. */
  duplicate(fd: number): number;

  /**
   * utimensat(2): set the times of an open file if `path` is null, or of a path that ends with a NUL. `times` are two
   * `struct timespec`: access, and contents.
   */
  setTimes(fd: number, path: Uint8Array | null, times: BigInt64Array, flags: number): number;

  /**
   * flistxattr(2), or llistxattr(2) of a path that ends with a NUL: bytes of the names, each with a NUL. 0 bytes: how
   * many.
   */
  listAttributes(file: number | Uint8Array, names: Uint8Array): number;

  /** lseek(2). Where the file stands then. */
  seek(fd: number, offset: number, whence: number): number;

  /** copy_file_range(2) from and to a place in two files. Bytes copied; 0 at the end. */
  copyRange(fdIn: number, offsetIn: number, fdOut: number, offsetOut: number, length: number): number;

  /** This thread's event loop, where it can be slept for; undefined elsewhere. */
  eventLoop(): EventLoop | undefined;

  /** eventfd(2), EFD_NONBLOCK and EFD_CLOEXEC, at 0. The descriptor. */
  eventfd(): number;

  /** eventfd_read(3), whatever it says: afterwards the eventfd is at 0. */
  resetEventfd(fd: number): void;

  /** pipe2(2), O_NONBLOCK and O_CLOEXEC: the end to read from goes to `fds[0]`, the one to write to to `fds[1]`. */
  pipe(fds: Int32Array): number;

  /**
   * Have the event loop call `onData` when something was written into the pipe that `fd` is the end of, in a turn of
   * its own. The handle owns `fd`.
   */
  readPipe(fd: number, onData: () => void): Handle;

  /** Bytes of a page of memory. */
  readonly pageSize: number;

  /** Where the bytes of `memory` are. They stay there as long as `memory` is alive and not detached. */
  addressOf(memory: ArrayBufferLike): number;

  /**
   * Forbid that `memory` is ever transferred (to another thread, or by `ArrayBuffer.prototype.transfer`):
   * a transferred buffer can be freed while the kernel still writes to it. For good: no runtime can undo it.
   */
  keepInPlace(memory: ArrayBuffer): void;

  /**
   * Have the event loop call `onReadable` in every turn in which `fd` can be read. It keeps the process alive as a
   * handle of Node does. The callback is not a turn of its own: promises resolved in it do not continue before the
   * next. Only where the loop is libuv's or acts like it; see runtime.ts.
   */
  poll(fd: number, onReadable: () => void): Handle;

  /**
   * Does this thread end with the process? If not, its memory is freed when it ends, and whatever of the kernel's
   * could still write there must end before: see {@link closeAtThreadExit}.
   */
  readonly isMainThread: boolean;

  /**
   * Have `fd` closed when this thread ends without closing it, as a terminated worker does: its memory is
   * freed then, and an open ring would go on writing to it. The function returned calls that off.
   */
  closeAtThreadExit(fd: number): CallOff;

  /**
   * {@link duplicate}, and {@link closeAtThreadExit} of the copy. A worker may be terminated wherever a function of
   * JavaScript begins: between these two none does, so that no copy is left over.
   */
  duplicateGuarded(fd: number): Guarded;
}

/** A descriptor that is closed when its thread ends, until that is called off; or -errno, and nothing to call off. */
export interface Guarded {
  readonly fd: number;
  readonly callOff: CallOff;
}

/** Calls off that a descriptor is closed when its thread ends; with `closes` it closes it now, with nothing in between. */
export type CallOff = (closes?: boolean) => void;

/** Something that the event loop looks at. To be kept until it is closed: collected, it is closed too. */
export interface Handle {
  /** Keep the process alive: so it is in the beginning. */
  ref(): void;
  unref(): void;
  /** Does it look no more when it is unreferenced? */
  readonly needsRef?: boolean;
  /** Once. Before a descriptor that it does not own is closed. */
  close(): void;
}
