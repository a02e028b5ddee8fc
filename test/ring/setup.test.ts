// Which flags a ring asks for, and what it does when the kernel knows fewer.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  IORING_SETUP_COOP_TASKRUN as COOP,
  IORING_SETUP_CQSIZE as CQSIZE,
  IORING_SETUP_DEFER_TASKRUN as DEFER,
  IORING_SETUP_NO_SQARRAY as NO_SQARRAY,
  IORING_SETUP_SINGLE_ISSUER as SINGLE,
  IORING_SETUP_SQPOLL as SQPOLL,
  IORING_SETUP_SQ_AFF as SQ_AFF,
  IORING_SETUP_SUBMIT_ALL as ALL,
  IORING_SETUP_TASKRUN_FLAG as FLAG,
  IO_URING_PARAMS,
} from '../../src/abi/index.ts';
import { IoUring } from '../../src/ring/io-uring.ts';
import type { IoUringOptions } from '../../src/ring/setup.ts';
import { FakeKernel } from './fake-kernel.ts';

/** A kernel that has memory for so many completions; a submission takes as much as two. */
class ShortOfMemory extends FakeKernel {
  readonly #entries: number;

  constructor(completions: number) {
    super();
    this.#entries = completions;
  }

  override setup(entries: number, params: Uint8Array): number {
    const completions = new DataView(params.buffer, params.byteOffset).getUint32(IO_URING_PARAMS.cq_entries, true);
    return completions + 2 * entries > this.#entries ? -12 : super.setup(entries, params);
  }
}

function setupFlags(options: IoUringOptions, unknownFlags = 0): number {
  const kernel = new FakeKernel();
  kernel.unknownFlags = unknownFlags;
  return new IoUring(8, options, kernel).setupFlags & ~CQSIZE;
}

describe('setup tiers', () => {
  const kernels: [string, number, number][] = [
    ['6.6', 0, NO_SQARRAY | DEFER | SINGLE | ALL | FLAG],
    ['6.1', NO_SQARRAY, DEFER | SINGLE | ALL | FLAG],
    ['6.0', NO_SQARRAY | DEFER, SINGLE | COOP | ALL | FLAG],
    ['5.19', NO_SQARRAY | DEFER | SINGLE, COOP | ALL | FLAG],
    ['5.18', NO_SQARRAY | DEFER | SINGLE | COOP | FLAG, ALL],
    ['5.6', NO_SQARRAY | DEFER | SINGLE | COOP | FLAG | ALL, 0],
  ];
  for (const [version, unknown, obtained] of kernels) {
    it(`takes all that a kernel like ${version} has`, () => assert.equal(setupFlags({}, unknown), obtained));
  }

  it('leaves out what is forbidden, and takes the next best', () => {
    assert.equal(setupFlags({ noSqArray: false }), DEFER | SINGLE | ALL | FLAG);
    assert.equal(setupFlags({ deferTaskrun: false }), NO_SQARRAY | SINGLE | COOP | ALL | FLAG);
    assert.equal(setupFlags({ singleIssuer: false }), NO_SQARRAY | COOP | ALL | FLAG);
    assert.equal(setupFlags({ coopTaskrun: true }), NO_SQARRAY | SINGLE | COOP | ALL | FLAG);
    assert.equal(setupFlags({ submitAll: false }), NO_SQARRAY | SINGLE | DEFER | FLAG);
    const none = { noSqArray: false, deferTaskrun: false, singleIssuer: false, coopTaskrun: false };
    assert.equal(setupFlags({ ...none, submitAll: false }), 0);
  });

  it('insists on what is forced: the constructor throws where the kernel lacks it', () => {
    assert.throws(() => setupFlags({ noSqArray: true }, NO_SQARRAY), {
      code: 'EINVAL',
      errno: -22,
      syscall: 'io_uring_setup',
      message: /IORING_SETUP_NO_SQARRAY needs Linux 6\.6, this is \d/,
    });
    assert.equal(setupFlags({ deferTaskrun: true }, NO_SQARRAY), DEFER | SINGLE | ALL | FLAG);
    const deferred = { code: 'EINVAL', message: /IORING_SETUP_DEFER_TASKRUN needs Linux 6\.1, this is \d/ };
    assert.throws(() => setupFlags({ deferTaskrun: true }, DEFER), deferred);
  });

  it('given EINVAL for another reason than its age, the kernel is not called too old', () => {
    const kernel = new FakeKernel();
    kernel.setup = (entries, params) =>
      new DataView(params.buffer).getUint32(IO_URING_PARAMS.cq_entries, true) > 0
        ? -22
        : FakeKernel.prototype.setup.call(kernel, entries, params);
    assert.throws(() => new IoUring(8, { sqPoll: { cpu: 4000 } }, kernel), (error: NodeJS.ErrnoException) => {
      assert.equal(error.code, 'EINVAL');
      assert.match(error.message, /knows or allows no such set-up: IORING_SETUP_SQPOLL \| IORING_SETUP_SQ_AFF/);
      assert.doesNotMatch(error.message, /needs Linux/);
      return true;
    });
    assert.equal(kernel.closed.length, 2, 'the rings of the trial are closed');
  });

  it('SQPOLL on request, without the flags that it excludes', () => {
    assert.equal(setupFlags({ sqPoll: true }), SQPOLL | NO_SQARRAY | SINGLE | ALL);
    assert.equal(setupFlags({ sqPoll: { cpu: 1, idleMs: 5 } }), SQPOLL | SQ_AFF | NO_SQARRAY | SINGLE | ALL);
    assert.equal(setupFlags({ sqPoll: false }) & SQPOLL, 0);
  });

  it('falls back on EINVAL only: any other refusal is final', () => {
    const kernel = new FakeKernel();
    kernel.setupAnswer = -12;
    assert.throws(() => new IoUring(8, { cqEntries: 256 }, kernel), { code: 'ENOMEM', message: /ulimit -l/ });
    assert.equal(kernel.setupFlagsTried.length, 1);
  });

  it('given too little memory for the default completion queue, makes a smaller one; an explicit size stays', () => {
    const kernel = new ShortOfMemory(600);
    const ring = new IoUring(128, {}, kernel);
    assert.equal(ring.sqEntries, 128);
    assert.equal(ring.cqEntries, 256);
    ring.close();
    assert.throws(() => new IoUring(128, { cqEntries: 512 }, kernel), { code: 'ENOMEM' });
    assert.throws(() => new IoUring(512, {}, kernel), { code: 'ENOMEM', message: /ulimit -l/ });
  });

  it('a kernel without the features that all is built on is refused, its ring closed', () => {
    const kernel = new FakeKernel();
    kernel.features = 0;
    assert.throws(() => new IoUring(8, {}, kernel), { code: 'ERR_IOURING_UNSUPPORTED', message: /5\.6/ });
    assert.deepEqual(kernel.log, ['close']);
  });

  it('the completion queue is generous by default, and as asked for otherwise', () => {
    assert.equal(new IoUring(8, {}, new FakeKernel()).cqEntries, 256);
    assert.equal(new IoUring(1000, {}, new FakeKernel()).cqEntries, 4096);
    assert.equal(new IoUring(32768, {}, new FakeKernel()).cqEntries, 65536);
    assert.equal(new IoUring(8, { cqEntries: 9 }, new FakeKernel()).cqEntries, 16);
  });

  it('refusals name the cause and the remedy', () => {
    const cases: [number, string, RegExp][] = [
      [38, 'ENOSYS', /no io_uring.*5\.6/],
      [24, 'EMFILE', /ulimit -n/],
      [23, 'ENFILE', /fs\.file-max/],
      [12, 'ENOMEM', /locked memory.*ulimit -l/],
      [95, 'ENOTSUP', /sandbox/],
      [1, 'EPERM', /sysctl|seccomp|security module/],
    ];
    for (const [errno, code, message] of cases) {
      const kernel = new FakeKernel();
      kernel.setupAnswer = -errno;
      const expected = { code, errno: -errno, syscall: 'io_uring_setup', message };
      assert.throws(() => new IoUring(8, {}, kernel), expected);
    }
  });
});

