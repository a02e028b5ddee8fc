// Completions that the kernel keeps aside because their queue is full: when that is empty again, they are told.
import assert from 'node:assert/strict';
import { closeSync, readSync, writeSync } from 'node:fs';
import { describe } from 'node:test';
import { POLLIN } from '../../src/abi/index.ts';
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
        const [reader, writer] = pipe();
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
        assert.equal(io.stats.overflows, 1);
        closeSync(reader);
        closeSync(writer);
      },
    );
  }
});

/** Polls whose completions come all at once, when their pipe is written to: more than fit into the queue. */
const POLLS = 24;
const PLACES = 8;

describe('stats.overflows', { skip: without('5.8', 'the flag IORING_SQ_CQ_OVERFLOW') }, () => {
  it('counts each time that completions were kept aside, and not each call that some of them came with', async () => {
    await using io = new Reactor({ entries: PLACES, cqEntries: PLACES, wait: 'loop' });
    const [reader, writer] = pipe();
    for (let round = 1; round <= 3; round++) {
      const polls = Array.from({ length: POLLS }, () => io.poll(reader, POLLIN));
      await new Promise(setImmediate);
      assert.equal(io.stats.inFlight, POLLS);
      writeSync(writer, 'x');
      await Promise.all(polls);
      assert.equal(io.stats.overflows, round);
      readSync(reader, Buffer.alloc(1));
    }
    closeSync(reader);
    closeSync(writer);
  });
});

function pipe(): [reader: number, writer: number] {
  const fds = new Int32Array(2);
  assert.equal(koffiNative().pipe(fds), 0);
  return [fds[0], fds[1]];
}
