// Chains of linked operations some of which keep silent when they succeed: nothing says when their memory is free
// again but what comes after them. Against a scripted kernel that does with a chain what the real one does.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  IORING_CQE_F_MORE,
  IORING_CQE_F_NOTIF,
  IORING_OP_ASYNC_CANCEL,
  IORING_OP_LINK_TIMEOUT,
  IORING_OP_READ,
  IORING_OP_SEND_ZC,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
} from '../../src/abi/index.ts';
import { IoUring } from '../../src/ring/io-uring.ts';
import { coreOf } from '../../src/ring/ring-core.ts';
import { CLOSED_WITHIN_MS } from '../kernel/closed-within.ts';
import { FakeKernel, type Entry } from './fake-kernel.ts';

const EAGAIN = 11;
const EALREADY = 114;
const ECANCELED = 125;
const EINVAL = 22;
const EIO = 5;
const ETIME = 62;

const LINK = IOSQE_IO_LINK;
const HARD = IOSQE_IO_HARDLINK;
const SILENT = IOSQE_CQE_SKIP_SUCCESS;
const LINKS = LINK | HARD;

interface Pins {
  size: number;
  slotOf(low: number, high: number): number;
}

const pinsOf = (ring: IoUring): Pins => coreOf(ring).pins;

/** Is the memory of this operation held? */
const isHeld = (ring: IoUring, { words }: Entry): boolean => pinsOf(ring).slotOf(words[8], words[9]) >= 0;

type Completed = [userData: number, res: number];

function reap(ring: IoUring): Completed[] {
  const seen: Completed[] = [];
  ring.forEachCompletion((c) => {
    // A key of the ring's own is no number that anybody gave.
    seen.push([c.userData64 < 2n ** 53n ? Number(c.userData64) : NaN, c.res]);
  });
  return seen;
}

/** A ring of a kernel that takes entries and does nothing about them. */
function open(entries = 32): { kernel: FakeKernel; ring: IoUring } {
  const kernel = new FakeKernel();
  kernel.result = () => undefined;
  return { kernel, ring: new IoUring(entries, { cqEntries: 4096 }, kernel) };
}

const BYTES = 8;

function read(ring: IoUring, userData: number, flags: number): void {
  assert.equal(ring.prepRead(3, new Uint8Array(BYTES), BYTES, userData), true);
  ring.sqeSetFlags(flags);
}

function nop(ring: IoUring, userData: number, flags = 0): void {
  assert.equal(ring.prepNop(userData), true);
  ring.sqeSetFlags(flags);
}

