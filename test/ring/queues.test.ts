// The two queues against a scripted kernel: what a real one does too rarely, or only after hours, to be tested.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  IORING_CQE_F_MORE,
  IORING_ENTER_ABS_TIMER,
  IORING_ENTER_EXT_ARG,
  IORING_ENTER_EXT_ARG_REG,
  IORING_ENTER_GETEVENTS,
  IORING_ENTER_NO_IOWAIT,
  IORING_FEAT_MIN_TIMEOUT,
  IORING_FEAT_NO_IOWAIT,
  IORING_OP_ASYNC_CANCEL,
  IORING_SQ_NEED_WAKEUP,
  IORING_SQ_TASKRUN,
  IO_URING_REG_WAIT,
  IO_URING_REG_WAIT_SIZE,
} from '../../src/abi/index.ts';
import { IoUring } from '../../src/ring/io-uring.ts';
import type { WaitOptions } from '../../src/ring/queues/submitter.ts';
import type { IoUringOptions } from '../../src/ring/setup.ts';
import { coreOf } from '../../src/ring/ring-core.ts';
import { FakeKernel, targetOf, type EnterCall } from './fake-kernel.ts';

const EPERM = 1;
const EINTR = 4;
const EAGAIN = 11;
const EBUSY = 16;
const EEXIST = 17;
const EBADR = 53;
const ETIME = 62;

function open(kernel: FakeKernel, entries: number, options: IoUringOptions = {}): IoUring {
  return new IoUring(entries, options, kernel);
}

function reap(ring: IoUring): [number, number][] {
  const seen: [number, number][] = [];
  ring.forEachCompletion((c) => void seen.push([c.userData, c.res]));
  return seen;
}

describe('cursors', () => {
  for (const start of [0xffff_fffe, 0xffff_ffff, 0x7fff_fffe, 0x7fff_ffff, 0]) {
    it(`wrap: 3000 operations in order, nothing lost, from 0x${start.toString(16)}`, () => {
      const kernel = new FakeKernel(start);
      kernel.result = (entry) => Number(entry.userData) * 2;
      const ring = open(kernel, 4, { cqEntries: 4 });
      let next = 0;
      const seen: [number, number][] = [];
      while (next < 3000) {
        while (next < 3000 && ring.prepNop(next)) next++;
        assert.ok(ring.submit() > 0);
        seen.push(...reap(ring));
      }
      assert.deepEqual(seen, Array.from({ length: 3000 }, (_, i) => [i, i * 2]));
      assert.deepEqual(kernel.cursors, Array.from({ length: 4 }, () => (start + 3000) >>> 0));
    });

    it(`wrap: a full queue is full and an empty one empty at 0x${start.toString(16)}`, () => {
      const ring = open(new FakeKernel(start), 4);
      for (let i = 0; i < 4; i++) assert.equal(ring.prepNop(i), true);
      assert.equal(ring.prepNop(4), false);
      assert.equal(ring.submit(), 4);
      assert.equal(ring.prepNop(5), true);
    });
  }
});

