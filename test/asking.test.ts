// Tests that a kernel is too old for are skipped by the name of what they need: only those, and with the reason.
import assert from 'node:assert/strict';
import { release } from 'node:os';
import { before, describe, it } from 'node:test';
import { neededBy, without } from './asking.ts';
import { programOn } from './kernel/aged-kernel.ts';
import { run } from './run.ts';

describe('what a test needs of the kernel', () => {
  it('is missing on kernels before the one that brought it', () => {
    assert.equal(without('99.0', 'a thing'), `needs Linux 99.0 (a thing), this is ${release()}`);
    assert.equal(without('5.1', 'a thing'), false);
  });

  it('is read from the error that a test fails with', () => {
    const refused = new Error('Cannot send several buffers without a msghdr: needs Linux 99.17, this is 6.1');
    const inside = new Error('the test failed', {
      cause: new Error('EINVAL: invalid argument, accept: needs Linux 99.2'),
    });
    assert.match(neededBy(refused)!, /^needs Linux 99\.17 \(Cannot send several buffers without a msghdr\), this is /);
    assert.match(neededBy(inside)!, /^needs Linux 99\.2 \(accept\), this is /);
  });

  it('is no excuse for a failure of another kind, or on a kernel that has it', () => {
    assert.equal(neededBy(new assert.AssertionError({ actual: 1, expected: 2 })), undefined);
    assert.equal(neededBy(new Error('the kernel answers EINVAL')), undefined);
    assert.equal(neededBy(new Error('needs Linux 5.1, this is 5.0')), undefined);
  });
});

/** Tests, by what they do: their bodies, and what becomes of them on Linux 5.15. */
const CASES = {
  'calls a method that the kernel does not have, and fails, is skipped by its name': [
    "ring.prepSocket(2, 1, 0, 1); throw new Error('nothing came');",
    '# SKIP needs Linux 5.19 (prepSocket), this is 5.15.7',
  ],
  'is refused by name, is skipped by that': [
    'ring.registerBufRing(4, 64, 1);',
    '# SKIP needs Linux 5.19 (IORING_REGISTER_PBUF_RING), this is 5.15.7',
  ],
  'lacks something else, is skipped by what it says': [
    "throw new Missing('needs two processors');",
    '# SKIP needs two processors',
  ],
  'calls such a method, and does not fail, is passed': ['ring.prepSocket(2, 1, 0, 1);', ''],
  'fails for a reason of its own, is failed': ["ring.prepNop(1); throw new Error('its own');", 'not ok'],
};

describe('a test on Linux 5.15', () => {
  let said: string;
  before(async () => {
    const place = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
    const tests = Object.entries(CASES).map(([name, [body]]) => `
      it('${name}', () => {
        const ring = new IoUring(4);
        try { ${body} } finally { ring.close(); }
      });`);
    const text = `
      import { IoUring } from ${place('../src/index.js')};
      import { it, Missing } from ${place('./asking.js')};
      ${tests.join('')}`;
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const args = [...programOn('LINUX_5_15', '5.15.7'), '--test-reporter=tap', '--input-type=module', '-e', text];
    const { stdout, stderr } = await run(process.execPath, args, { env });
    said = stdout + stderr;
  });

  for (const [i, [name, [, end]]] of Object.entries(CASES).entries()) {
    it(`that ${name}`, () => {
      const line = end === 'not ok' ? `not ok ${i + 1} - ${name}` : `ok ${i + 1} - ${name} ${end}`.trimEnd();
      assert.ok(said.split('\n').includes(line), said);
    });
  }
});
