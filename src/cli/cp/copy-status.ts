import { fchmodSync, fchownSync, type BigIntStats } from 'node:fs';
import type { CopyCalls } from './copy-calls.ts';

export const PERMISSIONS = 0o7777;
const SET_GROUP_ID = 0o2000;
const STICKY = 0o1000;
const FOR_ALL = 0o777;
const FOR_OWNER = 0o700;
const FOR_GROUP = 0o070;

const ACCESS_ACL = 'system.posix_acl_access';
export const DEFAULT_ACL = 'system.posix_acl_default';
/**
 * An ACL as an attribute: a version in four bytes, and eight bytes an entry: tag, permissions, who. Without entries
 * there is none.
 */
const ACL_VERSION = 2;
const ACL_HEADER = 4;
const ACL_ENTRY = 8;
const ACL_GROUP_OBJ = 0x04;
const ACL_MASK = 0x10;

/** The settings that a copy is made with. */
export interface Made {
  /** See {@link isOwnedAs}. */
  readonly isOwned: boolean;
  readonly mode: number;
  /** Nobody had it open before. */
  readonly isNew: boolean;
  /** It may have an ACL that the source does not have: of the directory that it was made in, or its own of before. */
  readonly hasAcl: boolean;
}

/** Is an attribute one of the two ACLs that a file or a directory may have? */
export function isAcl(name: string): boolean {
  return name === ACCESS_ACL || name === DEFAULT_ACL;
}

/** Is a copy with this owner and this group as its source? */
export function isOwnedAs(status: BigIntStats, uid: number, gid: number): boolean {
  // The bit's meaning depends on the group, which is set all the same.
  return Number(status.uid) === uid && Number(status.gid) === gid && (Number(status.mode) & SET_GROUP_ID) === 0;
}

/**
 * All but the contents, as `cp -a` does. Until the owner, the group and the ACL are those of the source, nobody but the
 * owner may do anything: the group's bits of a mode mean something else beside an ACL. Times are last.
 * @param names the attributes of the source
 */
export async function setStatus(
  io: CopyCalls,
  source: number,
  copy: number,
  status: BigIntStats,
  made: Made,
  names: readonly string[],
): Promise<void> {
  const { isOwned } = made;
  const wanted = Number(status.mode) & PERMISSIONS;
  const isPlain = isOwned && names.length === 0 && !made.hasAcl;
  if (!isPlain && !made.isNew) fchmodSync(copy, made.mode & wanted & FOR_OWNER);
  // A program that runs with its owner's rights must not run with another owner's. A directory's sticky bit takes
  // rights away.
  let mode = isOwned || setOwner(copy, status) ? wanted : wanted & (status.isDirectory() ? STICKY | FOR_ALL : FOR_ALL);
  for (const name of names) if (!isAcl(name)) await copyAttribute(io, source, copy, name);
  if (names.includes(ACCESS_ACL)) {
    const acl = await attributeOf(io, source, ACCESS_ACL);
    if (!(await setAttribute(io, copy, ACCESS_ACL, acl))) mode = withoutAcl(mode, acl);
  } else if (made.hasAcl) {
    await removeAcl(io, copy, ACCESS_ACL);
  }
  if (names.includes(DEFAULT_ACL)) await copyAttribute(io, source, copy, DEFAULT_ACL);
  else if (made.hasAcl && status.isDirectory()) await removeAcl(io, copy, DEFAULT_ACL);
  // An owner, an ACL, and having been narrowed above: each changes the mode.
  if (!isPlain || mode !== made.mode) fchmodSync(copy, mode);
  io.setTimes(copy, status.atimeNs, status.mtimeNs);
}

/** Files that are made in a directory with a default ACL inherit it. */
export async function removeInherited(io: CopyCalls, directory: number): Promise<void> {
  await removeAcl(io, directory, DEFAULT_ACL);
  await removeAcl(io, directory, ACCESS_ACL);
}

/** The names of attributes; none where the file system has none. */
export function attributesOf(io: CopyCalls, file: number | string): string[] {
  try {
    return io.listxattr(file);
  } catch {
    return [];
  }
}

/** Steps that only root may take are left out by others. */
export function allowed(change: () => void): boolean {
  try {
    change();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
    return false;
  }
}

/** @returns are both kept? The group is, if it can be, without the owner */
function setOwner(file: number, { uid, gid }: BigIntStats): boolean {
  if (allowed(() => fchownSync(file, Number(uid), Number(gid)))) return true;
  allowed(() => fchownSync(file, -1, Number(gid)));
  return false;
}

async function attributeOf(io: CopyCalls, fd: number, name: string): Promise<Buffer> {
  const value = Buffer.allocUnsafeSlow(await io.fgetxattr(fd, name, Buffer.alloc(0)));
  return value.length === 0 ? value : value.subarray(0, await io.fgetxattr(fd, name, value));
}

async function copyAttribute(io: CopyCalls, source: number, copy: number, name: string): Promise<void> {
  await setAttribute(io, copy, name, await attributeOf(io, source, name));
}

/** As for `cp -a`: what may not be set, or has no place there, is left away. @returns is it set? */
async function setAttribute(io: CopyCalls, copy: number, name: string, value: Buffer): Promise<boolean> {
  try {
    await io.fsetxattr(copy, name, value);
    return true;
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return false;
  }
}

async function removeAcl(io: CopyCalls, file: number, name: string): Promise<void> {
  const none = Buffer.alloc(ACL_HEADER);
  none.writeUInt32LE(ACL_VERSION);
  await setAttribute(io, file, name, none);
}

/**
 * Where there is no room for an ACL the group gets what the group itself had, which the mask in its place in the mode
 * may exceed.
 */
function withoutAcl(mode: number, acl: Buffer): number {
  let bits = FOR_GROUP;
  for (let at = ACL_HEADER; at + ACL_ENTRY <= acl.length; at += ACL_ENTRY) {
    const tag = acl.readUInt16LE(at);
    if (tag === ACL_GROUP_OBJ || tag === ACL_MASK) bits &= acl.readUInt16LE(at + 2) << 3;
  }
  return (mode & ~FOR_GROUP) | (mode & bits);
}
