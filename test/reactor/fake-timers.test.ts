// A program under test that puts fake timers in the place of Node's after this package was loaded: the reactor, the
// files and the sockets go on as node:fs and node:net do.
// slow: starts programs
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { it } from '../asking.ts';
import { programOn } from '../kernel/aged-kernel.ts';
import { moduleText, run } from '../run.ts';

const ROOT = new URL('../../../', import.meta.url).href;
const at = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);

/** The text of a program with fake timers, all that there are, that never go on. */
const faked = (imports: string, body: string): string => `
  import { createRequire } from 'node:module';
  ${imports}
  const FakeTimers = createRequire(${JSON.stringify(ROOT)})('@sinonjs/fake-timers');
  const clock = FakeTimers.install();
  const before = performance.now();
  ${body}
  console.log('done', performance.now() === before);
  clock.uninstall();`;

async function printed(text: string, env: NodeJS.ProcessEnv = {}, flags: string[] = []): Promise<string> {
  const { status, stdout, stderr } = await run('timeout', ['20', process.execPath, ...moduleText(text, ...flags)], {
    env: { ...process.env, ...env },
  });
  assert.equal(status, 0, stderr + stdout);
  return stdout;
}

describe('with fake timers', () => {
  for (const wait of ['ring', 'loop']) {
    it(`operations settle, one at a time and many at once, with time limits too; wait: '${wait}'`, async () => {
      const body = `
        const io = new Reactor({ wait: '${wait}', entries: 8 });
        for (let i = 0; i < 30; i++) await io.sleep(2);
        await Promise.all(Array.from({ length: 200 }, () => io.nop()));
        await Promise.all(Array.from({ length: 50 }, () => io.sleep(1)));
        console.log(await io.sleep(1e6, { timeoutMs: 5 }).catch(({ name }) => name));
        const memory = io.allocate(4096);
        const place = io.registerFile(0);
        void io.nop();
        io.unregisterFile(place);
        await io.nop();
        await io.close();`;
      assert.equal(
        await printed(faked(`import { Reactor } from ${at('index.js')};`, body)),
        'TimeoutError\ndone true\n',
      );
    });
  }

  it('waits of a ring by itself end, in a worker too', async () => {
    const waiting = `
      const ring = new IoUring(8);
      ring.submitAndWait(1, { timeoutMs: 20 });
      ring.prepTimeout(30, 1);
      ring.submitAndWait(1, { timeoutMs: 5000 });
      ring.close();`;
    const imports = `import { IoUring } from ${at('index.js')};`;
    assert.equal(await printed(faked(imports, waiting)), 'done true\n');
    const text = `
      import { Worker } from 'node:worker_threads';
      const text = ${JSON.stringify(faked(imports, waiting))};
      new Worker(new URL('data:text/javascript,' + encodeURIComponent(text)));`;
    assert.equal(await printed(text), 'done true\n');
  });

  it('waits of a ring by itself end on Linux 5.10, which limits none', async (t) => {
    if (process.versions['deno'] !== undefined) return t.skip('needs --import, which Deno evaluates otherwise');
    const body = `
      const ring = new IoUring(8);
      ring.prepPollAdd(0, 0, 1);
      ring.submitAndWait(1, { timeoutMs: 20 });
      ring.close();`;
    const text = faked(`import { IoUring } from ${at('index.js')};`, body);
    assert.equal(await printed(text, {}, programOn('LINUX_5_10', '5.10.0')), 'done true\n');
  });

  it('files are read, many at once', async () => {
    const body = `
      const texts = await Promise.all(Array.from({ length: 600 }, () => fs.readFile('/proc/self/comm', 'utf8')));
      console.log(texts.length, (await fs.stat('/')).isDirectory());`;
    assert.equal(await printed(faked(`import * as fs from ${at('fs/index.js')};`, body)), '600 true\ndone true\n');
  });

  it('a worker’s reactor goes on', async () => {
    const body = `
      const io = new Reactor();
      for (let i = 0; i < 30; i++) await io.sleep(2);
      await io.close();`;
    const text = `
      import { Worker } from 'node:worker_threads';
      const text = ${JSON.stringify(faked(`import { Reactor } from ${at('index.js')};`, body))};
      new Worker(new URL('data:text/javascript,' + encodeURIComponent(text)));`;
    assert.equal(await printed(text), 'done true\n');
  });
});

describe('IOURING_WAIT', () => {
  const program = `
    import { defaultReactor } from ${at('index.js')};
    import { Waits } from ${JSON.stringify(new URL('./waits.js', import.meta.url).href)};
    process.on('warning', ({ code, message }) => console.log(code, message));
    const io = defaultReactor();
    const waits = new Waits(io);
    for (let i = 0; i < 100 && waits.count < 10; i++) await io.sleep(2);
    console.log(waits.count > 0 ? 'ring' : 'loop');`;

  it('chooses how the default reactor waits: in the ring unless it says loop', async () => {
    assert.equal(await printed(program), 'ring\n');
    assert.equal(await printed(program, { IOURING_WAIT: '' }), 'ring\n');
    assert.equal(await printed(program, { IOURING_WAIT: 'ring' }), 'ring\n');
    assert.equal(await printed(program, { IOURING_WAIT: 'loop' }), 'loop\n');
  });

  it('with another word is ignored, and a warning says so once', async () => {
    const message = "The environment variable IOURING_WAIT is 'Loop', and is ignored: it can be 'ring' or 'loop'";
    assert.equal(await printed(program, { IOURING_WAIT: 'Loop' }), `IOURING_WAIT ${message}\nring\n`);
  });
});