describe('submission queue', () => {
  it('is full after its entries, queues nothing then, and serves again after a submit', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 3);
    assert.equal(ring.sqEntries, 4);
    for (let i = 0; i < 4; i++) assert.equal(ring.prepNop(i), true);
    assert.equal(ring.prepNop(99), false);
    assert.equal(ring.prepRead(0, new Uint8Array(8), 8, 99), false);
    assert.equal(ring.submit(), 4);
    assert.deepEqual(reap(ring).map(([userData]) => userData), [0, 1, 2, 3]);
  });

  it('keeps what a partial submit left, and goes on with it in the same call', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 8);
    for (let i = 0; i < 6; i++) ring.prepNop(i);
    kernel.answers = [() => kernel.consume(2), () => kernel.consume(1)];
    assert.equal(ring.submit(), 6);
    assert.deepEqual(kernel.calls.map((call) => call.toSubmit), [6, 4, 3]);
    assert.deepEqual(reap(ring).map(([userData]) => userData), [0, 1, 2, 3, 4, 5]);
  });

  it('asks again after EINTR, with the same entries', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 4);
    ring.prepNop(1);
    kernel.answers = [-EINTR, -EINTR];
    assert.equal(ring.submit(), 1);
    assert.deepEqual(kernel.calls.map((call) => call.toSubmit), [1, 1, 1]);
  });

  for (const [name, errno] of [['EAGAIN', EAGAIN], ['EBUSY', EBUSY]] as const) {
    it(`${name} with completions to reap: returns, keeps the entries, submits them next time`, () => {
      const kernel = new FakeKernel();
      const ring = open(kernel, 4);
      kernel.post(7n, 7);
      ring.prepNop(1);
      kernel.answers = [-errno];
      assert.equal(ring.submit(), 0);
      assert.deepEqual(reap(ring), [[7, 7]]);
      assert.equal(ring.submit(), 1);
      assert.deepEqual(reap(ring), [[1, 0]]);
    });

    it(`${name} with nothing to reap: lets the kernel work, tries again, and gives up with the error`, () => {
      const kernel = new FakeKernel();
      const ring = open(kernel, 4);
      ring.prepNop(1);
      kernel.answers = [-errno, -errno];
      assert.equal(ring.submit(), 1, 'the kernel recovered');
      assert.ok(kernel.calls[1].flags & IORING_ENTER_GETEVENTS, 'deferred work runs meanwhile');
      assert.deepEqual(reap(ring), [[1, 0]]);
      ring.prepNop(2);
      kernel.answers = Array.from({ length: 1000 }, () => -errno);
      assert.throws(() => ring.submit(), { code: name, errno: -errno, syscall: 'io_uring_enter' });
      kernel.answers = [];
      assert.equal(ring.submit(), 1, 'the entry was still queued');
      assert.deepEqual(reap(ring), [[2, 0]]);
    });
  }

  it('another error is thrown, with the entries still queued', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 4);
    ring.prepNop(1);
    kernel.answers = [-EEXIST];
    assert.throws(() => ring.submit(), { code: 'EEXIST', message: /another thread/ });
    assert.equal(ring.submit(), 1);
  });

  it('writes every word of an entry: nothing of the one before shows through', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 1);
    kernel.registerAnswer = () => 0;
    ring.registerBufRing(1, 16, 9);
    ring.prepRecvMultishot(5, 9, 1);
    ring.submit();
    ring.prepNop(0x1_0000_0002);
    ring.submit();
    assert.deepEqual([...kernel.entriesSeen[1].words], [0, -1, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
  });

  it('submit() without entries does not enter the kernel', () => {
    const kernel = new FakeKernel();
    assert.equal(open(kernel, 4).submit(), 0);
    assert.equal(kernel.calls.length, 0);
  });
});

describe('waiting', () => {
  it('is one system call when the kernel does all at once', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 8);
    for (let i = 0; i < 8; i++) ring.prepNop(i);
    assert.equal(ring.submitAndWait(8), 8);
    assert.deepEqual(kernel.calls.map(({ toSubmit, minComplete }) => [toSubmit, minComplete]), [[8, 8]]);
  });

  it('goes on after a signal that interrupts the wait, with nothing submitted twice', () => {
    const kernel = new FakeKernel();
    kernel.result = () => undefined;
    const ring = open(kernel, 4);
    ring.prepNop(1);
    kernel.answers = [
      () => kernel.consume(1), // consumed, then interrupted: the count is returned, not the error
      -EINTR,
      () => (kernel.post(1n, 0), 0),
    ];
    assert.equal(ring.submitAndWait(1), 1);
    assert.deepEqual(kernel.calls.map((call) => call.toSubmit), [1, 0, 0]);
    assert.deepEqual(reap(ring), [[1, 0]]);
  });

  it('returns what was submitted when the time is up, and throws nothing', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 4);
    kernel.answers = [-ETIME];
    assert.equal(ring.submitAndWait(3, { timeoutMs: 5 }), 0);
    assert.equal(kernel.calls.length, 1);
    assert.equal(kernel.calls[0].timed, true);
  });

  it('waits only the rest of the time after an interruption', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 4);
    kernel.answers = [-EINTR, -EINTR, -ETIME];
    assert.equal(ring.submitAndWait(1, { timeoutMs: 60_000 }), 0);
    assert.equal(kernel.calls.length, 3);
  });

  it('a timeout of 0 polls', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 4);
    ring.prepNop(1);
    assert.equal(ring.submitAndWait(2, { timeoutMs: 0 }), 1);
    assert.deepEqual(reap(ring), [[1, 0]]);
  });

  it('given more than the completion queue holds, waits for a full one', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 2, { cqEntries: 2 });
    ring.prepNop(1);
    ring.prepNop(2);
    assert.equal(ring.submitAndWait(1000), 2);
    assert.equal(kernel.calls[0].minComplete, 2);
  });

  it('reports lost completions instead of waiting for them', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 2);
    kernel.answers = [-EBADR];
    assert.throws(() => ring.submitAndWait(1), { code: 'EBADR', message: /lost some/ });
  });
});

