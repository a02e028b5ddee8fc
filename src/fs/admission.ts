import { Limit } from '../reactor/limit.ts';

/** So many files are open at once for what is done with whole files. */
const FILES_MAX = 256;

/** After so many milliseconds in which none was done, one more is let in. */
const STUCK_MS = 20;

/**
 * For what opens a file, does something with all of it, and closes it: a program that reads ten thousand files at once
 * would open them all before the first is read, and run out of descriptors.
 */
export const admission = new Limit(FILES_MAX, STUCK_MS);