describe('bad set-up arguments', () => {
  const cases: [string, unknown[], string][] = [
    ['entries 0', [0], 'ERR_OUT_OF_RANGE'],
    ['entries negative', [-1], 'ERR_OUT_OF_RANGE'],
    ['entries fraction', [1.5], 'ERR_OUT_OF_RANGE'],
    ['entries too large', [32769], 'ERR_OUT_OF_RANGE'],
    ['entries NaN', [NaN], 'ERR_OUT_OF_RANGE'],
    ['entries string', ['8'], 'ERR_INVALID_ARG_TYPE'],
    ['entries missing', [], 'ERR_INVALID_ARG_TYPE'],
    ['options no object', [8, 5], 'ERR_INVALID_ARG_TYPE'],
    ['cqEntries too small', [8, { cqEntries: 4 }], 'ERR_OUT_OF_RANGE'],
    ['cqEntries too large', [8, { cqEntries: 65537 }], 'ERR_OUT_OF_RANGE'],
    ['a switch that is no boolean', [8, { submitAll: 1 }], 'ERR_INVALID_ARG_TYPE'],
    ['deferTaskrun without singleIssuer', [8, { deferTaskrun: true, singleIssuer: false }], 'ERR_INVALID_ARG_VALUE'],
    ['deferTaskrun and coopTaskrun', [8, { deferTaskrun: true, coopTaskrun: true }], 'ERR_INVALID_ARG_VALUE'],
    ['deferTaskrun and sqPoll', [8, { deferTaskrun: true, sqPoll: true }], 'ERR_INVALID_ARG_VALUE'],
    ['sqPoll a number', [8, { sqPoll: 5 }], 'ERR_INVALID_ARG_TYPE'],
    ['sqPoll.idleMs negative', [8, { sqPoll: { idleMs: -1 } }], 'ERR_OUT_OF_RANGE'],
  ];
  for (const [name, [entries, options], code] of cases) {
    it(`${name}: ${code}, and the kernel is not asked`, () => {
      const kernel = new FakeKernel();
      assert.throws(() => new IoUring(entries as number, options as IoUringOptions, kernel), { code });
      assert.equal(kernel.setupFlagsTried.length, 0);
    });
  }
});
