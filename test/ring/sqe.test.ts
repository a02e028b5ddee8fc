// Entries as the kernel finds them: nothing of an earlier one in a later one, modifiers where they belong, and rings
// with entries and completions of other sizes, wherever they wrap.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  IORING_CQE_F_32,
  IORING_CQE_F_MORE,
  IORING_OP_NOP,
  IORING_OP_NOP128,
  IORING_OP_URING_CMD128,
  IOSQE_ASYNC,
  IOSQE_BUFFER_SELECT,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_FIXED_FILE,
  IOSQE_IO_DRAIN,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
} from '../../src/abi/index.ts';
import { IoUring } from '../../src/ring/io-uring.ts';
import type { IoUringOptions } from '../../src/ring/setup.ts';
import { coreOf } from '../../src/ring/ring-core.ts';
import { ambushes } from '../kernel/ambush.ts';
import { CLOSED_WITHIN_MS } from '../kernel/closed-within.ts';
import { call, callsOf, CLASSIC_GROUP, GROUP, METHODS } from '../kernel/every-method.ts';
import { FakeKernel, wordsAt, type Entry } from './fake-kernel.ts';

/** The cursors have 32 bits: where they wrap, and where they become negative. */
const STARTS = [0, 0xffff_fffe, 0xffff_ffff, 0x7fff_fffe];

const hex = (start: number): string => `0x${start.toString(16)}`;

function open(options: IoUringOptions = {}, start = 0, entries = 4): { kernel: FakeKernel; ring: IoUring } {
  const kernel = new FakeKernel(start);
  kernel.registerAnswer = () => 0;
  const ring = new IoUring(entries, options, kernel);
  ring.registerBufRing(1, 16, GROUP);
  return { kernel, ring };
}

function reap(ring: IoUring): [userData: number, res: number][] {
  const seen: [number, number][] = [];
  ring.forEachCompletion((c) => void seen.push([c.userData, c.res]));
  return seen;
}

/** The words of an entry, without those that are others each time: its addresses and its key. */
function wordsOf(kernel: FakeKernel, entry: Entry): number[] {
  const words = [...entry.words];
  // In the bytes of a driver's command too.
  for (const at of [2, 4, 12, 14]) if (kernel.at(wordsAt(entry, at))) words[at] = words[at + 1] = -1;
  words[8] = words[9] = 0;
  return words;
}

interface Form {
  what: string;
  name: string;
  values: () => unknown[];
  /** Its words in a ring that has done nothing before. */
  words: number[];
}

/** Every way to prepare an entry that this ring has, and what becomes of it in a new ring. */
function formsOf(options: IoUringOptions): Form[] {
  const forms: Form[] = [];
  for (const method of METHODS) {
    if (!method.prepares) continue;
    const big = method.name.endsWith('128');
    if (big && !options.sqe128 && !options.sqeMixed) continue;
    for (const [what, values] of callsOf(method)) {
      const { kernel, ring } = open(options);
      assert.equal(call(ring, method.name, values()), true, what);
      ring.submit();
      forms.push({ what, name: method.name, values, words: wordsOf(kernel, kernel.entriesSeen[0]) });
      ring.close();
    }
  }
  return forms;
}