const MS = 1_000_000n;

/** The part of a wait that matters. */
interface Wait {
  flags: number;
  time: bigint | undefined;
  minWaitUs: number;
}

const waitOf = ({ flags, time, minWaitUs }: EnterCall): Wait => ({
  flags: flags & ~IORING_ENTER_EXT_ARG,
  time,
  minWaitUs,
});

const GETEVENTS = IORING_ENTER_GETEVENTS;
const ABS_TIMER = IORING_ENTER_ABS_TIMER;

const PLAIN: Wait = { flags: GETEVENTS, time: undefined, minWaitUs: 0 };

/** Ways to limit a wait, and what the kernel is told. */
const WAITS: [what: string, options: WaitOptions, wait: Wait][] = [
  ['nothing', {}, PLAIN],
  ['no time limit, aloud', { timeoutMs: Infinity }, PLAIN],
  ['a deadline', { deadline: 2n ** 62n }, { flags: GETEVENTS | ABS_TIMER, time: 2n ** 62n, minWaitUs: 0 }],
  ['a shortest time', { minWaitMs: 2.5 }, { flags: GETEVENTS, time: undefined, minWaitUs: 2500 }],
  ['a shortest time of a moment', { minWaitMs: 0.0001 }, { flags: GETEVENTS, time: undefined, minWaitUs: 1 }],
  ['no iowait', { noIowait: true }, { flags: GETEVENTS | IORING_ENTER_NO_IOWAIT, time: undefined, minWaitUs: 0 }],
  [
    'a deadline, a shortest time and no iowait',
    { deadline: 2n ** 62n, minWaitMs: 1, noIowait: true },
    { flags: GETEVENTS | ABS_TIMER | IORING_ENTER_NO_IOWAIT, time: 2n ** 62n, minWaitUs: 1000 },
  ],
];

