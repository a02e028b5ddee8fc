// slow: runs files of the suite, each in a process of its own
// Tests of the suite on a kernel that is too old for some of them: those are skipped by the name of what they need, and the others pass.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { without } from './asking.ts';
import { programOn } from './kernel/aged-kernel.ts';
import { run } from './run.ts';

const VERSION = '5.15.7';

/** Files that ask for much that came later, and the feature that the most of that needs. */
const FILES = [
  ['kernel/buffer-groups', 'IORING_REGISTER_PBUF_RING'],
  ['kernel/registrations', 'IORING_REGISTER_PBUF_RING'],
  ['reactor/operations', 'socket'],
];

describe(`on a kernel with what Linux 5.15 had, which calls itself ${VERSION}`, () => {
  for (const [file, feature] of FILES) {
    const skip = without('5.15', 'what this kernel is to look like');
    it(`test/${file}.test.ts skips by name what needs a younger one, and fails in nothing`, { skip }, async () => {
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      const path = fileURLToPath(new URL(`./${file}.test.js`, import.meta.url));
      const args = [...programOn('LINUX_5_15', VERSION), '--test-reporter=tap', path];
      const { status, stdout, stderr } = await run(process.execPath, args, { env });
      assert.doesNotMatch(stdout, /^ *not ok/m, stderr);
      assert.equal(status, 0, stdout + stderr);
      const results = stdout.match(/^ *ok \d.*$/gm)!;
      const skipped = results.filter((line) => line.includes('# SKIP'));
      // A machine may lack something else as well, such as a file system with direct I/O.
      for (const line of skipped) {
        assert.match(line, line.includes('Linux') ? /# SKIP .*needs Linux \d+\.\d+.*, this is 5\.15\.7$/ : /# SKIP \S/);
      }
      const named = `# SKIP needs Linux 5.19 (${feature}), this is ${VERSION}`;
      assert.ok(skipped.some((line) => line.endsWith(named)), skipped.join('\n'));
      assert.ok(results.length > skipped.length, 'the others are run');
    });
  }
});
