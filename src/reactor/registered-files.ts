import { setImmediate } from '../native/timers.ts';
import { IOSQE_FIXED_FILE } from '../abi/flags.ts';
import type { IoUring } from '../ring/io-uring.ts';
import { version } from '../ring/kernel/proven-kernel.ts';
import { coreOf } from '../ring/ring-core.ts';

/** How many files can be registered at once. */
const PLACES = 1024;

/** Files that the kernel need not look up at every operation. */
export class RegisteredFiles {
  readonly #ring: IoUring;
  #vacant: number[] | undefined;

  constructor(ring: IoUring) {
    this.#ring = ring;
  }

  /** Its place; undefined: there is no table, or no room in it. */
  register(fd: number): number | undefined {
    const vacant = (this.#vacant ??= this.#makeTable());
    const place = vacant.pop();
    if (place === undefined) return undefined;
    try {
      this.#ring.registerFilesUpdate(place, [fd]);
    } catch (error) {
      vacant.push(place);
      throw error;
    }
    return place;
  }

  unregister(place: number): void {
    if (this.#ring.closed) return;
    // What is prepared by this place is handed over first: it would find another file there, or none.
    if (this.#ring.sqReady > 0) return void setImmediate(() => this.unregister(place));
    this.#ring.registerFilesUpdate(place, [-1]);
    this.#vacant!.push(place);
  }

  #makeTable(): number[] {
    const ring = this.#ring;
    try {
      ring.registerFilesSparse(PLACES);
    } catch {
      // Before 5.19 the same is asked for place by place; before 5.13 that waits for what is in flight.
      if (!coreOf(ring).resources.kernel.isFrom(version('5.13'))) return [];
      try {
        ring.registerFiles(Array.from({ length: PLACES }, () => -1));
      } catch {
        return [];
      }
    }
    return Array.from({ length: PLACES }, (_, i) => PLACES - 1 - i);
  }
}

/** The descriptor of the entry that was just written is a registered file's place. */
export function markRegisteredFile(ring: IoUring): true {
  ring.sqeSetFlags(IOSQE_FIXED_FILE);
  return true;
}