describe('the memory of a silent operation', () => {
  it('is held until what comes after it completes, and no longer', () => {
    const { kernel, ring } = open();
    read(ring, 1, LINK | SILENT);
    read(ring, 2, LINK | SILENT);
    nop(ring, 3);
    ring.submit();
    const [first, second, last] = kernel.entriesSeen;
    assert.deepEqual([isHeld(ring, first), isHeld(ring, second)], [true, true]);
    assert.deepEqual(reap(ring), []);
    kernel.post(last.userData, 0);
    assert.deepEqual(reap(ring), [[3, 0]]);
    assert.deepEqual([isHeld(ring, first), isHeld(ring, second)], [false, false]);
    assert.equal(pinsOf(ring).size, 0);
  });

  it('is let go of when one that speaks completes in the middle; the rest is held on', () => {
    const { kernel, ring } = open();
    read(ring, 1, LINK | SILENT);
    read(ring, 2, LINK);
    read(ring, 3, LINK | SILENT);
    read(ring, 4, 0);
    ring.submit();
    const [first, second, third, fourth] = kernel.entriesSeen;
    kernel.post(second.userData, BYTES);
    assert.deepEqual(reap(ring), [[2, BYTES]]);
    assert.deepEqual([first, second, third, fourth].map((e) => isHeld(ring, e)), [false, false, true, true]);
    kernel.post(fourth.userData, BYTES);
    assert.deepEqual(reap(ring), [[4, BYTES]]);
    assert.equal(pinsOf(ring).size, 0);
  });

  it('given two chains, a completion of one lets go of nothing of the other', () => {
    const { kernel, ring } = open();
    for (const base of [10, 20]) {
      read(ring, base, LINK | SILENT);
      nop(ring, base + 1);
    }
    nop(ring, 30);
    ring.submit();
    const [one, oneEnd, two, twoEnd, other] = kernel.entriesSeen;
    kernel.post(other.userData, 0);
    kernel.post(twoEnd.userData, 0);
    assert.deepEqual(reap(ring), [[30, 0], [21, 0]]);
    assert.deepEqual([isHeld(ring, one), isHeld(ring, two)], [true, false]);
    kernel.post(oneEnd.userData, 0);
    assert.deepEqual(reap(ring), [[11, 0]]);
    assert.equal(pinsOf(ring).size, 0);
  });

  it('given a failure, that completion comes, the rest is cancelled silently, and all is let go of', () => {
    const { kernel, ring } = open();
    read(ring, 1, LINK | SILENT);
    read(ring, 2, LINK | SILENT);
    read(ring, 3, LINK);
    nop(ring, 4);
    ring.submit();
    kernel.post(kernel.entriesSeen[1].userData, -EIO);
    assert.deepEqual(reap(ring), [[2, -EIO]]);
    assert.equal(pinsOf(ring).size, 0);
  });

  it('given a short transfer, all is let go of as after a failure', () => {
    const { kernel, ring } = open();
    read(ring, 1, LINK | SILENT);
    read(ring, 2, LINK | SILENT);
    nop(ring, 3);
    ring.submit();
    kernel.post(kernel.entriesSeen[0].userData, BYTES / 2);
    assert.deepEqual(reap(ring), [[1, BYTES / 2]]);
    assert.equal(pinsOf(ring).size, 0, 'the rest was cancelled without a word');
  });

  it('given a failure and a hard link, the rest runs, and is held until it is done', () => {
    const { kernel, ring } = open();
    read(ring, 1, HARD | SILENT);
    read(ring, 2, HARD | SILENT);
    nop(ring, 3);
    ring.submit();
    const [first, second, last] = kernel.entriesSeen;
    kernel.post(first.userData, -EIO);
    assert.deepEqual(reap(ring), [[1, -EIO]]);
    assert.deepEqual([isHeld(ring, first), isHeld(ring, second)], [false, true]);
    kernel.post(last.userData, 0);
    assert.deepEqual(reap(ring), [[3, 0]]);
    assert.equal(pinsOf(ring).size, 0);
  });
});

describe('a chain that breaks at one that speaks', () => {
  it('given silent ones behind it, each of them completes as cancelled, with its own userData', () => {
    const { kernel, ring } = open();
    read(ring, 1, LINK);
    read(ring, 2, LINK | SILENT);
    read(ring, 3, LINK | SILENT);
    read(ring, 4, 0);
    ring.submit();
    const [first, ...rest] = kernel.entriesSeen;
    kernel.post(first.userData, -EIO);
    for (const { userData } of rest) kernel.post(userData, -ECANCELED);
    assert.deepEqual(reap(ring), [[1, -EIO], [2, -ECANCELED], [3, -ECANCELED], [4, -ECANCELED]]);
    assert.equal(pinsOf(ring).size, 0);
  });

  it('given silent ones on both sides, those behind it complete as cancelled', () => {
    const { kernel, ring } = open();
    read(ring, 1, LINK | SILENT);
    nop(ring, 2, LINK);
    read(ring, 3, LINK | SILENT);
    nop(ring, 4);
    ring.submit();
    const [, second, third, fourth] = kernel.entriesSeen;
    kernel.post(second.userData, -EIO);
    assert.deepEqual(reap(ring), [[2, -EIO]]);
    kernel.post(third.userData, -ECANCELED);
    kernel.post(fourth.userData, -ECANCELED);
    assert.deepEqual(reap(ring), [[3, -ECANCELED], [4, -ECANCELED]]);
    assert.equal(pinsOf(ring).size, 0);
  });
});

