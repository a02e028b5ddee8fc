import { errnoName } from '../../abi/errno.ts';
import { namedError } from './named-error.ts';

/** The kernel's answer on a socket, in the shape and the words of `node:net`. `errno` is positive. */
export function socketError(errno: number, syscall: string): NodeJS.ErrnoException {
  return namedError(errno, errnoName(errno), syscall);
}
