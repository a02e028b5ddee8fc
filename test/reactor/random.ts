/** Numbers that look random and are the same for the same seed: 0 … n-1. */
export function randomOf(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % n;
  };
}

/** The seed of this run: of IOURING_SEED, or any. */
export const SEED = Number(process.env['IOURING_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