/** Numbers that look random and are the same every time. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    return ((state >>> 8) % 0x10000) % below;
  };
}

const SHAPES: Record<string, IoUringOptions> = {
  'entries of 64 bytes': {},
  'entries of 64 bytes, without an index array': { noSqArray: true },
  'entries of 128 bytes': { sqe128: true },
  'entries of both sizes': { sqeMixed: true },
};

const FLAGS = [0, IOSQE_ASYNC, IOSQE_FIXED_FILE | IOSQE_IO_LINK, IOSQE_IO_HARDLINK | IOSQE_IO_DRAIN];

describe('entries', () => {
  for (const [shape, options] of Object.entries(SHAPES)) {
    const forms = formsOf(options);

    for (const start of STARTS) {
      it(`${shape}, from ${hex(start)}: nothing of one is left in the next, whatever they are`, () => {
        const { kernel, ring } = open(options, start);
        const random = randomOf(start + 1);
        let former = 'nothing';
        for (let i = 0; i < 4 * forms.length; i++) {
          // All of them in turn, and all in any order.
          const form = i < forms.length ? forms[i] : forms[random(forms.length)];
          kernel.entriesSeen.length = 0;
          if (call(ring, form.name, form.values()) === false) {
            ring.submit();
            reap(ring);
            kernel.entriesSeen.length = 0;
            assert.equal(call(ring, form.name, form.values()), true, form.what);
          }
          ring.submit();
          reap(ring);
          // In a ring of both sizes there may be a filler before it.
          const entry = kernel.entriesSeen.at(-1)!;
          assert.deepEqual(wordsOf(kernel, entry), form.words, `${form.what}, after ${former}`);
          former = form.what;
        }
      });

      it(`${shape}, from ${hex(start)}: modifiers go to the entry just prepared, and to no other`, () => {
        const { kernel, ring } = open(options, start);
        const random = randomOf(start + 2);
        const chosen = forms.filter(({ name }) => !['prepCancel', 'prepSqe'].includes(name));
        for (let i = 0; i < 3 * chosen.length; i++) {
          kernel.entriesSeen.length = 0;
          const prepared: { form: Form; flags: number; personality: number }[] = [];
          for (;;) {
            const form = chosen[(i + prepared.length) % chosen.length];
            if (call(ring, form.name, form.values()) === false) break;
            const flags = FLAGS[random(FLAGS.length)];
            const personality = random(2) * (1 + random(0xffff));
            ring.sqeSetFlags(flags);
            if (personality > 0) ring.sqeSetPersonality(personality);
            prepared.push({ form, flags, personality });
          }
          ring.submit();
          reap(ring);
          const entries = kernel.entriesSeen.filter((entry) => !isFiller(entry));
          assert.equal(entries.length, prepared.length);
          for (const [n, { form, flags, personality }] of prepared.entries()) {
            const words = [...form.words];
            words[0] |= flags << 8;
            words[10] |= personality << 16;
            assert.deepEqual(wordsOf(kernel, entries[n]), words, `${form.what}, with ${flags} and ${personality}`);
          }
        }
      });
    }
  }

  it('given a cursor that wraps, each entry is right at that place', () => {
    for (const [shape, options] of Object.entries(SHAPES)) {
      for (const { what, name, values, words } of formsOf(options)) {
        for (const start of [0xffff_fffe, 0xffff_ffff, 0x7fff_ffff]) {
          const { kernel, ring } = open(options, start);
          assert.equal(call(ring, name, values()), true, what);
          ring.submit();
          const entry = kernel.entriesSeen.find((found) => !isFiller(found))!;
          assert.deepEqual(wordsOf(kernel, entry), words, `${what}, ${shape}, at ${hex(start)}`);
          ring.close();
        }
      }
    }
  });

  it('a buffer group takes the place of what was there, and of nothing else', () => {
    for (const start of STARTS) {
      const { kernel, ring } = open({}, start);
      for (let i = 0; i < 9; i++) {
        kernel.entriesSeen.length = 0;
        ring.prepNop(1);
        ring.prepRead(3, new Uint8Array(8), 8, 2, 5n);
        ring.sqeSetPersonality(0xabcd);
        ring.sqeSetBufGroup(GROUP);
        ring.sqeSetIoprio(0x1234);
        ring.submit();
        reap(ring);
        const [nop, read] = kernel.entriesSeen;
        assert.deepEqual([nop.words[0], nop.words[10]], [0, 0]);
        assert.equal(read.flags, IOSQE_BUFFER_SELECT);
        assert.deepEqual([read.words[0] >>> 16, read.words[10]], [0x1234, (0xabcd << 16) | GROUP]);
      }
    }
  });

  it('a priority is not for operations on sockets: one of their modifiers makes addresses of the memory', () => {
    const { kernel, ring } = open();
    const VECTORIZED = 1 << 5;
    const memory = new Uint8Array(16);
    for (
      const prepare of [
        () => ring.prepSend(3, memory, 16, 1),
        () => ring.prepSendZc(3, memory, 16, 1),
        () => ring.prepSendmsg(3, { iov: [memory] }, 1),
        () => ring.prepRecv(3, memory, 16, 1),
        () => ring.prepRecvMultishot(3, GROUP, 1),
        () => ring.prepAccept(3, 1),
      ]
    ) {
      assert.equal(prepare(), true);
      assert.throws(() => ring.sqeSetIoprio(VECTORIZED), { code: 'ERR_INVALID_STATE' }, String(prepare));
      ring.submit();
    }
    for (const { words } of kernel.entriesSeen) assert.equal((words[0] >>> 16) & VECTORIZED, 0);
  });
});

const isFiller = ({ opcode, flags }: Entry): boolean =>
  opcode === IORING_OP_NOP && (flags & IOSQE_CQE_SKIP_SUCCESS) !== 0;

const isBig = ({ opcode }: Entry): boolean => opcode === IORING_OP_NOP128 || opcode === IORING_OP_URING_CMD128;

describe('entries of both sizes', () => {
  for (const start of STARTS) {
    it(`from ${hex(start)}: large ones never wrap, fillers are silent, all come in order`, () => {
      for (const entries of [4, 8, 16]) {
        const { kernel, ring } = open({ sqeMixed: true }, start, entries);
        kernel.silent = true;
        const random = randomOf(entries);
        const seen: number[] = [];
        let next = 0;
        while (next < 2000) {
          const count = 1 + random(entries);
          for (let i = 0; i < count; i++) {
            const queued = random(3) === 0 ? ring.prepNop128(next) : ring.prepNop(next);
            if (!queued) break;
            next++;
          }
          assert.ok(ring.sqReady <= entries, 'no more than there is room for');
          ring.submit();
          seen.push(...reap(ring).map(([userData]) => userData));
        }
        assert.deepEqual(seen, Array.from({ length: next }, (_, i) => i));
        const places = new Map<Entry, number>();
        let at = start;
        for (const entry of kernel.entriesSeen) {
          places.set(entry, at & (entries - 1));
          at = (at + (isBig(entry) ? 2 : 1)) >>> 0;
        }
        for (const [entry, place] of places) {
          if (isBig(entry)) assert.notEqual(place, entries - 1, 'its second half would be at the other end');
          if (isFiller(entry)) assert.equal(place, entries - 1, 'nowhere else are they needed');
        }
        assert.ok(kernel.entriesSeen.some(isFiller));
      }
    });
  }

  it('given 80 bytes of command, all arrive, and none of the command before', () => {
    const { kernel, ring } = open({ sqeMixed: true }, 0xffff_fffe, 8);
    kernel.silent = true;
    for (let round = 0; round < 50; round++) {
      kernel.entriesSeen.length = 0;
      const length = (round * 7) % 81;
      const cmd = new Uint8Array(length).fill(round + 1);
      ring.prepUringCmd128(5, 0x1234, 1, { cmd });
      ring.prepUringCmd(5, 0x4321, 2, { cmd: cmd.subarray(0, Math.min(16, length)) });
      ring.prepFsync(5, 3);
      ring.submit();
      const [large, small, plain] = kernel.entriesSeen.filter((entry) => !isFiller(entry));
      const bytes = (entry: Entry): Uint8Array => new Uint8Array(entry.words.buffer).slice(48);
      const expected = new Uint8Array(80);
      expected.set(cmd);
      assert.deepEqual(bytes(large), expected);
      assert.deepEqual(bytes(small), expected.slice(0, 16));
      assert.deepEqual(bytes(plain), new Uint8Array(16));
      assert.deepEqual(reap(ring).map(([userData]) => userData), [1, 2, 3]);
    }
  });

  it('fit where there are two places in a row, also when they are the last', () => {
    for (const entries of [2, 4, 8]) {
      const { ring } = open({ sqeMixed: true }, 0, entries);
      for (let i = 0; i < entries - 2; i++) ring.prepNop(i);
      assert.equal(ring.prepNop128(100), true, `two places of ${entries} are left`);
      assert.equal(ring.sqSpaceLeft, 0);
      assert.equal(ring.prepNop(101), false);
    }
  });

  it('do not fit in one place, nor in the last and the first; nothing is queued then', () => {
    const { kernel, ring } = open({ sqeMixed: true }, 0, 4);
    for (let i = 0; i < 3; i++) ring.prepNop(i);
    assert.equal(ring.prepNop128(9), false);
    assert.equal(ring.sqReady, 3);
    ring.submit();
    // The last place, and two more: with the filler that is one too few.
    kernel.result = () => undefined;
    ring.prepNop(3);
    ring.prepNop(4);
    ring.prepNop(5);
    assert.equal(ring.prepNop128(9), false);
    assert.equal(ring.sqReady, 3);
    ring.submit();
  });

  it('what is refused queues no filler either', () => {
    const { ring } = open({ sqeMixed: true }, 3, 8);
    for (let i = 0; i < 4; i++) ring.prepNop(i);
    ring.submit();
    // Now at the last place.
    assert.throws(() => ring.prepNop128(-1), { code: 'ERR_OUT_OF_RANGE' });
    assert.throws(() => ring.prepUringCmd128(1.5, 0, 1), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.throws(() => ring.prepUringCmd128(1, -1, 1), { code: 'ERR_OUT_OF_RANGE' });
    assert.throws(() => ring.prepUringCmd128(1, 0, 1, { cmd: new Uint8Array(81) }), { code: 'ERR_OUT_OF_RANGE' });
    assert.throws(() => ring.prepUringCmd128(1, 0, -1), { code: 'ERR_OUT_OF_RANGE' });
    assert.throws(() => ring.prepSqe({ opcode: IORING_OP_NOP128 }, -1), { code: 'ERR_OUT_OF_RANGE' });
    assert.equal(ring.sqReady, 0);
    assert.throws(() => ring.sqeSetFlags(0), { code: 'ERR_INVALID_STATE' });
  });

  it('in a chain a filler is a link like the others', () => {
    for (const link of [IOSQE_IO_LINK, IOSQE_IO_HARDLINK]) {
      const { kernel, ring } = open({ sqeMixed: true }, 0, 4);
      ring.prepNop(1);
      ring.prepNop(2);
      ring.submit();
      reap(ring);
      ring.prepNop(3);
      ring.sqeSetFlags(link);
      assert.equal(ring.prepNop128(4), true);
      ring.submit();
      const [first, filler, large] = kernel.entriesSeen.slice(2);
      assert.deepEqual([first.flags, filler.flags, large.flags], [link, link | IOSQE_CQE_SKIP_SUCCESS, 0]);
    }
  });

  it('given a close before they were submitted, are dropped with all that they lent', () => {
    const { kernel, ring } = open({ sqeMixed: true }, 0xffff_fffd, 8);
    const cmd = new Uint8Array(80).fill(0xff);
    for (let i = 0; i < 2; i++) ring.prepUringCmd128(3, 0, i, { addr: new Uint8Array(8), cmd });
    ring.prepRead(3, new Uint8Array(8), 8, 9);
    ring.close();
    assert.equal(kernel.calls.length, 0);
    assert.equal(coreOf(ring).pins.size, 0);
  });

  it('a getter that prepares others, or fills the queue, breaks nothing', () => {
    for (const { name, prepares, arguments: args } of METHODS) {
      if (!prepares || !name.endsWith('128')) continue;
      const count = [...ambushes(args, () => {})].length;
      for (let i = 0; i < count; i++) {
        for (let position = 0; position < 8; position++) {
          for (let others = 1; others <= 8; others++) {
            const { kernel, ring } = open({ sqeMixed: true }, position, 8);
            const { what, values } = [...ambushes(args, () => {
              for (let n = 0; n < others; n++) ring.prepNop(50 + n);
            })][i];
            const queued = call(ring, name, values);
            const label = `${what}, at ${position}, ${others} others`;
            assert.ok(ring.sqReady <= 8, `${label}: ${ring.sqReady} are queued in a ring of 8`);
            ring.submit();
            const large = kernel.entriesSeen.filter(isBig);
            assert.equal(large.length, queued ? 1 : 0, label);
            if (queued) assert.equal(large[0].words.length, 32, label);
            for (const entry of kernel.entriesSeen) assert.ok(entry.userData !== 0n || isFiller(entry), label);
            assert.ok(!reap(ring).some(([, res]) => res === -22), `${label}: cut in two by the end of the ring`);
          }
        }
      }
    }
  });
});

/** A completion as a caller sees it. */
type Seen = [userData: number, res: number, big: [bigint, bigint] | undefined];

