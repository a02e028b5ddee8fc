/** Scenario: ten million operations through one ring. Its memory must not grow. */
import { onIoUring } from './contenders.ts';
import { cachedFile } from './data-file.ts';
import type { Progress } from './progress.ts';
import type { MemoryResult, MemorySample } from './results.ts';
import type { Context } from './scenario.ts';

const OPERATIONS = 10_000_000;
const STEP = 1_000_000;
const TIMEOUT_MS = 600_000;
/** The sample from which growth counts: the engine has compiled and sized its heap by then. */
const SETTLED = 2 * STEP;

export async function memory(
  { launcher }: Context,
  signal: AbortSignal,
  progress: Progress,
): Promise<MemoryResult> {
  const name = 'memory';
  const title = 'Memory over 10 million operations, half NOPs, half 4 KiB reads';
  const absent = { kind: 'memory', name, title, samples: [], skipped: [], failed: [] } as const;
  using file = cachedFile();
  const ours = onIoUring('iouring', 'memory-iouring', () => {
    const numbers = `--operations ${OPERATIONS} --step ${STEP}`;
    return `${numbers} --mode cached --file`.split(' ').concat(file.path);
  });
  if (ours.missing !== undefined) {
    return { ...absent, skipped: [{ name: ours.name, reason: ours.missing }] };
  }
  const command = ours.command({ group: name, name });
  const args = ['--expose-gc', ...command.args];
  progress.begin(name, 1);
  try {
    const output = await launcher.run({ file: command.file, args }, 'measured', TIMEOUT_MS);
    const lines = output.trim().split('\n');
    return { ...absent, samples: lines.map((line) => JSON.parse(line) as MemorySample) };
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    return { ...absent, failed: [{ name: ours.name, reason }] };
  } finally {
    progress.end();
  }
}

/** Bytes by which each kind of memory grew once settled. */
export function growth({ samples }: MemoryResult): Omit<MemorySample, 'operations'> | undefined {
  const first = samples.find(({ operations }) => operations >= SETTLED);
  const last = samples.at(-1);
  if (first === undefined || last === undefined) {
    return undefined;
  }
  return {
    rss: last.rss - first.rss,
    heapUsed: last.heapUsed - first.heapUsed,
    external: last.external - first.external,
    arrayBuffers: last.arrayBuffers - first.arrayBuffers,
  };
}
