/** Scenario: 4 KiB reads at random places of a file in the page cache, as promises on the event loop. */
import { inC, onBun, onIoUring, onNode, onNodeIoUring } from './contenders.ts';
import { cachedFile } from './data-file.ts';
import { type Case, type Competitor, type Context, measureLoop, type Scenario } from './scenario.ts';

interface ReadCase extends Case {
  readonly depth: number;
}

const DEPTHS = [1, 16, 64, 256];

export async function promises(context: Context): Promise<Scenario<ReadCase>> {
  const { launcher } = context;
  const file = cachedFile();
  const args = ({ depth }: ReadCase): string[] => `--mode cached --depth ${depth} --file`.split(' ').concat(file.path);
  const unpinned = { place: 'anywhere', takesPart: () => launcher.cores !== undefined } as const;
  const theirs = 'random-read-fs-promises';
  const competitors: Competitor<ReadCase>[] = [
    onIoUring('Reactor', 'random-read-reactor', args),
    await inC(launcher, 'random-read', args),
    onIoUring('IoUring, callbacks', 'random-read-iouring', args),
    onNode('node:fs/promises', theirs, args),
    onNode('node:fs/promises, all cores', theirs, args, unpinned),
    onNode('node:fs', 'random-read-fs', args),
    await onNodeIoUring(launcher, 'node:fs/promises, UV_USE_IO_URING=1, all cores', theirs, args),
    await onBun(launcher, 'node:fs/promises', theirs, args),
    await onBun(launcher, 'Reactor', 'random-read-reactor', args),
  ];
  return {
    name: 'promises',
    title: '4 KiB random reads as promises, from the page cache',
    metrics: [
      { key: 'readsPerSecond', title: 'reads/s', better: 'higher', digits: 0 },
      { key: 'cpuMicroseconds', title: 'CPU µs per read', better: 'lower', digits: 2, inReadme: true },
    ],
    cases: DEPTHS.map((depth) => ({ group: 'promises', name: `QD ${depth}`, depth })),
    competitors,
    targets: [{ cases: /QD (16|64|256)$/, against: 'C,', metric: 'readsPerSecond', least: 0.8 }],
    notes: [],
    async measure(competitor, test) {
      const { ops, seconds, cpuSeconds } = await measureLoop(context, competitor, test);
      return { readsPerSecond: ops / seconds, cpuMicroseconds: (cpuSeconds * 1e6) / ops };
    },
    async [Symbol.asyncDispose]() {
      file[Symbol.dispose]();
    },
  };
}
