import { inspect, type InspectOptions } from 'node:util';
import { ENOBUFS } from '../abi/errno.ts';
import { IORING_OP_RECV, IORING_OP_RECVMSG } from '../abi/operations.ts';
import { MSG_CMSG_CLOEXEC } from '../abi/socket-flags.ts';
import { checkFd } from '../ring/arguments/entry-fields.ts';
import type { Completion } from '../ring/completion.ts';
import { checkInteger } from '../ring/arguments/argument-errors.ts';
import type { Form } from '../ring/kernel/needed-linux.ts';
import { Msghdr, type ControlMessage, type RecvmsgOut } from '../ring/structs/msghdr.ts';
import type { IoUring } from '../ring/io-uring.ts';
import { SOCKADDR_MAX, type SocketAddress } from '../ring/structs/socket-address.ts';
import { wrongState } from '../ring/arguments/argument-errors.ts';
import type { BufferPool, BufferPools, PooledGroup, Starved } from './buffer-pool.ts';
import type { Engine } from './engine.ts';
import { withCloexec } from './methods.ts';
import { Multishot, type ManyOptions } from './multishot.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import { shown } from '../ring/shown.ts';

const RECV = ownOptions({ opcode: IORING_OP_RECV, variant: 'multishot' });
const RECVMSG = ownOptions({ opcode: IORING_OP_RECVMSG, variant: 'multishot' });

/** After so many buffers in a row that were full, or next to empty, those of the other size serve better. */
const STREAK = 8;

let isDisposed: (chunk: Chunk) => boolean;

/**
 * A piece of data that arrived: a view of a buffer that the kernel filled. It is the consumer's until it is disposed
 * of, or the iteration moves on; then the kernel fills it again.
 * @example
 * for await (const chunk of io.recvMany(socket)) {
 *   console.log(chunk.bytes.length);
 *   chunk[Symbol.dispose]();
 * }
 */
export class Chunk implements Disposable {
  readonly #group: PooledGroup;
  readonly #bid: number;
  #bytes: Uint8Array | undefined;

  /** @internal */
  constructor(group: PooledGroup, bid: number, bytes: Uint8Array) {
    this.#group = group;
    this.#bid = bid;
    this.#bytes = bytes;
  }

  /** The data, not copied. @throws {Error} `ERR_INVALID_STATE` it was disposed of, or the iteration has moved on */
  get bytes(): Uint8Array {
    if (this.#bytes !== undefined) return this.#bytes;
    const message = 'Cannot read chunk: it was disposed of, or the iteration has moved on; keep a copy() instead';
    throw wrongState('ERR_INVALID_STATE', message);
  }

  /** The data, to keep. */
  copy(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.bytes);
  }

