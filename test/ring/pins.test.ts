// What an operation lends to the kernel stays alive exactly as long as the kernel may use it. Every operation, after
// its row in the table of operations: what the row says is lent is looked for with the collector's eyes.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  FUTEX_WAITV,
  FUTEX_WAITV_SIZE,
  IORING_CQE_BUFFER_SHIFT,
  IORING_CQE_F_BUFFER,
  IORING_CQE_F_MORE,
  IORING_CQE_F_NOTIF,
  IORING_OP_ASYNC_CANCEL,
  IORING_OP_PROVIDE_BUFFERS,
  IORING_OP_URING_CMD,
  IORING_RW_ATTR_FLAG_PI,
  IORING_SEND_VECTORIZED,
  IORING_TIMEOUT_UPDATE,
  IOSQE_BUFFER_SELECT,
  IOVEC,
  IOVEC_SIZE,
  IO_URING_ATTR_PI,
  IO_URING_ATTR_PI_SIZE,
  MSGHDR,
  MSGHDR_SIZE,
  OPERATIONS,
  SOCKET_URING_OP_GETSOCKNAME,
  SOCKET_URING_OP_GETSOCKOPT,
  type Lend,
  type Until,
} from '../../src/abi/index.ts';
import { NOTHING, Pins } from '../../src/ring/pins.ts';
import { IoUring } from '../../src/ring/io-uring.ts';
import { coreOf } from '../../src/ring/ring-core.ts';
import { finalized } from '../kernel/collect.ts';
import { call, callsOf, CLASSIC_GROUP, GROUP, METHODS } from '../kernel/every-method.ts';
import { FakeKernel, wordsAt, type Entry } from './fake-kernel.ts';

const EAGAIN = 11;
const EPERM = 1;

const pinsOf = (ring: IoUring): Pins => coreOf(ring).pins;

/** A ring of a kernel that leaves everything in flight. */
function open(entries = 256): { kernel: FakeKernel; ring: IoUring } {
  const kernel = new FakeKernel();
  kernel.registerAnswer = () => 0;
  kernel.result = () => undefined;
  const ring = new IoUring(entries, { sqe128: true }, kernel);
  ring.registerBufRing(1, 16, GROUP);
  return { kernel, ring };
}

function reap(ring: IoUring): [userData: number, res: number][] {
  const seen: [number, number][] = [];
  ring.forEachCompletion((c) => void seen.push([c.userData, c.res]));
  return seen;
}

/** Memory that an entry lends. */
interface Lent {
  what: string;
  until: Until;
  /** Which of its row's: `lends[3]`, or what that points to. */
  lend: Lend;
  memory: WeakRef<ArrayBufferLike>;
}

const FIELDS: Record<Lend['field'], number> = { addr: 4, addr2: 2, addr3: 12, attr_ptr: 12, optval: 12 };

/** Is this form of the operation the one that the entry has? */
function applies({ field, what, variant }: Lend, entry: Entry): boolean {
  const { opcode, flags, words } = entry;
  const cmdOp = opcode === IORING_OP_URING_CMD ? words[2] : -1;
  const vectorized = (words[0] >>> 16) & IORING_SEND_VECTORIZED;
  if (variant === 'attributes') return (words[14] & IORING_RW_ATTR_FLAG_PI) !== 0;
  if (variant === 'update') return (words[7] & IORING_TIMEOUT_UPDATE) !== 0;
  if (variant === 'vectorized') return vectorized !== 0;
  if (variant === 'socketOption') return cmdOp === SOCKET_URING_OP_GETSOCKOPT;
  if (variant === 'getsockname') return cmdOp === SOCKET_URING_OP_GETSOCKNAME;
  // In these it is plain numbers, or something else.
  if (what === 'command') return cmdOp !== SOCKET_URING_OP_GETSOCKOPT && cmdOp !== SOCKET_URING_OP_GETSOCKNAME;
  if (what === 'buffer' && flags & IOSQE_BUFFER_SELECT) return false;
  const isSend = OPERATIONS[opcode].lends.some((other) => other.variant === 'vectorized');
  return !(isSend && field === 'addr' && what === 'buffer' && vectorized);
}

