// What a thread has slept in its ring counts as idle time of its event loop, by which servers shed load; and nothing is
// written into libuv's memory where it is not proved to be laid out as it is thought to be.
// slow: measures idle time for seconds
import { fromTheFirstByte } from '../net/from-the-first-byte.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe } from 'node:test';
import { Worker } from 'node:worker_threads';
import type * as Koffi from 'koffi';
import { uvEventLoop, type EventLoop } from '../../src/native/event-loop.ts';
import { Engine } from '../../src/reactor/engine.ts';
import { Observer } from '../../src/reactor/observer.ts';
import { it } from '../asking.ts';
import { moduleText, run } from '../run.ts';
import { LoopingKernel } from './looping-kernel.ts';
import { TestOperation } from './test-submissions.ts';

fromTheFirstByte();

const INDEX = new URL('../../src/index.js', import.meta.url).href;
const WAITS = new URL('./waits.js', import.meta.url).href;
const NET = new URL('../../src/net/index.js', import.meta.url).href;
const ROOT = new URL('../../../', import.meta.url).href;

const TICKING = `
  import { Reactor } from '${INDEX}';
  import { Waits } from '${WAITS}';
  const io = new Reactor();
  const waits = new Waits(io);
  await waits.tick(10);`;

async function printed(body: string): Promise<unknown[]> {
  const { status, stdout, stderr } = await run(process.execPath, moduleText(body));
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as unknown[];
}

describe('performance.eventLoopUtilization()', () => {
  it('counts what is slept in the ring as idle, whoever took the function before', async () => {
    const measured = (await printed(`
      const { eventLoopUtilization } = performance;
      ${
      TICKING.replace('import { Reactor }', '')
        .replace(`from '${INDEX}';`, `const { Reactor } = await import('${INDEX}');`)
    }
      const measured = [];
      for (let share = 0, count = 0; measured.length < 50 && (share < 0.3 || count <= 10);) {
        const first = eventLoopUtilization();
        const start = performance.now();
        const from = waits.count;
        for (let i = 0; i < 40; i++) await io.sleep(10);
        await waits.asleep();
        const { utilization } = eventLoopUtilization(first);
        const slept = waits.calls.slice(from).reduce((sum, { tookMs }) => sum + tookMs, 0);
        share = slept / (performance.now() - start);
        count = waits.count - from;
        measured.push([utilization, share, count]);
      }
      console.log(JSON.stringify(measured));
      process.exit();`)) as [utilization: number, share: number, count: number][];
    // What it slept is idle, to a hair; how much that is depends on who else wants the processor, so it is measured until
    // it is much.
    for (const [utilization, share] of measured) {
      assert.ok(
        utilization <= 1 - share + 0.05,
        `utilization ${utilization}, ${share} of the time was slept in the ring`,
      );
    }
    const [, share, count] = measured.at(-1)!;
    assert.ok(share > 0.3 && count > 10, `${share} of the time was slept in the ring, in ${count} waits`);
  });

  it('does so for a worker, as its parent sees it', async () => {
    const text = `${TICKING}
      import { parentPort } from 'node:worker_threads';
      const slept = () => waits.calls.reduce((sum, { tookMs }) => sum + tookMs, 0);
      parentPort.once('message', async () => {
        const first = slept();
        while (slept() < first + 200) await io.sleep(10);
        parentPort.postMessage(slept() - first);
      });
      parentPort.postMessage(0);`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(text)}`));
    await once(worker, 'message');
    const first = worker.performance.eventLoopUtilization();
    worker.postMessage('');
    const [slept] = (await once(worker, 'message')) as number[];
    const { idle } = worker.performance.eventLoopUtilization(first);
    await worker.terminate();
    assert.ok(idle >= slept - 1, `idle for ${idle} ms, and it slept ${slept} in the ring`);
  });

  it('stays under what @fastify/under-pressure takes for too much', async () => {
    // The plugin takes the function when it is loaded, which may be before this package is.
    const program = `
      import { createServer } from 'node:http';
      import { createRequire } from 'node:module';
      const require = createRequire(${JSON.stringify(ROOT)});
      const fastify = require('fastify');
      const pressure = require('@fastify/under-pressure');
      const { defaultReactor } = await import('${INDEX}');
      const net = await import('${NET}');
      const { Waits } = await import('${WAITS}');
      const waits = new Waits(defaultReactor());
      await waits.tick(5);
      const app = fastify({ serverFactory: (handler) => createServer(handler) });
      await app.register(pressure, { maxEventLoopUtilization: 0.75, sampleInterval: 50, eventLoopUtilizationMode: 'delta' });
      app.get('/', () => String(waits.count));
      await app.ready();
      // Or a connection ends just when a client that was kept from running for five seconds sends on it.
      app.server.keepAliveTimeout = 0;
      const server = net.createServer((socket) => app.server.emit('connection', socket));
      server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;
    const child = spawn(process.execPath, moduleText(program), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    try {
      const [port] = (await once(child.stdout, 'data')) as [Buffer];
      const address = `http://127.0.0.1:${String(port).trim()}`;
      let count = 0;
      const shed = async (): Promise<number> => {
        let answers = 0;
        for (let i = 0; i < 20; i++) {
          const answer = await fetch(address);
          if (answer.status === 503) answers++;
          else count = Number(await answer.text());
          await new Promise((resolve) => void setTimeout(resolve, 20));
        }
        return answers;
      };
      // While it starts, or others want the processor, it is under pressure indeed.
      let answers = Infinity;
      for (let i = 0; i < 200 && answers > 0; i++) answers = await shed();
      assert.equal(answers, 0);
      assert.ok(count >= 5, `it slept ${count} times in the ring`);
    } finally {
      child.kill();
      await ended;
    }
  });
});

