import { constants, fstatSync, readFileSync, statSync } from 'node:fs';
import { hasSystemDescriptors } from '../../native/runtime.ts';
import { version } from './proven-kernel.ts';

/** From this version on a worker of the kernel waits for a device that would block; before, whoever submits does. */
export const LEAVES_DEVICES_TO_WORKERS = version('5.14');

/** May a transfer block whoever asks for it? Terminals and other character devices do, unless they are non-blocking. */
export function isBlockingDevice(fd: number): boolean {
  try {
    const kind = hasSystemDescriptors() ? fstatSync(fd) : statSync(`/proc/self/fd/${fd}`);
    return kind.isCharacterDevice() && (statusFlags(fd) & constants.O_NONBLOCK) === 0;
  } catch {
    // It is not open, and the kernel says so.
    return false;
  }
}

/** As fcntl(2) with F_GETFL tells them. */
function statusFlags(fd: number): number {
  const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
  return parseInt(/^flags:\s*([0-7]+)$/m.exec(text)![1], 8);
}
