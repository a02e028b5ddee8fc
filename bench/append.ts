/** Scenario: durable appends, many writers with a file each. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { inC, onBun, onIoUring, onNode } from './contenders.ts';
import { inProject } from './project.ts';
import { type Case, type Competitor, type Context, measureLoop, type Scenario } from './scenario.ts';

interface AppendCase extends Case {
  readonly writers: number;
}

export async function append(context: Context): Promise<Scenario<AppendCase>> {
  const { launcher } = context;
  // On the project's disk: what is in memory has nothing to flush.
  const folder = mkdtempSync(join(inProject('build'), 'iouring-bench-'));
  const args = ({ writers }: AppendCase): string[] => ['--writers', `${writers}`, '--folder', folder];
  const ways = (how: string) => (test: AppendCase) => [...args(test), '--how', how];
  const competitors: Competitor<AppendCase>[] = [
    onIoUring('Reactor, linked', 'append-reactor', ways('link')),
    onIoUring('Reactor, awaited', 'append-reactor', ways('await')),
    await inC(launcher, 'append', args),
    onNode('node:fs/promises', 'append-fs-promises', args),
    await onBun(launcher, 'node:fs/promises', 'append-fs-promises', args),
  ];
  return {
    name: 'append',
    title: 'Durable appends of 512 bytes: write, then fdatasync',
    metrics: [
      { key: 'appendsPerSecond', title: 'appends/s', better: 'higher', digits: 0 },
      { key: 'cpuMicroseconds', title: 'CPU µs per append', better: 'lower', digits: 1, inReadme: true },
    ],
    cases: [1, 64].map((writers) => ({
      group: 'append',
      name: writers === 1 ? '1 writer' : `${writers} writers`,
      writers,
    })),
    competitors: competitors.map((competitor) => ({ ...competitor, place: 'anywhere' as const })),
    notes: ['Durable appends: on all cores, for the kernel’s workers flush'],
    async measure(competitor, test) {
      const { ops, seconds, cpuSeconds } = await measureLoop(context, competitor, test);
      return { appendsPerSecond: ops / seconds, cpuMicroseconds: (cpuSeconds * 1e6) / ops };
    },
    async [Symbol.asyncDispose]() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
