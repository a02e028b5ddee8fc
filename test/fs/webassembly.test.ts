// WebAssembly memory is copied, and never marked as one that must not be transferred: to grow it would end the process
// then.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import threads from 'node:worker_threads';
import { appendFile, open, readFile, writeFile } from '../../src/fs/index.ts';
import { Temporary } from '../kernel/temporary.ts';

/** Its types come with the browser's, which this project has not. */
declare const WebAssembly: {
  Memory: new (
    descriptor: { initial: number; maximum?: number; shared?: boolean },
  ) => { readonly buffer: ArrayBuffer; grow(pages: number): number };
};

it('every call takes WebAssembly memory, which can grow afterwards, and while it is at it', async (t) => {
  const marked: object[] = [];
  const { markAsUntransferable } = threads;
  t.mock.method(threads, 'markAsUntransferable', (memory: object) => {
    marked.push(memory);
    markAsUntransferable(memory);
  });
  using folder = new Temporary();
  const path = join(folder.path, 'x');
  for (const size of [9, 5000, 40_000, 600_000]) {
    for (const how of ['w+', { flags: 'w+', fixed: true }, { flags: 'w+', direct: true }] as const) {
      // A direct write is as long as it has to be.
      const isDirect = typeof how === 'object' && 'direct' in how;
      const length = isDirect ? Math.ceil(size / 4096) * 4096 : size;
      const memory = new WebAssembly.Memory({ initial: 20, maximum: 60 });
      const view = (): Uint8Array<ArrayBuffer> => new Uint8Array(memory.buffer, 4096, length);
      const buffers = new Set<object>();
      // Each has a buffer of its own: to grow it gives the memory another, which is as large.
      const used = async (call: (bytes: Uint8Array<ArrayBuffer>) => Promise<unknown>): Promise<void> => {
        buffers.add(memory.buffer);
        await call(view());
        memory.grow(1);
        assert.equal(view().length, length);
      };
      view().fill(7);
      await used((bytes) => writeFile(path, bytes));
      await used((bytes) => writeFile(path, [bytes, bytes]));
      await used((bytes) => writeFile(path, bytes, { signal: new AbortController().signal }));
      await used((bytes) => appendFile(path, bytes));
      const handle = await open(path, how as 'w+').catch((error: NodeJS.ErrnoException) => error);
      if (handle instanceof Error) {
        assert.equal(handle.code, 'EINVAL', 'a file system without direct I/O');
        continue;
      }
      await used((bytes) => handle.write(bytes, 0, length, 0));
      await used((bytes) => handle.write(bytes));
      await used((bytes) => handle.writev([bytes, bytes], 0));
      await used((bytes) => handle.writeFile(bytes));
      await used((bytes) => handle.appendFile(bytes));
      await used((bytes) => handle.writeFile([bytes] as never));
      await used((bytes) => handle.read(bytes, 0, length, 0));
      await used((bytes) => handle.read(bytes));
      await used((bytes) => handle.readv([bytes, bytes], 0));
      assert.ok(view().every((byte) => byte === 7));
      // It grows while it is read into: the view is of nothing any more.
      const reading = handle.read(view(), 0, length, 0);
      memory.grow(1);
      await reading.catch(({ code }: NodeJS.ErrnoException) => assert.equal(typeof code, 'string'));
      await handle.close();
      assert.ok(readFileSync(path).every((byte) => byte === 7));
      assert.ok((await readFile(path)).every((byte) => byte === 7));
      assert.deepEqual(marked.filter((one) => buffers.has(one)), []);
    }
  }
});
