// io_uring forbidden by the administrator's switch, for the programs that are started here and nobody else: a mount namespace shows them
// the setting, and a seccomp filter answers as the kernel does with it. scripts/kernels/checks.mjs sets it in earnest, in a machine of its own.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Diagnosis } from '../../src/index.ts';
import { forbid, IO_URING_SETUP } from '../kernel/seccomp-filter.ts';
import { run } from '../run.ts';

const SYSCTL = '/proc/sys/kernel/io_uring_disabled';
const EPERM = 1;
const UNSHARE = ['--map-root-user', '--mount'];

const folder = mkdtempSync(join(tmpdir(), 'iouring-forbidden-'));
after(() => rmSync(folder, { recursive: true }));

/** Forbids itself io_uring, and with that the program that it starts, whose arguments are its own. */
const launcher = `
  import koffi from 'koffi';
  import { spawnSync } from 'node:child_process';
  ${forbid(IO_URING_SETUP, EPERM)}
  process.exit(spawnSync(process.execPath, process.argv.slice(1), { stdio: 'inherit' }).status);`;

/** Run Node where `kernel.io_uring_disabled` is `value`. */
async function nodeWith(value: string, ...args: string[]): ReturnType<typeof run> {
  const file = join(folder, value);
  writeFileSync(file, `${value}\n`);
  const script = `mount --bind "$0" ${SYSCTL} && exec "$@"`;
  const node = [process.execPath, '--input-type=module', '-e', launcher, '--', ...args];
  return run('unshare', [...UNSHARE, 'sh', '-c', script, file, ...node]);
}

function obstacle(): string | false {
  if (!existsSync(SYSCTL)) return 'needs the sysctl kernel.io_uring_disabled (Linux 6.6)';
  try {
    execFileSync('unshare', [...UNSHARE, 'mount', '--bind', '/dev/null', SYSCTL], { stdio: 'pipe' });
    return false;
  } catch (error) {
    return `needs a mount namespace of its own: ${(error as Error).message.trim().split('\n').at(-1)}`;
  }
}

const MAIN = 'dist/cli/main.js';
const CASES = [
  {
    value: '2',
    cause: 'the administrator disabled io_uring for all processes (kernel.io_uring_disabled is 2)',
    remedy: 'as root: sysctl kernel.io_uring_disabled=0',
  },
  {
    value: '1',
    cause: 'the administrator reserved io_uring for CAP_SYS_ADMIN and one group (kernel.io_uring_disabled is 1)',
    remedy: 'join the group in kernel.io_uring_group, or as root: sysctl kernel.io_uring_disabled=0',
  },
];

const skip = obstacle();

for (const { value, cause, remedy } of CASES) {
  describe(`given kernel.io_uring_disabled=${value}`, { skip }, () => {
    it('the doctor says why and what to do, and exits with 1', async () => {
      const { status, stdout } = await nodeWith(value, MAIN, 'doctor');
      assert.equal(status, 1);
      assert.match(stdout, /^io_uring is NOT usable here\n/);
      // Its lines are broken where a terminal ends.
      const text = stdout.replaceAll(/\s+/g, ' ');
      assert.ok(text.includes(` cause ${cause} remedy ${remedy} `), stdout);
    });

    it('the doctor says so as JSON', async () => {
      const { status, stdout } = await nodeWith(value, MAIN, 'doctor', '--json');
      assert.equal(status, 1);
      const { usable, problem, operations } = JSON.parse(stdout) as Diagnosis;
      assert.equal(usable, false);
      assert.equal(problem!.code, 'EPERM');
      assert.deepEqual(operations, []);
    });

    it('the package can be imported, and a ring is refused with EPERM and the way out', async () => {
      const code = `
        import { IoUring } from ${JSON.stringify(new URL('../../src/index.js', import.meta.url).href)};
        try { new IoUring(8); } catch (e) { console.log(e.code, e.errno, e.syscall, e.message); }`;
      const { stdout, status } = await nodeWith(value, '--input-type=module', '-e', code);
      assert.equal(status, 0);
      assert.match(stdout, /^EPERM -1 io_uring_setup EPERM: operation not permitted, io_uring_setup: .*sysctl/);
    });

    it('an example ends with the way out', async () => {
      const { status, stdout, stderr } = await nodeWith(
        value,
        new URL('../../examples/tour.js', import.meta.url).pathname,
      );
      assert.equal(status, 1);
      assert.match(stdout + stderr, /kernel\.io_uring_disabled=0/);
    });
  });
}

it('the setting of the machine stays what it is', { skip }, async () => {
  const before = readFileSync(SYSCTL, 'utf8');
  const seen = await nodeWith('2', '-p', `require('fs').readFileSync(${JSON.stringify(SYSCTL)}, 'utf8')`);
  assert.equal(seen.stdout, '2\n\n');
  assert.equal(readFileSync(SYSCTL, 'utf8'), before);
});
