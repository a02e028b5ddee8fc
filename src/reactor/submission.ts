import type { Completion } from '../ring/completion.ts';
import type { IoUring } from '../ring/io-uring.ts';

export type { Completion, IoUring };

/**
 * An engine hands these to the kernel: an operation, an armed multishot, a chain of operations.
 *
 *     free ──launch──▶ submitted ──last CQE──▶ free
 *                          │  ▲ CQE with F_MORE (multishot, or zero-copy send before its notification)
 *                          └──abort, or nobody listens──▶ cancelled ──last CQE──▶ free   only here its buffer is let go
 *
 * "Last" counts everything that was submitted under its slot: the operation itself, its time limit, a cancellation.
 * Until all of them have completed the slot is not used again, so that none can hit, or settle, a later operation.
 */
export abstract class Submission {
  // Declared only, and written by the constructor: so it is short enough to be compiled into who makes an operation.
  /** The descriptor it works on; -1 if there is none. */
  declare fd: number;
  /** The next one in the queue in front of the ring. */
  declare nextQueued: Submission | undefined;
  /** Its place in the engine's table, and its userData; -1 when nothing of it is with the kernel. */
  declare slot: number;
  /** Completions that will come as the last of something. */
  declare owed: number;
  /** It is in the queue in front of the ring. */
  declare queued: boolean;
  /** It was in the queue in front of the ring and is not wanted there any more. */
  declare dropped: boolean;
  /**
   * Completions of its own that were reaped and not told of, and where in the list of them the first is, or was.
   */
  declare untold: number;
  declare untoldAt: number;
  /** In which turn its last event was told. */
  declare toldIn: number;
  /** As long as it is with the kernel, the process is kept alive. See {@link Engine.keepAlive}. */
  declare keepsAlive: boolean;

  constructor(fd = -1) {
    this.fd = fd;
    this.nextQueued = undefined;
    this.slot = -1;
    this.owed = 0;
    this.queued = false;
    this.dropped = false;
    this.untold = 0;
    this.untoldAt = 0;
    this.toldIn = -1;
    this.keepsAlive = true;
  }

  /** Entries of the submission queue that it takes. They go in one submission. */
  get entries(): number {
    return 1;
  }

  /** May it wait for a peer, a timer or a process for ever? Those do not count when the ring is said to be full. */
  get isUnbounded(): boolean {
    return false;
  }

  /**
   * Do its completions tell a program of events of Node's own kind? Each of those is told apart, see {@link Passes}:
   * before the next comes, all ticks and microtasks that it has led to have run, as after each event of Node's.
   */
  get isEvent(): boolean {
    return false;
  }

  /**
   * Is its next event given to native code of Node's at once, which calls JavaScript as for a descriptor that it waits
   * for? It is told outside of any other call then: what the program asks for in ticks and microtasks runs when Node's
   * code has it run.
   * @param res the result of the completion
   */
  isNatives(_res: number): boolean {
    return false;
  }

  /** It goes on until somebody ends it. */
  get endless(): boolean {
    return false;
  }

  /** Those that get a slot each, if it is a chain. */
  get members(): readonly Submission[] | undefined {
    return undefined;
  }

  /** Write the entries. False when there is no room. @throws misuse; nothing was queued then */
  abstract prepare(ring: IoUring): boolean;

  /** A completion of the operation. `c` is valid during the call. */
  abstract arrived(c: Completion): void;

  /** Milliseconds that it may take from now on; undefined if it has no limit. */
  get timeLeft(): number | undefined {
    return undefined;
  }

  /**
   * Does it begin when another one is done, so that a cancellation may miss it? Asked again and again, not for ever.
   */
  startsLate(): boolean {
    return false;
  }

  /** Another one that waited for the same was cancelled, and may have had the only wake-up: begin anew. */
  rearm(): void {}

  /** Its time was over before it was with the kernel. */
  late(): void {}

  /** Its time limit is over, or was not needed: -ECANCELED. */
  expired(_res: number): void {}

  /** Nothing of it is with the kernel any more. */
  abstract over(): void;

  /** It will never be, or was never, with the kernel: misuse, or the engine is closed. */
  abstract refused(error: Error): void;

  /** Cancelled by somebody who says why: this is what it fails with, unless it succeeded. */
  abstract cancelled(error: Error): void;
}
