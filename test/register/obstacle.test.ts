// What is found out at the start, by the kernel's own word.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { IORING_OP_SENDMSG_ZC, IORING_OP_SEND_ZC, IORING_OP_WRITE, OPERATIONS } from '../../src/abi/operations.ts';
import { IoUring } from '../../src/index.ts';
import { lastOperation } from '../../src/native/first-answers.ts';
import { KernelAge, NEEDED } from '../../src/register/obstacle.ts';
import type { KernelSide } from '../../src/register/sides.ts';
import { it } from '../asking.ts';

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
