// What native code of Node's does around a call, had from JavaScript: ticks and microtasks run behind it, and what it
// throws is uncaught.
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, it } from 'node:test';
import { callbackScope } from '../../src/native/callback-scope.ts';
import { koffiNative } from '../../src/native/koffi.ts';
import { nativeStreamClass } from '../../src/native/native-stream.ts';
import { hasUvLoop } from '../../src/native/runtime.ts';
import { moduleText, run } from '../run.ts';

const skip = !hasUvLoop() && 'needs the event loop of Node';
const SOURCE = new URL('../../src/native/', import.meta.url).href;

/** What a call before the loop polls has told, and what came behind it. */
async function told(call: (tell: (what: string) => void) => void): Promise<string[]> {
  const order: string[] = [];
  const tell = (what: string): void => void order.push(what);
  const phases = koffiNative().eventLoop()!.phases!;
  const apart = callbackScope()!;
  const { beforePoll } = phases;
  await new Promise<void>((resolve) => {
    phases.beforePoll = () => {
      phases.stop();
      phases.beforePoll = beforePoll;
      apart(() => call(tell));
      tell('behind it');
      setImmediate(resolve);
    };
    phases.start();
  });
  return order;
}

describe('a call', { skip }, () => {
  it('ticks and microtasks run behind each call, in their order', async () => {
    const order = await told((tell) => {
      process.nextTick(() => {
        tell('tick');
        void Promise.resolve().then(() => {
          tell('microtask of it');
          process.nextTick(() => tell('tick of that'));
        });
      });
      void Promise.resolve().then(() => tell('microtask'));
      setImmediate(() => tell('immediate'));
      tell('call');
    });
    assert.deepEqual(order, ['call', 'tick', 'microtask', 'microtask of it', 'tick of that', 'behind it', 'immediate']);
  });

  it('keeps the context of whoever asks for a tick', async () => {
    const storage = new AsyncLocalStorage<string>();
    const order = await told((tell) => {
      tell(String(storage.getStore()));
      storage.run('inside', () => process.nextTick(() => tell(String(storage.getStore()))));
    });
    assert.deepEqual(order, ['undefined', 'inside', 'behind it']);
  });

  for (const [where, body] of Object.entries({ it: 'THROW', 'a tick of it': 'process.nextTick(() => { THROW });' })) {
    it(`what ${where} throws is uncaught at once, and what calls goes on`, async () => {
      const { status, stdout, stderr } = await run(
        process.execPath,
        moduleText(`
          import { callbackScope } from '${SOURCE}callback-scope.js';
          import { koffiNative } from '${SOURCE}koffi.js';
          const { phases } = koffiNative().eventLoop();
          const apart = callbackScope();
          process.on('uncaughtException', (error) => console.log(error.message));
          phases.beforePoll = () => {
            phases.stop();
            apart(() => { ${body.replace('THROW', "throw new Error('thrown');")} });
            console.log('goes on');
            setImmediate(() => console.log('immediate'));
          };
          phases.start();`),
      );
      assert.deepEqual([status, stdout], [0, 'thrown\ngoes on\nimmediate\n'], stderr);
    });
  }

  it('what is thrown, and caught by nobody, ends the process as Node does, and shows where', async () => {
    const { status, stderr } = await run(
      process.execPath,
      moduleText(`
        import { Reactor } from '${new URL('../../src/index.js', import.meta.url).href}';
        const io = new Reactor();
        await io.sleep(1);
        io.sleep(1).then(() => process.nextTick(() => { throw new Error('by nobody'); }));`),
    );
    assert.equal(status, 1);
    assert.match(stderr, /throw new Error\('by nobody'\)[^]*\^[^]*Error: by nobody/);
  });
});

describe('the native stream', { skip }, () => {
  const load = async (flags: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> => {
    const text = `
      import { nativeStreamClass } from '${SOURCE}native-stream.js';
      console.log(nativeStreamClass().name, process.moduleLoadList.includes('NativeModule tls'));`;
    return run(process.execPath, [...flags, ...moduleText(text)]);
  };

  it('is found, with nothing loaded for it and nobody warned', async () => {
    assert.equal(nativeStreamClass(), nativeStreamClass());
    assert.deepEqual(await load([]), { status: 0, stdout: 'JSStream false\n', stderr: '' });
  });

  it('is found by node:tls where asking for it would warn', async () => {
    assert.deepEqual(await load(['--pending-deprecation']), { status: 0, stdout: 'JSStream true\n', stderr: '' });
  });
});
