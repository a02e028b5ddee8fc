// slow: a worker for each case, and most are terminated
// Workers with a reactor each, under load, terminated at any moment: the process stays well, and nothing of theirs is
// left.
import assert from 'node:assert/strict';
import { openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { Reactor } from '../../src/index.ts';
import { it } from '../asking.ts';
import { Descriptors } from '../kernel/libc.ts';
import { Temporary } from '../kernel/temporary.ts';
import { randomOf, SEED } from './random.ts';

/** Bun takes ten times as long for each. */
const WORKERS = 'bun' in process.versions ? 100 : 500;
const AT_A_TIME = 4;

const PROGRAM = new URL('./worker-load.js', import.meta.url);

/** Resident memory in MiB, from the kernel: Node's own count is of a moment ago. */
const resident = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1024;

it(`${WORKERS} workers started and terminated under load, IOURING_SEED=${SEED}`, async () => {
  const random = randomOf(SEED);
  using temporary = new Temporary();
  using files = new Descriptors();
  await using io = new Reactor();
  const file = files.own(openSync(temporary.file('data', Buffer.alloc(65536, 'data')), 'r+'));
  const [ours, theirs] = files.socketPair();
  // What they may write to, and what must stay as it is.
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const first = descriptors();
  let ended = 0;
  let before = 0;

  async function one(): Promise<void> {
    const worker = new Worker(PROGRAM, { workerData: { file, socket: theirs } });
    const error = new Promise<never>((_, reject) => void worker.once('error', reject));
    const ready = new Promise<void>((resolve) => void worker.once('message', () => resolve()));
    await Promise.race([ready, error]);
    // At any moment: some at once, some after work.
    const turns = random(20);
    for (let i = 0; i < turns; i++) await io.nop();
    error.catch(() => {});
    await worker.terminate();
    ended++;
    if (ended === WORKERS / 5) before = resident();
  }

  let begun = 0;
  await Promise.all(
    Array.from({ length: AT_A_TIME }, async () => {
      while (begun++ < WORKERS) await one();
    }),
  );
  assert.equal(ended, WORKERS);
  // A thread that was ended closes its own a little later.
  for (let i = 0; i < 500 && descriptors() > first; i++) await io.sleep(10);
  assert.equal(descriptors(), first, 'descriptors');
  assert.ok(resident() - before < 150, `resident memory grew by ${Math.round(resident() - before)} MiB`);

  // They waited for this: it is nobody's but ours now.
  writeSync(ours, 'for nobody');
  const left = Buffer.alloc(10);
  assert.equal(readSync(theirs, left), 10);
  assert.equal(left.toString(), 'for nobody');
  assert.equal(await io.nop(), 0);
});

it('given a worker that ends by itself, and one that exits, nothing is left', async () => {
  const count = (): number => readdirSync('/proc/self/fd').length;
  using files = new Descriptors();
  const [, theirs] = files.socketPair();
  const end = async (how: string): Promise<void> => {
    const worker = new Worker(PROGRAM, { workerData: { file: theirs, socket: theirs, how } });
    await new Promise((resolve, reject) => void worker.once('exit', resolve).once('error', reject));
  };
  await end('return');
  const before = count();
  for (let i = 0; i < 10; i++) {
    await end('return');
    await end('exit');
  }
  assert.equal(count(), before);
});
