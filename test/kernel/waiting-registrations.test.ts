// Registrations in which older kernels wait for what is in flight: each is made or refused in time, on whatever kernel this is.
import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { POLLIN } from '../../src/abi/event-flags.ts';
import { IOSQE_FIXED_FILE } from '../../src/abi/flags.ts';
import { IoUring } from '../../src/index.ts';
import { koffiNative } from '../../src/native/koffi.ts';
import { it } from '../asking.ts';
import { Descriptors } from './libc.ts';
import { isQuiet } from './operations/completions.ts';
import { complete } from './reap.ts';

/** Longer than the call waits, shorter than for ever. */
const PATIENCE_MS = 10_000;

/** The things that an operation may be about: slot 0 has the reader, too, and the buffer is registered as number 0. */
interface Things {
  ring: IoUring;
  reader: number;
  buffer: Uint8Array;
}

const uses: [what: string, use: (things: Things) => void][] = [
  ['a read of a slot', ({ ring }) => {
    ring.prepRead(0, Buffer.alloc(4), 4, 1);
    ring.sqeSetFlags(IOSQE_FIXED_FILE);
  }],
  ['a poll of a slot', ({ ring }) => {
    ring.prepPollAdd(0, POLLIN, 1);
    ring.sqeSetFlags(IOSQE_FIXED_FILE);
  }],
  ['a read into a registered buffer', ({ ring, reader, buffer }) => {
    ring.prepRead(reader, buffer, 4, 1, null, { fixed: 0 });
  }],
];
const registrations: [what: string, register: (ring: IoUring) => void][] = [
  ['unregisterFiles', (ring) => ring.unregisterFiles()],
  ['unregisterBuffers', (ring) => ring.unregisterBuffers()],
];

/** Make it: at once, or where the kernel would wait, when the operation in flight is over. */
function makeInTime(ring: IoUring, make: () => void, end: () => void): void {
  const start = performance.now();
  let refusal: unknown;
  try {
    make();
    assert.ok(isQuiet(ring), 'the operation goes on');
  } catch (error) {
    refusal = error;
  }
  end();
  if (refusal !== undefined) {
    const { code, message } = refusal as NodeJS.ErrnoException;
    assert.equal(code, 'EBUSY');
    assert.match(message, /cancel or reap them first; going on without needs Linux \d/);
    make();
  }
  const took = performance.now() - start;
  assert.ok(took < PATIENCE_MS, `${took} ms`);
  const { userData, res } = complete(ring);
  assert.equal(userData, 1);
  assert.ok(res > 0, `${res}`);
}

for (const [use, prepare] of uses) {
  for (const [what, register] of registrations) {
    it(`${what} with ${use} in flight is made or refused in time`, () => {
      using files = new Descriptors();
      using ring = new IoUring(8);
      const [reader, writer] = files.pipe();
      const buffer = new Uint8Array(64);
      ring.registerFiles([reader]);
      ring.registerBuffers([buffer]);
      prepare({ ring, reader, buffer });
      ring.submit();
      assert.ok(isQuiet(ring));
      makeInTime(ring, () => register(ring), () => void writeSync(writer, 'data'));
    });
  }
}

it('registerEventfd, registerFiles and registerBuffers with a poll in flight are made or refused in time', () => {
  using files = new Descriptors();
  for (
    const register of [
      (ring: IoUring) => ring.registerEventfd(files.own(koffiNative().eventfd())),
      (ring: IoUring) => ring.registerFiles([0]),
      (ring: IoUring) => ring.registerBuffers([new Uint8Array(8)]),
    ]
  ) {
    using ring = new IoUring(8);
    const [reader, writer] = files.pipe();
    ring.prepPollAdd(reader, POLLIN, 1);
    ring.submit();
    makeInTime(ring, () => register(ring), () => void writeSync(writer, 'data'));
  }
});