describe('a chain that begins with a silent operation that lends nothing', () => {
  it('given success, lets go of the others when the last completes', () => {
    const { kernel, ring } = open();
    nop(ring, 1, LINK | SILENT);
    read(ring, 2, LINK | SILENT);
    nop(ring, 3);
    ring.submit();
    const [, second, last] = kernel.entriesSeen;
    assert.equal(isHeld(ring, second), true);
    kernel.post(last.userData, 0);
    assert.deepEqual(reap(ring), [[3, 0]]);
    assert.equal(pinsOf(ring).size, 0);
  });
});

describe('a chain that the kernel refuses as a whole, for an entry of it is wrong', () => {
  for (const [name, link] of [['soft', LINK], ['hard', HARD]] as const) {
    it(`${name} links, the first of it silent: it alone speaks`, () => {
      const { kernel, ring } = open();
      read(ring, 1, link | SILENT);
      read(ring, 2, link | SILENT);
      nop(ring, 3);
      ring.submit();
      kernel.post(kernel.entriesSeen[0].userData, -ECANCELED);
      assert.deepEqual(reap(ring), [[1, -ECANCELED]]);
      // With hard links it could be that the others run: then they must be held. Nobody can tell.
      if (link === LINK) assert.equal(pinsOf(ring).size, 0);
      ring.close();
      assert.deepEqual(kernel.log, ['unmap', 'unmap', 'close']);
    });
  }
});

describe('a silent operation that fails behind one that speaks and succeeded', () => {
  for (const [why, res] of [['an error', -EIO], ['too few bytes', BYTES / 2]] as const) {
    it(`with ${why}: the rest is cancelled without a word, and let go of`, () => {
      const { kernel, ring } = open();
      nop(ring, 1, LINK);
      read(ring, 2, LINK | SILENT);
      read(ring, 3, LINK);
      nop(ring, 4);
      ring.submit();
      const [first, second] = kernel.entriesSeen;
      kernel.post(first.userData, 0);
      kernel.post(second.userData, res);
      assert.deepEqual(reap(ring), [[1, 0], [2, res]]);
      assert.equal(pinsOf(ring).size, 0);
    });
  }
});

describe('a time limit behind a silent operation', () => {
  function limited(): { kernel: FakeKernel; ring: IoUring; operation: Entry; limit: Entry } {
    const { kernel, ring } = open();
    read(ring, 1, LINK | SILENT);
    assert.equal(ring.prepLinkTimeout(5, 2), true);
    ring.submit();
    const [operation, limit] = kernel.entriesSeen;
    assert.equal(limit.opcode, IORING_OP_LINK_TIMEOUT);
    return { kernel, ring, operation, limit };
  }

  it('given an operation that is done in time, its completion lets go of the memory', () => {
    const { kernel, ring, operation, limit } = limited();
    kernel.post(limit.userData, -ECANCELED);
    assert.deepEqual(reap(ring), [[2, -ECANCELED]]);
    assert.equal(isHeld(ring, operation), false);
    assert.equal(pinsOf(ring).size, 0);
  });

  for (const order of ['before', 'after'] as const) {
    it(`that struck, ${order} the operation says that it was cancelled`, () => {
      const { kernel, ring, operation, limit } = limited();
      if (order === 'after') kernel.post(operation.userData, -ECANCELED);
      kernel.post(limit.userData, -ETIME);
      const seen = reap(ring);
      if (order === 'before') {
        assert.equal(isHeld(ring, operation), true, 'the operation is not over');
        kernel.post(operation.userData, -ECANCELED);
        seen.push(...reap(ring));
      }
      assert.deepEqual(seen.sort(), [[1, -ECANCELED], [2, -ETIME]]);
      assert.equal(pinsOf(ring).size, 0);
    });
  }

  it('given an operation past stopping, the memory is held until it is done', () => {
    const { kernel, ring, operation, limit } = limited();
    kernel.post(limit.userData, -EALREADY);
    assert.deepEqual(reap(ring), [[2, -EALREADY]]);
    assert.equal(isHeld(ring, operation), true);
  });
});