const WAYS: Record<string, (ring: IoUring) => Seen[]> = {
  forEachCompletion: (ring) => {
    const seen: Seen[] = [];
    ring.forEachCompletion((c) => void seen.push([c.userData, c.res, c.bigCqe()]));
    return seen;
  },
  completions: (ring) => Array.from(ring.completions(), (c): Seen => [c.userData, c.res, c.bigCqe()]),
  'copyCompletions, one by one': (ring) => {
    const seen: Seen[] = [];
    for (let all = ring.copyCompletions(1); all.length > 0; all = ring.copyCompletions(1)) {
      seen.push(...all.map((c): Seen => [c.userData, c.res, c.bigCqe()]));
    }
    return seen;
  },
  'peek, and then one': (ring) => {
    const seen: Seen[] = [];
    for (let c = ring.peek(); c; c = ring.peek()) {
      const [taken] = ring.copyCompletions(1);
      assert.deepEqual([taken.userData, taken.res, taken.bigCqe()], [c.userData, c.res, c.bigCqe()]);
      seen.push([c.userData, c.res, c.bigCqe()]);
    }
    return seen;
  },
};

describe('completions of both sizes', () => {
  for (const start of STARTS) {
    for (const [way, take] of Object.entries(WAYS)) {
      it(`from ${hex(start)}, by ${way}: all are there, in order, with what they carry`, () => {
        const { kernel, ring } = open({ cqeMixed: true, cqEntries: 8 }, start);
        const random = randomOf(start + way.length);
        const expected: Seen[] = [];
        const seen: Seen[] = [];
        for (let i = 0; i < 3000; i++) {
          const big: [bigint, bigint] | undefined = random(2) ? [BigInt(i), 2n ** 64n - 1n - BigInt(i)] : undefined;
          kernel.post(BigInt(i), i, 0, big);
          expected.push([i, i, big]);
          // Overflows now and then.
          if (random(6) === 0) seen.push(...take(ring));
          if (kernel.overflow.length === 0) assert.equal(ring.cqReady, expected.length - seen.length);
        }
        // Looking enters no kernel: what is kept aside comes with those who do.
        while (seen.length < expected.length) {
          const more = [...take(ring), ...WAYS['forEachCompletion'](ring)];
          assert.ok(more.length > 0, `${seen.length} of ${expected.length}`);
          seen.push(...more);
        }
        assert.deepEqual(seen, expected);
        assert.equal(kernel.ready, 0);
      });
    }

    it(`from ${hex(start)}, given 32 bytes each, all are there`, () => {
      const { kernel, ring } = open({ cqe32: true, cqEntries: 8 }, start);
      const expected: Seen[] = [];
      const seen: Seen[] = [];
      for (let i = 0; i < 1000; i++) {
        kernel.post(BigInt(i), i, 0, [BigInt(i), 1n]);
        expected.push([i, i, [BigInt(i), 1n]]);
        if (i % 5 === 0) seen.push(...WAYS['forEachCompletion'](ring));
      }
      seen.push(...WAYS['forEachCompletion'](ring));
      assert.deepEqual(seen, expected);
    });
  }

  it('a wait is over when so many are there, or when no more fit', () => {
    const { kernel, ring } = open({ cqeMixed: true, cqEntries: 8 });
    kernel.answers = [() => (kernel.post(1n, 0, 0, [1n, 2n]), 0), () => (kernel.post(2n, 0), 0)];
    ring.submitAndWait(2);
    assert.deepEqual(kernel.calls.map(({ minComplete }) => minComplete), [2, 3]);
    assert.deepEqual(reap(ring).length, 2);
    kernel.calls.length = 0;
    for (let i = 0; i < 4; i++) kernel.post(BigInt(i), 0, 0, [1n, 2n]);
    ring.submitAndWait(8);
    assert.ok(kernel.calls.length < 3, 'no more of them fit in');
    assert.equal(ring.cqReady, 3);
    assert.equal(reap(ring).length, 4);
  });

  it('with a filler at the end, and nothing else: nothing is ready, and a wait goes on', () => {
    const { kernel, ring } = open({ cqeMixed: true, cqEntries: 4 });
    for (let i = 0; i < 3; i++) kernel.post(BigInt(i), 0);
    assert.equal(reap(ring).length, 3);
    kernel.post(9n, 9, 0, [1n, 2n]);
    assert.equal(ring.cqReady, 1);
    assert.deepEqual(ring.peek()!.bigCqe(), [1n, 2n]);
    assert.deepEqual(reap(ring), [[9, 9]]);
    assert.equal(ring.peek(), undefined);
  });

  it('given operations that lend memory, the memory is let go of with the last', () => {
    const { kernel, ring } = open({ cqeMixed: true, cqEntries: 8 }, 0xffff_fffe);
    kernel.result = () => undefined;
    const pins = coreOf(ring).pins;
    for (let i = 0; i < 100; i++) {
      ring.prepUringCmd(3, 4, i, { addr: new Uint8Array(8) });
      ring.submit();
      const { userData } = kernel.entriesSeen.at(-1)!;
      kernel.post(userData, 1, IORING_CQE_F_MORE, [BigInt(i), 0n]);
      assert.deepEqual(WAYS['forEachCompletion'](ring), [[i, 1, [BigInt(i), 0n]]]);
      assert.equal(pins.size, 1);
      kernel.post(userData, 0);
      assert.deepEqual(reap(ring), [[i, 0]]);
      assert.equal(pins.size, 0);
    }
  });

  it('given some that nobody reaped, a close finds those it waits for', () => {
    for (const options of [{ cqeMixed: true }, { cqe32: true }, {}]) {
      for (let before = 0; before < 8; before++) {
        const { kernel, ring } = open({ ...options, cqEntries: 16 }, before);
        kernel.result = () => undefined;
        for (let i = 0; i < 3; i++) ring.prepRead(3, new Uint8Array(8), 8, i);
        ring.submit();
        const big = Object.keys(options).length > 0;
        for (let i = 0; i < 3; i++) kernel.post(99n, 0, 0, big ? [1n, 2n] : undefined);
        const start = performance.now();
        ring.close();
        assert.ok(performance.now() - start < CLOSED_WITHIN_MS, JSON.stringify(options));
        assert.deepEqual(kernel.log, ['unmap', 'unmap', 'close']);
      }
    }
  });

  it('a message that says it has 32 bytes, in a ring that has no such: it is one place, also for a close', () => {
    const { kernel, ring } = open({ cqEntries: 8 });
    kernel.result = () => undefined;
    ring.prepRead(3, new Uint8Array(8), 8, 1);
    ring.submit();
    kernel.post(5n, 5, IORING_CQE_F_32);
    kernel.post(6n, 6);
    assert.deepEqual(reap(ring), [[5, 5], [6, 6]]);
    const read = kernel.entriesSeen[0].userData;
    kernel.cancels = false;
    let rounds = 0;
    // Another ring sends them; the last of them is all there is.
    kernel.answers = Array.from({ length: 200 }, () => (call): number => {
      if (++rounds > 100) throw new Error('the close does not find the read');
      if (rounds === 1) {
        kernel.post(5n, 5, IORING_CQE_F_32);
        kernel.post(read, 8);
      }
      kernel.consume(call.toSubmit);
      return call.toSubmit;
    });
    ring.close();
    assert.ok(rounds < 3, `${rounds} rounds`);
  });
});

it('there is a way to prepare every kind of entry here', () => {
  // The groups that the table names exist in all rings above.
  assert.notEqual(GROUP, CLASSIC_GROUP);
  assert.ok(formsOf({ sqe128: true }).length > METHODS.filter(({ prepares }) => prepares).length);
});
