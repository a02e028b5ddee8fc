import {
  EACCES,
  EAGAIN,
  EBADF,
  ECANCELED,
  EFAULT,
  EINTR,
  EINVAL,
  ENOBUFS,
  ENOSYS,
  ENOTSOCK,
  EOPNOTSUPP,
  EPERM,
} from '../../abi/errno.ts';
import { IO_URING_RECVMSG_OUT, IO_URING_RECVMSG_OUT_SIZE, SOCKADDR_IN6_SIZE } from '../../abi/layouts.ts';
import type { BufferPool, PooledGroup } from '../../reactor/buffer-pool.ts';
import type { Engine } from '../../reactor/engine.ts';
import { ArmedMultishot } from '../../reactor/engine/armed-multishot.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';
import { Msghdr } from '../../ring/structs/msghdr.ts';
import { readSocketAddress, type SocketAddress } from '../../ring/structs/socket-address.ts';
import type { Completion, IoUring } from '../../reactor/submission.ts';

/** The owner of a receiver of datagrams. Nothing of this may throw: it is called while completions are reaped. */
export interface DatagramReceiverOwner<S> {
  /** The sender with that address, as the owner calls it. The answer is used again for its next datagrams. */
  sender(address: SocketAddress): S;
  /**
   * The bytes from `start` to `end` of `memory` are a datagram, a whole one: none is longer than there is room for.
   * They are used again after the call.
   */
  received(memory: Buffer, start: number, end: number, sender: S): void;
  /** A receive failed: an ICMP message has come, mostly. Receiving goes on. `errno` is positive. */
  receiveFailed(errno: number): void;
  /** Nothing more will come: the reactor is closed, or `errno` says that this socket cannot be received from. */
  receiverLost(errno: number | undefined): void;
  /** It was stopped, and nothing of it is with the kernel. */
  receiverStopped(): void;
}

/** Bytes before the datagram in each buffer: the kernel's header, and the sender's address, IPv4 or IPv6. */
const NAME = IO_URING_RECVMSG_OUT_SIZE;
const DATA = NAME + SOCKADDR_IN6_SIZE;

/** Senders that are remembered; a power of two. */
const SENDERS = 256;

/**
 * These are said of the socket, and would be said again and again. All others: of a datagram sent before, of a route,
 * of a moment.
 */
const LASTING = new Set([EACCES, EBADF, EFAULT, EINVAL, ENOSYS, ENOTSOCK, EOPNOTSUPP, EPERM]);

/** A sender, and the words of its address by which it is known again. */
interface Remembered<S> {
  readonly words: Int32Array;
  readonly sender: S;
}

/**
 * Receives the datagrams of a socket: one multishot receive, armed until it is stopped. Whatever ends it in the kernel,
 * it is armed anew. What arrives is told at once, and the buffer is the kernel's again after that.
 */
export class DatagramReceiver<S> extends ArmedMultishot {
  readonly #pool: BufferPool;
  readonly #owner: DatagramReceiverOwner<S>;
  #group: PooledGroup | undefined;
  #isWanted = false;
  readonly #remembered: (Remembered<S> | undefined)[] = [];
  /** The memory of the group that was used last, as the words that addresses are compared by. */
  #memory: ArrayBufferLike | undefined;
  #words: Int32Array = new Int32Array(0);

  constructor(engine: Engine, pool: BufferPool, owner: DatagramReceiverOwner<S>, fd: number) {
    super(engine, fd);
    this.#pool = pool;
    this.#owner = owner;
  }

  start(): void {
    this.#isWanted = true;
    this.arm();
  }

  /**
   * Nothing more is to come; until the owner is told that it has stopped, something may, which the kernel has taken for
   * it. True if nothing of it is with the kernel: then the owner is not told.
   */
  stop(): boolean {
    this.#isWanted = false;
    this.halt();
    return !this.isUnderWay;
  }

  // ---------------------------------------------------------------- the kernel

  override prepare(ring: IoUring): boolean {
    this.#group = this.#pool.pick();
    if (!ring.prepRecvmsgMultishot(this.fd, this.#group.id, MESSAGE, this.slot)) return false;
    this.owed = 1;
    return true;
  }

  protected override received(c: Completion): void {
    const { res } = c;
    const bid = c.bufferId();
    if (bid !== undefined) this.#filled(res, bid);
    else if (res < 0) this.#failed(-res);
  }

  #filled(res: number, bid: number): void {
    const group = this.#group!;
    const { pool } = group;
    const memory = group.takeView(bid, pool.bufSize);
    if (res >= DATA) this.#owner.received(memory, DATA, res, this.#senderAddressOf(memory));
    group.give(bid);
  }

  /** The sender of the datagram in `memory`. */
  #senderAddressOf(memory: Buffer): S {
    if (memory.buffer !== this.#memory) {
      this.#memory = memory.buffer;
      this.#words = new Int32Array(memory.buffer, 0, memory.buffer.byteLength >> 2);
    }
    const words = this.#words;
    const at = (memory.byteOffset + NAME) >> 2;
    const length = Math.min(words[(memory.byteOffset + IO_URING_RECVMSG_OUT.namelen) >> 2], SOCKADDR_IN6_SIZE) >> 2;
    let hash = 0;
    for (let i = 0; i < length; i++) hash = (Math.imul(hash, 31) + words[at + i]) | 0;
    hash ^= hash >>> 16;
    hash = (hash ^ (hash >>> 8)) & (SENDERS - 1);
    const found = this.#remembered[hash];
    if (found !== undefined && found.words.length === length) {
      let i = 0;
      while (i < length && words[at + i] === found.words[i]) i++;
      if (i === length) return found.sender;
    }
    const sender = this.#owner.sender(readSocketAddress(memory.subarray(NAME, NAME + length * 4)));
    this.#remembered[hash] = { words: words.slice(at, at + length), sender };
    return sender;
  }

  #failed(errno: number): void {
    if (errno === ENOBUFS) {
      // It waits for none: it gives each back in the call in which that was filled.
      if (this.#isWanted) this.#pool.relieve(this.#group);
      return;
    }
    if (errno === ECANCELED || errno === EAGAIN || errno === EINTR) return;
    if (LASTING.has(errno)) {
      if (!this.#isWanted) return;
      this.#isWanted = false;
      this.#owner.receiverLost(errno);
    } else {
      this.#owner.receiveFailed(errno);
    }
  }

  protected override left(): void {
    if (!this.#isWanted) return this.#owner.receiverStopped();
    if (this.arm()) this.engine.counters.rearms++;
  }

  /** The reactor is closed, or will be. */
  protected override lost(): void {
    if (!this.#isWanted) return this.#owner.receiverStopped();
    this.#isWanted = false;
    this.#owner.receiverLost(undefined);
  }

  /** When it comes to {@link over}, and the reactor takes nothing any more, it is refused. */
  override cancelled(): void {}
}

/**
 * All that a receive says of what it wants: room for the address. Any number of receives can say it at the same time.
 */
const MESSAGE = new Msghdr(ownOptions({ name: SOCKADDR_IN6_SIZE }));
