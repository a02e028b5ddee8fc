// Under a limit on locked memory, which counts for everybody but root (CAP_IPC_LOCK).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, type TestContext } from 'node:test';
import { it } from '../asking.ts';
import { moduleText, run } from '../run.ts';

const api = new URL('../../src/index.js', import.meta.url).href;

/** A user of nobody's: what a user has locked is counted over all processes. */
const USER = 60_000 + (process.pid % 5000);

/** What a program says that may lock so many KiB; undefined where that cannot be had. */
async function under(t: TestContext, kilobytes: number, body: string): Promise<string | undefined> {
  if (process.getuid?.() !== 0) {
    t.skip('needs root, to become somebody else');
    return undefined;
  }
  if (readFileSync('/proc/self/maps', 'utf8').includes('io_uring')) {
    t.skip('this Node has a ring for its own event loop, which counts too');
    return undefined;
  }
  const program = `
    import { IoUring } from ${JSON.stringify(api)};
    const attempt = (what, call) => {
      try { console.log(what, call()); } catch (error) { console.log(what, error.code, error.syscall, error.message); }
    };
    ${body}`;
  const script = `ulimit -l ${kilobytes}; exec "$0" "$@"`;
  const { status, stdout, stderr } = await run('sh', ['-c', script, process.execPath, ...moduleText(program)], {
    uid: USER,
    gid: USER,
  });
  if (/EACCES|ERR_MODULE_NOT_FOUND|Permission denied/.test(stderr)) {
    t.skip('this folder cannot be read by others');
    return undefined;
  }
  assert.equal(status, 0, stderr);
  return stdout;
}

describe('RLIMIT_MEMLOCK', () => {
  it('a ring that is too large for it: ENOMEM, with the limit and the way out; smaller ones go', async (t) => {
    const body = `
      attempt('small', () => { const ring = new IoUring(8); ring.prepNop(7); ring.submitAndWait(1); const n = ring.forEachCompletion(() => {}); ring.close(); return n; });
      attempt('large', () => new IoUring(4096).closed);
      attempt('again', () => new IoUring(8).closed);`;
    const said = await under(t, 64, body);
    if (said === undefined) return;
    if (/^large false$/m.test(said)) return t.skip('this kernel does not count rings');
    assert.match(said, /^small 1$/m);
    assert.match(said, /^large ENOMEM io_uring_setup .*65536 bytes.*fewer entries.*ulimit -l/m);
    assert.match(said, /^again false$/m, 'nothing is left of what was refused');
  });

  it('of nothing at all: the message says so', async (t) => {
    const said = await under(t, 0, "attempt('ring', () => new IoUring(8).closed);");
    if (said === undefined) return;
    if (said === 'ring false\n') return t.skip('this kernel does not count rings');
    assert.match(said, /^ring ENOMEM io_uring_setup .*\(0 bytes\)/);
  });

  it('buffers and buffer rings that would lock more: ENOMEM with the way out, and the ring works on', async (t) => {
    const body = `
      const ring = new IoUring(8);
      attempt('buffers', () => ring.registerBuffers([new Uint8Array(2 ** 20)]));
      attempt('group', () => ring.registerBufRing(32768, 1, 1).entries);
      attempt('small', () => ring.registerBufRing(2, 64, 2).entries);
      attempt('nop', () => { ring.prepNop(7); ring.submitAndWait(1); return ring.forEachCompletion(() => {}); });
      ring.close();
      attempt('again', () => new IoUring(8).closed);`;
    const said = await under(t, 64, body);
    if (said === undefined) return;
    assert.match(said, /^buffers ENOMEM io_uring_register .*ulimit -l/m);
    assert.match(said, /^group (ENOMEM io_uring_register .*ulimit -l|32768)/m);
    assert.match(said, /^small 2$/m);
    assert.match(said, /^nop 1$/m);
    assert.match(said, /^again false$/m);
  });
});
