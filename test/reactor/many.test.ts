// Multishot operations as async iterators: order, back-pressure, buffers, the end.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, constants, openSync, readdirSync, writeSync } from 'node:fs';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe } from 'node:test';
import koffi from 'koffi';
import { POLLIN, SOCK_CLOEXEC, SOCK_DGRAM, AF_INET } from '../../src/abi/index.ts';
import { Reactor, type Chunk } from '../../src/index.ts';
import { it, without } from '../asking.ts';
import { Descriptors } from '../kernel/libc.ts';
import { Temporary } from '../kernel/temporary.ts';

const descriptors = (): number => readdirSync('/proc/self/fd').length;

const { O_NOCTTY, O_NONBLOCK, O_RDONLY, O_RDWR } = constants;
const libc = koffi.load(null);
const posixOpenpt = libc.func('int posix_openpt(int flags)') as (flags: number) => number;
const unlockpt = libc.func('int unlockpt(int fd)') as (fd: number) => number;
const ptsname = libc.func('str ptsname(int fd)') as (fd: number) => string;

/** A named pipe, its end to read from opened without O_NONBLOCK. */
function namedPipe(folder: Temporary, files: Descriptors, name = 'fifo'): [reader: number, writer: number] {
  const path = join(folder.path, name);
  execFileSync('mkfifo', [path]);
  // Each end waits for the other to be opened: this one does not.
  const first = openSync(path, O_RDONLY | O_NONBLOCK);
  const writer = files.own(openSync(path, 'w'));
  const reader = files.own(openSync(path, O_RDONLY));
  closeSync(first);
  return [reader, writer];
}

function pseudoTerminal(files: Descriptors): [controller: number, terminal: number] {
  const controller = files.own(posixOpenpt(O_RDWR | O_NOCTTY));
  assert.equal(unlockpt(controller), 0);
  return [controller, files.own(openSync(ptsname(controller), O_RDWR | O_NOCTTY))];
}

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

describe('acceptMany', { skip: without('5.19', 'acceptMany') }, () => {
  it('brings every connection; break stops it, and closes what nobody took', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const { fd, port } = files.listener();
    const before = descriptors();
    const clients: Socket[] = [];
    const accepted: number[] = [];
    const opening = Promise.all(Array.from({ length: 40 }, async () => void clients.push(await connected(port))));
    for await (const connection of io.acceptMany(fd)) {
      accepted.push(connection);
      if (accepted.length === 10) await opening;
      if (accepted.length === 20) break;
    }
    assert.equal(io.stats.inFlight, 0);
    assert.equal(new Set(accepted).size, 20);
    for (const connection of accepted) closeSync(connection);
    const gone = clients.map((client) => once(client, 'close'));
    for (const client of clients) client.destroy();
    await Promise.all(gone);
    await io.nop();
    assert.equal(descriptors(), before);
  });

  it('given a descriptor that does not listen, the error comes once', async () => {
    await using io = new Reactor();
    const fd = openSync('/dev/null', 'r');
    const iterator = io.acceptMany(fd);
    await assert.rejects(iterator.next(), { code: 'ENOTSOCK', syscall: 'accept' });
    assert.deepEqual(await iterator.next(), { value: undefined, done: true });
    closeSync(fd);
    assert.throws(() => io.acceptMany('1' as unknown as number), { code: 'ERR_INVALID_ARG_TYPE' });
  });
});

