/** Scenario: 4 KiB reads at random places of a 256 MiB file, from page cache and from disk. */
import { inC, onBun, onIoUring, onNode, onNodeIoUring } from './contenders.ts';
import { cachedFile, type DataFile, directFile } from './data-file.ts';
import {
  type Case,
  type Competitor,
  type Context,
  measureLoop,
  type Scenario,
} from './scenario.ts';

interface ReadCase extends Case {
  readonly path: string;
  readonly mode: 'cached' | 'direct';
  readonly depth: number;
}

const DEPTHS = [1, 16, 64, 256];
const POOL_THREADS = 64;

export async function randomRead(context: Context): Promise<Scenario<ReadCase>> {
  const competitors = await competitorsFor(context);
  const cached = cachedFile();
  const direct = directFile();
  const cases = casesOf(cached, 'cached', 'page cache');
  const notes = context.launcher.cores === undefined
    ? []
    : ['Random reads: one core each, except for those named “all cores”'];
  if ('missing' in direct) {
    notes.push(`O_DIRECT is left out: ${direct.missing}`);
  } else {
    cases.push(...casesOf(direct, 'direct', 'O_DIRECT'));
  }
  return {
    name: 'read',
    title: '4 KiB random reads of a 256 MiB file',
    metrics: [
      { key: 'readsPerSecond', title: 'reads/s', better: 'higher', digits: 0 },
      {
        key: 'cpuMicroseconds',
        title: 'CPU µs per read',
        better: 'lower',
        digits: 2,
        inReadme: true,
      },
    ],
    cases,
    competitors,
    notes,
    async measure(competitor, test) {
      const { ops, seconds, cpuSeconds } = await measureLoop(context, competitor, test);
      return { readsPerSecond: ops / seconds, cpuMicroseconds: (cpuSeconds * 1e6) / ops };
    },
    async [Symbol.asyncDispose]() {
      cached[Symbol.dispose]();
      if (!('missing' in direct)) {
        direct[Symbol.dispose]();
      }
    },
  };
}

async function competitorsFor({ launcher }: Context): Promise<Competitor<ReadCase>[]> {
  const args = ({ path, mode, depth }: ReadCase): string[] =>
    `--mode ${mode} --depth ${depth} --file`.split(' ').concat(path);
  const fs = 'random-read-fs';
  const promises = 'random-read-fs-promises';
  const unpinned = { place: 'anywhere', takesPart: () => launcher.cores !== undefined } as const;
  return [
    onIoUring('iouring', 'random-read-iouring', args),
    await inC(launcher, 'random-read', args),
    onNode('node:fs', fs, args),
    onNode('node:fs, all cores', fs, args, unpinned),
    // More threads are of use only where they wait, and only when there is more to do than four.
    onNode(`node:fs, ${POOL_THREADS} threads`, fs, args, {
      env: { UV_THREADPOOL_SIZE: String(POOL_THREADS) },
      takesPart: ({ mode, depth }) => mode === 'direct' && depth > 4,
    }),
    await onNodeIoUring(launcher, 'node:fs, UV_USE_IO_URING=1, all cores', fs, args),
    onNode('node:fs/promises', promises, args),
    await onBun(launcher, 'node:fs', fs, args),
    { ...(await onBun(launcher, 'node:fs, all cores', fs, args)), ...unpinned },
    await onBun(launcher, 'node:fs/promises', promises, args),
  ];
}

function casesOf({ path }: DataFile, mode: ReadCase['mode'], group: string): ReadCase[] {
  return DEPTHS.map((depth) => ({ group, name: `QD ${depth}`, path, mode, depth }));
}
