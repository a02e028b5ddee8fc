// Web streams of handles: what Node's give, without what ends the process in the streams that Node 20 reads in its
// native code.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import * as node from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import ours from '../../src/fs/index.ts';
import { finalized } from '../kernel/collect.ts';
import { Temporary } from '../kernel/temporary.ts';

/** What is Node's own crashes there as Node's does. */
const byNode = process.env['IOURING_DISABLED'] === '1' ? 'this is the run without io_uring' : false;

/** What Node 20 reads must not be collected meanwhile, and what is not closed must never be. */
const held = new Set<node.FileHandle>();

type Open = (path: string) => Promise<node.FileHandle>;
interface Reader {
  read(): Promise<{ done: boolean; value?: ArrayBuffer }>;
  cancel(): Promise<void>;
  closed: Promise<void>;
}

const readerOf = (handle: node.FileHandle): Reader => handle.readableWebStream().getReader();

/** What a stream consists of: kinds and lengths of its chunks, and all bytes. */
async function chunksOf(open: Open, path: string, ...options: unknown[]): Promise<[string[], Buffer]> {
  const handle = await open(path);
  held.add(handle);
  const [kinds, bytes]: [string[], Buffer[]] = [[], []];
  for await (
    const chunk of handle.readableWebStream(...(options as [])) as unknown as AsyncIterable<ArrayBuffer | Uint8Array>
  ) {
    kinds.push(`${chunk.constructor.name} ${chunk.byteLength}`);
    bytes.push(
      chunk instanceof ArrayBuffer ? Buffer.from(chunk) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength),
    );
  }
  await handle.close();
  held.delete(handle);
  return [kinds, Buffer.concat(bytes)];
}

async function errorOf(open: Open, path: string, work: (handle: node.FileHandle) => unknown): Promise<string> {
  const handle = await open(path);
  held.add(handle);
  try {
    await work(handle);
    return 'none';
  } catch (error) {
    const { name, code, message } = error as NodeJS.ErrnoException;
    return `${name} ${code} ${message}`;
  } finally {
    await handle.close();
    held.delete(handle);
  }
}

describe('web streams of a handle', () => {
  it('consist of what those of Node consist of', async () => {
    using folder = new Temporary();
    for (const length of [0, 1, 65_536, 65_537, 200_000]) {
      const path = folder.file('x', Buffer.from(Array.from({ length }, (_, i) => (i * 7) % 251)));
      for (const options of [[], [{ type: 'bytes' }], [{}]]) {
        const expected = await chunksOf(node.open, path, ...options);
        assert.equal(expected[1].length, length);
        assert.deepEqual(await chunksOf(ours.open, path, ...options), expected);
      }
    }
  });

  it('are refused as Node refuses them', async () => {
    using folder = new Temporary();
    const path = folder.file('x', 'hello');
    const wrong: [RegExp, (handle: node.FileHandle) => unknown][] = [
      [/The FileHandle is closed/, async (handle) => (await handle.close(), handle.readableWebStream())],
      [/The FileHandle is locked/, async (handle) => {
        const stream = handle.readableWebStream({ type: 'bytes' } as never);
        try {
          handle.readableWebStream();
        } finally {
          await stream.cancel();
        }
      }],
      [/TypeError/, (handle) => handle.readableWebStream(null as never)],
    ];
    for (const [pattern, work] of wrong) {
      const expected = await errorOf(node.open, path, work);
      assert.match(expected, pattern);
      assert.equal(await errorOf(ours.open, path, work), expected);
    }
  });

  it('may be all that refers to the handle while they are read', { skip: byNode }, async () => {
    using folder = new Temporary();
    const path = join(folder.path, 'pipe');
    execFileSync('mkfifo', [path]);
    const writer = openSync(path, 'r+');
    for (const options of ['r+', { flags: 'r+', fixed: true }]) {
      let received = '';
      const warnings: string[] = [];
      const warned = ({ message }: Error): void => void warnings.push(message);
      process.on('warning', warned);
      const done = (async () => {
        const handle = await ours.open(path, options as string);
        const reader = readerOf(handle);
        received = Buffer.from((await reader.read()).value!).toString();
        await reader.cancel();
        await handle.close();
      })();
      // A promise does not keep those who wait behind it: only what is under way does.
      for (let i = 0; i < 3; i++) await finalized();
      writeSync(writer, 'hello');
      await done;
      await finalized();
      process.off('warning', warned);
      assert.equal(received, 'hello');
      assert.deepEqual(warnings, []);
    }
    closeSync(writer);
  });

  it('may be cancelled, and the handle closed, at any time', { skip: byNode }, async () => {
    using folder = new Temporary();
    const path = folder.file('x', Buffer.alloc(300_000));
    for (let turns = 0; turns < 5; turns++) {
      for (const way of ['cancel', 'close'] as const) {
        const handle = await ours.open(path);
        const reader = readerOf(handle);
        const reads = [reader.read(), reader.read(), reader.read()];
        for (let i = 0; i < turns; i++) await Promise.resolve();
        if (turns === 4) await reads[1];
        if (way === 'cancel') {
          await reader.cancel();
          assert.equal((await handle.stat()).size, 300_000);
        }
        await handle.close();
        await reader.closed;
        for (const { done, value } of await Promise.all(reads)) assert.equal((value?.byteLength ?? 0) > 0, !done);
        assert.equal((await reader.read()).done, true);
        assert.equal(handle.fd, -1);
      }
    }
  });

  it('fail as a read does, and let the handle be closed', { skip: byNode }, async () => {
    using folder = new Temporary();
    const handle = await ours.open(folder.path);
    const reader = readerOf(handle);
    await assert.rejects(reader.read(), { code: 'EISDIR', syscall: 'read' });
    await assert.rejects(reader.closed, { code: 'EISDIR' });
    // The streams of newer versions of Node do not let go of it.
    if (process.version.startsWith('v20.')) await handle.close();
    else held.add(handle);
  });
});
