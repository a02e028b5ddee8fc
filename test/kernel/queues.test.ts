// Overflow, interruptions, set-up variants and time limits on the real kernel.
import assert from 'node:assert/strict';
import { openSync, readFileSync, writeSync } from 'node:fs';
import { describe } from 'node:test';
import { Worker } from 'node:worker_threads';
import {
  IORING_SETUP_COOP_TASKRUN,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_NO_SQARRAY,
  IORING_SETUP_SINGLE_ISSUER,
  IORING_SETUP_SQPOLL,
  IORING_SETUP_SUBMIT_ALL,
} from '../../src/abi/index.ts';
import { IoUring, type IoUringOptions } from '../../src/index.ts';
import { it, without } from '../asking.ts';
import { moduleText, run } from '../run.ts';
import { Descriptors } from './libc.ts';
import { complete, reap } from './reap.ts';
import { Temporary } from './temporary.ts';

describe('set-up', () => {
  it(
    'rounds entries up as the kernel does, and says what was obtained',
    { skip: without('5.19', 'SqMask in fdinfo') },
    () => {
      for (const [asked, obtained] of [[1, 1], [3, 4], [100, 128], [32768, 32768]]) {
        using ring = new IoUring(asked);
        assert.equal(ring.sqEntries, obtained);
        assert.ok(ring.cqEntries >= 2 * obtained);
        assert.ok(ring.fd >= 0);
        assert.equal(typeof ring.features, 'number');
        assert.match(readFileSync(`/proc/self/fdinfo/${ring.fd}`, 'utf8'), /SqMask/);
      }
    },
  );

  const variants: [string, IoUringOptions, number, number][] = [
    ['default', {}, IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_NO_SQARRAY, 0],
    ['noSqArray: false', { noSqArray: false }, IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_NO_SQARRAY],
    ['deferTaskrun: false', { deferTaskrun: false }, IORING_SETUP_COOP_TASKRUN, IORING_SETUP_DEFER_TASKRUN],
    ['coopTaskrun: true', { coopTaskrun: true }, IORING_SETUP_COOP_TASKRUN, IORING_SETUP_DEFER_TASKRUN],
    ['singleIssuer: false', { singleIssuer: false }, IORING_SETUP_COOP_TASKRUN, IORING_SETUP_SINGLE_ISSUER],
    ['submitAll: false', { submitAll: false }, IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_SUBMIT_ALL],
    [
      'nothing at all',
      {
        noSqArray: false,
        deferTaskrun: false,
        coopTaskrun: false,
        singleIssuer: false,
        submitAll: false,
        registerRingFd: false,
      },
      0,
      ~0x8,
    ],
    ['sqPoll', { sqPoll: true }, IORING_SETUP_SQPOLL, IORING_SETUP_DEFER_TASKRUN],
    ['sqPoll, soon asleep', { sqPoll: { idleMs: 1, cpu: 0 } }, IORING_SETUP_SQPOLL, 0],
  ];
  for (const [name, options, present, absent] of variants) {
    const has = (flag: number): boolean => (present & flag) !== 0;
    const skip = (has(IORING_SETUP_NO_SQARRAY) && without('6.6', 'IORING_SETUP_NO_SQARRAY')) ||
      (has(IORING_SETUP_DEFER_TASKRUN) && without('6.1', 'IORING_SETUP_DEFER_TASKRUN')) ||
      without('5.19', 'IORING_SETUP_COOP_TASKRUN and IORING_REGISTER_PBUF_RING');
    it(`${name}: operations of every kind come through, thousands of times`, { skip }, () => {
      using folder = new Temporary();
      using files = new Descriptors();
      using ring = new IoUring(8, options);
      assert.equal(ring.setupFlags & present, present);
      assert.equal(ring.setupFlags & absent, 0);
      assert.equal(ring.registeredFd === undefined, options.registerRingFd === false);
      const fd = files.own(openSync(folder.file('data', 'contents'), 'r'));
      const [socket, peer] = files.socketPair();
      const buffers = ring.registerBufRing(4, 16, 1);
      const buffer = Buffer.alloc(8);
      ring.prepRecvMultishot(socket, 1, 4);
      for (let round = 0; round < 1000; round++) {
        ring.prepNop(1);
        ring.prepRead(fd, buffer, 8, 2, 0);
        ring.prepTimeout(0, 3);
        ring.prepSend(peer, buffer, 8, 5);
        const seen = new Map<number, number>();
        for (const start = performance.now(); seen.size < 5;) {
          ring.submitAndWait(1, { timeoutMs: 1000 });
          ring.forEachCompletion((c) => {
            seen.set(c.userData, c.res);
            const id = c.bufferId();
            if (id !== undefined) buffers.recycle(id);
          });
          assert.ok(performance.now() - start < 20_000, `round ${round}: ${JSON.stringify([...seen])}`);
        }
        assert.deepEqual(seen, new Map([[1, 0], [2, 8], [3, -62], [4, 8], [5, 8]]));
        assert.equal(buffer.toString(), 'contents');
        buffer.fill(0);
        buffer.write('contents');
      }
    });
  }

  it('a polled submission queue that is full makes room on submit', () => {
    using ring = new IoUring(4, { sqPoll: { idleMs: 1 } });
    let queued = 0;
    let reaped = 0;
    while (queued < 10_000) {
      while (queued < 10_000 && ring.prepNop(queued)) queued++;
      ring.submit();
      reaped += ring.forEachCompletion((c) => assert.equal(c.res, 0));
    }
    while (reaped < queued) {
      ring.submitAndWait(1);
      reaped += ring.forEachCompletion(() => {});
    }
    assert.equal(reaped, 10_000);
  });

  it('too many rings: EMFILE says what to do', async () => {
    const code = `
      import { IoUring } from ${JSON.stringify(new URL('../../src/index.js', import.meta.url).href)};
      const rings = [];
      try { for (;;) rings.push(new IoUring(1)); }
      catch (error) { console.log(error.code, error.errno, error.syscall, /ulimit -n/.test(error.message)); }
    `;
    const { stdout } = await run('sh', ['-c', 'ulimit -n 512; exec "$0" "$@"', process.execPath, ...moduleText(code)]);
    assert.equal(stdout, 'EMFILE -24 io_uring_setup true\n');
  });
});