describe('waits, as the kernel is told of them', () => {
  for (const [what, options, wait] of WAITS) {
    it(`given ${what}, the kernel is told so, and the same again after signals`, () => {
      const kernel = new FakeKernel();
      const ring = open(kernel, 4);
      ring.prepNop(1);
      kernel.result = () => undefined;
      kernel.answers = [() => kernel.consume(1), -EINTR, -EINTR, () => (kernel.post(1n, 0), 0)];
      assert.equal(ring.submitAndWait(1, options), 1);
      assert.deepEqual(kernel.calls.map(waitOf), [wait, wait, wait, wait]);
      assert.deepEqual(kernel.calls.map(({ toSubmit }) => toSubmit), [1, 0, 0, 0]);
      assert.deepEqual(reap(ring), [[1, 0]]);
    });
  }

  for (const [timeoutMs, time] of [[0, 0n], [5, 5n * MS], [1.5, 1_500_000n], [1e-9, 1n]] as const) {
    it(`a time limit of ${timeoutMs} ms: to the nanosecond, rounded up`, () => {
      const kernel = new FakeKernel();
      const ring = open(kernel, 4);
      kernel.answers = [-ETIME];
      ring.submitAndWait(1, { timeoutMs });
      const [call] = kernel.calls;
      assert.equal(call.flags & (ABS_TIMER | IORING_ENTER_NO_IOWAIT), 0);
      // A moment of it is gone already.
      assert.ok(call.time! <= time && call.time! > time - 5n * MS, `${call.time}`);
    });
  }

  it('a time limit is the time for all of it: after signals only what is left', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 4);
    kernel.answers = Array.from({ length: 50 }, () => -EINTR);
    kernel.answers.push(-ETIME);
    assert.equal(ring.submitAndWait(1, { timeoutMs: 60_000, minWaitMs: 3 }), 0);
    let before = 60_001n * MS;
    for (const { time, minWaitUs } of kernel.calls) {
      assert.ok(time! <= before && time! > 50_000n * MS);
      assert.equal(minWaitUs, 3000);
      before = time!;
    }
    assert.equal(kernel.calls.length, 51);
  });

  it('given a shortest time, returns with what is there when the kernel comes back', () => {
    const kernel = new FakeKernel();
    kernel.result = () => undefined;
    const ring = open(kernel, 4);
    ring.prepNop(1);
    ring.prepNop(2);
    kernel.answers = [() => (kernel.consume(2), kernel.post(1n, 0), 2)];
    assert.equal(ring.submitAndWait(2, { minWaitMs: 1 }), 2);
    assert.equal(kernel.calls.length, 1);
    assert.deepEqual(reap(ring), [[1, 0]]);
  });

  const features: [string, number, WaitOptions][] = [
    ['a deadline', IORING_FEAT_MIN_TIMEOUT, { deadline: 5n }],
    ['a shortest time', IORING_FEAT_MIN_TIMEOUT, { minWaitMs: 5 }],
    ['no iowait', IORING_FEAT_NO_IOWAIT, { noIowait: true }],
  ];
  for (const [what, feature, options] of features) {
    it(`${what} where the kernel does not know it: an error, and nothing is submitted`, () => {
      const kernel = new FakeKernel();
      kernel.features &= ~feature;
      const ring = open(kernel, 4);
      ring.prepNop(1);
      const refusal = { code: 'ERR_IOURING_UNSUPPORTED', message: /needs Linux/ };
      assert.throws(() => ring.submitAndWait(1, options), refusal);
      assert.equal(kernel.calls.length, 0);
      assert.equal(ring.submitAndWait(1), 1);
      assert.deepEqual(kernel.calls.map(waitOf), [PLAIN]);
    });
  }

  it('a wait whose options call the ring while they are read is the wait that was asked for', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 8);
    const options = {
      get deadline(): bigint {
        ring.prepNop(1);
        ring.submitAndWait(1, { minWaitMs: 77, noIowait: true });
        ring.submitAndWait(0, { timeoutMs: 0 });
        kernel.calls.length = 0;
        return 99n;
      },
    };
    kernel.post(5n, 5);
    assert.equal(ring.submitAndWait(1, options), 0);
    assert.deepEqual(kernel.calls.map(waitOf), [{ flags: GETEVENTS | ABS_TIMER, time: 99n, minWaitUs: 0 }]);
  });

  it('given a kernel thread that submits, the kernel is told the same', () => {
    for (const [what, options, wait] of WAITS) {
      const kernel = new FakeKernel();
      const ring = open(kernel, 4, { sqPoll: true });
      kernel.answers = [-EINTR, -EINTR, () => (kernel.post(1n, 0), 0)];
      ring.submitAndWait(1, options);
      if (options.deadline === undefined) assert.deepEqual(kernel.calls.map(waitOf), [wait, wait, wait], what);
      else for (const { time } of kernel.calls) assert.ok(time !== undefined, what);
      assert.deepEqual(reap(ring), [[1, 0]]);
      kernel.sqFlags = IORING_SQ_NEED_WAKEUP;
      kernel.calls.length = 0;
      ring.submit();
      assert.ok(kernel.calls.every(({ timed }) => !timed), what);
    }
  });
});

