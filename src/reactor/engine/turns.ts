/** Takes the turns in which the rooms of an engine do their work. */
export interface Turns {
  /** The ring is closed, perhaps by what a completion has set off. */
  readonly closed: boolean;
  /** How often the event loop has come round to it. */
  turns: number;
  /** Something was asked for: a turn is to follow when the microtasks have run. */
  schedule(): void;
  /** A turn is to follow when timers and others had theirs. */
  later(): void;
  /** A turn at once. `isInline`: within a pass of the loop that has seen one, so that nothing else came meanwhile. */
  turn(isInline: boolean): void;
  /**
   * Call something as a turn calls what it tells: what begins in it does not ask for another turn. Returns what it
   * does.
   */
  during(call: () => boolean): boolean;
  /** Is native code of Node's being told of something, outside of any other call? See {@link Submission.isNatives}. */
  isTellingNatives: boolean;
}

/** The numbers of all that happened. */
export interface Counters {
  submitted: number;
  completed: number;
  enters: number;
  wakeUps: number;
  inlineCompletions: number;
  rearms: number;
  strangers: number;
}

/** Is the kernel short of memory for the moment, so that it would not take what is there? That stays in the queue. */
export function isPassing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EAGAIN' || code === 'EBUSY' || code === 'ENOMEM';
}
