/**
 * A socket that is Node's is Node's altogether: its methods, its handle, and nothing of ours in between, but that each
 * write counts down a number. Only when that has come to an end somebody looks whether many are written, and at each
 * write for a while then.
 */
import { monotonicNow } from '../../native/timers.ts';
import { countAtNode } from './changing-ways.ts';
import { isOurs } from './prototypes.ts';
import { forget, last, load, worth } from './worth.ts';

/** Writes are few if there is not one in so many milliseconds. */
const EACH_MS = 4;
/** While that does not show whether the ring pays, each write is looked at for so many milliseconds at most. */
const UNMEASURED_MS = 1000;
/** Where it pays, each write is looked at until no connection was taken for so many milliseconds. */
const PATIENCE_MS = 4000;
/** The most that a rest grows to, in times of what it is at first. */
const LONGEST = 16;
/** Looks at writes between two at the clock. */
const LOOKS = 256;
/** After so many it is plain where a few connections write much. */
const PLAIN = 2048;

/** Writes until the next that is looked at. */
let unwatched = 1;

/** The stretch in which each write is looked at: its number, when it began, and how many there were. */
let stretch = 0;
let beganAt = 0;
let isWatching = false;
let looks = 0;

/** The rest before that: how many writes it is long, when it began, and in which turn of the event loop. */
let rest = 1;
let restsSince = 0;
let restsSinceTurn = 0;
let times = 1;

/** Data is about to be written to a socket that is Node's. */
export function watch(socket: object): void {
  if (--unwatched <= 0) unwatched = observe(socket);
}

/** Have the next write looked at in any case. */
export function watchNext(): void {
  unwatched = 1;
}

/**
 * The same for whoever counts alone.
 * @returns the how many-th write of all such sockets is to be told of next
 */
export function observe(socket: object): number {
  if (!isWatching && !begins()) return rest;
  // More of the message before is not counted, unless every connection is to be taken: where only one writes the ring
  // does not pay.
  if ((socket !== last || worth.pays === 0) && isOurs(socket)) countAtNode(socket, stretch);
  if (++looks % LOOKS > 0 || worth.rest === 0 || goesOn()) return 1;
  return rest;
}

function begins(): boolean {
  const now = monotonicNow();
  const { turn } = load;
  const isBusy = now - restsSince < rest * EACH_MS;
  // There were not more messages than writes.
  const mayPay = load.pays || rest / Math.max(1, turn - restsSinceTurn) >= worth.pays;
  if (worth.rest > 0 && !(isBusy && mayPay)) {
    beginRest(worth.unwatched, now);
    return false;
  }
  isWatching = true;
  stretch++;
  beganAt = now;
  looks = 0;
  load.beginAnew();
  return true;
}

function beginRest(writes: number, now: number): void {
  rest = writes;
  restsSince = now;
  restsSinceTurn = load.turn;
}

function goesOn(): boolean {
  const now = monotonicNow();
  const isMeasured = load.wasMeasuredSince(beganAt);
  const isWorthIt = isMeasured && load.paysFor(worth.sustained);
  const until = isWorthIt && !load.isDeclined ? Math.max(beganAt, load.tookAt) + PATIENCE_MS
    : beganAt + (isMeasured ? 0 : UNMEASURED_MS);
  const isInVain = !isMeasured && looks >= PLAIN && load.isFarFromPaying;
  if (now < until && !isInVain) return true;
  // That it pays is to be seen again and again, until it has for long enough.
  const isHopeful = load.tookAt > beganAt || (isMeasured && load.pays && !isWorthIt);
  times = isHopeful ? 1 : Math.min(2 * times, LONGEST);
  isWatching = false;
  beginRest(Math.max(worth.unwatched, looks * worth.rest * times), now);
  forget();
  return false;
}