describe('the wait after one with options', () => {
  const STRANGE: WaitOptions = { deadline: 5n, minWaitMs: 7, noIowait: true };
  const endings: [string, (kernel: FakeKernel, ring: IoUring) => void][] = [
    ['came to its end', (kernel, ring) => {
      kernel.post(5n, 0);
      ring.submitAndWait(1, STRANGE);
      reap(ring);
    }],
    ['took too long', (kernel, ring) => {
      kernel.answers = [-ETIME];
      ring.submitAndWait(1, STRANGE);
    }],
    ['was refused by the kernel', (kernel, ring) => {
      kernel.answers = [-EEXIST];
      assert.throws(() => ring.submitAndWait(1, STRANGE), { code: 'EEXIST' });
    }],
    ['waited for no number', (_, ring) => {
      assert.throws(() => ring.submitAndWait(-1, STRANGE), { code: 'ERR_OUT_OF_RANGE' });
    }],
    ['waited for something else', (_, ring) => {
      assert.throws(() => ring.submitAndWait('1' as unknown as number, STRANGE), { code: 'ERR_INVALID_ARG_TYPE' });
    }],
    ['had an option that is wrong', (_, ring) => {
      assert.throws(() => ring.submitAndWait(1, { ...STRANGE, minWaitMs: -1 }), { code: 'ERR_OUT_OF_RANGE' });
      assert.throws(() => ring.submitAndWait(1, { ...STRANGE, minWaitMs: 1e10 }), { code: 'ERR_OUT_OF_RANGE' });
      assert.throws(() => ring.submitAndWait(1, { ...STRANGE, timeoutMs: 5 }), { code: 'ERR_INVALID_ARG_VALUE' });
      assert.throws(() => ring.submitAndWait(1, { ...STRANGE, deadline: -1n }), { code: 'ERR_OUT_OF_RANGE' });
    }],
    ['had options that throw', (_, ring) => {
      const options = {
        ...STRANGE,
        get noIowait(): boolean {
          throw new Error('mine');
        },
      };
      assert.throws(() => ring.submitAndWait(1, options), { message: 'mine' });
    }],
  ];
  for (const [ending, end] of endings) {
    it(`given one that ${ending}, is a plain one`, () => {
      const kernel = new FakeKernel();
      kernel.result = () => undefined;
      const ring = open(kernel, 4);
      end(kernel, ring);
      kernel.calls.length = 0;
      ring.prepNop(1);
      ring.prepNop(2);
      kernel.answers = [
        () => (kernel.consume(2), kernel.post(1n, 0), 2),
        -EINTR,
        () => (kernel.post(2n, 0), 0),
      ];
      assert.equal(ring.submitAndWait(2), 2);
      assert.deepEqual(kernel.calls.map(waitOf), [PLAIN, PLAIN, PLAIN]);
      assert.deepEqual(reap(ring), [[1, 0], [2, 0]]);
    });
  }

  it('given one that the kernel knows only half of, is a plain one', () => {
    const kernel = new FakeKernel();
    kernel.features &= ~IORING_FEAT_NO_IOWAIT;
    const ring = open(kernel, 4);
    assert.throws(() => ring.submitAndWait(1, STRANGE), { code: 'ERR_IOURING_UNSUPPORTED' });
    kernel.answers = [() => (kernel.post(1n, 0), 0), -EINTR, () => (kernel.post(2n, 0), 0)];
    ring.submitAndWait(2);
    assert.deepEqual(kernel.calls.map(waitOf), [PLAIN, PLAIN, PLAIN]);
  });
});

