// A hundred thousand operations aborted at random moments. Every promise settles; once it has, the kernel writes
// nothing into its buffer any more.
// slow: thousands of aborts
import assert from 'node:assert/strict';
import { openSync, readdirSync, writeSync } from 'node:fs';
import { POLLIN } from '../../src/abi/index.ts';
import { Reactor } from '../../src/index.ts';
import { it } from '../asking.ts';
import { Descriptors } from '../kernel/libc.ts';
import { Temporary } from '../kernel/temporary.ts';
import { randomOf, SEED } from './random.ts';

const OPERATIONS = 100_000;
const AT_A_TIME = 200;
const BYTES = 64;
const GUARD = 0xa5;

it(`an abort storm, IOURING_SEED=${SEED}`, async () => {
  const random = randomOf(SEED);
  using temporary = new Temporary();
  using files = new Descriptors();
  const descriptors = readdirSync('/proc/self/fd').length;
  const io = new Reactor({ entries: 64, cqEntries: 1024 });
  const file = files.own(openSync(temporary.file('data', Buffer.alloc(4096, 'file data ')), 'r+'));
  const pipes = Array.from({ length: 4 }, () => files.pipe());
  const pairs = Array.from({ length: 4 }, () => files.socketPair());
  const { fd: listener } = files.listener();
  const one = <T>(list: readonly T[]): T => list[random(list.length)];

  /** Something that completes by itself, or with the help of others, or never. */
  const operations: ((buffer: Uint8Array, options: { signal: AbortSignal }) => Promise<unknown>)[] = [
    (buffer, options) => io.read(file, buffer, { offset: random(4000), ...options }),
    (buffer, options) => io.write(file, buffer, { offset: random(4000), ...options }),
    (buffer, options) => io.readv(file, [buffer.subarray(0, 32), buffer.subarray(32)], { offset: 0, ...options }),
    (buffer, options) => io.read(one(pipes)[0], buffer, options),
    (buffer, options) => io.recv(one(pairs)[0], buffer, options),
    (buffer, options) => io.recv(one(pairs)[0], buffer, { timeoutMs: random(3), ...options }),
    (buffer, options) => io.send(one(pairs)[1], buffer, { length: 1 + random(8), ...options }),
    (_, options) => io.sleep(random(3), options),
    (_, options) => io.sleep(1e6, options),
    (_, options) => io.poll(one(pipes)[0], POLLIN, options),
    (_, options) => io.accept(listener, options),
    (_, options) => io.nop(options),
    (_, options) => io.statx(file, '', 0x1000, undefined, options),
    (buffer, { signal }) =>
      io.chain([['poll', one(pipes)[0], POLLIN], ['read', file, buffer, { offset: 0 }]], { signal }),
  ];

  /** Moments: in the same tick, in a microtask, in a tick, in a turn of the loop, or later; none twice in a row. */
  const moments: ((abort: () => void) => void)[] = [
    (abort) => abort(),
    (abort) => queueMicrotask(abort),
    (abort) => process.nextTick(abort),
    (abort) => setImmediate(abort),
    (abort) => setTimeout(abort, random(4)),
  ];

  const outcomes = new Map<string, number>();
  const guarded: Uint8Array[] = [];
  const note = (outcome: string): void => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);

  async function abortOne(): Promise<void> {
    const controller = new AbortController();
    const buffer = new Uint8Array(BYTES);
    if (random(20) === 0) controller.abort();
    const operation = one(operations)(buffer, { signal: controller.signal });
    const moment = one(moments);
    moment(() => controller.abort());
    try {
      await operation;
      note('done');
    } catch (error) {
      const { name, code } = error as NodeJS.ErrnoException;
      note(name === 'LinkError' ? `link: ${code}` : name === 'Error' ? String(code) : name);
    }
    // It is ours again. Whoever writes into it from now on is a bug.
    buffer.fill(GUARD);
    guarded.push(buffer);
  }

  let begun = 0;
  await Promise.all(
    Array.from({ length: AT_A_TIME }, async () => {
      while (begun++ < OPERATIONS) {
        if (begun % 50 === 0) writeSync(one(pipes)[1], 'x');
        await abortOne();
      }
    }),
  );

  // Everything that could still come: let the kernel have data for it.
  for (const [, writer] of pipes) writeSync(writer, 'late late late');
  for (const [, writer] of pairs) writeSync(writer, 'late late late');
  await io.sleep(20);
  const { inFlight, queued, submitted, completed, overflows } = io.stats;
  assert.deepEqual({ inFlight, queued, overflows }, { inFlight: 0, queued: 0, overflows: 0 });
  assert.equal(submitted, completed);
  assert.equal(guarded.length, OPERATIONS);
  const late = guarded.filter((buffer) => buffer.some((byte) => byte !== GUARD));
  assert.equal(late.length, 0, `${late.length} buffers were written to later`);
  assert.ok(outcomes.get('AbortError')! > OPERATIONS / 4, JSON.stringify([...outcomes]));
  assert.ok(outcomes.get('done')! > OPERATIONS / 20, JSON.stringify([...outcomes]));
  const known = new Set(['done', 'AbortError', 'TimeoutError', 'EAGAIN']);
  assert.deepEqual([...outcomes.keys()].filter((outcome) => !known.has(outcome)), []);
  await io.close();
  files[Symbol.dispose]();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(readdirSync('/proc/self/fd').length, descriptors, 'descriptors');
});
