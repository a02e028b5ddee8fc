import { constants, fchmod, type PathLike } from 'node:fs';
import { promisify } from 'node:util';
import { AT_EMPTY_PATH, STATX_MODE, STATX_TYPE } from '../abi/file-flags.ts';
import { IORING_OP_UNLINKAT } from '../abi/operations.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { admission } from './admission.ts';
import { node } from './node-promises.ts';
import { CLOSE, openFile } from './open-file.ts';
import { ownOptions } from '../ring/arguments/own-options.ts';
import { plainPath, type PlainPath } from './plain-arguments.ts';
import { ringForPaths } from './ring-or-node.ts';
import { stagingOf } from './staging.ts';
import { writeAll } from './write-descriptor.ts';

const { COPYFILE_EXCL, O_WRONLY, O_CREAT, O_EXCL } = constants;

/** Larger files gain nothing: Node's copies have the kernel share or move the pages where it can. */
const SMALL = 65_536;
const PERMISSIONS = 0o7777;

const changeMode = promisify(fchmod);
type Statx = Awaited<ReturnType<Reactor['statx']>>;

/** `copyFile`. Small files to new names go through the ring; the rest, and whatever goes wrong at first, is Node's. */
export function copyFile(src: PathLike, dest: PathLike, mode = 0): Promise<void> {
  // A copy that cannot be written whole is taken away again.
  const io = ringForPaths(IORING_OP_UNLINKAT);
  const from = io && plainPath(src);
  const to = io && plainPath(dest);
  const byNode = (): Promise<void> => node.copyFile(src, dest, mode);
  if (io === undefined || from === undefined || to === undefined || (mode !== 0 && mode !== COPYFILE_EXCL)) {
    return byNode();
  }
  return admission.run(async () => {
    const isDone = await copySmall(io, from, to);
    if (!isDone) await byNode();
  });
}

/** False: nothing was done, and this is not the way. */
export async function copySmall(io: Reactor, from: PlainPath, to: PlainPath): Promise<boolean> {
  const source = await openFile(io, from).catch(() => undefined);
  if (source === undefined) return false;
  const staging = stagingOf(io);
  const memory = staging.take(SMALL);
  const probe = staging.take(1);
  try {
    const status = io.statx(source, '', AT_EMPTY_PATH, STATX_TYPE | STATX_MODE);
    const [bytes, { mode }] = await all(io.read(source, memory.bytes, ownOptions({ offset: 0 })), status);
    const isWhole = bytes < SMALL &&
      (await io.read(source, probe.bytes, ownOptions({ offset: bytes, length: 1 }))) === 0;
    if (!isWhole || !(await status).isFile()) return false;
    return await writeNew(io, to, memory.bytes.subarray(0, bytes), mode & PERMISSIONS);
  } catch {
    return false;
  } finally {
    staging.give(memory);
    staging.give(probe);
    await io.closeFd(source, CLOSE);
  }
}

/** Both, and neither goes on when this is over. */
async function all(first: Promise<number>, second: Promise<Statx>): Promise<[number, Statx]> {
  const [one, other] = await Promise.allSettled([first, second]);
  if (one.status === 'rejected') throw one.reason;
  if (other.status === 'rejected') throw other.reason;
  return [one.value, other.value];
}

/** False: there is something already, or it cannot be made. What cannot be written is taken away again. */
async function writeNew(io: Reactor, path: PlainPath, bytes: Uint8Array, mode: number): Promise<boolean> {
  const fd = await openFile(io, path, O_WRONLY | O_CREAT | O_EXCL, mode).catch(() => undefined);
  if (fd === undefined) return false;
  try {
    await writeAll(io, fd, bytes, null, 0);
    const made = await io.statx(fd, '', AT_EMPTY_PATH, STATX_MODE);
    // The umask does not count for a copy.
    if ((made.mode & PERMISSIONS) !== mode) await changeMode(fd, mode);
    return true;
  } catch {
    await io.unlink(path).catch(() => {});
    return false;
  } finally {
    await io.closeFd(fd, CLOSE);
  }
}
