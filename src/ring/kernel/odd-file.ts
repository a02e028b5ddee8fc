import { constants, fstatSync, readFileSync, statSync, type Stats } from 'node:fs';
import { hasSystemDescriptors } from '../../native/runtime.ts';
import { version } from './proven-kernel.ts';

/** From this version on a worker of the kernel waits for a device that would block; before, whoever submits does. */
export const LEAVES_DEVICES = version('5.14');
/**
 * From this version on -1, which stands for the position of a file, may be that of a socket; before, it is ESPIPE.
 * Point releases of 5.10 and 5.15 that are younger than 5.16 have it too, which nothing shows.
 */
export const POSITIONS_SOCKETS = version('5.16');

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
