import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { release } from 'node:os';
import type { PermissionSide, SideName } from './sides.ts';

/** 1 keeps all drop-ins on Node, whichever way they were imported. */
const DISABLING_VARIABLE = 'IOURING_DISABLED';
const SYSCTL = '/proc/sys/kernel/io_uring_disabled';
const SYSCTL_GROUP = '/proc/sys/kernel/io_uring_group';
const CAP_SYS_ADMIN = 21;

/**
 * Why there can be no ring here, as far as that is known without making one, which takes longer than most programs want
 * to wait. What this does not know, the first socket or file finds out that wants a ring: what a security module says,
 * and whether there are descriptors and memory for it.
 * @param loadPermission loads what asks the kernel; it is called where a filter or the administrator may say no
 */
export function obstacle(loadPermission: () => PermissionSide): Error | undefined {
  if (process.env[DISABLING_VARIABLE] === '1') {
    return refusal(`the environment variable ${DISABLING_VARIABLE} is set to 1`, 'ERR_IOURING_DISABLED');
  }
  const { platform } = process;
  if (platform !== 'linux') return refusal(`it exists only on Linux, this is ${platform}`, 'ERR_IOURING_UNSUPPORTED');
  const disabled = read(SYSCTL)?.trim();
  if (disabled === '2') {
    return refusal('the administrator disabled it for all processes (kernel.io_uring_disabled is 2)', 'EPERM');
  }
  const status = read('/proc/self/status') ?? '';
  if (disabled === '1' && !isOfGroup() && !hasCapability(status)) {
    const who = 'CAP_SYS_ADMIN and one group (kernel.io_uring_disabled is 1)';
    return refusal(`the administrator reserved it for ${who}`, 'EPERM');
  }
  // A capability may be one of a user namespace only.
  const isInDoubt = isFiltered(status) || (disabled === '1' && !isOfGroup());
  if (!isInDoubt || hasRingOfNode()) return undefined;
  try {
    return loadPermission().refusalOfSetup();
  } catch {
    // Nothing was found out: the first that wants a ring will be told why.
    return undefined;
  }
}

/** Versions of Linux from which on there is what a side cannot do without. */
export const NEEDED_LINUX: Readonly<Record<SideName, readonly [major: number, minor: number]>> = {
  sockets: [6, 0],
  ring: [6, 0],
  datagrams: [6, 0],
  files: [5, 6],
};

/**
 * Is this kernel too old for a side? Those of Red Hat Enterprise Linux have parts of younger ones: the first socket or
 * file finds out which.
 */
export function tooOld(side: SideName): Error | undefined {
  const [major, minor] = NEEDED_LINUX[side];
  const version = release();
  const [, ...numbers] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  if (process.platform !== 'linux' || numbers.length === 0 || /\.el\d/.test(version)) return undefined;
  const [ownMajor, ownMinor] = numbers.map(Number);
  if (ownMajor > major || (ownMajor === major && ownMinor >= minor)) return undefined;
  const what = side === 'files' ? 'files need' : 'sockets need';
  return refusal(`${what} Linux ${major}.${minor}, this is ${version}`, 'ERR_IOURING_UNSUPPORTED');
}

/** Errors after which a ring is tried for again: what they tell of passes. */
const SHORTAGES = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM']);

/** Will there never be a ring, after this error? */
export function isFinal(error: NodeJS.ErrnoException): boolean {
  return !SHORTAGES.has(error.code ?? '');
}

function refusal(reason: string, code: string): Error {
  return Object.assign(new Error(`io_uring is not used: ${reason}`), { code });
}

/** Has a container, or whoever has started this process, put a filter on its system calls? */
function isFiltered(status: string): boolean {
  return /^Seccomp:\s*2$/m.test(status);
}

/** Is it in the group that may use io_uring where others may not? */
function isOfGroup(): boolean {
  const group = Number(read(SYSCTL_GROUP)?.trim() ?? -1);
  return group >= 0 && (process.getegid!() === group || process.getgroups!().includes(group));
}

function hasCapability(status: string): boolean {
  const [, effective = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  return ((BigInt(`0x${effective}`) >> BigInt(CAP_SYS_ADMIN)) & 1n) === 1n;
}

/** Versions of Node from 22 on have rings in their own event loop, where they may. */
function hasRingOfNode(): boolean {
  try {
    return readdirSync('/proc/self/fd').some(isRing);
  } catch {
    return false;
  }
}

function isRing(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[io_uring]';
  } catch {
    // It was the folder's own.
    return false;
  }
}

/** The text of a file; undefined if it cannot be read. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
