// A ring belongs to its thread, and ends with it.
// slow: starts and ends threads over and over
import assert from 'node:assert/strict';
import { readFileSync, writeSync } from 'node:fs';
import { once } from 'node:events';
import { describe } from 'node:test';
import { MessageChannel, Worker } from 'node:worker_threads';
import { IoUring, Reactor } from '../../src/index.ts';
import { it, without } from '../asking.ts';
import { Descriptors } from './libc.ts';

const api = new URL('../../src/index.js', import.meta.url).href;

/** Rings that are mapped; Node's own event loop may have some. */
const mappings = (): number => (readFileSync('/proc/self/maps', 'utf8').match(/io_uring/g) ?? []).length;

describe('a ring and threads', () => {
  it('cannot be sent to another thread: the message that tries says so', () => {
    using ring = new IoUring(8);
    const { port1 } = new MessageChannel();
    for (const send of [() => port1.postMessage(ring), () => structuredClone(ring)]) {
      assert.throws(send, { code: 'ERR_IOURING_THREAD', message: /each thread a ring of its own/ });
    }
    port1.close();
  });

  it('the kernel refuses its descriptor in another thread, and the ring is unharmed', async () => {
    using ring = new IoUring(8);
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.native).then(({ koffiNative }) =>
        parentPort.postMessage(koffiNative().enter(workerData.fd, 0, 0, 1)));`;
    const native = new URL('../../src/native/koffi.js', import.meta.url).href;
    const worker = new Worker(code, { eval: true, workerData: { native, fd: ring.fd } });
    const [answer] = (await once(worker, 'message')) as [number];
    assert.equal(answer, -17, 'EEXIST');
    ring.prepNop(1);
    assert.equal(ring.submitAndWait(1), 1);
  });

  it('in a worker: entries and completions of every size, waits of every kind; what would outlive it is refused', async () => {
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.api).then(({ IoUring }) => {
        const answers = [];
        const attempt = (call) => { try { call(); return 'done'; } catch (error) { return error.code; } };
        for (const options of [{ cqe32: true }, { sqe128: true }, { sqe128: true, cqe32: true }, { cqeMixed: true }]) {
          const ring = new IoUring(64, { ...options, cqEntries: 64 });
          const big = options.cqe32 || options.cqeMixed;
          for (let round = 0; round < 5; round++) {
            for (let i = 0; i < 20; i++) ring.prepNop(i, big ? { cqe32: [i, round] } : undefined);
            ring.submitAndWait(20);
            const found = ring.copyCompletions();
            answers.push(found.length === 20 && found.every((c, i) => c.userData === i && (!big || c.bigCqe()[0] === BigInt(i))));
          }
          ring.close();
        }
        const ring = new IoUring(8);
        const start = performance.now();
        ring.submitAndWait(1, { deadline: process.hrtime.bigint() + 150_000_000n });
        answers.push(performance.now() - start >= 149);
        ring.prepNop(1);
        ring.submitAndWait(5, { minWaitMs: 1, timeoutMs: 60_000 });
        answers.push(performance.now() - start < 20_000);
        answers.push(attempt(() => ring.registerBufRing(2, 16, 1, { kernelMemory: true })));
        answers.push(attempt(() => ring.registerRingFd()), attempt(() => ring.resizeRings(16)));
        parentPort.postMessage(answers);
      });`;
    const worker = new Worker(code, { eval: true, workerData: { api } });
    const [answers] = (await once(worker, 'message')) as [unknown[]];
    await once(worker, 'exit');
    const unsupported = 'ERR_IOURING_UNSUPPORTED';
    assert.deepEqual(answers, [...Array.from({ length: 22 }, () => true), unsupported, unsupported, unsupported]);
  });

  // Before, what is mapped of a ring stays until the process ends, and the ring with it.
  const inOwnMemory = { skip: without('6.5', 'IORING_SETUP_NO_MMAP') };
  it(
    'a worker that is terminated with a read in flight: its ring ends, and lets go of the files in it',
    inOwnMemory,
    async () => {
      using files = new Descriptors();
      const [reader, writer] = files.pipe(0o4000 /* O_NONBLOCK */);
      const before = mappings();
      const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.api).then(({ IoUring }) => {
        const ring = new IoUring(8);
        ring.prepRead(workerData.reader, new Uint8Array(4096), 4096, 1);
        ring.submit();
        globalThis.keep = ring;
        parentPort.postMessage(ring.fd);
        setInterval(() => {}, 1000);
      });`;
      const worker = new Worker(code, { eval: true, workerData: { api, reader } });
      const [fd] = (await once(worker, 'message')) as [number];
      assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), /SqMask/);
      await worker.terminate();
      const isThere = (): boolean => {
        try {
          return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').includes('SqMask');
        } catch {
          return false;
        }
      };
      // In Deno the thread ends some time after terminate() is over.
      for (const start = performance.now(); isThere(); await new Promise((resolve) => setImmediate(resolve))) {
        assert.ok(performance.now() - start < 10_000, 'the descriptor is closed');
      }
      assert.ok(mappings() <= before);
      files.close(reader);
      // The kernel ends a ring in its own time.
      for (const start = performance.now();; await new Promise((resolve) => setImmediate(resolve))) {
        try {
          writeSync(writer, 'x');
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          if (code === 'EPIPE') break;
          assert.equal(code, 'EAGAIN');
        }
        assert.ok(performance.now() - start < 30_000, 'the ring lives on');
      }
    },
  );

  for (const end of ['', 'process.exit()']) {
    it(`a worker that ends without closing its ring${end && ` by ${end}`} leaves no descriptor, mapping or file`, async () => {
      using files = new Descriptors();
      const [reader, writer] = files.pipe();
      const code = `
        const { parentPort, workerData } = require('node:worker_threads');
        import(workerData.api).then(({ IoUring }) => {
          globalThis.keep = new IoUring(8);
          keep.prepRead(workerData.reader, new Uint8Array(64), 64, 1);
          keep.submit();
          parentPort.postMessage(globalThis.keep.fd);
          ${end}
        });`;
      const before = mappings();
      const worker = new Worker(code, { eval: true, workerData: { api, reader } });
      await once(worker, 'exit');
      assert.ok(mappings() <= before);
      files.close(reader);
      assert.throws(() => writeSync(writer, 'x'), { code: 'EPIPE' }, 'the ring does not hold the pipe open');
    });
  }

  it('a worker that opens and closes many rings leaves one listener for its end, not one for each', async () => {
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.api).then(({ IoUring }) => {
        const before = process.listenerCount('exit');
        for (let i = 0; i < 50; i++) new IoUring(8).close();
        parentPort.postMessage(process.listenerCount('exit') - before);
      });`;
    const worker = new Worker(code, { eval: true, workerData: { api } });
    const [[added]] = (await Promise.all([once(worker, 'message'), once(worker, 'exit')])) as [[number], unknown];
    assert.equal(added, 1);
  });

  for (const age of [undefined, 'LINUX_5_10'] as const) {
    const where = age === undefined ? '' : ', on Linux 5.10, which limits no wait';
    it(`a worker that waits in a ring without a limit can be terminated${where}`, { timeout: 60_000 }, async () => {
      await using io = new Reactor();
      using files = new Descriptors();
      const [started, startedBy] = files.pipe();
      const [endedBy, end] = files.pipe();
      // The wait is under way when the kernel has done the write, which the same call has submitted.
      const code = `
        const { workerData: { api, aged, ages, age, startedBy, endedBy } } = require('node:worker_threads');
        Promise.all([import(api), import(aged), import(ages)]).then(([{ IoUring }, kernel, known]) => {
          if (age !== undefined) kernel.age(known[age]);
          const ring = new IoUring(8);
          ring.prepWrite(startedBy, new Uint8Array(1), 1, 1);
          ring.prepRead(endedBy, new Uint8Array(1), 1, 2);
          ring.submitAndWait(2);
        });`;
      const place = (path: string): string => new URL(path, import.meta.url).href;
      const modules = { api, aged: place('./aged-kernel.js'), ages: place('../ring/ages.js') };
      const worker = new Worker(code, { eval: true, workerData: { ...modules, age, startedBy, endedBy } });
      // Not by node:fs: the descriptors of Deno's are not the system's.
      await io.read(started, Buffer.alloc(1));
      // One that cannot be terminated has its wait ended, for this process to end.
      let isLate = false;
      const limit = setTimeout(() => {
        isLate = true;
        writeSync(end, 'x');
      }, 10_000);
      await worker.terminate();
      clearTimeout(limit);
      assert.equal(isLate, false, 'it waited until it got what it waited for');
    });
  }

  it('a worker’s waits last as long as asked for, in spite of their slices', async () => {
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.api).then(({ IoUring }) => {
        const ring = new IoUring(8);
        const start = performance.now();
        ring.prepTimeout(250, 1);
        const consumed = ring.submitAndWait(1);
        const waited = performance.now() - start;
        const reaped = ring.forEachCompletion(() => {});
        const again = performance.now();
        const none = ring.submitAndWait(1, { timeoutMs: 150 });
        parentPort.postMessage({ consumed, waited, reaped, none, timed: performance.now() - again });
      });`;
    const worker = new Worker(code, { eval: true, workerData: { api } });
    const [answer] = (await once(worker, 'message')) as [Record<string, number>];
    assert.deepEqual([answer['consumed'], answer['reaped'], answer['none']], [1, 1, 0]);
    assert.ok(answer['waited'] >= 249 && answer['timed'] >= 149, JSON.stringify(answer));
  });

  it('SQPOLL is refused in a worker, whose memory the kernel’s thread would outlive', async () => {
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.api).then(({ IoUring }) => {
        try { new IoUring(8, { sqPoll: true }); } catch (error) { parentPort.postMessage([error.code, error.message]); }
      });`;
    const [[code_, message]] = (await once(new Worker(code, { eval: true, workerData: { api } }), 'message')) as [
      string[],
    ];
    assert.equal(code_, 'ERR_IOURING_UNSUPPORTED');
    assert.match(message, /worker/);
  });

  it('descriptors that somebody else closed: a ring of the same number is no second close', async () => {
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.api).then(({ IoUring }) => {
        const first = new IoUring(8);
        require('node:fs').closeSync(first.fd);
        const second = new IoUring(8);
        parentPort.postMessage(first.fd === second.fd);
      });`;
    const worker = new Worker(code, { eval: true, workerData: { api } });
    const [[same], [exitCode]] = (await Promise.all([once(worker, 'message'), once(worker, 'exit')])) as [
      [boolean],
      [number],
    ];
    assert.deepEqual([same, exitCode], [true, 0]);
  });

  it('in a worker a ring is not registered with the thread, which would keep it open past the memory', async () => {
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.api).then(({ IoUring }) => {
        let refusal;
        try { new IoUring(8, { registerRingFd: true }); } catch (error) { refusal = error.message; }
        parentPort.postMessage([new IoUring(8).registeredFd, refusal]);
      });`;
    const worker = new Worker(code, { eval: true, workerData: { api } });
    const [[registeredFd, refusal]] = (await once(worker, 'message')) as [[undefined, string]];
    assert.equal(registeredFd, undefined);
    assert.match(refusal, /only on the main thread/);
    await worker.terminate();
  });

  it('a worker that closed its ring does not close a later descriptor of the same number', async () => {
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      const fs = require('node:fs');
      import(workerData.api).then(({ IoUring }) => {
        const ring = new IoUring(8);
        const { fd } = ring;
        ring.close();
        // Not opened by fs: a worker closes that itself when it ends.
        parentPort.postMessage(fd);
        parentPort.once('message', () => process.exit());
      });`;
    const worker = new Worker(code, { eval: true, workerData: { api } });
    const [fd] = (await once(worker, 'message')) as [number];
    using files = new Descriptors();
    const taken: number[] = [];
    while (!taken.includes(fd) && taken.length < 64) taken.push(...files.pipe());
    assert.ok(taken.includes(fd), 'the number is in use again');
    worker.postMessage('end');
    await once(worker, 'exit');
    assert.doesNotThrow(() => readFileSync(`/proc/self/fdinfo/${fd}`), 'and still open');
  });
});
