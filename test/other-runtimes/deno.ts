// The import map of Deno puts this in place of `node:test` for the files of test/.
import * as own from 'node:test';
import { wrap } from './node-test.ts';

declare function addEventListener(event: 'unload', listener: () => void): void;

const [wrapped, end] = wrap(own);
// Deno does not emit `exit` on the process when tests are over.
addEventListener('unload', end);

export const { it, test, describe, suite, before, after, beforeEach, afterEach, mock } = wrapped;
export default wrapped.it;
