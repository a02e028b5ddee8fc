import { callbackScope, type InCallbackScope } from '../../native/callback-scope.ts';
import type { Phases } from '../../native/event-loop.ts';
import type { Native } from '../../native/native.ts';
import { NOBODY } from '../../native/nobody.ts';
import { setImmediate, tellUncaughtBy } from '../../native/timers.ts';

/**
 * A call in a pass of the event loop. It returns the function that tells the program of something, if there is
 * anything: that is called with ticks and microtasks behind it, and with nothing above it that an error would keep
 * which is made in one of them, for its stack.
 */
export type Call = () => (() => void) | undefined;

/** Where in its passes the event loop calls, in the context of nobody. */
export interface Passes {
  /** Is the next pass a long way, with immediates of others, and timers, in between? */
  readonly areFar: boolean;
  /** Have it called in the next pass, behind those that were asked for before. */
  ask(call: Call): void;
  /** Have it called behind the one that is being called: in the same pass if {@link isFollowed}, else in the next. */
  follow(call: Call): void;
  /** Is one being called that others may follow in the same pass? */
  readonly isFollowed: boolean;
  /** The loop has called, for what it found: call this as if it had been asked for. */
  enter(call: Call): void;
  /**
   * Have the program told where the loop tells of what was closed: behind immediates, and before timers. Those that
   * were asked for last come first, as with libuv.
   */
  close(tell: () => void): void;
}

function callAsNobody(call: Call): void {
  const tell = call();
  if (tell !== undefined) NOBODY.runInAsyncScope(tell);
}

/**
 * Where there is nothing else each is an immediate. Immediates that a program asks for meanwhile come behind timers
 * then, in the next pass; with Node's own sockets they come first.
 */
const IMMEDIATES: Passes = {
  areFar: true,
  ask: (call) => void setImmediate(callAsNobody, call),
  follow: (call) => void setImmediate(callAsNobody, call),
  isFollowed: false,
  enter: (call) => void setImmediate(callAsNobody, call),
  close: (tell) => void setImmediate(() => NOBODY.runInAsyncScope(tell)),
};

/** Before the loop polls, as if those who are told had waited for a descriptor. */
class LoopPasses implements Passes {
  readonly areFar = false;
  readonly #inScope: InCallbackScope;
  readonly #phases: Phases;
  /** Calls for the next pass. */
  #asked: Call[] = [];
  /** Calls of this one. */
  #called: Call[] = [];
  /** The next of them. */
  #next = 0;
  /** So many of them were asked for. Those that follow the others are for the next pass: this one would never end. */
  #leading = 0;
  #isInPass = false;
  /** Those that wait for what was closed. */
  #closed: (() => void)[] = [];

  constructor(phases: Phases, inScope: InCallbackScope) {
    this.#phases = phases;
    this.#inScope = inScope;
    phases.beforePoll = () => this.#pass();
    phases.closed = () => this.#tellClosed();
    tellUncaughtBy((error) =>
      inScope(() => {
        throw error;
      })
    );
  }

  ask(call: Call): void {
    this.#asked.push(call);
    this.#phases.start();
  }

  get isFollowed(): boolean {
    return this.#isInPass && this.#next <= this.#leading;
  }

  follow(call: Call): void {
    if (this.isFollowed) this.#called.push(call);
    else this.ask(call);
  }

  enter(call: Call): void {
    if (this.#isInPass) return this.ask(call);
    this.#called.push(call);
    this.#callAll();
  }

  #pass(): void {
    // The list is empty that was called before, and one that was used costs less than a new one.
    [this.#asked, this.#called] = [this.#called, this.#asked];
    this.#callAll();
    if (this.#asked.length === 0) this.#phases.stop();
  }

  #callAll(): void {
    const called = this.#called;
    this.#isInPass = true;
    this.#leading = called.length;
    for (this.#next = 0; this.#next < called.length;) {
      const tell = called[this.#next++]();
      if (tell !== undefined) this.#inScope(tell);
    }
    called.length = 0;
    this.#isInPass = false;
  }

  close(tell: () => void): void {
    if (this.#closed.push(tell) === 1) this.#phases.close();
  }

  #tellClosed(): void {
    const closed = this.#closed;
    this.#closed = [];
    for (let i = closed.length - 1; i >= 0; i--) this.#inScope(closed[i]);
  }
}

/** Those of this thread. */
let passes: Passes | undefined;

/** Those of the thread that `native` is of. */
export function passesOf(native: Native): Passes {
  const phases = native.eventLoop()?.phases;
  if (phases === undefined) return IMMEDIATES;
  if (passes === undefined) {
    const inScope = NOBODY.runInAsyncScope(callbackScope);
    passes = inScope === undefined ? IMMEDIATES : new LoopPasses(phases, inScope);
  }
  return passes;
}
