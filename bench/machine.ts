/** What the numbers were measured on. */
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { liburingVersion } from './competitors/build.ts';
import { findBun } from './contenders.ts';
import { findInPath, type Launcher } from './launcher.ts';

const LSCPU_MS = 10_000;

export interface Machine {
  readonly kernel: string;
  readonly cpu: string;
  /** The hypervisor, or `no`; undefined where nothing could tell, or results are older than the question. */
  readonly virtual?: string | undefined;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly liburing: string | undefined;
  readonly bun: string | undefined;
  /** Which cores the competitors and the rest had, or why nothing was pinned. */
  readonly pinning: string;
}

export async function describeMachine(launcher: Launcher): Promise<Machine> {
  const { cores, unpinned, niceness } = launcher;
  const priority = niceness === undefined ? '' : `, niceness ${niceness}`;
  return {
    kernel: release(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    virtual: await hypervisor(launcher),
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    liburing: await liburingVersion(launcher),
    bun: (await findBun(launcher))?.version,
    pinning: (cores === undefined
      ? `nothing pinned: ${unpinned}`
      : `competitors on core ${cores.measured}, the load generator on core ${cores.beside}`) + priority,
  };
}

/** By lscpu, which names one where it finds one. */
async function hypervisor(launcher: Launcher): Promise<string | undefined> {
  const file = findInPath('lscpu');
  if (file === undefined) {
    return undefined;
  }
  const output = await launcher.run({ file, args: [], env: { LC_ALL: 'C' } }, 'beside', LSCPU_MS);
  return /^Hypervisor vendor:\s*(.+)$/m.exec(output)?.[1] ?? 'no';
}

/** In one line. */
export function showMachine({ cpu, virtual, cores, kernel, node, liburing, bun, pinning }: Machine): string {
  const processor = [cpu, ...kindOf(virtual), `${cores} cores`].join(', ');
  const parts = [processor, `Linux ${kernel}`, `Node ${node}`];
  if (liburing !== undefined) {
    parts.push(`liburing ${liburing}`);
  }
  if (bun !== undefined) {
    parts.push(`Bun ${bun}`);
  }
  return [...parts, pinning].join('; ');
}

function kindOf(virtual: string | undefined): string[] {
  if (virtual === undefined) {
    return [];
  }
  return [virtual === 'no' ? 'not virtual' : `virtual (${virtual})`];
}
