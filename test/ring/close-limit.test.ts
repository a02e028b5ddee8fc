// How long a close waits, on a clock that the test has in its hands: it is taken when the package is loaded.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { finalized } from '../kernel/collect.ts';
import { LINUX_5_10, LINUX_5_15, type Age } from './ages.ts';

/** Milliseconds that each call of io_uring_enter(2) takes here. */
const CALL_MS = 40;

let now = 0;
process.hrtime = Object.assign((): [number, number] => [Math.floor(now / 1e3), (now % 1e3) * 1e6], {
  bigint: process.hrtime.bigint,
});
const { open } = await import('./old-kernel.ts');

/** Close a ring with a read in flight, and forget it: how long that took, and the memory that is read into. */
function closed(age: Age): { took: number; memory: WeakRef<ArrayBufferLike> } {
  const { ring, kernel } = open(age);
  const { enter, enterWith } = kernel;
  Object.assign(kernel, {
    cancels: false,
    enter: (...call: Parameters<typeof enter>) => (now += CALL_MS, enter.apply(kernel, call)),
    enterWith: (...call: Parameters<typeof enterWith>) => (now += CALL_MS, enterWith.apply(kernel, call)),
  });
  const buffer = new Uint8Array(8);
  ring.prepRead(3, buffer, 8, 1);
  ring.submit();
  const start = now;
  ring.close();
  assert.equal(kernel.inFlight.size, 1, 'it is in flight yet');
  return { took: now - start, memory: new WeakRef(buffer.buffer) };
}

describe('closing a ring whose kernel lets go of nothing', () => {
  for (const [name, age] of [['5.10, which limits no wait', LINUX_5_10], ['5.15', LINUX_5_15]] as const) {
    it(`${name}: ends after five seconds, and keeps what the operation may write into`, async () => {
      const { took, memory } = closed(age);
      assert.ok(took >= 5000 && took < 5200, `${took} ms`);
      await finalized();
      assert.notEqual(memory.deref(), undefined, 'the kernel may write there yet');
    });
  }
});
