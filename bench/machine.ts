/** What the numbers were measured on. */
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { liburingVersion } from './competitors/build.ts';
import { findBun } from './contenders.ts';
import type { Launcher } from './launcher.ts';

export interface Machine {
  readonly kernel: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly liburing: string | undefined;
  readonly bun: string | undefined;
  /** Which cores the competitors and the rest had, or why nothing was pinned. */
  readonly pinning: string;
}

export async function describeMachine(launcher: Launcher): Promise<Machine> {
  const { cores, unpinned } = launcher;
  return {
    kernel: release(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    liburing: await liburingVersion(launcher),
    bun: (await findBun(launcher))?.version,
    pinning:
      cores === undefined
        ? `nothing pinned: ${unpinned}`
        : `competitors on core ${cores.measured}, the load generator on core ${cores.beside}`,
  };
}