describe('others in a silent chain', () => {
  it('a zero-copy send is held until its notification, whatever comes after it', () => {
    const { kernel, ring } = open();
    read(ring, 1, LINK | SILENT);
    ring.prepSendZc(4, new Uint8Array(64), 64, 2);
    ring.sqeSetFlags(LINK);
    nop(ring, 3);
    ring.submit();
    const [first, send, last] = kernel.entriesSeen;
    kernel.post(send.userData, 64, IORING_CQE_F_MORE);
    kernel.post(last.userData, 0);
    assert.deepEqual(reap(ring), [[2, 64], [3, 0]]);
    assert.deepEqual([isHeld(ring, first), isHeld(ring, send)], [false, true]);
    kernel.post(send.userData, 0, IORING_CQE_F_NOTIF);
    assert.deepEqual(reap(ring), [[2, 0]]);
    assert.equal(pinsOf(ring).size, 0);
  });

  it('an operation that takes a provided buffer', () => {
    const { kernel, ring } = open();
    kernel.registerAnswer = () => 0;
    ring.registerBufRing(2, 16, 1);
    read(ring, 1, LINK | SILENT);
    ring.prepRecv(4, null, 16, 2);
    ring.sqeSetBufGroup(1);
    ring.submit();
    const [first, receive] = kernel.entriesSeen;
    kernel.post(receive.userData, 16, 1 | (1 << 16));
    assert.deepEqual(reap(ring), [[2, 16]]);
    assert.equal(isHeld(ring, first), false);
    assert.equal(pinsOf(ring).size, 0);
  });

  it('modifiers of a member, in any order and several times', () => {
    const { kernel, ring } = open();
    kernel.registerAnswer = () => 0;
    ring.registerBufRing(2, 16, 1);
    ring.prepRead(3, new Uint8Array(BYTES), BYTES, 1);
    ring.sqeSetFlags(LINK);
    ring.sqeSetFlags(SILENT);
    ring.sqeSetFlags(SILENT | HARD);
    ring.sqeSetIoprio(5);
    ring.prepRead(3, null, BYTES, 2);
    ring.sqeSetBufGroup(1);
    ring.sqeSetFlags(LINK);
    ring.sqeSetPersonality(1);
    nop(ring, 3);
    ring.submit();
    const [first, second, last] = kernel.entriesSeen;
    assert.equal(first.flags, LINK | HARD | SILENT);
    for (const { userData } of [second, last]) kernel.post(userData, 0, 0);
    assert.deepEqual(reap(ring), [[2, 0], [3, 0]]);
    assert.equal(pinsOf(ring).size, 0);
  });

  it('many cancellations at once', () => {
    const { kernel, ring } = open();
    for (let i = 0; i < 3; i++) read(ring, 7, 0);
    ring.submit();
    read(ring, 1, LINK | SILENT);
    assert.equal(ring.prepCancel(7, 2, { all: true }), true);
    nop(ring, 3);
    ring.submit();
    const silent = kernel.entriesSeen[3];
    const seen = reap(ring);
    assert.ok(seen.some(([userData, res]) => userData === 2 && res >= 0), JSON.stringify(seen));
    assert.ok(!seen.some(([userData]) => Number.isNaN(userData)), JSON.stringify(seen));
    // The chain ended there: what was last in it speaks.
    if (isHeld(ring, silent)) kernel.post(silent.userData, BYTES);
    kernel.post(3n, 0);
    reap(ring);
    assert.equal(pinsOf(ring).size, 0);
  });
});