describe('recvMany', { skip: without('6.0', 'recvMany') }, () => {
  it('brings all bytes in order, and ends at the end of the stream', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [ours, theirs] = files.socketPair();
    const sent = Buffer.alloc(3_000_000, 'abcdefghijklmnopqrstuvwxyz');
    const sending = (async () => {
      await io.send(theirs, sent);
      await io.shutdown(theirs, 1);
    })();
    const pieces: Uint8Array[] = [];
    for await (const chunk of io.recvMany(ours)) pieces.push(chunk.copy());
    await sending;
    assert.ok(Buffer.concat(pieces).equals(sent));
    assert.equal(io.stats.buffersOut, 0);
    // Full buffers in a row: larger ones took their place.
    assert.ok(pieces.length < 3_000_000 / 4096, `${pieces.length}`);
  });

  it('a chunk is the consumer’s until the next one, or until it is disposed of', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [ours, theirs] = files.socketPair();
    const iterator = io.recvMany(ours);
    writeSync(theirs, 'one');
    const first = (await iterator.next()).value as Chunk;
    assert.equal(Buffer.from(first.bytes).toString(), 'one');
    assert.equal(io.stats.buffersOut, 1);
    writeSync(theirs, 'two');
    const second = (await iterator.next()).value as Chunk;
    assert.throws(() => first.bytes, { code: 'ERR_INVALID_STATE' });
    assert.equal(io.stats.buffersOut, 1);
    const copy = second.copy();
    second[Symbol.dispose]();
    second[Symbol.dispose]();
    assert.equal(io.stats.buffersOut, 0);
    assert.throws(() => second.copy(), { code: 'ERR_INVALID_STATE' });
    assert.equal(Buffer.from(copy).toString(), 'two');
    assert.deepEqual(await iterator.return!(), { value: undefined, done: true });
    assert.equal(io.stats.inFlight, 0);
    assert.deepEqual(await iterator.next(), { value: undefined, done: true });
  });

  it('a slow consumer stops the flow, and does not keep the buffers of others', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [slow, flood] = files.socketPair();
    const [quick, other] = files.socketPair();
    const sent = Buffer.alloc(1_000_000, 'flood ');
    const sending = io.send(flood, sent);
    const iterator = io.recvMany(slow);
    const first = (await iterator.next()).value as Chunk;
    let received = first.bytes.byteLength;
    // Others get all they want meanwhile.
    const mine = io.recvMany(quick);
    for (let i = 0; i < 500; i++) {
      writeSync(other, `${i}`);
      const { value } = await mine.next();
      assert.equal(Buffer.from((value as Chunk).bytes).toString(), `${i}`);
    }
    await mine.return!();
    assert.ok(io.stats.buffersOut <= 64, `${io.stats.buffersOut} buffers are held`);
    for (let next = await iterator.next();; next = await iterator.next()) {
      received += (next.value as Chunk).bytes.byteLength;
      if (received === sent.length) break;
    }
    assert.equal(await sending, sent.length);
    await iterator.return!();
  });

  it('more consumers that keep their chunks than there are buffers: more are made, or they wait', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const pairs = Array.from({ length: 200 }, () => files.socketPair());
    const iterators = pairs.map(([ours]) => io.recvMany(ours));
    const chunks = iterators.map((iterator) => iterator.next());
    for (const [i, [, theirs]] of pairs.entries()) writeSync(theirs, `message ${i}`);
    for (const [i, chunk] of chunks.entries()) {
      const { value } = await chunk;
      assert.equal(Buffer.from((value as Chunk).bytes).toString(), `message ${i}`);
    }
    assert.equal(io.stats.buffersOut, 200);
    await Promise.all(iterators.map((iterator) => iterator.return!()));
    assert.deepEqual([io.stats.buffersOut, io.stats.inFlight], [0, 0]);
  });

  it('given several calls of next() at once, each gets one', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [ours, theirs] = files.socketPair();
    const iterator = io.recvMany(ours);
    const waiting = [iterator.next(), iterator.next(), iterator.next()];
    const sizes: number[] = [];
    for (const next of waiting) {
      writeSync(theirs, 'x'.repeat(sizes.length + 1));
      sizes.push(((await next).value as Chunk).bytes.byteLength);
    }
    assert.deepEqual(sizes, [1, 2, 3]);
    const last = [iterator.next(), iterator.next()];
    await iterator.return!();
    assert.deepEqual(await Promise.all(last), [{ value: undefined, done: true }, { value: undefined, done: true }]);
  });

  it('aborted: before, while it waits, and while chunks wait', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [ours, theirs] = files.socketPair();
    const aborted = { name: 'AbortError', code: 'ABORT_ERR' };
    await assert.rejects(io.recvMany(ours, { signal: AbortSignal.abort() }).next(), aborted);
    const waits = new AbortController();
    const waiting = io.recvMany(ours, { signal: waits.signal }).next();
    setImmediate(() => waits.abort());
    await assert.rejects(waiting, aborted);
    const has = new AbortController();
    const iterator = io.recvMany(ours, { signal: has.signal });
    writeSync(theirs, 'one');
    await iterator.next();
    writeSync(theirs, 'two');
    await io.sleep(1);
    has.abort();
    await assert.rejects(iterator.next(), aborted);
    assert.deepEqual(await iterator.next(), { value: undefined, done: true });
    assert.deepEqual([io.stats.buffersOut, io.stats.inFlight], [0, 0]);
    assert.throws(() => io.recvMany(ours, { signal: {} as AbortSignal }), { code: 'ERR_INVALID_ARG_TYPE' });
  });

  it('cancelled by its descriptor', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [ours] = files.socketPair();
    const waiting = io.recvMany(ours).next();
    const failing = assert.rejects(waiting, { code: 'ECANCELED' });
    await io.nop();
    assert.equal(await io.cancel(ours), 1);
    await failing;
  });
});

