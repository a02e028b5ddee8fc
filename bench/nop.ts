/** Scenario: NOPs in batches. What a ring costs when the operations themselves cost nothing. */
import { inC, onIoUring } from './contenders.ts';
import { type Case, type Context, measureLoop, type Scenario } from './scenario.ts';

interface NopCase extends Case {
  readonly batch: number;
}

export async function nop(context: Context): Promise<Scenario<NopCase>> {
  const batchOf = ({ batch }: NopCase): string[] => ['--batch', String(batch)];
  const program = 'nop-iouring';
  return {
    name: 'nop',
    title: 'NOP: one enter a batch',
    metrics: [
      { key: 'nanoseconds', title: 'ns per NOP', better: 'lower', digits: 1 },
      { key: 'cpuNanoseconds', title: 'CPU ns per NOP', better: 'lower', digits: 1 },
    ],
    cases: [1, 8, 32, 128].map((batch) => ({ group: 'NOP', name: `batch ${batch}`, batch })),
    competitors: [
      onIoUring('iouring', program, (test) => [...batchOf(test), '--sq-array', 'no']),
      onIoUring('iouring, with the SQ array that C has', program, (test) => [
        ...batchOf(test),
        '--sq-array',
        'yes',
      ]),
      await inC(context.launcher, 'nop', batchOf),
    ],
    notes: [],
    async measure(competitor, test) {
      const { ops, seconds, cpuSeconds } = await measureLoop(context, competitor, test);
      return { nanoseconds: (seconds * 1e9) / ops, cpuNanoseconds: (cpuSeconds * 1e9) / ops };
    },
    async [Symbol.asyncDispose]() {},
  };
}
