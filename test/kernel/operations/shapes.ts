// Rings of other shapes: entries of 128 bytes, completions of 32, and completions of both sizes.
import assert from 'node:assert/strict';
import { openSync } from 'node:fs';
import { IORING_SETUP_CQE32, IORING_SETUP_CQE_MIXED, IORING_SETUP_SQE128 } from '../../../src/abi/flags.ts';
import type { Completion, IoUring } from '../../../src/index.ts';
import { it, without } from '../../asking.ts';
import { Descriptors } from '../libc.ts';
import { complete, reap } from '../reap.ts';
import { Temporary } from '../temporary.ts';
import { completions } from './completions.ts';
import { openRing } from './recorder.ts';

it('IORING_OP_READ: in entries of 128 bytes, with extensions and without, round and round', {
  skip: without('6.3', 'IORING_MSG_RING_FLAGS_PASS'),
}, () => {
  using folder = new Temporary();
  using files = new Descriptors();
  using ring = openRing(4, { sqe128: true });
  assert.equal(ring.setupFlags & IORING_SETUP_SQE128, IORING_SETUP_SQE128);
  const fd = files.own(openSync(folder.file('data', 'abcdefgh'), 'r'));
  for (let round = 0; round < 40; round++) {
    const buffer = Buffer.alloc(2);
    ring.prepRead(fd, buffer, 2, 1, round % 7);
    // Leaves something in the words of its entry that the next one there must not have.
    ring.prepMsgRing(ring.fd, 6, 2, 3, { cqeFlags: 2 });
    ring.prepNop(4);
    const found = completions(ring, 4).map((c) => [c.userData, c.res, c.flags]).sort((a, b) => a[0] - b[0]);
    assert.deepEqual(found, [[1, 2, 0], [2, 6, 2], [3, 0, 0], [4, 0, 0]]);
    assert.equal(buffer.toString(), 'abcdefgh'.slice(round % 7, (round % 7) + 2));
  }
});

it('IORING_OP_NOP: completions of 32 bytes all have two more values', () => {
  using ring = openRing(4, { cqe32: true, cqEntries: 8 });
  assert.equal(ring.setupFlags & IORING_SETUP_CQE32, IORING_SETUP_CQE32);
  for (let round = 0; round < 20; round++) {
    ring.prepNop(round, { cqe32: [round, BigInt(round) << 40n] });
    ring.prepNop(1000 + round);
    ring.prepNop(2n ** 64n - 1n, { result: round });
    const [first, second, third] = completions(ring, 3);
    assert.deepEqual([first.userData, first.bigCqe()], [round, [BigInt(round), BigInt(round) << 40n]]);
    assert.deepEqual([second.userData, second.bigCqe()], [1000 + round, [0n, 0n]]);
    assert.deepEqual([third.userData64, third.res], [2n ** 64n - 1n, round]);
  }
});

it('IORING_OP_NOP: the cursor of a 32-byte completion is one for all, its copy is not', () => {
  using ring = openRing(4, { cqe32: true });
  ring.prepNop(1, { cqe32: [1, 2] });
  ring.prepNop(2, { cqe32: [3, 4] });
  ring.submitAndWait(2);
  const seen: Completion[] = [];
  const copies: Completion[] = [];
  ring.forEachCompletion((c) => {
    seen.push(c);
    copies.push(c.copy());
  });
  assert.equal(seen[0], seen[1]);
  assert.deepEqual(copies.map((c) => c.bigCqe()), [[1n, 2n], [3n, 4n]]);
});

/** What was queued for a ring of both sizes, and what its completions say. */
interface Expected {
  userData: number;
  big: [bigint, bigint] | undefined;
}

function prepMixed(ring: IoUring, userData: number, big: boolean): Expected | undefined {
  const pair: [bigint, bigint] = [BigInt(userData) * 3n, 2n ** 63n + BigInt(userData)];
  const queued = big ? ring.prepNop(userData, { cqe32: pair }) : ring.prepNop(userData);
  return queued ? { userData, big: big ? pair : undefined } : undefined;
}