describe('recvmsgMany', { skip: without('6.0', 'recvmsgMany') }, () => {
  it('brings datagrams with their senders, of every size, empty ones too', async () => {
    await using io = new Reactor();
    const fd = await io.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC);
    await io.bind(fd, { address: '127.0.0.1', port: 0 });
    const sender = createSocket('udp4');
    sender.bind(0, '127.0.0.1');
    await once(sender, 'listening');
    const { port } = sender.address();
    const { port: target } = io.getsockname(fd) as AddressInfo;
    const sizes = [0, 1, 1500, 0, 60_000, 65_507, 3];
    const iterator = io.recvmsgMany(fd);
    for (const size of sizes) {
      sender.send(Buffer.alloc(size, `${size}`), target, '127.0.0.1');
      const { value, done } = await iterator.next();
      assert.equal(done, false);
      const { bytes, address, truncated } = value;
      assert.equal(bytes.byteLength, size);
      assert.ok(Buffer.from(bytes).equals(Buffer.alloc(size, `${size}`)));
      assert.deepEqual(address, { family: 'IPv4', address: '127.0.0.1', port });
      assert.equal(truncated, false);
    }
    await iterator.return!();
    sender.close();
    await io.closeFd(fd);
    assert.deepEqual([io.stats.buffersOut, io.stats.inFlight], [0, 0]);
  });
});

describe('pollMany', () => {
  it('tells of every event; those that nobody took come as one', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [reader, writer] = files.pipe();
    const iterator = io.pollMany(reader, POLLIN);
    for (let i = 0; i < 3; i++) {
      const next = iterator.next();
      writeSync(writer, 'x');
      assert.deepEqual(await next, { value: POLLIN, done: false });
    }
    for (let i = 0; i < 100; i++) {
      writeSync(writer, 'x');
      await io.nop();
    }
    assert.deepEqual(await iterator.next(), { value: POLLIN, done: false });
    await iterator.return!();
    assert.equal(io.stats.inFlight, 0);
  });
});

