/** What the scenarios share that receive a stream of messages into provided buffers. */
import type { Command } from './launcher.ts';
import type { Context, Metric, Sample } from './scenario.ts';
import { type Load, measureServed } from './served.ts';

const MEBIBYTE = 2 ** 20;

interface Received {
  readonly seconds: number;
  /** Bytes that were sent. */
  readonly bytes: number;
  /** The receiver's own count. */
  readonly report: {
    readonly bytes: number;
    /** Completions with data. */
    readonly completions: number;
    /** Buffers that were used up. */
    readonly buffers: number;
    /** How often a multishot receive ended and had to be queued again. */
    readonly rearms: number;
  };
}

/** How the kernel uses the buffers. */
export type Way = 'plain' | 'bundle' | 'incremental';

export const CPU: Metric = {
  key: 'cpuMicroseconds',
  title: 'receiver CPU µs per MiB',
  better: 'lower',
  digits: 0,
};
export const THROUGHPUT: Metric = {
  key: 'mebibytesPerSecond',
  title: 'MiB/s',
  better: 'higher',
  digits: 0,
};
export const COMPLETIONS: Metric = {
  key: 'completions',
  title: 'completions per MiB',
  better: 'lower',
  digits: 0,
  fact: true,
};
export const REARMS: Metric = {
  key: 'rearms',
  title: 'receives queued again per MiB',
  better: 'lower',
  digits: 1,
  fact: true,
};
export const BUFFER_BYTES: Metric = {
  key: 'bufferMebibytes',
  title: 'MiB of buffers used up per MiB',
  better: 'lower',
  digits: 2,
  fact: true,
};

/** The command line of a receiver. */
export function receiving(
  way: Way,
  { buffers, bytes }: { readonly buffers: number; readonly bytes: number },
  held: number,
): string[] {
  const words = ['--way', way, '--buffers', buffers, '--buffer-bytes', bytes, '--held', held];
  return words.map(String);
}

/** Sends to a receiver; every metric above. */
export async function measureReceiver(
  context: Context,
  receiver: Command,
  sender: Load,
): Promise<Sample> {
  const { seconds, bytes, report, cpuSeconds } = await measureServed<Received>(
    context,
    receiver,
    sender,
  );
  if (report.bytes !== bytes) {
    throw new Error(`Cannot trust the receiver: it counted ${report.bytes} of ${bytes} bytes`);
  }
  const bufferBytes = Number(receiver.args[receiver.args.indexOf('--buffer-bytes') + 1]);
  const mebibytes = bytes / MEBIBYTE;
  return {
    [CPU.key]: (cpuSeconds * 1e6) / mebibytes,
    [THROUGHPUT.key]: mebibytes / seconds,
    [COMPLETIONS.key]: report.completions / mebibytes,
    [REARMS.key]: report.rearms / mebibytes,
    [BUFFER_BYTES.key]: (report.buffers * bufferBytes) / bytes,
  };
}