describe('a submit that cuts a chain', () => {
  it('makes its last entry speak', () => {
    const { kernel, ring } = open();
    read(ring, 1, LINK | SILENT);
    read(ring, 2, LINK | SILENT);
    ring.submit();
    const [first, second] = kernel.entriesSeen;
    assert.deepEqual([first.flags, second.flags], [LINK | SILENT, LINK]);
    nop(ring, 3);
    ring.submit();
    kernel.post(3n, 0);
    assert.deepEqual(reap(ring), [[3, 0]]);
    assert.deepEqual([isHeld(ring, first), isHeld(ring, second)], [true, true], 'that is no part of it');
    kernel.post(second.userData, BYTES);
    assert.deepEqual(reap(ring), [[2, BYTES]]);
    assert.equal(pinsOf(ring).size, 0);
  });

  it('given any call that submits, makes its last entry speak', () => {
    const submits: ((ring: IoUring) => void)[] = [
      (ring) => void ring.submitAndWait(0),
      (ring) => void ring.submitAndWait(0, { timeoutMs: 0 }),
      (ring) => void ring.submitAndWait(0, { noIowait: true }),
    ];
    for (const submit of submits) {
      const { kernel, ring } = open();
      read(ring, 1, LINK | SILENT);
      submit(ring);
      assert.equal(kernel.entriesSeen[0].flags, LINK, String(submit));
    }
  });

  it('given a kernel that takes a part, that part is held until it is done', () => {
    const { kernel, ring } = open();
    read(ring, 1, LINK | SILENT);
    nop(ring, 2);
    // It is short of memory after the first, and begins anew with the second: that does not wait.
    kernel.answers = [() => kernel.consume(1), -EAGAIN];
    assert.equal(ring.submit(), 2);
    const [first, second] = kernel.entriesSeen;
    kernel.post(second.userData, 0);
    assert.deepEqual(reap(ring), [[2, 0]]);
    assert.equal(isHeld(ring, first), true, 'the first is in flight');
  });

  it('where a kernel thread takes entries in portions of its own, no memory depends on a chain', () => {
    const { kernel, ring } = ((): { kernel: FakeKernel; ring: IoUring } => {
      const kernel = new FakeKernel();
      kernel.result = () => undefined;
      return { kernel, ring: new IoUring(32, { sqPoll: true }, kernel) };
    })();
    ring.prepRead(3, new Uint8Array(BYTES), BYTES, 1);
    try {
      ring.sqeSetFlags(LINK | SILENT);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ERR_INVALID_STATE', 'refused there');
      return;
    }
    nop(ring, 2);
    ring.submit();
    kernel.consume(1);
    kernel.consume(1);
    const [first, second] = kernel.entriesSeen;
    assert.equal(first.flags & SILENT, 0, 'it speaks there, or else nobody knows when it is done');
    kernel.post(second.userData, 0);
    reap(ring);
    assert.equal(isHeld(ring, first), true);
  });
});

