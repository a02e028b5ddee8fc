// slow: many random runs
// Paths, addresses, times, iovecs: what the kernel reads while it takes an entry must be there then, and must be what
// the caller gave, whatever was prepared, submitted or closed in between, and even while it was being read.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { IORING_SEND_VECTORIZED } from '../../src/abi/flags.ts';
import {
  IOVEC,
  IOVEC_SIZE,
  MSGHDR,
  MSGHDR_SIZE,
  OPERATIONS,
  type Lend,
} from '../../src/abi/index.ts';
import { IoUring } from '../../src/ring/io-uring.ts';
import { coreOf } from '../../src/ring/ring-core.ts';
import { ambushes, type Ambush } from '../kernel/ambush.ts';
import { collect } from '../kernel/collect.ts';
import { call, GROUP, METHODS } from '../kernel/every-method.ts';
import { FakeKernel, wordsAt, type Entry } from './fake-kernel.ts';

const EAGAIN = 11;
const OURS = 7n;
const OTHERS = 99;

const pinsOf = (ring: IoUring): { size: number } => coreOf(ring).pins;

/** A ring, and what the kernel read when it took each entry. */
function open(entries = 64): { kernel: FakeKernel; ring: IoUring; taken: Taken[] } {
  const kernel = new FakeKernel();
  kernel.registerAnswer = () => 0;
  const ring = new IoUring(entries, { sqe128: true }, kernel);
  ring.registerBufRing(1, 16, GROUP);
  const taken: Taken[] = [];
  kernel.sees = (entry) => void taken.push(take(kernel, entry));
  return { kernel, ring, taken };
}

/** An entry without what differs from call to call, and the bytes that it points to. */
interface Taken {
  opcode: number;
  words: string;
  read: string[];
}

const FIELDS: Record<Lend['field'], number> = { addr: 4, addr2: 2, addr3: 12, attr_ptr: 12, optval: 12 };

/** The mask of the first word, whose upper half is ioprio. */
const VECTORIZED = IORING_SEND_VECTORIZED << 16;

/** Where addresses can stand. */
const ADDRESSES = new Set(Object.values(FIELDS));

/** The bytes of the arguments that the kernel reads at once. Data is not looked at: it is the caller's. */
function take(kernel: FakeKernel, entry: Entry): Taken {
  const words = [...entry.words];
  const read: string[] = [];
  for (const { field, what, until, variant } of OPERATIONS[entry.opcode].lends) {
    if (variant === 'vectorized' && (entry.words[0] & VECTORIZED) === 0) continue;
    const address = wordsAt(entry, FIELDS[field]);
    const isThere = address !== 0n && kernel.at(address) !== undefined;
    if (isThere && until === 'submit') read.push(`${what}: ${argument(kernel, entry, what, address)}`);
  }
  // Addresses are others each time.
  for (const at of ADDRESSES) if (kernel.at(wordsAt(entry, at))) words[at] = words[at + 1] = -1;
  // Under a key, or as the caller's own.
  words[8] = words[9] = 0;
  return { opcode: entry.opcode, words: words.join(' '), read };
}

function argument(kernel: FakeKernel, entry: Entry, what: Lend['what'], address: bigint): string {
  const hex = (view: DataView): string => Buffer.from(view.buffer).toString('hex');
  if (what === 'path' || what === 'name') return text(kernel, address);
  // Its length stands beside the address: in `off` of those that have no other use for it, else in `addr_len`.
  if (what === 'sockaddr') return hex(kernel.read(address, entry.words[11] || entry.words[2]));
  if (what === 'iovec') return iovecs(kernel, address, entry.words[6]);
  if (what === 'msghdr') {
    const header = kernel.read(address, MSGHDR_SIZE);
    const count = Number(header.getBigUint64(MSGHDR.msg_iovlen, true));
    return count === 0 ? '' : iovecs(kernel, header.getBigUint64(MSGHDR.msg_iov, true), count);
  }
  const sizes: Partial<Record<Lend['what'], number>> = { timespec: 16, open_how: 24, epoll_event: 12 };
  return hex(kernel.read(address, sizes[what] ?? 0));
}

function text(kernel: FakeKernel, address: bigint): string {
  const bytes: number[] = [];
  for (let at = address;; at++) {
    const byte = kernel.read(at, 1).getUint8(0);
    if (byte === 0) return Buffer.from(bytes).toString();
    bytes.push(byte);
  }
}

/** How many bytes each piece has, and that there is memory for them. */
function iovecs(kernel: FakeKernel, address: bigint, count: number): string {
  const view = kernel.read(address, count * IOVEC_SIZE);
  return Array.from({ length: count }, (_, i) => {
    const length = Number(view.getBigUint64(i * IOVEC_SIZE + IOVEC.iov_len, true));
    const base = view.getBigUint64(i * IOVEC_SIZE + IOVEC.iov_base, true);
    return kernel.read(base, length).byteLength;
  }).join(' ');
}

