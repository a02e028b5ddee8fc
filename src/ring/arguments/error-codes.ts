/**
 * The `code` of every error that this package makes itself; those of the kernel's refusals are the names of error
 * numbers, such as
 * `ENOENT`, which are Node's too. Each one's cause and remedy: docs/errors.md.
 *
 * @example
 * import { diagnose, IoUring, type IoUringErrorCode } from 'iouring';
 *
 * const unsupported: IoUringErrorCode = 'ERR_IOURING_UNSUPPORTED';
 * try {
 *   new IoUring(8).close();
 * } catch (error) {
 *   if ((error as { code?: string }).code === unsupported) console.error(diagnose().problem);
 * }
 */
export type IoUringErrorCode =
  | 'ABORT_ERR'
  | 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM'
  | 'ERR_FS_FILE_TOO_LARGE'
  | 'ERR_INVALID_ARG_TYPE'
  | 'ERR_INVALID_ARG_VALUE'
  | 'ERR_INVALID_IP_ADDRESS'
  | 'ERR_INVALID_STATE'
  | 'ERR_IOURING_CLOSED'
  | 'ERR_IOURING_DISABLED'
  | 'ERR_IOURING_LINK'
  | 'ERR_IOURING_REENTRANT'
  | 'ERR_IOURING_SHORT'
  | 'ERR_IOURING_THREAD'
  | 'ERR_IOURING_UNSUPPORTED'
  | 'ERR_MISSING_ARGS'
  | 'ERR_OUT_OF_RANGE'
  | 'ETIMEDOUT';