/** The memory that an entry lends, by its row, as the kernel finds it when it takes the entry. */
function lentBy(kernel: FakeKernel, entry: Entry): Lent[] {
  const found: Lent[] = [];
  const add = (what: string, until: Until, lend: Lend, address: bigint): void => {
    if (address === 0n) return;
    const place = kernel.at(address);
    // A number that the caller gave.
    if (place === undefined && lend.what === 'command') return;
    const isThere = place?.memory.deref() !== undefined;
    assert.ok(place && isThere, `${OPERATIONS[entry.opcode].name}: ${what} at ${address} is nobody's memory`);
    found.push({ what, until, lend, memory: place.memory });
  };
  for (const lend of OPERATIONS[entry.opcode].lends) {
    if (!applies(lend, entry)) continue;
    const address = wordsAt(entry, FIELDS[lend.field]);
    add(lend.what, lend.until, lend, address);
    if (lend.through === undefined || address === 0n) continue;
    for (const data of behind(kernel, lend, address, entry.words[6])) {
      add(`what is behind the ${lend.what}`, lend.through.until, lend, data);
    }
  }
  return found;
}

/** The addresses that stand in lent memory. */
function behind(kernel: FakeKernel, { what }: Lend, address: bigint, count: number): bigint[] {
  const all = (view: DataView, size: number, field: number): bigint[] =>
    Array.from({ length: view.byteLength / size }, (_, i) => view.getBigUint64(i * size + field, true));
  if (what === 'iovec') return all(kernel.read(address, count * IOVEC_SIZE), IOVEC_SIZE, IOVEC.iov_base);
  if (what === 'futex_waitv') {
    return all(kernel.read(address, count * FUTEX_WAITV_SIZE), FUTEX_WAITV_SIZE, FUTEX_WAITV.uaddr);
  }
  if (what === 'attributes') {
    return [kernel.read(address, IO_URING_ATTR_PI_SIZE).getBigUint64(IO_URING_ATTR_PI.addr, true)];
  }
  const header = kernel.read(address, MSGHDR_SIZE);
  const pieces = Number(header.getBigUint64(MSGHDR.msg_iovlen, true));
  if (pieces === 0) return [];
  return all(kernel.read(header.getBigUint64(MSGHDR.msg_iov, true), pieces * IOVEC_SIZE), IOVEC_SIZE, IOVEC.iov_base);
}

/** One operation in flight, and whether what it lent was alive at several times. */
interface Observed {
  what: string;
  entry: Entry;
  lent: Lent[];
  /** Indices into `lent` of what was gone. */
  goneAfterSubmit: number[];
  goneAfterMore: number[];
  aliveAtLast: number[];
}

/** Every call of every method, all in flight at once; what the row says is lent, at each stage. */
async function observe(): Promise<{ observed: Observed[]; held: number[] }> {
  const { kernel, ring } = open();
  const observed: Observed[] = [];
  kernel.sees = (entry) => {
    const lent = lentBy(kernel, entry);
    observed.push({ what: '', entry, lent, goneAfterSubmit: [], goneAfterMore: [], aliveAtLast: [] });
  };
  const names: string[] = [];
  for (const method of METHODS) {
    if (!method.prepares) continue;
    for (const [what, values] of callsOf(method)) {
      assert.equal(call(ring, method.name, values()), true);
      names.push(what);
    }
  }
  const held = [pinsOf(ring).size];
  ring.submit();
  // Cancellations are answered at once.
  const cancelled = reap(ring).length;
  assert.equal(observed.length, names.length);
  for (const [i, one] of observed.entries()) one.what = names[i];
  const gone = ({ lent }: Observed): number[] =>
    [...lent.keys()].filter((i) => lent[i].until !== 'submit' && lent[i].memory.deref() === undefined);
  await finalized();
  for (const one of observed) one.goneAfterSubmit = gone(one);
  const inFlight = observed.filter(({ entry }) => entry.opcode !== IORING_OP_ASYNC_CANCEL);
  assert.equal(cancelled + inFlight.length, names.length);
  // All say that there is more to come, except the one whose memory nobody waits for.
  const more = inFlight.filter(({ entry }) => entry.opcode !== IORING_OP_PROVIDE_BUFFERS);
  for (const { entry } of more) kernel.post(entry.userData, -EAGAIN, IORING_CQE_F_MORE);
  assert.equal(reap(ring).length, more.length);
  await finalized();
  for (const one of observed) one.goneAfterMore = gone(one);
  for (const { entry, lent } of inFlight) {
    const notifies = lent.some(({ until }) => until === 'notification');
    const res = entry.opcode === IORING_OP_PROVIDE_BUFFERS ? 0 : -EAGAIN;
    kernel.post(entry.userData, res, notifies ? IORING_CQE_F_NOTIF : 0);
  }
  assert.deepEqual(new Set(reap(ring).map(([userData]) => userData)), new Set([7]), 'all userData came back');
  held.push(pinsOf(ring).size);
  await finalized();
  for (const one of observed) {
    const ends = ({ until, what }: Lent): boolean => until !== 'submit' && until !== 'returned' && what !== 'range';
    const isAlive = (i: number): boolean => one.lent[i].memory.deref() !== undefined;
    one.aliveAtLast = [...one.lent.keys()].filter((i) => ends(one.lent[i]) && isAlive(i));
  }
  ring.close();
  return { observed, held };
}

