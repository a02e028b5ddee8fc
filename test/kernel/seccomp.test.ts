// Under a seccomp filter like the default ones of Docker, Podman and Kubernetes, made for one child process.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { run } from '../run.ts';

const api = new URL('../../src/index.js', import.meta.url).href;

/** A program that forbids itself the system call `forbidden`, and then asks for a ring and a diagnosis. */
const program = (forbidden: number, errno: number, body: string): string => `
  import koffi from 'koffi';
  import { diagnose, IoUring } from ${JSON.stringify(api)};
  const prctl = koffi.load(null).func('int prctl(int option, ulong a, ulong b, ulong c, ulong d)');
  const before = ${body.includes('before') ? 'new IoUring(8)' : 'undefined'};
  // if (seccomp_data.nr == forbidden) return SECCOMP_RET_ERRNO | errno; return SECCOMP_RET_ALLOW;
  const code = Buffer.alloc(32);
  [[0x20, 0, 0, 0], [0x15, 0, 1, ${forbidden}], [0x06, 0, 0, 0x00050000 + ${errno}], [0x06, 0, 0, 0x7fff0000]]
    .forEach(([op, jt, jf, k], i) => {
      code.writeUInt16LE(op, i * 8);
      code.writeUInt8(jt, i * 8 + 2);
      code.writeUInt8(jf, i * 8 + 3);
      code.writeUInt32LE(k, i * 8 + 4);
    });
  const filter = Buffer.alloc(16);
  filter.writeUInt16LE(4, 0);
  filter.writeBigUInt64LE(koffi.address(code), 8);
  if (prctl(38, 1, 0, 0, 0) !== 0 || prctl(22, 2, koffi.address(filter), 0, 0) !== 0) process.exit(9);
  ${body}`;

const ask = `
  try { new IoUring(8); } catch (error) { console.log(error.code, error.errno, error.syscall, error.message); }
  const { usable, problem } = diagnose();
  console.log(usable, problem.code, problem.cause);`;

async function answer(forbidden: number, errno: number, body: string): Promise<string> {
  const args = ['--input-type=module', '-e', program(forbidden, errno, body)];
  const { status, stdout, stderr } = await run(process.execPath, args);
  assert.equal(status, 0, stderr);
  return stdout;
}

describe('a seccomp filter', () => {
  it('that answers EPERM to io_uring_setup: the message names seccomp and the way out', async () => {
    const text = await answer(425, 1, ask);
    assert.match(text, /^EPERM -1 io_uring_setup .*seccomp filter.*seccomp=unconfined/);
    assert.match(text, /\nfalse EPERM a seccomp filter/);
  });

  it('that answers ENOSYS or EOPNOTSUPP instead: not taken for an old kernel where the kernel has io_uring', async () => {
    const expected = existsSync('/proc/sys/kernel/io_uring_disabled') ? 'seccomp filter' : 'no io_uring';
    assert.match(await answer(425, 38, ask), new RegExp(`^ENOSYS -38 io_uring_setup .*${expected}`));
    assert.match(await answer(425, 95, ask), new RegExp(`^ENOTSUP -95 io_uring_setup .*${expected}`));
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

  it('that forbids io_uring_register: a ring is made without what needs it', async () => {
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
