import { constants } from 'node:fs';
import { O_CLOEXEC } from '../abi/file-flags.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import { type PlainPath } from './plain-arguments.ts';

/** Node's name for the operation, which errors are reported under. */
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

/**
 * Do something with an open file, and close it whatever comes of that, of the reactor and of the thread.
 * @param callOff of {@link Reactor.guard}
 */
export async function closing<T>(io: Reactor, fd: number, work: Promise<T>, callOff = io.guard(fd)): Promise<T> {
  let result: T;
  try {
    result = await work;
  } catch (error) {
    // The first thing that went wrong is what is told.
    await io.closeOwn(fd, callOff).catch(() => {});
    throw error;
  }
  await io.closeOwn(fd, callOff);
  return result;
}
