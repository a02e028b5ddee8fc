import {
  IORING_OP_CLOSE,
  IORING_OP_FGETXATTR,
  IORING_OP_FSETXATTR,
  IORING_OP_FTRUNCATE,
  IORING_OP_LINKAT,
  IORING_OP_MKDIRAT,
  IORING_OP_OPENAT,
  IORING_OP_OPENAT2,
  IORING_OP_READ,
  IORING_OP_RENAMEAT,
  IORING_OP_SYMLINKAT,
  IORING_OP_UNLINKAT,
  IORING_OP_WRITE,
  OPERATIONS,
} from '../../abi/index.ts';
import type { Reactor } from '../../index.ts';
import type { CopyCalls } from './copy-calls.ts';
import { HAS_DESCRIPTOR_PATHS } from '../descriptor-path.ts';
import { NodeCalls } from './node-calls.ts';

type Name = Exclude<keyof CopyCalls, 'clone'>;

/** The operations that the calls are made of; undefined: a system call, which every kernel has. */
const NEEDED: Readonly<Record<Name, number | undefined>> = {
  open: IORING_OP_OPENAT,
  openat: IORING_OP_OPENAT,
  openat2: IORING_OP_OPENAT2,
  // The reactor itself is closed when all is done.
  close: undefined,
  closeFd: IORING_OP_CLOSE,
  read: IORING_OP_READ,
  write: IORING_OP_WRITE,
  ftruncate: IORING_OP_FTRUNCATE,
  mkdirat: IORING_OP_MKDIRAT,
  linkat: IORING_OP_LINKAT,
  symlinkat: IORING_OP_SYMLINKAT,
  unlinkat: IORING_OP_UNLINKAT,
  renameat: IORING_OP_RENAMEAT,
  setTimes: undefined,
  // Those that cannot be copied are not looked for.
  listxattr: IORING_OP_FGETXATTR,
  fgetxattr: IORING_OP_FGETXATTR,
  fsetxattr: IORING_OP_FSETXATTR,
  seek: undefined,
  copyFileRange: undefined,
  allocate: undefined,
};

/** Calls that go through the ring, as far as its kernel has them. */
export interface RingCalls {
  readonly io: CopyCalls;
  /** Something is not kept of what is copied: which, and why; undefined: all is. */
  readonly lost: string | undefined;
}

/**
 * Copying through the ring, and through Node what the ring's kernel has no operation for; undefined: all has to be done
 * by Node.
 */
export function ringCalls(io: Reactor): RingCalls | undefined {
  const names = Object.keys(NEEDED) as Name[];
  const isLacking = (name: Name): boolean => NEEDED[name] !== undefined && !io.supports(NEEDED[name]);
  const lacking = new Set(names.filter(isLacking));
  if (lacking.size === 0) return { io, lost: undefined };
  // Node takes no descriptors of directories: it is given their paths.
  if (!HAS_DESCRIPTOR_PATHS) return undefined;
  const node = new NodeCalls();
  const calls = names.map((name) => {
    const whose: CopyCalls = lacking.has(name) ? node : io;
    return [name, (whose[name] as (...args: unknown[]) => unknown).bind(whose)];
  });
  const lost = lacking.has('fgetxattr')
    ? `extended attributes and ACLs are not kept: that needs Linux ${OPERATIONS[IORING_OP_FGETXATTR].since}`
    : undefined;
  return { io: Object.fromEntries(calls) as CopyCalls, lost };
}
