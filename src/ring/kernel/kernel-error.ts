import { errnoMessage, errnoName } from '../../abi/errno.ts';

/** A refusal of the kernel, in the shape of Node's own system errors. */
export interface KernelError extends Error {
  /** `'EPERM'`, `'ENOMEM'`, … */
  code: string;
  /** Negative, as in Node. */
  errno: number;
  /** The system call that was refused. */
  syscall: string;
}

/** An Error for `errno` (positive, as errno(3) counts) of `syscall`; `hint` names the cause and the remedy. */
export function kernelError(errno: number, syscall: string, hint?: string): KernelError {
  const code = errnoName(errno);
  const message = `${code}: ${errnoMessage(errno)}, ${syscall}${hint ? `: ${hint}` : ''}`;
  return Object.assign(new Error(message), { errno: -errno, code, syscall });
}
