import type { FileHandle } from 'node:fs/promises';
import { wrongValue } from '../ring/arguments/argument-errors.ts';
import { directFileHandleClass } from './direct-file-handle.ts';
import { fileHandleClass } from './file-handle.ts';
import { baseOf, learnBase, type HandleBase } from './handle-base.ts';
import {
  alignmentOf,
  directFlag,
  hotFileHandleClass,
  isOpenOptions,
  withoutRing,
  type HotFileHandle,
  type HotFileHandleClass,
  type Open,
  type OpenOptions,
} from './hot-file-handle.ts';
import { node } from './node-promises.ts';
import { openFile } from './open-file.ts';
import { modeMisuse, NOTHING, plainFlags, plainMode, plainPath } from './plain-arguments.ts';
import { ringForFiles, ringForPaths } from './ring-or-node.ts';

let known: { readonly base: HandleBase; readonly FileHandle: HandleBase['FileHandle'] } | undefined;

/** `open`, and of hot files: {@link OpenOptions}. What the ring does not serve is Node's. */
export const open = async function open(path: unknown, flags: unknown, mode: unknown): Promise<FileHandle> {
  if (isOpenOptions(flags)) return openHot(path, flags);
  const io = ringForPaths();
  const name = io && plainPath(path);
  const bits = plainFlags(flags);
  const permissions = plainMode(mode, 0o666);
  if (io === undefined || name === undefined || bits === undefined || permissions === undefined) {
    const misuse = modeMisuse(mode);
    if (misuse !== undefined) throw misuse;
    return openedByNode(await node.open(path as string, flags as string, mode as number));
  }
  const { base, FileHandle } = known ?? (await learn()) ?? NOTHING;
  if (base === undefined || FileHandle === undefined) return node.open(path as string, flags as string, mode as number);
  const fd = await openFile(io, name, bits, permissions);
  return new FileHandle(...base.adopt(fd, bits, path));
} as Open;

async function openHot(path: unknown, options: OpenOptions): Promise<HotFileHandle> {
  const io = ringForPaths();
  const { base, FileHandle } = known ?? (await learn()) ?? NOTHING;
  if (io === undefined || base === undefined || FileHandle === undefined) {
    return withoutRing(await node.open(path as string, options.flags, options.mode));
  }
  const name = plainPath(path);
  const bits = plainFlags(options.flags);
  const permissions = plainMode(options.mode, 0o666);
  if (name === undefined || bits === undefined || permissions === undefined) {
    // Node says what is wrong.
    const opened = await node.open(path as string, options.flags, options.mode);
    await opened.close();
    throw wrongValue('options', 'these flags, or this mode, cannot be used with direct or fixed');
  }
  const fd = await openFile(io, name, bits | directFlag(options), permissions);
  try {
    const alignment = await alignmentOf(io, fd, options);
    const place = options.fixed ? io.registerFile(fd) : undefined;
    Hot ??= hotFileHandleClass(FileHandle, base);
    Direct ??= directFileHandleClass(Hot, base);
    return new (options.direct ? Direct : Hot)(io, place, alignment, ...base.adopt(fd, bits, path));
  } catch (error) {
    await io.closeOwn(fd, io.guard(fd)).catch(() => {});
    throw error;
  }
}

let Hot: HotFileHandleClass | undefined;
let Direct: HotFileHandleClass | undefined;

async function learn(): Promise<typeof known> {
  const base = await learnBase();
  return base === undefined ? undefined : (known ??= { base, FileHandle: fileHandleClass(base) });
}

/** Under the permission model the opening is Node's, and the rest is not. */
function openedByNode(handle: FileHandle): FileHandle {
  if (ringForFiles() === undefined) return handle;
  const base = known?.base ?? baseOf(handle);
  const taken = base?.takeOver(handle);
  if (base === undefined || taken === undefined) return handle;
  known ??= { base, FileHandle: fileHandleClass(base) };
  return new known.FileHandle(...taken);
}

/** Is it one of ours, and open? */
export function isOpenHandle(value: unknown): value is FileHandle {
  if (known === undefined || !(value instanceof known.FileHandle)) return false;
  return (known.base.fdOf?.(value) ?? value.fd) !== -1;
}