  /** Give the buffer back. Harmless when repeated. */
  [Symbol.dispose](): void {
    if (this.#bytes === undefined) return;
    this.#bytes = undefined;
    this.#group.give(this.#bid);
  }

  /** For console.log. */
  [inspect.custom](depth: number, options: InspectOptions, show: typeof inspect): string {
    return shown(
      'Chunk',
      () => (this.#bytes === undefined ? { disposed: true } : { bytes: this.#bytes }),
      depth,
      options,
      show,
    );
  }

  static {
    isDisposed = (chunk) => chunk.#bytes === undefined;
  }
}

/**
 * A datagram, or another message with its sender.
 * @example
 * for await (const datagram of io.recvmsgMany(socket)) console.log(datagram.address, datagram.bytes.length);
 */
export class Datagram extends Chunk {
  readonly #message: RecvmsgOut;

  /** @internal */
  constructor(group: PooledGroup, bid: number, message: RecvmsgOut) {
    super(group, bid, message.payload);
    this.#message = message;
  }

  /** The address of its sender; undefined on a socket that is connected to one. */
  get address(): SocketAddress | undefined {
    void this.bytes;
    return this.#message.name;
  }

  /** Ancillary data, as far as there was room for it (`controllen`); copies. */
  get control(): ControlMessage[] {
    void this.bytes;
    return this.#message.control;
  }

  /** MSG_* bits. */
  get flags(): number {
    return this.#message.flags;
  }

  /** Was it longer than there was room for? */
  get truncated(): boolean {
    return this.#message.truncated;
  }

  /** For console.log. */
  override [inspect.custom](depth: number, options: InspectOptions, show: typeof inspect): string {
    const fields = (): object => {
      if (isDisposed(this)) return { disposed: true };
      return { address: this.address, bytes: this.bytes, flags: this.flags, truncated: this.truncated };
    };
    return shown('Datagram', fields, depth, options, show);
  }
}

const dispose = (chunk: Chunk): void => chunk[Symbol.dispose]();

/** A multishot operation that takes its buffers from the reactor's pools. */
abstract class Buffered<T extends Chunk> extends Multishot<T> implements Starved {
  protected pool: BufferPool;
  protected group: PooledGroup | undefined;

  constructor(
    engine: Engine,
    name: string,
    form: Form,
    fd: number,
    options: ManyOptions | undefined,
    pool: BufferPool,
  ) {
    super(engine, name, form, checkFd('fd', fd), options);
    this.pool = pool;
  }

  override prepare(ring: IoUring): boolean {
    this.group = this.pool.pick();
    if (!this.write(ring, this.group.id)) return false;
    this.owed = 1;
    return true;
  }

  /** Write the entry. */
  protected abstract write(ring: IoUring, bgid: number): boolean;

  /** There was something, or the end. `bid` is undefined where no buffer came. */
  protected abstract filled(res: number, bid: number | undefined, c: Completion): void;

  protected override take(c: Completion): void {
    const { res } = c;
    if (res >= 0) this.filled(res, c.bufferId(), c);
    else if (res !== -ENOBUFS) this.fail(res);
    // Unless it goes on with buffers of another size anyway.
    else if (this.group!.pool === this.pool && !this.pool.feed(this, this.group)) this.starve();
  }

  protected override releaser(): (item: T) => void {
    return dispose;
  }

  protected override finish(error?: Error): void {
    this.pool.forget(this);
    super.finish(error);
  }
}

/** A stream: TCP, unix, pipes. */
export abstract class StreamChunks extends Buffered<Chunk> {
  readonly #pools: BufferPools;
  /** Buffers in a row: full ones of the small, or ones of the large that would have fitted into a small. */
  #streak = 0;

  constructor(
    engine: Engine,
    name: string,
    form: Form,
    fd: number,
    options: ManyOptions | undefined,
    pools: BufferPools,
  ) {
    super(engine, name, form, fd, options, pools.small);
    this.#pools = pools;
  }

  protected override filled(res: number, bid: number | undefined, c: Completion): void {
    const group = this.group!;
    if (res === 0) {
      if (bid !== undefined) {
        group.take(bid, 0);
        group.give(bid);
      }
      this.ended(c);
      return;
    }
    this.#measure(res);
    this.push(new Chunk(group, bid!, group.take(bid!, res)));
  }

  /** 0 bytes came. */
  protected abstract ended(c: Completion): void;

  /** Which size would have been right? It is taken when the operation is armed anew; large ones at once. */
  #measure(res: number): void {
    const { small, large } = this.#pools;
    const isSmall = this.pool === small;
    const fits = isSmall ? res < small.bufSize : res > small.bufSize / 2;
    this.#streak = fits ? 0 : this.#streak + 1;
    if (this.#streak < STREAK) return;
    this.#streak = 0;
    this.pool.forget(this);
    this.pool = isSmall ? large : small;
    this.restart();
  }
}

/** recvMany. */
export class ReceivedChunks extends StreamChunks {
  readonly #flags: number;
  /** The last completion was of 0 bytes, though more was said to be there. */
  #wasEmpty = false;

  constructor(engine: Engine, fd: number, options: (ManyOptions & { flags?: number }) | undefined, pools: BufferPools) {
    super(engine, 'recv', RECV, fd, options, pools);
    this.#flags = options?.flags ?? 0;
  }

  protected override write(ring: IoUring, bgid: number): boolean {
    return ring.prepRecvMultishot(this.fd, bgid, this.slot, {
      flags: this.#flags,
      pollFirst: false,
      bundle: false,
      len: 0,
      limit: 0,
    });
  }

  protected override filled(res: number, bid: number | undefined, c: Completion): void {
    if (res > 0) this.#wasEmpty = false;
    super.filled(res, bid, c);
  }

  protected override ended(c: Completion): void {
    // It can be that something came since. A second time in a row it is the end.
    if (c.sockNonempty() && !this.#wasEmpty) this.#wasEmpty = true;
    else this.finish();
  }
}

/** How datagrams are received. */
export interface DatagramOptions extends ManyOptions {
  /** MSG_* bits. */
  flags?: number;
  /** Bytes of room for ancillary data, 0 … 2^16; default 0. */
  controllen?: number;
  /**
   * Are descriptors that come as ancillary data closed in programs that this process starts? Default true
   * (MSG_CMSG_CLOEXEC is set then, if there is room for any); with false `flags` alone say it.
   */
  cloexec?: boolean | undefined;
}

/** recvmsgMany. */
export class Datagrams extends Buffered<Datagram> {
  readonly #message: Msghdr;
  readonly #flags: number;

  constructor(engine: Engine, fd: number, options: DatagramOptions | undefined, pools: BufferPools) {
    const controllen = options?.controllen ?? 0;
    checkInteger('options.controllen', controllen, 0, 512);
    // Any datagram fits: what is cut off is lost.
    super(engine, 'recvmsg', RECVMSG, fd, options, pools.large);
    const flags = options?.flags ?? 0;
    this.#flags = controllen > 0 ? withCloexec(flags, options, MSG_CMSG_CLOEXEC) : flags;
    this.#message = new Msghdr(ownOptions({ name: SOCKADDR_MAX, control: controllen }));
  }

  protected override write(ring: IoUring, bgid: number): boolean {
    return ring.prepRecvmsgMultishot(this.fd, bgid, this.#message, this.slot, this.#flags);
  }

  protected override filled(res: number, bid: number | undefined): void {
    const group = this.group!;
    // An empty datagram has a buffer all the same. The shut-down of a socket has none.
    if (bid === undefined) return this.finish();
    const message = this.#message.parse(group.take(bid, res));
    if (message !== undefined) this.push(new Datagram(group, bid, message));
    else group.give(bid);
  }
}