/** libuv as koffi would show it, with one thing about it that is not as it should be, perhaps. */
function fakeLibuv(
  wrong: Partial<Record<string, unknown>> = {},
): { koffi: typeof Koffi; libc: Koffi.LibraryHandle; fields: BigUint64Array; loop: BigUint64Array } {
  const fields = new BigUint64Array(19);
  fields.set([7n, 8n, 9n], 1);
  fields[18] = 5_000n;
  const loop = new BigUint64Array(13);
  loop[5] = (wrong['fieldsAt'] ?? 0x2000n) as bigint;
  loop[8] = (wrong['ownFd'] ?? 12n) as bigint;
  loop.set([(wrong['next'] ?? 0x1058n) as bigint, 0x1058n], 11);
  fields[17] = (wrong['entryTime'] ?? 0n) as bigint;
  const functions: Record<string, (...args: never[]) => unknown> = {
    uv_version: () => wrong['version'] ?? 0x01_33_00,
    napi_get_uv_event_loop: (_env: unknown, found: BigUint64Array) => {
      found[0] = 0x1000n;
      return wrong['status'] ?? 0;
    },
    uv_backend_timeout: () => -1,
    uv_update_time: () => undefined,
    uv_backend_fd: () => wrong['fd'] ?? 12,
    // What the fields say, or what they do not.
    uv_metrics_idle_time: () =>
      Number(fields[18]) * ((wrong['isConstant'] === undefined ? 1 : 0) as number) +
      ((wrong['isConstant'] ?? 0) as number),
    uv_metrics_info: (_loop: number, info: BigUint64Array) => {
      info.set(fields.subarray(1, 17));
      if (wrong['info'] !== undefined) info[2]++;
      return wrong['infoStatus'] ?? 0;
    },
  };
  const koffi = { node: { env: 1 }, view: (address: number) => (address === 0x1000 ? loop : fields).buffer };
  const libc = {
    func: (name: string) => {
      if (name === wrong['missing']) throw new Error('Cannot find function');
      return functions[name];
    },
  };
  return { koffi: koffi as unknown as typeof Koffi, libc: libc as unknown as Koffi.LibraryHandle, fields, loop };
}