// Some begin to read and wait for something else first: a refusal would come while nobody waits for it.
describe('readMany', { skip: without('6.7', 'IORING_OP_READ_MULTISHOT') }, () => {
  it('reads a pipe to its end', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [reader, writer] = files.pipe();
    const sent = Buffer.alloc(500_000, '0123456789');
    const writing = (async () => {
      for (let at = 0; at < sent.length;) at += await io.write(writer, sent.subarray(at));
      files.close(writer);
    })();
    const pieces: Uint8Array[] = [];
    for await (const chunk of io.readMany(reader)) pieces.push(chunk.copy());
    await writing;
    assert.ok(Buffer.concat(pieces).equals(sent));
  });

  describe('given a named pipe that was opened without O_NONBLOCK', () => {
    for (
      const [what, writes] of Object.entries({
        'ends when its writer has gone, after all of the data': [100, 100],
        'ends when its writer has gone without a word': [],
        'ends when its writer has gone and left more than a buffer holds': [60_000],
      })
    ) {
      for (const isEarly of [false, true]) {
        it(`${what}${isEarly ? ', before it begins' : ''}`, async () => {
          using files = new Descriptors();
          using folder = new Temporary();
          await using io = new Reactor();
          const [reader, writer] = namedPipe(folder, files);
          const leave = (): void => {
            for (const bytes of writes) writeSync(writer, Buffer.alloc(bytes, 'x'));
            files.close(writer);
          };
          if (isEarly) leave();
          const iteration = io.readMany(reader);
          const first = iteration.next();
          if (!isEarly) {
            // It waits in the kernel then.
            await io.sleep(2);
            leave();
          }
          let total = 0;
          for (let result = await first; !result.done; result = await iteration.next()) {
            total += result.value.bytes.length;
          }
          assert.equal(total, writes.reduce((sum, bytes) => sum + bytes, 0));
          assert.deepEqual(await iteration.next(), { value: undefined, done: true });
          await io.nop();
          assert.deepEqual([io.stats.inFlight, io.stats.queued, io.stats.buffersOut], [0, 0, 0]);
        });
      }
    }

    it('goes on when another writer comes, and leaves nothing in flight when it is left', async () => {
      using files = new Descriptors();
      using folder = new Temporary();
      await using io = new Reactor();
      const [reader, writer] = namedPipe(folder, files);
      const iteration = io.readMany(reader);
      writeSync(writer, 'one');
      assert.equal(Buffer.from((await iteration.next()).value!.bytes).toString(), 'one');
      const second = files.own(openSync(join(folder.path, 'fifo'), 'w'));
      files.close(writer);
      const next = iteration.next();
      await io.sleep(2);
      writeSync(second, 'two');
      assert.equal(Buffer.from((await next).value!.bytes).toString(), 'two');
      await iteration.return!();
      await io.nop();
      assert.equal(io.stats.inFlight, 0);
      // Nothing in the kernel keeps the pipe open.
      await io.closeFd(reader);
      files.forget(reader);
      assert.throws(() => writeSync(second, 'three'), { code: 'EPIPE' });
    });

    it('and closeFd of it, and the end of the reactor, end the iteration', async () => {
      using files = new Descriptors();
      using folder = new Temporary();
      const io = new Reactor();
      const [reader, writer] = namedPipe(folder, files);
      const other = namedPipe(folder, files, 'other');
      const closed = assert.rejects(io.readMany(reader).next(), { code: 'ECANCELED' });
      const ended = assert.rejects(io.readMany(other[0]).next(), { code: 'ERR_IOURING_CLOSED' });
      await io.sleep(2);
      await io.closeFd(reader);
      files.forget(reader);
      await closed;
      assert.throws(() => writeSync(writer, 'x'), { code: 'EPIPE' });
      await io.close();
      await ended;
    });
  });

  it('given the controlling end of a terminal, fails with EIO when the other end is closed, as read does', async () => {
    using files = new Descriptors();
    await using io = new Reactor();
    const [controller, terminal] = pseudoTerminal(files);
    const iteration = io.readMany(controller);
    writeSync(terminal, 'a line\n');
    assert.equal(Buffer.from((await iteration.next()).value!.bytes).toString(), 'a line\r\n');
    const next = assert.rejects(iteration.next(), { code: 'EIO', syscall: 'read' });
    await io.sleep(2);
    files.close(terminal);
    await next;
  });

  it('given a file, the error says what to do', async () => {
    await using io = new Reactor();
    const fd = openSync('/proc/self/exe', 'r');
    await assert.rejects(io.readMany(fd).next(), { code: 'EBADFD', message: /use read/ });
    closeSync(fd);
  });
});
