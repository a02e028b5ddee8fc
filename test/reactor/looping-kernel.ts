import assert from 'node:assert/strict';
import {
  IORING_OP_TIMEOUT_REMOVE,
  IORING_REGISTER_EVENTFD,
  IORING_REGISTER_RING_FDS,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SQ_TASKRUN,
} from '../../src/abi/index.ts';
import type { EventLoop } from '../../src/native/event-loop.ts';
import type { Handle } from '../../src/native/native.ts';
import { LOOP_LEFT, LOOP_READY, WAITED_LONG } from '../../src/reactor/engine/ring-sleep.ts';
import { FakeKernel, type EnterCall, type Entry } from '../ring/fake-kernel.ts';

const EVENTFD = 2000;
const BACKEND_FD = 2001;

/**
 * The fake kernel with an event loop beside it: an eventfd that can be registered, and a loop that calls whoever polls
 * it. As on Linux 6.12.115 to 6.12.118, the eventfd is never signalled for work that a ring with DEFER_TASKRUN has put
 * off: such completions come when the ring is entered for them.
 */
export class LoopingKernel extends FakeKernel {
  readonly #deferred: { userData: bigint; res: number; flags: number }[] = [];
  #onReadable: (() => void) | undefined;
  #hasEventfd = false;

  constructor() {
    super();
    this.registerAnswer = (opcode) => {
      if (opcode === IORING_REGISTER_EVENTFD) this.#hasEventfd = true;
      return opcode === IORING_REGISTER_RING_FDS ? -22 : 0;
    };
  }

  /** An operation in flight completes while the thread is elsewhere. */
  complete(userData: bigint, res: number, flags = 0): void {
    this.inFlight.delete(userData);
    if (this.setupFlagsTried.at(-1)! & IORING_SETUP_DEFER_TASKRUN) {
      this.#deferred.push({ userData, res, flags });
      this.sqFlags |= IORING_SQ_TASKRUN;
      return;
    }
    this.post(userData, res, flags);
    if (this.#hasEventfd) setImmediate(() => this.#onReadable?.());
  }

  override flushOverflow(): void {
    super.flushOverflow();
    this.sqFlags &= ~IORING_SQ_TASKRUN;
    for (const { userData, res, flags } of this.#deferred.splice(0)) this.post(userData, res, flags);
  }

  override eventfd(): number {
    return EVENTFD;
  }

  override poll(): never;
  override poll(_fd?: number, onReadable?: () => void): Handle {
    this.#onReadable = onReadable;
    const nothing = (): void => {};
    return { ref: nothing, unref: nothing, close: () => (this.#onReadable = undefined) };
  }
}

/** An event loop that the test says everything of. */
export class FakeLoop implements EventLoop {
  readonly backendFd = BACKEND_FD;
  hasUnwatched = false;
  readonly phases = undefined;
  #pass = 0;
  timeoutMs = Infinity;
  idleMs = 0;
  updates = 0;

  /** It has gone round whenever somebody asks: no turn is too long. */
  get pass(): number {
    return ++this.#pass;
  }

  timeout(): number {
    return this.timeoutMs;
  }

  updateTime(): void {
    this.updates++;
  }

  addIdleTime(ms: number): void {
    this.idleMs += ms;
  }
}

/** The same with a loop that can be slept for. Entries stay in flight, but for the removal of what a wait has. */
export class SleepingKernel extends LoopingKernel {
  readonly loop = new FakeLoop();
  /** Calls that were to wait. */
  readonly waits: EnterCall[] = [];
  /** What happens during the next of them, each once: completions come, or an answer instead of the kernel's own. */
  readonly script: ((call: EnterCall) => number | void)[] = [];

  constructor() {
    super();
    this.result = ({ opcode, userData }: Entry) => {
      if (userData !== BigInt(LOOP_LEFT)) return undefined;
      return this.#remove(BigInt(opcode === IORING_OP_TIMEOUT_REMOVE ? WAITED_LONG : LOOP_READY));
    };
  }

  #remove(userData: bigint): number {
    if (!this.inFlight.delete(userData)) return -2;
    this.post(userData, -125);
    return 0;
  }

  override eventLoop(): never;
  override eventLoop(): EventLoop {
    return this.loop;
  }

  override enter(fd: number, toSubmit: number, minComplete: number, flags: number): number {
    this.#follow(toSubmit, minComplete);
    return super.enter(fd, toSubmit, minComplete, flags);
  }

  override enterWith(
    fd: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
    argument: number,
    size: number,
  ): number {
    this.#follow(toSubmit, minComplete);
    return super.enterWith(fd, toSubmit, minComplete, flags, argument, size);
  }

  /** Have the next call go by the script, if it is one that waits. */
  #follow(toSubmit: number, minComplete: number): void {
    if (minComplete === 0) return;
    const step = this.script.shift();
    this.answers.push((call) => {
      this.waits.push(call);
      const answer = step?.(call);
      if (typeof answer === 'number') return answer;
      const consumed = this.consume(toSubmit);
      if (this.ready > 0) return consumed;
      if (call.time === undefined) this.#endUnlimited();
      return consumed === 0 && call.time !== undefined ? -62 : consumed;
    });
  }

  /** Nothing else ends a wait without a limit. */
  #endUnlimited(): void {
    assert.ok(this.inFlight.has(BigInt(LOOP_READY)), 'a wait without a limit polls the loop');
    this.timeIsUp();
  }

  /** The ring's timer ends the wait. */
  timeIsUp(): void {
    assert.ok(this.inFlight.delete(BigInt(WAITED_LONG)), 'a wait without a limit has a timer');
    this.post(BigInt(WAITED_LONG), -62);
  }

  /** The ring's poll says that the loop has something to do. */
  loopIsReady(): void {
    this.inFlight.delete(BigInt(LOOP_READY));
    this.post(BigInt(LOOP_READY), 1);
  }
}