describe('a small completion queue', () => {
  it('overflows, and every completion is reaped all the same, in order', {
    skip: without('5.15', 'submissions while completions overflow'),
  }, () => {
    using ring = new IoUring(4, { cqEntries: 4 });
    for (let round = 0; round < 25; round++) {
      for (let i = 0; i < 4; i++) assert.equal(ring.prepNop(round * 4 + i), true);
      assert.equal(ring.submit(), 4);
    }
    assert.deepEqual(reap(ring).map((c) => c.userData), Array.from({ length: 100 }, (_, i) => i));
  });

  it('overflows while the callback throws now and then: nothing is lost or doubled', {
    skip: without('5.15', 'submissions while completions overflow'),
  }, () => {
    using ring = new IoUring(4, { cqEntries: 4 });
    const seen: number[] = [];
    for (let i = 0; i < 40; i++) {
      ring.prepNop(i);
      ring.submit();
    }
    for (let calls = 0; seen.length < 40; calls++) {
      assert.ok(calls < 100);
      try {
        ring.forEachCompletion((c) => {
          seen.push(c.userData);
          if (c.userData % 7 === 3) throw new Error('thrown by the test');
        });
      } catch (error) {
        assert.equal((error as Error).message, 'thrown by the test');
      }
    }
    assert.deepEqual(seen, Array.from({ length: 40 }, (_, i) => i));
  });

  it('a multishot receive that overflows it ends, is queued again, and loses no byte', () => {
    using files = new Descriptors();
    using ring = new IoUring(2, { cqEntries: 2 });
    const buffers = ring.registerBufRing(64, 4, 1);
    const [a, b] = files.socketPair();
    const sent = Buffer.from(Array.from({ length: 200 }, (_, i) => i));
    ring.prepRecvMultishot(a, 1, 1);
    ring.submit();
    writeSync(b, sent);
    const received: number[] = [];
    for (let calls = 0; received.length < sent.length; calls++) {
      assert.ok(calls < 1000);
      ring.submitAndWait(1, { timeoutMs: 1000 });
      ring.forEachCompletion((c) => {
        const id = c.bufferId();
        if (id !== undefined) {
          received.push(...buffers.bytes(id, c.res));
          buffers.recycle(id);
        }
        if (!c.hasMore()) ring.prepRecvMultishot(a, 1, 1);
      });
    }
    assert.deepEqual(Buffer.from(received), sent);
  });
});

