/** Scenario: how late the event loop is when 64 reads at a time keep it busy. */
import { onIoUring, onNode } from './contenders.ts';
import { cachedFile } from './data-file.ts';
import { type Case, type Context, type LoopResult, measureLoop, type Scenario } from './scenario.ts';

interface DelayResult extends LoopResult {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export async function delay(context: Context): Promise<Scenario<Case>> {
  const file = cachedFile();
  const way = (how: string) => () => `--mode cached --depth 64 --how ${how} --file`.split(' ').concat(file.path);
  return {
    name: 'delay',
    title: 'Event loop under 64 reads at a time',
    metrics: [
      { key: 'p99', title: 'p99 of the delay, ms', better: 'lower', digits: 2 },
      { key: 'p50', title: 'median delay, ms', better: 'lower', digits: 2, inReadme: true },
      { key: 'max', title: 'longest delay, ms', better: 'lower', digits: 1 },
      { key: 'readsPerSecond', title: 'reads/s meanwhile', better: 'higher', digits: 0, inReadme: true },
    ],
    cases: [{ group: 'delay', name: '4 KiB, page cache' }],
    competitors: [
      onIoUring('Reactor', 'delay', way('reactor')),
      onNode('node:fs/promises', 'delay', way('promises')),
      onNode('node:fs', 'delay', way('callbacks')),
    ],
    notes: [],
    async measure(competitor, test) {
      const { ops, seconds, p50, p99, max } = (await measureLoop(context, competitor, test)) as DelayResult;
      return { p50, p99, max, readsPerSecond: ops / seconds };
    },
    async [Symbol.asyncDispose]() {
      file[Symbol.dispose]();
    },
  };
}
