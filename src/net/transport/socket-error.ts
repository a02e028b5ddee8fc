import { errnoName } from '../../abi/errno.ts';

/** The kernel's answer on a socket, in the shape and the words of `node:net`. `errno` is positive. */
export function socketError(errno: number, syscall: string): NodeJS.ErrnoException {
  const code = errnoName(errno);
  return Object.assign(new Error(`${syscall} ${code}`), { errno: -errno, code, syscall });
}
