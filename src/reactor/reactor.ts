/// <reference lib="esnext.disposable" preserve="true" />
import { inspect, type InspectOptions } from 'node:util';
import type { RecordableHistogram } from 'node:perf_hooks';
import { ECANCELED, ENOENT, ENXIO, ERANGE } from '../abi/errno.ts';
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW } from '../abi/file-flags.ts';
import { IORING_OP_ASYNC_CANCEL, IORING_OP_MSG_RING } from '../abi/operations.ts';
import { koffiNative } from '../native/koffi.ts';
import type { CallOff } from '../native/native.ts';
import { checkInteger, wrongType, wrongValue } from '../ring/arguments/argument-errors.ts';
import { checkFd } from '../ring/arguments/entry-fields.ts';
import { pathBytes, type PathLike } from '../ring/arguments/path.ts';
import type { AcceptOptions } from '../ring/prepare/network.ts';
import { readSocketAddress, SOCKADDR_MAX, type SocketAddress } from '../ring/structs/socket-address.ts';
import { AbortError, checkSignal, unwatch, watch } from './abort.ts';
import { Connections } from './accept-many.ts';
import { BufferPools } from './buffer-pool.ts';
import { Chain, keepsLinks, LinkError, Steps } from './chain.ts';
import { warnOfCloseWithFd, warnOfLinkedSteps } from './deprecated.ts';
import type { Engine } from './engine.ts';
import { WaitMethods } from './methods-wait.ts';
import { Iteration } from './iteration.ts';
import { makeEngine } from './make-engine.ts';
import { chainOf, collectInto, registeredOf, run } from './methods.ts';
import { messageData, Messages, type RingMessage } from './messages.ts';
import type { ManyOptions } from './multishot.ts';
import { Observer } from './observer.ts';
import { operationError } from './operation-error.ts';
import {
  kind,
  NOTHING,
  NUMBER,
  type Asked,
  type Kind,
  type Operation,
  type OperationOptions,
  type Outcome,
} from './operation.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import { OwnClose } from './own-close.ts';
import { PollEvents } from './poll-many.ts';
import { ReadChunks } from './read-many.ts';
import { Datagrams, ReceivedChunks, type Chunk, type Datagram, type DatagramOptions } from './recv-many.ts';
import { RegisteredFiles } from './registered-files.ts';
import { RegisteredMemory } from './registered-memory.ts';
import { Sequence } from './sequence.ts';
import { shown } from '../ring/shown.ts';

/** How a reactor is made. */
export interface ReactorOptions {
  /**
   * Operations that one system call submits at most, 1 … 32768; default 1024. Where so large a ring exceeds the memory
   * that may be locked (ulimit -l), a smaller one is made; what finds no room in it waits in front of it.
   */
  entries?: number | undefined;
  /**
   * Completions that the kernel has room for; default eight times `entries`, up to 65536. Fewer, too, with a smaller
   * ring.
   */
  cqEntries?: number | undefined;
  /**
   * How this thread sleeps while it waits for operations. `'ring'`, the default: in io_uring_enter(2) as long as
   * completions keep coming, which costs less than being woken by the event loop, and else in the loop; timers,
   * immediates and all of Node's own come as they would, and `performance.eventLoopUtilization()` counts that sleep as
   * idle time. `'loop'`: always in the event loop. So it is where the loop is not libuv's (Bun, Deno) in any case.
   */
  wait?: 'ring' | 'loop' | undefined;
  /** Keep a histogram of how long operations take, by name: {@link Reactor.histograms}. */
  histograms?: boolean | undefined;
}

/** The numbers of a reactor: all it has done, and all it is at. */
export interface ReactorStats {
  /** Operations handed to the ring. */
  readonly submitted: number;
  /** Submitted operations that are over. */
  readonly completed: number;
  /** Submitted operations that are not over. */
  readonly inFlight: number;
  /** Operations that wait for room in the ring. */
  readonly queued: number;
  /** System calls that submitted something. */
  readonly enters: number;
  /** How often the event loop was woken by a completion. */
  readonly wakeUps: number;
  /** Completions that were there when the call returned that submitted their operation, and needed no wake-up. */
  readonly inlineCompletions: number;
  /**
   * How often the kernel began to keep completions aside, because the queue for them was full. None is lost. What it
   * keeps until all of it was handed over counts once. Kernel 5.8; 0 before that, where it does not tell.
   */
  readonly overflows: number;
  /** How often a multishot operation was armed anew. */
  readonly rearms: number;
  /** Completions of nothing that this reactor has asked for: another ring has posted them, and they were dropped. */
  readonly strangers: number;
  /** Provided buffers that are with consumers. */
  readonly buffersOut: number;
}

