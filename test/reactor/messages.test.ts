// Messages from ring to ring: within a thread, between threads, and what becomes of them when either end goes away.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { IoUring, Reactor, registerSyncMsg, type RingMessage } from '../../src/index.ts';
import { it, without } from '../asking.ts';
import { moduleText, run } from '../run.ts';

const PROGRAM = new URL('./message-answerer.js', import.meta.url);

const withoutMessages = without('5.18', 'IORING_OP_MSG_RING');

async function take(messages: AsyncIterator<RingMessage, undefined>, count: number): Promise<RingMessage[]> {
  const taken: RingMessage[] = [];
  while (taken.length < count) taken.push((await messages.next()).value!);
  return taken;
}

it('values and tags from end to end, in order, to others and to itself', { skip: withoutMessages }, async () => {
  await using from = new Reactor();
  await using to = new Reactor();
  const sent: RingMessage[] = [
    { value: 0, tag: 0 },
    { value: 1, tag: 2 ** 32 - 1 },
    { value: -1, tag: 0xff_ffff },
    { value: 2 ** 31 - 1, tag: 0x100_0000 },
    { value: -(2 ** 31), tag: 0x200_0000 },
    // What would be an error code, and what would be a slot.
    { value: -2, tag: 1 },
    ...Array.from({ length: 5000 }, (_, i) => ({ value: i, tag: i })),
  ];
  for (const target of [to, from]) {
    const messages = target.messages();
    await Promise.all(sent.map(({ value, tag }) => from.message(target.ringFd, value, tag)));
    assert.deepEqual(await take(messages, sent.length), sent);
    await messages.return!();
  }
  assert.equal(from.stats.inFlight + to.stats.inFlight, 0);
  assert.equal(to.stats.submitted, to.stats.completed);
});

it('one iteration at a time; what comes before, between and after is dropped', { skip: withoutMessages }, async () => {
  await using io = new Reactor();
  const unheard = async (value: number): Promise<void> => {
    await io.message(io.ringFd, value);
    // It may come behind the answer that it was sent.
    await io.nop();
  };
  await unheard(1);
  const first = io.messages();
  assert.throws(() => io.messages(), { code: 'ERR_INVALID_STATE' });
  await io.message(io.ringFd, 2);
  assert.equal((await first.next()).value!.value, 2);
  await unheard(3);
  await first.return!();
  assert.deepEqual(await first.next(), { value: undefined, done: true });
  await unheard(4);
  const second = io.messages();
  await io.message(io.ringFd, 5);
  assert.equal((await second.next()).value!.value, 5);
  await second.return!();
});

it('is ended by its signal, and by the reactor, closed or drained', { skip: withoutMessages }, async () => {
  const io = new Reactor();
  const controller = new AbortController();
  const aborted = io.messages({ signal: controller.signal });
  const next = aborted.next();
  await io.message(io.ringFd, 1);
  assert.equal((await next).value!.value, 1);
  const waiting = aborted.next();
  controller.abort();
  await assert.rejects(waiting, { name: 'AbortError' });
  assert.deepEqual(await aborted.next(), { value: undefined, done: true });
  await assert.rejects(io.messages({ signal: controller.signal }).next(), { name: 'AbortError' });

  const left = io.messages().next();
  const rejected = assert.rejects(left, { code: 'ERR_IOURING_CLOSED' });
  await io.close();
  await rejected;
  await assert.rejects(io.messages().next(), { code: 'ERR_IOURING_CLOSED' });

  const drained = new Reactor();
  const until = assert.rejects(drained.messages().next(), { code: 'ERR_IOURING_CLOSED' });
  await drained.close({ drain: true });
  await until;
});

