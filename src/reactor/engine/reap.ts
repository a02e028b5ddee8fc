import { Completion } from '../../ring/completion.ts';
import type { IoUring } from '../../ring/io-uring.ts';
import type { Submission } from '../submission.ts';
import { Arrivals } from './arrivals.ts';
import { LOOP_LEFT, LOOP_READY, type RingSleep, WAITED_LONG } from './ring-sleep.ts';
import { partOf, type Slots } from './slots.ts';
import type { Counters } from './turns.ts';

/** The userData of a message from another ring: so much, and 32 bits that are the message's own. */
export const MESSAGE = 2 ** 48;
const MESSAGE_END = MESSAGE + 2 ** 32;

/** How many completions are taken out of the ring at once. */
const COMPLETIONS_A_REAP = 512;

/**
 * The way out: completions are taken out of the ring's queue, whose place is free then, and told afterwards. What
 * another ring has posted under a userData of its own is dropped and counted, unless it is a message.
 */
export class Reaper {
  /** Completions that were reaped, and their submissions are to be told of. */
  readonly arrivals = new Arrivals();
  /** The same of those that are events, each of which is told apart. */
  readonly events = new Arrivals();
  /** How many were reaped in this pass of the loop. */
  completions = 0;
  /** The submission that is told of messages from other rings, if there is one. */
  mailbox: Submission | undefined;
  readonly #ring: IoUring;
  readonly #slots: Slots;
  readonly #counters: Counters;
  readonly #ringSleep: RingSleep | undefined;

  constructor(ring: IoUring, slots: Slots, counters: Counters, ringSleep: RingSleep | undefined) {
    this.#ring = ring;
    this.#slots = slots;
    this.#counters = counters;
    this.#ringSleep = ringSleep;
  }

  /** Are there completions that were reaped, and of which nobody was told so far? */
  get hasArrivals(): boolean {
    return this.arrivals.length > 0 || this.events.length > 0;
  }

  /** Take out what has completed: whom it concerns is told afterwards. How many completions there were. */
  reap(): number {
    return this.#ring.forEachCompletion(this.#reaped, COMPLETIONS_A_REAP);
  }

  readonly #reaped = (c: Completion): void => {
    const userData = Completion.userDataOf(c);
    const submission = this.#slots.find(userData);
    if (submission === undefined) return this.#posted(c, userData);
    this.completions++;
    const part = partOf(userData);
    const arrivals = part === 0 && submission.isEvent ? this.events : this.arrivals;
    arrivals.push(submission, part, c.res, c.flags);
  };

  /** By another ring: a message, or what was meant for another reader. */
  #posted(c: Completion, userData: number): void {
    if (userData === LOOP_READY) this.#ringSleep?.loopReady();
    else if (userData === WAITED_LONG) this.#ringSleep?.timedOut();
    else if (userData === LOOP_LEFT) return;
    else if (userData >= MESSAGE && userData < MESSAGE_END && this.mailbox !== undefined) {
      this.completions++;
      this.mailbox.arrived(c);
    } else this.#counters.strangers++;
  }

  /**
   * Shows the completions of `submission` that it was not told of yet: results and flags, the oldest first. All that
   * has completed is taken out of the ring for it, be it that the kernel has kept it aside. How many completions it
   * has looked at.
   */
  peek(submission: Submission, see: (res: number, flags: number, number: number) => void): number {
    const ring = this.#ring;
    if (submission.slot < 0) return 0;
    let isMore = true;
    while (isMore && (ring.cqReady > 0 || ring.cqHasOverflow)) isMore = this.reap() > 0 || ring.cqReady > 0;
    return (submission.isEvent ? this.events : this.arrivals).show(submission, see);
  }
}