/** A method that {@link Reactor.chain} can call. */
export type LinkableMethod = {
  [K in keyof WaitMethods]: WaitMethods[K] extends (...args: never[]) => Promise<unknown> ? K : never;
}[keyof WaitMethods];

/** A step of a chain: the name of a method, and its arguments. */
export type LinkStep = {
  [K in LinkableMethod]: readonly [method: K, ...args: Parameters<WaitMethods[K]>];
}[LinkableMethod];

/** The answers of the steps of a chain. */
export type LinkResults<S extends readonly LinkStep[]> = {
  -readonly [I in keyof S]: S[I] extends readonly [infer K extends LinkableMethod, ...unknown[]]
    ? Awaited<ReturnType<WaitMethods[K]>>
    : never;
};

let partsIn: (reactor: Reactor) => { readonly engine: Engine; readonly pools: BufferPools };

/** The parts of a reactor, for layers that have operations of their own, without promises. */
export function partsOf(reactor: Reactor): { readonly engine: Engine; readonly pools: BufferPools } {
  return partsIn(reactor);
}

const COUNT: Outcome<number> = ownOptions({ ...NUMBER, success: -ENOENT });

const MESSAGE = kind(
  'message',
  IORING_OP_MSG_RING,
  NOTHING,
  (ring, { fd, slot, a: value, b: tag }: Asked<[number, number]>) => {
    checkInteger('value', value, -(2 ** 31), 2 ** 31 - 1);
    return ring.prepMsgRing(fd, value, messageData(tag), slot);
  },
);
const CANCEL = kind(
  'cancel',
  { opcode: IORING_OP_ASYNC_CANCEL, variant: 'descriptor' },
  COUNT,
  (ring, { slot, a: fd }: Asked<[number]>) => ring.prepCancelFd(fd, slot, { all: true, fixed: false }),
);
/** It has names of its own, and takes its answers itself. */
const SEQUENCE = kind(
  'sequence',
  undefined,
  NOTHING as Outcome<unknown>,
  (ring, { slot, a: sequence }: Asked<[Sequence<unknown>]>) => sequence.prepare(ring, slot),
);

/**
 * io_uring on the event loop: every operation as a promise, or an async iterator.
 *
 * Everything that is asked for in one tick is submitted with one system call when the microtasks have run. Misuse
 * rejects with a TypeError or RangeError; what the kernel refuses with an error in Node's shape. Memory that is lent to
 * an operation is kept in place and alive until the kernel has let go of it, whatever becomes of the promise.
 *
 * @example
 * import { Reactor } from 'iouring';
 *
 * await using io = new Reactor();
 * const bytes = await io.read(fd, buffer, { offset: 0 });
 */
