import type { Submission } from '../submission.ts';

/**
 * userData, from the lowest bit: 18 bits of the submission's place in the table, two that say what of it has completed,
 * eleven of the place's generation; above 2^32 what the place has beyond 18 bits. So it is a small integer for V8
 * unless there are more than 262,144 submissions.
 */
const PLACE_BITS = 18;
const PLACES = 2 ** PLACE_BITS;
const PART_MASK = 3 << PLACE_BITS;
const GENERATION_STEP = 1 << (PLACE_BITS + 2);
const GENERATION_MASK = 0x7fff_ffff & ~(GENERATION_STEP - 1);
const HIGH = 2 ** 32;
const SMALL_MAX = 2 ** 31;

/** The part of a submission that has completed: to be added to its userData. */
export const TIMER = 1 << PLACE_BITS;
export const CANCEL = 2 << PLACE_BITS;
/** The part of what is no completion, but stands among them: no userData has it. */
export const CALL = PART_MASK;

/**
 * The submissions that are with the kernel, by userData. A place that is used again has another generation: what
 * completes late, or what another ring posts, settles nothing that it does not belong to.
 */
export class Slots {
  readonly #table: (Submission | undefined)[] = [];
  /** The userData that each place has now, or will have next. */
  readonly #userData: number[] = [];
  readonly #vacant: number[] = [];

  /** A place for a submission: its userData. */
  occupy(submission: Submission): number {
    const place = this.#vacant.pop() ?? this.#open();
    this.#table[place] = submission;
    return this.#userData[place];
  }

  #open(): number {
    const place = this.#table.length;
    const generation = Math.floor(Math.random() * 2 ** 11) * GENERATION_STEP;
    this.#userData.push(
      place < PLACES ? place + generation : (place % PLACES) + generation + Math.floor(place / PLACES) * HIGH,
    );
    return place;
  }

  /** Give the place of `userData` up. */
  vacate(userData: number): void {
    const place = placeOf(userData);
    this.#table[place] = undefined;
    const low = userData < SMALL_MAX ? userData : userData % HIGH;
    const next = (low & ~GENERATION_MASK) | ((low + GENERATION_STEP) & GENERATION_MASK);
    this.#userData[place] = userData - low + next;
    this.#vacant.push(place);
  }

  /** The submission that a completion is of; undefined if it is none of this engine's. */
  find(userData: number): Submission | undefined {
    const submission = this.#table[placeOf(userData)];
    const part = partOf(userData);
    // There are three parts. A fourth would be taken for a cancellation, and its submission for over while the kernel
    // has its memory.
    if (submission === undefined || submission.slot !== userData - part || part === PART_MASK) return undefined;
    return submission;
  }

  /** All that are with the kernel. */
  *[Symbol.iterator](): Generator<Submission, void, undefined> {
    for (const submission of this.#table) if (submission !== undefined) yield submission;
  }

  clear(): void {
    this.#table.length = 0;
    this.#userData.length = 0;
    this.#vacant.length = 0;
  }
}

function placeOf(userData: number): number {
  return userData < SMALL_MAX ? userData & (PLACES - 1)
    : (userData & (PLACES - 1)) + Math.floor(userData / HIGH) * PLACES;
}

/** 0, {@link TIMER} or {@link CANCEL}. */
export function partOf(userData: number): number {
  return userData & PART_MASK;
}