describe('registered waits', () => {
  function withRegion(): { kernel: FakeKernel; ring: IoUring; region: DataView } {
    const kernel = new FakeKernel();
    kernel.registerAnswer = () => 0;
    const ring = open(kernel, 4, { disabled: true });
    ring.registerWaitRegion(4);
    const waits = coreOf(ring).resources.waits!;
    return { kernel, ring, region: waits.view };
  }

  it('given an index, the kernel is told the place of that wait, and waits as it says', () => {
    const { kernel, ring, region } = withRegion();
    ring.setWait(2, { timeoutMs: 1500.5, minWaitMs: 2 });
    ring.setWait(3, { minWaitMs: 0.5 });
    const at = 2 * IO_URING_REG_WAIT_SIZE;
    assert.equal(region.getBigInt64(at + IO_URING_REG_WAIT.ts, true), 1n);
    assert.equal(region.getBigInt64(at + IO_URING_REG_WAIT.ts + 8, true), 500_500_000n);
    assert.equal(region.getUint32(at + IO_URING_REG_WAIT.min_wait_usec, true), 2000);
    assert.equal(region.getUint32(at + IO_URING_REG_WAIT.flags, true), 1);
    assert.equal(region.getUint32(at + IO_URING_REG_WAIT_SIZE + IO_URING_REG_WAIT.flags, true), 0);
    kernel.result = () => 0;
    ring.prepNop(1);
    assert.equal(ring.submitAndWaitReg(1, 2), 1);
    const [{ toSubmit, minComplete, flags, registeredWait }] = kernel.calls;
    assert.deepEqual([toSubmit, minComplete, registeredWait], [1, 1, at]);
    assert.equal(flags, GETEVENTS | IORING_ENTER_EXT_ARG | IORING_ENTER_EXT_ARG_REG);
    assert.deepEqual(reap(ring), [[1, 0]]);
  });

  it('given an end of the time without completions, return 0 and submit nothing twice', () => {
    const { kernel, ring } = withRegion();
    kernel.answers = [-ETIME];
    assert.equal(ring.submitAndWaitReg(1, 0), 0);
    ring.prepNop(1);
    kernel.answers = [-EAGAIN];
    assert.equal(ring.submitAndWaitReg(1, 0), 0);
    assert.equal(ring.sqReady, 1);
    assert.equal(ring.submitAndWaitReg(1, 0), 1);
    assert.equal(kernel.entriesSeen.length, 1);
    kernel.answers = [-EEXIST];
    assert.throws(() => ring.submitAndWaitReg(1, 0), { code: 'EEXIST' });
  });

  it('are waited for to their end through signals, as all others are', () => {
    const { kernel, ring } = withRegion();
    kernel.result = () => undefined;
    ring.prepNop(1);
    kernel.answers = [() => kernel.consume(1), -EINTR, () => (kernel.post(1n, 0), 0)];
    assert.equal(ring.submitAndWaitReg(1, 1), 1);
    assert.deepEqual(reap(ring), [[1, 0]]);
    assert.deepEqual(kernel.calls.map(({ toSubmit }) => toSubmit), [1, 0, 0]);
  });

  it('are unmapped when the ring is closed', () => {
    const { ring } = withRegion();
    ring.close();
    assert.throws(() => ring.setWait(0, { timeoutMs: 1 }), { code: 'ERR_IOURING_CLOSED' });
    assert.throws(() => ring.submitAndWaitReg(1, 0), { code: 'ERR_IOURING_CLOSED' });
  });
});