const { observed, held } = await observe();

describe('what an operation lends, by its row', () => {
  const told = (one: Observed, indices: number[]): string[] =>
    indices.map((i) => `${one.what}: ${one.lent[i].what}, lent until ${one.lent[i].until}`);

  for (const { code, name, lends } of OPERATIONS) {
    const ours = observed.filter(({ entry }) => entry.opcode === code);

    it(`${name}: is alive while it is in flight, and is let go of with its last completion`, () => {
      assert.ok(ours.length > 0, 'no method makes this operation');
      for (const one of ours) {
        assert.deepEqual(told(one, one.goneAfterSubmit), [], 'gone while the operation is in flight');
        assert.deepEqual(told(one, one.goneAfterMore), [], 'gone though more was to come');
        assert.deepEqual(told(one, one.aliveAtLast), [], 'held after the last completion');
      }
    });

    it(`${name}: every line of its row was seen`, () => {
      const seen = new Set(ours.flatMap(({ lent }) => lent.map(({ lend }) => lend)));
      const unseen = lends.filter((lend) => !seen.has(lend));
      assert.deepEqual(unseen, []);
    });
  }

  it('nothing is pinned in the end', () => {
    assert.ok(held[0] > 0);
    assert.equal(held[1], 0);
  });
});

/** Is each of these still in memory? */
async function alive(...memory: WeakRef<object>[]): Promise<boolean[]> {
  await finalized();
  return memory.map((ref) => ref.deref() !== undefined);
}

