// Our side, run on a kernel that only looks on.
import assert from 'node:assert/strict';
import type { UserData } from '../../src/ring/arguments/user-data.ts';
import { IoUring } from '../../src/ring/io-uring.ts';
import { MemoryKernel } from './memory-kernel.ts';
import { encode, number, Memory, type HelperCall, type Row } from './row.ts';
import { Random } from './random.ts';
import type { Call } from './driver.ts';

/** The arguments of one comparison. */
export interface Trial {
  readonly userData: UserData;
  readonly args: never;
}

/** What both sides make of a trial. */
export interface Outcome {
  /** Our 64 bytes, as hexadecimal digits, addresses replaced by their symbols. */
  readonly ours: string;
  /** What to ask liburing; undefined where it has no helper at all. */
  readonly calls: readonly Call[] | undefined;
  /** What the kernel wants, if that is written down. */
  readonly fields: string | undefined;
}

/** `count` trials of a row, always the same for a seed. */
export function trials(row: Row, seed: number, count: number): Trial[] {
  // Of its own for each row: a change of one leaves the others as they are.
  const salt = Buffer.from(row.name).reduce((hash, byte) => Math.imul(hash, 31) + byte, 0);
  const random = new Random(seed ^ salt);
  return Array.from({ length: count }, () => ({ userData: random.u64(), args: row.draw(random) }));
}

/** The helpers that a row is compared with. */
export function helpersOf(row: Row): string[] {
  const calls = trials(row, 1, 1).flatMap(({ args }) => row.theirs?.(args, new Memory(new MemoryKernel())) ?? []);
  return calls.map(([helper]) => helper);
}

const inNumbers = ([helper, ...args]: HelperCall): Call => [helper, ...args.map(number)];

/** Runs trials of one row, all in the same place of the queue. */
export class Ours {
  readonly #row: Row;
  readonly #kernel = new MemoryKernel();
  readonly #ring: IoUring;
  readonly #soil = new Random(1);
  readonly #groups = new Set<number>();
  #runs = 0;

  constructor(row: Row) {
    this.#row = row;
    this.#kernel.registerAnswer = () => 0;
    this.#ring = new IoUring(1, row.big ? { sqe128: true } : {}, this.#kernel);
  }

  run({ userData, args }: Trial): Outcome {
    const row = this.#row;
    const memory = new Memory(this.#kernel);
    this.#register(row.group?.(args));
    // Every other one is a repetition: memory that was lent before is found another way.
    if (this.#runs++ % 2 === 1) {
      row.ours(this.#ring, args, userData, memory);
      this.#ring.submit();
      this.#reap();
    }
    this.#leaveSomething();
    const seen = this.#kernel.entriesSeen;
    const before = seen.length;
    assert.equal(row.ours(this.#ring, args, userData, memory), true, 'it is queued');
    this.#ring.submit();
    assert.equal(seen.length, before + 1, 'it is one entry');
    const calls = row.theirs?.(args, memory);
    const fields = row.fields?.(args, memory);
    const bytes = Buffer.from(this.#kernel.lastEntry);
    const written = Buffer.from(bytes);
    for (const { field, offset, what, isRight, symbol } of memory.pointers) {
      const address = written.readBigUInt64LE(offset);
      const found = `0x${address.toString(16)}`;
      assert.ok(isRight(Number(address)), `${field} is not the address of ${what} but ${found}`);
      bytes.writeBigUInt64LE(symbol, offset);
    }
    // Operations that hold something have a key there: what counts is that the caller gets back what he gave.
    const sent = written.readBigUInt64LE(32);
    const back = this.#reap();
    assert.equal(back, BigInt(userData), `the completion has the userData (the entry: 0x${sent.toString(16)})`);
    bytes.writeBigUInt64LE(back, 32);
    const all = bytes.toString('hex');
    if (row.big) assert.equal(all.slice(128), row.rest?.(args) ?? '00'.repeat(64), 'the second half');
    return {
      ours: all.slice(0, 128),
      calls: calls && [...calls, ['io_uring_sqe_set_data64', userData] as const].map(inNumbers),
      fields: fields && encode({ ...fields, user_data: userData }),
    };
  }

  #register(bgid: number | undefined): void {
    if (bgid === undefined || this.#groups.has(bgid)) return;
    this.#ring.registerBufRing(1, 8, bgid);
    this.#groups.add(bgid);
  }

  /** Fill the place that the next entry gets with an operation that uses every field of it. */
  #leaveSomething(): void {
    const random = this.#soil;
    const some = (): number => 1 + random.below(0xffff);
    const [off, addr] = [random.u64(), random.u64()];
    const wide = { off, addr, addr3: some(), pad2: some() };
    const narrow = { ioprio: some(), fd: some(), len: some(), opFlags: some(), fileIndex: some() };
    this.#ring.prepSqe({ opcode: 1, flags: 0x13, bufIndex: some(), personality: some(), ...wide, ...narrow }, 0);
    this.#ring.submit();
    this.#reap();
  }

  /** The userData of the one completion. */
  #reap(): bigint | undefined {
    const found: bigint[] = [];
    this.#ring.forEachCompletion((c) => void found.push(c.userData64));
    return found.length === 1 ? found[0] : undefined;
  }
}
