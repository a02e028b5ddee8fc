// How completions are told: in which order, with which turns between them, whose they are, and what comes of errors on
// the way.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { POLLIN } from '../../src/abi/event-flags.ts';
import { koffiNative } from '../../src/native/koffi.ts';
import { Engine, type Wait } from '../../src/reactor/engine.ts';
import { LOOP_LEFT, LOOP_READY, WAITED_LONG } from '../../src/reactor/engine/ring-sleep.ts';
import { CANCEL, TIMER } from '../../src/reactor/engine/slots.ts';
import { Observer } from '../../src/reactor/observer.ts';
import { it } from '../asking.ts';
import { moduleText, run } from '../run.ts';
import type { EnterCall } from '../ring/fake-kernel.ts';
import { SleepingKernel } from './looping-kernel.ts';
import { TestEvent, TestOperation } from './test-submissions.ts';

const SOURCE = new URL('../../src/', import.meta.url).href;
const HERE = new URL('./', import.meta.url).href;

const EINTR = 4;
const EBADF = 9;
const EAGAIN = 11;
const EBUSY = 16;

const immediate = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const immediates = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await immediate();
};

function realEngine(wait: Wait = 'ring'): Engine {
  return new Engine(512, { cqEntries: 4096 }, koffiNative(), new Observer(false), wait);
}