describe('a silent operation outside of a chain', () => {
  it('is refused if it lends memory: the entry speaks', () => {
    const { kernel, ring } = open();
    ring.prepRead(3, new Uint8Array(BYTES), BYTES, 1);
    assert.throws(() => ring.sqeSetFlags(SILENT), { code: 'ERR_INVALID_STATE', message: /silent/ });
    ring.submit();
    const [entry] = kernel.entriesSeen;
    assert.equal(entry.flags, 0);
    kernel.post(entry.userData, BYTES);
    assert.deepEqual(reap(ring), [[1, BYTES]]);
  });

  it('is refused at the end of a chain', () => {
    const { ring } = open();
    read(ring, 1, LINK | SILENT);
    ring.prepRead(3, new Uint8Array(BYTES), BYTES, 2);
    assert.throws(() => ring.sqeSetFlags(SILENT), { code: 'ERR_INVALID_STATE' });
    ring.prepNop(3);
    ring.submit();
  });

  it('is refused if it takes a provided buffer, whichever was said first', () => {
    const { kernel, ring } = open();
    kernel.registerAnswer = () => 0;
    ring.registerBufRing(2, 16, 1);
    ring.prepRecv(3, null, 16, 1);
    ring.sqeSetBufGroup(1);
    assert.throws(() => ring.sqeSetFlags(SILENT), { code: 'ERR_INVALID_STATE' });
    assert.throws(() => ring.sqeSetFlags(SILENT | LINK), { code: 'ERR_INVALID_STATE' });
    ring.prepRecv(3, null, 16, 2);
    ring.sqeSetFlags(SILENT);
    assert.throws(() => ring.sqeSetBufGroup(1), { code: 'ERR_INVALID_STATE' });
    ring.prepRecvMultishot(3, 1, 3);
    assert.throws(() => ring.sqeSetFlags(SILENT), { code: 'ERR_INVALID_STATE' });
  });

  it('costs nothing if it lends nothing', () => {
    const { kernel, ring } = open();
    nop(ring, 1, SILENT);
    ring.prepFsync(3, 2);
    ring.sqeSetFlags(SILENT | LINK);
    ring.prepClose(3, 3);
    ring.sqeSetFlags(SILENT);
    ring.submit();
    assert.equal(pinsOf(ring).size, 0);
    assert.deepEqual(kernel.entriesSeen.map(({ userData }) => userData), [1n, 2n, 3n]);
  });

  it('given one that brings a descriptor, holds nothing, and shows a failure under its own userData', () => {
    const { kernel, ring } = open();
    ring.prepOpen('/a', 0, 5);
    ring.sqeSetFlags(SILENT);
    ring.prepSocket(1, 1, 0, 2n ** 63n);
    ring.sqeSetFlags(SILENT | LINK);
    nop(ring, 6);
    ring.submit();
    assert.equal(pinsOf(ring).size, 0);
    kernel.post(kernel.entriesSeen[0].userData, -EIO);
    assert.deepEqual(reap(ring), [[5, -EIO]]);
  });

  it('given userData that looks like a key of the ring, leaves nothing behind', () => {
    const { kernel, ring } = open();
    // What a key looks like, from one that was used.
    read(ring, 1, 0);
    ring.submit();
    const likeAKey = kernel.entriesSeen[0].userData;
    kernel.post(likeAKey, BYTES);
    reap(ring);
    kernel.silent = true;
    kernel.result = () => 0;
    ring.prepNop(likeAKey);
    ring.sqeSetFlags(SILENT);
    ring.submit();
    assert.equal(kernel.entriesSeen.length, 2);
    reap(ring);
    ring.close();
    assert.equal(kernel.calls.length, 2, 'there was nothing to wait for');
  });
});

describe('close', () => {
  it('given chains that were never submitted, lets go of them', () => {
    const { kernel, ring } = open();
    for (let i = 0; i < 5; i++) {
      read(ring, i, LINK | SILENT);
      nop(ring, 10 + i, i % 2 ? LINK : 0);
    }
    ring.close();
    assert.equal(kernel.calls.length, 0);
    assert.deepEqual(kernel.log, ['unmap', 'unmap', 'close']);
  });

  it('cancels a chain in flight, and waits for what the kernel says of it', () => {
    for (const link of [LINK, HARD]) {
      const { kernel, ring } = open();
      read(ring, 1, link | SILENT);
      read(ring, 2, link | SILENT);
      nop(ring, 3);
      ring.submit();
      const [first, second, last] = kernel.entriesSeen;
      kernel.cancels = false;
      let done = false;
      kernel.answers = Array.from({ length: 50 }, () => (call): number => {
        kernel.consume(call.toSubmit);
        if (done) return call.toSubmit;
        done = true;
        kernel.post(first.userData, -ECANCELED);
        if (link === HARD) {
          kernel.post(second.userData, -ECANCELED);
          kernel.post(last.userData, 0);
        }
        return call.toSubmit;
      });
      const start = performance.now();
      ring.close();
      assert.ok(performance.now() - start < CLOSED_WITHIN_MS);
      assert.deepEqual(kernel.log, ['unmap', 'unmap', 'close']);
      assert.ok(kernel.entriesSeen.some(({ opcode }) => opcode === IORING_OP_ASYNC_CANCEL));
    }
  });
});

