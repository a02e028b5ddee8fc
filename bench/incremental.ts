/**
 * Scenario: messages of mixed sizes over many connections, into a ring of 4 KiB buffers of which
 * each arrival takes one, or into a ring of 64 KiB buffers that are used up piece by piece. The
 * same memory for both.
 */
import { inBoth } from './contenders.ts';
import {
  BUFFER_BYTES,
  COMPLETIONS,
  CPU,
  measureReceiver,
  REARMS,
  receiving,
  type Way,
} from './messages.ts';
import type { Case, Context, Scenario } from './scenario.ts';
import { loadedBy, loadInC } from './served.ts';

interface IncrementalCase extends Case {
  readonly memory: number;
}

const KIBIBYTE = 1024;
const CLASSIC_BYTES = 4 * KIBIBYTE;
const INCREMENTAL_BYTES = 64 * KIBIBYTE;
const CONNECTIONS = 32;
/** Arrivals that a receiver is still working on. */
const HELD = 60;
/** A message on each connection every 200 µs is about half of what a core can receive here. */
const EVERY_MICROSECONDS = 200;

export async function incremental(context: Context): Promise<Scenario<IncrementalCase>> {
  const sizes = '--smallest 64 --largest 4096';
  const pace = `--connections ${CONNECTIONS} --batch 1 --every ${EVERY_MICROSECONDS}`;
  const sender = await loadInC(context.launcher, 'message-sender', `${pace} ${sizes}`.split(' '));
  const args = (way: Way, bytes: number) => ({ memory }: IncrementalCase): string[] =>
    receiving(way, { buffers: memory / bytes, bytes }, HELD);
  const competitors = await inBoth(context.launcher, 'message-receiver', [
    { args: args('plain', CLASSIC_BYTES) },
    { name: 'incremental buffers', args: args('incremental', INCREMENTAL_BYTES) },
  ]);
  return {
    name: 'incremental',
    title: `Messages of 64 to 4,096 bytes over ${CONNECTIONS} connections, ${HELD} being worked on`,
    metrics: [
      CPU,
      { ...REARMS, inReadme: true },
      { ...BUFFER_BYTES, inReadme: true },
      COMPLETIONS,
    ],
    cases: [256, 512].map((kibibytes) => ({
      group: 'incremental',
      name: `${kibibytes} KiB of buffers`,
      memory: kibibytes * KIBIBYTE,
    })),
    competitors: loadedBy(sender, competitors),
    notes: [
      'Incremental buffers of 64 KiB against classic ones of 4 KiB: C is compared with ' +
      '`iouring` doing the same',
    ],
    measure: (competitor, test) => measureReceiver(context, competitor.command(test), sender),
    async [Symbol.asyncDispose]() {},
  };
}
