// The rows of the table of operations say what their prep methods do: which fields of an entry are addresses, what lies
// there, and whether it is kept until the completion. Since when, and what `res` means, is compared in
// test/docs.test.ts; that each was tried on a kernel, in test/kernel/operations.every.test.ts.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  AF_INET,
  IO_URING_ATTR_PI,
  IO_URING_SQE,
  FUTEX_WAITV,
  IOVEC,
  MSGHDR,
  OPERATIONS,
  OPEN_HOW_SIZE,
  type Lend,
  type Lent,
  type Operation,
} from '../../src/abi/index.ts';
import { IoUring } from '../../src/index.ts';
import { Lease } from '../../src/ring/pins.ts';
import { coreOf } from '../../src/ring/ring-core.ts';
import { call, callsOf, CLASSIC_GROUP, GROUP, METHODS } from '../kernel/every-method.ts';
import { MemoryKernel } from '../liburing/memory-kernel.ts';

/** The fields of an entry that can be an address, by their byte offset. */
const FIELDS = [IO_URING_SQE.addr, IO_URING_SQE.addr2, IO_URING_SQE.addr3];

/** An entry as a prep method has left it in the queue. */
interface Prepared {
  readonly what: string;
  readonly opcode: number;
  readonly len: number;
  /** The memory that a field points to, by the field's offset. */
  readonly memory: ReadonlyMap<number, Uint8Array>;
  /** The things that are held until the completion. */
  readonly held: readonly unknown[];
  /** The memory at another address. */
  readonly at: (address: bigint) => Uint8Array;
}

/** A lease or a list, taken apart. */
function partsOf(lent: unknown): unknown[] {
  if (Array.isArray(lent)) return [lent, ...lent.flatMap(partsOf)];
  return lent instanceof Lease ? partsOf(lent.lent) : [lent];
}

/** Prepare one entry in a ring of its own, on a kernel that knows where all memory is. */
function prepare(name: string, what: string, values: readonly unknown[]): Prepared {
  const kernel = new MemoryKernel(0);
  kernel.registerAnswer = () => 0;
  const ring = new IoUring(8, { sqe128: true }, kernel);
  ring.registerBufRing(1, 16, GROUP);
  ring.prepProvideBuffers(new Uint8Array(16), 16, 1, CLASSIC_GROUP, 0, 1);
  ring.submit();
  ring.forEachCompletion(() => {});
  const { sq, pins } = coreOf(ring);
  const before = new Set(pins.held());
  assert.equal(call(ring, name, values), true, what);
  const at = (address: bigint): Uint8Array => kernel.bytesAt(Number(address));
  const word = (offset: number): bigint => BigInt(sq.word(offset / 4) >>> 0);
  const address = (offset: number): bigint => (word(offset + 4) << 32n) | word(offset);
  const memory = FIELDS.map((offset) => [offset, at(address(offset))] as const).filter(([, bytes]) => bytes.length > 0);
  const held = pins.held().filter((slot) => !before.has(slot)).flatMap((slot) => partsOf(pins.lent(slot)));
  return { what, opcode: sq.word(0) & 0xff, len: sq.word(IO_URING_SQE.len / 4), memory: new Map(memory), held, at };
}

/** Calls that every-method.ts leaves away. */
const OTHERS: [name: string, values: () => unknown[]][] = [
  ['prepRead', () => [3, new Uint8Array(8), 8, 7, 0, { pi: { buffer: new Uint8Array(64) } }]],
  ['prepWrite', () => [3, new Uint8Array(8), 8, 7, 0, { pi: { buffer: new Uint8Array(64) } }]],
];

const all: Prepared[] = [
  ...METHODS.filter(({ prepares, name }) => prepares && name !== 'prepSqe').flatMap((method) =>
    callsOf(method).map(([what, values]) => prepare(method.name, what, values()))
  ),
  ...OTHERS.map(([name, values], i) => prepare(name, `${name}, ${i}`, values())),
];

const viewOf = ({ buffer, byteOffset }: Uint8Array): DataView => new DataView(buffer, byteOffset);
const u32 = (bytes: Uint8Array, offset: number): number => viewOf(bytes).getUint32(offset, true);
const u64 = (bytes: Uint8Array, offset: number): bigint => viewOf(bytes).getBigUint64(offset, true);

