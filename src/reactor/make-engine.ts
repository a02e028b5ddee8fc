import { readFileSync } from 'node:fs';
import { koffiNative } from '../native/koffi.ts';
import { Engine, type Wait } from './engine.ts';
import type { Observer } from './observer.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import { prove } from './proof.ts';

/** A smaller ring is of no use. */
const PLACES_MIN = 16;

/** Bytes of locked memory that a ring takes for each entry of its two queues. */
const SQE_BYTES = 64 + 4;
const CQE_BYTES = 16;

/** A ring of this thread was proved to work. */
let isProved = false;

/**
 * An engine over a ring of so many entries, or of fewer where they are more than the memory that may be locked.
 * @throws as {@link IoUring}, or as {@link prove}: there is no ring, or none that works, of any size
 */
export function makeEngine(places: number, cqEntries: number | undefined, observer: Observer, wait: Wait): Engine {
  const completions = cqEntries ?? Math.min(65536, Math.max(256, places * 8));
  for (let size = places;;) {
    const isWhole = size === places;
    let engine: Engine | undefined;
    try {
      const options = ownOptions({
        cqEntries: isWhole ? completions : Math.max(2 * size, Math.ceil((completions * size) / places)),
      });
      engine = new Engine(size, options, koffiNative(), observer, wait);
      // Where memory is short, there may be none left for anything but the ring.
      if (!isProved || !isWhole) prove(engine.ring);
      isProved = true;
      return engine;
    } catch (error) {
      void engine?.close(false);
      // Memory that a ring had locked is free again only some time after it is closed: another one would not find it.
      if ((error as NodeJS.ErrnoException).code !== 'ENOMEM' || engine !== undefined || size <= PLACES_MIN) throw error;
      size = smaller(size, places, completions);
    }
  }
}

/** Half of it, or as much less that half of what may be locked is left for other things. */
function smaller(size: number, places: number, completions: number): number {
  const limit = lockedMemoryLimit();
  const bytes = (entries: number): number => entries * SQE_BYTES + entries * (completions / places) * CQE_BYTES;
  let half = size;
  do half = Math.max(PLACES_MIN, half >> 1);
  while (half > PLACES_MIN && bytes(half) * 2 > limit);
  return half;
}

/** RLIMIT_MEMLOCK, in bytes; Infinity where nobody says. */
function lockedMemoryLimit(): number {
  try {
    const found = /^Max locked memory\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return found === null ? Infinity : Number(found[1]);
  } catch {
    return Infinity;
  }
}
