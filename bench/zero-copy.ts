/** Scenario: a TCP sender that has its bytes copied, or referred to, by size of the pieces. */
import { inBoth } from './contenders.ts';
import { formatNumber } from './format.ts';
import type { Case, Context, Scenario } from './scenario.ts';
import { loadedBy, loadInC, measureServed } from './served.ts';

interface SizeCase extends Case {
  readonly size: number;
}

interface Sent {
  readonly seconds: number;
  readonly bytes: number;
  /** The sender's own count. */
  readonly report: {
    readonly sends: number;
    readonly notifications: number;
    /** Notifications that say: copied after all. */
    readonly copied: number;
  };
}

const KIBIBYTE = 1024;
const MEBIBYTE = 2 ** 20;
const SIZES = [1, 4, 16, 64, 256];

export async function zeroCopy(context: Context): Promise<Scenario<SizeCase>> {
  const sink = await loadInC(context.launcher, 'zero-copy-sink');
  const args = (way: string) => ({ size }: SizeCase): string[] => ['--way', way, '--size', String(size)];
  const competitors = await inBoth(context.launcher, 'zero-copy', [
    { args: args('send') },
    { name: 'zero copy', args: args('zc') },
    { name: 'zero copy from a registered buffer', args: args('fixed') },
  ]);
  let notifications = 0;
  let copied = 0;
  return {
    name: 'zero-copy',
    title: 'Sending over TCP loopback, by size of a send',
    metrics: [
      { key: 'cpuMicroseconds', title: 'sender CPU µs per MiB', better: 'lower', digits: 0 },
      {
        key: 'mebibytesPerSecond',
        title: 'MiB/s',
        better: 'higher',
        digits: 0,
        inReadme: true,
      },
      {
        key: 'copiedPercent',
        title: '% of sends copied after all',
        better: 'lower',
        digits: 0,
        fact: true,
      },
    ],
    cases: SIZES.map((kibibytes) => ({
      group: 'zero-copy',
      name: `${kibibytes} KiB`,
      size: kibibytes * KIBIBYTE,
    })),
    competitors: loadedBy(sink, competitors),
    get notes() {
      const share = formatNumber((100 * copied) / Math.max(1, notifications), 1);
      return [
        'Zero copy: C is compared with `iouring` doing the same; below 1 in a line of `iouring` ' +
        'zero copy is the better way there',
        'Loopback has no network card that could fetch the bytes: of these zero-copy sends the ' +
        `kernel reported ${share} % as copied after all`,
      ];
    },
    async measure(competitor, test) {
      const command = competitor.command(test);
      const { seconds, bytes, report, cpuSeconds } = await measureServed<Sent>(
        context,
        command,
        sink,
      );
      notifications += report.notifications;
      copied += report.copied;
      const mebibytes = bytes / MEBIBYTE;
      return {
        cpuMicroseconds: (cpuSeconds * 1e6) / mebibytes,
        mebibytesPerSecond: mebibytes / seconds,
        copiedPercent: (100 * report.copied) / Math.max(1, report.sends),
      };
    },
    async [Symbol.asyncDispose]() {},
  };
}
