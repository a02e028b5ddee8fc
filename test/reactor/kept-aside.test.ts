// Completions that the kernel keeps aside because their queue is full: when that is empty again, they are told.
import assert from 'node:assert/strict';
import { closeSync, writeSync } from 'node:fs';
import { describe } from 'node:test';
import { Reactor } from '../../src/index.ts';
import { koffiNative } from '../../src/native/koffi.ts';
import { partsOf } from '../../src/reactor/reactor.ts';
import { it, without } from '../asking.ts';

/** Of a userData that is nobody's. */
const NOBODYS = 2 ** 50;

/** Before that a read of a pipe that is non-blocking does not wait. */
const skip = without('5.19', 'reads that wait on non-blocking descriptors');

describe('a completion that is kept aside', { skip }, () => {
  for (const wait of ['loop', 'ring'] as const) {
    it(
      `given wait: '${wait}' and a queue that is worked off in whole portions, is told`,
      { timeout: 60_000 },
      async () => {
        await using io = new Reactor({ wait });
        const { ring } = partsOf(io).engine;
        const fds = new Int32Array(2);
        assert.equal(koffiNative().pipe(fds), 0);
        const [reader, writer] = fds;
        const memory = Buffer.alloc(1);
        const read = io.read(reader, memory);
        await new Promise(setImmediate);
        while (ring.cqReady < ring.cqEntries) {
          for (let i = ring.sqSpaceLeft; i > 0; i--) ring.prepNop(NOBODYS);
          ring.submit();
        }
        writeSync(writer, 'x');
        ring.submitAndWait(0);
        assert.ok(ring.cqHasOverflow);
        assert.equal(await read, 1);
        assert.equal(String(memory), 'x');
        closeSync(reader);
        closeSync(writer);
      },
    );
  }
});