describe('provided buffers of the older kind', () => {
  /** Queue the giving of `nr` buffers that nobody else holds. */
  function provide(ring: IoUring, bid: number, nr = 1, bgid = CLASSIC_GROUP): WeakRef<object> {
    const memory = new Uint8Array(64 * nr);
    assert.equal(ring.prepProvideBuffers(memory, 64, nr, bgid, bid, 1000 + bid), true);
    return new WeakRef(memory);
  }

  /** Submit, and complete everything that is not a read. What the reads are known as. */
  function submit(kernel: FakeKernel, ring: IoUring): bigint[] {
    const before = kernel.entriesSeen.length;
    kernel.result = (entry) => (entry.flags & IOSQE_BUFFER_SELECT ? undefined : 0);
    ring.submit();
    reap(ring);
    return kernel.entriesSeen.slice(before).filter(({ flags }) => flags & IOSQE_BUFFER_SELECT).map((e) => e.userData);
  }

  function read(ring: IoUring, userData: number): void {
    assert.equal(ring.prepRead(3, null, 64, userData, 0), true);
    ring.sqeSetBufGroup(CLASSIC_GROUP);
  }

  const named = (bid: number): number => IORING_CQE_F_BUFFER | (bid << IORING_CQE_BUFFER_SHIFT);

  it('stay until a completion has named the last of them', async () => {
    const { kernel, ring } = open();
    const memory = provide(ring, 5, 3);
    for (let i = 0; i < 3; i++) read(ring, i);
    const reads = submit(kernel, ring);
    for (const [i, bid] of [6, 5, 7].entries()) {
      assert.deepEqual(await alive(memory), [true], `${i} were named`);
      kernel.post(reads[i], 64, named(bid));
      assert.deepEqual(reap(ring), [[i, 64]]);
    }
    assert.deepEqual(await alive(memory), [false]);
    assert.equal(pinsOf(ring).size, 0);
  });

  it('are let go of when they were not taken, and when they are removed', async () => {
    const { kernel, ring } = open();
    const refused = provide(ring, 1);
    kernel.result = () => -EAGAIN;
    ring.submit();
    reap(ring);
    const removed = provide(ring, 2, 2);
    submit(kernel, ring);
    assert.deepEqual(await alive(refused, removed), [false, true]);
    ring.prepRemoveBuffers(2, CLASSIC_GROUP, 9);
    kernel.result = () => 2;
    ring.submit();
    assert.deepEqual(reap(ring), [[9, 2]]);
    assert.deepEqual(await alive(removed), [false]);
  });

  it('given one id twice, both are held as long as the kernel may write to them', async () => {
    const { kernel, ring } = open();
    const first = provide(ring, 0);
    const second = provide(ring, 0);
    read(ring, 1);
    read(ring, 2);
    const reads = submit(kernel, ring);
    // The kernel gave the buffers out in order; the second operation is done first.
    kernel.post(reads[1], 64, named(0));
    assert.deepEqual(reap(ring), [[2, 64]]);
    const [firstIsAlive] = await alive(first, second);
    assert.ok(firstIsAlive, 'the first operation is in flight, and has the first of them');
    kernel.post(reads[0], 64, named(0));
    reap(ring);
    assert.deepEqual(await alive(first, second), [false, false]);
  });

  it('given a group whose ring was disposed of while a receive is armed, are held until it ends', async () => {
    const { kernel, ring } = open();
    const buffers = ring.registerBufRing(1, 16, 9);
    ring.prepRecvMultishot(3, 9, 7);
    ring.submit();
    buffers[Symbol.dispose]();
    let memory: WeakRef<object> | undefined;
    try {
      memory = provide(ring, 0, 1, 9);
    } catch (error) {
      // As registerBufRing does.
      assert.equal((error as NodeJS.ErrnoException).code, 'EEXIST');
      return;
    }
    submit(kernel, ring);
    assert.deepEqual(await alive(memory), [true], 'the receive may write to it');
  });

  it('given to the kernel only after the ring of their group was disposed of, are held', async () => {
    const { kernel, ring } = open();
    const buffers = ring.registerBufRing(1, 16, 9);
    const memory = provide(ring, 0, 1, 9);
    buffers[Symbol.dispose]();
    submit(kernel, ring);
    assert.deepEqual(await alive(memory), [true], 'the kernel has it in its list');
  });
});

describe('keys', () => {
  it('a late or doubled completion frees nothing that has its place since', async () => {
    const { kernel, ring } = open();
    const prepare = (userData: number): WeakRef<object> => {
      const buffer = new Uint8Array(64);
      ring.prepRead(3, buffer, 64, userData);
      ring.submit();
      return new WeakRef(buffer);
    };
    prepare(1);
    const { userData: former } = kernel.entriesSeen.at(-1)!;
    kernel.post(former, 64);
    assert.deepEqual(reap(ring), [[1, 64]]);
    for (let i = 0; i < 100; i++) {
      const memory = prepare(2);
      const { userData } = kernel.entriesSeen.at(-1)!;
      assert.notEqual(userData, former);
      assert.equal(BigInt.asUintN(22, userData), BigInt.asUintN(22, former), 'the same place');
      kernel.post(former, 64);
      const seen: bigint[] = [];
      ring.forEachCompletion((c) => void seen.push(c.userData64));
      assert.deepEqual(seen, [former], 'as it came');
      assert.equal(pinsOf(ring).size, 1);
      if (i % 50 === 0) assert.deepEqual(await alive(memory), [true]);
      kernel.post(userData, 64);
      assert.deepEqual(reap(ring), [[2, 64]]);
    }
  });
});

