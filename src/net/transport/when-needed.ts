// The context of nobody is that of the program's beginning, and not of whoever is the first to need the ring.
// oxlint-disable-next-line import/no-unassigned-import
import '../../native/nobody.ts';
import { setImmediate } from '../../native/timers.ts';

/**
 * Modules that are loaded when somebody needs them: most programs have no socket that goes through the ring, and what
 * is behind it takes longer to load than the rest of the start.
 */
export class WhenNeeded<T> {
  #loaded: T | undefined;
  #load: (() => T | undefined) | undefined;

  /**
   * Say how they are loaded. Entry points that are about sockets have them from the beginning.
   * @param load makes nothing of a failure: undefined, and it is called again by the next that needs them
   */
  loadBy(load: () => T | undefined): void {
    this.#load = load;
  }

  /** Has somebody said how they are loaded? */
  get isLoadable(): boolean {
    return this.#load !== undefined;
  }

  /** They are loaded now if they are not yet; undefined where they cannot be. */
  get(): T | undefined {
    return (this.#loaded ??= this.#load?.());
  }

  /** The same, if somebody has needed them so far. */
  get soFar(): T | undefined {
    return this.#loaded;
  }
}

/** The same, with the ring itself. */
export class RingWhenNeeded<T extends { ringForSockets(): unknown }> extends WhenNeeded<T> {
  #isReady = false;
  #isGettingReady = false;

  /**
   * Are they loaded, and is the ring made? If not that begins, in turns of their own: for the sake of a socket that can
   * wait not all others of the program have to wait as long as both take together.
   */
  get isReady(): boolean {
    if (!this.#isReady && !this.#isGettingReady) {
      this.#isGettingReady = true;
      setImmediate(() => {
        const loaded = this.get();
        setImmediate(() => {
          // Where they cannot be had, whoever needs them finds out why.
          this.#isReady = true;
          loaded?.ringForSockets();
        });
      });
    }
    return this.#isReady;
  }
}