/** Numbers that look random and are the same every time. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** The outcome of an entry. A short transfer fails, and has no error. */
type Fate = 'succeeds' | 'fails' | 'short' | 'refused';

/** Something that the kernel does. */
type Step =
  | { kind: 'begins' | 'ends'; entry: Entry }
  | { kind: 'posts'; entry: Entry; res: number; flags: number };

/** A model of the kernel at work on the entries of one chain, step by step. */
function steps(chain: readonly Entry[], fates: ReadonlyMap<Entry, Fate>): Step[] {
  const done: Step[] = [];
  const post = (entry: Entry, res: number, flags = 0): void => void done.push({ kind: 'posts', entry, res, flags });
  const cancel = (rest: readonly Entry[], silently: boolean): void => {
    for (const entry of rest) if (!silently) post(entry, fates.get(entry) === 'refused' ? -EINVAL : -ECANCELED);
  };
  // One that is wrong in itself has the whole chain fail at its first.
  if (chain.some((entry) => fates.get(entry) === 'refused')) {
    const [head, ...rest] = chain;
    post(head, fates.get(head) === 'refused' ? -EINVAL : -ECANCELED);
    cancel(rest, (head.flags & SILENT) !== 0);
    return done;
  }
  for (const [i, entry] of chain.entries()) {
    const fate = fates.get(entry);
    done.push({ kind: 'begins', entry });
    const silent = (entry.flags & SILENT) !== 0;
    const res = fate === 'fails' ? -EIO : fate === 'short' ? BYTES / 2 : BYTES;
    const notifies = entry.opcode === IORING_OP_SEND_ZC && fate !== 'fails';
    if (fate !== 'succeeds' || !silent) post(entry, res, notifies ? IORING_CQE_F_MORE : 0);
    if (!notifies) done.push({ kind: 'ends', entry });
    if (fate !== 'succeeds' && (entry.flags & HARD) === 0 && entry.flags & LINK) {
      cancel(chain.slice(i + 1), silent);
      break;
    }
  }
  return done;
}

/** Chains of what was submitted together. */
function chainsOf(entries: readonly Entry[], firsts: ReadonlySet<number>): Entry[][] {
  const chains: Entry[][] = [];
  let open = false;
  for (const [i, entry] of entries.entries()) {
    // A submission ends a chain, wherever it is.
    if (open && !firsts.has(i)) chains.at(-1)!.push(entry);
    else chains.push([entry]);
    open = (entry.flags & LINKS) !== 0;
  }
  return chains;
}