describe('a key that somebody guesses', () => {
  const LOW = 0xffff_ffffn;
  const one = (ring: IoUring, kernel: FakeKernel): bigint => {
    ring.prepRead(3, new Uint8Array(64), 64, 1);
    ring.submit();
    return kernel.entriesSeen.at(-1)!.userData;
  };

  it('given one wrong bit, frees nothing', () => {
    const { kernel, ring } = open();
    const key = one(ring, kernel);
    for (let bit = 0n; bit < 64n; bit++) kernel.post(key ^ (1n << bit), 64);
    for (const high of [0n, 1n, 0x8000_0000n, LOW]) kernel.post((high << 32n) | (key & LOW), 64);
    assert.equal(ring.forEachCompletion(() => {}), 68);
    assert.equal(pinsOf(ring).size, 1);
    kernel.post(key, 64);
    assert.deepEqual(reap(ring), [[1, 64]]);
    assert.equal(pinsOf(ring).size, 0);
  });

  it('every use of a slot has 32 bits of its own, and every slot ten more', () => {
    const { kernel, ring } = open();
    const uses = Array.from({ length: 2000 }, () => {
      const key = one(ring, kernel);
      kernel.post(key, 64);
      reap(ring);
      return key;
    });
    assert.equal(new Set(uses.map((key) => key >> 32n)).size, uses.length);
    for (let bit = 32n; bit < 64n; bit++) {
      const set = uses.filter((key) => (key >> bit) & 1n).length;
      assert.ok(set > 800 && set < 1200, `bit ${bit}: ${set} of ${uses.length}`);
    }
    const slots = Array.from({ length: 200 }, () => one(ring, kernel));
    assert.ok(new Set(slots.map((key) => (key & LOW) >> 22n)).size > 100, 'of 1024 that there are');
  });

  it('given a Math.random that repeats itself, keys do not repeat', () => {
    const { random } = Math;
    Math.random = () => 0.5;
    try {
      const keys = [open(), open()].map(({ kernel, ring }) => one(ring, kernel));
      assert.notEqual(keys[0] >> 32n, keys[1] >> 32n);
    } finally {
      Math.random = random;
    }
  });

  it('a userData that is the key of an operation in flight has a slot of its own', () => {
    const { kernel, ring } = open();
    const key = one(ring, kernel);
    ring.prepNop(key);
    ring.submit();
    const { userData } = kernel.entriesSeen.at(-1)!;
    assert.notEqual(userData, key);
    kernel.post(userData, 0);
    const seen: bigint[] = [];
    ring.forEachCompletion((c) => void seen.push(c.userData64));
    assert.deepEqual(seen, [key]);
    assert.equal(pinsOf(ring).size, 1, 'the read is still held');
  });

  it('there are no more slots than a key has room for: the next one is refused, and nothing is queued', () => {
    const pins = new Pins(2 ** 20);
    for (let i = 0; i < 2 ** 22; i++) pins.hold(i, 0, NOTHING);
    assert.throws(() => pins.hold(1, 0, NOTHING), { code: 'ERR_INVALID_STATE', message: /reap first/ });
    const slot = pins.slotOf(pins.keyLow(77), pins.keyHigh(77));
    assert.equal(slot, 77);
    pins.release(slot);
    assert.equal(pins.hold(5, 0, NOTHING), 77);
  });
});

describe('what outlives the ring', () => {
  it('memory that the kernel did not give back is never let go of', async () => {
    const { kernel, ring } = open();
    const memory = ((): WeakRef<object> => {
      const buffer = new Uint8Array(64);
      ring.prepRead(3, buffer, 64, 1);
      ring.submit();
      kernel.answers = [-EPERM];
      ring.close();
      return new WeakRef(buffer);
    })();
    assert.deepEqual(await alive(memory), [true]);
  });

  it('buffers of a group that an operation has taken one of are never let go of', async () => {
    const { kernel, ring } = open();
    const memory = ((): WeakRef<object> => {
      const buffer = new Uint8Array(64);
      ring.prepProvideBuffers(buffer, 64, 1, CLASSIC_GROUP, 0, 1);
      kernel.result = () => 0;
      ring.submit();
      reap(ring);
      kernel.result = () => undefined;
      ring.prepRead(3, null, 64, 1);
      ring.sqeSetBufGroup(CLASSIC_GROUP);
      ring.submit();
      kernel.answers = [-EPERM];
      ring.close();
      return new WeakRef(buffer);
    })();
    assert.deepEqual(await alive(memory), [true]);
  });

  it('what was given back before, or never submitted, is let go of', async () => {
    const { kernel, ring } = open();
    const memory = ((): WeakRef<object>[] => {
      const buffers = [new Uint8Array(64), new Uint8Array(64)];
      kernel.result = () => 64;
      ring.prepRead(3, buffers[0], 64, 1);
      ring.submit();
      ring.prepReadv(3, [buffers[1]], 1);
      ring.close();
      return buffers.map((buffer) => new WeakRef(buffer));
    })();
    assert.deepEqual(await alive(...memory), [false, false]);
  });
});
