// What is found out at the start: by files of /proc, which stand here as the test wants them, and by the kernel's own word.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { describe } from 'node:test';
import { IORING_OP_SENDMSG_ZC, IORING_OP_SEND_ZC, IORING_OP_WRITE, OPERATIONS } from '../../src/abi/operations.ts';
import { IoUring } from '../../src/index.ts';
import { lastOperation } from '../../src/native/first-answers.ts';
import { KernelAge, NEEDED, obstacle } from '../../src/register/obstacle.ts';
import type { KernelSide } from '../../src/register/sides.ts';
import { it } from '../asking.ts';

/** CAP_SYS_ADMIN alone, and everything but that. */
const ADMIN = 'CapEff:\t0000000000200000\n';
const OTHERS = 'CapEff:\t000001ffffdfffff\n';
const UNFILTERED = 'Seccomp:\t0\n';

const OWN_GROUP = String(process.getegid!());
/** No group of this process's. */
const FOREIGN_GROUP = '4000000000';
const NO_GROUP = '-1';

/** A kernel that answers so, and how often it was asked. */
class Answering implements KernelSide {
  asked = 0;
  readonly #refusal: Error | undefined;
  readonly #last: number | undefined;

  constructor({ refusal, last }: { refusal?: Error; last?: number } = {}) {
    this.#refusal = refusal;
    this.#last = last;
  }

  readonly load = (): this => {
    this.asked++;
    return this;
  };

  readonly refusalOfSetup = (): Error | undefined => this.#refusal;

  readonly lastOperation = (): number | undefined => this.#last;
}

/** The obstacle on a machine where the administrator has set these. */
function obstacleWhere(disabled: string, group: string, status: string, kernel = new Answering()): Error | undefined {
  const files: Record<string, string> = {
    '/proc/sys/kernel/io_uring_disabled': `${disabled}\n`,
    '/proc/sys/kernel/io_uring_group': `${group}\n`,
    '/proc/self/status': status,
  };
  return obstacle(kernel.load, (path) => files[path]);
}

/** Has Node a ring in its event loop? That is answer enough. */
function nodeHasRing(): boolean {
  return readdirSync('/proc/self/fd').some((fd) => {
    // The folder's own is closed again.
    return existsSync(`/proc/self/fdinfo/${fd}`) && readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[io_uring]';
  });
}

describe('kernel.io_uring_disabled', () => {
  for (const group of [NO_GROUP, FOREIGN_GROUP]) {
    it(`1, the group ${group}, and no CAP_SYS_ADMIN: the administrator reserved it for others`, () => {
      const kernel = new Answering();
      const problem = obstacleWhere('1', group, OTHERS + UNFILTERED, kernel) as NodeJS.ErrnoException;
      assert.equal(problem.code, 'EPERM');
      assert.match(problem.message, /reserved it for CAP_SYS_ADMIN and one group \(kernel\.io_uring_disabled is 1\)$/);
      assert.equal(kernel.asked, 0);
    });
  }

  it('1, and in its group: nothing is in the way', () => {
    const kernel = new Answering({ refusal: new Error('not to be asked') });
    assert.equal(obstacleWhere('1', OWN_GROUP, OTHERS + UNFILTERED, kernel), undefined);
    assert.equal(kernel.asked, 0);
  });

  it('1, and CAP_SYS_ADMIN, which may be that of a user namespace only: the kernel is asked', () => {
    const refusal = new Error('of the kernel');
    const problem = obstacleWhere('1', FOREIGN_GROUP, ADMIN + UNFILTERED, new Answering({ refusal }));
    assert.equal(problem, nodeHasRing() ? undefined : refusal);
    assert.equal(obstacleWhere('1', FOREIGN_GROUP, ADMIN + UNFILTERED), undefined);
  });

  it('2: the administrator disabled it for all, whatever they have', () => {
    const problem = obstacleWhere('2', OWN_GROUP, ADMIN + UNFILTERED);
    assert.match(problem!.message, /disabled it for all processes \(kernel\.io_uring_disabled is 2\)$/);
  });

  it('0, or no such file: nothing is in the way', () => {
    assert.equal(obstacleWhere('0', NO_GROUP, OTHERS + UNFILTERED), undefined);
    const kernel = new Answering();
    assert.equal(obstacle(kernel.load, (path) => (path === '/proc/self/status' ? OTHERS : undefined)), undefined);
    assert.equal(kernel.asked, 0);
  });
});

