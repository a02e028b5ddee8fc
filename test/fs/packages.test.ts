// Packages that thousands of programs use, on ours and on Node: what they print is the same, and it went through the
// ring.
// slow: the tests of whole packages
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Temporary } from '../kernel/temporary.ts';
import { run } from '../run.ts';

const file = (path: string): string => new URL(path, import.meta.url).pathname;

/** For graceful-fs. The runtime itself has some twenty, and opens as many more as modules are loaded at once. */
const DESCRIPTORS_MAX = 160;
/** A program that waits for ever is ended. On a loaded machine one takes more than a minute. */
const SECONDS_MAX = 600;

/**
 * So many of these operations at least go through the ring; the loader of the program itself has a few. What a package
 * does at once it may not need to do: of fs-extra's 100 files in 7 folders each asks first whether its folder is there,
 * so that it makes between 90 and 290 folders.
 */
const PROGRAMS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'fs-extra': { open: 300, read: 150, write: 80, lstat: 1000, mkdir: 80, rename: 5, unlink: 400, symlink: 10 },
  'graceful-fs': { open: 2000, read: 1500, write: 1000, close: 1500, fstat: 300, stat: 300, rename: 300 },
  tar: { open: 1000, read: 1000, write: 1000, close: 1000, lstat: 2000, mkdir: 100, symlink: 15, unlink: 150 },
  'fast-glob': { lstat: 1500, stat: 100 },
  chokidar: { lstat: 300, stat: 150 },
};

const SWAPPED = ['--import', file('swap-fs.js')];

/** What a program printed. */
async function printed(
  program: string,
  folder: string,
  loader: string[] = [],
  more: NodeJS.ProcessEnv = {},
): Promise<string[]> {
  mkdirSync(folder);
  const node = [process.execPath, ...loader, file(`packages/${program}.js`), folder];
  const limited = ['-c', `ulimit -n ${DESCRIPTORS_MAX} && exec timeout ${SECONDS_MAX} "$@"`, 'sh', ...node];
  const env = { ...process.env, SWAP_FS_REPORT: `${folder}.json`, ...more };
  const { status, stdout, stderr } = await run('sh', limited, { env });
  assert.equal(stderr, '', program);
  assert.equal(status, 0, program);
  return stdout.split('\n');
}

/** What went through the ring. */
function countsOf(folder: string): Record<string, number> {
  return JSON.parse(readFileSync(`${folder}.json`, 'utf8')) as Record<string, number>;
}

describe('packages', () => {
  for (const [program, least] of Object.entries(PROGRAMS)) {
    it(program, async (t) => {
      using temporary = new Temporary();
      // Names of the same length: some of them are what links are made of, and so the sizes of these.
      const right = await printed(program, join(temporary.path, 'node'));
      // And where there is no ring.
      const [ours, without] = await Promise.all([
        printed(program, join(temporary.path, 'ours'), SWAPPED),
        printed(program, join(temporary.path, 'none'), SWAPPED, { IOURING_DISABLED: '1' }),
      ]);
      assert.ok(right.length > 20, 'the program does something');
      // Each line by itself: all of them would be a long list to look for the difference in.
      for (const [i, line] of right.entries()) assert.equal(ours[i], line);
      assert.equal(ours.length, right.length);
      assert.deepEqual(without, right);
      assert.deepEqual(countsOf(join(temporary.path, 'none')), {});
      const counts = countsOf(join(temporary.path, 'ours'));
      const all = Object.entries(counts).map(([name, n]) => `${name} ${n}`);
      t.diagnostic(`through the ring: ${all.join(', ')}`);
      const few = Object.entries(least).filter(([name, n]) => (counts[name] ?? 0) < n);
      assert.deepEqual(few, [], 'these did not go through the ring');
    });
  }
});
