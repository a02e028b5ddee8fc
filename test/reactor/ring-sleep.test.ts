// The thread sleeps in its ring, and everything of Node's comes as it would: timers, immediates, what closes, signals,
// children, workers, the inspector, and what other threads do.
// slow: waits for timers
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { closeSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect, createServer, Socket, type AddressInfo } from 'node:net';
import { after, before, describe } from 'node:test';
import { Worker } from 'node:worker_threads';
import { WebSocket } from 'ws';
import { Reactor } from '../../src/index.ts';
import { koffiNative } from '../../src/native/koffi.ts';
import { it } from '../asking.ts';
import { moduleText, run } from '../run.ts';
import { passes, Waits } from './waits.ts';

const INDEX = new URL('../../src/index.js', import.meta.url).href;
const WAITS = new URL('./waits.js', import.meta.url).href;

/** Milliseconds from one completion to the next: short of what makes the reactor give up. */
const TICK_MS = 10;
const LONG_TICK_MS = 60;

const immediate = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const timeout = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

/** The text of a program with a reactor that sleeps in its ring. */
const sleeping = (body: string): string[] =>
  moduleText(
    `import { Reactor } from '${INDEX}'; import { Waits } from '${WAITS}'; const io = new Reactor(); const waits = new Waits(io); ${body}`,
  );

async function ends(body: string): Promise<string> {
  const { status, stdout, stderr } = await run(process.execPath, sleeping(body));
  assert.equal(status, 0, stderr);
  return stdout;
}

describe('a reactor', () => {
  it('sleeps in the ring while completions keep coming, and for long ones in one call each', async () => {
    await using io = new Reactor();
    const waits = new Waits(io);
    await waits.tick(LONG_TICK_MS);
    const isLong = (): boolean => waits.calls.some(({ tookMs }) => tookMs > LONG_TICK_MS / 2);
    for (let i = 0; i < 1000 && !isLong(); i++) await io.sleep(LONG_TICK_MS);
    await waits.stop();
    assert.ok(isLong());
  });

  it('does so for one operation after the other, with nothing else in flight', async () => {
    await using io = new Reactor();
    const waits = new Waits(io);
    for (let i = 0; i < 5000 && waits.count < 20; i++) await io.sleep(2);
    assert.ok(waits.count >= 20, `it slept ${waits.count} times in the ring`);
  });

  it('given more completions at once than their queue holds, wakes, and none is lost or late', async () => {
    await using io = new Reactor({ entries: 4, cqEntries: 8 });
    const waits = new Waits(io);
    await waits.tick(TICK_MS);
    // In how many milliseconds all were there, each time that they came while it slept without a limit.
    const took: number[] = [];
    // What nobody is woken for comes when one of the ticks ends the wait: eight in ten milliseconds. On a loaded machine
    // this thread may be late itself, but not every time.
    const isInTime = (): boolean => took.some((ms) => ms < LONG_TICK_MS + 100);
    for (let i = 0; i < 200 && !isInTime(); i++) {
      const first = waits.count;
      const { overflows } = io.stats;
      const start = performance.now();
      const end = process.hrtime.bigint() + BigInt(LONG_TICK_MS) * 1_000_000n;
      await Promise.all(Array.from({ length: 200 }, () => io.sleep(end, { absolute: true })));
      const ms = performance.now() - start;
      const long = waits.calls.slice(first).filter(({ limitMs }) => limitMs === Infinity);
      if (!long.some(({ hasOverflown }) => hasOverflown)) continue;
      took.push(ms);
      assert.ok(io.stats.overflows > overflows, 'stats.overflows counts it');
    }
    await waits.stop();
    assert.ok(isInTime(), `they took ${took.join(', ')} ms`);
  });

  it('given no more completions, is woken by a timer of the ring, and timers of Node come as they would', async () => {
    await using io = new Reactor();
    const waits = new Waits(io);
    await waits.tick(TICK_MS);
    await waits.stop();
    const { count, timedOut } = waits;
    const order: string[] = [];
    const operation = io.sleep(1500).then(() => order.push('operation'));
    await Promise.all([operation, ...[150, 300].map((ms) => timeout(ms).then(() => order.push(`timer ${ms}`)))]);
    assert.deepEqual(order, ['timer 150', 'timer 300', 'operation']);
    const long = waits.calls.slice(count).filter(({ limitMs, tookMs }) => limitMs === Infinity && tookMs > TICK_MS);
    assert.ok(long.length > 0, 'a wait has no limit of its own');
    assert.ok(waits.timedOut > timedOut, 'the timer ends it');
  });

  it("with wait: 'loop' never does", async () => {
    await using io = new Reactor({ wait: 'loop' });
    const waits = new Waits(io);
    for (let i = 0; i < 20; i++) await io.sleep(2);
    assert.equal(waits.count, 0);
  });

  it('refuses other words for how it waits', () => {
    assert.throws(() => new Reactor({ wait: 'poll' as 'loop' }), { code: 'ERR_INVALID_ARG_VALUE' });
  });
});

