// What runtimes.test.ts has each runtime do: it says which one it is in, and prints a line for each thing that works.
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AF_INET, SOCK_CLOEXEC, SOCK_STREAM } from '../../src/abi/index.ts';
import fs, { readFiles } from '../../src/fs/index.ts';
import { Reactor, type Chunk } from '../../src/index.ts';
import { connect, listen, type LeanSocket } from '../../src/socket/index.ts';

const { bun, deno, node } = process.versions;
console.log(`runtime: ${bun ? 'bun' : deno ? 'deno' : 'node'} ${bun ?? deno ?? node}`);

const io = new Reactor();
const path = join(tmpdir(), `iouring-runtime-${process.pid}`);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const checks: Record<string, () => Promise<void>> = {
  async files() {
    const fd = await io.open(path, 0o102, { mode: 0o600 });
    assert.equal(await io.write(fd, 'hello'), 5);
    assert.deepEqual(await io.chain([['write', fd, ' world'], ['fsync', fd, { datasync: true }]]), [6, undefined]);
    const buffer = new Uint8Array(20);
    assert.equal(await io.read(fd, buffer, { offset: 0 }), 11);
    assert.equal(text(buffer.subarray(0, 11)), 'hello world');
    assert.equal((await io.statx(-100, path)).size, 11);
    await io.closeFd(fd);
    assert.equal(readFileSync(path, 'utf8'), 'hello world');
    await io.unlink(path);
    await assert.rejects(io.open(path, 0), { code: 'ENOENT', path });
  },
  async 'many at once'() {
    // Not openSync: Deno's descriptors are not the system's.
    const fd = await io.open(process.execPath, 0);
    const buffers = Array.from({ length: 5000 }, () => new Uint8Array(16));
    const sizes = await Promise.all(buffers.map((buffer) => io.read(fd, buffer, { offset: 0 })));
    assert.ok(sizes.every((size) => size === 16));
    assert.ok(buffers.every((buffer) => text(buffer.subarray(1, 4)) === 'ELF'));
    await io.closeFd(fd);
  },
  async 'memory that is registered'() {
    const memory = io.allocate(65536);
    const fd = await io.open(process.execPath, 0);
    assert.equal(await io.read(fd, memory.subarray(4096, 8192), { offset: 0 }), 4096);
    assert.equal(text(memory.subarray(4097, 4100)), 'ELF');
    await io.closeFd(fd);
  },
  async time() {
    const start = performance.now();
    await Promise.all([io.sleep(10), io.sleep(5), io.sleep(1)]);
    assert.ok(performance.now() - start >= 10);
    await assert.rejects(io.sleep(1e6, { timeoutMs: 5 }), { name: 'TimeoutError' });
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 5);
    await assert.rejects(io.sleep(1e6, { signal: abort.signal }), { name: 'AbortError' });
  },
  async 'iouring/fs'() {
    await fs.writeFile(path, 'one\ntwo\n');
    await fs.appendFile(path, 'three\n');
    assert.equal(await fs.readFile(path, 'utf8'), 'one\ntwo\nthree\n');
    const { size, mtime } = await fs.stat(path);
    assert.equal(size, 14);
    assert.ok(Math.abs(mtime.getTime() - Date.now()) < 60_000);
    assert.equal((await fs.stat(path, { bigint: true })).size, 14n);
    assert.equal((await fs.stat(path, { bigint: true })).size, 14n);
    const handle = await fs.open(path, 'r+');
    assert.equal((await handle.read(Buffer.alloc(3), 0, 3, 4)).buffer.toString(), 'two');
    assert.equal((await handle.write('TWO', 4)).bytesWritten, 3);
    assert.equal((await handle.readFile('utf8')).slice(4, 7), 'TWO');
    await handle.close();
    await assert.rejects(handle.stat(), { code: 'EBADF' });
    for await (const { data } of readFiles([path, path])) assert.equal(data?.length, 14);
    await assert.rejects(fs.readFile(`${path}/x`), { code: 'ENOTDIR', syscall: 'open' });
    await fs.mkdir(`${path}.d/e/f`, { recursive: true });
    await fs.copyFile(path, `${path}.d/e/copy`);
    await fs.cp(`${path}.d`, `${path}.e`, { recursive: true });
    assert.equal(await fs.readFile(`${path}.e/e/copy`, 'latin1'), await fs.readFile(path, 'latin1'));
    for (const folder of [`${path}.d`, `${path}.e`]) await fs.rm(folder, { recursive: true });
    await fs.unlink(path);
  },
  async 'iouring/socket'() {
    for (const where of [{ hostname: '127.0.0.1' }, { hostname: '::', ipv6Only: true }]) {
      const listener = listen({ ...where, socket: { data: (socket, data) => void socket.write(data) } });
      // Deno's own takes no notice of ipv6Only.
      const isOwn = bun !== undefined || (deno !== undefined && where.ipv6Only !== true);
      assert.equal(listener.constructor.name, isOwn ? 'NodeListener' : 'LeanListener');
      const hostname = where.ipv6Only === true ? '::1' : '127.0.0.1';
      const answer = await new Promise<string>((resolve, reject) => {
        const data = (socket: LeanSocket, bytes: Uint8Array): void => {
          resolve(text(bytes));
          socket.terminate();
        };
        const open = (socket: LeanSocket): void => void socket.write('hello');
        connect({ hostname, port: listener.port!, socket: { open, data } }).catch(reject);
      });
      assert.equal(answer, 'hello');
      listener.stop(true);
    }
  },
  async sockets() {
    const listener = await io.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
    await io.bind(listener, { address: '127.0.0.1', port: 0 });
    await io.listen(listener);
    const echo = async (fd: number): Promise<void> => {
      for await (const chunk of io.recvMany(fd)) await io.send(fd, chunk.bytes);
      await io.closeFd(fd);
    };
    const stop = new AbortController();
    const serving = (async () => {
      for await (const fd of io.acceptMany(listener, { signal: stop.signal })) void echo(fd);
    })();
    const address = io.getsockname(listener) as { address: string; port: number };
    const clients = Array.from({ length: 20 }, async (_, i) => {
      const fd = await io.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
      await io.connect(fd, address);
      for (let round = 0; round < 20; round++) {
        await io.send(fd, `message ${round} of ${i}`);
        const iterator = io.recvMany(fd);
        assert.equal(text(((await iterator.next()).value as Chunk).bytes), `message ${round} of ${i}`);
        await iterator.return!();
      }
      await io.closeFd(fd);
    });
    await Promise.all(clients);
    stop.abort();
    await assert.rejects(serving, { name: 'AbortError' });
    await io.closeFd(listener);
  },
  async 'timers go on beside it'() {
    let isOver = false;
    const busy = (async () => {
      while (!isOver) await io.nop();
    })();
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 1));
    isOver = true;
    await busy;
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`works: ${name}`);
}
assert.equal(io.stats.inFlight, 0);
await io.close();
await assert.rejects(io.nop(), { code: 'ERR_IOURING_CLOSED' });
rmSync(path, { force: true });
console.log('works: close');
// It ends by itself.
