import type { ring } from './ring-side.ts';

type RingSide = typeof ring;

let loaded: RingSide | undefined;
let load: () => RingSide | undefined = () => undefined;

/**
 * Say how the modules behind the ring are loaded: most programs that listen have no connection that needs them, and
 * they take longer to load than the rest of the start. `iouring/net` has them from the beginning.
 * @param loader makes nothing of a failure: undefined, and it is called again by the next that needs them
 */
export function loadRingBy(loader: () => RingSide | undefined): void {
  load = loader;
}

/** The modules behind the ring, which are loaded now if they are not yet; undefined where they cannot be. */
export function ringSide(): RingSide | undefined {
  return (loaded ??= load());
}

/** The same, if a connection has needed them so far. */
export function ringSideSoFar(): RingSide | undefined {
  return loaded;
}
