import { release } from 'node:os';
import { FEATURES, IORING_FEAT_LINKED_FILE, SETUP_FLAGS, type Flag } from '../../abi/flags.ts';
import { OPERATIONS } from '../../abi/operations.ts';

/** A kernel's version as one number that can be compared: 5015 is Linux 5.15. */
export type Version = number;

/** `'5.15'` as a number. */
export function version(since: string): Version {
  const [major, minor] = since.split('.').map(Number);
  return 1000 * major + minor;
}

/** The Linux that a thing needs, in words. */
export const needs = (since: string): string => `needs Linux ${since}, this is ${release()}`;

const dated = (rows: readonly Flag[]): [value: number, since: Version][] =>
  rows.filter(({ value }) => value !== IORING_FEAT_LINKED_FILE).map(({ value, since }) => [value, version(since)]);

/** Features of the kernel. Not LINKED_FILE: stable kernels got it that lack what came with it. */
const BY_FEATURE = dated(FEATURES);
const BY_SETUP_FLAG = dated(SETUP_FLAGS);

/**
 * How new the io_uring of a kernel is at least, by what it has shown: the features that it tells, the set-up flags that
 * it took, the last operation that it knows. Its name proves nothing: distributions give old kernels the io_uring of
 * younger ones.
 */
export class ProvenKernel {
  #proven: Version;
  /** Tells the last operation that the kernel knows, or -1. Asked once, when the rest is not enough. */
  readonly #askLast: () => number;
  #lastOperation: number | undefined;

  constructor(features: number, setupFlags: number, lastOperation: () => number) {
    const found = (rows: [number, Version][], flags: number): Version =>
      rows.reduce((most, [value, since]) => (flags & value ? Math.max(most, since) : most), 0);
    this.#proven = Math.max(found(BY_FEATURE, features), found(BY_SETUP_FLAG, setupFlags));
    this.#askLast = lastOperation;
  }

  /** Is it proved that what came with this version is there? */
  isFrom(since: Version): boolean {
    return this.#proven >= since || (this.#lastOperation === undefined && this.#ask() >= since);
  }

  /** It has done what came with this version. */
  prove(since: Version): void {
    this.#proven = Math.max(this.#proven, since);
  }

  /** Does it know the operation? Yes, where it does not tell. */
  hasOperation(opcode: number): boolean {
    if (this.#lastOperation === undefined) this.#ask();
    return this.#lastOperation! < 0 || opcode <= this.#lastOperation!;
  }

  #ask(): Version {
    const last = this.#askLast();
    this.#lastOperation = last;
    for (const { code, since } of OPERATIONS) {
      if (code <= last) this.#proven = Math.max(this.#proven, version(since));
    }
    return this.#proven;
  }
}
