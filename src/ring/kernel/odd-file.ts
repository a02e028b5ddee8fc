import { constants, fstatSync, readFileSync, statSync, type Stats } from 'node:fs';
import { hasSystemDescriptors } from '../../native/runtime.ts';
import { version } from './proven-kernel.ts';

/**
 * From this version on a worker of the kernel waits for a device that would block; before, whoever submits does. And a
 * socket has a position: -1, which stands for it, is ESPIPE before.
 */
export const TAKES_EVERY_FILE = version('5.14');

/** May a transfer block whoever asks for it? Terminals and other character devices do, unless they are non-blocking. */
export function isBlockingDevice(fd: number): boolean {
  try {
    return statusOf(fd).isCharacterDevice() && (statusFlags(fd) & constants.O_NONBLOCK) === 0;
  } catch {
    // It is not open, and the kernel says so.
    return false;
  }
}

/** Does a transfer begin at 0, and nowhere else? */
export function isSocket(fd: number): boolean {
  try {
    return statusOf(fd).isSocket();
  } catch {
    return false;
  }
}

function statusOf(fd: number): Stats {
  return hasSystemDescriptors() ? fstatSync(fd) : statSync(`/proc/self/fd/${fd}`);
}

/** As fcntl(2) with F_GETFL tells them. */
function statusFlags(fd: number): number {
  const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
  return parseInt(/^flags:\s*([0-7]+)$/m.exec(text)![1], 8);
}
