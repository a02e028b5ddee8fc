// What node:fs/promises does not have: many files at once, and files that are opened to be fast.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { open, readFiles, statMany, type HotFileHandle } from '../../src/fs/index.ts';
import { defaultReactor } from '../../src/index.ts';
import { finalized } from '../kernel/collect.ts';
import { Temporary } from '../kernel/temporary.ts';
import { randomOf, SEED } from '../reactor/random.ts';
import { moduleText, run } from '../run.ts';

/** Then what only a ring can do is left out. */
const byNode = process.env['IOURING_DISABLED'] === '1' ? 'this is the run without io_uring' : false;

describe('readFiles and statMany', () => {
  it('give all of them, in the order of the paths, with an error for those that cannot be read', async () => {
    using folder = new Temporary();
    const paths = Array.from({ length: 2000 }, (_, i) => {
      const path = join(folder.path, `${i}`);
      if (i % 100 !== 7) folder.file(`${i}`, `contents of ${i}`);
      return path;
    });
    let i = 0;
    for await (const { path, data, error } of readFiles(paths, { encoding: 'utf8' })) {
      assert.equal(path, paths[i]);
      if (i % 100 === 7) assert.equal(error?.code, 'ENOENT');
      else assert.equal(data, `contents of ${i}`);
      i++;
    }
    assert.equal(i, 2000);
    i = 0;
    for await (const { path, stats, error } of statMany(asynchronous(paths), { concurrency: 3 })) {
      assert.equal(path, paths[i]);
      assert.equal(stats?.size ?? error?.code, i % 100 === 7 ? 'ENOENT' : `contents of ${i}`.length);
      i++;
    }
    assert.equal(i, 2000);
    const { value } = await readFiles([paths[0]]).next();
    assert.ok(Buffer.isBuffer(value?.data));
  });

  it('take no more paths than they work on, and keep the ring full', async () => {
    using folder = new Temporary();
    const path = folder.file('x', 'x');
    let taken = 0;
    const endless = (function* each() {
      for (;;) {
        taken++;
        yield path;
      }
    })();
    let given = 0;
    for await (const { data } of readFiles(endless, { concurrency: 50 })) {
      assert.equal(data?.length, 1);
      assert.ok(taken - given <= 50, `${taken} taken, ${given} given`);
      if (++given === 500) break;
    }
    assert.ok(taken <= 550);
    assert.equal(defaultReactor().stats.inFlight, 0);
  });

  it('end when they are aborted, and refuse what they cannot work with', async () => {
    const abort = new AbortController();
    const iteration = readFiles(['/dev/null', '/dev/null'], { signal: abort.signal, concurrency: 1 });
    await iteration.next();
    abort.abort();
    await assert.rejects(iteration.next(), { name: 'AbortError' });
    await assert.rejects(readFiles('x').next(), { code: 'ERR_INVALID_ARG_TYPE' });
    await assert.rejects(statMany([], { concurrency: 0 }).next(), { code: 'ERR_OUT_OF_RANGE' });
    assert.deepEqual(await statMany([]).next(), { value: undefined, done: true });
  });
});

async function* asynchronous<T>(all: Iterable<T>): AsyncGenerator<T> {
  for (const one of all) yield one;
}

