import type { Reactor } from '../reactor/reactor.ts';
import { admission } from './admission.ts';
import { node } from './node-promises.ts';
import { isHandle } from './open.ts';
import { CLOSE, openFile } from './open-file.ts';
import { plainFileOptions, plainPath, type FileOptions, type PlainPath } from './plain-arguments.ts';
import { FIRST_READ, READ, readRest, type Contents } from './read-open.ts';
import { ringForPaths } from './ring-or-node.ts';
import { stagingOf } from './staging.ts';

/** Where a read finds nothing is the end; what it finds of a file that has grown is not much. */
const PROBE = 4096;
/** `readFile` of a path. What the ring does not serve is Node's. */
export const readFile = function readFile(path: unknown, options: unknown): Promise<Contents> {
  if (isHandle(path) && path.fd !== -1) return path.readFile(options as BufferEncoding);
  const io = ringForPaths();
  const name = io && plainPath(path);
  const plain = name === undefined ? undefined : plainFileOptions(options, 'r');
  if (io === undefined || name === undefined || plain === undefined) return readByNode(path, options);
  return admission.admit(() => readPath(io, name, plain));
} as typeof node.readFile;

function readByNode(path: unknown, options: unknown): Promise<Contents> {
  return node.readFile(path as string, options as BufferEncoding);
}

/** Read a file that is not open. */
export async function readPath(io: Reactor, path: PlainPath, options: FileOptions): Promise<Contents> {
  const { flags, mode, signal, encoding } = options;
  const fd = await openFile(io, path, flags, mode, signal);
  const staging = stagingOf(io);
  const first = staging.take(FIRST_READ);
  const probe = staging.take(PROBE);
  let contents: Contents;
  try {
    const bytes = await io.read(fd, first, signal === null ? FIRST : { ...FIRST, signal });
    const more = bytes < FIRST_READ ? await io.read(fd, probe, { ...READ, offset: bytes }) : 0;
    if (bytes < FIRST_READ && more === 0) {
      contents = encoding === null ? copyOf(first, bytes) : first.toString(encoding, 0, bytes);
    } else {
      const head = Buffer.concat([first.subarray(0, bytes), probe.subarray(0, more)]);
      contents = await readRest(io, fd, options, head, head.length);
    }
  } catch (error) {
    await io.close(fd, CLOSE).catch(() => {});
    throw error;
  } finally {
    staging.give(first);
    staging.give(probe);
  }
  await io.close(fd, CLOSE);
  return contents;
}

const FIRST = { ...READ, offset: 0 };

/** Memory of its own, as Node gives it: it may be transferred to another thread. */
function copyOf(memory: Buffer, length: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(length);
  copy.set(memory.subarray(0, length));
  return copy;
}
