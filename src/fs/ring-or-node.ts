import {
  IORING_OP_CLOSE,
  IORING_OP_FSYNC,
  IORING_OP_OPENAT,
  IORING_OP_READ,
  IORING_OP_READV,
  IORING_OP_STATX,
  IORING_OP_WRITE,
  IORING_OP_WRITEV,
} from '../abi/operations.ts';
import { AvailableReactor } from '../reactor/available-reactor.ts';
import { ringPaysForFiles } from '../native/runtime.ts';
import type { Reactor } from '../reactor/reactor.ts';

/**
 * Every call here needs these operations. A call that needs one of younger kernels asks for that itself: {@link
 * ringForPaths}.
 */
const NEEDED = [
  IORING_OP_READV,
  IORING_OP_WRITEV,
  IORING_OP_FSYNC,
  IORING_OP_OPENAT,
  IORING_OP_CLOSE,
  IORING_OP_STATX,
  IORING_OP_READ,
  IORING_OP_WRITE,
];

const available = new AvailableReactor('iouring/fs', NEEDED);

/**
 * The reactor for what is done with open files; undefined where there is no io_uring, so that Node has to do it, and
 * where the runtime's own calls are the faster ones.
 */
export function ringForFiles(): Reactor | undefined {
  return ringPaysForFiles() ? available.get() : undefined;
}

/**
 * The reactor for what is done with paths. Under the permission model it is Node that knows which may be touched, and
 * checks them in its own native code: all of these are Node's then.
 * @param needed IORING_OP_*: only one whose kernel has this operation will do
 */
export function ringForPaths(needed?: number): Reactor | undefined {
  const io = hasPermissionModel ? undefined : ringForFiles();
  return needed === undefined || io?.supports(needed) ? io : undefined;
}

/** Is this process run with `--permission`? Some operations on open files are forbidden then, too. */
export const hasPermissionModel = (process as { permission?: unknown }).permission !== undefined;
