import assert from 'node:assert/strict';
import type { IoUring } from '../../../src/index.ts';
import { neededBy } from '../../asking.ts';

/** Kinds of misuse, by the code of their error. */
const NAMES = {
  ERR_OUT_OF_RANGE: 'RangeError',
  ERR_INVALID_ARG_TYPE: 'TypeError',
  ERR_INVALID_ARG_VALUE: 'TypeError',
  ERR_INVALID_STATE: 'Error',
  ERR_IOURING_CLOSED: 'Error',
} as const;

/** Each of `calls` throws an error of this code, and queues nothing. */
export function refused(
  ring: IoUring,
  code: keyof typeof NAMES,
  calls: readonly (() => unknown)[],
  message = /./,
): void {
  for (const call of calls) {
    const before = ring.sqReady;
    let thrown: unknown;
    try {
      call();
    } catch (error) {
      thrown = error;
    }
    // The test is skipped then.
    if (neededBy(thrown) !== undefined) throw thrown;
    const again = (): void => {
      if (thrown !== undefined) throw thrown;
    };
    assert.throws(again, { name: NAMES[code], code, message }, String(call));
    assert.equal(ring.sqReady, before, `queued by ${String(call)}`);
  }
}

/** What a caller without types may pass. */
export const any = <T>(value: unknown): T => value as T;