describe('chains at random', () => {
  /** One ring, some chains in it, what the kernel does in any order. */
  function play(seed: number, fates: readonly Fate[], links: readonly number[], keeps: boolean): void {
    const random = randomOf(seed);
    const { kernel, ring } = open(64);
    const names = new Map<number, string>();
    let next = 1;
    const firsts = new Set<number>();
    for (let submits = 0; submits < 3; submits++) {
      firsts.add(kernel.entriesSeen.length);
      for (let chain = 0; chain < 3; chain++) {
        const length = 1 + random(5);
        for (let i = 0; i < length; i++) {
          const userData = next++;
          const kind = random(6);
          if (kind === 0) ring.prepNop(userData);
          else if (kind === 1) ring.prepSendZc(4, new Uint8Array(BYTES), BYTES, userData);
          else ring.prepRead(3, new Uint8Array(BYTES), BYTES, userData);
          // The kernel has no silent zero-copy sends.
          const silent = kind !== 1 && random(2) ? SILENT : 0;
          const flags = (i < length - 1 || random(8) === 0 ? links[random(links.length)] : 0) | silent;
          try {
            ring.sqeSetFlags(flags);
          } catch {
            ring.sqeSetFlags(flags & ~SILENT);
          }
          names.set(userData, `${userData} (${flags.toString(16)})`);
        }
      }
      ring.submit();
    }
    const fate = new Map<Entry, Fate>();
    for (const entry of kernel.entriesSeen) {
      const one = fates[random(fates.length)];
      fate.set(entry, one === 'short' && entry.opcode !== IORING_OP_READ ? 'succeeds' : one);
    }
    const queues = chainsOf(kernel.entriesSeen, firsts).map((chain) => steps(chain, fate));
    const notifications: Entry[] = [];
    const expected = new Map<number, number>();
    const seen = new Map<number, number>();
    const lends = (entry: Entry): boolean => entry.opcode === IORING_OP_READ || entry.opcode === IORING_OP_SEND_ZC;
    const running = new Set<Entry>();
    const order = [...kernel.entriesSeen.keys()];
    const userDataOf = (entry: Entry): number => 1 + order[kernel.entriesSeen.indexOf(entry)];
    const count = (map: Map<number, number>, userData: number): void =>
      void map.set(userData, (map.get(userData) ?? 0) + 1);
    const look = (): void => {
      for (const [userData] of reap(ring)) count(seen, userData);
      for (const entry of running) {
        assert.ok(isHeld(ring, entry), `${names.get(userDataOf(entry))} is in flight, and its memory is not held`);
      }
    };
    while (queues.some((queue) => queue.length > 0) || notifications.length > 0) {
      const waiting = queues.filter((queue) => queue.length > 0);
      const at = random(waiting.length + notifications.length);
      if (at >= waiting.length) {
        const [entry] = notifications.splice(at - waiting.length, 1);
        look();
        running.delete(entry);
        count(expected, userDataOf(entry));
        kernel.post(entry.userData, 0, IORING_CQE_F_NOTIF);
        continue;
      }
      const step = waiting[at].shift()!;
      if (step.kind === 'begins' && lends(step.entry)) running.add(step.entry);
      if (step.kind === 'ends') running.delete(step.entry);
      if (step.kind === 'posts') {
        // It is over with its last completion.
        if (step.flags & IORING_CQE_F_MORE) notifications.push(step.entry);
        else running.delete(step.entry);
        kernel.post(step.entry.userData, step.res, step.flags);
        count(expected, userDataOf(step.entry));
      }
      if (random(3) > 0) look();
    }
    look();
    const told = (map: Map<number, number>): string[] =>
      [...map].map(([userData, times]) => `${names.get(userData) ?? userData}: ${times}`).sort();
    assert.deepEqual(told(seen), told(expected), `seed ${seed}`);
    if (!keeps) assert.equal(pinsOf(ring).size, 0, `seed ${seed}: something is held in the end`);
    ring.close();
  }

  // `keeps`: some of what cannot be told apart is held until the ring is closed (src/ring/prepare/chains.ts).
  const worlds: Record<string, { fates: Fate[]; links: number[]; keeps?: true }> = {
    'all succeed': { fates: ['succeeds'], links: [LINK, HARD] },
    'soft links, some fail': { fates: ['succeeds', 'succeeds', 'succeeds', 'fails'], links: [LINK], keeps: true },
    'hard links, some fail': { fates: ['succeeds', 'succeeds', 'fails'], links: [HARD] },
    'all kinds of links, some fail or are short': {
      fates: ['succeeds', 'succeeds', 'fails', 'short'],
      links: [LINK, HARD, LINK | HARD],
      keeps: true,
    },
  };
  for (const [name, { fates, links, keeps = false }] of Object.entries(worlds)) {
    const then = keeps ? '' : ', nothing is left';
    it(`${name}: every completion is the caller’s, memory is held as long as it is used${then}`, () => {
      for (let seed = 0; seed < 300; seed++) play(seed, fates, links, keeps);
    });
  }
});
