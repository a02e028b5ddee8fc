// The end of a reactor: with nothing, with everything in flight, by choice and by accident.
import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, writeSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { describe } from 'node:test';
import { runInNewContext } from 'node:vm';
import { defaultReactor, Reactor } from '../../src/index.ts';
import { it, without } from '../asking.ts';
import { finalized } from '../kernel/collect.ts';
import { Descriptors } from '../kernel/libc.ts';

const lacksPollMany = without('5.13', 'pollMany');

const CLOSED = { code: 'ERR_IOURING_CLOSED' };

describe('close', () => {
  it('takes nothing more afterwards, and is harmless when repeated', async () => {
    const io = new Reactor();
    await io.nop();
    const closing = io.close();
    assert.equal(io.closed, true);
    assert.equal(io.close(), closing);
    await assert.rejects(io.nop(), CLOSED);
    await closing;
    await io.close();
    await assert.rejects(io.nop(), CLOSED);
    await assert.rejects(io.chain([['nop']]), { name: 'LinkError', code: 'ERR_IOURING_CLOSED' });
    await assert.rejects(async () => {
      for await (const _ of io.acceptMany(0)) assert.fail();
    }, CLOSED);
    assert.equal(io.stats.inFlight, 0);
    assert.equal(io.ref(), io);
    assert.equal(io.unref(), io);
  });

  it('cancels what is in flight', async () => {
    using files = new Descriptors();
    const io = new Reactor({ entries: 4, cqEntries: 8 });
    const [reader, writer] = files.pipe();
    const buffers = Array.from({ length: 20 }, () => new Uint8Array(8));
    const reads = buffers.map((buffer) => io.read(reader, buffer));
    const others = [io.sleep(1e6), io.poll(reader, 1), io.chain([['poll', reader, 1], ['nop']])];
    const iteration = io.readMany(reader).next();
    const all = Promise.allSettled([...reads, ...others, iteration]);
    await new Promise((resolve) => setImmediate(resolve));
    await io.close();
    for (const result of await all) {
      assert.equal(result.status, 'rejected');
      assert.equal((result.reason as NodeJS.ErrnoException).code, 'ERR_IOURING_CLOSED');
    }
    writeSync(writer, 'late');
    assert.ok(buffers.every((buffer) => buffer.every((byte) => byte === 0)));
  });

  it('in the tick in which it was asked for', async () => {
    const io = new Reactor();
    const sleeping = io.sleep(1e6);
    await Promise.all([io.close(), assert.rejects(sleeping, CLOSED)]);
  });

  it('drains, if asked to: what is finite ends, iterations do not last', async () => {
    using files = new Descriptors();
    const io = new Reactor({ entries: 4, cqEntries: 8 });
    const [reader, writer] = files.pipe();
    const reading = io.read(reader, new Uint8Array(8));
    const nops = Array.from({ length: 100 }, () => io.nop());
    const sleeping = io.sleep(10);
    const iteration = io.pollMany(reader, 1).next();
    let isClosed = false;
    const closing = io.close({ drain: true }).then(() => (isClosed = true));
    await assert.rejects(iteration, CLOSED);
    await Promise.all([...nops, sleeping]);
    assert.equal(isClosed, false);
    writeSync(writer, '1234');
    assert.equal(await reading, 4);
    await closing;
  });

  it('given anything but nothing, options or a number, rejects with a TypeError and leaves the reactor open', async () => {
    await using io = new Reactor();
    const close = io.close.bind(io) as (target: unknown) => Promise<void>;
    await using file = await openFile('/dev/null');
    const inherited = Object.create({ drain: true }) as object;
    const things = [undefined, null, '3', true, 3n, [], [3], file, new Map(), new Date(), () => {}, Symbol.iterator,
      inherited];
    for (const thing of things) await assert.rejects(close(thing), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    const unknown = [{ fd: 3 }, { drain: true, signal: AbortSignal.timeout(1) }, { [Symbol('drain')]: true }];
    for (const options of unknown) {
      await assert.rejects(close(options), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
    }
    await assert.rejects(close({ drain: 1 }), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    assert.equal(io.closed, false);
    assert.equal(await io.nop(), 0);
  });

  it('given options, those of no prototype and of another realm included, closes the reactor', async () => {
    const all = [{}, { drain: undefined }, { drain: false }, { drain: true }, Object.create(null),
      runInNewContext('({})')];
    for (const options of all as { drain?: boolean }[]) {
      const io = new Reactor();
      await io.close(options);
      await assert.rejects(io.nop(), CLOSED);
    }
  });

  it('given a number, and closeFd, end what iterates that descriptor', { skip: lacksPollMany }, async () => {
    await using io = new Reactor();
    using files = new Descriptors();
    for (const close of [(fd: number) => io.closeFd(fd), (fd: number) => io.close(fd)]) {
      const [reader] = files.pipe();
      const iteration = assert.rejects(io.pollMany(reader, 1).next(), { code: 'ECANCELED' });
      await close(reader);
      files.forget(reader);
      await iteration;
    }
  });

  it('given a number, and closeFd, close that descriptor', async () => {
    await using io = new Reactor();
    using files = new Descriptors();
    for (const close of [(fd: number) => io.closeFd(fd), (fd: number) => io.close(fd)]) {
      const [reader] = files.pipe();
      await close(reader);
      assert.throws(() => closeSync(reader), { code: 'EBADF' });
      files.forget(reader);
      await assert.rejects(close(reader), { code: 'EBADF', syscall: 'close' });
    }
    for (const fd of [undefined, null, '3', [], {}] as unknown[]) {
      await assert.rejects(io.closeFd(fd as number), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    const fds = [openSync('/dev/null', 'r'), openSync('/dev/null', 'r')] as const;
    await io.chain([['closeFd', fds[0]], ['close', fds[1]]]);
    for (const fd of fds) assert.throws(() => closeSync(fd), { code: 'EBADF' });
    assert.equal(io.closed, false);
  });

  it('leaves no descriptor behind', async () => {
    const count = (): number => readdirSync('/proc/self/fd').length;
    const before = count();
    for (let i = 0; i < 20; i++) {
      await using io = new Reactor();
      void io.sleep(1e6).catch(() => {});
      await io.nop();
    }
    // The loop closes what it polled in a turn of its own.
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(count(), before);
  });

  it('a reactor that is dropped without being closed is closed when it is collected', async () => {
    const count = (): number => readdirSync('/proc/self/fd').length;
    const before = count();
    await (async () => {
      for (let i = 0; i < 20; i++) await new Reactor().nop();
    })();
    assert.ok(count() > before);
    for (let i = 0; i < 20 && count() > before; i++) await finalized();
    assert.equal(count(), before);
  });
});

describe('the default reactor', () => {
  it('is one, and another once it was closed', async () => {
    const io = defaultReactor();
    assert.equal(defaultReactor(), io);
    assert.equal(await io.nop(), 0);
    await io.close();
    const other = defaultReactor();
    assert.notEqual(other, io);
    assert.equal(await other.nop(), 0);
    await other.close();
  });
});