describe('while the thread sleeps in its ring', () => {
  let io: Reactor;
  let waits: Waits;
  before(async () => {
    io = new Reactor();
    waits = new Waits(io);
    await waits.tick(TICK_MS);
  });
  after(async () => {
    await waits.stop();
    await io.close();
  });

  it('no wait is longer than the next timer is away', async () => {
    const from = waits.count;
    for (const ms of [1, 2, 3, 5, 8, 13, 20]) {
      const first = waits.count;
      await timeout(ms);
      // The loop counts whole milliseconds.
      for (const { limitMs } of waits.calls.slice(first)) {
        assert.ok(limitMs <= ms + 1, `${limitMs} ms for a timer of ${ms}`);
      }
    }
    await waits.asleep();
    assert.ok(waits.count > from);
  });

  it('timers come in their order, each before a later operation', async () => {
    const order: string[] = [];
    const all = [1, 4, 9, 16].map((ms) => timeout(ms).then(() => order.push(`timer ${ms}`)));
    // Much later: a thread that others keep from running for long finds both at once.
    const slept = io.sleep(1500).then(() => order.push('operation'));
    await Promise.all([...all, slept]);
    assert.deepEqual(order, ['timer 1', 'timer 4', 'timer 9', 'timer 16', 'operation']);
  });

  it('given immediates that wait, does not sleep', async () => {
    for (let i = 0; i < 5; i++) {
      await waits.asleep();
      await immediate();
      const { count } = waits;
      for (let k = 0; k < 200; k++) await immediate();
      assert.equal(waits.count, count);
    }
  });

  it("what closes is told so before the next wait: 'close' events are not late", async () => {
    for (let i = 0; i < 20; i++) {
      // The end of it is seen by nobody else, which would end a wait.
      const fds = new Int32Array(2);
      assert.equal(koffiNative().pipe(fds), 0);
      const socket = new Socket({ fd: fds[0], writable: false });
      await waits.asleep();
      let first = 0;
      const [closed] = await waits.justBefore(() => {
        first = waits.count;
        // Not a promise itself, or it would be waited for here.
        return [once(socket.destroy(), 'close').then(() => waits.count)];
      });
      assert.equal((await closed) - first, 0);
      closeSync(fds[1]);
    }
  });

  it('given that Node begins to watch something just before a wait, it is watched, or the wait is short', async () => {
    const server = createServer((socket) => void socket.end('x')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    for (let i = 0; i < 20; i++) {
      await waits.asleep();
      let first = 0;
      const socket = await waits.justBefore(() => {
        first = waits.count;
        return connect(port, '127.0.0.1');
      });
      await once(socket, 'data');
      const [wait] = waits.calls.slice(first);
      assert.ok(wait === undefined || wait.limitMs <= 1, `it waits ${wait?.limitMs} ms`);
      socket.destroy();
      await once(socket, 'close');
    }
    server.close();
    await once(server, 'close');
  });

  it('a connection of Node that has data wakes it', async () => {
    const server = createServer((socket) => void socket.pipe(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    const isWoken = await waits.isWokenBy(async () => {
      await io.sleep(2);
      const answer = once(socket, 'data');
      socket.write('x');
      await answer;
    });
    assert.ok(isWoken);
    socket.destroy();
    server.close();
    await once(server, 'close');
  });

  it('a signal wakes it', async () => {
    const isWoken = await waits.isWokenBy(async () => {
      // Not SIGUSR2: the test runner of Node 24 has a report written for that.
      const told = once(process, 'SIGCONT');
      const child = spawn('kill', ['-CONT', String(process.pid)], { stdio: 'ignore' });
      await Promise.all([told, once(child, 'exit')]);
    });
    assert.ok(isWoken);
  });

  it('the end of a child process wakes it', async () => {
    const isWoken = await waits.isWokenBy(async () => {
      const [code] = (await once(spawn('sh', ['-c', 'sleep 0.02; exit 3'], { stdio: 'ignore' }), 'exit')) as number[];
      assert.equal(code, 3);
    });
    assert.ok(isWoken);
  });

  it("what Node's own threads do wakes it: a look-up of a name, a file", async () => {
    assert.ok(await waits.isWokenBy(() => lookup('localhost')));
    assert.ok(await waits.isWokenBy(() => readFile('/proc/self/status')));
  });

  it('the timer of the ring is taken back when it sleeps in the loop', async () => {
    const { takenBack } = waits;
    // Only a wait that may be long sets the timer: on a loaded machine nineteen in twenty were short.
    for (let i = 0; i < 1000 && waits.takenBack === takenBack; i++) {
      assert.ok(await waits.isWokenBy(() => lookup('localhost')));
      await waits.asleep();
    }
    assert.ok(waits.takenBack > takenBack);
  });

  it('messages of a worker wake it', async () => {
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads'); parentPort.on('message', (m) => parentPort.postMessage(m));`,
      {
        eval: true,
      },
    );
    const isWoken = await waits.isWokenBy(async () => {
      const answer = once(worker, 'message');
      worker.postMessage(7);
      assert.deepEqual(await answer, [7]);
    });
    await worker.terminate();
    assert.ok(isWoken);
  });

  it('an operation from the page cache settles at the end of the tick in which it was asked for', async () => {
    const pageCache = await io.openat(-100, process.execPath, 0);
    try {
      for (let i = 0; i < 10; i++) {
        await waits.asleep();
        // A turn of a timer, in which the immediate that is to wait in the ring may stand before this one.
        await timeout(1);
        const order: string[] = [];
        const { count } = waits;
        const read = io.read(pageCache, new Uint8Array(100), { offset: 0 }).then(() =>
          order.push('read', String(waits.count - count))
        );
        const later = immediate().then(() => order.push('immediate'));
        await Promise.all([read, later]);
        assert.deepEqual(order, ['read', '0', 'immediate']);
      }
    } finally {
      await io.closeFd(pageCache);
    }
  });
});

describe('messages from other rings', () => {
  it('are worth a wait, and none is lost when they are exchanged one at a time', { timeout: 60_000 }, async () => {
    await using io = new Reactor();
    const waits = new Waits(io);
    const messages = io.messages();
    const worker = new Worker(new URL('./message-answerer.js', import.meta.url), { workerData: { ringFd: io.ringFd } });
    const ended = once(worker, 'exit');
    const [ringFd] = (await once(worker, 'message')) as number[];
    for (let i = 0; i < 3000; i++) {
      await io.message(ringFd, i);
      assert.equal((await messages.next()).value!.value, 0 - i);
    }
    await io.message(ringFd, 0, 1);
    await ended;
    await messages.return!();
    assert.ok(waits.count > 100, `it slept ${waits.count} times in the ring`);
  });
});

describe('two reactors in a thread', () => {
  it('do not wake each other without end', async () => {
    await using one = new Reactor();
    await using other = new Reactor();
    const both = [new Waits(one), new Waits(other)];
    const pass = passes();
    let settled = 0;
    const work = async (io: Reactor): Promise<void> => {
      for (let i = 0; i < 30; i++, settled++) await io.sleep(TICK_MS);
    };
    await Promise.all([work(one), work(other)]);
    const waits = both[0].count + both[1].count;
    const rounds = passes() - pass;
    assert.equal(settled, 60);
    assert.ok(
      waits + rounds < 60 * 20,
      `${waits} waits in the ring and ${rounds} rounds of the loop for 60 completions`,
    );
  });
});

describe('a process', () => {
  it('in which nothing happens is not woken, whatever it waits for', async () => {
    const body = `
      await waits.tick(${TICK_MS});
      for (let i = 0; i < 5; i++) await waits.asleep();
      await waits.stop();
      for (let i = 0; i < 100; i++) io.poll(0, 1);
      console.log('idle');`;
    const child = spawn(process.execPath, sleeping(body), { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    await once(child.stdout, 'data');
    const switches = (): number =>
      Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]);
    let woken = Infinity;
    // What V8 does after the start takes its time.
    for (let i = 0; i < 200 && woken !== 0; i++) {
      const first = switches();
      await timeout(300);
      woken = switches() - first;
    }
    child.kill();
    await ended;
    assert.equal(woken, 0);
  });

  it('ends when only operations are left that do not hold it', async () => {
    const body = `
      await waits.tick(${TICK_MS});
      io.sleep(1e6);
      io.unref();
      process.on('exit', () => console.log(waits.count > 0, io.stats.inFlight));`;
    assert.equal(await ends(body), 'true 2\n');
  });

  it('lives again after ref()', async () => {
    const body = `
      await waits.tick(${TICK_MS});
      io.unref();
      io.ref();
      io.sleep(50).then(() => { console.log('slept'); process.exit(); });`;
    assert.equal(await ends(body), 'slept\n');
  });

  it('ends when it is told to: by its own words, by a timer, and by a handler', async () => {
    for (
      const exit of ['process.exit(0)', 'setTimeout(() => process.exit(0), 5)',
        'io.sleep(5).then(() => process.exit(0))']
    ) {
      assert.equal(await ends(`await waits.tick(${TICK_MS}); io.sleep(1e6); console.log('on'); ${exit}`), 'on\n');
    }
  });

  it('answers its inspector', async () => {
    const [first, ...rest] = sleeping(
      `await waits.tick(${LONG_TICK_MS}); globalThis.waits = waits; console.log('asleep');`,
    );
    const child = spawn(process.execPath, ['--inspect=127.0.0.1:0', first, ...rest], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = once(child, 'exit');
    let told = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
    try {
      await once(child.stdout, 'data');
      while (!/ws:\S+/.test(told)) await once(child.stderr, 'data');
      const socket = new WebSocket(/ws:\S+/.exec(told)![0]);
      await once(socket, 'open');
      const ask = async (id: number): Promise<{ id: number; result: { result: { value: number } } }> => {
        const answer = once(socket, 'message') as Promise<[Buffer]>;
        socket.send(JSON.stringify({ id, method: 'Runtime.evaluate', params: { expression: 'waits.loopReady' } }));
        return JSON.parse(String((await answer)[0])) as never;
      };
      let woken = 0;
      for (let id = 1; id < 5000 && woken === 0; id++) {
        const answer = await ask(id);
        assert.equal(answer.id, id);
        woken = answer.result.result.value;
      }
      assert.ok(woken > 0);
      socket.terminate();
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
  });
});

describe('workers', () => {
  const WORKER = `
    import { parentPort, workerData } from 'node:worker_threads';
    import { Reactor } from '${INDEX}';
    import { Waits } from '${WAITS}';
    const io = new Reactor();
    const waits = new Waits(io);
    await waits.tick(${TICK_MS});
    const ticks = async () => { for (let i = 0; i < 10; i++) await io.sleep(${TICK_MS}); };
    if (workerData === 'work') {
      await ticks();
      await waits.stop();
      await io.close();
      parentPort.postMessage(waits.count);
    } else if (workerData === 'exit') {
      io.sleep(5).then(() => process.exit(3));
    } else if (workerData === 'rest') {
      await waits.stop();
      io.sleep(1e6);
      parentPort.postMessage(waits.count);
    } else {
      parentPort.on('message', () => parentPort.postMessage(waits.loopReady));
      parentPort.postMessage(waits.count);
    }`;
  const worker = (workerData: string): Worker =>
    new Worker(new URL(`data:text/javascript,${encodeURIComponent(WORKER)}`), { workerData });

  it('eight of them have a reactor each that sleeps in its ring', async () => {
    const counts = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const one = worker('work');
        const [[count], [code]] = (await Promise.all([once(one, 'message'), once(one, 'exit')])) as [
          number[],
          number[],
        ];
        assert.equal(code, 0);
        return count;
      }),
    );
    for (const count of counts) assert.ok(count > 0);
  });

  it('one that sleeps in its ring is woken by messages, and terminated', async () => {
    const one = worker('answer');
    const [count] = (await once(one, 'message')) as number[];
    assert.ok(count > 0);
    let woken = 0;
    for (let i = 0; i < 5000 && woken === 0; i++) {
      const answer = once(one, 'message') as Promise<number[]>;
      one.postMessage('');
      [woken] = await answer;
    }
    assert.ok(woken > 0);
    assert.equal(await one.terminate(), 1);
  });

  it('those that sleep in their ring, with nothing that would wake them, are terminated', async () => {
    for (let i = 0; i < 5; i++) {
      const one = worker('rest');
      const [count] = (await once(one, 'message')) as number[];
      assert.ok(count > 0);
      assert.equal(await one.terminate(), 1);
    }
  });

  it('one that ends by itself says how', async () => {
    const [code] = (await once(worker('exit'), 'exit')) as number[];
    assert.equal(code, 3);
  });

  it('a process ends by its own words while one sleeps in its ring', async () => {
    const text = JSON.stringify(`data:text/javascript,${encodeURIComponent(WORKER)}`);
    const body = `
      import { Worker } from 'node:worker_threads';
      const worker = new Worker(new URL(${text}), { workerData: 'answer' });
      worker.once('message', () => { console.log('on'); process.exit(0); });
      io.sleep(1e6);`;
    assert.equal(await ends(body), 'on\n');
  });
});
