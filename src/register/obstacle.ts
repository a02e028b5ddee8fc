import type * as fs from 'node:fs';
import type * as os from 'node:os';
import { builtin } from '../native/builtin.ts';
import type { KernelSide, SideName } from './sides.ts';

const { readdirSync, readFileSync, readlinkSync } = builtin('node:fs') as typeof fs;

/** 1 keeps all drop-ins on Node, whichever way they were imported. */
const DISABLING_VARIABLE = 'IOURING_DISABLED';
const SYSCTL = '/proc/sys/kernel/io_uring_disabled';
const SYSCTL_GROUP = '/proc/sys/kernel/io_uring_group';
const CAP_SYS_ADMIN = 21;

type Read = (path: string) => string | undefined;

/**
 * Why there can be no ring here, as far as that is known without making one, which takes longer than most programs want
 * to wait. What this does not know, the first socket or file finds out that wants a ring: what a security module says,
 * and whether there are descriptors and memory for it.
 * @param loadKernelSide loads what asks the kernel; it is called where a filter or the administrator may say no
 * @param read gives the text of a file of /proc; undefined if it cannot be read
 */
export function obstacle(loadKernelSide: () => KernelSide, read: Read = readText): Error | undefined {
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
  if (disabled === '1' && !isOfGroup(read) && !hasCapability(status)) {
    const who = 'CAP_SYS_ADMIN and one group (kernel.io_uring_disabled is 1)';
    return refusal(`the administrator reserved it for ${who}`, 'EPERM');
  }
  // A capability may be one of a user namespace only.
  const isInDoubt = isFiltered(status) || (disabled === '1' && !isOfGroup(read));
  if (!isInDoubt || hasRingOfNode()) return undefined;
  try {
    return loadKernelSide().refusalOfSetup();
  } catch {
    // Nothing was found out: the first that wants a ring will be told why.
    return undefined;
  }
}

/** An operation that a side cannot do without, and the Linux that brought it. */
interface Need {
  /** IORING_OP_*, the last of those that are needed; as a number, so that the table of them need not be loaded. */
  readonly operation: number;
  readonly linux: readonly [major: number, minor: number];
}

const SOCKETS: Need = { operation: 47, linux: [6, 0] };

export const NEEDED: Readonly<Record<SideName, Need>> = {
  sockets: SOCKETS,
  ring: SOCKETS,
  datagrams: { operation: 48, linux: [6, 1] },
  files: { operation: 23, linux: [5, 6] },
};

const SIDES_IN_WORDS: Readonly<Record<SideName, string>> = {
  sockets: 'sockets',
  ring: 'sockets',
  datagrams: 'UDP sockets',
  files: 'files',
};

/**
 * Tells which sides the kernel is too old for. Its version proves nothing: the kernels of Red Hat Enterprise Linux and
 * of Debian have parts of younger ones, and a personality (`setarch --uname-2.6`) has it say another. It only says
 * whether to ask: an old one puts it in doubt, and the kernel is asked which operations it knows. With a young one the
 * first socket or file finds out.
 */
export class KernelAge {
  readonly #loadKernelSide: () => KernelSide;
  #version: string | undefined;
  #isAsked = false;
  #refusal: Error | undefined;
  #last: number | undefined;

  /** @param loadKernelSide loads what asks the kernel; it is called when the version says that it is old */
  constructor(loadKernelSide: () => KernelSide, version?: string) {
    this.#loadKernelSide = loadKernelSide;
    this.#version = version;
  }

  /** Why a side can have no ring of this kernel's; undefined if it may. */
  refusalOf(side: SideName): Error | undefined {
    const { operation, linux } = NEEDED[side];
    if (!this.#isBefore(linux)) return undefined;
    if (!this.#isAsked) this.#ask();
    if (this.#refusal !== undefined || this.#last === undefined || this.#last >= operation) return this.#refusal;
    const what = `${SIDES_IN_WORDS[side]} need Linux ${linux.join('.')}, this is ${this.#release}`;
    return refusal(what, 'ERR_IOURING_UNSUPPORTED');
  }

  get #release(): string {
    return (this.#version ??= (builtin('node:os') as typeof os).release());
  }

  #isBefore([major, minor]: Need['linux']): boolean {
    const [, ...numbers] = /^(\d+)\.(\d+)/.exec(this.#release) ?? [];
    if (numbers.length === 0) return false;
    const [ownMajor, ownMinor] = numbers.map(Number);
    return ownMajor < major || (ownMajor === major && ownMinor < minor);
  }

  #ask(): void {
    this.#isAsked = true;
    try {
      const kernel = this.#loadKernelSide();
      this.#refusal = kernel.refusalOfSetup();
      if (this.#refusal === undefined) this.#last = kernel.lastOperation();
    } catch {
      // Nothing was found out: the first that wants a ring will be told why.
    }
  }
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
function isOfGroup(read: Read): boolean {
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
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
