import { POLLIN } from '../../abi/event-flags.ts';
import type { EventLoop } from '../../native/event-loop.ts';
import { clearImmediate, monotonicNow, setImmediate } from '../../native/timers.ts';
import type { IoUring } from '../../ring/io-uring.ts';

/** The userData of the poll that watches the event loop's own descriptor. */
export const LOOP_READY = 2 ** 51;
/** And of what takes back that poll, and the timer. */
export const LOOP_LEFT = LOOP_READY + 1;
/** The userData of the timer that ends a wait without a limit of its own. */
export const WAITED_LONG = LOOP_READY + 2;

/** Milliseconds that a wait may take: to wait for so long without a completion was in vain. */
const LONG_MS = 100;
/** Those of a wait that a timer has made short. */
const SHORT_MS = 1;

/** After waits in vain, so many wake-ups pass at most before the next wait. */
const FORGONE_MAX = 64;

/**
 * So many waits one after the other may be none, because something else waited for its turn, or be short and in vain.
 */
const VAIN_MAX = 2;

/** The one that sleeps in its ring on this thread: two would wake each other without end. */
const sleeper: { is: RingSleep | undefined } = { is: undefined };

/**
 * So often it may be asked in a pass of the loop how long this thread has worked before that counts. A few turns of the
 * ring do not keep others from theirs, and what ends with them, a socket for one, is told before immediates, as Node
 * tells it, however long somebody worked, or the thread had no processor.
 */
const UNCOUNTED = 4;

const nothing = (): void => {};

/**
 * Sleeping in the ring, in the place of the event loop.
 *
 * A thread that sleeps in epoll is woken for a completion by an eventfd: epoll_wait(2) twice, for the kernel interrupts
 * the first to post the completion, a read of the eventfd, a callback from native code, an immediate. A thread that
 * sleeps in io_uring_enter(2) has the completion when that call returns, and what is queued is submitted by the same
 * call.
 *
 * It sleeps in a pass of {@link Passes}. The loop's own descriptor is polled by the ring: what libuv waits for
 * (descriptors, signals, other threads) wakes the call. Timers do not, so they limit it; and what waits for its turn in
 * this pass of the loop forbids it, as does a descriptor that the loop is to watch, and has not told the kernel of: it
 * does so when it polls.
 *
 * A limit is dear where a message comes every 100 µs: the kernel sets a timer of the processor for it, and sets it
 * back, each of which leaves a virtual machine. So a wait that may be long has none, and a timer of the ring ends
 * it, which is set once for all the waits of {@link LONG_MS}.
 */
export class RingSleep {
  readonly #ring: IoUring;
  readonly #loop: EventLoop;
  readonly #options = { __proto__: null, timeoutMs: 0 } as { timeoutMs: number };
  /** The ring polls the loop's descriptor. */
  #isArmed = false;
  /** The ring's timer is set. */
  #isTimed = false;
  /** Completions have come since it was set. */
  #hasCompleted = false;
  /** It has ended the last wait, and completions had come meanwhile. */
  #isTimedOut = false;
  /** Completions came one soon after the other, so far. */
  #isWarm = false;
  /** The last wait might be a long one. */
  #wasLong = false;
  /** The last wait has shown that the loop has something to do. */
  #isLoopReady = false;
  /** Waits one after the other that brought nothing, or were none. */
  #inVain = 0;
  /** So many wake-ups are not followed by a wait, for those before brought nothing. */
  #forgone = 0;
  #forgoing = 0;
  /** When the last completions came, on the clock of `performance`. */
  #lastMs = 0;
  /** In which pass of the loop this thread is, since when it works, and how often it was asked for how long. */
  #pass = 0;
  #passMs = 0;
  #asked = 0;

  constructor(ring: IoUring, loop: EventLoop) {
    this.#ring = ring;
    this.#loop = loop;
  }