describe('a kernel that may be too old', () => {
  const SIDES = ['sockets', 'datagrams', 'files'] as const;
  /** What is said of each. */
  const refusals = (kernel: Answering, version: string): (string | undefined)[] => {
    const age = new KernelAge(kernel.load, version);
    return SIDES.map((side) => age.refusalOf(side)?.message.replace('io_uring is not used: ', ''));
  };

  it('given an old version, says itself whether it is, and is asked once', () => {
    const kernel = new Answering({ last: IORING_OP_SEND_ZC - 1 });
    assert.deepEqual(refusals(kernel, '5.4.0'), [
      'sockets need Linux 6.0, this is 5.4.0',
      'UDP sockets need Linux 6.1, this is 5.4.0',
      undefined,
    ]);
    assert.equal(kernel.asked, 1);
    const knowing = new Answering({ last: IORING_OP_SENDMSG_ZC });
    assert.deepEqual(refusals(knowing, '5.4.0'), [undefined, undefined, undefined]);
    assert.equal(knowing.asked, 1);
    const silent = refusals(new Answering({ last: -1 }), '6.2.0');
    assert.deepEqual(silent, [undefined, undefined, undefined], 'a version that is young enough is not asked for');
    assert.equal(refusals(new Answering({ last: -1 }), '5.5.0')[2], 'files need Linux 5.6, this is 5.5.0');
  });

  it('given a version that is young enough for some, is asked for the others', () => {
    const kernel = new Answering({ last: IORING_OP_SEND_ZC });
    const [sockets, datagrams, files] = refusals(kernel, '6.0.1');
    assert.deepEqual([sockets, files], [undefined, undefined]);
    assert.match(datagrams!, /^UDP sockets need Linux 6\.1/);
    assert.equal(kernel.asked, 1);
    const young = new Answering({ last: -1 });
    refusals(young, '6.1.0');
    refusals(young, 'nothing like a version');
    assert.equal(young.asked, 0);
  });

  it('given an old version, and no ring at all, gives its own reason', () => {
    const refusal = new Error('ENOSYS');
    assert.deepEqual(refusals(new Answering({ refusal }), '4.18.0'), ['ENOSYS', 'ENOSYS', 'ENOSYS']);
  });

  it('given an old version, and nothing that can ask it, or no answer: the first that wants a ring will be told', () => {
    const none = new KernelAge(() => {
      throw new Error('no koffi');
    }, '5.4.0');
    assert.equal(none.refusalOf('sockets'), undefined);
    assert.deepEqual(refusals(new Answering(), '5.4.0'), [undefined, undefined, undefined]);
  });

  it('tells the last operation that it knows', () => {
    using ring = new IoUring(1);
    const known = ring.probe().filter(({ supported }) => supported);
    assert.equal(lastOperation(), Math.max(...known.map(({ opcode }) => opcode)));
  });

  it('is asked for the operations that cannot be done without, and called by the Linux that brought them', () => {
    const last = { sockets: IORING_OP_SEND_ZC, datagrams: IORING_OP_SENDMSG_ZC, files: IORING_OP_WRITE };
    for (const side of SIDES) {
      const { operation, linux } = NEEDED[side];
      assert.equal(operation, last[side]);
      assert.equal(linux.join('.'), OPERATIONS[operation].since);
    }
    assert.deepEqual(NEEDED.ring, NEEDED.sockets);
  });
});
