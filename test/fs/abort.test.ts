// An abort in the next tick comes in time, whatever was awaited before: nothing is handed to the kernel until then.
// What is with the kernel is stopped there.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { it } from 'node:test';
import { appendFile, open, readFile, writeFile } from '../../src/fs/index.ts';
import { defaultReactor } from '../../src/index.ts';
import { Temporary } from '../kernel/temporary.ts';

it('an abort in the next tick', async () => {
  using temporary = new Temporary();
  const [one, other] = ['one', 'other'].map((name) => join(temporary.path, name));
  const bytes = Buffer.alloc(3000, 'bytes');
  for (let i = 0; i < 20; i++) {
    await writeFile(one, bytes);
    const controller = new AbortController();
    process.nextTick(() => controller.abort());
    await assert.rejects(writeFile(other, bytes, { signal: controller.signal }), { name: 'AbortError' });
  }
});

const byNode = process.env['IOURING_DISABLED'] === '1' &&
  'only the ring can stop them: this is the run without io_uring';

it('given any number of operations that wait for the other end of a pipe, they are stopped in the kernel', {
  skip: byNode,
}, async () => {
  using temporary = new Temporary();
  const path = join(temporary.path, 'pipe');
  execFileSync('mkfifo', [path]);
  const much = Buffer.alloc(2_000_000);
  const waiting: Record<string, (signal: AbortSignal) => Promise<unknown>> = {
    readFile: (signal) => readFile(path, { signal }),
    writeFile: (signal) => writeFile(path, 'x', { signal }),
    'writeFile of much': (signal) => writeFile(path, much, { signal }),
    'writeFile of pieces': (signal) => writeFile(path, ['x', much], { signal }),
    // Not in its documentation, but it has one.
    appendFile: (signal) => appendFile(path, 'x', { signal } as object),
    'appendFile of much': (signal) => appendFile(path, much, { signal } as object),
    'writeFile of a handle': async (signal) => {
      await using handle = await open(path, 'r+');
      await handle.writeFile(much, { signal });
    },
    'readFile of a handle': async (signal) => {
      await using handle = await open(path, 'r+');
      await handle.readFile({ signal });
    },
  };
  for (const [name, call] of Object.entries(waiting)) {
    const controller = new AbortController();
    const stopped = assert.rejects(call(controller.signal), { name: 'AbortError' }, name);
    // It is with the kernel by then.
    setImmediate(() => setImmediate(() => controller.abort()));
    await stopped;
  }
  assert.equal(defaultReactor().stats.inFlight, 0);
});