  /**
   * The thread is to be woken for the next completions. Is it worth waiting for them in the ring? False: sleep in the
   * loop.
   * @param isWoken the loop has just woken the thread with completions
   */
  isWorthIt(isWoken: boolean): boolean {
    if (isWoken) return this.#begin();
    if (!this.#isWarm || (sleeper.is !== undefined && sleeper.is !== this)) return false;
    if (sleeper.is === this) return true;
    // It had nothing in flight for a while.
    if (monotonicNow() - this.#lastMs > LONG_MS) this.#isWarm = false;
    else sleeper.is = this;
    return this.#isWarm;
  }

  #begin(): boolean {
    const now = monotonicNow();
    const gap = now - this.#lastMs;
    this.#lastMs = now;
    this.#isWarm = false;
    if (sleeper.is !== undefined && sleeper.is !== this) return false;
    if (this.#forgoing > 0) {
      this.#forgoing--;
      return false;
    }
    if (gap > LONG_MS) return false;
    sleeper.is = this;
    this.#isWarm = true;
    this.#inVain = 0;
    return true;
  }

  /** Nothing is in flight that is worth a wait: another ring of this thread may have its place. */
  rest(): void {
    if (sleeper.is === this) sleeper.is = undefined;
  }

  /**
   * Hand over what is queued, and sleep until something comes; or do neither, if something else waits for its turn.
   * @returns the entries that the kernel has consumed
   * @throws {Error} as {@link IoUring.submitAndWait}
   */
  wait(): number {
    const ring = this.#ring;
    const loop = this.#loop;
    this.#isLoopReady = false;
    this.#isTimedOut = false;
    this.#wasLong = false;
    // Until another one is cleared, the immediate that is running counts as one that waits.
    if (loop.phases === undefined) clearImmediate(setImmediate(nothing));
    const timeoutMs = Math.min(loop.timeout(), LONG_MS);
    if (timeoutMs <= 0 || loop.hasUnwatched || ring.cqReady > 0) return 0;
    if (!this.#isArmed) {
      if (!ring.prepPollAdd(loop.backendFd, POLLIN, LOOP_READY)) return 0;
      this.#isArmed = true;
    }
    this.#wasLong = timeoutMs > SHORT_MS;
    this.#options.timeoutMs = timeoutMs;
    const isUnlimited = timeoutMs === LONG_MS && this.#setTimer();
    const start = monotonicNow();
    const consumed = ring.submitAndWait(1, isUnlimited ? undefined : this.#options);
    this.#lastMs = this.#passMs = monotonicNow();
    this.#asked = 0;
    loop.addIdleTime(this.#lastMs - start);
    loop.updateTime();
    return consumed;
  }

  /** Have a timer of the ring end the wait, if there is room for it. */
  #setTimer(): boolean {
    if (this.#isTimed) return true;
    this.#hasCompleted = false;
    this.#isTimed = this.#ring.prepTimeout(LONG_MS, WAITED_LONG);
    return this.#isTimed;
  }

  /**
   * Has this thread worked for so many milliseconds since the loop went round, or since it slept, and in more than a
   * few turns? Asked in each of them.
   */
  hasWorkedFor(ms: number): boolean {
    const { pass } = this.#loop;
    if (pass === this.#pass) return ++this.#asked > UNCOUNTED && monotonicNow() - this.#passMs > ms;
    this.#pass = pass;
    this.#passMs = monotonicNow();
    this.#asked = 0;
    return false;
  }

  /**
   * The loop sleeps from now on: its descriptor is not polled meanwhile, or each of its events would wake it a second
   * time, and no timer wakes it. True if entries were written that are to be submitted.
   */
  leave(): boolean {
    const isUntimed = this.#isTimed && this.#ring.prepTimeoutRemove(WAITED_LONG, LOOP_LEFT);
    return (this.#isArmed && this.#ring.prepPollRemove(LOOP_READY, LOOP_LEFT)) || isUntimed;
  }

  /** The loop has something to do: its descriptor is readable, and is not polled any more. */
  loopReady(): void {
    this.#isArmed = false;
    this.#isLoopReady = true;
  }

  /** The ring's timer is not set any more. */
  timedOut(): void {
    this.#isTimed = false;
    this.#isTimedOut = this.#hasCompleted;
  }

  /** A wait is over, and what came with it was reaped. Is the next one worth it? False: sleep in the loop. */
  goesOn(hasCompletions: boolean): boolean {
    if (hasCompletions) {
      this.#forgone = 0;
      this.#inVain = 0;
      this.#hasCompleted = true;
      return true;
    }
    if (this.#isTimedOut && !this.#isLoopReady) return true;
    if (!this.#isLoopReady && !this.#wasLong && ++this.#inVain <= VAIN_MAX) return true;
    this.#forgone = Math.min(FORGONE_MAX, 2 * this.#forgone + 1);
    this.#forgoing = this.#forgone;
    this.#isWarm = false;
    this.rest();
    return false;
  }
}
