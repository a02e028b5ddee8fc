// A view whose properties say something else than it is: what is written is what is in it, and nothing of somebody
// else's memory; what is read goes into it, and nowhere else. Node believes such properties, and ends the process.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { appendFile, open, writeFile } from '../../src/fs/index.ts';
import { Temporary } from '../kernel/temporary.ts';

// Without a ring the handles are Node's own.
const byNode = process.env['IOURING_DISABLED'] === '1' && 'this is the run without io_uring';

type Bytes = Uint8Array<ArrayBuffer>;

/** Ways to lie: each is given a view, and gives it, or another of the same bytes, with properties that are not so. */
const LIES: Record<string, (bytes: Bytes) => Bytes> = {
  'a property of the view': (bytes) => bytes,
};
for (const name of ['length', 'byteLength', 'byteOffset']) {
  for (const value of [300, 100_000, 2 ** 31, 2 ** 40, 1, 0, -5, 1.5, NaN, '7', undefined, null, {}]) {
    const property = { value, configurable: true };
    LIES[`${name} is ${String(value)}`] = (bytes) => Object.defineProperty(bytes, name, property);
  }
  LIES[`${name} of a subclass`] = (bytes) => {
    class Liar extends Uint8Array<ArrayBuffer> {}
    Object.defineProperty(Liar.prototype, name, { get: () => 300 });
    return new Liar(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}
LIES['buffer is another'] = (bytes) => Object.defineProperty(bytes, 'buffer', { value: new ArrayBuffer(1000) });
LIES['its methods are others'] = (bytes) => {
  const other = (): Uint8Array => Buffer.from('somebody else’s');
  for (const name of ['subarray', 'slice', 'set', 'toString', Symbol.iterator]) {
    Object.defineProperty(bytes, name, { value: other });
  }
  return bytes;
};
LIES['the prototype of another kind'] = (bytes) => Object.setPrototypeOf(bytes, Float64Array.prototype) as Bytes;
LIES['all of them change when they are looked at'] = (bytes) => {
  let looks = 0;
  for (const name of ['length', 'byteLength']) {
    Object.defineProperty(bytes, name, { get: () => (looks++ % 2 === 0 ? 9 : 300) });
  }
  return bytes;
};

/** Nine bytes, or many, with something secret behind them. */
function madeOf(length: number): Bytes {
  const all = Buffer.alloc(length + 1000, 'secret');
  all.fill('abcdefghi', 4, 4 + length);
  return Buffer.from(all.buffer, all.byteOffset + 4, length);
}

const WRITES: Record<string, (handle: FileHandle, path: string, data: Bytes) => Promise<unknown>> = {
  writeFile: (_handle, path, data) => writeFile(path, data),
  appendFile: (_handle, path, data) => appendFile(path, data),
  'writeFile of pieces': (_handle, path, data) => writeFile(path, [data]),
  'writeFile with other options': (_handle, path, data) => writeFile(path, data, { flag: 'w', flush: true }),
  'write of a handle': (handle, _path, data) => handle.write(data),
  'write of a handle, all arguments': (handle, _path, data) => handle.write(data, 0, null, 0),
  'write of a handle, options': (handle, _path, data) => handle.write(data, { position: 0 } as never),
  'writev of a handle': (handle, _path, data) => handle.writev([data]),
  'writeFile of a handle': (handle, _path, data) => handle.writeFile(data),
  'writeFile of a handle, pieces': (handle, _path, data) => handle.writeFile([data] as never),
  'appendFile of a handle': (handle, _path, data) => handle.appendFile(data),
};

const READS: Record<string, (handle: FileHandle, target: Bytes) => Promise<{ bytesRead: number }>> = {
  read: (handle, target) => handle.read(target),
  'read, all arguments': (handle, target) => handle.read(target, 0, null, 0),
  'read, options': (handle, target) => handle.read({ buffer: target, position: 0 }),
  readv: (handle, target) => handle.readv([target]),
};

describe('views that lie', { skip: byNode }, () => {
  for (const how of [undefined, { fixed: true }]) {
    const title = how === undefined ? 'a file' : 'a file that is opened to be fast';

    it(`given ${title}, their bytes are written`, async () => {
      using folder = new Temporary();
      for (const [length, few] of [[9, false], [40_000, true], [600_000, true]] as const) {
        for (const [lie, lying] of Object.entries(LIES)) {
          for (const [name, write] of Object.entries(WRITES)) {
            if (few && !/300|buffer|change/.test(lie)) continue;
            const path = join(folder.path, 'x');
            const handle = await open(path, (how === undefined ? 'w' : { ...how, flags: 'w' }) as 'w');
            await write(handle, path, lying(madeOf(length)));
            // Asked for the number, it would be read and written by Node where it stands.
            await handle.close();
            assert.ok(
              readFileSync(path).equals(madeOf(length)),
              `${name}, ${length} bytes, ${lie}: ${readFileSync(path).toString('latin1', 0, 400)}`,
            );
          }
        }
      }
    });

    it(`given ${title}, bytes are read into them`, async () => {
      using folder = new Temporary();
      const path = folder.file('x', Buffer.alloc(700_000, 'contents '));
      for (const length of [9, 40_000, 600_000]) {
        for (const [lie, lying] of Object.entries(LIES)) {
          for (const [name, read] of Object.entries(READS)) {
            if (length > 9 && !/300|buffer|change/.test(lie)) continue;
            const handle = await open(path, (how === undefined ? 'r' : how) as 'r');
            const target = madeOf(length);
            const { buffer, byteOffset } = target;
            const { bytesRead } = await read(handle, lying(target));
            await handle.close();
            assert.equal(bytesRead, length, `${name}, ${lie}`);
            const around = Buffer.from(buffer, byteOffset - 4, length + 1000);
            assert.equal(
              around.toString('latin1', 4, 4 + length),
              'contents '.repeat(length).slice(0, length),
              `${name}, ${lie}`,
            );
            assert.ok(
              around.subarray(4 + length).equals(
                Buffer.alloc(length + 1000, 'secret').subarray(4 + length, around.length),
              ),
              `${name}, ${lie}`,
            );
          }
        }
      }
    });
  }

  it('memory of a fast file’s own: all of it is transferred, where it lies', async () => {
    using folder = new Temporary();
    const contents = Buffer.alloc(4096, 'contents ');
    for (
      const lie of ['length is 300', 'length is 100000', 'byteLength is 300', 'byteLength is 2147483648',
        'buffer is another']
    ) {
      const path = folder.file('x', contents);
      await using handle = await open(path, { fixed: true, flags: 'r+' });
      const memory = handle.allocate(4096);
      const plain = Buffer.from(memory.buffer, memory.byteOffset, 4096);
      assert.equal((await handle.read(LIES[lie](memory), 0, 4096, 0)).bytesRead, 4096, lie);
      assert.ok(plain.equals(contents), lie);
      plain.fill('x');
      assert.equal((await handle.write(memory, 0, 4096, 0)).bytesWritten, 4096, lie);
      assert.ok(readFileSync(path).equals(plain), lie);
    }
  });

  it('answers name the view that was given', async () => {
    using folder = new Temporary();
    await using handle = await open(join(folder.path, 'x'), 'w+');
    for (const length of [9, 40_000, 600_000]) {
      const view = LIES['length is 300'](LIES['byteLength is 300'](madeOf(length)));
      const views = [view];
      assert.equal((await handle.write(view, null, null, 0)).buffer, view);
      assert.equal((await handle.read(view, null, null, 0)).buffer, view);
      assert.equal((await handle.writev(views, 0)).buffers, views);
      assert.equal((await handle.readv(views, 0)).buffers, views);
    }
  });
});
