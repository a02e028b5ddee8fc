// The command line as a user runs it: a process of its own, its output and its exit status.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { OPERATIONS } from '../../src/abi/index.ts';
import type { Diagnosis } from '../../src/index.ts';
import { commandOn } from '../kernel/aged-kernel.ts';
import { Temporary } from '../kernel/temporary.ts';
import { run } from '../run.ts';
import { Served } from './serve/served.ts';

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

  it('in a container: says in which it is likely to be', async () => {
    const env = { ...process.env, AWS_LAMBDA_FUNCTION_NAME: 'f' };
    const { stdout } = await run(process.execPath, [main, 'doctor'], { env });
    assert.match(stdout, /^container +likely AWS Lambda$/m);
    const { stdout: json } = await run(process.execPath, [main, 'doctor', '--json'], { env });
    assert.equal((JSON.parse(json) as Diagnosis).container, 'AWS Lambda');
  });

  it('tells which methods the kernel has not, though it has their operation, and since which Linux they are', async () => {
    const { stdout } = await run(process.execPath, [...commandOn('LINUX_5_15'), 'doctor']);
    assert.match(stdout, /^ {2}yes +13 +IORING_OP_ACCEPT +5\.5 +prepAccept, prepAcceptMultishot \(no: Linux 5\.19\)$/m);
    assert.match(stdout, /^ {2}yes +27 +IORING_OP_RECV +5\.6 +prepRecv, prepRecvMultishot \(no: Linux 6\.0\)$/m);
    assert.match(stdout, /^ {2}yes +19 +IORING_OP_CLOSE +5\.6 +prepClose, prepCloseDirect$/m);
  });

  it('on Linux 5.10, where a wait has no time limit: says that it is usable, and what of it is not', async () => {
    const { stdout, stderr } = await run(process.execPath, [...commandOn('LINUX_5_10'), 'doctor']);
    assert.equal(stderr, '');
    assert.match(stdout, /^io_uring is usable here\n/);
    assert.match(stdout, /^drop-ins +go through io_uring, and for sockets through Node: those need Linux 6\.0$/m);
    assert.doesNotMatch(stdout, /IORING_FEAT_EXT_ARG/);
    assert.match(stdout, /^ring descriptor +not registered \(Linux 5\.18\)$/m);
    assert.match(stdout, /^provided buffers +no \(Linux 5\.19\)$/m);
    assert.match(stdout, /^ {2}yes +19 +IORING_OP_CLOSE +5\.6 +prepClose, prepCloseDirect \(no: Linux 5\.15\)$/m);
    assert.match(stdout, /^ {2}no +37 +IORING_OP_MKDIRAT/m);
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
    assert.deepEqual(diagnosis.methods.map(({ name }) => name), OPERATIONS.flatMap(({ methods }) => methods));
    for (const { opcode, name, since, supported } of diagnosis.methods) {
      if (OPERATIONS[opcode].since === since) assert.equal(supported, diagnosis.operations[opcode].supported, name);
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

  for (
    const args of [[], ['nonsense'], ['constructor'], ['toString', '--json'], ['doctor', '--nonsense'], ['doctor',
      'what']]
  ) {
    it(`'iouring ${args.join(' ')}' is wrong usage: a word on stderr, exit 2`, async () => {
      const { status, stdout, stderr } = await iouring(...args);
      assert.equal(status, 2);
      assert.equal(stdout, '');
      assert.match(stderr, /iouring/);
    });
  }
});

describe('iouring, with more on Object.prototype than there should be', () => {
  const more =
    'timeoutMs: -1, rwFlags: 1 << 30, registeredFile: 9999, resolve: 1 << 30, minLeft: () => 7, combine: false, throwIfNoEntry: false, constants: 1';
  const added = `data:text/javascript,${encodeURIComponent(`Object.assign(Object.prototype, { ${more} })`)}`;
  for (const [way, disabled] of [['through io_uring', '0'], ['through Node', '1']]) {
    const env = { ...process.env, NODE_OPTIONS: `--import ${added}`, IOURING_DISABLED: disabled };

    it(`${way}: cp copies as it does without`, async () => {
      using folder = new Temporary();
      mkdirSync(join(folder.path, 'source/d'), { recursive: true });
      for (const name of ['small', 'd/small']) folder.file(`source/${name}`, 'x');
      folder.file('source/large', Buffer.alloc(3_000_000, 'x'));
      for (const from of ['source', 'source/.']) {
        const { status, stderr } = await run(process.execPath, [main, 'cp', '--no-progress', `${folder.path}/${from}`,
          join(folder.path, 'new')], { env });
        assert.equal(status, 0, stderr);
      }
      execFileSync('diff', ['-r', join(folder.path, 'source'), join(folder.path, 'new')]);
      assert.equal(
        (await run(process.execPath, [main, 'cp', join(folder.path, 'nothing'), join(folder.path, 'x')], { env }))
          .status,
        1,
      );
    });

    it(`${way}: serve answers as it does without`, async () => {
      using folder = new Temporary();
      folder.file('small', '0123456789');
      folder.file('large', Buffer.alloc(1_000_000, 'x'));
      await using served = await Served.start(folder.path, ['--list'], env);
      assert.equal((await served.get('/small', { Range: 'bytes=0-1,1-3' })).body.toString(), '0123');
      assert.equal((await served.get('/large')).body.length, 1_000_000);
      assert.ok((await served.get('/')).body.includes('>small<'));
      assert.equal((await served.get('/nothing')).status, 404);
      assert.equal(await served.stop(), 0);
    });
  }
});
