// An abort in the next tick comes in time, whatever was awaited before: nothing is handed to the kernel until then.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { it } from 'node:test';
import { writeFile } from '../../src/fs/index.ts';
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