function spin(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

/** An engine over a fake kernel, with an operation in flight that never completes by itself. */
class Scene {
  readonly kernel = new SleepingKernel();
  readonly engine: Engine;
  readonly held: TestOperation;

  constructor(entries = 8) {
    this.engine = new Engine(entries, {}, this.kernel, new Observer(false), 'ring');
    this.held = this.begin();
  }

  begin(tell?: (res: number) => void): TestOperation {
    const operation = new TestOperation(tell);
    this.engine.submit(operation);
    return operation;
  }

  complete(operation: TestOperation, res = 0): void {
    this.kernel.inFlight.delete(BigInt(operation.slot));
    this.kernel.post(BigInt(operation.slot), res);
  }

  /** Have the loop wake it for one operation. */
  async wake(): Promise<void> {
    const operation = this.begin();
    await immediate();
    this.kernel.complete(BigInt(operation.slot), 0);
    await operation.whenOver;
  }

  /** Two completions, one soon after the other; what follows is waited for in the ring. */
  async warmUp(): Promise<void> {
    for (let i = 0; i < 200 && this.kernel.waits.length === 0; i++) await this.wake();
    assert.ok(this.kernel.waits.length > 0, 'it sleeps in the ring');
    // Waits in vain end that.
    await immediates(10);
    this.kernel.waits.length = 0;
  }

  /** The same, with what happens in the waits that follow. */
  async sleepsThrough(...script: (() => number | void)[]): Promise<void> {
    await this.warmUp();
    this.kernel.script.push(...script);
    for (let i = 0; i < 200 && this.kernel.script.length > 0; i++) await this.wake();
    assert.equal(this.kernel.script.length, 0, 'all of the script has happened');
  }

  /** What happens in waits that follow each other. */
  async sleepsOn(...script: ((call: EnterCall) => number | void)[]): Promise<void> {
    await this.warmUp();
    this.kernel.script.push(...script);
    for (let i = 0; i < 200 && this.kernel.script.length === script.length; i++) await this.wake();
    await immediates(10 * script.length);
    assert.equal(this.kernel.script.length, 0, 'all of the script has happened');
  }

  async end(): Promise<void> {
    await this.engine.close(false);
  }
}

describe('a wait in the ring', () => {
  it('hands over what is queued, watches the loop, and counts as idle time', async () => {
    const scene = new Scene();
    const { kernel } = scene;
    let operation: TestOperation | undefined;
    await scene.sleepsThrough(() => {
      spin(2);
      operation = scene.held;
      scene.complete(operation, 7);
    });
    assert.equal(await operation!.whenOver, 7);
    assert.ok(kernel.loop.idleMs >= 2);
    assert.ok(kernel.loop.updates > 0);
    const polls = kernel.entriesSeen.filter(({ userData }) => userData === BigInt(LOOP_READY));
    assert.ok(polls.length > 0);
    for (const { fd, words } of polls) assert.deepEqual([fd, words[7]], [kernel.loop.backendFd, POLLIN]);
    await scene.end();
  });

  it('watches the loop once, for as long as completions come', async () => {
    const scene = new Scene();
    const { kernel } = scene;
    const all = Array.from({ length: 20 }, () => scene.begin());
    await scene.sleepsThrough(...all.slice(0, 1).map((one) => () => scene.complete(one)));
    const from = kernel.entriesSeen.length;
    kernel.script.push(...all.slice(1).map((one) => () => scene.complete(one)));
    for (let i = 0; i < 400 && kernel.script.length > 0; i++) {
      await (kernel.waits.length % 3 === 0 ? scene.wake() : immediate());
    }
    const polls = kernel.entriesSeen.slice(from).filter(({ userData }) => userData === BigInt(LOOP_READY));
    assert.ok(polls.length <= 2, `${polls.length} polls for 19 waits`);
    await scene.end();
  });

  it('that brings nothing is not repeated', async () => {
    const scene = new Scene();
    await scene.sleepsThrough(() => scene.complete(scene.begin()));
    await immediates(50);
    const { waits, inFlight } = scene.kernel;
    const first = waits.length;
    await immediates(50);
    assert.equal(waits.length, first);
    assert.ok(first <= 5, `${first} waits`);
    // And the loop is not watched while the thread sleeps there, nor does a timer wake that.
    assert.ok(!inFlight.has(BigInt(LOOP_READY)));
    assert.ok(!inFlight.has(BigInt(WAITED_LONG)));
    await scene.end();
  });

  it('has no limit where no timer of the loop is near: one of the ring is for all of them', async () => {
    const scene = new Scene();
    const { kernel } = scene;
    await scene.warmUp();
    const all = Array.from({ length: 20 }, () => scene.begin());
    const from = kernel.entriesSeen.length;
    kernel.script.push(...all.map((one) => () => scene.complete(one)));
    await scene.wake();
    while (kernel.script.length > 0) await immediate();
    const waits = kernel.waits.slice(0, all.length);
    assert.deepEqual([...new Set(waits.map(({ time }) => time))], [undefined]);
    const timers = kernel.entriesSeen.slice(from).filter(({ userData }) => userData === BigInt(WAITED_LONG));
    assert.equal(timers.length, 1);
    await scene.end();
  });

  it('that the timer ends is followed by another one if completions came since it was set, else by none', async () => {
    const scene = new Scene();
    const { kernel } = scene;
    const one = scene.begin();
    await scene.warmUp();
    kernel.script.push(() => scene.complete(one), () => kernel.timeIsUp(), () => kernel.timeIsUp());
    while (kernel.script.length === 3) await scene.wake();
    kernel.waits.length = 0;
    await immediates(20);
    // The second, in which the timer of the first is over; and the third, which brings nothing.
    assert.equal(kernel.waits.length, 2);
    assert.equal(kernel.script.length, 0);
    await scene.end();
  });

  it('that the loop ends at the same time as the timer is followed by none', async () => {
    const scene = new Scene();
    const { kernel } = scene;
    const one = scene.begin();
    await scene.sleepsOn(() => scene.complete(one), () => (kernel.timeIsUp(), kernel.loopIsReady()));
    assert.equal(kernel.waits.length, 2);
    await scene.end();
  });

  it('that ends as the loop has something to do, and with a completion, is followed by one that polls the loop anew', async () => {
    const scene = new Scene();
    const { kernel } = scene;
    const [one, other] = [scene.begin(), scene.begin()];
    await scene.sleepsOn(
      () => scene.complete(one),
      () => (kernel.loopIsReady(), scene.complete(other)),
      // The fake kernel looks what may end this one.
      ({ time }) => assert.equal(time, undefined),
    );
    assert.equal(scene.engine.closed, false);
    await scene.end();
  });

  it('has a limit where the queue has no room for the ring’s timer, and none when it has', async () => {
    const scene = new Scene(1);
    const both = [scene.begin(), scene.begin()];
    const limits: (bigint | undefined)[] = [];
    const step = (one: TestOperation): (call: EnterCall) => void => ({ time }) => {
      limits.push(time);
      scene.complete(one);
    };
    await scene.sleepsOn(...both.map(step));
    // The poll of the loop took the place.
    assert.equal(limits.length, 2);
    assert.ok(limits[0]! > 50_000_000n && limits[0]! <= 100_000_000n, `${limits[0]} ns`);
    assert.equal(limits[1], undefined);
    await scene.end();
  });

  it('leaves neither its poll nor its timer to a thread that sleeps in the loop', async () => {
    for (const isLoopReady of [true, false]) {
      const scene = new Scene();
      const { kernel } = scene;
      const one = scene.begin();
      const left = (): boolean[] => [LOOP_READY, WAITED_LONG].map((userData) => kernel.inFlight.has(BigInt(userData)));
      let during: boolean[] | undefined;
      await scene.sleepsOn(
        () => {
          kernel.loop.timeoutMs = 40;
          scene.complete(one);
        },
        // Of itself it is as long as the loop's timer is away, and brings nothing.
        () => {
          during = left();
          if (isLoopReady) kernel.loopIsReady();
        },
      );
      assert.deepEqual(during, [true, true]);
      assert.deepEqual(left(), [false, false]);
      await scene.end();
    }
  });

  it('that is limited, brings nothing, and follows one that the timer has ended is not repeated', async () => {
    const scene = new Scene();
    const { kernel } = scene;
    const one = scene.begin();
    await scene.sleepsOn(
      () => scene.complete(one),
      () => {
        kernel.timeIsUp();
        kernel.loop.timeoutMs = 40;
      },
      () => {},
    );
    assert.equal(kernel.waits.length, 3);
    await scene.end();
  });

  it('that the loop ends without a cause costs a turn, and is not repeated at once', async () => {
    const scene = new Scene();
    const { kernel } = scene;
    await scene.sleepsThrough(() => kernel.loopIsReady());
    const first = kernel.waits.length;
    await immediates(50);
    assert.equal(kernel.waits.length, first);
    // However often: the loop is preferred for longer and longer.
    kernel.waits.length = 0;
    for (let i = 0; i < 40; i++) kernel.script.push(() => kernel.loopIsReady());
    for (let i = 0; i < 40; i++) await scene.wake();
    assert.ok(kernel.waits.length <= 8, `${kernel.waits.length} waits for 40 wake-ups`);
    await scene.end();
  });

  it('does not take place while something else waits for its turn', async () => {
    const scene = new Scene();
    const { kernel } = scene;
    await scene.warmUp();
    kernel.loop.timeoutMs = 0;
    for (let i = 0; i < 40; i++) await scene.wake();
    assert.equal(kernel.waits.length, 0);
    await scene.end();
  });

  it('is as long as the next timer is away', async () => {
    const scene = new Scene();
    const { kernel } = scene;
    kernel.loop.timeoutMs = 40;
    const limits: number[] = [];
    const sparse = (): (call: EnterCall) => void => {
      const one = scene.begin();
      return ({ time }) => {
        limits.push(Math.round(Number(time) / 1e6));
        spin(1);
        scene.complete(one);
      };
    };
    await scene.sleepsOn(sparse(), sparse(), sparse());
    assert.deepEqual(limits, [40, 40, 40]);
    await scene.end();
  });

  it('does not take place while the kernel was not told of a descriptor that the loop is to watch', async () => {
    const scene = new Scene();
    const { kernel } = scene;
    await scene.warmUp();
    kernel.loop.hasUnwatched = true;
    for (let i = 0; i < 40; i++) await scene.wake();
    assert.equal(kernel.waits.length, 0);
    await scene.end();
  });

  for (const [name, errno] of Object.entries({ EINTR, EAGAIN, EBUSY })) {
    it(`that fails with ${name} loses nothing`, async () => {
      const scene = new Scene();
      const failures = Array.from({ length: 12 }, () => () => -errno);
      await scene.sleepsThrough(...failures, () => scene.complete(scene.held, 3));
      assert.equal(await scene.held.whenOver, 3);
      assert.equal(scene.engine.closed, false);
      await scene.wake();
      await scene.end();
    });
  }

  it('that fails for good ends the engine, and what is in flight is told why', async () => {
    const scene = new Scene();
    await scene.warmUp();
    scene.kernel.script.push(() => -EBADF);
    for (let i = 0; i < 200 && scene.kernel.script.length > 0; i++) {
      const operation = scene.begin();
      await immediate();
      if (operation.slot >= 0) scene.kernel.complete(BigInt(operation.slot), 0);
      await operation.whenOver;
    }
    await scene.held.whenOver;
    assert.equal((scene.held.refusal as NodeJS.ErrnoException).code, 'EBADF');
    assert.equal(scene.engine.closed, true);
  });
});

describe('completions', () => {
  it('given completions of nothing that was asked for, drops and counts them', async () => {
    const scene = new Scene();
    await scene.wake();
    const strangers = [0x7fff_ffffn, 2n ** 40n, 2n ** 48n + 5n, 2n ** 51n + 3n, 2n ** 63n, 2n ** 64n - 1n];
    for (const userData of strangers) scene.kernel.post(userData, 0);
    await scene.wake();
    assert.equal(scene.engine.counters.strangers, strangers.length);
    assert.deepEqual(scene.held.results, []);
    await scene.end();
  });

  it('given a completion of what a wait had, does not count it as a stranger', async () => {
    const scene = new Scene();
    for (const userData of [LOOP_READY, LOOP_LEFT, WAITED_LONG]) scene.kernel.post(BigInt(userData), -2);
    await scene.wake();
    assert.equal(scene.engine.counters.strangers, 0);
    await scene.end();
  });

  it('given a late completion of an operation that had the place before, settles nothing', async () => {
    const scene = new Scene();
    const { kernel, engine } = scene;
    const before = scene.begin();
    await immediate();
    const { slot } = before;
    kernel.complete(BigInt(slot), 1);
    await before.whenOver;
    const after = scene.begin();
    await immediate();
    // The same place, another generation.
    assert.equal(after.slot % 2 ** 18, slot % 2 ** 18);
    for (const part of [0, TIMER, CANCEL, TIMER + CANCEL]) kernel.post(BigInt(slot + part), 99);
    kernel.complete(BigInt(after.slot), 2);
    assert.equal(await after.whenOver, 2);
    assert.deepEqual([before.results, after.results], [[1], [2]]);
    assert.equal(engine.counters.strangers, 4);
    await scene.end();
  });
});

describe('events of Node’s kind', () => {
  const told = async (
    wait: Wait,
    begin: (engine: Engine, event: (name: string) => void) => void,
    count: number,
  ): Promise<string[]> => {
    const engine = realEngine(wait);
    const order: string[] = [];
    const all: TestEvent[] = [];
    const event = (name: string): void => {
      const one = new TestEvent(() => {
        order.push(`data${name}`);
        process.nextTick(() => {
          order.push(`tick${name}`);
          void Promise.resolve().then(() => {
            order.push(`micro in tick${name}`);
            process.nextTick(() => order.push(`tick in micro${name}`));
          });
        });
        void Promise.resolve().then(() => {
          order.push(`micro${name}`);
          process.nextTick(() => {
            order.push(`tick of micro${name}`);
            queueMicrotask(() => order.push(`last${name}`));
          });
        });
      });
      all.push(one);
      engine.submit(one);
    };
    begin(engine, event);
    while (all.length < count) await immediate();
    await Promise.all(all.map(({ whenOver }) => whenOver));
    await immediates(2);
    await engine.close(false);
    return order;
  };
  const expected = (name: string): string[] =>
    ['data', 'tick', 'micro', 'micro in tick', 'tick of micro', 'tick in micro', 'last'].map((what) =>
      `${what}${name}`
    );
  const sorted = (order: string[], names: string[]): void => {
    // Ticks before microtasks or the other way round: it is Node's order within one event. Between events nothing is
    // mixed.
    assert.deepEqual(order.map((entry) => entry.at(-1)), names.flatMap((name) => expected(name).map(() => name)));
    for (const name of names) {
      const own = order.filter((entry) => entry.endsWith(name));
      assert.deepEqual([own[0], own[1]], [`data${name}`, `tick${name}`]);
      assert.deepEqual([...own].sort(), expected(name).sort());
    }
  };

  for (const wait of ['ring', 'loop'] as const) {
    it(`that complete together are told one at a time, with all that each leads to: wait: '${wait}'`, async () => {
      const three = (_engine: Engine, event: (name: string) => void): void =>
        void setImmediate(() => ['0', '1', '2'].forEach(event));
      sorted(await told(wait, three, 3), ['0', '1', '2']);
    });

    it(`are told in the order of their completion, however many: wait: '${wait}'`, async () => {
      const names = Array.from({ length: 60 }, (_, i) => String.fromCharCode(0x100 + i));
      sorted(await told(wait, (_engine, event) => void setImmediate(() => names.forEach(event)), names.length), names);
    });
  }

  it('leave promises alone: they settle at the end of the tick', async () => {
    const engine = realEngine();
    const order: string[] = [];
    const events = [0, 1, 2].map((i) => new TestEvent(() => order.push(`event ${i}`)));
    const operation = new TestOperation(() => order.push('operation'));
    for (const one of [...events, operation]) engine.submit(one);
    await Promise.all([...events, operation].map(({ whenOver }) => whenOver));
    assert.equal(order[0], 'operation');
    assert.deepEqual(order.slice(1), ['event 0', 'event 1', 'event 2']);
    await engine.close(false);
  });
});

describe('a turn', () => {
  for (const kind of [TestOperation, TestEvent]) {
    const FLOOD = 2000;
    it(`of a flood lets timers and immediates come between: ${kind.name}`, async () => {
      const engine = realEngine();
      let settled = 0;
      const all = Array.from({ length: FLOOD }, () => new kind(() => (settled++, spin(0.1))));
      const seen = new Promise<number[]>((resolve) => {
        setTimeout(() => {
          const atTimer = settled;
          setImmediate(() => resolve([atTimer, settled]));
        }, 1);
      });
      for (const one of all) engine.submit(one);
      const [atTimer, atImmediate] = await seen;
      assert.ok(atTimer < FLOOD / 2, `the timer came after ${atTimer} of ${FLOOD}`);
      assert.ok(atImmediate < FLOOD, `the immediate came after ${atImmediate} of ${FLOOD}`);
      await Promise.all(all.map(({ whenOver }) => whenOver));
      assert.equal(settled, FLOOD);
      await engine.close(false);
    });
  }

  it('in which a handler throws goes on with the others, and the process is told', async () => {
    const program = `
      import { Engine } from '${SOURCE}reactor/engine.js';
      import { Observer } from '${SOURCE}reactor/observer.js';
      import { koffiNative } from '${SOURCE}native/koffi.js';
      import { TestEvent, TestOperation } from '${HERE}test-submissions.js';
      process.on('uncaughtException', ({ message }) => console.log(message));
      const engine = new Engine(64, {}, koffiNative(), new Observer(false), 'ring');
      for (const kind of [TestOperation, TestEvent]) {
        const all = [0, 1, 2, 3].map((i) => new kind(() => { if (i % 2 === 1) throw new Error(kind.name + i); console.log('told', i); }));
        for (const one of all) engine.submit(one);
        await Promise.all(all.map(({ whenOver }) => whenOver));
        await new Promise((resolve) => setImmediate(resolve));
      }
      console.log(engine.inFlight, engine.closed);
      await engine.close(false);`;
    const { status, stdout, stderr } = await run(process.execPath, moduleText(program));
    assert.equal(status, 0, stderr);
    const lines = stdout.trim().split('\n');
    const names = ['TestOperation', 'TestEvent'].flatMap((name) => [1, 3].map((i) => `${name}${i}`));
    assert.deepEqual([...lines].sort(), ['0 false', ...names, ...[0, 0, 2, 2].map((i) => `told ${i}`)].sort());
    assert.equal(lines.at(-1), '0 false');
  });
});
