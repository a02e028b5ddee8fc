import { AT_FDCWD } from '../../abi/index.ts';
import { descriptorPath } from '../descriptor-path.ts';

/** Names may be bytes that are no text: then they, and all paths through them, are bytes. */
export type Path = string | Buffer;

/**
 * A name in a directory that is open. The kernel is told these two, and not the path: a directory on the way to it that
 * somebody replaces by a symbolic link leads nowhere else.
 */
export interface Place {
  /** The descriptor of the directory, or AT_FDCWD. */
  readonly directory: number;
  readonly name: Path;
  /** As the user knows it. */
  readonly path: Path;
}

/** A path that leads through the open directory, for calls that take no descriptor of one. */
export function pathOf({ directory, name, path }: Place): Path {
  if (directory === AT_FDCWD) return name;
  const base = descriptorPath(directory);
  return base === undefined ? path : join(base, name);
}

/** In an error, the name or the descriptor that the kernel was told gives way to the path that the user knows. */
export function told<T>(path: Path, work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    throw pathed(error, path);
  });
}

export function pathed(error: unknown, path: Path): Error {
  const { message } = error as Error;
  return Object.assign(error as Error, { message: message.replace(/ '.*$/s, () => ` '${path.toString()}'`) });
}

/** As text, if it is any. */
export function nameOf(bytes: Buffer): Path {
  const text = bytes.toString();
  return text.includes('\ufffd') ? bytes : text;
}

export function join(directory: Path, name: Path): Path {
  if (typeof directory === 'string' && typeof name === 'string') {
    return directory.endsWith('/') ? directory + name : `${directory}/${name}`;
  }
  return Buffer.concat([Buffer.from(directory as string), Buffer.from('/'), Buffer.from(name as string)]);
}
