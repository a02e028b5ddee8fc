import { EBADFD, EOPNOTSUPP } from '../abi/errno.ts';
import { POLLHUP } from '../abi/event-flags.ts';
import { RWF_NOWAIT } from '../abi/file-flags.ts';
import { IORING_OP_READ_MULTISHOT } from '../abi/operations.ts';
import type { Completion } from '../ring/completion.ts';
import type { IoUring } from '../ring/io-uring.ts';
import type { BufferPools, PooledGroup } from './buffer-pool.ts';
import type { Engine } from './engine.ts';
import type { ManyOptions } from './multishot.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import { StreamChunks, type Chunk } from './recv-many.ts';
import { Submission } from './submission.ts';

const FORM = ownOptions({ opcode: IORING_OP_READ_MULTISHOT });

/** readMany. */
export class ReadChunks extends StreamChunks {
  #watch: HangupWatch | undefined;
  /** The other end is gone: what is left is read, until nothing is. */
  #isHungUp = false;
  #isOver = false;
  /**
   * The group of a single read in flight: it may wait in a thread of the kernel's, with the buffer that it will fill.
   */
  #reading: PooledGroup | undefined;

  constructor(engine: Engine, fd: number, options: ManyOptions | undefined, pools: BufferPools) {
    super(engine, 'read', FORM, fd, options, pools);
  }

  override next(): Promise<IteratorResult<Chunk, undefined>> {
    const result = super.next();
    if (this.#watch === undefined && !this.#isOver) {
      this.#watch = new HangupWatch(this.engine, this.fd, new WeakRef(this));
      abandoned.register(this, this.#watch, this.#watch);
      this.#watch.start();
    }
    return result;
  }

  protected override write(ring: IoUring, bgid: number): boolean {
    if (!this.#isHungUp) return ring.prepReadMultishot(this.fd, bgid, this.slot);
    if (!ring.prepRead(this.fd, null, this.pool.bufSize, this.slot)) return false;
    ring.sqeSetBufGroup(bgid);
    this.#reading = this.group;
    this.#reading!.reads++;
    return true;
  }

  override over(): void {
    if (this.#reading !== undefined) this.#reading.reads--;
    this.#reading = undefined;
    super.over();
  }

  /** A read that waits for data would wait for ever. One that does not, or a later one, tells the end. */
  hungUp(): void {
    this.#isHungUp = true;
    this.restart();
  }

  protected override fail(res: number): void {
    if (res !== -EBADFD) return super.fail(res);
    const message =
      'Cannot read many times: only pipes, sockets, terminals and other files that can be polled; use read';
    this.finish(Object.assign(new Error(message), { code: 'EBADFD', errno: res, syscall: 'read' }));
  }

  protected override ended(): void {
    this.finish();
  }

  protected override finish(error?: Error): void {
    super.finish(error);
    this.#isOver = true;
    if (this.#watch === undefined) return;
    abandoned.unregister(this.#watch);
    this.#watch.stop();
  }
}

/**
 * Tells that the other end of a file is closed, where the kernel does not. Of a file that it cannot read without
 * waiting (a named pipe that was opened without O_NONBLOCK, a terminal) it does not even try as long as there is no
 * data, and so does not come upon the end: a multishot read waits for ever then. Whether a file is such a one, a read
 * of no bytes shows that must not wait.
 */
class HangupWatch extends Submission {
  readonly #engine: Engine;
  readonly #owner: WeakRef<ReadChunks>;
  #isPolling = false;
  #res = 0;
  #isWanted = true;
  /** By which the engine knows it as long as it watches: it is told when the descriptor is closed. */
  #reference: WeakRef<Submission> | undefined;

  constructor(engine: Engine, fd: number, owner: WeakRef<ReadChunks>) {
    super(fd);
    this.#engine = engine;
    this.#owner = owner;
    // The iteration does, while it reads.
    this.keepsAlive = false;
  }

  override get isUnbounded(): boolean {
    return true;
  }

  override get endless(): boolean {
    return true;
  }

  override prepare(ring: IoUring): boolean {
    const isPrepared = this.#isPolling
      ? ring.prepPollAdd(this.fd, POLLHUP, this.slot)
      : ring.prepRead(this.fd, NOTHING, 0, this.slot, undefined, NO_WAIT);
    if (isPrepared) this.owed = 1;
    return isPrepared;
  }

  start(): void {
    this.#reference = this.#engine.begun(this);
    this.#engine.submit(this);
  }

  stop(): void {
    if (!this.#isWanted) return;
    this.#end();
    if (this.slot >= 0 || this.queued) this.#engine.cancel(this);
  }

  #end(): void {
    this.#isWanted = false;
    if (this.#reference !== undefined) this.#engine.finished(this.fd, this.#reference);
    this.#reference = undefined;
  }

  override arrived({ res }: Completion): void {
    this.#res = res;
  }

  override over(): void {
    if (!this.#isWanted) return;
    if (!this.#isPolling && this.#res === -EOPNOTSUPP) {
      this.#isPolling = true;
      return this.#engine.submit(this);
    }
    this.#end();
    if (this.#isPolling && this.#res >= 0) this.#owner.deref()?.hungUp();
  }

  override refused(): void {
    this.#end();
  }

  override cancelled(): void {
    this.#end();
  }
}

const NOTHING = new Uint8Array(0);
const NO_WAIT = ownOptions({ rwFlags: RWF_NOWAIT });

/** Iterations that nobody went on with, and that have not come to their end. */
const abandoned = new FinalizationRegistry<HangupWatch>((watch) => watch.stop());
