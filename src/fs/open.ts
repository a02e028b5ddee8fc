import type { FileHandle } from 'node:fs/promises';
import { fileHandleClass } from './file-handle.ts';
import { baseOf, learnBase, type HandleBase } from './handle-base.ts';
import { node } from './node-promises.ts';
import { openFile } from './open-file.ts';
import { modeMisuse, plainFlags, plainMode, plainPath } from './plain-arguments.ts';
import { ringForFiles, ringForPaths } from './ring-or-node.ts';

let known: { readonly base: HandleBase; readonly FileHandle: HandleBase['FileHandle'] } | undefined;

/** `open`. What the ring does not serve is Node's. */
export const open = async function open(path: unknown, flags: unknown, mode: unknown): Promise<FileHandle> {
  const io = ringForPaths();
  const name = io && plainPath(path);
  const bits = plainFlags(flags);
  const permissions = plainMode(mode, 0o666);
  if (io === undefined || name === undefined || bits === undefined || permissions === undefined) {
    const misuse = modeMisuse(mode);
    if (misuse !== undefined) throw misuse;
    return openedByNode(await node.open(path as string, flags as string, mode as number));
  }
  const { base, FileHandle } = known ?? (await learn()) ?? {};
  if (base === undefined || FileHandle === undefined) return node.open(path as string, flags as string, mode as number);
  const fd = await openFile(io, name, bits, permissions);
  return new FileHandle(...base.adopt(fd, bits, path));
} as typeof node.open;

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

/** Is it one of ours? */
export function isHandle(value: unknown): value is FileHandle {
  return known !== undefined && value instanceof known.FileHandle;
}
