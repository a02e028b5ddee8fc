import type { Completion } from '../../ring/completion.ts';
import type { Engine } from '../engine.ts';
import { Submission } from '../submission.ts';

/**
 * The state of an armed multishot.
 *
 * | state      | what of it is with the kernel                                                 |
 * |------------|-------------------------------------------------------------------------------|
 * | `free`     | nothing: it can be armed                                                      |
 * | `armed`    | all of it, or it waits for room in front of the ring                          |
 * | `stopping` | the kernel was asked to end it; the last completion, or the cancellation's, is to come |
 * | `spent`    | the last completion was seen: there is nothing to stop, and {@link Submission.over} is to come |
 * | `starved`  | nothing, or as `spent`: it ended for want of something, and is not armed before that is there |
 *
 * | from                        | event                                         | to                             |
 * |-----------------------------|-----------------------------------------------|--------------------------------|
 * | `free`                      | `arm`                                         | `armed`                        |
 * | `armed`                     | a completion that others follow               | `armed`                        |
 * | `armed`                     | the last completion                           | `spent`                        |
 * | `armed`                     | `halt`, and the kernel has it                 | `stopping`                     |
 * | `armed`                     | `halt` in front of the ring                   | `free`                         |
 * | `stopping`                  | any completion                                | `stopping`                     |
 * | `stopping`, `spent`         | `starve`                                      | `starved`                      |
 * | `stopping`, `spent`         | `over`                                        | `free`, and `left` is called   |
 * | `starved`                   | `over`                                        | `starved`, and `left` is called |
 * | `starved`                   | `fed` before `over`                           | `spent`                        |
 * | `starved`                   | `fed` after it                                | `free`, and `resumed` is called |
 * | any                         | `refused`: the ring is closed, or takes it not | `free`, and `lost` is called   |
 *
 * In all other states `arm`, `halt`, `starve` and `fed` do nothing.
 */
export type ArmedState = 'free' | 'armed' | 'stopping' | 'spent' | 'starved';

/**
 * One entry, and a completion for each arrival, until somebody ends it, or the kernel does for reasons of its own. That
 * it is to be armed again then is state, which is looked at whenever {@link left} is called: a full queue at the wrong
 * moment must not wedge it.
 */
export abstract class ArmedMultishot extends Submission {
  protected readonly engine: Engine;
  #state: ArmedState = 'free';

  constructor(engine: Engine, fd: number) {
    super(fd);
    this.engine = engine;
  }

  get state(): ArmedState {
    return this.#state;
  }

  /** Is something of it with the kernel, or on the way there? */
  get isUnderWay(): boolean {
    return this.#state === 'starved' ? this.slot >= 0 : this.#state !== 'free';
  }

  override get isUnbounded(): boolean {
    return true;
  }

  override get endless(): boolean {
    return true;
  }

  // ---------------------------------------------------------------- what its owner does

  /** Hand it to the kernel, if it is free. Was it? */
  protected arm(): boolean {
    if (this.#state !== 'free') return false;
    this.#state = 'armed';
    // Its place in front of the ring may be one that it has given up.
    this.dropped = false;
    this.engine.submit(this);
    return true;
  }

  /**
   * Have the kernel end it, if it is armed. False if it waited in front of the ring, and was just taken from there:
   * nothing comes of it.
   */
  protected halt(): boolean {
    if (this.#state !== 'armed') return true;
    const isWithKernel = this.engine.cancel(this);
    this.#state = isWithKernel ? 'stopping' : 'free';
    return isWithKernel;
  }

  /** The kernel has ended it for want of something: {@link fed} is called when that is there. */
  protected starve(): void {
    if (this.#state === 'spent' || this.#state === 'stopping') this.#state = 'starved';
  }

  /** The thing that it was starved of is there, or it does not wait for that any more. */
  fed(): void {
    if (this.#state !== 'starved') return;
    this.#state = this.slot < 0 ? 'free' : 'spent';
    if (this.#state === 'free') this.resumed();
  }

  // ---------------------------------------------------------------- what its owner is told

  /** A completion. `c` is valid during the call. */
  protected abstract received(c: Completion): void;

  /** Nothing of it is with the kernel any more: it may be armed again. */
  protected abstract left(): void;

  /** It is not starved any more, and nothing of it is with the kernel. */
  protected resumed(): void {}

  /** It will not be with the kernel any more. */
  protected abstract lost(error: Error): void;

  // ---------------------------------------------------------------- what the engine tells

  override arrived(c: Completion): void {
    if (this.#state === 'armed' && !c.hasMore()) this.#state = 'spent';
    this.received(c);
  }

  override over(): void {
    if (this.#state !== 'starved') this.#state = 'free';
    this.left();
  }

  override refused(error: Error): void {
    this.#state = 'free';
    this.slot = -1;
    this.lost(error);
  }
}
