/** Scenario: `iouring cp` of a tree of small files and of one large file, beside cp and fs.cp. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findInPath, type Command } from './launcher.ts';
import { competitorProgram, inProject } from './project.ts';
import type { Case, Competitor, Context, Scenario } from './scenario.ts';

interface CopyCase extends Case {
  readonly source: string;
  readonly files: number;
}

const SMALL_FILES = 50_000;
const TREE_MIB = 1024;
const LARGE_MIB = 4096;
const LIMIT_MS = 300_000;

/** Have the shell say how long a command took, and what it cost. */
const TIMED = `TIMEFORMAT='{"wall":%R,"user":%U,"system":%S}'; { time "$@" > /dev/null; } 2>&1`;

export async function copies(context: Context): Promise<Scenario<CopyCase>> {
  const { launcher } = context;
  const folder = mkdtempSync(join(tmpdir(), 'iouring-bench-'));
  const cases: CopyCase[] = [
    { group: 'copies', name: `${SMALL_FILES} files of 1–16 KiB`, source: makeTree(folder), files: SMALL_FILES },
    {
      group: 'copies',
      name: `one file of ${LARGE_MIB / 1024} GiB`,
      source: await makeLarge(context, folder),
      files: 1,
    },
  ];
  // What is copied is deleted at the end: ext4 does not soon give what was just deleted out again, and searches long for others.
  let copied = 0;
  const by = (name: string, ...words: string[]): Competitor<CopyCase> => ({
    name,
    place: 'anywhere',
    command: ({ source }): Command => ({
      file: 'bash',
      args: ['-c', TIMED, 'bash', ...words, source, join(folder, `copy ${copied++}`)],
    }),
  });
  const missing = findInPath('bash') === undefined ? 'no bash to measure with: apt-get install bash' : undefined;
  const competitors = [
    by('iouring cp', process.execPath, inProject('dist', 'cli', 'main.js'), 'cp', '--no-progress'),
    by('cp -r', 'cp', '-r'),
    by('cp -a', 'cp', '-a'),
    { ...by('fs.cp', process.execPath, competitorProgram('fs-cp')), takesPart: ({ files }: CopyCase) => files > 1 },
  ];
  return {
    name: 'copies',
    title: 'Copies, on all cores, in the page cache; iouring cp does what cp -a does',
    metrics: [
      { key: 'seconds', title: 'seconds', better: 'lower', digits: 2 },
      { key: 'cpuSeconds', title: 'CPU seconds', better: 'lower', digits: 2, inReadme: true },
    ],
    cases,
    competitors: competitors.map((competitor) => ({ ...competitor, missing })),
    notes: [],
    async measure(competitor, test) {
      const { file, args } = competitor.command(test);
      await freshen(context, join(folder, 'scrap'), test.files === 1 ? LARGE_MIB : TREE_MIB);
      const printed = await launcher.run({ file, args }, 'anywhere', LIMIT_MS);
      const { wall, user, system } = JSON.parse(printed.trim().split('\n').at(-1)!) as Record<string, number>;
      // A large one is gone again at once: there may be no room for all of them.
      if (test.files === 1) rmSync(args.at(-1)!);
      return { seconds: wall, cpuSeconds: user + system };
    },
    async [Symbol.asyncDispose]() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * The same state for each: what the one before has written is on the disk, and there is as much memory at hand as a copy needs. A
 * virtual machine gives what it does not use back to its host, and the first to use it again waits for it.
 */
async function freshen({ launcher }: Context, path: string, mebibytes: number): Promise<void> {
  await launcher.run({ file: 'sync', args: [] }, 'anywhere', LIMIT_MS);
  const args = ['if=/dev/zero', `of=${path}`, 'bs=1M', `count=${mebibytes}`, 'status=none'];
  await launcher.run({ file: 'dd', args }, 'anywhere', LIMIT_MS);
  rmSync(path);
}

function makeTree(folder: string): string {
  const root = join(folder, 'tree');
  for (let i = 0; i < SMALL_FILES; i++) {
    const directory = join(root, `${Math.floor(i / 250)}`);
    if (i % 250 === 0) mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `file ${i}`), Buffer.alloc(1024 + ((i * 7919) % 15_360), 65));
  }
  return root;
}

async function makeLarge({ launcher }: Context, folder: string): Promise<string> {
  const path = join(folder, 'large');
  await launcher.run(
    { file: 'dd', args: ['if=/dev/urandom', `of=${path}`, 'bs=1M', `count=${LARGE_MIB}`, 'status=none'] },
    'anywhere',
    LIMIT_MS,
  );
  return path;
}