/** The one entry of ours among what was taken. */
function ours(taken: readonly Taken[], seen: readonly bigint[]): Taken[] {
  assert.equal(seen.length, taken.length);
  return taken.filter((_, i) => seen[i] === OURS);
}

/** Everything that was taken so far, with the caller's own userData of each. */
function reapAll(ring: IoUring): bigint[] {
  const seen: bigint[] = [];
  ring.forEachCompletion((c) => void seen.push(c.userData64));
  return seen;
}

/** Arguments of others, that would overwrite ours if they were in the way. */
function overwrite(ring: IoUring): void {
  for (let i = 0; i < 3; i++) ring.prepOpen('/'.repeat(300 + i), 0, OTHERS);
  ring.prepTimeout(2n ** 62n, OTHERS);
  ring.prepReadv(3, Array.from({ length: 16 }, () => new Uint8Array(1)), OTHERS);
}

/** Things that a getter could do; others of its kind come to the same. */
const SPRINGS: Record<string, (ring: IoUring) => void> = {
  'prepares a nop': (ring) => void ring.prepNop(OTHERS),
  'prepares one with arguments of its own': (ring) => void ring.prepOpen('/other', 0, OTHERS),
  'prepares and submits': (ring) => {
    ring.prepNop(OTHERS);
    ring.submit();
  },
  'prepares one with arguments of its own, and submits': (ring) => {
    ring.prepOpen('/other', 0, OTHERS);
    ring.submit();
  },
  submits: (ring) => void ring.submit(),
};

describe('an entry’s arguments, when something happens while they are read', () => {
  for (const { name, prepares, arguments: args } of METHODS) {
    const count = [...ambushes(args, () => {})].length;
    if (!prepares || count === 0) continue;
    const lay = (i: number, spring: () => void): Ambush => [...ambushes(args, spring)][i];

    it(`${name}: a getter prepares, or submits; the entry is what it would have been`, () => {
      const wrong: string[] = [];
      for (const [deed, act] of Object.entries(SPRINGS)) {
        for (let i = 0; i < count; i++) {
          const quiet = open();
          call(quiet.ring, name, lay(i, () => {}).values);
          quiet.ring.submit();
          const expected = [...quiet.taken];
          quiet.ring.close();

          const { ring, taken } = open();
          const { what, values } = lay(i, () => act(ring));
          assert.equal(call(ring, name, values), true, what);
          overwrite(ring);
          ring.submit();
          const found = ours(taken, reapAll(ring));
          ring.close();
          if (isDeepStrictEqual(found, expected)) continue;
          wrong.push(`${what} ${deed}: ${told(found)}, not ${told(expected)}`);
        }
      }
      assert.deepEqual(wrong, []);
    });

    it(`${name}: a getter closes the ring, fills the queue, or throws; nothing is queued`, () => {
      const wrong: string[] = [];
      for (let i = 0; i < count; i++) {
        const closed = open(4).ring;
        let { what, values } = lay(i, () => closed.close());
        const { code } = outcome(closed, name, values) as { code?: string };
        if (code !== 'ERR_IOURING_CLOSED') wrong.push(`${what} closes the ring: ${code}`);

        const full = open(4).ring;
        let filled = 0;
        ({ what, values } = lay(i, () => {
          while (full.prepNop(OTHERS)) filled++;
        }));
        const answer = outcome(full, name, values);
        if (answer !== false || full.sqReady !== filled || pinsOf(full).size > 0) {
          const { size } = pinsOf(full);
          wrong.push(`${what} fills the queue: ${String(answer)}, ${full.sqReady} of ${filled}, ${size} pins`);
        }

        const { ring } = open(4);
        ({ what, values } = lay(i, () => {
          throw new Error('mine');
        }));
        const { message } = outcome(ring, name, values) as { message?: string };
        if (message !== 'mine' || ring.sqReady > 0 || pinsOf(ring).size > 0) {
          wrong.push(`${what} throws: ${message}, ${ring.sqReady} are queued, ${pinsOf(ring).size} pins`);
        }
        full.close();
        ring.close();
      }
      assert.deepEqual(wrong, []);
    });
  }

  it('given a registration whose getter closes the ring, nothing is touched that is gone', () => {
    const wrong: string[] = [];
    for (const { name, prepares, arguments: args } of METHODS) {
      if (prepares) continue;
      const count = [...ambushes(args, () => {})].length;
      for (let i = 0; i < count; i++) {
        const { kernel, ring } = open(4);
        ring.registerWaitRegion(4);
        ring.prepNop(OTHERS);
        let calls = 0;
        const { what, values } = [...ambushes(args, () => {
          ring.close();
          calls = kernel.calls.length + kernel.registered.length;
        })][i];
        const { code, message } = outcome(ring, name, values) as { code?: string; message?: string };
        if (code !== 'ERR_IOURING_CLOSED') wrong.push(`${name}, ${what}: ${code} ${message}`);
        const later = kernel.calls.length + kernel.registered.length - calls;
        if (later > 0) wrong.push(`${name}, ${what}: ${later} calls of a kernel that closed the ring`);
      }
    }
    assert.deepEqual(wrong, []);
  });
});