it('given wrong arguments or targets that are none, rejects', { skip: withoutMessages }, async () => {
  await using io = new Reactor();
  await using other = new Reactor();
  for (const value of [0.5, 2 ** 31, NaN]) {
    await assert.rejects(io.message(other.ringFd, value), { code: 'ERR_OUT_OF_RANGE' });
    await assert.rejects(io.message(other.ringFd, 0, value === 2 ** 31 ? -1 : value), { code: 'ERR_OUT_OF_RANGE' });
  }
  await assert.rejects(io.message('1' as never, 0), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.throws(() => io.messages({ signal: {} as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  const file = openSync('/dev/null', 'r');
  await assert.rejects(io.message(file, 0), { code: 'EBADFD', syscall: 'message' });
  closeSync(file);
  await assert.rejects(io.message(file, 0), { code: 'EBADF' });
  const { ringFd } = other;
  await other.close();
  await assert.rejects(io.message(ringFd, 0), { code: 'EBADF' });
  await assert.rejects(other.message(io.ringFd, 0), { code: 'ERR_IOURING_CLOSED' });
});

it(
  'given an iteration that is too far behind, refuses more, and loses nothing that it took',
  { skip: withoutMessages },
  async () => {
    using ring = new IoUring(1024);
    await using io = new Reactor({ entries: 8, cqEntries: 16 });
    await io.nop();
    const messages = io.messages();
    // Its thread does nothing else meanwhile, so it cannot read: 2^48 is where tags begin.
    const results: number[] = [];
    for (let i = 0; i < 1000; i++) ring.prepMsgRing(io.ringFd, i, 2 ** 48 + i, i);
    ring.submitAndWait(1000);
    ring.forEachCompletion((c) => void (results[c.userData] = c.res));
    const taken = results.flatMap((res, i) => (res === 0 ? [i] : []));
    assert.ok(taken.length >= 16);
    const arrived = await take(messages, taken.length);
    assert.deepEqual(arrived.map(({ value }) => value), taken);
    await io.message(io.ringFd, 1, 2);
    assert.deepEqual((await messages.next()).value, { value: 1, tag: 2 });
    await messages.return!();
  },
);

// It waits for something else at first, which would have no end.
const skip = without('6.13', 'IORING_REGISTER_SEND_MSG_RING');
it('given completions that nobody asked for, nothing changes', { skip }, async () => {
  await using io = new Reactor();
  const reading = io.sleep(20);
  // Of slots that there are not, of one that is in use for something else's end, and of messages without a reader.
  const strangers = [0, 1234, 0x4_0000 + 777, 0x8_0000 + 777, 0x100_0000, 2 ** 40, 2 ** 48, 2n ** 60n, 2n ** 64n - 1n];
  for (const data of strangers) registerSyncMsg(io.ringFd, 0, data);
  await reading;
  assert.equal(io.stats.strangers, strangers.length);
  assert.equal(await io.nop(), 0);
  assert.equal(io.stats.inFlight, 0);
});

it(
  'between threads: sleeping loops are woken; a thread that ends leaves nothing',
  { skip: withoutMessages },
  async () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    await using io = new Reactor();
    await io.nop();
    const start = async (): Promise<{ worker: Worker; ringFd: number }> => {
      const worker = new Worker(PROGRAM, { workerData: { ringFd: io.ringFd } });
      const [ringFd] = (await once(worker, 'message')) as [number];
      return { worker, ringFd };
    };
    const stop = async ({ worker, ringFd }: { worker: Worker; ringFd: number }): Promise<void> => {
      const exit = once(worker, 'exit');
      await io.message(ringFd, 0, 1);
      assert.deepEqual(await exit, [0]);
      await assert.rejects(
        io.message(ringFd, 1),
        (error: NodeJS.ErrnoException) => /^(EBADF|EBADFD|EOWNERDEAD)$/.test(error.code!),
      );
    };
    // Its first one opens what a process keeps.
    await stop(await start());
    const before = descriptors();
    const workers = await Promise.all([start(), start(), start()]);
    const messages = io.messages();
    for (let round = 0; round < 200; round++) {
      // One at a time, so that whoever is asked sleeps.
      const { ringFd } = workers[round % 3];
      await io.message(ringFd, round);
      assert.deepEqual((await messages.next()).value, { value: 0 - round, tag: ringFd });
    }
    const all = Array.from({ length: 3000 }, (_, i) => io.message(workers[i % 3].ringFd, i + 1));
    const [answers] = await Promise.all([take(messages, 3000), ...all]);
    for (const [i, { ringFd }] of workers.entries()) {
      const mine = answers.filter(({ tag }) => tag === ringFd).map(({ value }) => -value);
      assert.deepEqual(mine, Array.from({ length: 1000 }, (_, k) => k * 3 + i + 1));
    }
    await messages.return!();
    for (const worker of workers) await stop(worker);
    const killed = await start();
    await killed.worker.terminate();
    while (descriptors() > before) await io.sleep(1);
    assert.equal(await io.nop(), 0);
  },
);

it('given an iteration, the process stays alive, unless that is unreferenced', { skip: withoutMessages }, async () => {
  const program = (what: string): string[] =>
    moduleText(`import { Reactor } from 'iouring';
     const io = new Reactor();
     const messages = io.messages();
     ${what}`);
  const held = `setTimeout(() => io.message(io.ringFd, 7), 20).unref();
    for await (const { value } of messages) { console.log(value); break; }`;
  // Nobody but the iteration waits for the timer: it is over before it comes, if the process goes on.
  const keeping = await run(process.execPath, program(held));
  assert.deepEqual(keeping, { status: 0, stdout: '7\n', stderr: '' });
  const ending = await run(process.execPath, program(`io.unref(); void messages.next();`));
  assert.deepEqual(ending, { status: 0, stdout: '', stderr: '' });
});