/** Is there text that ends with a NUL? */
const isText = (bytes: Uint8Array): boolean => {
  const text = Buffer.from(bytes.subarray(0, Math.max(0, bytes.indexOf(0))));
  return /^[\x20-\x7e]+$/.test(text.toString());
};

/** Signs by which the contents of memory are known. */
const SIGNS: Record<Lent, (bytes: Uint8Array, entry: Prepared) => boolean> = {
  attributes: (bytes, { at }) => at(u64(bytes, IO_URING_ATTR_PI.addr)).length === u32(bytes, IO_URING_ATTR_PI.len),
  buffer: (bytes) => bytes.length > 0,
  command: (bytes) => bytes.length > 0,
  descriptors: (bytes) => bytes.length % 4 === 0,
  epoll_event: (bytes) => bytes.length >= (process.arch === 'x64' ? 12 : 16),
  futex: (bytes) => bytes.length >= 4,
  futex_waitv: (bytes, { at }) => at(u64(bytes, FUTEX_WAITV.uaddr)).length >= 4,
  iovec: (bytes, { at }) => at(u64(bytes, IOVEC.iov_base)).length >= Number(u64(bytes, IOVEC.iov_len)),
  // One of a multishot receive has no buffers of its own.
  msghdr: (bytes, { at }) => u64(bytes, MSGHDR.msg_iovlen) === 0n || at(u64(bytes, MSGHDR.msg_iov)).length >= 16,
  name: isText,
  open_how: (bytes, { len }) => bytes.length >= OPEN_HOW_SIZE && len === OPEN_HOW_SIZE,
  option: (bytes) => bytes.length > 0,
  path: isText,
  range: (bytes, { len }) => bytes.length >= len,
  siginfo: (bytes) => bytes.length >= 128,
  sockaddr: (bytes) => bytes.length >= 16 && [0, AF_INET].includes(u32(bytes, 0) & 0xffff),
  socklen: (bytes) => bytes.length >= 4,
  statx: (bytes) => bytes.length >= 256,
  timespec: (bytes) => u64(bytes, 8) < 1_000_000_000n,
  value: (bytes) => bytes.length > 0,
};

const offsetOf = ({ field }: Lend): number => IO_URING_SQE[field];
const isKept = ({ until, through }: Lend): boolean =>
  until !== 'submit' || (through !== undefined && through.until !== 'submit');

const isMemory = (held: unknown): boolean => ArrayBuffer.isView(held) || held instanceof ArrayBuffer;

/** The entries of an operation. Each operation has some. */
function entriesOf({ code, name }: Operation): Prepared[] {
  const entries = all.filter(({ opcode }) => opcode === code);
  assert.ok(entries.length > 0, `no call prepares ${name}`);
  return entries;
}

describe('a row of the table of operations', () => {
  it('names each field of an entry that is an address, and no other', () => {
    for (const row of OPERATIONS) {
      const lent = new Set(row.lends.map(offsetOf));
      const seen = new Set<number>();
      for (const { what, memory } of entriesOf(row)) {
        for (const offset of memory.keys()) {
          seen.add(offset);
          assert.ok(lent.has(offset), `${row.name}, ${what}: byte ${offset} is an address`);
        }
      }
      assert.deepEqual([...seen].sort(), [...lent].sort(), row.name);
    }
  });

  it('names what lies at the address', () => {
    for (const row of OPERATIONS) {
      for (const entry of entriesOf(row)) {
        for (const [offset, bytes] of entry.memory) {
          const names = row.lends.filter((lend) => offsetOf(lend) === offset).map(({ what }) => what);
          const isOne = names.some((name) => SIGNS[name](bytes, entry));
          assert.ok(isOne, `${row.name}, ${entry.what}: no ${names.join(' or ')}`);
        }
      }
    }
  });

  it('says whether memory is kept until the completion', () => {
    for (const row of OPERATIONS) {
      for (const { what, memory, held } of entriesOf(row)) {
        const isKeptByRow = row.lends.some((lend) => memory.has(offsetOf(lend)) && isKept(lend));
        if (isKeptByRow) assert.ok(held.length > 0, `${row.name}, ${what}: nothing is held`);
        if (row.lends.length === 0) assert.ok(!held.some(isMemory), `${row.name}, ${what}: memory is held`);
      }
    }
  });
});
