import { fstatSync, Stats, type BigIntStats } from 'node:fs';
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, STATX_BTIME } from '../abi/file-flags.ts';
import { OUTCOME, type Outcome } from '../reactor/operation.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { Statx } from '../reactor/methods-path.ts';
import { node } from './node-promises.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import { plainPath, type PlainPath } from './plain-arguments.ts';
import { ringForPaths } from './ring-or-node.ts';

/** The fields that Node asks for. */
const MASK = STATX_BASIC_STATS | STATX_BTIME;

/** Room for so many answers is kept. */
const ROOMS_MAX = 1024;
const rooms: Statx[] = [];

/** `stat` of a path. What the ring does not serve is Node's. */
export const stat = function stat(path: unknown, ...rest: [options?: unknown]): Promise<Stats | BigIntStats> {
  return byPath('stat', 0, path, rest);
} as typeof node.stat;

/** `lstat` of a path. */
export const lstat = function lstat(path: unknown, ...rest: [options?: unknown]): Promise<Stats | BigIntStats> {
  return byPath('lstat', AT_SYMLINK_NOFOLLOW, path, rest);
} as typeof node.lstat;

function byPath(
  syscall: 'stat' | 'lstat',
  flags: number,
  path: unknown,
  rest: [options?: unknown],
): Promise<Stats | BigIntStats> {
  const io = ringForPaths();
  const name = io && plainPath(path);
  const isBigint = plainStatOptions(rest[0]);
  if (io !== undefined && name !== undefined && isPlain(isBigint)) {
    return statOf(io, syscall, AT_FDCWD, name, flags, isBigint);
  }
  const made = node[syscall](path as string, ...(rest as []));
  return isBigint === true ? learnBigInts(made as Promise<unknown> as Promise<BigIntStats>) : made;
}

/** Is it known how to make what is asked for? */
export function isPlain(isBigint: boolean | undefined): isBigint is boolean {
  if (isBigint === undefined || takesMilliseconds === undefined) return false;
  return !isBigint || (BigIntStatsOfNode ?? undefined) !== undefined;
}

/** `stat` of an open file. */
export function statOpen(io: Reactor, fd: number, isBigint: boolean): Promise<Stats | BigIntStats> {
  return statOf(io, 'fstat', fd, '', AT_EMPTY_PATH, isBigint);
}

/** Are BigInts wanted? Undefined: it is for Node to say what these options mean. */
export function plainStatOptions(options: unknown): boolean | undefined {
  if (options === undefined) return false;
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return undefined;
  const { bigint, signal, throwIfNoEntry = true } = options as Record<string, unknown>;
  // These two came with Node 26.
  if (signal !== undefined || throwIfNoEntry !== true) return undefined;
  return bigint === true;
}

/** How many bytes a regular file has; 0 of what is none, and of one that does not say. */
export async function sizeOf(io: Reactor, fd: number): Promise<number> {
  const statx = await io.statx(fd, '', AT_EMPTY_PATH, MASK, ownOptions({ syscall: 'fstat', into: rooms.pop() }));
  const size = statx.isFile() ? Number(statx.sizeBigint) : 0;
  rooms.push(statx);
  return size;
}

/** Is it a file with a position, so that all that read or write where it stands share that? */
export function isSeekable(fd: number): boolean {
  try {
    const kind = fstatSync(fd);
    return kind.isFile() || kind.isBlockDevice();
  } catch {
    return true;
  }
}

function statOf(
  io: Reactor,
  syscall: string,
  dirfd: number,
  path: PlainPath,
  flags: number,
  isBigint: boolean,
): Promise<Stats | BigIntStats> {
  const status = new Status(syscall, isBigint, rooms.pop());
  return io.statx(dirfd, path, flags, MASK, status) as Promise<unknown> as Promise<Stats | BigIntStats>;
}

/** Both the options of the operation and who takes its answer. */
class Status implements Outcome<Stats | BigIntStats> {
  readonly isUnbounded = false;
  readonly syscall: string;
  readonly into: Statx;
  readonly #isBigint: boolean;