export class Reactor extends WaitMethods implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #pools: BufferPools;
  readonly #files: RegisteredFiles;
  readonly #observer: Observer;
  #supported: ReadonlySet<number> | undefined;
  #closing: Promise<void> | undefined;
  #isDraining = false;

  /**
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`
   * @throws {Error} as {@link IoUring}: no io_uring here, or it is forbidden
   */
  constructor(options: ReactorOptions = ownOptions({})) {
    if (typeof options !== 'object' || options === null) throw wrongType('options', 'an object', options);
    const { entries = 1024, cqEntries, histograms = false, wait = 'ring' } = options;
    if (wait !== 'ring' && wait !== 'loop') throw wrongValue('options.wait', "it is 'ring' or 'loop'");
    checkInteger('options.entries', entries, 1, 32768);
    const observer = new Observer(histograms);
    // An operation with a time limit takes two.
    const engine = makeEngine(Math.max(2, entries), cqEntries, observer, wait);
    super(engine, new RegisteredMemory(engine.ring));
    this.#engine = engine;
    this.#observer = observer;
    this.#files = new RegisteredFiles(engine.ring);
    this.#pools = new BufferPools(engine.ring, () => engine.hasArrivals);
  }

  // ---------------------------------------------------------------- many of a kind

  /**
   * Every connection that comes, as its descriptor, which is yours to close. Those that came and were not taken when
   * the iteration ends are closed.
   *
   * Kernel 5.19. See {@link IoUring.prepAcceptMultishot}.
   * @example
   * for await (const connection of io.acceptMany(listener)) {
   *   await io.send(connection, 'hello');
   *   await io.closeFd(connection);
   * }
   */
  acceptMany(
    listenFd: number,
    options?: ManyOptions & AcceptOptions,
  ): AsyncIterableIterator<number, undefined> & AsyncDisposable {
    return new Iteration(new Connections(this.#engine, listenFd, options));
  }

  /**
   * The data that arrives on a connection, until its end, in buffers that the kernel takes only when there is data. A
   * chunk is yours until it is disposed of or the next is asked for.
   *
   * Kernel 6.0. See {@link IoUring.prepRecvMultishot}.
   * @example
   * for await (const chunk of io.recvMany(socket)) console.log(chunk.bytes.length);
   */
  recvMany(
    fd: number,
    options?: ManyOptions & { flags?: number },
  ): AsyncIterableIterator<Chunk, undefined> & AsyncDisposable {
    return new Iteration(new ReceivedChunks(this.#engine, fd, options, this.#pools));
  }

  /**
   * Every datagram that arrives, with its sender. Kernel 6.0. See {@link IoUring.prepRecvmsgMultishot}.
   * @example
   * for await (const datagram of io.recvmsgMany(socket)) console.log(datagram.address, datagram.bytes);
   */
  recvmsgMany(
    fd: number,
    options?: DatagramOptions,
  ): AsyncIterableIterator<Datagram, undefined> & AsyncDisposable {
    return new Iteration(new Datagrams(this.#engine, fd, options, this.#pools));
  }

  /**
   * Events of a descriptor: POLLIN and so on. Kernel 5.13. See {@link IoUring.prepPollAdd}.
   * @example
   * import { POLLIN } from 'iouring/abi';
   *
   * for await (const events of io.pollMany(fd, POLLIN)) console.log(events);
   */
  pollMany(
    fd: number,
    mask: number,
    options?: ManyOptions,
  ): AsyncIterableIterator<number, undefined> & AsyncDisposable {
    return new Iteration(new PollEvents(this.#engine, fd, mask, options));
  }

  /**
   * The data that can be read from a pipe, a terminal or another file that can be polled, until its end.
   *
   * Kernel 6.7. See {@link IoUring.prepReadMultishot}. Of other files `EBADFD`.
   * @example
   * for await (const chunk of io.readMany(pipe)) process.stdout.write(chunk.copy());
   */
  readMany(fd: number, options?: ManyOptions): AsyncIterableIterator<Chunk, undefined> & AsyncDisposable {
    return new Iteration(new ReadChunks(this.#engine, fd, options, this.#pools));
  }

  // ---------------------------------------------------------------- from ring to ring

  /**
   * The ring's descriptor: where {@link message} of the process's other reactors, which are other threads' mostly,
   * sends to. It is the ring's: not to be closed, and gone when this reactor is closed.
   */
  get ringFd(): number {
    return this.#engine.ring.fd;
  }

  /**
   * Send a message to another reactor of this process, which need not be of this thread. The kernel puts it into the
   * other ring and wakes the other thread's event loop if it sleeps; who iterates {@link messages} there gets it.
   * Messages to one reactor arrive in the order in which they were sent here, and are not lost once the promise is
   * resolved; if nobody iterates, they are dropped.
   *
   * Kernel 5.18. See {@link IoUring.prepMsgRing}; like io_uring_prep_msg_ring(3).
   * @param ringFd the other's {@link ringFd}
   * @param value an integer, -2^31 … 2^31-1
   * @param tag another one, 0 … 2^32-1; default 0
   * @throws {Error} `EOVERFLOW` the other is too far behind and got nothing: try again; `EBADF`, `EBADFD`, `EOWNERDEAD`
   *   it is gone; TypeError, RangeError
   * @example
   * await io.message(otherRingFd, 42);
   */
  message(ringFd: number, value: number, tag = 0, options?: OperationOptions): Promise<void> {
    return run(this, MESSAGE, ringFd, options, undefined, value, tag);
  }

  /**
   * Messages that other reactors send by {@link message}, from this call on. One iteration at a time; it keeps the
   * process alive, as everything does that is in flight. What its consumer has not taken is kept, however much that is:
   * have a sender wait for answers.
   * @throws {Error} `ERR_INVALID_STATE` there is one already; TypeError
   * @example
   * for await (const message of io.messages()) console.log(message);
   */
  messages(options?: ManyOptions): AsyncIterableIterator<RingMessage, undefined> & AsyncDisposable {
    return new Iteration(new Messages(this.#engine, options));
  }

  // ---------------------------------------------------------------- chains, and their end

  /**
   * Have the kernel run operations one after the other, each only if the one before succeeded: a durable append is a
   * write and
   * then an fsync. All are submitted with one system call.
   *
   * Kernel 5.15, with a sleep 5.16, with several reads or writes 5.18; before that they are submitted one by one, each
   * when the one before has succeeded.
   * See IOSQE_IO_LINK.
   * @param steps methods and their arguments; as many entries as the ring has, at most
   * @param options.signal aborts all of them
   * @returns what each step answered
   * @throws {LinkError} a step failed, or transferred less than it was asked to: which, and what became of each
   * @throws {TypeError|RangeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`: nothing is
   * begun
   * @example
   * const [bytes] = await io.chain([
   *   ['write', fd, 'a record\n'],
   *   ['fsync', fd, { datasync: true }],
   * ]);
   */
  chain<const S extends readonly LinkStep[]>(
    steps: S,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<LinkResults<S>> {
    return this.#chain(steps, options) as Promise<LinkResults<S>>;
  }

  /**
   * Give a file another name; like link(2). Kernel 5.15. See {@link IoUring.prepLink}.
   * @example
   * await io.link('/tmp/existing', '/tmp/another-name');
   */
  override link(existing: PathLike, path: PathLike, options?: OperationOptions): Promise<void>;
  /** @deprecated {@link chain} has the operations run one after the other. */
  override link<const S extends readonly LinkStep[]>(
    steps: S,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<LinkResults<S>>;
  override link(
    first: PathLike | readonly LinkStep[],
    second?: PathLike | { signal?: AbortSignal | undefined },
    options?: OperationOptions,
  ): Promise<unknown> {
    if (!Array.isArray(first)) return super.link(first as PathLike, second as PathLike, options);
    warnOfLinkedSteps();
    return this.#chain(first as readonly LinkStep[], second as { signal?: AbortSignal | undefined } | undefined);
  }

  async #chain(
    steps: readonly LinkStep[],
    options: { signal?: AbortSignal | undefined } | undefined,
  ): Promise<unknown[]> {
    const signal = options?.signal;
    checkSignal(signal);
    if (signal?.aborted) throw new AbortError(signal);
    if (steps.length === 0) return [];
    const names = steps.map((step, i) => methodOf(step, i));
    const operations: Operation[] = [];
    const promises: Promise<unknown>[] = [];
    const isLinked = keepsLinks(this.#engine.ring, names);
    collectInto(this, operations, isLinked);
    try {
      steps.forEach(([, ...args], i) => {
        promises.push(callStep(this, names[i], args));
        // An argument was wrong: nothing is begun.
        if (operations.length <= i) throw new Refused(promises[i]);
      });
    } catch (error) {
      for (const promise of promises) promise.catch(() => {});
      if (error instanceof Refused) await error.promise;
      throw error;
    } finally {
      collectInto(this, undefined, false);
    }
    const chain = new Chain(operations, isLinked);
    const { sqEntries } = this.#engine.ring;
    if (chain.entries > sqEntries) {
      const error = wrongValue('steps', `it takes ${chain.entries} entries, and the ring has ${sqEntries}`);
      chain.refused(error);
      await Promise.all(promises);
    }
    if (isLinked) this.#submitChain(chain);
    else this.#submitSteps(chain, promises);
    const all = { aborted: (by: AbortSignal): void => operations.forEach((operation) => operation.aborted(by)) };
    if (signal !== undefined) watch(signal, all);
    const results = await Promise.allSettled(promises);
    if (signal !== undefined) unwatch(signal, all);
    const failure = results.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined;
    if (failure === undefined) return results.map((result) => (result as PromiseFulfilledResult<unknown>).value);
    if (signal?.aborted && (failure.reason as Error).name === 'AbortError') throw failure.reason;
    throw new LinkError(names, results);
  }

  #submitChain(chain: Chain): void {
    const begun = chain.members.filter((operation) => operation.begin());
    if (begun.length === chain.members.length) this.#engine.submit(chain);
    else for (const operation of begun) operation.refused(operationError(ECANCELED, operation.name));
  }

  #submitSteps(chain: Chain, promises: readonly Promise<unknown>[]): void {
    try {
      new Steps(this.#engine, chain.members, promises).begin(chain);
    } catch (error) {
      chain.refused(error as Error);
    }
  }

  /**
   * Cancel everything that is in flight on a descriptor: operations reject with `ECANCELED`, iterations too. What
   * cannot be stopped any more goes on.
   *
   * Kernel 5.19. See {@link IoUring.prepCancelFd}; like io_uring_prep_cancel_fd(3).
   * @returns how many operations were found
   * @example
   * const cancelled = await io.cancel(socket);
   */
  async cancel(fd: number): Promise<number> {
    const file = checkFd('fd', fd);
    const waiting = this.#engine.cancelOn(file, operationError(ECANCELED, 'cancel'));
    const found = await run(this, CANCEL, -1, undefined, undefined, file);
    return waiting + Math.max(0, found);
  }

  /**
   * The address that a socket is bound to: which port it got when it was bound to port 0. At once, for the kernel need
   * not wait for anything; like getsockname(2).
   * @throws {Error} the kernel's refusal: `EBADF`, `ENOTSOCK`; TypeError
   * @example
   * const { address, port } = io.getsockname(listener) as { address: string; port: number };
   */
  getsockname(fd: number): SocketAddress {
    return socketName('getsockname', fd);
  }

  /**
   * The address that a socket is connected to; like getpeername(2). `ENOTCONN` if there is none. See {@link
   * getsockname}.
   * @example
   * console.log(io.getpeername(socket));
   */
  getpeername(fd: number): SocketAddress {
    return socketName('getpeername', fd);
  }

  /**
   * Set the times of an open file, or of a path, to the nanosecond. At once, for io_uring has no operation for it; like
   * futimens(3), and of a path like utimensat(2) with AT_SYMLINK_NOFOLLOW.
   * @param atimeNs of the last access, in nanoseconds since 1970
   * @param mtimeNs of the last change of the contents
   * @throws {Error} the kernel's refusal; TypeError
   * @example
   * const now = BigInt(Date.now()) * 1_000_000n;
   * io.setTimes('/tmp/file', now, now);
   */
  setTimes(file: number | PathLike, atimeNs: bigint, mtimeNs: bigint): void {
    writeTimespec(TIMES, 0, atimeNs);
    writeTimespec(TIMES, 2, mtimeNs);
    const isOpen = typeof file === 'number';
    const path = isOpen ? null : terminated(file);
    const fd = isOpen ? checkFd('fd', file) : AT_FDCWD;
    const result = koffiNative().setTimes(fd, path, TIMES, isOpen ? 0 : AT_SYMLINK_NOFOLLOW);
    if (result < 0) {
      throw operationError(-result, isOpen ? 'futimens' : 'utimensat', isOpen ? undefined : { path: file });
    }
  }

  /**
   * The names of the extended attributes of an open file, or of a path that is not followed if it is a symbolic link.
   * At once, for io_uring has no operation for it; like flistxattr(2) and llistxattr(2).
   * @throws {Error} the kernel's refusal: `ENOTSUP` where the file system has none; TypeError
   * @example
   * for (const name of io.listxattr('/tmp/file')) console.log(name);
   */
  listxattr(file: number | PathLike): string[] {
    const isOpen = typeof file === 'number';
    const target = isOpen ? checkFd('fd', file) : terminated(file);
    let names = NAMES;
    let length = koffiNative().listAttributes(target, names);
    if (length === -ERANGE) length = koffiNative().listAttributes(target, names = Buffer.alloc(XATTR_LIST_MAX));
    if (length < 0) {
      throw operationError(-length, isOpen ? 'flistxattr' : 'llistxattr', isOpen ? undefined : { path: file });
    }
    return length === 0 ? [] : names.toString('utf8', 0, length - 1).split('\0');
  }

  /**
   * Where the next data or the next hole of an open file begins; like lseek(2) with SEEK_DATA and SEEK_HOLE. At once,
   * for io_uring has no operation for it. The file stands there then.
   * @returns undefined: there is nothing more
   * @throws {Error} the kernel's refusal; TypeError, RangeError
   * @example
   * const begin = io.seek(fd, 0, 'data');
   */
  seek(fd: number, offset: number, what: 'data' | 'hole'): number | undefined {
    checkInteger('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    const position = koffiNative().seek(checkFd('fd', fd), offset, what === 'data' ? SEEK_DATA : SEEK_HOLE);
    if (position === -ENXIO) return undefined;
    if (position < 0) throw operationError(-position, 'lseek');
    return position;
  }

  /**
   * Have the kernel copy bytes from one file to another, or share them where the file system can. The thread waits for
   * it, for io_uring has no operation for it: ask for some milliseconds' worth at a time. Like copy_file_range(2).
   * @returns the bytes copied: perhaps fewer than asked for; 0 at the end of `fdIn`
   * @throws {Error} the kernel's refusal: `EXDEV`, `EINVAL` and `EOPNOTSUPP` where it has to be done otherwise;
   *   TypeError, RangeError
   * @example
   * const bytes = io.copyFileRange(fd, 0, otherFd, 0, 1 << 20);
   */
  copyFileRange(fdIn: number, offIn: number, fdOut: number, offOut: number, length: number): number {
    checkInteger('offIn', offIn, 0, Number.MAX_SAFE_INTEGER);
    checkInteger('offOut', offOut, 0, Number.MAX_SAFE_INTEGER);
    checkInteger('length', length, 0, 2 ** 31 - 1);
    const copied = koffiNative().copyRange(checkFd('fdIn', fdIn), offIn, checkFd('fdOut', fdOut), offOut, length);
    if (copied < 0) throw operationError(-copied, 'copy_file_range');
    return copied;
  }

  /**
   * Does the kernel know an operation? Every kernel that has io_uring answers; asked of it once.
   * @param opcode IORING_OP_*
   * @example
   * import { IORING_OP_SENDMSG_ZC } from 'iouring/abi';
   *
   * const hasZeroCopy = io.supports(IORING_OP_SENDMSG_ZC);
   */
  supports(opcode: number): boolean {
    this.#supported ??= new Set(
      this.#engine.ring
        .probe()
        .filter((operation) => operation.supported)
        .map((operation) => operation.opcode),
    );
    return this.#supported.has(opcode);
  }

  static {
    partsIn = (reactor) => ({ engine: reactor.#engine, pools: reactor.#pools });
  }

  /** Where memory is registered; undefined if it is not. @internal */
  placeOf(memory: Uint8Array): number | undefined {
    return registeredOf(this).placeOf(memory);
  }

  /** Have several operations done, one after the other: {@link Sequence}. @internal */
  perform<T>(sequence: Sequence<T>, options?: OperationOptions): Promise<T> {
    // It is handed the ring.
    if (!(sequence instanceof Sequence)) throw wrongType('sequence', 'a Sequence', sequence);
    return run(this, SEQUENCE as Kind<T, [Sequence<T>]>, sequence.fd, options, sequence, sequence);
  }

  // ---------------------------------------------------------------- memory

  /**
   * Memory that is pinned and registered with the ring, zeroed, and begins at a multiple of `alignment`, as O_DIRECT
   * demands. {@link read} and {@link write} use it, or any view of it, as a registered buffer. It is unregistered when
   * it is collected. Where no more memory may be pinned (ulimit -l), or the kernel is older than 5.19, it is ordinary
   * memory.
   *
   * @param bytes 1 … 2^30
   * @param options.alignment a power of two up to 65536; default 4096
   * @throws {RangeError|TypeError} `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
   * @example
   * const memory = io.allocate(65_536);
   * await io.read(fd, memory, { offset: 0 });
   */
  allocate(bytes: number, options?: { alignment?: number | undefined }): Uint8Array<ArrayBuffer> {
    checkInteger('bytes', bytes, 1, 2 ** 30);
    return registeredOf(this).allocate(bytes, options?.alignment);
  }

  /**
   * Register an open file, so that the kernel need not look it up at every operation: {@link
   * ReadWriteOptions.registeredFile}.
   * @returns its place; undefined where there is no room, or the kernel is older than 5.13
   * @throws {Error} the kernel's refusal: `EBADF`; TypeError, RangeError
   * @example
   * const registeredFile = io.registerFile(fd);
   * await io.read(fd, buffer, { offset: 0, registeredFile });
   */
  registerFile(fd: number): number | undefined {
    return this.#files.register(checkInteger('fd', fd, 0, 2 ** 31 - 1));
  }

  /**
   * Give a place up that {@link registerFile} has given, once nothing that names it is under way.
   * @example
   * const place = io.registerFile(fd);
   * if (place !== undefined) io.unregisterFile(place);
   */
  unregisterFile(place: number): void {
    this.#files.unregister(checkInteger('place', place, 0, 2 ** 16));
  }

  // ---------------------------------------------------------------- what is going on

  /** The numbers of all that happened so far. */
  get stats(): ReactorStats {
    const { counters, overflows, inFlight, queued } = this.#engine;
    return { ...counters, overflows, inFlight, queued, buffersOut: this.#pools.out };
  }

  /** How long operations took, in nanoseconds, by the method's name; undefined unless it was asked for. */
  get histograms(): ReadonlyMap<string, RecordableHistogram> | undefined {
    return this.#observer.histograms;
  }

  /** Is it closed, or being closed? */
  get closed(): boolean {
    return this.#closing !== undefined || this.#engine.closed;
  }

  /**
   * Keep the process alive as long as something is in flight: so it is in the beginning.
   * @example
   * io.unref().ref();
   */
  ref(): this {
    this.#engine.ref();
    return this;
  }

  /**
   * Let the process end though something is in flight.
   * @example
   * io.unref();
   */
  unref(): this {
    this.#engine.unref();
    return this;
  }

  /**
   * Close a descriptor; iterations on it end. Kernel 5.6. See {@link IoUring.prepClose}; like close(2).
   * @throws {Error} the kernel's refusal: `EBADF`; TypeError, RangeError
   * @example
   * const file = await io.open('/etc/hostname', 0);
   * await io.closeFd(file);
   */
  override closeFd(fd: number, options?: OperationOptions): Promise<void> {
    if (chainOf(this) === undefined) this.#engine.closing(fd);
    return super.closeFd(fd, options);
  }

  /**
   * Close the reactor: nothing more is taken. What is in flight is cancelled, and rejects with `ERR_IOURING_CLOSED`
   * once the kernel has let go; with `drain` it is waited for, however long that takes. Iterations end in both cases.
   * @throws {TypeError} `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`: the argument is neither left out nor an object
   *   with these options and no others. The reactor stays open then.
   * @example
   * await io.close({ drain: true });
   */
  override close(options?: { drain?: boolean | undefined }): Promise<void>;
  /** @deprecated {@link closeFd} closes a descriptor. */
  override close(fd: number, options?: OperationOptions): Promise<void>;
  override close(
    ...args: [target?: number | { drain?: boolean | undefined }, options?: OperationOptions]
  ): Promise<void> {
    const [target, options] = args;
    if (typeof target === 'number') {
      warnOfCloseWithFd();
      return this.closeFd(target, options);
    }
    let drain = false;
    try {
      // A descriptor that is undefined by mistake does not close the reactor.
      if (args.length > 0) drain = checkCloseOptions(target);
    } catch (error) {
      return Promise.reject(error);
    }
    // One that waits for ever can be cut short.
    if (this.#closing !== undefined && this.#isDraining && !drain) {
      this.#isDraining = false;
      void this.#engine.close(false);
    }
    this.#isDraining ||= drain && this.#closing === undefined;
    return (this.#closing ??= this.#engine.close(drain));
  }

  /**
   * Have `fd` closed if this thread ends without closing it, as a terminated worker does. The function returned calls
   * that off; undefined on the main thread, where the process ends with it. @internal
   */
  guard(fd: number): CallOff | undefined {
    return this.#engine.isMainThread ? undefined : this.#engine.guard(fd);
  }

  /** {@link closeFd} of a descriptor that nobody else would close: {@link OwnClose}. @internal */
  closeOwn(fd: number, callOff: CallOff | undefined): Promise<void> {
    this.#engine.closing(fd);
    return this.perform(new OwnClose(fd, callOff));
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** For console.log. */
  [inspect.custom](depth: number, options: InspectOptions, show: typeof inspect): string {
    return shown('Reactor', () => ({ closed: this.closed, ...this.stats }), depth, options, show);
  }
}

function socketName(syscall: 'getsockname' | 'getpeername', fd: number): SocketAddress {
  const bytes = new Uint8Array(SOCKADDR_MAX);
  const length = koffiNative().socketName(checkFd('fd', fd), syscall === 'getpeername', bytes);
  if (length < 0) throw operationError(-length, syscall);
  return readSocketAddress(bytes.subarray(0, Math.min(length, SOCKADDR_MAX)));
}

/**
 * The request that {@link Reactor.close} was given: are operations waited for?
 * @throws {TypeError} unless it is an object with nothing but options: a file, a list or null came there by mistake
 */
function checkCloseOptions(options: unknown): boolean {
  const expected = 'left out, an object of options, or a descriptor of type number';
  if (typeof options !== 'object' || options === null) throw wrongType('options', expected, options);
  const prototype = Object.getPrototypeOf(options) as object | null;
  // Options are made by nothing but a pair of braces, in whichever realm; what a class has made is a file, a list, a
  // date.
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  if (!isPlain) throw wrongType('options', expected, options);
  for (const name of Reflect.ownKeys(options)) {
    if (name !== 'drain') {
      throw wrongValue('options', `close has no option ${String(name)}; to close a descriptor, use closeFd`);
    }
  }
  const drain = Object.hasOwn(options, 'drain') ? (options as { drain?: unknown }).drain : undefined;
  if (drain !== undefined && typeof drain !== 'boolean') throw wrongType('options.drain', 'of type boolean', drain);
  return drain === true;
}

/** The promise of a step that says what was wrong with its arguments. */
class Refused {
  readonly promise: Promise<unknown>;

  constructor(promise: Promise<unknown>) {
    this.promise = promise;
  }
}

const NS_PER_S = 1_000_000_000n;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
/** The kernel's limit on the names of a file's attributes (XATTR_LIST_MAX). */
const XATTR_LIST_MAX = 65_536;

/** Room for what calls are given, or answer, that are over when they return. */
const TIMES = new BigInt64Array(4);
const NAMES = Buffer.alloc(1024);

/** Seconds, and nanoseconds that are not negative. */
function writeTimespec(times: BigInt64Array, at: number, ns: bigint): void {
  const rest = ((ns % NS_PER_S) + NS_PER_S) % NS_PER_S;
  times[at] = (ns - rest) / NS_PER_S;
  times[at + 1] = rest;
}

function terminated(path: PathLike): Uint8Array {
  return Buffer.concat([pathBytes('path', path), Buffer.alloc(1)]);
}

/** The methods of operations, from the reactor's ancestors. */
const METHODS = new Set<string>();
for (let { prototype } = WaitMethods; prototype !== Object.prototype; prototype = Object.getPrototypeOf(prototype)) {
  for (const name of Object.getOwnPropertyNames(prototype)) METHODS.add(name);
}
METHODS.delete('constructor');

function methodOf(step: LinkStep, i: number): LinkableMethod {
  if (!Array.isArray(step)) throw wrongType(`steps[${i}]`, 'an Array of a method name and its arguments', step);
  const [method] = step as LinkStep;
  if (!METHODS.has(method)) throw wrongValue(`steps[${i}][0]`, `there is no operation ${method} to link`);
  return method;
}

/** Call the operation's own method: of those that the reactor gives a second meaning, the first. */
function callStep(reactor: Reactor, name: LinkableMethod, args: unknown[]): Promise<unknown> {
  const method = WaitMethods.prototype[name] as (this: Reactor, ...args: unknown[]) => Promise<unknown>;
  return method.apply(reactor, args);
}