describe('the event loop', () => {
  const found = (wrong?: Partial<Record<string, unknown>>): EventLoop | undefined => {
    const { koffi, libc, fields } = fakeLibuv(wrong);
    const before = fields.slice();
    const loop = uvEventLoop(koffi, libc);
    assert.deepEqual(fields, before, 'the fields are as they were');
    return loop;
  };

  it('is found where libuv is laid out as expected', () => {
    const loop = found()!;
    assert.equal(loop.backendFd, 12);
    assert.equal(loop.pass, 7);
    assert.equal(loop.hasUnwatched, false);
    assert.equal(loop.timeout(), Infinity);
  });

  it('tells of descriptors of which the kernel was not told so far', () => {
    const { koffi, libc, loop: words } = fakeLibuv();
    const loop = uvEventLoop(koffi, libc)!;
    words.set([0x5000n, 0x5000n], 11);
    assert.equal(loop.hasUnwatched, true);
    words.set([0x1_0000_1058n, 0x1_0000_1058n], 11);
    assert.equal(loop.hasUnwatched, true);
    words.set([0x1058n, 0x1058n], 11);
    assert.equal(loop.hasUnwatched, false);
  });

  it('counts idle time to the nanosecond, beyond 32 bits too', () => {
    const { koffi, libc, fields } = fakeLibuv();
    const loop = uvEventLoop(koffi, libc)!;
    fields[18] = 0xffff_fff0n;
    loop.addIdleTime(0.000_001 * 32);
    assert.equal(fields[18], 0x1_0000_0010n);
    loop.addIdleTime(10_000);
    assert.equal(fields[18], 0x1_0000_0010n + 10_000_000_000n);
    fields[18] = 2n ** 53n;
    loop.addIdleTime(1);
    assert.equal(fields[18], 2n ** 53n + 1_000_000n);
  });

  for (
    const [name, wrong] of Object.entries({
      'libuv is older than what the layout was seen in': { version: 0x01_2c_02 },
      'libuv is a later major version': { version: 0x02_00_00 },
      'Node does not tell the loop': { status: 9 },
      'there is no such function': { missing: 'uv_metrics_info' },
      'the version has no function': { missing: 'uv_version' },
      'the loop has no descriptor': { fd: -1 },
      'the fields are nowhere': { fieldsAt: 0n },
      'the fields are at no address for them': { fieldsAt: 0x2001n },
      'the counters are others than uv_metrics_info tells': { info: true },
      'uv_metrics_info refuses': { infoStatus: -22 },
      'the loop seems to be asleep while this runs': { entryTime: 17n },
      'its descriptor is another in its memory': { ownFd: 13n },
      'what should be a list is none': { next: 0n },
      'the list has an end, and no beginning': { next: 0x5000n },
      'the idle time is another': { isConstant: 4_999 },
      'the idle time is not read from there': { isConstant: 5_000 },
    })
  ) {
    it(`is not, and nothing is written, where ${name}`, () => assert.equal(found(wrong), undefined));
  }

  it('is none: a reactor sleeps in the loop, and its operations settle', async () => {
    const kernel = new LoopingKernel();
    kernel.result = () => undefined;
    const engine = new Engine(8, {}, kernel, new Observer(false), 'ring');
    for (let i = 0; i < 5; i++) {
      const operation = new TestOperation();
      engine.submit(operation);
      await new Promise((resolve) => void setImmediate(resolve));
      const [userData] = kernel.inFlight;
      kernel.complete(userData, i);
      assert.equal(await operation.whenOver, i);
    }
    assert.ok(kernel.calls.every(({ minComplete }) => minComplete === 0));
    await engine.close(false);
  });
});
