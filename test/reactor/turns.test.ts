// The reactor on the event loop: what is submitted when, what runs in which order, what keeps the process alive, and
// how more than the ring holds gets through.
// slow: measures the loop for seconds
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { closeSync, openSync, writeSync } from 'node:fs';
import { describe } from 'node:test';
import { Reactor, type OperationMessage, type SubmitMessage } from '../../src/index.ts';
import { it } from '../asking.ts';
import { Descriptors } from '../kernel/libc.ts';
import { moduleText, run } from '../run.ts';

const script = (body: string): string[] => {
  const index = new URL('../../src/index.js', import.meta.url).href;
  return moduleText(`import { Reactor } from '${index}'; ${body}`);
};

describe('one tick', () => {
  it('is one system call, however much is asked for, and from wherever', async () => {
    // From Node 22 on the first ticks of a process come after its first immediates.
    await new Promise((resolve) => setImmediate(resolve));
    await using io = new Reactor();
    const asked = Array.from({ length: 50 }, () => io.nop());
    await Promise.resolve();
    asked.push(io.nop());
    queueMicrotask(() => asked.push(io.nop()));
    await Promise.all(asked);
    await asked.at(-1);
    const { submitted, completed, enters, inlineCompletions, wakeUps } = io.stats;
    assert.deepEqual(
      { submitted, completed, enters, inlineCompletions, wakeUps },
      { submitted: 52, completed: 52, enters: 1, inlineCompletions: 52, wakeUps: 0 },
    );
  });

  it('settles in the order of completion, behind microtasks and ticks, before immediates', async () => {
    await using io = new Reactor();
    const order: string[] = [];
    const later = new Promise<void>((resolve) => {
      setImmediate(() => {
        order.push('immediate');
        resolve();
      });
    });
    const all = [1, 2, 3].map((i) => io.nop().then(() => order.push(`operation ${i}`)));
    process.nextTick(() => order.push('tick'));
    queueMicrotask(() => order.push('microtask'));
    await Promise.all(all);
    await later;
    assert.deepEqual(order.slice(0, 2).sort(), ['microtask', 'tick']);
    assert.deepEqual(order.slice(2), ['operation 1', 'operation 2', 'operation 3', 'immediate']);
  });

  it('work between operations that complete at once keeps immediates waiting for a few of them only', async () => {
    await using io = new Reactor({ wait: 'ring' });
    let done = 0;
    let doneBefore: number | undefined;
    await io.nop();
    setImmediate(() => (doneBefore = done));
    for (; done < 100; done++) {
      await io.nop();
      for (const start = performance.now(); performance.now() - start < 1;);
    }
    assert.ok(doneBefore !== undefined && doneBefore < 20, `${doneBefore} operations before it`);
  });

  it('a busy ring starves neither timers nor ticks nor immediates', async () => {
    await using io = new Reactor();
    let isOver = false;
    let ticks = 0;
    const busy = Array.from({ length: 64 }, async () => {
      while (!isOver) await io.nop();
    });
    // Each waits for its turn, ten times over. With a starved loop this never ends.
    for (let i = 0; i < 10; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise<void>((resolve) => {
        process.nextTick(() => {
          ticks++;
          resolve();
        });
      });
    }
    isOver = true;
    await Promise.all(busy);
    assert.equal(ticks, 10);
    assert.ok(io.stats.completed > 1000);
  });

  it('AsyncLocalStorage follows an operation', async () => {
    await using io = new Reactor();
    const storage = new AsyncLocalStorage<number>();
    const seen = await Promise.all(
      [1, 2, 3].map((i) =>
        storage.run(i, async () => {
          const stores = [];
          await io.nop();
          stores.push(storage.getStore());
          await io.sleep(1);
          stores.push(storage.getStore());
          await io.nop().then(() => stores.push(storage.getStore()));
          return stores;
        })
      ),
    );
    assert.deepEqual(seen, [[1, 1, 1], [2, 2, 2], [3, 3, 3]]);
  });
});

describe('the process', () => {
  const ends = async (body: string): Promise<string> => {
    const { status, stdout, stderr } = await run(process.execPath, script(body));
    assert.equal(status, 0, stderr);
    return stdout;
  };

  it('ends though a reactor is open, when nothing is in flight', async () => {
    assert.equal(
      await ends(`const io = new Reactor(); await io.nop(); await io.sleep(1); console.log('done');`),
      'done\n',
    );
  });

  it('lives as long as something is in flight', async () => {
    assert.equal(await ends(`const io = new Reactor(); io.sleep(30).then(() => console.log('slept'));`), 'slept\n');
  });

  it('ends all the same after unref(), and lives again after ref()', async () => {
    assert.equal(await ends(`const io = new Reactor().unref(); io.sleep(1e6).then(() => console.log('slept'));`), '');
    assert.equal(
      await ends(`const io = new Reactor(); io.sleep(1e6); setImmediate(() => setImmediate(() => io.unref()));`),
      '',
    );
    const body = `const io = new Reactor().unref(); io.sleep(30).then(() => console.log('slept')); io.ref();`;
    assert.equal(await ends(body), 'slept\n');
  });

  it('ends with operations in flight when it is told to', async () => {
    const body = `const io = new Reactor(); io.sleep(1e6); await io.nop(); console.log('on'); process.exit(0);`;
    assert.equal(await ends(body), 'on\n');
  });

  it('an idle reactor uses no CPU', async () => {
    await using io = new Reactor();
    await io.nop();
    const { enters, wakeUps } = io.stats;
    const sleeping = io.sleep(50);
    await sleeping;
    const after = io.stats;
    // One call to submit, one wake-up: nothing is looked for in between.
    assert.deepEqual([after.enters - enters, after.wakeUps - wakeUps], [1, 1]);
  });
});

