// The system calls that a ring really makes: some promises are about how many, and with which flags.
import { koffiNative } from '../../../src/native/koffi.ts';
import type { Native } from '../../../src/native/native.ts';

/** One io_uring_enter(2). */
export interface Enter {
  toSubmit: number;
  minComplete: number;
  flags: number;
  /** What the kernel answered: entries consumed, or `-errno`. */
  result: number;
}

/** The kernel, and a list of the calls of io_uring_enter(2) that were made. `overrides` answer in its place. */
export function watched(overrides: Partial<Native> = {}): { kernel: Native; enters: Enter[] } {
  const kernel = koffiNative();
  const enters: Enter[] = [];
  const noted = (toSubmit: number, minComplete: number, flags: number, result: number): number => {
    enters.push({ toSubmit, minComplete, flags, result });
    return result;
  };
  const watching: Native = {
    ...kernel,
    enter: (fd, toSubmit, minComplete, flags) =>
      noted(toSubmit, minComplete, flags, kernel.enter(fd, toSubmit, minComplete, flags)),
    enterWith: (fd, toSubmit, minComplete, flags, argument, size) =>
      noted(toSubmit, minComplete, flags, kernel.enterWith(fd, toSubmit, minComplete, flags, argument, size)),
    ...overrides,
  };
  return { kernel: watching, enters };
}