describe('files that are opened to be fast', () => {
  for (const options of [{ direct: true }, { fixed: true }, { direct: true, fixed: true }]) {
    it(`${Object.keys(options).join(' and ')}: any part, into any memory; and back`, async (t) => {
      using folder = new Temporary();
      const random = randomOf(SEED);
      const contents = Buffer.from(Array.from({ length: 300_000 }, () => random(256)));
      const path = folder.file('x', contents);
      const opened = await open(path, { ...options, flags: 'r+' }).catch((error: NodeJS.ErrnoException) => error);
      if (opened instanceof Error) {
        assert.equal(opened.code, 'EINVAL');
        return t.skip(`the file system of ${folder.path} has no direct I/O`);
      }
      const handle = opened;
      assert.ok(handle.alignment === 1 || handle.alignment >= 512);
      const own = handle.allocate(65_536);
      for (let i = 0; i < 300; i++) {
        const [position, length] = [random(310_000), 1 + random(60_000)];
        const memory = i % 2 === 0 ? own : new Uint8Array(65_536);
        const offset = random(5000);
        const { bytesRead } = await handle.read(memory, offset, length, position);
        const expected = contents.subarray(position, position + length);
        assert.equal(bytesRead, expected.length, `${length} at ${position}`);
        assert.ok(Buffer.from(memory.subarray(offset, offset + bytesRead)).equals(expected));
      }
      const whole = await handle.read(Buffer.alloc(300_000), 0, 300_000, 0);
      assert.ok(whole.buffer.equals(contents));
      own.fill(1);
      const block = Math.max(4096, handle.alignment);
      assert.equal((await handle.write(own, 0, block, block)).bytesWritten, block);
      assert.equal((await handle.write(Buffer.alloc(2 * block, 2), 0, 2 * block, 4 * block)).bytesWritten, 2 * block);
      if (handle.alignment > 1) {
        await assert.rejects(handle.write(own, 0, 5, 0), { code: 'ERR_INVALID_ARG_VALUE' });
      }
      contents.fill(1, block, 2 * block).fill(2, 4 * block, 6 * block);
      await handle.close();
      assert.ok(readFileSync(path).equals(contents));
      await assert.rejects(handle.read(own, 0, 5, 0), { code: 'EBADF' });
    });
  }

  for (const options of [{ direct: true }, { fixed: true }]) {
    it(`${Object.keys(options).join()}: everything that a handle can do otherwise`, async (t) => {
      using folder = new Temporary();
      const contents = Buffer.from(Array.from({ length: 1_300_001 }, (_, i) => (i * 7) % 251));
      const path = folder.file('x', contents);
      const probe = await open(path, options).catch((error: NodeJS.ErrnoException) => error);
      if (probe instanceof Error) return t.skip(`the file system of ${folder.path} has no direct I/O`);
      await probe.close();
      // Without a ring it is Node's, and Node 20 must not be left alone with a handle whose web stream it reads.
      const used = new Set<HotFileHandle>();
      t.after(() => used.clear());
      const use = async <T>(flags: string, work: (handle: HotFileHandle) => Promise<T>): Promise<T> => {
        const handle = await open(path, { ...options, flags });
        used.add(handle);
        try {
          return await work(handle);
        } finally {
          await handle.close();
        }
      };
      assert.ok((await use('r', (handle) => handle.readFile())).equals(contents));
      assert.equal(await use('r', (handle) => handle.readFile('latin1')), contents.toString('latin1'));
      assert.ok(
        (await buffer((await open(path, options)).createReadStream({ start: 7, end: 700_000 }))).equals(
          contents.subarray(7, 700_001),
        ),
      );
      assert.ok((await use('r', (handle) => buffer(handle.readableWebStream() as never))).equals(contents));
      await use('r', async (handle) => {
        const view = new DataView(new ArrayBuffer(50), 3, 10);
        assert.equal((await handle.read({ buffer: view, position: 5 })).bytesRead, 10);
        assert.ok(Buffer.from(view.buffer, 3, 10).equals(contents.subarray(5, 15)));
        const pieces = [Buffer.alloc(5), new Uint16Array(3), Buffer.alloc(600_000)];
        assert.equal((await handle.readv(pieces, 1)).bytesRead, 600_011);
        assert.ok(
          Buffer.concat(pieces.map((piece) => Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength))).equals(
            contents.subarray(1, 600_012),
          ),
        );
        // Where it stands, one after the other: Node's own threads overtake each other.
        const reads: { buffer: Buffer }[] = [];
        const next = (): Promise<{ buffer: Buffer }> => handle.read(Buffer.alloc(100), { length: 77 });
        if (byNode === false) reads.push(...(await Promise.all(Array.from({ length: 5 }, next))));
        else while (reads.length < 5) reads.push(await next());
        assert.ok(
          Buffer.concat(reads.map(({ buffer }) => buffer.subarray(0, 77))).equals(contents.subarray(0, 5 * 77)),
        );
        assert.equal((await handle.read()).bytesRead, 16_384);
        assert.equal((await handle.stat()).size, contents.length);
        assert.equal((await handle.read(Buffer.alloc(9), 0, 9, contents.length + 5)).bytesRead, 0);
      });
      const blocks = contents.subarray(0, 1_310_720 - 65_536);
      await use('w', async (handle) => {
        await handle.writeFile(blocks.subarray(0, 16_384));
        await handle.appendFile([blocks.subarray(16_384, 20_480), blocks.subarray(20_480, 24_576)] as never);
        await handle.writev([blocks.subarray(24_576, 24_600), blocks.subarray(24_600, 32_768)]);
        await handle.write(blocks, 32_768, blocks.length - 32_768);
        await handle.sync();
        if (handle.alignment > 1) await assert.rejects(handle.write('hello'), { code: 'ERR_INVALID_ARG_VALUE' });
        if (handle.alignment > 1) await assert.rejects(handle.writeFile('hello'), { code: 'ERR_INVALID_ARG_VALUE' });
      });
      assert.ok(readFileSync(path).equals(blocks));
      await use('r', async (handle) => {
        await assert.rejects(handle.read('x' as never), { code: 'ERR_INVALID_ARG_TYPE' });
        await assert.rejects(handle.read(Buffer.alloc(5), 0, 9, 0), { code: 'ERR_OUT_OF_RANGE' });
        await assert.rejects(handle.write(Buffer.alloc(4096), 0, 4096, 0), { code: 'EBADF' });
      });
    });
  }

  it(
    'direct: as many transfers at once as there is no registered memory for are done all the same',
    { skip: byNode },
    async (t) => {
      using folder = new Temporary();
      // For each size that memory is handed out in, more than is kept registered.
      for (const size of [4096, 16_384, 65_536, 520_192]) {
        const path = folder.file('x', Buffer.alloc(size, 'contents '));
        const handle = await open(path, { direct: true, flags: 'r+' }).catch((error: NodeJS.ErrnoException) => error);
        if (handle instanceof Error) return t.skip(`the file system of ${folder.path} has no direct I/O`);
        const target = new Uint8Array(size);
        const reads = Array.from({ length: Math.ceil(2 ** 25 / size) }, () => handle.read(target, 0, size, 0));
        for (const { bytesRead } of await Promise.all(reads)) assert.equal(bytesRead, size);
        assert.ok(readFileSync(path).equals(target));
        const writes = Array.from({ length: 70 }, () => handle.write(target, 0, size, 0));
        for (const { bytesWritten } of await Promise.all(writes)) assert.equal(bytesWritten, size);
        await handle.close();
      }
    },
  );

  it('one place after the other is given up when a file is closed, not before what is under way is done', async () => {
    using folder = new Temporary();
    const path = folder.file('x', 'x'.repeat(10_000));
    for (let i = 0; i < 1200; i++) {
      const handle = await open(path, { fixed: true });
      const reads = Array.from({ length: 3 }, () => handle.read(new Uint8Array(4096), 0, 4096, 0));
      await handle.close();
      for (const { bytesRead } of await Promise.all(reads)) assert.equal(bytesRead, 4096);
    }
    assert.equal(statSync(path).size, 10_000);
  });

  it('given a file that is closed twice, its place is given up once', async () => {
    using folder = new Temporary();
    const paths = Array.from({ length: 4 }, (_, i) => folder.file(`${i}`, `contents ${i}`));
    const first = await open(paths[0], { fixed: true });
    await Promise.all([first.close(), first.close()]);
    const others = [await open(paths[1], { fixed: true }), await open(paths[2], { fixed: true })];
    await first.close();
    others.push(await open(paths[3], { fixed: true }));
    for (const [i, handle] of others.entries()) {
      const memory = Buffer.alloc(100);
      const { bytesRead } = await handle.read(memory, 0, 100, 0);
      assert.equal(memory.toString('latin1', 0, bytesRead), `contents ${i + 1}`);
    }
    for (const handle of others) await handle.close();
  });

  it('memory that is given up while a transfer from a view of it waits for room: it is read into all the same', {
    skip: byNode,
  }, async () => {
    using folder = new Temporary();
    const path = join(folder.path, 'pipe');
    execFileSync('mkfifo', [path]);
    const writer = openSync(path, 'r+');
    const handle = await open(path, { flags: 'r+', fixed: true });
    const io = defaultReactor();
    const view = (() => handle.allocate(20_000).subarray(0, 5))();
    const reads: Promise<{ bytesRead: number }>[] = [];
    while (io.stats.queued === 0) reads.push(handle.read(new Uint8Array(1), 0, 1, 0));
    reads.push(handle.read(view, 0, 5, 0));
    await finalized();
    writeSync(writer, 'x'.repeat(reads.length + 4));
    for (const { bytesRead } of await Promise.all(reads)) assert.ok(bytesRead > 0);
    assert.equal(view[0], 'x'.charCodeAt(0));
    await handle.close();
    closeSync(writer);
  });

  it('a handle that is collected leaves its file open nowhere', { skip: byNode }, async () => {
    using folder = new Temporary();
    const path = join(folder.path, 'pipe');
    execFileSync('mkfifo', [path]);
    // Where the last writer of a pipe is gone it ends, and says nothing of the sort before.
    const program = `
      const { open } = await import(${JSON.stringify(new URL('../../src/fs/index.js', import.meta.url).href)});
      const { openSync, readSync, constants } = await import('node:fs');
      for (const event of ['warning', 'uncaughtException']) process.on(event, () => {});
      const reader = openSync(${JSON.stringify(path)}, constants.O_RDONLY | constants.O_NONBLOCK);
      await (async () => { await open(${JSON.stringify(path)}, { flags: 'w', fixed: true }); })();
      const isOver = () => {
        try {
          return readSync(reader, Buffer.alloc(1)) === 0;
        } catch ({ code }) {
          if (code !== 'EAGAIN') throw code;
          return false;
        }
      };
      if (isOver()) throw new Error('it was not open');
      const timer = setInterval(() => {
        globalThis.gc();
        if (isOver()) process.exit();
      }, 10);
      setTimeout(() => process.exit(1), 60_000);
    `;
    const { status, stderr } = await run(process.execPath, moduleText(program, '--expose-gc'));
    assert.equal(status, 0, stderr);
  });

  it('errors are Node’s', async () => {
    await assert.rejects(open('/nowhere/x', { direct: true }), { code: 'ENOENT', syscall: 'open', path: '/nowhere/x' });
    await assert.rejects(open('/dev/null', { direct: true, flags: 'nonsense' }), { code: 'ERR_INVALID_ARG_VALUE' });
    await assert.rejects(open('/dev/null', {} as never), { code: 'ERR_INVALID_ARG_VALUE' });
  });
});
