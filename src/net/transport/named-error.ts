/** The kernel's answer on a socket whose name is known, in the shape and the words of `node:net`. */
export function namedError(errno: number, code: string, syscall: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${syscall} ${code}`), { errno: -errno, code, syscall });
}
