// The kernel's clocks as libc reads them: JavaScript has two of them only.
import koffi from 'koffi';

const gettime = koffi.load(null).func('int clock_gettime(int clock, void *time)') as (
  clock: number,
  time: Uint8Array,
) => number;

export const CLOCK_REALTIME = 0;
export const CLOCK_BOOTTIME = 7;

/** What a clock shows, in nanoseconds. */
export function nanoseconds(clock: number): bigint {
  const time = Buffer.alloc(16);
  if (gettime(clock, time) !== 0) throw new Error(`clock_gettime: errno ${koffi.errno()}`);
  return time.readBigInt64LE(0) * 1_000_000_000n + time.readBigInt64LE(8);
}
