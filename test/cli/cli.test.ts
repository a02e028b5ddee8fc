// The command line as a user runs it: a process of its own, its output and its exit status.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { OPERATIONS } from '../../src/abi/index.ts';
import type { Diagnosis } from '../../src/index.ts';
import { run } from '../run.ts';

const main = 'dist/cli/main.js';
const iouring = (...args: string[]): ReturnType<typeof run> => run(process.execPath, [main, ...args]);

describe('iouring doctor', () => {
  it('says that io_uring is usable, with what, and exits 0', async () => {
    const { status, stdout, stderr } = await iouring('doctor');
    assert.equal(stderr, '');
    assert.equal(status, 0);
    assert.match(stdout, /^io_uring is usable here\n/);
    assert.match(stdout, /set up with +IORING_SETUP_/);
    assert.match(stdout, /features +IORING_FEAT_/);
    for (const { name } of OPERATIONS) assert.match(stdout, new RegExp(`(yes|no ) +\\d+ +${name}\\b`));
  });

  it('--json says the same for programs', async () => {
    const { status, stdout } = await iouring('doctor', '--json');
    assert.equal(status, 0);
    const diagnosis = JSON.parse(stdout) as Diagnosis;
    assert.equal(diagnosis.usable, true);
    assert.equal(diagnosis.problem, undefined);
    assert.ok(diagnosis.ring!.setupFlags.length > 0);
    assert.ok(diagnosis.ring!.features.includes('IORING_FEAT_NODROP'));
    assert.ok(diagnosis.operations.length >= OPERATIONS.length);
    for (const name of ['IORING_OP_NOP', 'IORING_OP_READ', 'IORING_OP_RECV', 'IORING_OP_ASYNC_CANCEL']) {
      assert.equal(diagnosis.operations.find((operation) => operation.name === name)?.supported, true, name);
    }
  });
});

describe('iouring', () => {
  it('--help and --version answer on stdout and exit 0', async () => {
    const help = await iouring('--help');
    assert.equal(help.status, 0);
    assert.match(help.stdout, /^Usage: iouring COMMAND/);
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    assert.deepEqual(await iouring('--version'), { status: 0, stdout: `${version}\n`, stderr: '' });
  });

  for (const args of [[], ['nonsense'], ['doctor', '--nonsense'], ['doctor', 'what']]) {
    it(`'iouring ${args.join(' ')}' is wrong usage: a word on stderr, exit 2`, async () => {
      const { status, stdout, stderr } = await iouring(...args);
      assert.equal(status, 2);
      assert.equal(stdout, '');
      assert.match(stderr, /iouring/);
    });
  }
});
