// Under a seccomp filter like the default ones of Docker, Podman and Kubernetes, made for one child process.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe } from 'node:test';
import { it, without } from '../asking.ts';
import { moduleText, run } from '../run.ts';
import { forbid } from './seccomp-filter.ts';

const api = new URL('../../src/index.js', import.meta.url).href;

/** A program that does `setup`, forbids itself the system calls `forbidden`, and does `body`. */
const program = (forbidden: number | readonly number[], errno: number, body: string, setup: string): string => `
  import koffi from 'koffi';
  import { diagnose, IoUring } from ${JSON.stringify(api)};
  const before = ${`${setup}${body}`.includes('before') ? 'new IoUring(8)' : 'undefined'};
  ${setup}
  ${forbid(forbidden, errno)}
  ${body}`;

const ask = `
  try { new IoUring(8); } catch (error) { console.log(error.code, error.errno, error.syscall, error.message); }
  const { usable, problem } = diagnose();
  console.log(usable, problem.code, problem.cause);`;

async function answer(
  forbidden: number | readonly number[],
  errno: number,
  body: string,
  setup = '',
): Promise<string> {
  const args = moduleText(program(forbidden, errno, body, setup));
  const { status, stdout, stderr } = await run(process.execPath, args);
  assert.equal(status, 0, stderr);
  return stdout;
}