function seen(found: readonly Completion[]): Expected[] {
  return found.map((c) => ({ userData: c.userData, big: c.bigCqe() }));
}

it('IORING_OP_NOP: completions of both sizes in one ring, with fillers where it wraps', () => {
  using ring = openRing(4, { cqeMixed: true, cqEntries: 8 });
  assert.equal(ring.setupFlags & IORING_SETUP_CQE_MIXED, IORING_SETUP_CQE_MIXED);
  let userData = 0;
  // Every way to come to the end of the ring: with one place left, with two, with none.
  for (let round = 0; round < 300; round++) {
    const expected: Expected[] = [];
    for (let i = 0; i < 1 + (round % 3); i++) {
      const big = ((round * 5 + i * 3) % 7) % 2 === 0;
      expected.push(prepMixed(ring, userData++, big)!);
    }
    assert.deepEqual(seen(completions(ring, expected.length)), expected, `round ${round}`);
  }
});

it('IORING_OP_NOP: completions of both sizes that overflow the ring are all there, in order', () => {
  using ring = openRing(8, { cqeMixed: true, cqEntries: 8 });
  for (let offset = 0; offset < 8; offset++) {
    const expected: Expected[] = [];
    for (let i = 0; i < 16 + offset; i++) {
      const one = prepMixed(ring, offset * 100 + i, i % 3 !== 0);
      assert.ok(one);
      expected.push(one);
      ring.submit();
    }
    assert.deepEqual(seen(completions(ring, expected.length)), expected);
    assert.equal(ring.cqOverflow, 0);
  }
});

it('IORING_OP_NOP: completions of both sizes, reaped one at a time and looked at before', () => {
  using ring = openRing(4, { cqeMixed: true, cqEntries: 8 });
  let userData = 0;
  for (let round = 0; round < 40; round++) {
    const expected = [true, round % 2 === 0, true].map((big) => prepMixed(ring, userData++, big)!);
    ring.submitAndWait(1);
    const one = ring.peek()!;
    assert.deepEqual([one.userData, one.bigCqe()], [expected[0].userData, expected[0].big]);
    const taken: Completion[] = [...ring.copyCompletions(1)];
    for (const c of ring.completions()) {
      taken.push(c.copy());
      if (taken.length === 2) break;
    }
    taken.push(...reap(ring));
    assert.deepEqual(seen(taken), expected);
    assert.equal(ring.peek(), undefined);
  }
});

it('IORING_OP_NOP: in a ring of both sizes, a wait for two is over when two are there', () => {
  using ring = openRing(8, { cqeMixed: true });
  ring.prepNop(1, { cqe32: [1, 2] });
  ring.prepTimeout(5, 2);
  ring.submitAndWait(2);
  assert.equal(reap(ring).length, 2);
});

it('IORING_OP_NOP: in a ring of both sizes, cqReady counts completions', () => {
  using ring = openRing(8, { cqeMixed: true });
  ring.prepNop(1, { cqe32: [1, 2] });
  ring.prepNop(2, { cqe32: [1, 2] });
  ring.prepNop(3);
  ring.submit();
  assert.equal(ring.cqReady, 3);
  assert.equal(complete3(ring), 3);
});

const complete3 = (ring: IoUring): number => ring.forEachCompletion(() => {});

it('IORING_OP_NOP: a ring of one shape is none of the other', () => {
  using ring = openRing(4);
  ring.prepNop(1);
  assert.equal(complete(ring).bigCqe(), undefined);
  assert.throws(() => openRing(4, { cqe32: true, cqeMixed: true }), { code: 'ERR_INVALID_ARG_VALUE' });
  assert.throws(() => openRing(4, { sqe128: true, sqeMixed: true }), { code: 'ERR_INVALID_ARG_VALUE' });
});
