/** Scenario: a stream of small messages into small buffers: one a completion, or many (bundles). */
import { inBoth } from './contenders.ts';
import {
  COMPLETIONS,
  CPU,
  measureReceiver,
  receiving,
  THROUGHPUT,
  type Way,
} from './messages.ts';
import type { Case, Context, Scenario } from './scenario.ts';
import { loadedBy, loadInC } from './served.ts';

interface BundleCase extends Case {
  readonly bufferBytes: number;
}

const MESSAGE_BYTES = 128;
/** The sender writes that many at a time. */
const MESSAGES = 64;
const MEMORY_BYTES = 256 * 1024;

export async function bundle(context: Context): Promise<Scenario<BundleCase>> {
  const sizes = `--smallest ${MESSAGE_BYTES} --largest ${MESSAGE_BYTES}`;
  const pace = `--connections 1 --batch ${MESSAGES} --every 0`;
  const sender = await loadInC(context.launcher, 'message-sender', `${pace} ${sizes}`.split(' '));
  const args = (way: Way) => ({ bufferBytes }: BundleCase): string[] => {
    const buffers = { buffers: MEMORY_BYTES / bufferBytes, bytes: bufferBytes };
    return receiving(way, buffers, 0);
  };
  const competitors = await inBoth(context.launcher, 'message-receiver', [
    { args: args('plain') },
    { name: 'bundles', args: args('bundle') },
  ]);
  return {
    name: 'bundle',
    title: `TCP stream of ${MESSAGE_BYTES}-byte messages into 256 KiB of provided buffers`,
    metrics: [CPU, { ...THROUGHPUT, inReadme: true }, { ...COMPLETIONS, inReadme: true }],
    cases: [256, 1024, 4096].map((bufferBytes) => ({
      group: 'bundle',
      name: `buffers of ${bufferBytes} bytes`,
      bufferBytes,
    })),
    competitors: loadedBy(sender, competitors),
    notes: ['Bundles: C is compared with `iouring` doing the same'],
    measure: (competitor, test) => measureReceiver(context, competitor.command(test), sender),
    async [Symbol.asyncDispose]() {},
  };
}