describe('completion queue', () => {
  it('overflow: completions kept aside by the kernel are all reaped, in order', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 4, { cqEntries: 4 });
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 4; i++) ring.prepNop(round * 4 + i);
      ring.submit();
    }
    assert.equal(kernel.overflow.length, 8);
    assert.deepEqual(reap(ring).map(([userData]) => userData), Array.from({ length: 12 }, (_, i) => i));
  });

  it('enters for deferred work when it is empty and the kernel says that there is some', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 4);
    kernel.sqFlags = IORING_SQ_TASKRUN;
    kernel.answers = [() => ((kernel.sqFlags = 0), kernel.post(5n, 6), 0)];
    assert.deepEqual(reap(ring), [[5, 6]]);
    assert.deepEqual(reap(ring), []);
    assert.equal(kernel.calls.length, 1, 'and not when there is none');
  });

  it('a callback that throws leaves the rest available and the reaped reaped', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 4);
    for (let i = 0; i < 4; i++) ring.prepNop(i);
    ring.submit();
    const seen: number[] = [];
    assert.throws(
      () =>
        ring.forEachCompletion((c) => {
          seen.push(c.userData);
          if (c.userData === 1) throw new RangeError('mine');
        }),
      { name: 'RangeError', message: 'mine' },
    );
    assert.deepEqual(reap(ring), [[2, 0], [3, 0]]);
    assert.deepEqual(seen, [0, 1]);
    assert.equal(kernel.ready, 0);
  });

  it('inside the callback: queueing and submitting works, reaping is refused', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 2);
    ring.prepNop(1);
    ring.submit();
    const seen: number[] = [];
    const reaped = ring.forEachCompletion((c) => {
      seen.push(c.userData);
      assert.throws(() => ring.forEachCompletion(() => {}), { code: 'ERR_IOURING_REENTRANT' });
      if (c.userData < 3) {
        assert.equal(ring.prepNop(c.userData + 1), true);
        assert.equal(ring.submitAndWait(1), 1);
      }
    });
    assert.equal(reaped, 1, 'what completes meanwhile is for the next call');
    assert.deepEqual(reap(ring), [[2, 0]]);
    assert.deepEqual(seen, [1]);
  });

  it('inside the callback: a close ends the reaping', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 4);
    for (let i = 0; i < 4; i++) ring.prepNop(i);
    ring.submit();
    let calls = 0;
    assert.equal(ring.forEachCompletion(() => (calls++, ring.close())), 1);
    assert.equal(calls, 1);
  });

  it('the cursor is one object; copy() makes one to keep', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 4);
    ring.prepNop(1);
    ring.prepNop(2);
    ring.submit();
    const cursors = new Set();
    const copies: number[] = [];
    const kept: { userData: number }[] = [];
    ring.forEachCompletion((c) => {
      cursors.add(c);
      kept.push(c.copy());
    });
    for (const { userData } of kept) copies.push(userData);
    assert.equal(cursors.size, 1);
    assert.deepEqual(copies, [1, 2]);
  });
});

describe('pins', () => {
  const PIPE = 3;

  it('a buffer is held to the last completion: F_MORE keeps it', () => {
    const kernel = new FakeKernel();
    kernel.registerAnswer = () => 0;
    kernel.result = () => undefined;
    const ring = open(kernel, 4);
    ring.registerBufRing(2, 16, 1);
    ring.prepRecvMultishot(PIPE, 1, 77);
    ring.submit();
    const key = kernel.entriesSeen[0].userData;
    assert.notEqual(key, 77n, 'it goes to the kernel under a key');
    kernel.post(key, 16, IORING_CQE_F_MORE | 1 | (1 << 16));
    kernel.post(key, 0);
    assert.deepEqual(reap(ring), [[77, 16], [77, 0]]);
    kernel.post(key, 1);
    const late: bigint[] = [];
    ring.forEachCompletion((c) => void late.push(c.userData64));
    assert.deepEqual(late, [key], 'the slot is free: the key means nothing any more');
  });

  it('repeated userData: each operation has its own pin and all come back right', () => {
    const kernel = new FakeKernel();
    kernel.result = () => undefined;
    const ring = open(kernel, 64);
    for (let i = 0; i < 40; i++) ring.prepRead(PIPE, new Uint8Array(8), 8, 5n);
    for (let i = 0; i < 20; i++) ring.prepNop(5);
    ring.submit();
    const keys = kernel.entriesSeen.map((entry) => entry.userData);
    assert.equal(new Set(keys).size, 41);
    for (const key of keys.reverse()) kernel.post(key, 8);
    assert.deepEqual(reap(ring), Array.from({ length: 60 }, () => [5, 8]));
  });

  it('every userData survives: both ends of its range, and values that look like keys', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 8);
    const buffer = new Uint8Array(8);
    ring.prepRead(PIPE, buffer, 8, 0);
    ring.submit();
    const likeAKey = kernel.entriesSeen[0].userData;
    reap(ring);
    for (const userData of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      ring.prepNop(userData);
      ring.prepRead(PIPE, buffer, 8, userData);
      ring.submit();
      assert.deepEqual(reap(ring), [[userData, 0], [userData, 0]]);
    }
    for (const userData of [0n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n, likeAKey, likeAKey + 1n]) {
      ring.prepNop(userData);
      ring.prepWrite(PIPE, buffer, 8, userData);
      ring.submit();
      const seen: bigint[] = [];
      ring.forEachCompletion((c) => {
        seen.push(c.userData64);
        if (userData > 2n ** 53n) assert.throws(() => c.userData, { code: 'ERR_OUT_OF_RANGE' });
      });
      assert.deepEqual(seen, [userData, userData]);
    }
  });

  it('thousands in flight: the table grows and loses none', () => {
    const kernel = new FakeKernel();
    kernel.result = () => undefined;
    const ring = open(kernel, 64, { cqEntries: 8192 });
    const count = 5000;
    for (let i = 0; i < count; i++) {
      assert.equal(ring.prepRead(PIPE, new Uint8Array(1), 1, i), true);
      if (i % 64 === 63) ring.submit();
    }
    ring.submit();
    for (const { userData } of kernel.entriesSeen) kernel.post(userData, 1);
    assert.deepEqual(reap(ring), Array.from({ length: count }, (_, i) => [i, 1]));
  });

  it('prepCancel names the operation by the caller’s userData, pinned or not', () => {
    const kernel = new FakeKernel();
    kernel.result = () => undefined;
    const ring = open(kernel, 8);
    ring.prepRead(PIPE, new Uint8Array(8), 8, 21);
    ring.prepTimeout(1000, 22);
    ring.prepCancel(21, 1);
    ring.prepCancel(22, 2);
    ring.submit();
    const [read, , cancelRead, cancelTimeout] = kernel.entriesSeen;
    assert.equal(targetOf(cancelRead), read.userData);
    assert.equal(targetOf(cancelTimeout), 22n);
  });
});