describe('more than the ring holds', () => {
  it('waits in a queue, and gets through in order', async () => {
    await using io = new Reactor({ entries: 4, cqEntries: 8 });
    const order: number[] = [];
    const all = Array.from({ length: 1000 }, (_, i) => io.nop().then(() => order.push(i)));
    assert.ok(io.stats.queued > 900);
    await Promise.all(all);
    assert.deepEqual(order, [...order.keys()]);
    const { queued, inFlight, overflows, submitted, completed } = io.stats;
    assert.deepEqual([queued, inFlight, overflows, submitted, completed], [0, 0, 0, 1000, 1000]);
  });

  it('whole chains too', async () => {
    await using io = new Reactor({ entries: 4, cqEntries: 8 });
    const results = await Promise.all(Array.from({ length: 100 }, () => io.chain([['nop'], ['nop'], ['nop']])));
    assert.equal(results.length, 100);
    assert.deepEqual(results[99], [0, 0, 0]);
  });

  it('reads that wait for ever do not keep others out', async () => {
    using files = new Descriptors();
    await using io = new Reactor({ entries: 4, cqEntries: 8 });
    const pipes = Array.from({ length: 50 }, () => files.pipe());
    const waiting = pipes.map(([reader]) => io.read(reader, new Uint8Array(1)));
    const fd = files.own(openSync('/proc/self/exe', 'r'));
    assert.equal(await io.read(fd, new Uint8Array(100), { offset: 0 }), 100);
    for (const [, writer] of pipes) writeSync(writer, 'x');
    assert.deepEqual(new Set(await Promise.all(waiting)), new Set([1]));
  });

  it('sleeps, polls and receives are no load', async () => {
    using files = new Descriptors();
    await using io = new Reactor({ entries: 4, cqEntries: 8 });
    const [reader, writer] = files.pipe();
    const polls = Array.from({ length: 100 }, () => io.poll(reader, 1));
    await io.nop();
    assert.equal(io.stats.queued, 0);
    assert.equal(io.stats.inFlight, 100);
    writeSync(writer, 'x');
    assert.deepEqual(new Set(await Promise.all(polls)), new Set([1]));
  });
});

describe('what can be seen', () => {
  it('channels tell of operations and submissions, to those who listen', async () => {
    await using io = new Reactor();
    const operations: OperationMessage[] = [];
    const submissions: SubmitMessage[] = [];
    const onOperation = (message: unknown): void => void operations.push(message as OperationMessage);
    const onSubmit = (message: unknown): void => void submissions.push(message as SubmitMessage);
    await io.nop();
    subscribe('iouring:operation', onOperation);
    subscribe('iouring:submit', onSubmit);
    const fd = openSync('/proc/self/exe', 'r');
    await Promise.all([io.read(fd, new Uint8Array(10), { offset: 0 }), io.read(-1, new Uint8Array(1)).catch(() => {})]);
    unsubscribe('iouring:operation', onOperation);
    unsubscribe('iouring:submit', onSubmit);
    await io.nop();
    closeSync(fd);
    assert.deepEqual(
      operations.map(({ name, fd: of, res }) => ({ name, fd: of, res })),
      [
        { name: 'read', fd, res: 10 },
        { name: 'read', fd: -1, res: -9 },
      ],
    );
    assert.ok(operations.every(({ durationMs }) => durationMs > 0 && durationMs < 1000));
    assert.deepEqual(submissions, [{ entries: 2, inFlight: 2 }]);
  });

  it('a subscriber that throws, or that asks for more, does no harm', async () => {
    const body = `
      import { subscribe } from 'node:diagnostics_channel';
      process.on('uncaughtException', (error) => console.log(String(error)));
      const io = new Reactor();
      let more;
      subscribe('iouring:operation', () => {
        if (more !== undefined) return;
        more = io.nop();
        throw new Error('of a subscriber');
      });
      console.log(await io.nop(), await more);`;
    const { status, stdout, stderr } = await run(process.execPath, script(body));
    assert.equal(status, 0, stderr);
    assert.deepEqual(stdout.trim().split('\n').sort(), ['0 0', 'Error: of a subscriber']);
  });

  it('histograms of latencies, by name, on request', async () => {
    await using plain = new Reactor();
    assert.equal(plain.histograms, undefined);
    await using io = new Reactor({ histograms: true });
    await Promise.all(Array.from({ length: 10 }, () => io.nop()));
    await io.sleep(5);
    assert.deepEqual([...io.histograms!.keys()], ['nop', 'sleep']);
    assert.equal(io.histograms!.get('nop')!.count, 10);
    assert.ok(io.histograms!.get('sleep')!.min >= 4e6);
  });
});