describe('a seccomp filter', () => {
  it('that answers EPERM to io_uring_setup: the message names seccomp and the way out', async () => {
    const text = await answer(425, 1, ask);
    assert.match(text, /^EPERM -1 io_uring_setup .*seccomp filter.*unconfined/i);
    assert.match(text, /\nfalse EPERM a seccomp filter/);
  });

  it('that answers ENOSYS or EOPNOTSUPP instead: not taken for an old kernel where the kernel has io_uring', async () => {
    const expected = existsSync('/proc/sys/kernel/io_uring_disabled') ? 'seccomp filter' : 'no io_uring';
    assert.match(await answer(425, 38, ask), new RegExp(`^ENOSYS -38 io_uring_setup .*${expected}`));
    assert.match(await answer(425, 95, ask), new RegExp(`^ENOTSUP -95 io_uring_setup .*${expected}`));
  });

  it('in a container: the message names its default profile, and what to run it with', async (t) => {
    // Those that come before it are not to be found by what they leave.
    const setup =
      "delete process.env.AWS_LAMBDA_FUNCTION_NAME; delete process.env.KUBERNETES_SERVICE_HOST; process.env.container = 'podman';";
    if (existsSync('/var/run/secrets/kubernetes.io')) return t.skip('this is a Kubernetes');
    for (const errno of existsSync('/proc/sys/kernel/io_uring_disabled') ? [1, 38] : [1]) {
      assert.match(
        await answer(425, errno, ask, setup),
        /io_uring_setup .*seccomp filter.*Podman's default profile; podman run --security-opt seccomp=iouring\.json/,
      );
    }
  });

  it('that forbids io_uring_enter to a ring that is open: an error, its entries still queued, and it closes', async (t) => {
    const own = readFileSync('/proc/self/maps', 'utf8').includes('io_uring');
    if (own) return t.skip('this Node has a ring for its own event loop, and aborts when it may not enter that');
    const body = `
      before.prepNop(1);
      try { before.submit(); } catch (error) { console.log(error.code, error.syscall); }
      before.prepRead(0, new Uint8Array(8), 8, 2);
      before.close();
      console.log('closed', before.closed);`;
    assert.equal(await answer(426, 1, body), 'EPERM io_uring_enter\nclosed true\n');
  });

  it('that forbids io_uring_enter while a read is in flight: every way in says so, and its memory is kept for ever', async (t) => {
    const own = readFileSync('/proc/self/maps', 'utf8').includes('io_uring');
    if (own) return t.skip('this Node has a ring for its own event loop, and aborts when it may not enter that');
    const setup = `
      const { O_NONBLOCK } = (await import('node:fs')).constants;
      const pipe = koffi.load(null).func('int pipe2(_Out_ int *fds, int flags)');
      const fds = [0, 0];
      pipe(fds, 0o2000000);
      const { collect } = await import('${new URL('./collect.js', import.meta.url).href}');
      const weak = (() => {
        const buffer = new Uint8Array(64);
        before.prepRead(fds[0], buffer, 64, 1);
        before.submit();
        return new WeakRef(buffer);
      })();`;
    const body = `
      for (const enter of [
        () => (before.prepNop(2), before.submit()),
        () => before.submitAndWait(1),
        () => before.submitAndWait(1, { timeoutMs: 1000 }),
        () => before.forEachCompletion(() => {}),
      ]) {
        try { console.log(enter()); } catch (error) { console.log(error.code, error.syscall); }
      }
      const start = performance.now();
      before.close();
      console.log(before.closed, performance.now() - start < 4000);
      await new Promise((resolve) => setImmediate(resolve));
      collect();
      await new Promise((resolve) => setImmediate(resolve));
      console.log(weak.deref() !== undefined);`;
    const refused = 'EPERM io_uring_enter\n'.repeat(3);
    // Nothing is deferred: reaping does not enter.
    assert.equal(await answer(426, 1, body, setup), `${refused}0\ntrue true\ntrue\n`);
  });

  it('that forbids io_uring_enter with ENOSYS, or all three calls: an error with a code, never a crash', {
    skip: without('5.18', 'unknown registrations that are refused at once'),
  }, async (t) => {
    const own = readFileSync('/proc/self/maps', 'utf8').includes('io_uring');
    if (own) return t.skip('this Node has a ring for its own event loop, and aborts when it may not enter that');
    const body = `
      try { new IoUring(8).submitAndWait(1); } catch (error) { console.log(error.code, error.syscall); }
      before.prepNop(1);
      for (const call of [() => before.submit(), () => before.registerBufRing(2, 16, 1), () => before.probe()]) {
        try { call(); } catch (error) { console.log(error.code, error.syscall); }
      }
      before.close();
      console.log('closed', before.closed);`;
    const enter = await answer(426, 38, body);
    assert.equal(enter, 'ENOSYS io_uring_enter\nENOSYS io_uring_enter\nclosed true\n');
    const all = await answer([425, 426, 427], 1, body);
    const each = ['setup', 'enter', 'register', 'register'].map((name) => `EPERM io_uring_${name}\n`).join('');
    assert.equal(all, `${each}closed true\n`);
  });

  it('that forbids io_uring_register to a ring that is open: each registration says so, operations go on', {
    skip: without('5.18', 'unknown registrations that are refused at once'),
  }, async () => {
    const body = `
      const calls = [
        () => before.registerBuffers([new Uint8Array(8)]), () => before.registerFiles([0]), () => before.registerEventfd(0),
        () => before.registerBufRing(2, 16, 1), () => before.resizeRings(16), () => before.registerPersonality(),
        () => before.registerSyncCancel(1), () => before.probe(), () => before.unregisterBuffers(),
      ];
      for (const call of calls) {
        try { console.log(call()); } catch (error) { console.log(error.code, error.syscall); }
      }
      const buffer = new Uint8Array(8);
      before.prepRead((await import('node:fs')).openSync('/dev/zero'), buffer, 8, 3);
      before.submitAndWait(1);
      before.forEachCompletion((c) => console.log(c.userData, c.res));
      before.close();
      console.log('closed', before.closed);`;
    assert.equal(await answer(427, 1, body), `${'EPERM io_uring_register\n'.repeat(9)}3 8\nclosed true\n`);
  });

  it('that forbids io_uring_register: a ring is made without what needs it', {
    skip: without('5.18', 'unknown registrations that are refused at once'),
  }, async () => {
    const body = `
      const ring = new IoUring(8);
      ring.prepNop(5);
      ring.submitAndWait(1);
      ring.forEachCompletion((c) => console.log(c.userData, c.res, ring.registeredFd));
      try { ring.registerBufRing(2, 16, 1); } catch (error) { console.log(error.code, error.syscall); }
      ring.close();`;
    assert.equal(await answer(427, 1, body), '5 0 undefined\nEPERM io_uring_register\n');
  });
});
