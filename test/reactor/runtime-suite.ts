// What runtimes.test.ts has each runtime do: a reactor from its beginning to its end. It says which runtime it is in, and
// ends by itself, without process.exit: nothing that is closed may keep it.
import assert from 'node:assert/strict';
import { closeSync, constants, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AT_EMPTY_PATH, AT_FDCWD, POLLIN } from '../../src/abi/index.ts';
import { Reactor } from '../../src/index.ts';
import { Descriptors } from '../kernel/libc.ts';

const [, , expected] = process.argv;
const { O_RDWR, O_CREAT } = constants;
const folder = mkdtempSync(join(tmpdir(), 'iouring-test-'));
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const idle = { inFlight: 0, queued: 0, buffersOut: 0 };

function isIdle(io: Reactor): void {
  const { inFlight, queued, buffersOut } = io.stats;
  assert.deepEqual({ inFlight, queued, buffersOut }, idle);
}

const steps: Record<string, (io: Reactor, files: Descriptors) => Promise<void>> = {
  async 'write, read, statx'(io) {
    const path = `${folder}/file`;
    const fd = await io.open(path, O_RDWR | O_CREAT, { mode: 0o640 });
    assert.equal(await io.write(fd, 'hello, world'), 12);
    assert.equal(await io.writev(fd, [Buffer.from(' and'), Buffer.from(' more')], { offset: 12 }), 9);
    await io.fsync(fd);
    const buffer = new Uint8Array(100);
    assert.equal(await io.read(fd, buffer, { offset: 7 }), 14);
    assert.equal(text(buffer.subarray(0, 14)), 'world and more');
    // Small memory, which moves in some engines, and large, which was pinned before.
    const small = new Uint8Array(4);
    const memory = io.allocate(4096);
    assert.deepEqual(await Promise.all([io.read(fd, small, { offset: 0 }), io.read(fd, memory, { offset: 0 })]), [4, 21]);
    assert.equal(text(small), 'hell');
    assert.equal(text(memory.subarray(0, 5)), 'hello');
    const [byPath, byFd] = await Promise.all([io.statx(AT_FDCWD, path), io.statx(fd, '', AT_EMPTY_PATH)]);
    assert.deepEqual([byPath.size, byPath.mode & 0o777, byPath.ino], [21, 0o640, byFd.ino]);
    await io.close(fd);
    await assert.rejects(io.open(`${folder}/none`, 0), { code: 'ENOENT', syscall: 'open', path: `${folder}/none` });
    await assert.rejects(io.read(fd, 'text' as unknown as Uint8Array), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.equal(readFileSync(path, 'utf8'), 'hello, world and more');
  },

  async 'sleep, and the turns of the loop'(io) {
    const start = performance.now();
    await io.sleep(20);
    const took = performance.now() - start;
    assert.ok(took >= 19.9 && took < 2000, `${took}`);
    const order: string[] = [];
    const timer = new Promise<void>((resolve) => {
      setTimeout(() => {
        order.push('timer');
        resolve();
      }, 30);
    });
    await Promise.all([timer, io.sleep(1).then(() => order.push('sleep'))]);
    assert.deepEqual(order, ['sleep', 'timer'], 'the loop is woken by what the ring has, and by nothing else');
    const all = await Promise.all(Array.from({ length: 5000 }, () => io.nop()));
    assert.equal(all.length, 5000);
  },

  async 'link'(io) {
    const fd = await io.open(`${folder}/linked`, O_RDWR | O_CREAT);
    const steps = [['write', fd, 'record', { offset: 0 }], ['fsync', fd, { datasync: true }], ['close', fd]] as const;
    assert.deepEqual(await io.link(steps), [6, undefined, undefined]);
    const failing = io.link([['nop'], ['read', fd, new Uint8Array(1)], ['unlink', `${folder}/linked`]]);
    await assert.rejects(failing, { name: 'LinkError', code: 'EBADF', step: 1 });
    assert.equal(readFileSync(`${folder}/linked`, 'utf8'), 'record');
  },

  async 'acceptMany, recvMany, send'(io, files) {
    const { fd: listener, port } = files.listener();
    const data = Buffer.alloc(300_000, 'abcdefghijklmnopqrstuvwxyz');
    const serving: Promise<void>[] = [];
    const serve = async (fd: number): Promise<void> => {
      for await (const { bytes } of io.recvMany(fd)) await io.send(fd, bytes);
      await io.shutdown(fd, 1);
      await io.close(fd);
    };
    const accepting = (async () => {
      for await (const fd of io.acceptMany(listener)) if (serving.push(serve(fd)) === 10) break;
    })();
    const echoed = Array.from({ length: 10 }, async () => {
      const fd = await io.socket(2, 1 | 0x80000);
      await io.connect(fd, { address: '127.0.0.1', port });
      const sending = io.send(fd, data).then(() => io.shutdown(fd, 1));
      const pieces: Uint8Array[] = [];
      for await (const chunk of io.recvMany(fd)) pieces.push(chunk.copy());
      await sending;
      await io.close(fd);
      assert.ok(Buffer.concat(pieces).equals(data));
    });
    await Promise.all([accepting, ...echoed]);
    await Promise.all(serving);
  },

  async 'abort'(io, files) {
    const [reader, writer] = files.pipe();
    const buffer = new Uint8Array(8);
    const abort = new AbortController();
    const reading = io.read(reader, buffer, { signal: abort.signal });
    await turn();
    abort.abort('reason');
    await assert.rejects(reading, { name: 'AbortError', code: 'ABORT_ERR', cause: 'reason' });
    writeSync(writer, 'late');
    await io.nop();
    assert.deepEqual([...buffer], [0, 0, 0, 0, 0, 0, 0, 0]);
    assert.equal(await io.read(reader, buffer), 4, 'what comes after an abortion is the next one’s');
    await assert.rejects(io.nop({ signal: AbortSignal.abort() }), { name: 'AbortError' });
    await assert.rejects(io.sleep(1e6, { signal: AbortSignal.timeout(5) }), { name: 'AbortError' });
    const iterator = io.recvMany(files.socketPair()[0], { signal: AbortSignal.timeout(5) });
    await assert.rejects(iterator.next(), { name: 'AbortError' });
  },

  async 'time limits'(io, files) {
    const [reader, writer] = files.pipe();
    const timeout = { name: 'TimeoutError', code: 'ETIMEDOUT' };
    await assert.rejects(io.read(reader, new Uint8Array(8), { timeoutMs: 5 }), timeout);
    await assert.rejects(io.poll(reader, POLLIN, { timeoutMs: 0 }), timeout);
    const reading = io.read(reader, new Uint8Array(8), { timeoutMs: 60_000 });
    await turn();
    writeSync(writer, 'x');
    assert.equal(await reading, 1);
    assert.equal(await io.nop({ timeoutMs: 60_000 }), 0);
  },

  async 'close'(_, files) {
    const [reader] = files.pipe();
    const io = new Reactor();
    const all = Promise.allSettled([
      io.read(reader, new Uint8Array(8)),
      io.sleep(1e6),
      io.readMany(reader).next(),
      io.acceptMany(files.listener().fd).next(),
    ]);
    await turn();
    await io.close();
    for (const result of await all) {
      assert.equal((result as PromiseRejectedResult).reason.code, 'ERR_IOURING_CLOSED');
    }
    await assert.rejects(io.nop(), { code: 'ERR_IOURING_CLOSED' });
    const draining = new Reactor();
    const sleeping = draining.sleep(10);
    await draining.close({ drain: true });
    await sleeping;
    isIdle(draining);
  },

  async 'many reactors leave no descriptor'(_, files) {
    const [reader] = files.pipe();
    const count = (): number => readdirSync('/proc/self/fd').length;
    const rounds = async (): Promise<void> => {
      for (let i = 0; i < 10; i++) {
        const io = new Reactor({ entries: 8 });
        const reading = io.read(reader, new Uint8Array(1)).catch(() => {});
        await io.sleep(1);
        await io.close();
        await reading;
      }
      for (let i = 0; i < 20; i++) await turn();
    };
    await rounds();
    const before = count();
    await rounds();
    assert.ok(count() <= before, `${count() - before} more`);
  },
};

const { bun, deno, node } = process.versions;
assert.equal(bun ? 'bun' : deno ? 'deno' : 'node', expected, 'this is another runtime than it should be');
assert.ok(createRequire(import.meta.url)('koffi'));
// Watched by what a runtime keeps for itself once it has read a file.
closeSync(openSync('/dev/null', 'r'));
try {
  for (const [name, step] of Object.entries(steps)) {
    try {
      using files = new Descriptors();
      await using io = new Reactor();
      await step(io, files);
      isIdle(io);
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
console.log(`${expected} ${bun ?? deno ?? node}: ${Object.keys(steps).length} steps`);
