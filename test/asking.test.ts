// Tests that a kernel is too old for are skipped by the name of what they need: only those, and with the reason.
import assert from 'node:assert/strict';
import { release } from 'node:os';
import { describe, it } from 'node:test';
import { neededBy, without } from './asking.ts';

describe('what a test needs of the kernel', () => {
  it('is missing on kernels before the one that brought it', () => {
    assert.equal(without('99.0', 'a thing'), `needs Linux 99.0 (a thing), this is ${release()}`);
    assert.equal(without('5.1', 'a thing'), false);
  });

  it('is read from the error that a test fails with', () => {
    const refused = new Error('Cannot send several buffers without a msghdr: needs Linux 99.17, this is 6.1');
    const inside = new Error('the test failed', {
      cause: new Error('EINVAL: invalid argument, accept: needs Linux 99.2'),
    });
    assert.match(neededBy(refused)!, /^needs Linux 99\.17 \(Cannot send several buffers without a msghdr\), this is /);
    assert.match(neededBy(inside)!, /^needs Linux 99\.2 \(accept\), this is /);
  });

  it('is no excuse for a failure of another kind, or on a kernel that has it', () => {
    assert.equal(neededBy(new assert.AssertionError({ actual: 1, expected: 2 })), undefined);
    assert.equal(neededBy(new Error('the kernel answers EINVAL')), undefined);
    assert.equal(neededBy(new Error('needs Linux 5.1, this is 5.0')), undefined);
  });
});