describe('close', () => {
  it('cancels what lends memory, waits for it, then unmaps and closes; in that order', () => {
    const kernel = new FakeKernel();
    kernel.result = () => undefined;
    kernel.cancels = false;
    const ring = open(kernel, 4);
    ring.prepRead(3, new Uint8Array(8), 8, 1);
    ring.submit();
    const read = kernel.entriesSeen[0].userData;
    let rounds = 0;
    const wait = (): number => {
      assert.deepEqual(kernel.log, [], 'nothing is let go before the last completion');
      kernel.consume(kernel.calls[kernel.calls.length - 1].toSubmit);
      if (++rounds === 3) kernel.post(read, -125);
      return 0;
    };
    kernel.answers = [wait, -EINTR, wait, wait];
    ring.close();
    assert.equal(rounds, 3);
    assert.equal(kernel.entriesSeen[1].opcode, IORING_OP_ASYNC_CANCEL);
    assert.deepEqual(kernel.log, ['unmap', 'unmap', 'close']);
    ring.close();
    assert.deepEqual(kernel.log, ['unmap', 'unmap', 'close'], 'a second close does nothing');
  });

  it('gives up at once when the kernel may not be entered any more, and still closes', () => {
    const kernel = new FakeKernel();
    kernel.result = () => undefined;
    const ring = open(kernel, 4);
    ring.prepRead(3, new Uint8Array(8), 8, 1);
    ring.submit();
    kernel.answers = [-EPERM];
    ring.close();
    assert.equal(kernel.calls.length, 2);
    assert.deepEqual(kernel.log, ['unmap', 'unmap', 'close']);
  });

  it('drops what was never submitted without asking the kernel', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 4);
    ring.prepRead(3, new Uint8Array(8), 8, 1);
    ring.close();
    assert.equal(kernel.calls.length, 0);
    assert.equal(kernel.entriesSeen.length, 0);
    assert.deepEqual(kernel.log, ['unmap', 'unmap', 'close']);
  });

  it('cancels more operations than the submission queue has entries', () => {
    const kernel = new FakeKernel();
    const ring = open(kernel, 2, { cqEntries: 64 });
    kernel.result = () => undefined;
    for (let i = 0; i < 20; i++) {
      ring.prepRead(3, new Uint8Array(8), 8, i);
      ring.submit();
    }
    ring.close();
    const cancels = kernel.entriesSeen.filter((entry) => entry.opcode === IORING_OP_ASYNC_CANCEL);
    assert.equal(cancels.length, 21, 'one for all, which an old kernel does not know, and one for each');
    assert.deepEqual(kernel.log, ['unmap', 'unmap', 'close']);
  });
});
