/**
 * Milliseconds in which a ring is closed whose operations the kernel lets go of, on a loaded machine too. One that waits
 * in vain gives up after five seconds.
 */
export const CLOSED_WITHIN_MS = 4000;
