/** Scenario: what registered buffers and a registered file bring, for 4 KiB reads at QD 64. */
import { inBoth } from './contenders.ts';
import { cachedFile, type DataFile, directFile } from './data-file.ts';
import { type Case, type Context, measureLoop, type Scenario } from './scenario.ts';

interface FixedCase extends Case {
  readonly path: string;
  readonly mode: 'cached' | 'direct';
}

const DEPTH = 64;

export async function fixed(context: Context): Promise<Scenario<FixedCase>> {
  const args = (registered: string) => ({ path, mode }: FixedCase): string[] => {
    const words = `--registered ${registered} --mode ${mode} --depth ${DEPTH} --file`;
    return [...words.split(' '), path];
  };
  const competitors = await inBoth(context.launcher, 'fixed', [
    { args: args('nothing') },
    { name: 'registered buffers', args: args('buffers') },
    { name: 'registered buffers and file', args: args('buffers-and-file') },
  ]);
  const cached = cachedFile();
  const direct = directFile();
  const cases = [caseOf(cached, 'cached', 'page cache')];
  const notes = ['Registered buffers: C is compared with `iouring` doing the same'];
  if ('missing' in direct) {
    notes.push(`O_DIRECT is left out: ${direct.missing}`);
  } else {
    cases.push(caseOf(direct, 'direct', 'O_DIRECT'));
  }
  return {
    name: 'fixed',
    title: `4 KiB random reads at QD ${DEPTH}, with what is registered`,
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

function caseOf({ path }: DataFile, mode: FixedCase['mode'], name: string): FixedCase {
  return { group: 'fixed', name, path, mode };
}
