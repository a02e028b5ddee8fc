import type { RingSleep } from './ring-sleep.ts';
import type { WakeUp } from './wake-up.ts';

/** How a thread sleeps that has nothing to do but to wait: in its ring where it can, or always in the event loop. */
export type Wait = 'ring' | 'loop';

/**
 * Where a thread waits for what is under way, and whether the process is kept alive for it: in the ring itself, while
 * completions keep coming; else in the event loop, which the ring wakes.
 */
export class Sleeper {
  /** The pass that was asked for waits in the ring. */
  isToWait = false;
  readonly #wakeUp: WakeUp;
  readonly #ringSleep: RingSleep | undefined;
  /** Something is under way. */
  #isBusy = false;
  /** The wake-up keeps the process alive. */
  #isHeld = true;
  /** The loop has woken this thread for the turn that follows. */
  #isWoken = false;
  /**
   * It has, and completions came with that. Where to sleep next was not chosen since: nothing was in flight, or events
   * were to be told.
   */
  #wasWoken = false;
  /** The loop is to wake this thread: its wake-up is armed. */
  #isListening = false;

  constructor(wakeUp: WakeUp, ringSleep: RingSleep | undefined) {
    this.#wakeUp = wakeUp;
    this.#ringSleep = ringSleep;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /**
   * Has this thread worked for so many milliseconds since the loop went round? Where the loop does not tell, it has
   * not.
   */
  hasWorkedFor(ms: number): boolean {
    return this.#ringSleep !== undefined && this.#ringSleep.hasWorkedFor(ms);
  }

  /** Have the wake-up keep the process alive, or not. */
  hold(isHeld: boolean): void {
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    if (isHeld) this.#wakeUp.ref();
    else this.#wakeUp.unref();
  }

  /** Something is under way from now on. */
  engage(): void {
    this.#isBusy = true;
    this.#wakeUp.engage();
  }

  /** Nothing is any more, after a turn that has waited in the ring or not, and brought completions or not. */
  disengage(hasWaited: boolean, hasCompleted: boolean): void {
    this.#isBusy = false;
    this.#wakeUp.disengage();
    if (hasWaited) this.#ringSleep!.goesOn(hasCompleted);
    this.#ringSleep?.rest();
  }

  /** The loop found completions. */
  woken(): void {
    this.#isWoken = true;
  }

  /** A turn of the loop's is over. */
  turned(hasCompleted: boolean): void {
    if (!this.#isWoken) return;
    this.#isWoken = false;
    this.#wasWoken ||= hasCompleted;
  }

  /**
   * Is the next wait one in the ring? A pass is to be asked for then, in which {@link wait} is called. If not,
   * {@link leaveRing} and {@link listen} follow.
   */
  waitsInRing(hasWaited: boolean, hasCompleted: boolean, isHolding: boolean): boolean {
    const wasWoken = this.#wasWoken;
    this.#wasWoken = false;
    const ringSleep = this.#ringSleep;
    if (ringSleep === undefined) return false;
    const isWorthIt = hasWaited ? ringSleep.goesOn(hasCompleted) : ringSleep.isWorthIt(wasWoken);
    if (!isWorthIt || !isHolding) return false;
    this.isToWait = true;
    return true;
  }

  /** Hand over what is queued, and sleep until something comes. The entries that the kernel has taken. */
  wait(): number {
    return this.#ringSleep!.wait();
  }

  /** True if entries were written for that, which are to be submitted. */
  leaveRing(): boolean {
    this.#ringSleep?.rest();
    return this.#ringSleep !== undefined && this.#ringSleep.leave();
  }

  /** Have the loop wake this thread. True if there is something already, and it will not. */
  listen(): boolean {
    this.#isListening = true;
    return this.#wakeUp.listen();
  }

  /** This thread looks by itself. */
  pauseListening(): void {
    if (!this.#isListening) return;
    this.#isListening = false;
    this.#wakeUp.pause();
  }

  end(): void {
    this.#wakeUp.close();
    this.#ringSleep?.rest();
  }
}
