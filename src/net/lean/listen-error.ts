import { errnoMessage, errnoName } from '../../abi/errno.ts';

/** Why it cannot be listened, in the shape of Node's own error. */
export interface ListenError extends Error {
  /** `'EADDRINUSE'`, `'EACCES'`, … */
  code: string;
  /** Negative. */
  errno: number;
  syscall: 'listen';
  /** An IP address, or the path of a unix socket. */
  address?: string;
  /** -1 of a unix socket. */
  port?: number;
}

/**
 * The Error for `errno` (positive) of listening at this address.
 * @param port -1 of a unix socket, as Node has it; 0 is not told
 */
export function listenError(errno: number, address?: string, port?: number): ListenError {
  const code = errnoName(errno);
  const host = address === undefined ? '' : ` ${address}`;
  const error = new Error(
    `listen ${code}: ${errnoMessage(errno)}${host}${port !== undefined && port > 0 ? `:${port}` : ''}`,
  );
  return Object.assign(error, {
    errno: -errno,
    code,
    syscall: 'listen' as const,
    ...(address === undefined ? undefined : { address }),
    ...(port === undefined || port === 0 ? undefined : { port }),
  });
}
