/**
 * Where an open file stands, and what has to be done for it after a short transfer there.
 *
 * A transfer of a regular file or a block device that comes short is tried again by the kernel (6.0 to 7.3 at least).
 * If that fails (the disk is full, the file would be larger than is allowed, a sector cannot be read), the answer is
 * what was transferred before, and the file stands where it stood before the transfer: what is written there next
 * overwrites it, and what is read there next is the same again. read(2) and write(2), and kernels before, move the file
 * on.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync, statSync, type Stats } from 'node:fs';
import { koffiNative } from '../native/koffi.ts';
import { hasSystemDescriptors } from '../native/runtime.ts';

const SEEK_SET = 0;
const SEEK_CUR = 1;
const SEEK_END = 2;

/** Where a file stands, in bytes; -errno of what stands nowhere, as a pipe, a socket and a terminal, or is not open. */
export function positionOf(fd: number): number {
  return koffiNative().seek(fd, 0, SEEK_CUR);
}

/**
 * Have a file stand behind a write of `done` bytes, fewer than it was asked for, that began where the file stood then,
 * at `before`. Nothing is done where the kernel has moved the file itself.
 */
export function moveBehindWrite(fd: number, before: number, done: number): void {
  if (before < 0 || done <= 0 || positionOf(fd) !== before || retriedKind(fd) === undefined) return;
  if (isAppending(fd)) koffiNative().seek(fd, 0, SEEK_END);
  else koffiNative().seek(fd, before + done, SEEK_SET);
}

/**
 * The same behind a read of `done` bytes, fewer than it was asked for. Where it began need not be known, which would
 * have to be asked before every read: a file that was moved stands at its end, or has grown since and can be read
 * further on.
 */
export function moveBehindRead(fd: number, done: number): void {
  if (done <= 0) return;
  const position = positionOf(fd);
  if (position < 0) return;
  const kind = retriedKind(fd);
  if (kind === undefined || (kind.isFile() && position >= kind.size)) return;
  if (position < done || isUnreadable(fd, position + done)) koffiNative().seek(fd, position + done, SEEK_SET);
}

/** Undefined of a file of the kinds that the kernel does not try again with: those stand where their drivers say. */
function retriedKind(fd: number): Stats | undefined {
  try {
    const kind = hasSystemDescriptors() ? fstatSync(fd) : statSync(pathOf(fd));
    return kind.isFile() || kind.isBlockDevice() ? kind : undefined;
  } catch {
    return undefined;
  }
}

/** A path to what is open there, whether it still has another or not. */
const pathOf = (fd: number): string => `/proc/self/fd/${fd}`;

const BYTE = new Uint8Array(1);

function isUnreadable(fd: number, position: number): boolean {
  if (hasSystemDescriptors()) return isRefusedAt(fd, position);
  let own: number;
  try {
    own = openSync(pathOf(fd), 'r');
  } catch {
    return false;
  }
  try {
    return isRefusedAt(own, position);
  } finally {
    closeSync(own);
  }
}

function isRefusedAt(fd: number, position: number): boolean {
  try {
    readSync(fd, BYTE, 0, 1, position);
    return false;
  } catch {
    return true;
  }
}

/** Is all that is written to it appended? */
function isAppending(fd: number): boolean {
  try {
    const [, flags] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))!;
    return (parseInt(flags, 8) & constants.O_APPEND) !== 0;
  } catch {
    return false;
  }
}
