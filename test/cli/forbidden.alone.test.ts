// io_uring forbidden on the whole machine for a moment: nothing else may be run beside this.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { Diagnosis } from '../../src/index.ts';
import { run } from '../run.ts';

const iouring = (...args: string[]): ReturnType<typeof run> => run(process.execPath, ['dist/cli/main.js', ...args]);

const SYSCTL = '/proc/sys/kernel/io_uring_disabled';

/** Run `body` with io_uring forbidden to everybody, and put the setting back. False: this may not be done here. */
async function forbidden(value: string, body: () => Promise<void>): Promise<boolean> {
  let before: string;
  try {
    before = readFileSync(SYSCTL, 'utf8');
    writeFileSync(SYSCTL, value);
  } catch {
    return false;
  }
  try {
    await body();
  } finally {
    writeFileSync(SYSCTL, before);
  }
  return true;
}

describe('iouring doctor', () => {
  it('with kernel.io_uring_disabled=2: says why and what to do, exits 1; importing does not throw', async (t) => {
    const done = await forbidden('2', async () => {
      const text = await iouring('doctor');
      assert.equal(text.status, 1);
      assert.match(text.stdout, /^io_uring is NOT usable here\n/);
      assert.match(text.stdout, /cause +.*kernel\.io_uring_disabled is\s+2/s);
      assert.match(text.stdout, /remedy +.*sysctl kernel\.io_uring_disabled=0/);
      const json = await iouring('doctor', '--json');
      assert.equal(json.status, 1);
      const { usable, problem, operations } = JSON.parse(json.stdout) as Diagnosis;
      assert.equal(usable, false);
      assert.equal(problem!.code, 'EPERM');
      assert.deepEqual(operations, []);
      const code = `
        import { IoUring } from ${JSON.stringify(new URL('../../src/index.js', import.meta.url).href)};
        try { new IoUring(8); } catch (e) { console.log(e.code, e.errno, e.syscall, e.message); }`;
      const { stdout, status } = await run(process.execPath, ['--input-type=module', '-e', code]);
      assert.equal(status, 0);
      assert.match(stdout, /^EPERM -1 io_uring_setup EPERM: operation not permitted, io_uring_setup: .*sysctl/);
      const tour = await run(process.execPath, [new URL('../../examples/tour.js', import.meta.url).pathname]);
      assert.equal(tour.status, 1);
      assert.match(tour.stdout + tour.stderr, /kernel\.io_uring_disabled=0/);
    });
    if (!done) t.skip('needs root and the sysctl kernel.io_uring_disabled (Linux 6.6)');
    else assert.equal((await iouring('doctor')).status, 0, 'the setting is put back');
  });
});
