// A process that has used a reactor ends by itself, whatever its eventfd says at that moment.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { it } from '../asking.ts';
import { moduleText, run } from '../run.ts';

const api = new URL('../../src/index.js', import.meta.url).href;

/** A program of its own: what it prints. */
async function printed(program: string): Promise<string> {
  const { status, stdout, stderr } = await run(process.execPath, moduleText(program));
  assert.equal(stderr, '');
  assert.equal(status, 0);
  return stdout;
}

describe('the end of a process', () => {
  it('with a signal that the loop has not seen', async () => {
    // The sleep is over, and signalled, before the turn of the nop finds both; nothing keeps the loop then.
    const program = `
      import { defaultReactor } from '${api}';
      const io = defaultReactor();
      void io.sleep(5).then(() => console.log('slept'));
      setTimeout(() => setImmediate(() => {
        for (const end = performance.now() + 50; performance.now() < end; );
        void io.nop().then(() => console.log('nop'));
      }), 1);`;
    const lines = (await printed(program)).split('\n');
    assert.deepEqual(lines.sort(), ['', 'nop', 'slept']);
  });

  it('with a reactor that a listener for the end still uses', async () => {
    const program = `
      import { defaultReactor } from '${api}';
      const io = defaultReactor();
      process.on('exit', () => { void io.nop(); io.unref(); io.ref(); console.log(io.closed); });
      await io.nop();`;
    assert.equal(await printed(program), 'false\n');
  });
});
