import { types } from 'node:util';
import type { FileHandle } from 'node:fs/promises';
import type { Reactor } from '../reactor/reactor.ts';
import { admission } from './admission.ts';
import { node } from './node-promises.ts';
import { closing, openFile } from './open-file.ts';
import { isHandle } from './open.ts';
import { plainFileOptions, plainPath, type FileOptions, type PlainPath } from './plain-arguments.ts';
import { ringForPaths } from './ring-or-node.ts';
import { isIterable, plainData, writeAll, writeEach, type Pieces } from './write-open.ts';

const FSYNC = { syscall: 'fsync' };

/** `writeFile` of a path or a handle. What the ring does not serve is Node's. */
export const writeFile = function writeFile(path: unknown, data: unknown, options: unknown): Promise<void> {
  return write('writeFile', 'w', path, data, options);
} as typeof node.writeFile;

/** `appendFile` of a path or a handle. */
export const appendFile = function appendFile(path: unknown, data: unknown, options: unknown): Promise<void> {
  return write('appendFile', 'a', path, data, options);
} as typeof node.appendFile;

function write(
  method: 'writeFile' | 'appendFile',
  flag: 'w' | 'a',
  path: unknown,
  data: unknown,
  options: unknown,
): Promise<void> {
  if (isHandle(path) && path.fd !== -1) return path[method](data as string, options as BufferEncoding);
  const io = ringForPaths();
  const name = io && plainPath(path);
  const plain = name === undefined ? undefined : plainFileOptions(options, flag);
  if (io !== undefined && name !== undefined && plain !== undefined) {
    const bytes = plainData(data, plain.encoding);
    if (bytes !== undefined) return admission.admit(() => writePath(io, name, bytes, plain));
    if (isIterable(data)) return admission.admit(() => writePath(io, name, data, plain));
  }
  return node[method](path as FileHandle, data as string, options as BufferEncoding);
}

async function writePath(
  io: Reactor,
  path: PlainPath,
  data: Uint8Array | Pieces,
  { flags, mode, encoding, flush, signal }: FileOptions,
): Promise<void> {
  const fd = await openFile(io, path, flags, mode, signal);
  const write = async (): Promise<void> => {
    if (types.isUint8Array(data)) await writeAll(io, fd, data, signal);
    else await writeEach(data, encoding, signal, (piece) => writeAll(io, fd, piece, signal));
    if (flush) await io.fsync(fd, FSYNC);
  };
  return closing(io, fd, write());
}
