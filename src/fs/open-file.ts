import { constants } from 'node:fs';
import { O_CLOEXEC } from '../abi/file-flags.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import { type PlainPath } from './plain-arguments.ts';

/** Node's names for the operations, which errors are reported under. */
export const CLOSE = ownOptions({ syscall: 'close' });
const OPEN = ownOptions({ syscall: 'open', mode: 0o666 });

/** Opens a file as Node does: programs that are started do not inherit its descriptor, which is returned. */
export function openFile(
  io: Reactor,
  path: PlainPath,
  flags: number = constants.O_RDONLY,
  mode = 0o666,
  signal: AbortSignal | null = null,
): Promise<number> {
  const options = signal === null ? (mode === 0o666 ? OPEN : ownOptions({ ...OPEN, mode }))
    : ownOptions({ ...OPEN, mode, signal });
  return io.open(path, flags | O_CLOEXEC, options);
}

/** Do something with an open file, and close it whatever comes of that. */
export async function closing<T>(io: Reactor, fd: number, work: Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work;
  } catch (error) {
    // The first thing that went wrong is what is told.
    await io.closeFd(fd, CLOSE).catch(() => {});
    throw error;
  }
  await io.closeFd(fd, CLOSE);
  return result;
}