describe('waiting', () => {
  it('for what can never come does not hang a timed call', () => {
    using ring = new IoUring(8);
    const start = performance.now();
    assert.equal(ring.submitAndWait(3, { timeoutMs: 20 }), 0);
    assert.ok(performance.now() - start >= 19.9);
    ring.prepNop(1);
    assert.equal(ring.submitAndWait(2, { timeoutMs: 20 }), 1, 'the count survives the time-out');
    assert.deepEqual(reap(ring).map((c) => c.userData), [1]);
  });

  it('counts completions that were there before', () => {
    using ring = new IoUring(8);
    for (let i = 0; i < 3; i++) ring.prepNop(i);
    ring.submit();
    assert.equal(ring.submitAndWait(3), 0);
    assert.equal(reap(ring).length, 3);
  });

  it('with Infinity is waiting without a limit', () => {
    using ring = new IoUring(8);
    ring.prepTimeout(3, 1);
    assert.equal(ring.submitAndWait(1, { timeoutMs: Infinity }), 1);
    assert.equal(reap(ring).length, 1);
  });

  it('polling without waiting finds what completes by itself', () => {
    using ring = new IoUring(8);
    ring.prepTimeout(2, 1);
    ring.submit();
    let found = 0;
    for (const start = performance.now(); found === 0;) {
      found = ring.forEachCompletion(() => {});
      assert.ok(performance.now() - start < 10_000);
    }
    assert.equal(found, 1);
  });

  it('is not ended by signals', async () => {
    using ring = new IoUring(8);
    const onSignal = (): void => {};
    process.on('SIGWINCH', onSignal);
    const worker = new Worker(
      `const timer = setInterval(() => process.kill(process.pid, 'SIGWINCH'), 1);
       require('node:worker_threads').parentPort.on('message', () => clearInterval(timer)).unref();`,
      { eval: true },
    );
    await new Promise((resolve) => worker.once('online', resolve));
    const start = performance.now();
    ring.prepTimeout(60, 1);
    assert.equal(ring.submitAndWait(1), 1);
    assert.deepEqual(reap(ring).map((c) => c.res), [-62]);
    assert.ok(performance.now() - start >= 59.9);
    const again = performance.now();
    assert.equal(ring.submitAndWait(1, { timeoutMs: 40 }), 0);
    assert.ok(performance.now() - again >= 39.9);
    await worker.terminate();
    process.off('SIGWINCH', onSignal);
  });

  it('from another thread’s ring: each thread has its own, at the same time', async () => {
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData).then(({ IoUring }) => {
        const ring = new IoUring(8);
        let done = 0;
        for (let i = 0; i < 20000; i++) { ring.prepNop(i); ring.submitAndWait(1); done += ring.forEachCompletion(() => {}); }
        ring.close();
        parentPort.postMessage(done);
      });`;
    const workerData = new URL('../../src/index.js', import.meta.url).href;
    const results = [1, 2, 3].map(
      () =>
        new Promise((resolve, reject) => {
          new Worker(code, { eval: true, workerData }).once('message', resolve).once('error', reject);
        }),
    );
    using ring = new IoUring(8);
    for (let i = 0; i < 1000; i++) {
      ring.prepNop(i);
      assert.equal(complete(ring).userData, i);
    }
    assert.deepEqual(await Promise.all(results), [20000, 20000, 20000]);
  });
});