  constructor(syscall: string, isBigint: boolean, room: Statx | undefined) {
    this.syscall = syscall;
    this.#isBigint = isBigint;
    this.into = room ?? new Statx();
  }

  get [OUTCOME](): this {
    return this;
  }

  value(): Stats | BigIntStats {
    const answer = this.#isBigint ? bigIntStats(this.into) : stats(this.into);
    this.failed();
    return answer;
  }

  failed(): void {
    if (rooms.length < ROOMS_MAX) rooms.push(this.into);
  }

  static {
    ownOptions(this.prototype);
  }
}

type StatsClass = new (...numbers: number[]) => Stats;
type BigIntStatsClass = new (...numbers: bigint[]) => BigIntStats;

/** The class itself: what is exported warns that it should not be called. */
const StatsOfNode = Stats.prototype.constructor as StatsClass;

/**
 * Times are given in milliseconds up to Node 24, and in seconds and nanoseconds since; undefined: in some other way.
 */
const takesMilliseconds = ((): boolean | undefined => {
  const [seconds, nanoseconds] = [2, 3_000_000];
  const head = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  const isRight = ({ dev, size, mtimeMs, birthtimeMs }: Stats): boolean =>
    dev === 1 && size === 9 && mtimeMs === 2003 && birthtimeMs === 2003;
  if (isRight(new StatsOfNode(...head, 1, 2003, 3, 2003))) return true;
  const times = [1, 1, seconds, nanoseconds, 1, 1, seconds, nanoseconds];
  return isRight(new StatsOfNode(...head, ...times)) ? false : undefined;
})();

const numbers = new Float64Array(18);

function stats(statx: Statx): Stats {
  const n = numbers;
  statx.toNumbers(n);
  if (takesMilliseconds === false) return new StatsOfNode(...n);
  return new StatsOfNode(
    n[0],
    n[1],
    n[2],
    n[3],
    n[4],
    n[5],
    n[6],
    n[7],
    n[8],
    n[9],
    milliseconds(n, 10),
    milliseconds(n, 12),
    milliseconds(n, 14),
    milliseconds(n, 16),
  );
}

function milliseconds(numbers: Float64Array, at: number): number {
  return numbers[at] * 1000 + numbers[at + 1] / 1e6;
}

/** Not exported: known from the first that Node has made; null if it is none of the known form. */
let BigIntStatsOfNode: BigIntStatsClass | null | undefined;

/** Have Node make one, and look at its class. */
export async function learnBigInts(made: Promise<BigIntStats>): Promise<BigIntStats> {
  const one = await made;
  if (BigIntStatsOfNode === undefined) {
    const { constructor } = one as unknown as { constructor: BigIntStatsClass };
    BigIntStatsOfNode = isOfBigInts(constructor) ? constructor : null;
  }
  return one;
}

function isOfBigInts(BigIntStats: BigIntStatsClass): boolean {
  const of = Array.from({ length: 14 }, (_, i) => BigInt(i) * 10_000_000n);
  try {
    const { size, mtimeMs, birthtimeNs, atime } = new BigIntStats(...of);
    return size === of[8] && mtimeMs === 110n && birthtimeNs === of[13] && atime instanceof Date;
  } catch {
    return false;
  }
}

function bigIntStats(statx: Statx): BigIntStats {
  const { dev, mode, nlink, uid, gid, rdev, blksize, ino, sizeBigint, blocks, atimeNs, mtimeNs, ctimeNs, btimeNs } =
    statx;
  const [device, kind, links, owner, group, special, block] = [dev, mode, nlink, uid, gid, rdev, blksize].map(BigInt);
  return new BigIntStatsOfNode!(
    device,
    kind,
    links,
    owner,
    group,
    special,
    block,
    ino,
    sizeBigint,
    BigInt(blocks),
    atimeNs,
    mtimeNs,
    ctimeNs,
    btimeNs,
  );
}
