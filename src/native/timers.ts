import type * as timers from 'node:timers';
import { builtin } from './builtin.ts';

/*
 * These are Node's timers as they were when this package was loaded. A test that puts fake ones in their place (sinon,
 * jest) means those of the program under test: an engine that went by them would stand still, and node:net does not.
 * They come from modules: jest with jsdom takes setImmediate off the global object.
 */
const { setTimeout, clearTimeout, setImmediate, clearImmediate } = builtin('node:timers') as typeof timers;
const nextTick = process.nextTick.bind(process);
const hrtime = process.hrtime.bind(process);
const [loadedSeconds, loadedNanoseconds] = hrtime();

/**
 * Milliseconds since this was loaded, on the clock of `performance`, which such a test stops as well: a limit on a wait
 * would never be over. `performance` itself is 1.2 MiB that most programs do not load.
 */
function monotonicNow(): number {
  const [seconds, nanoseconds] = hrtime();
  return (seconds - loadedSeconds) * 1e3 + (nanoseconds - loadedNanoseconds) / 1e6;
}

/** Has an error be uncaught: in a tick, where there is nothing better. */
let tellUncaught = (error: unknown): void => nextTick(rethrow, error);

/** Have uncaught errors told at once by `tell`. */
export function tellUncaughtBy(tell: (error: unknown) => void): void {
  tellUncaught = tell;
}

/** Throw what nobody is there to catch, as a call by the event loop would. */
export function throwUncaught(error: unknown): void {
  tellUncaught(error);
}

function rethrow(error: unknown): never {
  throw error;
}

export { setTimeout, clearTimeout, setImmediate, clearImmediate, nextTick, monotonicNow };