const told = (found: readonly Taken[]): string => JSON.stringify(found).slice(0, 300);

/** The answer of a call, or the error that it throws. */
function outcome(ring: IoUring, name: string, values: readonly unknown[]): unknown {
  try {
    return call(ring, name, values) ?? {};
  } catch (error) {
    return error;
  }
}

describe('the arena', () => {
  it('arguments stay as they are while their entries wait, however many come after', () => {
    const { kernel, ring, taken } = open(256);
    const expected: string[] = [];
    for (let i = 0; i < 256; i++) {
      const path = `/${i}/${'x'.repeat((i * 37) % 400)}`;
      ring.prepOpen(path, 0, OURS);
      expected.push(`path: ${path}`);
      if (i % 32 === 0) collect();
    }
    assert.equal(ring.submit(), 256);
    assert.deepEqual(taken.flatMap(({ read }) => read), expected);
    assert.equal(kernel.cursors[0], 256);
  });

  it('a partial submit: what was not taken stays as it is, what was taken is free', () => {
    const { kernel, ring, taken } = open(8);
    const paths = (): string[] => taken.flatMap(({ read }) => read);
    const expected: string[] = [];
    let next = 0;
    for (let round = 0; round < 200; round++) {
      while (ring.prepOpen(`/${next}/${'x'.repeat(next % 150)}`, 0, OURS)) {
        expected.push(`path: /${next}/${'x'.repeat(next % 150)}`);
        next++;
      }
      // The kernel takes some, and is short of memory then.
      kernel.answers = [() => kernel.consume(1 + (round % 7)), -EAGAIN];
      ring.submit();
      reapAll(ring);
    }
    ring.submit();
    assert.deepEqual(paths(), expected);
  });

  it('nothing is kept for what was taken: the same memory serves again and again', () => {
    const { kernel, ring } = open(8);
    const addresses = new Set<bigint>();
    kernel.sees = (entry) => void addresses.add(wordsAt(entry, FIELDS.addr));
    for (let i = 0; i < 5000; i++) {
      ring.prepOpen(`/${'x'.repeat(100)}`, 0, OURS);
      ring.prepTimeout(1, OURS);
      ring.submit();
      reapAll(ring);
    }
    assert.equal(addresses.size, 2);
  });

  it('given arguments larger than all memory so far, makes more', () => {
    const { ring, taken } = open(8);
    for (const length of [10, 5000, 3, 100_000, 20]) ring.prepOpen('/'.repeat(length), 0, OURS);
    ring.submit();
    assert.deepEqual(taken.map(({ read }) => read[0].length - 'path: '.length), [10, 5000, 3, 100_000, 20]);
    ring.prepReadv(3, Array.from({ length: 1024 }, (_, i) => new Uint8Array(i)), OURS);
    ring.submit();
    const lengths = Array.from({ length: 1024 }, (_, i) => i).join(' ');
    assert.deepEqual(taken.at(-1)!.read, [`iovec: ${lengths}`]);
  });

  it('entries without arguments between those with some: nothing is given out twice', () => {
    const { kernel, ring, taken } = open(16);
    const expected: string[] = [];
    for (let i = 0; i < 500; i++) {
      if (i % 3 === 0) {
        const path = `/${i}`;
        if (ring.prepOpen(path, 0, OURS)) expected.push(`path: ${path}`);
      } else ring.prepNop(OTHERS);
      if (i % 5 !== 0) continue;
      kernel.answers = [() => kernel.consume(Math.min(3, ring.sqReady)), -EAGAIN];
      ring.submit();
      reapAll(ring);
    }
    ring.submit();
    reapAll(ring);
    ring.submit();
    assert.deepEqual(taken.flatMap(({ read }) => read), expected);
  });

  it('a method that throws in the middle takes nothing with it', () => {
    const { ring, taken } = open(16);
    ring.prepOpen('/before', 0, OURS);
    for (let i = 0; i < 100; i++) {
      assert.throws(() => ring.prepRename('/old', 'new\0', OURS), { code: 'ERR_INVALID_ARG_VALUE' });
      assert.throws(() => ring.prepOpen('/never', 0, -1), { code: 'ERR_OUT_OF_RANGE' });
      const list = [new Uint8Array(8), {} as Uint8Array];
      assert.throws(() => ring.prepReadv(3, list, OURS), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    ring.prepOpen('/after', 0, OURS);
    assert.equal(ring.submit(), 2);
    assert.deepEqual(taken.flatMap(({ read }) => read), ['path: /before', 'path: /after']);
  });
});
