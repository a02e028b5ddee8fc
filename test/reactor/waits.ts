// What a reactor's thread does while it has nothing to do: the calls in which it sleeps in its ring.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ECANCELED, ETIME } from '../../src/abi/errno.ts';
import { koffiNative } from '../../src/native/koffi.ts';
import { LOOP_READY, WAITED_LONG } from '../../src/reactor/engine/ring-sleep.ts';
import { partsOf, type Reactor } from '../../src/reactor/reactor.ts';
import { Completion } from '../../src/ring/completion.ts';

/** One call that slept, or was allowed to. */
export interface WaitCall {
  /** Milliseconds that it might have taken; Infinity where a timer of the ring ends it. */
  limitMs: number;
  /** Milliseconds that it took. */
  tookMs: number;
  /** Whether completions had come then for which their queue has no room. */
  hasOverflown: boolean;
}

/** Counts the calls in which a reactor sleeps in its ring, and keeps it at that with a timer of the kernel. */
export class Waits {
  readonly io: Reactor;
  readonly calls: WaitCall[] = [];
  /** How often the ring's poll said that the event loop has something to do. */
  loopReady = 0;
  /** How often the ring's timer has ended a wait, or might have, and how often it was taken back. */
  timedOut = 0;
  takenBack = 0;
  #isTicking = false;
  #ticking: Promise<void> | undefined;

  constructor(io: Reactor) {
    this.io = io;
    const { ring } = partsOf(io).engine;
    const submitAndWait = ring.submitAndWait.bind(ring);
    ring.submitAndWait = (waitNr, options) => {
      if (waitNr === 0) return submitAndWait(waitNr, options);
      const start = performance.now();
      try {
        return submitAndWait(waitNr, options);
      } finally {
        const tookMs = performance.now() - start;
        this.calls.push({ limitMs: options?.timeoutMs ?? Infinity, tookMs, hasOverflown: ring.cqHasOverflow });
      }
    };
    const forEachCompletion = ring.forEachCompletion.bind(ring);
    ring.forEachCompletion = (each, limit) =>
      forEachCompletion((c) => {
        if (Completion.userDataOf(c) === LOOP_READY && c.res > 0) this.loopReady++;
        if (Completion.userDataOf(c) === WAITED_LONG && c.res === -ETIME) this.timedOut++;
        if (Completion.userDataOf(c) === WAITED_LONG && c.res === -ECANCELED) this.takenBack++;
        each(c);
      }, limit);
  }

  get count(): number {
    return this.calls.length;
  }

  /**
   * Have something complete every so many milliseconds, from now on. Resolves when the thread sleeps in the ring for
   * it.
   */
  async tick(ms: number): Promise<void> {
    this.#isTicking = true;
    this.#ticking = this.#tickOn(ms);
    await this.asleep();
  }

  async #tickOn(ms: number): Promise<void> {
    while (this.#isTicking) await this.io.sleep(ms);
  }

  /** Resolves when a wait that is to come is over. */
  async asleep(): Promise<void> {
    for (const { count } = this; this.count === count;) await this.io.sleep(1);
  }

  /**
   * Do something in the pass of the loop in which the next wait is to take place, before that: it is asked for while a
   * completion is told, and the wait after that.
   */
  justBefore<T>(action: () => T): Promise<T> {
    return new Promise((resolve) => {
      const onOperation = (): void => {
        unsubscribe('iouring:operation', onOperation);
        setImmediate(() => resolve(action()));
      };
      subscribe('iouring:operation', onOperation);
    });
  }

  async stop(): Promise<void> {
    this.#isTicking = false;
    await this.#ticking;
  }

  /**
   * Do something that the event loop is told of, again and again until it has come while the thread slept in the ring.
   * Each time it must come to its end.
   */
  async isWokenBy(cause: () => Promise<unknown>): Promise<boolean> {
    const { loopReady } = this;
    // On a loaded machine it may wait in the loop nearly every time.
    for (let i = 0; i < 2000 && this.loopReady === loopReady; i++) {
      await cause();
      // After what came from the loop it waits there, for a while.
      if (this.loopReady === loopReady) await this.asleep();
    }
    return this.loopReady > loopReady;
  }
}

/** How often the event loop of this thread has gone round. */
export function passes(): number {
  return koffiNative().eventLoop()!.pass;
}
