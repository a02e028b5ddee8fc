/** Scenario: what programs do with files through `iouring/fs`, beside node:fs in all its forms. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onBun, onIoUring, onNode } from './contenders.ts';
import { type Case, type Competitor, type Context, measureLoop, type Scenario } from './scenario.ts';

interface FilesCase extends Case {
  readonly work: string;
}

const FILES = 20_000;
const BIG_BYTES = 256 * 1024 * 1024;

const CASES: readonly FilesCase[] = [
  ['read', 'FileHandle.read, 4 KiB, 64 at a time'],
  ['readFile', 'readFile, 1–16 KiB, 64 at a time'],
  ['stat', 'stat, 64 at a time'],
  ['writeFile', 'writeFile, 4 KiB, 64 at a time'],
  ['single', 'readFile, one at a time'],
  ['streamRead', 'createReadStream, 64 KiB'],
  ['streamWrite', 'createWriteStream, 64 KiB'],
].map(([work, name]) => ({ group: 'files', name, work }));

export async function files(context: Context): Promise<Scenario<FilesCase>> {
  const { launcher } = context;
  const folder = makeFiles();
  // In memory, if there is such a place: on a disk it is the file system's search for room that is measured.
  const scrap = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'iouring-bench-'));
  for (let i = 0; i < 100; i++) mkdirSync(join(scrap, `${i}`));
  const ways = (module: string) => (test: FilesCase) => [
    '--module',
    module,
    '--work',
    test.work,
    '--folder',
    folder,
    '--scrap',
    scrap,
    '--files',
    `${FILES}`,
  ];
  const isOf = (...works: string[]) => ({ work }: FilesCase): boolean => works.includes(work);
  const anywhere = { place: 'anywhere' } as const;
  const ours = onIoUring('iouring/fs', 'files', ways('iouring'));
  const competitors: Competitor<FilesCase>[] = [
    { ...ours, ...anywhere },
    onNode('node:fs/promises', 'files', ways('promises'), anywhere),
    onNode('node:fs, callbacks', 'files', ways('callbacks'), {
      ...anywhere,
      takesPart: isOf('readFile', 'stat', 'writeFile', 'single'),
    }),
    onNode('node:fs, …Sync', 'files', ways('sync'), {
      ...anywhere,
      takesPart: isOf('readFile', 'stat', 'writeFile', 'single'),
    }),
    { ...(await onBun(launcher, 'node:fs/promises', 'files', ways('promises'))), ...anywhere },
    { ...ours, name: 'iouring/fs, one core' },
    onNode('node:fs/promises, one core', 'files', ways('promises')),
  ];
  return {
    name: 'files',
    title: 'Files in the page cache, on all cores where it does not say one',
    metrics: [
      { key: 'opsPerSecond', title: 'operations/s', better: 'higher', digits: 0 },
      { key: 'cpuMicroseconds', title: 'CPU µs per operation', better: 'lower', digits: 2, inReadme: true },
    ],
    cases: CASES,
    competitors: competitors.map((competitor) =>
      competitor.name === 'node:fs/promises, one core' ? { ...competitor, against: 'iouring/fs, one core' } : competitor
    ),
    notes: ['Streams: an operation is a chunk of 64 KiB',
      'writeFile: to a file system in memory (tmpfs), the rest on a disk'],
    async measure(competitor, test) {
      const { ops, seconds, cpuSeconds } = await measureLoop(context, competitor, test);
      return { opsPerSecond: ops / seconds, cpuMicroseconds: (cpuSeconds * 1e6) / ops };
    },
    async [Symbol.asyncDispose]() {
      for (const path of [folder, scrap]) rmSync(path, { recursive: true, force: true });
    },
  };
}

/** Small files of 1 to 16 KiB in a hundred directories, and a big one, all in the page cache. */
function makeFiles(): string {
  const folder = mkdtempSync(join(tmpdir(), 'iouring-bench-'));
  for (let i = 0; i < 100; i++) mkdirSync(join(folder, `${i}`));
  for (let i = 0; i < FILES; i++) {
    writeFileSync(join(folder, `${i % 100}`, `${i}`), Buffer.alloc(1024 + ((i * 7919) % 15_360), 65));
  }
  writeFileSync(join(folder, 'big'), Buffer.alloc(BIG_BYTES, 66));
  readFileSync(join(folder, 'big'));
  return folder;
}
